"""A quote: hand-solved walk-away prices, and a real one confirmed by solves on both sides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalog_files import problems
from records import candidate, configuration, housing, model_data, platform, scenario, workload

from solver.candidate import Candidate
from solver.catalog import Catalog, load_catalog
from solver.cli import main
from solver.highs import Clock
from solver.market import open_market, ordered, repriced
from solver.model.data import ModelData, Pool
from solver.optimise import best, compiled, optimise
from solver.quote import QuoteAnswer, check_quote, judge
from solver.quoted import Quoted, prepare_quote
from solver.scenario import resolve
from solver.solve import prepare
from solver.study import Study, study_from_dict
from solver.versus import quote as words

KW = 1e3
LISTED_USD = 1500.0
OLD, NEW = platform("old"), platform("new")


def market_of(changes: dict[str, Any], *, new_w: float = KW, demand: float = 1e4) -> ModelData:
    """An old box of 10 requests/s for 1,000 USD and a new one of 25 requests/s for 1,500 USD; 1 kW each."""
    old = Pool(configuration(OLD, price_usd=1000.0), 1.0)
    new = Pool(configuration(NEW, price_usd=LISTED_USD, provisioned_w=new_w), 1.0)
    columns: Sequence[tuple[Candidate, None]] = [(candidate(at=OLD), None), (candidate(at=NEW, rate=25.0), None)]
    return model_data(scenario(changes, [workload(demand=demand)]), columns, [housing(old), housing(new)])


def asked(data: ModelData, price_usd: float, order: int = 1, **pieces: int) -> QuoteAnswer:
    quoted = Quoted(data, "platform", "new", pieces or {"new/standard": 1}, LISTED_USD, LISTED_USD)
    return judge(quoted, "new", price_usd, order, 1e-3, Clock(60.0, threads=1))


def test_price_at_which_the_budget_buys_more_without() -> None:
    """12,000 USD buy twelve old boxes, 120 requests/s, or five new ones, 125, at up to 2,400 USD each.

    One to four of them with old ones beside allow 2,000, 2,000, 2,333 and 2,250. By requests alone it would be 2,500.
    """
    data = market_of({"site.budget_usd": 12e3})
    answer = asked(data, 2300.0)
    assert answer.walk_away["kind"] == "price"
    assert answer.walk_away["usd"] == pytest.approx(2400.0, rel=1e-3)
    assert answer.walk_away["usd"] <= 2400.0 <= answer.walk_away["high_usd"] * (1 + 1e-6) < 2400.0 * 1.002
    assert answer.bought == "yes" and answer.quantity == 5
    assert answer.objective["without"] == pytest.approx(12_000.0) and answer.objective["gain"] == pytest.approx(500.0)
    assert {d["part"]: d["change"] for d in answer.displaced} == {"old": -12, "new": 5}
    assert answer.capex_usd == {"without": pytest.approx(12e3), "with_order": pytest.approx(11.5e3)}


def test_above_the_walk_away_price_it_is_not_bought() -> None:
    """At 2,450 USD four new boxes leave money for two old ones, 120 requests/s: as many as without, so none is bought."""
    answer = asked(market_of({"site.budget_usd": 12e3}), 2450.0)
    assert answer.bought == "no" and answer.objective["gain"] == pytest.approx(0.0, abs=1e-6)


def test_a_larger_order_has_its_own_price() -> None:
    """Six new boxes are worth 12,000 / 6 = 2,000 USD each, seven 1,714 USD: at least six are bought up to 2,000."""
    answer = asked(market_of({"site.budget_usd": 12e3}), 2100.0, 6)
    assert answer.bought == "no" and answer.walk_away["usd"] == pytest.approx(2000.0, rel=1e-3)


def test_yearly_cost_prices_what_it_replaces() -> None:
    """100 requests/s cost ten old boxes or four new ones, or five old and two new: 10,000 / 4 = 2,500 USD."""
    changes = {"objective.name": "tco", "demand.floor_frac": 1.0}
    answer = asked(market_of(changes, demand=100.0), 2000.0)
    assert answer.walk_away["usd"] == pytest.approx(2500.0, rel=1e-3)
    assert answer.bought == "yes" and answer.quantity == 4
    assert answer.objective["gain"] == pytest.approx(2000.0) and answer.objective["without"] == pytest.approx(10e3)


def test_no_price_makes_up_for_watts() -> None:
    """Twelve kilowatts run twelve old boxes, or four new ones of 3 kW: even free they serve less."""
    for changes in ({"site.power_mw": 0.012}, {"site.power_mw": 0.012, "site.budget_usd": 1e6}):
        answer = asked(market_of(changes, new_w=3 * KW), 0.0)
        assert answer.walk_away["kind"] == "never" and answer.walk_away["usd"] is None
        assert answer.bought == "no" and answer.objective["gain"] < 0


def test_where_money_does_not_count_any_price_will_do() -> None:
    answer = asked(market_of({"site.power_mw": 0.012}), 1e9)
    assert answer.walk_away["kind"] == "any" and answer.bought == "yes" and answer.quantity == 12


def test_what_is_needed_is_bought_at_any_price_within_the_budget() -> None:
    """Two old boxes can be had and 100 requests/s must be served: four new ones at 12,000 / 4 = 3,000 USD."""
    changes = {
        "site.budget_usd": 12e3, "demand.floor_frac": 1.0, "objective.name": "tco", "supply.platform.old": 2,
    }  # fmt: skip
    answer = asked(market_of(changes, demand=100.0), 2900.0)
    assert answer.walk_away["kind"] == "budget" and answer.walk_away["usd"] == pytest.approx(3000.0, rel=1e-3)
    assert answer.bought == "yes" and answer.objective["without"] is None
    assert asked(market_of(changes, demand=100.0), 3100.0).bought == "no"


def test_no_build_with_it_or_without() -> None:
    """100 requests/s take four new boxes; a site of 2 kW has room for two."""
    changes = {"demand.floor_frac": 1.0, "objective.name": "tco", "site.power_mw": 0.002, "site.budget_usd": 12e3}
    answer = asked(market_of(changes, demand=100.0), 1.0)
    assert answer.walk_away["kind"] == "no build" and answer.bought == "no"
    assert "with it or without" in words(answer.to_dict())


def test_a_ratio_is_priced_too() -> None:
    """60 requests/s for 9,000 USD; a new box of 2 kW makes 12.5 requests/s/kW, an old one 10, as all are without.

    One new and four old ones take 6 kW for the 60, no better than 10. Two new and one old take 5 kW: 12 a kW, and leave
    8,000 USD for two. Three new ones take 6 kW.
    """
    changes = {"objective.name": "tokens_per_used_mw", "demand.floor_frac": 1.0, "site.budget_usd": 9e3}
    answer = asked(market_of(changes, new_w=2 * KW, demand=60.0), 3900.0)
    assert answer.walk_away["usd"] == pytest.approx(4000.0, rel=1e-3) and answer.bought == "yes"
    assert answer.objective["with_order"] / answer.objective["without"] == pytest.approx(1.2, rel=1e-3)


def test_a_device_has_a_price_a_piece() -> None:
    """A box with four devices serves 20 requests/s, one without 10, each 1,000 USD before its devices.

    With 12,000 USD, n of them beside old ones (better than 120) leave 0, 125, 167, 188, 200, 208 (six and one) and
    179 USD a device.
    """
    plain = Pool(configuration(OLD, price_usd=1000.0), 1.0)
    full = Pool(configuration(OLD, "4xssd", bought=[("ssd", 4)], price_usd=1000.0 + 4 * LISTED_USD), 1.0)
    columns = [(candidate(at=OLD), None), (candidate(at=OLD, rate=20.0), full)]
    limits = scenario({"site.budget_usd": 12e3}, [workload(demand=1e4)])
    answer = asked(model_data(limits, columns, [housing(plain), housing(full)]), 150.0, 4, **{"old/4xssd": 4})
    assert answer.walk_away["usd"] == pytest.approx(5000.0 / 24, rel=1e-3)
    assert answer.bought == "yes" and answer.quantity == 28, "seven boxes at 1,600 USD"


def test_prices_enter_as_the_model_has_them() -> None:
    """The program at a price is the program compiled from data at that price, to the last coefficient."""
    data = market_of({"site.budget_usd": 12e3, "objective.name": "tco", "demand.floor_frac": 0.001})
    pieces = {"new/standard": 1}
    market, _ = open_market(data, pieces, LISTED_USD)
    for usd in (7.0, 2345.0, 1e6):
        _, direct, _ = compiled(repriced(data, pieces, usd - LISTED_USD))
        found = market.at(usd)
        assert np.allclose(found.value, direct.value, rtol=1e-9, atol=1e-9)
        assert np.allclose(found.costs, direct.costs, rtol=1e-9, atol=1e-9)
    assert len(market.money_rows) == 1 and market.cost_per_usd[0] > 0


@pytest.mark.parametrize("seed", range(25))
def test_every_build_tried(seed: int) -> None:
    """The walk-away price is the highest that any whole-number build with the order can pay and still be better."""
    rng = np.random.default_rng(seed)
    rate, new_rate = float(rng.integers(5, 20)), float(rng.integers(5, 60))
    new_w, old_usd = float(rng.integers(1, 4)) * KW, float(rng.integers(500, 1500))
    budget, power_w, order = float(rng.integers(6000, 15000)), float(rng.integers(6, 16)) * KW, int(rng.integers(1, 4))
    old = Pool(configuration(OLD, price_usd=old_usd), 1.0)
    new = Pool(configuration(NEW, price_usd=LISTED_USD, provisioned_w=new_w), 1.0)
    columns = [(candidate(at=OLD, rate=rate), None), (candidate(at=NEW, rate=new_rate), None)]
    limits = scenario({"site.budget_usd": budget, "site.power_mw": power_w / 1e6}, [workload(demand=1e4)])
    answer = asked(model_data(limits, columns, [housing(old), housing(new)]), LISTED_USD, order)
    without = rate * min(budget // old_usd, power_w // KW)
    pays = [
        (budget - old_usd * m) / n
        for n in range(order, int(power_w // new_w) + 1)
        for m in range(int(power_w // KW) + 1)
        if n * new_w + m * KW <= power_w and old_usd * m <= budget and rate * m + new_rate * n > without
    ]
    if not pays or max(pays) <= 0:
        assert answer.walk_away["kind"] == "never" and answer.bought == "no"
    else:
        assert answer.walk_away["usd"] == pytest.approx(max(pays), rel=1e-3)
        assert answer.walk_away["high_usd"] == pytest.approx(max(pays), rel=2e-3)
        assert answer.bought == ("yes" if max(pays) >= LISTED_USD else "no")


def test_words_say_what_was_found() -> None:
    data = market_of({"site.budget_usd": 12e3})
    text = words(asked(data, 2300.0).to_dict())
    assert "yes, 5 of them" in text and "above 2,400 USD" in text and "old" in text and "-12" in text
    never = words(asked(market_of({"site.power_mw": 0.012}, new_w=3 * KW), 0.0).to_dict())
    assert "not even at 0 USD" in never
    assert json.loads(json.dumps(asked(data, 2300.0).to_dict()))["quantity"] == 5


# --- the real catalog ----------------------------------------------------------------------------------------------

KEPT = ("mi300x_8", "hgx_h200_8", "storage_flash_2u24")
GAP = 1e-3


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def half(catalog: Catalog) -> Study:
    """Half a megawatt with money short: a dollar on one server is a dollar less for the other."""
    others = [row.id for row in catalog.rows("platforms") if row.id not in KEPT]
    return study_from_dict(
        {
            "name": "half",
            "site": {"power_mw": 0.5, "budget_usd": 5e6, "id": "us_1mw"},
            "workload": [
                {"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0},
                {"id": "batch_offline", "requests_per_s": 2.0},
            ],
            "build": {"power_caps": [1.0], "batch_points_per_octave": 4, "tiers": False},
            "solver": {"gap": GAP},
            "exclude": others,
        }
    )


def test_confirmed_by_solves_two_percent_below_and_above(half: Study, catalog: Catalog) -> None:
    """With the part forced in: better than without 2% below, not better by more than the gap 2% above."""
    part, order = "hgx_h200_8", 4
    answer = check_quote(half, catalog, part, 370_000.0, order)
    usd, high = answer.walk_away["usd"], answer.walk_away["high_usd"]
    assert answer.walk_away["kind"] == "price" and 0 < usd <= high

    def optimum(price: float, least: int) -> tuple[float, float]:
        dear = catalog.overlay({"platforms": [{"id": part, "price_low_usd": None, "price_high_usd": None,
                                               "price_central_usd": price, "price_quarter": "2026Q3"}]})  # fmt: skip
        changed = half if least else half.with_changes({"exclude": [*half.exclude, part]})
        data, _ = prepare(resolve(changed, dear))
        if not least:
            solved = optimise(data, Clock(60.0))
            return solved.value, solved.bound
        pieces = {p.config.id: 1 for p in data.pools if p.config.platform.id == part}
        market, _ = open_market(data, pieces, price)
        _, value, bound = best(ordered(market, market.at(price), least), 1, Clock(60.0), GAP / 2)
        return value, bound

    without, without_bound = optimum(usd, 0)
    below, _ = optimum(0.98 * usd, order)
    _, above = optimum(1.02 * high, order)
    assert below >= without * (1 - GAP), "the part pays 2% below"
    assert above <= without_bound * (1 + GAP), "it does not pay 2% above"
    assert high <= 1.02 * usd or without < without_bound, "the range is no wider than the gap makes it"


def test_a_drive_that_the_menu_would_not_choose(half: Study, catalog: Catalog) -> None:
    """A dearer drive is judged against the one that would fill the bays, and is bought once it is the cheaper one."""
    part = "nvme_micron_9550max_25tb"
    tiered = half.with_changes({"build.tiers": True, "build.reuse_segments": 2, "solver.gap": 0.002})
    quoted = prepare_quote(tiered, catalog, part)
    bought = {device for p in quoted.data.pools for device, _ in p.config.bought}
    assert part in bought and len([d for d in bought if d.startswith("nvme")]) > 1
    assert all(count == dict(next(p.config.bought for p in quoted.data.pools if p.config.id == c))[part]
               for c, count in quoted.pieces.items())  # fmt: skip
    answer = check_quote(tiered, catalog, part, 1.0)
    assert answer.kind == "memory" and answer.catalog_usd == pytest.approx(quoted.usd)
    assert answer.walk_away["kind"] in ("price", "never")
    if answer.walk_away["kind"] == "price" and answer.walk_away["usd"] > 1.0:
        assert answer.bought == "yes"


def test_quoted_price_is_of_the_studys_quarter(half: Study, catalog: Catalog) -> None:
    """Quoting what the catalog asks at the quarter changes nothing: the memory inside is not moved twice."""
    quoted = prepare_quote(half, catalog, "hgx_h200_8")
    answer = check_quote(half, catalog, "hgx_h200_8", quoted.usd)
    data, _ = prepare(resolve(half, catalog))
    free = optimise(data, Clock(60.0))
    unit = free.objective.per_unit(data.scenario)
    best_found = max(answer.objective["with_order"], answer.objective["without"])
    assert best_found == pytest.approx(free.value * unit, rel=2 * GAP)
    assert quoted.usd != catalog.row("platforms", "hgx_h200_8")["price_central_usd"], "the quote is of 2026Q2"


def test_what_is_quoted_is_for_sale(half: Study, catalog: Catalog) -> None:
    """A platform that the catalog does not sell, or for which it has no price, can be quoted."""
    part = next(str(r.id) for r in catalog.rows("platforms") if r["price_central_usd"] is None and r["accelerators"])
    admitted = half.with_changes({"exclude": [p for p in half.exclude if p != part]})
    assert catalog.row("platforms", part)["buyable"] != "yes"
    answer = check_quote(admitted, catalog, part, 50_000.0)
    assert answer.catalog_usd is None and answer.walk_away["kind"] in ("price", "never")
    assert catalog.row("platforms", part)["price_central_usd"] is None, "the catalog itself is not touched"


def test_bad_quotes_are_refused_with_reasons(half: Study, catalog: Catalog) -> None:
    found = problems(lambda: check_quote(half, catalog, "hgx_h200_8", -1.0, 0, tolerance=2.0))
    assert [p.field for p in found] == ["price", "quantity", "tolerance"]
    assert problems(lambda: check_quote(half, catalog, "hgx_h200", 1.0))[0].hint.startswith("did you mean")
    assert problems(lambda: check_quote(half, catalog, "dgx_h100", 1.0))[0].message == "excluded by the study"
    late = half.with_changes({"exclude": [], "site.available_by": "2024-01"})
    assert problems(lambda: check_quote(late, catalog, "dgx_b200", 1.0))[0].message.startswith("available")


def test_command_answers_in_words_and_in_json(capsys: Any) -> None:
    one = str(Path(__file__).parent / "one.toml")
    ask = ["check-quote", one, "--part", "hgx_h200_8", "--price", "3e5", "-q", "--set", "build.tiers=false"]
    for extra in ([], ["--json"]):
        with pytest.raises(SystemExit) as caught:
            main([*ask, *extra])
        assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "bought     yes" in text and '"walk_away": {' in text
    with pytest.raises(SystemExit) as caught:
        main(["check-quote", one, "--part", "nothing", "--price", "1"])
    assert caught.value.code == 2
