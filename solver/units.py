"""Unit suffixes of catalog columns and their factors to SI.

A catalog writes numbers in the field's customary units and says so in the column's suffix; everything
inside the program is SI. This table is the only place where the two meet.
"""

from __future__ import annotations

GB = 1e9
"""Bytes in a (decimal) gigabyte."""

HOURS_PER_YEAR = 8760.0

SECONDS_PER_WEEK = 7 * 86400.0

SUFFIXES: dict[str, tuple[str, float]] = {
    "_pj_per_bit": ("_j_per_byte", 8e-12),
    "_usd_per_million_tokens": ("_usd_per_token", 1e-6),
    "_usd_per_gb": ("_usd_per_byte", 1e-9),
    "_usd_per_mwh": ("_usd_per_j", 1.0 / 3.6e9),
    "_g_per_kwh": ("_kg_per_j", 1e-3 / 3.6e6),
    "_l_per_kwh": ("_l_per_j", 1.0 / 3.6e6),
    "_tflops": ("_flop_per_s", 1e12),
    "_gbit_s": ("_bytes_per_s", 1e9 / 8),
    "_gb_s": ("_bytes_per_s", 1e9),
    "_gb": ("_bytes", 1e9),
    "_kw": ("_w", 1e3),
    "_mw": ("_w", 1e6),
    "_ms": ("_s", 1e-3),
    "_musd": ("_usd", 1e6),
    "_percent": ("_frac", 1e-2),
    "_weeks": ("_s", SECONDS_PER_WEEK),
    "_b": ("", 1e9),
}
"""Catalog suffix -> (SI suffix, factor); the longest matching suffix wins. `_b` is 1e9 parameters."""


def si_name(column: str) -> tuple[str, float]:
    """Return the SI name of a catalog column and the factor that converts its values.

    Parameters
    ----------
    column : str
        Column name such as ``mem_gb`` or ``tdp_w``.

    Returns
    -------
    (str, float)
        For example ``("mem_bytes", 1e9)``; a column without a known suffix is returned unchanged.
    """
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if column.endswith(suffix):
            target, factor = SUFFIXES[suffix]
            return column[: -len(suffix)] + target, factor
    return column, 1.0
