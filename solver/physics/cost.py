"""Money: what a part costs at a quarter and what an asset costs a year."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from solver.errors import InputError, Problem
from solver.parts import MemoryDevice, Platform
from solver.physics.arrays import FloatArray, FloatLike
from solver.units import GB

Prices = Mapping[tuple[str, str], float]
"""(price series, quarter) -> USD per gigabyte."""

Bound = Literal["low", "central", "high"]


def annuity(rate: FloatLike, years: FloatLike, residual_frac: float = 0.0) -> FloatArray:
    """Return the yearly payment per dollar of an asset bought now and sold for a part of its price in the end.

    ``(1 - residual / (1 + r) ** years) * r / (1 - (1 + r) ** -years)``

    Parameters
    ----------
    rate : float or array
        Cost of capital, a fraction a year; zero gives ``1 / years``.
    years : float or array
        Life of the asset, positive.
    residual_frac : float
        Price at the end of its life over the price now.
    """
    interest, life = np.broadcast_arrays(np.asarray(rate, dtype=np.float64), np.asarray(years, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        payment = -interest / np.expm1(-life * np.log1p(interest))
    owed: FloatArray = 1.0 - residual_frac * np.exp(-life * np.log1p(interest))
    paid: FloatArray = owed * np.where(interest == 0.0, 1.0 / life, payment)
    return paid


def price_table(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """Return the mapping (series, quarter) -> USD/GB from the rows of the memory price table."""
    return {(row["series"], row["quarter"]): float(row["price_usd_per_gb"]) for row in rows}


def memory_usd_per_byte(device: MemoryDevice, quarter: str, prices: Prices) -> float:
    """Return what one byte of a device costs at a quarter.

    Parameters
    ----------
    device : MemoryDevice
        Its `price_series` names the series.
    quarter : str
        For example ``2026Q2``.
    prices : mapping
        (series, quarter) -> USD/GB.

    Raises
    ------
    InputError
        If the series has no price at that quarter; prices are never carried over from another quarter.
    """
    price = prices.get((device.price_series, quarter))
    if price is None:
        known = sorted(q for series, q in prices if series == device.price_series)
        message = f"no price of series {device.price_series!r} at this quarter"
        allowed = ", ".join(known) or "a series that the price table has"
        raise InputError([Problem("memory_prices", device.id, "quarter", quarter, message, allowed)])
    return price / GB


def platform_usd(
    platform: Platform,
    quarter: str,
    prices: Prices,
    device: MemoryDevice | None = None,
    bound: Bound = "central",
) -> float:
    """Return the price of a platform at a quarter: the quote, moved with the price of its standard memory.

    ``usd = quote + standard bytes * (price(quarter) - price(quarter of the quote))``

    Parameters
    ----------
    platform : Platform
        The quote and its quarter.
    quarter : str
        When it is bought.
    prices : mapping
        (series, quarter) -> USD/GB.
    device : MemoryDevice, optional
        The memory it ships with; None where the platform has no host memory of its own.
    bound : {"low", "central", "high"}
        Which of the three quotes; a missing low or high quote falls back to the central one.

    Raises
    ------
    InputError
        If the platform has no quote, or a quarter has no price.
    """
    central = platform.price_central_usd
    if central is None:
        message = "the platform has no price, so it cannot be bought"
        raise InputError([Problem("platforms", platform.id, "price_central_usd", "", message, "a price in USD")])
    quotes = {"low": platform.price_low_usd, "central": central, "high": platform.price_high_usd}
    chosen = quotes[bound]
    quote = central if chosen is None else chosen
    if device is None or platform.host_mem_std_bytes == 0.0 or quarter == platform.price_quarter:
        return quote
    change = memory_usd_per_byte(device, quarter, prices) - memory_usd_per_byte(device, platform.price_quarter, prices)
    return quote + platform.host_mem_std_bytes * change
