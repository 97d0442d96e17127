"""The main job: a study and a catalog in, an audited design out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

from pyomo.common.gc_manager import PauseGC

from solver.assemble import assemble, unbuilt
from solver.audit import audit
from solver.baselines import add_baselines
from solver.builds import Build
from solver.candidates import CandidateSet, build_candidates
from solver.catalog import Catalog
from solver.clashing.answers import clashed, contradicted, not_served
from solver.clashing.inputs import ContradictionError, contradictions, contradictions_of
from solver.clashing.scales import check_scales, unbounded
from solver.configurations import Configuration, configurations
from solver.design import FEASIBLE, OPTIMAL, UNKNOWN, Design
from solver.errors import AuditError, InputError
from solver.highs import GRACE_S, UNBOUNDED, Clock, solve_lp
from solver.highs import INFEASIBLE as NO_POINT
from solver.model.data import ModelData, model_data
from solver.model.objectives import find_objective
from solver.optimise import Solved, unserved_classes
from solver.own_build import check_build, compared, own_build
from solver.physics.calibration import Calibration
from solver.polishing import Polished, polish, with_gaps
from solver.scenario import Scenario, resolve
from solver.search import relative_gap
from solver.settling import Make, Settled, optimised, settle_widths
from solver.study import Study
from solver.thinning import with_queues_that_stand
from solver.whole import made_whole, matters
from solver.widths import FewReplicasError, check_widths, narrowed

Keep = Callable[[Settled, Polished], None]
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
    baseline: Build | None = None,
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
    baseline : Build, optional
        A build of your own to compare with: its nodes stand fixed, the rest is optimised.

    Returns
    -------
    Design
        Status optimal, feasible, infeasible or unknown.

    Raises
    ------
    InputError
        If the study does not fit the catalog or its objective, is badly scaled, or has an objective without end.
    AuditError
        If the design breaks a limit or promise when checked from the raw catalog.
    """
    clock = Clock(study.solver.time_limit_s, study.solver.threads, on_progress, should_stop)
    scenario = resolve(study, catalog)
    if baseline is not None:
        check_build(baseline, scenario)
    make = columns_of({}, prune=prune)
    design, clock = solve_scenario(scenario, make, clock)
    if baselines and not clock.stopped_by:
        design = add_baselines(design, scenario, make, clock)
    if baseline is not None:
        design = _with_own(design, baseline, scenario, clock)
    return design


def columns_of(known: dict[str, CandidateSet], *, prune: bool = True) -> Make:
    """Return what makes the columns of a scenario, and makes none twice."""
    return partial(prepare, prune=prune, known=known)


def known_of(make: Make) -> dict[str, CandidateSet]:
    """Return the candidates that a function made by `columns_of` keeps; none of another function."""
    return dict(make.keywords["known"]) if isinstance(make, partial) else {}


def solve_scenario(scenario: Scenario, make: Make, clock: Clock, keep: Keep | None = None) -> tuple[Design, Clock]:
    """Return the audited design of a scenario whose queues are no wider than what stands, and the clock at its end.

    Parameters
    ----------
    scenario : Scenario
    make : callable
        As `columns_of` returns it.
    clock : Clock
        Of the first solve; each further one has the study's time again.
    keep : callable, optional
        As in `solve_prepared`.
    """
    if found := contradictions(scenario):
        return contradicted(scenario, found), clock
    relaxations, bound, checked, stopped_by = 0, None, partial(_checked, make), ""
    settled: Settled | None = None
    with PauseGC():  # millions of objects that stay: looking at them for garbage takes a tenth of the time
        for solves in count(1):
            try:
                settled = settle_widths(scenario, checked, clock, settled)
            except ContradictionError as error:
                return clashed(scenario, error.candidates, make, clock, error.found)[0], clock
            relaxations += settled.relaxations
            try:
                design = solve_prepared(settled, make, clock, keep, bound)
            except FewReplicasError as few:
                bound, scenario = few.bound, narrowed(settled.data.scenario, few.widths, solves)
                if clock.should_stop is not None and clock.should_stop():
                    stopped_by = "user"
                clock = _anew(clock, scenario.study.solver.time_limit_s, stopped=bool(stopped_by))
            else:
                break
    rounds = {"relaxations": relaxations, "solves": solves}
    if stopped_by and design.stopped_by == "time limit":
        design = design.replace(stopped_by=stopped_by)
    return design.replace(solver=design.solver | {"queue_rounds": rounds}), clock


def _anew(clock: Clock, time_limit_s: float, *, stopped: bool) -> Clock:
    """A clock for another solve: as long as the first, or after a stop as long as it takes to keep what there was."""
    limit_s = clock.elapsed_s + (GRACE_S if stopped else time_limit_s)
    should_stop = None if stopped else clock.should_stop
    return dataclasses.replace(clock, time_limit_s=limit_s, should_stop=should_stop, stopped_by="")


def _checked(make: Make, scenario: Scenario) -> tuple[ModelData, CandidateSet]:
    """Make columns; stop before any solve where a limit leaves no room for one node."""
    data, candidates = make(scenario)
    if not unserved_classes(data) and (found := contradictions_of(data)):
        raise ContradictionError(found, data, candidates)
    return data, candidates


def _with_own(design: Design, build: Build, scenario: Scenario, clock: Clock) -> Design:
    """Return the design with the user's build as its first baseline, wanted even where there is no design."""
    clock.report("own build", None, None, None)
    record = own_build(build, scenario, clock)
    value, sense = design.has_build and design.value_in_parts, design.objective.get("sense", "max")
    return design.replace(baselines=[compared(record, value, sense) if value else record, *design.baselines])


def prepare(
    scenario: Scenario,
    *,
    prune: bool = True,
    menu: Sequence[Configuration] | None = None,
    known: dict[str, CandidateSet] | None = None,
) -> tuple[ModelData, CandidateSet]:
    """Make the columns of a scenario: menu and known classes as given, else made here."""
    find_objective(scenario)
    configs = configurations(scenario) if menu is None else menu
    fit = Calibration.from_catalog(scenario.catalog)
    candidates = build_candidates(scenario, configs, fit, prune=prune, known=known)
    data = model_data(scenario, configs, candidates.candidates)
    check_scales(data)
    return data, candidates


def solve_prepared(
    settled: Settled,
    make: Make,
    clock: Clock,
    keep: Keep | None = None,
    bound: float | None = None,
) -> Design:
    """Solve, polish, assemble and audit one set of columns.

    Parameters
    ----------
    settled : Settled
    make : callable
        Of columns at narrower queues.
    clock : Clock
    keep : callable, optional
        Told of the parts of a design that passed.
    bound : float, optional
        As in `optimise`.

    Raises
    ------
    AuditError
        If the design breaks a limit or promise.
    FewReplicasError
        If fewer replicas stand than share a queue.
    """
    data, candidates = settled.data, settled.candidates
    scenario = data.scenario
    if settled.ready is None:
        return not_served(data, candidates, make, clock)
    seconds = {"queues_s": settled.begun_s, "candidates_s": settled.candidates_s}
    solved = optimised(settled, clock, bound)
    if solved.found.values is None:
        if solved.found.status == NO_POINT:
            design, told = clashed(scenario, candidates, make, clock)
            if not (told.build and _has_no_end(solved, clock)):
                return design
        if solved.found.status in (NO_POINT, UNBOUNDED):
            raise unbounded(scenario)
        clock.stop()  # the time may have ended inside the solver below
        return unbuilt(scenario, candidates, UNKNOWN, ["stopped before a design was found"], clock.stopped_by)
    begun = time.perf_counter()
    try:
        polished = polish(solved, clock)
    except InputError:
        if not clock.stopped_by:
            raise
        reason = "stopped before a design with so few candidates a class and role was found"
        return unbuilt(scenario, candidates, UNKNOWN, [reason], clock.stopped_by)
    if not polished.kinds_after["pools"] and clock.stopped_by:
        return unbuilt(scenario, candidates, UNKNOWN, ["stopped before a design was found"], clock.stopped_by)
    if not polished.kinds_after["pools"]:
        return clashed(scenario, candidates, make, clock, empty=True)[0]
    polished, solved, candidates = with_queues_that_stand(polished, solved, candidates, make, clock)
    seconds |= solved.timings | {"polish_s": time.perf_counter() - begun}
    begun, parts = time.perf_counter(), polished
    if matters(polished) and not clock.stopped_by:
        polished = made_whole(polished, solved, clock) or polished
        seconds |= {"whole_s": time.perf_counter() - begun}
    design = audited(solved, polished, candidates, clock, seconds)
    if keep is not None:
        keep(settled, parts)
    clock.report("done", design.objective["value"], design.objective["bound"], design.objective["gap"])
    return design


def _has_no_end(solved: Solved, clock: Clock) -> bool:
    """True where the relaxation that has points is called infeasible or unbounded: then it is the latter."""
    program = solved.program
    return solve_lp(program, program.costs[0], float(program.offsets[0]), clock).status == NO_POINT


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
    FewReplicasError
        If fewer replicas stand than share a queue.
    """
    study, begun = solved.data.scenario.study, time.perf_counter()
    short = short or ("limits" if study.build.max_candidates_per_class_role is not None else "layout")
    for _ in range(LAYOUT_ROUNDS):
        within = relative_gap(polished.proven(solved.objective.sense), solved.bound) <= study.solver.gap * (1 + 1e-6)
        if within and matters(polished):
            within, short = False, "quick" if short == "quick" else "whole replicas"
        design = assemble(
            solved,
            polished,
            candidates,
            OPTIMAL if within else FEASIBLE,
            clock.stopped_by or ("gap" if within else short),
            seconds,
        )
        check_widths(design.load, solved.bound)
        report = audit(design)
        if "unplaced" not in report:
            break
        polished = with_gaps(polished, solved, report["unplaced"], clock)
    if not report["ok"]:
        lines = "\n".join(f"  - {line}" for line in report["violations"][:20])
        raise AuditError(f"the design fails its audit:\n{lines}")
    took = {"audit_s": round(time.perf_counter() - begun, 3), "total_s": round(clock.elapsed_s, 3)}
    return design.replace(audit=report, solver=design.solver | {"seconds": design.solver["seconds"] | took})
