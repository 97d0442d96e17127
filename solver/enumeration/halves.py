"""Replicas that stand in pairs: prefill that hands over, and decode that takes over, inside one scale-up domain.

A transfer reaches the accelerators' own scale-up bandwidth, at the share of its peak that was measured at that size
less what the replica's activations take of it on average. It is as slow as the slower side, and no side is slower
than one accelerator whose links are free.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.candidate import HIT, MISS, NONE, Candidate
from solver.enumeration.loading import load_path
from solver.enumeration.prefilling import fits_in_flight, lanes_of, prefill_rate
from solver.enumeration.records import Rows, kept
from solver.enumeration.sources import Source
from solver.enumeration.subject import Subject
from solver.menu import Menu, domain_size
from solver.performance import ROLE_DECODE, ROLE_PREFILL, Performance

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def prefill_halves(subject: Subject, source: Source | None) -> list[Candidate]:
    """Return undominated prefill replicas that hand over inside their domain, of hits from a source or of misses."""
    quiet, work = subject.quiet(), subject.workload
    cached = work.cached_on_hit if source else work.system_tokens
    loaded, asked_loaded = (work.load_share, work.asked_load_share) if source else (0.0, 0.0)
    menu, perf = quiet.evaluated(ROLE_PREFILL, cached)
    if not len(menu):
        return []
    menu, lanes, out = menu.packed(), lanes_of(menu), perf.kv_transfer_bytes
    load_bytes, asked = out * loaded, perf.asked_transfer_bytes
    flow = perf.requests_per_s * quiet.build.utilisation_cap * load_bytes
    need = np.maximum(flow, asked * asked_loaded / max(quiet.due_s, 1e-9)) / max(quiet.load_frac, 1e-9)
    need = need * float(source is not None and source.pooled)
    menu = menu.wired_for(need, quiet.build.port_shares)
    good = fits_in_flight(quiet, menu, perf, lanes) & _leaves_room(quiet, menu)
    speed, latency = load_path(quiet, menu, source)
    one, mine = _speeds(quiet, menu, perf)
    handover_s = np.maximum(asked / mine, asked / one) + quiet.scenario.scale_up_link.latency_s
    load_s = latency + asked * asked_loaded / np.maximum(speed, 1e-3)
    width, promise = quiet.width("prefill", source, cached), work.ttft_promise_s(cached)
    rate, ttft = prefill_rate(quiet, perf, load_s + handover_s, lanes * width, promise)
    rate = np.minimum(np.minimum(rate, mine / out), speed / np.maximum(load_bytes, 1.0))
    busy = rate / perf.requests_per_s
    good &= (speed > 0) & (rate > 0) & (ttft <= (np.inf if promise is None else promise))
    rows = Rows(
        menu=menu,
        perf=perf,
        good=good,
        role="prefill",
        cache=HIT if source else MISS,
        source=source,
        requests_per_s=rate,
        ttft_s=ttft,
        drawn_w=perf.power_idle_w + busy * (perf.power_busy_w - perf.power_idle_w),
        spill_bytes=np.zeros(len(menu)),
        load_bytes=load_bytes,
        handover_bytes=out,
        is_half=True,
        router_width=width,
    )
    return kept(quiet, rows, prune=True)


def decode_halves(subject: Subject) -> list[Candidate]:
    """Return undominated decode replicas whose KV stays in HBM, and which take over as fast as one accelerator."""
    quiet, work = subject.quiet(), subject.workload
    menu, perf = quiet.evaluated(ROLE_DECODE, 0.0)
    if not len(menu):
        return []
    menu, out = menu.packed().wired(0.0), perf.kv_transfer_bytes
    one, mine = _speeds(quiet, menu, perf)
    inside = perf.kv_bytes_per_request * menu.batch <= perf.kv_free_bytes
    rate = np.minimum(perf.requests_per_s * quiet.build.utilisation_cap, mine / out)
    good = inside & _leaves_room(quiet, menu) & (mine >= one) & (rate > 0)
    good &= perf.tpot_s <= (np.inf if work.tpot_s is None else work.tpot_s)
    rows = Rows(
        menu=menu,
        perf=perf,
        good=good,
        role="decode",
        cache=NONE,
        source=None,
        requests_per_s=rate,
        ttft_s=np.full(len(menu), np.nan),
        drawn_w=perf.power_busy_w,
        spill_bytes=np.zeros(len(menu)),
        load_bytes=np.zeros(len(menu)),
        handover_bytes=out,
        is_half=True,
    )
    return kept(quiet, rows, prune=True)


def _speeds(subject: Subject, menu: Menu, perf: Performance) -> tuple[FloatArray, FloatArray]:
    """Bytes/s of a hand-over to or from one accelerator with free links, and of all the replica's beside its own work.

    Returns
    -------
    one, mine : (N,) array
    """
    chips = [subject.scenario.accelerators[str(p.accelerator_id)] for p in menu.platforms]
    peak = np.asarray([chip.scaleup_bytes_per_s for chip in chips])[menu.platform]
    free = np.maximum(subject.scale_up_frac - perf.link_busy_frac, 1e-9)
    return peak * subject.scale_up_frac, menu.count * peak * free


def _leaves_room(subject: Subject, menu: Menu) -> BoolArray:
    """Rows whose domain has room for another replica."""
    domains = np.asarray([domain_size(subject.scenario, p) for p in menu.platforms])[menu.platform]
    return np.asarray(menu.count < domains)
