"""Kinds of runs: what each asks of the library. One registered function a kind; it returns plain data.

A kind reports how far it is, looks whether somebody wants it to end (and then returns the best that it has), and may
publish part of its result before it is done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from solver.catalog import Catalog
from solver.design import Design
from solver.errors import InputError
from solver.explain import check_asked, explained
from solver.highs import Clock
from solver.model.objectives import find_objective
from solver.resident import Resident
from solver.scenario import resolve
from solver.study import Study
from solver.whatif.follow import followed
from solver.whatif.store import Request
from solver.whatif.sweeps import step_of
from solver.whatif.warm import Warm

Result = dict[str, Any]
WARM_TABLES = frozenset(("accelerators", "memory", "memory_prices", "models", "platforms", "precisions"))
"""Tables whose figures are part of what a `Resident` tells studies apart by, or are priced anew in a warm model."""


@dataclass(frozen=True)
class Job:
    """A request at work.

    Attributes
    ----------
    request : Request
    warm : Warm
    progress : callable
        Takes the events of `solver.solve`.
    should_stop : callable
        True once it is to end with what it has.
    hurried : callable
        True once others wait: what is not asked for in so many words can be left out.
    publish : callable
        Takes part of a result.
    before : callable
        Returns the design of the run it is based on, where that asked the same of the same parts and found a build.
    """

    request: Request
    warm: Warm
    progress: Callable[[dict[str, Any]], None]
    should_stop: Callable[[], bool]
    hurried: Callable[[], bool]
    publish: Callable[[Result], None]
    before: Callable[[], Design | None] = lambda: None


Progress = Callable[[dict[str, Any]], None]
RUNNERS: dict[str, Callable[[Job], Result]] = {}


def runner(kind: str) -> Callable[[Callable[[Job], Result]], Callable[[Job], Result]]:
    """Register what runs a kind."""

    def add(function: Callable[[Job], Result]) -> Callable[[Job], Result]:
        RUNNERS[kind] = function
        return function

    return add


def scaled(job: Job, study: Study, catalog: Catalog, more: Mapping[str, Any] | None = None) -> Progress:
    """Return what reports progress in the unit of the objective: the search counts in units of the model.

    Parameters
    ----------
    job : Job
    study, catalog
        Of the solve that is reported.
    more : mapping, optional
        Put into every event.
    """
    scenario = resolve(study, catalog)
    objective = find_objective(scenario)
    factor = None if objective.denominator(scenario) else objective.per_unit(scenario)
    place = {"unit": objective.unit, **(more or {})}

    def report(event: dict[str, Any]) -> None:
        numbers = {name: event.get(name) for name in ("incumbent", "bound")}
        if event.get("phase") != "done":  # that is in its unit already; in steps towards a ratio no number is
            numbers = {k: None if v is None or factor is None else v * factor for k, v in numbers.items()}
        job.progress(event | numbers | place)

    return report


def worded(job: Job) -> Progress:
    """Return what reports stages without numbers, where these are not of one objective."""
    return lambda event: job.progress(event | {"incumbent": None, "bound": None, "gap": None})


def _plain(design: Design) -> Result:
    return {"design": dataclasses.asdict(design)}


@runner("solve")
def solve(job: Job) -> Result:
    """Solve, quickly where a warm model allows it; then say what binds and compare, unless others wait.

    Options: ``quick`` False solves to the study's gap, ``more`` False leaves out what follows the answer.
    """
    options = job.request.options
    resident = job.warm.resident(job.request)
    study, catalog = resident.study, resident.catalog
    report = scaled(job, study, catalog)
    design = resident.solve(None, report, job.should_stop, quick=bool(options.get("quick", True)))
    if not (design.has_build and options.get("more", True)) or job.should_stop():
        return _plain(design)
    job.publish(_plain(design))

    def enough() -> bool:
        return job.should_stop() or job.hurried()

    for more in followed(design, resident, report, enough, job.warm.memory_gb):
        design = more
        job.publish(_plain(design))
    return _plain(design)


@runner("explain")
def explain(job: Job) -> Result:
    """Explain the answer of the run it is based on, else solve first: ``sections``, and what `solver.explain` takes."""
    options = dict(job.request.options)
    sections = list(options.pop("sections", ["bottlenecks"]))
    resident = job.warm.resident(job.request)
    study, catalog = resident.study, resident.catalog
    report = scaled(job, study, catalog)
    clock = Clock(study.solver.time_limit_s, study.solver.threads, report, job.should_stop)
    check_asked(sections, catalog, options)
    design = job.before() or resident.solve(None, report, job.should_stop, quick=False)
    if job.should_stop():
        return _plain(design)
    return _plain(explained(design, study, catalog, sections, resident.make, clock, **options))


@runner("pareto")
def pareto(job: Job) -> Result:
    """A front: ``x``, ``y``, ``points``."""
    from solver.explaining.pareto import pareto as find

    study, catalog = job.warm.study(job.request), job.warm.catalog(job.request)
    return find(study, catalog, on_progress=worded(job), should_stop=job.should_stop, **job.request.options)


@runner("quote")
def quote(job: Job) -> Result:
    """Judge a quote: ``part``, ``price_usd``, ``quantity``."""
    from solver.quote import check_quote

    study, catalog = job.warm.study(job.request), job.warm.catalog(job.request)
    found = check_quote(study, catalog, on_progress=worded(job), should_stop=job.should_stop, **job.request.options)
    return {"answer": found.to_dict()}


@runner("sweep")
def sweep(job: Job) -> Result:
    """Solve at each of ``values`` of one input ``path``, warm from each to the next; a record a value.

    The path is that of a study's key, or ``catalog/TABLE/ROW/COLUMN``.
    """
    path, values = str(job.request.options["path"]), list(job.request.options["values"])
    resident = job.warm.resident(job.request)
    catalog = resident.catalog
    records: list[Result] = []
    for number, value in enumerate(values, start=1):
        if job.should_stop():
            break
        place = {"step": number, "of": len(values), "value": value}
        try:
            changes, rows = step_of(path, value, catalog)
            changed = catalog.overlay(rows) if rows else catalog
            at = resident if set(rows or ()) <= WARM_TABLES else Resident(resident.study, changed)
            at.catalog = changed
            report = scaled(job, at.study.with_changes(changes), changed, place)
            design = at.solve(changes, report, job.should_stop)
        except InputError as error:
            records.append({"value": value, "status": "bad input", "message": str(error)})
        else:
            records.append(_swept(value, design))
        finally:
            resident.catalog = catalog
        job.publish({"path": path, "sweep": list(records)})
    return {"path": path, "sweep": records}


def _swept(value: Any, design: Design) -> Result:
    """One value of a sweep: status, objective, key figures, nodes by platform, why there is nothing."""
    nodes: dict[str, int] = {}
    for pool in design.pools:
        nodes[pool["platform"]] = nodes.get(pool["platform"], 0) + int(pool["quantity"])
    return {
        "value": value,
        "status": design.status,
        "objective": design.objective,
        "kpis": {name: {"value": kpi["value"], "unit": kpi["unit"]} for name, kpi in design.kpis.items()},
        "nodes": nodes,
        "message": "; ".join(design.explanation),
    }
