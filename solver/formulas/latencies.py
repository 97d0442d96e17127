"""Times of a load entry: TTFT and its parts, TPOT and a prefill."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from solver.evaluation import Clock, clock, layout
from solver.formulas.asking import CHOSEN, COMPUTED, Ask, derived
from solver.formulas.records import LOAD, Sheet, Term, number
from solver.formulas.replicas import entry_field, highest_load, load_speed, promised_s, taken
from solver.physics.exchange import crossings_s
from solver.physics.overhead import decode_overhead_s, first_token_wait_s, launches_s
from solver.physics.queueing import wait_quantile

DECODES, PREFILLS = ("decode", "mixed"), ("prefill", "mixed")
"""Roles that have a TPOT, and a TTFT."""
_STEP = "bytes over bandwidth and FLOPs over rate of each operator, and the exchange (solver.physics.roofline)"
_HOST = "kernels, collectives and work of the host (solver.physics.overhead)"


def _clock(ask: Ask) -> Clock:
    return clock(ask.layout, ask.times)


@number("tpot_s", "Time per output token", "s", LOAD, entry_field("tpot_s"), DECODES)
def tpot_s(ask: Ask) -> Sheet:
    """The mean step with its overhead and the launches of prefill beside it, over the tokens that it yields."""
    at, k, found = ask.layout, ask.times, _clock(ask)
    requests = np.maximum(1.0, at.micro / at.rank.dp)
    overhead = decode_overhead_s(at.model, at.rank, requests, k, at.speculation.drafts)
    terms = [
        derived("overhead_s", overhead[0], "s", _HOST),
        derived("step_work_s", found.steps.mean.time_s[0], "s", _STEP),
    ]
    if ask.item["role"] == "mixed":
        terms += [
            ask.fit("launch_share"),
            derived("launches_s", launches_s(at.model, at.rank, k)[0], "s", _HOST),
            derived("prefilling", found.steps.prefilling[0], "share", "steps that carry a chunk of a prompt"),
        ]
    yields = float(np.ravel(np.asarray(at.speculation.tokens))[0])
    terms.append(derived("tokens_per_step", yields, "tokens", "1, and what drafts add on average"))
    beside = " + launch_share * launches_s * prefilling" if ask.item["role"] == "mixed" else ""
    return Sheet(f"(overhead_s + step_work_s{beside}) / tokens_per_step", tuple(terms))


def _prefill(ask: Ask, *, longest: bool) -> tuple[str, tuple[Term, ...]]:
    """Text and terms of one prefill: of the mean prompt, or of the one whose TTFT is promised."""
    point, fit = ask.point, ask.facts.calibration
    if longest:
        point = dataclasses.replace(point, isl_new=point.asked_new, cached=point.asked_cached)
    at, k = layout(point, fit.gamma_prefill, fit.gamma_decode), ask.times
    found = clock(at, k)
    terms = (
        derived("prefill_work_s", found.prefill.time_s[0], "s", _STEP),
        ask.fit("launch_share"),
        derived("launches_s", launches_s(at.model, at.rank, k)[0], "s", _HOST),
        derived("crossings_s", np.ravel(crossings_s(at.model, at.rank, k))[0], "s", "messages between domains"),
        derived("passes", at.passes[0], "passes", "new tokens of the packed prompts over the chunk, rounded up"),
    )
    return "prefill_work_s + (launch_share * launches_s + crossings_s) * passes", terms


@number("prefill_s", "Time that prefilling one pack of prompts keeps the replica busy", "s", LOAD,
        lambda ask: float(ask.performance.prefill_s[0]), PREFILLS)  # fmt: skip
def prefill_s(ask: Ask) -> Sheet:
    """Work of the prompts, and the launches of each pass that are not hidden."""
    return Sheet(*_prefill(ask, longest=False))


@number("first_token_s", "From the start of a request at an idle replica to its first token", "s", LOAD,
        lambda ask: float(ask.performance.first_token_s[0]), PREFILLS)  # fmt: skip
def first_token_s(ask: Ask) -> Sheet:
    """Prefill of the prompt asked for, what goes on beside it on the host, a decode step where it decodes too."""
    text, terms = _prefill(ask, longest=True)
    at, k = ask.layout, ask.times
    launches, passes = (next(t.value for t in terms if t.name == name) for name in ("launches_s", "passes"))
    waits = first_token_wait_s(at.model, np.asarray([launches * passes]), k)[0]
    terms = (*terms, derived("beside_s", waits, "s", "hidden launches, routing and the host (solver.physics.overhead)"))
    if ask.item["role"] == "prefill":
        return Sheet(f"{text} + beside_s", terms)
    return Sheet(
        f"{text} + beside_s + step_s", (*terms, derived("step_s", _clock(ask).step_s[0], "s", "one decode step"))
    )


def _busy(ask: Ask) -> Term:
    """Load of the queue at the highest rate that keeps the promise."""
    highest = highest_load(ask)
    if ask.entry.role == "prefill":
        return dataclasses.replace(highest, name="load")
    value = highest.value * ask.entry.full_rate * ask.entry.prefill_s / ask.entry.lanes
    return derived("load", value, "share", "prefills of a replica at its highest rate, over its lanes")


def _wait(ask: Ask) -> float:
    """Wait as the queueing model has it."""
    load, work, entry = _busy(ask).value, ask.work, ask.entry
    servers = entry.lanes * int(entry.record["router_width"])
    return float(wait_quantile(load, entry.prefill_s, work.wait_scv, work.wait_percentile, servers)) if load else 0.0


@number("wait_s", "Wait in front of the replicas at the promised percentile", "s", LOAD, _wait, PREFILLS)
def wait_s(ask: Ask) -> Sheet:
    """Mean wait of those that wait, times how far out the percentile lies in its exponential tail (M/G/c)."""
    terms = (
        _busy(ask),
        ask.number("prefill_s"),
        ask.field("isl_cv"),
        ask.field("arrival_cv"),
        Term("quantile", ask.work.wait_percentile, "share", f"percentile promised to {ask.work.id}", CHOSEN),
        derived("lanes", ask.entry.lanes, "prompts", "prefilled at a time: dp x pp"),
        taken(ask, "router_width", unit="replicas"),
    )
    text = (
        "prefill_s * (isl_cv ** 2 + arrival_cv ** 2) / (2 * lanes * router_width * (1 - load))"
        " * max(0, (sqrt(2 * (lanes * router_width + 1)) - 1) * log(load) - log(1 - quantile))"
    )
    return Sheet(text if terms[0].value else "0 * load", terms)


def _handover(ask: Ask) -> float:
    """Rest of the stated TTFT."""
    return float(ask.item["ttft_s"]) - sum(ask.number(n).value for n in ("wait_s", "load_s", "first_token_s"))


@number("handover_s", "Hand-over of the prompt's KV to the replica that decodes", "s", LOAD, _handover, ("prefill",))
def handover_s(ask: Ask) -> Sheet:
    """As long as the slower side takes, which is given a share of the TTFT promise, and the latency of the path."""
    entry, facts = ask.entry, ask.facts
    if entry.role != "prefill":
        return Sheet("0")
    asked_bytes = derived("asked_bytes", entry.asked_bytes, "B", "KV of the prompt whose TTFT is promised")
    own = derived("handover_bytes_per_s", entry.out_bytes_per_s, "B/s", "what a transfer of this size reaches")
    if entry.unit is not None:
        slow = derived("slowest_bytes_per_s", entry.slowest_bytes_per_s, "B/s", "one accelerator with free links")
        latency = Term("latency_s", facts.scale_up_link.latency_s, "s", f"links {facts.scale_up_link.id}",
                       facts.scale_up_link.confidence)  # fmt: skip
        text = "asked_bytes / min(handover_bytes_per_s, slowest_bytes_per_s) + latency_s"
        return Sheet(text, (asked_bytes, own, slow, latency))
    latency = Term("latency_s", facts.nic_link.latency_s, "s", f"links {facts.nic_link.id}", facts.nic_link.confidence)
    if ask.work.ttft_s is None:
        return Sheet("asked_bytes / handover_bytes_per_s + latency_s", (asked_bytes, own, latency))
    frac = ask.setting(
        "build.handover_ttft_frac",
        facts.setting("build.handover_ttft_frac", facts.study.build.handover_ttft_frac),
    )
    tightest = ask.work.tightest_ttft_s
    due = Term("promise_s", 1e6 / frac.value if tightest is None else tightest, "s",
               f"shortest TTFT promised to {ask.work.id}", CHOSEN)  # fmt: skip
    text = "max(asked_bytes / handover_bytes_per_s, handover_ttft_frac * promise_s) + latency_s"
    return Sheet(text, (asked_bytes, own, frac, due, latency))


@number("load_s", "Load of a hit's KV from its tier", "s", LOAD,
        lambda ask: float(ask.item["ttft_s"])
        - sum(ask.number(n).value for n in ("wait_s", "first_token_s", "handover_s")), PREFILLS)  # fmt: skip
def load_s(ask: Ask) -> Sheet:
    """Latency of the tier, and its bytes over what the replica reads at."""
    entry = ask.entry
    if not entry.is_hit:
        return Sheet("0")
    name = str(entry.record["tier"])
    mine = ask.nodes.values() if entry.pool_id is None else [ask.nodes[entry.pool_id]]
    latency = max(n.tiers[name].latency_s for n in mine if name in n.tiers)
    terms = (
        derived("latency_s", latency, "s", f"first byte of {name} and of the path to it"),
        derived("asked_load_bytes", entry.asked_load_bytes, "B", "cached KV of the prompt whose TTFT is promised"),
        load_speed(ask),
    )
    return Sheet("latency_s + asked_load_bytes / load_bytes_per_s", terms)


@number("ttft_s", "Time to the first token at the promised percentile", "s", LOAD, entry_field("ttft_s"), PREFILLS)
def ttft_s(ask: Ask) -> Sheet:
    """Wait, load of what was cached, prefill until the first token, and hand-over."""
    parts = ["wait_s", "first_token_s"]
    parts += ["load_s"] if ask.entry.is_hit else []
    parts += ["handover_s"] if ask.entry.role == "prefill" else []
    return Sheet(" + ".join(parts), tuple(ask.number(name) for name in parts))


@number("ttft_margin_frac", "What is left of the TTFT promise", "share", LOAD,
        lambda ask: 1.0 - float(ask.item["ttft_s"]) / (promised_s(ask) or math.nan), PREFILLS)  # fmt: skip
def ttft_margin_frac(ask: Ask) -> Sheet:
    """One less the share of the promise that is spent."""
    promise = Term("promise_s", promised_s(ask) or math.nan, "s", f"study, promise of {ask.work.id}", COMPUTED)
    return Sheet("1 - ttft_s / promise_s", (ask.number("ttft_s"), promise))
