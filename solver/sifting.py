"""Where to begin the LP of a large program that is like one solved before: at the optimum of a small part of it.

The duals of the one before price every column. Those that are in use, or not far from being worth their price, make an
LP a third as large that is solved from nothing in a moment; its basis leaves the whole LP little to do. The last basis
itself is a poor place to begin: thousands of rows and columns of parked KV stand at zero in it, and HiGHS 1.16 pivots
among them longer than a solve from nothing takes. (Sifting: Bixby et al. 1992, Operations Research 40(5).)
"""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from solver.compression import compressed
from solver.highs import OPTIMAL, Clock, Outcome, Program, load, run_lp, status_of

FloatArray = NDArray[np.float64]
SIFTED_FROM = 5000
"""Columns below which an LP is solved in no time wherever it begins."""
NEARLY_WORTH = 0.1
"""Share of what a column takes and gives, at the old prices, that it may lack to be worth its price."""


def sifted_basis(
    program: Program, cost: FloatArray, upper: FloatArray, like: Outcome, clock: Clock
) -> highspy.HighsBasis | None:
    """Return the basis of the optimum over the columns worth a look; None where that is of no help.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    upper : (N,) array
        Upper bounds in place of the program's; 0 takes a column out.
    like : Outcome
        Of an LP with the same columns and the same first rows; further rows are taken to be worth nothing.
    clock : Clock
    """
    if len(cost) < SIFTED_FROM or like.values is None or len(like.duals) == 0:
        return None
    matrix = csr_matrix((program.value, program.index, program.start), shape=(len(program.row_lower), len(cost)))
    wanted = np.flatnonzero(_worth_a_look(program, matrix, cost, upper, like))
    part = matrix[:, wanted]
    rows = np.flatnonzero(np.diff(part.indptr))
    part = part[rows]
    small = Program(
        costs=program.costs[:, wanted], offsets=program.offsets,
        start=part.indptr.astype(np.int32), index=part.indices.astype(np.int32), value=part.data,
        row_lower=program.row_lower[rows], row_upper=program.row_upper[rows],
        lower=program.lower[wanted], upper=upper[wanted], integer=program.integer[wanted], variables=[], rows=[],
    )  # fmt: skip
    highs = load(small, cost[wanted], 0.0, small.upper, integer=False, clock=clock)
    run_lp(highs)
    if status_of(highs) != OPTIMAL:
        return None
    return _whole(highs.getBasis(), wanted, rows, len(cost), len(program.row_lower))


def nearest(program: Program, cost: FloatArray, known: Sequence[Outcome]) -> Outcome:
    """Return the optimum whose duals bound a program best: the one that differs least from its own.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    known : sequence of Outcome
        Of LPs with the same rows and columns, one at least.
    """
    matrix = csr_matrix((program.value, program.index, program.start), shape=(len(program.row_lower), len(cost)))
    return max(known, key=lambda outcome: _bound(program, cost - matrix.T @ outcome.duals, outcome.duals))


def _bound(program: Program, reduced: FloatArray, duals: FloatArray) -> float:
    """What duals prove of a program; columns without bounds whose price is a little too low are left out."""
    rows = np.where(duals > 0.0, program.row_lower, program.row_upper)
    columns = np.where(reduced > 0.0, program.lower, program.upper)
    return float(sum(
        np.dot(prices[np.isfinite(sides)], sides[np.isfinite(sides)])
        for prices, sides in ((duals, rows), (reduced, columns))
    ))  # fmt: skip


def solve_lp_like(
    program: Program, cost: FloatArray, offset: float, clock: Clock, like: Outcome, upper: FloatArray | None = None
) -> Outcome:
    """Solve a linear relaxation, a large one from where `sifted_basis` says.

    Parameters
    ----------
    program, cost, offset, clock, upper
        As in `solver.highs.solve_lp`.
    like : Outcome
        As in `sifted_basis`.
    """
    most = program.upper if upper is None else upper
    highs = load(program, cost, offset, most, integer=False, clock=clock)
    basis = sifted_basis(program, cost, most, like, clock)
    if basis is not None:
        highs.setBasis(basis)
    return run_lp(highs)


def prices_of_part(
    program: Program, cost: FloatArray, offset: float, upper: FloatArray, clock: Clock
) -> Outcome | None:
    """Return the optimum over a part of a program, with duals of all its rows; None where there is none.

    Parameters
    ----------
    program, cost, offset, clock
        As in `solver.highs.solve_lp`.
    upper : (N,) array
        Upper bounds in place of the program's: 0 for columns that are not part of it.
    """
    part = compressed(program, cost, offset, upper)
    if not len(part.kept):
        return None
    highs = load(part.program, part.cost, part.offset, part.program.upper, integer=False, clock=clock)
    found = run_lp(highs)
    if found.values is None:
        return None
    duals = np.zeros(len(program.row_lower))
    duals[part.rows] = found.duals
    return Outcome(OPTIMAL, part.whole(found.values), found.objective, found.bound, duals=duals)


def _worth_a_look(
    program: Program, matrix: csr_matrix, cost: FloatArray, upper: FloatArray, like: Outcome
) -> NDArray[np.bool_]:
    """Columns in use, those that cannot stand at zero, and those worth nearly what they take."""
    assert like.values is not None
    prices = np.zeros(matrix.shape[0])
    prices[: len(like.duals)] = like.duals
    reduced = cost - matrix.T @ prices
    turnover = np.abs(cost) + abs(matrix).T @ np.abs(prices)
    stands = program.lower != 0.0
    worth: NDArray[np.bool_] = (upper > 0.0) & ((reduced <= NEARLY_WORTH * turnover) | (like.values > 0.0))
    return np.asarray(worth | stands)


def _whole(
    basis: highspy.HighsBasis, columns: NDArray[np.intp], rows: NDArray[np.intp], width: int, height: int
) -> highspy.HighsBasis:
    """The basis of a part as one of the whole: other columns stand at their lower bound, other rows are slack."""
    column_status = [highspy.HighsBasisStatus.kLower] * width
    row_status = [highspy.HighsBasisStatus.kBasic] * height
    for k, status in zip(columns.tolist(), basis.col_status, strict=True):
        column_status[k] = status
    for k, status in zip(rows.tolist(), basis.row_status, strict=True):
        row_status[k] = status
    whole = highspy.HighsBasis()
    whole.col_status, whole.row_status, whole.valid = column_status, row_status, True
    return whole
