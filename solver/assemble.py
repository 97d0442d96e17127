"""From the model's variables to a Design: every record, before KPIs, report and audit."""

from __future__ import annotations

from collections import defaultdict
from importlib import metadata
from typing import Any

import pyomo.environ as pyo

from solver.candidates import HIT, CandidateSet, Dropped
from solver.design import Design, Record
from solver.embed import used_rows
from solver.kpis import compute_kpis
from solver.model.data import Column, Housing, ModelData, Pool
from solver.model.memory import resident_bytes
from solver.optimise import Solved
from solver.performance import EVIDENCE
from solver.physics.cost import memory_usd_per_byte
from solver.polishing import Polished
from solver.resources import RESOURCES, it_w, network_endpoints, standing_w, working_w
from solver.scenario import Scenario
from solver.search import relative_gap

PRESENT = 1e-9


def assemble(
    solved: Solved,
    polished: Polished,
    candidates: CandidateSet,
    status: str,
    stopped_by: str,
    seconds: dict[str, float],
) -> Design:
    """Build the design that a polished model holds.

    Parameters
    ----------
    solved : Solved
        Where the bound comes from.
    polished : Polished
        Where the values come from.
    candidates : CandidateSet
        For the account of what was dropped.
    status, stopped_by : str
    seconds : dict
        Time by step.

    Returns
    -------
    Design
        Complete but for baselines, runner-up and audit.
    """
    data, scenario = polished.data, polished.data.scenario
    block = polished.model.period[0]
    unit = solved.objective.per_unit(scenario)
    value, bound = polished.value * unit, solved.bound * unit
    load = _load_records(data, block)
    pools = [_pool_record(scenario, data, pool, block, load) for pool in data.pools]
    design = Design(
        status=status,
        stopped_by=stopped_by,
        objective={
            "name": solved.objective.id, "title": solved.objective.name, "unit": solved.objective.unit,
            "sense": "max" if solved.objective.sense > 0 else "min", "value": value, "bound": bound,
            "gap": relative_gap(value, bound), "unpolished": solved.value * unit,
        },
        study=scenario.study.to_dict(),
        catalog=used_rows(data),
        assumptions=assumption_records(scenario),
        bill_of_materials=_bill(data, polished.model),
        pools=[p for p in pools if p["quantity"] > 0],
        load=load,
        placement=_placement(data, block, load),
        limits=_limits(data, polished.model, load),
        dropped=dropped_records(candidates.dropped),
        filtered=[{"part": f.part, "reason": f.reason} for f in scenario.filtered],
        solver={
            "versions": {name: metadata.version(name) for name in ("pyomo", "highspy", "numpy")},
            "seconds": {k: round(v, 3) for k, v in seconds.items()},
            "nodes": solved.found.nodes,
            "raw_candidates": candidates.raw_count,
            "feasible_candidates": candidates.feasible_count,
            "candidates": len(candidates.candidates),
            "columns": len(solved.data.columns),
            "rows": len(solved.program.rows),
            "lp_bound": abs(solved.found.lp_bound) * unit,
            "kinds_before_polish": polished.kinds_before,
            "kinds": polished.kinds_after,
        },
    )  # fmt: skip
    kpis, by_model = compute_kpis(design, scenario)
    return design.replace(kpis=kpis, tokens_by_model=by_model)


def unbuilt(
    scenario: Scenario, candidates: CandidateSet, status: str, explanation: list[str], stopped_by: str = ""
) -> Design:
    """Return the design of a study without a build: infeasible, or stopped with nothing found."""
    return Design(
        status=status,
        stopped_by=stopped_by,
        objective={"name": scenario.study.objective.name, "value": None, "bound": None, "gap": None},
        study=scenario.study.to_dict(),
        catalog={"hash": scenario.catalog.hash, "rows": {}},
        assumptions=assumption_records(scenario),
        dropped=dropped_records(candidates.dropped),
        filtered=[{"part": f.part, "reason": f.reason} for f in scenario.filtered],
        explanation=explanation,
    )


def assumption_records(scenario: Scenario) -> list[Record]:
    """Defaults that stood in for what the study did not give, and planning assumptions on supply."""
    records: list[Record] = [
        {"path": a.path, "value": a.value, "default": a.default, "source": a.source, "confidence": a.confidence}
        for a in scenario.assumptions
    ]
    for kind, table in (("platform", scenario.study.supply.platform), ("memory", scenario.study.supply.memory)):
        records += [
            {"path": f"supply.{kind}.{part}", "value": spec.quantity, "default": None,
             "source": spec.note or spec.basis, "confidence": "estimate" if spec.basis == "assumption" else "datasheet"}
            for part, spec in table.items()
        ]  # fmt: skip
    return records


def dropped_records(dropped: tuple[Dropped, ...]) -> list[Record]:
    """Account of the candidates that a promise or the memory excluded."""
    return [
        {"class": d.workload, "reason": d.reason, "count": d.count, "nearest": d.nearest if d.nearest < 1e300 else None,
         "needed": d.needed, "unit": d.unit}
        for d in dropped
    ]  # fmt: skip


def _value(component: Any) -> float:
    """Value of a variable, zero where it dropped out of the compiled model."""
    return float(pyo.value(component, exception=False) or 0.0)


def _role_shares(load: list[Record], pool: Pool) -> dict[str, float]:
    """Share of the accelerators at work in a pool's family that each role takes."""
    if pool.config.accelerator is None:
        return {"store": 1.0}
    taken: dict[str, float] = defaultdict(float)
    for item in load:
        if (item["platform"], item["power_cap"]) == pool.family and item["pool_id"] in (None, pool.id):
            taken[item["role"]] += item["accelerators"]
    total = sum(taken.values())
    return {role: amount / total for role, amount in taken.items()} if total else {}


def _pool_record(scenario: Scenario, data: ModelData, pool: Pool, block: pyo.Block, load: list[Record]) -> Record:
    """One pool: how many nodes, in which racks, and its watts at the four boundaries."""
    housed = [(h, round(_value(block.housed[h.id]))) for h in data.housings_of_pool.get(pool.id, [])]
    housed = [(h, n) for h, n in housed if n > 0]
    nodes = sum(n for _, n in housed)
    accelerator, config, shares = pool.config.accelerator, pool.config, _role_shares(load, pool)
    board = accelerator.tdp_w * pool.cap * config.platform.accelerators if accelerator else 0.0
    return {
        "pool_id": pool.id,
        "platform": config.platform.id,
        "configuration": config.id,
        "devices": [{"device": device, "count": count} for device, count in config.bought],
        "role": next(iter(shares)) if len(shares) == 1 else "shared",
        "role_shares": shares,
        "cap": pool.cap,
        "quantity": nodes,
        "accelerators": nodes * config.platform.accelerators,
        "racks": [_rack_record(block, h, n) for h, n in housed],
        "board_w": nodes * board,
        "node_w": nodes * config.capped_w(pool.cap),
        "it_w": sum(n * it_w(scenario, h) for h, n in housed),
        "meter_w": sum(n * it_w(scenario, h) * h.pue_peak for h, n in housed),
        "standing_meter_w": sum(n * standing_w(scenario, h) * h.pue_mean for h, n in housed),
    }


def _rack_record(block: pyo.Block, housing: Housing, nodes: int) -> Record:
    racks = nodes if housing.own else round(_value(block.racks[housing.id]))
    return {
        "rack": housing.rack.id, "own": housing.own, "nodes": nodes, "racks": racks, "fit": housing.fit,
        "pue_peak": housing.pue_peak, "pue_mean": housing.pue_mean, "floor_m2": racks * housing.rack.floor_m2,
    }  # fmt: skip


def _load_records(data: ModelData, block: pyo.Block) -> list[Record]:
    """Replicas at work, with rates scaled to what is served (a row may offer a little more than is asked)."""
    works = {w.id: w for w in data.workloads}
    records = []
    for column in data.columns:
        replicas, c = _value(block.replicas[column.index]), column.candidate
        if replicas <= PRESENT:
            continue
        work = works[c.workload]
        served = _value(block.served[c.workload])
        offered = float(pyo.value(block.prefilled[c.workload] if c.role == "prefill" else block.decoded[c.workload]))
        rate = replicas * c.requests_per_s * min(1.0, served / offered)
        decodes, prefills = c.role != "prefill", c.role != "decode"
        records.append({
            "load_id": column.id,
            "pool_id": column.pool.id if column.pool else None,
            "platform": c.platform_id, "power_cap": c.power_cap,
            "class": c.workload, "model": c.model_id, "role": c.role, "cache": c.cache, "tier": c.tier,
            "tp": c.tp, "pp": c.pp, "dp": c.dp, "ep": c.ep,
            "precision": c.precision, "kv_format": c.kv_precision,
            "batch": c.batch, "chunk": data.scenario.study.build.chunk_tokens,
            "replicas": replicas, "accelerators": replicas * c.charge,
            "requests_per_s": rate, "requests_per_s_per_replica": c.requests_per_s,
            "output_tokens_per_s": rate * work.osl if decodes else 0.0,
            "input_tokens_per_s": rate * (work.isl - (work.cached_on_hit if c.cache == HIT else 0.0)) if prefills else 0.0,
            "ttft_s": c.ttft_s if prefills else None,
            "tpot_s": c.tpot_s if decodes else None,
            "drawn_above_idle_w": replicas * working_w(c),
            "drawn_above_idle_meter_w": replicas * working_w(c) * _pue(data, column),
            "spill_bytes": replicas * c.spill_bytes, "load_bytes": c.load_bytes, "handover_bytes": c.handover_bytes,
            "evidence": EVIDENCE[c.evidence],
        })  # fmt: skip
    return records


def _pue(data: ModelData, column: Column) -> float:
    """Mean PUE charged to a column's replicas: the highest among the racks its nodes may stand in."""
    return max(
        (h.pue_mean for p in data.pools_of_family[column.family] for h in data.housings_of_pool.get(p.id, [])),
        default=1.0,
    )


def _bill(data: ModelData, model: pyo.ConcreteModel) -> list[Record]:
    """What to order: platforms, devices bought apart, racks, network endpoints."""
    scenario, quarter = data.scenario, data.scenario.site.price_quarter
    configs = {p.config.id: p.config for p in data.pools}
    lines: dict[str, Record] = {}
    endpoints = 0.0
    for unit, config in configs.items():
        count = round(sum(_value(model.bought[unit, v]) for v in model.PERIODS))
        if count == 0:
            continue
        devices = {d: scenario.device(d) for d, _ in config.bought}
        extra = sum(memory_usd_per_byte(d, quarter, scenario.prices) * d.capacity_bytes * n
                    for (i, n) in config.bought for d in [devices[i]])  # fmt: skip
        extra_w = sum((devices[i].max_w or 0.0) * n for i, n in config.bought)
        extra_drawn_w = sum((devices[i].idle_w or 0.0) * n for i, n in config.bought)
        key = config.platform.id + (" without memory" if config.removed_bytes else "")
        _add(lines, key, "platform" if config.accelerator else "storage", config.platform, config.platform.vendor, count,
             config.price_usd - extra, config.provisioned_w - extra_w, config.host_drawn_w - extra_drawn_w)  # fmt: skip
        for device_id, number in config.bought:
            device = devices[device_id]
            usd = memory_usd_per_byte(device, quarter, scenario.prices) * device.capacity_bytes
            _add(
                lines,
                device_id,
                "memory",
                device,
                device.vendor,
                count * number,
                usd,
                device.max_w or 0.0,
                device.idle_w or 0.0,
            )
        endpoints += count * network_endpoints(scenario, config)
    racks = {h.rack.id: h.rack for h in data.housings if not h.own}
    for rack_id, rack in racks.items():
        count = round(sum(_value(model.racks_bought[rack_id, v]) for v in model.PERIODS))
        if count:
            _add(lines, rack_id, "rack", rack, "", count, rack.price_central_usd, 0.0, 0.0)
    if endpoints:
        net = scenario.network
        _add(lines, net.id, "network", net, net.vendor, endpoints, net.endpoint_usd or 0.0, net.endpoint_w or 0.0,
             net.endpoint_w or 0.0)  # fmt: skip
    return list(lines.values())


def _add(lines: dict[str, Record], key: str, kind: str, part: Any, vendor: str, count: float, usd: float, provisioned: float,
         drawn: float) -> None:  # fmt: skip
    """Add a quantity of one part to the bill."""
    line = lines.setdefault(key, {
        "id": key, "part": part.id, "kind": kind, "vendor": vendor, "name": part.name, "quantity": 0, "unit_usd": usd,
        "capex_usd": 0.0, "provisioned_w": 0.0, "drawn_w": 0.0, "lead_time_weeks": None,
        "confidence_price": getattr(part, "confidence_price", part.confidence),
        "confidence_power": getattr(part, "confidence_power", part.confidence), "source": part.source,
    })  # fmt: skip
    line["quantity"] += count
    line["capex_usd"] += count * usd
    line["provisioned_w"] += count * provisioned
    line["drawn_w"] += count * drawn


def _placement(data: ModelData, block: pyo.Block, load: list[Record]) -> list[Record]:
    """Where bytes lie: active KV in HBM and below, parked KV by retention segment."""
    records: list[Record] = []
    columns = {c.index: c for c in data.columns}
    places = {p.id: p for p in data.places}
    for j, place_id in block.SPILLS:
        amount = _value(block.spilled[j, place_id]) * 1e12
        if amount > 1.0:
            c, place = columns[j].candidate, places[place_id]
            reads = amount * c.spill_read_bytes_per_s / c.spill_bytes
            record = _place_record(c.workload, "active", None, place.stock.tier, place.stock.device_id, place.pool.id,
                                   amount, reads)  # fmt: skip
            records.append(record | {"load_id": columns[j].id})
    for w, i, place_id in block.PARKED:
        rate, place = _value(block.parked[w, i, place_id]), places[place_id]
        amount = rate * resident_bytes(data, w, i)
        if amount > 1.0:
            reads = rate * float(data.retention[w].d_hit[i]) * data.load_bytes[w]
            record = _place_record(
                w, "parked", i, place.stock.tier, place.stock.device_id, place.pool.id, amount, reads
            )
            records.append(record | {"ttl_s": float(data.retention[w].ttl_s[i]), "requests_per_s": rate,
                                     "hits_per_s": rate * float(data.retention[w].d_hit[i])})  # fmt: skip
    return records


def _place_record(
    work: str, kind: str, segment: int | None, tier: str, device: str, pool: str, amount: float, reads: float
) -> Record:
    return {
        "class": work, "kind": kind, "segment": segment, "tier": tier, "device": device, "pool_id": pool,
        "bytes": amount, "read_bytes_per_s": reads, "write_bytes_per_s": None, "ttl_s": None,
        "requests_per_s": None, "hits_per_s": None, "load_id": None,
    }  # fmt: skip


def _limits(data: ModelData, model: pyo.ConcreteModel, load: list[Record]) -> list[Record]:
    """Every limit and promise with what is used of it."""
    scenario, block = data.scenario, model.period[0]
    records = []
    for resource in RESOURCES.values():
        limit = resource.limit(scenario)
        if limit is not None:
            used = float(pyo.value(block.use[resource.id])) * resource.scale
            records.append(_limit(resource.limit_path, limit, used, resource.unit))
    bought: dict[str, float] = defaultdict(float)
    for pool_config in {p.config.id: p.config for p in data.pools}.values():
        count = sum(_value(model.bought[pool_config.id, v]) for v in model.PERIODS)
        bought[pool_config.platform.id] += count
        for device_id, number in pool_config.bought:
            bought[device_id] += count * number
    for kind, table in (("platform", scenario.study.supply.platform), ("memory", scenario.study.supply.memory)):
        records += [_limit(f"supply.{kind}.{p}", s.quantity, round(bought[p]), "pieces") for p, s in table.items()]
    for work in data.workloads:
        mine = [item for item in load if item["class"] == work.id]
        for name, promise in (("ttft", work.ttft_s), ("tpot", work.tpot_s)):
            worst = max((item[f"{name}_s"] for item in mine if item[f"{name}_s"] is not None), default=None)
            if promise is not None and worst is not None:
                records.append(_limit(f"promise.{work.id}.{name}", promise, worst, "s"))
    records += _tier_limits(data, block)
    return records


def _tier_limits(data: ModelData, block: pyo.Block) -> list[Record]:
    """Capacity and bandwidth of each tier that holds something."""
    records = []
    for place in data.places:
        nodes = sum(_value(block.housed[h.id]) for h in data.housings_of_pool.get(place.pool.id, []))
        for name, row in (("capacity", "fit_tier"), ("read", "read_tier")):
            constraint = getattr(block, row)
            if nodes < 0.5 or place.id not in constraint:
                continue
            speed = min(
                place.stock.read_bytes_per_s, place.stock.link_bytes_per_s if place.stock.pooled else float("inf")
            )
            limit = nodes * (place.stock.capacity_bytes if name == "capacity" else speed)
            slack = -float(pyo.value(constraint[place.id].body)) * 1e12
            if slack < limit * (1 - 1e-9):
                records.append(_limit(f"memory.{place.pool.id}.{place.stock.tier}.{name}", limit, limit - slack,
                                      "B" if name == "capacity" else "B/s"))  # fmt: skip
    return records


def _limit(name: str, value: float, used: float, unit: str) -> Record:
    return {"id": name, "value": value, "used": used, "unit": unit, "slack": value - used, "marginal": None}
