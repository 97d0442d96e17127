"""Solve a hand-made case, with and without the row under test."""

from __future__ import annotations

import math

import pyomo.environ as pyo
import pytest
from records import candidate, configuration, housing, model_data, platform, scenario, workload

from solver.highs import INFEASIBLE, OPTIMAL, UNBOUNDED, Clock, compile_model
from solver.model.data import ModelData, Pool
from solver.optimise import compiled, optimise
from solver.search import minimise

Row = str | tuple[str, object]
"""A constraint component, or one of its indices."""


def take_out(model: pyo.ConcreteModel, row: Row) -> None:
    """Deactivate a row of the model or of its first period; it must be there and active."""
    name, index = (row, None) if isinstance(row, str) else row
    component = model.component(name) or model.period[0].component(name)
    assert component is not None and len(component) > 0, f"no row {name}"
    target = component if index is None else component[index]
    assert target.active
    target.deactivate()


def optimum(data: ModelData, *without: Row) -> float:
    """Return the optimum in the objective's unit, by the program's own search.

    Parameters
    ----------
    data : ModelData
    *without : str or (str, index)
        Rows to take out of the model first.

    Returns
    -------
    float
        nan where there is no feasible point, infinity where there is no limit.
    """
    clock = Clock(60.0, threads=1)
    if not without:
        solved = optimise(data, clock)
        assert solved.found.status in (OPTIMAL, INFEASIBLE, UNBOUNDED)
        unbounded = solved.found.status == UNBOUNDED
        return math.inf if unbounded else solved.value * solved.objective.per_unit(data.scenario)
    model, _, objective = compiled(data)
    for row in without:
        take_out(model, row)
    program = compile_model(model)
    assert len(program.costs) == 1, "take the ratio's floor out of the study instead"
    sign = -1.0 if objective.sense > 0 else 1.0
    found = minimise(program, program.costs[0], float(program.offsets[0]), clock, gap=1e-7, sign=sign)
    if found.status == UNBOUNDED:
        return math.inf
    return sign * found.objective * objective.per_unit(data.scenario)


def proves(data: ModelData, row: Row, right: float, broken: float) -> None:
    """Assert the optimum with the row and the optimum without it, both known by hand and unlike."""
    assert right != pytest.approx(broken, rel=1e-3), "a case that does not exercise the row proves nothing"
    assert optimum(data) == pytest.approx(right, rel=1e-6, abs=1e-6)
    assert optimum(data, row) == pytest.approx(broken, rel=1e-6, abs=1e-6)


def one_of_each(changes: dict[str, object]) -> ModelData:
    """Return two platforms of which one node each can be had, at 1,000 and 800 tokens/s."""
    first, second = platform("first"), platform("second")
    columns = [(candidate(rate=10.0, at=first), None), (candidate(rate=8.0, at=second), None)]
    houses = [housing(Pool(configuration(part), 1.0)) for part in (first, second)]
    supply = {"supply.platform.first": 1, "supply.platform.second": 1}
    return model_data(scenario(supply | changes, [workload(demand=100.0)]), columns, houses)
