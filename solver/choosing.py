"""Few kinds out of many: which groups of columns to use, where a study limits their number.

Binaries with big coefficients say so in the program, and their relaxation says next to nothing: a hundredth of a
platform is allowed a hundredth of its nodes' bound. The relaxation without some groups says a lot: leaving out the
group that costs least, again and again, ends at a good set, and a tree over sets, each bounded by the relaxation of
what it may still use, proves it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from solver.highs import OPTIMAL, Outcome
from solver.relaxation import Relaxation

FloatArray = NDArray[np.float64]
Groups = Mapping[str, NDArray[np.intp]]
IN_USE = 1e-6
"""A group whose columns sum to less is not used."""
MAX_SETS = 400
"""Relaxations that the proof may take; sets left open then count with their bounds."""


def used_groups(groups: Groups, relaxed: Outcome) -> set[str]:
    """Groups of which a point uses something."""
    assert relaxed.values is not None
    return {name for name, at in groups.items() if relaxed.values[at].sum() > IN_USE}


def over_the_limit(groups: Groups, limit: int, relaxed: Outcome) -> bool:
    """True where the relaxation uses more groups than are allowed."""
    return len(used_groups(groups, relaxed)) > limit


def without(upper: FloatArray, groups: Groups, excluded: Iterable[str]) -> FloatArray:
    """Upper bounds that leave some groups out."""
    bounds = upper.copy()
    for name in excluded:
        bounds[groups[name]] = 0.0
    return bounds


def eliminate(relaxation: Relaxation, groups: Groups, limit: int) -> set[str]:
    """Leave out groups, each time the one whose loss the relaxation feels least, until few enough are in use.

    Returns
    -------
    set of str
        All groups but those in use at the end; nothing where few enough are in use from the start.
    """
    upper, excluded = relaxation.program.upper, set[str]()
    relaxed = relaxation.solve(upper)
    used = used_groups(groups, relaxed)
    if len(used) <= limit:
        return set()
    while len(used) > limit:
        tried = []
        for name in sorted(used):
            outcome = relaxation.solve(without(upper, groups, excluded | {name}))
            if outcome.status == OPTIMAL:
                tried.append((outcome.objective, name, used_groups(groups, outcome)))
        if not tried:
            return set()
        _, worst, used = min(tried)
        excluded.add(worst)
    return set(groups) - used


def search_sets(
    relaxation: Relaxation,
    groups: Groups,
    limit: int,
    start: FloatArray,
    value: Callable[[FloatArray], float],
    allowed: Callable[[float], float],
    solve: Callable[[FloatArray, Outcome, FloatArray | None], tuple[Outcome, float]],
) -> tuple[FloatArray, float, int]:
    """Best point and bound over all sets of at most `limit` groups, sets with the best relaxation first.

    Parameters
    ----------
    relaxation : Relaxation
    groups : mapping of group -> positions
    limit : int
    start : (N,) array
        A feasible point.
    value : callable(values) -> float
    allowed : callable(objective) -> float
        How far from the bound a point may be.
    solve : callable(upper, relaxed, start) -> (Outcome, bound)
        Search with integers under some upper bounds, with a start where one is allowed there.

    Returns
    -------
    (N,) array, float, int
        The best point, what no design beats, and the nodes of all searches.
    """
    full, best, nodes = relaxation.program.upper, start, 0
    everything, proven, tries = frozenset(groups), np.inf, 0
    open_sets: list[tuple[float, int, frozenset[str], frozenset[str]]] = []

    def put(excluded: frozenset[str], chosen: frozenset[str]) -> None:
        nonlocal tries
        tries += 1
        outcome = relaxation.solve(without(full, groups, excluded))
        if outcome.status == OPTIMAL:
            heapq.heappush(open_sets, (outcome.objective, tries, excluded, chosen))

    put(frozenset(), frozenset())
    while open_sets:
        bound, _, excluded, chosen = heapq.heappop(open_sets)
        held = value(best)
        if bound >= held - allowed(held) or tries > MAX_SETS or relaxation.clock.stop():
            return best, min(proven, bound), nodes
        upper = without(full, groups, excluded)
        relaxed = relaxation.solve(upper)
        used = used_groups(groups, relaxed)
        if len(used | chosen) <= limit:
            outside = any(best[groups[name]].sum() > IN_USE for name in excluded)
            outcome, leaf = solve(upper, relaxed, None if outside else best)
            nodes, proven = nodes + outcome.nodes, min(proven, leaf)
            if outcome.values is not None and value(outcome.values) < held:
                best = outcome.values
            continue
        name = _most_missed(relaxation, groups, excluded, used - chosen)
        put(excluded | {name}, chosen)
        more = chosen | {name}
        put(everything - more if len(more) == limit else excluded, more)
    return best, proven, nodes


def _most_missed(relaxation: Relaxation, groups: Groups, excluded: frozenset[str], names: set[str]) -> str:
    """The group in use that the relaxation would miss most."""

    def loss(name: str) -> tuple[float, str]:
        outcome = relaxation.solve(without(relaxation.program.upper, groups, excluded | {name}))
        return (outcome.objective if outcome.status == OPTIMAL else np.inf, name)

    return max(map(loss, sorted(names)))[1]
