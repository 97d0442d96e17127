"""Designs as files: JSON, XLSX and HTML, written whole or not at all."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from solver.charts.needed import check_html as check_html
from solver.design import Design
from solver.errors import InputError, Problem
from solver.sheets import UNITS, Cell, cell_text, sheets_of


def check_writable(path: str | Path) -> None:
    """Make sure that a file can be written, before the work whose result it is to hold.

    Raises
    ------
    InputError
        If the folder is missing or closed, or the path is a folder.
    """
    target = Path(path)
    if not str(path) or target.is_dir():
        raise _refused(path, "is a folder" if str(path) else "is empty")
    if _is_special(target):
        return
    try:
        handle, name = tempfile.mkstemp(dir=_real(target).parent, prefix=".tierwatt", suffix=".part")
        os.close(handle)
        os.unlink(name)
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except (OSError, ValueError) as error:
        raise _refused(path, _reason(error)) from None


def write_json(design: Design, path: str | Path) -> None:
    """Write a design as JSON.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_whole(path, (design.to_json() + "\n").encode("utf-8"))


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file through a temporary neighbour, so that no reader ever sees half of it.

    Links are followed and permissions kept; pipes and devices are written to directly.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    target = Path(path)
    try:
        if _is_special(target):
            target.write_bytes(content)
        else:
            _replace(_real(target), content)
    except (OSError, ValueError) as error:
        raise _refused(path, _reason(error)) from None


def _replace(target: Path, content: bytes) -> None:
    """Put the content in a new file and move it into place."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Permissions of the file there is, or those of a new file."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _real(target: Path) -> Path:
    """The file behind links."""
    return Path(os.path.realpath(target))


def _is_special(target: Path) -> bool:
    """True for a pipe or a device, which must not be replaced by a file."""
    return target.exists() and not target.is_file() and not target.is_dir()


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _refused(path: str | Path, why: str) -> InputError:
    return InputError(
        [Problem(str(path) or "''", "", "", "", f"cannot be written: {why}", "a file in a folder that exists")]
    )


def check_xlsx() -> None:
    """Make sure that spreadsheets can be written.

    Raises
    ------
    InputError
        If the package for them is not installed.
    """
    try:
        import xlsxwriter  # noqa: F401
    except ImportError:
        problem = Problem("--xlsx", "", "", "", "needs the package xlsxwriter", "", "install tierwatt[report]")
        raise InputError([problem]) from None


def write_xlsx(design: Design, path: str | Path) -> None:
    """Write a design as a spreadsheet of tidy sheets: one row a record, units in the headings.

    Raises
    ------
    InputError
        If xlsxwriter is missing or the file cannot be written.
    """
    check_xlsx()
    import xlsxwriter

    memory = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(memory, options) as book:
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        for name, rows in sheets_of(design).items():
            _write_sheet(book.add_worksheet(name), head, rows)
    write_whole(path, memory.getvalue())


def _write_sheet(sheet: Any, head: Any, rows: Sequence[Mapping[str, Cell]]) -> None:
    """Write records under one heading row that stays in sight."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["nothing"]
    for column, name in enumerate(names):
        sheet.write_string(0, column, f"{name} [{UNITS[name]}]" if name in UNITS else name, head)
        longest = max((len(cell_text(row.get(name))) for row in rows), default=0)
        sheet.set_column(column, column, min(max(longest, len(name)) + 2, 60))
    for line, row in enumerate(rows, start=1):
        for column, name in enumerate(names):
            _write_cell(sheet, line, column, row.get(name))
    sheet.freeze_panes(1, 1)
    if rows:
        sheet.autofilter(0, 0, len(rows), len(names) - 1)


def _write_cell(sheet: Any, line: int, column: int, value: Cell) -> None:
    """Write one value as what it is; text is never read as a formula."""
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(line, column, value)
    elif value is not None:
        sheet.write_string(line, column, value[:32000])


def check_all(json_file: Path | None, xlsx_file: Path | None, html_file: Path | None) -> None:
    """Make sure, before any work, that what was asked for can be written: files, and the libraries they need."""
    if xlsx_file is not None:
        check_xlsx()
    if html_file is not None:
        check_html()
    for path in (json_file, xlsx_file, html_file):
        if path is not None:
            check_writable(path)


def write_all(
    design: Design, json_file: Path | None, xlsx_file: Path | None, html_file: Path | None, command: str = ""
) -> None:
    """Write a design to the files that were asked for."""
    if json_file is not None:
        write_json(design, json_file)
    if xlsx_file is not None:
        write_xlsx(design, xlsx_file)
    if html_file is not None:
        write_html(design, html_file, command)


def write_html(design: Design, path: str | Path, command: str = "") -> None:
    """Write a design as one self-contained page.

    Parameters
    ----------
    design : Design
    path : str or Path
    command : str
        What reproduces it, as typed.

    Raises
    ------
    InputError
        If plotly is missing or the file cannot be written.
    """
    check_html()
    from solver.charts.html import page

    write_whole(path, page(design, command).encode("utf-8"))
