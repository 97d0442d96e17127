"""A study kept warm: what a change leaves as it was is not computed again.

Candidates are kept by class, the compiled program and the basis of its relaxation by structure. A changed limit or
price changes coefficients and sides of a few rows, and a few pivots later the relaxation gives the new bound; the
design is then decided over what the relaxation uses and what the last design used. Its gap is measured against that
bound and printed, so a quick answer may be `feasible` where a full solve would be `optimal`. Queues stay as wide as
the last full solve left them; where they no longer stand, the answer is solved in full.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyomo.environ as pyo

from solver.baselines import add_baselines
from solver.candidates import CandidateSet
from solver.catalog import Catalog
from solver.design import Design
from solver.errors import AuditError
from solver.highs import OPTIMAL, STOPPED, Clock
from solver.holdings import held
from solver.model.data import ModelData
from solver.model.objectives import find_objective
from solver.model.polish import used_data
from solver.optimise import Ready, Solved, compiled, unserved_classes
from solver.polishing import Polished, settle
from solver.relaxation import Relaxation
from solver.repricing import repriced, same_structure
from solver.restriction import PRESENT
from solver.scenario import resolve
from solver.search import Found, relative_gap
from solver.settling import Make, Settled
from solver.solve import audited, columns_of, prepare, solve_scenario
from solver.study import Study
from solver.thinning import with_queues_that_stand
from solver.widths import FewReplicasError, Queue, narrowed

SLIVERS_SHARE = 0.25
"""Share of the allowed gap that a quick answer may give up to be rid of slivers."""
COUNTS_SHARE = 0.3
"""Share of the allowed gap that the search over its counts may leave."""
COUNTS_TIMES_S = (0.6, 5.0)
"""Seconds for it, and for the second try where the first was too short: a full solve takes ten times as long."""
QUICK_ROUNDS = 8
"""How often queues that turn out too wide are narrowed: a round takes a second, a full solve ten times as long."""
FAR = 0.02
"""A quick answer further than this from its bound is not given: the change asks for other parts."""


@dataclasses.dataclass
class _Warm:
    """The last answer: its model at the widest queues with its relaxation, and what it or the last full solve uses."""

    ready: Ready
    columns: set[tuple[object, ...]]
    pools: set[str]


class Resident:
    """One study and catalog, solved again and again with changes.

    Parameters
    ----------
    study : Study
        What changes are made to; each `solve` begins from it, not from the change before.
    catalog : Catalog
    """

    def __init__(self, study: Study, catalog: Catalog) -> None:
        self.study, self.catalog = study, catalog
        self._known: dict[str, CandidateSet] = {}
        self._warm: _Warm | None = None
        self._base: tuple[set[tuple[object, ...]], set[str]] = (set(), set())
        self._widths: Mapping[Queue, int] = {}

    @property
    def ready(self) -> Ready | None:
        """The model of the last answer at the widest queues, with its relaxation; None before there is one."""
        return None if self._warm is None else self._warm.ready

    @property
    def make(self) -> Make:
        """What makes columns of studies like this one, and makes none twice."""
        return columns_of(self._known)

    def solve(
        self,
        changes: Mapping[str, Any] | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        quick: bool = True,
    ) -> Design:
        """Return the audited design of the study with some values changed.

        Parameters
        ----------
        changes : mapping, optional
            Dotted path to value, as in `Study.with_changes`.
        on_progress, should_stop : callable, optional
            As in `solver.solve.solve`.
        quick : bool
            False solves to the study's gap, with what is known of the candidates only.

        Raises
        ------
        InputError, AuditError
            As in `solver.solve.solve`.
        """
        study = self.study.with_changes(changes or {})
        clock = Clock(study.solver.time_limit_s, study.solver.threads, on_progress, should_stop)
        scenario = resolve(study, self.catalog)
        if quick and self._warm is not None:
            wide = prepare(scenario, known=self._known)
            data, candidates = prepare(narrowed(scenario, self._widths), known=self._known) if self._widths else wide
            if _can_be_quick(data):
                seconds = {"candidates_s": clock.elapsed_s}
                design = self._quick(self._warm, wide[0], data, candidates, clock, seconds)
                if design is not None:
                    return design
        return solve_scenario(scenario, self.make, clock, keep=self._keep)[0]

    def compared(
        self,
        design: Design,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Design:
        """Return a design of the study as it is with its baselines and runner-up.

        Parameters
        ----------
        design : Design
            As `solve` returned it.
        on_progress, should_stop : callable, optional
            As in `solver.solve.solve`.
        """
        clock = Clock(self.study.solver.time_limit_s, self.study.solver.threads, on_progress, should_stop)
        return add_baselines(design, resolve(self.study, self.catalog), self.make, clock)

    def _keep(self, settled: Settled, polished: Polished) -> None:
        """Remember an answer of a full solve."""
        assert settled.first is not None
        self._base, self._widths = _used(polished), polished.data.scenario.widths
        self._warm = _Warm(settled.first, *self._base)

    def _quick(
        self,
        warm: _Warm,
        wide: ModelData,
        data: ModelData,
        candidates: CandidateSet,
        clock: Clock,
        seconds: dict[str, float],
    ) -> Design | None:
        """The design over what the relaxation at the widest queues uses and the last design used; None without one."""
        begun = time.perf_counter()
        old = warm.ready
        if same_structure(old.data, wide) and _counts_only_service(old):
            program, model, objective, relaxation = repriced(old, wide), old.model, old.objective, old.relaxation
            relaxation.clock = clock
            relaxation.change(program, program.costs[0], float(program.offsets[0]))
        else:
            model, program, objective = compiled(wide)
            relaxation = Relaxation(program, program.costs[0], float(program.offsets[0]), clock)
        relaxed = relaxation.solve()
        seconds["model_s"] = time.perf_counter() - begun
        begun = time.perf_counter()
        if relaxed.status != OPTIMAL or relaxed.values is None:
            return None
        ready = Ready(wide, model, program, objective, relaxation, relaxed, 0.0, 0.0)
        sense = float(objective.sense)
        bound = -sense * relaxed.objective
        found = Found(STOPPED, relaxed.values, relaxed.objective, relaxed.objective, relaxed.objective, 0)
        solved = Solved(data, model, program, objective, found, bound, bound, {})
        used = {c.identity for c in wide.columns if ready.layout.present(relaxed.values, c.index) > PRESENT}
        columns = {c.index for c in data.columns if c.identity in used or c.identity in warm.columns}
        pools = {p for p, at in ready.layout.housed.items() if relaxed.values[at].sum() > PRESENT} | warm.pools
        seconds["search_s"] = time.perf_counter() - begun
        begun = time.perf_counter()
        target = bound * (1.0 - sense * SLIVERS_SHARE * data.scenario.study.solver.gap)
        far = max(FAR, data.scenario.study.solver.gap)
        near = used_data(data, columns, pools)
        try:
            polished, limit_s = _settled(near, solved, target, clock, far)
            if polished is None:
                return None
            polished, solved, candidates = with_queues_that_stand(
                polished, solved, candidates, self.make, clock, far, limit_s, QUICK_ROUNDS
            )
        except (RuntimeError, FewReplicasError):
            return None
        seconds["polish_s"] = time.perf_counter() - begun
        if relative_gap(polished.value, bound) > far:
            return None
        solved = dataclasses.replace(solved, value=polished.value)
        try:
            design = audited(solved, polished, candidates, clock, seconds, short="quick")
        except (FewReplicasError, AuditError):  # what the audit refuses is not given: the study is solved in full
            return None
        used_columns, used_pools = _used(polished)
        self._warm = _Warm(ready, used_columns | self._base[0], used_pools | self._base[1])
        clock.report("done", design.objective["value"], design.objective["bound"], design.objective["gap"])
        return design


def _settled(near: ModelData, solved: Solved, target: float, clock: Clock, far: float) -> tuple[Polished | None, float]:
    """The counts of what is near, not far from the bound, and the seconds that the search was given; None without any.

    Another try is made where the first one used up its time.
    """
    gap, limit_s = near.scenario.study.solver.gap * COUNTS_SHARE, 0.0
    for limit_s in COUNTS_TIMES_S:
        begun = time.perf_counter()
        try:
            polished = settle(near, solved, target, {}, clock, {}, gap=gap, time_limit_s=limit_s)
        except RuntimeError:
            polished = None
        if polished is not None and relative_gap(polished.value, solved.bound) <= far:
            return polished, limit_s
        if time.perf_counter() - begun < limit_s:
            break
    return None, limit_s


def _can_be_quick(data: ModelData) -> bool:
    """A ratio, and limits that only binaries keep, need the whole search; a class nobody can serve an explanation."""
    build = data.scenario.study.build
    counted = build.max_platforms is not None or build.max_candidates_per_class_role is not None
    ratio = find_objective(data.scenario).denominator(data.scenario) is not None
    return not counted and not ratio and not unserved_classes(data)


def _counts_only_service(ready: Ready) -> bool:
    """True where the objective is a sum over what is served, which no limit or price changes."""
    served = {id(v) for v in ready.model.period[0].served.values()}
    return all(id(ready.program.variables[k]) in served for k in np.flatnonzero(ready.program.costs[0]))


def _used(polished: Polished) -> tuple[set[tuple[object, ...]], set[str]]:
    """Columns and pools of a design."""
    block = polished.model.period[0]
    columns = {c.identity for c in polished.data.columns if held(block.present[c.index]) > PRESENT}
    return columns, {p.id for p in polished.data.pools if pyo.value(block.nodes[p.id]) > 0.5}
