"""Practical limits: how many kinds of platform a site will put up with."""

from __future__ import annotations

import math

import pyomo.environ as pyo

from solver.model.data import Housing, ModelData
from solver.resources import RESOURCES


def add_practical(block: pyo.Block, data: ModelData) -> None:
    """Add a binary per platform with accelerators where the study limits their number.

    Parameters
    ----------
    block : Block
        One period with `nodes`.
    data : ModelData
    """
    limit = data.scenario.study.build.max_platforms
    if limit is None:
        return
    platforms = counted_platforms(data)
    most = {p.id: most_nodes(data, p.id) for p in data.pools if p.config.platform.id in platforms}
    block.chosen = pyo.Var(platforms, domain=pyo.Binary, doc="platform is in the build [0 or 1]")
    block.build_only_chosen = pyo.Constraint(
        list(most),
        rule=lambda b, pool: build_only_chosen(b, pool, pool.split("/")[0], most[pool]),
        doc=build_only_chosen.__doc__,
    )
    block.choose_few = pyo.Constraint(expr=choose_few(block, limit), doc=choose_few.__doc__)


def counted_platforms(data: ModelData) -> list[str]:
    """Platforms that count as kinds: those with accelerators; storage servers stand beside them."""
    return sorted({p.config.platform.id for p in data.pools if p.config.accelerator})


def build_only_chosen(block: pyo.Block, pool: str, platform: str, most: float) -> object:
    """``n[pool] <= N z[platform]``. The dual is what another kind of platform would be worth per node."""
    return block.nodes[pool] <= most * block.chosen[platform]


def choose_few(block: pyo.Block, limit: int) -> object:
    """``sum z[platform] <= max_platforms``. The dual is the value of one more kind in the relaxation."""
    return pyo.quicksum(block.chosen.values()) <= limit


def most_nodes(data: ModelData, pool: str) -> float:
    """Nodes of a pool that the limits of the study allow when nothing else is built."""
    housings: list[Housing] = data.housings_of_pool.get(pool, [])
    supply = data.scenario.study.supply.platform
    best = 0.0
    for housing in housings:
        platform = housing.pool.config.platform
        most = float(supply[platform.id].quantity) if platform.id in supply else 1e6
        for resource in RESOURCES.values():
            limit = resource.limit(data.scenario)
            each = resource.per_node(data.scenario, housing) + resource.per_node_bought(
                data.scenario, housing.pool.config
            )
            if limit is not None and each > 0:
                most = min(most, (limit - resource.fixed(data.scenario)) / each)
        best = max(best, math.floor(max(0.0, most)))
    return best
