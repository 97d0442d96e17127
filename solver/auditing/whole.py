"""Whole replicas: how many of each kind a design has, whether they matter, and what they cost."""

from __future__ import annotations

import math
from typing import Any

from solver.auditing.checks import Checks
from solver.auditing.entries import Entry
from solver.auditing.layout import batches
from solver.auditing.rows import Facts
from solver.design import OPTIMAL

_RULE_SHARE = 0.005
"""Accelerators of one replica of each kind, as a share of those occupied, above which replicas must be whole."""


def is_whole(facts: Facts) -> bool:
    """True where the design says that its replicas are whole, or the study asks for it."""
    return facts.study.build.whole_replicas is True or bool(facts.design.whole.get("on"))


def check_whole(facts: Facts, entries: list[Entry], checks: Checks) -> None:
    """Check counts of whole replicas, the share that decides, and what whole replicas are said to cost."""
    stated, mine = facts.design.whole, batches(entries, whole=True)
    if not checks.true("whole replicas: missing in the design", {"on", "share", "loss_frac"} <= set(stated)):
        return
    asked = facts.study.build.whole_replicas
    if not stated["on"]:
        occupied = sum(b.amount * b.charge for b in batches(entries, whole=False))
        share = sum(b.charge for b in mine) / max(1e-9, occupied)
        checks.equal("whole replicas: share of one of each kind", stated["share"], share, scale=1e-3)
        settled = asked is False or share <= _RULE_SHARE * (1.0 + 1e-6) or stated["loss_frac"] is None
        checks.true("whole replicas: they matter, and nothing is said of them", settled)
        checks.true("whole replicas: the study asks for them", asked is not True)
        unknown = stated["loss_frac"] is None and facts.design.status == OPTIMAL
        checks.true("whole replicas: a design whose replicas are not settled is called optimal", not unknown)
        return
    checks.true("whole replicas: the study does not want them", asked is not False)
    counts: list[dict[str, Any]] = stated["replicas"]
    good = all(isinstance(item["replicas"], int) and item["replicas"] > 0 for item in counts)
    checks.true("whole replicas: counts are not whole numbers", good)
    by_entries = {tuple(sorted(item["load_ids"])): item for item in counts}
    for batch in mine:
        what, item = f"whole replicas of {batch.name}", by_entries.get(tuple(sorted(batch.load_ids)))
        if item is None:
            checks.true(f"{what}: missing, or not those of its kind", False)
            continue
        checks.at_least(f"{what}: fewer than its entries take", item["replicas"], batch.amount, scale=1.0)
        taken = item["replicas"] * batch.charge
        checks.equal(f"{what}: accelerators", item["accelerators"], taken, scale=1.0)
    checks.true("whole replicas: kinds without an entry", len(counts) == len(mine))
    _check_loss(facts, checks)


def proven_value(facts: Facts) -> float:
    """Value that stands against the bound: without what whole replicas cost, where that is stated apart."""
    objective, whole = facts.design.objective, facts.design.whole
    value, loss = float(objective["value"]), float(whole.get("loss_frac") or 0.0)
    sense = 1.0 if objective["sense"] == "max" else -1.0
    return value / (1.0 - sense * loss) if whole.get("on") and loss < 1.0 else value


def _check_loss(facts: Facts, checks: Checks) -> None:
    """Check that what whole replicas are said to cost leaves the design without them within its bound."""
    objective, loss = facts.design.objective, facts.design.whole["loss_frac"]
    known = isinstance(loss, float | int) and math.isfinite(loss) and loss >= 0.0
    if not checks.true("whole replicas: what they cost is not stated", known):
        return
    beyond = checks.at_most if objective["sense"] == "max" else checks.at_least
    beyond("whole replicas: value without their cost is better than the bound", proven_value(facts),
           objective["bound"], objective["unit"])  # fmt: skip
    if facts.study.build.whole_replicas is True:
        checks.true("whole replicas: a cost beside a bound that holds for them", loss == 0.0)
