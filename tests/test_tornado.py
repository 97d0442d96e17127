"""The tornado: ends against independent solves, order, ranges, and that nothing is said of what was not solved."""

from __future__ import annotations

from functools import cache

import pytest

from solver.catalog import Catalog, load_catalog
from solver.design import Design, Record
from solver.explaining import tornado as module
from solver.explaining.tornado import tornado
from solver.explaining.uncertain import Basis, Number, uncertain
from solver.highs import Clock
from solver.solve import solve
from solver.study import Study, study_from_dict

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


@cache
def found() -> Record:
    return tornado(design(), study(), catalog(), Clock(60.0, threads=1), numbers=4, exact=True)


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
    row = tornado(design(), study(), catalog(), Clock(60.0, threads=1))["numbers"][0]
    assert row["value_at_high"] is None and row["bound_at_high"] is None
    assert row["swing_frac"] == pytest.approx(row["value_at_low"] / design().objective["value"])


def test_time_that_is_up_leaves_numbers_untested() -> None:
    none = tornado(design(), study(), catalog(), Clock(60.0, threads=1), time_limit_s=0.0)
    assert none["numbers"] == [] and set(none["untested"]) == set(numbers())
