"""Prices and annuities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from operating_points import shipped

from solver.errors import InputError
from solver.parts import MemoryDevice, Platform
from solver.physics.cost import annuity, memory_usd_per_byte, platform_usd, price_table

QUARTERS = ["2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3"]
PRICES = {("dram", "2026Q1"): 10.0, ("dram", "2026Q3"): 25.0}


def device() -> MemoryDevice:
    """Return a module of the series ``dram``."""
    return dataclasses.replace(shipped().all(MemoryDevice)[0], id="module", price_series="dram")


def server(**changes: object) -> Platform:
    """Return a platform quoted in 2026Q1 with 1 TB of memory."""
    base = dataclasses.replace(
        shipped().all(Platform)[0], id="server", price_quarter="2026Q1", host_mem_std_bytes=1e12,
        price_low_usd=None, price_central_usd=100_000.0, price_high_usd=120_000.0,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def test_annuity_repays_the_asset() -> None:
    """The present value of the payments is the price: sum over years of a / (1 + r)^y = 1."""
    payment = float(annuity(0.09, 5.0))
    assert sum(payment / 1.09**year for year in range(1, 6)) == pytest.approx(1.0)
    assert annuity(0.0, 4.0) == pytest.approx(0.25)
    assert annuity(np.array([0.0, 0.1]), np.array([5.0, 1.0])) == pytest.approx([0.2, 1.1])


def test_annuity_leaves_the_residual_value() -> None:
    """Payments and the sale in the end together are worth the price: a fifth of it after 5 years at 9 percent."""
    payment = float(annuity(0.09, 5.0, 0.2))
    assert sum(payment / 1.09**year for year in range(1, 6)) + 0.2 / 1.09**5 == pytest.approx(1.0)
    assert annuity(0.0, 4.0, 0.2) == pytest.approx(0.2)


def test_memory_price_is_that_of_its_quarter() -> None:
    """25 USD/GB is 25e-9 USD a byte."""
    assert memory_usd_per_byte(device(), "2026Q3", PRICES) == pytest.approx(25e-9)


def test_a_quarter_without_a_price_is_an_error_that_lists_the_known_ones() -> None:
    """Prices are never carried over from another quarter in silence."""
    with pytest.raises(InputError, match=r"module.*2027Q1.*2026Q1, 2026Q3"):
        memory_usd_per_byte(device(), "2027Q1", PRICES)


def test_a_platform_moves_with_its_memory() -> None:
    """1 TB at 15 USD/GB more costs 15,000 USD more; without memory or at the quote's own quarter, nothing."""
    assert platform_usd(server(), "2026Q3", PRICES, device()) == pytest.approx(115_000.0)
    assert platform_usd(server(), "2026Q1", {}, device()) == 100_000.0
    assert platform_usd(server(), "2026Q3", {}, None) == 100_000.0
    assert platform_usd(server(), "2026Q3", PRICES, device(), "high") == pytest.approx(135_000.0)
    assert platform_usd(server(), "2026Q3", PRICES, device(), "low") == pytest.approx(115_000.0)


def test_a_platform_without_a_price_cannot_be_bought() -> None:
    """An empty price is an error, not zero dollars."""
    with pytest.raises(InputError, match="no price"):
        platform_usd(server(price_central_usd=None), "2026Q1", PRICES, device())


def test_the_shipped_price_table_is_complete_for_its_series() -> None:
    """Every device has a positive price at every quarter: a missing one would stop a study at that quarter."""
    prices = price_table(shipped().rows("memory_prices"))
    for part in shipped().all(MemoryDevice):
        for quarter in QUARTERS:
            assert memory_usd_per_byte(part, quarter, prices) > 0.0, (part.id, quarter)


@pytest.mark.parametrize("quarter", QUARTERS)
def test_the_price_rule_holds_for_every_platform(quarter: str) -> None:
    """Quote plus included memory x change since the quote, from the tables' own cells, for all that have a quote."""
    catalog = shipped()
    rows = {(row["series"], row["quarter"]): row["price_usd_per_gb"] for row in catalog.rows("memory_prices")}
    prices, checked = price_table(catalog.rows("memory_prices")), 0
    for row in catalog.rows("platforms"):
        if row["price_central_usd"] is None or Platform.lacking(row):
            continue
        memory = catalog.typed(MemoryDevice, row["host_mem_id"]) if row["host_mem_id"] else None
        found = platform_usd(catalog.typed(Platform, row.id), quarter, prices, memory)
        change = 0.0
        if row["host_mem_id"]:
            series = catalog.row("memory", row["host_mem_id"])["price_series"]
            change = rows[series, quarter] - rows[series, row["price_quarter"]]
        assert found == pytest.approx(row["price_central_usd"] + row["host_mem_std_gb"] * change), row.id
        assert 0.0 < found, f"{row.id}: the memory's fall exceeds the quote"
        checked += 1
    assert checked == 33


def test_dearer_memory_shows_in_a_rack() -> None:
    """54 TB of LPDDR at 16.6 instead of 2.4 USD/GB: without the rule a VR NVL72 would cost the same in both quarters."""
    catalog = shipped()
    prices = price_table(catalog.rows("memory_prices"))
    rack = catalog.typed(Platform, "vr_nvl72")
    memory = catalog.typed(MemoryDevice, str(rack.host_mem_id))
    rise = platform_usd(rack, "2026Q3", prices, memory) - platform_usd(rack, "2025Q3", prices, memory)
    assert rise == pytest.approx(54_000 * (16.6 - 2.4))
