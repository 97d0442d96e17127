"""A compiled program of which parts can be taken out: columns and pools that a cut does not keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from solver.compression import Compressed, compressed
from solver.highs import STOPPED, Program
from solver.model.data import Column, ModelData, Pool
from solver.model.objectives import Objective
from solver.model.polish import used_data
from solver.optimise import Solved, compiled
from solver.restriction import Layout
from solver.search import Found

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Cut:
    """What may be used: columns and pools; a column needs its pool."""

    name: str
    keep_column: Callable[[Column], bool] = lambda _: True
    keep_pool: Callable[[Pool], bool] = lambda _: True


@dataclass(frozen=True)
class Shop:
    """The program at some widths of queues."""

    data: ModelData
    program: Program
    objective: Objective
    layout: Layout
    solved: Solved
    kept: dict[str, tuple[BoolArray, BoolArray]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: ModelData) -> Shop:
        """Compile the program of some columns."""
        model, program, objective = compiled(data)
        empty = Found(STOPPED, None, np.nan, np.nan, np.nan, 0)
        solved = Solved(data, model, program, objective, empty, np.nan, np.nan, {})
        return cls(data, program, objective, solved.layout, solved)

    @cached_property
    def _places(self) -> tuple[Positions, Positions, Positions, Positions]:
        """Positions of columns with the number of each, and of pools likewise."""
        columns = [(k, n) for n, c in enumerate(self.data.columns) for k in self.layout.columns[c.index]]
        pools = [(int(k), n) for n, p in enumerate(self.data.pools) for k in self.layout.housed[p.id]]
        at = [np.asarray(pairs, dtype=np.intp).reshape(-1, 2) for pairs in (columns, pools)]
        return at[0][:, 0], at[0][:, 1], at[1][:, 0], at[1][:, 1]

    @cached_property
    def _bought(self) -> list[tuple[str, int]]:
        """Configurations and the positions of what is bought of them."""
        at = {id(variable): k for k, variable in enumerate(self.program.variables)}
        return [(index[0], at[id(variable)]) for index, variable in self.solved.model.bought.items()]

    @cached_property
    def _hosts(self) -> tuple[Positions, Positions]:
        """Number of the pool of each column (-1: any of its family), and of the family of each pool and column."""
        pools = {p.id: n for n, p in enumerate(self.data.pools)}
        families = {family: n for n, family in enumerate(self.data.pools_of_family)}
        bound = np.asarray([pools[c.pool.id] if c.pool else -1 for c in self.data.columns], dtype=np.intp)
        members = [families[p.family] for p in self.data.pools] + [families[c.family] for c in self.data.columns]
        return bound, np.asarray(members, dtype=np.intp)

    def _keeps(self, cut: Cut) -> tuple[BoolArray, BoolArray]:
        """Columns and pools that a cut keeps."""
        if cut.name not in self.kept:
            columns = np.asarray([cut.keep_column(c) for c in self.data.columns], dtype=bool)
            self.kept[cut.name] = columns, np.asarray([cut.keep_pool(p) for p in self.data.pools], dtype=bool)
        return self.kept[cut.name]

    def upper(self, *cuts: Cut) -> FloatArray:
        """Upper bounds that leave what all cuts keep; columns go with the last of their pools."""
        columns = np.ones(len(self.data.columns), dtype=bool)
        pools = np.ones(len(self.data.pools), dtype=bool)
        for cut in cuts:
            mine = self._keeps(cut)
            columns, pools = columns & mine[0], pools & mine[1]
        bound, family = self._hosts
        hosted = np.bincount(family[: len(pools)][pools], minlength=int(family.max(initial=0)) + 1) > 0
        columns &= np.where(bound >= 0, pools[bound], hosted[family[len(pools) :]])
        bounds, places = self.program.upper.copy(), self._places
        bounds[places[0][~columns[places[1]]]] = 0.0
        bounds[places[2][~pools[places[3]]]] = 0.0
        stand = {p.config.id for p, kept in zip(self.data.pools, pools, strict=True) if kept}
        bounds[[k for unit, k in self._bought if unit not in stand]] = 0.0
        return bounds

    def cut(self, keep: BoolArray) -> ModelData:
        """Return the model data with only what is kept."""
        columns = {c.index for c in self.data.columns if keep[self.layout.replicas[c.index]]}
        pools = {p.id for p in self.data.pools if keep[self.layout.housed[p.id]].any()}
        return used_data(self.data, columns, pools)

    def part(self, upper: FloatArray) -> Compressed:
        """The program without what is taken out, all of its costs on what is left."""
        cut = compressed(self.program, self.program.costs[0], float(self.program.offsets[0]), upper)
        offsets = self.program.offsets + self.program.costs @ cut.fixed
        return dataclasses.replace(cut, program=dataclasses.replace(cut.program, offsets=offsets))
