"""The data dictionary: what each column of each catalog table may hold, and the parsers that hold it to that.

``catalogs/schema.csv`` lists every column with its type, unit, default, bounds and meaning. The loader, the
app's column help and the docs all read it from here, so a new column is one line of that file.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from solver.errors import InputError, Problem, closest

Value = str | int | float | bool | tuple[str, ...] | None

TYPES = ("str", "int", "float", "bool", "date", "quarter", "enum", "ref", "list", "refs")
"""Types of columns; `refs` is a list of references."""

SCHEMA_COLUMNS = (
    "table", "column", "type", "unit", "required", "default", "min", "max", "allowed", "meaning",
)  # fmt: skip

TOML_TABLES = {"workloads": "workload", "sites": "site"}
"""Tables that are TOML arrays of tables, and the name of the array."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_DATE = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])", re.ASCII)
_QUARTER = re.compile(r"20\d\dQ[1-4]", re.ASCII)
_CONDITION = re.compile(r"(\w+)=(\w+(?:;\w+)*)")
_BOOLS = {"yes": True, "true": True, "no": False, "false": False}


class CellError(ValueError):
    """A cell that breaks its column's rule: what is wrong, what is allowed, a hint."""

    def __init__(self, message: str, allowed: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.allowed, self.hint = message, allowed, hint


@dataclass(frozen=True)
class Column:
    """One column of the dictionary.

    Attributes
    ----------
    table, name, type, unit, meaning : str
        `type` is one of `TYPES`; `unit` is for people, the suffix of `name` decides the conversion.
    required : bool
        Whether every row must fill it.
    required_if : tuple of (str, words) or None
        Another column and the words of it with which a row must fill this one.
    default : value or None
        What an empty cell means.
    minimum, maximum : float or None
        Plausibility bounds, both allowed themselves.
    allowed : tuple of str
        Words of an enum or list, or the target of a reference (``table`` or ``table.column``).
    """

    table: str
    name: str
    type: str
    unit: str
    required: bool
    default: Value
    minimum: float | None
    maximum: float | None
    allowed: tuple[str, ...]
    meaning: str
    required_if: tuple[str, tuple[str, ...]] | None = None

    def needed(self, row: Mapping[str, Value]) -> bool:
        """Whether a row with these values must fill the column."""
        if self.required_if is None:
            return self.required
        other, words = self.required_if
        return row.get(other) in words

    @property
    def is_reference(self) -> bool:
        """Whether values name rows of another table."""
        return self.type in ("ref", "refs")

    @property
    def bounds(self) -> str:
        """Bounds in words, such as ``from 1 to 20000 W``; empty without bounds."""
        ends = [f"{word} {end:.15g}" for word, end in (("from", self.minimum), ("to", self.maximum)) if end is not None]
        return " ".join([*ends, self.unit]).strip() if ends else ""

    @property
    def rule(self) -> str:
        """What a cell may hold, in words."""
        if self.type in ("enum", "list") and self.allowed:
            return ", ".join(self.allowed)
        words = {
            "str": "text", "int": "a whole number", "float": "a number such as 0.5, 1500 or 2e3",
            "bool": "yes or no", "date": "a month as YYYY-MM", "quarter": "a quarter as 2026Q3",
            "ref": "an id of " + " or ".join(self.allowed), "refs": "ids of " + " or ".join(self.allowed),
            "list": "words separated by ;",
        }  # fmt: skip
        text = words.get(self.type, "text")
        return f"{text}, {self.bounds}" if self.type in ("int", "float") and self.bounds else text


@dataclass(frozen=True)
class Schema:
    """The dictionary: table -> column -> rule, in the order of the file."""

    tables: Mapping[str, Mapping[str, Column]] = field(default_factory=dict)

    def key(self, table: str) -> str:
        """Return the column that identifies a row: `id`, or the table's first column."""
        columns = self.tables[table]
        return "id" if "id" in columns else next(iter(columns))

    def file_name(self, table: str) -> str:
        """Return the file that holds a table."""
        return f"{table}.{'toml' if table in TOML_TABLES else 'csv'}"

    def grade(self, table: str, column: str) -> str:
        """Return the column that grades the evidence of another one; empty where a table grades nothing."""
        return grade_column(column, self.tables[table])


GRADES = (
    (r"idle_w", "confidence_idle"),
    (r".*_(usd|usd_per_gb)", "confidence_price"),
    (r"lead_time_weeks", "confidence_lead_time"),
    (r"latency_s", "confidence_latency"),
    (r".*_(w|kw|pj_per_bit)|w_per_port", "confidence_power"),
    (r".*", "confidence"),
)
"""Pattern of a column's name -> the column that grades its evidence, where the table has it; the first one counts."""


def grade_column(column: str, known: Container[str]) -> str:
    """Return which of the known columns grades the evidence of a column; empty where none does."""
    return next((grade for pattern, grade in GRADES if grade in known and re.fullmatch(pattern, column)), "")


def parse_number(text: str, *, whole: bool = False) -> float | int:
    """Parse a decimal number strictly.

    Parameters
    ----------
    text : str
        Such as ``12``, ``-0.5`` or ``2e3``; no separators, no other bases, not `nan` or `inf`.
    whole : bool
        Whether only whole numbers are allowed; the result is then an int.

    Raises
    ------
    CellError
        If it is not such a number.
    """
    if _NOT_FINITE.fullmatch(text):
        raise CellError("is not a finite number")
    if not _NUMBER.fullmatch(text):
        hint = "write it without separators" if re.fullmatch(r"[\d.,_' ]+", text) else ""
        raise CellError("is not a whole number" if whole else "is not a number", hint=hint)
    if whole and len(text) <= 15 and text.lstrip("+-").isdigit():
        return int(text)
    return _finite(float(text), whole=whole)


def _finite(value: float, *, whole: bool) -> float | int:
    """Return a finite float, without negative zero, or the whole number it holds."""
    if not math.isfinite(value):
        raise CellError("is not a finite number")
    if whole:
        if value != int(value):
            raise CellError("is not a whole number")
        return int(value)
    return value + 0.0


def _in_bounds(column: Column, value: float) -> None:
    """Raise unless the value lies within the column's plausibility bounds."""
    if column.minimum is not None and value < column.minimum:
        negative = value < 0 <= column.minimum
        raise CellError("is negative" if negative else "is implausibly small", column.bounds)
    if column.maximum is not None and value > column.maximum:
        raise CellError("is implausibly large", column.bounds)


def _word(column: Column, text: str) -> str:
    """Check a text value against the column's type and return it."""
    if column.type == "enum" and text not in column.allowed:
        raise CellError("is not an allowed word", hint=closest(text, column.allowed))
    if column.type == "date" and not _DATE.fullmatch(text):
        raise CellError("is not a month")
    if column.type == "quarter" and not _QUARTER.fullmatch(text):
        raise CellError("is not a quarter")
    if column.name == "id" and re.search(r"[\s\x00-\x1f]", text):
        raise CellError("has white space in it", "an id without white space")
    return text


def _words(column: Column, items: Iterable[str]) -> tuple[str, ...]:
    """Check a list of words and return it as a tuple."""
    words = tuple(item.strip() for item in items)
    if not words or not all(words):
        raise CellError("has an empty entry")
    for word in words:
        if column.type == "list" and column.allowed and word not in column.allowed:
            raise CellError(f"has the unknown word {word!r}", hint=closest(word, column.allowed))
    return words


def parse_text(column: Column, text: str) -> Value:
    """Parse a CSV cell; an empty one gives None.

    Raises
    ------
    CellError
        With what is wrong and what the column allows.
    """
    text = text.strip()
    if not text:
        return None
    try:
        if column.type in ("int", "float"):
            number = parse_number(text, whole=column.type == "int")
            _in_bounds(column, number)
            return number
        if column.type == "bool":
            if text.lower() not in _BOOLS:
                raise CellError("is neither yes nor no")
            return _BOOLS[text.lower()]
        if column.type in ("list", "refs"):
            return _words(column, text.split(";"))
        return _word(column, text)
    except CellError as error:
        raise CellError(error.message, error.allowed or column.rule, error.hint) from None


def parse_native(column: Column, value: Any) -> Value:
    """Check a value that already has a type (from TOML or Python); None and empty text give None.

    Text is never taken for a number, nor a number for text.

    Raises
    ------
    CellError
        With what is wrong and what the column allows.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return _native(column, value)
    except CellError as error:
        raise CellError(error.message, error.allowed or column.rule, error.hint) from None


def _native(column: Column, value: Any) -> Value:
    truth = isinstance(value, bool)
    if column.type in ("int", "float"):
        if truth or not isinstance(value, numbers.Real):
            raise CellError(f"is {_kind(value)}, not a number")
        number = _native_number(value, whole=column.type == "int")
        _in_bounds(column, number)
        return number
    if column.type == "bool":
        if truth:
            return bool(value)
        return parse_text(column, value) if isinstance(value, str) else _refuse(value, "yes or no")
    if column.type in ("list", "refs"):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            return _refuse(value, "a list of words")
        return _words(column, value)
    if not isinstance(value, str):
        return _refuse(value, "text")
    return _word(column, value.strip())


def _native_number(value: Any, *, whole: bool) -> float | int:
    """Convert any real number, including integers too large for a float."""
    try:
        return _finite(float(value), whole=whole)
    except OverflowError:
        raise CellError("is implausibly large") from None


def _kind(value: Any) -> str:
    """Name the type of a value for a message."""
    return {"str": "text", "bool": "true or false", "list": "a list", "tuple": "a list", "dict": "a table",
            "int": "a number", "float": "a number"}.get(type(value).__name__, type(value).__name__)  # fmt: skip


def _refuse(value: Any, wanted: str) -> Value:
    raise CellError(f"is {_kind(value)}, not {wanted}")


def schema_from_rows(rows: Iterable[tuple[int, Mapping[str, str]]], file: str) -> Schema:
    """Build the dictionary from the rows of ``schema.csv``.

    Parameters
    ----------
    rows : iterable of (line, cells)
        Cells by column name, all of `SCHEMA_COLUMNS`.
    file : str
        Name of the file for messages.

    Raises
    ------
    InputError
        If a type is unknown, a bound is not a number, or a default breaks its own rule; all at once.
    """
    tables: dict[str, dict[str, Column]] = {}
    problems: list[Problem] = []
    for line, cells in rows:
        where = f"line {line}, {cells['table']}.{cells['column']}"
        try:
            column = _column(cells)
            if column.name in tables.setdefault(column.table, {}):
                raise CellError("appears twice", "one line a column")
            tables[column.table][column.name] = column
        except CellError as error:
            problems.append(Problem(file, where, "", "", error.message, error.allowed, error.hint))
    if problems:
        raise InputError(problems)
    return Schema(tables)


def _column(cells: Mapping[str, str]) -> Column:
    """Build one column from its line of the dictionary."""
    for name in ("table", "column", "type", "required", "meaning"):
        if not cells[name].strip():
            raise CellError(f"{name} is empty", "a value")
    condition = _CONDITION.fullmatch(cells["required"])
    if cells["type"] not in TYPES:
        raise CellError(f"type {cells['type']!r} is unknown", ", ".join(TYPES), closest(cells["type"], TYPES))
    if condition is None and cells["required"] not in ("yes", "no"):
        raise CellError(f"required is {cells['required']!r}", "yes, no, or a condition as column=word;word")
    low, high = (float(parse_number(cells[end])) if cells[end] else None for end in ("min", "max"))
    allowed = tuple(word.strip() for word in cells["allowed"].split(";") if word.strip())
    bare = Column(
        cells["table"], cells["column"], cells["type"], cells["unit"], cells["required"] == "yes", None, low, high,
        allowed, cells["meaning"], (condition[1], tuple(condition[2].split(";"))) if condition else None,
    )  # fmt: skip
    default = parse_text(bare, cells["default"])
    return Column(**{**bare.__dict__, "default": default})
