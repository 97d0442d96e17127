"""One set of columns, one objective: build the model, compile it, find the best point and its bound."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.common.gc_manager import PauseGC

from solver.errors import InputError, Problem
from solver.highs import OPTIMAL, Clock, Outcome, Program, compile_model, solve_lp
from solver.model.build import build_model
from solver.model.data import ModelData
from solver.model.objectives import Objective, find_objective
from solver.model.practical import counted_platforms
from solver.relaxation import Relaxation
from solver.restriction import Layout, best_of_each, promising
from solver.search import Check, Choice, Found, Narrow, minimise, relative_gap
from solver.sifting import SIFTED_FROM

FloatArray = NDArray[np.float64]
SEARCH_GAP_SHARE = 0.6
"""Share of the allowed gap that the search may leave; the rest is room for the polish."""
CONTENT_GAP_SHARE = 0.95
"""Share of the allowed gap at which the point of the narrowed program is taken; proving more takes most of the time."""
MAX_RATIO_STEPS = 12
RELAXED_RATIO_CHANGE = 1e-3
"""Relative change of a relaxed ratio at which its steps end."""


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

    @cached_property
    def layout(self) -> Layout:
        """Where the variables stand in the program."""
        return Layout.of(self.data, self.model, self.program)

    @property
    def is_ratio(self) -> bool:
        """True where the objective has a denominator that the design decides."""
        return len(self.program.costs) > 1


@dataclass(frozen=True)
class Ready:
    """A compiled model with the relaxation of its objective, solved.

    Attributes
    ----------
    data, model, program, objective
        What was compiled.
    relaxation : Relaxation
        Warm; of a ratio, at the last of its steps.
    relaxed : Outcome
    model_s, relaxation_s : float
        Seconds it took.
    """

    data: ModelData
    model: pyo.ConcreteModel
    program: Program
    objective: Objective
    relaxation: Relaxation
    relaxed: Outcome
    model_s: float
    relaxation_s: float

    @cached_property
    def layout(self) -> Layout:
        """Where the variables stand in the program."""
        return Layout.of(self.data, self.model, self.program)

    def changed(self, data: ModelData, program: Program, relaxed: Outcome) -> Ready:
        """Return the same model with other coefficients and sides, and where its variables stand in the program."""
        other = dataclasses.replace(self, data=data, program=program, relaxed=relaxed)
        other.__dict__["layout"] = self.layout
        return other


def compiled(data: ModelData) -> tuple[pyo.ConcreteModel, Program, Objective]:
    """Build the model of the study's objective and compile it."""
    scenario = data.scenario
    objective = find_objective(scenario)
    with PauseGC():
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


def relaxed_model(data: ModelData, clock: Clock) -> Ready:
    """Compile the model of a set of columns and solve the relaxation of its objective.

    A ratio N / D is maximised by steps of ``N - lambda D`` from the ratio of the step before (Dinkelbach 1967).
    """
    clock.report("model", None, None, None)
    begun = time.perf_counter()
    model, program, objective = compiled(data)
    model_s = time.perf_counter() - begun
    begun = time.perf_counter()
    cost, offset = program.costs[0], float(program.offsets[0])
    relaxation = first_relaxation(data, model, program, clock)
    relaxed, lam = relaxation.solve(), 0.0
    for _ in range(MAX_RATIO_STEPS if len(program.costs) > 1 else 0):
        if relaxed.values is None or program.costs[1] @ relaxed.values + program.offsets[1] <= 0.0:
            break
        before, lam = lam, ratio_of(program, relaxed.values)
        if abs(lam - before) <= RELAXED_RATIO_CHANGE * abs(lam):
            break
        relaxation.change(program, cost + lam * program.costs[1], offset + lam * float(program.offsets[1]))
        relaxed = relaxation.solve()
    took = time.perf_counter() - begun
    return Ready(data, model, program, objective, relaxation, relaxed, model_s, took)


def first_relaxation(data: ModelData, model: pyo.ConcreteModel, program: Program, clock: Clock) -> Relaxation:
    """Return the relaxation of a program of which nothing is known: it begins where the best of each platform ends."""
    part = (
        best_of_each(data, Layout.of(data, model, program), program.upper) if len(program.upper) > SIFTED_FROM else None
    )
    return Relaxation(program, program.costs[0], float(program.offsets[0]), clock, part)


def optimise(
    data: ModelData,
    clock: Clock,
    ready: Ready | None = None,
    bound: float | None = None,
    check: Check | None = None,
) -> Solved:
    """Find the best point of the study's objective over a set of columns.

    Parameters
    ----------
    data : ModelData
    clock : Clock
    ready : Ready, optional
        Of the same data, where it is compiled already.
    bound : float, optional
        Objective in model units that no design can beat, known from columns that are at least as good.
    check : callable, optional
        As in `minimise`.
    """
    ready = ready or relaxed_model(data, clock)
    gap = data.scenario.study.solver.gap * SEARCH_GAP_SHARE
    begun = time.perf_counter()
    model, program, objective = ready.model, ready.program, ready.objective
    layout = ready.layout
    found, value, proven = best(
        program,
        objective.sense,
        clock,
        gap,
        bound=bound,
        check=check,
        narrow=partial(promising, data, layout),
        choice=platform_choice(data, layout),
        relaxation=ready.relaxation,
        content=data.scenario.study.solver.gap * CONTENT_GAP_SHARE,
    )
    timings = {"model_s": ready.model_s, "search_s": ready.relaxation_s + time.perf_counter() - begun}
    return Solved(data, model, program, objective, found, value, proven, timings)


def unserved_classes(data: ModelData) -> list[str]:
    """Classes that must be served and that no candidate can serve."""
    demand = data.scenario.study.demand
    if demand.mode == "fixed" and demand.floor_frac == 0:
        return []
    return [
        f"class {name}: no part that may be bought can {' or '.join(roles)} within its promises"
        for name, roles in data.missing_roles.items()
    ]


def best(
    program: Program,
    sense: int,
    clock: Clock,
    gap: float,
    start: FloatArray | None = None,
    *,
    narrow: Narrow | None = None,
    choice: Choice | None = None,
    relaxation: Relaxation | None = None,
    bound: float | None = None,
    check: Check | None = None,
    content: float | None = None,
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
    narrow, choice, check, relaxation, content
        As in `minimise`; a ratio takes a relaxation of its own, and is content with nothing less than `gap`.
    bound : float, optional
        As in `optimise`.

    Returns
    -------
    found : Found
    value, bound : float
        In model units of the objective.
    """
    if len(program.costs) > 1:
        known = np.inf if bound is None else bound
        return _dinkelbach(program, clock, gap, known, narrow=narrow, choice=choice, check=check)
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
        relaxation=relaxation,
        floor=-np.inf if bound is None else sign * bound,
        check=check,
        content=content,
    )
    return found, sign * found.objective, sign * found.bound


def platform_choice(data: ModelData, layout: Layout) -> Choice | None:
    """Platforms with accelerators as groups of columns, where the study limits how many kinds there may be."""
    limit = data.scenario.study.build.max_platforms
    if limit is None:
        return None
    return Choice({p: layout.platforms[p] for p in counted_platforms(data)}, limit)


def _dinkelbach(
    program: Program,
    clock: Clock,
    gap: float,
    bound: float,
    *,
    narrow: Narrow | None,
    choice: Choice | None,
    check: Check | None,
) -> tuple[Found, float, float]:
    """Maximise numerator over denominator with a certified bound.

    Each step maximises ``N - lambda D``; with the step's upper bound UB and a lower bound D_min of the
    denominator, no design has a ratio above ``lambda + UB / D_min`` (Dinkelbach 1967, with the bound of an
    inexact step). The search begins with the `bound` that is known.
    """
    smallest = solve_lp(program, program.costs[1], program.offsets[1], clock)
    if smallest.status != OPTIMAL:
        return Found(smallest.status, None, np.nan, np.nan, np.nan, 0), np.nan, np.nan
    if smallest.objective <= 0.0:
        message = "the build may use nothing of what the objective divides by, so that the ratio has no bound"
        raise InputError(
            [Problem("study", "", "objective.name", "", message, "a price of energy, or another objective")]
        )
    lam, best = 0.0, None
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
            check=check,
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


def linearised(program: Program, solved: Solved, target: float) -> tuple[FloatArray, float]:
    """Cost row and offset to minimise: the numerator, for a ratio numerator minus target times denominator."""
    if not solved.is_ratio:
        return program.costs[0], float(program.offsets[0])
    return (
        program.costs[0] + target * program.costs[1],
        float(program.offsets[0] + target * program.offsets[1]),
    )


def value_at(program: Program, values: FloatArray, solved: Solved) -> float:
    """Objective of a point in model units."""
    if solved.is_ratio:
        return ratio_of(program, values)
    sign = -1.0 if solved.objective.sense > 0 else 1.0
    return float(sign * (program.costs[0] @ values + program.offsets[0]))


def with_fixed_integers(program: Program, values: FloatArray) -> Program:
    """Return the same program with its integers fixed at their rounded values."""
    whole = np.round(values)
    return dataclasses.replace(
        program,
        lower=np.where(program.integer, whole, program.lower),
        upper=np.where(program.integer, whole, program.upper),
    )


def ratio_of(program: Program, values: FloatArray) -> float:
    """Numerator over denominator at a point, in model units."""
    numerator = -(program.costs[0] @ values + program.offsets[0])
    return float(numerator / (program.costs[1] @ values + program.offsets[1]))
