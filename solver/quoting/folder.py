"""Writing overlay rows as a folder of catalog tables, which is read back before it takes its place."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from solver.catalog import load_catalog
from solver.errors import InputError, Problem
from solver.schema import Value


def check_free(folder: str | Path, tables: Sequence[str]) -> None:
    """Make sure that a folder can be made, or holds none of the tables yet.

    Raises
    ------
    InputError
        If its place is taken or does not exist.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise _refused(folder, "is a file", "a folder")
    if not target.parent.is_dir():
        raise _refused(folder, f"cannot be made: no folder {target.parent}", "a folder in one that exists")
    taken = [name for table in tables if (target / (name := f"{table}.csv")).exists()]
    if taken:
        raise _refused(folder, f"holds {', '.join(taken)} already", "a new folder, or one without these tables")


def write_folder(
    rows: Mapping[str, Sequence[Mapping[str, Value]]], folder: str | Path, base: Sequence[str | Path]
) -> list[Path]:
    """Write rows as tables that lie over a catalog; all of them or, where anything is wrong, nothing.

    Parameters
    ----------
    rows : mapping
        Table to rows; only the columns that some row fills are written.
    folder : str or Path
        Made where it does not exist.
    base : sequence of str or Path
        Catalog folders it shall lie over.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        If the folder cannot be written, or the catalog with it on top is not sound.
    """
    target = Path(folder)
    check_free(target, list(rows))
    try:
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:100]}"))
    except OSError as error:
        raise _refused(folder, f"cannot be made: {error.strerror}", "a folder that can be written") from None
    try:
        for table, items in rows.items():
            (draft / f"{table}.csv").write_text(_csv(items), encoding="utf-8", newline="")
        load_catalog(*base, draft)
        target.mkdir(exist_ok=True)
        for table in rows:
            os.replace(draft / f"{table}.csv", target / f"{table}.csv")
    except OSError as error:
        raise _refused(folder, f"cannot be written: {error.strerror}", "a folder that can be written") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return [target / f"{table}.csv" for table in rows]


def _csv(items: Sequence[Mapping[str, Value]]) -> str:
    """Return rows as CSV text."""
    names = list(dict.fromkeys(name for item in items for name in item))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(item.get(name)) for name in names] for item in items)
    return text.getvalue()


def _cell(value: Value) -> str:
    """Return a value as a catalog cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ";".join(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _refused(folder: str | Path, message: str, allowed: str) -> InputError:
    return InputError([Problem(str(folder), "", "", "", message, allowed)])
