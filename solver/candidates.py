"""Columns of the model: every way a class can be served, with its numbers.

Raw candidates are one table of arrays (class x platform x precision x parallelism x cap x batch); what breaks
a promise is dropped with its reason, what another candidate dominates is pruned, the rest become `Candidate`
records.
"""

from __future__ import annotations

from collections.abc import Sequence

from solver.candidate import HIT, MISS, NONE, Candidate, CandidateSet, Dropped
from solver.configurations import Configuration
from solver.enumeration import ClassCandidates
from solver.performance import Calibration
from solver.scenario import Scenario

__all__ = ["HIT", "MISS", "NONE", "Candidate", "CandidateSet", "Dropped", "build_candidates"]


def build_candidates(
    scenario: Scenario, configs: Sequence[Configuration], calibration: Calibration, *, prune: bool = True
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

    Returns
    -------
    CandidateSet
    """
    kept: list[Candidate] = []
    dropped: list[Dropped] = []
    raw = feasible = 0
    for workload in scenario.workloads:
        result = ClassCandidates(scenario, configs, calibration, workload).run(prune)
        kept += result.candidates
        dropped += result.dropped
        raw += result.raw_count
        feasible += result.feasible_count
    return CandidateSet(tuple(kept), tuple(dropped), raw, feasible)
