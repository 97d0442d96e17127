"""Runs side by side: what was asked differently first, then key figures against a baseline, then the builds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from solver.catalog import Catalog
from solver.design import Design
from solver.kpis import KPIS
from solver.whatif.changes import ADDED, REMOVED, Change, differences
from solver.whatif.store import Run

Record = dict[str, Any]
MORE = frozenset(
    ("requests_per_s", "output_tokens_per_s", "tokens_per_s", "value_tokens_per_s", "tokens_per_mw",
     "tokens_per_used_mw", "tokens_per_tco_dollar", "revenue_usd_per_year", "profit_usd_per_year",
     "measured_tokens_share", "measured_load_share")
)  # fmt: skip
"""Key figures of which more is better."""
LESS = frozenset(
    ("utility_meter_w", "drawn_meter_w", "capex_usd", "tco_usd_per_year", "usd_per_million_tokens",
     "joules_per_token", "floor_m2", "water_l_per_s", "co2_kg_per_s", "estimated_capex_share",
     "estimated_power_share", "extrapolated_load_share", "unmeasured_load_share")
)  # fmt: skip
"""Those of which less is better; of the rest neither is."""
EVEN = 1e-9
"""Relative difference below which two figures are the same."""
UNITS = {
    "_usd_per_million_tokens": "USD/1e6 tokens", "_usd_per_kw_month": "USD/kW/month", "_usd_per_mwh": "USD/MWh",
    "_usd_per_kw": "USD/kW", "_usd_per_request": "USD", "_g_per_kwh": "g/kWh", "_l_per_s": "L/s", "_kg_per_s": "kg/s",
    "_tokens": "tokens", "_percent": "%", "_years": "years", "_days": "days", "_usd": "USD", "_mw": "MW",
    "_m2": "m2", "requests_per_s": "1/s", "_s": "s",
}  # fmt: skip
"""Suffix of a study's key -> unit, the most telling first."""
_LISTS = {"workload": ("id",), "fleet": ("platform", "configuration")}
"""Lists of a study, and what names their items."""
_NOT_INPUTS = ("name", "description", "solver.threads", "solver.time_limit_s")


def unit_of(path: str) -> str:
    """Return the unit of a key of a study, empty where it has none."""
    return next((unit for suffix, unit in UNITS.items() if path.endswith(suffix)), "")


def flat(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study as dotted path to value, with the paths that `Study.with_changes` takes."""
    return dict(_leaves(study, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path in _LISTS and isinstance(value, list):
        for item in value:
            name = "/".join(str(item.get(key)) for key in _LISTS[path])
            yield from _leaves({k: v for k, v in item.items() if k not in _LISTS[path]}, f"{path}.{name}")
    elif isinstance(value, Mapping) and not (value and path.startswith("supply.") and "quantity" in value):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Mapping):
        yield path, value["quantity"]
    else:
        yield path, value


def input_changes(before: Run, after: Run, base: Catalog) -> list[Record]:
    """Return what was asked differently in two runs.

    Parameters
    ----------
    before, after : Run
    base : Catalog
        What the overlays of both are laid over.

    Returns
    -------
    list of dict
        ``where`` (``study`` or the table), ``what`` (path, or row and column), ``before``, ``after``, ``unit`` and,
        where both are numbers, ``change_frac``; the study's first.

    Raises
    ------
    InputError
        If an overlay does not fit the catalog any more.
    """
    old, new = flat(before.request.study), flat(after.request.study)
    rows = [
        _change("study", path, old.get(path), new.get(path), unit_of(path))
        for path in dict.fromkeys((*old, *new))
        if not path.startswith(_NOT_INPUTS) and old.get(path) != new.get(path)
    ]
    if before.request.overlay == after.request.overlay:
        return rows
    first, second = (base.overlay(run.request.overlay) if run.request.overlay else base for run in (before, after))
    return rows + [_of_catalog(change) for change in differences(first, second)]


def _of_catalog(change: Change) -> Record:
    """A cell, or a row that is there in one of the two only."""
    if change.kind in (ADDED, REMOVED):
        there = change.kind == ADDED
        return _change(change.table, change.id, None if there else change.id, change.id if there else None, "")
    return _change(change.table, f"{change.id} {change.label}", change.before, change.after, change.unit)


def _change(where: str, what: str, before: Any, after: Any, unit: str) -> Record:
    return {"where": where, "what": what, "before": before, "after": after, "unit": unit,
            "change_frac": change_frac(before, after)}  # fmt: skip


def change_frac(before: Any, after: Any) -> float | None:
    """Return by what share a number grew; None where one is no number, or there was nothing."""
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in (before, after)):
        return None
    return (float(after) - float(before)) / abs(float(before)) if before else None


def better(kpi: str, before: float, after: float) -> bool | None:
    """Return whether a key figure became better; None where it did not change, or neither way is better."""
    if kpi not in MORE | LESS or abs(after - before) <= EVEN * max(abs(before), abs(after)):
        return None
    return (after > before) == (kpi in MORE)


def kpi_rows(designs: Mapping[str, Design], baseline: str) -> list[Record]:
    """Return key figures of several runs against one of them, the objective first.

    Parameters
    ----------
    designs : mapping
        Run id to design.
    baseline : str
        Id of the run that the others are set against.

    Returns
    -------
    list of dict
        ``id``, ``name``, ``unit``, ``basis`` (exactly what is counted), ``values``, ``deltas`` (share of the
        baseline's) and ``better``, each by run.
    """
    rows = _objective_rows(designs, baseline)
    for kpi in KPIS.values():
        values = {run: d.kpis[kpi.id]["value"] if kpi.id in d.kpis else None for run, d in designs.items()}
        if any(value is not None for value in values.values()):
            rows.append(_kpi_row(kpi.id, kpi.name, kpi.unit, kpi.basis, values, baseline))
    return rows


def _objective_rows(designs: Mapping[str, Design], baseline: str) -> list[Record]:
    """The objective, where all runs have the same one and it is no key figure of its own."""
    found = [design.objective for design in designs.values() if design.has_build]
    names = {str(objective["name"]) for objective in found}
    if len(names) != 1 or names <= KPIS.keys():
        return []
    values = {run: float(d.objective["value"]) if d.has_build else None for run, d in designs.items()}
    first = found[0]
    row = _kpi_row(names.pop(), str(first.get("title", "")), str(first.get("unit", "")), "", values, baseline)
    more = first.get("sense", "max") == "max"
    row["better"] = {
        run: None if row["deltas"][run] in (None, 0.0) else (row["deltas"][run] > 0) == more for run in designs
    }
    return [row]


def _kpi_row(kpi: str, name: str, unit: str, basis: str, values: Mapping[str, float | None], baseline: str) -> Record:
    base = values.get(baseline)
    return {
        "id": kpi, "name": name, "unit": unit, "basis": basis, "values": dict(values),
        "deltas": {run: change_frac(base, value) for run, value in values.items()},
        "better": {
            run: None if base is None or value is None else better(kpi, base, value) for run, value in values.items()
        },
    }  # fmt: skip


def build_rows(designs: Mapping[str, Design], baseline: str) -> list[Record]:
    """Return what is bought in each run, by the dollars of the run that spends most on it.

    Returns
    -------
    list of dict
        ``part``, ``kind``, ``vendor``, ``quantities`` (0 where a run has none), ``changes`` from the baseline by run,
        ``differs``.
    """
    bills = {run: {str(line["id"]): line for line in design.bill_of_materials} for run, design in designs.items()}
    lines = {part: line for bill in bills.values() for part, line in bill.items()}
    dollars = {part: max(float(b[part]["capex_usd"]) for b in bills.values() if part in b) for part in lines}
    rows = []
    for part in sorted(lines, key=lambda name: -dollars[name]):
        quantities = {run: float(bill[part]["quantity"]) if part in bill else 0.0 for run, bill in bills.items()}
        base = quantities.get(baseline, 0.0)
        rows.append(
            {
                "part": part, "kind": str(lines[part]["kind"]), "vendor": str(lines[part].get("vendor") or ""),
                "quantities": quantities, "changes": {run: q - base for run, q in quantities.items()},
                "differs": len(set(quantities.values())) > 1,
            }
        )  # fmt: skip
    return rows
