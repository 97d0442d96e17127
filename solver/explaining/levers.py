"""What each freedom of a build contributes: a plain build, the design, and a fair share of what lies between.

A lever is a freedom that can be taken away. With every set of levers ``S`` that is left the study is solved anew, which
gives ``v(S)``; what lever i adds depends on which others stand already, so that its contribution is the mean over all
orders in which they can be added (Shapley 1953):

    ``phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))``

The contributions sum to ``v(all) - v(none)``, where ``v(all)`` is the value of the design itself. A build that some
levers allow is allowed by more levers, so every value and bound is made monotone; the interval of a contribution is
what the bounds of all these solves leave open.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from solver.design import Design, Record
from solver.explaining import cuts
from solver.explaining.bench import Answer, Bench
from solver.explaining.shop import Cut
from solver.model.data import ModelData
from solver.search import relative_gap

Levers = frozenset[str]
MOST = 5
"""Levers of a waterfall: each one more doubles the solves."""
TIME_S = 90.0
"""Seconds for all of them; what is not solved by then stands at what its neighbours prove."""
NOTHING = 1e-9
"""Value below which a build serves nothing that counts, as a share of the design's."""


@dataclass(frozen=True)
class Lever:
    """A freedom of the build.

    Attributes
    ----------
    id, name : str
    without : callable(data) -> list of Cut
        Ways to do without it, of which the best counts: one, or one for each platform.
    """

    id: str
    name: str
    without: Callable[[ModelData], list[Cut]]


LEVERS: dict[str, Lever] = {}


def register(lever: Lever) -> Lever:
    """Add a lever to the registry."""
    if lever.id in LEVERS:
        raise ValueError(f"lever {lever.id} is registered twice")
    LEVERS[lever.id] = lever
    return lever


def _each_platform(data: ModelData) -> list[Cut]:
    return [cuts.only_platform(data, platform) for platform in cuts.accelerator_platforms(data)]


register(Lever("host_memory", "KV cache in host memory", lambda data: [cuts.without_host_memory(data)]))
register(Lever("tiers_beyond", "KV cache on flash, expanders and storage", lambda d: [cuts.without_tiers_beyond(d)]))
register(Lever("apart", "prefill and decode apart", lambda data: [cuts.together(data)]))
register(Lever("caps", "power caps", lambda data: [cuts.uncapped(data)]))
register(Lever("mixing", "several platforms", _each_platform))
register(Lever("speculation", "speculative decoding", lambda data: [cuts.undrafted(data)]))
register(Lever("wide", "replicas over several nodes", lambda data: [cuts.within_nodes(data)]))


def shapley(values: Mapping[Levers, float]) -> dict[str, float]:
    """Return the mean contribution of each lever over all orders in which they can be added.

    Parameters
    ----------
    values : mapping
        Every set of levers -> value.
    """
    everything = max(values, key=len)
    return {lever: math.fsum(w * (values[s | {lever}] - values[s]) for s, w in _weights(everything, lever))
            for lever in sorted(everything)}  # fmt: skip


def _weights(everything: Levers, lever: str) -> Iterator[tuple[Levers, float]]:
    """Sets without a lever, and the share of all orders in which they come before it."""
    n = len(everything)
    for size in range(n):
        share = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
        for chosen in itertools.combinations(sorted(everything - {lever}), size):
            yield frozenset(chosen), share


def subsets(levers: Levers) -> list[Levers]:
    """Every set of levers, small ones first."""
    return [frozenset(c) for size in range(len(levers) + 1) for c in itertools.combinations(sorted(levers), size)]


def levers(bench: Bench, design: Design, *, time_limit_s: float = TIME_S) -> Record:
    """Return what each freedom of a design contributes.

    Parameters
    ----------
    bench : Bench
        Of the design's study; its clock is reported to, and asked for a stop.
    design : Design
        With a build.
    time_limit_s : float
        For all solves together.

    Returns
    -------
    dict
        See docs/explaining.md.
    """
    begun = time.perf_counter()
    present = [lever for lever in LEVERS.values() if _is_there(bench, lever)]
    chosen, left_on = _chosen(bench, present)
    game = _Game(bench, {lever.id: lever.without(bench.data) for lever in chosen}, design, begun + time_limit_s)
    values, bounds = game.solved()
    needed = game.needed
    free = game.everything - needed
    # Where there was no time to search, the relaxation is nearer to the best build than what fewer levers reach.
    worth = {s: values[s] if s in game.answers or not game.relaxed else bounds[s] for s in values}
    shares = shapley({s: worth[s | needed] for s in subsets(free)})
    record: Record = {
        "unit": design.objective["unit"],
        "value": values[game.everything],
        "plain": _answer(values[needed], bounds[needed], game.answers.get(needed)),
        "total": values[game.everything] - values[needed],
        "levers": [],
        "needed": sorted(needed),
        "left_on": sorted(lever.id for lever in left_on),
        "gap_frac": bench.gap,
        "subsets": [
            {"on": sorted(s), **_answer(values[s], bounds[s], game.answers.get(s)), "solved": s in game.answers}
            for s in game.sets
            if s in values
        ],
        "seconds": round(time.perf_counter() - begun, 3),
    }
    for lever in sorted(free, key=lambda name: -abs(shares[name])):
        low, high = _interval(lever, free, needed, values, bounds)
        record["levers"].append({
            "id": lever,
            "name": LEVERS[lever].name,
            "contribution": shares[lever],
            "low": low,
            "high": high,
            "share": shares[lever] / record["total"] if record["total"] else 0.0,
            "alone": values[needed | {lever}] - values[needed],
            "last": values[game.everything] - values[game.everything - {lever}],
        })  # fmt: skip
    return record


def _is_there(bench: Bench, lever: Lever) -> bool:
    ways = lever.without(bench.data)
    return bool(ways) and all(cuts.removes(bench.data, cut) for cut in ways)


def _chosen(bench: Bench, present: list[Lever]) -> tuple[list[Lever], list[Lever]]:
    """The levers of the waterfall, those whose loss alone costs the relaxation most; the others stay on."""
    if len(present) <= MOST:
        return present, []

    def left(lever: Lever) -> float:
        best: float | None = None
        for cut in lever.without(bench.data):
            bound = bench.bound(cut)
            best = bound if bench.better(bound, best) else best
        return -math.inf if best is None else bench.sense * best

    ranked = sorted(present, key=left)
    return [lever for lever in present if lever in ranked[:MOST]], ranked[MOST:]


class _Game:
    """Value and bound of every set of levers."""

    def __init__(self, bench: Bench, without: dict[str, list[Cut]], design: Design, deadline: float) -> None:
        self.bench, self.without, self.deadline = bench, without, deadline
        self.everything: Levers = frozenset(without)
        self.sets = subsets(self.everything)
        self.needed: Levers = frozenset()
        self.answers = {self.everything: Answer(design.value_in_parts, float(design.objective["bound"]))}
        self.relaxed: dict[Levers, float] = {}
        self._bounds: dict[frozenset[str], float] = {}

    def solved(self) -> tuple[dict[Levers, float], dict[Levers, float]]:
        """Solve the plain build, then others while there is time; values and bounds of the sets that have a build."""
        for s in [self.sets[0], *sorted(self.sets[1:-1], key=lambda s: (-len(s), sorted(s)))]:
            if self.bench.clock.stop() or (s and time.perf_counter() > self.deadline):
                break
            if s not in self.answers:
                self.bench.clock.report(f"levers: {', '.join(sorted(s)) or 'none'}", None, None, None)
                self.answers[s] = self._answer(s)
        for s in self.sets:
            if s not in self.answers and not self.bench.clock.stop():
                self.relaxed[s] = self._relaxed(s)
        with_value = [s for s in self.sets if s in self.answers and self.answers[s].value is not None]
        least = min(map(len, with_value))
        self.needed = max((s for s in with_value if len(s) == least), key=lambda s: self._good(self.answers[s].value))
        inside = [s for s in self.sets if s >= self.needed]
        values = {s: self._value(s) for s in inside}
        return values, {s: self._bound(s, values[s]) for s in inside}

    def _good(self, value: float | None) -> float:
        """The more, the better."""
        return -math.inf if value is None else self.bench.sense * value

    def _answer(self, on: Levers) -> Answer:
        """The best over all ways to do without the levers that are off; a way that cannot be better is not searched."""
        best, proven = Answer(None, None), -math.inf
        ways = list(itertools.product(*(self.without[name] for name in sorted(self.everything - on))))
        for way in sorted(ways, key=self._known, reverse=True):
            bound = self._known(way)
            if self._may_beat(bound, best):
                found = self.bench.bound(*way)
                bound = min(bound, self._good(found))
                self._bounds[_names(way)] = bound
            if self._may_beat(bound, best):
                answer = self.bench.answer(*way, bound=self.bench.sense * bound, coarse=True)
                if answer.bound is not None:
                    bound = self._bounds[_names(way)] = self._good(answer.bound)
                best = max(best, answer, key=lambda a: self._good(a.value))
            proven = max(proven, bound)
        least = NOTHING * abs(self.answers[self.everything].value or 0.0)
        if best.value is None or abs(best.value) <= least:
            return Answer(None, None)
        return Answer(best.value, self.bench.sense * max(proven, self._good(best.value)), best.nodes)

    def _relaxed(self, on: Levers) -> float:
        """What the relaxation says of a set that there was no time to solve: no way to do without the rest beats it."""
        ways = itertools.product(*(self.without[name] for name in sorted(self.everything - on)))
        most = -math.inf
        for way in ways:
            if self._known(way) > most:
                most = max(most, min(self._known(way), self._good(self.bench.bound(*way))))
        return most

    def _may_beat(self, bound: float, best: Answer) -> bool:
        """True where a way whose bound is this may be better than the best so far by more than the gap."""
        if not math.isfinite(bound):
            return bound > 0
        return best.value is None or bound - self._good(best.value) > self.bench.gap * abs(best.value)

    def _known(self, way: tuple[Cut, ...]) -> float:
        """What is proven of a way: a bound of what holds all of it."""
        names = _names(way)
        return min((bound for of, bound in self._bounds.items() if of <= names), default=math.inf)

    def _value(self, s: Levers) -> float:
        """The best that these levers or fewer reach; never more than the design."""
        there = (self.answers[t].value for t in self.sets if self.needed <= t <= s and t in self.answers)
        most = max(self._good(value) for value in there)
        return self.bench.sense * min(most, self._good(self.answers[self.everything].value))

    def _bound(self, s: Levers, value: float) -> float:
        """What no build with these levers beats: nor does one with more of them."""
        there = [self.answers[t].bound for t in self.sets if t >= s and t in self.answers]
        least = min([self._good(bound) for bound in there if bound is not None] + [self.relaxed.get(s, math.inf)])
        return self.bench.sense * max(least, self._good(value))


def _names(way: tuple[Cut, ...]) -> frozenset[str]:
    return frozenset(cut.name for cut in way)


def _answer(value: float, bound: float, found: Answer | None) -> Record:
    """Return what is known of a set of levers."""
    return {
        "value": value,
        "bound": bound,
        "gap": relative_gap(value, bound),
        "nodes": dict(found.nodes) if found else {},
    }


def _interval(
    lever: str,
    free: Levers,
    needed: Levers,
    values: Mapping[Levers, float],
    bounds: Mapping[Levers, float],
) -> tuple[float, float]:
    """What the bounds leave open of a contribution; one more freedom never makes the best build worse."""
    ends = [0.0, 0.0]
    for s, weight in _weights(free, lever):
        less, more = s | needed, s | needed | {lever}
        sense = 1.0 if bounds[more] >= values[more] else -1.0
        ends[0] += weight * sense * max(0.0, sense * (values[more] - bounds[less]))
        ends[1] += weight * (bounds[more] - values[less])
    return min(ends), max(ends)
