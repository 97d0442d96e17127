"""The tornado: ends against independent solves, order, ranges, the same build, and what was not solved."""

from __future__ import annotations

import re
from functools import cache

import pytest

from solver import answers
from solver.builds import Build, Nodes
from solver.catalog import Catalog, load_catalog
from solver.charts import figures
from solver.configurations import configurations
from solver.design import Design, Record
from solver.explaining import tornado as module
from solver.explaining.same_build import SameBuild, made_as_it_was
from solver.explaining.subject import Subject
from solver.explaining.tornado import tornado
from solver.explaining.uncertain import Basis, Number, uncertain
from solver.highs import Clock
from solver.own_build import own_build
from solver.scenario import resolve
from solver.solve import columns_of, solve
from solver.study import Study, study_from_dict
from solver.words import amount

KEPT = ("hgx_h100_8",)


@cache
def catalog() -> Catalog:
    return load_catalog()


@cache
def study(**site: float) -> Study:
    """Short chats and tools on one kind of server with host memory, for two million dollars."""
    others = [row.id for row in catalog().rows("platforms") if row.id not in KEPT]
    extra = [row.id for row in catalog().rows("memory") if row["tier"] not in ("ddr",)]
    return study_from_dict({
        "name": "tornado",
        "site": {"power_mw": 0.5, "budget_usd": 2e6, "id": "us_1mw"} | site,
        "workload": [{"id": "chat_short", "requests_per_s": 1.0}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 1, "router_width": 1, "reuse_segments": 1},
        "solver": {"gap": 0.01, "threads": 1},
        "exclude": others + extra,
    })  # fmt: skip


@cache
def design() -> Design:
    return solve(study(), catalog())


def subject() -> Subject:
    return Subject(study(), catalog(), design(), columns_of({}), Clock(60.0, threads=1))


@cache
def found() -> Record:
    return tornado(subject(), numbers=4, exact=True)


@cache
def listed() -> list[Number]:
    return uncertain(Basis.of(design(), study(), catalog()))


@cache
def numbers() -> dict[str, Number]:
    return {number.path: number for number in listed()}


def test_ends_agree_with_solves_of_their_own() -> None:
    """Proves each end: the catalog with the number there, solved cold, is within both bounds."""
    assert len(found()["numbers"]) == 4
    for row in found()["numbers"]:
        number = numbers()[row["path"]]
        for end in ("low", "high"):
            value = getattr(number, end)
            other = catalog().overlay(number.overlay(value)) if number.overlay else catalog()
            alone = solve(study().with_changes(number.changes(value)), other).objective
            assert alone["value"] <= row[f"bound_at_{end}"] * (1 + 1e-9), row["path"]
            assert row[f"value_at_{end}"] <= alone["bound"] * (1 + 1e-9), row["path"]


def test_the_largest_swing_stands_first_and_lies_in_its_range() -> None:
    swings = [row["swing_frac"] for row in found()["numbers"]]
    assert swings == sorted(swings, reverse=True)
    for row in found()["numbers"]:
        assert row["least_swing_frac"] <= row["swing_frac"] <= row["most_swing_frac"]
        moved = abs(row["value_at_high"] - row["value_at_low"]) / found()["value"]
        assert row["swing_frac"] == pytest.approx(moved, rel=1e-9)


def test_the_same_build_agrees_with_its_nodes_solved_alone() -> None:
    """Proves the same build at each end where it stands: its nodes fixed under the changed catalog, another way in.

    No build is better than the best one there.
    """
    nodes = Nodes("hgx_h100_8", sum(pool["quantity"] for pool in design().pools))
    for row in found()["numbers"]:
        number = numbers()[row["path"]]
        for end in ("low", "high"):
            value = row[f"same_at_{end}"]
            assert (value is None) == bool(row[f"same_words_at_{end}"])
            if value is None:
                continue
            assert value <= row[f"value_at_{end}"] <= row[f"bound_at_{end}"] * (1 + 1e-9)
            changed = getattr(number, end)
            other = catalog().overlay(number.overlay(changed)) if number.overlay else catalog()
            alone = own_build(Build("same", (nodes,)), resolve(study(), other), Clock(60.0, threads=1))
            assert value == pytest.approx(alone["objective_value"], rel=2e-3), (row["path"], end)


def test_a_build_that_costs_too_much_is_said_not_to_stand() -> None:
    """Two million dollars were spent: at the high price the same servers cost more, by the difference of the prices."""
    row = next(r for r in found()["numbers"] if r["path"] == "platforms.hgx_h100_8.price_central_usd")
    assert row["same_at_low"] == design().objective["value"] and row["same_at_high"] is None
    assert row["same_swing_frac"] is None
    count = sum(pool["quantity"] for pool in design().pools)
    usd = design().kpis["capex_usd"]["value"] + count * (row["high"] - row["number"])
    assert row["same_words_at_high"] == f"it costs {amount(usd, 'USD')}, 2.00 MUSD are allowed"
    shown = answers.tornado(found())
    assert f"at its high end: {row['same_words_at_high']}" in shown and " no " in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_the_yearly_cost_of_the_same_build_moves_with_its_price() -> None:
    """Proves the same build where money counts: so many servers times the range of their price, a year's worth of it."""
    cheap = study().with_changes({"objective.name": "tco", "demand.floor_frac": 1.0, "site.budget_usd": None})
    made = solve(cheap, catalog())
    price = next(n for n in uncertain(Basis.of(made, cheap, catalog())) if n.path.startswith("platforms."))
    same = SameBuild(made, cheap, catalog())
    low, high = (same.at(price, value, Clock(60.0, threads=1)).value for value in (price.low, price.high))
    assert low is not None and high is not None
    scenario = resolve(cheap, catalog())
    count = sum(pool["quantity"] for pool in made.pools)
    yearly = scenario.landed_usd(price.high - price.low) * scenario.finance.yearly("platform")
    assert high - low == pytest.approx(count * yearly, rel=1e-3)
    assert low < made.objective["value"] < high


@pytest.mark.parametrize("owned", [0, 2])
def test_a_build_that_cannot_serve_what_must_be_served_says_how_much_it_can(owned: int) -> None:
    """Stated rates near all that the servers can do, some of them owned: with slower prefill they serve less."""
    fleet = [{"platform": "hgx_h100_8", "quantity": owned}] if owned else []
    asked = {
        "demand.mode": "fixed",
        "demand.floor_frac": 1.0,
        "objective.name": "tco",
        "site.budget_usd": None,
        "fleet": fleet,
    }
    rate = design().kpis["requests_per_s"]["value"] * 0.999
    tight = study().with_changes({**asked, "workload.chat_short.requests_per_s": rate})
    made = solve(tight, catalog())
    assert sum(pool["quantity"] for pool in made.pools) == sum(pool["quantity"] for pool in design().pools)
    slower = next(n for n in uncertain(Basis.of(made, tight, catalog())) if "prefill_flop_frac" in n.path)
    same = SameBuild(made, tight, catalog())
    worth = same.at(slower, slower.low, Clock(60.0, threads=1))
    assert worth.value is None and re.search(r"it serves 9\d(\.\d)?% of what must be served", worth.words)
    now = same.at(slower, slower.value, Clock(60.0, threads=1))
    assert now.value == pytest.approx(made.objective["value"], rel=5e-3) and not now.words


def test_a_configuration_off_the_menu_is_made_as_it_was() -> None:
    """Drives are the cheapest of their tier: at other prices the menu may hold others."""
    scenario = resolve(study(), catalog())
    special = [config for config in configurations(scenario) if config.bought]
    assert special
    assert [made_as_it_was(scenario, config.id) for config in special] == special


def test_the_chart_marks_the_same_build() -> None:
    drawn = figures.tornado(found())
    assert drawn is not None
    marks = {trace.name: trace for trace in drawn.data if trace.type == "scatter"}
    stands, breaks = marks["this build there"], marks["this build does not stand there"]
    ends = [(row, end) for row in found()["numbers"] for end in ("low", "high")]
    assert sorted(stands.x) == sorted(row[f"same_at_{end}"] for row, end in ends if not row[f"same_words_at_{end}"])
    assert sorted(breaks.x) == sorted(row[f"value_at_{end}"] for row, end in ends if row[f"same_words_at_{end}"])
    assert all("it costs" in text for text in breaks.hovertext)


def test_a_dearer_server_serves_less() -> None:
    """The price of the only server: two million dollars buy fewer of them."""
    row = next(r for r in found()["numbers"] if r["path"] == "platforms.hgx_h100_8.price_central_usd")
    assert row["low"] < row["number"] < row["high"]
    assert row["value_at_high"] < row["value_at_low"]
    servers = [int(2e6 // row[end]) for end in ("low", "high")]
    ratio = row["value_at_high"] / row["value_at_low"]
    assert ratio == pytest.approx(servers[1] / servers[0], abs=1.0 / servers[1])


def test_what_was_not_solved_is_named_and_not_listed() -> None:
    listed = {row["path"] for row in found()["numbers"]}
    assert listed | set(found()["untested"]) == set(numbers())
    assert not listed & set(found()["untested"])
    assert found()["untested"]


def test_each_memory_series_is_there_once() -> None:
    paths = [number.path for number in listed()]
    assert len(paths) == len(set(paths))
    assert all(number.low <= number.value <= number.high for number in numbers().values())


def test_prices_do_not_matter_where_no_money_counts() -> None:
    """Without a budget and with tokens as objective no price is asked about; with yearly cost all are, and PUE too."""
    free = study().with_changes({"site.budget_usd": None})
    tables = {n.path.split(".")[0] for n in uncertain(Basis.of(design(), free, catalog()))}
    assert "platforms" not in tables and "cooling" not in tables and "calibration" in tables
    paid = study().with_changes({"objective.name": "tco", "demand.floor_frac": 1.0})
    tables = {n.path.split(".")[0] for n in uncertain(Basis.of(design(), paid, catalog()))}
    assert {"platforms", "cooling", "finance"} <= tables


def test_an_end_without_a_build_loses_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server at a hundred times its price: the budget buys none."""
    price = numbers()["platforms.hgx_h100_8.price_central_usd"]
    row = catalog().row("platforms", "hgx_h100_8")
    dear = Number(price.path, price.name, "USD", price.value, price.low, 100.0 * row["price_central_usd"], 1.0,
                  lambda usd: {"platforms": [{"id": "hgx_h100_8", "price_central_usd": usd, "price_high_usd": 9e7}]})  # fmt: skip
    monkeypatch.setattr(module, "uncertain", lambda _: [dear])
    row = tornado(subject())["numbers"][0]
    assert row["value_at_high"] is None and row["bound_at_high"] is None
    assert row["swing_frac"] == pytest.approx(row["value_at_low"] / design().objective["value"])


def test_time_that_is_up_leaves_numbers_untested() -> None:
    none = tornado(subject(), time_limit_s=0.0)
    assert none["numbers"] == [] and set(none["untested"]) == set(numbers())
