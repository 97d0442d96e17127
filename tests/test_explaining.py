"""What binds, what comes next, at which price a part enters: hand-solved, and confirmed by solves of their own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import solved
from records import candidate, configuration, housing, model_data, platform, scenario, workload
from tiny import tiny

from solver.answers import render_explained
from solver.candidate import Candidate, CandidateSet
from solver.cli import main
from solver.design import Design
from solver.explain import explain
from solver.explaining import entry
from solver.explaining.bottlenecks import PROVED, SOLVED, bottlenecks
from solver.explaining.entry import ANY, ENTERS, LEAVES, NEVER, Part, entry_prices, parts_of
from solver.explaining.hardware import HARDWARE
from solver.explaining.limits import row_limits, used_groups
from solver.explaining.slopes import bought_columns
from solver.explaining.workbench import Gain, Range, Workbench
from solver.highs import INFEASIBLE, Clock, Outcome, Program
from solver.market import open_market, ordered, repriced
from solver.model.data import ModelData, Pool
from solver.optimise import best, compiled
from solver.scenario import Scenario

KW = 1e3
OLD, NEW = platform("old"), platform("new")
TOKENS = 100.0


def bench_of(data: ModelData) -> Workbench:
    """A workbench over columns made by hand."""

    def make(_: Scenario) -> tuple[ModelData, CandidateSet]:
        return data, CandidateSet((), (), 0, 0)

    study = data.scenario.study.with_changes({"solver.gap": 1e-6})
    exact = dataclasses.replace(data.scenario, study=study)
    data = dataclasses.replace(data, scenario=exact)
    return Workbench(exact, make, Clock(60.0, threads=1))


def market_of(changes: dict[str, Any], *, new_w: float = KW, new_usd: float = 1500.0) -> ModelData:
    """An old box of 10 requests/s for 1,000 USD and a new one of 25 requests/s for 1,500 USD; 1 kW each."""
    old = Pool(configuration(OLD, price_usd=1000.0), 1.0)
    new = Pool(configuration(NEW, price_usd=new_usd, provisioned_w=new_w), 1.0)
    columns: Sequence[tuple[Candidate, None]] = [(candidate(at=OLD), None), (candidate(at=NEW, rate=25.0), None)]
    return model_data(scenario(changes, [workload(demand=1e4)]), columns, [housing(old), housing(new)])


def bought(*parts: str) -> Design:
    """A design of which only the parts that it buys are known."""
    return Design(bill_of_materials=[{"part": part} for part in parts])


def test_gain_is_what_two_ranges_leave() -> None:
    before, after = Range(-10.0, -11.0), Range(-12.0, -14.0)
    assert Gain.between(before, after, 2.0) == Gain(2.0, 8.0)
    worse = Range(-9.0, -14.0)
    assert Gain.between(before, worse, 1.0).low == -2.0 and Gain.between(before, worse, 1.0, loosened=True).low == 0.0
    assert Gain(2.0, 8.0).over(4.0) == Gain(0.5, 2.0)


def test_money_binds_and_power_is_slack() -> None:
    """Twelve thousand USD buy eight new boxes of 25 requests/s; 5% more buy nothing, 10% an old box of 10."""
    data = market_of({"site.budget_usd": 12e3, "site.power_mw": 1.0})
    found = {r["id"]: r for r in bottlenecks(bench_of(data), bought("new"), rebuilt=False)}
    money, power = found["site.budget_usd"], found["site.power_mw"]
    assert money["how"] == SOLVED and power["how"] == PROVED
    assert money["marginal"] == pytest.approx(25.0 * TOKENS / 1500.0)
    for side in ("gain_low", "gain_high"):
        assert [s[side] for s in money["steps"]] == pytest.approx([0.0, 10.0 * TOKENS], abs=1e-2)
    assert power["marginal"] == 0.0 and all(s["gain_high"] == pytest.approx(0.0, abs=1e-3) for s in power["steps"])


def test_worth_of_a_limit_is_told_in_dollars() -> None:
    """Eighteen boxes for 27,000 USD; another tenth buys a new box and an old one."""
    data = market_of({"site.budget_usd": 27e3, "site.power_mw": 0.1})
    found = {r["id"]: r for r in bottlenecks(bench_of(data), bought("new"), rebuilt=False)}
    assert found["site.budget_usd"]["capex_usd"] == pytest.approx(1.0)
    step = found["site.budget_usd"]["steps"][1]
    assert step["step"] == pytest.approx(2.7e3)
    assert step["gain_low"] == pytest.approx(35.0 * TOKENS) == step["gain_high"]


@pytest.mark.parametrize("seed", range(50))
def test_worth_lies_in_the_interval_of_its_finite_difference(seed: int) -> None:
    """Each limit moved out and solved from scratch: the gain is in the interval that was stated."""
    data = tiny(seed, "tokens")
    bench = bench_of(data)
    if bench.now.values is None:
        return  # the demand cannot be served: nothing is worth anything
    for limit in row_limits(bench)[:3]:
        record = next(r for r in bottlenecks(bench, bought(), rebuilt=False) if r["id"] == limit.id)
        for step in record["steps"]:
            units = step["step"] / limit.scale
            moved = bench.row_moved(limit.row, units)
            clock = Clock(60.0, threads=1)
            _, before, _ = best(bench.program, bench.objective.sense, clock, 1e-7)
            _, after, _ = best(moved, bench.objective.sense, clock, 1e-7)
            gain = bench.objective.sense * (after - before) * bench.unit
            slack = 1e-4 * max(1.0, abs(before * bench.unit))
            assert step["gain_low"] - slack <= gain <= step["gain_high"] + slack, (limit.id, step, gain)


def test_price_at_which_a_box_enters() -> None:
    """12,000 USD buy twelve old boxes, 120 requests/s; four new ones and two old as many, up to 2,500 USD each.

    At 4,000 USD the new box is not bought.
    """
    data = market_of({"site.budget_usd": 12e3}, new_usd=4000.0)
    records = {r["part"]: r for r in entry_prices(bench_of(data), bought("old"))}
    new = records["new"]
    assert new["answer"] == ENTERS and not new["in_build"]
    assert new["low_usd"] == pytest.approx(2500.0, rel=0.01) and new["high_usd"] == pytest.approx(2500.0, rel=0.01)
    assert new["relaxed_usd"] == pytest.approx(2500.0)


def test_price_at_which_a_box_leaves() -> None:
    data = market_of({"site.budget_usd": 12e3})
    new = next(r for r in entry_prices(bench_of(data), bought("new")) if r["part"] == "new")
    assert new["answer"] == LEAVES and new["in_build"]
    assert new["low_usd"] == pytest.approx(2500.0, rel=0.01)


def test_no_price_helps_where_money_is_slack() -> None:
    """Power limits, and a hungry box serves less per watt: never at any price; it enters at so many fewer watts."""
    data = market_of({"site.power_mw": 0.1}, new_w=4 * KW)
    new = next(r for r in entry_prices(bench_of(data), bought("old")) if r["part"] == "new")
    assert new["answer"] == NEVER and new["proved"] and new["low_usd"] is None
    assert new["fewer_watts_frac"] == pytest.approx(1.0 - 2.5 / 4.0)


def test_a_better_box_stays_at_any_price_where_money_is_slack() -> None:
    new = next(
        r for r in entry_prices(bench_of(market_of({"site.power_mw": 0.1})), bought("new")) if r["part"] == "new"
    )
    assert new["answer"] == ANY


def test_an_order_that_not_even_parts_of_nodes_hold_is_tried_at_lower_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program with the order has no duals then, from which the next price would come: it is a tenth lower."""
    monkeypatch.setattr(entry, "WHOLE_COLUMNS", 0)
    bench = bench_of(market_of({"site.budget_usd": 12e3}, new_usd=4000.0))
    relax, solve, tried = bench.relax, bench.solved, []

    def relaxed(program: Program, among: Any = None) -> Outcome:
        return relax(program) if among is None else Outcome(INFEASIBLE, None, math.inf, math.inf)

    def without_order(program: Program, *args: Any, **more: Any) -> Range:
        if "keep" not in more:
            return solve(program, *args, **more)
        tried.append(program.value.sum())
        return Range(math.inf, -math.inf)

    monkeypatch.setattr(bench, "relax", relaxed)
    monkeypatch.setattr(bench, "solved", without_order)
    new = next(r for r in entry_prices(bench, bought("old"), ["new"]) if r["part"] == "new")
    assert new["answer"] == ENTERS and new["low_usd"] is None and new["relaxed_usd"] == pytest.approx(2500.0)
    assert len(tried) == entry.TRIES and tried == sorted(tried, reverse=True)


def short_of_money(seed: int) -> ModelData | None:
    """A random case with six tenths of the money that its best build takes; None where it has none."""
    data = tiny(seed, "tokens")
    site = data.scenario.site

    def with_budget(usd: float) -> ModelData:
        changed = dataclasses.replace(data.scenario, site=dataclasses.replace(site, budget_usd=usd))
        return dataclasses.replace(data, scenario=changed)

    rich = bench_of(with_budget(1e12))
    if rich.now.values is None:
        return None
    row = next(limit for limit in row_limits(rich) if limit.id == "site.budget_usd")
    entries = slice(rich.program.start[row.row], rich.program.start[row.row + 1])
    spent = float(rich.program.value[entries] @ rich.now.values[rich.program.index[entries]]) * row.scale
    return with_budget(0.6 * spent)


@pytest.mark.parametrize("seeds", [range(first, first + 10) for first in range(0, 50, 10)], ids=str)
def test_entry_price_is_confirmed_on_both_sides(seeds: range) -> None:
    """2% below: as good with the order forced in. 2% above: worse."""
    confirmed = 0
    for data in filter(None, map(short_of_money, seeds)):
        bench = bench_of(data)
        if bench.now.values is None:
            continue  # not even a node can be had: nothing to price
        pieces_at = {p.id: bought_columns(bench, p.pieces) for p in parts_of(bench)}
        inside = [part for part, pieces in pieces_at.items() if float(pieces @ bench.now.values) > 0.5]
        for record in entry_prices(bench, bought(*inside)):
            if record["answer"] in (ENTERS, LEAVES) and (record["low_usd"] or 0.0) >= 1.0:
                part = next(p for p in parts_of(bench) if p.id == record["part"])
                confirm(data, part, record)
                confirmed += 1
    assert confirmed >= 3


def confirm(data: ModelData, part: Part, record: dict[str, Any]) -> None:
    """Solve from scratch on each side of a price."""
    market, _ = open_market(data, part.pieces, part.price_usd)
    sense, clock = market.objective.sense, Clock(60.0, threads=1)
    _, without, _ = best(market.without, sense, clock, 1e-7)
    _, below, _ = best(ordered(market, market.at(0.98 * record["low_usd"]), record["order"]), sense, clock, 1e-7)
    assert sense * (below - without) >= -1e-5 * abs(without), (part.id, record)
    _, above, _ = best(ordered(market, market.at(1.02 * record["high_usd"]), record["order"]), sense, clock, 1e-7)
    assert np.isnan(above) or sense * (above - without) < 1e-7 * max(1.0, abs(without)), (part.id, record)


@pytest.mark.parametrize("objective", ["tokens", "tokens_per_mw"])
def test_prices_where_kinds_are_limited(objective: str) -> None:
    """How many nodes money allows at most stands beside a binary: it does not change with the price that is asked."""
    for seed in (1, 12):
        data = tiny(seed, objective)
        build = data.scenario.study.with_changes({"build.max_platforms": 1})
        data = dataclasses.replace(data, scenario=dataclasses.replace(data.scenario, study=build))
        configs = {p.config.platform.id: p.config for p in data.pools}
        for name, config in configs.items():
            pieces = {p.config.id: 1 for p in data.pools if p.config.platform.id == name}
            market, _ = open_market(data, pieces, config.price_usd)
            exact = compiled(repriced(data, pieces, 3e5 - config.price_usd))[1]
            assert market.at(3e5).costs == pytest.approx(exact.costs)
            _, at, _ = best(market.at(3e5), market.objective.sense, Clock(60.0, threads=1), 1e-7)
            _, there, _ = best(exact, market.objective.sense, Clock(60.0, threads=1), 1e-7)
            assert at == pytest.approx(there, rel=1e-6, nan_ok=True)


def test_words_fit_the_screen_and_say_what_is_not_known() -> None:
    data = market_of({"site.budget_usd": 12e3, "site.power_mw": 1.0})
    bench = bench_of(data)
    records = {
        "bottlenecks": bottlenecks(bench, bought("new"), rebuilt=False),
        "entry_prices": entry_prices(bench_of(market_of({"site.budget_usd": 12e3}, new_usd=4000.0)), bought("old")),
        "ladder": {"unit": "tokens/s", "step": 0.25, "rungs": [
            {"rung": 0, "name": "", "value": 1.0, "gain_frac": 0.0, "bottleneck_name": "power"},
            {"rung": 1, "name": "power", "value": None, "gain_frac": 0.5, "bottleneck_name": ""},
        ]},
        "levers": {
            "unit": "x", "total": 1.0, "value": 2.0, "plain": {"value": None},
            "levers": [{"name": "caps", "contribution": 1.0, "low": 0.5, "high": 1.5, "share": 1.0}],
        },
        "architectures": {
            "unit": "x", "architectures": [{"name": "air", "value": 1.0, "distance_frac": 0.5}],
            "runners_up": [{"name": "without new", "value": None, "distance_frac": None}],
        },
    }  # fmt: skip
    design = Design(status="optimal", objective={"value": 2.0, "unit": "x", "gap": 0.0}, explained=records)
    text = render_explained(design)
    assert all(len(line) <= 100 for line in text.splitlines())
    for words in ("enters below", "leaves above", "25% more power", "none found", "plain build", "without new", "50%"):
        assert words in text, words


def test_explain_values_hardware_and_climbs_the_ladder() -> None:
    """The study's own answer explained: more hardware never loses, each rung is at least as good as the one before."""
    design = explain(solved.study(), solved.catalog(), ["bottlenecks", "ladder"], depth=1)
    records = {r["id"]: r for r in design.explained["bottlenecks"]}
    assert all(f"hardware.{name}" in records for name in HARDWARE)
    for record in records.values():
        assert all(0.0 <= s["gain_low"] <= s["gain_high"] + 1e-6 for s in record["steps"])
    assert records["site.power_mw"]["slack"] == pytest.approx(0.0, abs=0.05 * 0.5e6)
    rungs = design.explained["ladder"]["rungs"]
    assert len(rungs) == 2 and rungs[1]["relaxed"] == rungs[0]["bottleneck"]
    assert rungs[1]["bound"] >= rungs[0]["value"] and rungs[1]["gain_high"] > 0.0
    assert design.solver["explained_seconds"] > 0.0


def test_command_prints_a_formula_without_a_solve(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", "studies/small.toml", "--number", "kv_bytes_per_token", "--class", "chat_short"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "kv_bytes_per_token" in out and "chat_short" in out


def test_command_refuses_an_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", "studies/small.toml", "--part", "gb200_nvl27"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "gb200_nvl27" in said and "gb200_nvl72" in said


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_worth_of_links_racks_and_ports_is_that_of_a_share_more_of_what_they_offer(seed: int) -> None:
    """Each coefficient of what is offered a ten-thousandth larger: the relaxation gains what was stated."""
    bench = bench_of(tiny(seed, "tokens"))
    if bench.relaxed.values is None:
        return  # the demand cannot be served
    step = 1e-4
    for group in used_groups(bench):
        offers = np.isin(np.repeat(np.arange(len(bench.program.rows)), np.diff(bench.program.start)), list(group.rows))
        offers &= bench.program.value < 0.0
        if group.id.startswith("slots") or not offers.any():
            continue
        value = np.where(offers, bench.program.value * (1.0 + step), bench.program.value)
        more = bench.relax(dataclasses.replace(bench.program, value=value))
        stated = sum(abs(float(bench.relaxed.duals[row])) * units for row, units in group.rows.items()) * step
        gained = bench.relaxed.objective - more.objective
        assert gained == pytest.approx(stated, rel=0.02, abs=1e-6 * abs(bench.relaxed.objective)), group.id
