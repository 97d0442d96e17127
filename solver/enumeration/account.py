"""Account of what was dropped: how many rows for each reason, and which of them came nearest."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from solver.candidate import Dropped
from solver.menu import Menu

FloatArray = NDArray[np.float64]

WEIGHTS = "weights do not fit in memory"
KV_CACHE = "KV cache of the batch does not fit"
KV_READS = "no tier takes the KV cache beyond local memory"
LOADING = "cached KV arrives too slowly"
HANDOVER = "KV is taken over too slowly"
TPOT, TTFT = "TPOT above the promise", "TTFT above the promise"
UNITS = {WEIGHTS: "B", KV_CACHE: "B", KV_READS: "B", LOADING: "B/s", HANDOVER: "s", TPOT: "s", TTFT: "s"}
"""Why candidates are dropped, and in which unit they fall short."""


class Account:
    """What was dropped of one class.

    Parameters
    ----------
    workload_id : str
    """

    def __init__(self, workload_id: str) -> None:
        self.workload_id = workload_id
        self._dropped: dict[str, Dropped] = {}

    @property
    def records(self) -> tuple[Dropped, ...]:
        """One record a reason, in the order in which they came up."""
        return tuple(self._dropped.values())

    def drop(self, reason: str, menu: Menu, broken: NDArray[np.bool_], value: FloatArray, allowed: FloatArray) -> None:
        """Add rows to the account, and note which of them came nearest.

        Parameters
        ----------
        reason : str
            One of `UNITS`.
        menu : Menu
            N rows.
        broken : (N,) or (N, B) array of bool
            What is dropped, by row and, where given, batch.
        value, allowed : array, shape of `broken`
            What a row would need and what it may have.
        """
        count = int(broken.sum())
        if count == 0:
            return
        at = np.unravel_index(np.argmin(np.where(broken, value / np.maximum(allowed, 1e-30), np.inf)), broken.shape)
        best = Dropped(
            self.workload_id, reason, count, float(value[at]), float(allowed[at]), UNITS[reason], menu.text(int(at[0]))
        )
        self.add(best)

    def add(self, record: Dropped) -> None:
        """Add a record of the same class, from another account or this one."""
        old = self._dropped.get(record.reason)
        if old is not None:
            nearer = min(old, record, key=lambda d: d.ratio)
            record = dataclasses.replace(nearer, count=old.count + record.count)
        self._dropped[record.reason] = record
