"""Numbers of a load entry: what a replica holds, how many requests it takes, which accelerators it occupies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solver.formulas.asking import CHOSEN, COMPUTED, SOLVED, Ask, derived, recorded
from solver.formulas.caches import weight_terms
from solver.formulas.records import LOAD, Sheet, Term, number
from solver.performance import ROLE_DECODE, ROLE_PREFILL
from solver.physics.queueing import max_load


def entry_field(name: str) -> Callable[[Ask], float]:
    """Return what reads a field of the load entry's record."""
    return lambda ask: float(ask.item[name])


def taken(ask: Ask, field: str, name: str = "", unit: str = "") -> Term:
    """Term of a field of the load entry."""
    return recorded(ask.item, field, f"load {ask.item['load_id']}", name, unit)


def promised_s(ask: Ask) -> float | None:
    """TTFT promised to the requests of the entry; None where nothing is."""
    return ask.work.ttft_promise_s(ask.entry.cached)


@number("weight_bytes_per_accelerator", "Weights on each accelerator of the replica", "B", LOAD,
        lambda ask: float(ask.performance.weight_bytes[0]))  # fmt: skip
def weight_bytes_per_accelerator(ask: Ask) -> Sheet:
    """Dense weights over the tensor ranks, experts over the whole replica, both over the pipeline stages."""
    drafting = derived("drafting", float(ask.layout.speculation.kept_share(ask.layout.model.layers)[0]), "share",
                       "layers that a head that drafts adds; 0 without drafts")  # fmt: skip
    terms = (*weight_terms(ask, str(ask.item["precision"])), taken(ask, "tp"), taken(ask, "dp"), taken(ask, "pp"))
    always = "(kept_params * 2 + dense_params * weight_bytes_per_param) / tp"
    routed = "routed_params * weight_bytes_per_param / (tp * dp)"
    return Sheet(f"(end_params * end_bytes / tp + ({always} + {routed}) * (1 + drafting)) / pp", (*terms, drafting))


def _drafting(ask: Ask) -> float:
    return float(np.ravel(ask.layout.speculation.kept_share(ask.layout.model.layers))[0])


@number("kv_bytes_per_request", "Memory that one request takes on the replica, with copies and paging", "B", LOAD,
        lambda ask: float(ask.performance.kv_bytes_per_request[0]))  # fmt: skip
def kv_bytes_per_request(ask: Ask) -> Sheet:
    """Its own KV, as often as tensor ranks beyond the KV heads keep copies, and what paging loses."""
    prefill = ask.item["role"] == "prefill"
    own = ask.number("prompt_kv_bytes" if prefill else "active_kv_bytes_per_request", "own_bytes")
    state = ask.row("models", ask.work.model_id, "state_bytes_per_seq", "state_bytes")
    heads = derived("kv_heads", float(ask.layout.model.kv_heads[0]), "heads",
                    "heads over which KV can be divided, from the model's row")  # fmt: skip
    terms: tuple[Term, ...] = (own, state, taken(ask, "tp"), heads, ask.fit("kv_paging_frac"))
    text = "((own_bytes - state_bytes) * max(1, tp / kv_heads) + state_bytes) * (1 + kv_paging_frac)"
    if _drafting(ask):
        text = text.replace("* max", "* (1 + drafting) * max")
        terms = (*terms, derived("drafting", _drafting(ask), "share", "layers that the head that drafts adds"))
    return Sheet(text, terms)


@number("kv_free_bytes", "Local memory of the replica left for KV", "B", LOAD,
        lambda ask: float(ask.performance.kv_free_bytes[0]))  # fmt: skip
def kv_free_bytes(ask: Ask) -> Sheet:
    """What serving may use of the memory, less weights, graphs, activations, and the tokens that all requests share."""
    fit, at, points = ask.facts.calibration, ask.layout, ask.point
    prefill, decode = (points.role[0] == role for role in (ROLE_PREFILL, ROLE_DECODE))
    chunk = 0.0 if decode else min(float(points.chunk[0]), float(at.prompts[0] * points.isl_new[0]))
    batched = chunk + (0.0 if prefill else float((at.micro / points.dp * at.speculation.rows)[0]))
    kv, width, shared = at.model.kv, at.rank.kv_bytes, points.shared
    copies = max(1.0, float(points.tp[0] / at.model.kv_heads[0])) * float(points.dp[0])
    copy = (1.0 + _drafting(ask)) * float(kv.copy_bytes(shared, width)[0]) * copies * (1.0 + fit.kv_paging_frac)
    chip = ask.entry.accelerator
    column = "mem_gb" if chip.mem_usable_bytes is None else "mem_usable_gb"
    terms = (
        derived("count", float(points.count[0]), "accelerators", "tp x pp x dp of the entry"),
        ask.row("accelerators", chip.id, column, "memory_bytes"),
        ask.fit("hbm_usable_frac"),
        ask.fit("graph_buffers_gb"),
        ask.number("weight_bytes_per_accelerator"),
        derived("batched_tokens", batched, "tokens", "of one pass: its part of prompts and requests in flight"),
        ask.row("models", ask.work.model_id, "hidden"),
        ask.fit("activation_bytes_per_value"),
        derived("shared_bytes", copy, "B", "system tokens, once in each attention-data group"),
    )
    each = "memory_bytes * hbm_usable_frac - graph_buffers_bytes - weight_bytes_per_accelerator"
    return Sheet(f"count * ({each} - batched_tokens * hidden * activation_bytes_per_value) - shared_bytes", terms)


@number("batch_in_memory", "Requests whose KV the replica's local memory holds", "requests", LOAD,
        lambda ask: ask.entry.free_bytes / ask.entry.kv_bytes)  # fmt: skip
def batch_in_memory(ask: Ask) -> Sheet:
    """Memory left for KV, over what a request takes."""
    return Sheet(
        "kv_free_bytes / kv_bytes_per_request", tuple(map(ask.number, ("kv_free_bytes", "kv_bytes_per_request")))
    )


@number("full_requests_per_s", "Requests of a replica that is never idle", "1/s", LOAD,
        lambda ask: float(ask.performance.requests_per_s[0]))  # fmt: skip
def full_requests_per_s(ask: Ask) -> Sheet:
    """Requests in flight, over the time that one of them takes."""
    if ask.item["role"] == "prefill":
        prompts = derived("prompts", float(ask.layout.prompts[0]), "prompts", "packed into one pass of each group")
        return Sheet(
            "prompts * dp * pp / prefill_s", (prompts, taken(ask, "dp"), taken(ask, "pp"), ask.number("prefill_s"))
        )
    return Sheet("batch / (osl * tpot_s)",
                 (taken(ask, "batch"), ask.field("osl_tokens"), ask.number("tpot_s")))  # fmt: skip


@number("batch", "Requests in flight over the replica", "requests", LOAD, entry_field("batch"))
def batch(ask: Ask) -> Sheet:
    """Little's law: requests that a busy replica takes, times how long each stays."""
    if ask.item["role"] == "prefill":
        return Sheet("full_requests_per_s * prefill_s / (dp * pp)",
                     (ask.number("full_requests_per_s"), ask.number("prefill_s"), taken(ask, "dp"),
                      taken(ask, "pp")))  # fmt: skip
    return Sheet("full_requests_per_s * osl * tpot_s",
                 (ask.number("full_requests_per_s"), ask.field("osl_tokens"), ask.number("tpot_s")))  # fmt: skip


def highest_load(ask: Ask) -> Term:
    """Share of its full rate at which the wait still leaves room for the TTFT promise; at most the cap."""
    entry, work, promise = ask.entry, ask.work, promised_s(ask)
    cap = ask.facts.study.build.utilisation_cap
    if entry.role == "mixed":
        return Term("busy_frac", cap, "share", "study, build.utilisation_cap", CHOSEN)
    rest = sum(ask.number(name).value for name in ("first_token_s", "load_s", "handover_s"))
    slack = np.inf if promise is None else promise - rest
    servers = entry.lanes * int(entry.record["router_width"])
    quantile = None if promise is None else work.wait_percentile
    found = float(max_load(entry.prefill_s, work.wait_scv, slack, quantile, cap, servers))
    return Term("busy_frac", found, "share", "highest load at which waits leave room for the TTFT promise", COMPUTED)


def own_rate(ask: Ask) -> Sheet:
    """Requests/s that a replica takes by itself: of its full rate, and what its links carry."""
    entry, full = ask.entry, ask.number("full_requests_per_s")
    if entry.role == "decode":
        cap = ask.setting("build.utilisation_cap", ask.facts.study.build.utilisation_cap)
        parts, terms = [f"{cap.name} * full_requests_per_s"], [cap, full]
    else:
        parts, terms = ["busy_frac * full_requests_per_s"], [highest_load(ask), full]
    if entry.role != "mixed":
        parts.append("handover_bytes_per_s / handover_bytes")
        how = "ports of the replica or, in a unit, its scale-up links, at the share that was measured at this size"
        terms += [derived("handover_bytes_per_s", entry.out_bytes_per_s, "B/s", how), taken(ask, "handover_bytes")]
    if entry.role == "prefill" and entry.load_bytes:
        parts.append("load_bytes_per_s / load_bytes")
        terms += [load_speed(ask), taken(ask, "load_bytes")]
    text = parts[0] if len(parts) == 1 else f"min({', '.join(parts)})"
    return Sheet(text, tuple(terms))


def load_speed(ask: Ask) -> Term:
    """Bytes/s at which a replica loads hits: its links and its share of the node, or its ports."""
    entry = ask.entry
    if entry.pool_id is None:
        how, speed = "ports of the replica at the share that was measured at this size", entry.load_bytes_per_s
    else:
        tier = ask.nodes[entry.pool_id].tiers[str(entry.record["tier"])]
        share = entry.charge / entry.platform.accelerators
        speed = min(entry.count * tier.link_bytes_per_s, share * tier.read_bytes_per_s)
        how = f"least of its links and its share of the reads of {tier.device_id} in its node"
    return derived("load_bytes_per_s", speed, "B/s", how)


@number("requests_per_s_per_replica", "Requests of a replica at the highest load that keeps its promises", "1/s", LOAD,
        entry_field("requests_per_s_per_replica"))  # fmt: skip
def requests_per_s_per_replica(ask: Ask) -> Sheet:
    """Its own highest rate; in a pair of prefill and decode the slower half decides for both."""
    if ask.entry.unit is None:
        return own_rate(ask)
    halves = {str(i["role"]): i for i in ask.design.load if i["unit"] == ask.entry.unit}
    terms = []
    for role, item in halves.items():
        there = ask.at(load_id=str(item["load_id"]))
        terms.append(recorded(item, "unit_replicas", f"load {item['load_id']}", f"{role}_replicas", "replicas"))
        terms.append(derived(f"{role}_rate", own_rate(there).value, "1/s", f"least of what the {role} half can take"))
    mine = f"{ask.entry.role}_replicas"
    return Sheet(f"min(prefill_replicas * prefill_rate, decode_replicas * decode_rate) / {mine}", tuple(terms))


@number("charge", "Accelerators that a replica occupies, with those that its packing strands", "accelerators", LOAD,
        lambda ask: float(ask.item["accelerators"]) / float(ask.item["present"]))  # fmt: skip
def charge(ask: Ask) -> Sheet:
    """Accelerators of a node, over the replicas that fit it."""
    entry = ask.entry
    size = ask.row("platforms", entry.platform.id, "accelerators", "node_accelerators")
    count = derived("count", entry.count, "accelerators", "tp x pp x dp of the entry")
    if entry.unit is None:
        return Sheet("max(count, node_accelerators / max(1, floor(node_accelerators / count)))", (count, size))
    unit = sum(i["tp"] * i["pp"] * i["dp"] * i["unit_replicas"] for i in ask.design.load if i["unit"] == entry.unit)
    terms = (count, size, derived("unit", unit, "accelerators", "of both halves of the pair"),
             derived("domain", entry.domain, "accelerators", "one scale-up domain inside the platform"))  # fmt: skip
    units = "floor(node_accelerators / domain) * max(1, floor(domain / unit))"
    return Sheet(f"node_accelerators / ({units}) * count / unit", terms)


@number("replica_accelerators", "Accelerators of all replicas of a load entry", "accelerators", LOAD,
        entry_field("accelerators"))  # fmt: skip
def replica_accelerators(ask: Ask) -> Sheet:
    """Replicas that stand, times what each occupies."""
    return Sheet("present * charge", (taken(ask, "present", unit="replicas"), ask.number("charge")))


@number("replica_requests_per_s", "Requests that a load entry serves", "1/s", LOAD, entry_field("requests_per_s"))
def replica_requests_per_s(ask: Ask) -> Sheet:
    """Replicas at work, times their rate, times the part of it that is asked of them."""
    rate = float(ask.item["requests_per_s_per_replica"]) * float(ask.item["replicas"])
    part = Term("used_frac", float(ask.item["requests_per_s"]) / rate if rate else 0.0, "share",
                "what is asked of the rate that the replicas offer", SOLVED)  # fmt: skip
    return Sheet("replicas * requests_per_s_per_replica * used_frac",
                 (taken(ask, "replicas"), ask.number("requests_per_s_per_replica"), part))  # fmt: skip
