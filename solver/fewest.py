"""The fewest kinds within the target, by a short search with a binary for each kind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.highs import Clock, Program, compile_model, solve_mip
from solver.model.build import build_model
from solver.model.data import ModelData
from solver.model.polish import add_polish
from solver.optimise import Solved, add_objective
from solver.reducing import USED

FloatArray = NDArray[np.float64]
SEARCH_TIME_S = 0.7
SLIVER_SHARE = 0.005
"""A column that carries less than this share of its class and role is dropped if the objective allows."""
ROOM = 1.25
"""How far nodes and replicas of a kind may grow in the polish to take over from others."""


def _with_target(model: pyo.ConcreteModel, solved: Solved, target: float) -> None:
    """Add the row that keeps the objective within the gap, and retire the objectives."""
    numerator = model.numerator.expr
    if solved.is_ratio:
        model.keep_value = pyo.Constraint(expr=numerator - target * model.denominator.expr >= 0)
        model.denominator.deactivate()
    elif solved.objective.sense > 0:
        model.keep_value = pyo.Constraint(expr=numerator >= target)
    else:
        model.keep_value = pyo.Constraint(expr=numerator <= target)
    model.numerator.deactivate()


@dataclass(frozen=True)
class FewestKinds:
    """The polish MILP of one point: what may be used, what is used, and where to start."""

    data: ModelData
    solved: Solved
    columns: dict[int, float]
    pools: dict[str, float]
    start: dict[str, float]
    clock: Clock

    def _model(self) -> pyo.ConcreteModel:
        """Model of the offered columns with a binary for each kind."""
        model = build_model(self.data)
        add_objective(model, self.data, self.solved.objective)
        replicas, nodes = _room(self.data, self.columns, self.pools)
        served = {w.id: self.start.get(f"period[0].served[{w.id}]", 0.0) for w in self.data.workloads}
        least = {
            c.index: SLIVER_SHARE * served[c.candidate.workload] / c.candidate.requests_per_s for c in self.data.columns
        }
        add_polish(model, self.data, nodes, replicas, least)
        return model

    def search(self, target: float) -> tuple[dict[int, float], dict[str, float], dict[str, float]] | None:
        """Columns, pools and point of the design with the fewest kinds; None where none is found in time."""
        if self.clock.stop():
            return None
        model = self._model()
        _with_target(model, self.solved, target)
        program = compile_model(model)
        outcome = solve_mip(
            program,
            program.costs[0],
            float(program.offsets[0]),
            self.clock,
            upper=program.upper,
            gap=1e-3,
            absolute_gap=0.99,
            time_limit_s=SEARCH_TIME_S,
            start=self._start(program),
        )
        if outcome.values is None:
            return None
        load_values(program, outcome.values)
        return (*used_parts(model, self.data), point_of(program))

    def _start(self, program: Program) -> FloatArray:
        """The point we hold, with its binaries."""
        point = np.asarray([self.start.get(v.name, 0.0) for v in program.variables])
        used: dict[str, set[Any]] = {
            "use_column": set(self.columns),
            "use_pool": set(self.pools),
            "use_unit": {p.config.id for p in self.data.pools if p.id in self.pools},
            "use_platform": {p.config.platform.id for p in self.data.pools if p.id in self.pools},
        }
        for k, v in enumerate(program.variables):
            name = v.parent_component().local_name
            if name in used:
                point[k] = float(v.index() in used[name])
        return point


def _room(
    data: ModelData, columns: dict[int, float], pools: dict[str, float]
) -> tuple[dict[int, float], dict[str, float]]:
    """Most replicas of each column and nodes of each pool that a design near this one can need."""
    size: dict[str, float] = {}
    for p in data.pools:
        size[p.config.platform.id] = size.get(p.config.platform.id, 0.0) + pools.get(p.id, 0.0)
    nodes = {p.id: math.ceil(size[p.config.platform.id] * ROOM) + 1.0 for p in data.pools}
    accelerators = {p.config.platform.id: p.config.platform.accelerators for p in data.pools}
    replicas = {}
    for c in data.columns:
        platform = c.candidate.platform_id
        total = (math.ceil(size.get(platform, 0.0) * ROOM) + 1.0) * accelerators.get(platform, 0)
        per_class = 4.0 * columns.get(c.index, 0.0) + 64.0
        replicas[c.index] = min(total / c.candidate.charge, max(per_class, 1.0))
    return replicas, nodes


def load_values(program: Program, values: FloatArray) -> None:
    """Write a point into the Pyomo variables; integers are rounded."""
    for variable, value, integer in zip(program.variables, values, program.integer, strict=True):
        variable.set_value(float(round(value)) if integer else max(0.0, float(value)), skip_validation=True)


def used_parts(model: pyo.ConcreteModel, data: ModelData) -> tuple[dict[int, float], dict[str, float]]:
    """Replicas that stand by column and nodes by pool, where there are any."""
    block = model.period[0]
    replicas = {c.index: pyo.value(block.present[c.index], exception=False) or 0.0 for c in data.columns}
    nodes = {
        p.id: sum(pyo.value(block.housed[h.id], exception=False) or 0.0 for h in data.housings_of_pool.get(p.id, []))
        for p in data.pools
    }
    return {j: x for j, x in replicas.items() if x > USED}, {p: n for p, n in nodes.items() if n > USED}


def point_of(program: Program) -> dict[str, float]:
    """Values of the variables by name, zeros left out."""
    return {v.name: float(v.value) for v in program.variables if v.value}
