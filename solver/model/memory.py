"""Memory below HBM: active KV that spills, and parked KV that waits for its user.

A replica reads only through its own links and its own node's devices, so every row that could pool over nodes
stands per column too. Bytes are in TB, bandwidth in TB/s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyomo.environ as pyo

from solver.model.data import Column, ModelData, Place
from solver.physics.kv import kv_layout

TB = 1e12

Keys = dict[object, list[tuple[object, ...]]]
"""Index tuples of a variable, grouped by one of their positions."""


def add_memory(block: pyo.Block, data: ModelData) -> None:
    """Add spilled and parked KV with their capacity and bandwidth rows.

    Parameters
    ----------
    block : Block
        One period with `replicas`, `nodes` and `served`.
    data : ModelData
    """
    places = {p.id: p for p in data.places}
    _add_spilled(block, data, places)
    _add_parked(block, data, places)
    spills, parked = _by(block.SPILLS, 1), _by(block.PARKED, 2)
    used = [p for p in places if p in spills or p in parked]
    block.fit_tier = pyo.Constraint(
        used,
        rule=lambda b, p: fit_tier(b, data, places[p], spills.get(p, []), parked.get(p, [])),
        doc=fit_tier.__doc__,
    )
    block.read_tier = pyo.Constraint(
        used,
        rule=lambda b, p: read_tier(b, data, places[p], spills.get(p, []), parked.get(p, [])),
        doc=read_tier.__doc__,
    )


def _by(keys: Iterable[tuple[object, ...]], position: int) -> Keys:
    """Group index tuples by one position."""
    groups: Keys = defaultdict(list)
    for key in keys:
        groups[key[position]].append(key)
    return groups


def _add_spilled(block: pyo.Block, data: ModelData, places: dict[str, Place]) -> None:
    """Active KV of the columns that overflow HBM, by place of their own pool."""
    columns = {c.index: c for c in data.spilling}
    local = _by(((p.id, p.pool.id) for p in places.values() if not p.stock.pooled), 1)
    keys = [(j, p[0]) for j, c in columns.items() if c.pool for p in local[c.pool.id]]
    block.SPILLS = pyo.Set(initialize=keys, dimen=2, doc="column and place of spilled KV")
    block.spilled = pyo.Var(block.SPILLS, domain=pyo.NonNegativeReals, doc="active KV below HBM [TB]")
    mine = _by(keys, 0)
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


def _add_parked(block: pyo.Block, data: ModelData, places: dict[str, Place]) -> None:
    """Parked KV by class, retention segment and place, and the hits it wins."""
    where: dict[str, list[str]] = {w: [] for w in data.retention}
    for w in data.retention:
        where[w] = [p.id for p in places.values() if (w, hit_key(p)) in data.hits_at]
    keys = [(w, i, p) for w, at in where.items() for i in range(len(data.retention[w])) for p in at]
    kept = [(w, i) for w, r in data.retention.items() if where[w] for i in range(len(r))]
    size = {(w, i): resident_bytes(data, w, i) / TB for w, i in kept}
    block.PARKED = pyo.Set(initialize=keys, dimen=3, doc="class, retention segment, place")
    block.RETAINED = pyo.Set(initialize=kept, dimen=2, doc="class and retention segment")
    block.HITS = pyo.Set(initialize=list(data.hits_at), dimen=2, doc="class and place or pooled tier of hits")
    block.parked = pyo.Var(block.PARKED, domain=pyo.NonNegativeReals, doc="requests whose segment lies there [1/s]")
    block.retained = pyo.Var(block.RETAINED, domain=pyo.NonNegativeReals, doc="requests whose segment is kept [1/s]")
    block.parked_tb = pyo.Expression(
        block.PARKED, rule=lambda b, w, i, p: b.parked[w, i, p] * size[w, i], doc="parked KV [TB]"
    )
    block.park_somewhere = pyo.Constraint(
        block.RETAINED, rule=lambda b, w, i: park_somewhere(b, w, i, where[w]), doc=park_somewhere.__doc__
    )
    block.keep_in_order = pyo.Constraint(block.RETAINED, rule=keep_in_order, doc=keep_in_order.__doc__)
    block.park_on_own_nodes = pyo.Constraint(
        [(w, p) for w, at in where.items() for p in at if not places[p].stock.pooled],
        rule=lambda b, w, p: park_on_own_nodes(b, data, w, places[p]),
        doc=park_on_own_nodes.__doc__,
    )
    sources = _by(((w, i, p, (w, hit_key(places[p]))) for w, i, p in keys), 3)
    block.hit_what_is_kept = pyo.Constraint(
        block.HITS,
        rule=lambda b, w, at: hit_what_is_kept(b, data, w, at, sources[w, at]),
        doc=hit_what_is_kept.__doc__,
    )


def hit_key(place: Place) -> str:
    """Where hits of a place are counted: the place itself, or its tier where all replicas can reach it."""
    return place.stock.tier if place.stock.pooled else place.id


def resident_bytes(data: ModelData, w: str, i: int) -> float:
    """Bytes that segment `i` of a class keeps resident per request/s retained (Little's law)."""
    work = next(item for item in data.workloads if item.id == w)
    layout = kv_layout(data.scenario.models[work.model_id])
    width = data.scenario.precisions[work.kv_precision].kv_bytes_per_element
    per_token = float(layout.stored_bytes(work.isl, width)) / work.isl
    return float(data.retention[w].d_resident_tokens[i]) * per_token


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


def park_somewhere(block: pyo.Block, w: str, i: int, places: list[str]) -> object:
    """``sum_t parked[w,i,t] = retained[w,i]``. The dual is the cheapest place for one more request's KV."""
    return pyo.quicksum(block.parked[w, i, p] for p in places) == block.retained[w, i]


def park_on_own_nodes(block: pyo.Block, data: ModelData, w: str, place: Place) -> object:
    """``sum_i bytes parked[w,i,t] <= sum_j S_j GB[t] x_j``: hits are loaded from a replica's share of its own node.

    The dual is what a larger tier in the nodes that prefill the class would be worth.
    """
    share = place.stock.capacity_bytes / TB / place.pool.config.platform.accelerators
    parked = pyo.quicksum(block.parked_tb[w, i, place.id] for i in range(len(data.retention[w])))
    return parked <= share * pyo.quicksum(block.occupied[c.index] for c in data.hits_at[w, place.id])


def keep_in_order(block: pyo.Block, w: str, i: int) -> object:
    """``retained[w,i] <= retained[w,i-1] <= served[w]``: what is kept long was kept short before.

    The dual of the first segment is what more requests of the class would add to the value of keeping.
    """
    return block.retained[w, i] <= (block.retained[w, i - 1] if i else block.served[w])


def hit_what_is_kept(block: pyo.Block, data: ModelData, w: str, at: str, sources: list[tuple[object, ...]]) -> object:
    """``sum_j rate_j x_j <= sum_i dG_i parked[w,i,t]`` over hits loaded from that place.

    The dual is what one more hit a second is worth: a prefill saved.
    """
    hits = pyo.quicksum(c.candidate.requests_per_s * block.replicas[c.index] for c in data.hits_at[w, at])
    d_hit = data.retention[w].d_hit
    return hits <= pyo.quicksum(float(d_hit[int(str(i))]) * block.parked[v, i, p] for v, i, p, _ in sources)


def fit_tier(
    block: pyo.Block, data: ModelData, place: Place, spills: list[tuple[object, ...]], parked: list[tuple[object, ...]]
) -> object:
    """``sum active + parked bytes <= GB n[pool]``. The dual is what one more TB in the tier is worth."""
    active = pyo.quicksum(block.spilled[k] for k in spills)
    waiting = pyo.quicksum(block.parked_tb[k] for k in parked)
    return active + waiting <= place.stock.capacity_bytes / TB * block.nodes[place.pool.id]


def read_tier(
    block: pyo.Block, data: ModelData, place: Place, spills: list[tuple[object, ...]], parked: list[tuple[object, ...]]
) -> object:
    """``sum reads <= GB/s n[pool]`` of active KV and of hits. The dual is what one more TB/s is worth.

    A storage server reads at the slower of its drives and its network ports.
    """
    columns = {c.index: c.candidate for c in data.spilling}
    active = pyo.quicksum(
        block.spilled[j, p] * (columns[j].spill_read_bytes_per_s / columns[j].spill_bytes)  # type: ignore[index]
        for j, p in spills
    )
    hits = pyo.quicksum(
        float(data.retention[str(w)].d_hit[int(str(i))]) * data.load_bytes[str(w)] / TB * block.parked[w, i, p]
        for w, i, p in parked
    )
    speed = place.stock.read_bytes_per_s
    if place.stock.pooled:
        speed = min(speed, place.stock.link_bytes_per_s)
    return active + hits <= speed / TB * block.nodes[place.pool.id]
