"""Stock, solved by hand: what runs was bought. A node serves 1,000 tokens/s; without money power allows 5."""

from __future__ import annotations

import dataclasses

import pyomo.environ as pyo
import pytest
from hand import optimum, proves
from records import candidate, configuration, housing, model_data, rack, scenario, workload

from solver.model.build import build_model
from solver.model.data import ModelData, Pool


def with_budget(usd: float, **within: object) -> ModelData:
    """Return a case with a budget and 5 kW: a node takes 1 kW and 1,000 USD."""
    pool = Pool(configuration(), 1.0)
    return model_data(
        scenario({"site.budget_usd": usd, "site.power_mw": 0.005}, [workload(demand=100.0)]),
        [(candidate(), None)], [housing(pool, **within)],  # type: ignore[arg-type]
    )  # fmt: skip


def test_nodes_at_work_are_owned() -> None:
    """Proves use_what_is_owned: 3,000 USD buy 3 nodes, 3,000 tokens/s; if nodes need not be owned, 5 kW: 5,000."""
    proves(with_budget(3000.0), "use_what_is_owned", 3000.0, 5000.0)


def test_nodes_owned_were_bought() -> None:
    """Proves keep_what_was_bought: 3,000 USD buy 3 nodes, 3,000 tokens/s; if owning is free, 5 kW: 5,000."""
    proves(with_budget(3000.0), "keep_what_was_bought", 3000.0, 5000.0)


def test_a_fleet_costs_nothing_and_takes_power() -> None:
    """Proves own of vintage -1: 3 nodes owned and 1,000 USD for a fourth, in 5 kW: 4,000 tokens/s.

    If owned nodes were bought again, or never owned, 1,000; in 2 kW only 2 of the 3 may run: 2,000.
    """
    fleet = {"fleet": [{"platform": "node", "quantity": 3}]}
    money = {"site.budget_usd": 1000.0, "site.power_mw": 0.005}
    house = [housing(Pool(configuration(), 1.0))]

    def tokens(changes: dict[str, object]) -> float:
        return optimum(model_data(scenario(changes, [workload(demand=100.0)]), [(candidate(), None)], house))

    assert tokens(money | fleet) == pytest.approx(4000.0)
    assert tokens(money) == pytest.approx(1000.0)
    assert tokens(money | fleet | {"site.power_mw": 0.002}) == pytest.approx(2000.0)


def test_supply_limits_what_is_bought_not_what_is_owned() -> None:
    """Proves within_platform_supply beside a fleet: 2 to be had and 2 owned run 4; a limit on both would run 2."""
    changes = {"fleet": [{"platform": "node", "quantity": 2}], "supply.platform.node": 2}
    of = scenario(changes, [workload(demand=100.0)])
    data = model_data(of, [(candidate(), None)], [housing(Pool(configuration(), 1.0))])
    proves(data, "within_platform_supply", 4000.0, 10000.0)
    none = dataclasses.replace(data, scenario=dataclasses.replace(of, only_owned=frozenset({"node"})))
    assert optimum(none) == pytest.approx(2000.0)


def test_nodes_are_whole() -> None:
    """Proves that nodes are integers: 3,900 USD buy 3, 3,000 tokens/s; 3.9 nodes would make 3,900."""
    assert optimum(with_budget(3900.0)) == pytest.approx(3000.0)


def test_racks_in_use_were_bought() -> None:
    """Proves use_bought_racks: racks of 2 nodes at 500 USD.

    2 nodes and a rack take 2,500 of 3,600 USD, 3 nodes and 2 racks would take 4,000: 2,000 tokens/s.
    If racks came free 3,600 USD would buy 3 nodes: 3,000.
    """
    data = with_budget(3600.0, within=rack(price_usd=500.0), fit=2, own=False)
    proves(data, "use_bought_racks", 2000.0, 3000.0)


def test_one_stock_serves_all_caps() -> None:
    """Proves use_what_is_owned over pools: nodes at two caps of one configuration come out of one stock.

    1 node may be bought: 1,000 tokens/s. If each cap had a stock of its own both would run: 1,800.
    """
    full, capped = Pool(configuration(), 1.0), Pool(configuration(), 0.7)
    columns = [(candidate(rate=10.0), None), (candidate(rate=8.0, cap=0.7), None)]
    data = model_data(
        scenario({"supply.platform.node": 1}, [workload(demand=18.0)]), columns, [housing(full), housing(capped)]
    )
    assert optimum(data) == pytest.approx(1000.0)
    proves(data, "use_what_is_owned", 1000.0, 1800.0)


def two_periods() -> tuple[pyo.ConcreteModel, ModelData]:
    data = with_budget(5000.0, within=rack(price_usd=500.0), fit=1, own=False)
    return build_model(data, periods=2), data


def test_a_vintage_is_not_owned_before_it_is_bought() -> None:
    """Proves the vintage rows of two periods: none before, at most what was bought after, never growing again.

    Were own[v=1, y=0] free, a node bought next year would serve this year.
    """
    model, _ = two_periods()
    (unit,) = model.UNITS
    early = model.keep_what_was_bought[unit, 1, 0]
    assert early.equality and early.body is model.own[unit, 1, 0] or str(early.body) == str(model.own[unit, 1, 0])
    model.bought[unit, 0].value, model.bought[unit, 1].value = 2, 1
    for vintage, period, most in ((0, 0, 2.0), (1, 1, 1.0)):
        model.own[unit, vintage, period].value = most
        assert pyo.value(model.keep_what_was_bought[unit, vintage, period].body) <= 1e-12
        model.own[unit, vintage, period].value = most + 1.0
        assert pyo.value(model.keep_what_was_bought[unit, vintage, period].body) == pytest.approx(1.0)
    model.own[unit, 0, 0].value, model.own[unit, 0, 1].value = 1.0, 2.0
    assert pyo.value(model.keep_what_was_bought[unit, 0, 1].body) == pytest.approx(1.0), "own grew without buying"


def test_periods_share_the_stock() -> None:
    """Proves use_what_is_owned and use_bought_racks over periods, solved by hand.

    Demand is the same in both periods and 3 nodes with racks take 4,500 of 5,000 USD: bought in the first period
    they serve 3,000 tokens/s in each, 6,000 together. Bought twice they would serve once: 3,000.
    """
    from solver.highs import Clock, compile_model, solve_mip
    from solver.model.objectives import token_rate

    model, data = two_periods()
    model.both = pyo.Objective(expr=sum(token_rate(model.period[y], data) for y in model.PERIODS), sense=pyo.maximize)
    program = compile_model(model)
    best = solve_mip(program, program.costs[0], 0.0, Clock(30.0, 1), upper=program.upper, gap=1e-6)
    assert -best.objective * 1e3 == pytest.approx(6000.0)
