"""A program without its fixed columns has the same optimum, and forgets nothing that does not hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compression import compressed, solve_small_mip
from solver.highs import INFEASIBLE, OPTIMAL, Clock, Program, solve_mip


def program(rows: np.ndarray, row_lower: np.ndarray, row_upper: np.ndarray, upper: np.ndarray) -> Program:
    """A program with integers at even places; rows as a dense table."""
    n = rows.shape[1]
    inside = rows != 0.0
    return Program(
        costs=np.zeros((1, n)), offsets=np.zeros(1), start=np.concatenate([[0], np.cumsum(inside.sum(axis=1))]).astype(np.int32),
        index=np.nonzero(inside)[1].astype(np.int32), value=rows[inside], row_lower=row_lower, row_upper=row_upper,
        lower=np.zeros(n), upper=upper, integer=np.arange(n) % 2 == 0, variables=list(range(n)), rows=list(range(len(rows))),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_optimum_is_that_of_the_whole(seed: int) -> None:
    """Columns taken out at random, in rows of which some leave no room for what remains of them."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(4, 12)), int(rng.integers(2, 8))
    rows = rng.integers(-2, 3, (m, n)).astype(float)
    most = rng.choice([0.0, 3.0, 8.0], m)
    whole = program(rows, np.full(m, -np.inf), most, np.full(n, 5.0))
    upper = np.where(rng.random(n) < 0.4, 0.0, whole.upper)
    cost, clock = rng.integers(-3, 2, n).astype(float), Clock(20.0, threads=1)
    expected = solve_mip(whole, cost, 1.0, clock, upper=upper, gap=1e-9)
    found = solve_small_mip(whole, cost, 1.0, clock, upper=upper, gap=1e-9)
    assert found.status == expected.status == OPTIMAL
    assert found.objective == pytest.approx(expected.objective)
    assert found.values is not None
    assert (found.values <= upper + 1e-9).all() and (rows @ found.values <= most + 1e-6).all()
    assert float(cost @ found.values + 1.0) == pytest.approx(found.objective)


def test_a_row_without_room_takes_its_columns_along() -> None:
    """``parked <= 3 replicas``: without replicas nothing is parked, so nothing is written, and the rows go too.

    Columns: replicas, parked, written, other. Rows: parked - 3 replicas <= 0; written - 2 parked <= 0; other <= 4.
    """
    rows = np.array([[-3.0, 1.0, 0.0, 0.0], [0.0, -2.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    whole = program(rows, np.full(3, -np.inf), np.array([0.0, 0.0, 4.0]), np.full(4, 9.0))
    small = compressed(whole, np.arange(4.0), 0.0, np.array([0.0, 9.0, 9.0, 9.0]))
    assert list(small.kept) == [3] and small.program.rows == [2]
    assert list(small.whole(np.array([2.5]))) == [0.0, 0.0, 0.0, 2.5]


def test_what_does_not_hold_without_its_columns_is_not_forgotten() -> None:
    """At least two of a column that is taken out: no point, and not a program without that row."""
    whole = program(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([2.0, 0.0]), np.full(2, np.inf), np.full(2, 9.0))
    found = solve_small_mip(
        whole, np.ones(2), 0.0, Clock(20.0, threads=1), upper=np.array([0.0, 9.0]), gap=1e-9
    )  # fmt: skip
    assert found.status == INFEASIBLE and found.values is None


def test_fixed_columns_keep_their_values_and_cost() -> None:
    """A column fixed at 2 moves the side of its row: ``x0 + x2 >= 5`` leaves 3 for x0, at 1 each, beside 2 at 10."""
    whole = program(np.array([[1.0, 0.0, 1.0]]), np.array([5.0]), np.array([np.inf]), np.array([9.0, 9.0, 2.0]))
    fixed = Program(**{**whole.__dict__, "lower": np.array([0.0, 0.0, 2.0])})
    found = solve_small_mip(
        fixed, np.array([1.0, 1.0, 10.0]), 0.0, Clock(20.0, threads=1), upper=fixed.upper, gap=1e-9
    )  # fmt: skip
    assert found.values is not None
    assert list(found.values) == [3.0, 0.0, 2.0] and found.objective == pytest.approx(23.0)
