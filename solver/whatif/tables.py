"""Editable tables of the catalog: which there are, what a column is, and the rows as a page shows them.

A page shows text. What was typed but not applied yet is kept as a `TableEdit` (the draft), by row id and column, so
that neither another page nor another order of rows can lose or misplace it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from solver.catalog import Catalog
from solver.listing import MAIN
from solver.schema import CellError, Column, Schema, Value
from solver.whatif.cells import NUMBERS, cell_text, read_cell, same
from solver.whatif.changes import TEXTS, unit_in_row
from solver.whatif.edits import Edits, TableEdit, evidence_columns, merged
from solver.whatif.labels import heading, label

GROUPS: dict[str, tuple[str, ...]] = {
    "parts": ("accelerators", "platforms", "memory", "links", "link_efficiency", "network", "racks", "cooling"),
    "demand": ("models", "workloads", "reuse", "precisions"),
    "place": ("sites", "memory_prices", "facility", "defaults"),
    "fit": ("calibration", "model_aliases"),
}
"""Tables as they are picked; every table stands in one group."""
FIXED = frozenset({"defaults", "calibration"})
"""Tables whose rows are those the program asks for: values change, rows neither come nor go."""
MAIN_VIEW, ALL_VIEW, EVIDENCE_VIEW = "main", "all", "evidence"
VIEWS = (MAIN_VIEW, ALL_VIEW, EVIDENCE_VIEW)
FIRST = {
    "accelerators": ("idle_w", "bf16_dense_tflops", "scaleup_gb_s", "buyable"),
    "platforms": ("price_low_usd", "price_high_usd", "host_w", "lead_time_weeks"),
    "memory": ("buyable", "write_bw_gb_s", "max_w", "lead_time_weeks"),
    "racks": ("peak_kw",),
    "sites": ("carbon_g_per_kwh",),
}  # fmt: skip
"""Columns of the main view besides those of `solver.listing.MAIN`."""
STATUS = "status"
"""Column that the page puts before those of a table."""
NEW, EDITED, CHANGED, GOING = "new", "edited", "changed", "going"
"""What the status says: a new row, one with cells not applied, one that differs from what came along, one to remove."""


@dataclass(frozen=True)
class Field:
    """A column as a page shows it."""

    name: str
    heading: str
    help: str
    kind: Literal["number", "text", "choice"]
    options: tuple[str, ...] = ()
    long: bool = False


def group_of(schema: Schema) -> dict[str, tuple[str, ...]]:
    """Return the groups with the tables that a catalog has; tables nobody grouped come last."""
    found = {group: tuple(t for t in tables if t in schema.tables) for group, tables in GROUPS.items()}
    rest = tuple(table for table in schema.tables if not any(table in tables for tables in found.values()))
    return found | ({"other": rest} if rest else {})


def columns_of(schema: Schema, table: str, view: str) -> list[str]:
    """Return the columns of a view, the id first."""
    columns, key = schema.tables[table], schema.key(table)
    if view == EVIDENCE_VIEW:
        names = [key, *(["name"] if "name" in columns else []), *evidence_columns(columns)]
    elif view == MAIN_VIEW:
        wanted = [name for name in (*MAIN.get(table, columns), *FIRST.get(table, ())) if name in columns]
        figures = [name for name in wanted if columns[name].type in NUMBERS]
        words = [name for name in (*wanted, "confidence") if name not in (*figures, *TEXTS)]
        names = [key, *(name for name in ("name", *figures, *words) if name in columns)]
    else:
        names = [key, *columns]
    return list(dict.fromkeys(names))


def fields(
    catalog: Catalog, table: str, names: Sequence[str], drafts: Mapping[str, TableEdit] | None = None
) -> list[Field]:
    """Return how columns are shown: heading with unit, help, choices, among them rows that are only in drafts."""
    columns, key = catalog.schema.tables[table], catalog.schema.key(table)
    found = []
    for name in names:
        rule = columns[name]
        options = () if name == key else choices(catalog, rule, drafts or {})
        kind: Literal["number", "text", "choice"] = (
            "number" if rule.type in NUMBERS else "choice" if options else "text"
        )
        found.append(Field(name, heading(name, rule.unit), about(catalog.schema, rule), kind, options, name in TEXTS))
    return found


def choices(catalog: Catalog, rule: Column, drafts: Mapping[str, TableEdit]) -> tuple[str, ...]:
    """Return the words that a column of single words may hold; empty where anything goes."""
    if rule.type == "bool":
        return ("yes", "no")
    if rule.type == "enum":
        return rule.allowed
    if rule.type != "ref":
        return ()
    new = {row_id for target in rule.allowed if target in drafts for row_id in drafts[target].rows}
    return tuple(sorted(words_of(catalog, rule) | new))


def words_of(catalog: Catalog, rule: Column) -> set[str]:
    """Return what a reference may name."""
    found: set[str] = set()
    for target in rule.allowed:
        table, _, column = target.partition(".")
        for row in catalog.rows(table):
            value = row.get(column) if column else row.id
            found |= {value} if isinstance(value, str) else set(value or ())
    return found


def about(schema: Schema, rule: Column) -> str:
    """Return the help of a column in one line: meaning, what is allowed, what empty means, what grades it, its name."""
    parts = [rule.meaning]
    if rule.type in NUMBERS:
        kind = "whole numbers" if rule.type == "int" else "numbers"
        parts.append(f"Allowed: {kind} {rule.bounds}".rstrip() if rule.bounds else f"Allowed: {kind}")
    elif rule.type not in ("str", "bool", "ref") or rule.allowed:
        parts.append(f"Allowed: {rule.rule}")
    if rule.default is not None:
        parts.append(f"Empty means {cell_text(rule.default)}")
    elif rule.required:
        parts.append("Must be filled")
    grade = schema.grade(rule.table, rule.name)
    if rule.type in NUMBERS and grade:
        parts.append(f"Evidence: column '{label(grade)}'")
    return ". ".join([*parts, f"In files: {rule.name}"])


def row_ids(edits: Edits, table: str, draft: TableEdit) -> list[str]:
    """Return the ids of a table: what can be bought first, new rows on top."""
    rows = edits.catalog.tables[table]
    new = [row_id for row_id in draft.rows if row_id not in rows]
    return [*new, *sorted(rows, key=lambda row_id: (rows[row_id].get("buyable", "yes") != "yes", row_id))]


def texts(edits: Edits, table: str, row_id: str, draft: TableEdit) -> dict[str, str]:
    """Return a row as it is shown: the catalog's cells, and over them what was typed."""
    known: Mapping[str, Value] = edits.catalog.tables[table].get(row_id, {})
    shown = {name: cell_text(known.get(name)) for name in edits.base.schema.tables[table]}
    typed = {name: text or "" for name, text in draft.rows.get(row_id, {}).items()}
    return {**shown, edits.base.schema.key(table): row_id, **typed}


def status(edits: Edits, table: str, row_id: str, draft: TableEdit) -> str:
    """Return what is special of a row, empty where nothing is."""
    if row_id in draft.removed:
        return GOING
    if row_id not in edits.catalog.tables[table]:
        return NEW
    if row_id in draft.rows:
        return EDITED
    return CHANGED if row_id in _overlaid(edits, table) else ""


def _overlaid(edits: Edits, table: str) -> set[str]:
    key = edits.base.schema.key(table)
    return {str(row[key]) for row in edits.overlay.get(table, ())}


def records(
    edits: Edits,
    table: str,
    draft: TableEdit,
    *,
    search: str = "",
    order: str = "",
    descending: bool = False,
    only_changed: bool = False,
) -> list[dict[str, str]]:
    """Return the rows that a page shows, as text.

    Parameters
    ----------
    edits : Edits
    table : str
    draft : TableEdit
    search : str
        Words that a row must have, in any of its cells.
    order : str
        Column to sort by, numbers by size; what can be bought first where empty.
    descending, only_changed : bool
    """
    wanted = search.casefold().split()
    found = []
    for row_id in row_ids(edits, table, draft):
        row = texts(edits, table, row_id, draft)
        state = status(edits, table, row_id, draft)
        if only_changed and not state:
            continue
        if all(any(word in text.casefold() for text in row.values()) for word in wanted):
            found.append({STATUS: state, **row})
    if order:
        rule = edits.base.schema.tables[table][order]
        filled = [row for row in found if row[order].strip()]
        empty = [row for row in found if not row[order].strip()]
        filled.sort(key=lambda row: _sort_key(rule, row[order]), reverse=descending)
        found = [*filled, *empty]
    return found


def _sort_key(rule: Column, text: str) -> tuple[int, float, str]:
    """Numbers by size, then what cannot be read, by its letters."""
    if rule.type not in NUMBERS:
        return (0, 0.0, text.casefold())
    try:
        value = read_cell(rule, text)
    except CellError:
        return (1, 0.0, text)
    return (0, float(value) if isinstance(value, int | float) else 0.0, text)


def typed(edits: Edits, table: str, draft: TableEdit, rows: Mapping[str, Mapping[str, Any]]) -> TableEdit:
    """Return a draft with cells that were edited in a grid: row id to column to what stands there now."""
    found = {row_id: {name: _text(value) for name, value in cells.items() if name != STATUS}
             for row_id, cells in rows.items()}  # fmt: skip
    return tidy(edits, table, merged(draft, TableEdit(found)) if found else draft)


def tidy(edits: Edits, table: str, draft: TableEdit) -> TableEdit:
    """Return a draft without cells that say what stands there already, and without rows that come and go."""
    known, schema = edits.catalog.tables[table], edits.base.schema
    rows: dict[str, dict[str, str | None]] = {}
    for row_id, cells in draft.rows.items():
        old = known.get(row_id)
        if row_id in draft.removed:
            continue
        if old is None:
            rows[row_id] = dict(cells)
            continue
        kept = {name: text for name, text in cells.items() if not _says(schema, table, name, text, old)}
        if kept:
            rows[row_id] = kept
    return TableEdit(rows, tuple(row_id for row_id in draft.removed if row_id in known))


def _says(schema: Schema, table: str, name: str, text: str | None, old: Mapping[str, Value]) -> bool:
    """Whether a typed cell gives the value that stands there."""
    rule = schema.tables[table].get(name)
    if rule is None:
        return False
    if (text or "").strip() == cell_text(old.get(name)):
        return True
    try:
        value = read_cell(rule, text, unit_in_row(schema, table, name, old))
    except CellError:
        return False
    return same(value, old.get(name)) or (value is None and same(rule.default, old.get(name)))


def _text(value: Any) -> str:
    """A cell of a grid as text; None and NaN are empty."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return cell_text(value) if isinstance(value, bool | int | float) else str(value)


def new_row(edits: Edits, table: str, draft: TableEdit, row_id: str, like: str = "") -> TableEdit:
    """Return the draft with one more row, empty or a copy of another.

    Raises
    ------
    CellError
        If the id cannot be one, or is taken.
    """
    schema = edits.base.schema
    bare = row_id.strip()
    if table in FIXED:
        raise CellError("this table has the rows that the program asks for", "changed values")
    if not bare or not re.fullmatch(r"[A-Za-z0-9][\w.:/-]{0,79}", bare, re.ASCII):
        raise CellError("is not an ID", "letters, digits and _ . : / - in one word, at most 80")
    if bare in edits.catalog.tables[table] or bare in draft.rows:
        raise CellError("is taken", "an ID that no row of the table has")
    cells = texts(edits, table, like, draft) if like else {}
    own = {name: text for name, text in cells.items() if text and name != schema.key(table)}
    return TableEdit({bare: own, **draft.rows}, tuple(row for row in draft.removed if row != bare))


def without(edits: Edits, table: str, draft: TableEdit, row_ids: Sequence[str]) -> TableEdit:
    """Return the draft with rows that are to go; rows that are only in the draft leave it at once."""
    rows = {row_id: cells for row_id, cells in draft.rows.items() if row_id not in row_ids}
    return tidy(edits, table, TableEdit(rows, tuple(dict.fromkeys([*draft.removed, *row_ids]))))


def sheet(edits: Edits, table: str, row_id: str, draft: TableEdit) -> list[dict[str, str]]:
    """Return one row cell by cell: what it is, what it says, what came along, its evidence, what is allowed."""
    schema, key = edits.base.schema, edits.base.schema.key(table)
    shown = texts(edits, table, row_id, draft)
    base = edits.base.tables[table].get(row_id)
    found = []
    for name, rule in schema.tables[table].items():
        if name == key:
            continue
        grade = schema.grade(table, name) if rule.type in NUMBERS or rule.type in ("quarter", "date") else ""
        before = cell_text(base.get(name)) if base is not None else ""
        found.append({
            "column": name,
            "label": heading(name),
            "value": shown[name],
            "unit": unit_in_row(schema, table, name, shown),
            "before": before if base is not None and shown[name] != before else "",
            "confidence": shown.get(grade, "") if shown[name] else "",
            "allowed": _allowed(rule),
            "meaning": rule.meaning,
        })  # fmt: skip
    return found


def _allowed(rule: Column) -> str:
    """Say in a few words what a cell may hold: of numbers only the bounds."""
    if rule.type not in NUMBERS:
        return rule.rule
    kind = "whole" if rule.type == "int" else "any number"
    ends = [
        f"{word} {cell_text(end)}" for word, end in (("from", rule.minimum), ("to", rule.maximum)) if end is not None
    ]
    if not ends:
        return kind
    return ", ".join([*(["whole"] if rule.type == "int" else []), " ".join(ends)])


def origin(edits: Edits, table: str, row_id: str) -> str:
    """Return where a row was written: a file and line, the app, or nowhere yet."""
    rows = edits.catalog.tables[table]
    return rows[row_id].origin if row_id in rows else ""
