"""A program without the columns that are fixed: what is left of it after narrowing is a tenth of its size.

HiGHS' presolve finds the same, but takes seconds for it: the rule that it would need is one that is switched off here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.highs import Clock, Outcome, Program, solve_mip

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Compressed:
    """What is left of a program, and how to come back.

    Attributes
    ----------
    program : Program
        Free columns, and rows that hold one.
    cost : (n,) array
    offset : float
        With what the fixed columns cost.
    kept : (n,) array of int
        Their positions in the whole program.
    rows : (m,) array of int
        The same of the rows.
    fixed : (N,) array
        Values of the fixed columns, zero elsewhere.
    """

    program: Program
    cost: FloatArray
    offset: float
    kept: NDArray[np.intp]
    rows: NDArray[np.intp]
    fixed: FloatArray

    def whole(self, values: FloatArray) -> FloatArray:
        """Return a point of the whole program."""
        point = self.fixed.copy()
        point[self.kept] = values
        return point


def compressed(program: Program, cost: FloatArray, offset: float, upper: FloatArray) -> Compressed:
    """Take out the columns that upper bounds fix, and the rows that hold nothing else.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    offset : float
    upper : (N,) array
        Upper bounds in place of the program's; 0 takes a column out.
    """
    lower = np.minimum(program.lower, upper)
    lengths = np.diff(program.start)
    row = np.repeat(np.arange(len(lengths)), lengths)
    upper = _without_forced(program, lower, upper, row)
    free = lower < upper
    fixed = np.where(free, 0.0, lower)
    kept = np.flatnonzero(free)
    moved = np.bincount(row, program.value * fixed[program.index], minlength=len(lengths))
    inside = free[program.index]
    left = np.bincount(row[inside], minlength=len(lengths))
    # A row of fixed columns alone stays where it does not hold, so that the whole has no point either.
    broken = (moved > program.row_upper + 1e-9) | (moved < program.row_lower - 1e-9)
    rows = np.flatnonzero((left > 0) | broken)
    new = np.cumsum(free) - 1
    small = dataclasses.replace(
        program,
        costs=program.costs[:, kept],
        start=np.concatenate([[0], np.cumsum(left[rows])]).astype(np.int32),
        index=new[program.index[inside]].astype(np.int32),
        value=program.value[inside],
        row_lower=(program.row_lower - moved)[rows],
        row_upper=(program.row_upper - moved)[rows],
        lower=lower[kept],
        upper=upper[kept],
        integer=program.integer[kept],
        variables=[program.variables[k] for k in kept],
        rows=[program.rows[k] for k in rows],
    )
    return Compressed(small, cost[kept], offset + float(cost @ fixed), kept, rows, fixed)


def forced_out(program: Program, upper: FloatArray) -> FloatArray:
    """Return upper bounds with 0 where other upper bounds of 0 leave a column nothing but 0.

    Parameters
    ----------
    program : Program
    upper : (N,) array
    """
    row = np.repeat(np.arange(len(program.row_lower)), np.diff(program.start))
    return _without_forced(program, np.minimum(program.lower, upper), upper, row)


def _without_forced(program: Program, lower: FloatArray, upper: FloatArray, row: NDArray[np.intp]) -> FloatArray:
    """Upper bounds with 0 where a row forces it: a sum of what is never negative that may be no more than nothing."""
    upper = upper.copy()
    count = len(program.row_lower)
    while True:
        free = (lower < upper)[program.index]
        odd = (lower != 0.0)[program.index]
        shares = [free & (program.value > 0.0), free & (program.value < 0.0), odd]
        positive, negative, other = (np.bincount(row[share], minlength=count) > 0 for share in shares)
        forcing = ~other & (
            (positive & ~negative & (program.row_upper == 0.0)) | (negative & ~positive & (program.row_lower == 0.0))
        )
        forced = np.unique(program.index[free & forcing[row]])
        if not len(forced):
            return upper
        upper[forced] = 0.0


def solve_small_mip(
    program: Program,
    cost: FloatArray,
    offset: float,
    clock: Clock,
    *,
    upper: FloatArray,
    start: FloatArray | None = None,
    **options: Any,
) -> Outcome:
    """Solve a program with integers of which much is taken out; as `solve_mip`, with its options.

    Parameters
    ----------
    program, cost, offset, clock, upper, start
        As in `solve_mip`.
    **options
        The others of `solve_mip`.
    """
    small = compressed(program, cost, offset, upper)
    if not len(small.kept):
        return solve_mip(program, cost, offset, clock, upper=upper, start=start, **options)
    begin = None if start is None else start[small.kept]
    found = solve_mip(
        small.program, small.cost, small.offset, clock, upper=small.program.upper, start=begin, **options
    )  # fmt: skip
    return found if found.values is None else dataclasses.replace(found, values=small.whole(found.values))
