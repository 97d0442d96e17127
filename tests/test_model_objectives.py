"""Objectives, solved by hand. A request makes 100 output tokens from 1,000 input tokens, of which 800 are cached."""

from __future__ import annotations

import dataclasses

import pytest
from hand import optimum
from records import accelerator, candidate, configuration, housing, model_data, platform, scenario, workload

from solver.errors import InputError
from solver.model.data import ModelData, Pool
from solver.model.objectives import OBJECTIVES, find_objective
from solver.resources import SECONDS_PER_YEAR
from solver.scenario import Finance


def good_and_plain(changes: dict[str, object], demand: float = 30.0, **work: float) -> ModelData:
    """Return a case with one good node (10 requests/s) and any number of plain ones (5/s); `work` is of the class.

    Each takes 1 kW provisioned. At full work the good one draws 400 W, a plain one 150 W; each idles at 100 W.
    """
    good, plain = platform("good"), platform("plain")
    columns = [
        (candidate(rate=10.0, at=good, drawn_w=400.0), None),
        (candidate(rate=5.0, at=plain, drawn_w=150.0), None),
    ]
    pools = [Pool(configuration(p, chip=accelerator(idle_w=100.0)), 1.0) for p in (good, plain)]
    of = scenario(
        {"supply.platform.good": 1} | changes, [dataclasses.replace(workload(demand=demand, reuse=0.8), **work)],
        finance=Finance(0.0, 1.0, 1.0, 0.0, 0.0), electricity_usd_per_j=1.0 / SECONDS_PER_YEAR,
    )  # fmt: skip
    return model_data(of, columns, [housing(p) for p in pools])


def test_tokens() -> None:
    """Proves tokens: 2 kW take the good node and a plain one, 15/s: 1,500 tokens/s; two plain ones 1,000."""
    assert optimum(good_and_plain({"site.power_mw": 0.002})) == pytest.approx(1500.0)


def test_tokens_of_new_input_count_where_the_study_says_so() -> None:
    """Proves objective.tokens = all: 100 output and 200 new input tokens a request, 4,500; cached ones do not count."""
    data = good_and_plain({"site.power_mw": 0.002, "objective.tokens": "all"})
    assert optimum(data) == pytest.approx(4500.0)


def test_tokens_per_contracted_mw() -> None:
    """Proves tokens_per_mw: 2.5 kW contracted, 2 used: 1,500 / 0.0025 = 600,000; over used watts 750,000."""
    data = good_and_plain({"site.power_mw": 0.0025, "objective.name": "tokens_per_mw"})
    assert optimum(data) == pytest.approx(600_000.0)


def test_tokens_per_used_mw() -> None:
    """Proves tokens_per_used_mw: half of 30/s must be served, so the good node and a plain one: 750,000.

    The good node alone has a million but breaks the floor; one more plain one has 666,667.
    """
    data = good_and_plain({"objective.name": "tokens_per_used_mw", "demand.floor_frac": 0.5})
    assert optimum(data) == pytest.approx(750_000.0)


def test_tokens_per_drawn_mw() -> None:
    """Proves power = drawn: 30/s at most, 15 at least.

    At full work a plain node makes 500 tokens/s of 150 W and the good one 1,000 of 400 W, so plain ones alone are
    best: 3 make 1,500 tokens/s of 450 W, 3,333,333 tokens/s/MW. Over provisioned watts they would make 500,000.
    """
    changes = {"objective.name": "tokens_per_used_mw", "objective.power": "drawn", "demand.floor_frac": 0.5}
    assert optimum(good_and_plain(changes)) == pytest.approx(500.0 / 150e-6)


def test_tco() -> None:
    """Proves tco: 15/s take 3 plain nodes at 1,000 + 150 USD a year, or the good one and a plain one: 2,550 USD.

    Without electricity two nodes would cost 2,000.
    """
    changes = {"objective.name": "tco", "demand.floor_frac": 0.5}
    assert optimum(good_and_plain(changes)) == pytest.approx(2550.0)


def test_tokens_count_by_their_value() -> None:
    """Proves objective.tokens = value: 15/s of 100 output tokens at 3 each are 4,500; unweighted they are 1,500."""
    data = good_and_plain({"site.power_mw": 0.002, "objective.tokens": "value"}, value_per_token=3.0)
    assert optimum(data) == pytest.approx(4500.0)


def test_tokens_per_tco_dollar() -> None:
    """Proves tokens_per_tco_dollar: half of 30/s, at most all.

    A plain node makes 500 tokens/s for 1,150 USD a year at full work, the good one 1,000 for 1,400 USD. The good
    one alone would be best (22,526 tokens/USD x 1e3) but breaks the floor; with one plain node both at full work
    make 1,500 for 2,550 USD. A ratio over outlay alone would say 1,500 / 2,000.
    """
    data = good_and_plain({"objective.name": "tokens_per_tco_dollar", "demand.floor_frac": 0.5})
    assert optimum(data) == pytest.approx(1500.0 * SECONDS_PER_YEAR / 2550.0)


def test_power() -> None:
    """Proves power: 15/s take the good node and a plain one, 2 kW; three plain ones would take 3."""
    changes = {"objective.name": "power", "demand.floor_frac": 0.5}
    assert optimum(good_and_plain(changes)) == pytest.approx(0.002)


def test_drawn_power() -> None:
    """Proves power = drawn: 15/s from three plain nodes draw 450 W, from the good one and a plain one 550 W."""
    changes = {"objective.name": "power", "objective.power": "drawn", "demand.floor_frac": 0.5}
    assert optimum(good_and_plain(changes)) == pytest.approx(450e-6)


DOLLAR_A_YEAR = 1.0 / (1000.0 * SECONDS_PER_YEAR)
"""USD per token at which 1,000 tokens/s earn one dollar a year."""


def test_profit() -> None:
    """Proves profit: 1,000 tokens/s earn 2,000 USD a year, so that only the good node pays: 600 USD.

    It earns 2,000 for 1,400, a plain one 1,000 for 1,150. Revenue without cost would build for all 30/s: 6,000.
    """
    data = good_and_plain({"objective.name": "profit"}, price_usd_per_token=2000.0 * DOLLAR_A_YEAR)
    assert optimum(data) == pytest.approx(600.0)


def test_profit_pays_for_unmet_requests() -> None:
    """Proves unmet_usd_per_request: 5/s unmet cost 200 USD a year, so that a plain node is worth 1,000 + 200 - 1,150.

    All 30/s served: 6,000 revenue, 1,400 + 4 x 1,150 cost: 0 USD. With the good one alone 600 - 20 x 40 = -200.
    Without the fine only the good one would be built: 600.
    """
    fine = 40.0 / SECONDS_PER_YEAR
    data = good_and_plain(
        {"objective.name": "profit"}, price_usd_per_token=2000.0 * DOLLAR_A_YEAR, unmet_usd_per_request=fine
    )
    assert optimum(data) == pytest.approx(0.0, abs=1e-6)


def test_a_profit_may_be_a_loss() -> None:
    """Proves that the sign survives: nothing may be built for want of power, 30/s unmet at 40 USD: -1,200."""
    fine = 40.0 / SECONDS_PER_YEAR
    changes = {"objective.name": "profit", "site.power_mw": 0.0005}
    data = good_and_plain(changes, price_usd_per_token=DOLLAR_A_YEAR, unmet_usd_per_request=fine)
    assert optimum(data) == pytest.approx(-1200.0)


def test_profit_is_refused_for_weighted_tokens_and_for_fines_in_a_mix() -> None:
    """Proves two refusals: a price on top of a value would count worth twice; a growing mix leaves nothing unmet."""
    priced = dataclasses.replace(workload(), price_usd_per_token=1e-6)
    fined = dataclasses.replace(priced, unmet_usd_per_request=1.0)
    for changes, work in (({"objective.tokens": "value"}, priced), ({"demand.mode": "mix"}, fined)):
        with pytest.raises(InputError, match="needs"):
            find_objective(scenario({"objective.name": "profit"} | changes, [work]))


REFUSED = {
    "tokens": {"demand.mode": "mix"},
    "tokens_per_mw": {"site.power_mw": None},
    "tokens_per_used_mw": {"demand.floor_frac": 0.0},
    "tco": {"demand.floor_frac": 0.0},
    "tokens_per_tco_dollar": {"demand.floor_frac": 0.0},
    "power": {"demand.floor_frac": 0.0},
    "profit": {},
}
"""A study in which the objective means nothing: no end to demand, no contract, no floor, no price."""


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_is_refused_where_it_means_nothing(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find_objective(scenario({"objective.name": name} | REFUSED[name]))
    assert caught.value.problems[0].field == "objective.name"
    assert "needs" in caught.value.problems[0].message


def test_an_unknown_objective_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        find_objective(scenario({"objective.name": "tokens_per_kw"}))
    assert "tokens_per_mw" in caught.value.problems[0].hint
    assert "tco" in caught.value.problems[0].allowed
