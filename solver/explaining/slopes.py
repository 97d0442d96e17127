"""How a program changes with a dollar on a node, or a watt: both enter it linearly, and only in a few columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from solver.explaining.workbench import Workbench
from solver.highs import Program
from solver.market import STEP_USD, repriced
from solver.optimise import compiled

FloatArray = NDArray[np.float64]


class Slopes:
    """Change of a program for each dollar on every node that is bought.

    Parameters
    ----------
    bench : Workbench
        Its program is compiled again, with every node dearer by the same sum, when a slope is first asked for.
    """

    def __init__(self, bench: Workbench) -> None:
        self.bench, self.program = bench, bench.program

    @cached_property
    def _dearer(self) -> Program:
        every = {p.config.id: 1 for p in self.bench.data.pools}
        return compiled(repriced(self.bench.data, every, STEP_USD))[1]

    @cached_property
    def value(self) -> FloatArray:
        """Of every coefficient, shape (nonzeros,)."""
        return (self._dearer.value - self.program.value) / STEP_USD

    @cached_property
    def costs(self) -> FloatArray:
        """Of the costs, shape (K, N)."""
        return (self._dearer.costs - self.program.costs) / STEP_USD

    def at(self, pieces: FloatArray, change_usd: float) -> Program:
        """Return the program with each piece of a part dearer.

        Parameters
        ----------
        pieces : (N,) array
            Pieces in one unit of each column that buys the part.
        change_usd : float
        """
        return dataclasses.replace(
            self.program,
            value=self.program.value + change_usd * self.value * pieces[self.program.index],
            costs=self.program.costs + change_usd * self.costs * pieces,
        )

    def worth_usd(self, bench: Workbench, pieces: FloatArray, duals: FloatArray) -> float:
        """Cost in model units of one dollar on one piece, at duals of the rows."""
        rows = np.repeat(np.arange(len(self.program.row_upper)), np.diff(self.program.start))
        column = int(np.argmax(pieces))
        at = self.program.index == column
        in_rows = -float((self.value[at] * duals[rows[at]]).sum())
        cost = self.costs[0, column] + (bench.ratio * self.costs[1, column] if len(self.costs) > 1 else 0.0)
        return in_rows + float(cost)


def bought_columns(bench: Workbench, pieces: Mapping[str, int]) -> FloatArray:
    """Return the pieces of a part in one unit of each column that buys it, shape (N,).

    Parameters
    ----------
    bench : Workbench
    pieces : mapping
        Configuration id -> pieces in one node.
    """
    found = np.zeros(len(bench.program.upper))
    for k, variable in enumerate(bench.program.variables):
        if variable.parent_component().local_name == "bought":
            found[k] = pieces.get(variable.index()[0], 0)
    return found


def housed_pieces(bench: Workbench, pieces: Mapping[str, int]) -> FloatArray:
    """Return the pieces of a part in one node of each column that stands for nodes at work, shape (N,).

    Parameters
    ----------
    bench : Workbench
    pieces : mapping
        As in `bought_columns`.
    """
    pool = {h.id: h.pool.config.id for h in bench.data.housings}
    found = np.zeros(len(bench.program.upper))
    for k, variable in enumerate(bench.program.variables):
        if variable.parent_component().local_name == "housed":
            found[k] = pieces.get(pool[variable.index()], 0)
    return found
