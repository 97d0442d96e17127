"""Board power from where the time of a step goes, and what a power cap slows.

``P = idle + (tdp - idle) * knee(p0 + p_busy * busy + p_mem * u_mem + p_flop * u_flop)``, at most ``cap * tdp``: every
second that a kernel runs, every byte and every FLOP costs energy, over the real time they take. Waiting for the host
and for other ranks is no running kernel, so a step with gaps draws less than its kernels do. ``knee(a) = a / (1 +
a ** 4) ** 0.25`` is proportional until the rating is near, where boards lower their clocks. A cap slows compute as
``cap ** gamma_prefill`` and memory as ``cap ** gamma_decode``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike

_KNEE = 4.0
"""How sharply power bends at the rating: of 1, 2, 4, 8 and a corner, the one that fits all runs best."""


@dataclass(frozen=True)
class Use:
    """What a board does while it is busy, as shares of the time and of its peaks.

    Attributes
    ----------
    memory, compute : array
        Bytes/s over peak bandwidth, FLOP/s over the peak rate of the format in use.
    running : array
        Share of the time in which a kernel runs; the rest is spent on the host and on the exchange between ranks.
    """

    memory: FloatLike
    compute: FloatLike
    running: FloatLike


def board_power_w(
    idle_w: FloatLike,
    tdp_w: FloatLike,
    use: Use,
    coefficients: tuple[FloatLike, FloatLike, FloatLike, FloatLike],
    cap: FloatLike = 1.0,
) -> FloatArray:
    """Return the power one board draws while busy.

    Parameters
    ----------
    idle_w, tdp_w : array
        Idle and rated board power.
    use : Use
        Of its memory, its compute units and its time.
    coefficients : (array, array, array, array)
        p0 (floor between kernels), p_mem, p_flop, p_busy.
    cap : array
        Power limit as a share of rated power.
    """
    floor, per_memory, per_compute, per_busy = coefficients
    wanted = np.asarray(
        floor
        + per_memory * np.asarray(use.memory)
        + per_compute * np.asarray(use.compute)
        + per_busy * np.minimum(1.0, use.running)
    )
    active = wanted / (1.0 + wanted**_KNEE) ** (1.0 / _KNEE)
    return np.minimum(idle_w + (np.asarray(tdp_w) - idle_w) * active, np.asarray(cap) * tdp_w)


def capped_rate(rate: FloatLike, cap: FloatLike, gamma: float) -> FloatArray:
    """Return a rate under a power cap, ``rate * cap ** gamma``."""
    return np.asarray(rate) * np.asarray(cap) ** gamma
