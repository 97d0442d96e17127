"""Reading catalog files: folders, CSV and TOML become checked entries, with every problem kept.

Nothing here stops at the first problem and nothing here knows what the tables mean: the dictionary
(`solver.schema`) says what a cell may hold, `solver.catalog` joins the entries and checks them together.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solver.errors import InputError, Problem, closest
from solver.schema import (
    SCHEMA_COLUMNS,
    TOML_TABLES,
    CellError,
    Column,
    Schema,
    Value,
    parse_native,
    parse_text,
    schema_from_rows,
)  # fmt: skip
from solver.units import SUFFIXES

SCHEMA_FILE = "schema.csv"
REMOVE = "remove"
"""Column that any file or overlay may have besides those of the dictionary: yes takes the row of that id away."""
CLEAR = "(empty)"
"""CSV cell that takes a value away; an empty cell keeps the value of the file below."""
_REMOVE = Column("", REMOVE, "bool", "", False, None, None, None, (), "Whether the row is taken away")


@dataclass
class Entry:
    """One row as it was given: its id, where it stands, and the values that passed.

    `values` holds only what was given; `broken` names columns whose problem is already reported. A `removed` entry
    has no values: it takes the row of its id away.
    """

    id: str
    file: str
    row: str
    origin: str
    values: dict[str, Value] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    removed: bool = False


@dataclass
class Sheet:
    """The entries of one table from one place; `columns` is None where rows bring their own keys."""

    table: str
    file: str
    columns: tuple[str, ...] | None = None
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True


def read_text(path: Path, label: str) -> str:
    """Return the text of a file, without a byte order mark.

    Raises
    ------
    InputError
        If it is missing, unreadable, empty, binary, or not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        text = f"cannot be read: {error.strerror or error}"
        raise InputError([Problem(label, "", "", "", text, "a readable file")]) from None
    return decode(data, label, "a header line and rows" if path.suffix == ".csv" else "TOML tables")


def decode(data: bytes, label: str, wanted: str) -> str:
    """Return the text of a file's bytes, without a byte order mark; `wanted` is said where there are none.

    Raises
    ------
    InputError
        If it is empty, binary, or not UTF-8.
    """
    if not data.strip():
        raise InputError([Problem(label, "", "", "", "is empty", wanted)])
    if b"\0" in data:
        message = "is a binary file, or text that is not UTF-8"
        raise InputError([Problem(label, "", "", "", message, "UTF-8 text")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise InputError(
            [Problem(label, f"line {line}", "", "", f"is not UTF-8: byte 0x{byte:02x}", "UTF-8")]
        ) from None


def csv_records(text: str, label: str) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Split CSV text into records with the line each one starts on; blank lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        return records, [Problem(label, f"line {line}", "", "", f"is not CSV: {error}", "comma-separated cells")]
    return records, []


def unknown_column(name: str, known: Iterable[str], label: str, row: str) -> Problem:
    """Say that a column does not exist, whether its unit is the trouble, and what comes nearest."""
    near = closest(name, known)
    stem, _, unit = name.rpartition("_")
    nearest = re.sub(r"^did you mean '(.*)'\?$", r"\1", near)
    if stem and nearest.rpartition("_")[0] == stem and f"_{unit}" not in SUFFIXES:
        return Problem(label, row, name, "", f"unknown column: no unit suffix '_{unit}' here", nearest, near)
    return Problem(label, row, name, "", "unknown column", "columns of schema.csv", near)


def _header(sheet: Sheet, cells: Sequence[str], known: Mapping[str, Column], row: str) -> list[str]:
    """Check a header line and return its names, empty where a column is to be ignored."""
    names = [cell.strip() for cell in cells]
    if len(names) == 1 and re.search(r"[;\t|]", names[0]):
        sheet.problems.append(Problem(sheet.file, row, "", names[0], "header is one cell", "cells separated by commas"))
        return []
    for place, name in enumerate(names, start=1):
        if not name:
            sheet.problems.append(Problem(sheet.file, row, f"column {place}", "", "has no name", "a column name"))
        elif names.index(name) < place - 1:
            sheet.problems.append(Problem(sheet.file, row, name, "", "column appears twice", "one column a name"))
        elif name not in known and name != REMOVE:
            sheet.problems.append(unknown_column(name, known, sheet.file, row))
    return names


def read_csv(path: Path, label: str, origin: str, table: str, schema: Schema) -> Sheet:
    """Read one CSV table; its problems come with the sheet, nothing is raised."""
    try:
        text = read_text(path, label)
    except InputError as error:
        return Sheet(table, label, problems=list(error.problems), readable=False)
    return csv_sheet(text, label, origin, table, schema)


def csv_sheet(
    text: str, label: str, origin: str, table: str, schema: Schema, parse: Callable[[Column, str], Value] = parse_text
) -> Sheet:
    """Check the text of a CSV table, with a parser of cells; its problems come with the sheet, nothing is raised."""
    sheet, known, key = Sheet(table, label), schema.tables[table], schema.key(table)
    records, sheet.problems = csv_records(text, label)
    sheet.readable = not sheet.problems
    line, cells = records[0] if records else (1, [])
    names = _header(sheet, cells, known, f"line {line}")
    sheet.columns = tuple(names)
    if key not in names:
        sheet.readable = False
        if names:
            hint = closest(key, [name for name in names if name not in known])
            sheet.problems.append(Problem(label, f"line {line}", key, "", "missing column", "a column of ids", hint))
            return sheet
    for line, cells in records[1:]:
        _csv_row(sheet, names, line, cells, known, key, origin, parse)
    _refuse_doubles(sheet, key)
    return sheet


def _csv_row(
    sheet: Sheet,
    names: list[str],
    line: int,
    cells: list[str],
    known: Mapping[str, Column],
    key: str,
    origin: str,
    parse: Callable[[Column, str], Value],
) -> None:
    """Check one record and add it to the sheet."""
    place = names.index(key) if key in names else len(cells)
    row_id = cells[place].strip() if place < len(cells) else ""
    entry = Entry(row_id, sheet.file, f"line {line}" + (f", id {row_id}" if row_id else ""), f"{origin}, line {line}")
    sheet.entries.append(entry)
    if len(cells) != len(names):
        many = "long" if len(cells) > len(names) else "short"
        sheet.problems.append(
            Problem(sheet.file, entry.row, "", f"{len(cells)} cells", f"row is too {many}", f"{len(names)} cells")
        )
        entry.broken.update(known)
        return
    if REMOVE in names:
        _mark_removed(sheet, entry, cells[names.index(REMOVE)])
    for name, cell in zip(names, cells, strict=True):
        column = known.get(name)
        if column is None or (entry.removed and name != key):
            continue
        try:
            value = None if cell.strip() == CLEAR else parse(column, cell)
        except CellError as error:
            _report(sheet, entry, name, cell, error)
        else:
            if value is not None or cell.strip() == CLEAR:
                entry.values[name] = value


def _mark_removed(sheet: Sheet, entry: Entry, value: Any) -> None:
    """Read what stands under `REMOVE`."""
    try:
        entry.removed = bool(parse_native(_REMOVE, value))
    except CellError as error:
        _report(sheet, entry, REMOVE, value, error)


def _report(sheet: Sheet, entry: Entry, name: str, value: Any, error: CellError) -> None:
    """Keep the problem of one cell."""
    entry.broken.add(name)
    shown = str(value).strip()
    sheet.problems.append(Problem(sheet.file, entry.row, name, shown, error.message, error.allowed, error.hint))


def _refuse_doubles(sheet: Sheet, key: str) -> None:
    """Report empty ids and ids that appear twice in one place, and drop those entries."""
    first: dict[str, str] = {}
    kept = []
    for entry in sheet.entries:
        if not entry.id:
            if key not in entry.broken:
                sheet.problems.append(Problem(sheet.file, entry.row, key, "", "is empty", "an id in every row"))
        elif entry.id in first:
            text = f"appears twice, first in {first[entry.id]}"
            sheet.problems.append(Problem(sheet.file, entry.row, key, entry.id, text, "one row an id"))
        else:
            first[entry.id] = entry.row.split(", id ")[0]
            kept.append(entry)
    sheet.entries = kept


def read_items(table: str, items: Any, label: str, places: Sequence[str], origin: str, schema: Schema) -> Sheet:
    """Check rows that are mappings already (from TOML or Python).

    Parameters
    ----------
    items : list of mappings
        Keys are columns; a None or an empty text clears a value, `REMOVE` set to true takes the row away.
    places : sequence of str
        Where each item stands, such as ``line 12``.
    origin : str
        Name of the place, for `Catalog.origin`; places follow it when they are lines.
    """
    sheet, known, key = Sheet(table, label), schema.tables[table], schema.key(table)
    for item, place in zip(items, places, strict=True):
        if not isinstance(item, Mapping):
            sheet.problems.append(Problem(label, place, "", str(item), "is not a row", "a mapping of column to value"))
            continue
        given = item.get(key)
        row_id = given.strip() if isinstance(given, str) else ""
        row = f"{place}, id {row_id}" if row_id else place
        entry = Entry(row_id, label, row, f"{origin}, {place}" if place.startswith("line") else origin)
        sheet.entries.append(entry)
        if REMOVE in item:
            _mark_removed(sheet, entry, item[REMOVE])
        for name, value in item.items():
            if name == REMOVE or (entry.removed and name != key):
                continue
            if name not in known:
                sheet.problems.append(unknown_column(str(name), known, label, row))
                continue
            try:
                entry.values[name] = parse_native(known[name], value)
            except CellError as error:
                _report(sheet, entry, name, value, error)
    _refuse_doubles(sheet, key)
    return sheet


def read_toml(path: Path, label: str, origin: str, table: str, schema: Schema) -> Sheet:
    """Read one TOML table, an array of tables; its problems come with the sheet."""
    try:
        text = read_text(path, label)
    except InputError as error:
        return Sheet(table, label, problems=list(error.problems), readable=False)
    return toml_sheet(text, label, origin, table, schema)


def toml_sheet(text: str, label: str, origin: str, table: str, schema: Schema) -> Sheet:
    """Check the text of a TOML table; its problems come with the sheet."""
    sheet, name = Sheet(table, label, readable=False), TOML_TABLES[table]
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        sheet.problems = [Problem(label, "", "", "", f"is not TOML: {error}", "TOML 1.0")]
        return sheet
    wrong = [Problem(label, "", other, "", "unknown key", f"[[{name}]] tables", closest(other, [name]))
             for other in data if other != name]  # fmt: skip
    items = data.get(name, [])
    if not isinstance(items, list):
        sheet.problems = [*wrong, Problem(label, "", name, "", "is not an array of tables", f"[[{name}]]")]
        return sheet
    heads = [number for number, line in enumerate(text.splitlines(), start=1)
             if re.match(rf"\s*\[\[\s*{name}\s*\]\]", line)]  # fmt: skip
    exact = len(heads) == len(items)
    places = [f"line {head}" for head in heads] if exact else [f"item {n}" for n in range(1, len(items) + 1)]
    sheet = read_items(table, items, label, places, origin, schema)
    sheet.problems, sheet.readable = wrong + sheet.problems, not wrong
    return sheet


def read_schema(path: Path, label: str) -> Schema:
    """Read the data dictionary.

    Raises
    ------
    InputError
        If the file or any of its lines is wrong.
    """
    records, problems = csv_records(read_text(path, label), label)
    header = [cell.strip() for cell in records[0][1]] if records else []
    missing = [name for name in SCHEMA_COLUMNS if name not in header]
    problems += [Problem(label, "line 1", name, "", "missing column", ", ".join(SCHEMA_COLUMNS)) for name in missing]
    shaped = [(line, cells) for line, cells in records[1:] if len(cells) == len(header)]
    width = f"{len(header)} cells"
    problems += [
        Problem(label, f"line {line}", "", f"{len(cells)} cells", "row has the wrong length", width)
        for line, cells in records[1:]
        if len(cells) != len(header)
    ]
    if problems:
        raise InputError(problems)
    return schema_from_rows(((line, dict(zip(header, cells, strict=True))) for line, cells in shaped), label)


def read_folder(folder: Path, name: str, schema: Schema) -> list[Sheet]:
    """Read every table of a folder; files that are no table come back as sheets that hold only a problem."""
    sheets = []
    for path in sorted(folder.iterdir()):
        table, suffix = path.stem, path.suffix.lower()
        if suffix not in (".csv", ".toml") or path.name == SCHEMA_FILE or path.name.startswith("."):
            continue
        label, origin = (folder / path.name).as_posix(), f"{name}/{path.name}"
        if table not in schema.tables or path.name != schema.file_name(table):
            files = [schema.file_name(t) for t in schema.tables]
            near = closest(schema.file_name(table) if table in schema.tables else path.name, files)
            problem = Problem(label, "", "", "", "unknown table", ", ".join(files), near)
            sheets.append(Sheet(table, label, problems=[problem], readable=False))
        elif table in TOML_TABLES:
            sheets.append(read_toml(path, label, origin, table, schema))
        else:
            sheets.append(read_csv(path, label, origin, table, schema))
    return sheets
