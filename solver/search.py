"""From relaxation to certified optimum: full LP, search on its best columns, proof on what can still win.

1. The full LP gives a bound that no design can beat.
2. A MILP on the LP's basic columns and the best few per class and role gives an incumbent.
3. Integers whose reduced cost exceeds the distance between bound and incumbent cannot be in a better design;
   the MILP on what is left, started from the incumbent, gives the proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.highs import INFEASIBLE, OPTIMAL, STOPPED, Clock, Outcome, Program, solve_lp, solve_mip
from solver.model.data import ModelData

FloatArray = NDArray[np.float64]
BEST_PER_CLASS_ROLE = 6
"""Columns per class and role that the search keeps beside the basic ones."""
SEARCH_SHARE = 0.3
"""Share of the time that the search on the best columns may take."""


@dataclass(frozen=True)
class Found:
    """Best point of one linear objective, in the sense of minimisation.

    Attributes
    ----------
    status : str
        optimal (within the gap), stopped, infeasible, unbounded or failed.
    values : (N,) array or None
    objective, bound, lp_bound : float
    nodes : int
    kept_columns : int
        Columns in the proof.
    """

    status: str
    values: FloatArray | None
    objective: float
    bound: float
    lp_bound: float
    nodes: int
    kept_columns: int


class Search:
    """Solves linear objectives over one compiled model."""

    def __init__(self, model: pyo.ConcreteModel, program: Program, data: ModelData, clock: Clock) -> None:
        self.program, self.data, self.clock = program, data, clock
        position = {id(var): k for k, var in enumerate(program.variables)}
        block = model.period[0]
        self.replicas = {j: position[id(block.replicas[j])] for j in block.COLUMNS if id(block.replicas[j]) in position}
        self.housed = {h: position[id(block.housed[h])] for h in block.HOUSINGS if id(block.housed[h]) in position}
        self.whole = (
            {j: position[id(block.whole[j])] for j in block.COLUMNS} if hasattr(block, "whole") else {}
        )

    def minimise(
        self, cost: FloatArray, offset: float, gap: float, absolute_gap: float = 0.0, sign: float = 1.0
    ) -> Found:
        """Minimise one cost row.

        Parameters
        ----------
        cost : (N,) array
        offset : float
        gap, absolute_gap : float
            Distance to the bound at which the answer is good enough.
        sign : float
            -1 where the reported objective is the negative of the cost (maximisation).
        """
        relaxed = solve_lp(self.program, cost, offset, self.clock)
        if relaxed.status != OPTIMAL or relaxed.values is None:
            return Found(relaxed.status, None, np.nan, np.nan, np.nan, 0, len(cost))
        lp_bound = relaxed.objective
        self.clock.report("relaxation", None, sign * lp_bound, None)
        first = self._run(cost, offset, relaxed, self._promising(relaxed), gap / 3, absolute_gap / 3, None, sign,
                          "search", SEARCH_SHARE * self.clock.time_limit_s, lp_bound)  # fmt: skip
        if first.values is not None and _close(first.objective, lp_bound, gap, absolute_gap):
            return Found(OPTIMAL, first.values, first.objective, lp_bound, lp_bound, first.nodes, len(cost))
        if self.clock.stop():
            return Found(STOPPED, first.values, first.objective, lp_bound, lp_bound, first.nodes, len(cost))
        upper, cut = self._can_still_win(relaxed, first, gap, absolute_gap)
        proof = self._run(cost, offset, relaxed, upper, gap, absolute_gap, first.values, sign, "proof", np.inf, lp_bound)
        best = min((o for o in (first, proof) if o.values is not None), key=lambda o: o.objective, default=proof)
        if best.values is None:
            status = INFEASIBLE if proof.status == INFEASIBLE else STOPPED
            return Found(status, None, np.nan, lp_bound, lp_bound, proof.nodes, int((upper > 0).sum()))
        bound = max(lp_bound, min(cut, proof.bound if np.isfinite(proof.bound) else best.objective))
        bound = min(bound, best.objective)
        status = OPTIMAL if _close(best.objective, bound, gap, absolute_gap) else STOPPED
        return Found(status, best.values, best.objective, bound, lp_bound, first.nodes + proof.nodes, int((upper > 0).sum()))

    def _run(
        self, cost: FloatArray, offset: float, relaxed: Outcome, upper: FloatArray, gap: float, absolute_gap: float,
        start: FloatArray | None, sign: float, phase: str, limit_s: float, lp_bound: float,
    ) -> Outcome:  # fmt: skip
        """Run one MILP and report how it goes against the full bound."""

        def report(objective: float, bound: float) -> None:
            honest = lp_bound if phase == "search" else max(bound, lp_bound)
            self.clock.report(phase, sign * objective, sign * honest, relative_gap(objective, honest))

        return solve_mip(
            self.program, cost, offset, self.clock, upper=upper, gap=gap, absolute_gap=absolute_gap,
            time_limit_s=limit_s, start=start, report=report,
        )  # fmt: skip

    def _promising(self, relaxed: Outcome) -> FloatArray:
        """Upper bounds that keep the LP's basic columns and the best few per class and role."""
        assert relaxed.values is not None
        by_role: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
        keep: set[int] = set()
        for column in self.data.columns:
            k = self.replicas.get(column.index)
            if k is None:
                continue
            if relaxed.values[k] > 1e-9:
                keep.add(column.index)
            rate = column.candidate.requests_per_s
            by_role[column.candidate.workload, column.candidate.role].append(
                (abs(relaxed.reduced_costs[k]) / rate, column.index)
            )
        for ranked in by_role.values():
            keep.update(index for _, index in sorted(ranked)[:BEST_PER_CLASS_ROLE])
        return self._only(keep)

    def _only(self, keep: set[int]) -> FloatArray:
        """Upper bounds with all replicas outside `keep` and all pools that nothing kept can use taken out."""
        upper = self.program.upper.copy()
        families, bound = set(), set()
        for column in self.data.columns:
            if column.index in keep:
                families.add(column.family)
                bound.add(column.pool.id if column.pool else "")
            else:
                for position in (self.replicas.get(column.index), self.whole.get(column.index)):
                    if position is not None:
                        upper[position] = 0.0
        for housing in self.data.housings:
            pool = housing.pool
            useful = pool.role == "store" or pool.id in bound or (
                pool.family in families and pool is self.data.pools_of_family[pool.family][0]
            )  # fmt: skip
            if not useful and housing.id in self.housed:
                upper[self.housed[housing.id]] = 0.0
        return upper

    def _can_still_win(
        self, relaxed: Outcome, first: Outcome, gap: float, absolute_gap: float
    ) -> tuple[FloatArray, float]:
        """Upper bounds after reduced-cost fixing, and the value that nothing taken out can beat.

        One node of a pool with reduced cost `d` makes every point at least `lp + d`; where that is no better
        than the incumbent by more than the gap, the pool is out, and with it the columns of dead families.
        """
        upper = self.program.upper.copy()
        if first.values is None:
            return upper, np.inf
        allowed = max(0.9 * gap * abs(first.objective), 0.9 * absolute_gap)
        cut = first.objective - allowed
        alive: dict[tuple[str, str, float], bool] = defaultdict(bool)
        alive_pools: set[str] = set()
        for housing in self.data.housings:
            k = self.housed.get(housing.id)
            if k is None:
                continue
            if relaxed.objective + relaxed.reduced_costs[k] >= cut:
                upper[k] = 0.0
            else:
                alive[housing.pool.family] = True
                alive_pools.add(housing.pool.id)
        for column in self.data.columns:
            dead = column.pool.id not in alive_pools if column.pool else not alive[column.family]
            if dead:
                for position in (self.replicas.get(column.index), self.whole.get(column.index)):
                    if position is not None:
                        upper[position] = 0.0
        return upper, cut


def relative_gap(objective: float, bound: float) -> float:
    """Return ``|objective - bound| / |objective|``."""
    return abs(objective - bound) / max(abs(objective), 1e-12)


def _close(objective: float, bound: float, gap: float, absolute_gap: float) -> bool:
    distance = abs(objective - bound)
    return distance <= max(gap * abs(objective), absolute_gap) * (1.0 + 1e-6)


ProgressCallback = Callable[[dict[str, object]], None]
