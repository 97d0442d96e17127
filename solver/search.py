"""From relaxation to certified optimum of one linear objective.

The linear relaxation gives a bound that no design can beat and tells an infeasible or unbounded study at once;
branch and bound then closes the gap.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.highs import IMPLAUSIBLE_GAP, INFEASIBLE, OPTIMAL, STOPPED, TRICKLE, Clock, Program, solve_lp, solve_mip

FloatArray = NDArray[np.float64]


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
    """
    relaxed = solve_lp(program, cost, offset, clock)
    if relaxed.status != OPTIMAL:
        return Found(relaxed.status, None, np.nan, np.nan, np.nan, 0)
    lp_bound = relaxed.objective
    clock.report("relaxation", None, sign * lp_bound, None)

    def report(objective: float, bound: float) -> None:
        honest = max(bound, lp_bound)
        clock.report("search", sign * objective, sign * honest, relative_gap(objective, honest))

    outcome = solve_mip(
        program,
        cost,
        offset,
        clock,
        upper=program.upper,
        gap=gap,
        absolute_gap=absolute_gap,
        start=start,
        report=report,
        relaxed=lp_bound,
    )
    if outcome.values is None:
        status = INFEASIBLE if outcome.status == INFEASIBLE else STOPPED
        return Found(status, None, np.nan, lp_bound, lp_bound, outcome.nodes)
    objective, values = outcome.objective, outcome.values
    bound = max(lp_bound, outcome.bound) if np.isfinite(outcome.bound) else lp_bound
    if objective - lp_bound > IMPLAUSIBLE_GAP * abs(lp_bound):
        objective, values = _whole(program, cost, offset, clock, outcome.values, objective)
        if objective - bound <= TRICKLE * abs(lp_bound):
            bound = objective
    bound = min(bound, objective)
    close = abs(objective - bound) <= max(gap * abs(objective), absolute_gap) * (1.0 + 1e-6)
    return Found(OPTIMAL if close else STOPPED, values, objective, bound, lp_bound, outcome.nodes)


def _whole(
    program: Program, cost: FloatArray, offset: float, clock: Clock, values: FloatArray, objective: float
) -> tuple[float, FloatArray]:
    """Objective and point with every integer a whole number; as they are where that has no point."""
    whole = np.round(values)
    fixed = dataclasses.replace(
        program,
        lower=np.where(program.integer, whole, program.lower),
        upper=np.where(program.integer, whole, program.upper),
    )
    settled = solve_lp(fixed, cost, offset, clock)
    return (objective, values) if settled.values is None else (settled.objective, settled.values)


def relative_gap(objective: float, bound: float) -> float:
    """Return ``|objective - bound| / |objective|``."""
    return abs(objective - bound) / max(abs(objective), 1e-12)
