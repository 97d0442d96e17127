"""Pairs: prefill and decode replicas of a unit in one scale-up domain, between which KV is handed over."""

from __future__ import annotations

from collections import defaultdict

from solver.auditing.checks import Checks
from solver.auditing.entries import Entry
from solver.auditing.rows import Facts

_WAYS = {("prefill", False): "network", ("decode", False): "network", ("mixed", False): None,
         ("prefill", True): "scale_up", ("decode", True): "scale_up"}  # fmt: skip
"""How KV is handed over, by role and whether the entry stands in a unit."""


def check_pairs(facts: Facts, entries: list[Entry], checks: Checks) -> None:
    """Check the way of every hand-over, and that the halves of each unit belong together and keep each other busy."""
    units: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        way, wanted = entry.record["handover"], _WAYS.get((entry.role, entry.unit is not None), "none")
        checks.true(f"load {entry.load_id}: hands over by {way}, not by {wanted}", way == wanted)
        if entry.unit is not None:
            units[entry.unit].append(entry)
    checks.true("load: hand-overs inside a domain, which the study excludes",
                not units or facts.study.build.scale_up_handover)  # fmt: skip
    for name, mine in units.items():
        _check_unit(f"unit {name}", mine, checks)


def _check_unit(what: str, mine: list[Entry], checks: Checks) -> None:
    """Check one unit: a prefill and a decode entry of one class and place, in whole numbers that fit one domain."""
    by_role = {entry.role: entry for entry in mine}
    both = len(mine) == 2 and set(by_role) == {"prefill", "decode"}
    if not checks.true(f"{what}: is not one prefill and one decode entry", both):
        return
    prefill, decode = by_role["prefill"], by_role["decode"]
    same = [(e.work.id, e.family, e.pool_id) for e in mine]
    checks.true(f"{what}: its halves differ in class, platform, cap or pool", same[0] == same[1])
    taken = sum(e.count * int(e.record["unit_replicas"]) for e in mine)
    checks.at_most(f"{what}: accelerators in one scale-up domain", taken, prefill.domain)
    units = [e.replicas / float(e.record["unit_replicas"]) for e in (prefill, decode)]
    checks.equal(f"{what}: prefill and decode replicas in proportion", units[0], units[1], scale=1e-6)
    stand = [e.present / float(e.record["unit_replicas"]) for e in (prefill, decode)]
    checks.equal(f"{what}: prefill and decode replicas that stand in proportion", stand[0], stand[1], scale=1e-6)
    given, got = (float(e.record["requests_per_s"]) for e in (prefill, decode))
    checks.equal(f"{what}: requests handed over against those taken over", given, got, "1/s", scale=1e-6)
