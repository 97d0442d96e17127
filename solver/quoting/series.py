"""Price series of quoted memory: what a series says at a quarter, and a series that meets a quote."""

from __future__ import annotations

from solver.catalog import Catalog, Row
from solver.schema import CellError, Value


def price_at(catalog: Catalog, series: str, quarter: str) -> float:
    """Return the USD per GB of a series at a quarter.

    Raises
    ------
    CellError
        If it has no price then.
    """
    found = {str(row["quarter"]): float(row["price_usd_per_gb"]) for row in _rows(catalog, series)}
    if quarter not in found:
        raise CellError(f"has no price of series {series} to compare with", ", ".join(sorted(found)))
    return found[quarter]


def own_series(
    catalog: Catalog, device: Row, usd_per_gb: float, quarter: str, source: str, confidence: str
) -> tuple[str, list[dict[str, Value]]]:
    """Return a series for one device, its old one scaled to meet a quote, as name and overlay rows.

    ``price(q) = quote * old(q) / old(quarter of the quote)``

    Parameters
    ----------
    catalog : Catalog
    device : Row
        Row of the memory table; its `price_series` is the old series.
    usd_per_gb : float
        The quote.
    quarter : str
        When it holds.
    source, confidence : str
        Provenance of the quote; the other quarters are estimates.

    Raises
    ------
    CellError
        If the old series has no price at the quarter.
    """
    old = str(device["price_series"])
    scale = usd_per_gb / price_at(catalog, old, quarter)
    name = f"quote_{device.id}"
    return name, [{
        "id": f"{name}_{row['quarter']}", "series": name, "quarter": row["quarter"],
        "price_usd_per_gb": usd_per_gb if row["quarter"] == quarter else float(row["price_usd_per_gb"]) * scale,
        "source": f"{source}; moved with the series {old}",
        "confidence": confidence if row["quarter"] == quarter else "estimate",
    } for row in _rows(catalog, old)]  # fmt: skip


def _rows(catalog: Catalog, series: str) -> list[Row]:
    return [row for row in catalog.rows("memory_prices") if row["series"] == series]
