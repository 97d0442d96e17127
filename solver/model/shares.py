"""Shares that rest on estimates: at most a part of the dollars, or of the watts, may be estimated ones.

What is bought and stands idle dilutes nothing, or a build would be padded with it: whatever is estimated counts as
soon as it is bought, what is sound only as far as nodes at work need it. A design buys no less than that, so that its
key figure is never above the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyomo.environ as pyo

from solver.configurations import Configuration
from solver.model.data import ModelData, node_ports
from solver.model.orders import most_bought
from solver.parts import MemoryDevice, NetworkPart
from solver.shares import SHARES, Share, limited_shares

Terms = list[tuple[pyo.Var, float]]


@dataclass(frozen=True)
class ShareTerms:
    """Variables and the model units of one of each: what counts as estimated, and what as sound."""

    estimated: Terms
    sound: Terms


def add_shares(block: pyo.Block, data: ModelData) -> None:
    """Add the limits on shares that rest on estimates; a build that is given is what it is, and keeps none.

    Parameters
    ----------
    block : Block
        One period with `housed`, `nodes`, `racks` and the network; `bought` stands on the model.
    data : ModelData
    """
    limits = {} if data.given_nodes is not None else limited_shares(data.scenario)
    units = _owned_in_part(data) if any(SHARES[name].of_bought for name in limits) else {}
    block.beyond = pyo.Var(
        list(units), domain=pyo.NonNegativeReals, doc="nodes at work of a configuration beyond those owned of it [1]"
    )
    block.owned_work = pyo.Var(
        list(units), domain=pyo.Binary, doc="all that is owned of a configuration is at work [0 or 1]"
    )
    most = {unit: most_bought(data, config) for unit, config in units.items()}
    block.work_beyond_owned = pyo.Constraint(
        list(units), rule=lambda b, u: work_beyond_owned(b, data, u), doc=work_beyond_owned.__doc__
    )
    block.buy_beyond_owned = pyo.Constraint(
        list(units), rule=lambda b, u: buy_beyond_owned(b, u, most[u]), doc=buy_beyond_owned.__doc__
    )
    block.rest_on_few_estimates = pyo.Constraint(
        list(limits),
        rule=lambda b, name: rest_on_few_estimates(b, data, SHARES[name], limits[name]),
        doc=rest_on_few_estimates.__doc__,
    )


def _owned_in_part(data: ModelData) -> dict[str, Configuration]:
    """Configurations of which nodes are owned and more may be bought for dollars that are no estimates."""
    scenario = data.scenario
    configs = {p.config.id: p.config for p in data.pools}
    priced = [share for share in SHARES.values() if share.of_bought]
    return {
        unit: config
        for unit, config in configs.items()
        if scenario.fleet.get(unit) and any(share.per_node(scenario, config).sound > 0.0 for share in priced)
    }


def work_beyond_owned(block: pyo.Block, data: ModelData, unit: str) -> object:
    """``beyond[u] <= sum over pools of n[pool] - fleet[u] y[u]``. The dual is what one owned node fewer is worth."""
    nodes = pyo.quicksum(block.nodes[p.id] for p in data.pools if p.config.id == unit)
    return block.beyond[unit] <= nodes - data.scenario.fleet[unit] * block.owned_work[unit]


def buy_beyond_owned(block: pyo.Block, unit: str, most: float) -> object:
    """``beyond[u] <= N y[u]``: nothing is bought before all that is owned works. The dual is what that costs a node."""
    return block.beyond[unit] <= most * block.owned_work[unit]


def rest_on_few_estimates(block: pyo.Block, data: ModelData, share: Share, limit: float) -> object:
    """``(1 - s) sum_i estimated_i bought_i <= s sum_i sound_i at_work_i`` for a limit `s`.

    Amounts are dollars with discounts and tax, or provisioned watts before caps, in thousands. The dual times all that
    is counted is what a limit higher by one would be worth.
    """
    terms = share_terms(block, data, share)
    estimated = pyo.quicksum(amount * var for var, amount in terms.estimated)
    sound = pyo.quicksum(amount * var for var, amount in terms.sound)
    rough, good = (1.0 - limit) * estimated, limit * sound
    return rough <= good if terms.estimated and (terms.sound or limit < 1.0) else pyo.Constraint.Feasible


def graded_amounts(data: ModelData) -> tuple[object, ...]:
    """Return what the rows of limited shares count of every part; nothing where none is limited.

    Parameters
    ----------
    data : ModelData
    """
    s, found = data.scenario, list[object]()
    for name in limited_shares(s):
        share = SHARES[name]
        found += [share.per_node(s, p.config) for p in data.pools]
        found += [share.per_rack(s, h.rack) for h in data.housings if not h.own]
        found += [share.per_loose(s, device) for device in s.devices]
        found += [share.per_loose(s, part) for part in (s.switch, s.optic)]
        found += [share.per_switch(s), share.per_optic(s)]
    return tuple(found)


def share_terms(block: pyo.Block, data: ModelData, share: Share) -> ShareTerms:
    """Return what counts as estimated and what as sound, in model units.

    Of owned configurations only nodes beyond those owned are bought. A rack counts by the part that is filled,
    switches and optics by what one tier of them needs for the nodes' own ports.

    Parameters
    ----------
    block : Block
    data : ModelData
    share : Share
    """
    m, s = block.model(), data.scenario
    nodes = {p.config.id: share.per_node(s, p.config) for p in data.pools}
    switch, optic = share.per_switch(s), share.per_optic(s)
    parts: dict[str, MemoryDevice | NetworkPart] = {d.id: d for d in s.devices}
    parts |= {part.id: part for part in (s.switch, s.optic)}
    if share.of_bought:
        rough: Terms = [(m.bought[u, v], nodes[u].estimated) for u in m.UNITS for v in m.PERIODS]
        racks = {h.rack.id: share.per_rack(s, h.rack) for h in data.housings if not h.own}
        rough += [(m.racks_bought[q, v], racks[q].estimated) for q in m.RACKS for v in m.PERIODS]
        rough += [(m.loose[d, v], share.per_loose(s, parts[d]).estimated) for d in m.LOOSE for v in m.PERIODS]
    else:
        rough = [(block.housed[h.id], nodes[h.pool.config.id].estimated) for h in data.housings]
    rough += [(block.leaves, switch.estimated), (block.spines, switch.estimated), (block.optics, optic.estimated)]
    one_tier = data.fabrics[0]
    port = switch.sound * (one_tier.leaves_per_port + one_tier.spines_per_port) + optic.sound * one_tier.optics_per_port
    good: Terms = [(block.beyond[u], nodes[u].sound) for u in block.beyond] if share.of_bought else []
    for h in data.housings:
        unit = h.pool.config.id
        each = 0.0 if share.of_bought and s.fleet.get(unit) else nodes[unit].sound
        each += port * node_ports(s, h.pool.config)
        each += 0.0 if h.own else share.per_rack(s, h.rack).sound / h.fit
        good.append((block.housed[h.id], each))
    return ShareTerms(*([(var, amount / share.scale) for var, amount in terms if amount] for terms in (rough, good)))
