"""From relaxation to certified optimum of one linear objective.

The linear relaxation gives a bound that no design can beat and tells an infeasible or unbounded study at once. A
program narrowed to what the relaxation finds promising gives a good point in little time; only where that point is
not within the gap of the relaxation does branch and bound go over the whole program, to raise the bound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.choosing import eliminate, over_the_limit, search_sets, without
from solver.compression import solve_small_mip
from solver.highs import (
    IMPLAUSIBLE_GAP,
    INFEASIBLE,
    OPTIMAL,
    STOPPED,
    TRICKLE,
    Clock,
    Outcome,
    Program,
    solve_lp,
)
from solver.relaxation import Relaxation

FloatArray = NDArray[np.float64]
Narrow = Callable[[Outcome], NDArray[np.bool_]]
"""From a solved relaxation to the columns worth keeping."""
Check = Callable[[FloatArray], None]

WORTH_NARROWING = 400
"""Columns below which the whole program is quick enough."""
NARROW_SHARE = 0.4
"""Share of the allowed gap that the search over the narrowed program may leave."""
NARROW_TIME_S = 10.0
FIRST_TIME_S = 1.0
"""Seconds for a point of what the relaxation uses alone, from which the search over more goes twice as fast."""
ROUNDING = 1e-6
"""What a point may be above an upper bound."""
TARGET_SHARE = 0.9
"""Share of the allowed gap within which any point will do."""
PROOF_WITHIN = 3.0
"""A point within so many allowed gaps of the relaxation is taken as it is; the rest is proof, without heuristics."""


@dataclass(frozen=True)
class Found:
    """Best point of one linear objective, in the sense of minimisation.

    Attributes
    ----------
    status : str
        optimal (within the gap), stopped, infeasible, unbounded or failed.
    values : (N,) array or None
    objective, bound, lp_bound : float
    nodes : int
    """

    status: str
    values: FloatArray | None
    objective: float
    bound: float
    lp_bound: float
    nodes: int


@dataclass(frozen=True)
class Choice:
    """Groups of columns of which only `limit` may be used: the platforms of a study that wants few kinds."""

    groups: Mapping[str, NDArray[np.intp]]
    limit: int


def minimise(
    program: Program,
    cost: FloatArray,
    offset: float,
    clock: Clock,
    *,
    gap: float,
    absolute_gap: float = 0.0,
    sign: float = 1.0,
    start: FloatArray | None = None,
    narrow: Narrow | None = None,
    choice: Choice | None = None,
    relaxation: Relaxation | None = None,
    floor: float = -np.inf,
    check: Check | None = None,
    content: float | None = None,
) -> Found:
    """Minimise one cost row of a program.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    offset : float
    clock : Clock
    gap, absolute_gap : float
        Distance to the bound at which the answer is good enough.
    sign : float
        -1 where the reported objective is the negative of the cost (maximisation).
    start : (N,) array, optional
        A feasible point to begin with.
    narrow : callable, optional
        Picks the columns of the narrowed program from a relaxation; without it the whole program is searched.
    choice : Choice, optional
        Groups of which few may be used; the rows that say so stand in the program.
    relaxation : Relaxation, optional
        Of this program and cost, warm from an earlier solve.
    floor : float
        A bound that is known from elsewhere: no point costs less.
    check : callable, optional
        Given the point of the narrowed program before anything is proven; may raise to end the search.
    content : float, optional
        Gap at which the point of the narrowed program is taken as it is; what is left of the search costs more time.
    """
    relaxation = relaxation or Relaxation(program, cost, offset, clock)
    relaxed = relaxation.solve()
    if relaxed.status != OPTIMAL:
        return Found(relaxed.status, None, np.nan, np.nan, np.nan, 0)
    clock.report("relaxation", None, sign * relaxed.objective, None)
    task = _Task(program, cost, offset, clock, gap, absolute_gap, sign, relaxation, relaxed, floor)
    if narrow is not None and len(cost) >= WORTH_NARROWING:
        start = task.narrowed(narrow, choice, start)
        if check is not None and start is not None:
            check(start)
    easy = dataclasses.replace(task, gap=max(gap, content or 0.0))
    if start is not None and easy.close(task.value(start), task.least):
        return Found(OPTIMAL, start, task.value(start), min(task.least, task.value(start)), relaxed.objective, 0)
    if choice and start is not None and over_the_limit(choice.groups, choice.limit, relaxed):
        return task.over_sets(choice, start)
    return task.over_all(start)


@dataclass(frozen=True)
class _Task:
    """One objective of one program, its relaxation solved."""

    program: Program
    cost: FloatArray
    offset: float
    clock: Clock
    gap: float
    absolute_gap: float
    sign: float
    relaxation: Relaxation
    relaxed: Outcome
    floor: float = -np.inf

    @property
    def least(self) -> float:
        """No point costs less: by the relaxation, or by what is known from elsewhere."""
        return max(self.relaxed.objective, self.floor)

    @property
    def target(self) -> float:
        """Cost at which any point will do."""
        return self.least + TARGET_SHARE * self.allowed(self.least)

    def value(self, values: FloatArray) -> float:
        """Objective of a point."""
        return float(self.cost @ values + self.offset)

    def allowed(self, objective: float) -> float:
        """How far from the bound a point of this objective may be."""
        return max(self.gap * abs(objective), self.absolute_gap)

    def close(self, objective: float, bound: float) -> bool:
        """True where the point is good enough."""
        return abs(objective - bound) <= self.allowed(objective) * (1.0 + 1e-6)

    def report(self, objective: float, bound: float) -> None:
        """Tell how far the search has come; no bound is worse than the relaxation's."""
        honest = max(bound, self.least)
        self.clock.report("search", self.sign * objective, self.sign * honest, relative_gap(objective, honest))

    def narrowed(self, narrow: Narrow, choice: Choice | None, start: FloatArray | None) -> FloatArray | None:
        """Best point of the program narrowed to what is promising, or the one we hold if that is better."""
        upper = self.program.upper
        if choice:
            upper = without(upper, choice.groups, eliminate(self.relaxation, choice.groups, choice.limit))
        relaxed = self.relaxation.solve(upper)
        if relaxed.status != OPTIMAL:
            return start
        start = self._better(start, self._points(self._used(relaxed, upper), FIRST_TIME_S, relaxed, None))
        upper = np.where(narrow(relaxed), upper, 0.0)
        return self._better(start, self._points(upper, NARROW_TIME_S, self.relaxation.solve(upper), start))

    def _used(self, relaxed: Outcome, upper: FloatArray) -> FloatArray:
        """Upper bounds that leave no more than what a relaxation uses: of a few columns, a point in no time."""
        assert relaxed.values is not None
        return np.where((relaxed.values > 0.0) | (self.program.lower != 0.0), upper, 0.0)

    def _points(
        self, upper: FloatArray, time_limit_s: float, relaxed: Outcome, start: FloatArray | None
    ) -> FloatArray | None:
        """Best point found under some upper bounds."""
        return solve_small_mip(
            self.program,
            self.cost,
            self.offset,
            self.clock,
            upper=upper,
            gap=self.gap * NARROW_SHARE,
            absolute_gap=self.absolute_gap * NARROW_SHARE,
            time_limit_s=time_limit_s,
            start=start if start is not None and np.all(start <= upper + ROUNDING) else None,
            report=lambda objective, _: self.report(objective, self.relaxed.objective),
            relaxed=relaxed.objective,
            target=self.target,
            points_first=True,
        ).values

    def _better(self, one: FloatArray | None, other: FloatArray | None) -> FloatArray | None:
        """The better of two points; there may be none."""
        if one is None or other is None:
            return other if one is None else one
        return one if self.value(one) <= self.value(other) else other

    def over_all(self, start: FloatArray | None) -> Found:
        """Branch and bound over the whole program."""
        return self._found(*self._mip(start, self.program.upper, self.relaxed), start)

    def over_sets(self, choice: Choice, start: FloatArray) -> Found:
        """Branch over which groups are used, then within the sets that the relaxation cannot rule out."""
        best, bound, nodes = search_sets(
            self.relaxation,
            choice.groups,
            choice.limit,
            start,
            self.value,
            self.allowed,
            lambda upper, relaxed, held: self._mip(held, upper, relaxed),
        )
        return self._found(Outcome(STOPPED, best, self.value(best), bound, nodes=nodes), bound, start)

    def _mip(self, start: FloatArray | None, upper: FloatArray, relaxed: Outcome) -> tuple[Outcome, float]:
        """Solve with integers under some upper bounds; return what was found and what is proven.

        From a good point only proof is wanted: an integer whose reduced cost alone takes a design beyond the
        target is fixed (``x_j <= (target - z_LP) / d_j``), and the heuristics are left out. What is fixed so can
        only be worse than the target, which therefore caps the bound.
        """
        target = np.inf
        proof = False
        if start is not None:
            held = self.value(start)
            target = held - self.allowed(held)
            proof = held - relaxed.objective <= PROOF_WITHIN * self.allowed(held)
        if proof:
            priced = relaxed.reduced_costs
            at_lower = self.program.integer & (priced > 1e-7)
            most = np.floor(np.maximum(target - relaxed.objective, 0.0) / np.where(at_lower, priced, 1.0) + 1e-6)
            fixed = np.maximum(self.program.lower + most, np.ceil(start - 1e-6) if start is not None else 0.0)
            upper = np.where(at_lower, np.minimum(upper, fixed), upper)
        outcome = solve_small_mip(
            self.program,
            self.cost,
            self.offset,
            self.clock,
            upper=upper,
            gap=self.gap,
            absolute_gap=self.absolute_gap,
            start=start,
            report=self.report,
            relaxed=relaxed.objective,
            heuristics=not proof,
            target=self.target,
        )
        bound = outcome.bound if np.isfinite(outcome.bound) else relaxed.objective
        if outcome.values is None and outcome.status == INFEASIBLE:
            bound = target  # nothing there, or nothing that is better
        elif proof:
            bound = min(bound, target) if outcome.values is not None else relaxed.objective
        return outcome, bound

    def _found(self, outcome: Outcome, bound: float, start: FloatArray | None) -> Found:
        """Take the better of what was found and what was held."""
        lp_bound = self.relaxed.objective
        if start is not None and (outcome.values is None or self.value(start) < outcome.objective):
            outcome = dataclasses.replace(outcome, values=start, objective=self.value(start))
        if outcome.values is None:
            status = INFEASIBLE if outcome.status == INFEASIBLE else STOPPED
            return Found(status, None, np.nan, lp_bound, lp_bound, outcome.nodes)
        if outcome.objective - lp_bound > IMPLAUSIBLE_GAP * abs(lp_bound):
            outcome = self._whole(outcome)
            if outcome.objective - bound <= TRICKLE * abs(lp_bound):
                bound = outcome.objective
        bound = min(max(self.least, bound), outcome.objective)
        status = OPTIMAL if self.close(outcome.objective, bound) else STOPPED
        return Found(status, outcome.values, outcome.objective, bound, lp_bound, outcome.nodes)

    def _whole(self, outcome: Outcome) -> Outcome:
        """Return the point with every integer a whole number; as it is where that has no point."""
        assert outcome.values is not None
        whole = np.round(outcome.values)
        fixed = dataclasses.replace(
            self.program,
            lower=np.where(self.program.integer, whole, self.program.lower),
            upper=np.where(self.program.integer, whole, self.program.upper),
        )
        settled = solve_lp(fixed, self.cost, self.offset, self.clock)
        if settled.values is None:
            return outcome
        return dataclasses.replace(outcome, values=settled.values, objective=settled.objective)


def relative_gap(objective: float, bound: float) -> float:
    """Return ``|objective - bound| / |objective|``."""
    return abs(objective - bound) / max(abs(objective), 1e-12)
