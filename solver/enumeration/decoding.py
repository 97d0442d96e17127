"""Candidates that only decode, with and without KV below HBM."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from solver.candidate import NONE
from solver.enumeration.account import KV_READS
from solver.enumeration.promises import keeps_tpot, takes_over_in_time
from solver.enumeration.records import Rows
from solver.enumeration.subject import Subject
from solver.menu import Menu
from solver.performance import ROLE_DECODE, Performance

FloatArray = NDArray[np.float64]


def decoding(subject: Subject) -> Iterator[Rows]:
    """Rows that only decode; none where no weights fit."""
    menu, perf = subject.evaluated(ROLE_DECODE, 0.0)
    if not len(menu):
        return
    spill = np.maximum(0.0, perf.kv_bytes_per_request * menu.batch - perf.kv_free_bytes)
    good = _spill_possible(subject, menu, perf, spill)
    good &= keeps_tpot(subject, menu, perf.tpot_s, good)
    rate = perf.requests_per_s * subject.build.utilisation_cap
    rate = np.minimum(rate, menu.nic_bytes_per_s * subject.handover_frac / perf.kv_transfer_bytes)
    good &= takes_over_in_time(subject, menu, perf, good)
    need = np.maximum(perf.kv_transfer_bytes * rate, perf.asked_transfer_bytes / subject.due_s) / subject.handover_frac
    menu = menu.wired_for(need * (1.0 - 1e-9), subject.build.port_shares)
    yield Rows(
        menu=menu,
        perf=perf,
        good=good,
        role="decode",
        cache=NONE,
        source=None,
        requests_per_s=rate,
        ttft_s=np.full(len(menu), np.nan),
        drawn_w=perf.power_busy_w,
        spill_bytes=spill,
        load_bytes=np.zeros(len(menu)),
        handover_bytes=perf.kv_transfer_bytes,
    )


def _spill_possible(subject: Subject, menu: Menu, perf: Performance, spill: FloatArray) -> NDArray[np.bool_]:
    """KV below HBM must fit in the node's own share and be read over the replica's own links in time."""
    possible = spill <= 0.0
    reads = spill * subject.workload.kv_read_frac / perf.decode_step_s
    for index, platform in enumerate(menu.platforms):
        best: NDArray[np.bool_] = np.zeros(len(menu), dtype=bool)
        for config in subject.configs:
            stocks = [s for s in config.tiers if not s.pooled]
            if config.platform.id != platform.id or not stocks:
                continue
            share = menu.count / platform.accelerators
            room = share * sum(s.capacity_bytes for s in stocks)
            speed = np.minimum(
                menu.count * max(s.link_bytes_per_s for s in stocks),
                share * sum(s.read_bytes_per_s for s in stocks),
            )
            best |= (spill <= room) & (reads <= speed)
        possible |= (menu.platform == index) & best & menu.coarse_batch
    need = perf.kv_bytes_per_request * menu.batch
    subject.account.drop(KV_READS, menu, ~possible, need, np.maximum(perf.kv_free_bytes, 1.0))
    return np.asarray(possible)
