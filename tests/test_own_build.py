"""The user's own build as a baseline: its file, what it reaches, and what it breaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from catalog_files import problems
from records import candidate, configuration, housing, model_data, platform, scenario, workload

from solver.builds import Build, Nodes, build_from_dict, load_build
from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.highs import Clock
from solver.model.data import ModelData, Pool
from solver.optimise import optimise
from solver.report import render
from solver.scenario import resolve
from solver.solve import solve
from solver.study import Study, load_study

SSD = "nvme_micron_9550max_25tb"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(Path(__file__).parent / "one.toml")


def own(catalog: Catalog, study: Study, *nodes: Nodes, **changes: Any) -> tuple[dict[str, Any], Design]:
    """Solve with a build and return its record and the design."""
    changed = study.with_changes({path.replace("__", "."): value for path, value in changes.items()})
    design = solve(changed, catalog, baseline=Build("mine", nodes))
    return design.baselines[0], design


def given(nodes: dict[str, int] | None, **changes: Any) -> ModelData:
    """One server that serves 10 requests/s and costs 1,000 USD; 100 requests/s are wanted."""
    box = platform()
    pool = Pool(configuration(box), 1.0)
    data = model_data(scenario(changes, [workload(demand=100.0)]), [(candidate(at=box), None)], [housing(pool)])
    return dataclasses.replace(data, given_nodes=nodes)


def test_given_nodes_are_neither_more_nor_fewer() -> None:
    """Three nodes serve 30 requests/s, 3,000 tokens/s; free to buy, ten would serve all 100, 10,000 tokens/s."""
    solved = optimise(given({"node/standard": 3}), Clock(60.0))
    assert solved.value * 1e3 == pytest.approx(3000.0)
    assert optimise(given(None), Clock(60.0)).value * 1e3 == pytest.approx(10000.0)


def test_given_nodes_are_paid_for_though_unused() -> None:
    """Twelve nodes cost 12,000 USD where ten would do: a budget of 11,000 USD leaves no point, one of 12,000 does."""
    assert optimise(given({"node/standard": 12}, **{"site.budget_usd": 11e3}), Clock(60.0)).found.values is None
    within = optimise(given({"node/standard": 12}, **{"site.budget_usd": 12e3}), Clock(60.0))
    assert within.value * 1e3 == pytest.approx(10000.0)


def test_the_designs_own_nodes_reach_what_the_design_reaches(catalog: Catalog, study: Study) -> None:
    """A build copied from the design is as good as the design in parts of replicas, and nothing is broken."""
    design = solve(study, catalog)
    nodes = [
        Nodes(p["platform"], p["quantity"], tuple((d["device"], d["count"]) for d in p["devices"]))
        for p in design.pools
    ]
    record, again = own(catalog, study, *nodes)
    assert record["breaks"] == [] and record["lifted"] == [] and not record["unserved"]
    assert record["objective_value"] == pytest.approx(design.value_in_parts, rel=2 * study.solver.gap)
    assert record["objective_value"] <= again.objective["bound"] * (1 + 1e-9)
    assert abs(record["gain_frac"]) < 0.002 and abs(record["distance_frac"]) < 0.002


def test_a_smaller_build_is_behind_and_the_screen_says_so(catalog: Catalog, study: Study) -> None:
    record, design = own(catalog, study, Nodes("hgx_h200_8", 10))
    value = design.value_in_parts
    assert 0 < record["objective_value"] < value
    assert record["gain_frac"] == pytest.approx(value / record["objective_value"] - 1.0)
    assert record["distance_frac"] == pytest.approx(1.0 - record["objective_value"] / value)
    assert "your build 'mine'" in render(design) and "behind)" in render(design)
    assert Design.from_json(design.to_json()) == design


def test_broken_limits_are_named_with_their_excess(catalog: Catalog, study: Study) -> None:
    """Two H200 servers too many for the supply, a part the study excludes, more watts and dollars than there are."""
    changes = {"supply__platform__hgx_h200_8": 8, "site__budget_usd": 4e6, "site__power_mw": 0.15}
    record, design = own(catalog, study, Nodes("hgx_h200_8", 10), Nodes("hgx_h100_8", 5), **changes)
    broken = {b["limit"]: b for b in record["breaks"]}
    assert set(broken) == {"part.hgx_h100_8", "site.power_mw", "site.budget_usd", "supply.platform.hgx_h200_8"}
    assert broken["supply.platform.hgx_h200_8"]["excess"] == 2
    scenario = resolve(study, catalog)
    assert broken["site.power_mw"]["needed"] > 15 * 10e3 > broken["site.power_mw"]["allowed"] * 0.9
    assert broken["site.budget_usd"]["excess"] == pytest.approx(broken["site.budget_usd"]["needed"] - 4e6)
    assert scenario.site.budget_usd == 20e6, "the study itself is not touched"
    assert record["lifted"] == ["site.budget_usd", "supply.platform.hgx_h200_8.quantity"]
    assert record["objective_value"] > 0 and "breaks" in render(design)


def test_kinds_and_slivers_of_a_build_are_named(catalog: Catalog, study: Study) -> None:
    """One kind of drive where none is wanted is lifted and said; two servers are neither half of 2 MW nor a rack."""
    changes = {"build__max_device_kinds": 0, "build__min_platform_mw_frac": 0.5, "site__power_mw": 2.0}
    record, design = own(catalog, study, Nodes("hgx_h200_8", 2, ((SSD, 8),)), **changes)
    broken = {b["limit"]: b for b in record["breaks"]}
    assert set(broken) == {"build.max_device_kinds", "build.min_platform_mw_frac"}
    assert broken["build.max_device_kinds"]["excess"] == 1 and record["lifted"] == ["build.max_device_kinds"]
    assert "2 of hgx_h200_8 are neither 0.5 of" in broken["build.min_platform_mw_frac"]["reason"]
    assert "neither 0.5" in render(design)


def test_too_small_for_the_demand_says_how_much_it_serves(catalog: Catalog, study: Study) -> None:
    """Half of the nodes serve half of the demand that the whole number just serves."""
    changes = {
        "demand__mode": "fixed", "demand__floor_frac": 1.0, "objective__name": "tco", "build__tiers": False,
        "workload__chat_short__requests_per_s": 500.0,
    }  # fmt: skip
    few, _ = own(catalog, study, Nodes("hgx_h200_8", 4), **changes)
    double, _ = own(catalog, study, Nodes("hgx_h200_8", 8), **changes)
    assert few["objective_value"] is None and 0 < few["served_frac"] < 1
    assert double["served_frac"] == pytest.approx(2 * few["served_frac"], rel=0.01)


def test_a_class_that_no_node_can_serve_is_named(catalog: Catalog, study: Study) -> None:
    record, design = own(catalog, study, Nodes("l40s_8", 10), workload__chat_short__tpot_s=0.012)
    assert record["objective_value"] is None
    assert [u["class"] for u in record["unserved"]] == ["chat_short"]
    assert "cannot serve chat_short" in render(design)


def test_files_in_two_formats_say_the_same(tmp_path: Path) -> None:
    toml, table = tmp_path / "plan.toml", tmp_path / "plan.csv"
    toml.write_text(f'[[node]]\nplatform = "a"\nquantity = 3\ndevices = {{ {SSD} = 8 }}\n[[node]]\nplatform = "b"\n'
                    'quantity = 1\nconfiguration = "b/standard"\n')  # fmt: skip
    table.write_text(f"platform,quantity,devices\na,3,8x{SSD}\nb,1,\n\n")
    first, second = load_build(toml), load_build(table)
    assert [(n.platform, n.quantity, n.devices) for n in first.nodes] == [("a", 3, ((SSD, 8),)), ("b", 1, ())]
    assert [n.devices for n in second.nodes] == [n.devices for n in first.nodes] and second.name == "plan"


def test_everything_wrong_with_a_file_is_told_at_once(tmp_path: Path, catalog: Catalog, study: Study) -> None:
    (tmp_path / "x.csv").write_text("platform,quantity,devices\na,-1,\nb,two,8 of them\n,1,\n")
    found = problems(lambda: load_build(tmp_path / "x.csv"))
    assert [(p.row, p.field) for p in found] == [
        ("line 2", "quantity"), ("line 3", "quantity"), ("line 3", "devices"), ("line 4", "platform"),
    ]  # fmt: skip
    assert problems(lambda: load_build(tmp_path / "absent.toml"))[0].message == "no such file"
    assert problems(lambda: build_from_dict({"node": [], "nodes": []}))[0].hint == "did you mean 'node'?"
    build = Build(
        "mine", (Nodes("hgx_h200", 1), Nodes("hgx_h200_8", 1, ((SSD, 9),)), Nodes("hgx_h200_8", 1, (("x", 1),)))
    )
    found = problems(lambda: solve(study, catalog, baseline=build))
    assert [p.value for p in found] == ["hgx_h200", "", "x"] and "9 nvme bays taken, 8 there" in found[1].message
