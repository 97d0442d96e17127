"""One study compiled once, solved again and again with a part of its choices taken out.

A lever or an architecture is a cut: columns and pools that may not be used. Taken out of the compiled program, a cut
leaves a program that is often a tenth as large and is solved on its own. Its bound holds whatever the queues do, since
the widest queues are those of the study; where the queues of the point found are wider than what stands, the point is
searched again at narrower queues, the ones that the design settled on first.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pyomo.common.gc_manager import PauseGC

from solver.baselines import BASELINE_GAP, BASELINE_TIME_S, subset
from solver.candidates import CandidateSet
from solver.compression import Compressed
from solver.explaining.shop import BoolArray, Cut, Shop
from solver.highs import OPTIMAL, Clock, Outcome, solve_lp
from solver.model.data import ModelData
from solver.optimise import Solved, best, linearised, platform_choice, value_at, with_fixed_integers
from solver.relaxation import Relaxation
from solver.restriction import promising
from solver.scenario import Scenario
from solver.search import Choice, relative_gap
from solver.settling import Make, near, optimise_at_widths
from solver.widths import Queue, narrowed, stand, too_wide

NOT_THERE = 1e12
"""Reduced cost of what is taken out."""


@dataclass(frozen=True)
class Answer:
    """The best that a cut leaves.

    Attributes
    ----------
    value, bound : float or None
        In the unit of the objective; None where there is no build.
    nodes : dict
        Platform id -> nodes at work.
    """

    value: float | None
    bound: float | None
    nodes: dict[str, int] = field(default_factory=dict)

    @property
    def gap(self) -> float | None:
        """Relative distance of value and bound."""
        return None if self.value is None or self.bound is None else relative_gap(self.value, self.bound)


class Bench:
    """A study with everything that may be taken out of it.

    Parameters
    ----------
    scenario : Scenario
        Of the study, at its widest queues.
    make : callable
        Its columns, at any widths.
    clock : Clock
        Of all solves together; each has `BASELINE_TIME_S` of it at most.
    settled : mapping, optional
        Queue -> width at which the design settled.
    gap : float
        Relative gap of each solve.
    """

    def __init__(
        self,
        scenario: Scenario,
        make: Make,
        clock: Clock,
        settled: Mapping[Queue, int] | None = None,
        gap: float = BASELINE_GAP,
    ) -> None:
        self.scenario, self.clock, self._make = scenario, clock, make
        self.gap = max(gap, scenario.study.solver.gap)
        with PauseGC():
            self._wide = Shop.of(make(scenario)[0])
            within = narrowed(scenario, settled) if settled else scenario
            self._settled = Shop.of(make(within)[0]) if settled else self._wide
        self._answers: dict[frozenset[str], Answer] = {}
        self._fine: set[frozenset[str]] = set()
        self._widths = dict(settled or {})
        self.per_unit = self._wide.objective.per_unit(scenario)
        self.sense = self._wide.objective.sense

    @property
    def data(self) -> ModelData:
        """All columns and pools of the study."""
        return self._wide.data

    def better(self, a: float | None, b: float | None) -> bool:
        """True where value `a` beats `b`; anything beats nothing."""
        return a is not None and (b is None or self.sense * (a - b) > 0)

    def bound(self, *cuts: Cut) -> float | None:
        """Objective that no build within the cuts beats, by the linear relaxation; None where there is no build.

        A ratio has none that is cheap: infinity, or zero for one to be minimised.
        """
        if len(self._wide.program.costs) > 1:
            return math.inf if self.sense > 0 else 0.0
        part = self._wide.part(self._wide.upper(*cuts))
        relaxed = solve_lp(part.program, part.cost, part.offset, self._brief())
        return -self.sense * relaxed.objective * self.per_unit if relaxed.status == OPTIMAL else None

    def answer(self, *cuts: Cut, bound: float | None = None, coarse: bool = False) -> Answer:
        """Return the best build within the cuts, its queues no wider than what stands.

        Parameters
        ----------
        *cuts : Cut
        bound : float, optional
            Known already, in the unit of the objective.
        coarse : bool
            Lowered queues at powers of two, which is quicker: a little of the value is left in the gap.
        """
        names = frozenset(cut.name for cut in cuts)
        known = self._answers.get(names)
        near = known is not None and (known.gap is None or known.gap <= self.gap)
        if known is None or not (coarse or near or names in self._fine):
            found = self._answer(cuts, self.bound(*cuts) if bound is None else bound, coarse)
            worse = known is not None and not self.better(found.value, known.value)
            self._answers[names] = known if worse and known is not None else found
            self._fine |= set() if coarse else {names}
        return self._answers[names]

    def _answer(self, cuts: tuple[Cut, ...], outer: float | None, coarse: bool) -> Answer:
        """Return the best within the cuts, at the widths the design settled on, or at widths of their own."""
        if outer is None:
            return Answer(None, None)
        solved, few, promised = self._at_settled_widths(cuts, outer)
        near = solved is not None and relative_gap(solved.value, solved.bound) <= self.gap * (1.0 + 1e-9)
        if few and not near:
            other = self._at_own_widths(cuts, promised, self._widths | few, coarse)
            if other is not None and other.found.values is not None:
                worse = solved is not None and self.better(solved.value, other.value)
                solved = solved if worse else other
        if solved is None or solved.found.values is None:
            return Answer(None, outer if math.isfinite(outer) else None)
        value = solved.value * self.per_unit
        proven = solved.bound * self.per_unit if self._settled is self._wide and not few else outer
        proven = proven if math.isfinite(outer) else solved.bound * self.per_unit
        return Answer(value, max(proven, value) if self.sense > 0 else min(proven, value), _nodes(solved))

    def _brief(self) -> Clock:
        """A clock for one solve."""
        return Clock(min(BASELINE_TIME_S, self.clock.left_s), self.clock.threads, None, self.clock.should_stop)

    def _at_settled_widths(
        self, cuts: tuple[Cut, ...], outer: float
    ) -> tuple[Solved | None, dict[Queue, int], ModelData]:
        """Search what the cuts leave of the program whose queues the design settled on.

        Returns
        -------
        Solved or None
            With queues that stand; None where filling and emptying them does not do.
        dict
            Queues of the relaxation, or else of the point first found, that were too wide.
        ModelData
            Columns and pools that the search found promising.
        """
        shop, clock = self._settled, self._brief()
        part = shop.part(shop.upper(*cuts))
        known = outer / self.per_unit if math.isfinite(outer) else None
        promised = [np.isin(np.arange(len(part.fixed)), part.kept)]

        def narrow(outcome: Outcome) -> BoolArray:
            keep = promising(shop.data, shop.layout, _whole(part, outcome)) & promised[0]
            promised.append(keep)
            return keep[part.kept]

        relaxation = None
        if len(part.program.costs) == 1:
            relaxation = Relaxation(part.program, part.program.costs[0], float(part.program.offsets[0]), clock)
            relaxed = relaxation.solve()
            thin = {} if relaxed.values is None else too_wide(*_inside(shop, part), values=relaxed.values)
            if thin:  # a point with whole numbers would be as thin
                narrow(relaxed)
                return None, thin, shop.cut(promised[-1])
        found, value, bound = best(
            part.program,
            self.sense,
            clock,
            self.gap,
            narrow=narrow,
            choice=_choice(shop, part),
            relaxation=relaxation,
            bound=known,
            content=self.gap,
        )
        if found.values is None:
            return None, {}, shop.data
        bound = known if known is not None and shop is not self._wide else bound
        solved = dataclasses.replace(shop.solved, found=found, value=value, bound=bound)
        return *_standing(shop, part, solved, clock), shop.cut(promised[-1])

    def _at_own_widths(
        self, cuts: tuple[Cut, ...], promised: ModelData, widths: Mapping[Queue, int], coarse: bool
    ) -> Solved | None:
        """Make what is promising a program of its own, with the best of the queues that become narrower."""

        def make(scenario: Scenario) -> tuple[ModelData, CandidateSet]:
            data, candidates = self._make(_in_octaves(scenario) if coarse else scenario)
            left = subset(
                data,
                lambda column: all(cut.keep_column(column) for cut in cuts),
                lambda pool: all(cut.keep_pool(pool) for cut in cuts),
            )
            return near(promised, left), candidates

        return optimise_at_widths(narrowed(self.scenario, widths), make, self._brief())


def _in_octaves(scenario: Scenario) -> Scenario:
    """The scenario with lowered widths at powers of two: many cuts then share their candidates."""
    return dataclasses.replace(scenario, widths={q: 1 << (w.bit_length() - 1) for q, w in scenario.widths.items()})


def _inside(shop: Shop, part: Compressed) -> tuple[ModelData, dict[int, int]]:
    """Columns that are left in a part, and where the replicas of each stand there."""
    new = np.full(len(part.fixed), -1)
    new[part.kept] = np.arange(len(part.kept))
    at = {index: int(new[k]) for index, k in shop.layout.replicas.items() if new[k] >= 0}
    return dataclasses.replace(shop.data, columns=tuple(c for c in shop.data.columns if c.index in at)), at


def _standing(shop: Shop, part: Compressed, solved: Solved, clock: Clock) -> tuple[Solved | None, dict[Queue, int]]:
    """The point of a part with queues that stand, and those that were too wide."""
    assert solved.found.values is not None
    data, at = _inside(shop, part)
    inside = dataclasses.replace(solved, data=data, program=part.program)
    point = solved.found.values
    few = too_wide(data, at, point, 0.0)
    if few:
        fixed, (cost, offset) = with_fixed_integers(part.program, point), linearised(part.program, inside, solved.value)
        stood = stand(fixed, data, at, cost, offset, point, lambda _: True, clock)
        if stood is None:
            return None, few
        point = stood[1]
    found = dataclasses.replace(solved.found, values=part.whole(point))
    return dataclasses.replace(solved, found=found, value=value_at(part.program, point, inside)), few


def _whole(part: Compressed, outcome: Outcome) -> Outcome:
    """A solved relaxation over all columns; those taken out are dear."""
    assert outcome.values is not None
    reduced = np.full(len(part.fixed), NOT_THERE)
    reduced[part.kept] = outcome.reduced_costs
    return dataclasses.replace(outcome, values=part.whole(outcome.values), reduced_costs=reduced)


def _choice(shop: Shop, part: Compressed) -> Choice | None:
    """Platforms of which few may be used, as they stand in the part."""
    choice = platform_choice(shop.data, shop.layout)
    if choice is None:
        return None
    at = np.full(len(part.fixed), -1)
    at[part.kept] = np.arange(len(part.kept))
    groups = {name: at[places][at[places] >= 0] for name, places in choice.groups.items()}
    return Choice(groups, choice.limit)


def _nodes(solved: Solved) -> dict[str, int]:
    """Nodes at work by platform."""
    values, counts = solved.found.values, defaultdict[str, float](float)
    assert values is not None
    for p in solved.data.pools:
        counts[p.config.platform.id] += float(values[solved.layout.housed[p.id]].sum())
    return {platform: round(n) for platform, n in sorted(counts.items()) if round(n)}
