"""Polish, solved by hand: among designs that are as good, the fewest kinds.

One platform, configuration, pool and candidate weigh 40 + 15 + 4 + 1 = 60. Two platforms with two nodes each
serve 10 requests/s a node; 20 are to be served, so either platform alone will do.
"""

from __future__ import annotations

import dataclasses
import math

import pyomo.environ as pyo
import pytest
from hand import Row, take_out
from records import candidate, configuration, housing, model_data, platform, scenario, workload

from solver.errors import InputError
from solver.fewest import FewestKinds
from solver.highs import Clock, compile_model, solve_mip
from solver.model.build import build_model
from solver.model.data import ModelData, Pool
from solver.model.objectives import token_rate
from solver.model.polish import WEIGHTS, add_polish, used_data
from solver.optimise import optimise
from solver.polishing import polish, with_gaps

ALL = sum(WEIGHTS.values())


def two_alike(each: int, changes: dict[str, object] | None = None) -> ModelData:
    """Return a case with two platforms that differ in name only, `each` of both to be had."""
    first, second = platform("first"), platform("second")
    columns = [(candidate(at=part), None) for part in (first, second)]
    houses = [housing(Pool(configuration(part), 1.0)) for part in (first, second)]
    supply = {"supply.platform.first": each, "supply.platform.second": each}
    return model_data(scenario(supply | (changes or {}), [workload(demand=20.0)]), columns, houses)


def fewest(data: ModelData, *without: Row, tokens: float = 2000.0, least: float = 0.1) -> float:
    """Return the weight of the fewest kinds that make so many tokens/s; nan if none do."""
    model = build_model(data)
    model.keep_value = pyo.Constraint(expr=token_rate(model.period[0], data) >= tokens / 1e3)
    pools, columns = [p.id for p in data.pools], [c.index for c in data.columns]
    add_polish(model, data, dict.fromkeys(pools, 9.0), dict.fromkeys(columns, 9.0), dict.fromkeys(columns, least))
    for row in without:
        take_out(model, row)
    program = compile_model(model)
    outcome = solve_mip(
        program, program.costs[0], float(program.offsets[0]), Clock(30.0, 1), upper=program.upper, gap=1e-6
    )
    return outcome.objective


KINDS = {
    "run_only_used": ALL - WEIGHTS["column"],
    "fill_only_used": WEIGHTS["column"],
    "pool_needs_unit": WEIGHTS["pool"] + WEIGHTS["column"],
    "unit_needs_platform": ALL - WEIGHTS["platform"],
    "keep_value": 0.0,
}
"""Row -> what the kinds would weigh without it: something in use would not be counted."""


@pytest.mark.parametrize("row", KINDS)
def test_what_is_used_is_counted(row: str) -> None:
    """Proves the counting rows: one kind of each weighs 60; without the row the weight in `KINDS`."""
    assert fewest(two_alike(2)) == pytest.approx(ALL)
    assert fewest(two_alike(2), row) == pytest.approx(KINDS[row])


def test_two_kinds_where_one_will_not_do() -> None:
    """Proves that the objective holds: with one node of each both are needed, 120; one alone would make 1,000."""
    assert fewest(two_alike(1)) == pytest.approx(2 * ALL)


def test_slivers_are_not_deployments() -> None:
    """Proves run_no_slivers: a deployment of at least 2 replicas does not go on a single node of one accelerator.

    So there is no such design; without the row there is one of two kinds, 120.
    """
    assert math.isnan(fewest(two_alike(1), least=2.0))
    assert fewest(two_alike(1), "run_no_slivers", least=2.0) == pytest.approx(2 * ALL)


def test_so_many_candidates_per_class_and_role() -> None:
    """Proves limit_candidates: one candidate cannot use both nodes, so there is no such design; else 120."""
    data = two_alike(1, {"build.max_candidates_per_class_role": 1})
    assert math.isnan(fewest(data))
    assert fewest(data, "limit_candidates") == pytest.approx(2 * ALL)


def test_the_polish_takes_one_kind_where_two_tie() -> None:
    """Proves the whole polish: 2,000 tokens/s from one platform, not worse than before."""
    data = two_alike(2, {"solver.gap": 0.001})
    solved = optimise(data, Clock(30.0, 1))
    polished = polish(solved, Clock(30.0, 1))
    assert polished.kinds_after == {"platforms": 1, "configurations": 1, "pools": 1, "candidates": 1}
    assert polished.value == pytest.approx(2.0)
    assert sum(polished.kinds_after.values()) <= sum(polished.kinds_before.values())


def test_no_search_where_every_kind_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the early end: with one node of each, neither platform can go, the relaxation says so, no search is run."""
    data = two_alike(1, {"solver.gap": 0.001})
    solved = optimise(data, Clock(30.0, 1))
    monkeypatch.setattr(FewestKinds, "search", lambda *_: pytest.fail("searched for what was proven"))
    polished = polish(solved, Clock(30.0, 1))
    assert polished.kinds_after == polished.kinds_before
    assert polished.value == pytest.approx(2.0)


def test_a_limit_on_candidates_costs_tokens_rather_than_being_broken() -> None:
    """Proves that the polish keeps max_candidates_per_class_role: one node of each, one candidate: 1,000, not 2,000."""
    data = two_alike(1, {"build.max_candidates_per_class_role": 1})
    polished = polish(optimise(data, Clock(30.0, 1)), Clock(30.0, 1))
    assert polished.value == pytest.approx(1.0)
    assert polished.kinds_after["candidates"] == 1


def test_a_limit_on_candidates_that_cannot_be_kept_is_bad_input() -> None:
    """Proves the refusal: all of 20/s must be served, one candidate serves 10/s; the study is told which key."""
    data = two_alike(1, {"build.max_candidates_per_class_role": 1, "demand.floor_frac": 1.0})
    with pytest.raises(InputError) as caught:
        polish(optimise(data, Clock(30.0, 1)), Clock(30.0, 1))
    assert caught.value.problems[0].field == "build.max_candidates_per_class_role"


def test_used_data_keeps_what_bound_columns_need() -> None:
    data = two_alike(1)
    cut = used_data(data, {1}, {data.pools[1].id})
    assert [c.index for c in cut.columns] == [1]
    assert [p.id for p in cut.pools] == [data.pools[1].id]
    assert {h.pool.id for h in cut.housings} == {data.pools[1].id}


def test_used_data_leaves_out_what_no_node_would_bound() -> None:
    """A column of a platform none of whose pools stay has no row that bounds it: it would serve all for nothing."""
    data = two_alike(1)
    family = data.pools[1].family
    other = {c.index for c in data.columns if c.family != family}
    assert other
    cut = used_data(data, {c.index for c in data.columns}, {data.pools[1].id})
    assert {c.family for c in cut.columns} == {family} and not other & {c.index for c in cut.columns}


def test_what_finds_no_room_is_taken_off() -> None:
    """Proves with_gaps: 2 nodes a platform make 1,000 tokens/s a node; half an accelerator idle leaves 3,500.

    Gaps add up: another half leaves 3,000. Were the gap forgotten, 4,000; were a node taken off, 3,000 at once.
    """
    data = two_alike(2, {"supply.platform.first": 2})
    data = dataclasses.replace(
        data,
        scenario=dataclasses.replace(data.scenario, workloads=(workload(demand=100.0),)),
    )
    solved = optimise(data, Clock(30.0, 1))
    polished = polish(solved, Clock(30.0, 1))
    once = with_gaps(polished, solved, {"first@1": 0.5}, Clock(30.0, 1))
    twice = with_gaps(once, solved, {"first@1": 0.5}, Clock(30.0, 1))
    assert [part.value for part in (polished, once, twice)] == pytest.approx([4.0, 3.5, 3.0])
    assert pyo.value(twice.model.period[0].nodes["first/standard@1"]) == 2
