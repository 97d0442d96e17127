"""Wear: how much may be written to flash."""

from __future__ import annotations

import math

DAY_S = 86400.0


def endurance_bytes_per_s(capacity_bytes: float, writes_a_day: float | None, write_amplification: float) -> float:
    """Return the mean bytes/s that hosts may write, ``DWPD capacity / (86400 s amplification)``.

    Parameters
    ----------
    capacity_bytes : float
    writes_a_day : float or None
        Whole-device writes a day that the device is rated for over its life (DWPD); None where writes do not wear it.
    write_amplification : float
        Bytes the device writes for each byte it is sent.
    """
    if writes_a_day is None:
        return math.inf
    return writes_a_day * capacity_bytes / (DAY_S * write_amplification)
