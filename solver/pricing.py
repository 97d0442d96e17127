"""The highest price at which an order of a part pays.

What an order is worth is the money that is left, at a trial price, in a build that holds the order and is as good
as a target: the price plus that money over the pieces is a price that the same build can pay, and no build can pay
more than the price plus the proven bound of that money over the order (Dinkelbach 1967, on dollars a piece).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.highs import INFEASIBLE, OPTIMAL, Clock, Program, solve_lp
from solver.market import Market, ordered, with_row
from solver.optimise import best
from solver.search import minimise

FloatArray = NDArray[np.float64]
MONEY_USD = 1e3
"""Dollars in one unit of the column for money left."""
LP_STEPS = 8
STEPS = 12
STEP_TIME_SHARE = 0.08
"""Share of the time limit that one step may take; what it leaves open widens the range."""
MARGIN_GAPS = 2.0
"""How many gaps better than the target the relaxation is where the objective's own search begins."""
FIRST_STEP = 3.0
"""How much looser the first step is solved, which begins at the price of the relaxation and only finds the region."""


@dataclass(frozen=True)
class Headroom:
    """Prices that a target leaves for an order.

    Attributes
    ----------
    low_usd : float or None
        Highest price found that a build can pay; None where no build reaches the target at any price.
    high_usd : float
        No build can pay more.
    point : (N,) array or None
        The build that pays `low_usd`.
    """

    low_usd: float | None
    high_usd: float
    point: FloatArray | None


def headroom(
    market: Market, target: float | None, order: int, clock: Clock, tolerance: float, gap: float, start_usd: float
) -> Headroom:
    """Find the highest price at which a build with the order is as good as a target.

    Parameters
    ----------
    market : Market
        With at least one row or cost in which the price stands.
    target : float or None
        Objective in model units; None asks only that the limits hold.
    order : int
        Pieces at least.
    clock : Clock
    tolerance : float
        Relative distance of `low_usd` and `high_usd` at which to stop.
    gap : float
        Share of all money below which a solve tells no dollars apart; it widens the range of a small order.
    start_usd : float
        First trial price.
    """
    price = _relaxed_price(market, target, order, clock, start_usd)
    if price is None:
        return Headroom(None, 0.0, None)
    low, high, point, start = -np.inf, np.inf, None, None
    near = _near_point(market, target, order, clock, gap, price)
    if near is not None:
        point, low = near
        price, start = max(low, 0.0), np.append(point, -1e-7)
    for step in range(STEPS):
        program, cost, spent = _money_left(market, target, order, price)
        allowed = max(0.25 * tolerance * max(price, 0.01 * start_usd) * order / MONEY_USD, gap * spent)
        allowed *= FIRST_STEP if step == 0 and start is None else 1.0
        inner = _part_of(clock)
        found = minimise(program, cost, spent, inner, gap=1e-9, absolute_gap=allowed, start=start)
        if found.status == INFEASIBLE:
            return Headroom(None, 0.0, None)
        if np.isfinite(found.bound):
            high = min(high, price + max(0.0, (spent - found.bound) * MONEY_USD) / order)
        if found.values is None:
            break
        left = spent - found.objective
        paid = price + left * MONEY_USD / max(market.paid(found.values), order)
        if paid > low:
            low, point = paid, found.values[: len(market.at_work)]
        clock.report("walk-away price", max(low, 0.0), high if np.isfinite(high) else None, None)
        if high - low <= tolerance * abs(low) or high <= 0 or 0 <= left <= allowed or clock.stop():
            break
        change = max(0.0, low) - price
        left -= change * float(market.bought @ found.values[: len(market.bought)]) / MONEY_USD
        start = np.append(found.values[:-1], left - 1e-7)
        price += change
    return Headroom(low if np.isfinite(low) else None, max(high, 0.0), point)


def _part_of(clock: Clock) -> Clock:
    """A clock for one step, whose end does not stop the others."""
    return Clock(min(STEP_TIME_SHARE * clock.time_limit_s, clock.left_s), clock.threads, None, clock.should_stop)


def _near_point(
    market: Market, target: float | None, order: int, clock: Clock, gap: float, price_usd: float
) -> tuple[FloatArray, float] | None:
    """Return a build that reaches the target and the price it can pay, from the objective's own search.

    At a price at which the relaxation is better than the target by a few gaps, the best build reaches the target. That
    search is much quicker than the one for money, which then only has the last dollars to find.
    """
    if target is None:
        return None
    better = target + market.objective.sense * MARGIN_GAPS * gap * abs(target)
    price = _relaxed_price(market, better, order, clock, price_usd)
    if price is None:
        return None
    program = ordered(market, market.at(price), order)
    found, _, _ = best(program, market.objective.sense, _part_of(clock), 0.5 * gap)
    if found.values is None:
        return None
    program, _, _ = _money_left(market, target, order, price)
    left = np.inf
    for row in np.repeat(np.arange(len(program.row_upper)), np.diff(program.start))[
        program.index == len(program.upper) - 1
    ]:
        first, last = program.start[row], program.start[row + 1] - 1
        taken = float(program.value[first:last] @ found.values[program.index[first:last]])
        left = min(left, (_right(program, int(row)) - taken) / float(program.value[last]))
    if not _reaches(market, target, program, found.values):
        return None
    return found.values, price + left * MONEY_USD / max(market.paid(found.values), order)


def _reaches(market: Market, target: float, program: Program, values: FloatArray) -> bool:
    """True where a point is as good as the target, or the target is a row in which money is left."""
    if market.cost_per_usd[0]:
        return True
    row, most, _ = _target_row(market, dataclasses.replace(program, costs=program.costs[:, :-1]), target)
    return float(row @ values) <= most


def _relaxed_price(market: Market, target: float | None, order: int, clock: Clock, price: float) -> float | None:
    """Trial price from the linear relaxation; None where not even that reaches the target."""
    weights = np.append(market.bought, 0.0)
    for _ in range(LP_STEPS):
        program, cost, spent = _money_left(market, target, order, price)
        found = solve_lp(program, cost, spent, clock)
        if found.status != OPTIMAL or found.values is None:
            return None if found.status == INFEASIBLE else max(price, 0.0)
        better = price + (spent - found.objective) * MONEY_USD / max(float(weights @ found.values), float(order))
        if abs(better - price) <= 1e-6 * max(abs(price), 1.0):
            break
        price = better
    return max(price, 0.0)


def _money_left(
    market: Market, target: float | None, order: int, price_usd: float
) -> tuple[Program, FloatArray, float]:
    """Program, cost and offset that maximise the money left at a price; the objective is what is spent.

    Every row in which the price stands, and the target where it is money itself, gets a column for dollars left over.
    """
    program = ordered(market, market.at(price_usd), order)
    rows = market.money_rows
    if target is not None:
        row, most, per_usd = _target_row(market, program, target)
        program = with_row(program, row, -np.inf, most)
        if per_usd:
            rows = rows | {len(program.row_upper) - 1: per_usd}
    spent = max(abs(_right(program, row) / slope) for row, slope in rows.items()) / MONEY_USD
    cost = np.zeros(len(program.upper) + 1)
    cost[-1] = -1.0
    return _with_column(program, {row: slope * MONEY_USD for row, slope in rows.items()}), cost, spent


def _right(program: Program, row: int) -> float:
    """Right side of a row that is bounded on one side."""
    upper = float(program.row_upper[row])
    return upper if np.isfinite(upper) else float(program.row_lower[row])


def _target_row(market: Market, program: Program, target: float) -> tuple[FloatArray, float, float]:
    """``objective as good as the target`` as a row with its upper bound, and its change with a dollar spent."""
    per_usd = market.cost_per_usd
    if len(program.costs) > 1:
        row = program.costs[0] + target * program.costs[1]
        return row, -float(program.offsets[0] + target * program.offsets[1]), float(per_usd[0] + target * per_usd[1])
    wanted = -target if market.objective.sense > 0 else target
    return program.costs[0], wanted - float(program.offsets[0]), float(per_usd[0])


def _with_column(program: Program, entries: Mapping[int, float]) -> Program:
    """Return a program with one more free column that stands in some rows."""
    count = len(program.upper)
    rows = np.asarray(sorted(entries), dtype=np.intp)
    places = program.start[rows + 1]
    added = np.searchsorted(rows, np.arange(len(program.start)), side="left")
    return dataclasses.replace(
        program,
        costs=np.hstack([program.costs, np.zeros((len(program.costs), 1))]),
        start=(program.start + added).astype(np.int32),
        index=np.insert(program.index, places, count).astype(np.int32),
        value=np.insert(program.value, places, [entries[int(row)] for row in rows]),
        lower=np.append(program.lower, -np.inf),
        upper=np.append(program.upper, np.inf),
        integer=np.append(program.integer, False),
        variables=[*program.variables, None],
    )
