"""A large LP that begins near its optimum has the optimum of one that begins from nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from solver import sifting
from solver.highs import INFEASIBLE, OPTIMAL, Clock, Program, solve_lp
from solver.relaxation import Relaxation
from solver.sifting import prices_of_part, sifted_basis, solve_lp_like

SEEDS = range(30)


def program(seed: int, rows: int = 12, columns: int = 60) -> Program:
    """A packing of random columns with a few lower bounds, equalities and columns that only one row holds."""
    rng = np.random.default_rng(seed)
    dense = rng.uniform(0.1, 2.0, (rows, columns)) * (rng.random((rows, columns)) < 0.3)
    dense[0] = rng.uniform(0.1, 1.0, columns)
    lower = np.where(rng.random(columns) < 0.05, 0.1, 0.0)
    upper = np.where(rng.random(columns) < 0.3, 1.0, np.inf)
    row_upper = dense @ lower + rng.uniform(1.0, 4.0, rows)
    row_lower = np.full(rows, -np.inf)
    row_lower[-1] = row_upper[-1] = dense[-1] @ lower + 0.5
    start = np.concatenate([[0], np.cumsum([np.count_nonzero(row) for row in dense])])
    return Program(
        costs=-rng.uniform(0.5, 2.0, (1, columns)), offsets=np.zeros(1),
        start=start.astype(np.int32), index=np.concatenate([np.flatnonzero(row) for row in dense]).astype(np.int32),
        value=dense[dense != 0.0], row_lower=row_lower, row_upper=row_upper, lower=lower, upper=upper,
        integer=np.zeros(columns, dtype=bool), variables=[None] * columns, rows=[None] * rows,
    )  # fmt: skip


def moved(before: Program, seed: int) -> Program:
    """The same with other sides and costs."""
    rng = np.random.default_rng(1000 + seed)
    room = rng.uniform(0.5, 1.5, len(before.row_upper))
    upper = np.where(np.isfinite(before.row_lower), before.row_upper, before.row_upper * room + 0.5)
    return dataclasses.replace(before, row_upper=upper, costs=before.costs * rng.uniform(0.8, 1.2, before.costs.shape))


@pytest.fixture(autouse=True)
def every_program_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solver.sifting.SIFTED_FROM", 1)
    monkeypatch.setattr("solver.relaxation.SIFTED_FROM", 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_changed_program_has_the_optimum_of_one_solved_from_nothing(seed: int) -> None:
    """Proves solve_lp_like and Relaxation.change, from optimum to optimum."""
    clock, first = Clock(60.0), program(seed)
    before = solve_lp(first, first.costs[0], 0.0, clock)
    assert before.status == OPTIMAL
    relaxation = Relaxation(first, first.costs[0], 0.0, clock)
    assert relaxation.solve().objective == pytest.approx(before.objective, rel=1e-9)
    for step in range(3):
        other = moved(first, 10 * seed + step)
        cold = solve_lp(other, other.costs[0], 0.0, clock)
        warm = solve_lp_like(other, other.costs[0], 0.0, clock, before)
        relaxation.change(other, other.costs[0], 0.0)
        again = relaxation.solve()
        assert {cold.status, warm.status, again.status} in ({OPTIMAL}, {INFEASIBLE})
        if cold.status == OPTIMAL:
            assert warm.objective == pytest.approx(cold.objective, rel=1e-9)
            assert again.objective == pytest.approx(cold.objective, rel=1e-9)
            assert dual_bound(other, again.duals) == pytest.approx(cold.objective, rel=1e-7)


def dual_bound(of: Program, duals: np.ndarray) -> float:
    """What the duals alone prove: no point costs less."""
    dense = np.zeros((len(of.row_upper), len(of.upper)))
    for k in range(len(of.row_upper)):
        part = slice(of.start[k], of.start[k + 1])
        dense[k, of.index[part]] = of.value[part]
    reduced = of.costs[0] - dense.T @ duals
    sides = np.where(duals > 0, of.row_lower, of.row_upper)
    rows = np.where(duals == 0, 0.0, duals * np.where(duals == 0, 0.0, sides)).sum()
    at = np.where(reduced > 0, of.lower, np.where(np.abs(reduced) < 1e-9, 0.0, of.upper))
    return float(rows + (np.where(np.abs(reduced) < 1e-9, 0.0, reduced) * at).sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_relaxation_that_begins_at_a_part_ends_at_the_optimum_of_all(seed: int) -> None:
    """Proves prices_of_part: its duals stand in the rows of the whole, and a poor part does no harm."""
    clock, whole = Clock(60.0), program(seed)
    cold = solve_lp(whole, whole.costs[0], 0.0, clock)
    for keep in (2, 5):
        part = np.where((np.arange(len(whole.upper)) % keep == 0) | (whole.lower > 0), whole.upper, 0.0)
        found = Relaxation(whole, whole.costs[0], 0.0, clock, part).solve()
        assert found.objective == pytest.approx(cold.objective, rel=1e-9)
        like = prices_of_part(whole, whole.costs[0], 0.0, part, clock)
        alone = solve_lp(whole, whole.costs[0], 0.0, clock, part)
        if like is None:
            assert alone.values is None
        else:
            assert like.objective == pytest.approx(alone.objective, rel=1e-9)
            assert len(like.duals) == len(whole.row_upper)


def test_rows_that_came_later_are_worth_nothing_at_first() -> None:
    """A program with one row more than the one before is solved as well."""
    clock, first = Clock(60.0), program(3)
    before = solve_lp(first, first.costs[0], 0.0, clock)
    assert before.values is not None
    used = np.flatnonzero(before.values > first.lower).astype(np.int32)
    more = dataclasses.replace(
        first, start=np.append(first.start, first.start[-1] + len(used)).astype(np.int32),
        index=np.append(first.index, used).astype(np.int32), value=np.append(first.value, np.ones(len(used))),
        row_lower=np.append(first.row_lower, -np.inf),
        row_upper=np.append(first.row_upper, 0.5 * before.values[used].sum() + 0.5 * first.lower[used].sum()),
        rows=[*first.rows, None],
    )  # fmt: skip
    cold = solve_lp(more, more.costs[0], 0.0, clock)
    assert cold.objective > before.objective
    assert solve_lp_like(more, more.costs[0], 0.0, clock, before).objective == pytest.approx(cold.objective, rel=1e-9)


def test_nothing_is_sifted_where_it_is_of_no_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small program, an optimum without duals, and a part without a point give no basis."""
    clock, first = Clock(60.0), program(0)
    before = solve_lp(first, first.costs[0], 0.0, clock)
    assert sifted_basis(first, first.costs[0], first.upper, before, clock) is not None
    bare = dataclasses.replace(before, duals=np.zeros(0))
    assert sifted_basis(first, first.costs[0], first.upper, bare, clock) is None
    nothing = dataclasses.replace(first, row_upper=first.row_upper - 100.0)
    assert sifted_basis(nothing, first.costs[0], first.upper, before, clock) is None
    monkeypatch.setattr(sifting, "SIFTED_FROM", 100)
    assert sifted_basis(first, first.costs[0], first.upper, before, clock) is None
