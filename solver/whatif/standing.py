"""Where a result stands: what the header of every page says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solver.design import FEASIBLE, INFEASIBLE, OPTIMAL, Design
from solver.words import figure, percent

Record = dict[str, Any]
GOOD, WARN, BAD, CALM = "good", "warn", "bad", "calm"
"""How a fact should look."""
_STATUS = {OPTIMAL: GOOD, FEASIBLE: WARN, INFEASIBLE: BAD}
SHARES = ("estimated_capex_share", "estimated_power_share")
"""Key figures that say what rests on estimates, dollars first."""
MOSTLY = 0.5
"""Share of estimates above which a result deserves a warning."""


def standing(design: Design, changed: Sequence[str] = ()) -> list[Record]:
    """Return the facts of a design's header.

    Parameters
    ----------
    design : Design
    changed : sequence of str
        What differs from the catalog that comes along, in words.

    Returns
    -------
    list of dict
        ``id``, ``value`` (text), ``tone``; and of what was changed its ``items``.
    """
    facts: list[Record] = [_fact("status", design.status, _STATUS.get(design.status, WARN))]
    if design.has_build:
        found = design.objective
        facts.append(_fact("gap", percent(float(found["gap"])), GOOD if design.status == OPTIMAL else WARN))
        facts.append(_fact("bound", f"{figure(float(found['bound']))} {found.get('unit', '')}".strip(), CALM))
        shares = [float(design.kpis.get(name, {}).get("value") or 0.0) for name in SHARES]
        tone = WARN if max(shares) > MOSTLY else CALM
        facts.append(_fact("estimates", f"{percent(shares[0])} / {percent(shares[1])}", tone))
        if design.audit:
            audit = design.audit
            facts.append(_fact("audit", f"{audit['checks']:,}", GOOD) if audit["ok"] else _fact("broken", "", BAD))
    if changed:
        facts.append(_fact("changed", f"{len(changed)}", WARN) | {"items": list(changed)})
    return facts


def _fact(name: str, value: str, tone: str) -> Record:
    return {"id": name, "value": value, "tone": tone}
