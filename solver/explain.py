"""Explanations of a study's answer: which sections there are, and what computes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pyomo.common.gc_manager import PauseGC

from solver.candidates import CandidateSet
from solver.catalog import Catalog
from solver.design import Design
from solver.errors import InputError, Problem, closest
from solver.explaining.architectures import architectures
from solver.explaining.bench import Bench
from solver.explaining.bottlenecks import bottlenecks
from solver.explaining.entry import entry_prices
from solver.explaining.ladder import DEPTH, STEP, ladder
from solver.explaining.levers import levers
from solver.explaining.tornado import tornado
from solver.explaining.workbench import Workbench, widths_of
from solver.highs import Clock
from solver.scenario import resolve
from solver.settling import Make
from solver.solve import columns_of, solve_scenario
from solver.study import Study

PROMISED = 4
"""Promises nearest to binding that are valued where not all are asked for."""
TIME_LIMIT_S = 1800.0
"""Seconds for all sections together."""


@dataclass
class Subject:
    """What sections are computed from.

    Attributes
    ----------
    study, catalog, design
    make : callable
        Columns, made once.
    clock : Clock
    options : dict
        `depth` and `step` of the ladder, `parts` of the entry prices.
    """

    study: Study
    catalog: Catalog
    design: Design
    make: Make
    clock: Clock
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def bench(self) -> Workbench:
        """The study's program."""
        return Workbench(resolve(self.study, self.catalog), self.make, self.clock, self.design)

    @cached_property
    def cutting(self) -> Bench:
        """The same, for builds with choices taken out."""
        return Bench(resolve(self.study, self.catalog), self.make, self.clock, widths_of(self.design))


@dataclass(frozen=True)
class Section:
    """One kind of explanation."""

    id: str
    name: str
    compute: Callable[[Subject], Any]


SECTIONS: dict[str, Section] = {}


def register(section: Section) -> Section:
    """Add a section to the registry."""
    if section.id in SECTIONS:
        raise ValueError(f"section {section.id} is registered twice")
    SECTIONS[section.id] = section
    return section


register(Section(
    "bottlenecks", "what binds, and what more of it is worth",
    lambda s: bottlenecks(s.bench, s.design, promised=s.options.get("promised", PROMISED)),
))  # fmt: skip
register(Section(
    "entry_prices", "prices at which parts enter or leave",
    lambda s: entry_prices(s.bench, s.design, s.options.get("parts")),
))  # fmt: skip
register(Section(
    "ladder", "what binds next",
    lambda s: ladder(s.bench, s.design, depth=s.options.get("depth", DEPTH), step=s.options.get("step", STEP)),
))  # fmt: skip

register(Section(
    "levers", "what each freedom contributes",
    lambda s: levers(s.design, s.study, s.catalog, s.clock, bench=s.cutting),
))  # fmt: skip
register(Section(
    "architectures", "the best build of each kind of site",
    lambda s: architectures(s.design, s.study, s.catalog, s.clock, bench=s.cutting),
))  # fmt: skip

register(Section("tornado", "uncertain numbers at both ends", lambda s: tornado(s.design, s.study, s.catalog, s.clock)))


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
        `depth`, `step` (ladder), `parts` (ids for entry prices), `promised` (how many promises; None values all).

    Returns
    -------
    Design
        With the sections in `explained`; a study without a build has its clashes there already.

    Raises
    ------
    InputError
        If a section or part is unknown, or the study does not fit the catalog.
    """
    check_asked(sections, catalog, options.get("parts"))
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
    check_asked(sections, catalog, options.get("parts"))
    if not design.has_build:
        return design
    clock = Clock(
        clock.elapsed_s + TIME_LIMIT_S, study.solver.threads, clock.on_progress, clock.should_stop, begun=clock.begun
    )
    subject = Subject(study, catalog, design, make, clock, options)
    found, seconds = dict(design.explained), {}
    with PauseGC():
        for name in sections:
            if clock.stop():
                break
            begun = time.perf_counter()
            clock.report(SECTIONS[name].name, None, None, None)
            found[name] = SECTIONS[name].compute(subject)
            seconds[f"{name}_s"] = round(time.perf_counter() - begun, 3)
    solver = design.solver | {"explained_seconds": seconds}
    return design.replace(explained=found, solver=solver)


def check_asked(sections: Sequence[str], catalog: Catalog, parts: Sequence[str] | None) -> None:
    """Refuse unknown sections and parts, all at once.

    Raises
    ------
    InputError
        For each that there is not.
    """
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
    if problems:
        raise InputError(problems)
