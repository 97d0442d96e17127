"""Typed numbers: read exactly with their unit, or refused in words; nothing that could mean two things is guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from solver.catalog import load_catalog
from solver.whatif.cells import number_text
from solver.whatif.quantities import measure, parse_number


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        (".5", "W", 0.5), ("1e3", "W", 1000.0), ("9e2", "W", 900.0), ("1.5e3", "W", 1500.0), ("25.7", "W", 25.7),
        ("1,234.5", "W", 1234.5), ("12,345,678", "USD", 12345678.0), ("1 234.5", "W", 1234.5), ("1\u202f234", "W", 1234.0),
        ("1’234", "W", 1234.0), ("1_000", "W", 1000.0), ("5.", "W", 5.0), ("-5", "W", -5.0), ("\u22125", "W", -5.0),
        ("+5", "W", 5.0), ("８.5", "W", 8.5), (" 7 ", "", 7.0),
        ("12 kW", "W", 12000.0), ("12kW", "W", 12000.0), ("12kw", "W", 12000.0), ("12.3 kW", "W", 12300.0), ("12k", "W", 12000.0),
        ("1e3 W", "W", 1000.0), ("12 mW", "W", 0.012), ("20000 kW", "MW", 20.0), ("12 MW", "MW", 12.0),
        ("$30,000", "USD", 30000.0), ("30 k$", "USD", 30000.0), ("$30k", "USD", 30000.0), ("USD 1.5 bn", "USD", 1.5e9),
        ("$1.5B", "USD", 1.5e9), ("5 MUSD", "USD", 5e6), ("$5 million", "USD", 5e6), ("-$5", "USD", -5.0), ("12 usd", "USD", 12.0),
        ("50%", "share", 0.5), ("50 %", "percent", 50.0), ("50", "percent", 50.0), ("0.5", "percent", 0.5), ("120%", "ratio", 1.2),
        ("1.2 TB/s", "GB/s", 1200.0), ("400 Gbit/s", "GB/s", 50.0), ("400 Gbps", "Gbit/s", 400.0), ("50 GB/s", "Gbit/s", 400.0),
        ("16 GiB", "GB", 17.179869184), ("12 Gb", "GB", 1.5), ("989 TFLOPS", "TFLOP/s", 989.0), ("1 PFLOP/s", "TFLOP/s", 1000.0),
        ("128k", "tokens", 128000.0), ("2M tokens", "tokens", 2e6), ("70B", "1e9", 70.0), ("1.5T", "1e9", 1500.0), ("350M", "1e9", 0.35),
        ("$0.4/GB", "USD/GB", 0.4), ("$400/TB", "USD/GB", 0.4), ("$3/Mtok", "USD/1e6 tokens", 3.0), ("8 ct/kWh", "USD/MWh", 80.0),
        ("86 USD per MWh", "USD/MWh", 86.0), ("370 g/kWh", "g/kWh", 370.0), ("0.37 kg/kWh", "g/kWh", 370.0),
        ("5 us", "s", 5e-6), ("5 µs", "s", 5e-6), ("3 h", "s", 10800.0), ("14 days", "weeks", 2.0), ("6.5 pJ/bit", "pJ/bit", 6.5),
        ("52 pJ/B", "pJ/bit", 6.5), ("0.5/day", "1/day", 0.5), ("30 Hz", "1/s", 30.0), ("100 sqft", "m2", 9.290304),
        ("4 kernels", "kernels", 4.0),
    ],
)  # fmt: skip
def test_numbers_are_read_exactly(text: str, unit: str, value: float) -> None:
    assert parse_number(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "words"),
    [
        ("", "W", "is empty"), ("abc", "W", "is not a number"), ("=1+2", "W", "is not a number"), ("1+2", "W", "unknown unit"),
        ("nan", "W", "is not a finite number"), ("-inf", "W", "is not a finite number"), ("1e999", "W", "is not a finite number"),
        ("1e-999", "W", "too small"), ("9" * 90, "W", "too long"), ("0x10", "W", "unknown unit"), ("1/2", "W", "column is in W"),
        ("1,5", "W", "a comma separates thousands"), ("1.234,5", "W", "a comma separates thousands"), ("1,234,56", "W", "a comma"),
        ("12 12", "W", "is not a number"), ("1 e3", "W", "unknown unit"), ("(500)", "USD", "is not a number"), ("~5", "W", "is not a number"),
        ("12 GB", "W", "is in GB, the column is in W"), ("12 kW", "", "the column has no unit"), ("€30", "USD", "is in EUR"),
        ("12 mw", "W", "is mW or MW meant?"), ("12 gb", "GB", "is GB or Gb meant?"), ("12k", "kW", "without a unit"),
        ("30 m$", "USD", "unknown unit"), ("50%", "W", "is in %"), ("12 W", "kernels", "the column is in kernels"),
    ],
)  # fmt: skip
def test_what_is_no_number_or_could_be_two_is_refused_in_words(text: str, unit: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_number(text, unit)
    error = caught.value
    assert words in f"{error} {error.allowed} {error.hint}"  # type: ignore[attr-defined]


def test_every_unit_of_the_catalog_is_known() -> None:
    """A column whose unit nobody knows would refuse what is typed with its unit."""
    for columns in load_catalog().schema.tables.values():
        for rule in columns.values():
            if rule.type in ("int", "float"):
                measure(rule.unit)
                assert rule.unit[:1].isdigit() or parse_number(f"3 {rule.unit}", rule.unit) == 3.0


@given(some.floats(allow_nan=False, allow_infinity=False, min_value=-1e250, max_value=1e250))
def test_a_number_shown_is_read_back_as_itself(value: float) -> None:
    """Else a cell that nobody touched would count as changed."""
    if value == 0.0 or abs(value) > 1e-250:
        assert parse_number(number_text(value), "W") == value


@given(some.text(max_size=30), some.sampled_from(["W", "USD", "", "share", "GB/s", "1e9", "USD/GB", "kernels"]))
def test_any_text_is_a_finite_number_or_a_refusal(text: str, unit: str) -> None:
    try:
        assert math.isfinite(parse_number(text, unit))
    except ValueError as error:
        assert str(error)
