"""Fitted and assumed coefficients, read from the calibration table.

Every row of the table is one number: its id is the field name here (in the table's units), or
``<kind>:<name>`` for rows that say what the fit has seen (families, accelerators) or how engines differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from solver.errors import InputError, Problem, closest
from solver.units import si_name

_SEEN = {"family": "families", "accelerator": "accelerators", "engine": "engines"}


_OVERHEADS = ("per_layer_s", "per_doubling_s", "per_request_s", "per_dispatch_s")


class HasRows(Protocol):
    """Anything that gives a table's rows, such as a catalog."""

    def rows(self, table: str) -> Iterable[Mapping[str, Any]]:
        """Return the rows of a table."""
        ...


@dataclass(frozen=True)
class Calibration:
    """Coefficients of the time and power forms, planning assumptions on memory, and error spreads.

    Attributes
    ----------
    per_layer_s, per_doubling_s, per_request_s, per_dispatch_s : float
        a, d, e and f of `solver.physics.overhead`.
    decode_factor, prefill_factor : float
        b and c, which multiply roofline times.
    experts_effective_frac : float
        Effective number of experts over the real one, for the weights that few tokens touch.
    power_floor, power_memory, power_compute : float
        p0, p_mem and p_flop of the board power.
    gamma_prefill, gamma_decode : float
        Exponents of a power cap for compute and memory.
    hbm_usable_frac, graph_buffers_bytes, activation_bytes_per_value, kv_paging_frac : float
        Memory that serving software leaves: share of HBM, graphs and buffers, bytes of activations per
        batched token and hidden value, fragmentation of paged KV.
    tpot_error_low, tpot_error_high, ... : float
        10th and 90th percentile of predicted over measured on families that the fit had not seen.
    evidence_isl, evidence_count, evidence_batch : float
        Longest prompt, largest replica and largest batch in the measurements.
    families, accelerators : frozenset of str
        What the measurements cover.
    engines : mapping
        Engine -> time relative to the common fit.
    """

    per_layer_s: float
    per_doubling_s: float
    per_request_s: float
    per_dispatch_s: float
    decode_factor: float
    prefill_factor: float
    experts_effective_frac: float
    power_floor: float
    power_memory: float
    power_compute: float
    gamma_prefill: float
    gamma_decode: float
    hbm_usable_frac: float
    graph_buffers_bytes: float
    activation_bytes_per_value: float
    kv_paging_frac: float
    tpot_error_low: float
    tpot_error_high: float
    ttft_error_low: float
    ttft_error_high: float
    throughput_error_low: float
    throughput_error_high: float
    power_error_low: float
    power_error_high: float
    evidence_isl: float
    evidence_count: float
    evidence_batch: float
    families: frozenset[str]
    accelerators: frozenset[str]
    engines: Mapping[str, float]

    @classmethod
    def from_catalog(cls, catalog: HasRows) -> Calibration:
        """Read the coefficients from a catalog's `calibration` table."""
        return cls.from_rows(catalog.rows("calibration"))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Calibration:
        """Build the coefficients from rows with `id` and `value`, converting units to SI.

        Raises
        ------
        InputError
            Naming every coefficient that no row gives.
        """
        numbers: dict[str, float] = {}
        seen: dict[str, dict[str, float]] = {target: {} for target in _SEEN.values()}
        for row in rows:
            kind, _, name = str(row["id"]).partition(":")
            if name:
                seen[_SEEN[kind]][name] = float(row["value"])
            else:
                field, factor = si_name(kind)
                numbers[field] = float(row["value"]) * factor
        wanted = [field.name for field in dataclasses.fields(cls) if field.name not in _SEEN.values()]
        absent = [name for name in wanted if name not in numbers]
        if absent:
            hint = "write the table with `python -m solver.calibrate`"
            message = "coefficient missing from the calibration table"
            raise InputError([Problem("calibration", name, "value", "", message, "a number", hint) for name in absent])
        return cls(
            **{name: numbers[name] for name in wanted},
            families=frozenset(seen["families"]),
            accelerators=frozenset(seen["accelerators"]),
            engines=seen["engines"],
        )

    def for_engine(self, engine: str | None) -> Calibration:
        """Return the coefficients for a serving engine: all times scaled by its ratio to the common fit.

        Raises
        ------
        InputError
            If the engine has not been measured.
        """
        if engine is None:
            return self
        if engine not in self.engines:
            allowed = ", ".join(sorted(self.engines)) or "none"
            message, hint = "no measurements of this engine", closest(engine, self.engines)
            raise InputError([Problem("predict", "", "engine", engine, message, allowed, hint)])
        scale = self.engines[engine]
        times = [*_OVERHEADS, "decode_factor", "prefill_factor"]
        return dataclasses.replace(self, **{name: getattr(self, name) * scale for name in times})
