"""Shares that rest on estimates, solved by hand. A node costs 1,000 USD and takes 1 kW unless told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hand import optimum, proves
from records import candidate, configuration, housing, memory_device, model_data, platform, rack, scenario, workload

from solver.model.data import ModelData, Pool
from solver.parts import Platform
from solver.scenario import Scenario

SOUND: dict[str, Any] = {"confidence_price": "press", "confidence_power": "press"}
CAPEX, POWER = "build.max_estimated_capex_share", "build.max_estimated_power_share"


def sound(name: str = "sound", **terms: Any) -> Platform:
    """Return a platform whose price and watts are no estimates."""
    return dataclasses.replace(platform(name, **terms), **SOUND)


def two(changes: dict[str, Any], *, trusted: Platform | None = None, usd: float = 1e3, watts: float = 1e3) -> ModelData:
    """Return 6 kW for nodes of estimates at 1,000 tokens/s, and of none at 400, of so many dollars and watts."""
    good = trusted or sound()
    columns = [(candidate(rate=10.0, at=platform("rough")), None), (candidate(rate=4.0, at=good), None)]
    configs = [configuration(platform("rough")), configuration(good, price_usd=usd, provisioned_w=watts)]
    of = scenario({"site.power_mw": 0.006} | changes, [workload(demand=100.0)])
    return model_data(of, columns, [housing(Pool(config, 1.0)) for config in configs])


def test_dollars_that_are_estimates() -> None:
    """Proves rest_on_few_estimates: half of the outlay is 3 nodes of each of six, 3,000 + 1,200; free 6,000.

    At 3,000 USD a sound node pays for three others at half: 1 of it and 3 make 3,400, 2 and 4 make 4,800. One hundredth
    leaves none of six; everything may be an estimate where the share is 1. Each would differ if nodes were counted.
    """
    proves(two({CAPEX: 0.5}), "rest_on_few_estimates", 4200.0, 6000.0)
    assert optimum(two({CAPEX: 0.5}, usd=3e3)) == pytest.approx(4800.0)
    assert optimum(two({CAPEX: 0.01})) == pytest.approx(2400.0)
    assert optimum(two({CAPEX: 1.0})) == pytest.approx(6000.0)


def test_watts_that_are_estimates() -> None:
    """Proves rest_on_few_estimates of watts: of 6 kW at most 2 are estimates: 2,000 + 4 x 400.

    Sound nodes of 500 W: x and y with x <= (x + y / 2) / 3, that is y >= 4 x, and x + y / 2 <= 6: 2 and 8 make 5,200.
    """
    proves(two({POWER: 1 / 3 + 1e-9}), ("rest_on_few_estimates", "estimated_power_share"), 3600.0, 6000.0)
    assert optimum(two({POWER: 1 / 3 + 1e-9}, watts=500.0)) == pytest.approx(5200.0)


def test_what_is_owned_costs_nothing_and_takes_watts() -> None:
    """Two sound nodes are owned: their dollars dilute nothing, their watts do.

    Half of the dollars: 2 owned, 2 of each bought: 2,000 + 4 x 400 (counted with the fleet, 3 and 3 would do: 4,200).
    Half of the watts: 3 of each: 3,000 + 3 x 400.
    """
    fleet = {"fleet": [{"platform": "sound", "quantity": 2}]}
    assert optimum(two(fleet | {CAPEX: 0.5})) == pytest.approx(3600.0)
    assert optimum(two(fleet | {POWER: 0.5})) == pytest.approx(4200.0)


def test_owned_nodes_are_not_bought_again() -> None:
    """Proves work_beyond_owned and buy_beyond_owned: three sound nodes at work of two owned are one that is bought.

    One sound node more can be had. Half of the dollars in 6 kW: 3 sound nodes and 1 of estimates, 1,000 + 1,200; were
    the fleet's nodes bought, 3 and 3: 4,200. In 3 kW: 3 sound nodes, 1,200; were one bought that is not at work, 2 and
    1: 1,800.
    """
    changes = {"fleet": [{"platform": "sound", "quantity": 2}], "supply.platform.sound": 1, CAPEX: 0.5}
    proves(two(changes), "buy_beyond_owned", 2200.0, 4200.0)
    proves(two(changes | {"site.power_mw": 0.003}), "work_beyond_owned", 1200.0, 1800.0)


def test_what_stands_idle_dilutes_nothing() -> None:
    """Sound nodes that nobody has power for: bought by the dozen they would make any share small.

    2 kW hold two nodes: 1 of each at half, 1,000 + 400, though money for a hundred is there.
    """
    assert optimum(two({"site.power_mw": 0.002, CAPEX: 0.5})) == pytest.approx(1400.0)


def test_lots_of_estimates_count_and_lots_of_others_do_not() -> None:
    """Orders of four: of estimates all four count, of sound nodes those at work.

    6 kW and half of the dollars: 4 bought of estimates, however many of them work, need 4 sound ones at work, which
    leaves 2 kW: 2,000 + 1,600.
    """
    rough = dataclasses.replace(platform("rough"), order_multiple=4)
    good = dataclasses.replace(sound(), order_multiple=4)
    columns = [(candidate(rate=10.0, at=rough), None), (candidate(rate=4.0, at=good), None)]
    of = scenario({"site.power_mw": 0.006, CAPEX: 0.5}, [workload(demand=100.0)])
    data = model_data(of, columns, [housing(Pool(configuration(part), 1.0)) for part in (rough, good)])
    assert optimum(data) == pytest.approx(3600.0)


def racked(price_grade: str, changes: dict[str, Any]) -> ModelData:
    """Return `two` with nodes of estimates in racks for two nodes at 2,000 USD each, of a grade."""
    columns = [(candidate(rate=10.0, at=platform("rough")), None), (candidate(rate=4.0, at=sound()), None)]
    within = dataclasses.replace(rack(price_usd=2000.0), confidence_price=price_grade)
    houses = [
        housing(Pool(configuration(platform("rough")), 1.0), within=within, fit=2, own=False),
        housing(Pool(configuration(sound()), 1.0)),
    ]
    return model_data(scenario({"site.power_mw": 0.006} | changes, [workload(demand=100.0)]), columns, houses)


def test_racks_count_by_their_grade() -> None:
    """Racks of estimates: 2 nodes and their rack are 4,000 USD, as much as four sound nodes: 2,000 + 1,600.

    Sound racks count by what is filled, 1,000 USD a node: all six may be of estimates, and at 0.4 four of six
    (4 of 10 thousand would be 4 and 2: 4,000 <= 0.4 (4,000 + 4,000 + 2,000)): 4,000 + 800.
    """
    assert optimum(racked("estimate", {CAPEX: 0.5})) == pytest.approx(3600.0)
    assert optimum(racked("press", {CAPEX: 0.5})) == pytest.approx(6000.0)
    assert optimum(racked("press", {CAPEX: 0.4})) == pytest.approx(4800.0)


def wired(of: Scenario, grade: str) -> ModelData:
    """Return nodes with one card each, in a scenario whose network has a grade."""
    parts = [platform("rough", nic_count=1, nic_bytes_per_s=20e9), sound(nic_count=1, nic_bytes_per_s=20e9)]
    columns = [(candidate(rate=rate, at=part), None) for rate, part in zip((10.0, 4.0), parts, strict=True)]
    switch, optic = (
        dataclasses.replace(part, confidence_price=grade, confidence=grade) for part in (of.switch, of.optic)
    )
    network = dataclasses.replace(of, switch=switch, optic=optic)
    return model_data(network, columns, [housing(Pool(configuration(part), 1.0)) for part in parts])


def test_the_network_counts_by_its_grade() -> None:
    """One switch of six ports at 1,200 USD and an optic of 100 USD for each of six nodes.

    Estimates at half: x nodes + 1,200 + 600 <= 6,000 - x: x = 2 (2,000 + 1,800 <= 4,000): 2,000 + 1,600. Sound, 300 USD
    a port: x <= 3 + 0.9 of a node: 3 of each. At 0.4 of the 7,800 USD that is 3, without the network 2.
    """
    free = {"site.power_mw": 0.006, "supply.platform.sound": 6}
    for grade, share, most in (("estimate", 0.5, 3600.0), ("press", 0.5, 4200.0), ("press", 0.4, 4200.0)):
        of = scenario(free | {CAPEX: share}, [workload(demand=100.0)], switch=(0.0, 0.0, 1200.0), optic=(0.0, 100.0))
        assert optimum(wired(of, grade)) == pytest.approx(most), (grade, share)


def test_the_watts_of_switches_count_by_their_grade() -> None:
    """A switch of 600 W for up to six nodes of 1 kW, 4.6 kW: four nodes. A third of the watts may be estimates.

    An estimate: x kW + 0.6 <= (4 + 0.6) / 3 leaves none: 1,600. Sound, 0.1 kW a port: x <= 4.4 / 3: one: 1,000 + 1,200.
    """
    for grade, most in (("estimate", 1600.0), ("press", 2200.0)):
        of = scenario({"site.power_mw": 0.0046, POWER: 1 / 3}, [workload(demand=100.0)], switch=(600.0, 0.0, 0.0))
        assert optimum(wired(of, grade)) == pytest.approx(most), grade


def test_devices_count_by_their_own_grade() -> None:
    """A sound server of 1,000 USD with memory of 1,000 USD, whose price is an estimate: half of its dollars.

    At half, x nodes of estimates and y of these, x + y <= 0.5 (x + 2 y): none and six. At 0.6, 2 x <= y: two and four,
    2,000 + 1,600. Memory of a sound price, at half, x <= 2 y: four and two, 4,000 + 800.
    """
    good = sound()
    config = dataclasses.replace(configuration(good, "more", bought=[("chips", 10)], price_usd=2e3), devices_usd=1e3)
    columns = [(candidate(rate=10.0, at=platform("rough")), None), (candidate(rate=4.0, at=good), None)]
    houses = [housing(Pool(c, 1.0)) for c in (configuration(platform("rough")), config)]
    for grade, share, most in (("estimate", 0.5, 2400.0), ("estimate", 0.6, 3600.0), ("press", 0.5, 4800.0)):
        chips = dataclasses.replace(memory_device("chips", usd=100.0), confidence_price=grade)
        of = scenario({"site.power_mw": 0.006, CAPEX: share}, [workload(demand=100.0)], devices=[chips])
        assert optimum(model_data(of, columns, houses)) == pytest.approx(most), (grade, share)


def test_a_build_that_is_given_is_what_it_is() -> None:
    """Five nodes of estimates stand there: the load is decided, the share is not asked about."""
    data = two({CAPEX: 0.5})
    given = dataclasses.replace(data, given_nodes={"rough/standard": 5, "sound/standard": 0})
    assert optimum(given) == pytest.approx(5000.0)
