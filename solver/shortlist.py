"""Columns on a few platforms: a tenth of the catalog is made anew in a tenth of the time."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from solver.candidates import CandidateSet, build_candidates, keys_of
from solver.configurations import configurations
from solver.model.data import ModelData, model_data
from solver.physics.calibration import Calibration
from solver.scenario import Scenario

MOST_KEPT = 1000
"""Classes and roles at some widths whose candidates are kept: some thirty changes of much the same study."""


class Shortlist:
    """Makes columns of a scenario on some platforms only; what is known of the whole catalog is cut, not made again.

    Parameters
    ----------
    scenario : Scenario
        Whose platforms may be chosen from.
    platforms : collection of str
        Platform ids. All with the same accelerators come along, since a candidate may depend on the best of them; so
        do owned ones and those without accelerators.
    known, mine : dict
        Candidates of the whole catalog, and of some platforms, by `solver.candidates.role_key`; the latter grows.
    """

    def __init__(
        self,
        scenario: Scenario,
        platforms: Collection[str],
        known: dict[str, CandidateSet],
        mine: dict[str, CandidateSet],
    ) -> None:
        wanted = {p.accelerator_id for p in scenario.platforms if p.id in platforms}
        self.platforms = tuple(
            p for p in scenario.platforms
            if not p.accelerators or p.accelerator_id in wanted or scenario.owned(p.id)
        )  # fmt: skip
        self._known, self._mine = known, mine

        if len(mine) > MOST_KEPT:
            mine.clear()

    def __call__(self, scenario: Scenario) -> tuple[ModelData, CandidateSet]:
        """Return the columns of a scenario that differs from the first in no part; its platforms stay all there."""
        small = dataclasses.replace(scenario, platforms=self.platforms)
        menu, fit = configurations(scenario), Calibration.from_catalog(scenario.catalog)
        ids = {p.id for p in self.platforms}
        short = tuple(c for c in menu if c.platform.id in ids)
        for whole, part in zip(keys_of(scenario, menu, fit), keys_of(small, short, fit), strict=True):
            if whole in self._known and part not in self._mine:
                self._mine[part] = _cut(self._known[whole], ids)
        candidates = build_candidates(small, short, fit, known=self._mine)
        data = model_data(small, short, candidates.candidates)
        return dataclasses.replace(data, scenario=scenario), candidates


def _cut(found: CandidateSet, platforms: set[str]) -> CandidateSet:
    """The same with the candidates of some platforms; no candidate is measured against one of another platform."""
    kept = tuple(c for c in found.candidates if c.platform_id in platforms)
    return dataclasses.replace(found, candidates=kept)
