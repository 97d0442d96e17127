"""Fewer kinds by taking out one after the other, while a design within the target is left.

For each kind the relaxation without it is asked first: where even that misses the target, no design can do without
the kind, and nothing more is tried. Otherwise a short search looks for a design without it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.compression import solve_small_mip
from solver.highs import OPTIMAL, Clock, Outcome, Program
from solver.model.data import Column, ModelData
from solver.relaxation import Relaxation
from solver.restriction import Layout

FloatArray = NDArray[np.float64]
Positions = NDArray[np.intp]
REDUCE_TIME_S = 1.0
"""Seconds for all searches without one kind or another."""
TRY_TIME_S = 0.35
"""Seconds for one of them."""
USED = 1e-6
"""Replicas or nodes below this are not there."""


class Reducer:
    """A design and what may still be used in its place.

    Parameters
    ----------
    data : ModelData
        Of the program.
    model : ConcreteModel
    program : Program
    cost, offset : (N,) array, float
        To minimise.
    cut : float
        The cost that a design may have at most.
    values : (N,) array
        A feasible point.
    clock : Clock
    upper : (N,) array, optional
        Where something has been taken out already.

    Attributes
    ----------
    certain : bool
        True while every kind that stayed is one that the relaxation cannot do without.
    """

    def __init__(
        self,
        data: ModelData,
        model: pyo.ConcreteModel,
        program: Program,
        cost: FloatArray,
        offset: float,
        cut: float,
        values: FloatArray,
        clock: Clock,
        upper: FloatArray | None = None,
    ) -> None:
        self.data, self.program, self.cost, self.offset = data, program, cost, offset
        self.cut, self.values, self.clock = cut, values, clock
        self.layout = Layout.of(data, model, program)
        self.relaxation = Relaxation(program, cost, offset, clock)
        self.upper, self.certain = (program.upper if upper is None else upper).copy(), True
        self._ends = time.perf_counter() + REDUCE_TIME_S

    @property
    def columns(self) -> set[int]:
        """Columns in use."""
        return {c.index for c in self.data.columns if self.layout.present(self.values, c.index) > USED}

    @property
    def pools(self) -> set[str]:
        """Pools in use."""
        return {p for p, at in self.layout.housed.items() if self.values[at].sum() > USED}

    def limit_columns(self, most: int) -> bool:
        """Leave at most so many columns to each class and role; False where no design is left.

        The relaxation says which: again and again the column that carries least in a group that uses too many goes.
        """
        groups: dict[tuple[str, str], list[Column]] = defaultdict(list)
        for c in self.data.columns:
            groups[c.candidate.workload, c.candidate.role].append(c)
        for _ in range(len(self.data.columns)):
            relaxed = self.relaxation.solve(self.upper)
            if relaxed.values is None:
                return False
            carried = {
                key: sorted((rate, j) for rate, j in self._carried(columns, relaxed.values) if rate > USED)
                for key, columns in groups.items()
            }
            over = [parts[0][1] for parts in carried.values() if len(parts) > most]
            if not over:
                break
            for j in over:
                self._take_out(self.upper, j)
        for key, columns in groups.items():
            kept = {j for _, j in carried[key]}
            left = sorted(self._reduced(columns, relaxed, kept))
            kept.update(j for _, j in left[: most - len(kept)])
            for c in columns:
                if c.index not in kept:
                    self._take_out(self.upper, c.index)
        outcome = self._search(self.upper, 2.0 * TRY_TIME_S, target=-np.inf)
        if outcome.values is None:
            return False
        self.values = outcome.values
        return True

    def drop_kinds(self) -> None:
        """Take out platforms, then configurations, then pools, the smallest first."""
        for kinds in self._kinds():
            nodes = {kind: self.values[at].sum() for kind, at in kinds.items()}
            for kind in sorted(kinds, key=lambda k: (nodes[k], k)):
                if self.values[kinds[kind]].sum() > USED:
                    self._try_without(kinds[kind])
                else:
                    self.upper[kinds[kind]] = 0.0

    def drop_columns(self) -> None:
        """Take out columns, those that carry least first; the counts of nodes stay as they are."""
        carried: dict[tuple[str, str], float] = defaultdict(float)
        rate = {j: rate for rate, j in self._carried(self.data.columns, self.values)}
        key = {c.index: (c.candidate.workload, c.candidate.role) for c in self.data.columns}
        for j, amount in rate.items():
            carried[key[j]] += amount
        used = self.columns
        for j in rate.keys() - used:
            self._take_out(self.upper, j)
        for j in sorted(used, key=lambda j: (rate[j] / max(carried[key[j]], 1e-30), j)):
            if self.layout.present(self.values, j) <= USED:
                self._take_out(self.upper, j)
                continue
            upper = self.upper.copy()
            self._take_out(upper, j)
            if not self._fixed(upper) and self._possible(upper):
                self.certain = False

    def _kinds(self) -> list[dict[str, Positions]]:
        """Positions of the nodes of each platform, configuration and pool."""
        found: list[dict[str, list[int]]] = [defaultdict(list), defaultdict(list), defaultdict(list)]
        for p in self.data.pools:
            for kinds, kind in zip(found, (p.config.platform.id, p.config.id, p.id), strict=True):
                kinds[kind] += [int(k) for k in self.layout.housed[p.id]]
        return [{kind: np.asarray(at, dtype=np.intp) for kind, at in kinds.items()} for kinds in found]

    def _take_out(self, upper: FloatArray, column: int) -> None:
        """Leave no replicas of a column, at work or idle."""
        upper[self.layout.columns[column]] = 0.0

    def _carried(self, columns: Iterable[Column], values: FloatArray) -> list[tuple[float, int]]:
        """Requests/s that columns carry, with their indices."""
        return [(float(c.candidate.requests_per_s * values[self.layout.replicas[c.index]]), c.index) for c in columns]

    def _reduced(self, columns: list[Column], relaxed: Outcome, kept: set[int]) -> list[tuple[float, int]]:
        """Reduced cost per request/s of the columns that are neither kept nor taken out."""
        places = [(c.candidate.requests_per_s, c.index, self.layout.replicas[c.index]) for c in columns]
        return [
            (float(relaxed.reduced_costs[at]) / rate, j)
            for rate, j, at in places
            if j not in kept and self.upper[at] > 0.0
        ]

    def _possible(self, upper: FloatArray) -> bool:
        """True where the relaxation keeps the target."""
        relaxed = self.relaxation.solve(upper)
        return relaxed.status == OPTIMAL and relaxed.objective <= self.cut

    def _fixed(self, upper: FloatArray) -> bool:
        """Take the point with today's integers and these upper bounds, if it keeps the target."""
        whole = np.round(self.values)
        integer = self.program.integer
        found = self.relaxation.solve(
            np.where(integer, whole, upper), lower=np.where(integer, whole, self.program.lower)
        )
        if found.values is None or found.objective > self.cut:
            return False
        self.values, self.upper = found.values, upper
        return True

    def _try_without(self, at: Positions) -> None:
        """Take out some nodes if a design within the target is found without them."""
        upper = self.upper.copy()
        upper[at] = 0.0
        if not self._possible(upper):
            return
        left = min(TRY_TIME_S, self._ends - time.perf_counter())
        outcome = self._search(upper, left, target=self.cut) if left > 0 and not self.clock.stop() else None
        if outcome is None or outcome.values is None or outcome.objective > self.cut:
            self.certain = False
            return
        self.values, self.upper = outcome.values, upper

    def _search(self, upper: FloatArray, time_limit_s: float, target: float) -> Outcome:
        return solve_small_mip(
            self.program,
            self.cost,
            self.offset,
            self.clock,
            upper=upper,
            gap=1e-4,
            time_limit_s=time_limit_s,
            target=target,
        )
