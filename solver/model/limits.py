"""Limits: every resource is one sum over what is bought and what works, and is capped where a limit is given."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import ModelData
from solver.parts import MemoryDevice, NetworkPart
from solver.resources import RESOURCES, Resource


def add_limits(block: pyo.Block, data: ModelData) -> None:
    """Add the use of every resource, its cap, and the supply limits.

    Parameters
    ----------
    block : Block
        One period with `housed`, `replicas` and the network; `bought` stands on the model.
    data : ModelData
    """
    limits = {r.id: r.limit(data.scenario) for r in RESOURCES.values()}
    capped = [r for r, value in limits.items() if value is not None]
    block.used = pyo.Expression(pyo.Any, doc="use of a resource [model units]")
    block.use = Use(block, data)
    block.within_limit = pyo.Constraint(
        capped,
        rule=lambda b, r: within_limit(b, r, float(limits[r] or 0.0) / RESOURCES[r].scale),
        doc=within_limit.__doc__,
    )
    supply = data.scenario.study.supply
    most = {p: data.scenario.most_bought(p) for p in sorted({pool.config.platform.id for pool in data.pools})}
    block.within_platform_supply = pyo.Constraint(
        [p for p, quantity in most.items() if quantity is not None],
        rule=lambda b, p: within_platform_supply(b, data, p, int(most[p] or 0)),
        doc=within_platform_supply.__doc__,
    )
    block.within_device_supply = pyo.Constraint(
        list(supply.memory),
        rule=lambda b, d: within_device_supply(b, data, d, supply.memory[d].quantity),
        doc=within_device_supply.__doc__,
    )


class Use:
    """Use of every resource [model units], summed up when it is asked for: few of them are capped or minimised.

    Parameters
    ----------
    block : Block
    data : ModelData
    """

    def __init__(self, block: pyo.Block, data: ModelData) -> None:
        self._block, self._data = block, data

    def __getitem__(self, resource: str) -> object:
        used = self._block.used
        if resource not in used:
            used[resource] = use(self._block, self._data, RESOURCES[resource])
        return used[resource]


def use(block: pyo.Block, data: ModelData, resource: Resource) -> object:
    """Sum what is fixed, bought, wired, housed and at work, in model units."""
    fixed = resource.fixed(data.scenario) / resource.scale
    return fixed + pyo.quicksum(each * var for var, each in use_terms(block, data, resource))


def use_terms(block: pyo.Block, data: ModelData, resource: Resource) -> list[tuple[pyo.Var, float]]:
    """Variables and what one unit of each uses, in model units; what uses nothing is left out."""
    m, s = block.model(), data.scenario
    configs = {p.config.id: p.config for p in data.pools}
    racks = {h.rack.id: h.rack for h in data.housings if not h.own}
    pue = data.pue_of_family
    terms = [(m.bought[u, v], resource.per_node_bought(s, configs[u])) for u in m.UNITS for v in m.PERIODS]
    terms += [(m.racks_bought[q, v], resource.per_rack_bought(s, racks[q])) for q in m.RACKS for v in m.PERIODS]
    parts: dict[str, MemoryDevice | NetworkPart] = {d.id: d for d in s.devices}
    parts |= {part.id: part for part in (s.switch, s.optic)}
    terms += [(m.loose[d, v], resource.per_loose_bought(s, parts[d])) for d in m.LOOSE for v in m.PERIODS]
    terms += [(block.racks[h.id], resource.per_rack(s, h.rack)) for h in data.housings if not h.own]
    terms += [(block.leaves, resource.per_switch(s)), (block.spines, resource.per_switch(s))]
    terms += [(block.optics, resource.per_optic(s))]
    terms += [(block.housed[h.id], resource.per_node(s, h)) for h in data.housings]
    if resource.works:
        terms += [(block.replicas[c.index], resource.per_replica(s, c.candidate, pue[c.family])) for c in data.columns]
    return [(var, amount / resource.scale) for var, amount in terms if amount]


def within_limit(block: pyo.Block, resource: str, limit: float) -> object:
    """``use[r] <= limit[r]``. The dual is what one more unit of the resource is worth (a kW, a k$, a m2)."""
    return block.use[resource] <= limit


def within_platform_supply(block: pyo.Block, data: ModelData, platform: str, quantity: int) -> object:
    """``sum over configurations of bought[p,c] <= supply[p]``. The dual is the value of one more of the part.

    Of a platform that is owned and no longer sold, ``supply[p] = 0``.
    """
    m = block.model()
    units = {p.config.id for p in data.pools if p.config.platform.id == platform}
    return pyo.quicksum(m.bought[u, v] for u in sorted(units) for v in m.PERIODS) <= quantity


def within_device_supply(block: pyo.Block, data: ModelData, device: str, quantity: int) -> object:
    """``sum_c q[c,m] bought[c] + loose[m] <= supply[m]``. The dual is the value of one more device."""
    m = block.model()
    counts = {p.config.id: dict(p.config.bought).get(device, 0) for p in data.pools}
    terms = [count * m.bought[u, v] for u, count in counts.items() if count for v in m.PERIODS]
    terms += [m.loose[device, v] for v in m.PERIODS if terms and device in m.LOOSE]
    return pyo.quicksum(terms) <= quantity if terms else pyo.Constraint.Skip
