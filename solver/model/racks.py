"""Racks: nodes stand in racks that take their watts, their height and their cooling."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import ModelData


def add_racks(block: pyo.Block, data: ModelData) -> None:
    """Add nodes by pool and rack kind, racks, and the sum of nodes of a pool.

    Parameters
    ----------
    block : Block
        One period.
    data : ModelData
    """
    housings = {h.id: h for h in data.housings}
    apart = [h.id for h in data.housings if not h.own]
    block.housed = pyo.Var(block.HOUSINGS, domain=pyo.NonNegativeIntegers, doc="nodes of a pool in a kind of rack [1]")
    block.racks = pyo.Var(apart, domain=pyo.NonNegativeIntegers, doc="racks filled with a pool's nodes [1]")
    block.nodes = pyo.Expression(
        block.POOLS,
        rule=lambda b, pool: pyo.quicksum(b.housed[h.id] for h in data.housings_of_pool.get(pool, [])),
        doc="nodes of a pool [1]",
    )
    block.fit_in_racks = pyo.Constraint(
        apart, rule=lambda b, h: fit_in_racks(b, h, housings[h].fit), doc=fit_in_racks.__doc__
    )


def fit_in_racks(block: pyo.Block, housing: str, fit: int) -> object:
    """``n[pool,q] <= fit[pool,q] racks[pool,q]`` with `fit` by peak kW and height, homogeneous racks.

    The dual is what room for one more node in such a rack is worth.
    """
    return block.housed[housing] <= fit * block.racks[housing]
