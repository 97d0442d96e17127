"""Designs as files: JSON and XLSX, written whole or not at all."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from solver.design import Design, Record
from solver.errors import InputError, Problem

Cell = str | int | float | bool | None

UNITS = {
    "capex_usd": "USD", "unit_usd": "USD", "provisioned_w": "W", "drawn_w": "W", "lead_time_weeks": "weeks",
    "board_w": "W", "node_w": "W", "it_w": "W", "meter_w": "W", "standing_meter_w": "W", "ttft_s": "s", "tpot_s": "s",
    "ttl_s": "s", "requests_per_s": "1/s", "hits_per_s": "1/s", "requests_per_s_per_replica": "1/s",
    "output_tokens_per_s": "tokens/s", "input_tokens_per_s": "tokens/s", "drawn_above_idle_w": "W",
    "drawn_above_idle_meter_w": "W", "bytes": "B", "spill_bytes": "B", "load_bytes": "B", "handover_bytes": "B",
    "read_bytes_per_s": "B/s", "write_bytes_per_s": "B/s", "quantity": "pieces", "accelerators": "pieces",
    "batch": "requests", "chunk": "tokens",
}  # fmt: skip
"""Unit of a column, written into its heading; a column that is not here carries none."""


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
        for name, build in SHEETS.items():
            _write_sheet(book.add_worksheet(name), head, build(design))
    write_whole(path, memory.getvalue())


def _write_sheet(sheet: Any, head: Any, rows: Sequence[Mapping[str, Cell]]) -> None:
    """Write records under one heading row that stays in sight."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["nothing"]
    for column, name in enumerate(names):
        sheet.write_string(0, column, f"{name} [{UNITS[name]}]" if name in UNITS else name, head)
        longest = max((len(_text(row.get(name))) for row in rows), default=0)
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


def _text(value: Cell) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(value: Any) -> Cell:
    """A value as one cell: lists and records as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(_flat(item))}" for key, item in value.items())
    return ", ".join(_text(_flat(item)) for item in value)


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
    "order_form": lambda design: _records(design.bill_of_materials),
    "pools": _pools,
    "load": lambda design: _records(design.load),
    "placement": lambda design: _records(design.placement),
    "limits": lambda design: _records(design.limits),
    "assumptions": lambda design: _records(design.assumptions),
    "kpis": _kpis,
}
"""Sheet -> the rows it holds."""
