"""The way of cached KV from a tier to a replica."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.enumeration.account import LOADING
from solver.enumeration.sources import Source
from solver.enumeration.subject import Subject
from solver.menu import Menu

FloatArray = NDArray[np.float64]


def load_path(subject: Subject, menu: Menu, source: Source | None) -> tuple[FloatArray, FloatArray]:
    """Bytes/s and latency of a tier seen by each replica over its own links and its share of the node.

    Without a tier nothing is loaded.
    """
    if source is None:
        return np.full(len(menu), np.inf), np.zeros(len(menu))
    if source.pooled:
        return menu.nic_bytes_per_s * subject.load_frac, np.full(len(menu), source.latency_s)
    speed, latency = np.zeros(len(menu)), np.zeros(len(menu))
    for index, platform in enumerate(menu.platforms):
        if stock := source.stocks.get(platform.id):
            here = menu.platform == index
            share = menu.charge[here] / platform.accelerators
            speed[here] = np.minimum(menu.count[here] * stock.link_bytes_per_s, share * stock.read_bytes_per_s)
            latency[here] = stock.latency_s
    return speed, latency


def loads_in_time(
    subject: Subject, menu: Menu, need: FloatArray, speed: FloatArray, so_far: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Rows whose hits need no more bytes/s than arrive; the others go to the account."""
    slow = so_far & (need > speed * (1.0 + 1e-9))
    subject.account.drop(LOADING, menu, slow, need, speed)
    return np.asarray(~slow)
