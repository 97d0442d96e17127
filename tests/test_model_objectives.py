"""Objectives, solved by hand. A request makes 100 output tokens from 1,000 input tokens, of which 800 are cached."""

from __future__ import annotations

import pytest
from hand import optimum
from records import accelerator, candidate, configuration, housing, model_data, platform, scenario, workload

from solver.errors import InputError
from solver.model.data import ModelData, Pool
from solver.model.objectives import OBJECTIVES, find_objective
from solver.resources import SECONDS_PER_YEAR
from solver.scenario import Finance


def good_and_plain(changes: dict[str, object], demand: float = 30.0) -> ModelData:
    """Return a case with one good node (10 requests/s) and any number of plain ones (5/s).

    Each takes 1 kW provisioned. At full work the good one draws 400 W, a plain one 150 W; each idles at 100 W.
    """
    good, plain = platform("good"), platform("plain")
    columns = [
        (candidate(rate=10.0, at=good, drawn_w=400.0), None),
        (candidate(rate=5.0, at=plain, drawn_w=150.0), None),
    ]
    pools = [Pool(configuration(p, chip=accelerator(idle_w=100.0)), 1.0) for p in (good, plain)]
    of = scenario(
        {"supply.platform.good": 1} | changes, [workload(demand=demand, reuse=0.8)],
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


REFUSED = {
    "tokens": {"demand.mode": "mix"},
    "tokens_per_mw": {"site.power_mw": None},
    "tokens_per_used_mw": {"demand.floor_frac": 0.0},
    "tco": {"demand.floor_frac": 0.0},
}
"""A study in which the objective means nothing: no end to demand, no contract, no floor."""


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
