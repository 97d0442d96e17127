"""What explanations are computed from: a study, its answer, and the programs that questions are put to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from solver.catalog import Catalog
from solver.design import Design
from solver.explaining.bench import Bench
from solver.explaining.workbench import Workbench, widths_of
from solver.highs import Clock
from solver.scenario import resolve
from solver.settling import Make
from solver.study import Study


@dataclass
class Subject:
    """A study with its answer.

    Attributes
    ----------
    study, catalog, design
    make : callable
        Columns, made once.
    clock : Clock
    options : dict
        `depth` and `step` of the ladder, `parts` of the entry prices, `promised` of the bottlenecks.
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
