"""Queues: how many replicas are said to share one, against those that stand and may take its requests."""

from __future__ import annotations

from solver.auditing.checks import Checks
from solver.auditing.entries import Entry
from solver.auditing.rows import Facts
from solver.design import Record


def check_width(facts: Facts, entry: Entry, what: str, checks: Checks) -> None:
    """Check that the study lets so many replicas share a queue, and that any of them may take a request."""
    width = entry.record["router_width"]
    whole = isinstance(width, int) and width >= 1
    if not checks.true(f"{what}: router width is not a whole number above 0", whole):
        return
    checks.at_most(f"{what}: router width above the study's", width, facts.study.build.router_width)
    if width > 1:
        bound = entry.is_hit and entry.pool_id is not None
        checks.true(f"{what}: hits in a node's own tier go to that node, not to {width} replicas", not bound)


def check_queues(entries: list[Entry], stated: list[Record], checks: Checks) -> None:
    """Check that as many replicas of each class and role stand as are said to share a queue.

    Parts of replicas count as parts, as in a replica that works for the class a part of the time.
    """
    shared: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.role != "decode" and entry.record["router_width"] > 1:
            shared.setdefault((entry.work.id, entry.role), []).append(entry)
    for (name, role), mine in shared.items():
        widest, total = max(e.record["router_width"] for e in mine), sum(e.replicas for e in mine)
        what = f"queue of {name}, {role}"
        checks.at_most(f"{what}: router width above the replicas that stand", widest, total, scale=1.0)
        said = [q for q in stated if (q["class"], q["role"]) == (name, role)]
        if checks.true(f"{what}: {len(said)} times in solver.queues", len(said) == 1):
            checks.equal(f"{what}: width in solver.queues", said[0]["width"], widest)
            checks.equal(f"{what}: replicas in solver.queues", said[0]["replicas"], total, scale=1e-3)
    unused = [q for q in stated if (q["class"], q["role"]) not in shared]
    checks.true(f"solver.queues has {len(unused)} queues that no load entry shares", not unused)
