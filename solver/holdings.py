"""What a design holds: nodes bought and at work, pools with their racks and watts."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pyomo.environ as pyo

from solver.boundaries import BoardWatts, ItWatts, MeterWatts, at_meter
from solver.design import Record
from solver.model.data import Housing, ModelData, Pool
from solver.model.memory import TB
from solver.model.orders import SLACK, order_of, orders_with_rules, pieces_needed
from solver.model.parking import own_share_tb, port_bytes_per_s, prompt_bytes, waiting_bytes
from solver.model.practical import spare_shares
from solver.parts import Platform
from solver.resources import it_w, optic_drawn_w, standing_w, switch_drawn_w, switch_w
from solver.scenario import Scenario


def held(component: Any) -> float:
    """Value of a variable, zero where it dropped out of the compiled model."""
    return float(pyo.value(component, exception=False) or 0.0)


def buy_what_is_used(data: ModelData, model: pyo.ConcreteModel) -> None:
    """Lower what is bought in a single period to what is at work there, in orders that suppliers take.

    Where money and power are slack nothing in the model keeps it from buying nodes, racks and switches that stand
    idle.
    """
    if len(model.PERIODS) > 1:
        return
    block, period = model.period[0], model.PERIODS.first()
    racks: dict[str, int] = defaultdict(int)
    for housing in data.housings:
        if not housing.own:
            needed = math.ceil(round(held(block.housed[housing.id])) / housing.fit)
            racks[housing.rack.id] += needed
            block.racks[housing.id].set_value(needed)
    for rack in {h.rack.id: h.rack for h in data.housings if not h.own}.values():
        model.racks_bought[rack.id, period].set_value(order_of(rack).least(racks[rack.id]))
    working = nodes_at_work(data, block)
    for platform in {p.config.platform.id: p.config.platform for p in data.pools}.values():
        _buy_nodes(data, model, platform, working)
    for w, i in block.RETAINED:
        for place, lifted in (lifted_bytes_per_s(data, block, w, i) if i else {}).items():
            block.lifted[w, i, place].set_value(lifted / TB)
    for w, i, place in block.PARKED:
        block.written[w, i, place].set_value(written_bytes_per_s(data, block, w, i, place) / TB)
    _stand_where_needed(data, block)
    for kind, variable in block.whole.items() if hasattr(block, "whole") else ():
        present = sum(held(block.present[c.index]) for c in data.kinds[kind])
        variable.set_value(max(0, math.ceil(present - 1e-6 * max(1.0, present))))
    _wire_what_is_used(data, block)
    _fill_lots(data, model)


def _fill_lots(data: ModelData, model: pyo.ConcreteModel) -> None:
    """Set what the last lot of devices, switches and optics leaves over."""
    period, orders = model.PERIODS.first(), orders_with_rules(data)
    for order in (orders[key] for key in orders if orders[key].part in model.LOOSE):
        need = round(float(pyo.value(pieces_needed(model, data, order, period))))
        model.loose[order.part, period].set_value(order.least(need) - need)


def _stand_where_needed(data: ModelData, block: pyo.Block) -> None:
    """Lower the replicas that stand idle to those whose memory is needed, and let them be of a kind that works there.

    Spare accelerators cost the model nothing, and so many of them hold as much, whichever replicas they belong to.
    """
    places = {p.id: p for p in data.places}
    for w, place in block.park_on_own_nodes:
        columns = [c for c in data.hits_at[w, place] if held(block.present[c.index]) > 0]
        if not columns:
            continue
        idle = sum(c.candidate.charge * held(block.idle[c.index]) for c in columns)
        reads = places[place].stock.read_bytes_per_s / places[place].stock.capacity_bytes * own_share_tb(places[place])
        spare = min(
            -float(pyo.value(block.park_on_own_nodes[w, place].body)) / own_share_tb(places[place]),
            -float(pyo.value(block.read_on_own_nodes[w, place].body)) / reads,
        )
        working = [c for c in columns if held(block.replicas[c.index]) > 0] or columns
        kind = min(working, key=lambda c: (c.candidate.ports / c.candidate.charge, c.index))
        fewest = min(
            c.candidate.ports / c.candidate.charge for c in columns if held(block.idle[c.index]) > 0 or c is kind
        )
        if kind.candidate.ports / kind.candidate.charge > fewest:
            continue
        for c in columns:
            block.idle[c.index].set_value(0.0)
        block.idle[kind.index].set_value(max(0.0, idle - max(0.0, spare)) / kind.candidate.charge)


def nodes_kept(data: ModelData, platform: Platform, working: dict[str, int]) -> int:
    """Nodes of a platform that must be owned for those at work: themselves, spares, and one more."""
    build = data.scenario.study.build
    at_work = sum(working[unit] for unit in {p.config.id for p in data.pools if p.config.platform.id == platform.id})
    share = spare_shares(data)[platform.id]
    return math.ceil((1.0 + share) * at_work + (build.n_plus_one and at_work > 0) - SLACK)


def _buy_nodes(data: ModelData, model: pyo.ConcreteModel, platform: Platform, working: dict[str, int]) -> None:
    """Lower the nodes bought of a platform to an order that covers what is at work; what it leaves over is cheap."""
    period, fleet = model.PERIODS.first(), data.scenario.fleet
    configs = {p.config.id: p.config for p in data.pools if p.config.platform.id == platform.id}
    least = {unit: max(0, working[unit] - fleet.get(unit, 0)) for unit in configs}
    room = {unit: round(held(model.bought[unit, period])) - n for unit, n in least.items()}
    need = max(sum(least.values()), nodes_kept(data, platform, working) - data.scenario.owned(platform.id))
    beyond = order_of(platform).least(need) - sum(least.values())
    for unit in sorted(configs, key=lambda unit: configs[unit].price_usd):
        more = min(beyond, max(0, room[unit]))
        model.bought[unit, period].set_value(least[unit] + more)
        beyond -= more


def nodes_at_work(data: ModelData, block: pyo.Block) -> dict[str, int]:
    """Nodes that stand in racks, by configuration."""
    nodes: dict[str, int] = defaultdict(int)
    for housing in data.housings:
        nodes[housing.pool.config.id] += round(held(block.housed[housing.id]))
    return nodes


def written_bytes_per_s(data: ModelData, block: pyo.Block, w: str, i: int, place: str) -> float:
    """Bytes/s written for a segment at a place: exactly what its rows ask for."""
    curve, rates = data.retention[w], [held(block.parked[w, k, place]) for k in range(len(data.retention[w]))]
    if i == 0:
        found = sum(float(hit) * rate for hit, rate in zip(curve.d_hit, rates, strict=True))
        return max(0.0, prompt_bytes(data, w) * rates[0] - data.load_bytes[w] * found)
    return max(0.0, waiting_bytes(data, w, i) * (rates[i] - rates[i - 1]))


def lifted_bytes_per_s(data: ModelData, block: pyo.Block, w: str, i: int) -> dict[str, float]:
    """Bytes/s read at each place to move before segment `i`: as much as is written elsewhere, where less is kept.

    The model's own split is followed where several places keep less; what only passed through a place, read and
    written again, drops out on both sides.
    """
    places = [p for v, k, p in block.PARKED if (v, k) == (w, i)]
    fewer = {p: held(block.parked[w, i - 1, p]) - held(block.parked[w, i, p]) for p in places}
    leaving = {p: max(0.0, waiting_bytes(data, w, i) * rate) for p, rate in fewer.items()}
    wanted = {p: min(leaving[p], held(block.lifted[w, i, p]) * TB) for p in places}
    needed = sum(written_bytes_per_s(data, block, w, i, p) for p in places)
    found, most = sum(wanted.values()), sum(leaving.values())
    if found < needed < most:
        return {p: amount + (leaving[p] - amount) * (needed - found) / (most - found) for p, amount in wanted.items()}
    return {p: amount * min(1.0, needed / found) if found else 0.0 for p, amount in wanted.items()}


def _wire_what_is_used(data: ModelData, block: pyo.Block) -> None:
    """Lower wired ports, leaves and spines to what nodes, replicas and writes need, in the fabric that was chosen."""
    port = port_bytes_per_s(data.scenario) / TB
    for w in block.PUSHING:
        row = block.push_over_ports[w]
        beyond = float(pyo.value(row.body)) - float(pyo.value(row.upper))
        block.extra_ports[w].set_value(max(0.0, held(block.extra_ports[w]) + beyond / port))
    built = next((f for f in data.fabrics if held(block.fabric[f.id]) > 0.5), None)
    needed = held(block.ports)
    for f in data.fabrics:
        block.wired[f.id].set_value(needed if f is built else 0.0)
    each_port = {"leaves": "leaves_per_port", "spines": "spines_per_port", "optics": "optics_per_port"}
    for var, each in ((getattr(block, name), each) for name, each in each_port.items()):
        var.set_value(math.ceil(needed * getattr(built, each) - 1e-6) if built else 0)


def network_record(data: ModelData, block: pyo.Block) -> Record:
    """The fabric: its tiers, ports, switches and optics, and its watts."""
    scenario, cooling = data.scenario, data.scenario.network_cooling
    built = next((f for f in data.fabrics if held(block.fabric[f.id]) > 0.5), None)
    leaves, spines = round(held(block.leaves)), round(held(block.spines))
    optics = round(held(block.optics))
    drawn = (leaves + spines) * switch_drawn_w(scenario) + optics * optic_drawn_w(scenario)
    provisioned = (leaves + spines) * switch_w(scenario)
    return {
        "switch": scenario.switch.id,
        "optic": scenario.optic.id,
        "tiers": built.tiers if built else 0,
        "ports": held(block.ports),
        "leaves": leaves,
        "spines": spines,
        "optics": optics,
        "cooling": cooling.id,
        "it_w": provisioned.watts,
        "meter_w": at_meter(provisioned, cooling.pue_peak).watts,
        "drawn_meter_w": at_meter(drawn, cooling.pue_central).watts,
    }


def _role_shares(load: list[Record], pool: Pool) -> dict[str, float]:
    """Share of the accelerators at work in a pool's family that each role takes."""
    if pool.config.accelerator is None:
        return {"store": 1.0}
    taken: dict[str, float] = defaultdict(float)
    for item in load:
        if (item["platform"], item["power_cap"]) == pool.family and item["pool_id"] in (None, pool.id):
            taken[item["role"]] += item["accelerators"]
    total = sum(taken.values())
    return {role: amount / total for role, amount in taken.items()} if total else {}


def pool_record(scenario: Scenario, data: ModelData, pool: Pool, block: pyo.Block, load: list[Record]) -> Record:
    """One pool: how many nodes, in which racks, and its watts at the four boundaries."""
    housed = [(h, round(held(block.housed[h.id]))) for h in data.housings_of_pool.get(pool.id, [])]
    housed = [(h, n) for h, n in housed if n > 0]
    nodes = sum(n for _, n in housed)
    accelerator, config, shares = pool.config.accelerator, pool.config, _role_shares(load, pool)
    board = BoardWatts(accelerator.tdp_w * pool.cap * config.platform.accelerators if accelerator else 0.0)
    return {
        "pool_id": pool.id,
        "platform": config.platform.id,
        "configuration": config.id,
        "devices": [{"device": device, "count": count} for device, count in config.bought],
        "attached": config.attached,
        "role": next(iter(shares)) if len(shares) == 1 else "shared",
        "role_shares": shares,
        "cap": pool.cap,
        "quantity": nodes,
        "accelerators": nodes * config.platform.accelerators,
        "racks": [_rack_record(block, h, n) for h, n in housed],
        "board_w": (nodes * board).watts,
        "node_w": (nodes * config.capped(pool.cap)).watts,
        "it_w": ItWatts.total(n * it_w(scenario, h) for h, n in housed).watts,
        "meter_w": MeterWatts.total(at_meter(n * it_w(scenario, h), h.pue_peak) for h, n in housed).watts,
        "standing_meter_w": MeterWatts.total(
            at_meter(n * standing_w(scenario, h), h.pue_mean) for h, n in housed
        ).watts,
    }


def _rack_record(block: pyo.Block, housing: Housing, nodes: int) -> Record:
    racks = nodes if housing.own else round(held(block.racks[housing.id]))
    return {
        "rack": housing.rack.id,
        "own": housing.own,
        "nodes": nodes,
        "racks": racks,
        "fit": housing.fit,
        "pue_peak": housing.pue_peak,
        "pue_mean": housing.pue_mean,
        "floor_m2": racks * housing.rack.floor_m2,
    }
