"""What a design buys: pools with their racks and watts, and the bill of materials."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pyomo.environ as pyo

from solver.design import Record
from solver.model.data import Housing, ModelData, Pool
from solver.physics.cost import memory_usd_per_byte
from solver.resources import (
    it_w,
    optic_drawn_w,
    optic_usd,
    standing_w,
    switch_drawn_w,
    switch_usd,
    switch_w,
)
from solver.scenario import Scenario


def held(component: Any) -> float:
    """Value of a variable, zero where it dropped out of the compiled model."""
    return float(pyo.value(component, exception=False) or 0.0)


def buy_what_is_used(data: ModelData, model: pyo.ConcreteModel) -> None:
    """Lower what is bought in a single period to what is at work there.

    Where money and power are slack nothing in the model keeps it from buying nodes, racks and switches that stand
    idle.
    """
    if len(model.PERIODS) > 1:
        return
    block, period = model.period[0], model.PERIODS.first()
    nodes: dict[str, int] = defaultdict(int)
    racks: dict[str, int] = defaultdict(int)
    for housing in data.housings:
        count = round(held(block.housed[housing.id]))
        nodes[housing.pool.config.id] += count
        if not housing.own:
            needed = math.ceil(count / housing.fit)
            racks[housing.rack.id] += needed
            block.racks[housing.id].set_value(needed)
    _wire_what_is_used(data, block)
    for unit in model.UNITS:
        model.bought[unit, period].set_value(nodes[unit])
    for rack in model.RACKS:
        model.racks_bought[rack, period].set_value(racks[rack])


def _wire_what_is_used(data: ModelData, block: pyo.Block) -> None:
    """Lower wired ports, leaves and spines to what nodes and replicas need, in the fabric that was chosen."""
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
    watts = (leaves + spines) * switch_w(scenario)
    return {
        "switch": scenario.switch.id,
        "optic": scenario.optic.id,
        "tiers": built.tiers if built else 0,
        "ports": held(block.ports),
        "leaves": leaves,
        "spines": spines,
        "optics": optics,
        "cooling": cooling.id,
        "it_w": watts,
        "meter_w": watts * cooling.pue_peak,
        "drawn_meter_w": drawn * cooling.pue_central,
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
    board = accelerator.tdp_w * pool.cap * config.platform.accelerators if accelerator else 0.0
    return {
        "pool_id": pool.id,
        "platform": config.platform.id,
        "configuration": config.id,
        "devices": [{"device": device, "count": count} for device, count in config.bought],
        "role": next(iter(shares)) if len(shares) == 1 else "shared",
        "role_shares": shares,
        "cap": pool.cap,
        "quantity": nodes,
        "accelerators": nodes * config.platform.accelerators,
        "racks": [_rack_record(block, h, n) for h, n in housed],
        "board_w": nodes * board,
        "node_w": nodes * config.capped_w(pool.cap),
        "it_w": sum(n * it_w(scenario, h) for h, n in housed),
        "meter_w": sum(n * it_w(scenario, h) * h.pue_peak for h, n in housed),
        "standing_meter_w": sum(n * standing_w(scenario, h) * h.pue_mean for h, n in housed),
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


def bill_of_materials(data: ModelData, model: pyo.ConcreteModel) -> list[Record]:
    """What to order: platforms, devices bought apart, racks, switches and their optics."""
    scenario, quarter = data.scenario, data.scenario.site.price_quarter
    configs = {p.config.id: p.config for p in data.pools}
    lines: dict[str, Record] = {}
    for unit, config in configs.items():
        count = round(sum(held(model.bought[unit, v]) for v in model.PERIODS))
        if count == 0:
            continue
        devices = {d: scenario.device(d) for d, _ in config.bought}
        extra = sum(
            memory_usd_per_byte(d, quarter, scenario.prices) * d.capacity_bytes * n
            for (i, n) in config.bought
            for d in [devices[i]]
        )
        extra_w = sum((devices[i].max_w or 0.0) * n for i, n in config.bought)
        extra_drawn_w = sum((devices[i].idle_w or 0.0) * n for i, n in config.bought)
        key = config.platform.id + (" without memory" if config.removed_bytes else "")
        _add(
            lines,
            key,
            "platform" if config.accelerator else "storage",
            config.platform,
            config.platform.vendor,
            count,
            config.price_usd - extra,
            config.provisioned_w - extra_w,
            config.host_drawn_w - extra_drawn_w,
        )
        for device_id, number in config.bought:
            device = devices[device_id]
            usd = memory_usd_per_byte(device, quarter, scenario.prices) * device.capacity_bytes
            _add(
                lines,
                device_id,
                "memory",
                device,
                device.vendor,
                count * number,
                usd,
                device.max_w or 0.0,
                device.idle_w or 0.0,
            )
    racks = {h.rack.id: h.rack for h in data.housings if not h.own}
    for rack_id, rack in racks.items():
        count = round(sum(held(model.racks_bought[rack_id, v]) for v in model.PERIODS))
        if count:
            _add(lines, rack_id, "rack", rack, "", count, rack.price_central_usd, 0.0, 0.0)
    net = network_record(data, model.period[0])
    switches, optics = net["leaves"] + net["spines"], net["optics"]
    drawn_w = (switch_drawn_w(scenario), optic_drawn_w(scenario))
    if switches:
        part = scenario.switch
        _add(
            lines, part.id, "network", part, part.vendor, switches, switch_usd(scenario), switch_w(scenario), drawn_w[0]
        )
    if optics:
        part = scenario.optic
        _add(lines, part.id, "network", part, part.vendor, optics, optic_usd(scenario), 0.0, drawn_w[1])
    return list(lines.values())


def _add(
    lines: dict[str, Record],
    key: str,
    kind: str,
    part: Any,
    vendor: str,
    count: float,
    usd: float,
    provisioned: float,
    drawn: float,
) -> None:
    """Add a quantity of one part to the bill."""
    line = lines.setdefault(
        key,
        {
            "id": key,
            "part": part.id,
            "kind": kind,
            "vendor": vendor,
            "name": part.name,
            "quantity": 0,
            "unit_usd": usd,
            "capex_usd": 0.0,
            "provisioned_w": 0.0,
            "drawn_w": 0.0,
            "lead_time_weeks": None,
            "confidence_price": getattr(part, "confidence_price", part.confidence),
            "confidence_power": getattr(part, "confidence_power", part.confidence),
            "source": part.source,
        },
    )
    line["quantity"] += count
    line["capex_usd"] += count * usd
    line["provisioned_w"] += count * provisioned
    line["drawn_w"] += count * drawn
