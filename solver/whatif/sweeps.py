"""A range in place of a number: which inputs can be swept, what was typed as their values, what came out."""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from solver.catalog import Catalog
from solver.design import Design
from solver.errors import InputError, Problem
from solver.schema import CellError
from solver.study import BuildSpec, DemandSpec, FinanceSpec, SiteSpec, Study, WorkloadSpec
from solver.whatif.changes import numeric, unit_in_row
from solver.whatif.compare import flat, unit_of
from solver.whatif.labels import label
from solver.whatif.quantities import parse_number

Record = dict[str, Any]
MOST = 25
"""Values of a sweep."""
STEPS = 5
"""Values that are proposed."""
SPAN = 0.5
"""Share by which proposed values go below and above what stands."""
CATALOG = "catalog/"
"""Opens the path of a cell of the catalog."""
TABLES = (
    "platforms", "accelerators", "memory", "memory_prices", "network", "racks", "cooling", "facility", "models",
    "links",
)  # fmt: skip
"""Tables of which numbers can be swept, the most asked for first."""
SHARES = {"_frac": 1.0, "_acceptance": 1.0, "_per_vendor": 1.0, "_cap": 0.95, "percentile": 0.99}
"""Ends of keys that hold a share -> the most that is proposed of one."""
_SECTIONS: dict[str, type[BaseModel]] = {
    "site": SiteSpec, "demand": DemandSpec, "build": BuildSpec, "finance": FinanceSpec,
}  # fmt: skip
_FIRST = (
    "site.power_mw", "site.budget_usd", "site.floor_m2", "site.electricity_usd_per_mwh", "demand.floor_frac",
)  # fmt: skip
"""Inputs that are asked for most."""


def sweepable(study: Study, catalog: Catalog) -> list[Record]:
    """Return the numeric inputs of a study.

    Parameters
    ----------
    study : Study
    catalog : Catalog
        Its rows stand in where the study does not say.

    Returns
    -------
    list of dict
        ``path``, as `Study.with_changes` takes it, ``section``, ``name``, ``unit``, ``value`` (None where
        nothing stands there), ``whole``; those that are asked for most first.
    """
    stands = _standing(study, catalog)
    found = [
        _input(f"{section}.{name}", stands, whole)
        for section, spec in _SECTIONS.items()
        for name, whole in _numeric(spec)
    ]
    for work in study.workload:
        given = "share" if work.share is not None else "requests_per_s"
        other = {"share", "requests_per_s"} - {given}
        found += [
            _input(f"workload.{work.id}.{n}", stands, whole) for n, whole in _numeric(WorkloadSpec) if n not in other
        ]
    found += [_input(path, stands, True) for path in stands if path.startswith("supply.") and path.count(".") == 2]
    budget = "site.budget" if study.site.budget is not None else "site.budget_usd"
    found = [item for item in found if item["path"] not in {"site.budget", "site.budget_usd", "site.fx"} - {budget}]
    return sorted(found, key=lambda item: _FIRST.index(item["path"]) if item["path"] in _FIRST else len(_FIRST))


def _standing(study: Study, catalog: Catalog) -> dict[str, Any]:
    """What stands at each path: the study's values, else those of its site's and its classes' rows."""
    found = {path: value for path, value in flat(study.to_dict()).items() if value is not None}
    rows: dict[str, Mapping[str, Any]] = {"site": catalog.tables["sites"].get(study.site.id or "", {})}
    rows |= {f"workload.{work.id}": catalog.tables["workloads"].get(work.id, {}) for work in study.workload}
    return {f"{place}.{name}": value for place, row in rows.items() for name, value in row.items()} | found


def _input(path: str, stands: Mapping[str, Any], whole: bool) -> Record:
    unit, (*section, name) = unit_of(path), path.split(".")
    words = name if section[0] == "supply" else label(name)
    return {"path": path, "section": ".".join(section), "name": words, "unit": unit, "value": stands.get(path),
            "whole": whole}  # fmt: skip


def _numeric(spec: type[BaseModel]) -> list[tuple[str, bool]]:
    """Fields of a section that hold one number, and whether it is whole."""
    found = []
    for name, field in spec.model_fields.items():
        kinds = _leaf_types(field.annotation)
        if kinds and kinds <= {float, int, type(None)}:
            found.append((name, float not in kinds))
    return found


def _leaf_types(annotation: Any) -> set[Any]:
    """Types that an annotation allows; a list or a choice of words counts as itself."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _leaf_types(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*(_leaf_types(item) for item in typing.get_args(annotation)))
    return {annotation if origin is None else origin}


def tables_of(catalog: Catalog) -> list[str]:
    """Return the tables of which numbers can be swept."""
    return [table for table in TABLES if table in catalog.tables]


def rows_of(catalog: Catalog, table: str, design: Design | None = None) -> list[str]:
    """Return the ids of a table's rows, those that a design buys first."""
    bought = {} if design is None else {str(line["part"]): None for line in design.bill_of_materials}
    known = [row.id for row in catalog.rows(table)]
    return [name for name in bought if name in known] + [name for name in known if name not in bought]


def cells_of(catalog: Catalog, table: str, row_id: str) -> list[Record]:
    """Return the numbers of a row of the catalog as inputs that can be swept, its price first, as `sweepable` does.

    Their path is ``catalog/TABLE/ROW/COLUMN``.

    Raises
    ------
    InputError
        If there is no such row.
    """
    row = catalog.row(table, row_id)
    found = [
        {
            "path": f"{CATALOG}{table}/{row_id}/{name}", "section": row_id, "name": label(name),
            "unit": unit_in_row(catalog.schema, table, name, row), "value": row[name],
            "whole": catalog.schema.tables[table][name].type == "int",
        }
        for name in row
        if numeric(catalog.schema, table, name) and isinstance(row[name], int | float)
    ]  # fmt: skip
    return sorted(found, key=lambda item: "price" not in str(item["path"]) or "central" not in str(item["path"]))


def step_of(path: str, value: float, catalog: Catalog) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Return one step of a sweep as changes of the study and as rows over the catalog, one of them empty.

    A price or another number that the catalog gives a range takes its ends along where they would not hold it.

    Parameters
    ----------
    path : str
        Of a study's key, or of a cell.
    value : float
    catalog : Catalog
    """
    if not path.startswith(CATALOG):
        return {path: value}, {}
    table, row_id, column = path.removeprefix(CATALOG).split("/")
    row, cells = catalog.row(table, row_id), {column: value}
    for end, beyond in (("low", min), ("high", max)):
        other = column.replace("central", end) if "central" in column else end if column in ("central", "value") else ""
        stands = row.get(other) if other else None
        if isinstance(stands, int | float):
            cells[other] = beyond(stands, value)
    return {}, {table: [{catalog.schema.key(table): row_id, **cells}]}


def proposed(item: Mapping[str, Any]) -> str:
    """Return a range around what stands, as it can be typed; empty where nothing stands."""
    value = item["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        return ""
    low, high = (1.0 - SPAN) * float(value), (1.0 + SPAN) * float(value)
    most = next((end for suffix, end in SHARES.items() if str(item["path"]).endswith(suffix)), high)
    high = min(high, most)
    step = (high - low) / (STEPS - 1)
    if item["whole"]:
        step = max(1.0, round(step))
        low = max(1.0, float(value) - STEPS // 2 * step)
        high = low + (STEPS - 1) * step
    return ":".join(f"{part:.6g}".replace("e+0", "e").replace("e+", "e") for part in (low, high, step))


def values_of(text: str, unit: str = "", *, whole: bool = False) -> list[float]:
    """Return the values of a sweep as typed: ``10, 20, 40`` or ``10:30:5`` (from, to, step), with or without units.

    Parameters
    ----------
    text : str
    unit : str
        Of the input.
    whole : bool
        Whether only whole numbers are allowed.

    Raises
    ------
    InputError
        In words, with what can be typed.
    """
    if ":" in text:
        values = _range(text, unit)
    else:
        pieces = [piece for piece in re.split(r"[;\n]|,(?!\d{3}(?:\D|$))", text) if piece.strip()]
        values = [_number(piece, unit) for piece in pieces]
    values = sorted(dict.fromkeys(values))
    if len(values) < 2:
        raise _wrong(text, "is no range", "two or more values such as 10, 20, 40 or 10:30:5")
    if len(values) > MOST:
        raise _wrong(text, f"has {len(values)} values", f"{MOST} at most: each one is a solve")
    if whole and any(not value.is_integer() for value in values):
        raise _wrong(text, "has values that are not whole", "whole numbers")
    return [int(value) for value in values] if whole else values


def checked(study: Study, path: str, values: Sequence[float], catalog: Catalog) -> None:
    """Refuse values that the study, or the catalog, does not take.

    Raises
    ------
    InputError
        With the first problem of each value.
    """
    problems = []
    for value in values:
        try:
            changes, rows = step_of(path, value, catalog)
            study.with_changes(changes)
            catalog.overlay(rows)
        except InputError as error:
            problems.append(error.problems[0])
    if problems:
        raise InputError(problems)


def _range(text: str, unit: str) -> list[float]:
    """Values from one to another by steps; the last is within the range."""
    ends = [_number(piece, unit) for piece in text.split(":")]
    if len(ends) != 3 or not ends[2] > 0.0 or not ends[1] > ends[0]:
        raise _wrong(text, "is no range", "from:to:step with from below to, such as 10:30:5")
    steps = (ends[1] - ends[0]) / ends[2] + 1e-9
    if not steps < MOST:
        raise _wrong(text, f"has {steps + 1:,.0f} values", f"{MOST} at most: each one is a solve")
    count = math.floor(steps) + 1
    return [float(f"{ends[0] + n * ends[2]:.12g}") for n in range(count)]


def _number(text: str, unit: str) -> float:
    try:
        return parse_number(text, unit)
    except CellError as error:
        raise _wrong(text.strip(), error.message, error.allowed, error.hint) from None


def _wrong(text: str, message: str, allowed: str, hint: str = "") -> InputError:
    return InputError([Problem("sweep", "", "values", text, message, allowed, hint)])


def sweep_rows(result: Mapping[str, Any], kpi: str = "") -> list[Record]:
    """Return a sweep's outcome, one row a value.

    Parameters
    ----------
    result : mapping
        What a run of kind ``sweep`` found.
    kpi : str
        Key figure in place of the objective.

    Returns
    -------
    list of dict
        ``value``, ``status``, ``result`` (None where there is no build), ``bound`` (of the objective), ``gap``,
        ``unit``, ``nodes`` (platform to nodes), ``message``.
    """
    rows = []
    for item in result.get("sweep") or []:
        goal, found = item.get("objective") or {}, (item.get("kpis") or {}).get(kpi) or {}
        own = not kpi
        rows.append(
            {
                "value": item["value"], "status": item["status"], "message": item.get("message", ""),
                "result": goal.get("value") if own else found.get("value"), "bound": goal.get("bound") if own else None,
                "gap": goal.get("gap"), "unit": goal.get("unit", "") if own else found.get("unit", ""),
                "nodes": item.get("nodes") or {},
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: float(row["value"]))
