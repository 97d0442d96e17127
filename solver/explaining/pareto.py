"""The front between two figures, by the epsilon-constraint method.

One figure is the objective, the other is held below limits that are evenly spaced between two anchors. The loose
anchor is the least of the limited figure at which the linear relaxation still allows the best objective, so that no
limit is wasted where nothing binds; the strict anchor is the least that the relaxation can do with at all, or of a
share, which an empty build has none of, a step above the least at which it does a hundredth of the best. Of points
that agree within the gap only the one that uses least is kept, so that no point is dominated (Mavrotas 2009 adds a
small slack to the objective for this; here the merging does it, since the solves have a gap anyway). Each point is a
design that was audited, with the changes of the study that give it again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from solver.baselines import BASELINE_GAP
from solver.catalog import Catalog
from solver.design import OPTIMAL, Design, Record
from solver.errors import InputError, Problem
from solver.explaining.axes import Axis, Changes, axis
from solver.highs import Clock, Program
from solver.market import with_row
from solver.model.objectives import find_objective
from solver.optimise import Ready
from solver.resident import Resident
from solver.scenario import resolve
from solver.study import Study

POINTS = 8
TIME_S = 60.0
"""Seconds for each point at most."""
SOMETHING = 0.01
"""Share of the best objective that counts as a build."""
ROUNDING = 1e-7
"""Share of a limit by which it is eased, so that what is exactly as large is within it."""


def pareto(
    study: Study,
    catalog: Catalog,
    x: str,
    y: str | None = None,
    points: int = POINTS,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    *,
    ends: tuple[float, float] | None = None,
    gap: float = BASELINE_GAP,
) -> Record:
    """Return the front of an objective against a figure that a study limits.

    Parameters
    ----------
    study : Study
    catalog : Catalog
    x : str
        What is limited, see `solver.explaining.axes.axis`.
    y : str, optional
        Objective in place of the study's.
    points : int
        Limits that are tried, two at least; equal and dominated points are not in the front.
    on_progress, should_stop : callable, optional
        As in `solver.solve`; stopped, the front holds the points found until then.
    ends : (float, float), optional
        Where the limits begin and end.
    gap : float
        Relative gap of each point, or the study's where that is wider.

    Returns
    -------
    dict
        See docs/explaining.md.

    Raises
    ------
    InputError
        If there is nothing of that name, or the study does not fit its catalog or the objective.
    """
    begun = time.perf_counter()
    of_y: Changes = {} if y is None else {"objective.name": y}
    hurry = {"solver.gap": max(gap, study.solver.gap), "solver.time_limit_s": min(TIME_S, study.solver.time_limit_s)}
    study_y = study.with_changes(of_y | hurry)
    scenario = resolve(study_y, catalog)
    objective = find_objective(scenario)
    along = axis(x, scenario)
    if points < 2:
        raise InputError([Problem("pareto", "", "points", str(points), "is too few", "two or more")])
    _check(ends)
    walk = _Walk(study_y, catalog, along, objective.sense, on_progress, should_stop)
    limits = walk.limits(points, ends or along.ends)
    for limit in sorted(limits, reverse=True):
        if walk.stopped:
            break
        walk.solve(limit)
    front = walk.front()
    return {
        "x": along.id,
        "y": objective.id,
        "x_name": along.name,
        "y_name": objective.name,
        "x_unit": along.unit,
        "y_unit": objective.unit,
        "sense_x": "min",
        "sense_y": "max" if objective.sense > 0 else "min",
        "ends": [min(limits), max(limits)] if limits else [],
        "points": [point.record(of_y) for point in front],
        "gap_frac": study_y.solver.gap,
        "merged": len(walk.points) - len(front),
        "infeasible": sorted(walk.infeasible),
        "stopped_by": "user" if walk.stopped else "",
        "seconds": round(time.perf_counter() - begun, 3),
    }


def _check(ends: tuple[float, float] | None) -> None:
    if ends is not None and not 0 < ends[0] < ends[1] < math.inf:
        text = f"{ends[0]:g}, {ends[1]:g}"
        raise InputError([Problem("pareto", "", "ends", text, "are no ends", "two numbers above 0, the lower first")])


@dataclass(frozen=True)
class _Point:
    """A design under a limit; `limit` is None for the study as it is."""

    limit: float | None
    changes: Changes
    x: float
    y: float
    bound: float
    gap: float
    status: str
    nodes: dict[str, int]

    def record(self, of_y: Mapping[str, Any]) -> Record:
        """Return it as plain data."""
        return {
            "x": self.x,
            "y": self.y,
            "y_bound": self.bound,
            "gap": self.gap,
            "limit": self.limit,
            "status": self.status,
            "changes": {**of_y, **self.changes},
            "nodes": self.nodes,
        }


class _Walk:
    """Solves along one axis, warm from each to the next."""

    def __init__(
        self,
        study: Study,
        catalog: Catalog,
        along: Axis,
        sense: int,
        on_progress: Callable[[dict[str, Any]], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.study, self.along, self.sense = study, along, sense
        self.warm = Resident(study, catalog)
        self.report, self.should_stop = on_progress, should_stop
        self.points: list[_Point] = []
        self.infeasible: list[float] = []

    @property
    def stopped(self) -> bool:
        """True where the user asked for an end."""
        return bool(self.should_stop and self.should_stop())

    def limits(self, points: int, ends: tuple[float, float] | None) -> list[float]:
        """Evenly spaced limits; where no ends are given, between what the relaxation says of the study as it is."""
        if ends is None:
            design = self.solve(None)
            ready = self.warm.ready
            if design is None or not design.has_build or ready is None:
                return []
            low, high = _anchors(self.along, ready, design, self.sense)
            ends = (low + (high - low) / points if self.along.above else low, high)
        return [float(v) for v in np.linspace(*ends, points) if v > 0.0]

    def solve(self, limit: float | None) -> Design | None:
        """Solve at a limit, and keep what is found."""
        changes = self.along.free if limit is None else self.along.changes(limit * (1.0 + ROUNDING))
        design = self.warm.solve(changes, self.report, self.should_stop)
        if design.has_build and design.status != OPTIMAL and not self.stopped:
            design = self.warm.solve(changes, self.report, self.should_stop, quick=False)
        if not design.has_build:
            if limit is not None and not self.stopped:
                self.infeasible.append(limit)
            return None
        goal = design.objective
        nodes: dict[str, int] = {}
        for pool in design.pools:
            nodes[pool["platform"]] = nodes.get(pool["platform"], 0) + int(pool["quantity"])
        x = self.along.value(design, math.inf if limit is None else limit)
        point = _Point(limit, changes, x, goal["value"], goal["bound"], goal["gap"], design.status, nodes)
        self.points.append(point)
        return design

    def front(self) -> list[_Point]:
        """Points of which none is dominated or equal within the gap, by the limited figure."""
        gap, kept = self.study.solver.gap, list[_Point]()
        for point in sorted(self.points, key=lambda p: (p.x, -self.sense * p.y)):
            if not kept or self.sense * (point.y - kept[-1].y) > gap * abs(point.y):
                kept.append(point)
        return kept


def _anchors(along: Axis, ready: Ready, design: Design, sense: int) -> tuple[float, float]:
    """The least of a figure that the relaxation can do with, and the least at which it allows the best objective."""
    assert along.use is not None
    scenario = ready.data.scenario
    use, solver = along.use(ready), scenario.study.solver
    clock = Clock(solver.time_limit_s, solver.threads)
    value = design.value_in_parts / ready.objective.per_unit(scenario)
    most = float(along.value(design, math.inf))
    high = use.least(_as_good_as(ready, value * (1.0 - sense * solver.gap), sense), clock)
    high = most if high is None else high
    nothing = use.over is not None and sense > 0 and scenario.study.demand.floor_frac == 0.0
    low = use.least(_as_good_as(ready, SOMETHING * value, sense) if nothing else ready.program, clock)
    low = use.fixed if low is None else low
    return max(low, 0.0), min(max(high, low), most)


def _as_good_as(ready: Ready, value: float, sense: int) -> Program:
    """Return the program whose objective, in model units, is no worse than a value."""
    program = ready.program
    row, offset = program.costs[0], float(program.offsets[0])
    if len(program.costs) > 1:
        row, offset, value = row + value * program.costs[1], offset + value * float(program.offsets[1]), 0.0
    # The program minimises, so that a value to be maximised stands in it with the other sign.
    return with_row(program, row, -np.inf, -sense * value - offset)
