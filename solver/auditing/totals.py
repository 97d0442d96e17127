"""Totals: demand, power at four boundaries, money, KPIs, limits and the proof, each from its parts."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from solver.auditing.bill import wanted_lines
from solver.auditing.checks import Checks
from solver.auditing.entries import Entry
from solver.auditing.memory import served_rates, tier_limits, tier_use
from solver.auditing.network import read_network
from solver.auditing.nodes import Node
from solver.auditing.rows import SECONDS_PER_YEAR, Facts
from solver.auditing.whole import proven_value
from solver.design import FEASIBLE, OPTIMAL, Record
from solver.workload import Workload


def check_demand(facts: Facts, entries: list[Entry], checks: Checks) -> None:
    """Check that what is served is prefilled and decoded, and keeps the mix or the stated rates."""
    served, spec = served_rates(entries), facts.study.demand
    prefilled: dict[str, float] = defaultdict(float)
    for entry in entries:
        if entry.role != "decode":
            prefilled[entry.work.id] += entry.record["requests_per_s"]
    scale = max((served.get(w.id, 0.0) / w.requests_per_s for w in facts.workloads.values()), default=0.0)
    for work in facts.workloads.values():
        rate, asked = served.get(work.id, 0.0), work.requests_per_s
        what, taken = f"demand of {work.id}", prefilled[work.id]
        checks.at_least(f"{what}: requests prefilled against those decoded", taken, rate, "1/s", scale=1e-6)
        checks.at_least(f"{what}: requests served against the floor", rate, spec.floor_frac * asked, "1/s", scale=asked)
        if spec.mode == "mix":
            checks.at_least(f"{what}: mix not kept", rate, scale * asked, "1/s")
        else:
            checks.at_most(f"{what}: requests served beyond the stated rate", rate, asked, "1/s")
    if spec.mode == "mix" and spec.max_scale is not None:
        checks.at_most("demand: scale of the mix", scale, spec.max_scale)


def check_pools(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check the watts, floor and accelerators that each pool states."""
    for pool in facts.design.pools:
        node = nodes[pool["pool_id"]]
        n, what = node.quantity, f"pool {node.pool_id}"
        board = node.accelerator.tdp_w * node.cap * node.platform.accelerators if node.accelerator else 0.0
        stands = node.stands
        true = {
            "accelerators": n * node.platform.accelerators,
            "board_w": n * board,
            "node_w": n * node.capped_w,
            "it_w": n * node.it_w,
            "meter_w": sum(s.nodes * node.it_w * s.cooling.pue_peak for s in stands),
            "standing_meter_w": _standing_w(node),
        }
        for name, value in true.items():
            checks.equal(f"{what}: {name}", pool[name], value, "" if name == "accelerators" else "W", scale=1.0)
        for item, stand in zip(pool["racks"], stands, strict=True):
            rack = f"{what} in rack {stand.rack.id}"
            checks.equal(f"{rack}: floor_m2", item["floor_m2"], stand.racks * stand.rack.floor_m2, "m2", scale=1e-3)
            checks.equal(f"{rack}: pue_peak", item["pue_peak"], stand.cooling.pue_peak)
            checks.equal(f"{rack}: pue_mean", item["pue_mean"], stand.cooling.pue_central)


def _standing_w(node: Node) -> float:
    """Mean watts at the meter of a pool's nodes while their accelerators idle."""
    return sum(s.nodes * node.standing_w * s.cooling.pue_central for s in node.stands)


@dataclass(frozen=True)
class Sums:
    """What the parts add up to."""

    requests: float
    output_tokens: float
    input_tokens: float
    tokens: float
    value_tokens: float
    accelerators: float
    board_w: float
    node_w: float
    it_w: float
    meter_w: float
    drawn_w: float
    capex_usd: float
    tco_usd: float
    revenue_usd: float
    unmet_usd: float
    floor_m2: float
    water_l_per_s: float
    co2_kg_per_s: float
    estimated_capex_share: float
    estimated_power_share: float


def add_up(facts: Facts, nodes: dict[str, Node], entries: list[Entry]) -> Sums:
    """Add up nodes, racks, lines of the bill and load entries from their rows."""
    served, works, money = served_rates(entries), facts.workloads, facts.money
    fixed_w = facts.study.site.fixed_mw * 1e6
    counted = {w.id: counted_tokens(facts, w) for w in works.values()}
    year, net = SECONDS_PER_YEAR * money.load_factor, read_network(facts)
    working = sum(float(e.record["drawn_above_idle_meter_w"]) for e in entries)
    standing = fixed_w + net.drawn_meter_w + sum(_standing_w(n) for n in nodes.values())
    drawn = standing + working
    it_w = net.it_w + sum(n.quantity * n.it_w for n in nodes.values())
    yearly = (standing + money.load_factor * working) * SECONDS_PER_YEAR * money.electricity_usd_per_j
    capex = rated_w = rough_usd = rough_w = 0.0
    for line in wanted_lines(facts, nodes).values():
        usd, watts = line.quantity * line.unit_usd, line.in_use * line.unit_w
        capex, rated_w = capex + usd, rated_w + watts
        rough_usd += usd if line.confidence_price == "estimate" else 0.0
        rough_w += watts if line.confidence_power == "estimate" else 0.0
        yearly += usd * money.yearly(line.kind)
    stands = [(n, s) for n in nodes.values() for s in n.stands]
    return Sums(
        requests=sum(served.values()),
        output_tokens=sum(rate * works[w].osl for w, rate in served.items()),
        input_tokens=sum(e.record["requests_per_s"] * (e.work.isl - e.cached) for e in entries if e.role != "decode"),
        tokens=sum(rate * counted[w] for w, rate in served.items()),
        value_tokens=sum(rate * works[w].osl * works[w].value_per_token for w, rate in served.items()),
        accelerators=sum(n.quantity * n.platform.accelerators for n in nodes.values()),
        board_w=sum(n.quantity * n.platform.accelerators * n.cap * (n.accelerator.tdp_w if n.accelerator else 0.0)
                    for n in nodes.values()),
        node_w=sum(n.quantity * n.capped_w for n in nodes.values()),
        it_w=it_w,
        meter_w=fixed_w + net.meter_w + sum(s.nodes * n.it_w * s.cooling.pue_peak for n, s in stands),
        drawn_w=drawn,
        capex_usd=capex,
        tco_usd=yearly + it_w * money.building_usd_per_w_year,
        revenue_usd=year * sum(rate * counted[w] * (works[w].price_usd_per_token or 0.0) for w, rate in served.items()),
        unmet_usd=year * sum((w.unmet_usd_per_request or 0.0) * max(0.0, w.requests_per_s - served.get(w.id, 0.0))
                             for w in works.values() if facts.study.demand.mode == "fixed"),
        floor_m2=sum(s.racks * s.rack.floor_m2 for _, s in stands),
        water_l_per_s=net.water_l_per_s + sum(s.nodes * n.it_w * s.cooling.wue_l_per_j for n, s in stands),
        co2_kg_per_s=drawn * money.carbon_kg_per_j,
        estimated_capex_share=rough_usd / capex if capex else 0.0,
        estimated_power_share=rough_w / rated_w if rated_w else 0.0,
    )  # fmt: skip


def counted_tokens(facts: Facts, work: Workload) -> float:
    """Return the tokens of one request as the study counts them."""
    how = facts.study.objective.tokens
    if how == "value":
        return work.osl * work.value_per_token
    cached = max(work.isl * work.reuse_frac_max, work.system_tokens)
    return work.osl + (work.isl - cached if how == "all" else 0.0)


def check_limits(facts: Facts, sums: Sums, checks: Checks) -> None:
    """Check the site's limits, and how much may rest on estimates."""
    site, usable = facts.site, facts.study.site.usable_power_frac
    contracted = None if site["power_mw"] is None else site["power_mw"] * 1e6 * usable
    limits = {
        "site.power_mw": (contracted, sums.meter_w, "W"),
        "site.budget_usd": (site["budget_usd"], sums.capex_usd, "USD"),
        "site.floor_m2": (site["floor_m2"], sums.floor_m2, "m2"),
        "site.water_l_per_s": (site["water_l_per_s"], sums.water_l_per_s, "L/s"),
        "site.co2_kg_per_s": (site["co2_kg_per_s"], sums.co2_kg_per_s, "kg/s"),
    }
    build = facts.study.build
    limits |= {
        "build.max_estimated_capex_share": (build.max_estimated_capex_share, sums.estimated_capex_share, "share"),
        "build.max_estimated_power_share": (build.max_estimated_power_share, sums.estimated_power_share, "share"),
    }
    stated = {record["id"]: record for record in facts.design.limits}
    for name, (limit, used, unit) in limits.items():
        if limit is not None:
            checks.at_most(f"limit {name}", used, limit, unit)
            checks.true(f"limit {name}: missing among the stated limits", name in stated)
            if name in stated:
                checks.equal(f"limit {name}: value", stated[name]["value"], limit, unit)
                checks.equal(f"limit {name}: used", stated[name]["used"], used, unit)


def check_stated_limits(facts: Facts, nodes: dict[str, Node], entries: list[Entry], checks: Checks) -> None:
    """Check the limits that the design lists: slack is what is left, and promises and tiers are those of its parts."""
    use = tier_use(facts.design.placement)
    tiers = {
        f"memory.{pool}.{tier}": (tier_limits(nodes[pool], tier), amounts)
        for (pool, tier), amounts in use.items() if pool in nodes and tier in nodes[pool].tiers
    }  # fmt: skip
    for record in facts.design.limits:
        name, unit = record["id"], record["unit"]
        size = max(abs(record["value"]), abs(record["used"]))
        checks.equal(f"limit {name}: slack", record["slack"], record["value"] - record["used"], unit, scale=size)
        checks.at_most(f"limit {name}: stated use", record["used"], record["value"], unit)
        head, _, last = name.rpartition(".")
        if head in tiers:
            at = ("capacity", "read", "write", "wear").index(last)
            checks.equal(f"limit {name}: value", record["value"], tiers[head][0][at], unit)
            checks.equal(f"limit {name}: used", record["used"], tiers[head][1][at], unit, scale=record["value"])
        for work in facts.workloads.values():
            if name in (f"promise.{work.id}.ttft", f"promise.{work.id}.tpot"):
                promise = work.ttft_s if last == "ttft" else work.tpot_s
                mine = [
                    None if e.record[f"{last}_s"] is None else e.record[f"{last}_s"] * _weight(e, last)
                    for e in entries if e.work.id == work.id
                ]  # fmt: skip
                worst = max((value for value in mine if value is not None), default=0.0)
                checks.equal(f"limit {name}: value", record["value"], promise or 0.0, unit)
                checks.equal(f"limit {name}: used", record["used"], worst, unit)


def _weight(entry: Entry, kind: str) -> float:
    """Return what a second of an entry counts against its class's promise: nothing where it is promised nothing."""
    work = entry.work
    if kind == "tpot" or work.promise_on == "all":
        return 1.0
    return float(entry.is_hit) if work.promise_on == "hit" else 1000.0 / (work.isl - entry.cached)


def check_kpis(facts: Facts, sums: Sums, nodes: dict[str, Node], entries: list[Entry], checks: Checks) -> None:
    """Check every key figure that can be recomputed, and the tokens by model."""
    power_mw = facts.site["power_mw"]
    tokens, year = sums.tokens, SECONDS_PER_YEAR * facts.money.load_factor
    near = [e for e in entries if e.role != "prefill" and e.evidence == "measured"]
    measured = sum(e.record["requests_per_s"] * e.work.osl for e in near)
    true = {
        "requests_per_s": sums.requests,
        "output_tokens_per_s": sums.output_tokens,
        "new_input_tokens_per_s": sums.input_tokens,
        "tokens_per_s": tokens,
        "value_tokens_per_s": sums.value_tokens,
        "tokens_per_mw": tokens / (power_mw or sums.meter_w / 1e6),
        "tokens_per_used_mw": tokens / (sums.meter_w / 1e6),
        "accelerators": sums.accelerators,
        "accelerator_board_w": sums.board_w,
        "node_wall_w": sums.node_w,
        "it_w": sums.it_w,
        "utility_meter_w": sums.meter_w,
        "drawn_meter_w": sums.drawn_w,
        "capex_usd": sums.capex_usd,
        "tco_usd_per_year": sums.tco_usd,
        "usd_per_million_tokens": sums.tco_usd / (tokens * year / 1e6) if tokens else 0.0,
        "tokens_per_tco_dollar": tokens * year / sums.tco_usd if sums.tco_usd else 0.0,
        "joules_per_token": sums.drawn_w / tokens if tokens else 0.0,
        "floor_m2": sums.floor_m2,
        "water_l_per_s": sums.water_l_per_s,
        "co2_kg_per_s": sums.co2_kg_per_s,
        "estimated_capex_share": sums.estimated_capex_share,
        "estimated_power_share": sums.estimated_power_share,
        "measured_tokens_share": measured / sums.output_tokens if sums.output_tokens else 0.0,
        **_regimes(entries),
    }
    if all(w.price_usd_per_token is not None for w in facts.workloads.values()):
        true["revenue_usd_per_year"] = sums.revenue_usd
        true["profit_usd_per_year"] = sums.revenue_usd - sums.unmet_usd - sums.tco_usd
    scale = _error_factors(facts, true)
    for name, record in facts.design.kpis.items():
        value, unit = record["value"], record["unit"]
        if name in true:
            checks.equal(f"KPI {name}", value, true[name], unit, scale=1e-9)
            low, high = scale.get(name, (1.0, 1.0))
            checks.equal(f"KPI {name}: low end of its band", record["low"], true[name] * low, unit, scale=1e-9)
            checks.equal(f"KPI {name}: high end of its band", record["high"], true[name] * high, unit, scale=1e-9)
    for name in sorted(set(true) - set(facts.design.kpis)):
        checks.true(f"KPI {name}: missing", False)
    by_model: dict[str, float] = defaultdict(float)
    for entry in entries:
        if entry.role != "prefill":
            by_model[entry.work.model_id] += entry.record["requests_per_s"] * entry.work.osl
    for model in sorted(set(by_model) | set(facts.design.tokens_by_model)):
        stated = facts.design.tokens_by_model.get(model, 0.0)
        checks.equal(f"tokens by model, {model}", stated, by_model.get(model, 0.0), "tokens/s", scale=1e-6)


_REGIMES = {
    "measured_load_share": "measured",
    "extrapolated_load_share": "extrapolated",
    "unmeasured_load_share": "none",
}
"""Key figure -> evidence of the accelerators that it counts."""

_RATES = (
    "requests_per_s", "output_tokens_per_s", "new_input_tokens_per_s", "tokens_per_s", "value_tokens_per_s",
    "tokens_per_mw", "tokens_per_used_mw", "tokens_per_tco_dollar", "revenue_usd_per_year",
)  # fmt: skip
"""Key figures that go with throughput."""


def _regimes(entries: list[Entry]) -> dict[str, float]:
    """Return the share of the accelerators at work in each regime of evidence, as the rows have it."""
    total = sum(e.replicas * e.count for e in entries)
    return {
        name: sum(e.replicas * e.count for e in entries if e.evidence == word) / total if total else 0.0
        for name, word in _REGIMES.items()
    }


def _error_factors(facts: Facts, true: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return the low and high end over the value of each key figure that carries an error.

    Each accelerator at work has the spread of its regime: the yield of the whole is ``1 / sum(share spread)``.
    """
    ends = {}
    for subject in ("throughput", "power"):
        low = high = 1.0
        for name, word in _REGIMES.items():
            least, greatest = facts.calibration.spread(subject, word)
            low -= true[name] * max(0.0, 1.0 - least)
            high += true[name] * max(0.0, greatest - 1.0)
        ends[subject] = (low, high)
    (slow, fast), (less, more) = ends["throughput"], ends["power"]
    energy = (
        math.exp(-math.sqrt(math.log(slow) ** 2 + math.log(more) ** 2)),
        math.exp(math.sqrt(math.log(fast) ** 2 + math.log(less) ** 2)),
    )
    drawn = (1.0 / more, 1.0 / less)
    return {
        **dict.fromkeys(_RATES, (1.0 / fast, 1.0 / slow)),
        "usd_per_million_tokens": (slow, fast),
        "drawn_meter_w": drawn,
        "co2_kg_per_s": drawn,
        "joules_per_token": energy,
    }


def check_objective(facts: Facts, sums: Sums, checks: Checks) -> None:
    """Check the objective's value, its bound, their gap, and the status they stand for."""
    objective: Record = facts.design.objective
    name, sense = facts.study.objective.name, objective["sense"]
    used_w = sums.meter_w if facts.study.objective.power == "provisioned" else sums.drawn_w
    power_mw, year = facts.site["power_mw"], SECONDS_PER_YEAR * facts.money.load_factor
    true = {
        "tokens": (sums.tokens, "max"),
        "tokens_per_mw": (sums.tokens / power_mw if power_mw else 0.0, "max"),
        "tokens_per_used_mw": (sums.tokens / (used_w / 1e6), "max"),
        "tokens_per_tco_dollar": (sums.tokens * year / sums.tco_usd if sums.tco_usd else 0.0, "max"),
        "tco": (sums.tco_usd, "min"),
        "power": (used_w / 1e6, "min"),
        "profit": (sums.revenue_usd - sums.unmet_usd - sums.tco_usd, "max"),
    }
    checks.true(f"objective: {objective['name']} is not the study's {name}", objective["name"] == name)
    if not checks.true(f"objective: {name} is one that the audit cannot recompute", name in true):
        return
    recomputed, way = true[name]
    value, bound, gap = objective["value"], objective["bound"], objective["gap"]
    checks.true(f"objective: sense is {way}, not {sense}", sense == way)
    checks.equal("objective: value", value, recomputed, objective["unit"])
    beyond = checks.at_most if way == "max" else checks.at_least
    beyond("objective: value is better than its bound", value, bound, objective["unit"])
    proven = proven_value(facts)
    checks.equal("objective: gap", gap, abs(proven - bound) / max(abs(proven), 1e-12), scale=1e-3)
    status, wanted = facts.design.status, facts.study.solver.gap
    if status == OPTIMAL:
        checks.at_most("objective: gap of a design that is called optimal", gap, wanted, scale=1.0)
    checks.true(f"status {status} does not go with a build", status in (OPTIMAL, FEASIBLE))
