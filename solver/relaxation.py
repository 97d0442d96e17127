"""The linear relaxation of a program, kept inside HiGHS so that each further solve starts from one before."""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np
from numpy.typing import NDArray

from solver.highs import DUAL, PRIMAL, Clock, Outcome, Program, load, run_lp
from solver.sifting import SIFTED_FROM, nearest, prices_of_part, sifted_basis

FloatArray = NDArray[np.float64]


class Relaxation:
    """A program's LP that remembers its optimum.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    offset : float
    clock : Clock
    part : (N,) array, optional
        Upper bounds that leave some columns, whose optimum is not far from that of all: where a large one begins.
    """

    def __init__(
        self, program: Program, cost: FloatArray, offset: float, clock: Clock, part: FloatArray | None = None
    ) -> None:
        self.program, self.clock = program, clock
        self._highs = load(program, cost, offset, program.upper, integer=False, clock=clock)
        self._all = np.arange(len(cost), dtype=np.int32)
        self._basis: highspy.HighsBasis | None = None
        self._last: Outcome | None = None
        if part is not None and len(cost) >= SIFTED_FROM:
            like = prices_of_part(program, cost, offset, part, clock)
            basis = None if like is None else sifted_basis(program, cost, program.upper, like, clock)
            if basis is not None:
                self._highs.setBasis(basis)

    def solve(self, upper: FloatArray | None = None, lower: FloatArray | None = None) -> Outcome:
        """Solve under other bounds (an upper bound of 0 takes a column out), warm after the first call.

        Without other bounds it begins from the basis of the last such solve, whatever was taken out meanwhile.
        """
        whole = upper is None and lower is None
        if whole and self._basis is not None:
            self._highs.setBasis(self._basis)
        most = self.program.upper if upper is None else upper
        least = np.minimum(self.program.lower if lower is None else lower, most)
        self._highs.changeColsBounds(len(most), self._all, least, most)
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + self.clock.left_s)
        outcome = run_lp(self._highs)
        self._highs.setOptionValue("simplex_strategy", DUAL)
        if whole and outcome.values is not None:
            self._basis, self._last = self._highs.getBasis(), outcome
        return outcome

    def change(self, program: Program, cost: FloatArray, offset: float, known: Sequence[Outcome] = ()) -> None:
        """Take another program with the same rows and columns (other coefficients, sides, bounds or costs).

        A large one begins where `sifted_basis` says, a small one at the last basis.

        Parameters
        ----------
        program, cost, offset
            As of the class.
        known : sequence of Outcome
            Other optima of such programs, one of which may be nearer than the last one.
        """
        basis = self._basis or self._highs.getBasis()
        self.program = program
        if self._last is not None:
            like = nearest(program, cost, [self._last, *known]) if known else self._last
            basis = sifted_basis(program, cost, program.upper, like, self.clock) or basis
        self._highs = load(program, cost, offset, program.upper, integer=False, clock=self.clock)
        if basis.valid:
            self._highs.setBasis(basis)
            self._highs.setOptionValue("simplex_strategy", PRIMAL)
            self._basis = basis
