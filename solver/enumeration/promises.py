"""Which rows of a menu keep the promises of their class; what breaks one goes to the account."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.enumeration.account import HANDOVER, TPOT, TTFT
from solver.enumeration.subject import Subject
from solver.menu import Menu
from solver.performance import Performance

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def takes_over_in_time(subject: Subject, menu: Menu, perf: Performance, so_far: BoolArray) -> BoolArray:
    """A decoding replica takes over a prompt's KV within its share of the TTFT promise."""
    if subject.workload.ttft_s is None:
        return np.ones(len(menu), dtype=bool)
    due_s = subject.due_s
    seconds = perf.asked_transfer_bytes / np.maximum(menu.nic_bytes_per_s * subject.handover_frac, 1e-3)
    late = so_far & (seconds > due_s)
    subject.account.drop(HANDOVER, menu, late, seconds, np.full_like(seconds, due_s))
    return np.asarray(~late)


def keeps_tpot(subject: Subject, menu: Menu, tpot: FloatArray, so_far: BoolArray) -> BoolArray:
    """Rows within the TPOT promise; those among `so_far` that are not go to the account."""
    promise = subject.workload.tpot_s
    if promise is None:
        return np.ones(len(tpot), dtype=bool)
    keeps = tpot <= promise
    subject.account.drop(TPOT, menu, so_far & ~keeps, tpot, np.full_like(tpot, promise))
    return np.asarray(keeps)


def keeps_ttft(subject: Subject, menu: Menu, ttft: FloatArray, promise: float | None, so_far: BoolArray) -> BoolArray:
    """Rows within a TTFT promise; those among `so_far` that are not go to the account."""
    if promise is None:
        return np.ones(len(ttft), dtype=bool)
    keeps = ttft <= promise * (1.0 + 1e-9)
    subject.account.drop(TTFT, menu, so_far & ~keeps, ttft, np.full_like(ttft, promise))
    return np.asarray(keeps)
