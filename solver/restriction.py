"""Which columns and pools a good design is made of: what the relaxation uses, and the best of the rest.

The relaxation prices every column. Those it uses, the few with the least reduced cost per request for each class
and role, and the best of each kind on every pool in use make a program a tenth as large, whose optimum is hardly
worse; what it proves about the whole program still comes from the whole relaxation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.highs import Outcome, Program
from solver.model.data import ModelData

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Positions = NDArray[np.intp]
BEST_PER_CLASS_ROLE = 6
"""Columns of a class and role that are offered besides those in use, by reduced cost per request/s."""
BEST_PER_POOL = 1
"""The same for each class, role, source of hits, and pool in use."""
BEST_PER_PLATFORM = 2
"""Columns of each class, role, source of hits and platform: their optimum is soon found, and near that of all."""
FREE = 1e-7
"""Reduced cost of a node below which the relaxation is as good with it."""
PRESENT = 1e-9
"""Values of the relaxation below this are not there."""


@dataclass(frozen=True)
class Layout:
    """Where the variables of a model stand in its program.

    Attributes
    ----------
    replicas : dict
        Column index -> position of the replicas at work.
    columns : dict
        Column index -> positions of the replicas at work and, where there may be some, of those that stand idle.
    housed : dict
        Pool id -> positions of its nodes by rack.
    platforms : dict
        Platform id -> positions of all that cannot be where the platform is not: nodes, replicas, purchases.
    """

    replicas: dict[int, int]
    columns: dict[int, list[int]]
    housed: dict[str, Positions]
    platforms: dict[str, Positions]

    @classmethod
    def of(cls, data: ModelData, model: pyo.ConcreteModel, program: Program) -> Layout:
        """Find the variables of a compiled model."""
        at = {id(variable): k for k, variable in enumerate(program.variables)}
        block = model.period[0]
        replicas = {c.index: at[id(block.replicas[c.index])] for c in data.columns}
        columns = {j: [k] for j, k in replicas.items()}
        for j in block.KEEPING:
            columns[j].append(at[id(block.idle[j])])
        housed = {
            p.id: np.asarray([at[id(block.housed[h.id])] for h in data.housings_of_pool.get(p.id, [])], dtype=np.intp)
            for p in data.pools
        }
        platforms: dict[str, list[int]] = defaultdict(list)
        for c in data.columns:
            platforms[c.candidate.platform_id] += columns[c.index]
        for p in data.pools:
            mine = platforms[p.config.platform.id]
            mine += [int(k) for k in housed[p.id]]
            mine += [at[id(model.bought[p.config.id, v])] for v in model.PERIODS]
        return cls(replicas, columns, housed, {p: np.unique(mine) for p, mine in platforms.items()})

    def present(self, values: FloatArray, column: int) -> float:
        """Replicas of a column that stand at a point, at work or not."""
        return float(values[self.columns[column]].sum())


def best_of_each(data: ModelData, layout: Layout, upper: FloatArray) -> FloatArray:
    """Return upper bounds that leave the columns that take the fewest accelerators for a request on each platform.

    Parameters
    ----------
    data : ModelData
    layout : Layout
    upper : (N,) array
        Upper bounds of the program.
    """
    ranked: dict[Hashable, list[tuple[float, int]]] = defaultdict(list)
    for c in data.columns:
        k = c.candidate
        ranked[k.workload, k.role, k.cache, k.tier, k.platform_id].append((k.charge / k.requests_per_s, c.index))
    upper = upper.copy()
    for group in ranked.values():
        for _, index in sorted(group)[BEST_PER_PLATFORM:]:
            upper[layout.columns[index]] = 0.0
    return upper


def promising(data: ModelData, layout: Layout, relaxed: Outcome) -> BoolArray:
    """Return which columns of the program to keep, shape (N,), by a solved relaxation.

    Parameters
    ----------
    data : ModelData
    layout : Layout
    relaxed : Outcome
        With values and reduced costs.
    """
    assert relaxed.values is not None
    values, reduced = relaxed.values, relaxed.reduced_costs
    in_use = {pool for pool, at in layout.housed.items() if values[at].sum() > PRESENT}
    families = {p.family for p in data.pools if p.id in in_use}
    at_no_cost = {pool for pool, at in layout.housed.items() if len(at) and reduced[at].min() <= FREE}
    in_use |= {p.id for p in data.pools if p.id in at_no_cost and p.family in families}
    keep = np.ones(len(values), dtype=bool)
    ranked: dict[Hashable, list[tuple[float, int]]] = defaultdict(list)
    nearby: dict[Hashable, list[tuple[float, int]]] = defaultdict(list)
    for c in data.columns:
        at, k = layout.columns[c.index], c.candidate
        keep[at] = layout.present(values, c.index) > PRESENT
        priced = (float(reduced[at[0]]) / k.requests_per_s, c.index)
        ranked[k.workload, k.role].append(priced)
        if c.pool.id in in_use if c.pool else c.family in families:
            nearby[k.workload, k.role, k.cache, k.tier, c.pool.id if c.pool else c.family].append(priced)
    for groups, most in ((ranked, BEST_PER_CLASS_ROLE), (nearby, BEST_PER_POOL)):
        for group in groups.values():
            for _, index in sorted(group)[:most]:
                keep[layout.columns[index]] = True
    kept = [c for c in data.columns if keep[layout.replicas[c.index]]]
    bound, hosts = {c.pool.id for c in kept if c.pool}, {c.family for c in kept}
    for p in data.pools:
        plain = p.family in hosts and p.config.as_sold
        if p.config.accelerator and p.id not in in_use and p.id not in bound and not plain:
            keep[layout.housed[p.id]] = False
    return keep
