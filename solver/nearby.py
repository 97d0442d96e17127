"""Whole counts near a polished design: what they may be made of, and how far they may be from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.highs import Outcome, Program, compile_model
from solver.model.build import build_model
from solver.model.data import Family, ModelData
from solver.model.polish import used_data
from solver.optimise import Solved, add_objective
from solver.polishing import Polished
from solver.restriction import PRESENT, Layout
from solver.widths import Queue, behind, queue_of

FloatArray = NDArray[np.float64]
FILLERS = 8.0
"""How many replicas there may be of a kind that the polished design does not use."""
MOST_KINDS = 400
"""Kinds offered: those in use, and the others of which one replica costs least by the relaxation."""
MANY_COLUMNS = 400
"""Columns above which those of pools in use are offered, and not of all pools of their platforms and caps."""


def offered(data: ModelData, polished: Polished) -> ModelData:
    """Return the data of whole replicas cut to what is in use and, by size of replica, the best of each group.

    A group is a class, role, source of hits and place; replicas of all sizes fill what others leave of a node. Where
    the study limits how many candidates a class and role may have, there are only those in use. Replicas that share a
    queue are offered for queues in use only, since a lone one would wait longer than it was rated for.

    Parameters
    ----------
    data : ModelData
        All columns of the study.
    polished : Polished
    """
    used, build = {c.index for c in polished.data.columns}, data.scenario.study.build
    pools, families = {p.id for p in polished.data.pools}, {p.family for p in polished.data.pools}
    around = {p.id for p in data.pools if p.family in families}
    there = set(queues(polished))
    open_to = dataclasses.replace(
        data, columns=tuple(c for c in data.columns if c.candidate.router_width == 1 or queue_of(c.candidate) in there)
    )
    best = _best_of_sizes(open_to, around, families)
    if len(best) > MANY_COLUMNS:
        best, around = _best_of_sizes(open_to, pools, families), pools
    if build.max_candidates_per_class_role is not None:
        best, around = set(), pools
    cut = used_data(data, used | best, around)
    return dataclasses.replace(cut, whole=True, pue_of_family=polished.data.pue_of_family)


def queues(polished: Polished) -> dict[Queue, int]:
    """Queues of a polished design that several replicas share, with how many share one."""
    replicas = polished.model.period[0].replicas
    widths: dict[Queue, int] = {}
    for c in polished.data.columns:
        k = c.candidate
        if k.router_width > 1 and float(pyo.value(replicas[c.index], exception=False) or 0.0) > PRESENT:
            widths[queue_of(k)] = max(k.router_width, widths.get(queue_of(k), 1))
    return widths


def whole_model(data: ModelData, solved: Solved, polished: Polished) -> tuple[pyo.ConcreteModel, Program]:
    """Return the model of whole replicas, compiled, in which queues keep as many replicas at work as share them."""
    model, widths = build_model(data), queues(polished)
    add_objective(model, data, solved.objective)
    block = model.period[0]

    def keep_queue(m: pyo.ConcreteModel, workload: str, role: str) -> object:
        queue = (workload, role)
        mine = [c for c in data.columns if c.candidate.router_width > 1 and queue_of(c.candidate) == queue]
        return pyo.quicksum(behind(c.candidate) * block.replicas[c.index] for c in mine) >= widths[queue]

    model.keep_queues = pyo.Constraint(
        list(widths),
        rule=keep_queue,
        doc="``sum_j x_j >= width`` of a queue; the dual is the price of its width",
    )
    return model, compile_model(model)


def _best_of_sizes(data: ModelData, pools: set[str], families: set[Family]) -> set[int]:
    """Columns with most requests/s an accelerator, by size of replica, class, role, source of hits and place."""
    best: dict[tuple[object, ...], tuple[float, int]] = {}
    for c in data.columns:
        k = c.candidate
        if c.pool.id in pools if c.pool else c.family in families:
            group = (k.workload, k.role, k.cache, k.tier, c.pool.id if c.pool else c.family, k.charge)
            best[group] = min(best.get(group, (np.inf, -1)), (k.charge / k.requests_per_s, c.index))
    return {index for _, index in best.values()}


@dataclass(frozen=True)
class Counts:
    """Where the counts of a program stand, and how many there are in a polished design.

    Attributes
    ----------
    program : Program
    nodes, kinds : dict
        Position of the nodes of a housing, or of the whole replicas of a kind -> how many there are.
    columns : dict
        Position of the whole replicas of a kind -> positions of what is at work or idle of it.
    """

    program: Program
    nodes: dict[int, float]
    kinds: dict[int, float]
    columns: dict[int, list[int]]

    @classmethod
    def of(cls, data: ModelData, model: pyo.ConcreteModel, program: Program, polished: Polished) -> Counts:
        """Find the counts of a compiled model, and those of a polished design."""
        old, block = polished.model.period[0], model.period[0]
        layout, at = Layout.of(data, model, program), {id(variable): k for k, variable in enumerate(program.variables)}

        def before(component: Any, key: str) -> float:
            return float(pyo.value(component[key], exception=False) or 0.0) if key in component else 0.0

        kinds = {k: at[id(v)] for k, v in block.whole.items()}
        return cls(
            program,
            {at[id(v)]: float(round(before(old.housed, h))) for h, v in block.housed.items()},
            {place: before(old.there, k) for k, place in kinds.items()},
            {place: [j for c in data.kinds[k] for j in layout.columns[c.index]] for k, place in kinds.items()},
        )

    def without_costly(self, relaxed: Outcome) -> Program:
        """Return the program without kinds of which one replica costs too much by its relaxation."""
        values, priced = relaxed.values, relaxed.reduced_costs
        assert values is not None
        cost = {
            place: float(priced[place] + priced[columns].min())
            for place, columns in self.columns.items()
            if self.kinds[place] <= PRESENT
        }
        upper = self.program.upper.copy()
        for place in sorted(cost, key=lambda k: (cost[k], k))[max(0, MOST_KINDS - len(self.kinds) + len(cost)) :]:
            upper[[place, *self.columns[place]]] = 0.0
        return dataclasses.replace(self.program, upper=upper, lower=np.minimum(self.program.lower, upper))

    def near(self, program: Program, around: FloatArray | None, replicas: float, nodes: float) -> Program:
        """Return a program with counts so near those of a point, or of the polished design, whose parts are rounded."""
        lower, upper = program.lower.copy(), program.upper.copy()
        for place, count in self.nodes.items():
            count = count if around is None else round(around[place])
            lower[place] = max(lower[place], count - nodes)
            upper[place] = min(upper[place], count + nodes)
        for place, count in self.kinds.items():
            count = count if around is None else round(around[place])
            least, most = np.floor(count + 1e-6), np.ceil(count - 1e-6)
            lower[place] = max(lower[place], least - replicas)
            upper[place] = min(upper[place], most + (replicas if count > PRESENT or around is not None else FILLERS))
        return dataclasses.replace(program, lower=lower, upper=upper)
