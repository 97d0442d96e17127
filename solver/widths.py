"""How many replicas share a queue: no more than stand, found by lowering widths until they do.

One router stands in front of all replicas of a class and role that may take its requests, on whatever platform:
misses, and hits from pooled tiers. It sends each request to where the wait is shortest, so that they work as one
queue with many servers. The approximation is that the wait of a replica is that of as many servers of its own
kind; parts of replicas count as parts. Hits in a node's own tier go to that node, and no other.

Widths begin at `build.router_width`. A class and role of which fewer replicas stand in total is lowered to the whole
number that stands (`solver.settling`). Nothing is ever raised, so this ends; a lowered width only lowers rates, so a
bound found at wider queues holds.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.candidate import PAIR, Candidate
from solver.highs import STOPPED, Clock, Program, solve_lp
from solver.model.data import ModelData
from solver.optimise import Ready, Solved, linearised, value_at, with_fixed_integers
from solver.restriction import PRESENT
from solver.scenario import Scenario
from solver.search import Found, relative_gap

FloatArray = NDArray[np.float64]
Record = dict[str, Any]
Queue = tuple[str, str]
"""Class id and role."""
PREFILLING = ("prefill", "mixed")
DUST = 1e-4
"""Replicas of a queue below which a point is taken not to use it; a design is not let off so."""
SOLVES = 3
"""From the third design on that does not stand, its thin queues are of one replica."""
_ROUNDING = 1e-6
"""Part of a replica that a whole one may lack."""


class FewReplicasError(Exception):
    """Fewer replicas stand than share a queue.

    Parameters
    ----------
    widths : dict
        Class id and role -> replicas that stand.
    bound : float, optional
        Objective in model units that no design can beat, so narrower queues neither.
    """

    def __init__(self, widths: dict[Queue, int], bound: float | None = None) -> None:
        self.widths, self.bound = widths, bound
        super().__init__(f"fewer replicas than share a queue: {widths}")


def few_replicas(shares: Iterable[tuple[Queue, int, float]], least: float = 0.0) -> dict[Queue, int]:
    """Return the queues that fewer replicas stand behind than share them, with the whole number that stands.

    Parameters
    ----------
    shares : iterable of (queue, width, replicas)
        Of every load entry; entries of width 1 share no queue.
    least : float
        Queues of no more replicas than this are not looked at.
    """
    total: dict[Queue, float] = defaultdict(float)
    widest: dict[Queue, int] = {}
    for queue, width, replicas in shares:
        if width > 1 and replicas > PRESENT:
            total[queue] += replicas
            widest[queue] = max(width, widest.get(queue, 1))
    stand = {queue: max(1, int(count + _ROUNDING)) for queue, count in total.items() if count > least}
    return {queue: whole for queue, whole in stand.items() if whole < widest[queue]}


def check_widths(load: Sequence[Record], bound: float) -> None:
    """Compare the widths of load entries with the replicas that stand.

    Parameters
    ----------
    load : sequence of dict
    bound : float
        Goes into the error.

    Raises
    ------
    FewReplicasError
        If a queue has fewer.
    """
    few = few_replicas(((e["class"], e["role"]), e["router_width"], e["replicas"]) for e in load)
    if few:
        raise FewReplicasError(few, bound)


def too_wide(data: ModelData, at: Mapping[int, int], values: FloatArray, least: float = DUST) -> dict[Queue, int]:
    """Return the queues of a point of a program that are wider than what stands, as `few_replicas` does.

    Parameters
    ----------
    data : ModelData
    at : mapping
        Column index -> position of its replicas in the program.
    values : (N,) array
    least : float
        As in `few_replicas`.
    """
    columns = ((c.candidate, float(values[at[c.index]])) for c in data.columns)
    return few_replicas(((queue_of(c), c.router_width, behind(c) * units) for c, units in columns), least)


def queue_of(candidate: Candidate) -> Queue:
    """Return the queue a candidate is behind; prefill replicas of a pair share that of all prefill replicas."""
    return (candidate.workload, "prefill" if candidate.role == PAIR else candidate.role)


def behind(candidate: Candidate) -> int:
    """Return the replicas of one unit of a candidate that take requests from the queue."""
    return candidate.halves[0].replicas if candidate.halves else 1


def narrowed(scenario: Scenario, widths: Mapping[Queue, int], solves: int = 0) -> Scenario:
    """Return the scenario with some queues narrower; after `SOLVES` solves these share nothing any more."""
    lower = widths if solves < SOLVES else dict.fromkeys(widths, 1)
    return dataclasses.replace(scenario, widths={**scenario.widths, **lower})


def stand(
    program: Program,
    data: ModelData,
    at: Mapping[int, int],
    cost: FloatArray,
    offset: float,
    values: FloatArray,
    good_enough: Callable[[FloatArray], bool],
    clock: Clock,
) -> tuple[Program, FloatArray] | None:
    """Fill or empty the queues of a point that are too wide; None where that has no point that is good enough.

    A queue that has at least half the replicas gets more of each in the same proportion, which may stand idle at
    times; else it is emptied. If that does not do, the other way is tried.

    Parameters
    ----------
    program : Program
        With its integers fixed.
    data : ModelData
    at : mapping
        Column index -> position of its replicas in the program.
    cost : (N,) array
    offset : float
    values : (N,) array
    good_enough : callable
    clock : Clock

    Returns
    -------
    Program, (N,) array
        With the bounds that keep it so, and the point.
    """
    for _ in range(2 * len(data.workloads) * len(PREFILLING)):
        few = too_wide(data, at, values, 0.0)
        if not few:
            return program, values
        queue = next(iter(few))
        mine = [c for c in data.columns if queue_of(c.candidate) == queue]
        mine = [c for c in mine if c.candidate.router_width > 1]
        places = np.asarray([at[c.index] for c in mine], dtype=np.intp)
        width = max(c.candidate.router_width for c in mine)
        total = float(values[places] @ np.asarray([behind(c.candidate) for c in mine]))
        filled, emptied = program.lower.copy(), program.upper.copy()
        filled[places] = np.maximum(filled[places], values[places] * (width / total))
        emptied[places] = 0.0
        ways = [(filled, program.upper), (np.minimum(program.lower, emptied), emptied)]
        for lower, upper in ways if 2.0 * total >= width else ways[::-1]:
            changed = dataclasses.replace(program, lower=lower, upper=upper)
            found = None if np.any(lower > upper) else solve_lp(changed, cost, offset, clock).values
            if found is not None and good_enough(found):
                program, values = changed, found
                break
        else:
            return None
    return None


def standing(solved: Solved, clock: Clock) -> Solved:
    """Return what was found with queues that stand, still within the gap.

    Raises
    ------
    FewReplicasError
        If filling and emptying queues does not do.
    """
    values, program = solved.found.values, solved.program
    if values is None:
        return solved
    at = solved.layout.replicas
    few = too_wide(solved.data, at, values, 0.0)
    if not few:
        return solved
    gap = max(solved.data.scenario.study.solver.gap, relative_gap(solved.value, solved.bound) * (1.0 + 1e-9))

    def good_enough(point: FloatArray) -> bool:
        return relative_gap(value_at(program, point, solved), solved.bound) <= gap

    fixed, (cost, offset) = with_fixed_integers(program, values), linearised(program, solved, solved.value)
    point = stand(fixed, solved.data, at, cost, offset, values, good_enough, clock)
    if point is None:
        raise FewReplicasError(few, solved.bound)
    found = dataclasses.replace(solved.found, values=point[1])
    return dataclasses.replace(solved, found=found, value=value_at(program, point[1], solved))


def early_check(ready: Ready, clock: Clock) -> Callable[[FloatArray], None]:
    """Return what ends a search at its first good point where the queues of that do not stand.

    The point may be short of the optimum, but one that is too thin is so in most designs like it, and proving how
    good it is takes longer than finding it.
    """

    def check(values: FloatArray) -> None:
        held = Found(STOPPED, values, np.nan, np.nan, np.nan, 0)
        solved = Solved(ready.data, ready.model, ready.program, ready.objective, held, np.nan, np.nan, {})
        value = value_at(ready.program, values, solved)
        try:
            standing(dataclasses.replace(solved, value=value, bound=value), clock)
        except FewReplicasError as few:
            raise FewReplicasError(few.widths) from None

    return check


def width_records(load: Sequence[Record]) -> list[Record]:
    """Return the queues of a design: class, role, replicas that share it and replicas that stand behind it."""
    queues: dict[Queue, Record] = {}
    for entry in load:
        if entry["router_width"] > 1:
            key = (entry["class"], entry["role"])
            start: Record = {"class": key[0], "role": key[1], "width": entry["router_width"], "replicas": 0.0}
            queues.setdefault(key, start)["replicas"] += entry["replicas"]
    return list(queues.values())
