"""What differs between two catalogs, cell by cell and in words: the record that every result shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solver.catalog import Catalog
from solver.schema import Schema, Value
from solver.tables import REMOVE
from solver.whatif.cells import NUMBERS, cell_text, same
from solver.whatif.labels import label

CHANGED, ADDED, REMOVED = "changed", "added", "removed"
TENFOLD = 10.0
"""Factor of a number beyond which a change is asked about: a unit or a digit may have slipped."""
TEXTS = ("source", "notes", "assumption")
"""Columns that say where figures come from."""
SHOWN_TEXT = 60


@dataclass(frozen=True)
class Change:
    """One cell that differs, or a whole row that was added or removed (`column` is then empty).

    Attributes
    ----------
    table, id, column, label, unit : str
        `label` is what people call the column.
    before, after : value or None
    kind : str
        `CHANGED`, `ADDED` or `REMOVED`.
    like : str
        Of an added row, the row that it has most values in common with.
    """

    table: str
    id: str
    column: str
    label: str = ""
    unit: str = ""
    before: Value = None
    after: Value = None
    kind: str = CHANGED
    like: str = ""

    @property
    def share(self) -> float | None:
        """Relative change of a number, None where there is none."""
        if not (_is_number(self.before) and _is_number(self.after)) or not self.before:
            return None
        return float(self.after) / float(self.before) - 1.0  # type: ignore[arg-type]

    @property
    def tenfold(self) -> bool:
        """Whether a number grew or fell more than ten times, or changed its sign."""
        if self.share is None:
            return False
        return not 1.0 / TENFOLD <= float(self.after) / float(self.before) <= TENFOLD  # type: ignore[arg-type]

    @property
    def is_evidence(self) -> bool:
        """Whether the change says where figures come from rather than being one."""
        return self.column in TEXTS or self.column.startswith("confidence")

    @property
    def words(self) -> str:
        """The change in words, such as ``b200_sxm TDP 1000 -> 25.7 W, -97%``."""
        if self.kind == ADDED:
            return f"{self.id} added to {self.table}" + (f", like {self.like}" if self.like else "")
        if self.kind == REMOVED:
            return f"{self.id} removed from {self.table}"
        if isinstance(self.before, str) and isinstance(self.after, str) and self.after.endswith(f"; {self.before}"):
            return f"{self.id} {self.label} begins with: {_short(self.after.removesuffix(f'; {self.before}'))}"
        unit = f" {self.unit}" if self.unit and self.after is not None else ""
        share = self.share
        return f"{self.id} {self.label} {_short(self.before)} -> {_short(self.after)}{unit}" + (
            f", {share_text(share)}" if share is not None else ""
        )


def share_text(share: float) -> str:
    """Return a relative change as people say it: ``-97%``, ``+3.2%``, ``39 times``."""
    if share + 1.0 >= TENFOLD:
        return f"{share + 1.0:,.3g} times" if share < 999 else f"{share + 1.0:,.0f} times"
    value = 100.0 * share
    size = abs(value)
    digits = 0 if size >= 10 else 1 if size >= 1 else 2
    while digits < 6 and float(f"{value:.{digits}f}") in (0.0, -100.0) and value not in (0.0, -100.0):
        digits += 1
    return f"{value:+.{digits}f}%"


def differences(before: Catalog, after: Catalog, tables: Sequence[str] | None = None) -> list[Change]:
    """Return every cell in which two catalogs differ, table by table and row by row."""
    found: list[Change] = []
    for table in tables or before.schema.tables:
        old, new = before.tables[table], after.tables[table]
        if old is new:
            continue
        found += [Change(table, row_id, "", kind=REMOVED) for row_id in old if row_id not in new]
        for row_id, row in new.items():
            if row_id not in old:
                found.append(Change(table, row_id, "", kind=ADDED, like=_most_like(row, old)))
            elif old[row_id] is not row:
                found += row_changes(before.schema, table, row_id, old[row_id], row)
    return found


def row_changes(
    schema: Schema, table: str, row_id: str, before: Mapping[str, Value], after: Mapping[str, Value]
) -> list[Change]:
    """Return the cells of a row that differ; columns that `after` lacks are left alone."""
    whole = {**before, **after}
    return [
        Change(table, row_id, name, label(name), unit_in_row(schema, table, name, whole), before.get(name), after[name])
        for name, column in schema.tables[table].items()
        if name in after and not same(before.get(name), after[name])
    ]


def unit_in_row(schema: Schema, table: str, column: str, row: Mapping[str, Any]) -> str:
    """Return the unit of a cell: that of its column, or what the row's own `unit` says where the column means it."""
    rule = schema.tables[table].get(column)
    if rule is None or rule.unit or "in `unit`" not in rule.meaning:
        return rule.unit if rule else ""
    return str(row.get("unit") or "")


def overlay_of(before: Catalog, after: Catalog) -> dict[str, list[dict[str, Any]]]:
    """Return the smallest overlay that makes one catalog of another: changed cells, whole new rows, removed rows."""
    found: dict[str, list[dict[str, Any]]] = {}
    for change in differences(before, after):
        key = before.schema.key(change.table)
        rows = found.setdefault(change.table, [])
        if change.kind == REMOVED:
            rows.append({key: change.id, REMOVE: True})
        elif change.kind == ADDED:
            row = after.row(change.table, change.id)
            rows.append({name: _plain(value) for name, value in row.items() if value is not None})
        else:
            if not rows or rows[-1][key] != change.id:
                rows.append({key: change.id})
            rows[-1][change.column] = _plain(change.after)
    return found


def overlay_changes(base: Catalog, overlay: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Change]:
    """Return what an overlay changes: what a result shows of the catalog it was made from."""
    return differences(base, base.overlay(overlay)) if overlay else []


def _most_like(row: Mapping[str, Value], others: Mapping[str, Mapping[str, Value]]) -> str:
    """Return the row that shares most of the values, where it shares more than half of them."""
    filled = [name for name, value in row.items() if value is not None]
    scores = {row_id: sum(same(row[n], other.get(n)) for n in filled) for row_id, other in others.items()}
    best = max(scores, key=lambda row_id: scores[row_id], default="")
    return best if best and scores[best] > len(filled) / 2 else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Value) -> Any:
    """A value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _short(value: Value) -> str:
    text = cell_text(value) or "nothing"
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"


def numeric(schema: Schema, table: str, column: str) -> bool:
    """Whether a column holds numbers."""
    return column in schema.tables[table] and schema.tables[table][column].type in NUMBERS
