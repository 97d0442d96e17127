"""Stock: what is bought, when, and what is owned in each period. Bought and assigned are different things."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import ModelData

OWNED = -1
"""Vintage of what was there before the first period."""


def add_stock(m: pyo.ConcreteModel, data: ModelData) -> None:
    """Add nodes and racks bought by vintage and owned by period.

    Parameters
    ----------
    m : ConcreteModel
        With PERIODS, UNITS (configurations) and RACKS.
    data : ModelData
    """
    m.bought = pyo.Var(
        m.UNITS,
        m.PERIODS,
        domain=pyo.NonNegativeIntegers,
        bounds=lambda _, unit, vintage: _given(data, unit, vintage),
        doc="nodes bought, by vintage [1]",
    )
    fleet = data.scenario.fleet
    m.VINTAGES = pyo.Set(
        initialize=[(u, v) for u in m.UNITS for v in [*([OWNED] if u in fleet else []), *m.PERIODS]],
        dimen=2,
        doc="configurations and vintages",
    )
    m.own = pyo.Var(m.VINTAGES, m.PERIODS, domain=pyo.NonNegativeReals, doc="nodes owned, by vintage [1]")
    m.racks_bought = pyo.Var(m.RACKS, m.PERIODS, domain=pyo.NonNegativeIntegers, doc="racks bought, by vintage [1]")
    m.keep_what_was_bought = pyo.Constraint(
        m.VINTAGES,
        m.PERIODS,
        rule=lambda m, u, v, y: keep_what_was_bought(m, u, v, y, fleet.get(u, 0)),
        doc=keep_what_was_bought.__doc__,
    )


def _given(data: ModelData, unit: str, vintage: int) -> tuple[int, int | None]:
    """Bounds of what is bought: none, or the number of a given build, which stands there from the first period."""
    if data.given_nodes is None:
        return 0, None
    count = data.given_nodes.get(unit, 0) if vintage == 0 else 0
    return count, count


def keep_what_was_bought(m: pyo.ConcreteModel, unit: str, vintage: int, period: int, fleet: int) -> object:
    """``own[u,v,y] <= own[u,v,y-1]``, ``own[u,v,v] <= bought[u,v]``, none before its vintage.

    ``own[u,-1,0] <= fleet[u]`` of what is there already. The dual is what one more node of that vintage would be worth
    in the period.
    """
    if period < vintage:
        return m.own[unit, vintage, period] == 0
    if period == m.PERIODS.first() and vintage == OWNED:
        return m.own[unit, vintage, period] <= fleet
    before = m.bought[unit, vintage] if period == vintage else m.own[unit, vintage, period - 1]
    return m.own[unit, vintage, period] <= before


def owned_nodes(m: pyo.ConcreteModel, unit: str, period: int) -> object:
    """Nodes of a configuration that are owned in a period, whenever they came."""
    vintages = [v for v in (OWNED, *m.PERIODS) if (unit, v) in m.VINTAGES]
    return pyo.quicksum(m.own[unit, v, period] for v in vintages)


def add_assignment(block: pyo.Block, data: ModelData) -> None:
    """Bind the nodes and racks at work in a period to those owned.

    Parameters
    ----------
    block : Block
        One period with `nodes` and `racks`.
    data : ModelData
    """
    m, period = block.model(), block.index()
    block.use_what_is_owned = pyo.Constraint(
        m.UNITS, rule=lambda b, unit: use_what_is_owned(b, data, unit, m, period), doc=use_what_is_owned.__doc__
    )
    block.use_bought_racks = pyo.Constraint(
        m.RACKS, rule=lambda b, rack: use_bought_racks(b, data, rack, m, period), doc=use_bought_racks.__doc__
    )


def use_what_is_owned(block: pyo.Block, data: ModelData, unit: str, m: pyo.ConcreteModel, period: int) -> object:
    """``sum over roles and caps of n[pool] <= sum_v own[u,v,y]``. The dual is the value of one more node."""
    nodes = pyo.quicksum(block.nodes[p.id] for p in data.pools if p.config.id == unit)
    return nodes <= owned_nodes(m, unit, period)


def use_bought_racks(block: pyo.Block, data: ModelData, rack: str, m: pyo.ConcreteModel, period: int) -> object:
    """``sum over pools of racks[pool,q] <= racks bought so far``. The dual is the value of one more rack."""
    used = [block.racks[h.id] for h in data.housings if h.rack.id == rack and not h.own]
    if not used:
        return pyo.Constraint.Skip
    return pyo.quicksum(used) <= pyo.quicksum(m.racks_bought[rack, v] for v in m.PERIODS if v <= period)
