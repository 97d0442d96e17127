"""Pairs: whole prefill and decode replicas of a class in one scale-up domain, in numbers that keep each other busy.

A pair is exact by construction: its replicas are whole, fit one domain together, and what they prefill a second is what
they decode. Nothing is averaged over nodes, so that no row has to balance hand-overs between domains.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.candidate import PAIR, Candidate, Half
from solver.enumeration.subject import Subject
from solver.menu import domain_size
from solver.pruning import labels, undominated

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
PARTS = (1, 2, 3, 4, 6, 8, 9, 12, 18, 24, 36)
"""Into how many units a domain may be divided."""
NEAR = (-1, 0, 1)
"""Whole numbers of replicas tried around the number at which both halves would be exactly busy."""
EXACT = 1e-9


@dataclass(frozen=True)
class _Group:
    """Halves of one platform and cap.

    Attributes
    ----------
    prefills, decodes : list of Candidate
    size, domain : int
        Accelerators of the platform and of a scale-up domain in it.
    """

    prefills: list[Candidate]
    decodes: list[Candidate]
    size: int
    domain: int


def pairs(subject: Subject, prefills: list[Candidate], decodes: list[Candidate], *, prune: bool) -> list[Candidate]:
    """Return a pair for each two halves of a platform and cap and each part of a domain that holds both.

    Parameters
    ----------
    subject : Subject
    prefills, decodes : list of Candidate
        Halves, at the highest rate that each keeps.
    prune : bool
        Leave out what another pair beats or equals in every cost.
    """
    of: dict[tuple[str, float], tuple[list[Candidate], list[Candidate]]] = defaultdict(lambda: ([], []))
    for role, halves in enumerate((prefills, decodes)):
        for half in halves:
            of[half.platform_id, half.power_cap][role].append(half)
    platforms = {p.id: p for p in subject.scenario.platforms}
    found: list[Candidate] = []
    for (name, _), (first, second) in of.items():
        if first and second:
            platform = platforms[name]
            group = _Group(first, second, platform.accelerators, domain_size(subject.scenario, platform))
            found += _units(group, prune=prune, by_size=subject.build.whole_replicas is True)
    return found


def _units(group: _Group, *, prune: bool, by_size: bool) -> list[Candidate]:
    """Every two halves in every part of a domain, with the numbers of replicas that serve most; small ones first."""
    parts = np.asarray(PARTS)
    axes = np.meshgrid(np.arange(len(group.prefills)), np.arange(len(group.decodes)), parts, indexing="ij")
    i, j, part = (axis.ravel() for axis in axes)
    p, d = (np.asarray([c.count for c in half]) for half in (group.prefills, group.decodes))
    prefilled, decoded = (np.asarray([c.requests_per_s for c in half]) for half in (group.prefills, group.decodes))
    room = group.domain // part
    fits = p[i] + d[j] <= room
    i, j, room = i[fits], j[fits], room[fits]
    if not len(i):
        return []
    first, second, rate = _numbers(p[i], d[j], prefilled[i], decoded[j], room)
    taken = first * p[i] + second * d[j]
    rows = np.argsort(taken, kind="stable")
    if prune:
        working, resting = (np.asarray([[c.drawn_w - c.idle_w, c.idle_w, c.ports] for c in half]).T
                            for half in (group.prefills, group.decodes))  # fmt: skip
        charge = group.size / _fit(group, taken)
        above = working[0][i] * rate / prefilled[i] + second * resting[0][j]
        idle = first * working[1][i] + second * resting[1][j]
        cost = np.column_stack([charge, above + idle * (1.0 - charge / taken), first * working[2][i]]) / rate[:, None]
        rows = rows[undominated(taken[rows] if by_size else np.zeros(len(rows), dtype=int), _rounded(cost[rows]))]
    return [_pair(group, int(i[n]), int(j[n]), int(first[n]), int(second[n]), float(rate[n])) for n in rows]


def _fit(group: _Group, taken: IntArray) -> IntArray:
    """Units of so many accelerators that a platform holds, each in one domain."""
    return group.size // group.domain * (group.domain // taken)


def _rounded(cost: FloatArray) -> FloatArray:
    """Costs to nine digits, so that equal ones are equal."""
    scale = 10.0 ** np.floor(np.log10(np.maximum(np.abs(cost), 1e-300)))
    return np.asarray(np.round(cost / scale, 9) * scale)


def _numbers(
    p: IntArray, d: IntArray, prefilled: FloatArray, decoded: FloatArray, room: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Replicas of each half in a unit of so many accelerators, and the requests/s of the unit; all arrays are (N,).

    Both halves would be busy at ``n = room decoded / (p decoded + d prefilled)`` prefill replicas, and likewise for
    decode; the whole numbers around are tried with as many of the other as fit, and none stays that is not needed.
    """
    total = p * decoded + d * prefilled
    tried = []
    for step in NEAR:
        n = np.clip(np.floor(room * decoded / total).astype(int) + step, 1, (room - d) // p)
        tried.append((n, (room - n * p) // d))
        n = np.clip(np.floor(room * prefilled / total).astype(int) + step, 1, (room - p) // d)
        tried.append(((room - n * d) // p, n))
    first, second = (np.stack(side) for side in zip(*tried, strict=True))
    rates = np.minimum(first * prefilled, second * decoded)
    rate = rates.max(axis=0)
    needed = [np.ceil(rate / each * (1.0 - EXACT)).astype(int) for each in (prefilled, decoded)]
    return needed[0], needed[1], rate


def _pair(group: _Group, i: int, j: int, first: int, second: int, rate: float) -> Candidate:
    """One pair, with both halves at their share of its rate."""
    prefill, decode = group.prefills[i], group.decodes[j]
    share = rate / first / prefill.requests_per_s
    above = share * (prefill.drawn_w - prefill.idle_w)
    # What a half does not do has one and the same not-a-number, so that equal pairs are equal.
    first_half = dataclasses.replace(
        prefill, requests_per_s=rate / first, drawn_w=prefill.idle_w + above, tpot_s=math.nan, step_s=math.nan,
        configurations=(),
    )  # fmt: skip
    second_half = dataclasses.replace(decode, requests_per_s=rate / second, ttft_s=math.nan)
    taken = first * prefill.count + second * decode.count
    fit = group.size // group.domain * (group.domain // taken)
    return dataclasses.replace(
        prefill,
        role=PAIR,
        charge=group.size / fit,
        batch=decode.batch,
        requests_per_s=rate,
        tpot_s=decode.tpot_s,
        step_s=decode.step_s,
        draft_tokens=decode.draft_tokens,
        drawn_w=first * first_half.drawn_w + second * decode.drawn_w,
        idle_w=first * prefill.idle_w + second * decode.idle_w,
        handover_bytes=0.0,
        ports=first * prefill.ports,
        evidence=max(prefill.evidence, decode.evidence),
        halves=(Half(first, first_half), Half(second, second_half)),
    )


def undominated_pairs(found: list[Candidate], others: Sequence[Candidate], *, by_size: bool) -> list[Candidate]:
    """Return the pairs that neither another pair nor a mixed replica beats or equals in every cost, small ones first.

    All of them prefill and decode: per request/s they cost accelerators, watts above idle and ports, and nothing else.

    Parameters
    ----------
    found : list of Candidate
        Pairs of one class, cache and tier.
    others : sequence of Candidate
        What else the class has; mixed replicas of the same cache and tier count.
    by_size : bool
        Replicas of different sizes do not compete, since they are whole.
    """
    if not found:
        return []
    kind = (found[0].cache, found[0].tier)
    rivals = [c for c in others if c.role == "mixed" and (c.cache, c.tier) == kind]
    rows = rivals + sorted(found, key=lambda c: c.count)
    cost = np.asarray([_cost(c) for c in rows])
    names = np.asarray([f"{c.platform_id} {c.power_cap} {c.configurations}" for c in rows])
    size = [np.asarray([c.count for c in rows])] if by_size else []
    left = undominated(labels(names, *size), _rounded(cost))
    return [rows[k] for k in left if k >= len(rivals)]


def _cost(c: Candidate) -> tuple[float, float, float]:
    """What a request/s takes: accelerators, watts above idle, ports."""
    above = c.drawn_w - c.charge / c.count * c.idle_w
    return c.charge / c.requests_per_s, above / c.requests_per_s, c.ports / c.requests_per_s
