"""The wiring: which parts make the model, in which order."""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.appliances import add_appliances
from solver.model.compute import add_compute
from solver.model.data import ModelData
from solver.model.demand import add_demand
from solver.model.kinds import add_kinds
from solver.model.limits import add_limits
from solver.model.memory import add_memory
from solver.model.network import add_network
from solver.model.orders import add_loose, add_orders
from solver.model.parking import add_parking
from solver.model.practical import add_practical
from solver.model.racks import add_racks
from solver.model.shares import add_shares
from solver.model.stock import add_assignment, add_stock
from solver.model.tiers import add_tiers

PARTS = (
    add_demand, add_racks, add_compute, add_memory, add_parking, add_tiers, add_appliances, add_network,
    add_assignment, add_limits, add_kinds, add_practical, add_shares,
)  # fmt: skip
"""Each adds its variables and rows to one period; a later part may use what an earlier one added."""


def build_model(data: ModelData, periods: int = 1) -> pyo.ConcreteModel:
    """Build the model without an objective.

    Parameters
    ----------
    data : ModelData
    periods : int
        Number of periods; each is one Block and all share the stock.

    Returns
    -------
    ConcreteModel
        With `PERIODS`, the stock (`bought`, `own`, `racks_bought`), its orders (`loose`) and `period[y]`.
    """
    m = pyo.ConcreteModel(name="tierwatt")
    m.PERIODS = pyo.RangeSet(0, periods - 1, doc="periods")
    m.UNITS = pyo.Set(initialize=list(dict.fromkeys(p.config.id for p in data.pools)), doc="configurations")
    m.RACKS = pyo.Set(
        initialize=list(dict.fromkeys(h.rack.id for h in data.housings if not h.own)), doc="racks bought apart"
    )
    add_stock(m, data)
    add_loose(m, data)
    m.period = pyo.Block(m.PERIODS, rule=lambda block, _: _period(block, data), doc="what happens in a period")
    add_orders(m, data)
    return m


def _period(block: pyo.Block, data: ModelData) -> None:
    """Add the index sets of a period, then the parts."""
    block.CLASSES = pyo.Set(initialize=[w.id for w in data.workloads], doc="workload classes")
    block.COLUMNS = pyo.Set(initialize=[c.index for c in data.columns], doc="columns")
    block.POOLS = pyo.Set(initialize=[p.id for p in data.pools], doc="pools")
    block.HOUSINGS = pyo.Set(initialize=[h.id for h in data.housings], doc="pools in racks")
    block.FAMILIES = pyo.Set(
        initialize=[f for f in data.pools_of_family if f in data.columns_of_family], dimen=2, doc="platform, cap"
    )
    block.BOUND_POOLS = pyo.Set(initialize=list(data.columns_of_pool), doc="pools whose own memory is used")
    block.PLACES = pyo.Set(initialize=[p.id for p in data.places], doc="tiers of pools")
    for part in PARTS:
        part(block, data)
