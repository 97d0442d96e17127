"""A polished design whose queues are wider than what stands behind them, decided again at narrower ones."""

from __future__ import annotations

import dataclasses

import pyomo.environ as pyo

from solver.candidates import CandidateSet
from solver.highs import Clock
from solver.optimise import Solved, unserved_classes
from solver.polishing import SETTLE_TIME_S, Polished, settle, worst_allowed
from solver.search import relative_gap
from solver.settling import Make, near
from solver.widths import FewReplicasError, Queue, behind, few_replicas, narrowed, queue_of

ROUNDS = 3


def thin_queues(polished: Polished) -> dict[Queue, int]:
    """Return the queues of a design that fewer replicas stand behind than share them, with how many stand."""
    replicas = polished.model.period[0].replicas
    columns = ((c.candidate, float(pyo.value(replicas[c.index]))) for c in polished.data.columns)
    return few_replicas((queue_of(c), c.router_width, behind(c) * units) for c, units in columns)


def with_queues_that_stand(
    polished: Polished,
    solved: Solved,
    candidates: CandidateSet,
    make: Make,
    clock: Clock,
    gap: float | None = None,
    time_limit_s: float = SETTLE_TIME_S,
    rounds: int = ROUNDS,
    *,
    enough: float | None = None,
    spare: float = 0.0,
) -> tuple[Polished, Solved, CandidateSet]:
    """Return a design of much the same kinds whose queues stand, within the gap of the same bound.

    Parameters
    ----------
    polished : Polished
        Returned as it is where its queues stand.
    solved : Solved
        Where the bound comes from.
    candidates : CandidateSet
    make : callable
    clock : Clock
    gap : float, optional
        Relative distance to the bound that is near enough; that of the study unless given.
    time_limit_s : float
        For each search over counts.
    rounds : int
        How often queues that turn out too wide are narrowed.
    enough, spare : float, optional
        As in `settle`.

    Raises
    ------
    FewReplicasError
        If there is none.
    """
    study, few = solved.data.scenario.study, thin_queues(polished)
    allowed = study.solver.gap if gap is None else gap
    for _ in range(rounds):
        if not few:
            break
        whole, candidates = make(narrowed(solved.data.scenario, few))
        if unserved_classes(whole) or study.build.max_candidates_per_class_role is not None:
            break
        part, solved = near(polished.data, whole), dataclasses.replace(solved, data=whole)
        try:
            polished = settle(
                part, solved, worst_allowed(solved), {}, clock, polished.kinds_before, time_limit_s=time_limit_s,
                like=polished, enough=enough, spare=spare,
            )  # fmt: skip
        except RuntimeError:
            break
        if relative_gap(polished.value, solved.bound) > allowed:
            break
        few = thin_queues(polished)
    if few:
        raise FewReplicasError(few, solved.bound)
    return polished, solved, candidates
