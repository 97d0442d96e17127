"""Columns of the model: every way a class can be served, with its numbers.

Raw candidates are one table of arrays (class x platform x precision x parallelism x cap x batch); what breaks
a promise is dropped with its reason, what another candidate dominates is pruned, the rest become `Candidate`
records.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from solver.candidate import HIT, MISS, NONE, PAIR, Candidate, CandidateSet, Dropped
from solver.configurations import Configuration
from solver.enumeration.account import Account
from solver.enumeration.roles import role_candidates, roles_of
from solver.enumeration.subject import Evaluated, Subject
from solver.performance import Calibration
from solver.scenario import Scenario
from solver.workload import Workload

__all__ = ["HIT", "MISS", "NONE", "Candidate", "CandidateSet", "Dropped", "build_candidates", "role_key"]

QUEUES = {"prefill": ("prefill",), "mixed": ("mixed",), PAIR: ("prefill", "mixed")}
"""Role -> the queues its candidates depend on; prefill replicas of pairs share the queue of all prefill replicas."""
_MONEY = re.compile(r"\b\w*(?:usd|price)\w*=[^,()]*")
"""Prices in the text of a part: no candidate depends on them."""


def build_candidates(
    scenario: Scenario,
    configs: Sequence[Configuration],
    calibration: Calibration,
    *,
    prune: bool = True,
    known: dict[str, CandidateSet] | None = None,
) -> CandidateSet:
    """Evaluate, filter and prune all candidates of a scenario.

    Parameters
    ----------
    scenario : Scenario
    configs : sequence of Configuration
        The menu; decides which tiers hits can be loaded from and how much KV can spill.
    calibration : Calibration
        Fitted coefficients.
    prune : bool
        False keeps dominated candidates too (for tests of the pruning).
    known : dict, optional
        Candidates by `role_key`, from earlier calls; what is missing is added.

    Returns
    -------
    CandidateSet
    """
    if not any(platform.accelerators for platform in scenario.platforms):
        return CandidateSet((), (), 0, 0)
    kept: list[Candidate] = []
    dropped: list[Dropped] = []
    raw = feasible = 0
    known = {} if known is None else known
    keys = iter(keys_of(scenario, configs, calibration, prune=prune))
    for workload in scenario.workloads:
        account = Account(workload.id)
        evaluated: Evaluated = {}
        mine: list[Candidate] = []
        for role in roles_of(scenario.study.build):
            key = next(keys)
            if key not in known:
                subject = Subject(scenario, configs, calibration, workload, evaluated)
                known[key] = role_candidates(subject, role, mine, prune=prune)
            result = known[key]
            mine += result.candidates
            raw += result.raw_count
            feasible += result.feasible_count
            for record in result.dropped:
                account.add(record)
        kept += mine
        dropped += account.records
    return CandidateSet(tuple(kept), tuple(dropped), raw, feasible)


def keys_of(
    scenario: Scenario, configs: Sequence[Configuration], calibration: Calibration, *, prune: bool = True
) -> list[str]:
    """Return the keys of all candidates of a scenario, by class and, for each, by role.

    Parameters
    ----------
    scenario, configs, calibration, prune
        As in `build_candidates`.
    """
    menu = _menu_key(scenario, configs, calibration, prune)
    return [
        role_key(menu, workload, role, [scenario.router_width(workload.id, queue) for queue in QUEUES.get(role, ())])
        for workload in scenario.workloads
        for role in roles_of(scenario.study.build)
    ]


def role_key(menu: str, workload: Workload, role: str, widths: Sequence[int]) -> str:
    """Hash of all that the candidates of a class and role depend on: its row, the menu, its queue; no price, no demand.

    Parameters
    ----------
    menu : str
        Of `_menu_key`.
    workload : Workload
    role : str
    widths : sequence of int
        Replicas that share each of its queues.
    """
    mine = {name: value for name, value in vars(workload).items() if name not in ("requests_per_s", "value_per_token")}
    return hashlib.sha256(f"{menu} {mine!r} {role} {list(widths)}".encode()).hexdigest()


def _menu_key(scenario: Scenario, configs: Sequence[Configuration], calibration: Calibration, prune: bool) -> str:
    """Hash of what the candidates of every class depend on: build options, parts, configurations, calibration."""
    parts = (
        scenario.study.build.model_dump(exclude={"router_width"}),
        scenario.platforms,
        scenario.accelerators,
        scenario.models,
        scenario.precisions,
        scenario.nic_link,
        scenario.scale_up_link,
        scenario.scale_up_efficiency,
        scenario.host_mem_usable_frac,
        scenario.host_mem_min_frac,
        tuple(configs),
        calibration,
        prune,
    )
    return hashlib.sha256(_MONEY.sub("", repr(parts)).encode()).hexdigest()
