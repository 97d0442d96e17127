"""HiGHS under our wrapper: thread counts may change from solve to solve."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

import solver.highs
from solver.highs import OPTIMAL, STOPPED, Clock, Outcome, Program, compile_model, solve_mip
from solver.search import minimise


def knapsack() -> Program:
    """Four things of size k + 2 and worth k + 1 in a sack of 17: the best is worth 13."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(4), domain=pyo.NonNegativeIntegers, bounds=(0, 9))
    model.fit = pyo.Constraint(expr=sum((k + 2) * model.x[k] for k in range(4)) <= 17)
    model.value = pyo.Objective(expr=sum((k + 1) * model.x[k] for k in range(4)), sense=pyo.maximize)
    return compile_model(model)


def test_thread_counts_may_alternate() -> None:
    """HiGHS' scheduler is process-wide: without a reset the second count fails to run."""
    program = knapsack()
    for threads in (1, 2, 1):
        clock = Clock(10.0, threads)
        outcome = solve_mip(program, program.costs[0], 0.0, clock, upper=program.upper, gap=0.0)
        assert (outcome.status, outcome.objective) == (OPTIMAL, -13.0)


EMPTY = Outcome(OPTIMAL, np.zeros(4), 0.0, 0.0)
"""What HiGHS 1.16 said of a study with thousands of nodes in its best build: nothing is optimal."""


def lying(monkeypatch: pytest.MonkeyPatch, lies: list[Outcome]) -> list[Outcome]:
    """Let the first runs of HiGHS return what they are told to; later ones are real."""
    real = solver.highs._run_mip

    def run(highs: Any, *rest: Any) -> Outcome:
        return lies.pop(0) if lies else real(highs, *rest)

    monkeypatch.setattr(solver.highs, "_run_mip", run)
    return lies


def test_an_optimum_far_from_the_relaxation_needs_a_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that a false optimum is found out: taken at its word, the answer would be 0 with a gap of 0."""
    program = knapsack()
    lies = lying(monkeypatch, [EMPTY])
    found = minimise(program, program.costs[0], 0.0, Clock(10.0), gap=0.0, sign=-1.0)
    assert not lies and (found.status, found.objective) == (OPTIMAL, -13.0)


def test_a_poor_optimum_with_a_witness_stands() -> None:
    """Proves that a true optimum far from the relaxation is kept: 1 of at most 1.9, both runs say so."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(domain=pyo.NonNegativeIntegers)
    model.fit = pyo.Constraint(expr=model.x <= 1.9)
    model.value = pyo.Objective(expr=model.x, sense=pyo.maximize)
    program = compile_model(model)
    found = minimise(program, program.costs[0], 0.0, Clock(10.0), gap=0.0, sign=-1.0)
    assert (found.status, found.objective, found.bound) == (OPTIMAL, -1.0, -1.0)


def test_time_out_among_doubts_claims_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that an unconfirmed optimum is not called one when the time is over."""
    program = knapsack()
    lying(monkeypatch, [EMPTY, Outcome(STOPPED, None, np.nan, np.nan)])
    outcome = solve_mip(program, program.costs[0], 0.0, Clock(10.0), upper=program.upper, gap=0.0, relaxed=-13.6)
    assert outcome.status == STOPPED and outcome.objective == 0.0 and np.isnan(outcome.bound)


def test_variables_know_their_names_while_the_program_lives() -> None:
    """Proves that a program keeps its model: Pyomo's variables point to it weakly and would forget their names."""
    program = knapsack()
    gc.collect()
    assert {v.parent_component().local_name for v in program.variables} == {"x"}
