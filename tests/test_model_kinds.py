"""Kinds of platform and device, solved by hand. A node serves 1,000 tokens/s, draws 1 kW and costs 1,000 USD."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hand import one_of_each, optimum, proves
from records import candidate, configuration, housing, model_data, platform, rack, scenario, workload

from solver.highs import Clock
from solver.model.data import ModelData, Pool
from solver.optimise import optimise
from solver.polishing import polish


@pytest.mark.parametrize("row", ["choose_few", "build_only_chosen"])
def test_so_many_kinds_of_platform(row: str) -> None:
    """Proves choose_few and build_only_chosen: one kind makes 1,000 tokens/s; if kinds were free, both: 1,800."""
    proves(one_of_each({"build.max_platforms": 1}), row, 1000.0, 1800.0)


def test_no_limit_no_rows() -> None:
    assert optimum(one_of_each({})) == pytest.approx(1800.0)
    assert optimum(one_of_each({"build.max_platforms": 2})) == pytest.approx(1800.0)


# --- slivers ----------------------------------------------------------------------------------------------------


def beside(count: int, fit: int, changes: dict[str, Any], *, own: bool = False) -> ModelData:
    """Return a case of so many good nodes, `fit` a rack, and five of 800 tokens/s in racks of one; 10 MW contracted."""
    good, other = platform("good"), platform("other")
    columns = [(candidate(rate=10.0, at=good), None), (candidate(rate=8.0, at=other), None)]
    houses = [
        housing(Pool(configuration(good), 1.0), within=rack(), fit=fit, own=own),
        housing(Pool(configuration(other), 1.0), within=rack("small"), fit=1, own=False),
    ]
    supply = {"supply.platform.good": count, "supply.platform.other": 5, "site.power_mw": 0.01}
    return model_data(scenario(supply | changes, [workload(demand=1000.0)]), columns, houses)


LEAST = {"build.min_platform_mw_frac": 0.4}


def test_a_sliver_is_not_worth_having() -> None:
    """Proves build_no_slivers: 3 good nodes are 3 of 4 kW and 3 of a rack of 8, so none: 4,000; else 3,000 + 4,000."""
    proves(beside(3, 8, LEAST), "build_no_slivers", 4000.0, 7000.0)
    proves(beside(3, 8, LEAST), "build_only_chosen", 7000.0 - 3000.0, 7000.0)


def test_a_share_of_the_megawatts_or_a_full_rack_is_enough() -> None:
    """Proves both ways to be enough: 4 nodes of 4 kW, or 3 that fill a rack; 1 in its own rack fills it.

    Were both asked for, or only the watts, 3 of 3 would be a sliver too.
    """
    assert optimum(beside(4, 8, LEAST)) == pytest.approx(8000.0)
    assert optimum(beside(3, 3, LEAST)) == pytest.approx(7000.0)
    assert optimum(beside(1, 1, LEAST, own=True)) == pytest.approx(5000.0)


def test_the_share_is_of_the_meter_on_the_design_day() -> None:
    """Proves that PUE counts and caps too: 3 nodes at PUE 1.5 are 4.5 kW of 4; capped by 0.3 x 600 W only 3.69."""
    data = beside(3, 8, LEAST)
    hot = dataclasses.replace(data.housings[0], pue_peak=1.5)
    assert optimum(dataclasses.replace(data, housings=(hot, data.housings[1]))) == pytest.approx(7000.0)
    capped = dataclasses.replace(hot, pool=dataclasses.replace(hot.pool, cap=0.7))
    at_cap = dataclasses.replace(data.columns[0], candidate=candidate(rate=10.0, at=platform("good"), cap=0.7))
    cut = dataclasses.replace(
        data, housings=(capped, data.housings[1]), pools=(capped.pool, data.pools[1]),
        columns=(at_cap, data.columns[1]), pue_of_family={},
    )  # fmt: skip
    assert optimum(cut) == pytest.approx(4000.0)


def test_what_is_owned_stays() -> None:
    """Proves that an owned platform may be a sliver: 2 owned and 1 bought beside 5 others."""
    fleet = {"fleet": [{"platform": "good", "quantity": 2}]}
    assert optimum(beside(1, 8, LEAST | fleet)) == pytest.approx(7000.0)


# --- devices ----------------------------------------------------------------------------------------------------


def with_devices(changes: dict[str, Any]) -> ModelData:
    """Return two platforms of one node each, which hold one kind of device and two."""
    nodes = (platform("first"), platform("second"))
    configs = [configuration(nodes[0], "a", bought=[("drive", 2)]),
               configuration(nodes[1], "b", bought=[("drive", 1), ("module", 4)])]  # fmt: skip
    columns = [(candidate(rate=10.0, at=nodes[0]), None), (candidate(rate=8.0, at=nodes[1]), None)]
    supply = {"supply.platform.first": 1, "supply.platform.second": 1}
    houses = [housing(Pool(config, 1.0)) for config in configs]
    return model_data(scenario(supply | changes, [workload(demand=100.0)]), columns, houses)


@pytest.mark.parametrize("row", ["buy_only_chosen", "choose_few_devices"])
def test_so_many_kinds_of_device(row: str) -> None:
    """Proves both rows: with one kind only the first node, 1,000 tokens/s; with two both, 1,800; with none nothing."""
    proves(with_devices({"build.max_device_kinds": 1}), row, 1000.0, 1800.0)
    assert optimum(with_devices({"build.max_device_kinds": 2})) == pytest.approx(1800.0)
    assert optimum(with_devices({"build.max_device_kinds": 0})) == pytest.approx(0.0)


def test_owned_devices_do_not_count() -> None:
    """Proves that the limit is on what is bought: the second node is owned with its two kinds."""
    fleet = {"fleet": [{"platform": "second", "quantity": 1, "configuration": "b"}], "supply.platform.second": 0}
    assert optimum(with_devices(fleet | {"build.max_device_kinds": 1})) == pytest.approx(1800.0)


def test_the_polish_keeps_both() -> None:
    """Proves that what is taken out and settled later keeps the limits; without them the polish would keep all."""
    for data, right in ((beside(3, 8, LEAST), 4000.0), (with_devices({"build.max_device_kinds": 1}), 1000.0)):
        solved = optimise(data, Clock(60.0, threads=1))
        polished = polish(solved, Clock(60.0, threads=1))
        assert polished.value * solved.objective.per_unit(data.scenario) == pytest.approx(right)


def test_limits_that_are_off_add_nothing() -> None:
    """Proves that no binary and no row stands in the model of a study that does not ask."""
    program = optimise(with_devices({}), Clock(60.0, threads=1)).program
    assert not [v for v in program.variables if "chosen" in v.name]
    assert not [r for r in program.rows if r.constraint.parent_component().local_name.startswith(("build_", "buy_"))
                and r.constraint.parent_component().local_name != "build_one_fabric"]  # fmt: skip
