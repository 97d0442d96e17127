"""The way of cached KV from a tier to a replica."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.enumeration.account import LOADING
from solver.enumeration.subject import Subject
from solver.menu import Menu

FloatArray = NDArray[np.float64]


def load_path(subject: Subject, menu: Menu, tier: str) -> tuple[FloatArray, FloatArray]:
    """Bytes/s and latency of a tier seen by each replica over its own links and its share of the node.

    The speed is zero where no node has the tier; without a tier nothing is loaded.
    """
    if not tier:
        return np.full(len(menu), np.inf), np.zeros(len(menu))
    speed, latency = np.zeros(len(menu)), np.zeros(len(menu))
    remote = [s for c in subject.configs for s in c.tiers if s.tier == tier and s.pooled]
    if remote:
        speed = menu.nic_bytes_per_s * subject.load_frac
        latency = np.full(len(menu), min(s.latency_s for s in remote))
    for index, platform in enumerate(menu.platforms):
        stocks = [s for c in subject.configs if c.platform.id == platform.id for s in c.tiers if s.tier == tier]
        if stocks:
            here = menu.platform == index
            share = menu.charge[here] / platform.accelerators
            slowest = min(stocks, key=lambda s: s.read_bytes_per_s)
            speed[here] = np.minimum(menu.count[here] * slowest.link_bytes_per_s, share * slowest.read_bytes_per_s)
            latency[here] = slowest.latency_s
    return speed, latency


def loads_in_time(
    subject: Subject, menu: Menu, need: FloatArray, speed: FloatArray, so_far: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Rows whose hits need no more bytes/s than arrive; the others go to the account."""
    slow = so_far & (need > speed * (1.0 + 1e-9))
    subject.account.drop(LOADING, menu, slow, need, speed)
    return np.asarray(~slow)
