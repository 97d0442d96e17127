"""Helpers of the catalog tests: spoil a copy of the catalog and look at the problems it is refused with."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from solver.errors import InputError, Problem

Edit = Callable[[list[list[str]]], None]


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write(path: Path, records: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(records)


def edit(folder: Path, table: str, change: Edit) -> None:
    """Apply a change to the records of a table."""
    records = read(folder / f"{table}.csv")
    change(records)
    write(folder / f"{table}.csv", records)


def put(folder: Path, table: str, row_id: str, column: str, value: str) -> int:
    """Replace one cell and return the line it stands on."""
    records = read(folder / f"{table}.csv")
    line = next(n for n, cells in enumerate(records) if cells[0] == row_id)
    records[line][records[0].index(column)] = value
    write(folder / f"{table}.csv", records)
    return line + 1


def problems(action: Callable[[], object]) -> list[Problem]:
    """Return the problems an action is refused with."""
    with pytest.raises(InputError) as caught:
        action()
    return list(caught.value.problems)


def only(found: list[Problem], **parts: str) -> Problem:
    """Return the one problem whose attributes contain the given texts."""
    hits = [p for p in found if all(text in getattr(p, name) for name, text in parts.items())]
    assert len(hits) == 1, (parts, [str(p) for p in found])
    return hits[0]
