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
    """Nodes of a pool that the limits of the study allow when nothing else is built.

    Each kind of rack is bounded alone and the bounds are added: nodes split over two kinds may each keep a limit
    that all of them in one kind would break.
    """
    housings: list[Housing] = data.housings_of_pool.get(pool, [])
    if not housings:
        return 0.0
    bought = _bound(data, housings[0], at_work=False)
    return min(bought, sum(_bound(data, h, at_work=True) for h in housings))


def _bound(data: ModelData, housing: Housing, *, at_work: bool) -> float:
    """Nodes that supply and every limit allow, for what a node takes when bought or also at work in a rack."""
    config, scenario = housing.pool.config, data.scenario
    supply = scenario.study.supply.platform.get(config.platform.id)
    most = 1e6 if supply is None else float(supply.quantity)
    for resource in RESOURCES.values():
        limit, each = resource.limit(scenario), resource.per_node_bought(scenario, config)
        each += resource.per_node(scenario, housing) if at_work else 0.0
        if limit is not None and each > 0:
            most = min(most, (limit - resource.fixed(scenario)) / each)
    return float(math.floor(max(0.0, most) + 1e-6))
