"""Performance: the shape, memory, rates, times and watts that load entries state, against what the rows give."""

from __future__ import annotations

import math

from solver.auditing.checks import TOLERANCE, Checks
from solver.auditing.entries import HIT, MISS, NONE, Entry, wait_share
from solver.auditing.network import check_wiring
from solver.auditing.nodes import Node, Tier
from solver.auditing.queues import check_width
from solver.auditing.rows import Facts
from solver.physics.queueing import wait_quantile
from solver.workload import Workload


def check_entry(facts: Facts, entry: Entry, nodes: dict[str, Node], checks: Checks) -> None:
    """Check one entry: shape, memory, rates, promises and watts."""
    what = f"load {entry.load_id}"
    if not _check_shape(facts, entry, nodes, what, checks):
        return
    _check_memory(entry, what, checks)
    record, work = entry.record, entry.work
    rate = float(record["requests_per_s_per_replica"])
    checks.at_most(f"{what}: requests/s against its replicas", record["requests_per_s"], entry.replicas * rate, "1/s")
    checks.at_most(f"{what}: requests/s of a replica above what the utilisation cap leaves", rate,
                   facts.study.build.utilisation_cap * entry.full_rate, "1/s")  # fmt: skip
    if entry.role != "decode":
        speed, latency = _load_path(entry, nodes, what, checks)
        load_s = latency + (entry.asked_load_bytes / speed if entry.load_bytes else 0.0)
        if entry.is_hit:
            loaded = rate * entry.load_bytes
            checks.at_most(f"{what}: KV loaded by a replica over its own link and share", loaded, speed, "B/s")
        check_width(facts, entry, what, checks)
        _check_ttft(facts, entry, rate, load_s, what, checks)
    if entry.role != "prefill":
        _check_tpot(entry, rate, what, checks)
    if entry.role == "decode" and (work.ttft_s is not None or entry.unit is not None):
        took_s = entry.asked_bytes / entry.out_bytes_per_s
        checks.at_most(f"{what}: seconds to take over a prompt's KV", took_s, _received_s(facts, entry), "s")
    check_wiring(facts, entry, what, checks)
    _check_flows(entry, what, checks)
    _check_watts(entry, rate, nodes, what, checks)
    checks.true(f"{what}: evidence is {entry.evidence}, not {record['evidence']}", record["evidence"] == entry.evidence)
    checks.true(f"{what}: model is {work.model_id}, not {record['model']}", record["model"] == work.model_id)


def _check_shape(facts: Facts, entry: Entry, nodes: dict[str, Node], what: str, checks: Checks) -> bool:
    """Check that the replica is one that its class, model, platform and study allow."""
    record, work, build = entry.record, entry.work, facts.study.build
    model = facts.models[work.model_id]
    finite = all(
        math.isfinite(record[name]) and record[name] >= 0 for name in ("replicas", "present", "requests_per_s", "batch")
    )
    domain = min(entry.platform.accelerators, entry.accelerator.scaleup_domain)
    inside = entry.count <= domain or 0 < entry.nodes <= build.replica_nodes
    near = not entry.nodes or not entry.is_hit or entry.pool_id is None
    checks.true(f"{what}: replicas, rate or batch is not a number of at least 0", finite)
    checks.true(f"{what}: a replica of {entry.count} spans more than one scale-up domain of {domain}", inside)
    checks.true(f"{what}: hits in a node's own tier for a replica of {entry.nodes} nodes", near)
    split = entry.count % record["ep"] == 0 and (model.n_heads or 1) % record["tp"] == 0
    checks.true(f"{what}: its parallelism does not divide the model", split)
    known = (record["precision"] in work.weight_precisions, record["kv_format"] == work.kv_precision)
    checks.true(f"{what}: number formats are not those the class accepts", all(known))
    offered = (entry.role in build.roles, entry.family[1] in build.power_caps, record["chunk"] == build.chunk_tokens)
    checks.true(f"{what}: role, cap or chunk is not one the study offers", all(offered))
    drafted = record["draft_tokens"] in ([0] if entry.role == "prefill" else build.draft_tokens)
    checks.true(f"{what}: {record['draft_tokens']} drafted tokens are not what the study offers its role", drafted)
    checks.at_most(f"{what}: batch", record["batch"], build.max_batch)
    kinds = {"prefill": (HIT, MISS), "mixed": (HIT, MISS), "decode": (NONE,)}[entry.role]
    checks.true(f"{what}: cache {record['cache']} does not go with its role", record["cache"] in kinds)
    fits = work.isl + work.osl <= (model.max_context or math.inf)
    checks.true(f"{what}: its sequences are longer than the model's context", fits)
    pool = nodes.get(entry.pool_id) if entry.pool_id else None
    stands = any(n.family == entry.family for n in nodes.values()) if entry.pool_id is None else bool(pool)
    checks.true(f"{what}: no pool of {entry.platform.id} at cap {entry.family[1]:g} for it", stands)
    if pool is not None:
        checks.true(f"{what}: its pool {pool.pool_id} has another platform or cap", pool.family == entry.family)
    checks.at_most(f"{what}: replicas at work against those that stand", entry.replicas, entry.present)
    half = entry.unit is not None and entry.role == "decode"  # stands with the half that loads hits
    if entry.pool_id is None or not (entry.is_hit or half):
        checks.at_most(f"{what}: replicas that stand below their rated load", entry.present, entry.replicas)
    taken = entry.present * entry.charge
    checks.equal(f"{what}: accelerators of its replicas", record["accelerators"], taken, scale=1e-3)
    return inside and finite


def _check_memory(entry: Entry, what: str, checks: Checks) -> None:
    """Check weights and KV against local memory; only decoding replicas may leave KV in the node's tiers."""
    record, scale = entry.record, entry.free_bytes if entry.free_bytes > 0 else 1e9
    checks.at_least(f"{what}: local memory left for KV beside the weights", entry.free_bytes, 0.0, "B", scale=1e9)
    if entry.role == "decode":
        stated, needed = record["spill_bytes"], entry.replicas * entry.spill_bytes
        checks.at_least(f"{what}: KV below local memory", stated, needed, "B", scale=entry.replicas * scale)
        bound = entry.spill_bytes <= TOLERANCE * scale or entry.pool_id is not None
        checks.true(f"{what}: KV below local memory, but no pool whose memory holds it", bound)
        return
    held = entry.kv_bytes * (entry.lanes if entry.role == "prefill" else record["batch"])
    checks.at_most(f"{what}: KV in flight in local memory", held, entry.free_bytes, "B", scale=1e9)


def _load_path(entry: Entry, nodes: dict[str, Node], what: str, checks: Checks) -> tuple[float, float]:
    """Return bytes/s and latency at which a replica loads hits: its own link and share of its node, or its ports."""
    if not entry.is_hit:
        return math.inf, 0.0
    name = str(entry.record["tier"])
    if entry.pool_id is None:
        sources = [n.tiers[name] for n in nodes.values() if name in n.tiers and n.tiers[name].pooled and n.quantity]
        if not checks.true(f"{what}: hits come from {name}, which no storage pool has", bool(sources)):
            return 1e-9, 0.0
        return entry.load_bytes_per_s, max(tier.latency_s for tier in sources)
    tier: Tier | None = nodes[entry.pool_id].tiers.get(name)
    if tier is None or tier.pooled:
        checks.true(f"{what}: hits come from {name}, which its nodes do not have", False)
        return 1e-9, 0.0
    share = entry.charge / entry.platform.accelerators
    return min(entry.count * tier.link_bytes_per_s, share * tier.read_bytes_per_s), tier.latency_s


def _check_ttft(facts: Facts, entry: Entry, rate: float, load_s: float, what: str, checks: Checks) -> None:
    """Check the hand-over out of a replica that prefills, and its TTFT at the promised percentile at its load."""
    work = entry.work
    if entry.role == "prefill":
        link = facts.nic_link if entry.unit is None else facts.scale_up_link
        received_s = _received_s(facts, entry)
        handover_s = max(entry.asked_bytes / entry.out_bytes_per_s, received_s) + link.latency_s
        after_s, busy = load_s + handover_s, rate / entry.full_rate
        checks.at_most(f"{what}: KV handed over through a replica's own ports or links", rate * entry.transfer_bytes,
                       entry.out_bytes_per_s, "B/s")  # fmt: skip
    else:
        after_s, busy = load_s, rate * entry.prefill_s / entry.lanes
    servers = entry.lanes * entry.record["router_width"]
    wait = wait_quantile(busy, entry.prefill_s, _variation(work), wait_share(work), servers) if rate > 0 else 0.0
    ttft, stated = float(wait) + entry.first_token_s + after_s, entry.record["ttft_s"]
    checks.at_least(f"{what}: TTFT understated", stated, ttft, "s")
    promise = _ttft_promise_s(work, entry.cached, is_hit=entry.is_hit)
    if promise is not None:
        checks.at_most(f"{what}: TTFT promise broken", ttft, promise, "s")
        checks.at_most(f"{what}: stated TTFT breaks the promise", stated, promise, "s")


def _ttft_promise_s(work: Workload, cached: float, *, is_hit: bool) -> float | None:
    """Return the TTFT promised to hits or misses of a class, by what its promise is on; None for none."""
    if work.ttft_s is None:
        return None
    if work.promise_on == "hit":
        return work.ttft_s if is_hit else None
    new_tokens = work.isl - cached
    return work.ttft_s * (new_tokens / 1000.0 if work.promise_on == "per_1k_new_tokens" else 1.0)


def _variation(work: Workload) -> float:
    """Return what enters the wait in place of the service's variation, for arrivals that are not Poisson."""
    return work.isl_cv**2 + work.arrival_cv**2 - 1.0


def _received_s(facts: Facts, entry: Entry) -> float:
    """Seconds that taking over a prompt's KV may last: inside a unit no longer than one accelerator takes."""
    if entry.unit is not None:
        return entry.asked_bytes / entry.slowest_bytes_per_s
    return _due_s(facts, entry) if entry.work.ttft_s is not None else 0.0


def _due_s(facts: Facts, entry: Entry) -> float:
    """Seconds within which a decoding replica takes over a prompt's KV."""
    share = float(facts.setting("build.handover_ttft_frac", facts.study.build.handover_ttft_frac))
    work = entry.work
    hits = work.reuse_frac_max > 0
    cached = max(work.isl * work.reuse_frac_max, work.system_tokens)
    tightest = _ttft_promise_s(work, cached, is_hit=hits)
    return share * (math.inf if tightest is None else tightest)


def _check_tpot(entry: Entry, rate: float, what: str, checks: Checks) -> None:
    """Check the hand-over into a replica that decodes, and its TPOT."""
    work, stated = entry.work, entry.record["tpot_s"]
    if entry.role == "decode":
        checks.at_most(f"{what}: KV taken over through a replica's own ports or links", rate * entry.transfer_bytes,
                       entry.out_bytes_per_s, "B/s")  # fmt: skip
    checks.at_least(f"{what}: TPOT understated", stated, entry.tpot_s, "s")
    if work.tpot_s is not None:
        checks.at_most(f"{what}: TPOT promise broken", entry.tpot_s, work.tpot_s, "s")
        checks.at_most(f"{what}: stated TPOT breaks the promise", stated, work.tpot_s, "s")


def _check_flows(entry: Entry, what: str, checks: Checks) -> None:
    """Check the tokens and bytes that are stated beside the rate."""
    record, work, rate = entry.record, entry.work, float(entry.record["requests_per_s"])
    output = rate * work.osl if entry.role != "prefill" else 0.0
    taken = rate * (work.isl - entry.cached) if entry.role != "decode" else 0.0
    handed = entry.transfer_bytes if entry.role != "mixed" else 0.0
    checks.equal(f"{what}: output tokens/s", record["output_tokens_per_s"], output, scale=1e-6)
    checks.equal(f"{what}: input tokens/s", record["input_tokens_per_s"], taken, scale=1e-6)
    checks.equal(f"{what}: bytes loaded a request", record["load_bytes"], entry.load_bytes, "B", scale=1.0)
    checks.equal(f"{what}: bytes handed over a request", record["handover_bytes"], handed, "B", scale=1.0)


def _check_watts(entry: Entry, rate: float, nodes: dict[str, Node], what: str, checks: Checks) -> None:
    """Check watts above idle, at the boards and at the meter in the worst-cooled racks where the entry may lie."""
    busy = rate / entry.full_rate if entry.role == "prefill" else 1.0
    above = entry.replicas * busy * (entry.busy_w - entry.idle_w)
    where = [n for n in nodes.values() if n.family == entry.family and entry.pool_id in (None, n.pool_id)]
    pue = max((n.pue_mean for n in where), default=1.0)
    checks.at_least(f"{what}: drawn watts understated", entry.record["drawn_above_idle_w"], above, "W", scale=1.0)
    checks.at_least(f"{what}: drawn watts at the meter understated", entry.record["drawn_above_idle_meter_w"],
                    above * pue, "W", scale=1.0)  # fmt: skip
