"""A changed study answered from the last answer: the whole relaxation for a bound, a design of what is near.

The relaxation at the widest queues says how good any design can be. The design is decided over what that relaxation
uses and what the last design used, on their platforms alone: queues are narrowed on the relaxation of that part until
they stand, and one search over counts follows.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from solver.candidates import CandidateSet
from solver.highs import OPTIMAL, STOPPED, Clock
from solver.model.data import PLACE, ModelData
from solver.model.objectives import find_objective
from solver.model.polish import used_data
from solver.optimise import Ready, Solved, compiled, first_relaxation, unserved_classes
from solver.polishing import Polished, settle
from solver.repricing import repriced, same_structure
from solver.restriction import PRESENT
from solver.scenario import Scenario
from solver.search import Found, relative_gap
from solver.settling import Make, near, settle_widths
from solver.shortlist import Shortlist
from solver.thinning import with_queues_that_stand
from solver.widths import FewReplicasError, Queue, narrowed

SLIVERS_SHARE = 0.25
"""Share of the allowed gap that a quick answer may give up to be rid of slivers."""
ENOUGH_SHARE = 0.7
"""Share of the allowed gap to the bound at which counts are taken as they are."""
COUNTS_SHARE = 0.3
"""Share of the allowed gap that the search over its counts may leave."""
COUNTS_TIMES_S = (0.4, 5.0)
"""Seconds for it, and for the second try where the first was too short: a full solve takes ten times as long."""
AGAIN_SHARE = 0.5
"""Share of that time for a search that begins at the counts of the one before."""
THIN_SHARE = 0.5
"""Share of the allowed gap that a point short of it may give up for queues that stand: another round takes longer."""
QUICK_ROUNDS = 8
"""How often queues that turn out too wide are narrowed: a round takes half a second, a full solve ten times as long."""
FAR = 0.02
"""A quick answer further than this from its bound is not given: the change asks for other parts."""


@dataclass(frozen=True)
class Warm:
    """The last answer.

    Attributes
    ----------
    ready : Ready
        Its model at the widest queues, with its relaxation.
    first : Ready
        The same of the last full solve: many a change is followed by one of something else.
    columns, pools : set
        Identities of columns and ids of pools that it or the last full solve uses.
    polished : Polished
        Its counts, which may do for the next one.
    known, near : dict
        Candidates of the whole catalog, and of platforms in use.
    widths : mapping
        Queues of the last full solve that are narrower than the study's.
    """

    ready: Ready
    first: Ready
    columns: set[tuple[object, ...]]
    pools: set[str]
    polished: Polished
    known: dict[str, CandidateSet]
    near: dict[str, CandidateSet]
    widths: Mapping[Queue, int]


@dataclass(frozen=True)
class Answer:
    """A design that has not been assembled yet, with what it was decided from."""

    ready: Ready
    solved: Solved
    polished: Polished


def can_be_quick(data: ModelData) -> bool:
    """A ratio, and limits that only binaries keep, need the whole search; a class nobody can serve an explanation."""
    build = data.scenario.study.build
    counted = build.max_platforms is not None or build.max_candidates_per_class_role is not None
    ratio = find_objective(data.scenario).denominator(data.scenario) is not None
    return not counted and not ratio and not unserved_classes(data)


def quick_answer(warm: Warm, wide: ModelData, clock: Clock, seconds: dict[str, float]) -> Answer | None:
    """Return a design near to what the relaxation at the widest queues uses; None without one that is good.

    Parameters
    ----------
    warm : Warm
    wide : ModelData
        Of the changed study, at the widest queues.
    clock : Clock
    seconds : dict
        Is told how long each step took.
    """
    begun = time.perf_counter()
    ready = _relaxed((warm.ready, warm.first), wide, clock)
    seconds["model_s"] = time.perf_counter() - begun
    if ready.relaxed.status != OPTIMAL or ready.relaxed.values is None:
        return None
    begun = time.perf_counter()
    part = _used(ready, warm)
    short = Shortlist(wide.scenario, {p.config.platform.id for p in part.pools}, warm.known, warm.near)
    try:
        near_data = _standing(part, warm, short, clock)
        seconds["search_s"] = time.perf_counter() - begun
        begun = time.perf_counter()
        answer = None if near_data is None else _decided(near_data, ready, warm.polished, short, clock)
    except (RuntimeError, FewReplicasError):
        return None
    seconds["polish_s"] = time.perf_counter() - begun
    return answer


def _relaxed(before: tuple[Ready, ...], wide: ModelData, clock: Clock) -> Ready:
    """The relaxation of the changed study; where only limits and prices changed since, in a program that there is."""
    alike = [old for old in before if same_structure(old.data, wide) and _counts_only_service(old)]
    if alike:
        old = alike[0]
        program, relaxation = repriced(old, wide), old.relaxation
        relaxation.clock = clock
        known = [other.relaxed for other in alike[1:] if other.relaxed.status == OPTIMAL]
        relaxation.change(program, program.costs[0], float(program.offsets[0]), known)
        return old.changed(wide, program, relaxation.solve())
    model, program, objective = compiled(wide)
    relaxation = first_relaxation(wide, model, program, clock)
    return Ready(wide, model, program, objective, relaxation, relaxation.solve(), 0.0, 0.0)


def _counts_only_service(ready: Ready) -> bool:
    """True where the objective is a sum over what is served, which no limit or price changes."""
    served = {id(v) for v in ready.model.period[0].served.values()}
    return all(id(ready.program.variables[k]) in served for k in np.flatnonzero(ready.program.costs[0]))


def _used(ready: Ready, warm: Warm) -> ModelData:
    """Columns and pools that the relaxation uses, and those of the last answer."""
    values, layout = ready.relaxed.values, ready.layout
    assert values is not None
    used = {c.index for c in ready.data.columns if layout.present(values, c.index) > PRESENT}
    where = {identity[:PLACE] for identity in warm.columns}
    used |= {c.index for c in ready.data.columns if c.place in where and c.identity in warm.columns}
    return used_data(ready.data, used, warm.pools | {p for p, at in layout.housed.items() if values[at].any()})


def _standing(part: ModelData, warm: Warm, short: Make, clock: Clock) -> ModelData | None:
    """The same at queues that stand in its own relaxation, as far as that uses it or the last answer did."""

    def columns_near(scenario: Scenario) -> tuple[ModelData, CandidateSet]:
        whole, candidates = short(scenario)
        return near(part, whole), candidates

    settled = settle_widths(narrowed(part.scenario, warm.widths), columns_near, clock)
    if settled.ready is None or settled.ready.relaxed.values is None:
        return None
    return _used(settled.ready, warm)


def _decided(near_data: ModelData, ready: Ready, last: Polished, make: Make, clock: Clock) -> Answer | None:
    """Counts of what is near, with queues that stand."""
    sense, gap = float(ready.objective.sense), near_data.scenario.study.solver.gap
    bound = -sense * ready.relaxed.objective
    values = ready.relaxed.values
    found = Found(STOPPED, values, ready.relaxed.objective, ready.relaxed.objective, ready.relaxed.objective, 0)
    solved = Solved(near_data, ready.model, ready.program, ready.objective, found, bound, bound, {})
    far = max(FAR, gap)
    enough = bound - sense * ENOUGH_SHARE * gap * abs(bound)
    polished, limit_s = _counts(near_data, solved, last, enough, clock, far)
    if polished is None:
        return None
    none = CandidateSet((), (), 0, 0)
    polished, solved, _ = with_queues_that_stand(
        polished, solved, none, make, clock, far, limit_s * AGAIN_SHARE, QUICK_ROUNDS, enough=enough,
        spare=abs(bound) * gap * THIN_SHARE,
    )  # fmt: skip
    if relative_gap(polished.value, bound) > far:
        return None
    return Answer(ready, dataclasses.replace(solved, value=polished.value), polished)


def _counts(
    data: ModelData, solved: Solved, last: Polished, enough: float, clock: Clock, far: float
) -> tuple[Polished | None, float]:
    """The counts of what is near, not far from the bound, and the seconds that the search was given; None without any.

    Another try is made where the first one used up its time.
    """
    sense, allowed = solved.objective.sense, data.scenario.study.solver.gap
    target, limit_s = solved.bound - sense * SLIVERS_SHARE * allowed * abs(solved.bound), 0.0
    for limit_s in COUNTS_TIMES_S:
        begun = time.perf_counter()
        try:
            polished = settle(
                data, solved, target, {}, clock, {}, gap=allowed * COUNTS_SHARE, time_limit_s=limit_s, enough=enough,
                like=last, spare=abs(solved.bound) * allowed * THIN_SHARE,
            )  # fmt: skip
        except RuntimeError:
            polished = None
        if polished is not None and relative_gap(polished.value, solved.bound) <= far:
            return polished, limit_s
        if time.perf_counter() - begun < limit_s:
            break
    return None, limit_s
