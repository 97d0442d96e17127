"""The heading row of a vendor's sheet: which of its columns mean what.

Vendors call columns as they like; the words below are understood, without regard to case and punctuation. What is
not understood is passed over with a note, so that a sheet need not be cut down to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solver.errors import InputError, Problem, closest
from solver.quoting.names import plain
from solver.quoting.sheets import Record

HEADINGS: dict[str, tuple[str, ...]] = {
    "id": ("id", "part", "part id", "part number", "part name", "sku", "item", "product", "product name", "model",
           "name", "alias", "description"),
    "price": ("price", "unit price", "price usd", "unit price usd", "price central usd", "quote", "quoted price",
              "net price", "price each"),
    "price_per_gb": ("price per gb", "price usd per gb", "usd per gb", "usd gb", "price central usd per gb"),
    "currency": ("currency", "ccy", "currency code"),
    "quarter": ("quarter", "price quarter", "quote quarter"),
    "date": ("date", "quote date", "date of quote", "quoted on", "price date"),
    "lead_time": ("lead time", "lead time weeks", "lead weeks", "delivery weeks", "delivery time", "delivery"),
    "order_minimum": ("order minimum", "minimum order", "minimum order quantity", "moq"),
    "order_multiple": ("order multiple", "pack size", "multiple"),
}  # fmt: skip
"""Meaning -> headings, in plain words."""
PASSED_OVER = ("quantity", "qty", "valid until", "validity", "valid", "expires", "expiry")
"""Headings that are expected but say nothing about a part."""
FIRST_ROWS = 20
"""Rows in which the heading must stand."""


@dataclass(frozen=True)
class Headings:
    """Meaning of columns by place, the rows below, and remarks on columns that were passed over.

    `names` are the places of all columns that may name a part, the likeliest first.
    """

    places: dict[str, int]
    names: list[int]
    rows: list[Record]
    notes: list[str]

    def cells(self, record: Record) -> dict[str, str]:
        """Return a row's cells by meaning; empty where the row is short."""
        return {name: _at(record, at) for name, at in self.places.items()}

    def parts(self, record: Record) -> list[str]:
        """Return the cells of a row that may name its part."""
        return [name for at in self.names if (name := _at(record, at))]


def _at(record: Record, at: int) -> str:
    """Return a cell, empty where the row is short."""
    return record.cells[at] if at < len(record.cells) else ""


def find_headings(label: str, records: Sequence[Record]) -> Headings:
    """Return the columns of the first row that names a part and its price or lead time.

    Parameters
    ----------
    label : str
        Name of the sheet for messages.
    records : sequence of Record
        Rows of the sheet; titles may stand above the heading.

    Raises
    ------
    InputError
        If no row is such a heading, or it names something twice.
    """
    known = {word: meaning for meaning, words in HEADINGS.items() for word in words}
    best = max(records[:FIRST_ROWS], key=lambda row: sum(plain(cell) in known for cell in row.cells), default=None)
    if best is None:
        raise InputError([Problem(label, "", "", "", "is empty", "a heading row and rows of quotes")])
    places: dict[str, int] = {}
    names: list[int] = []
    problems, notes = [], []
    for at, cell in enumerate(best.cells):
        word = plain(cell)
        meaning = known.get(word)
        if meaning is None:
            if word:
                near = "" if word in PASSED_OVER else closest(word, known)
                notes.append(f"column {cell!r} is passed over" + (f"; {near}" if near else ""))
        elif meaning == "id":
            names.append(at)
        elif meaning in places:
            problems.append(Problem(label, best.place, cell, "", f"is a second column of {meaning}", "one column"))
        else:
            places[meaning] = at
    names.sort(key=lambda at: HEADINGS["id"].index(plain(best.cells[at])))
    found = set(places) | ({"id"} if names else set())
    wanted = {"id": ("id",), "price": ("price", "price_per_gb", "lead_time")}
    for name, any_of in wanted.items():
        if not found & set(any_of):
            allowed = ", ".join(word for meaning in any_of for word in HEADINGS[meaning][:3])
            strangers = [plain(cell) for cell in best.cells if plain(cell) and plain(cell) not in known]
            words = [word for meaning in any_of for word in HEADINGS[meaning]]
            near = next((cell for cell in strangers if closest(cell, words)), "")
            hint = f"is {near!r} meant to be it?" if near else ""
            problems.append(Problem(label, best.place, name, "", "missing column", allowed, hint))
    if problems:
        raise InputError(problems)
    return Headings(places, names, list(records[records.index(best) + 1 :]), notes)
