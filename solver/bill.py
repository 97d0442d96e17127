"""The bill of materials: what to order, what is paid for it, and the watts of what is at work."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import pyomo.environ as pyo

from solver.configurations import Configuration, base_price_usd
from solver.design import Record
from solver.holdings import held, network_record, nodes_at_work
from solver.model.data import ModelData
from solver.parts import MemoryDevice, NetworkPart, Platform, Rack
from solver.resources import optic_drawn_w, switch_drawn_w, switch_w
from solver.scenario import Scenario
from solver.shares import power_grade, price_grade
from solver.units import SECONDS_PER_WEEK

KINDS = ("platform", "storage", "memory", "rack", "network")
"""Kinds of lines, in the order of the bill."""
AnyPart = Platform | MemoryDevice | Rack | NetworkPart


@dataclass(frozen=True)
class Line:
    """Pieces of one part: how many, how many of them are at work, their list price, and watts of one piece."""

    key: str
    kind: str
    part: AnyPart
    quantity: float
    in_use: float
    list_usd: float
    provisioned_w: float = 0.0
    drawn_w: float = 0.0

    def owned(self, in_use: float) -> Line:
        """The same part as one of which so many are owned and at work."""
        key = f"{self.key} (owned)"
        return dataclasses.replace(self, key=key, quantity=in_use, in_use=in_use, list_usd=0.0)


def bill_of_materials(data: ModelData, model: pyo.ConcreteModel) -> list[Record]:
    """What to order (platforms, devices bought apart, racks, switches and optics), and what is owned and at work."""
    scenario = data.scenario
    lines: dict[str, Record] = {}
    working = nodes_at_work(data, model.period[0])
    for unit, config in {p.config.id: p.config for p in data.pools}.items():
        count = round(sum(held(model.bought[unit, v]) for v in model.PERIODS))
        owned = min(working[unit], scenario.fleet.get(unit, 0))
        for line in node_lines(scenario, config, count, working[unit] - owned):
            _add(lines, scenario, line)
            if line.kind in KINDS[:2] and count:
                lines[line.key]["configurations"].append({"configuration": unit, "quantity": count})
        for line in node_lines(scenario, config, 0, owned):
            _add(lines, scenario, line.owned(line.in_use), owned=True)
    net, (switch, optic) = network_record(data, model.period[0]), (scenario.switch, scenario.optic)
    loose = {part: round(sum(held(model.loose[part, v]) for v in model.PERIODS)) for part in model.LOOSE}
    for part, count in loose.items():
        if count and part not in (switch.id, optic.id):
            device = scenario.device(part)
            _add(lines, scenario, Line(part, "memory", device, count, 0, scenario.device_usd(device)))
    for rack_id, rack in {h.rack.id: h.rack for h in data.housings if not h.own}.items():
        count = round(sum(held(model.racks_bought[rack_id, v]) for v in model.PERIODS))
        if count:
            mine = [h for h in data.housings if h.rack.id == rack_id and not h.own]
            in_use = sum(round(held(model.period[0].racks[h.id])) for h in mine)
            _add(lines, scenario, Line(rack_id, "rack", rack, count, in_use, rack.price_central_usd))
    switches = net["leaves"] + net["spines"]
    watts = {
        switch.id: (switch_w(scenario).watts, switch_drawn_w(scenario).watts),
        optic.id: (0.0, optic_drawn_w(scenario).watts),
    }
    for item, in_use in ((switch, switches), (optic, net["optics"])):
        count, usd = in_use + loose.get(item.id, 0), item.price_central_usd or 0.0
        _add(lines, scenario, Line(item.id, "network", item, count, in_use, usd, *watts[item.id]))
    order = {kind: n for n, kind in enumerate(KINDS)}
    return sorted((line for line in lines.values() if line["quantity"]), key=lambda line: order[line["kind"]])


def node_lines(scenario: Scenario, config: Configuration, count: int, in_use: int) -> Iterator[Line]:
    """Lines of some nodes: the platform, with or without its standard memory, devices bought for it."""
    platform, swapped = config.platform, bool(config.removed_bytes)
    devices = [(scenario.device(device_id), number) for device_id, number in config.bought]
    yield Line(
        platform.id + (" without memory" if swapped else ""),
        "platform" if config.accelerator else "storage",
        platform,
        count,
        in_use,
        base_price_usd(scenario, platform, without_memory=swapped),
        config.provisioned_w - sum((d.max_w or 0.0) * n for d, n in devices),
        config.host_drawn_w - sum((d.idle_w or 0.0) * n for d, n in devices),
    )
    for device, number in devices:
        usd = scenario.device_usd(device)
        pieces, working = count * number, in_use * number
        yield Line(device.id, "memory", device, pieces, working, usd, device.max_w or 0.0, device.idle_w or 0.0)


def _add(lines: dict[str, Record], scenario: Scenario, line: Line, *, owned: bool = False) -> None:
    """Add a quantity of one part to the bill."""
    part = line.part
    vendor = getattr(part, "vendor", "")
    usd = scenario.landed_usd(line.list_usd, vendor)
    record = lines.setdefault(
        line.key,
        {
            "id": line.key,
            "part": part.id,
            "kind": line.kind,
            "vendor": vendor,
            "name": part.name,
            "owned": owned,
            "configurations": [],
            "quantity": 0,
            "in_use": 0,
            "list_usd": line.list_usd,
            "discount_frac": scenario.site.discount_frac.get(vendor, 0.0),
            "tax_frac": scenario.site.tax_frac,
            "unit_usd": usd,
            "capex_usd": 0.0,
            "provisioned_w": 0.0,
            "drawn_w": 0.0,
            "lead_time_weeks": None if owned or part.lead_time_s is None else part.lead_time_s / SECONDS_PER_WEEK,
            "confidence_price": price_grade(part),
            "confidence_power": power_grade(part),
            "source": part.source,
        },
    )
    record["quantity"] += line.quantity
    record["capex_usd"] += line.quantity * usd
    record["in_use"] += line.in_use
    record["provisioned_w"] += line.in_use * line.provisioned_w
    record["drawn_w"] += line.in_use * line.drawn_w
