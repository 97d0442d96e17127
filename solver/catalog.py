"""The catalog: tables of parts, read once, checked as a whole, frozen.

A catalog comes from one or more folders, later ones overriding rows by id, and from overlays made in memory;
both pass the same checks. Every problem found is reported at once. The hash depends on the content alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from solver.draft import Draft, FrozenMap, Row, Tables
from solver.errors import InputError, Problem, closest
from solver.parts import PartT
from solver.schema import Schema
from solver.tables import SCHEMA_FILE, read_folder, read_items, read_schema

__all__ = ["Catalog", "FrozenMap", "Row", "default_folder", "load_catalog"]

OPTIONAL_TABLES = frozenset({"calibration", "model_aliases"})
"""Tables that a catalog can do without: they are written by, or only used by, the calibration."""


@dataclass(frozen=True, eq=False)
class Catalog:
    """All tables, validated and frozen; equal where the content is equal.

    Attributes
    ----------
    schema : Schema
        The data dictionary.
    tables : mapping
        Table to id to `Row`, in the order of ids.
    """

    schema: Schema = field(repr=False)
    tables: Tables = field(repr=False)
    _parts: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalog) and self.hash == other.hash

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)

    def _table(self, table: str) -> Mapping[str, Row]:
        if table not in self.tables:
            problem = Problem("catalog", "", "table", table, "no such table", ", ".join(self.tables))
            raise InputError([replace(problem, hint=closest(table, self.tables))])
        return self.tables[table]

    def rows(self, table: str) -> tuple[Row, ...]:
        """Return the rows of a table in the order of their ids.

        Raises
        ------
        InputError
            If there is no such table.
        """
        return tuple(self._table(table).values())

    def row(self, table: str, row_id: str) -> Row:
        """Return one row.

        Raises
        ------
        InputError
            If the table has no such id; with the closest one.
        """
        rows = self._table(table)
        if row_id not in rows:
            key = self.schema.key(table)
            problem = Problem(table, "", key, str(row_id), "no such row", f"one of {len(rows)} ids of {table}")
            raise InputError([replace(problem, hint=closest(row_id, rows))])
        return rows[row_id]

    def origin(self, table: str, row_id: str) -> str:
        """Return where a row was last written: ``file, line n`` or ``overlay``."""
        return self.row(table, row_id).origin

    def typed(self, kind: type[PartT], part_id: str) -> PartT:
        """Return a row as its SI record, built once.

        Parameters
        ----------
        kind : type
            A class of `solver.parts`; it names its table.
        part_id : str
            Row id.

        Raises
        ------
        InputError
            If there is no such row, or it lacks a figure that the record needs.
        """
        key = (kind.__name__, part_id)
        if key not in self._parts:
            self._parts[key] = kind.from_row(self.row(kind.TABLE, part_id))
        return cast("PartT", self._parts[key])

    def all(self, kind: type[PartT]) -> tuple[PartT, ...]:
        """Return the rows of a kind's table that can be evaluated as SI records, in the order of their ids.

        Rows of announced parts may lack figures; `kind.lacking` names those of a row.
        """
        rows = self._table(kind.TABLE)
        return tuple(self.typed(kind, part_id) for part_id, row in rows.items() if not kind.lacking(row))

    @cached_property
    def hash(self) -> str:
        """Hash of the content (sha256, hexadecimal), whatever the order of rows, columns and files."""
        content = {
            table: {row_id: {name: value for name, value in row.items() if value is not None}
                    for row_id, row in rows.items()}
            for table, rows in self.tables.items() if rows
        }  # fmt: skip
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def overlay(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Catalog:
        """Return a new catalog with some rows changed, added or taken away, checked like files.

        Parameters
        ----------
        rows : mapping
            Table to rows; a row needs its id and the columns that change. None clears a value; ``"remove": True``
            takes the row away, which no other row may name any more.

        Raises
        ------
        InputError
            With every problem, under the file name ``overlay``.
        """
        draft = Draft(self.schema)
        draft.start_from(self.tables)
        for table, items in rows.items():
            if table not in self.schema.tables:
                problem = Problem("overlay", "", str(table), "", "unknown table", ", ".join(self.schema.tables))
                draft.problems.append(replace(problem, hint=closest(str(table), self.schema.tables)))
            elif isinstance(items, str | Mapping) or not isinstance(items, Sequence):
                draft.problems.append(Problem("overlay", "", table, "", "is not a list of rows", "a list of mappings"))
            else:
                places = [f"{table} row {n}" for n in range(1, len(items) + 1)]
                draft.add(read_items(table, items, "overlay", places, "overlay", self.schema))
        return Catalog(self.schema, draft.finish())


def default_folder() -> Path:
    """Return the folder of the catalogs that come with the program.

    Inside a wheel they are packaged as ``solver/_catalogs``; in a checkout they stand beside ``solver``.
    """
    packaged = Path(__file__).parent / "_catalogs"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "catalogs"


def load_catalog(*folders: str | Path) -> Catalog:
    """Read a catalog from folders.

    Parameters
    ----------
    *folders : str or Path
        Later folders override rows by id and may hold only some tables and columns; an empty cell there keeps
        the value of the folder before. The data dictionary is that of the first folder that has one. Without
        folders, the catalogs that come with the program.

    Raises
    ------
    InputError
        With every problem of every file: file, line and id, column, value, and what is allowed.
    """
    paths = _existing(folders or (default_folder(),))
    draft = Draft(_schema(paths))
    read: set[str] = set()
    for path in paths:
        try:
            sheets = read_folder(path, path.resolve().name if folders else "catalogs", draft.schema)
        except OSError as error:
            raise InputError(
                [Problem(str(path), "", "", "", f"cannot be read: {error.strerror}", "a folder")]
            ) from None
        read |= {sheet.table for sheet in sheets}
        for sheet in sheets:
            draft.add(sheet)
    missing = [table for table in draft.schema.tables if table not in read | OPTIONAL_TABLES]
    if not read:
        raise InputError([Problem(str(paths[0]), "", "", "", "holds no catalog tables", "a folder with CSV tables")])
    for table in missing:
        hint = "name the base folder first, then the one that overrides" if len(missing) > 1 else ""
        label = (paths[0] / draft.schema.file_name(table)).as_posix()
        draft.problems.append(Problem(label, "", "", "", "no such file", f"the table {table}", hint))
        draft.unsure.add(table)
    return Catalog(draft.schema, draft.finish())


def _existing(folders: Sequence[str | Path]) -> list[Path]:
    """Return the folders as paths, or raise for all that do not exist."""
    problems = [problem for folder in folders if (problem := _folder_problem(folder))]
    if problems:
        raise InputError(problems)
    return [Path(folder) for folder in folders]


def _folder_problem(folder: str | Path) -> Problem | None:
    """Return what is wrong with a folder, with what is near, or None."""
    path, name = Path(folder), str(folder)
    try:
        if name and path.is_dir():
            return None
        text = "is a file, not a folder" if name and path.exists() else "no such folder"
        near = [str(p) for p in path.parent.iterdir() if p.is_dir()] if name and path.parent.is_dir() else []
    except (OSError, ValueError):
        text, near = "cannot be read", []
    return Problem(name or "''", "", "", "", text, "a folder with catalog tables", closest(name, near))


def _schema(paths: Sequence[Path]) -> Schema:
    """Return the dictionary of the first folder that has one, else the one that comes with the program."""
    found = next(
        (path / SCHEMA_FILE for path in paths if (path / SCHEMA_FILE).is_file()),
        default_folder() / SCHEMA_FILE,
    )
    return read_schema(found, found.as_posix())
