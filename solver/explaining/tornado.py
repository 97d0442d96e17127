"""The sensitivity tornado: every uncertain number at its low and at its high end, the build chosen anew each time.

Numbers are ranked by a rough estimate first, and the first few are solved, warm. A number that was not solved is not
listed: nothing is said to move nothing without a solve.
"""

from __future__ import annotations

import time

from solver.catalog import Catalog
from solver.design import OPTIMAL, Design, Record
from solver.explaining.uncertain import Basis, Number, uncertain
from solver.highs import Clock
from solver.resident import Resident
from solver.study import Study

SOLVED = 10
"""Numbers that are solved."""
TIME_S = 300.0
"""Seconds for all of them."""


def tornado(
    design: Design,
    study: Study,
    catalog: Catalog,
    clock: Clock,
    *,
    numbers: int = SOLVED,
    time_limit_s: float = TIME_S,
    exact: bool = False,
) -> Record:
    """Return what the uncertain numbers that matter most do to the best value.

    Parameters
    ----------
    design : Design
        With a build.
    study : Study
    catalog : Catalog
    clock : Clock
        Its progress is reported to, its stop asked for.
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
    begun = time.perf_counter()
    clock.report("tornado: ranking", None, None, None)
    ranked = uncertain(Basis.of(design, study, catalog))
    warm = Resident(study, catalog)
    rows, untested = list[Record](), [number.path for number in ranked[numbers:]]
    if ranked and numbers:
        warm.solve({}, None, clock.should_stop)
    for number in ranked[:numbers]:
        if clock.stop() or time.perf_counter() > begun + time_limit_s:
            untested.append(number.path)
            continue
        clock.report(f"tornado: {number.name}", None, None, None)
        row = _row(number, warm, catalog, design, clock, exact)
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


def _row(number: Number, warm: Resident, catalog: Catalog, design: Design, clock: Clock, exact: bool) -> Record | None:
    """Solve a number's ends; None where a solve was stopped."""
    ends = [_at(number, value, warm, catalog, clock, exact) for value in (number.low, number.high)]
    if clock.stop():
        return None
    low, high = ends
    base = max(abs(float(design.objective["value"])), 1e-12)
    # An end without a build loses everything that there was.
    spans = [(0.0, 0.0) if end is None else (min(end), max(end)) for end in ends]
    values = [0.0 if end is None else end[0] for end in ends]
    apart = max(0.0, spans[0][0] - spans[1][1], spans[1][0] - spans[0][1])
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
    }


def _at(
    number: Number, value: float, warm: Resident, catalog: Catalog, clock: Clock, exact: bool
) -> tuple[float, float] | None:
    """Best value and bound with a number at one end; None where there is no build."""
    warm.catalog = catalog if number.overlay is None else catalog.overlay(number.overlay(value))
    try:
        found = warm.solve(number.changes(value), None, clock.should_stop)
        if exact and found.status != OPTIMAL and found.has_build:
            found = warm.solve(number.changes(value), None, clock.should_stop, quick=False)
    finally:
        warm.catalog = catalog
    return (float(found.objective["value"]), float(found.objective["bound"])) if found.has_build else None
