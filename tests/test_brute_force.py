"""The search against brute force: random tiny instances, every whole-number build, an independent writer.

What it proves: the rows that `solver.model` writes, the matrices Pyomo makes of them, the branch and bound and
the Dinkelbach steps together give the same optimum as trying every build with rows written by hand. A row that
is missing, doubled or has a wrong coefficient on either side changes the optimum of some instance; that the
instances are sharp enough for this is shown too, by taking rows out.
"""

from __future__ import annotations

import dataclasses
import math

import pytest
from hand import optimum
from independent import brute_force
from tiny import tiny

import solver.search
from solver.highs import INFEASIBLE, OPTIMAL, Clock
from solver.model.data import ModelData
from solver.model.objectives import OBJECTIVES
from solver.optimise import optimise
from solver.polishing import polish

EACH, WHOLE, POLISHED = 60, 8, 12
KINDS = [("tokens", "provisioned"), ("tokens_per_mw", "provisioned"), ("tokens_per_used_mw", "provisioned"),
         ("tokens_per_used_mw", "drawn"), ("tokens_per_tco_dollar", "provisioned"), ("tco", "provisioned"),
         ("power", "provisioned"), ("power", "drawn"), ("profit", "provisioned")]  # fmt: skip
CASES = [(name, power, seed, False) for name, power in KINDS for seed in range(EACH)]
CASES += [(name, power, seed, True) for name, power in KINDS for seed in range(WHOLE)]


def test_every_objective_is_tried() -> None:
    for name in OBJECTIVES:
        assert sum(case[0] == name for case in CASES) >= 25, f"write {name} in tests/independent.py and add it here"
    assert len(CASES) >= 200


@pytest.mark.parametrize(("objective", "power", "seed", "whole"), CASES)
def test_the_search_finds_what_brute_force_finds(objective: str, power: str, seed: int, whole: bool) -> None:
    data = tiny(seed, objective, power=power, whole=whole)
    best = brute_force(data)
    solved = optimise(data, Clock(60.0, threads=1))
    if best.value is None:
        assert solved.found.status == INFEASIBLE
        return
    assert solved.found.status == OPTIMAL
    assert solved.value * solved.objective.per_unit(data.scenario) == pytest.approx(best.value, rel=1e-6)


def with_gap(data: ModelData, gap: float) -> ModelData:
    """Return the instance with another gap."""
    study = data.scenario.study.with_changes({"solver.gap": gap})
    return dataclasses.replace(data, scenario=dataclasses.replace(data.scenario, study=study))


@pytest.mark.parametrize("gap", [1e-6, 0.02])
@pytest.mark.parametrize("seed", range(2 * POLISHED))
@pytest.mark.parametrize("objective", ["tokens", "tokens_per_used_mw", "tco"])
def test_the_narrowed_search_bounds_brute_force(
    objective: str, seed: int, gap: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the narrowed search, the proof from a start and the tree over sets of platforms (one allowed).

    Optimum between value and bound, both within the gap: an integer fixed too eagerly, or a set of platforms
    pruned wrongly, would leave the optimum outside.
    """
    monkeypatch.setattr(solver.search, "WORTH_NARROWING", 0)
    data = with_gap(tiny(seed, objective), gap)
    if seed % 2:
        study = data.scenario.study.with_changes({"build.max_platforms": 1})
        data = dataclasses.replace(data, scenario=dataclasses.replace(data.scenario, study=study))
    best = brute_force(data)
    solved = optimise(data, Clock(60.0, threads=1))
    if best.value is None:
        assert solved.found.status == INFEASIBLE
        return
    unit, sense = solved.objective.per_unit(data.scenario), solved.objective.sense
    value, bound, slack = sense * solved.value * unit, sense * solved.bound * unit, 1e-6 * abs(best.value)
    assert value - slack <= sense * best.value <= bound + slack
    assert bound - value <= gap * abs(value) + slack


@pytest.mark.parametrize("seed", range(POLISHED))
@pytest.mark.parametrize(("objective", "power"), KINDS)
def test_the_polish_stays_within_the_gap(objective: str, power: str, seed: int) -> None:
    """Proves search and polish together: never better than brute force, never worse by more than the gap."""
    data = with_gap(tiny(seed, objective, power=power), 0.02)
    best = brute_force(data)
    solved = optimise(data, Clock(60.0, threads=1))
    if best.value is None or best.value == 0.0:
        assert solved.found.status == (INFEASIBLE if best.value is None else OPTIMAL)
        return
    polished = polish(solved, Clock(60.0, threads=1))
    value = polished.value * solved.objective.per_unit(data.scenario)
    loss = (best.value - value) / best.value * solved.objective.sense
    assert -1e-6 <= loss <= 0.02 * (1.0 + 1e-3) / (1.0 - 0.02)
    assert all(polished.kinds_after[kind] <= polished.kinds_before[kind] for kind in ("platforms", "configurations"))


ROWS = {
    "tokens": [
        "keep_what_was_bought", "fit_in_racks", "meet_prefill", "meet_decode", "fit_accelerators", "fit_own_nodes",
        "fit_kv_cache", "stay_on_own_node", "read_over_own_link", "park_somewhere", "keep_in_order", "park_on_own_nodes",
        "hit_what_is_kept", "fit_tier", "read_tier", "use_what_is_owned", "use_bought_racks", "within_limit",
        "within_platform_supply", "within_device_supply", "meet_demand", "keep_floor", "keep_mix", "choose_few",
        "build_only_chosen", "wire_ports", "stay_within_fabric", "build_one_fabric", "have_leaves", "have_spines", "have_optics",
        "write_new", "write_moved", "read_moved", "read_on_own_nodes", "write_tier", "wear_tier", "push_over_ports",
        "attach_hosts", "fit_appliance", "read_appliance", "write_appliance",
        "order_whole_lots", "order_enough", "order_only_if_placed", "keep_spares", "spread_over_vendors",
        "build_no_slivers", "buy_only_chosen", "choose_few_devices", "rest_on_few_estimates", "work_beyond_owned",
        "buy_beyond_owned",
    ],
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS["tokens"])
def test_the_instances_are_sharp(row: str) -> None:
    """Proves that brute force would notice a missing row: there is an instance whose optimum changes without it."""
    for seed in range(1000):
        data = tiny(seed, "tokens_per_mw")
        try:
            broken, right = optimum(data, row), optimum(data)
        except AssertionError:  # the instance lacks the row, or HiGHS took for whole what is not
            continue
        if math.isnan(right) != math.isnan(broken) or abs(right - broken) > 1e-4 * abs(right):
            return
    pytest.fail(f"no instance needs {row}")
