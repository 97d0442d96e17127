"""One study's program, compiled once and solved again with some of it changed.

Every question about an answer is a difference of two optima. Of each the workbench holds a range: no build is better
than the linear relaxation, and a build as good as the point of the narrowed program is there. Costs are minimised,
whatever the sense of the objective; differences are turned into gains, in the unit of `Objective.gain_unit`.
Queues are as wide as in the design that is explained.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from solver.compression import solve_small_mip
from solver.design import Design
from solver.highs import INFEASIBLE, OPTIMAL, Clock, Outcome, Program
from solver.optimise import Ready, relaxed_model
from solver.restriction import PRESENT, promising
from solver.scenario import Scenario
from solver.settling import Make
from solver.sifting import solve_lp_like
from solver.widths import Queue, narrowed

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
VALUE_TIME_S = 2.0
"""Seconds that the search for one point may take; what it leaves widens the interval."""
VALUE_GAP_SHARE = 0.4
"""Share of the study's gap that it may leave open against the narrowed program."""

WHOLE_COLUMNS = 1500
"""Columns up to which the whole program is searched, so that branch and bound tells more than the relaxation."""


@dataclass(frozen=True)
class Range:
    """What is known of an optimum, as a cost: ``bound <= optimum <= value``.

    Attributes
    ----------
    value : float
        Of the best point found; infinite where none was found.
    bound : float
        Infinite where there is none.
    values : (N,) array or None
        The point.
    """

    value: float
    bound: float
    values: FloatArray | None = None


@dataclass(frozen=True)
class Gain:
    """What a change gains: the range that two ranges leave, in the unit of the objective's gains."""

    low: float
    high: float

    @classmethod
    def between(cls, before: Range, after: Range, unit: float, *, loosened: bool = False) -> Gain:
        """Return the range of the difference of two optima.

        With bounds ``LB`` and ``UB`` of what is maximised it is ``[LB+ - UB0, UB+ - LB0]``.

        Parameters
        ----------
        before, after : Range
        unit : float
            Gain units in one unit of cost.
        loosened : bool
            True where every build that stood before still stands: then nothing is lost.
        """
        low, high = (before.bound - after.value) * unit, (before.value - after.bound) * unit
        return cls(max(low, 0.0), max(high, 0.0)) if loosened else cls(low, high)

    def over(self, step: float) -> Gain:
        """Return the gain for each unit of a step."""
        low, high = self.low / step, self.high / step
        return Gain(min(low, high), max(low, high))


class Workbench:
    """A scenario's program with the range of its optimum.

    Parameters
    ----------
    scenario : Scenario
    make : callable
        Of its columns, as `solver.solve.columns_of` returns it.
    clock : Clock
    design : Design, optional
        The answer: its value is a point that is known.
    """

    def __init__(self, scenario: Scenario, make: Make, clock: Clock, design: Design | None = None) -> None:
        self.clock, self.make = clock, make
        self.scenario = narrowed(scenario, widths_of(design)) if design is not None else scenario
        self.data, self.candidates = make(self.scenario)
        self.ready: Ready = relaxed_model(self.data, clock)
        self.objective = self.ready.objective
        self.known_bound = self._cost(design.objective["bound"]) if design is not None and design.has_build else None
        self._point: FloatArray | None = None
        self.known_value = design.value_in_parts if design is not None and design.has_build else None

    def _cost(self, value: float | None) -> float | None:
        """An objective as a cost in model units; None for a ratio, whose cost is a difference."""
        if value is None or len(self.program.costs) > 1:
            return None
        return -self.objective.sense * value / self.objective.per_unit(self.scenario)

    @property
    def program(self) -> Program:
        """The program as it is."""
        return self.ready.program

    @cached_property
    def ratio(self) -> float:
        """Of an objective that is a ratio, the best one known; else zero."""
        if len(self.program.costs) == 1 or self.known_value is None:
            return 0.0
        return self.known_value / self.objective.per_unit(self.scenario)

    @property
    def unit(self) -> float:
        """Gain units in one unit of cost."""
        return self.objective.gain_per_unit

    def cost_of(self, program: Program) -> tuple[FloatArray, float]:
        """Cost and offset of a program; of a ratio, the numerator less the best ratio known times the denominator."""
        if len(program.costs) == 1:
            return program.costs[0], float(program.offsets[0])
        lam = self.ratio
        return program.costs[0] + lam * program.costs[1], float(program.offsets[0] + lam * program.offsets[1])

    @cached_property
    def relaxed(self) -> Outcome:
        """The relaxation of the program as it is."""
        if len(self.program.costs) == 1:
            return self.ready.relaxed
        return self.relax(self.program)

    @cached_property
    def now(self) -> Range:
        """Range of the optimum of the program as it is."""
        found = self.solved(self.program, self.relaxed)
        self._point = found.values
        if self.known_value is None or len(self.program.costs) > 1:
            known = math.inf if self.known_value is None else 0.0
        else:
            known = float(self._cost(self.known_value) or 0.0)
        least = found.bound if self.known_bound is None else max(found.bound, self.known_bound)
        return Range(min(found.value, known), min(least, known), found.values)

    def relax(self, program: Program, among: BoolArray | None = None) -> Outcome:
        """Solve the relaxation of a program with the same columns and first rows, or with no more than some columns."""
        cost, offset = self.cost_of(program)
        upper = None if among is None else np.where(among, program.upper, 0.0)
        return solve_lp_like(program, cost, offset, self.clock, self.ready.relaxed, upper)

    def worth_a_look(self, relaxed: Outcome) -> BoolArray:
        """Columns of a good design near a relaxation: a third of all."""
        return promising(self.data, self.ready.layout, relaxed) | self._used

    def solved(
        self,
        program: Program,
        relaxed: Outcome | None = None,
        keep: BoolArray | None = None,
        bound: float | None = None,
        enough: float = -math.inf,
        *,
        wide: bool = True,
    ) -> Range:
        """Return the range of a program's optimum.

        Parameters
        ----------
        program : Program
            With the same columns, and maybe more rows.
        relaxed : Outcome, optional
            Its relaxation, where it is solved already; or, with a `bound`, that of a program like it.
        keep : (N,) array of bool, optional
            Columns to search besides those that the relaxation finds promising.
        bound : float, optional
            Cost that no build is below, where it is known without the program's own relaxation.
        enough : float
            Cost at which any point will do.
        wide : bool
            False searches no more than the columns that the relaxation uses, those of the point known, and `keep`.
        """
        relaxed = self.relax(program) if relaxed is None else relaxed
        if relaxed.status == INFEASIBLE:
            return Range(math.inf, math.inf)
        if relaxed.status != OPTIMAL or relaxed.values is None:
            return Range(math.inf, -math.inf)
        least = relaxed.objective if bound is None else bound
        if len(program.upper) <= WHOLE_COLUMNS:
            return self._searched_whole(program, least, enough)
        first = self._near(program, relaxed) | (False if keep is None else keep)
        scale = self._scale(program, relaxed)
        found = self._searched(program, first, least, scale, enough)
        if wide and not found.objective <= max(enough, least + self.scenario.study.solver.gap * scale):
            more = first | self.worth_a_look(relaxed)
            other = self._searched(program, more, least, scale, enough)
            found = found if found.objective <= other.objective else other
        return Range(math.inf if found.values is None else found.objective, least, found.values)

    def _near(self, program: Program, relaxed: Outcome) -> BoolArray:
        """Columns that the relaxation uses, and those of the point that is known: a few hundred, and often enough."""
        assert relaxed.values is not None
        near: BoolArray = relaxed.values > PRESENT
        return near if self._point is None else near | (self._point > PRESENT)

    def _scale(self, program: Program, relaxed: Outcome) -> float:
        """Size of the objective, that gaps are shares of."""
        return abs(relaxed.objective) if len(program.costs) == 1 else abs(self.ratio * float(program.costs[1].max()))

    def _searched(self, program: Program, wanted: BoolArray, least: float, scale: float, enough: float) -> Outcome:
        """Look for a good point among some columns."""
        cost, offset = self.cost_of(program)
        allowed = VALUE_GAP_SHARE * self.scenario.study.solver.gap * scale
        return solve_small_mip(
            program, cost, offset, self.clock, upper=np.where(wanted, program.upper, 0.0), gap=1e-9,
            absolute_gap=allowed, time_limit_s=VALUE_TIME_S, relaxed=least, target=max(least + allowed, enough),
            points_first=True,
        )  # fmt: skip

    def _searched_whole(self, program: Program, least: float, enough: float) -> Range:
        """Search a small program whole, so that branch and bound tells more than the relaxation."""
        cost, offset = self.cost_of(program)
        scale = abs(least) if len(program.costs) == 1 else abs(self.ratio * float(program.costs[1].max()))
        found = solve_small_mip(
            program, cost, offset, self.clock, upper=program.upper, gap=1e-9,
            absolute_gap=VALUE_GAP_SHARE * self.scenario.study.solver.gap * scale, time_limit_s=VALUE_TIME_S,
            relaxed=least, target=enough,
        )  # fmt: skip
        if math.isfinite(found.bound):
            least = max(least, min(found.bound, found.objective))
        if found.values is None:
            return Range(math.inf, math.inf if found.status == INFEASIBLE else least)
        return Range(found.objective, least, found.values)

    @cached_property
    def _used(self) -> BoolArray:
        """Columns that the relaxation of the program as it is finds promising: what the design is made of."""
        if self.relaxed.values is None:
            return np.zeros(len(self.program.upper), dtype=bool)
        return promising(self.data, self.ready.layout, self.relaxed)

    def row_moved(self, row: int, step: float) -> Program:
        """Return the program with the side of a row further out by a step in model units."""
        lower, upper = self.program.row_lower.copy(), self.program.row_upper.copy()
        if math.isfinite(upper[row]):
            upper[row] += step
        else:
            lower[row] -= step
        return dataclasses.replace(self.program, row_lower=lower, row_upper=upper)


def widths_of(design: Design) -> dict[Queue, int]:
    """Queues of a design that are narrower than its study's."""
    return {(item["class"], item["role"]): item["width"] for item in design.solver.get("lowered_widths", [])}
