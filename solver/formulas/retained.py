"""Numbers of KV that is kept: hits by how long it waits, bytes that stay, and the wear of writing them."""

from __future__ import annotations

from typing import Any

from solver.errors import InputError, Problem
from solver.formulas.asking import COMPUTED, SOLVED, Ask, derived, recorded
from solver.formulas.records import CLASS, POOL, Sheet, columns_of, number
from solver.physics.reuse import Retention
from solver.physics.wear import DAY_S


def _curve(ask: Ask) -> Retention:
    if ask.work.id not in ask.facts.retention:
        message = "keeps no KV: it has no reuse curve, or reuses nothing"
        raise InputError([Problem("explain", "", "--class", ask.work.id, message, ", ".join(ask.facts.retention))])
    return ask.facts.retention[ask.work.id]


def _parked(ask: Ask) -> list[dict[str, Any]]:
    """Placement of the class's parked KV."""
    return [p for p in ask.design.placement if p["kind"] == "parked" and p["class"] == ask.work.id]


def _last(ask: Ask) -> int:
    """The last segment that the design keeps, that of the whole curve where it keeps none."""
    return max((int(p["segment"]) for p in _parked(ask)), default=len(_curve(ask)) - 1)


def _points(ask: Ask) -> list[dict[str, Any]]:
    """Rows of the class's reuse curve at the time to live asked for."""
    ttl = float(_curve(ask).ttl_s[_last(ask)])
    return [dict(r) for r in ask.facts.rows("reuse") if r["curve"] == ask.work.reuse_curve and r["ttl_s"] == ttl]


@number("hit_rate_at_ttl", "Hits found after the longest time to live kept, of all that could hit", "share", CLASS,
        lambda ask: max(float(r["hit_frac_of_max"]) for r in _points(ask)))  # fmt: skip
def hit_rate_at_ttl(ask: Ask) -> Sheet:
    """Hits that each segment of the retention curve adds."""
    curve, last = _curve(ask), _last(ask)
    rows = [{"added_hits": float(hit)} for hit in curve.d_hit[: last + 1]]
    source = str(_points(ask)[0].get("source") or "no source given")
    about = {"added_hits": ("share", f"reuse {ask.work.reuse_curve}: {source}", str(_points(ask)[0]["confidence"]))}
    labels = tuple(f"up to {ttl:,.4g} s" for ttl in curve.ttl_s[: last + 1])
    return Sheet("sum(added_hits)", (), labels, columns_of(rows, about))


def _hit_share(ask: Ask) -> float:
    """Hits that the design states, over the requests served."""
    return sum(float(p["hits_per_s"]) for p in _parked(ask)) / _served(ask)


def _served(ask: Ask) -> float:
    """Requests/s of the class whose answers are decoded."""
    return sum(float(i["requests_per_s"]) for i in ask.design.load
               if i["class"] == ask.work.id and i["role"] != "prefill")  # fmt: skip


def _kept(ask: Ask) -> tuple[list[dict[str, float]], tuple[str, ...]]:
    """One row for each place and segment where the class's KV is parked."""
    curve = _curve(ask)
    rows = [
        {"kept_requests_per_s": float(p["requests_per_s"]), "added_hits": float(curve.d_hit[p["segment"]]),
         "resident_tokens_s": float(curve.d_resident_tokens[p["segment"]])}
        for p in _parked(ask)
    ]  # fmt: skip
    labels = tuple(f"{p['tier']} in {p['pool_id']}, to {p['ttl_s']:,.4g} s" for p in _parked(ask))
    return rows, labels


def _about(ask: Ask, *names: str) -> dict[str, tuple[str, str, str]]:
    curve = f"reuse {ask.work.reuse_curve}, thinned to segments"
    about = {
        "kept_requests_per_s": ("1/s", "design, placement.requests_per_s", SOLVED),
        "added_hits": ("share", curve, COMPUTED),
        "resident_tokens_s": ("tokens s", curve, COMPUTED),
    }
    return {name: about[name] for name in names}


@number("hit_rate", "Requests of the class that find their prompt in a tier", "share", CLASS,
        _hit_share)  # fmt: skip
def hit_rate(ask: Ask) -> Sheet:
    """Requests kept for each segment, times the hits it adds, over the requests served."""
    rows, labels = _kept(ask)
    served = derived("requests_per_s", _served(ask), "1/s", "design, load.requests_per_s of decode and mixed")
    return Sheet("sum(kept_requests_per_s * added_hits) / requests_per_s", (served,), labels,
                 columns_of(rows, _about(ask, "kept_requests_per_s", "added_hits")))  # fmt: skip


@number("reused_token_frac", "Input tokens of the class that need no prefill thanks to hits", "share", CLASS,
        lambda ask: _hit_share(ask) * ask.work.reuse_frac_max)  # fmt: skip
def reused_token_frac(ask: Ask) -> Sheet:
    """Share of requests that hit, times the share of their input that is found."""
    return Sheet("hit_rate * reuse_frac_max", (ask.number("hit_rate"), ask.field("reuse_frac_max")))


@number("parked_kv_bytes", "KV of the class that waits in tiers", "B", CLASS,
        lambda ask: sum(float(p["bytes"]) for p in _parked(ask)))  # fmt: skip
def parked_kv_bytes(ask: Ask) -> Sheet:
    """Little's law by segment: requests kept, times the tokens that stay for each request/s, times their bytes."""
    rows, labels = _kept(ask)
    terms = (ask.number("prompt_kv_bytes"), ask.field("isl_tokens"))
    return Sheet("sum(kept_requests_per_s * resident_tokens_s) * prompt_kv_bytes / isl", terms, labels,
                 columns_of(rows, _about(ask, "kept_requests_per_s", "resident_tokens_s")))  # fmt: skip


def _worn(ask: Ask) -> dict[str, Any]:
    """Wear limit of the pool asked for, else the one that is used most."""
    found = [
        limit for limit in ask.design.limits if limit["id"].startswith("memory.") and limit["id"].endswith(".wear")
    ]
    named = [limit for limit in found if limit["id"].startswith(f"memory.{ask.pool_id}.")] if ask.pool_id else found
    if not named:
        message = "writes to no tier that wears"
        pools = ", ".join(_place(limit)[0] for limit in found)
        raise InputError([Problem("explain", "", "--pool", ask.pool_id or "", message, pools or "a pool with flash")])
    return max(named, key=lambda limit: float(limit["used"]) / float(limit["value"]))


def _place(limit: dict[str, Any]) -> tuple[str, str]:
    """Pool and tier of a wear limit."""
    pool_id, tier = str(limit["id"]).removeprefix("memory.").removesuffix(".wear").rsplit(".", 1)
    return pool_id, tier


@number("write_wear", "Writes of a tier, of what its devices endure over their rated life", "share", POOL,
        lambda ask: float(_worn(ask)["used"]) / float(_worn(ask)["value"]),
        pin=lambda ask: ask.at(pool_id=_place(_worn(ask))[0]))  # fmt: skip
def write_wear(ask: Ask) -> Sheet:
    """Bytes/s written, over the rated writes a day of all devices less their write amplification."""
    pool_id, tier = _place(_worn(ask))
    node = ask.nodes[pool_id]
    device, count = next((d, n) for d, n in node.devices if d.id == node.tiers[tier].device_id)
    placed = [p for p in ask.design.placement if (p["pool_id"], p["tier"]) == (pool_id, tier)]
    rows = [{"write_bytes_per_s": float(p["write_bytes_per_s"])} for p in placed]
    pool = next(p for p in ask.design.pools if p["pool_id"] == pool_id)
    build = ask.facts.study.build
    amplification = ask.setting(
        "build.write_amplification", ask.facts.setting("build.write_amplification", build.write_amplification)
    )
    if device.write_amplification:
        amplification = ask.row("memory", device.id, "write_amplification")
    terms = (
        recorded(pool, "quantity", f"pool {pool_id}", "nodes", "nodes"),
        derived("devices", count, "devices/node", f"design, pool {pool_id}.devices"),
        ask.row("memory", device.id, "capacity_gb"), ask.row("memory", device.id, "endurance_dwpd"), amplification,
        derived("day_s", DAY_S, "s", "seconds of a day"),
    )  # fmt: skip
    text = "sum(write_bytes_per_s) * write_amplification * day_s / (nodes * devices * capacity_bytes * endurance_dwpd)"
    about = {"write_bytes_per_s": ("B/s", "design, placement.write_bytes_per_s", SOLVED)}
    labels = tuple(f"{p['class']}, segment {p['segment']}" for p in placed)
    return Sheet(text, terms, labels, columns_of(rows, about))
