"""A design as tidy sheets: one row a thing, a heading with its unit on every column, nothing computed in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from solver.design import Design, Record

Cell = str | int | float | bool | None

UNITS = {
    "capex_usd": "USD", "unit_usd": "USD", "provisioned_w": "W", "drawn_w": "W", "lead_time_weeks": "weeks",
    "board_w": "W", "node_w": "W", "it_w": "W", "meter_w": "W", "standing_meter_w": "W", "ttft_s": "s", "tpot_s": "s",
    "ttl_s": "s", "requests_per_s": "1/s", "hits_per_s": "1/s", "requests_per_s_per_replica": "1/s",
    "output_tokens_per_s": "tokens/s", "input_tokens_per_s": "tokens/s", "drawn_above_idle_w": "W",
    "drawn_above_idle_meter_w": "W", "bytes": "B", "spill_bytes": "B", "load_bytes": "B", "handover_bytes": "B",
    "read_bytes_per_s": "B/s", "write_bytes_per_s": "B/s", "quantity": "pieces", "accelerators": "pieces",
    "batch": "requests", "chunk": "tokens", "list_usd": "USD", "discount_frac": "share", "tax_frac": "share",
    "in_use": "pieces", "used_frac": "share", "moved_out_bytes_per_s": "B/s", "gap": "share",
}  # fmt: skip
"""Unit of a column, written into its heading; a column that is not here carries none."""


def cell_text(value: Cell) -> str:
    """Return a cell as a reader sees it."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(value: Any) -> Cell:
    """A value as one cell: lists and records as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell_text(_flat(item))}" for key, item in value.items())
    return ", ".join(cell_text(_flat(item)) for item in value)


def _records(records: Iterable[Record], leave: frozenset[str] = frozenset()) -> list[dict[str, Cell]]:
    """Records as rows of cells."""
    return [{key: _flat(value) for key, value in record.items() if key not in leave} for record in records]


def _build(design: Design) -> list[dict[str, Cell]]:
    """The answer in one sheet: what was asked, what was found, how sure it is."""
    found, done = design.objective, design.solver
    rows: list[tuple[str, Any, str]] = [
        ("study", design.study.get("name"), ""),
        ("description", design.study.get("description"), ""),
        ("status", design.status, ""),
        ("stopped by", design.stopped_by, ""),
        (f"objective {found.get('name')}", found.get("value"), found.get("unit", "")),
        ("bound", found.get("bound"), found.get("unit", "")),
        ("gap", found.get("gap"), "share"),
        *((f"output tokens of {model}", rate, "tokens/s") for model, rate in design.tokens_by_model.items()),
        *((f"gain over {b['name']}", b.get("gain_frac"), "share") for b in design.baselines),
        *((f"runner-up {key}", value, "") for key, value in design.runner_up.items()),
        *(("explanation", line, "") for line in design.explanation),
        ("audit passed", design.audit.get("ok"), ""),
        ("audit checks", design.audit.get("checks"), ""),
        ("catalog hash", design.catalog.get("hash"), ""),
        *((f"version of {name}", number, "") for name, number in done.get("versions", {}).items()),
        *((f"time of {name.removesuffix('_s')}", value, "s") for name, value in done.get("seconds", {}).items()),
    ]
    return [{"item": item, "value": _flat(value), "unit": unit} for item, value, unit in rows]


ORDER = ("part", "vendor", "quantity", "unit_usd", "price_quarter", "lead_time_weeks", "source")
"""First columns of the order form; the rest of each line follows."""


def _order_form(design: Design) -> list[dict[str, Cell]]:
    """What to order, one row a line of the bill; what is owned is not ordered."""
    quarter = design.study.get("site", {}).get("price_quarter")
    rows = []
    for line, row in zip(design.bill_of_materials, _records(design.bill_of_materials), strict=True):
        if not line.get("owned"):
            named = row | {"part": line["id"], "catalog_id": line["part"], "price_quarter": quarter}
            rows.append({name: named.get(name) for name in ORDER} | {k: v for k, v in named.items() if k != "id"})
    return rows


def _assumptions(design: Design) -> list[dict[str, Cell]]:
    """Every assumption, and whether the study changed it."""
    rows = []
    for row in _records(design.assumptions):
        changed = "yes" if row.get("value") != row.get("default") else "no"
        first = {"assumption": row.get("path"), "value": row.get("value"), "default": row.get("default")}
        rows.append(first | {"changed": changed, "source": row.get("source"), "confidence": row.get("confidence")})
    return rows


def _limits(design: Design) -> list[dict[str, Cell]]:
    """Limits and promises, with the share that is used."""
    return [
        row | {"used_frac": float(limit["used"]) / float(limit["value"]) if limit["value"] else None}
        for limit, row in zip(design.limits, _records(design.limits), strict=True)
    ]


def _pools(design: Design) -> list[dict[str, Cell]]:
    """One row a pool; its racks in words."""
    rows = _records(design.pools)
    for row, pool in zip(rows, design.pools, strict=True):
        row["racks"] = ", ".join(f"{r['racks']} {r['rack']} with {r['nodes']} nodes" for r in pool["racks"])
    return rows


def _kpis(design: Design) -> list[dict[str, Cell]]:
    return [{"kpi": name, **row} for name, row in zip(design.kpis, _records(design.kpis.values()), strict=True)]


SHEETS: dict[str, Callable[[Design], list[dict[str, Cell]]]] = {
    "build": _build,
    "order_form": _order_form,
    "assumptions": _assumptions,
    "limits": _limits,
    "load": lambda design: _records(design.load),
    "placement": lambda design: _records(design.placement),
    "pools": _pools,
    "kpis": _kpis,
}
"""Sheet -> the rows it holds."""


def sheets_of(design: Design) -> dict[str, list[dict[str, Cell]]]:
    """Return the sheets of a design, and one for each explained section that it has."""
    found = {name: build(design) for name, build in SHEETS.items()}
    for name, section in design.explained.items():
        rows = _records(rows_of(section))
        if rows:
            found[name[:31]] = rows
    return found


def rows_of(section: Any) -> list[Record]:
    """Return the records of an explained section: itself, the lists inside it, or its own fields."""
    if isinstance(section, list):
        return [item if isinstance(item, dict) else {"item": item} for item in section]
    if not isinstance(section, dict) or not section:
        return []
    lists = [value for value in section.values() if isinstance(value, list) and value]
    return [row for value in lists for row in rows_of(value)] or [section]
