"""Catalog tables in and out of the app: CSV and TOML as the command line reads them, changed rows alone as a folder."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from solver.catalog import Catalog
from solver.errors import InputError, Problem, closest
from solver.schema import TOML_TABLES, CellError, Column, Schema, Value, parse_text
from solver.tables import CLEAR, REMOVE, Sheet, csv_sheet, decode, toml_sheet
from solver.whatif.cells import NUMBERS, cell_text, number_text, read_cell
from solver.whatif.edits import TableEdit
from solver.whatif.safe import bare_cell, csv_cell

MOST_BYTES = 2_000_000
"""Of an uploaded file, and of everything in an uploaded archive."""
MOST_ROWS = 5_000
MOST_FILES = 40
ARCHIVE_DATE = (1980, 1, 1, 0, 0, 0)
"""Archives with the same rows are the same files."""
README = """Changed rows of a tierwatt catalog. Lay this folder over the catalog that comes along:

    tierwatt solve STUDY.toml --catalog {folder}
"""


def table_csv(catalog: Catalog, table: str) -> str:
    """Return a whole table as CSV."""
    columns = list(catalog.schema.tables[table])
    return _csv_text(columns, [{name: row[name] for name in columns} for row in catalog.rows(table)], "")


def rows_csv(schema: Schema, table: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return overlay rows as CSV with the columns that some row fills; a cleared value is written as such."""
    named = {name for row in rows for name in row}
    columns = [name for name in (*schema.tables[table], REMOVE) if name in named]
    return _csv_text(columns, rows, CLEAR)


def _csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], cleared: str) -> str:
    """Return rows as CSV; `cleared` stands for none, nothing for what a row does not have."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_value(row[name], cleared) if name in row else "" for name in columns])
    return text.getvalue()


def _csv_value(value: Any, cleared: str) -> str:
    if value is None:
        return cleared
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value).replace(",", "")
    return csv_cell(cell_text(value))


def rows_toml(table: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return overlay rows as TOML."""
    blocks = []
    for row in rows:
        lines = [f"{name} = {_toml_value(value)}" for name, value in row.items()]
        blocks.append("\n".join([f"[[{TOML_TABLES[table]}]]", *lines, ""]))
    return "\n".join(blocks)


def _toml_value(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else repr(value)


def overlay_files(schema: Schema, overlay: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Return an overlay as the files of a catalog folder, which ``--catalog`` lays over the one that comes along."""
    return {
        schema.file_name(table): rows_toml(table, rows) if table in TOML_TABLES else rows_csv(schema, table, rows)
        for table, rows in overlay.items()
        if rows
    }


def overlay_zip(
    schema: Schema, overlay: Mapping[str, Sequence[Mapping[str, Any]]], folder: str = "my_catalog"
) -> bytes:
    """Return an overlay as an archive of one folder; the same rows give the same bytes."""
    files = {**overlay_files(schema, overlay), "README.txt": README.format(folder=folder)}
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", ARCHIVE_DATE), text.encode("utf-8"))
    return memory.getvalue()


def read_upload(schema: Schema, name: str, data: bytes, table: str) -> dict[str, TableEdit]:
    """Read an uploaded file as edits by table.

    Parameters
    ----------
    schema : Schema
    name : str
        What the file is called; one named like a table is read as that table.
    data : bytes
    table : str
        What any other file is read as.

    Raises
    ------
    InputError
        With every problem: line and id, column, value, what is allowed.
    """
    label = PurePosixPath(name.replace("\\", "/")).name[:100] or "upload"
    if len(data) > MOST_BYTES:
        raise _refused(label, f"is too large: {len(data):,} bytes", f"at most {MOST_BYTES:,} bytes")
    if data[:4] == b"PK\x03\x04" and label.lower().endswith(".xlsx"):
        raise _refused(label, "is a spreadsheet", "CSV: save the sheet as CSV UTF-8, separated by commas")
    members = _members(label, data) if data[:4] == b"PK\x03\x04" else [(label, data)]
    sheets = [_sheet(schema, member, content, table) for member, content in members]
    problems = [problem for sheet in sheets for problem in sheet.problems]
    if problems:
        raise InputError(problems)
    return {sheet.table: _edit(sheet, schema.key(sheet.table)) for sheet in sheets}


def _members(label: str, data: bytes) -> list[tuple[str, bytes]]:
    """Return the tables of an archive; nothing is written to a disk, sizes are checked before anything is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [entry for entry in archive.infolist() if entry.filename.lower().endswith((".csv", ".toml"))]
            if len(files) > MOST_FILES or sum(entry.file_size for entry in files) > MOST_BYTES:
                raise _refused(label, "holds too much", f"at most {MOST_FILES} tables of {MOST_BYTES:,} bytes together")
            found = []
            for entry in files:
                with archive.open(entry) as stream:
                    content = stream.read(entry.file_size + 1)
                if len(content) > entry.file_size:
                    raise _refused(label, "is larger than it says", "an archive of tables")
                found.append((PurePosixPath(entry.filename).name, content))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, OSError):
        raise _refused(label, "is a damaged or locked archive", "a ZIP archive of tables") from None
    if not found:
        raise _refused(label, "holds no tables", "CSV or TOML files named like tables")
    return found


def _sheet(schema: Schema, label: str, data: bytes, table: str) -> Sheet:
    """Read one file as a table."""
    stem, _, ending = label.rpartition(".")
    stem = re.sub(r"[ _-]*(\(\d+\)|changes|changed)$", "", stem)
    named = stem if stem in schema.tables else table
    if ending.lower() not in ("csv", "toml"):
        problem = Problem(label, "", "", "", "is neither CSV nor TOML", "a table as CSV")
        return Sheet(named, label, problems=[problem])
    try:
        text = decode(data, label, "a header line and rows")
    except InputError as error:
        return Sheet(named, label, problems=list(error.problems))
    if ending.lower() == "toml" and named in TOML_TABLES:
        sheet = toml_sheet(text, label, "upload", named, schema)
    elif ending.lower() == "toml":
        return Sheet(named, label, problems=[Problem(label, "", "", "", f"{named} is a CSV table", "CSV")])
    else:
        sheet = csv_sheet(text, label, "upload", named, schema, _cell)
        _other_table(sheet, schema)
    if not sheet.entries and not sheet.problems:
        sheet.problems.append(Problem(label, "", "", "", "holds no rows", "rows under the heading"))
    if len(sheet.entries) > MOST_ROWS:
        sheet.problems = [
            Problem(label, "", "", f"{len(sheet.entries):,} rows", "is too long", f"at most {MOST_ROWS:,}")
        ]
    return sheet


def _other_table(sheet: Sheet, schema: Schema) -> None:
    """Say once, in place of a problem a column, that a file looks like another table."""
    given = {name for name in sheet.columns or () if name and name != REMOVE}
    fits = {table: len(given & set(columns)) for table, columns in schema.tables.items()}
    best = max(fits, key=lambda table: fits[table])
    if given and 2 * fits[sheet.table] < len(given) and fits[best] > fits[sheet.table]:
        hint = f"it looks like {best}: choose that table, or name the file {schema.file_name(best)}"
        own = ", ".join(schema.tables[sheet.table])
        sheet.problems = [Problem(sheet.file, "line 1", "", "", f"has no columns of {sheet.table}", own, hint)]


def _cell(column: Column, text: str) -> Value:
    """Read a CSV cell as people write it: numbers with separators and units, text without a spreadsheet's guard."""
    bare = bare_cell(text.strip())
    if not bare:
        return None
    try:
        return read_cell(column, bare) if column.type in NUMBERS else parse_text(column, bare)
    except CellError as error:
        hint = error.hint or (closest(bare, column.allowed) if column.type == "enum" else "")
        raise CellError(error.message, error.allowed, hint) from None


def _edit(sheet: Sheet, key: str) -> TableEdit:
    """Return the entries of a sheet as typed cells."""
    rows = {entry.id: {name: cell_text(value) for name, value in entry.values.items() if name != key}
            for entry in sheet.entries if not entry.removed}  # fmt: skip
    return TableEdit(rows, tuple(entry.id for entry in sheet.entries if entry.removed))


def _refused(label: str, message: str, allowed: str) -> InputError:
    return InputError([Problem(label, "", "", "", message, allowed)])
