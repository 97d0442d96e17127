"""The part of a program that stands and falls with one part, priced at the duals of the rest.

At duals ``y`` of the rows that the part shares with the rest, a build that holds ``k`` pieces costs at least
``LB + k rc`` with ``rc = min (c - A_shared' y) x`` over the part's own columns, its own rows, and one piece bought.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.compression import forced_out
from solver.explaining.workbench import Workbench
from solver.highs import OPTIMAL, Clock, Outcome, Program, solve_lp

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Priced:
    """The best use of one piece of a part at given duals.

    Attributes
    ----------
    reduced_cost : float
        Of one piece in model units of cost: negative where it is worth more than it costs.
    columns : (N,) array of bool
        What that use is made of.
    point : (N,) array
        That use, of one piece.
    """

    reduced_cost: float
    columns: BoolArray
    point: FloatArray


def own_columns(bench: Workbench, pieces: FloatArray) -> BoolArray:
    """Return the columns that cannot be where none of a part is bought, shape (N,).

    Parameters
    ----------
    bench : Workbench
    pieces : (N,) array
        Pieces of the part in one unit of each column that buys it.
    """
    program, block = bench.program, bench.ready.model.period[0]
    upper = np.where(pieces > 0.0, 0.0, program.upper)
    own: BoolArray = (forced_out(program, upper) == 0.0) & (program.upper > 0.0)
    at = {id(variable): k for k, variable in enumerate(program.variables)}
    for housing in bench.data.housings:
        if not housing.own and own[at[id(block.housed[housing.id])]]:
            own[at[id(block.racks[housing.id])]] = True
    return own


def priced(
    program: Program, cost: FloatArray, own: BoolArray, pieces: FloatArray, duals: FloatArray, clock: Clock
) -> Priced | None:
    """Price the best use of one piece at work; None where a piece has no use or the program of its own has no optimum.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    own : (N,) array of bool
        As `own_columns` returns them.
    pieces : (N,) array
        In one node at work.
    duals : (M,) array
        Of all rows, from the relaxation.
    clock : Clock
    """
    kept = np.flatnonzero(own)
    rows = np.repeat(np.arange(len(program.row_upper)), np.diff(program.start))
    mine = own[program.index]
    touched = np.bincount(rows[mine], minlength=len(program.row_upper))
    others = np.bincount(rows[~mine], minlength=len(program.row_upper))
    sides = np.where(np.isfinite(program.row_upper), program.row_upper, program.row_lower)
    inner = (touched > 0) & (others == 0) & (sides == 0.0)
    shared = mine & ~inner[rows]
    charge = cost - np.bincount(program.index[shared], program.value[shared] * duals[rows[shared]], minlength=len(cost))
    new = np.cumsum(own) - 1
    entries = mine & inner[rows]
    numbers = np.flatnonzero(inner)
    lengths = np.bincount(rows[entries], minlength=len(inner))[numbers]
    bought = pieces[kept]
    at = np.flatnonzero(bought)
    small = dataclasses.replace(
        program,
        costs=charge[kept][None, :],
        offsets=np.zeros(1),
        start=np.concatenate([[0], np.cumsum(lengths), [lengths.sum() + len(at)]]).astype(np.int32),
        index=np.concatenate([new[program.index[entries]], at]).astype(np.int32),
        value=np.concatenate([program.value[entries], bought[at]]),
        row_lower=np.append(program.row_lower[numbers], 1.0),
        row_upper=np.append(program.row_upper[numbers], 1.0),
        lower=np.zeros(len(kept)),
        upper=np.full(len(kept), np.inf),
        integer=np.zeros(len(kept), dtype=bool),
        variables=[program.variables[k] for k in kept],
        rows=[None] * (len(numbers) + 1),
    )
    found: Outcome = solve_lp(small, small.costs[0], 0.0, clock)
    if found.status != OPTIMAL or found.values is None:
        return None
    point = np.zeros(len(cost))
    point[kept] = found.values
    return Priced(found.objective, point > 1e-9, point)
