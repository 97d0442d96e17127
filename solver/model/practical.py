"""Practical limits: spares, how much may hang on one vendor, and how many nodes a study can hold."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import pyomo.environ as pyo

from solver.model.data import Housing, ModelData
from solver.model.stock import owned_nodes
from solver.resources import RESOURCES, Resource
from solver.scenario import Scenario


def add_practical(block: pyo.Block, data: ModelData) -> None:
    """Add spares and the share of a vendor.

    Parameters
    ----------
    block : Block
        One period with `nodes` and `chosen`; `own` stands on the model.
    data : ModelData
    """
    build = data.scenario.study.build
    platforms = sorted({p.config.platform.id for p in data.pools})
    shares = spare_shares(data)
    block.keep_spares = pyo.Constraint(
        [p for p in platforms if shares[p] > 0 or build.n_plus_one],
        rule=lambda b, p: keep_spares(b, data, p, shares[p]),
        doc=keep_spares.__doc__,
    )
    board_w = vendor_board_w(data)
    limit = build.max_share_per_vendor
    block.spread_over_vendors = pyo.Constraint(
        sorted(board_w) if limit is not None else [],
        rule=lambda b, vendor: spread_over_vendors(b, board_w, vendor, float(limit or 1.0)),
        doc=spread_over_vendors.__doc__,
    )


def spare_shares(data: ModelData) -> dict[str, float]:
    """Share of nodes away for repair, by platform."""
    return {
        p.config.platform.id: data.scenario.spare_share(p.config.platform, p.config.accelerator) for p in data.pools
    }


def vendor_board_w(data: ModelData) -> dict[str, dict[str, float]]:
    """Watts of a node's accelerator boards at the pool's cap, by vendor of the accelerator and pool."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for pool in data.pools:
        if (chip := pool.config.accelerator) is not None:
            found[chip.vendor][pool.id] = chip.tdp_w * pool.cap * pool.config.platform.accelerators
    return dict(found)


def keep_spares(block: pyo.Block, data: ModelData, platform: str, share: float) -> object:
    """``sum_c own[p,c] >= (1 + share[p]) sum n[pool of p] + z[p]``, z only with `n_plus_one`.

    A spare is any owned node of the platform that is not at work. The dual is what one node fewer away would be worth.
    """
    m, period = block.model(), block.index()
    units = sorted({p.config.id for p in data.pools if p.config.platform.id == platform})
    nodes = pyo.quicksum(block.nodes[p.id] for p in data.pools if p.config.platform.id == platform)
    one = block.chosen[platform] if data.scenario.study.build.n_plus_one else 0.0
    return pyo.quicksum(owned_nodes(m, unit, period) for unit in units) >= (1.0 + share) * nodes + one


def spread_over_vendors(block: pyo.Block, board_w: dict[str, dict[str, float]], vendor: str, limit: float) -> object:
    """``sum over the vendor's pools of w n[pool] <= max_share_per_vendor sum over all pools of w n[pool]``.

    `w` are watts of accelerator boards at their caps. The dual is what a watt of another vendor would be worth.
    """
    mine = pyo.quicksum(w / 1e3 * block.nodes[pool] for pool, w in board_w[vendor].items())
    total = pyo.quicksum(w / 1e3 * block.nodes[pool] for pools in board_w.values() for pool, w in pools.items())
    return mine <= limit * total


def counted_platforms(data: ModelData) -> list[str]:
    """Platforms that count as kinds: those with accelerators; storage servers stand beside them."""
    return sorted({p.config.platform.id for p in data.pools if p.config.accelerator})


def most_nodes(data: ModelData, pool: str) -> float:
    """Nodes of a pool that the limits of the study allow when nothing else is built.

    Each kind of rack is bounded alone and the bounds are added: nodes split over two kinds may each keep a limit
    that all of them in one kind would break.
    """
    housings: list[Housing] = data.housings_of_pool.get(pool, [])
    if not housings:
        return 0.0
    s, config = data.scenario, housings[0].pool.config.cheapest
    supply = s.most_bought(config.platform.id)
    buy = _bound(data, lambda resource: resource.per_node_bought(s, config))
    buy = min(buy, math.inf if supply is None else supply) + s.fleet.get(config.id, 0)
    return min(buy, sum(_bound(data, partial(_standing, s, h)) for h in housings))


def _standing(scenario: Scenario, housing: Housing, resource: Resource) -> float:
    """What a node at work takes of a resource, at the price by which money bounds it."""
    pool = housing.pool
    cheapest = dataclasses.replace(housing, pool=dataclasses.replace(pool, config=pool.config.cheapest))
    return resource.per_node(scenario, cheapest)


def _bound(data: ModelData, each: Callable[[Resource], float]) -> float:
    """Nodes that every limit allows, for what one takes of each resource."""
    most = 1e6
    for resource in RESOURCES.values():
        limit, one = resource.limit(data.scenario), each(resource)
        if limit is not None and one > 0:
            most = min(most, (limit - resource.fixed(data.scenario)) / one)
    return float(math.floor(max(0.0, most) + 1e-6))
