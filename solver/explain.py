"""Explanations of a study's answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyomo.common.gc_manager import PauseGC

from solver.candidates import CandidateSet
from solver.catalog import Catalog
from solver.design import Design
from solver.errors import InputError, Problem, closest
from solver.explaining.attributes import ATTRIBUTES, DATE
from solver.explaining.crew import answers_to
from solver.explaining.sections import SECTIONS
from solver.explaining.subject import Subject
from solver.highs import Clock
from solver.scenario import resolve
from solver.settling import Make
from solver.solve import columns_of, solve_scenario
from solver.study import Study

TIME_LIMIT_S = 1800.0
"""Seconds for all sections together."""


def explain(
    study: Study,
    catalog: Catalog,
    sections: Sequence[str] = ("bottlenecks",),
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> Design:
    """Solve a study and explain its answer.

    Parameters
    ----------
    study : Study
    catalog : Catalog
    sections : sequence of str
        Ids of `SECTIONS`.
    on_progress, should_stop : callable, optional
        As in `solver.solve.solve`.
    **options
        `depth`, `step` (ladder), `parts` (ids, for entry prices and attributes), `attributes` (their ids), `promised`
        (how many promises; None values all).

    Returns
    -------
    Design
        With the sections in `explained`; a study without a build has its clashes there already.

    Raises
    ------
    InputError
        If a section or part is unknown, or the study does not fit the catalog.
    """
    check_asked(sections, catalog, options)
    known: dict[str, CandidateSet] = {}
    make = columns_of(known)
    clock = Clock(study.solver.time_limit_s, study.solver.threads, on_progress, should_stop)
    design, clock = solve_scenario(resolve(study, catalog), make, clock)
    return explained(design, study, catalog, sections, make, clock, **options)


def explained(
    design: Design,
    study: Study,
    catalog: Catalog,
    sections: Sequence[str],
    make: Make,
    clock: Clock,
    **options: Any,
) -> Design:
    """Return an answer with explanations of it.

    Parameters
    ----------
    design : Design
        Of the study and the catalog.
    study, catalog, sections, **options
        As in `explain`.
    make : callable
        Columns, as `solver.solve.columns_of` returns it; what the solve has made is not made again.
    clock : Clock
        At the end of the solve.

    Raises
    ------
    InputError
        If a section or part is unknown.
    """
    check_asked(sections, catalog, options)
    if not design.has_build:
        return design
    clock = Clock(
        clock.elapsed_s + TIME_LIMIT_S, study.solver.threads, clock.on_progress, clock.should_stop, begun=clock.begun
    )
    begun = time.perf_counter()
    with PauseGC():
        found = answers_to(Subject(study, catalog, design, make, clock, options), sections)
    solver = design.solver | {"explained_seconds": round(time.perf_counter() - begun, 3)}
    return design.replace(explained=design.explained | found, solver=solver)


def check_asked(sections: Sequence[str], catalog: Catalog, options: Mapping[str, Any]) -> None:
    """Refuse unknown sections, parts and attributes, all at once.

    Raises
    ------
    InputError
        For each that there is not.
    """
    parts, figures = options.get("parts"), options.get("attributes")
    problems = [
        Problem("explain", "", "section", name, "unknown section", ", ".join(SECTIONS), closest(name, SECTIONS))
        for name in sections
        if name not in SECTIONS
    ]
    known = [*catalog.tables["platforms"], *catalog.tables["memory"]]
    allowed = "an id listed by `tierwatt list platforms` or `tierwatt list memory`"
    problems += [
        Problem("explain", "", "part", part, "not in platforms or memory of the catalog", allowed, closest(part, known))
        for part in parts or ()
        if part not in known
    ]
    names = [*ATTRIBUTES, DATE]
    problems += [
        Problem("explain", "", "attribute", name, "unknown attribute", ", ".join(names), closest(name, names))
        for name in figures or ()
        if name not in names
    ]
    if figures and not parts:
        problems.append(Problem("explain", "", "part", "", "attributes need a part", allowed))
    if problems:
        raise InputError(problems)
