"""Flows of watts, dollars and bytes: what flows into a node flows out of it, and the whole is the key figure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from solved import catalog, design, variant

from solver.charts.colours import TIERS, faded, tier_colour, vendor_colours
from solver.charts.flows import (
    ACTIVE,
    COOLING,
    FREE,
    HOST,
    LOCAL,
    METER,
    PARKED,
    WEIGHTS,
    capital,
    inflow,
    outflow,
    stored,
    tokens_of,
    watts,
    yearly,
)
from solver.charts.html import chart
from solver.design import Design

Flows = Callable[[Design], list[dict[str, Any]]]
KINDS: dict[str, tuple[Flows, str]] = {
    "drawn": (watts, "drawn_meter_w"),
    "provisioned": (partial(watts, power="provisioned"), "utility_meter_w"),
    "capital": (capital, "capex_usd"),
    "yearly": (yearly, "tco_usd_per_year"),
    "stored": (stored, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_flows_balance_at_every_inner_node(kind: str) -> None:
    flows = KINDS[kind][0](design())
    into, out = inflow(flows), outflow(flows)
    inner = set(into) & set(out)
    assert len(inner) >= 1
    for name in inner:
        assert into[name] == pytest.approx(out[name], rel=1e-6), name
    assert all(flow["value"] > 0 and flow["source"] != flow["target"] for flow in flows)
    assert len({flow["unit"] for flow in flows}) == 1


def test_flows_balance_with_an_owned_fleet_and_an_own_building() -> None:
    solved = variant("lengths, drafts, fleet")
    for make, kpi in KINDS.values():
        flows = make(solved)
        into, out = inflow(flows), outflow(flows)
        assert all(into[name] == pytest.approx(out[name], rel=1e-6) for name in set(into) & set(out))
        whole = sum(value for name, value in out.items() if name not in into)
        assert not kpi or whole == pytest.approx(solved.kpis[kpi]["value"], rel=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][1]])
def test_whole_flow_is_the_key_figure(kind: str) -> None:
    make, kpi = KINDS[kind]
    flows = make(design())
    into, out = inflow(flows), outflow(flows)
    roots = [name for name in out if name not in into]
    assert len(roots) == 1
    assert out[roots[0]] == pytest.approx(design().kpis[kpi]["value"], rel=1e-9)
    assert sum(v for name, v in into.items() if name not in out) == pytest.approx(out[roots[0]], rel=1e-9)


def test_watts_end_at_the_tokens_of_every_class() -> None:
    solved = design()
    into = inflow(watts(solved))
    for spec in solved.study["workload"]:
        mine = sum(item["drawn_above_idle_w"] for item in solved.load if item["class"] == spec["id"])
        assert into[tokens_of(spec["id"])] == pytest.approx(mine)
    assert into[COOLING] > 0 and into[HOST] > 0


def test_provisioned_boards_are_occupied_or_free() -> None:
    solved = design()
    into = inflow(watts(solved, "provisioned"))
    boards = sum(pool["board_w"] for pool in solved.pools)
    tokens = sum(into[tokens_of(spec["id"])] for spec in solved.study["workload"])
    assert tokens + into.get(FREE, 0.0) == pytest.approx(boards)
    spoiled = [item | {"accelerators": 0.5 * item["accelerators"]} for item in solved.load]
    assert inflow(watts(solved.replace(load=spoiled), "provisioned"))[FREE] > 0.4 * boards


def test_flows_of_a_changed_bill_follow_it() -> None:
    solved = design()
    bill = [line | {"capex_usd": 2.0 * line["capex_usd"]} for line in solved.bill_of_materials]
    doubled = capital(solved.replace(bill_of_materials=bill))
    assert sum(f["value"] for f in doubled) == pytest.approx(2.0 * sum(f["value"] for f in capital(solved)))


def test_bytes_are_those_of_the_placement_and_of_local_memory() -> None:
    solved = design()
    flows = stored(solved)
    out, into = outflow(flows), inflow(flows)
    assert out[PARKED] == pytest.approx(sum(p["bytes"] for p in solved.placement if p["kind"] == "parked"))
    assert set(out) >= {WEIGHTS, ACTIVE, PARKED, LOCAL}
    local = [f for f in flows if f["target"] == LOCAL]
    assert {f["source"] for f in local} == {WEIGHTS, ACTIVE}
    chips = {str(row["id"]): row for row in solved.catalog["rows"]["accelerators"].values()}
    count = {name: 0.0 for name in chips}
    for pool in solved.pools:
        platform = solved.catalog["rows"]["platforms"][pool["platform"]]
        if platform["accelerator_id"]:
            count[platform["accelerator_id"]] += pool["accelerators"]
    for name, row in chips.items():
        assert into.get(name, 0.0) <= count[name] * row["mem_gb"] * 1e9 * 1.001


def test_no_empty_chart_is_drawn() -> None:
    from solver.charts import figures

    assert figures.sankey([], {}) is None and chart(None, "a", "b") == ""
    assert figures.ladder({"rungs": []}, "x") is None and figures.pareto({"points": []}) is None
    assert figures.waterfall({"levers": []}) is None and figures.tornado({"numbers": []}) is None
    assert figures.bottlenecks([{"id": "a", "value": 1.0, "marginal": None}], "x") is None
    assert figures.architectures({}, "x") is None


def test_figures_hold_the_flows() -> None:
    from solver.charts import figures

    drawn = figures.watts(design())
    assert drawn is not None
    assert sum(drawn.data[0].link.value) == pytest.approx(sum(f["value"] for f in watts(design())))
    assert METER in drawn.data[0].node.label[0]
    for make in (figures.capital, figures.yearly, figures.stored):
        assert make(design()) is not None


def test_colours_are_the_same_wherever_a_thing_stands() -> None:
    words = {str(row["tier"]) for row in catalog().rows("memory")}
    assert words <= set(TIERS) and len(set(TIERS.values())) == len(TIERS)
    assert tier_colour("pooled_ddr") == tier_colour("ddr") != tier_colour("hdd")
    few, more = vendor_colours(["A", "B"]), vendor_colours(["B", "A", "B"])
    assert few == more and few["A"] != few["B"]
    assert faded("#102030", 0.5) == "rgba(16,32,48,0.5)"
