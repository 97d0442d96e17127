"""Orders, solved by hand: whole lots and minimums. A node serves 1,000 tokens/s and costs 1,000 USD."""

from __future__ import annotations

import dataclasses

import pytest
from hand import optimum, proves
from records import (
    PORT,
    candidate,
    configuration,
    housing,
    memory_device,
    model_data,
    platform,
    rack,
    scenario,
    workload,
)

from solver.model.data import ModelData, Pool
from solver.model.orders import Order


def ordered(changes: dict[str, object], **terms: int) -> ModelData:
    """Return a case in which nodes are ordered on some terms."""
    node = dataclasses.replace(platform(), **terms)  # type: ignore[arg-type]
    of = scenario(changes, [workload(demand=100.0)])
    return model_data(of, [(candidate(), None)], [housing(Pool(configuration(node), 1.0))])


def test_platforms_come_in_whole_lots() -> None:
    """Proves order_whole_lots: in fours 6,000 USD buy 4 nodes, 4,000 tokens/s; one by one 6."""
    proves(ordered({"site.budget_usd": 6000.0}, order_multiple=4), "order_whole_lots", 4000.0, 6000.0)


def test_a_lot_may_stand_idle() -> None:
    """Proves that lots bind orders and not work: 4 nodes for 4,000 USD where 2 kW run 2: 2,000 tokens/s, not none."""
    data = ordered({"site.budget_usd": 4000.0, "site.power_mw": 0.002}, order_multiple=4)
    assert optimum(data) == pytest.approx(2000.0)


def test_devices_of_a_lot_that_no_node_needs_are_paid() -> None:
    """Proves order_whole_lots of devices: 3 in a node, in boxes of 8 at 100 USD each.

    2 nodes take 6 and leave 2 over, 2,200 USD; 2,100 USD buy one node and its box, 1,500 USD: 1,000 tokens/s.
    If boxes could be opened, two: 2,000. With 7 to be had no box can be bought.
    """
    device = memory_device("drive", usd=100.0, order_multiple=8)
    config = configuration(label="drives", bought=[("drive", 3)])
    columns, houses = [(candidate(), None)], [housing(Pool(config, 1.0))]

    def case(changes: dict[str, object]) -> ModelData:
        return model_data(scenario(changes, [workload(demand=100.0)], devices=[device]), columns, houses)

    proves(case({"site.budget_usd": 2100.0}), "order_whole_lots", 1000.0, 2000.0)
    assert optimum(case({"supply.memory.drive": 7})) == pytest.approx(0.0)
    assert optimum(case({"supply.memory.drive": 8})) == pytest.approx(2000.0)


def test_loose_devices_are_written_off_like_the_others() -> None:
    """Proves the yearly cost of loose devices: 10/s take a node of 1,000 USD and 5 drives of 100 USD over: 1,500."""
    device = memory_device("drive", usd=100.0, order_multiple=8)
    config = configuration(label="drives", bought=[("drive", 3)])
    of = scenario({"objective.name": "tco", "demand.floor_frac": 1.0}, [workload(demand=10.0)], devices=[device])
    assert optimum(model_data(of, [(candidate(), None)], [housing(Pool(config, 1.0))])) == pytest.approx(1500.0)


def test_racks_come_in_whole_lots() -> None:
    """Proves order_whole_lots of racks: in pairs at 500 USD, 4,600 USD buy 2 nodes and 2 racks; one by one 3 and 3."""
    pair = dataclasses.replace(rack(price_usd=500.0), order_multiple=2)
    of = scenario({"site.budget_usd": 4600.0}, [workload(demand=100.0)])
    house = housing(Pool(configuration(), 1.0), within=pair, own=False)
    proves(model_data(of, [(candidate(), None)], [house]), "order_whole_lots", 2000.0, 3000.0)


def wired(usd: float, **terms: tuple[int, int]) -> ModelData:
    """Return nodes with a port each: switches of 6 ports at 400 USD, optics at 100; all but 2 nodes need two tiers."""
    node = platform(nic_count=2, nic_bytes_per_s=PORT)
    of = scenario({"site.budget_usd": usd}, [workload(demand=100.0)], switch=(0.0, 0.0, 400.0), optic=(0.0, 100.0),
                  **terms)  # type: ignore[arg-type]  # fmt: skip
    return model_data(of, [(candidate(ports=2.0), None)], [housing(Pool(configuration(node), 1.0))])


@pytest.mark.parametrize(
    ("terms", "right"), [({"switch_terms": (4, 1)}, 1000.0), ({"optic_terms": (8, 1)}, 1000.0)], ids=["switch", "optic"]
)
def test_switches_and_optics_come_in_whole_lots(terms: dict[str, tuple[int, int]], right: float) -> None:
    """Proves order_whole_lots of the network: 3,000 USD buy 2 nodes, a switch and 6 optics, exactly.

    In fours a node with its 4 switches and 3 optics is 2,900 USD, and two are not to be had; in boxes of 8 optics two
    nodes come to 3,200, one to 2,200.
    """
    proves(wired(3000.0, **terms), "order_whole_lots", right, 2000.0)


@pytest.mark.parametrize("row", ["order_enough", "order_only_if_placed"])
def test_minimum_of_optics(row: str) -> None:
    """Proves the minimum of the network: no order of optics below 8, so 3,000 USD buy one node instead of two."""
    proves(wired(3000.0, optic_terms=(1, 8)), row, 1000.0, 2000.0)


def test_loose_switches_are_written_off_with_the_network() -> None:
    """Proves the yearly cost of loose switches: 10/s take a node, 4 switches and 3 optics: 1,000 + 1,600 + 300."""
    node = platform(nic_count=2, nic_bytes_per_s=PORT)
    of = scenario({"objective.name": "tco", "demand.floor_frac": 1.0}, [workload(demand=10.0)],
                  switch=(0.0, 0.0, 400.0), optic=(0.0, 100.0), switch_terms=(4, 1))  # fmt: skip
    data = model_data(of, [(candidate(ports=2.0), None)], [housing(Pool(configuration(node), 1.0))])
    assert optimum(data) == pytest.approx(2900.0)


@pytest.mark.parametrize("row", ["order_enough", "order_only_if_placed"])
def test_no_order_is_below_the_minimum(row: str) -> None:
    """Proves order_enough and order_only_if_placed: no order below 3, so 2,000 USD buy nothing; else 2 nodes."""
    proves(ordered({"site.budget_usd": 2000.0}, order_minimum=3), row, 0.0, 2000.0)


def test_a_minimum_is_no_multiple() -> None:
    """Proves that above the minimum any number goes: 4,000 USD buy 4 of at least 3."""
    assert optimum(ordered({"site.budget_usd": 4000.0}, order_minimum=3)) == pytest.approx(4000.0)


def test_the_least_order() -> None:
    """Proves the order that is written in the bill: nothing for no need, the minimum, then whole lots."""
    order = Order("platform", "node", 4, 6)
    assert [order.least(need) for need in (0, 1, 6, 8, 9)] == [0, 8, 8, 8, 12]
