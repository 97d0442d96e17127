"""What contradicts itself in a study and shows without any solve: limits that leave nothing, parts all filtered."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from dataclasses import dataclass

from solver.candidates import CandidateSet
from solver.design import Record
from solver.model.data import ModelData
from solver.resources import RESOURCES
from solver.scenario import Scenario
from solver.words import amount

NAMED = 6
"""Parts that a line names at most."""


@dataclass(frozen=True)
class Contradiction:
    """One thing about a study that no build can keep.

    Attributes
    ----------
    id : str
        Key of the study.
    words : str
        What is wrong, with numbers.
    allowed, needed : float or None
        In the unit of the record, where it is a number.
    unit : str
    """

    id: str
    words: str
    allowed: float | None = None
    needed: float | None = None
    unit: str = ""

    @property
    def line(self) -> str:
        """The key and the words."""
        return f"{self.id}: {self.words}"

    def record(self) -> Record:
        """Return it as plain data."""
        return {"id": self.id, "words": self.words, "allowed": self.allowed, "needed": self.needed, "unit": self.unit}


class ContradictionError(Exception):
    """The columns of a study show that no build can keep a limit.

    Parameters
    ----------
    found : list of Contradiction
    data : ModelData
    candidates : CandidateSet
    """

    def __init__(self, found: list[Contradiction], data: ModelData, candidates: CandidateSet) -> None:
        self.found, self.data, self.candidates = found, data, candidates
        super().__init__("; ".join(item.line for item in found))


def contradictions(scenario: Scenario) -> list[Contradiction]:
    """Return what contradicts itself in a study, before any candidate is made.

    Parameters
    ----------
    scenario : Scenario
    """
    return [*_demand(scenario), *_standing(scenario), *_parts(scenario), *_roles(scenario), *_vendors(scenario)]


def _demand(scenario: Scenario) -> list[Contradiction]:
    """A floor above what may be served at all."""
    demand = scenario.study.demand
    most = 1.0 if demand.mode == "fixed" else demand.max_scale
    if most is None or demand.floor_frac <= most:
        return []
    what = "demand.max_scale allows" if demand.mode == "mix" else "the stated rates, of which it is a share, allow"
    words = f"{demand.floor_frac:g} of the demand must be served, {what} {most:g}"
    return [Contradiction("demand.floor_frac", words, demand.floor_frac, most)]


def _standing(scenario: Scenario) -> list[Contradiction]:
    """Limits that what stands already uses up."""
    found = []
    for resource in RESOURCES.values():
        limit, fixed = resource.limit(scenario), resource.fixed(scenario)
        if limit is not None and 0.0 < fixed and fixed >= limit:
            words = f"site.fixed_mw takes {amount(fixed, resource.unit)}, {amount(limit, resource.unit)} are allowed"
            found.append(Contradiction(resource.limit_path, words, limit, fixed, resource.unit))
    return found


def _parts(scenario: Scenario) -> list[Contradiction]:
    """No accelerator platform that may be bought or is owned."""
    hosts = [p.id for p in scenario.platforms if p.accelerators]
    none = [p for p in hosts if scenario.most_bought(p) == 0 and not scenario.owned(p)]
    if hosts and len(none) < len(hosts):
        return []
    if hosts:
        return [
            Contradiction(f"supply.platform.{p}", f"0 of {p} can be had, and nothing else with accelerators",
                          0.0, 1.0, "pieces")
            for p in none if p in scenario.study.supply.platform
        ]  # fmt: skip
    servers = {str(row["id"]) for row in scenario.catalog.rows("platforms") if row["accelerators"]}
    reasons = {f.part: f.reason for f in scenario.filtered if f.part in servers}
    return [_all_filtered(scenario, reasons)]


def _all_filtered(scenario: Scenario, reasons: dict[str, str]) -> Contradiction:
    """Every accelerator platform is out: by which key most of them, and what would admit the first."""
    site = scenario.study.site
    dates = sorted(
        (reason.split()[1].rstrip(","), part) for part, reason in reasons.items() if reason.startswith("available")
    )
    late = sorted((float(reason.split()[1]), part) for part, reason in reasons.items() if reason.startswith("comes"))
    kinds = Counter(_key(reason) for reason in reasons.values())
    others = ", ".join(f"{count} by {key}" for key, count in kinds.most_common())
    classes = ", ".join(w.id for w in scenario.workloads[:NAMED])
    head = f"none of {len(reasons)} accelerator platforms may be bought ({others}), nothing serves {classes}"
    if late and site.order_date:
        weeks, part = late[0]
        day = datetime.date.fromisoformat(site.order_date) + datetime.timedelta(days=math.ceil(weeks * 7))
        return Contradiction(
            "site.energised_by", f"{head}; {part} comes first, {weeks:g} weeks after its order: by {day}"
        )
    if dates:
        return Contradiction(
            "site.available_by", f"{head}; {dates[0][1]} comes first, in {dates[0][0]}, wanted by {site.available_by}"
        )
    cooling = sorted(part for part, reason in reasons.items() if "cooling" in reason)
    if cooling:
        return Contradiction("site.cooling", f"{head}; {cooling[0]} {reasons[cooling[0]]}")
    return Contradiction(kinds.most_common(1)[0][0] if kinds else "catalog", head)


def _key(reason: str) -> str:
    """Key of the study, or part of the catalog, behind the reason of a filter."""
    words = {"excluded": "exclude", "available": "site.available_by", "comes": "site.energised_by", "not for": "allow"}
    for start, key in words.items():
        if reason.startswith(start):
            return key
    return "site.cooling" if "cooling" in reason else "the catalog"


def _roles(scenario: Scenario) -> list[Contradiction]:
    """Roles that leave half of a request to nobody."""
    roles = set(scenario.study.build.roles)
    missing = [role for role in ("prefill", "decode") if role not in roles] if "mixed" not in roles else []
    if not missing:
        return []
    words = f"only {', '.join(sorted(roles))} may be built, so that nothing can {' or '.join(missing)}"
    return [Contradiction("build.roles", words)]


def _vendors(scenario: Scenario) -> list[Contradiction]:
    """A share of one vendor that asks for more vendors than there are, or than kinds of platform are allowed."""
    build = scenario.study.build
    share, found = build.max_share_per_vendor, []
    if share is None:
        return []
    hosts = [
        p for p in scenario.platforms if p.accelerators and (scenario.most_bought(p.id) != 0 or scenario.owned(p.id))
    ]
    vendors = sorted({scenario.accelerators[str(p.accelerator_id)].vendor for p in hosts})
    least = math.ceil(1.0 / share - 1e-9)
    if vendors and len(vendors) < least:
        words = f"{share:g} for each vendor takes {least} vendors of accelerators, here is only {', '.join(vendors)}"
        found.append(Contradiction("build.max_share_per_vendor", words, share, 1.0 / len(vendors)))
    if build.max_platforms is not None and build.max_platforms < least:
        words = (
            f"{build.max_platforms} kinds of platform, and build.max_share_per_vendor {share:g} takes {least} vendors"
        )
        found.append(Contradiction("build.max_platforms", words, float(build.max_platforms), float(least), "kinds"))
    return found


def contradictions_of(data: ModelData) -> list[Contradiction]:
    """Return the limits that not even the smallest node keeps, and platforms that no rack takes.

    Parameters
    ----------
    data : ModelData
    """
    scenario = data.scenario
    hosts = [h for h in data.housings if h.pool.config.accelerator]
    if data.columns and not hosts:
        return [_no_rack(data)]
    found = []
    for resource in RESOURCES.values():
        limit = resource.limit(scenario)
        if limit is None or not hosts:
            continue
        least = min(
            resource.fixed(scenario)
            + resource.per_node(scenario, h)
            + (0.0 if scenario.fleet.get(h.pool.config.id) else resource.per_node_bought(scenario, h.pool.config))
            for h in hosts
        )
        if least > limit * (1.0 + 1e-9):
            words = f"the smallest node needs {amount(least, resource.unit)} of {amount(limit, resource.unit)}"
            found.append(Contradiction(resource.limit_path, words, limit, least, resource.unit))
    return found


def _no_rack(data: ModelData) -> Contradiction:
    """No rack of the site takes any node: too many watts, too many units, or another cooling."""
    pools = [p for p in data.pools if p.config.accelerator]
    smallest = min(pools, key=lambda p: p.config.capped_w(p.cap))
    watts, units = smallest.config.capped_w(smallest.cap), smallest.config.platform.rack_units
    racks = data.scenario.racks
    here = ", ".join(f"{r.id} ({amount(r.peak_w, 'W')}, {r.rack_units} units, {r.cooling})" for r in racks[:NAMED])
    needs = f"{amount(watts, 'W')}, {units} units and {smallest.config.platform.cooling} cooling"
    words = f"no rack takes a node: {smallest.config.id} needs {needs}; there are {here or 'none'}"
    return Contradiction("site.cooling" if data.scenario.site.cooling else "racks", words)
