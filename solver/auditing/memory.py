"""Bytes: active KV below local memory and parked KV, on the tiers of each pool's nodes, and the hits they win."""

from __future__ import annotations

import math
from collections import defaultdict

from solver.auditing.checks import Checks
from solver.auditing.entries import Entry
from solver.auditing.flows import check_flows, check_own_reads
from solver.auditing.nodes import Node, Tier
from solver.auditing.rows import Facts
from solver.design import Record

Placed = list[tuple[Record, Tier]]
"""Placement records, each with the tier it lies on."""
_GRAIN_BYTES = 1e3
"""Bytes that a violation is at least set against."""
_GRAIN_RATE = 1e-6
"""Requests/s likewise."""
_UNWRITTEN_BYTES = 1.0
"""Placements below this are not written into a design."""


def check_memory(facts: Facts, nodes: dict[str, Node], entries: list[Entry], checks: Checks) -> None:
    """Check where bytes lie, how fast they are read, and what they win."""
    placed = [(record, tier) for record in facts.design.placement if (tier := _tier(record, nodes, checks)) is not None]
    active = [(record, tier) for record, tier in placed if record["kind"] == "active"]
    parked = [(record, tier) for record, tier in placed if record["kind"] == "parked"]
    known = all(record["kind"] in ("active", "parked") for record, _ in placed)
    checks.true("placement: bytes that are neither active nor parked", known)
    _check_active(entries, active, checks)
    for record, _ in parked:
        _check_parked(facts, record, checks)
    _check_own_nodes(nodes, entries, parked, checks)
    _check_order(facts, entries, [record for record, _ in parked], checks)
    _check_hits(facts, entries, parked, checks)
    check_flows(facts, [record for record, _ in parked], checks)
    _check_tiers(nodes, placed, checks)


def _tier(record: Record, nodes: dict[str, Node], checks: Checks) -> Tier | None:
    """Return the tier on which a placement lies, or note that there is none."""
    what = f"placement of {record['class']} in {record['pool_id']}"
    node = nodes.get(record["pool_id"])
    tier = node.tiers.get(record["tier"]) if node else None
    if tier is None or node is None or node.quantity == 0:
        checks.true(f"{what}: there is no tier {record['tier']}", False)
        return None
    checks.true(f"{what}: tier {record['tier']} is made of {tier.device_id}", record["device"] == tier.device_id)
    good = all(
        math.isfinite(record[name]) and record[name] >= 0
        for name in ("bytes", "read_bytes_per_s", "write_bytes_per_s", "moved_out_bytes_per_s")
    )
    checks.true(f"{what}: bytes, reads, writes or moves are not numbers of at least 0", good)
    return tier


def _check_active(entries: list[Entry], active: Placed, checks: Checks) -> None:
    """Check active KV entry by entry: it is all there, on the own nodes' share, read over the own links in time."""
    mine: dict[str, Placed] = defaultdict(list)
    for record, tier in active:
        mine[record["load_id"]].append((record, tier))
    by_id = {entry.load_id: entry for entry in entries}
    for load_id in sorted(set(mine) - set(by_id)):
        checks.true(f"placement: active KV of {load_id}, which is no load entry", False)
    for entry in entries:
        what, records = f"active KV of {entry.load_id}", mine[entry.load_id]
        needed, grain = entry.replicas * entry.spill_bytes, entry.replicas * max(entry.free_bytes, 1e9)
        lying = sum(float(r["bytes"]) for r, _ in records)
        checks.at_least(f"{what}: bytes below local memory", lying, needed - _UNWRITTEN_BYTES, "B", scale=grain)
        if not records:
            continue
        per_byte = entry.work.kv_read_frac / entry.step_s
        share = entry.replicas * entry.charge / entry.platform.accelerators
        for record, tier in records:
            where, amount = f"{what} in {record['tier']}", record["bytes"]
            reads, own = amount * per_byte, (record["pool_id"], record["class"]) == (entry.pool_id, entry.work.id)
            checks.true(f"{where}: not in the pool or class of its replicas", own)
            checks.true(f"{where}: read every step through the network", not tier.pooled)
            checks.at_least(f"{where}: reads", record["read_bytes_per_s"], reads, "B/s", scale=_GRAIN_BYTES)
            checks.at_most(f"{where}: bytes in the share of its own nodes", amount, share * tier.capacity_bytes, "B")
            speed = share * tier.read_bytes_per_s
            checks.at_most(f"{where}: reads from the share of its own nodes", reads, speed, "B/s")
        link = min(tier.link_bytes_per_s for _, tier in records) * entry.count * entry.replicas
        checks.at_most(f"{what}: reads over its own links", lying * per_byte, link, "B/s")


def _check_parked(facts: Facts, record: Record, checks: Checks) -> None:
    """Check one parked segment: resident bytes by Little's law, the hits it wins, and their reads."""
    name, i = record["class"], record["segment"]
    what = f"parked KV of {name} segment {i} in {record['pool_id']}"
    curve = facts.retention.get(name)
    if curve is None or not isinstance(i, int) or not 0 <= i < len(curve):
        checks.true(f"{what}: the class has no such retention segment", False)
        return
    work, rate = facts.workloads[name], float(record["requests_per_s"])
    whole, hits = facts.kv_bytes(work), rate * float(curve.d_hit[i])
    resident = rate * float(curve.d_resident_tokens[i]) * whole / work.isl
    checks.at_least(f"{what}: requests kept", rate, 0.0, "1/s", scale=_GRAIN_RATE)
    checks.at_least(f"{what}: resident bytes", record["bytes"], resident, "B", scale=_GRAIN_BYTES)
    reads = hits * whole * facts.loaded_share(work) + float(record["moved_out_bytes_per_s"])
    checks.at_least(
        f"{what}: reads of hits and of what moves out", record["read_bytes_per_s"], reads, "B/s", scale=_GRAIN_BYTES
    )
    checks.at_most(f"{what}: hits it wins", record["hits_per_s"], hits, "1/s", scale=_GRAIN_RATE)
    checks.equal(f"{what}: time to live", record["ttl_s"], float(curve.ttl_s[i]), "s")


def _check_own_nodes(nodes: dict[str, Node], entries: list[Entry], parked: Placed, checks: Checks) -> None:
    """Check that KV parked on nodes lies within the share of the replicas that load it, and is read there."""
    lying: dict[tuple[str, str, str], float] = defaultdict(float)
    moved: dict[tuple[str, str, str], float] = defaultdict(float)
    for record, tier in parked:
        if not tier.pooled:
            lying[record["class"], record["pool_id"], record["tier"]] += record["bytes"]
            moved[record["class"], record["pool_id"], record["tier"]] += record["moved_out_bytes_per_s"]
    for (name, pool_id, tier_name), amount in lying.items():
        node = nodes[pool_id]
        here = (name, pool_id, tier_name)
        loading = [e for e in entries if e.is_hit and (e.work.id, e.pool_id, e.record["tier"]) == here]
        share = sum(e.present * e.unit_charge for e in loading) / node.platform.accelerators
        room = share * node.tiers[tier_name].capacity_bytes
        what = f"parked KV of {name} in {pool_id} {tier_name}"
        checks.at_most(
            f"{what}: bytes in the share of the replicas that load it", amount, room, "B", scale=_GRAIN_BYTES
        )
        check_own_reads(nodes, loading, moved[here], here, checks)


def _check_order(facts: Facts, entries: list[Entry], parked: list[Record], checks: Checks) -> None:
    """Check that what is kept long was kept short before, and that no more is kept than is served."""
    kept: dict[tuple[str, int], float] = defaultdict(float)
    for record in parked:
        kept[record["class"], record["segment"]] += record["requests_per_s"]
    served = served_rates(entries)
    for name, curve in facts.retention.items():
        before = served.get(name, 0.0)
        for i in range(len(curve)):
            now = kept[name, i]
            checks.at_most(f"parked KV of {name}: requests kept for segment {i}", now, before, "1/s", scale=_GRAIN_RATE)
            before = now


def _check_hits(facts: Facts, entries: list[Entry], parked: Placed, checks: Checks) -> None:
    """Check that no more hits are loaded from a place than what is kept there wins."""
    won: dict[tuple[str, str], float] = defaultdict(float)
    loaded: dict[tuple[str, str], float] = defaultdict(float)
    for record, tier in parked:
        curve, i = facts.retention.get(record["class"]), record["segment"]
        if curve is not None and isinstance(i, int) and 0 <= i < len(curve):
            place = record["tier"] if tier.pooled else f"{record['pool_id']} {record['tier']}"
            won[record["class"], place] += record["requests_per_s"] * float(curve.d_hit[i])
    for entry in entries:
        if entry.is_hit:
            tier_name = entry.record["tier"]
            place = tier_name if entry.pool_id is None else f"{entry.pool_id} {tier_name}"
            loaded[entry.work.id, place] += entry.record["requests_per_s"]
    for (name, place), rate in loaded.items():
        what = f"hits of {name} from {place}: requests/s against what is kept there"
        checks.at_most(what, rate, won[name, place], "1/s", scale=_GRAIN_RATE)


def _check_tiers(nodes: dict[str, Node], placed: Placed, checks: Checks) -> None:
    """Check bytes, reads, writes and wear of every tier; a storage server's ports bound its reads and writes."""
    words = (("bytes", "B"), ("reads", "B/s"), ("writes", "B/s"), ("writes over the rated life", "B/s"))
    for (pool_id, name), use in tier_use([record for record, _ in placed]).items():
        for (word, unit), used, limit in zip(words, use, tier_limits(nodes[pool_id], name), strict=True):
            if math.isfinite(limit):
                checks.at_most(f"tier {name} of {pool_id}: {word}", used, limit, unit)


Four = tuple[float, float, float, float]
"""Bytes, bytes/s read, bytes/s written, and the same against the rated life."""


def tier_use(placement: list[Record]) -> dict[tuple[str, str], Four]:
    """Return bytes, reads and (twice, for bandwidth and for wear) writes of each (pool, tier)."""
    use: dict[tuple[str, str], Four] = defaultdict(lambda: (0.0, 0.0, 0.0, 0.0))
    for record in placement:
        key, written = (record["pool_id"], record["tier"]), record["write_bytes_per_s"]
        more = (record["bytes"], record["read_bytes_per_s"], written, written)
        now = use[key]
        use[key] = (now[0] + more[0], now[1] + more[1], now[2] + more[2], now[3] + more[3])
    return dict(use)


def tier_limits(node: Node, name: str) -> Four:
    """Return bytes, bytes/s read, written and endured of a tier over all nodes of a pool."""
    tier, n = node.tiers[name], node.quantity
    port = tier.link_bytes_per_s if tier.pooled else math.inf
    reads, writes = min(tier.read_bytes_per_s, port), min(tier.write_bytes_per_s, port)
    return n * tier.capacity_bytes, n * reads, n * writes, n * tier.endurance_bytes_per_s


def served_rates(entries: list[Entry]) -> dict[str, float]:
    """Return requests/s whose answers are decoded, by class."""
    served: dict[str, float] = defaultdict(float)
    for entry in entries:
        if entry.role != "prefill":
            served[entry.work.id] += entry.record["requests_per_s"]
    return dict(served)
