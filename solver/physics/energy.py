"""Board power in relative form, and what a power cap slows.

``P = idle + (tdp - idle) * min(1, p0 + p_mem * u_mem + p_flop * u_flop ** x)``, at most ``cap * tdp``, where
u_mem and u_flop are the busy shares of the memory bandwidth and of the compute rate in use. Measured power
rises steeply at a small use of the compute units and flattens well before their peak, hence an exponent x
below 1. A cap slows compute as ``cap ** gamma_prefill`` and memory as ``cap ** gamma_decode``.
"""

from __future__ import annotations

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike


def board_power_w(
    idle_w: FloatLike,
    tdp_w: FloatLike,
    memory_use: FloatLike,
    compute_use: FloatLike,
    coefficients: tuple[FloatLike, FloatLike, FloatLike, float],
    cap: FloatLike = 1.0,
) -> FloatArray:
    """Return the power one board draws while busy.

    Parameters
    ----------
    idle_w, tdp_w : array
        Idle and rated board power.
    memory_use, compute_use : array
        Bytes/s over peak bandwidth, FLOP/s over the peak rate of the format in use.
    coefficients : (float, float, float, float)
        p0 (active floor), p_mem, p_flop, and the exponent x.
    cap : array
        Power limit as a share of rated power.
    """
    floor, per_memory, per_compute, exponent = coefficients
    compute = per_compute * np.asarray(compute_use) ** exponent
    active = np.minimum(1.0, floor + per_memory * np.asarray(memory_use) + compute)
    return np.minimum(idle_w + (np.asarray(tdp_w) - idle_w) * active, np.asarray(cap) * tdp_w)


def capped_rate(rate: FloatLike, cap: FloatLike, gamma: float) -> FloatArray:
    """Return a rate under a power cap, ``rate * cap ** gamma``."""
    return np.asarray(rate) * np.asarray(cap) ** gamma
