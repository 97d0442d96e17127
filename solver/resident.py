"""A study kept warm: what a change leaves as it was is not computed again.

Candidates are kept by class, the compiled program and the basis of its relaxation by structure. A changed limit or
price changes coefficients and sides of a few rows, and a few pivots later the relaxation gives the new bound; the
design is then decided over what the relaxation uses and what the last design used. Its gap is measured against that
bound and printed, so a quick answer may be `feasible` where a full solve would be `optimal`. Queues stay as wide as
the last full solve left them; where they no longer stand, the answer is solved in full.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC

from solver.baselines import add_baselines
from solver.candidates import CandidateSet
from solver.catalog import Catalog
from solver.design import Design
from solver.errors import AuditError
from solver.highs import Clock
from solver.holdings import held
from solver.model.data import ModelData
from solver.optimise import Ready
from solver.polishing import Polished
from solver.quick import Warm, can_be_quick, quick_answer
from solver.restriction import PRESENT
from solver.scenario import resolve
from solver.settling import Make, Settled
from solver.solve import audited, columns_of, prepare, solve_scenario
from solver.study import Study
from solver.widths import FewReplicasError


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
        self._near: dict[str, CandidateSet] = {}
        self._warm: Warm | None = None
        self._base: tuple[set[tuple[object, ...]], set[str]] = (set(), set())

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
            with PauseGC():
                wide, candidates = prepare(scenario, known=self._known)
                if can_be_quick(wide):
                    design = self._quick(wide, candidates, clock, {"candidates_s": clock.elapsed_s})
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
        self._base = _used(polished)
        widths = polished.data.scenario.widths
        self._warm = Warm(settled.first, settled.first, *self._base, polished, self._known, self._near, widths)

    def _quick(
        self, wide: ModelData, candidates: CandidateSet, clock: Clock, seconds: dict[str, float]
    ) -> Design | None:
        """The audited design of `quick_answer`; None where there is none that passes."""
        assert self._warm is not None
        answer = quick_answer(self._warm, wide, clock, seconds)
        if answer is None:
            return None
        try:
            design = audited(answer.solved, answer.polished, candidates, clock, seconds, short="quick")
        except (FewReplicasError, AuditError):  # what the audit refuses is not given: the study is solved in full
            return None
        columns, pools = _used(answer.polished)
        self._warm = dataclasses.replace(
            self._warm, ready=answer.ready, columns=columns | self._base[0], pools=pools | self._base[1],
            polished=answer.polished,
        )  # fmt: skip
        clock.report("done", design.objective["value"], design.objective["bound"], design.objective["gap"])
        return design


def _used(polished: Polished) -> tuple[set[tuple[object, ...]], set[str]]:
    """Columns and pools of a design."""
    block = polished.model.period[0]
    columns = {c.identity for c in polished.data.columns if held(block.present[c.index]) > PRESENT}
    return columns, {p.id for p in polished.data.pools if pyo.value(block.nodes[p.id]) > 0.5}
