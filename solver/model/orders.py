"""Orders: parts come in whole lots, and a supplier takes no order below a minimum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyomo.environ as pyo

from solver.model.data import ModelData
from solver.model.practical import most_nodes
from solver.parts import MemoryDevice, Platform, Rack

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


def order_of(part: Platform | MemoryDevice | Rack) -> Order:
    """Return how a part is ordered."""
    return Order(part.TABLE.rstrip("s"), part.id, part.order_multiple, part.order_minimum)


def orders_with_rules(data: ModelData) -> dict[str, Order]:
    """Orders of the parts in reach that do not come one by one, by key."""
    devices = {d.id: d for d in data.scenario.devices}
    named = {device for p in data.pools for device, _ in p.config.bought}
    parts: list[Platform | MemoryDevice | Rack] = [p.config.platform for p in data.pools]
    parts += [devices[device] for device in sorted(named & set(devices))]
    parts += [h.rack for h in data.housings if not h.own]
    orders = {order.key: order for order in map(order_of, parts)}
    return {key: order for key, order in orders.items() if order.multiple > 1 or order.minimum > 1}


def add_orders(m: pyo.ConcreteModel, data: ModelData) -> None:
    """Add loose devices, lots and orders placed, and the rows that bind them to what is bought.

    Parameters
    ----------
    m : ConcreteModel
        With `bought` and `racks_bought`.
    data : ModelData
    """
    orders = orders_with_rules(data)
    m.LOOSE = pyo.Set(
        initialize=[o.part for o in orders.values() if o.kind == "memory"], doc="devices that come in lots"
    )
    m.loose = pyo.Var(
        m.LOOSE, m.PERIODS, domain=pyo.NonNegativeIntegers, doc="devices of an order that no node needs, by vintage [1]"
    )
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
    if order.kind == "rack":
        return m.racks_bought[order.part, vintage]
    configs = {p.config.id: p.config for p in data.pools}
    if order.kind == "memory":
        need = pyo.quicksum(dict(c.bought).get(order.part, 0) * m.bought[u, vintage] for u, c in configs.items())
        return need + m.loose[order.part, vintage]
    return pyo.quicksum(m.bought[u, vintage] for u, c in configs.items() if c.platform.id == order.part)


def _most(data: ModelData, order: Order) -> int:
    """More pieces than any build can use, spares included."""
    pieces = 1.0
    for pool in data.pools:
        device = dict(pool.config.bought).get(order.part, 0)
        each = {"memory": device, "platform": pool.config.platform.id == order.part, "rack": 1}[order.kind]
        pieces += 2.0 * float(each) * (most_nodes(data, pool.id) + 1.0)
    return order.least(pieces)


def order_whole_lots(m: pyo.ConcreteModel, key: str, vintage: int, multiple: int) -> object:
    """``ordered[part] = multiple lots[part]``. The dual is what one piece fewer in a lot would be worth."""
    return m.ordered[key, vintage] == multiple * m.lots[key, vintage]


def order_enough(m: pyo.ConcreteModel, key: str, vintage: int, minimum: int) -> object:
    """``ordered[part] >= minimum placed[part]``. The dual is what a minimum lower by one would be worth."""
    return m.ordered[key, vintage] >= minimum * m.placed[key, vintage]


def order_only_if_placed(m: pyo.ConcreteModel, key: str, vintage: int, most: int) -> object:
    """``ordered[part] <= N placed[part]``. The dual is what an order costs per piece in the relaxation."""
    return m.ordered[key, vintage] <= most * m.placed[key, vintage]
