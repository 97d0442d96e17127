"""Demand, solved by hand. A node serves 10 requests/s of 100 output tokens: 1,000 tokens/s."""

from __future__ import annotations

import pytest
from hand import optimum, proves
from records import candidate, configuration, housing, model_data, scenario, workload

from solver.model.data import ModelData, Pool

POOL = Pool(configuration(), 1.0)
MIX = {"demand.mode": "mix", "objective.name": "tokens_per_mw", "site.power_mw": 0.001}


def one_class(changes: dict[str, object], demand: float) -> ModelData:
    return model_data(scenario(changes, [workload(demand=demand)]), [(candidate(rate=10.0), None)], [housing(POOL)])


def test_no_more_is_served_than_is_asked() -> None:
    """Proves meet_demand: 3 nodes could serve 30 requests/s, 12 are asked, so 1,200 tokens/s; else 3,000."""
    proves(one_class({"supply.platform.node": 3}, 12.0), "meet_demand", 1200.0, 3000.0)


def test_the_floor_obliges() -> None:
    """Proves keep_floor: half of 40/s takes 2 nodes at 1,000 USD a year each; else the cheapest site is empty, 0 USD."""
    data = one_class({"objective.name": "tco", "demand.floor_frac": 0.5}, 40.0)
    proves(data, "keep_floor", 2000.0, 0.0)


def test_a_floor_above_what_fits_is_infeasible() -> None:
    """Proves keep_floor: all of 40/s needs 4 nodes and there are 3, so there is no design; else 3,000 tokens/s."""
    data = one_class({"supply.platform.node": 3, "demand.floor_frac": 1.0}, 40.0)
    assert optimum(data) != optimum(data), "nan says infeasible"
    assert optimum(data, "keep_floor") == pytest.approx(3000.0)


def test_the_mix_keeps_its_proportions() -> None:
    """Proves keep_mix: 1 a to 3 b, and no class is served for its ease.

    At 10 a/s or 5 b/s a node, one unit of the mix takes 0.1 + 0.6 nodes; 7 nodes make 10 units: 40 requests/s,
    4,000 tokens/s from 7 kW, 571,429 tokens/s/MW. If proportions were free all would be class a: 7,000 tokens/s.
    """
    classes = [workload("a", demand=1.0), workload("b", demand=3.0)]
    columns = [(candidate("a", rate=10.0), None), (candidate("b", rate=5.0), None)]
    data = model_data(scenario(MIX | {"site.power_mw": 0.007}, classes), columns, [housing(POOL)])
    proves(data, "keep_mix", 4000.0 / 0.007, 7000.0 / 0.007)


@pytest.mark.parametrize(("bound", "value", "right"), [("max_scale", 0.4, 400.0), ("floor_frac", 1.5, float("nan"))])
def test_the_scale_of_the_mix_has_both_bounds(bound: str, value: float, right: float) -> None:
    """Proves the bounds of scale: 1 node can serve a mix of 10/s once, 1,000 tokens/s.

    At most 0.4 times the mix is 400 tokens/s; at least 1.5 times cannot be. Without bounds it would be 1,000.
    """
    data = one_class(MIX | {f"demand.{bound}": value}, 10.0)
    assert optimum(data) / 1000.0 == pytest.approx(right, nan_ok=True)
    free = one_class(MIX, 10.0)
    assert optimum(free) / 1000.0 == pytest.approx(1000.0)
