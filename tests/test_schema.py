"""Cells: what counts as a number, and that any value is accepted or refused with what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.schema import SCHEMA_COLUMNS, CellError, Column, parse_native, parse_number, parse_text, schema_from_rows

FLOAT = Column("t", "c", "float", "", False, None, None, None, (), "any")
INT = Column("t", "c", "int", "", False, None, None, None, (), "any")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_survives_the_round_trip(value: float) -> None:
    assert parse_number(repr(value)) == value


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_whole_numbers_survive_the_round_trip(value: int) -> None:
    result = parse_number(str(value), whole=True)
    assert isinstance(result, int)
    assert result == pytest.approx(value, rel=1e-15)


@given(st.text(max_size=20) | st.from_regex(r"[-+0-9.eE_,x ]{1,12}", fullmatch=True))
def test_any_text_is_a_number_or_a_cell_error(text: str) -> None:
    """Proves strictness: what passes is finite and reads the same in Python, without separators or prefixes."""
    for column in (FLOAT, INT):
        try:
            value = parse_text(column, text)
        except CellError:
            continue
        if value is None:
            assert not text.strip()
            continue
        assert isinstance(value, int | float)
        assert float(text) == value
        assert not set(text.strip().lower()) - set("0123456789.+-e")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
                    max_leaves=5))  # fmt: skip
def test_any_native_value_is_accepted_or_a_cell_error(value: Any) -> None:
    for kind in ("str", "int", "float", "bool", "date", "quarter", "enum", "list", "refs"):
        column = Column("t", "c", kind, "", False, None, 0.0, 1e6, ("a",), "any")
        try:
            parse_native(column, value)
        except CellError as error:
            assert error.allowed


def test_a_column_may_be_required_under_a_condition() -> None:
    """`required` may name another column and the words of it with which a cell must be filled."""
    cells = dict.fromkeys(SCHEMA_COLUMNS, "") | {
        "table": "parts", "column": "watts", "type": "float", "required": "sold=yes;restricted", "meaning": "power",
    }  # fmt: skip
    column = schema_from_rows([(2, cells)], "schema.csv").tables["parts"]["watts"]
    assert column.required_if == ("sold", ("yes", "restricted"))
    needed = [column.needed({"sold": word}) for word in ("yes", "restricted", "what_if", None)]
    assert needed == [True, True, False, False]
    with pytest.raises(InputError, match="a condition as column=word"):
        schema_from_rows([(2, cells | {"required": "sold="})], "schema.csv")
