"""Flows of parked KV: what is written when it is parked, what is read and written when it moves."""

from __future__ import annotations

from collections import defaultdict

from solver.auditing.checks import Checks
from solver.auditing.entries import Entry
from solver.auditing.nodes import Node
from solver.auditing.rows import Facts
from solver.design import Record

_GRAIN_BYTES = 1e6
"""Bytes/s that a violation is at least set against."""

Place = tuple[str, str]
"""Pool id and tier."""


def check_flows(facts: Facts, parked: list[Record], checks: Checks) -> None:
    """Check that new KV is written where it is parked first, and moved KV read where it lay and written anew."""
    rates: dict[tuple[str, int, Place], float] = defaultdict(float)
    moved: dict[tuple[str, int, Place], float] = defaultdict(float)
    known = []
    for record in parked:
        curve, i, at = facts.retention.get(record["class"]), record["segment"], (record["pool_id"], record["tier"])
        if curve is not None and isinstance(i, int) and 0 <= i < len(curve):
            rates[record["class"], i, at] += record["requests_per_s"]
            moved[record["class"], i, at] += record["moved_out_bytes_per_s"]
            known.append(record)
    into: dict[tuple[str, int], float] = defaultdict(float)
    for record in known:
        name, i, at = record["class"], record["segment"], (record["pool_id"], record["tier"])
        needed = max(0.0, _new_bytes(facts, rates, name, at) if i == 0 else _more_bytes(facts, rates, name, i, at))
        what = f"parked KV of {name} segment {i} in {at[0]} {at[1]}"
        checks.at_least(f"{what}: bytes/s written", record["write_bytes_per_s"], needed, "B/s", scale=_GRAIN_BYTES)
        into[name, i] += needed if i else 0.0
        _check_out(facts, rates, moved, (name, i, at), what, checks)
    for (name, i), needed in into.items():
        out = sum(amount for (who, k, _), amount in moved.items() if (who, k) == (name, i - 1))
        what = f"parked KV of {name} that moves for segment {i}: bytes/s read where it lay"
        checks.at_least(what, out, needed, "B/s", scale=_GRAIN_BYTES)


def _check_out(
    facts: Facts,
    rates: dict[tuple[str, int, Place], float],
    moved: dict[tuple[str, int, Place], float],
    key: tuple[str, int, Place],
    what: str,
    checks: Checks,
) -> None:
    """Check that no more moves out of a place than it keeps less of in the next segment."""
    name, i, at = key
    later = i + 1 < len(facts.retention[name])
    most = max(0.0, -_more_bytes(facts, rates, name, i + 1, at)) if later else 0.0
    checks.at_most(f"{what}: bytes/s that move out of it", moved[key], most, "B/s", scale=_GRAIN_BYTES)


def _new_bytes(facts: Facts, rates: dict[tuple[str, int, Place], float], name: str, at: Place) -> float:
    """Bytes/s of new prompts at a place, less what hits find there."""
    curve, work = facts.retention[name], facts.workloads[name]
    found = sum(float(hit) * rates[name, k, at] for k, hit in enumerate(curve.d_hit))
    return facts.kv_bytes(work) * (rates[name, 0, at] - facts.loaded_share(work) * found)


def _more_bytes(facts: Facts, rates: dict[tuple[str, int, Place], float], name: str, i: int, at: Place) -> float:
    """Bytes/s of unused KV that a place keeps more of in a segment than in the one before."""
    waiting = 1.0 - float(sum(facts.retention[name].d_hit[:i]))
    return facts.kv_bytes(facts.workloads[name]) * waiting * (rates[name, i, at] - rates[name, i - 1, at])


def check_own_reads(
    nodes: dict[str, Node], loading: list[Entry], moved: float, here: tuple[str, str, str], checks: Checks
) -> None:
    """Check hits and moves of a class against the reads of the nodes' share of the replicas that load there.

    Parameters
    ----------
    loading : list of Entry
        Replicas that load hits of the class from the place.
    moved : float
        Bytes/s that move out of it.
    here : (class, pool id, tier)
    """
    name, pool_id, tier_name = here
    node = nodes[pool_id]
    hits = sum(float(e.record["requests_per_s"]) * e.load_bytes for e in loading)
    share = sum(e.present * e.unit_charge for e in loading) / node.platform.accelerators
    what = f"parked KV of {name} in {pool_id} {tier_name}: reads from the share of the replicas that load it"
    limit = share * node.tiers[tier_name].read_bytes_per_s
    checks.at_most(what, hits + moved, limit, "B/s", scale=_GRAIN_BYTES)
