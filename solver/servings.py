"""What a design serves: replicas that stand and that work, and where their bytes lie."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.candidate import HIT, PAIR, Candidate
from solver.design import Record
from solver.holdings import held, written_bytes_per_s
from solver.model.data import Column, ModelData
from solver.model.memory import TB
from solver.model.parking import resident_bytes
from solver.performance import EVIDENCE
from solver.resources import working_meter_w, working_w
from solver.workload import Workload

PRESENT = 1e-9
"""Replicas below this are not there."""


def load_records(data: ModelData, block: pyo.Block) -> list[Record]:
    """Replicas, with rates scaled to what is served (a row may offer a little more than is asked)."""
    works = {w.id: w for w in data.workloads}
    parts = {w: _parts_served(data, block, w) for w in works}
    records: list[Record] = []
    for column in data.columns:
        replicas, c = held(block.replicas[column.index]), column.candidate
        present = max(replicas, held(block.present[column.index]))
        if present <= PRESENT:
            continue
        part, work = parts[c.workload][c.role], works[c.workload]
        if not c.halves:
            records.append(
                _load_record(data, column, c, work, replicas, present, part, c.charge) | {"load_id": column.id}
            )
        for half in c.halves:
            charge = c.charge * half.candidate.count / c.count
            record = _load_record(
                data, column, half.candidate, work, replicas * half.replicas, present * half.replicas, part, charge
            )
            inside = {"handover": "scale_up", "unit": column.id, "unit_replicas": half.replicas}
            records.append(record | {"load_id": f"{column.id}:{half.candidate.role}"} | inside)
    return records


def _load_record(
    data: ModelData,
    column: Column,
    c: Candidate,
    work: Workload,
    replicas: float,
    present: float,
    part: float,
    charge: float,
) -> Record:
    """Replicas of one candidate, each on `charge` accelerators; those at work at a part of its rate."""
    rate = replicas * c.requests_per_s * part
    decodes, prefills = c.role != "prefill", c.role != "decode"
    return {
        "load_id": "",
        "pool_id": column.pool.id if column.pool else None,
        "platform": c.platform_id,
        "power_cap": c.power_cap,
        "class": c.workload,
        "model": c.model_id,
        "role": c.role,
        "cache": c.cache,
        "tier": c.tier,
        "handover": "network" if c.handover_bytes else None,
        "unit": None,
        "unit_replicas": None,
        "tp": c.tp,
        "pp": c.pp,
        "dp": c.dp,
        "ep": c.ep,
        "precision": c.precision,
        "kv_format": c.kv_precision,
        "batch": c.batch,
        "draft_tokens": c.draft_tokens,
        "router_width": c.router_width,
        "chunk": data.scenario.study.build.chunk_tokens,
        "replicas": replicas,
        "present": present,
        "accelerators": present * charge,
        "requests_per_s": rate,
        "requests_per_s_per_replica": c.requests_per_s,
        "output_tokens_per_s": rate * work.osl if decodes else 0.0,
        "input_tokens_per_s": rate * (work.isl - (work.cached_on_hit if c.cache == HIT else work.system_tokens))
        if prefills
        else 0.0,
        "ttft_s": c.ttft_s if prefills else None,
        "tpot_s": c.tpot_s if decodes else None,
        "drawn_above_idle_w": replicas * working_w(c).watts,
        "drawn_above_idle_meter_w": replicas * working_meter_w(c, data.pue_of_family[column.family]).watts,
        "spill_bytes": replicas * c.spill_bytes,
        "load_bytes": c.load_bytes,
        "handover_bytes": c.handover_bytes,
        "ports_per_replica": c.ports,
        "evidence": EVIDENCE[c.evidence],
    }


def _parts_served(data: ModelData, block: pyo.Block, w: str) -> dict[str, float]:
    """Share of what each role offers that is served, so that as much is prefilled as is decoded.

    Mixed replicas and pairs work as much as they can, since they do both; the others carry the rest.
    """
    served = held(block.served[w])
    offered = {"prefill": 0.0, "decode": 0.0, "mixed": 0.0, PAIR: 0.0}
    for c in data.columns:
        if c.candidate.workload == w:
            offered[c.candidate.role] += held(block.replicas[c.index]) * c.candidate.requests_per_s
    both = offered["mixed"] + offered[PAIR]
    share = min(1.0, served / both) if both else 0.0
    shares, rest = {"mixed": share, PAIR: share}, served - share * both
    for role in ("prefill", "decode"):
        shares[role] = min(1.0, max(0.0, rest / offered[role])) if offered[role] else 0.0
    return shares


def placement_records(data: ModelData, block: pyo.Block, load: list[Record]) -> list[Record]:
    """Where bytes lie: active KV in HBM and below, parked KV by retention segment."""
    records: list[Record] = []
    columns = {c.index: c for c in data.columns}
    places = {p.id: p for p in data.places}
    for j, place_id in block.SPILLS:
        amount = held(block.spilled[j, place_id]) * TB
        if amount > 1.0:
            c, place = columns[j].candidate, places[place_id]
            reads = amount * c.spill_read_bytes_per_s / c.spill_bytes
            record = _place_record(
                c.workload, "active", None, place.stock.tier, place.stock.device_id, place.pool.id, amount, reads
            )
            records.append(record | {"load_id": columns[j].id})
    for w, i, place_id in block.PARKED:
        rate, place = held(block.parked[w, i, place_id]), places[place_id]
        if not place.stock.pooled and not any(held(block.present[c.index]) for c in data.hits_at[w, place_id]):
            continue  # what nobody there loads is rounding of the solver, whose rows are in TB
        amount = rate * resident_bytes(data, w, i)
        if amount > 1.0:
            later = i + 1 < len(data.retention[w])
            moved = held(block.lifted[w, i + 1, place_id]) * TB if later else 0.0
            reads = rate * float(data.retention[w].d_hit[i]) * data.load_bytes[w] + moved
            record = _place_record(
                w, "parked", i, place.stock.tier, place.stock.device_id, place.pool.id, amount, reads
            )
            records.append(
                record
                | {
                    "ttl_s": float(data.retention[w].ttl_s[i]),
                    "requests_per_s": rate,
                    "hits_per_s": rate * float(data.retention[w].d_hit[i]),
                    "write_bytes_per_s": written_bytes_per_s(data, block, w, i, place_id),
                    "moved_out_bytes_per_s": moved,
                }
            )
    return records


def _place_record(
    work: str, kind: str, segment: int | None, tier: str, device: str, pool: str, amount: float, reads: float
) -> Record:
    return {
        "class": work,
        "kind": kind,
        "segment": segment,
        "tier": tier,
        "device": device,
        "pool_id": pool,
        "bytes": amount,
        "read_bytes_per_s": reads,
        "write_bytes_per_s": 0.0,
        "moved_out_bytes_per_s": 0.0,
        "ttl_s": None,
        "requests_per_s": None,
        "hits_per_s": None,
        "load_id": None,
    }
