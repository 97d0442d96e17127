"""An infeasible study as choices, each of which the study takes; those that are enough give a build."""

from __future__ import annotations

import pytest
from explained import CLASHES, infeasible
from solved import catalog, design, study

from solver.solve import solve
from solver.whatif.remedies import changed, remedies


def test_the_smallest_change_comes_first() -> None:
    found = remedies(infeasible())
    assert [r["share"] for r in found if r["kind"] != "joint"] == sorted(
        r["share"] for r in found if r["kind"] != "joint"
    )
    assert found[0]["changes"] == {"demand.floor_frac": 0.8456} and found[0]["kind"] == "single"


def test_numbers_are_rounded_to_the_side_that_gives_room() -> None:
    found = {tuple(r["changes"]): r["changes"] for r in remedies(infeasible())}
    assert found[("site.power_mw",)] == {"site.power_mw": 0.7032}
    assert found[("workload.tool_agent.ttft_s",)] == {"workload.tool_agent.ttft_s": 3.1}


def test_counts_are_whole_numbers() -> None:
    supply = next(r for r in remedies(infeasible()) if "supply.platform.hgx_h200_8" in r["changes"])
    assert supply["changes"] == {"supply.platform.hgx_h200_8": 12} and isinstance(
        supply["changes"]["supply.platform.hgx_h200_8"], int
    )
    assert changed(infeasible(), supply["changes"]).supply.platform["hgx_h200_8"].quantity == 12


def test_several_limits_together_come_last() -> None:
    last = remedies(infeasible())[-1]
    assert last["kind"] == "joint" and last["changes"] == {"site.power_mw": 0.55, "demand.floor_frac": 0.9}
    assert last["share"] == pytest.approx(0.1 + 0.1)


def test_what_is_not_enough_alone_is_not_offered() -> None:
    paths = {path for r in remedies(infeasible()) for path in r["changes"]}
    assert "site.floor_m2" not in paths and "workload.tool_agent.tpot_s" not in paths


def test_promises_that_must_give_way_together_are_one_choice() -> None:
    both = [
        {"class": "tool_agent", "role": "decode", "promise": kind, "asked": 0.01, "nearest": 0.02, "needed": 0.03, "needed_bound": 0.02,
         "unit": "s", "where": "", "enough_alone": False}
        for kind in ("ttft", "tpot")
    ]  # fmt: skip
    found = remedies(infeasible(single=[], joint=[], promises=[], classes=both))
    assert [r["changes"] for r in found] == [{"workload.tool_agent.ttft_s": 0.03, "workload.tool_agent.tpot_s": 0.03}]


def test_contradictions_are_in_the_unit_of_their_key_and_may_not_be_all() -> None:
    inputs = [{"id": "site.power_mw", "words": "fixed", "allowed": 5e5, "needed": 7e5, "unit": "W"},
              {"id": "site.cooling", "words": "no", "allowed": None, "needed": None, "unit": ""},
              {"id": "catalog", "words": "no", "allowed": 1.0, "needed": 2.0, "unit": ""}]  # fmt: skip
    found = remedies(infeasible(single=[], joint=[], promises=[], inputs=inputs))
    assert [(r["changes"], r["enough"]) for r in found] == [({"site.power_mw": 0.7}, False)]
    known = remedies(infeasible(joint=[], promises=[], inputs=inputs))
    assert all(r["enough"] for r in known), "the limit's own relaxation says more"


def test_options_that_are_taken_away() -> None:
    single = [{"id": key, "name": key, "unit": "", "allowed": 0.2, "needed": 0.0, "needed_bound": 0.0, "enough_alone": True}
              for key in ("build.min_platform_mw_frac", "build.n_plus_one")]  # fmt: skip
    found = {next(iter(r["changes"])): r["changes"] for r in remedies(infeasible(single=single, joint=[], promises=[]))}
    assert found["build.min_platform_mw_frac"] == {"build.min_platform_mw_frac": None}
    assert found["build.n_plus_one"] == {"build.n_plus_one": False}


def test_a_design_with_a_build_has_none() -> None:
    assert remedies(design()) == []


def test_the_records_are_as_the_solver_writes_them() -> None:
    """A promise that nothing keeps: the change that is offered gives a build."""
    broken = solve(study().with_changes({"workload.tool_agent.ttft_s": 0.001, "demand.floor_frac": 0.1}), catalog())
    assert broken.status == "infeasible" and set(CLASHES) == set(broken.explained["clashes"])
    found = remedies(broken)
    assert found and found[0]["kind"] == "class" and set(found[0]["changes"]) == {"workload.tool_agent.ttft_s"}
    assert solve(changed(broken, found[0]["changes"]), catalog()).has_build
