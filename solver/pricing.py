"""One compiled program for every price of a part, and the highest price at which an order pays.

Prices enter the model linearly and only with what is bought, so two compilations give the matrix at any price.
What an order is worth is the money that is left, at a trial price, in a build that holds the order and is as good
as a target: the price plus that money over the pieces is a price that the same build can pay, and no build can pay
more than the price plus the proven bound of that money over the order (Dinkelbach 1967, on dollars a piece).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.highs import INFEASIBLE, OPTIMAL, Clock, Program, solve_lp
from solver.model.data import ModelData, Pool
from solver.model.objectives import Objective
from solver.optimise import compiled
from solver.search import minimise

FloatArray = NDArray[np.float64]
MONEY_USD = 1e3
"""Dollars in one unit of the column for money left."""
LOW_USD = 1.0
"""First price compiled at: so low that what the limits allow of the part is bounded by everything else."""
STEP_USD = 1e5
LP_STEPS = 8
STEPS = 12
STEP_TIME_SHARE = 0.08
"""Share of the time limit that one step may take; what it leaves open widens the range."""
FIRST_STEP = 3.0
"""How much looser the first step is solved, which begins at the price of the relaxation and only finds the region."""


def repriced(data: ModelData, pieces: Mapping[str, int], change_usd: float) -> ModelData:
    """Return the model data with each piece of a part dearer or cheaper; candidates do not depend on prices.

    Parameters
    ----------
    data : ModelData
    pieces : mapping
        Configuration id -> pieces of the part in one node.
    change_usd : float
        On each piece.
    """
    pools = {}
    for p in data.pools:
        usd = p.config.price_usd + pieces.get(p.config.id, 0) * change_usd
        pools[p.id] = Pool(dataclasses.replace(p.config, price_usd=usd), p.cap)
    return dataclasses.replace(
        data,
        pools=tuple(pools.values()),
        housings=tuple(dataclasses.replace(h, pool=pools[h.pool.id]) for h in data.housings),
        columns=tuple(c if c.pool is None else dataclasses.replace(c, pool=pools[c.pool.id]) for c in data.columns),
        places=tuple(dataclasses.replace(p, pool=pools[p.pool.id]) for p in data.places),
    )


@dataclass(frozen=True)
class Market:
    """A study's program as a function of the price of one part.

    Attributes
    ----------
    objective : Objective
    program : Program
        At `LOW_USD` a piece.
    slope : (nonzeros,) array
        Change of the rows' coefficients with one dollar a piece.
    cost_slope : (K, N) array
        Likewise of the costs.
    bought, at_work : (N,) arrays
        Pieces that one node bought, or one node at work in a rack, holds; zero in all other columns.
    """

    objective: Objective
    program: Program
    slope: FloatArray
    cost_slope: FloatArray
    bought: FloatArray
    at_work: FloatArray

    def at(self, price_usd: float) -> Program:
        """Return the program at a price."""
        change = price_usd - LOW_USD
        return dataclasses.replace(
            self.program,
            value=self.program.value + change * self.slope,
            costs=self.program.costs + change * self.cost_slope,
        )

    @property
    def without(self) -> Program:
        """The program without the part, whatever its price."""
        there = (self.bought > 0) | (self.at_work > 0)
        return dataclasses.replace(self.program, upper=np.where(there, 0.0, self.program.upper))

    @property
    def money_rows(self) -> dict[int, float]:
        """Rows in which the price stands, with their change for each dollar that is spent."""
        rows = np.repeat(np.arange(len(self.program.row_lower)), np.diff(self.program.start))
        priced = np.flatnonzero(self.slope)
        return {int(rows[k]): float(self.slope[k] / self.bought[self.program.index[k]]) for k in priced}

    @property
    def cost_per_usd(self) -> FloatArray:
        """Change of each cost for each dollar that is spent."""
        column = int(np.argmax(self.bought))
        return np.asarray(self.cost_slope[:, column] / self.bought[column])

    def pieces(self, values: FloatArray) -> int:
        """Pieces at work at a point."""
        return round(float(self.at_work @ np.round(values[: len(self.at_work)])))


def open_market(data: ModelData, pieces: Mapping[str, int], price_usd: float) -> tuple[Market, pyo.ConcreteModel]:
    """Compile a study's program as a function of one part's price.

    Parameters
    ----------
    data : ModelData
    pieces : mapping
        Configuration id -> pieces of the part in one node.
    price_usd : float
        What a piece costs in `data`.

    Returns
    -------
    market : Market
    model : ConcreteModel
        Whose variables are the program's columns.
    """
    model, program, objective = compiled(repriced(data, pieces, LOW_USD - price_usd))
    _, dearer, _ = compiled(repriced(data, pieces, LOW_USD + STEP_USD - price_usd))
    names = [v.name for v in program.variables]
    same = np.array_equal(program.index, dearer.index) and np.array_equal(program.start, dearer.start)
    if not same or names != [v.name for v in dearer.variables]:
        raise RuntimeError("the program has another shape at another price")
    pool = {h.id: h.pool.config.id for h in data.housings}
    bought, at_work = np.zeros(len(names)), np.zeros(len(names))
    for k, variable in enumerate(program.variables):
        component = variable.parent_component().local_name
        if component == "bought":
            bought[k] = pieces.get(variable.index()[0], 0)
        elif component == "housed":
            at_work[k] = pieces.get(pool[variable.index()], 0)
    slope = (dearer.value - program.value) / STEP_USD
    cost_slope = (dearer.costs - program.costs) / STEP_USD
    there = bought > 0
    return Market(
        objective,
        program,
        np.where(there[program.index], slope, 0.0),
        np.where(there, cost_slope, 0.0),
        bought,
        at_work,
    ), model


def with_row(program: Program, row: FloatArray, lower: float, upper: float) -> Program:
    """Return a program with one more row, given in full."""
    at = np.flatnonzero(row)
    return dataclasses.replace(
        program,
        start=np.append(program.start, program.start[-1] + len(at)).astype(np.int32),
        index=np.append(program.index, at).astype(np.int32),
        value=np.append(program.value, row[at]),
        row_lower=np.append(program.row_lower, lower),
        row_upper=np.append(program.row_upper, upper),
        rows=[*program.rows, None],
    )


def ordered(market: Market, program: Program, order: int) -> Program:
    """Return a program in which at least so many pieces are at work."""
    row = np.zeros(len(program.upper))
    row[: len(market.at_work)] = market.at_work
    return with_row(program, row, float(order), np.inf)


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
    for step in range(STEPS):
        program, cost, spent = _money_left(market, target, order, price)
        allowed = max(0.25 * tolerance * max(price, 0.01 * start_usd) * order / MONEY_USD, gap * spent)
        allowed *= FIRST_STEP if step == 0 else 1.0
        inner = Clock(min(STEP_TIME_SHARE * clock.time_limit_s, clock.left_s), clock.threads, None, clock.should_stop)
        found = minimise(program, cost, spent, inner, gap=1e-9, absolute_gap=allowed, start=start)
        clock.report("walk-away price", max(low, 0.0), high if np.isfinite(high) else None, None)
        if found.status == INFEASIBLE:
            return Headroom(None, 0.0, None)
        if np.isfinite(found.bound):
            high = min(high, price + max(0.0, (spent - found.bound) * MONEY_USD) / order)
        if found.values is None:
            break
        left = spent - found.objective
        paid = price + left * MONEY_USD / max(market.pieces(found.values), order)
        if paid > low:
            low, point = paid, found.values[: len(market.at_work)]
        if high - low <= tolerance * abs(low) or high <= 0 or 0 <= left <= allowed or clock.stop():
            break
        change = max(0.0, low) - price
        left -= change * float(market.bought @ found.values[: len(market.bought)]) / MONEY_USD
        start = np.append(found.values[:-1], left - 1e-7)
        price += change
    return Headroom(low if np.isfinite(low) else None, max(high, 0.0), point)


def _relaxed_price(market: Market, target: float | None, order: int, clock: Clock, price: float) -> float | None:
    """Trial price from the linear relaxation; None where not even that reaches the target."""
    weights = np.append(market.at_work, 0.0)
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
