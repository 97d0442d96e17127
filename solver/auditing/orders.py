"""Orders, counted again: how many pieces of each part must be ordered for what is at work, and not one lot more."""

from __future__ import annotations

import math
from collections import defaultdict

from solver.auditing.checks import Checks
from solver.auditing.nodes import Node, node_of
from solver.auditing.rows import Facts
from solver.parts import MemoryDevice, NetworkPart, Platform, Rack


def whole_order(part: Platform | MemoryDevice | Rack | NetworkPart, need: int) -> int:
    """Return the fewest pieces that cover a need, reach the part's minimum and make whole lots."""
    pieces = 0 if need <= 0 else max(need, part.order_minimum)
    over = pieces % part.order_multiple
    return pieces + (part.order_multiple - over if over else 0)


def ordered_nodes(facts: Facts) -> dict[str, int]:
    """Return the nodes that the bill orders, by configuration."""
    found: dict[str, int] = defaultdict(int)
    for line in facts.design.bill_of_materials:
        for item in line["configurations"]:
            found[str(item["configuration"])] += item["quantity"]
    return dict(found)


def working_nodes(nodes: dict[str, Node]) -> dict[str, int]:
    """Return the nodes at work by configuration."""
    found: dict[str, int] = defaultdict(int)
    for node in nodes.values():
        found[node.configuration] += node.quantity
    return dict(found)


def examples(facts: Facts, nodes: dict[str, Node]) -> dict[str, Node]:
    """Return a node of each configuration that is at work or ordered."""
    known = {node.configuration: node for node in nodes.values()}
    return known | {c: node_of(facts, c) for c in ordered_nodes(facts) if c not in known}


def check_orders(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check that the nodes ordered cover those at work, in orders that are taken, and that no lot is too many."""
    ordered, working = ordered_nodes(facts), working_nodes(nodes)
    short: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    platforms: dict[str, Node] = {}
    for configuration, node in examples(facts, nodes).items():
        need = max(0, working.get(configuration, 0) - facts.fleet.get(configuration, 0))
        got = ordered.get(configuration, 0)
        checks.at_least(f"orders: nodes of {configuration} against those at work", got, need, "pieces", scale=1.0)
        short[node.platform.id] += need
        total[node.platform.id] += got
        platforms[node.platform.id] = node
    for name, node in platforms.items():
        fleet = sum(n for configuration, n in facts.fleet.items() if configuration.partition("/")[0] == name)
        at_work = sum(n.quantity for n in nodes.values() if n.platform.id == name)
        need = max(short[name], math.ceil(nodes_to_keep(facts, node, at_work) - 1e-6) - fleet)
        least = whole_order(node.platform, need)
        checks.equal(f"orders: nodes of {name} with spares, in whole lots", total[name], least, "pieces", scale=1.0)
    _check_vendors(facts, nodes, checks)
    _check_kinds(facts, nodes, checks)


def _check_kinds(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check the kinds of platforms at work and of devices ordered, and that there is enough of each platform."""
    build, fleet = facts.study.build, {configuration.partition("/")[0] for configuration in facts.fleet}
    working = [node for node in nodes.values() if node.quantity and node.accelerator is not None]
    kinds = {node.platform.id for node in working}
    if build.max_platforms is not None:
        checks.at_most("bill: kinds of platforms", len(kinds), build.max_platforms)
    if build.max_device_kinds is not None:
        bill = facts.design.bill_of_materials
        devices = {line["part"] for line in bill if line["kind"] == "memory" and line["quantity"] and not line["owned"]}
        checks.at_most("bill: kinds of memory devices", len(devices), build.max_device_kinds, scale=1.0)
    if build.min_platform_mw_frac is not None:
        least_w = build.min_platform_mw_frac * (facts.site["power_mw"] or 0.0) * 1e6
        for name in sorted(kinds - fleet):
            amount = sum(_of_least(node, least_w) for node in working if node.platform.id == name)
            what = f"bill: nodes of {name} against the least share of the megawatts or a full rack"
            checks.at_least(what, amount, 1.0)


def _of_least(node: Node, least_w: float) -> float:
    """Return how often a pool's nodes reach the least watts or fill a rack, counted rack by rack."""
    total = 0.0
    for stand in node.stands:
        fit = math.floor(stand.rack.peak_w / node.capped_w)
        fit = min(fit, 1) if stand.own else min(fit, stand.rack.rack_units // max(1, node.platform.rack_units))
        watts = node.capped_w * stand.cooling.pue_peak
        total += stand.nodes * max(watts / least_w if least_w else 1.0, 1.0 / max(fit, 1))
    return total


def nodes_to_keep(facts: Facts, node: Node, at_work: int) -> float:
    """Return the nodes of a platform that must be there: at work, away for repair on average, and one more."""
    build, away = facts.study.build, 0.0
    if build.spares_days:
        platform, chip = node.platform, node.accelerator
        failures = _afr(facts, "platform_afr_percent", platform.afr_frac)
        if chip is not None:
            failures += platform.accelerators * _afr(facts, "accelerator_afr_percent", chip.afr_frac)
        away = at_work * failures * build.spares_days / 365.0
    return at_work + away + (1 if build.n_plus_one and at_work else 0)


def _afr(facts: Facts, name: str, of_row: float | None) -> float:
    if of_row is not None:
        return of_row
    return float(facts.setting(f"build.{name}", getattr(facts.study.build, name))) / 100.0


def _check_vendors(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check the share of accelerator watts that one vendor may have."""
    limit = facts.study.build.max_share_per_vendor
    watts: dict[str, float] = defaultdict(float)
    for node in nodes.values():
        if node.accelerator is not None:
            board_w = node.accelerator.tdp_w * node.cap * node.platform.accelerators
            watts[node.accelerator.vendor] += node.quantity * board_w
    for vendor, mine in watts.items():
        if limit is not None:
            checks.at_most(f"vendors: accelerator watts of {vendor}", mine, limit * sum(watts.values()), "W")
