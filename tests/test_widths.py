"""Router widths: only as many replicas share a queue as stand, and wider never serves less."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Any

import pytest
from records import candidate, configuration, housing, model_data, scenario, workload

from solver.baselines import Comparison
from solver.builds import Build, Nodes
from solver.candidates import Candidate, CandidateSet
from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.errors import InputError
from solver.highs import Clock, solve_lp
from solver.model.data import ModelData, Pool
from solver.model.objectives import find_objective
from solver.model.polish import used_data
from solver.optimise import optimise, relaxed_model
from solver.own_build import own_build
from solver.polishing import polish
from solver.quote import judge
from solver.quoted import Quoted
from solver.report import render
from solver.resident import Resident
from solver.restriction import Layout
from solver.scenario import Scenario, resolve
from solver.settling import optimise_at_widths, optimised, settle_widths
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict
from solver.thinning import thin_queues, with_queues_that_stand
from solver.widths import FewReplicasError, check_widths, few_replicas, stand

KEEP = {"hgx_h100_8"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def study(catalog: Catalog, width: int = 1, **of_class: Any) -> Study:
    out = [row.id for row in catalog.rows("platforms") if row.id not in KEEP]
    return study_from_dict({
        "site": {"power_mw": 0.2, "available_by": "2026-12"}, "exclude": out,
        "workload": [{"id": "chat_short", "requests_per_s": 1.0, **of_class}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 1, "router_width": width},
    })  # fmt: skip


def rates(catalog: Catalog, width: int, **of_class: Any) -> dict[tuple[Any, ...], Candidate]:
    """Candidates by what they are; pairs apart, of which only those that may be worth it are made."""
    alone = study(catalog, width, **of_class).with_changes({"build.scale_up_handover": False})
    _, made = prepare(resolve(alone, catalog), prune=False)
    return {
        (c.role, c.cache, c.tier, c.precision, c.tp, c.pp, c.dp, c.ep, c.batch, c.ports): c for c in made.candidates
    }


def test_a_wider_router_never_lowers_a_rate(catalog: Catalog) -> None:
    """Nothing is lost; hits from a node's own tiers stay as they are."""
    one, eight = rates(catalog, 1), rates(catalog, 8)
    assert set(one) <= set(eight)
    assert all(eight[key].requests_per_s >= c.requests_per_s * (1 - 1e-9) for key, c in one.items())
    assert any(eight[key].requests_per_s > c.requests_per_s * 1.01 for key, c in one.items())
    own = {key: c for key, c in one.items() if c.tier and not c.tier.startswith("pooled_")}
    assert own and all(c.router_width == 1 for c in own.values())
    assert all(eight[key].requests_per_s == c.requests_per_s for key, c in own.items())


def test_bursts_cost_rate_and_free_misses_gain(catalog: Catalog) -> None:
    plain, bursty, hits = (rates(catalog, 1, **more) for more in ({}, {"arrival_cv": 4.0}, {"promise_on": "hit"}))
    prefill = [key for key in bursty if key[0] == "prefill"]
    assert prefill and any(bursty[key].requests_per_s < plain[key].requests_per_s * 0.99 for key in prefill)
    assert {key for key in plain if key[1] == "miss"} < {key for key in hits if key[1] == "miss"}
    assert {key for key in plain if key[1] == "hit"} == {key for key in hits if key[1] == "hit"}


@pytest.mark.parametrize("promise_on", ["hit", "per_1k_new_tokens"])
def test_a_design_keeps_what_its_promise_binds(catalog: Catalog, promise_on: str) -> None:
    design = solve(study(catalog, 8, promise_on=promise_on), catalog)
    assert design.audit["ok"]
    assert {item["path"]: item["value"] for item in design.assumptions}["workload.chat_short.promise_on"] == promise_on
    assert_queues_stand(design)


def test_shared_tokens_are_not_new_ones(catalog: Catalog) -> None:
    """By new tokens a miss is promised nothing for what all requests share: audit and stated limits say so too."""
    design = solve(study(catalog, 8, promise_on="per_1k_new_tokens", system_tokens=500.0), catalog)
    assert design.audit["ok"], design.audit
    work = resolve(study(catalog, 8, promise_on="per_1k_new_tokens", system_tokens=500.0), catalog).workloads[0]
    limit = next(item for item in design.limits if item["id"] == "promise.chat_short.ttft")
    spent = {
        item["ttft_s"] * 1000.0 / (work.isl - (work.cached_on_hit if item["cache"] == "hit" else 500.0))
        for item in design.load
        if item["ttft_s"] is not None
    }
    assert limit["used"] == pytest.approx(max(spent))


def assert_queues_stand(design: Design) -> None:
    """As many replicas of a class and role stand as share its queue, whatever platform they are on."""
    total: dict[tuple[str, str], float] = defaultdict(float)
    for item in design.load:
        if item["router_width"] > 1:
            total[item["class"], item["role"]] += item["replicas"]
    for item in design.load:
        if item["router_width"] > 1:
            assert item["router_width"] <= total[item["class"], item["role"]] + 1e-6
    assert {(q["class"], q["role"]): q["replicas"] for q in design.solver["queues"]} == total


def test_words_without_a_meaning_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="promise_on"):
        study(catalog, promise_on="miss")
    with pytest.raises(InputError, match="no request of the class can hit"):
        resolve(study(catalog, promise_on="hit", reuse_frac_max=0.0), catalog)
    with pytest.raises(InputError, match="router_width"):
        study(catalog, width=0)


def test_replicas_of_a_class_and_role_count_together() -> None:
    """Proves few_replicas: 3.7 + 4.4 replicas hold eight up, 3.7 + 3.7 hold seven; another role does not help.

    Of a queue of 0.4 replicas one stands; what shares nothing, as hits in a node's own tier, adds nothing.
    """
    here, there = ("a", "prefill"), ("a", "mixed")
    assert few_replicas([(here, 8, 3.7), (here, 8, 4.4)]) == {}
    assert few_replicas([(here, 8, 3.7), (here, 8, 3.7), (there, 8, 9.0)]) == {here: 7}
    assert few_replicas([(here, 8, 0.4), (here, 1, 20.0), (there, 1, 0.2)]) == {here: 1}
    assert few_replicas([(here, 8, 1e-5)], least=1e-4) == {}
    load = [{"class": "a", "role": "mixed", "router_width": 4, "replicas": 3.9}]
    with pytest.raises(FewReplicasError) as few:
        check_widths(load, 5.0)
    assert few.value.widths == {there: 3} and few.value.bound == 5.0


# --- by hand: a replica serves 5 requests/s for every replica that shares its queue ----------------------


def made(within: Scenario) -> tuple[ModelData, CandidateSet]:
    width = within.router_width("chat", "mixed")
    column = dataclasses.replace(candidate(rate=5.0 * width), router_width=width)
    return model_data(within, [(column, None)], [housing(Pool(configuration(), 1.0))]), CandidateSet((), (), 0, 0)


def three_nodes(**more: Any) -> Scenario:
    changes = {"supply.platform.node": 3, **{key.replace("__", "."): value for key, value in more.items()}}
    return scenario(changes, [workload(demand=120.0)])


def test_widths_end_where_they_stand() -> None:
    """Proves settle_widths: three nodes serve all 120 requests/s if eight share a queue, but three stand: 15/s each.

    That is 4,500 tokens/s, and not 12,000.
    """
    settled = settle_widths(three_nodes(), made, Clock(60.0, threads=1))
    assert settled.data.scenario.widths == {("chat", "mixed"): 3} and settled.relaxations == 2
    solved = optimise_at_widths(three_nodes(), made, Clock(60.0, threads=1))
    assert solved is not None
    assert solved.value * solved.objective.per_unit(three_nodes()) == pytest.approx(4500.0)
    wide = optimise(made(three_nodes())[0], Clock(60.0, threads=1))
    assert wide.value * wide.objective.per_unit(three_nodes()) == pytest.approx(12_000.0)


def test_widths_that_stand_stay() -> None:
    """Two in a queue of three nodes stand at once: 10/s each, 3,000 tokens/s."""
    settled = settle_widths(three_nodes(build__router_width=2), made, Clock(60.0, threads=1))
    assert settled.data.scenario.widths == {} and settled.relaxations == 1


def test_a_part_that_is_too_poor_is_not_believed() -> None:
    """Proves optimised: columns cut to one that serves 1/s are far from the bound, so all columns are searched again."""

    def two(within: Scenario) -> tuple[ModelData, CandidateSet]:
        data, candidates = made(within)
        poor = (dataclasses.replace(candidate(rate=1.0), batch=2.0), None)
        columns = [(data.columns[0].candidate, None), poor]
        return model_data(within, columns, [housing(Pool(configuration(), 1.0))]), candidates

    clock = Clock(60.0, threads=1)
    settled = settle_widths(three_nodes(), two, clock)
    assert settled.data is not settled.whole and settled.first is not None
    cut = used_data(settled.whole, {1}, {p.id for p in settled.whole.pools})
    poor = dataclasses.replace(settled, data=cut, ready=relaxed_model(cut, clock))
    for each in (settled, poor):
        solved = optimised(each, clock)
        unit = solved.objective.per_unit(three_nodes())
        assert solved.value * unit == pytest.approx(4500.0)
        assert solved.bound * unit <= 12_000.0 * (1 + 1e-9) and solved.value <= solved.bound * (1 + 1e-9)


def test_a_polished_design_is_decided_again_at_queues_that_stand() -> None:
    """Proves with_queues_that_stand: 40/s a replica with eight in a queue, 15/s with the three that stand.

    4,500 tokens/s is too far from the bound of 12,000 for a study's gap, and near enough where that much is allowed.
    """
    clock = Clock(60.0, threads=1)
    data, candidates = made(three_nodes())
    solved = optimise(data, clock)
    polished = polish(solved, clock)
    assert thin_queues(polished) == {("chat", "mixed"): 3}
    with pytest.raises(FewReplicasError) as few:
        with_queues_that_stand(polished, solved, candidates, made, clock)
    assert few.value.widths == {("chat", "mixed"): 3} and few.value.bound == solved.bound
    found, again, _ = with_queues_that_stand(polished, solved, candidates, made, clock, gap=2.0)
    assert found.value * solved.objective.per_unit(three_nodes()) == pytest.approx(4500.0)
    assert again.data.scenario.widths == {("chat", "mixed"): 3} and again.bound == solved.bound
    assert thin_queues(found) == {}
    assert with_queues_that_stand(found, again, candidates, made, clock)[0] is found


def test_a_comparison_has_queues_of_its_own() -> None:
    """Proves Comparison: without honouring widths its build would serve 120/s."""
    record = Comparison(three_nodes(), made, Clock(60.0, threads=1)).solved("three nodes", lambda data: data)
    assert record is not None and record["objective_value"] == pytest.approx(4500.0)


def test_a_quote_on_queues_that_do_not_stand_is_not_judged() -> None:
    data, _ = made(three_nodes())
    quoted = Quoted(data, "platform", "node", {"node/standard": 1}, 1000.0, 1000.0)
    with pytest.raises(FewReplicasError) as few:
        judge(quoted, "node", 900.0, 1, 1e-3, Clock(60.0, threads=1))
    assert few.value.widths == {("chat", "mixed"): 3}


def stood(width: int, nodes: int, least_tokens: float) -> tuple[list[float], float] | None:
    """Replicas in a queue and alone, and tokens/s, after `stand`: 20/s in a queue, 10/s alone, 30/s asked for."""
    of = scenario({"supply.platform.node": nodes}, [workload(demand=30.0)])
    columns = [(dataclasses.replace(candidate(rate=20.0), router_width=width), None), (candidate(rate=10.0), None)]
    data = model_data(of, columns, [housing(Pool(configuration(), 1.0))])
    clock, unit = Clock(60.0, threads=1), find_objective(of).per_unit(of)
    ready = relaxed_model(data, clock)
    cost, offset = ready.program.costs[0], float(ready.program.offsets[0])
    at = Layout.of(data, ready.model, ready.program).replicas
    begin = ready.program.lower.copy()
    begin[at[0]] = 1.5
    first = dataclasses.replace(ready.program, lower=begin)
    values = solve_lp(first, cost, offset, clock).values
    assert values is not None

    def tokens(point: Any) -> float:
        return -float(cost @ point + offset) * unit

    found = stand(ready.program, data, at, cost, offset, values, lambda point: tokens(point) >= least_tokens, clock)
    return None if found is None else ([round(float(found[1][at[k]]), 6) for k in (0, 1)], tokens(found[1]))


def test_a_thin_queue_is_filled_or_emptied() -> None:
    """Proves stand: 1.5 replicas of a queue of two become two; of a queue of eight on two nodes none, which cost 10/s.

    Where that is more than may be lost there is no answer.
    """
    filled = stood(2, 3, 3000.0)
    assert filled is not None and filled[0][0] >= 2.0 and filled[1] == pytest.approx(3000.0)
    assert stood(8, 2, 1000.0) == ([0.0, 2.0], pytest.approx(2000.0))
    assert stood(8, 2, 2500.0) is None


# --- whole studies ---------------------------------------------------------------------------------------


def test_few_replicas_share_less_and_say_so(catalog: Catalog) -> None:
    """Of a handful of servers without hits no queue is wider than what stands, however wide it was asked for."""
    design = solve(study(catalog, 1000, reuse_frac_max=0.0), catalog)
    assert design.audit["ok"]
    assert_queues_stand(design)
    assert design.solver["queue_rounds"]["relaxations"] > 1
    assert all(q["width"] < 1000 for q in design.solver["queues"])
    assert {w["width"] < 1000 for w in design.solver["lowered_widths"]} == {True}
    assert "no build with queues of these widths has more" in render(design).replace("\n           ", " ")
    assert ("replicas share a router" in render(design)) == bool(design.solver["queues"])


def test_a_warm_answer_has_queues_that_stand(catalog: Catalog) -> None:
    """With the widths of the last answer, and where those are forgotten: they are narrowed on the way, or in full."""
    warm = Resident(study(catalog, 1000, reuse_frac_max=0.0), catalog)
    assert warm.solve().audit["ok"] and warm._warm is not None and warm._warm.widths
    for widths in (warm._warm.widths, {}):
        warm._warm = dataclasses.replace(warm._warm, widths=widths)
        quick = warm.solve({"site.power_mw": 0.19})
        assert quick.audit["ok"]
        assert_queues_stand(quick)


def test_an_own_build_has_queues_of_its_own(catalog: Catalog) -> None:
    """One server has few replicas: a router for a thousand does no more for it than one for a hundred."""
    build = Build("one server", (Nodes("hgx_h100_8", 1),))
    values = [
        own_build(build, resolve(study(catalog, width), catalog), Clock(60.0))["objective_value"]
        for width in (1, 100, 1000)
    ]
    assert values[1] == pytest.approx(values[2], rel=1e-3) and values[0] <= values[1] * (1 + 1e-3)
