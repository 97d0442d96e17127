"""Tables that others made: a CSV file or a sheet of a spreadsheet as records of text, each with its place.

Catalog files are read strictly by `solver.tables`. A vendor's sheet has titles above its heading and cells that are
numbers or dates; here it becomes plain text, and nothing is judged but whether it can be read at all.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solver.errors import InputError, Problem, closest
from solver.tables import csv_records, read_text

SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
EXTRA = "install tierwatt[report]"


@dataclass(frozen=True)
class Record:
    """One row of cells as text; `place` is its line or row, as the file's own program numbers it."""

    place: str
    cells: tuple[str, ...]


def read_records(path: str | Path, sheet: str | None = None) -> tuple[str, list[Record]]:
    """Read a CSV file or one sheet of a spreadsheet.

    Parameters
    ----------
    path : str or Path
        What is no spreadsheet by its ending is read as CSV.
    sheet : str, optional
        Name of the sheet; by default the first that is visible.

    Returns
    -------
    (str, list of Record)
        A label for messages and the rows that are not blank.

    Raises
    ------
    InputError
        If the file, or the sheet, cannot be read.
    """
    source = Path(path)
    label = source.as_posix()
    if source.suffix.lower() in SPREADSHEETS:
        return _spreadsheet(source, label, sheet)
    if sheet is not None:
        raise _refused(label, "--sheet", sheet, "is not a spreadsheet", "a file ending in " + ", ".join(SPREADSHEETS))
    records, problems = csv_records(read_text(source, label), label)
    if problems:
        raise InputError(problems)
    first = records[0][1] if records else []
    if len(first) == 1 and re.search(r"[;\t|]", first[0]) and all(len(cells) == 1 for _, cells in records):
        raise _refused(label, "", first[0], "has rows of one cell", "cells separated by commas")
    rows = [Record(f"line {line}", tuple(cell.strip() for cell in cells)) for line, cells in records]
    return label, [row for row in rows if any(row.cells)]


def _spreadsheet(source: Path, label: str, wanted: str | None) -> tuple[str, list[Record]]:
    """Read one sheet of a workbook."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise _refused(label, "", "", "needs the package python-calamine", "", EXTRA) from None
    try:
        with source.open("rb") as stream:
            book = calamine.CalamineWorkbook.from_filelike(stream)
            shown = [s.name for s in book.sheets_metadata if s.visible == calamine.SheetVisibleEnum.Visible]
            name = wanted if wanted is not None else next(iter(shown or book.sheet_names), "")
            if name not in book.sheet_names:
                names = ", ".join(book.sheet_names) or "a workbook with a sheet"
                raise _refused(label, "--sheet", name, "no such sheet", names, closest(name, book.sheet_names))
            cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except OSError as error:
        raise _refused(label, "", "", f"cannot be read: {error.strerror or error}", "a readable file") from None
    except calamine.CalamineError as error:
        raise _refused(label, "", "", f"is not a spreadsheet: {error}", ", ".join(SPREADSHEETS)) from None
    rows = [Record(f"row {n}", tuple(text_of(cell) for cell in row)) for n, row in enumerate(cells, start=1)]
    return f"{label}, sheet {name}", [row for row in rows if any(row.cells)]


def text_of(cell: Any) -> str:
    """Return a cell as one would type it: whole numbers without a point, dates as YYYY-MM-DD."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, datetime.date) else str(cell).strip()


def _refused(label: str, field: str, value: str, message: str, allowed: str, hint: str = "") -> InputError:
    return InputError([Problem(label, "", field, value, message, allowed, hint)])
