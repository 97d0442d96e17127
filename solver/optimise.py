"""One set of columns, one objective: build the model, compile it, find the best point and its bound."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.errors import InputError, Problem
from solver.highs import OPTIMAL, Clock, Program, compile_model, solve_lp
from solver.model.build import build_model
from solver.model.data import ModelData
from solver.model.objectives import Objective, find_objective
from solver.model.practical import counted_platforms
from solver.restriction import Layout, promising
from solver.search import Choice, Found, Narrow, minimise, relative_gap

FloatArray = NDArray[np.float64]
SEARCH_GAP_SHARE = 0.6
"""Share of the allowed gap that the search may leave; the rest is room for the polish."""
MAX_RATIO_STEPS = 12


@dataclass(frozen=True)
class Solved:
    """A compiled model with the best point found for its objective.

    Attributes
    ----------
    data, model, program, objective
        What was solved; `costs[0]` is the numerator, `costs[1]` the denominator of a ratio.
    found : Found
        Best point, in the sense of minimisation.
    value, bound : float
        In model units of the objective (numerator, or numerator over denominator).
    timings : dict
        Seconds by step.
    """

    data: ModelData
    model: pyo.ConcreteModel
    program: Program
    objective: Objective
    found: Found
    value: float
    bound: float
    timings: dict[str, float]

    @property
    def is_ratio(self) -> bool:
        """True where the objective has a denominator that the design decides."""
        return len(self.program.costs) > 1


def compiled(data: ModelData) -> tuple[pyo.ConcreteModel, Program, Objective]:
    """Build the model of the study's objective and compile it."""
    scenario = data.scenario
    objective = find_objective(scenario)
    model = build_model(data)
    add_objective(model, data, objective)
    return model, compile_model(model), objective


def add_objective(model: pyo.ConcreteModel, data: ModelData, objective: Objective) -> None:
    """Add the numerator and, for a ratio, the denominator as objectives of the model."""
    block = model.period[0]
    sense = pyo.maximize if objective.sense > 0 else pyo.minimize
    model.numerator = pyo.Objective(expr=objective.numerator(block, data), sense=sense, doc=objective.name)
    ratio = objective.denominator(data.scenario)
    if ratio:
        model.denominator = pyo.Objective(expr=block.use[ratio], doc=f"denominator of {objective.name}")


def optimise(data: ModelData, clock: Clock) -> Solved:
    """Find the best point of the study's objective over a set of columns."""
    clock.report("model", None, None, None)
    begun = time.perf_counter()
    model, program, objective = compiled(data)
    timings = {"model_s": time.perf_counter() - begun}
    gap = data.scenario.study.solver.gap * SEARCH_GAP_SHARE
    begun = time.perf_counter()
    layout = Layout.of(data, model, program)
    narrow, choice = partial(promising, data, layout), platform_choice(data, layout)
    found, value, bound = best(program, objective.sense, clock, gap, narrow=narrow, choice=choice)
    timings["search_s"] = time.perf_counter() - begun
    return Solved(data, model, program, objective, found, value, bound, timings)


def best(
    program: Program,
    sense: int,
    clock: Clock,
    gap: float,
    start: FloatArray | None = None,
    *,
    narrow: Narrow | None = None,
    choice: Choice | None = None,
) -> tuple[Found, float, float]:
    """Find the best point of a compiled objective.

    Parameters
    ----------
    program : Program
        With the numerator as first cost and, for a ratio, the denominator as second.
    sense : int
        1 to maximise, -1 to minimise.
    clock : Clock
    gap : float
        Relative distance to the bound that is near enough.
    start : (N,) array, optional
        A feasible point to begin with; a ratio does without.
    narrow, choice
        As in `minimise`.

    Returns
    -------
    found : Found
    value, bound : float
        In model units of the objective.
    """
    if len(program.costs) > 1:
        return _dinkelbach(program, clock, gap, narrow, choice)
    sign = -1.0 if sense > 0 else 1.0
    found = minimise(
        program,
        program.costs[0],
        float(program.offsets[0]),
        clock,
        gap=gap,
        sign=sign,
        start=start,
        narrow=narrow,
        choice=choice,
    )
    return found, sign * found.objective, sign * found.bound


def platform_choice(data: ModelData, layout: Layout) -> Choice | None:
    """Platforms with accelerators as groups of columns, where the study limits how many kinds there may be."""
    limit = data.scenario.study.build.max_platforms
    if limit is None:
        return None
    return Choice({p: layout.platforms[p] for p in counted_platforms(data)}, limit)


def _dinkelbach(
    program: Program, clock: Clock, gap: float, narrow: Narrow | None, choice: Choice | None
) -> tuple[Found, float, float]:
    """Maximise numerator over denominator with a certified bound.

    Each step maximises ``N - lambda D``; with the step's upper bound UB and a lower bound D_min of the
    denominator, no design has a ratio above ``lambda + UB / D_min`` (Dinkelbach 1967, with the bound of an
    inexact step).
    """
    smallest = solve_lp(program, program.costs[1], program.offsets[1], clock)
    if smallest.status != OPTIMAL:
        return Found(smallest.status, None, np.nan, np.nan, np.nan, 0), np.nan, np.nan
    if smallest.objective <= 0.0:
        message = "the build may use nothing of what the objective divides by, so that the ratio has no bound"
        raise InputError(
            [Problem("study", "", "objective.name", "", message, "a price of energy, or another objective")]
        )
    lam, bound, best = 0.0, np.inf, None
    for _ in range(MAX_RATIO_STEPS):
        cost = program.costs[0] + lam * program.costs[1]
        offset = float(program.offsets[0] + lam * program.offsets[1])
        allowed = 0.5 * gap * lam * smallest.objective
        start = None if best is None else best.values
        found = minimise(
            program,
            cost,
            offset,
            clock,
            gap=0.05 if start is None else 1e-9,
            absolute_gap=allowed,
            sign=-1.0,
            start=start,
            narrow=narrow,
            choice=choice,
        )
        if found.values is None:
            return (found, np.nan, np.nan) if best is None else (best, lam, bound)
        bound = min(bound, lam + max(0.0, -found.bound) / smallest.objective)
        ratio = ratio_of(program, found.values)
        if best is None or ratio > lam:
            best, lam = found, max(lam, ratio)
        if relative_gap(lam, bound) <= gap or clock.stop():
            break
    assert best is not None
    return best, lam, bound


def ratio_of(program: Program, values: FloatArray) -> float:
    """Numerator over denominator at a point, in model units."""
    numerator = -(program.costs[0] @ values + program.offsets[0])
    return float(numerator / (program.costs[1] @ values + program.offsets[1]))
