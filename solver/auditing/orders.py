"""Orders, counted again: how many pieces of each part must be ordered for what is at work, and not one lot more."""

from __future__ import annotations

from collections import defaultdict

from solver.auditing.checks import Checks
from solver.auditing.nodes import Node, node_of
from solver.auditing.rows import Facts
from solver.parts import MemoryDevice, Platform, Rack


def whole_order(part: Platform | MemoryDevice | Rack, need: int) -> int:
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
    platforms: dict[str, Platform] = {}
    for configuration, node in examples(facts, nodes).items():
        need = max(0, working.get(configuration, 0) - facts.fleet.get(configuration, 0))
        got = ordered.get(configuration, 0)
        checks.at_least(f"orders: nodes of {configuration} against those at work", got, need, "pieces", scale=1.0)
        short[node.platform.id] += need
        total[node.platform.id] += got
        platforms[node.platform.id] = node.platform
    for name, platform in platforms.items():
        least = whole_order(platform, short[name])
        checks.equal(f"orders: nodes of {name} in whole lots", total[name], least, "pieces", scale=1.0)
