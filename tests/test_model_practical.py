"""Practical limits, solved by hand. Two platforms of which one node each can be had; a node serves 1,000 tokens/s."""

from __future__ import annotations

import pytest
from hand import optimum, proves
from records import candidate, configuration, housing, model_data, platform, rack, scenario, workload

from solver.model.data import ModelData, Pool
from solver.model.practical import most_nodes


def one_of_each(changes: dict[str, object]) -> ModelData:
    first, second = platform("first"), platform("second")
    columns = [(candidate(rate=10.0, at=first), None), (candidate(rate=8.0, at=second), None)]
    houses = [housing(Pool(configuration(part), 1.0)) for part in (first, second)]
    supply = {"supply.platform.first": 1, "supply.platform.second": 1}
    return model_data(scenario(supply | changes, [workload(demand=100.0)]), columns, houses)


@pytest.mark.parametrize("row", ["choose_few", "build_only_chosen"])
def test_so_many_kinds_of_platform(row: str) -> None:
    """Proves choose_few and build_only_chosen: one kind makes 1,000 tokens/s; if kinds were free, both: 1,800."""
    proves(one_of_each({"build.max_platforms": 1}), row, 1000.0, 1800.0)


def test_no_limit_no_rows() -> None:
    assert optimum(one_of_each({})) == pytest.approx(1800.0)
    assert optimum(one_of_each({"build.max_platforms": 2})) == pytest.approx(1800.0)


def test_the_most_nodes_of_a_pool() -> None:
    """Proves the bound in build_only_chosen: no more than each kind of rack allows, than money buys, than supply gives.

    A node of 1 kW at 1,000 USD: 10 kW at PUE 1.5 hold 6 and at 1.25 hold 8, together at most 14; 7,500 USD buy 7;
    supply gives 9. A bound below what can be built would cut designs off; 6 or 8 would.
    """
    pool = Pool(configuration(), 1.0)
    houses = [housing(pool, within=rack(name), pue_peak=pue) for name, pue in (("hot", 1.5), ("cold", 1.25))]
    for changes, most in (
        ({}, 14),
        ({"supply.platform.node": 9}, 9),
        ({"supply.platform.node": 9, "site.budget_usd": 7500.0}, 7),
    ):
        data = model_data(scenario({"site.power_mw": 0.01} | changes), [(candidate(), None)], houses)
        assert most_nodes(data, pool.id) == most


def test_a_pool_may_be_split_over_racks() -> None:
    """Proves the same on a design: one node in each rack keeps 4 kW and 4 mL/s, two in either break one of them.

    With the bound of the better rack alone, max_platforms = 1 would leave one node and 1,000 tokens/s.
    """
    pool = Pool(configuration(), 1.0)
    kinds = (("hot", 3.0, 1e-6), ("wet", 1.0, 3e-6))
    houses = [housing(pool, within=rack(name), pue_peak=pue, wue_l_per_j=wue) for name, pue, wue in kinds]
    changes = {"site.power_mw": 0.004, "site.water_l_per_s": 4e-3, "build.max_platforms": 1}
    data = model_data(scenario(changes, [workload(demand=100.0)]), [(candidate(), None)], houses)
    assert optimum(data) == pytest.approx(2000.0)
