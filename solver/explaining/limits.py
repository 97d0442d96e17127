"""Where the limits that a study names stand in its program."""

from __future__ import annotations

from dataclasses import dataclass

from solver.explaining.workbench import Workbench
from solver.model.memory import TB
from solver.model.shares import share_terms
from solver.resources import RESOURCES
from solver.shares import SHARES, limited_shares


@dataclass(frozen=True)
class RowLimit:
    """A limit that is the side of one row.

    Attributes
    ----------
    id, name, unit : str
    row : int
        Of the program.
    scale : float
        Units in one model unit of the row.
    value : float
        The limit, in `unit`.
    whole : bool
        True where it counts pieces.
    """

    id: str
    name: str
    unit: str
    row: int
    scale: float
    value: float
    whole: bool = False


def row_limits(bench: Workbench) -> list[RowLimit]:
    """Limits of the site and of supply."""
    scenario, model = bench.scenario, bench.ready.model
    block = model.period[0]
    at = bench.program.row_numbers
    found = []
    for name in block.within_limit:
        resource = RESOURCES[name]
        row = at[id(block.within_limit[name])]
        limit = float(resource.limit(scenario) or 0.0)
        found.append(RowLimit(resource.limit_path, resource.name, resource.unit, row, resource.scale, limit))
    supply = scenario.study.supply
    names = {p.id: p.name for p in scenario.platforms} | {d.id: d.name for d in scenario.devices}
    for kind, rows, table in (
        ("platform", block.within_platform_supply, supply.platform),
        ("memory", block.within_device_supply, supply.memory),
    ):
        for part in rows:
            row = at[id(rows[part])]
            if part in table:
                label = f"supply of {names.get(part, part)}"
                value = float(table[part].quantity)
                found.append(RowLimit(f"supply.{kind}.{part}", label, "pieces", row, 1.0, value, whole=True))
    return found


def share_limits(bench: Workbench) -> list[RowLimit]:
    """Shares that may rest on estimates: one more of a share moves its row by all that it counts in the relaxation."""
    block, values, found = bench.ready.model.period[0], bench.relaxed.values, list[RowLimit]()
    if values is None:
        return found
    at = {id(variable): float(values[k]) for k, variable in enumerate(bench.program.variables)}
    for name, limit in limited_shares(bench.scenario).items():
        share, terms = SHARES[name], share_terms(block, bench.data, SHARES[name])
        counted = sum(amount * at.get(id(var), 0.0) for var, amount in (*terms.estimated, *terms.sound))
        row = bench.program.row_numbers.get(id(block.rest_on_few_estimates[name]))
        if row is not None and counted > 0.0 and limit < 1.0:
            found.append(RowLimit(share.path, share.name, "share", row, 1.0 / counted, limit))
    return found


@dataclass(frozen=True)
class Group:
    """A kind of row that holds in every pool: what nodes offer of something, summed over them.

    Attributes
    ----------
    id, name, unit : str
    rows : dict
        Row of the program -> model units that the nodes of the relaxation offer in it.
    scale : float
        Units in one model unit.
    relative : bool
        True where what the rows hold has no common unit: then it is one whole, and more of it a share of that.
    """

    id: str
    name: str
    unit: str
    rows: dict[int, float]
    scale: float
    relative: bool = False


TIER_ROWS = {
    "capacity": ("fit_tier", "capacity_bytes", "B", "capacity"),
    "read": ("read_tier", "read_bytes_per_s", "B/s", "read bandwidth"),
    "write": ("write_tier", "write_bytes_per_s", "B/s", "write bandwidth"),
    "wear": ("wear_tier", "endurance_bytes_per_s", "B/s", "endurance"),
}
"""Kind of limit of a tier -> its row, what a node offers, unit, name."""


def tier_groups(bench: Workbench) -> list[Group]:
    """Capacity, bandwidth and endurance of every tier, over all pools at work in the relaxation."""
    block, values = bench.ready.model.period[0], bench.relaxed.values
    if values is None:
        return []
    at = bench.program.row_numbers
    nodes = {pool: float(values[where].sum()) for pool, where in bench.ready.layout.housed.items()}
    groups: dict[str, Group] = {}
    for place in bench.data.places:
        stock = place.stock
        port = stock.link_bytes_per_s if stock.pooled else float("inf")
        for kind, (row, offer, unit, label) in TIER_ROWS.items():
            rows = getattr(block, row)
            if place.id not in rows:
                continue
            each = float(getattr(stock, offer))
            each = min(each, port) if kind in ("read", "write") else each
            name = f"memory.{stock.tier}.{kind}"
            group = groups.setdefault(name, Group(name, f"{stock.tier}: {label}", unit, {}, TB))
            group.rows[at[id(rows[place.id])]] = each / TB * nodes.get(place.pool.id, 0.0)
    return list(groups.values())


USED_ROWS = {
    "links.host": ("read_over_own_link", "links from accelerators to host memory"),
    "links.own": ("stay_on_own_node", "a replica's share of its node's memory and its bandwidth"),
    "racks.room": ("fit_in_racks", "room and power in racks"),
    "network.ports": ("wire_ports", "what a port carries"),
    "network.fabric": ("stay_within_fabric", "ports that one fabric joins"),
}
"""Kind of limit -> its row and its name: what the left sides use, all of it a share larger."""
SLOTS = ("dimm", "socamm", "nvme", "hdd", "cxl")
"""Places in nodes that devices stand in: one more holds, moves and endures more."""


def used_groups(bench: Workbench) -> list[Group]:
    """Links, racks, ports and slots: limits without a side of their own.

    A row ``use <= offer`` without a constant is tight where it has a dual, so that what is used is what is offered: a
    share more of it gains that share of the dual times the use.
    """
    found = [_used(bench, identity, row, name) for identity, (row, name) in USED_ROWS.items()]
    return [group for group in found if group is not None] + _slots(bench)


def _used(bench: Workbench, identity: str, row: str, name: str) -> Group | None:
    """One kind of row, with what its positive side holds in the relaxation."""
    program, values = bench.program, bench.relaxed.values
    if values is None:
        return None
    held: dict[int, float] = {}
    for k, each in enumerate(program.rows):
        if each is None or each.constraint.parent_component().local_name != row:
            continue
        entries = slice(program.start[k], program.start[k + 1])
        terms = program.value[entries] * values[program.index[entries]]
        held[k] = float(terms[terms > 0.0].sum())
    return Group(identity, name, "share", held, 1.0, relative=True) if held else None


def _slots(bench: Workbench) -> list[Group]:
    """Places for devices by kind: a share more of them is that much more of all that their devices give."""
    bays = {d.id: d.bay for d in bench.scenario.devices}
    tiers = {place.stock.tier: bays.get(place.stock.device_id, "") for place in bench.data.places}
    groups: dict[str, Group] = {}
    for group in tier_groups(bench):
        bay = tiers.get(group.id.split(".")[1], "")
        if bay in SLOTS:
            name = f"slots.{bay}"
            groups.setdefault(name, Group(name, f"{bay} slots with their devices", "share", {}, 1.0, relative=True))
            for row, units in group.rows.items():
                groups[name].rows[row] = groups[name].rows.get(row, 0.0) + units
    return list(groups.values())
