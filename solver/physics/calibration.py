"""Fitted and assumed coefficients, read from the calibration table.

Every row of the table is one number: its id is the field name here (in the table's units), or
``<kind>:<name>`` for rows that say what the fit has seen (families, accelerators), how engines and
accelerators differ, what the fit began with (priors), and how the measuring itself differed (setups).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from solver.errors import InputError, Problem, closest
from solver.parts import Accelerator
from solver.physics.coefficients import FITTED, PLANNED, TimeCoefficients
from solver.units import si_name

_SEEN = {
    "family": "families",
    "accelerator": "accelerators",
    "engine": "engines",
    "overhead": "overheads",
    "activity": "activities",
}
"""Kind of a row's id -> field."""

_SPREAD = "spread"
"""Kind of the rows that say how far predictions are off by regime of evidence."""

_ONLY_FOR_FITS = ("prior", "setup")
"""Kinds of rows that predictions do not read."""


_FORMATS = ("fp4", "fp8", "bf16")


def generation(part: Accelerator) -> str:
    """Return the narrowest format that a part computes in natively, which tells its generation."""
    return next(word for word in _FORMATS if getattr(part, f"{word}_dense_flop_per_s") or word == _FORMATS[-1])


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
    times : TimeCoefficients
        Overheads and attained shares of peaks; a row of the table each.
    power_floor, power_memory, power_compute, power_busy : float
        p0, p_mem, p_flop and p_busy of the board power.
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
        Engine -> overhead relative to the common one.
    overheads, activities : mapping
        Generation of accelerators (`generation`) -> overhead, and share of the power range that is drawn,
        relative to the common ones; a part without measurements has those of its generation, and a generation
        without a row the common ones.
    spreads : mapping
        ``<prediction>_<evidence>`` -> 10th and 90th percentile of predicted over measured in that regime.
    """

    times: TimeCoefficients
    power_floor: float
    power_memory: float
    power_compute: float
    power_busy: float
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
    overheads: Mapping[str, float]
    activities: Mapping[str, float]
    spreads: Mapping[str, tuple[float, float]]

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
        spreads: dict[str, tuple[float, float]] = {}
        seen: dict[str, dict[str, float]] = {target: {} for target in _SEEN.values()}
        for row in rows:
            kind, _, name = str(row["id"]).partition(":")
            if kind in _ONLY_FOR_FITS:
                continue
            if kind == _SPREAD:
                spreads[name] = (float(row["low"]), float(row["high"]))
            elif name:
                seen[_SEEN[kind]][name] = float(row["value"])
            else:
                field, factor = si_name(kind)
                numbers[field] = float(row["value"]) * factor
        own = [f.name for f in dataclasses.fields(cls) if f.name not in ("times", "spreads", *_SEEN.values())]
        absent = [name for name in (*FITTED, *PLANNED, *own) if name not in numbers]
        if absent:
            hint = "write the table with `python -m solver.calibrate`"
            message = "coefficient missing from the calibration table"
            raise InputError([Problem("calibration", name, "value", "", message, "a number", hint) for name in absent])
        return cls(
            times=TimeCoefficients(**{name: numbers[name] for name in (*FITTED, *PLANNED)}),
            **{name: numbers[name] for name in own},
            families=frozenset(seen["families"]),
            accelerators=frozenset(seen["accelerators"]),
            engines=seen["engines"],
            overheads=seen["overheads"],
            activities=seen["activities"],
            spreads=spreads,
        )

    def spread(self, prediction: str, evidence: str) -> tuple[float, float]:
        """Return the 10th and 90th percentile of predicted over measured in a regime of evidence.

        Parameters
        ----------
        prediction : {"tpot", "ttft", "throughput", "power"}
            What is predicted.
        evidence : str
            A word of `solver.points.EVIDENCE`; without a row of its own, the families left out stand for it.
        """
        usual = (getattr(self, f"{prediction}_error_low"), getattr(self, f"{prediction}_error_high"))
        return self.spreads.get(f"{prediction}_{evidence}", usual)

    def for_engine(self, engine: str | None) -> Calibration:
        """Return the coefficients for a serving engine: overheads scaled by its ratio to the common fit.

        Without an engine the common fit stands for the mean of the engines measured.

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
        overhead = np.asarray(self.times.overhead) * self.engines[engine]
        return dataclasses.replace(self, times=dataclasses.replace(self.times, overhead=overhead))
