"""Cells as text: shown so that reading them back gives the same value, and read as people type them."""

from __future__ import annotations

from decimal import Decimal

from solver.schema import CellError, Column, Value, parse_native, parse_text
from solver.whatif.quantities import parse_number
from solver.whatif.safe import opens_formula

NUMBERS = ("int", "float")
LONGEST_TEXT = 4000
"""Characters of a text."""
GROUPED = 10_000.0
"""Numbers from here on are shown with separators of thousands."""
PLAIN = (1e-4, 1e15)
"""Numbers between these are shown without an exponent."""


def number_text(value: float) -> str:
    """Return a number as the shortest text that is read back as the same number."""
    size = abs(value)
    if isinstance(value, int) or value.is_integer():
        if size >= PLAIN[1]:
            return repr(float(value))
        return f"{value:,.0f}" if size >= GROUPED else f"{value:.0f}"
    if not PLAIN[0] <= size < PLAIN[1]:
        return repr(value)
    plain = format(Decimal(repr(value)), "f")
    whole, _, rest = plain.lstrip("-").partition(".")
    grouped = f"{int(whole):,}" if size >= GROUPED else whole
    return f"{'-' if value < 0 else ''}{grouped}.{rest}"


def cell_text(value: Value) -> str:
    """Return a value as a cell shows it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ";".join(value)
    return number_text(value) if isinstance(value, int | float) else value


def read_cell(column: Column, text: str | None, unit: str | None = None) -> Value:
    """Return what a typed cell means, None where it is empty; `unit` where it is not that of the column.

    Raises
    ------
    CellError
        With what is wrong, what is allowed, and a hint.
    """
    bare = (text or "").strip()
    if not bare:
        return None
    if column.type in NUMBERS:
        return _number(column, bare, column.unit if unit is None else unit)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in bare):
        raise CellError("has a line break or another control character", "one line of text")
    if opens_formula(bare):
        raise CellError(f"opens with {bare[0]!r}, which spreadsheets run as a formula", "text that opens otherwise")
    if len(bare) > LONGEST_TEXT:
        raise CellError("is too long", f"at most {LONGEST_TEXT} characters")
    return parse_text(column, bare)


def _number(column: Column, text: str, unit: str) -> Value:
    try:
        value = parse_number(text, unit)
    except CellError as error:
        raise CellError(error.message, _allowed(column, error.allowed), error.hint) from None
    try:
        return parse_native(column, value)
    except CellError as error:
        hint = error.hint
        if column.unit == "share" and 1.0 < value <= 100.0:
            hint = f"is {value:g}% meant? Then write the sign"
        raise CellError(error.message, error.allowed, hint) from None


def _allowed(column: Column, otherwise: str) -> str:
    """Say what a number column takes: its bounds, where it has any."""
    return f"{otherwise}, {column.bounds}" if column.bounds else otherwise


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same for a catalog."""
    left, right = (tuple(v) if isinstance(v, list) else v for v in (one, other))
    alike = type(left) is type(right) or (_is_number(left) and _is_number(right))
    return alike and left == right


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
