"""Practical limits: how many kinds of platform a site will put up with."""

from __future__ import annotations

import math

import pyomo.environ as pyo

from solver.model.data import Housing, ModelData
from solver.resources import RESOURCES


def add_practical(block: pyo.Block, data: ModelData) -> None:
    """Add a binary per platform where the study limits their number.

    Parameters
    ----------
    block : Block
        One period with `nodes`.
    data : ModelData
    """
    limit = data.scenario.study.build.max_platforms
    if limit is None:
        return
    platforms = sorted({p.config.platform.id for p in data.pools})
    most = {p.id: most_nodes(data, p.id) for p in data.pools}
    block.chosen = pyo.Var(platforms, domain=pyo.Binary, doc="platform is in the build [0 or 1]")
    block.build_only_chosen = pyo.Constraint(
        block.POOLS,
        rule=lambda b, pool: build_only_chosen(b, pool, pool.split("/")[0], most[pool]),
        doc=build_only_chosen.__doc__,
    )
    block.choose_few = pyo.Constraint(expr=choose_few(block, limit), doc=choose_few.__doc__)


def build_only_chosen(block: pyo.Block, pool: str, platform: str, most: float) -> object:
    """``n[pool] <= N z[platform]``. The dual is what another kind of platform would be worth per node."""
    return block.nodes[pool] <= most * block.chosen[platform]


def choose_few(block: pyo.Block, limit: int) -> object:
    """``sum z[platform] <= max_platforms``. The dual is the value of one more kind in the relaxation."""
    return pyo.quicksum(block.chosen.values()) <= limit


def most_nodes(data: ModelData, pool: str) -> float:
    """Nodes of a pool that the limits of the study allow when nothing else is built."""
    housings: list[Housing] = data.housings_of_pool.get(pool, [])
    s, best = data.scenario, 0.0
    for housing in housings:
        config = housing.pool.config
        supply = s.most_bought(config.platform.id)
        stand, buy = 1e6, 1e6 if supply is None else float(supply)
        for resource in RESOURCES.values():
            limit = resource.limit(s)
            if limit is None:
                continue
            left = max(0.0, limit - resource.fixed(s))
            if (each := resource.per_node(s, housing)) > 0:
                stand = min(stand, left / each)
            if (each := resource.per_node_bought(s, config)) > 0:
                buy = min(buy, left / each)
        best = max(best, math.floor(min(stand, math.floor(buy) + s.fleet.get(config.id, 0))))
    return best
