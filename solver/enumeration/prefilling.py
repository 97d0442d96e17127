"""Candidates that prefill: alone, with a hand-over behind them, or beside decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from solver.candidate import HIT
from solver.enumeration.account import KV_CACHE
from solver.enumeration.loading import load_path, loads_in_time
from solver.enumeration.promises import keeps_tpot, keeps_ttft
from solver.enumeration.records import Rows
from solver.enumeration.sources import Source
from solver.enumeration.subject import Subject
from solver.menu import Menu
from solver.performance import ROLE_MIXED, ROLE_PREFILL, Performance
from solver.physics.queueing import max_load, wait_quantile

FloatArray = NDArray[np.float64]


def prefilling(subject: Subject, role: str, cache: str, loaded_from: Sequence[Source | None]) -> Iterator[Rows]:
    """Rows of a role and cache kind, for each of the sources that hits come from; None loads nothing.

    Hits in a node's own tier go to a replica inside that node.
    """
    code = ROLE_PREFILL if role == "prefill" else ROLE_MIXED
    menu, perf = subject.evaluated(code, _cached(subject, cache))
    if not len(menu):
        return
    if role == "prefill":
        menu, perf = _with_port_shares(subject, menu, perf)
    rows = _alone if role == "prefill" else _mixed
    for source in loaded_from:
        having = [source is None or source.pooled or p.id in source.stocks for p in menu.platforms]
        near = source is None or source.pooled
        here = np.flatnonzero(np.asarray(having)[menu.platform] & (near | ~menu.spans_nodes))
        if len(here):
            yield rows(subject, menu.take(here), perf.take(here), cache, source)


def _with_port_shares(subject: Subject, menu: Menu, perf: Performance) -> tuple[Menu, Performance]:
    """Rows with each share of their ports wired: fewer switch ports, or a faster hand-over."""
    shares = subject.build.port_shares
    rows = [np.flatnonzero(menu.wirable(share)) for share in shares]
    share = np.repeat(shares, [len(part) for part in rows])
    every = np.concatenate(rows)
    return menu.take(every).wired(share), perf.take(every)


def lanes_of(menu: Menu) -> FloatArray:
    """Requests that a replica prefills at a time: one in each attention-data group and pipeline stage."""
    return np.asarray(menu.points.dp * menu.points.pp, dtype=float)


def _cached(subject: Subject, cache: str) -> float:
    """Prompt tokens that need no prefill."""
    return subject.workload.cached_on_hit if cache == HIT else subject.workload.system_tokens


def _queue(subject: Subject, role: str, cache: str, source: Source | None) -> tuple[int, float | None]:
    """Replicas that share a queue, and the TTFT promised there."""
    cached = _cached(subject, cache)
    return subject.width(role, source, cached), subject.workload.ttft_promise_s(cached)


def _load_shares(subject: Subject, cache: str) -> tuple[float, float]:
    """Shares of a prompt's own KV that are loaded: of the mean request, and of the one whose TTFT is promised."""
    return (subject.workload.load_share, subject.workload.asked_load_share) if cache == HIT else (0.0, 0.0)


def fits_in_flight(subject: Subject, menu: Menu, perf: Performance, inflight: FloatArray) -> NDArray[np.bool_]:
    """Rows whose HBM holds the KV cache of the requests in flight; the others go to the account."""
    held = perf.kv_bytes_per_request * inflight
    good = np.asarray(held <= perf.kv_free_bytes)
    subject.account.drop(KV_CACHE, menu, ~good, held, perf.kv_free_bytes)
    return good


def _alone(subject: Subject, menu: Menu, perf: Performance, cache: str, source: Source | None) -> Rows:
    """Rows that only prefill: as fast as the wait, the hand-over and the load of a hit's KV allow."""
    lanes, out = lanes_of(menu), perf.kv_transfer_bytes
    width, promise = _queue(subject, "prefill", cache, source)
    good = fits_in_flight(subject, menu, perf, lanes)
    loaded, asked_loaded = _load_shares(subject, cache)
    load_bytes, asked = out * loaded, perf.asked_transfer_bytes
    speed, latency = load_path(subject, menu, source)
    good &= speed > 0
    load_s = latency + asked * asked_loaded / np.maximum(speed, 1e-3)
    out_speed = np.maximum(menu.nic_bytes_per_s * subject.handover_frac, 1e-3)
    slower_side_s = min(subject.due_s, 1e6) if subject.workload.ttft_s else 0.0
    handover_s = np.maximum(asked / out_speed, slower_side_s) + subject.scenario.nic_link.latency_s
    rate, ttft = prefill_rate(subject, perf, load_s + handover_s, lanes * width, promise)
    rate = np.minimum(rate, out_speed / np.maximum(out, 1.0))
    rate = np.minimum(rate, speed / np.maximum(load_bytes, 1.0))
    busy = rate / perf.requests_per_s
    good &= keeps_ttft(subject, menu, ttft, promise, good) & (rate > 0)
    good &= loads_in_time(subject, menu, rate * load_bytes, speed, good)
    return Rows(
        menu=menu,
        perf=perf,
        good=good,
        role="prefill",
        cache=cache,
        source=source,
        requests_per_s=rate,
        ttft_s=ttft,
        drawn_w=perf.power_idle_w + busy * (perf.power_busy_w - perf.power_idle_w),
        spill_bytes=np.zeros(len(menu)),
        load_bytes=load_bytes,
        handover_bytes=out,
        router_width=width,
    )


def _mixed(subject: Subject, menu: Menu, perf: Performance, cache: str, source: Source | None) -> Rows:
    """Rows that prefill beside decoding, with as many ports wired as a pooled tier's hits need."""
    width, promise = _queue(subject, "mixed", cache, source)
    good = fits_in_flight(subject, menu, perf, menu.batch)
    rate = perf.requests_per_s * subject.build.utilisation_cap
    loaded, asked_loaded = _load_shares(subject, cache)
    load_bytes, asked = perf.kv_transfer_bytes * loaded, perf.asked_transfer_bytes * asked_loaded
    need = np.maximum(rate * load_bytes, asked / max(subject.due_s, 1e-9)) / max(subject.load_frac, 1e-9)
    need = need if source and source.pooled else np.zeros(len(menu))
    menu = menu.wired_for(need, subject.build.port_shares)
    speed, latency = load_path(subject, menu, source)
    good &= speed > 0
    load_s = latency + asked / np.maximum(speed, 1e-3)
    ttft = _mixed_ttft(subject, perf, rate, load_s, lanes_of(menu), width)
    good &= keeps_ttft(subject, menu, ttft, promise, good) & (rate > 0)
    good &= loads_in_time(subject, menu, rate * load_bytes, speed, good)
    good &= keeps_tpot(subject, menu, perf.tpot_s, good)
    return Rows(
        menu=menu,
        perf=perf,
        good=good,
        role="mixed",
        cache=cache,
        source=source,
        requests_per_s=rate,
        ttft_s=ttft,
        drawn_w=perf.power_busy_w,
        spill_bytes=np.zeros(len(menu)),
        load_bytes=load_bytes,
        handover_bytes=np.zeros(len(menu)),
        router_width=width,
    )


def prefill_rate(
    subject: Subject, perf: Performance, extra_s: FloatArray, servers: FloatArray, promise: float | None
) -> tuple[FloatArray, FloatArray]:
    """Highest rate at which the wait leaves room for the TTFT promise, and the TTFT there.

    The servers are the lanes of all replicas behind one router.
    """
    work, cap = subject.workload, subject.build.utilisation_cap
    service = perf.first_token_s + extra_s
    slack = np.full_like(service, np.inf) if promise is None else promise - service
    quantile = None if promise is None else work.wait_percentile
    load = max_load(perf.prefill_s, work.wait_scv, slack, quantile, cap, servers)
    wait = wait_quantile(load, perf.prefill_s, work.wait_scv, work.wait_percentile, servers)
    return load * perf.requests_per_s, np.where(load > 0, wait, 0.0) + service


def _mixed_ttft(
    subject: Subject, perf: Performance, rate: FloatArray, load_s: FloatArray, lanes: FloatArray, width: int
) -> FloatArray:
    """TTFT beside decoding: prefill goes first and waits for the step under way."""
    work = subject.workload
    load = rate * perf.prefill_s / lanes
    wait = wait_quantile(np.minimum(load, 0.999), perf.prefill_s, work.wait_scv, work.wait_percentile, lanes * width)
    return np.where(load < 0.999, wait + perf.first_token_s + load_s, np.inf)
