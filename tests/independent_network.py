"""Every network of a tiny instance: so many wired ports, and the switches and optics that they need.

A fabric with fewer tiers needs fewer switches and optics for the same ports, so the smallest that joins them is the
cheapest. With six ports a switch, leaves and spines change only at whole ports, so a network is known by its optics.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from independent_builds import Network, taxed, yearly

from solver.model.data import ModelData
from solver.parts import NetworkPart
from solver.scenario import Scenario


@dataclass(frozen=True)
class Plan:
    """A network: at most so many ports, from so many switches and optics."""

    most_ports: float
    switches: int
    optics: int


def ports_of_node(data: ModelData, platform_id: str) -> float:
    """One card for every few accelerators is wired for the node's own traffic; a storage server wires all."""
    part = next(p.config.platform for p in data.pools if p.config.platform.id == platform_id)
    own = math.ceil(part.accelerators / data.scenario.accelerators_per_port)
    wired = min(part.nic_count, own) if part.accelerators else part.nic_count
    port = data.scenario.switch.port_bytes_per_s
    assert port
    return wired * part.nic_bytes_per_s / port


def plans(data: ModelData, most: float) -> list[Plan]:
    """Return every network of up to so many ports; without ports there is one, of nothing."""
    r = data.scenario.switch.ports or 1
    assert most == 0 or r == 6, "six ports a switch, or the list of networks is not complete"
    found = [Plan(0.0, 0, 0)]
    for optics in range(1, min(math.ceil(most), r) + 1):
        found.append(Plan(optics, math.ceil(optics / r), optics))
    if most > r:
        assert most <= r * r / 2
        for optics in range(3 * r + 1, math.ceil(3 * most) + 1):
            ports = optics / 3
            found.append(Plan(ports, math.ceil(2 * ports / r) + math.ceil(ports / r), optics))
    return found


@dataclass(frozen=True)
class Taken:
    """What a network takes of everything."""

    usd: float
    yearly_usd: float
    it_w: float
    meter_w: float
    drawn_w: float
    water_l_per_s: float


def in_lots(part: NetworkPart, pieces: int) -> int:
    """Pieces that an order holds of which so many are at work."""
    lots = range(0, 10_000 * part.order_multiple, part.order_multiple)
    return next(n for n in lots if n >= pieces and (n == 0 or n >= part.order_minimum))


def taken(s: Scenario, plan: Plan) -> Taken:
    """Return what a network takes; the peak of optics is part of their switch's. Lots are paid whole."""
    switch, optic, cooling = s.switch, s.optic, s.network_cooling
    usd = 0.0
    for part, n in ((switch, plan.switches), (optic, plan.optics)):
        left = 1.0 - s.study.site.discount_percent.get(part.vendor, 0.0) / 100.0
        usd += taxed(s, in_lots(part, n) * (part.price_central_usd or 0.0) * left)
    years = s.finance.network_life_years or s.finance.it_life_years
    peak = plan.switches * (switch.power_max_w or 0.0)
    mean = plan.switches * (switch.power_typ_w or 0.0) + plan.optics * (optic.power_typ_w or 0.0)
    return Taken(
        usd=usd,
        yearly_usd=yearly(s, usd, years, s.finance.residual_frac),
        it_w=peak,
        meter_w=peak * cooling.pue_peak,
        drawn_w=mean * cooling.pue_central,
        water_l_per_s=peak * cooling.wue_l_per_j,
    )


def graded(data: ModelData, plan: Plan) -> Network:
    """Return what of a network is an estimate, and what is none of the switches and optics for the nodes' own ports."""
    s = data.scenario
    rough_usd, port_usd = 0.0, 0.0
    for part, n, each_port in ((s.switch, plan.switches, 1.0 / (s.switch.ports or 1)), (s.optic, plan.optics, 1.0)):
        left = 1.0 - s.study.site.discount_percent.get(part.vendor, 0.0) / 100.0
        usd = taxed(s, (part.price_central_usd or 0.0) * left)
        if part.confidence_price == "estimate":
            rough_usd += in_lots(part, n) * usd
        else:
            port_usd += each_port * usd
    peak, rough = s.switch.power_max_w or 0.0, s.switch.confidence == "estimate"
    ports = np.asarray([ports_of_node(data, h.pool.config.platform.id) for h in data.housings])
    port_w = 0.0 if rough else peak / (s.switch.ports or 1)
    return Network(rough_usd, plan.switches * peak * rough, ports * port_usd, ports * port_w)


def without(data: ModelData, net: Taken) -> ModelData | None:
    """Return the instance with limits that a network has already drawn on; None where nothing is left."""
    s, site = data.scenario, data.scenario.site

    def left(limit: float | None, used: float) -> float | None:
        return None if limit is None else limit - used

    rest = dataclasses.replace(
        site,
        power_w=left(site.power_w, net.meter_w / site.usable_power_frac),
        budget_usd=left(site.budget_usd, net.usd),
        water_l_per_s=left(site.water_l_per_s, net.water_l_per_s),
        co2_kg_per_s=left(site.co2_kg_per_s, net.drawn_w * site.carbon_kg_per_j),
    )
    limits = (rest.power_w, rest.budget_usd, rest.water_l_per_s, rest.co2_kg_per_s)
    if any(limit is not None and limit < 0 for limit in limits):
        return None
    return dataclasses.replace(data, scenario=dataclasses.replace(s, site=rest))
