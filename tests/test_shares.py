"""Shares that rest on estimates on real parts: designs within limits, the fleet, prices that move, a build of one's own."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from test_model_shares import CAPEX, POWER, two

from solver import brief
from solver.baselines import add_baselines
from solver.builds import Build, Nodes
from solver.catalog import Catalog, load_catalog
from solver.charts.html import page
from solver.design import Design
from solver.errors import InputError
from solver.explain import explain
from solver.highs import Clock
from solver.market import open_market
from solver.model.data import Pool
from solver.optimise import compiled
from solver.own_build import own_build
from solver.report import render
from solver.resident import Resident
from solver.scenario import resolve
from solver.shares import SHARES
from solver.solve import columns_of, solve
from solver.study import Study, study_from_dict
from solver.whatif import views

ROUGH, SOUND = "mi300x_8", "hgx_h100_8"
"""Platforms of the catalog whose price and power are estimates, and are none."""


@cache
def catalog() -> Catalog:
    return load_catalog()


def study(changes: dict[str, Any] | None = None, **sections: Any) -> Study:
    """Return half a megawatt of short chats on two kinds of server."""
    others = [row.id for row in catalog().rows("platforms") if row.id not in (ROUGH, SOUND)]
    return study_from_dict({
        "name": "shares",
        "site": {"power_mw": 0.5, "id": "us_1mw"},
        "workload": [{"id": "chat_short", "requests_per_s": 1.0}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 1, "router_width": 1, "tiers": False},
        "solver": {"gap": 0.002, "threads": 1},
        "exclude": others,
    } | sections).with_changes(changes or {})  # fmt: skip


@cache
def free() -> Design:
    return solve(study(), catalog())


FLEET = {"fleet": [{"platform": SOUND, "quantity": 12}]}
SPARES = {"build.spares_days": 14.0, "build.n_plus_one": True}


@pytest.mark.parametrize("sections", [{}, FLEET], ids=["bought", "fleet"])
@pytest.mark.parametrize(
    "changes",
    [
        {CAPEX: 0.5},
        {CAPEX: 0.2},
        {POWER: 0.3},
        {CAPEX: 0.3, POWER: 0.3, "build.whole_replicas": True},
        {CAPEX: 0.4} | SPARES,
    ],
    ids=["half", "fifth", "watts", "both", "spares"],
)
def test_key_figures_are_within_their_limits(changes: dict[str, Any], sections: dict[str, Any]) -> None:
    """Proves that what a limit binds is the key figure: within it to 1e-6, and used for the most part."""
    design = solve(study(changes, **sections), catalog())
    assert design.audit["ok"] and design.objective["value"] < free().objective["value"]
    near = []
    for share in SHARES.values():
        limit = changes.get(share.path)
        record = next((item for item in design.limits if item["id"] == share.path), None)
        assert (record is None) == (limit is None)
        if record is not None and limit is not None:
            assert record["used"] == design.kpis[share.id]["value"] <= limit * (1 + 1e-6)
            assert record["value"] == limit and record["slack"] == limit - record["used"]
            near.append(record["used"] / limit)
    assert max(near) > (0.75 if "build.n_plus_one" in changes else 0.85), "spares of sound parts dilute nothing"


def test_a_share_that_binds_is_shown_wherever_limits_are() -> None:
    """Proves report, brief, spreadsheet and page of a design that a share holds back: each names it."""
    design = solve(study({POWER: 0.3}), catalog(), baselines=True)
    assert f"{POWER} (" in render(design) and f"{POWER} (" in brief.brief(design)
    assert any(POWER in str(row) for row in views.limit_rows(design)) and POWER in page(design)
    name = SHARES["estimated_power_share"].name
    assert views.limit_name(design, POWER) == name
    assert " -0 " not in render(design)


def test_a_limit_above_what_the_best_build_has_changes_nothing() -> None:
    """The network's sound part counts for little, so that a limit a hundredth higher is enough."""
    for share in SHARES.values():
        limit = min(1.0, free().kpis[share.id]["value"] * 1.01)
        design = solve(study({share.path: limit}), catalog())
        assert design.objective["value"] == pytest.approx(free().objective["value"], rel=2e-3)


def test_baselines_keep_the_limit() -> None:
    """Proves that no baseline of estimates alone is set against a design that may hold a fifth of them."""
    limited = study({CAPEX: 0.2})
    scenario, clock = resolve(limited, catalog()), Clock(60.0, threads=1)
    design = add_baselines(solve(limited, catalog()), scenario, columns_of({}), clock)
    values = [item["objective_value"] for item in design.baselines if item.get("objective_value")]
    assert values and max(values) <= design.objective["bound"] * (1 + 1e-9)


def test_a_share_without_sound_parts_is_named() -> None:
    """Only servers of estimates may be bought: the explanation says so with numbers, and its relaxation is enough."""
    only = study({CAPEX: 0.2, "exclude": [*study().exclude, SOUND]})
    design = solve(only, catalog())
    assert not design.has_build and any(line.startswith(f"{CAPEX}: ") for line in design.explanation)
    single = next(item for item in design.explained["clashes"]["single"] if item["id"] == CAPEX)
    assert single["allowed"] == 0.2 and single["enough_alone"]
    assert solve(only.with_changes({CAPEX: single["needed"]}), catalog()).has_build
    assert not solve(only.with_changes({CAPEX: single["needed"] * 0.98}), catalog()).has_build


@pytest.mark.parametrize("value", [0.0, 1.5, -0.1])
def test_shares_beyond_their_range_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="max_estimated_capex_share"):
        study({CAPEX: value})


def test_a_build_of_ones_own_is_told_what_it_rests_on() -> None:
    """Thirty servers of estimates: said with numbers, and compared for all that."""
    build = Build("mine", (Nodes(ROUGH, 30), Nodes(SOUND, 1)))
    record = own_build(build, resolve(study({CAPEX: 0.3, POWER: 0.2}), catalog()), Clock(60.0, threads=1))
    broken = {item["limit"]: item for item in record["breaks"]}
    assert set(broken) == {CAPEX, POWER} and record["objective_value"] > 0.0
    assert broken[POWER]["allowed"] == 0.2 and broken[POWER]["needed"] > 0.9


@pytest.mark.parametrize("fleet", [[], [{"platform": "sound", "quantity": 1}]], ids=["bought", "fleet"])
def test_a_price_moves_what_dilutes(fleet: list[dict[str, Any]]) -> None:
    """Proves Market.at with a limited share: the program at a price is the one that this price makes."""
    data = two({CAPEX: 0.5, "site.budget_usd": 2e4, "fleet": fleet})
    market, model = open_market(data, {"sound/standard": 1}, 1e3)
    assert model is not None
    pools = {
        p.id: Pool(dataclasses.replace(p.config, price_usd=2500.0), p.cap) if "sound" in p.id else p for p in data.pools
    }
    dear = dataclasses.replace(
        data,
        pools=tuple(pools.values()),
        housings=tuple(dataclasses.replace(h, pool=pools[h.pool.id]) for h in data.housings),
    )
    wanted, at = compiled(dear)[1], market.at(2500.0)
    assert np.array_equal(at.index, wanted.index)
    big = np.abs(wanted.value) < 100.0  # how many nodes money buys at most is counted once
    assert at.value[big] == pytest.approx(wanted.value[big], rel=1e-9)
    assert list(market.money_rows.values()) == [pytest.approx(1e-3)]


@pytest.mark.parametrize(("part", "factor"), [(SOUND, 0.6), (SOUND, 1.6), (ROUGH, 1.8)])
def test_a_warm_answer_to_another_price_keeps_its_bound(part: str, factor: float) -> None:
    """Proves that a price in the row of a share is not left as it was: a cold solve is no better than the warm bound."""
    limited, usd = study({CAPEX: 0.4}), catalog().row("platforms", part)["price_central_usd"] * factor
    row = {"id": part, "price_central_usd": usd, "price_low_usd": None, "price_high_usd": None}
    other, warm = catalog().overlay({"platforms": [row]}), Resident(limited, catalog())
    warm.solve({})
    warm.catalog = other
    found, cold = warm.solve({}).objective, solve(limited, other).objective
    assert cold["value"] <= found["bound"] * (1 + 1e-9) and found["value"] <= cold["bound"] * (1 + 1e-9)


def test_a_share_that_binds_is_worth_something() -> None:
    """Proves the bottleneck: a tenth more of the share gains as much as a solve with it says."""
    limited = study({POWER: 0.3})
    design = explain(limited, catalog(), ("bottlenecks", "ladder"))
    record = next(item for item in design.explained["bottlenecks"] if item["id"] == POWER)
    assert record["how"] == "solved again" and record["used"] == design.kpis["estimated_power_share"]["value"]
    step = record["steps"][0]
    more = solve(limited.with_changes({POWER: 0.33}), catalog())
    gained = more.kpis["tokens_per_s"]["value"] - design.kpis["tokens_per_s"]["value"]
    slack = 2 * 0.002 * design.kpis["tokens_per_s"]["value"]
    assert step["gain_low"] - slack <= gained <= step["gain_high"] + slack and step["gain_high"] > 0.0
    assert design.explained["ladder"]["rungs"][0]["bottleneck"]
