"""Active KV that does not fit in local memory and lies in tiers of the replica's own node.

A replica reads only through its own links and its own node's devices, so every row that could pool over nodes
stands per column too. Bytes are in TB, bandwidth in TB/s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyomo.environ as pyo

from solver.model.data import Column, ModelData, Place

TB = 1e12

Keys = dict[object, list[tuple[object, ...]]]
"""Index tuples of a variable, grouped by one of their positions."""


def by_position(keys: Iterable[tuple[object, ...]], position: int) -> Keys:
    """Group index tuples by one position."""
    groups: Keys = defaultdict(list)
    for key in keys:
        groups[key[position]].append(key)
    return groups


def add_memory(block: pyo.Block, data: ModelData) -> None:
    """Add the active KV of columns that overflow local memory, by place of their own pool.

    Parameters
    ----------
    block : Block
        One period with `replicas`.
    data : ModelData
    """
    places = {p.id: p for p in data.places}
    columns = {c.index: c for c in data.spilling}
    local = by_position(((p.id, p.pool.id) for p in places.values() if not p.stock.pooled), 1)
    keys = [(j, p[0]) for j, c in columns.items() if c.pool for p in local[c.pool.id]]
    block.SPILLS = pyo.Set(initialize=keys, dimen=2, doc="column and place of spilled KV")
    block.spilled = pyo.Var(block.SPILLS, domain=pyo.NonNegativeReals, doc="active KV below HBM [TB]")
    mine = by_position(keys, 0)
    block.fit_kv_cache = pyo.Constraint(
        list(columns), rule=lambda b, j: fit_kv_cache(b, columns[j], mine[j]), doc=fit_kv_cache.__doc__
    )
    block.stay_on_own_node = pyo.Constraint(
        block.SPILLS, rule=lambda b, j, p: stay_on_own_node(b, columns[j], places[p]), doc=stay_on_own_node.__doc__
    )
    block.read_over_own_link = pyo.Constraint(
        list(columns),
        rule=lambda b, j: read_over_own_link(b, columns[j], mine[j], places),
        doc=read_over_own_link.__doc__,
    )


def fit_kv_cache(block: pyo.Block, column: Column, keys: list[tuple[object, ...]]) -> object:
    """``sum_t y[j,t] >= K_j x_j``. The dual is what a TB less KV per replica would be worth."""
    spill = column.candidate.spill_bytes / TB
    return pyo.quicksum(block.spilled[k] for k in keys) >= spill * block.replicas[column.index]


def stay_on_own_node(block: pyo.Block, column: Column, place: Place) -> object:
    """``y[j,t] <= S_j min(GB[t], BW[t] step / rho) x_j``: a replica's share of its own node's devices.

    The dual is what a larger or faster tier in the node would be worth to this replica.
    """
    c, stock = column.candidate, place.stock
    share = c.charge / place.pool.config.platform.accelerators
    seconds = c.spill_bytes / c.spill_read_bytes_per_s
    room = share * min(stock.capacity_bytes, stock.read_bytes_per_s * seconds)
    return block.spilled[column.index, place.id] <= room / TB * block.replicas[column.index]


def read_over_own_link(
    block: pyo.Block, column: Column, keys: list[tuple[object, ...]], places: dict[str, Place]
) -> object:
    """``sum_t rho y[j,t] / step <= L g_j x_j``. The dual is what a faster host link would be worth."""
    c = column.candidate
    per_s = c.spill_read_bytes_per_s / c.spill_bytes
    link = min(places[str(p)].stock.link_bytes_per_s for _, p in keys)
    reads = pyo.quicksum(block.spilled[k] for k in keys) * per_s
    return reads <= link * c.count / TB * block.replicas[column.index]
