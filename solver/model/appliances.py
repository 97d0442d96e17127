"""Appliances of pooled memory: what the nodes attached to them share. Bytes in TB, bandwidth in TB/s.

A node is attached to one appliance over its own lanes. The rows of its place bound what it reaches of that one and how
fast; the rows here bound what all nodes attached to a kind of appliance take of it together.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyomo.environ as pyo

from solver.configurations import TierStock
from solver.model.data import ModelData, Pool
from solver.model.memory import TB, Keys, by_position
from solver.model.tiers import held_tb, read_tb_per_s


@dataclass(frozen=True)
class Shared:
    """A kind of appliance, and keys of what lies there."""

    pool: Pool
    stock: TierStock
    spills: list[tuple[object, ...]]
    parked: list[tuple[object, ...]]


def add_appliances(block: pyo.Block, data: ModelData) -> None:
    """Add hosts, bytes, reads and writes of every kind of appliance.

    Parameters
    ----------
    block : Block
        One period with `spilled`, `parked`, `written` and `nodes`.
    data : ModelData
    """
    block.APPLIANCES = pyo.Set(initialize=list(data.appliances), doc="kinds of appliances of pooled memory")
    block.attach_hosts = pyo.Constraint(
        block.APPLIANCES, rule=lambda b, a: attach_hosts(b, data, a), doc=attach_hosts.__doc__
    )
    shared = _shared(data, by_position(block.SPILLS, 1), by_position(block.PARKED, 2))
    block.fit_appliance = pyo.Constraint(
        list(shared), rule=lambda b, a: fit_appliance(b, shared[a]), doc=fit_appliance.__doc__
    )
    block.read_appliance = pyo.Constraint(
        list(shared), rule=lambda b, a: read_appliance(b, data, shared[a]), doc=read_appliance.__doc__
    )
    block.write_appliance = pyo.Constraint(
        [a for a, item in shared.items() if item.parked],
        rule=lambda b, a: write_appliance(b, shared[a]),
        doc=write_appliance.__doc__,
    )


def _shared(data: ModelData, spills: Keys, parked: Keys) -> dict[str, Shared]:
    """Appliances on which something may lie, with what the places of the nodes attached to them hold."""
    found = {}
    for name, pool in data.appliances.items():
        if pool is None or pool.config.lends is None:
            continue
        tier = pool.config.lends.tier
        at = [p.id for p in data.places if p.pool.config.attached == name and p.stock.tier == tier]
        lying = ([k for p in at for k in keys.get(p, [])] for keys in (spills, parked))
        item = Shared(pool, pool.config.lends, *lying)
        if item.spills or item.parked:
            found[name] = item
    return found


def attach_hosts(block: pyo.Block, data: ModelData, name: str) -> object:
    """``sum_p n[p] <= hosts[a] n[a]`` over pools attached to a. The dual is what one more host port is worth.

    Where the data has no such appliance, nothing is attached.
    """
    nodes = pyo.quicksum(block.nodes[p.id] for p in data.pools if p.config.attached == name)
    pool = data.appliances[name]
    ports = 0 if pool is None else pool.config.platform.most_hosts * block.nodes[pool.id]
    return nodes <= ports


def fit_appliance(block: pyo.Block, shared: Shared) -> object:
    """``sum active + parked bytes <= GB n[a]`` over all pools attached. The dual is what one more TB is worth."""
    size = shared.stock.capacity_bytes / TB
    return held_tb(block, shared.spills, shared.parked) <= size * block.nodes[shared.pool.id]


def read_appliance(block: pyo.Block, data: ModelData, shared: Shared) -> object:
    """``sum reads <= GB/s n[a]`` over all pools attached. The dual is what one more TB/s is worth."""
    speed = shared.stock.read_bytes_per_s / TB
    return read_tb_per_s(block, data, shared.spills, shared.parked) <= speed * block.nodes[shared.pool.id]


def write_appliance(block: pyo.Block, shared: Shared) -> object:
    """``sum wr[w,i,t] <= GB/s n[a]`` over all pools attached. The dual is what one more TB/s of writes is worth."""
    written = pyo.quicksum(block.written[k] for k in shared.parked)
    return written <= shared.stock.write_bytes_per_s / TB * block.nodes[shared.pool.id]
