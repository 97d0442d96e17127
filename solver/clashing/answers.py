"""Designs of studies without a build, each with its reason in words and numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pyomo.environ as pyo

from solver.assemble import unbuilt
from solver.candidates import CandidateSet
from solver.clashing.inputs import Contradiction
from solver.clashing.programs import Case, least
from solver.clashing.why import FAILURES, Told, clock_of, told_classes, told_inputs, told_limits
from solver.design import INFEASIBLE, Design
from solver.highs import Clock
from solver.model.data import ModelData
from solver.model.objectives import find_objective
from solver.optimise import unserved_classes
from solver.scenario import Scenario
from solver.words import amount, figure

NOTHING = "serving nothing is best"
Make = Callable[[Scenario], tuple[ModelData, CandidateSet]]


def contradicted(scenario: Scenario, found: Sequence[Contradiction]) -> Design:
    """Return the answer to a study that contradicts itself.

    Parameters
    ----------
    scenario : Scenario
    found : sequence of Contradiction
    """
    return _design(scenario, CandidateSet((), (), 0, 0), told_inputs(found))


def not_served(data: ModelData, candidates: CandidateSet, make: Make, clock: Clock) -> Design:
    """Return the answer to a study in which nothing can serve a class, told without a solve.

    Where only queues that became narrower keep a class from being served, limits are asked too.

    Parameters
    ----------
    data : ModelData
    candidates : CandidateSet
    make : callable
        Columns of a scenario.
    clock : Clock
        Of the solve.
    """
    scenario = data.scenario
    columns = _columns(scenario, make)
    own = clock_of(clock, scenario.study.solver.time_limit_s)
    told = told_classes(data, columns, candidates.dropped, own)
    wide = dataclasses.replace(scenario, widths={})
    if scenario.widths and not unserved_classes(columns(wide)):
        limits = told_limits(Case(wide, columns, own), told.lines)
        told = dataclasses.replace(limits, classes=told.classes)
    return _design(scenario, candidates, told)


def clashed(
    scenario: Scenario,
    candidates: CandidateSet,
    make: Make,
    clock: Clock,
    found: Sequence[Contradiction] = (),
    *,
    empty: bool = False,
) -> tuple[Design, Told]:
    """Return the answer to a study whose limits clash, and what is known of it.

    Parameters
    ----------
    scenario : Scenario
    candidates : CandidateSet
    make : callable
        Columns of a scenario.
    clock : Clock
        Of the solve.
    found : sequence of Contradiction
        Limits that not even one node keeps.
    empty : bool
        True where the best build is an empty one.
    """
    wide, own = dataclasses.replace(scenario, widths={}), clock_of(clock, scenario.study.solver.time_limit_s)
    case = Case(wide, _columns(scenario, make), own, something=empty or scenario.study.demand.floor_frac == 0.0)
    told = told_limits(case, [item.line for item in found])
    told.inputs = list(found)
    if told.build and empty:
        told.lines = [_best_of_something(case)]
    return _design(scenario, candidates, told), told


def _best_of_something(case: Case) -> str:
    """What the best build that serves anything is worth, where an empty one is better."""
    objective = find_objective(case.scenario)
    unit = objective.per_unit(case.scenario)

    def aim(model: pyo.ConcreteModel, data: ModelData) -> object:
        return -objective.sense * objective.numerator(model.period[0], data)  # type: ignore[operator]

    try:
        best = least(case, case.scenario, aim)
    except FAILURES:
        return f"{NOTHING}: no build is worth what it costs"
    if not best.found:
        return f"{NOTHING}: no build is worth what it costs"
    value = -objective.sense * best.value * unit
    shown = amount(value, objective.unit) if objective.unit == "USD/year" else f"{figure(value)} {objective.unit}"
    return f"{NOTHING}: the best build that serves anything has {shown} ({objective.name.lower()})"


def _columns(scenario: Scenario, make: Make) -> Callable[[Scenario], ModelData]:
    """Columns at the widths and promises of a scenario, under its limits: columns are made under those of the study."""
    known: dict[str, ModelData] = {}

    def columns(wanted: Scenario) -> ModelData:
        key = repr((sorted(wanted.widths.items()), wanted.workloads))
        if key not in known:
            study = scenario.study.model_copy(update={"workload": wanted.study.workload})
            asked = dataclasses.replace(scenario, study=study, workloads=wanted.workloads, widths=wanted.widths)
            known[key] = make(asked)[0]
        return dataclasses.replace(known[key], scenario=wanted)

    return columns


def _design(scenario: Scenario, candidates: CandidateSet, told: Told) -> Design:
    design = unbuilt(scenario, candidates, INFEASIBLE, told.lines)
    return design.replace(explained={"clashes": told.record()})
