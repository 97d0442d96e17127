"""Parked KV: what waits in a tier for its user, by retention segment, the hits it wins and the writes it costs.

A request's KV is written when it is first parked and again whenever it moves to another tier, where it is read out of
the one it leaves; what stays where it was is neither read nor written. Bytes are in TB, bandwidth in TB/s.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from solver.candidates import Candidate
from solver.model.compute import standing
from solver.model.data import ModelData, Place
from solver.model.memory import TB, by_position
from solver.physics.kv import kv_layout
from solver.scenario import Scenario
from solver.units import GB


def add_parking(block: pyo.Block, data: ModelData) -> None:
    """Add parked KV by class, retention segment and place, the hits it wins, and its writes.

    Parameters
    ----------
    block : Block
        One period with `replicas` and `served`.
    data : ModelData
    """
    places = {p.id: p for p in data.places}
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
    sources = by_position(((w, i, p, (w, hit_key(places[p]))) for w, i, p in keys), 3)
    block.hit_what_is_kept = pyo.Constraint(
        block.HITS,
        rule=lambda b, w, at: hit_what_is_kept(b, data, w, at, sources[w, at]),
        doc=hit_what_is_kept.__doc__,
    )
    _add_writes(block, data, where)


def _add_writes(block: pyo.Block, data: ModelData, where: dict[str, list[str]]) -> None:
    """Add what is written where: new KV into the first segment, moved KV into later ones."""
    later = [(w, i, p) for w, at in where.items() for i in range(1, len(data.retention[w])) for p in at]
    block.LATER = pyo.Set(initialize=later, dimen=3, doc="class, later retention segment, place")
    block.written = pyo.Var(block.PARKED, domain=pyo.NonNegativeReals, doc="parked KV written [TB/s]")
    block.lifted = pyo.Var(block.LATER, domain=pyo.NonNegativeReals, doc="parked KV read to move elsewhere [TB/s]")
    block.write_new = pyo.Constraint(
        [(w, p) for w, at in where.items() for p in at],
        rule=lambda b, w, p: write_new(b, data, w, p),
        doc=write_new.__doc__,
    )
    places = {p.id: p for p in data.places}
    pooled = {p.id for p in data.places if p.stock.pooled}
    pushing = [w for w, at in where.items() if pooled & set(at)]
    block.PUSHING = pyo.Set(initialize=pushing, doc="classes whose KV is written to storage servers")
    block.extra_ports = pyo.Var(block.PUSHING, domain=pyo.NonNegativeReals, doc="ports wired for writes alone [1]")
    block.push_over_ports = pyo.Constraint(
        block.PUSHING, rule=lambda b, w: push_over_ports(b, data, w), doc=push_over_ports.__doc__
    )
    block.write_moved = pyo.Constraint(
        block.LATER, rule=lambda b, w, i, p: write_moved(b, data, w, i, p), doc=write_moved.__doc__
    )
    block.read_moved = pyo.Constraint(
        list(dict.fromkeys((w, i) for w, i, _ in later)),
        rule=lambda b, w, i: read_moved(b, w, i, where[w]),
        doc=read_moved.__doc__,
    )
    block.read_on_own_nodes = pyo.Constraint(
        [(w, p) for w, at in where.items() for p in at if not places[p].stock.pooled],
        rule=lambda b, w, p: read_on_own_nodes(b, data, w, places[p]),
        doc=read_on_own_nodes.__doc__,
    )


def hit_key(place: Place) -> str:
    """Where hits of a place are counted: the place itself, or its tier where all replicas can reach it."""
    return place.stock.tier if place.stock.pooled else place.id


def resident_bytes(data: ModelData, w: str, i: int) -> float:
    """Bytes that segment `i` of a class keeps resident per request/s retained (Little's law)."""
    isl = next(item.isl for item in data.workloads if item.id == w)
    return float(data.retention[w].d_resident_tokens[i]) * prompt_bytes(data, w) / isl


def prompt_bytes(data: ModelData, w: str) -> float:
    """Bytes of one copy of the KV of a class's whole prompt, without the tokens that all its requests share."""
    work = next(item for item in data.workloads if item.id == w)
    width = data.scenario.precisions[work.kv_precision].kv_bytes_per_element
    layout = kv_layout(data.scenario.models[work.model_id])
    return float(layout.private_bytes(work.isl, work.system_tokens, width))


def park_somewhere(block: pyo.Block, w: str, i: int, places: list[str]) -> object:
    """``sum_t parked[w,i,t] = retained[w,i]``. The dual is the cheapest place for one more request's KV."""
    return pyo.quicksum(block.parked[w, i, p] for p in places) == block.retained[w, i]


def park_on_own_nodes(block: pyo.Block, data: ModelData, w: str, place: Place) -> object:
    """``sum_i bytes parked[w,i,t] <= sum_j S_j GB[t] present_j``: a replica's share of its own node holds its hits.

    All replicas that stand count, also where they work below their rated load. The dual is what a larger tier in the
    nodes that prefill the class would be worth.
    """
    parked = pyo.quicksum(block.parked_tb[w, i, place.id] for i in range(len(data.retention[w])))
    return parked <= own_share_tb(place) * _standing(block, data, w, place)


def own_share_tb(place: Place) -> float:
    """TB of a node's tier beside each of its accelerators."""
    return place.stock.capacity_bytes / TB / place.pool.config.platform.accelerators


def _standing(block: pyo.Block, data: ModelData, w: str, place: Place) -> Any:
    """Accelerators of the replicas that stand, at work or not, to load hits of a class from a place."""
    return pyo.quicksum(c.candidate.charge * part for c in data.hits_at[w, place.id] for part in standing(block, c))


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


def push_over_ports(block: pyo.Block, data: ModelData, w: str) -> object:
    """``sum over pooled t of wr[w,i,t] <= sum_j spare_j x_j + extra[w] port``: writes leave through wired ports.

    `spare` is what a replica's ports carry beyond its hand-over. The dual is what a faster port is worth to writes.
    """
    scenario, pooled = data.scenario, {p.id for p in data.places if p.stock.pooled}
    written = pyo.quicksum(block.written[k] for k in block.PARKED if k[0] == w and k[2] in pooled)
    each = port_speed(data, w)
    spare = pyo.quicksum(
        spare_bytes_per_s(c.candidate, each) / TB * block.replicas[c.index]
        for c in data.columns
        if c.candidate.workload == w and c.candidate.role != "decode" and c.candidate.ports > 0
    )
    return written <= spare + port_bytes_per_s(scenario) / TB * block.extra_ports[w]


def port_speed(data: ModelData, w: str) -> float:
    """Bytes/s that prompts of a class reach over one switch port."""
    reached = float(data.scenario.nic_efficiency.at(prompt_bytes(data, w)))
    return reached * (data.scenario.switch.port_bytes_per_s or 1.0)


def spare_bytes_per_s(candidate: Candidate, each: float) -> float:
    """Bytes/s that the wired ports of a replica that prefills carry beyond its hand-over, `each` of one port."""
    return max(0.0, candidate.ports * each - candidate.requests_per_s * candidate.handover_bytes)


def port_bytes_per_s(scenario: Scenario) -> float:
    """Bytes/s that large writes reach over one switch port."""
    return (scenario.switch.port_bytes_per_s or 1.0) * scenario.nic_link.measured_frac


def write_new(block: pyo.Block, data: ModelData, w: str, p: str) -> object:
    """``wr[w,0,t] >= B f[w,0,t] - L sum_i dG_i f[w,i,t]``: a prompt of B bytes less the L bytes a hit finds there.

    The dual is what a GB less to write is worth where writes or wear bind. In TB, as elsewhere, the solver below would
    forgive more of what a few drives endure than the audit does.
    """
    segments = range(len(data.retention[w]))
    found = pyo.quicksum(float(data.retention[w].d_hit[i]) * block.parked[w, i, p] for i in segments)
    whole, loaded = prompt_bytes(data, w) / GB, data.load_bytes[w] / GB
    return TB / GB * block.written[w, 0, p] >= whole * block.parked[w, 0, p] - loaded * found


def write_moved(block: pyo.Block, data: ModelData, w: str, i: int, p: str) -> object:
    """``wr[w,i,t] >= B (1 - G(T_i-1)) (f[w,i,t] - f[w,i-1,t]) + out[w,i,t]``: unused KV moves in, other KV moves out.

    A place that keeps more than before, or as much although some was moved out, is written to. The dual is what a
    GB less to move is worth where writes or wear bind.
    """
    more = block.parked[w, i, p] - block.parked[w, i - 1, p]
    moved = block.written[w, i, p] - block.lifted[w, i, p]
    return TB / GB * moved >= waiting_bytes(data, w, i) / GB * more


def waiting_bytes(data: ModelData, w: str, i: int) -> float:
    """Bytes per request/s of parked prompts that nobody has come back for when segment `i` begins."""
    return prompt_bytes(data, w) * (1.0 - float(sum(data.retention[w].d_hit[:i])))


def read_moved(block: pyo.Block, w: str, i: int, places: list[str]) -> object:
    """``sum_t out[w,i,t] >= sum_t wr[w,i,t]``: every byte that is written to move was read where it lay.

    What is dropped between two segments is not read. The dual is what a byte less to read is worth where reads bind.
    """
    return pyo.quicksum(block.lifted[w, i, p] for p in places) >= pyo.quicksum(block.written[w, i, p] for p in places)


def read_on_own_nodes(block: pyo.Block, data: ModelData, w: str, place: Place) -> object:
    """``L sum_j rate_j x_j + sum_i out[w,i,t] <= sum_j S_j BW[t] present_j``: hits and moves read the nodes' own share.

    The dual is what faster devices in the nodes that prefill the class would be worth.
    """
    share = place.stock.read_bytes_per_s / TB / place.pool.config.platform.accelerators
    hits = pyo.quicksum(
        c.candidate.requests_per_s * c.candidate.load_bytes / TB * block.replicas[c.index]
        for c in data.hits_at[w, place.id]
    )
    moves = pyo.quicksum(block.lifted[w, i, place.id] for i in range(1, len(data.retention[w])))
    return hits + moves <= share * _standing(block, data, w, place)
