"""One compiled program for every price of a part.

Prices enter the model linearly and only with what is bought, or with what of it works where a share of the outlay is
limited, so two compilations give the matrix at any price.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.highs import Program
from solver.model.data import ModelData, Pool
from solver.model.objectives import Objective
from solver.optimise import compiled

FloatArray = NDArray[np.float64]
LOW_USD = 1.0
"""First price compiled at: so low that what the limits allow of the part is bounded by everything else."""
STEP_USD = 1e5


def repriced(
    data: ModelData, pieces: Mapping[str, int], change_usd: float, least_usd: float | None = None
) -> ModelData:
    """Return the model data with each piece of a part dearer or cheaper; candidates do not depend on prices.

    How many nodes money allows at most is counted at one price, or coefficients of binaries would not be linear in it.

    Parameters
    ----------
    data : ModelData
    pieces : mapping
        Configuration id -> pieces of the part in one node.
    change_usd : float
        On each piece.
    least_usd : float, optional
        Change at which nodes are counted; without, they are counted at the price of `data`.
    """
    pools = {}
    for p in data.pools:
        usd, count = p.config.price_usd, pieces.get(p.config.id, 0)
        changed = dataclasses.replace(
            p.config, price_usd=usd + count * change_usd, least_usd=usd + count * (least_usd or 0.0)
        )
        pools[p.id] = Pool(changed, p.cap)
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
        """The program in which none of the part is bought, whatever its price; what is owned of it stays."""
        return dataclasses.replace(self.program, upper=np.where(self.bought > 0, 0.0, self.program.upper))

    @property
    def money_rows(self) -> dict[int, float]:
        """Rows that take money, with their change for each dollar that is spent."""
        rows = np.repeat(np.arange(len(self.program.row_lower)), np.diff(self.program.start))
        priced = np.flatnonzero((self.slope != 0.0) & (self.bought[self.program.index] > 0.0))
        return {int(rows[k]): float(self.slope[k] / self.bought[self.program.index[k]]) for k in priced}

    @property
    def cost_per_usd(self) -> FloatArray:
        """Change of each cost for each dollar that is spent."""
        column = int(np.argmax(self.bought))
        return np.asarray(self.cost_slope[:, column] / self.bought[column])

    def paid(self, values: FloatArray) -> int:
        """Pieces that are bought at a point."""
        return round(float(self.bought @ np.round(values[: len(self.bought)])))

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
    low_usd = LOW_USD - price_usd
    model, program, objective = compiled(repriced(data, pieces, low_usd, low_usd))
    _, dearer, _ = compiled(repriced(data, pieces, low_usd + STEP_USD, low_usd))
    names = [v.name for v in program.variables]
    same = np.array_equal(program.index, dearer.index) and np.array_equal(program.start, dearer.start)
    if not same or names != [v.name for v in dearer.variables]:
        raise RuntimeError("the program has another shape at another price")
    pool = {h.id: h.pool.config.id for h in data.housings}
    bought, at_work, beyond = np.zeros(len(names)), np.zeros(len(names)), np.zeros(len(names))
    for k, variable in enumerate(program.variables):
        component = variable.parent_component().local_name
        if component == "bought":
            bought[k] = pieces.get(variable.index()[0], 0)
        elif component == "housed":
            at_work[k] = pieces.get(pool[variable.index()], 0)
        elif component == "beyond":
            beyond[k] = pieces.get(variable.index(), 0)
    slope = (dearer.value - program.value) / STEP_USD
    cost_slope = (dearer.costs - program.costs) / STEP_USD
    there = bought + at_work + beyond > 0
    return Market(
        objective,
        program,
        np.where(there[program.index], slope, 0.0),
        np.where(bought > 0, cost_slope, 0.0),
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
    """Return a program in which at least so many pieces are bought, and as many of the part are at work."""
    for counted in (market.bought, market.at_work):
        row = np.zeros(len(program.upper))
        row[: len(counted)] = counted
        program = with_row(program, row, float(order), np.inf)
    return program
