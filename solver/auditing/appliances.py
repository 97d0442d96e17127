"""Appliances of pooled memory: the nodes attached to them find ports, and what lies there finds bytes and bandwidth."""

from __future__ import annotations

from solver.auditing.checks import Checks
from solver.auditing.memory import tier_use
from solver.auditing.nodes import Node
from solver.auditing.rows import Facts
from solver.parts import MemoryDevice, Platform


def check_appliances(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check every kind of appliance to which nodes are attached.

    Each node is attached to one appliance; what a pool parks there is taken to spread over the appliances as its nodes
    do.
    """
    kinds = {node.attached.id: node.attached for node in nodes.values() if node.attached}
    for appliance in kinds.values():
        _check_kind(facts, nodes, appliance, checks)


def _check_kind(facts: Facts, nodes: dict[str, Node], appliance: Platform, checks: Checks) -> None:
    """Check hosts, bytes, reads and writes of one kind of appliance."""
    what, hosts = (
        f"appliances {appliance.id}",
        [n for n in nodes.values() if n.attached and n.attached.id == appliance.id],
    )
    count = sum(n.quantity for n in nodes.values() if n.platform.id == appliance.id)
    attached = sum(n.quantity for n in hosts)
    checks.at_most(f"{what}: nodes attached to their ports", attached, appliance.most_hosts * count, "nodes", scale=1.0)
    tier, pools = facts.part(MemoryDevice, str(appliance.host_mem_id)).tier, {n.pool_id for n in hosts}
    use = tier_use(facts.design.placement)
    here = [amounts for (pool_id, name), amounts in use.items() if name == tier and pool_id in pools]
    speed = count * (appliance.host_mem_bw_bytes_per_s or 0.0)
    limits = (count * appliance.host_mem_std_bytes, speed, speed)
    for k, (word, unit) in enumerate((("bytes", "B"), ("reads", "B/s"), ("writes", "B/s"))):
        checks.at_most(f"{what}: {word}", sum(amounts[k] for amounts in here), limits[k], unit)
