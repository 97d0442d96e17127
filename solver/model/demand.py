"""Demand: how many requests of each class are served."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import ModelData


def add_demand(block: pyo.Block, data: ModelData) -> None:
    """Add served and unmet requests, and either stated rates or one scale of the whole mix.

    Parameters
    ----------
    block : Block
        One period.
    data : ModelData
    """
    demand = {w.id: w.requests_per_s for w in data.workloads}
    spec = data.scenario.study.demand
    block.served = pyo.Var(block.CLASSES, domain=pyo.NonNegativeReals, doc="requests served [1/s]")
    if spec.mode == "fixed":
        block.unmet = pyo.Var(block.CLASSES, domain=pyo.NonNegativeReals, doc="requests not served [1/s]")
        block.meet_demand = pyo.Constraint(
            block.CLASSES, rule=lambda b, w: meet_demand(b, w, demand[w]), doc=meet_demand.__doc__
        )
        block.keep_floor = pyo.Constraint(
            block.CLASSES, rule=lambda b, w: keep_floor(b, w, demand[w], spec.floor_frac), doc=keep_floor.__doc__
        )
        return
    block.scale = pyo.Var(
        domain=pyo.NonNegativeReals, bounds=(spec.floor_frac, spec.max_scale), doc="scale of the mix [1]"
    )
    block.keep_mix = pyo.Constraint(block.CLASSES, rule=lambda b, w: keep_mix(b, w, demand[w]), doc=keep_mix.__doc__)


def meet_demand(block: pyo.Block, w: str, demand: float) -> object:
    """``served[w] + unmet[w] = demand[w]``. The dual is what one more request/s of the class is worth."""
    return block.served[w] + block.unmet[w] == demand


def keep_floor(block: pyo.Block, w: str, demand: float, floor: float) -> object:
    """``served[w] >= floor demand[w]``. The dual is what the obligation to serve the class costs."""
    return block.served[w] >= floor * demand


def keep_mix(block: pyo.Block, w: str, demand: float) -> object:
    """``served[w] = demand[w] scale``. The dual is what the class costs per request/s at the optimum."""
    return block.served[w] == demand * block.scale
