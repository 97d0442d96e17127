"""Load entries, each predicted anew from raw rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from solver.auditing.rows import Facts
from solver.design import Record
from solver.errors import InputError, Problem
from solver.parts import Accelerator, Platform
from solver.performance import EVIDENCE, ROLES, evaluate
from solver.points import Points, make_points
from solver.workload import Workload

HIT, MISS, NONE = "hit", "miss", "none"


Kind = tuple[Any, ...]


@dataclass(frozen=True)
class Entry:
    """One load entry with what the rows say of a replica of it.

    Attributes
    ----------
    record : dict
        As the design states it.
    charge : float
        Accelerators that a replica occupies, with those that its packing strands in a node; its part of a unit's.
    unit_charge : float
        Accelerators of all that stands in a unit, for each replica of this entry; `charge` where there is no unit.
    nic_bytes_per_s : float
        Peak of the replica's own wired network ports, per direction.
    out_bytes_per_s : float
        What hand-overs of their size reach: over its ports, or inside a unit over the scale-up links it has to itself.
    nic_out_bytes_per_s, load_bytes_per_s : float
        What writes and loads of their sizes reach of its ports.
    slowest_bytes_per_s : float
        The least that either side of a hand-over inside a unit reaches: one accelerator whose links are free.
    full_rate, step_s, tpot_s, prefill_s, first_token_s : float
        Requests/s at full load, times of one step, of one prefill, until its first token; nan where the role has none.
    busy_w, idle_w : float
        Boards of the replica.
    kv_bytes, free_bytes, transfer_bytes, asked_bytes : float
        KV of one request in place, local memory left for KV, one copy of the prompt's KV, and of that of the request
        whose TTFT is promised.
    evidence : str
    """

    record: Record
    work: Workload
    platform: Platform
    accelerator: Accelerator
    charge: float
    unit_charge: float
    nic_bytes_per_s: float
    out_bytes_per_s: float
    nic_out_bytes_per_s: float
    slowest_bytes_per_s: float
    load_bytes_per_s: float
    full_rate: float
    step_s: float
    tpot_s: float
    prefill_s: float
    first_token_s: float
    busy_w: float
    idle_w: float
    kv_bytes: float
    free_bytes: float
    transfer_bytes: float
    asked_bytes: float
    evidence: str

    @property
    def load_id(self) -> str:
        """Id of the entry."""
        return str(self.record["load_id"])

    @property
    def pool_id(self) -> str | None:
        """Pool whose own memory the entry needs, None where any pool of the family will do."""
        found: str | None = self.record["pool_id"]
        return found

    @property
    def family(self) -> tuple[str, float]:
        """Platform and cap."""
        return (self.platform.id, float(self.record["power_cap"]))

    @property
    def role(self) -> str:
        """Prefill, decode or mixed."""
        return str(self.record["role"])

    @property
    def replicas(self) -> float:
        """Replicas at work."""
        return float(self.record["replicas"])

    @property
    def present(self) -> float:
        """Replicas that stand, at work or not."""
        return float(self.record["present"])

    @property
    def kind(self) -> Kind:
        """What its replicas are, whichever class they serve: those of one kind may do several entries in turn."""
        if self.unit is not None:
            return ("unit", self.unit)
        names = ("model", "role", "precision", "kv_format", "tp", "pp", "dp", "ep")
        ports = f"{float(self.record['ports_per_replica']):.6g}"
        return (self.pool_id or "", *self.family, *(self.record[name] for name in names), ports)

    @property
    def count(self) -> int:
        """Accelerators of a replica."""
        return int(self.record["tp"] * self.record["pp"] * self.record["dp"])

    @property
    def unit(self) -> str | None:
        """Unit of prefill and decode replicas that hand over inside one scale-up domain, None outside."""
        found: str | None = self.record["unit"]
        return found

    @property
    def domain(self) -> int:
        """Accelerators of a scale-up domain inside the platform."""
        return max(1, min(self.platform.accelerators, self.accelerator.scaleup_domain))

    @property
    def nodes(self) -> int:
        """Whole nodes that a replica spans, 0 where it lies inside one scale-up domain or in parts of nodes."""
        size = self.platform.accelerators
        spans = self.count > size and self.count % size == 0 and self.domain == size and self.unit is None
        return self.count // size if spans else 0

    @property
    def lanes(self) -> int:
        """Requests that are prefilled at the same time."""
        return int(self.record["dp"] * self.record["pp"])

    @property
    def is_hit(self) -> bool:
        """True where prompts are found in a tier."""
        return bool(self.record["cache"] == HIT)

    @property
    def cached(self) -> float:
        """Prompt tokens found in the cache or shared by all requests."""
        return _cached(self.work, str(self.record["cache"]))

    @property
    def load_bytes(self) -> float:
        """KV that one hit loads."""
        shared = self.work.system_tokens
        return self.transfer_bytes * max(0.0, self.cached - shared) / (self.work.isl - shared)

    @property
    def asked_load_bytes(self) -> float:
        """KV that a hit of the request whose TTFT is promised loads."""
        shared, (prompt, cached) = self.work.system_tokens, asked_tokens(self.work, str(self.record["cache"]))
        return self.asked_bytes * max(0.0, cached - shared) / (prompt - shared)

    @property
    def spill_bytes(self) -> float:
        """Active KV of a decoding replica that local memory does not hold."""
        held = self.kv_bytes * float(self.record["batch"])
        return max(0.0, held - self.free_bytes) if self.role == "decode" else 0.0


def read_entries(facts: Facts) -> list[Entry]:
    """Predict all load entries in one evaluation of raw rows."""
    load = facts.design.load
    _readable(facts, load)
    if not load:
        return []
    platforms = [facts.part(Platform, item["platform"]) for item in load]
    chips = {p.id: facts.part(Accelerator, str(p.accelerator_id)) for p in platforms}
    taken: dict[str, int] = defaultdict(int)
    for item in load:
        if item["unit"] is not None:
            taken[item["unit"]] += item["tp"] * item["pp"] * item["dp"] * item["unit_replicas"]
    with np.errstate(all="ignore"):
        performance = evaluate(points_of(facts, load), facts.calibration)
    entries = []
    for k, (item, platform) in enumerate(zip(load, platforms, strict=True)):
        count = item["tp"] * item["pp"] * item["dp"]
        chip, unit = chips[platform.id], item["unit"]
        charge = max(count, platform.accelerators / max(1, platform.accelerators // count))
        unit_charge = charge
        if unit is not None:
            domain = max(1, min(platform.accelerators, chip.scaleup_domain))
            whole = platform.accelerators / (platform.accelerators // domain * max(1, domain // taken[unit]))
            charge, unit_charge = whole * count / taken[unit], whole / max(1, item["unit_replicas"])
        work, bytes_out = facts.workloads[item["class"]], float(performance.kv_transfer_bytes[k])
        spare = max(0.0, 1.0 - float(performance.port_busy_frac[k]))
        cards = max(1e-3, facts.port_bytes_per_s * float(item["ports_per_replica"]) * spare)
        loaded = bytes_out * facts.loaded_share(work)
        through_ports = cards * float(facts.nic_efficiency.at(bytes_out))
        reached = float(facts.scale_up_efficiency.at(bytes_out))
        left = max(1e-9, reached - float(performance.link_busy_frac[k]))
        inside = count * chip.scaleup_bytes_per_s * left
        entries.append(Entry(
            record=item,
            work=facts.workloads[item["class"]],
            platform=platform,
            accelerator=chip,
            charge=charge,
            unit_charge=unit_charge,
            nic_bytes_per_s=cards,
            out_bytes_per_s=through_ports if unit is None else inside,
            nic_out_bytes_per_s=through_ports,
            slowest_bytes_per_s=chip.scaleup_bytes_per_s * reached,
            load_bytes_per_s=cards * float(facts.nic_efficiency.at(loaded)),
            full_rate=float(performance.requests_per_s[k]),
            step_s=float(performance.decode_step_s[k]),
            tpot_s=float(performance.tpot_s[k]),
            prefill_s=float(performance.prefill_s[k]),
            first_token_s=float(performance.first_token_s[k]),
            busy_w=float(performance.power_busy_w[k]),
            idle_w=float(performance.power_idle_w[k]),
            kv_bytes=float(performance.kv_bytes_per_request[k]),
            free_bytes=float(performance.kv_free_bytes[k]),
            transfer_bytes=float(performance.kv_transfer_bytes[k]),
            asked_bytes=float(performance.asked_transfer_bytes[k]),
            evidence=EVIDENCE[int(performance.evidence[k])],
        ))  # fmt: skip
    return entries


def points_of(facts: Facts, load: list[Record]) -> Points:
    """Return one operating point for each load entry."""
    platforms = [facts.part(Platform, item["platform"]) for item in load]
    chips = [facts.part(Accelerator, str(platform.accelerator_id)) for platform in platforms]
    works = [facts.workloads[item["class"]] for item in load]
    models, kinds, formats = list(facts.models), sorted({c.id for c in chips}), list(facts.precisions)
    by_id = {c.id: c for c in chips}
    cached = [_cached(w, item["cache"]) for w, item in zip(works, load, strict=True)]
    names = ("tp", "pp", "dp", "ep", "batch", "chunk", "power_cap", "draft_tokens")
    points: dict[str, Any] = {name: [item[name] for item in load] for name in names}
    points |= {
        "model": [models.index(w.model_id) for w in works],
        "accelerator": [kinds.index(c.id) for c in chips],
        "weight_precision": [formats.index(item["precision"]) for item in load],
        "kv_precision": [formats.index(w.kv_precision) for w in works],
        "role": [ROLES.index(item["role"]) for item in load],
        "isl_new": [w.isl - hit for w, hit in zip(works, cached, strict=True)],
        "cached": cached,
        "context": [w.context for w in works],
        "osl": [w.osl for w in works],
        "kv_read_frac": [w.kv_read_frac for w in works],
        "shared": [w.system_tokens for w in works],
        "acceptance": [w.draft_acceptance for w in works],
        "port_bytes_per_s": [p.nic_count * p.nic_bytes_per_s / p.accelerators for p in platforms],
    }
    asked = [asked_tokens(w, item["cache"]) for w, item in zip(works, load, strict=True)]
    points |= {"asked_new": [whole - hit for whole, hit in asked], "asked_cached": [hit for _, hit in asked]}
    return make_points(
        tuple(facts.models.values()), tuple(by_id[kind] for kind in kinds), tuple(facts.precisions.values()), **points
    )


def _cached(work: Workload, cache: str) -> float:
    """Prompt tokens that need no prefill: shared by all requests, or found where the prompt was kept; 0 for decode."""
    found = work.isl * work.reuse_frac_max if cache == HIT else 0.0
    return 0.0 if cache == NONE else max(found, work.system_tokens)


def wait_share(work: Workload) -> float:
    """Share of waits that must leave room: all late ones are long waits, or half of them and half long prompts."""
    spread = work.percentile_over == "lengths" and work.isl_cv > 0
    return 1.0 - (1.0 - work.percentile) / 2.0 if spread else work.percentile


def asked_tokens(work: Workload, cache: str) -> tuple[float, float]:
    """Prompt tokens of the request whose TTFT is promised, and those of them that need no prefill."""
    prompt, cached = work.isl, _cached(work, cache)
    if work.percentile_over == "lengths" and work.isl_cv > 0:
        sigma = math.sqrt(math.log(1.0 + work.isl_cv**2))
        normal = NormalDist(math.log(work.isl) - sigma**2 / 2.0, sigma)
        prompt = min(max(work.isl, math.exp(normal.inv_cdf(wait_share(work)))), work.longest_isl)
    grown = cached * prompt / work.isl if cached > work.system_tokens else cached
    return prompt, grown


def _readable(facts: Facts, load: list[Record]) -> None:
    """Refuse entries that no point can be made of.

    Raises
    ------
    InputError
        Naming every such entry and field.
    """
    words: dict[str, Iterable[str]] = {
        "role": ROLES, "cache": (HIT, MISS, NONE), "precision": facts.precisions, "class": facts.workloads,
    }  # fmt: skip
    problems = [
        Problem("load", item["load_id"], name, str(item[name]), "unknown", ", ".join(allowed))
        for item in load for name, allowed in words.items() if item[name] not in allowed
    ]  # fmt: skip
    problems += [
        Problem("load", item["load_id"], name, str(item[name]), "not a whole number above 0")
        for item in load for name in ("tp", "pp", "dp", "ep", *(["unit_replicas"] if item["unit"] is not None else []))
        if not isinstance(item[name], int) or item[name] < 1
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
