"""The sensitivity tornado: every uncertain number at its low and at its high end, the build chosen anew each time.

Numbers are ranked by a rough estimate first, and the first few are solved, warm. A number that was not solved is not
listed: nothing is said to move nothing without a solve. Beside the best build at each end stands what the design's own
build is worth there: the first is what knowing the number in time is worth, the second what not knowing it risks.
"""

from __future__ import annotations

import time

from solver.design import OPTIMAL, Record
from solver.explaining.same_build import SameBuild, Worth
from solver.explaining.subject import Subject
from solver.explaining.uncertain import Basis, Number, uncertain
from solver.resident import Resident

SOLVED = 10
"""Numbers that are solved."""
TIME_S = 300.0
"""Seconds for all of them."""


def tornado(subject: Subject, *, numbers: int = SOLVED, time_limit_s: float = TIME_S, exact: bool = False) -> Record:
    """Return what the uncertain numbers that matter most do to the best value, and to the design's build.

    Parameters
    ----------
    subject : Subject
        Whose design has a build; its clock is reported to, and asked for a stop.
    numbers : int
        How many are solved, those with the largest estimates.
    time_limit_s : float
        For all solves; numbers that there was no time for are named in `untested`.
    exact : bool
        Solve each end to the study's gap; else a warm answer within 2% of its own bound will do.

    Returns
    -------
    dict
        See docs/explaining.md.
    """
    begun, clock, design = time.perf_counter(), subject.clock, subject.design
    clock.report("tornado: ranking", None, None, None)
    ranked = uncertain(Basis.of(design, subject.study, subject.catalog))
    ends = _Ends(subject, exact=exact)
    rows, untested = list[Record](), [number.path for number in ranked[numbers:]]
    for number in ranked[:numbers]:
        row = None
        if not clock.stop() and time.perf_counter() < begun + time_limit_s:
            clock.report(f"tornado: {number.name}", None, None, None)
            row = ends.row(number)
        if row is None:
            untested.append(number.path)
        else:
            rows.append(row)
    return {
        "unit": design.objective["unit"],
        "value": design.objective["value"],
        "bound": design.objective["bound"],
        "numbers": sorted(rows, key=lambda row: (-row["swing_frac"], row["path"])),
        "untested": untested,
        "seconds": round(time.perf_counter() - begun, 3),
    }


class _Ends:
    """Solves at the ends of numbers: of the study, warm from each to the next, and of its build."""

    def __init__(self, subject: Subject, *, exact: bool) -> None:
        self.subject, self.clock, self.exact = subject, subject.clock, exact
        self.warm = Resident(subject.study, subject.catalog)
        self.same = SameBuild(subject.design, subject.study, subject.catalog)

    def row(self, number: Number) -> Record | None:
        """Solve a number's ends; None where a solve was stopped."""
        if self.warm.ready is None:
            self.warm.solve({}, None, self.clock.should_stop)
        best: dict[str, tuple[float, float] | None] = {}
        same: dict[str, Worth] = {}
        for end, value in (("low", number.low), ("high", number.high)):
            same[end] = self.same.at(number, value, self.clock)
            best[end] = self._no_worse(self._best(number, value), same[end])
        return None if self.clock.stop() else _record(number, best, same, self.subject)

    def _no_worse(self, best: tuple[float, float] | None, same: Worth) -> tuple[float, float] | None:
        """The best build that is known at an end: the design's own is one, as long as its replicas are not rounded."""
        design = self.subject.design
        if best is None or same.value is None or design.whole.get("on"):
            return best
        sense = 1.0 if design.objective["sense"] == "max" else -1.0
        return max(best, (same.value, best[1]), key=lambda pair: sense * pair[0])

    def _best(self, number: Number, value: float) -> tuple[float, float] | None:
        """Best value and bound with a number at one end; None where there is no build."""
        warm, catalog = self.warm, self.subject.catalog
        warm.catalog = catalog if number.overlay is None else catalog.overlay(number.overlay(value))
        try:
            found = warm.solve(number.changes(value), None, self.clock.should_stop)
            if self.exact and found.status != OPTIMAL and found.has_build:
                found = warm.solve(number.changes(value), None, self.clock.should_stop, quick=False)
        finally:
            warm.catalog = catalog
        return (float(found.objective["value"]), float(found.objective["bound"])) if found.has_build else None


def _record(
    number: Number, best: dict[str, tuple[float, float] | None], same: dict[str, Worth], subject: Subject
) -> Record:
    """What both ends of a number do: to the best build, and to the design's."""
    base = max(abs(float(subject.design.objective["value"])), 1e-12)
    low, high = best["low"], best["high"]
    # An end without a build loses everything that there was.
    spans = [(0.0, 0.0) if end is None else (min(end), max(end)) for end in (low, high)]
    values = [0.0 if end is None else end[0] for end in (low, high)]
    apart = max(0.0, spans[0][0] - spans[1][1], spans[1][0] - spans[0][1])
    stands = [w.value for w in same.values() if w.value is not None]
    return {
        "path": number.path,
        "name": number.name,
        "unit": number.unit,
        "number": number.value,
        "low": number.low,
        "high": number.high,
        "value_at_low": None if low is None else low[0],
        "value_at_high": None if high is None else high[0],
        "bound_at_low": None if low is None else low[1],
        "bound_at_high": None if high is None else high[1],
        "swing_frac": abs(values[1] - values[0]) / base,
        "least_swing_frac": apart / base,
        "most_swing_frac": max(spans[0][1] - spans[1][0], spans[1][1] - spans[0][0]) / base,
        "estimate_frac": number.estimate,
        "same_at_low": same["low"].value,
        "same_at_high": same["high"].value,
        "same_bound_at_low": same["low"].bound,
        "same_bound_at_high": same["high"].bound,
        "same_words_at_low": same["low"].words,
        "same_words_at_high": same["high"].words,
        "same_swing_frac": abs(stands[1] - stands[0]) / base if len(stands) == 2 else None,
    }
