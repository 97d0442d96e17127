"""Widths of queues that stand, and the best point at them.

Widths are lowered first on the linear relaxation, which costs little, then on designs. Only the first relaxation is of
all columns: its bound holds for narrower queues too. After that the columns it finds promising are enough, with
the best of the queues that became narrower; only where their best point is too far from the bound are all columns
searched again.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from solver.candidates import CandidateSet
from solver.highs import Clock
from solver.model.data import ModelData
from solver.model.polish import used_data
from solver.optimise import CONTENT_GAP_SHARE, Ready, Solved, optimise, relaxed_model, unserved_classes
from solver.restriction import promising
from solver.scenario import Scenario
from solver.search import relative_gap
from solver.widths import SOLVES, FewReplicasError, Queue, early_check, narrowed, queue_of, standing, too_wide

BEST_OF_NARROWER = 8
"""Columns of a queue that became narrower that are offered for each source of hits and host, by accelerators."""
Make = Callable[[Scenario], tuple[ModelData, CandidateSet]]
"""Columns of a scenario at its widths."""


@dataclass(frozen=True)
class Settled:
    """Columns whose widths stand in the relaxation.

    Attributes
    ----------
    data : ModelData
        Columns to search.
    whole : ModelData
        All columns at the same widths; the same object where nothing was left out.
    candidates : CandidateSet
    ready : Ready or None
        Of `data`; None where a class that must be served cannot be.
    first : Ready or None
        Of all columns at the widest queues whose bound is known.
    relaxations : int
        How many it took.
    begun_s, candidates_s : float
        When the clock began to make these columns, and how long that took.
    """

    data: ModelData
    whole: ModelData
    candidates: CandidateSet
    ready: Ready | None
    first: Ready | None
    relaxations: int
    begun_s: float
    candidates_s: float


def settle_widths(scenario: Scenario, make: Make, clock: Clock, after: Settled | None = None) -> Settled:
    """Lower widths until the relaxation has as many replicas as share a queue.

    Parameters
    ----------
    scenario : Scenario
        Its widths are where it begins.
    make : callable
    clock : Clock
    after : Settled, optional
        At wider queues: what it knows is used.
    """
    relaxations = 0
    last, first = (after.ready, after.first) if after and _may_be_cut(after.ready) else (None, None)
    while True:
        begun = clock.elapsed_s
        whole, candidates = make(scenario)
        took = clock.elapsed_s - begun
        clock.report("candidates", None, None, None)
        if unserved_classes(whole):
            return Settled(whole, whole, candidates, None, None, relaxations, begun, took)
        data = whole if last is None else _part(last, whole, all_of_it=last is not first)
        ready = relaxed_model(data, clock)
        relaxations += 1
        first = ready if last is None else first
        few: dict[Queue, int] = {}
        if ready.relaxed.values is not None and not clock.stop():
            few = too_wide(data, ready.layout.replicas, ready.relaxed.values)
        if not few:
            return Settled(data, whole, candidates, ready, first, relaxations, begun, took)
        scenario = narrowed(whole.scenario, few)
        last = ready if _may_be_cut(ready) else None


def _may_be_cut(ready: Ready | None) -> bool:
    """True where the bound of the relaxation is that of the objective, and tells which columns are worth keeping."""
    if ready is None or ready.relaxed.values is None:
        return False
    return len(ready.program.costs) == 1 and ready.data.scenario.study.build.max_platforms is None


def _part(last: Ready, whole: ModelData, *, all_of_it: bool) -> ModelData:
    """Return the columns that a relaxation finds promising, and those beside them, as `near` does.

    Parameters
    ----------
    last : Ready
        At wider queues.
    whole : ModelData
    all_of_it : bool
        True where `last` holds no more than what is promising.
    """
    if all_of_it:
        return near(last.data, whole)
    keep, layout = promising(last.data, last.layout, last.relaxed), last.layout
    columns = {c.index for c in last.data.columns if keep[layout.replicas[c.index]]}
    pools = {p.id for p in last.data.pools if keep[layout.housed[p.id]].any()}
    return near(used_data(last.data, columns, pools), whole)


def near(before: ModelData, whole: ModelData) -> ModelData:
    """Return the columns that there were at wider queues, and on their nodes the best of the queues narrower now.

    Parameters
    ----------
    before, whole : ModelData
        Some columns; all columns at other widths.
    """
    known = {c.identity for c in before.columns}
    hosts = {c.pool.id if c.pool else c.family for c in before.columns}
    old, new = before.scenario.widths, whole.scenario.widths
    lowered = {queue for queue in new if new[queue] != old.get(queue)}
    columns = {c.index for c in whole.columns if c.identity in known}
    others: dict[Hashable, list[tuple[float, int]]] = defaultdict(list)
    for c in whole.columns:
        host, k = c.pool.id if c.pool else c.family, c.candidate
        if queue_of(k) in lowered and host in hosts:
            others[k.workload, k.role, k.cache, k.tier, host].append((k.charge / k.requests_per_s, c.index))
    columns |= {index for group in others.values() for _, index in sorted(group)[:BEST_OF_NARROWER]}
    return used_data(whole, columns, {p.id for p in before.pools})


def optimised(settled: Settled, clock: Clock, bound: float | None = None) -> Solved:
    """Return the best point of settled columns, with a bound that holds for all columns.

    Parameters
    ----------
    settled : Settled
    clock : Clock
    bound : float, optional
        As in `optimise`.

    Raises
    ------
    FewReplicasError
        If the queues of the first good point do not stand.
    """
    ready, first = settled.ready, settled.first
    assert ready is not None
    assert first is not None
    if settled.data is settled.whole:
        return optimise(settled.data, clock, ready, bound, early_check(ready, clock))
    sense = first.objective.sense
    known = -sense * first.relaxed.objective
    known = known if bound is None else min(known, bound, key=lambda value: sense * value)
    solved = optimise(settled.data, clock, ready, known, early_check(ready, clock))
    if solved.found.values is not None:
        found = dataclasses.replace(solved.found, bound=-sense * known, lp_bound=first.relaxed.objective)
        solved = dataclasses.replace(solved, found=found, bound=known)
        allowed = settled.data.scenario.study.solver.gap * CONTENT_GAP_SHARE
        if relative_gap(solved.value, known) <= allowed or clock.stop():
            return solved
    ready = relaxed_model(settled.whole, clock)
    return optimise(settled.whole, clock, ready, known, early_check(ready, clock))


def optimise_at_widths(scenario: Scenario, make: Make, clock: Clock) -> Solved | None:
    """Return the best point whose widths stand; None where a class that must be served cannot be.

    Parameters
    ----------
    scenario : Scenario
    make : callable
    clock : Clock
    """
    bound: float | None = None
    settled: Settled | None = None
    solves = 0
    while True:
        solves += 1
        settled = settle_widths(scenario, make, clock, settled)
        if settled.ready is None:
            return None
        try:
            return standing(optimised(settled, clock, bound), clock)
        except FewReplicasError as few:
            bound = few.bound
            scenario = narrowed(settled.data.scenario, few.widths, SOLVES if clock.stop() else solves)
