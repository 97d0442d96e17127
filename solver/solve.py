"""The main job: a study and a catalog in, an audited design out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from solver.assemble import assemble, unbuilt
from solver.audit import audit
from solver.baselines import add_baselines
from solver.candidates import CandidateSet, build_candidates
from solver.catalog import Catalog
from solver.configurations import configurations
from solver.design import FEASIBLE, INFEASIBLE, OPTIMAL, UNKNOWN, Design
from solver.errors import AuditError
from solver.highs import INFEASIBLE as NO_POINT
from solver.highs import Clock
from solver.model.data import ModelData, model_data
from solver.model.objectives import find_objective
from solver.optimise import Solved, optimise
from solver.physics.calibration import Calibration
from solver.polishing import Polished, polish, with_gaps
from solver.scenario import Scenario, resolve
from solver.search import relative_gap
from solver.study import Study

LAYOUT_ROUNDS = 8
"""How often replicas that find no room in whole nodes may be taken off, before the design is given up."""


def solve(
    study: Study,
    catalog: Catalog,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    *,
    prune: bool = True,
    baselines: bool = False,
) -> Design:
    """Find the best build of a study, polish it, and audit it.

    Parameters
    ----------
    study : Study
    catalog : Catalog
    on_progress : callable, optional
        Called with ``{t_s, phase, incumbent, bound, gap}``.
    should_stop : callable, optional
        Polled; when it returns True the best design so far is returned.
    prune : bool
        False keeps dominated candidates (slower, same optimum; for tests).
    baselines : bool
        Also solve the comparisons: best single platform, HBM only, best build without the chief platform.

    Returns
    -------
    Design
        Status optimal, feasible, infeasible or unknown.

    Raises
    ------
    InputError
        If the study does not fit the catalog or its objective.
    AuditError
        If the design breaks a limit or promise when checked from the raw catalog.
    """
    clock = Clock(study.solver.time_limit_s, study.solver.threads, on_progress, should_stop)
    data, candidates = prepare(resolve(study, catalog), prune=prune)
    clock.report("candidates", None, None, None)
    design = solve_prepared(data, candidates, clock)
    if baselines and not clock.stopped_by:
        design = add_baselines(design, data, clock)
    return design


def prepare(
    scenario: Scenario, *, prune: bool = True, known: dict[str, CandidateSet] | None = None
) -> tuple[ModelData, CandidateSet]:
    """Make the columns of a scenario: menu, candidates (those of `known` classes are taken from there), pools."""
    find_objective(scenario)
    configs = configurations(scenario)
    fit = Calibration.from_catalog(scenario.catalog)
    candidates = build_candidates(scenario, configs, fit, prune=prune, known=known)
    return model_data(scenario, configs, candidates.candidates), candidates


def solve_prepared(
    data: ModelData,
    candidates: CandidateSet,
    clock: Clock,
    keep: Callable[[Solved, Polished], None] | None = None,
) -> Design:
    """Solve, polish, assemble and audit one set of columns; `keep` is told of the parts of a design that passed."""
    scenario = data.scenario
    seconds = {"candidates_s": clock.elapsed_s}
    unserved = unserved_classes(data)
    if unserved:
        return unbuilt(scenario, candidates, INFEASIBLE, unserved)
    solved = optimise(data, clock)
    if solved.found.values is None:
        if solved.found.status == NO_POINT:
            return unbuilt(scenario, candidates, INFEASIBLE, ["the limits and the demand clash"])
        return unbuilt(scenario, candidates, UNKNOWN, ["stopped before a design was found"], clock.stopped_by)
    begun = time.perf_counter()
    polished = polish(solved, clock)
    seconds |= solved.timings | {"polish_s": time.perf_counter() - begun}
    design = audited(solved, polished, candidates, clock, seconds)
    if keep is not None:
        keep(solved, polished)
    clock.report("done", design.objective["value"], design.objective["bound"], design.objective["gap"])
    return design


def audited(
    solved: Solved,
    polished: Polished,
    candidates: CandidateSet,
    clock: Clock,
    seconds: dict[str, float],
    short: str = "",
) -> Design:
    """Assemble the design that a polished model holds and audit it.

    Replicas that find no room in whole nodes are taken off first, a few rounds long.

    Parameters
    ----------
    solved : Solved
        Where the bound comes from.
    polished : Polished
    candidates : CandidateSet
    clock : Clock
    seconds : dict
        Time by step so far; the audit's and the total come on top.
    short : str
        What kept the design from the gap, where it is known.

    Raises
    ------
    AuditError
        If the design breaks a limit or promise.
    """
    study, begun = solved.data.scenario.study, time.perf_counter()
    short = short or ("limits" if study.build.max_candidates_per_class_role is not None else "layout")
    for _ in range(LAYOUT_ROUNDS):
        within = relative_gap(polished.value, solved.bound) <= study.solver.gap * (1 + 1e-6)
        design = assemble(
            solved,
            polished,
            candidates,
            OPTIMAL if within else FEASIBLE,
            clock.stopped_by or ("gap" if within else short),
            seconds,
        )
        report = audit(design)
        if "unplaced" not in report:
            break
        polished = with_gaps(polished, solved, report["unplaced"], clock)
    if not report["ok"]:
        lines = "\n".join(f"  - {line}" for line in report["violations"][:20])
        raise AuditError(f"the design fails its audit:\n{lines}")
    took = {"audit_s": round(time.perf_counter() - begun, 3), "total_s": round(clock.elapsed_s, 3)}
    return design.replace(audit=report, solver=design.solver | {"seconds": design.solver["seconds"] | took})


def unserved_classes(data: ModelData) -> list[str]:
    """Classes that must be served and that no candidate can serve."""
    demand = data.scenario.study.demand
    if demand.mode == "fixed" and demand.floor_frac == 0:
        return []
    lines = []
    for work in data.workloads:
        roles = {c.candidate.role for c in data.columns if c.candidate.workload == work.id}
        missing = [] if "mixed" in roles else [r for r in ("prefill", "decode") if r not in roles]
        if missing:
            lines.append(f"class {work.id}: no part that may be bought can {' or '.join(missing)} within its promises")
    return lines
