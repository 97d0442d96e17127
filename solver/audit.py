"""The audit: a design checked from its bill of materials and its load, without the model that made it.

Everything is recomputed from the study and the raw catalog rows inside the design: nodes from rows, times and
watts from `solver.performance`, replicas laid into nodes, nodes into racks, bytes onto devices. No candidate,
coefficient or variable of the optimisation is read. What is checked and what is not stands in ``docs/audit.md``.
"""

from __future__ import annotations

from typing import Any

from solver.auditing.appliances import check_appliances
from solver.auditing.bill import check_bill
from solver.auditing.checks import TOLERANCE, Checks
from solver.auditing.entries import read_entries
from solver.auditing.layout import check_racks, check_replicas
from solver.auditing.memory import check_memory
from solver.auditing.network import check_network
from solver.auditing.nodes import read_nodes
from solver.auditing.pairs import check_pairs
from solver.auditing.queues import check_queues
from solver.auditing.rows import Facts
from solver.auditing.serving import check_entry
from solver.auditing.totals import (
    add_up,
    check_demand,
    check_kpis,
    check_limits,
    check_objective,
    check_pools,
    check_stated_limits,
)
from solver.auditing.whole import check_whole, is_whole
from solver.design import Design

__all__ = ["TOLERANCE", "audit"]


def audit(design: Design) -> dict[str, Any]:
    """Check a design against its own study and catalog rows.

    Parameters
    ----------
    design : Design
        With a build; a design without one has nothing to check.

    Returns
    -------
    dict
        ``ok``; ``checks``, how many were made; ``worst``, the largest relative violation (negative while all
        have slack); ``violations``, a line for each beyond `TOLERANCE`, the worst first; ``unplaced``, only
        where there is any, accelerators of replicas without room by ``platform@cap``.
    """
    checks = Checks()
    if not design.has_build:
        return checks.report()
    with checks.subject("audit"):
        _run(design, checks)
    return checks.report()


def _run(design: Design, checks: Checks) -> None:
    """Go through the subjects; one that cannot be read does not hide the others."""
    facts = Facts(design)
    nodes = read_nodes(facts, checks)
    with checks.subject("bill"):
        check_bill(facts, nodes, checks)
    with checks.subject("pools"):
        check_pools(facts, nodes, checks)
        for node in nodes.values():
            check_racks(node, checks)
    entries = read_entries(facts)
    with checks.subject("load"):
        identities = {entry.load_id for entry in entries}
        checks.true("load: two entries with the same id", len(identities) == len(entries))
        for entry in entries:
            check_entry(facts, entry, nodes, checks)
        check_queues(entries, design.solver["queues"], checks)
        check_replicas(nodes, entries, whole=is_whole(facts), checks=checks)
        check_whole(facts, entries, checks)
        check_pairs(facts, entries, checks)
        check_network(facts, nodes, entries, checks)
        check_demand(facts, entries, checks)
    with checks.subject("placement"):
        check_memory(facts, nodes, entries, checks)
        check_appliances(facts, nodes, checks)
    with checks.subject("totals"):
        sums = add_up(facts, nodes, entries)
        check_limits(facts, sums, checks)
        check_stated_limits(facts, nodes, entries, checks)
        check_kpis(facts, sums, nodes, entries, checks)
        check_objective(facts, sums, checks)
