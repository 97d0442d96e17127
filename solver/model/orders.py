"""Orders: parts come in whole lots, and a supplier takes no order below a minimum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyomo.environ as pyo

from solver.configurations import Configuration
from solver.model.data import ModelData, node_ports
from solver.model.parking import port_bytes_per_s
from solver.model.practical import most_nodes
from solver.parts import MemoryDevice, NetworkPart, Platform, Rack

AnyPart = Platform | MemoryDevice | Rack | NetworkPart

SLACK = 1e-6
"""Pieces that rounding of the solver may add to a need."""


@dataclass(frozen=True)
class Order:
    """How one part is ordered: in multiples, and no fewer than a minimum."""

    kind: str
    part: str
    multiple: int
    minimum: int

    @property
    def key(self) -> str:
        """``kind:part``."""
        return f"{self.kind}:{self.part}"

    def least(self, need: float) -> int:
        """Return the smallest order that covers a need."""
        if need <= SLACK:
            return 0
        return math.ceil((max(need, self.minimum) - SLACK) / self.multiple) * self.multiple


def order_of(part: AnyPart) -> Order:
    """Return how a part is ordered."""
    return Order(part.TABLE.rstrip("s"), part.id, part.order_multiple, part.order_minimum)


def orders_with_rules(data: ModelData) -> dict[str, Order]:
    """Orders of the parts in reach that do not come one by one, by key."""
    devices = {d.id: d for d in data.scenario.devices}
    named = {device for p in data.pools for device, _ in p.config.bought}
    parts: list[AnyPart] = [p.config.platform for p in data.pools]
    parts += [devices[device] for device in sorted(named & set(devices))]
    parts += [h.rack for h in data.housings if not h.own]
    parts += [data.scenario.switch, data.scenario.optic]
    orders = {order.key: order for order in map(order_of, parts)}
    return {key: order for key, order in orders.items() if order.multiple > 1 or order.minimum > 1}


def add_loose(m: pyo.ConcreteModel, data: ModelData) -> None:
    """Add what an order of devices, switches or optics holds beyond what is at work; it is paid like the rest.

    Parameters
    ----------
    m : ConcreteModel
        With PERIODS.
    data : ModelData
    """
    parts = [order.part for order in orders_with_rules(data).values() if order.kind in ("memory", "network")]
    m.LOOSE = pyo.Set(initialize=parts, doc="devices and network parts that come in lots")
    m.loose = pyo.Var(
        m.LOOSE, m.PERIODS, domain=pyo.NonNegativeIntegers, doc="pieces of an order that nothing needs, by vintage [1]"
    )


def add_orders(m: pyo.ConcreteModel, data: ModelData) -> None:
    """Add lots and orders placed, and the rows that bind them to what is bought.

    Parameters
    ----------
    m : ConcreteModel
        With `bought`, `racks_bought`, `loose` and the network of each period.
    data : ModelData
    """
    orders = orders_with_rules(data)
    m.ordered = pyo.Expression(
        list(orders), m.PERIODS, rule=lambda m, key, v: _ordered(m, data, orders[key], v), doc="pieces ordered [1]"
    )
    lots, minimums = ([k for k, o in orders.items() if getattr(o, name) > 1] for name in ("multiple", "minimum"))
    m.lots = pyo.Var(lots, m.PERIODS, domain=pyo.NonNegativeIntegers, doc="lots ordered [1]")
    m.placed = pyo.Var(minimums, m.PERIODS, domain=pyo.Binary, doc="an order is placed [0 or 1]")
    m.order_whole_lots = pyo.Constraint(
        lots,
        m.PERIODS,
        rule=lambda m, k, v: order_whole_lots(m, k, v, orders[k].multiple),
        doc=order_whole_lots.__doc__,
    )
    m.order_enough = pyo.Constraint(
        minimums, m.PERIODS, rule=lambda m, k, v: order_enough(m, k, v, orders[k].minimum), doc=order_enough.__doc__
    )
    m.order_only_if_placed = pyo.Constraint(
        minimums,
        m.PERIODS,
        rule=lambda m, k, v: order_only_if_placed(m, k, v, _most(data, orders[k])),
        doc=order_only_if_placed.__doc__,
    )


def _ordered(m: pyo.ConcreteModel, data: ModelData, order: Order, vintage: int) -> object:
    needed = pieces_needed(m, data, order, vintage)
    return needed + m.loose[order.part, vintage] if order.part in m.LOOSE else needed


def pieces_needed(m: pyo.ConcreteModel, data: ModelData, order: Order, vintage: int) -> object:
    """Pieces of a part that are bought as such, stand in what is bought, or are at work in the network of a period."""
    if order.kind == "rack":
        return m.racks_bought[order.part, vintage]
    if order.kind == "network":
        block = m.period[vintage]
        return block.optics if order.part == data.scenario.optic.id else block.leaves + block.spines
    configs = {p.config.id: p.config for p in data.pools}
    if order.kind == "memory":
        return pyo.quicksum(dict(c.bought).get(order.part, 0) * m.bought[u, vintage] for u, c in configs.items())
    return pyo.quicksum(m.bought[u, vintage] for u, c in configs.items() if c.platform.id == order.part)


def _most(data: ModelData, order: Order) -> int:
    """More pieces than any build can use, spares included."""
    if order.kind == "network":
        largest = max(data.fabrics, key=lambda f: f.tiers)
        each = largest.optics_per_port if order.part == data.scenario.optic.id else 1.0
        return order.least(_most_ports(data) * each + largest.tiers)
    pieces = 1.0
    for pool in data.pools:
        device = dict(pool.config.bought).get(order.part, 0)
        each = {"memory": device, "platform": pool.config.platform.id == order.part, "rack": 1}[order.kind]
        pieces += 2.0 * float(each) * (most_nodes(data, pool.id) + 1.0)
    return order.least(pieces)


def _most_ports(data: ModelData) -> float:
    """More ports than any build can wire: of nodes, of replicas that fill them, of writes to storage servers."""
    scenario, most = data.scenario, 0.0
    for pool in data.pools:
        columns = data.columns_of_family.get(pool.family, [])
        each = max((c.candidate.ports / c.candidate.charge for c in columns), default=0.0)
        writes = sum(stock.write_bytes_per_s for stock in pool.config.tiers if stock.pooled)
        ports = node_ports(scenario, pool.config) + each * pool.config.platform.accelerators
        ports += writes / port_bytes_per_s(scenario)
        most += ports * (most_nodes(data, pool.id) + 1.0)
    return min(most, max(f.most_ports for f in data.fabrics))


def most_bought(data: ModelData, config: Configuration) -> float:
    """More nodes of a configuration than any build can use, the same however the data is cut.

    What power, money and supply allow of it at the lowest cap and the best PUE, twice for spares, in whole lots.
    """
    scenario, platform = data.scenario, config.platform
    supply = scenario.most_bought(platform.id)
    site, watts = scenario.site, config.capped_w(min(scenario.study.build.power_caps))
    most = 1e6 if site.power_w is None else min(1e6, site.power_w / watts)
    if site.budget_usd is not None and config.cheapest.price_usd > 0:
        most = min(most, site.budget_usd / config.cheapest.price_usd)
    bound = order_of(platform).least(2.0 * (math.floor(most) + 1.0))
    return float(bound if supply is None else min(bound, supply))


def order_whole_lots(m: pyo.ConcreteModel, key: str, vintage: int, multiple: int) -> object:
    """``ordered[part] = multiple lots[part]``. The dual is what one piece fewer in a lot would be worth."""
    return m.ordered[key, vintage] == multiple * m.lots[key, vintage]


def order_enough(m: pyo.ConcreteModel, key: str, vintage: int, minimum: int) -> object:
    """``ordered[part] >= minimum placed[part]``. The dual is what a minimum lower by one would be worth."""
    return m.ordered[key, vintage] >= minimum * m.placed[key, vintage]


def order_only_if_placed(m: pyo.ConcreteModel, key: str, vintage: int, most: int) -> object:
    """``ordered[part] <= N placed[part]``. The dual is what an order costs per piece in the relaxation."""
    return m.ordered[key, vintage] <= most * m.placed[key, vintage]
