"""Joining rows: sheets are laid over each other, completed, checked together and frozen.

A cell alone is judged when it is read (`solver.tables`). Here come the rules that need more than one: required
values, references, orders such as low <= central <= high.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar, cast

from solver.errors import InputError, Problem, closest
from solver.schema import Column, Schema, Value
from solver.tables import REMOVE, Entry, Sheet

V = TypeVar("V")

ORDERED = {
    "accelerators": [("idle_w", "tdp_w")],
    "memory": [("idle_w", "max_w")],
    "platforms": [
        ("node_typ_w", "node_max_w"),
        ("node_max_w", "node_peak_w"),
        ("host_mem_std_gb", "host_mem_max_gb"),
    ],
    "racks": [("usable_kw", "peak_kw")],
    "models": [("params_active_b", "params_total_b"), ("params_active_calc_b", "params_total_calc_b")],
    "cooling": [("pue_central", "pue_peak")],
}
"""Pairs of columns whose first value may not exceed the second, besides the low-central-high triples."""


class FrozenMap(Mapping[str, V]):
    """A mapping that cannot be changed, but can be pickled."""

    __slots__ = ("_data",)
    _data: dict[str, V]

    def __init__(self, data: Mapping[str, V]) -> None:
        object.__setattr__(self, "_data", dict(data))

    def __getitem__(self, key: str) -> V:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._data,)


class Row(FrozenMap[Any]):
    """One row: column to value in catalog units, None where the catalog is empty.

    Attributes
    ----------
    id : str
        What identifies the row in its table.
    origin : str
        Where it was last written: ``file, line n`` or ``overlay``.
    """

    __slots__ = ("id", "origin")
    id: str
    origin: str

    def __init__(self, data: Mapping[str, Value], row_id: str, origin: str) -> None:
        super().__init__(data)
        object.__setattr__(self, "id", row_id)
        object.__setattr__(self, "origin", origin)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._data, self.id, self.origin)


Tables = Mapping[str, Mapping[str, Row]]
"""Table to id to row."""


class Draft:
    """Rows of one or more places while they are put together; ends as frozen tables or as an `InputError`.

    Parameters
    ----------
    schema : Schema
        The data dictionary.

    Attributes
    ----------
    unsure : set of str
        Tables that could not be read in full; references into them are not judged.
    gone : dict of str to set of str
        Ids of rows that were taken away.
    problems : list of Problem
        Found so far.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.entries: dict[str, dict[str, Entry]] = {table: {} for table in schema.tables}
        self.unsure: set[str] = set()
        self.problems: list[Problem] = []
        self.gone: dict[str, set[str]] = {table: set() for table in schema.tables}

    def start_from(self, tables: Tables) -> None:
        """Take over rows that passed before."""
        for table, rows in tables.items():
            for row_id, row in rows.items():
                file, _, line = row.origin.partition(", ")
                where = f"{line}, id {row_id}" if line else f"{table}, id {row_id}"
                self.entries[table][row_id] = Entry(row_id, file, where, row.origin, dict(row))

    def add(self, sheet: Sheet) -> None:
        """Put a sheet on top of what is there; its rows may be partial where the id is known."""
        self.problems += sheet.problems
        if not sheet.readable:
            self.unsure.add(sheet.table)
        if sheet.table not in self.entries:
            return
        rows = self.entries[sheet.table]
        fresh = [entry for entry in sheet.entries if entry.id not in rows and not entry.removed]
        if sheet.columns is not None and fresh:
            self._missing_columns(sheet, fresh)
        for entry in sheet.entries:
            if entry.removed:
                self._remove(sheet.table, entry)
                continue
            self.gone[sheet.table].discard(entry.id)
            old = rows.get(entry.id)
            if old is not None:
                entry.values = {**old.values, **entry.values}
                entry.broken |= old.broken
            rows[entry.id] = entry

    def _remove(self, table: str, entry: Entry) -> None:
        """Take a row away; rows that name it are found when references are checked."""
        rows = self.entries[table]
        if entry.id in rows:
            del rows[entry.id]
            self.gone[table].add(entry.id)
        elif table not in self.unsure:
            ids = f"one of {len(rows)} ids of {table}"
            problem = Problem(entry.file, entry.row, REMOVE, entry.id, "names no row", ids, closest(entry.id, rows))
            self.problems.append(problem)

    def _missing_columns(self, sheet: Sheet, fresh: list[Entry]) -> None:
        """Report required columns that a file with new rows lacks, once a file."""
        given = sheet.columns or ()
        known = self.schema.tables[sheet.table]
        whole = [(entry, self._with_defaults(sheet.table, entry)) for entry in fresh]
        for name, column in known.items():
            needing = [entry for entry, values in whole if column.needed(values)]
            if needing and column.default is None and name not in given:
                strangers = [other for other in given if other and other not in known]
                near = get_close_matches(name, strangers, n=1, cutoff=0.5)
                hint = f"is {near[0]!r} meant to be it?" if near else ""
                text = f"missing column, needed by {needing[0].row}"
                self.problems.append(Problem(sheet.file, "line 1", name, "", text, column.rule, hint))
                for entry in needing:
                    entry.broken.add(name)

    def _with_defaults(self, table: str, entry: Entry) -> Mapping[str, Value]:
        """Return the values of an entry, with what its empty cells mean."""
        defaults = {name: column.default for name, column in self.schema.tables[table].items()}
        return {**defaults, **{name: value for name, value in entry.values.items() if value is not None}}

    def finish(self) -> Tables:
        """Check the rows together and return them frozen, by table and id.

        Raises
        ------
        InputError
            If anything was wrong, here or before.
        """
        for table, rows in self.entries.items():
            for entry in rows.values():
                self._complete(table, entry)
                self._check_order(table, entry)
        self._check_references()
        if self.problems:
            raise InputError(self.problems)
        return FrozenMap({table: self._freeze(table) for table in self.schema.tables})

    def _freeze(self, table: str) -> Mapping[str, Row]:
        columns, rows = self.schema.tables[table], self.entries[table]
        return FrozenMap({
            row_id: Row({name: rows[row_id].values.get(name) for name in columns}, row_id, rows[row_id].origin)
            for row_id in sorted(rows)
        })  # fmt: skip

    def _complete(self, table: str, entry: Entry) -> None:
        """Fill defaults and report required values that are missing."""
        whole = self._with_defaults(table, entry)
        for name, column in self.schema.tables[table].items():
            if name in entry.broken or entry.values.get(name) is not None:
                continue
            entry.values[name] = column.default
            if column.needed(whole) and column.default is None:
                entry.broken.add(name)
                self.problems.append(Problem(entry.file, entry.row, name, "", "is empty", column.rule))

    def _check_order(self, table: str, entry: Entry) -> None:
        """Check low <= central <= high and the other pairs that have an order."""
        pairs = list(ORDERED.get(table, ()))
        for name in self.schema.tables[table]:
            if "central" in name:
                low, high = name.replace("central", "low"), name.replace("central", "high")
                pairs += [
                    (low, name),
                    (name, high),
                    *([(low, high)] if entry.values.get(name) is None else []),
                ]
        for lesser, greater in pairs:
            small, large = entry.values.get(lesser), entry.values.get(greater)
            if isinstance(small, int | float) and isinstance(large, int | float) and small > large:
                text = f"exceeds {greater}"
                self.problems.append(Problem(entry.file, entry.row, lesser, f"{small:g}", text, f"at most {large:g}"))

    def _check_references(self) -> None:
        """Check that every reference names something that exists."""
        targets: dict[str, set[str] | None] = {}
        for table, rows in self.entries.items():
            for name, column in self.schema.tables[table].items():
                if not column.is_reference:
                    continue
                known = self._known(column, targets)
                if known is None:
                    continue
                for entry in rows.values():
                    value = entry.values.get(name)
                    for word in (value,) if isinstance(value, str) else cast("tuple[str, ...]", value or ()):
                        if word not in known:
                            hint = closest(word, known) or _some(known)
                            gone = any(word in self.gone.get(target, ()) for target in column.allowed)
                            text = ("names a removed row of " if gone else "names nothing in ") + " or ".join(
                                column.allowed
                            )
                            problem = Problem(entry.file, entry.row, name, word, text, column.rule, hint)
                            self.problems.append(problem)

    def _known(self, column: Column, targets: dict[str, set[str] | None]) -> set[str] | None:
        """Return the words a reference may use, None if that cannot be known because a target is broken."""
        known: set[str] = set()
        for target in column.allowed:
            if target not in targets:
                targets[target] = self._words(target)
            words = targets[target]
            if words is None:
                return None
            known |= words
        return known

    def _words(self, target: str) -> set[str] | None:
        """Return the ids of a table, or the words in a column given as ``table.column``."""
        table, _, name = target.partition(".")
        if table in self.unsure or table not in self.entries:
            return None
        rows = self.entries[table]
        if not name:
            return set(rows)
        if any(name in entry.broken for entry in rows.values()):
            return None
        words: set[str] = set()
        for entry in rows.values():
            value = entry.values.get(name)
            words.update((value,) if isinstance(value, str) else cast("tuple[str, ...]", value or ()))
        return words


def _some(known: set[str]) -> str:
    """Show a few of the words that exist."""
    shown = sorted(known)[:5]
    return f"such as {', '.join(shown)}" if shown else ""
