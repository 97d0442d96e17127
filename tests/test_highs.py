"""HiGHS under our wrapper: thread counts may change from solve to solve."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.highs import OPTIMAL, Clock, compile_model, solve_mip


def test_thread_counts_may_alternate() -> None:
    """HiGHS' scheduler is process-wide: without a reset the second count fails to run."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(4), domain=pyo.NonNegativeIntegers, bounds=(0, 9))
    model.fit = pyo.Constraint(expr=sum((k + 2) * model.x[k] for k in range(4)) <= 17)
    model.value = pyo.Objective(expr=sum((k + 1) * model.x[k] for k in range(4)), sense=pyo.maximize)
    program = compile_model(model)
    for threads in (1, 2, 1):
        clock = Clock(10.0, threads)
        outcome = solve_mip(program, program.costs[0], 0.0, clock, upper=program.upper, gap=0.0)
        assert (outcome.status, outcome.objective) == (OPTIMAL, -13.0)
