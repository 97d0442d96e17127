"""Cells of a vendor's sheet: amounts, times and dates as people write them; what is ambiguous is refused."""

from __future__ import annotations

import re

from solver.schema import CellError, parse_number

_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_AMBIGUOUS = re.compile(r"\d{1,3}\.000", re.ASCII)
_DATE = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])(-[0-3]\d)?", re.ASCII)
_QUARTER = re.compile(r"(20\d\d)-?\s?Q([1-4])|Q([1-4])[\s/-]?(20\d\d)", re.ASCII)
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(weeks?|wks?|w|days?|d)?", re.ASCII)
_DAYS_A_WEEK = 7.0


def amount(text: str, *, whole: bool = False) -> float | int:
    """Return a number above zero; a dollar sign may stand before it and commas may group its thousands.

    Raises
    ------
    CellError
        If it is no such number.
    """
    allowed = f"a {'whole ' if whole else ''}number above 0 such as 310000 or 310,000"
    bare = re.sub(r"^(\$|USD)\s*|\s*USD$", "", text)
    bare = bare.replace(",", "") if _GROUPED.fullmatch(bare) else bare
    if _AMBIGUOUS.fullmatch(bare):
        raise CellError("may mean thousands", allowed, "write it without separators")
    try:
        value = parse_number(bare, whole=whole)
    except CellError as error:
        raise CellError(error.message, allowed, "a currency stands in a column of its own") from None
    if value <= 0:
        raise CellError("is not above zero", allowed)
    return value


def weeks(text: str) -> float:
    """Return a time in weeks, from a number of weeks or of days with its unit.

    Raises
    ------
    CellError
        If it is no such time.
    """
    match = _TIME.fullmatch(text.strip().lower())
    if match is None:
        raise CellError("is not a time", "weeks such as 12, or 84 days")
    return float(match[1]) / (_DAYS_A_WEEK if (match[2] or "w").startswith("d") else 1.0)


def quarter(text: str) -> str:
    """Return the quarter that a quarter or a date means, such as ``2026Q4`` for ``2026-10-02``.

    Raises
    ------
    CellError
        If it is neither.
    """
    dated, named = _DATE.fullmatch(text), _QUARTER.fullmatch(text.upper())
    if dated:
        return f"{dated[1]}Q{(int(dated[2]) + 2) // 3}"
    if named:
        return f"{named[1] or named[4]}Q{named[2] or named[3]}"
    raise CellError("is neither a quarter nor a date", "2026Q3 or 2026-10-02")
