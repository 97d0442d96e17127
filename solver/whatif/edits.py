"""Edits of the catalog: typed cells become an overlay, step by step, with undo and redo.

An `Edits` never changes: every step gives a new one, which holds the overlay against the catalog that came along,
in its smallest form, and the steps before and after. So what is edited in the app is exactly what a folder of
changed rows gives on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from solver.catalog import Catalog
from solver.errors import InputError, Problem, TierwattError, closest
from solver.schema import CellError, Column, Value
from solver.tables import REMOVE
from solver.whatif.cells import cell_text, read_cell
from solver.whatif.changes import TEXTS, Change, differences, numeric, overlay_of, row_changes, unit_in_row
from solver.whatif.labels import label
from solver.whatif.quantities import parse_number as parse_number

Overlay = dict[str, list[dict[str, Any]]]
MOST_STEPS = 100
"""Steps that can be undone."""
OWN = "estimate"
"""Confidence of a figure that somebody types without saying more."""


@dataclass(frozen=True)
class CellFault:
    """A cell that cannot stay as it was typed: where, what stands there, what is wrong, what is allowed."""

    table: str
    id: str
    column: str
    typed: str
    message: str
    allowed: str = ""
    hint: str = ""

    @property
    def words(self) -> str:
        """The fault in one line."""
        where = " ".join([self.table, *([self.id] if self.id else [])]) + (f", {self.column}" if self.column else "")
        found = f" (typed {self.typed[:60]!r})" if self.typed else ""
        tail = "; ".join(part for part in (self.allowed and f"allowed: {self.allowed}", self.hint) if part)
        return f"{where}: {self.message}{found}" + (f"; {tail}" if tail else "")


class CellErrors(TierwattError):
    """Every cell of an edit that is refused."""

    def __init__(self, faults: Sequence[CellFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.words for fault in self.faults))


@dataclass(frozen=True)
class TableEdit:
    """What was typed into one table.

    Attributes
    ----------
    rows : mapping
        Row id to column to text; an empty text takes a value away. An id that the table lacks is a new row.
    removed : tuple of str
        Ids of rows to take away.
    """

    rows: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.removed)


@dataclass(frozen=True)
class Preview:
    """What an edit would do: the cells that change, and those that are refused."""

    changes: tuple[Change, ...]
    faults: tuple[CellFault, ...]


@dataclass(frozen=True)
class Edits:
    """The catalog as edited so far.

    Attributes
    ----------
    base : Catalog
        What came along.
    past, future : tuples of overlays
        What undo and redo go to, the nearest last.
    """

    base: Catalog
    _overlay: Overlay = field(default_factory=dict)
    past: tuple[Overlay, ...] = ()
    future: tuple[Overlay, ...] = ()

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog with all edits."""
        return self.base.overlay(self._overlay) if self._overlay else self.base

    @property
    def overlay(self) -> Overlay:
        """Rows that changed against `base`, as `Catalog.overlay` takes them and JSON holds them."""
        return {table: [dict(row) for row in rows] for table, rows in self._overlay.items()}

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self.past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self.future)

    def changes(self, table: str | None = None) -> list[Change]:
        """Return every cell that differs from what came along."""
        return differences(self.base, self.catalog, None if table is None else [table])

    def undo(self) -> Edits:
        """Return the edits before the last step."""
        if not self.past:
            return self
        return Edits(self.base, self.past[-1], self.past[:-1], (*self.future, self._overlay))

    def redo(self) -> Edits:
        """Return the edits after the step that was undone last."""
        if not self.future:
            return self
        return Edits(self.base, self.future[-1], (*self.past, self._overlay), self.future[:-1])

    def reset(self, table: str | None = None) -> Edits:
        """Return the edits without those of a table, or without any; a step that can be undone.

        Raises
        ------
        CellErrors
            If rows of other tables rest on what would go.
        """
        kept = {} if table is None else {name: rows for name, rows in self._overlay.items() if name != table}
        return self if kept == self._overlay else self._checked(kept, table or "")

    def with_overlay(self, overlay: Mapping[str, Sequence[Mapping[str, Any]]]) -> Edits:
        """Return the edits with the overlay of a run in place of theirs; a step that can be undone.

        Raises
        ------
        CellErrors
            If the overlay does not fit the catalog.
        """
        return self._checked({table: [dict(row) for row in rows] for table, rows in overlay.items()}, "")

    def apply(self, table: str, changes: TableEdit, *, source: str = "", confidence: str = "") -> Edits:
        """Return the edits with one more step.

        Parameters
        ----------
        table : str
        changes : TableEdit
        source : str
            Where the new figures come from; put before the row's own source.
        confidence : str
            Grade of the new figures; replaces the grade that covers them. What is typed into a grade or a source
            itself stays as it is.

        Raises
        ------
        CellErrors
            With every cell that is refused.
        """
        return self.apply_all({table: changes}, source=source, confidence=confidence)

    def apply_all(self, tables: Mapping[str, TableEdit], *, source: str = "", confidence: str = "") -> Edits:
        """Return the edits with changes of several tables as one step, so that new rows may name each other.

        Raises
        ------
        CellErrors
            With every cell that is refused.
        """
        items: Overlay = {}
        faults: list[CellFault] = []
        for table, changes in tables.items():
            rows, wrong = self._read(table, changes)
            faults += wrong
            graded = [self._graded(table, row_id, row, source, confidence) for row_id, row in rows.items()]
            items[table] = [*graded, *self._removals(table, changes)]
        if faults:
            raise CellErrors(faults)
        return self._laid(items, next(iter(tables), ""))

    def preview(self, table: str, changes: TableEdit) -> Preview:
        """Return what an edit would change and what of it is refused, by cell."""
        return self.preview_all({table: changes})

    def preview_all(self, tables: Mapping[str, TableEdit]) -> Preview:
        """Return what edits of several tables would change together, and what of them is refused, by cell."""
        items: Overlay = {}
        cells: list[Change] = []
        faults: list[CellFault] = []
        for table, changes in tables.items():
            rows, wrong = self._read(table, changes)
            faults += wrong
            items[table] = [*rows.values(), *self._removals(table, changes)]
            known = self.catalog.tables[table]
            cells += [change for row_id, row in rows.items() if row_id in known
                      for change in row_changes(self.base.schema, table, row_id, known[row_id], row)]  # fmt: skip
        if faults:
            return Preview(tuple(cells), tuple(faults))
        try:
            after = self._laid(items, next(iter(tables), ""))
        except CellErrors as error:
            return Preview(tuple(cells), error.faults)
        return Preview(tuple(differences(self.catalog, after.catalog, list(tables))), ())

    def _removals(self, table: str, changes: TableEdit) -> list[dict[str, Value]]:
        key = self.base.schema.key(table)
        return [{key: row_id, REMOVE: True} for row_id in changes.removed]

    def _read(self, table: str, changes: TableEdit) -> tuple[dict[str, dict[str, Value]], list[CellFault]]:
        """Read every cell that was typed; rows that are removed are left out."""
        columns, key = self.base.schema.tables[table], self.base.schema.key(table)
        rows: dict[str, dict[str, Value]] = {}
        faults: list[CellFault] = []
        for row_id, cells in changes.rows.items():
            if row_id in changes.removed:
                continue
            row: dict[str, Value] = {key: row_id}
            known: Mapping[str, Value] = self.catalog.tables[table].get(row_id, {})
            for name, text in {key: row_id, **cells}.items():
                if name in known and (text or "").strip() == cell_text(known[name]):
                    row[name] = known[name]
                    continue
                if name == key and text and text != row_id:
                    faults.append(CellFault(table, row_id, key, text, "cannot be renamed", "copy the row instead"))
                    continue
                fault = _read_into(row, table, row_id, name, text, columns, self._unit(table, row_id, name, cells))
                faults += [fault] if fault else []
            rows[row_id] = row
        return rows, faults

    def _unit(self, table: str, row_id: str, column: str, typed: Mapping[str, str | None]) -> str:
        """Return the unit of a cell: of its column, or what its row says."""
        known: Mapping[str, Value] = self.catalog.tables[table].get(row_id, {})
        return unit_in_row(self.base.schema, table, column, {**known, **typed})

    def _graded(self, table: str, row_id: str, row: dict[str, Value], source: str, confidence: str) -> dict[str, Value]:
        """Add the evidence of the figures that change in a row."""
        schema = self.base.schema
        old: Mapping[str, Value] = self.catalog.tables[table].get(row_id, {})
        figures = [c for c in row_changes(schema, table, row_id, old, row) if numeric(schema, table, c.column)]
        if not figures or not old:
            return row
        grades = {} if not confidence else {
            grade: confidence for c in figures if (grade := schema.grade(table, c.column)) and grade not in row
        }  # fmt: skip
        sourced = {} if not source or "source" in row or "source" not in schema.tables[table] else {
            "source": f"{', '.join(c.label for c in figures)}: {source}; {old.get('source') or ''}".strip("; ")
        }  # fmt: skip
        return {**row, **grades, **sourced}

    def _laid(self, items: Overlay, table: str) -> Edits:
        """Lay rows over the catalog as edited."""
        try:
            after = self.catalog.overlay(items)
        except InputError as error:
            raise CellErrors([self._fault(problem, table) for problem in error.problems]) from None
        return self._checked(overlay_of(self.base, after), table)

    def _checked(self, overlay: Overlay, table: str) -> Edits:
        """Make an overlay the next step, once the catalog accepts it."""
        if overlay == self._overlay:
            return self
        made = Edits(self.base, overlay, (*self.past, self._overlay)[-MOST_STEPS:], ())
        try:
            made.catalog  # noqa: B018 - judged here, before anybody sees it
        except InputError as error:
            raise CellErrors([self._fault(problem, table) for problem in error.problems]) from None
        return made

    def _fault(self, problem: Problem, table: str) -> CellFault:
        """Turn a problem of the catalog into one of a cell."""
        row_id = problem.row.rpartition("id ")[2] if "id " in problem.row else ""
        place = re.match(r"(\w+) row \d+", problem.row)
        where = place[1] if place else self._table_of(row_id, problem.field) or table
        hint = problem.hint
        if problem.message == "is empty" and row_id and row_id not in self.catalog.tables.get(where, {}):
            hint = closest(row_id, self.catalog.tables.get(where, {})) or hint
        message = re.sub(r"(?<=exceeds )\w+", lambda name: label(name[0]), problem.message)
        return CellFault(where, row_id, problem.field, problem.value, message, problem.allowed, hint)

    def _table_of(self, row_id: str, column: str) -> str:
        """Return the table that has such a row and column."""
        tables = self.base.schema.tables
        return next((t for t, rows in self.catalog.tables.items() if row_id in rows and column in tables[t]), "")


def _read_into(
    row: dict[str, Value],
    table: str,
    row_id: str,
    name: str,
    text: str | None,
    columns: Mapping[str, Column],
    unit: str,
) -> CellFault | None:
    """Read one cell into a row; return what is wrong with it."""
    if name not in columns:
        return CellFault(table, row_id, name, text or "", "unknown column", ", ".join(columns), closest(name, columns))
    try:
        row[name] = read_cell(columns[name], text, unit)
    except CellError as error:
        return CellFault(table, row_id, name, text or "", error.message, error.allowed, error.hint)
    return None


def evidence_columns(columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that say where figures come from."""
    return [name for name in columns if name in TEXTS or name.startswith("confidence")]


def merged(one: TableEdit, other: TableEdit) -> TableEdit:
    """Return two edits of one table as one; the later wins, and a row it fills again is not removed."""
    rows = {row_id: dict(cells) for row_id, cells in one.rows.items()}
    for row_id, cells in other.rows.items():
        rows[row_id] = {**rows.get(row_id, {}), **cells}
    removed = [row_id for row_id in one.removed if row_id not in other.rows]
    return replace(one, rows=rows, removed=tuple(dict.fromkeys([*removed, *other.removed])))
