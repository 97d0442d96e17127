"""From rows that keep every promise to records: prune what is dominated, write down the rest."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.candidate import Candidate
from solver.enumeration.sources import Source
from solver.enumeration.subject import Subject
from solver.menu import Menu
from solver.performance import Performance
from solver.pruning import labels, undominated

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Operating points of one role and cache kind, N rows.

    Attributes
    ----------
    menu : Menu
    perf : Performance
    good : (N,) array of bool
        Which keep every promise.
    role, cache : str
    source : Source or None
        What hits are loaded from.
    requests_per_s, ttft_s, drawn_w, spill_bytes, load_bytes, handover_bytes : (N,) array
        As in `Candidate`.
    is_half : bool
        True for replicas that only stand in pairs, where a smaller one leaves more room for others.
    router_width : int
    """

    menu: Menu
    perf: Performance
    good: NDArray[np.bool_]
    role: str
    cache: str
    source: Source | None
    requests_per_s: FloatArray
    ttft_s: FloatArray
    drawn_w: FloatArray
    spill_bytes: FloatArray
    load_bytes: FloatArray
    handover_bytes: FloatArray
    is_half: bool = False
    router_width: int = 1


def kept(subject: Subject, rows: Rows, *, prune: bool) -> list[Candidate]:
    """Return records of the good rows; without `prune`, of the dominated ones too."""
    read_frac = subject.workload.kv_read_frac
    spills = rows.spill_bytes > 0
    reads = rows.spill_bytes * read_frac / np.where(spills, rows.perf.decode_step_s, 1.0)
    wanted = np.flatnonzero(rows.good)
    if prune and len(wanted):
        wanted = wanted[_undominated(rows, wanted, reads, by_kind=subject.build.whole_replicas is True)]
    return [_record(subject, rows, reads, i) for i in wanted]


def _record(subject: Subject, rows: Rows, reads: FloatArray, i: np.intp) -> Candidate:
    """One row written down."""
    menu, perf, points = rows.menu, rows.perf, rows.menu.points
    platform_id = menu.platforms[menu.platform[i]].id
    return Candidate(
        workload=subject.workload.id,
        model_id=subject.workload.model_id,
        platform_id=platform_id,
        role=rows.role,
        power_cap=float(points.power_cap[i]),
        precision=points.precisions[points.weight_precision[i]].id,
        kv_precision=subject.workload.kv_precision,
        tp=int(points.tp[i]),
        pp=int(points.pp[i]),
        dp=int(points.dp[i]),
        ep=int(points.ep[i]),
        charge=float(menu.charge[i]),
        batch=float(points.batch[i]),
        cache=rows.cache,
        tier=rows.source.tier if rows.source else "",
        requests_per_s=float(rows.requests_per_s[i]),
        ttft_s=float(rows.ttft_s[i]),
        tpot_s=float(perf.tpot_s[i]),
        step_s=float(perf.decode_step_s[i]),
        drawn_w=float(rows.drawn_w[i]),
        idle_w=float(perf.power_idle_w[i]),
        spill_bytes=float(rows.spill_bytes[i]),
        spill_read_bytes_per_s=float(reads[i]),
        load_bytes=float(rows.load_bytes[i]),
        handover_bytes=float(rows.handover_bytes[i]),
        ports=float(menu.ports[i]),
        evidence=int(perf.evidence[i]),
        configurations=rows.source.configurations.get(platform_id, ()) if rows.source else (),
        router_width=rows.router_width,
        draft_tokens=int(points.draft_tokens[i]),
    )


# What was never decoded has no TPOT and no step, and not-a-number equals nothing.
_FIGURES = operator.attrgetter(
    *(f.name for f in dataclasses.fields(Candidate) if f.name not in ("configurations", "tpot_s", "step_s"))
)


def once_for_all(records: Iterable[Candidate]) -> list[Candidate]:
    """Return the records with those that are the same on faster and on slower nodes as one."""
    found: list[Candidate] = []
    places: dict[tuple[object, ...], int] = {}
    for made in records:
        if made.configurations:
            place = places.setdefault(_FIGURES(made), len(found))
            if place < len(found):
                both = (*found[place].configurations, *made.configurations)
                found[place] = dataclasses.replace(made, configurations=both)
                continue
        found.append(made)
    return found


def _undominated(rows: Rows, wanted: NDArray[np.intp], reads: FloatArray, *, by_kind: bool) -> NDArray[np.intp]:
    """Rows (positions in `wanted`) that no other row of the same pool dominates in the full vector.

    Per request/s: accelerators, watts above idle, switch ports, KV below HBM and its reads; and per accelerator the
    last two again, because a replica reads only through its own links and from its own node. With `by_kind` replicas
    that no two classes could share do not compete; of halves a smaller one is better. Replicas that load hits from
    their own nodes may stand idle for the KV parked beside them, so theirs compete by switch ports per accelerator too:
    so many accelerators hold so much KV, whichever replicas they belong to.
    """
    menu, charge, rate = rows.menu, rows.menu.charge[wanted], rows.requests_per_s[wanted]
    count = menu.count[wanted]
    watts = rows.drawn_w[wanted] - charge / count * rows.perf.power_idle_w[wanted]
    spill, read = rows.spill_bytes[wanted], reads[wanted]
    each = [charge, watts, menu.ports[wanted], spill, read]
    cost = np.column_stack([*(value / rate for value in each), spill / charge, read / charge])
    if rows.source is not None and not rows.source.pooled:
        cost = np.column_stack([cost, np.round(menu.ports[wanted] / charge, 9)])
    if rows.is_half:
        return undominated(labels(menu.platform[wanted], menu.points.power_cap[wanted]), np.column_stack([cost, count]))
    points = menu.points
    pool = [menu.platform[wanted], points.power_cap[wanted]]
    if by_kind:
        parts = (points.weight_precision, points.tp, points.pp, points.dp, points.ep, menu.ports)
        pool += [np.asarray(part)[wanted] for part in parts]
    return undominated(labels(*pool), cost)
