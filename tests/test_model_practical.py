"""Practical limits, solved by hand. Two platforms of which one node each can be had; a node serves 1,000 tokens/s."""

from __future__ import annotations

import pytest
from hand import one_of_each, optimum, proves
from records import accelerator, candidate, configuration, housing, model_data, platform, rack, scenario, workload

from solver.model.data import ModelData, Pool
from solver.model.practical import most_nodes


def with_spares(changes: dict[str, object], supply: int = 6) -> ModelData:
    """Return a case of so many nodes to be had, of 4 accelerators and 4,000 tokens/s each."""
    node = platform(accelerators=4)
    of = scenario({"supply.platform.node": supply} | changes, [workload(demand=1000.0)])
    return model_data(of, [(candidate(), None)], [housing(Pool(configuration(node), 1.0))])


def test_spares_for_what_is_away() -> None:
    """Proves keep_spares: 4 x 5% + 12.5% failures a year, each away for 0.2 / 0.325 of a year: a fifth of the nodes.

    6 owned leave 5 at work, 1.2 x 5 = 6: 20,000 tokens/s; without spares 24,000. 5 owned leave 4: 16,000; if the
    failures of one accelerator stood for those of all four (17.5%), a share of 0.1077, 20 owned would leave 18, not 16.
    """
    days = 0.2 / 0.325 * 365.0
    afr = {"build.accelerator_afr_percent": 5.0, "build.platform_afr_percent": 12.5, "build.spares_days": days}
    proves(with_spares(afr), "keep_spares", 20000.0, 24000.0)
    assert optimum(with_spares(afr, supply=5)) == pytest.approx(16000.0)
    assert optimum(with_spares(afr, supply=20)) == pytest.approx(64000.0)


def test_one_more_than_is_at_work() -> None:
    """Proves keep_spares with n_plus_one: of 6 nodes 5 work, and a fleet that stands by is as good as one bought."""
    proves(with_spares({"build.n_plus_one": True}), "keep_spares", 20000.0, 24000.0)
    fleet = {"fleet": [{"platform": "node", "quantity": 1}], "build.n_plus_one": True}
    assert optimum(with_spares(fleet)) == pytest.approx(24000.0)


def test_one_more_of_each_platform_in_use() -> None:
    """Proves build_only_chosen with n_plus_one: one of each can be had, so none may run; with two of one, that one.

    Were the binary free, no platform would be in use and nothing kept back: 1,800.
    """
    data = one_of_each({"build.n_plus_one": True})
    proves(data, "build_only_chosen", 0.0, 1800.0)
    assert optimum(one_of_each({"build.n_plus_one": True, "supply.platform.second": 2})) == pytest.approx(800.0)


def test_no_vendor_has_too_much() -> None:
    """Proves spread_over_vendors: at most half of the accelerators' watts from one maker.

    The first node has 1,000 W of accelerators, the second 500 W: 3 of the first need 6 of the second, of which 4 can
    be had, so 2 of the first and 4 of the second: 2,000 + 3,200; unbound 3,000 + 3,200. Counted by nodes 3 and 3 or
    more would do: 6,200.
    """
    parts = [platform("first"), platform("second")]
    chips = [accelerator(tdp_w=1000.0, vendor="a"), accelerator(tdp_w=500.0, vendor="b")]
    columns = [(candidate(rate=10.0, at=parts[0]), None), (candidate(rate=8.0, at=parts[1]), None)]
    houses = [housing(Pool(configuration(p, chip=c), 1.0)) for p, c in zip(parts, chips, strict=True)]
    supply = {"supply.platform.first": 3, "supply.platform.second": 4, "build.max_share_per_vendor": 0.5}
    data = model_data(scenario(supply, [workload(demand=100.0)]), columns, houses)
    proves(data, ("spread_over_vendors", "a"), 5200.0, 6200.0)


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
