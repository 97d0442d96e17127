"""What a shown formula is made of, and the registry of numbers that can be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solver.formulas.expressions import evaluate
from solver.physics.arrays import FloatLike
from solver.points import ROLES

if TYPE_CHECKING:
    from solver.formulas.asking import Ask

SITE, CLASS, LOAD, POOL = "site", "class", "load", "pool"
"""What a number is of: the whole design, a class (no design needed), a load entry, a pool."""


@dataclass(frozen=True)
class Term:
    """One number that goes into a formula.

    Attributes
    ----------
    name : str
        As the formula writes it.
    value : float
        In SI units.
    unit : str
    source : str
        Where it comes from: a catalog row's source, the study, a record of the design, another number.
    confidence : str
        As in the catalog (datasheet, measured, press, estimate), or chosen (by the study), solved (by the solver),
        computed (from other numbers).
    """

    name: str
    value: float
    unit: str
    source: str
    confidence: str


@dataclass(frozen=True)
class Column:
    """One number for each row of a sum; `values` in the order of the labels of its sheet."""

    name: str
    values: tuple[float, ...]
    unit: str
    source: str
    confidence: str


@dataclass(frozen=True)
class Sheet:
    """A formula with what goes into it.

    Attributes
    ----------
    text : str
        Arithmetic over the names of terms and columns.
    terms : tuple of Term
    labels : tuple of str
        Rows of the columns.
    columns : tuple of Column
    notes : tuple of str
        About each row, such as the source of its figures; empty or one a row.
    """

    text: str
    terms: tuple[Term, ...] = ()
    labels: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """What the text comes to with these numbers."""
        values: dict[str, FloatLike] = {term.name: term.value for term in self.terms}
        return evaluate(self.text, values | {column.name: np.asarray(column.values) for column in self.columns})


@dataclass(frozen=True)
class Formula:
    """A number with its formula, as `show` returns it.

    Attributes
    ----------
    id, name, unit : str
    subject : str
        What it is of, such as ``class chat``; empty for the whole design.
    sheet : Sheet
    value : float
        Computed from the sheet.
    stated : float
        What the design or the physics says itself.
    """

    id: str
    name: str
    unit: str
    subject: str
    sheet: Sheet
    value: float
    stated: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        sheet = self.sheet
        return {
            "id": self.id, "name": self.name, "unit": self.unit, "of": self.subject, "value": self.value,
            "stated": self.stated, "formula": sheet.text,
            "terms": [vars(term) for term in sheet.terms],
            "rows": [
                {"row": label, "note": note} | {column.name: column.values[k] for column in sheet.columns}
                for k, (label, note) in enumerate(zip(sheet.labels, _padded(sheet), strict=True))
            ],
            "columns": [{"name": c.name, "unit": c.unit, "source": c.source, "confidence": c.confidence}
                        for c in sheet.columns],
        }  # fmt: skip


def _padded(sheet: Sheet) -> tuple[str, ...]:
    """Notes of all rows, empty ones where there are none."""
    return sheet.notes or ("",) * len(sheet.labels)


@dataclass(frozen=True)
class Number:
    """One number of the registry.

    Attributes
    ----------
    id, name, unit : str
    of : str
        site, class, load or pool.
    sheet : callable(Ask) -> Sheet
    stated : callable(Ask) -> float
        The design's or the physics' own value.
    roles : tuple of str
        Roles of the load entries that have it.
    pin : callable(Ask) -> Ask, optional
        Names the pool that it is of, where none was named and it is not that of most watts.
    """

    id: str
    name: str
    unit: str
    of: str
    sheet: Callable[[Ask], Sheet]
    stated: Callable[[Ask], float]
    roles: tuple[str, ...] = ROLES
    pin: Callable[[Ask], Ask] | None = None


NUMBERS: dict[str, Number] = {}
Maker = Callable[["Ask"], Sheet]


def number(
    number_id: str,
    name: str,
    unit: str,
    of: str,
    stated: Callable[[Ask], float],
    roles: tuple[str, ...] = ROLES,
    pin: Callable[[Ask], Ask] | None = None,
) -> Callable[[Maker], Maker]:
    """Register a function as the sheet of a number."""

    def add(function: Maker) -> Maker:
        if number_id in NUMBERS:
            raise ValueError(f"number {number_id} is registered twice")
        NUMBERS[number_id] = Number(number_id, name, unit, of, function, stated, roles, pin)
        return function

    return add


def columns_of(rows: list[dict[str, float]], about: dict[str, tuple[str, str, str]]) -> tuple[Column, ...]:
    """Return the columns of some rows.

    Parameters
    ----------
    rows : list of dict
        Column name to value.
    about : dict
        Column name to its unit, source and confidence.
    """
    return tuple(_columns(rows, about))


def _columns(rows: list[dict[str, float]], about: dict[str, tuple[str, str, str]]) -> Iterator[Column]:
    for name, (unit, source, confidence) in about.items():
        yield Column(name, tuple(float(row[name]) for row in rows), unit, source, confidence)
