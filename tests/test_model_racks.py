"""Racks, solved by hand. A node serves 10 requests/s of 100 output tokens: 1,000 tokens/s."""

from __future__ import annotations

import pytest
from hand import optimum, proves
from records import candidate, configuration, housing, model_data, rack, scenario, workload

from solver.model.data import ModelData, Pool


def in_racks(fit: int, changes: dict[str, object]) -> ModelData:
    """Return a case whose nodes stand `fit` to a rack of 2 m2 and 1,000 USD; a node costs 500 USD."""
    pool = Pool(configuration(price_usd=500.0), 1.0)
    inside = housing(pool, within=rack(floor_m2=2.0, price_usd=1000.0), fit=fit, own=False)
    return model_data(scenario(changes, [workload(demand=100.0)]), [(candidate(), None)], [inside])


def test_a_rack_takes_so_many_nodes() -> None:
    """Proves fit_in_racks: 4 m2 take 2 racks of 2 nodes, 4,000 tokens/s; outside racks all 6 nodes: 6,000."""
    proves(in_racks(2, {"site.floor_m2": 4.0, "supply.platform.node": 6}), "fit_in_racks", 4000.0, 6000.0)


def test_racks_are_whole() -> None:
    """Proves that racks are integers: 5 m2 take 2 racks of 2 m2, 4 nodes; two and a half racks would take 5."""
    data = in_racks(2, {"site.floor_m2": 5.0, "supply.platform.node": 6})
    assert optimum(data) == pytest.approx(4000.0)


def test_racks_are_homogeneous() -> None:
    """Proves fit_in_racks per pool: two pools of 1 node each take a rack each, not half a rack of 2 each.

    With floor for one rack one pool is left out: 1,000 tokens/s; sharing a rack both would run: 2,000.
    """
    cold, warm = (Pool(configuration(label=label, bought=[(f"{label}_memory", 1)]), 1.0) for label in ("a", "b"))
    within = rack(floor_m2=2.0)
    changes = {"site.floor_m2": 2.0, "supply.memory.a_memory": 1, "supply.memory.b_memory": 1}
    data = model_data(
        scenario(changes, [workload(demand=100.0)]), [(candidate(), None)],
        [housing(cold, within=within, fit=2, own=False), housing(warm, within=within, fit=2, own=False)],
    )  # fmt: skip
    proves(data, "fit_in_racks", 1000.0, 2000.0)
