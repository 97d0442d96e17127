"""Tiers of a pool: bytes, reads, writes and wear of everything that lies there. Bytes in TB, bandwidth in TB/s."""

from __future__ import annotations

import math

import pyomo.environ as pyo

from solver.model.data import ModelData, Place
from solver.model.memory import TB, Keys, by_position


def add_tiers(block: pyo.Block, data: ModelData) -> None:
    """Add capacity, bandwidth and wear of every tier that can hold something.

    Parameters
    ----------
    block : Block
        One period with `spilled`, `parked`, `written` and `nodes`.
    data : ModelData
    """
    places = {p.id: p for p in data.places}
    spills, parked = by_position(block.SPILLS, 1), by_position(block.PARKED, 2)
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
    filled = [p for p in places if p in parked]
    block.write_tier = pyo.Constraint(
        filled, rule=lambda b, p: write_tier(b, places[p], parked), doc=write_tier.__doc__
    )
    block.wear_tier = pyo.Constraint(
        [p for p in filled if math.isfinite(places[p].stock.endurance_bytes_per_s)],
        rule=lambda b, p: wear_tier(b, places[p], parked),
        doc=wear_tier.__doc__,
    )


def fit_tier(
    block: pyo.Block, data: ModelData, place: Place, spills: list[tuple[object, ...]], parked: list[tuple[object, ...]]
) -> object:
    """``sum active + parked bytes <= GB n[pool]``. The dual is what one more TB in the tier is worth."""
    return held_tb(block, spills, parked) <= place.stock.capacity_bytes / TB * block.nodes[place.pool.id]


def read_tier(
    block: pyo.Block, data: ModelData, place: Place, spills: list[tuple[object, ...]], parked: list[tuple[object, ...]]
) -> object:
    """``sum reads <= GB/s n[pool]`` of active KV, hits and moves out. The dual is what one more TB/s is worth.

    A storage server reads at the slower of its drives and its network ports.
    """
    speed = place.stock.read_bytes_per_s
    if place.stock.pooled:
        speed = min(speed, place.stock.link_bytes_per_s)
    return read_tb_per_s(block, data, spills, parked) <= speed / TB * block.nodes[place.pool.id]


def held_tb(block: pyo.Block, spills: list[tuple[object, ...]], parked: list[tuple[object, ...]]) -> object:
    """Active and parked KV of some keys."""
    return pyo.quicksum(block.spilled[k] for k in spills) + pyo.quicksum(block.parked_tb[k] for k in parked)


def read_tb_per_s(
    block: pyo.Block, data: ModelData, spills: list[tuple[object, ...]], parked: list[tuple[object, ...]]
) -> object:
    """Reads of active KV, of hits and of what moves away, of some keys."""
    columns = {c.index: c.candidate for c in data.spilling}
    active = pyo.quicksum(
        block.spilled[j, p] * (columns[j].spill_read_bytes_per_s / columns[j].spill_bytes)  # type: ignore[index]
        for j, p in spills
    )
    hits = pyo.quicksum(
        float(data.retention[str(w)].d_hit[int(str(i))]) * data.load_bytes[str(w)] / TB * block.parked[w, i, p]
        for w, i, p in parked
    )
    moves = pyo.quicksum(block.lifted[w, i, p] for w, i, p in parked if int(str(i)) > 0)
    return active + hits + moves


def write_tier(block: pyo.Block, place: Place, parked: Keys) -> object:
    """``sum wr[w,i,t] <= GB/s n[pool]`` of writes. The dual is what one more TB/s of writes is worth.

    A storage server writes at the slower of its drives and its network ports.
    """
    speed = place.stock.write_bytes_per_s
    if place.stock.pooled:
        speed = min(speed, place.stock.link_bytes_per_s)
    written = pyo.quicksum(block.written[k] for k in parked[place.id])
    return written <= speed / TB * block.nodes[place.pool.id]


def wear_tier(block: pyo.Block, place: Place, parked: Keys) -> object:
    """``86400 amplification sum wr[w,i,t] <= DWPD GB n[pool]``: drives last their rated life.

    The dual is what one more TB/s of endurance is worth.
    """
    written = pyo.quicksum(block.written[k] for k in parked[place.id])
    return written <= place.stock.endurance_bytes_per_s / TB * block.nodes[place.pool.id]
