"""Whole replicas near a polished design, solved by hand: three accelerators, two classes in equal parts at 10/s each."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from records import candidate, configuration, housing, model_data, scenario, workload

from solver import whole as search
from solver.highs import Clock
from solver.model.data import Pool
from solver.nearby import Counts, offered
from solver.optimise import Solved, optimise
from solver.polishing import Polished, polish, small_model
from solver.whole import made_whole, matters, rounding_share, whole_record


def polished(second: str = "fp8", whole: Any = "auto") -> tuple[Solved, Polished]:
    """Return the polished design in parts; both classes run in the same replicas where `second` is bf16."""
    changes = {"supply.platform.node": 3, "build.whole_replicas": whole, "demand.mode": "mix", "demand.max_scale": 9.0}
    columns = [(candidate("a"), None), (dataclasses.replace(candidate("b"), precision=second), None)]
    of = scenario(changes, [workload("a"), workload("b")])
    solved = optimise(model_data(of, columns, [housing(Pool(configuration(), 1.0))]), Clock(60.0, threads=1))
    return solved, polish(solved, Clock(60.0, threads=1))


def test_whole_replicas_cost_what_parts_served() -> None:
    """1.5 replicas of each kind serve 15/s of each class; of three whole ones one kind has one: 10/s of each.

    Were the last replica of a kind counted in part, nothing would be lost.
    """
    solved, parts = polished()
    unit = solved.objective.per_unit(solved.data.scenario)
    assert parts.value * unit == pytest.approx(3000.0)
    assert rounding_share(parts) == pytest.approx(2.0 / 3.0) and matters(parts)
    whole = made_whole(parts, solved, Clock(60.0, threads=1))
    assert whole is not None and whole.value * unit == pytest.approx(2000.0)
    found = whole_record(solved, whole, whole.value)
    assert found["on"] and found["loss_frac"] == pytest.approx(1.0 / 3.0)
    assert sum(item["replicas"] for item in found["replicas"]) in (2, 3)


def test_classes_share_replicas_of_one_kind() -> None:
    """The same weights serve both classes in turn: three whole replicas, 3,000 tokens/s; apart it were 2,000."""
    solved, parts = polished("bf16")
    whole = made_whole(parts, solved, Clock(60.0, threads=1))
    assert whole is not None and whole.value == pytest.approx(parts.value)
    record = whole_record(solved, whole, whole.value)
    assert [item["replicas"] for item in record["replicas"]] == [3]
    assert len(record["replicas"][0]["load_ids"]) == 2


def test_parts_stay_where_the_study_says_so() -> None:
    solved, parts = polished(whole=False)
    assert not matters(parts)
    assert whole_record(solved, parts, parts.value) | {"share": 0.0} == {
        "on": False, "share": 0.0, "loss_frac": 0.0, "replicas": [],
    }  # fmt: skip


def test_what_was_not_looked_for_is_not_called_free() -> None:
    solved, parts = polished()
    assert whole_record(solved, parts, parts.value)["loss_frac"] is None


def uneven(**changes: Any) -> tuple[Solved, Polished]:
    """Return a polished design in parts of one class in replicas of two accelerators, or of one that serves 8/s."""
    changes = {"supply.platform.node": 3, "demand.mode": "mix", "demand.max_scale": 9.0, **changes}
    pair = dataclasses.replace(candidate("a"), tp=2, charge=2.0, requests_per_s=20.0)
    columns = [(pair, None), (dataclasses.replace(candidate("a"), requests_per_s=8.0), None)]
    data = model_data(scenario(changes, [workload("a")]), columns, [housing(Pool(configuration(), 1.0))])
    solved = optimise(data, Clock(60.0, threads=1))
    return solved, polish(solved, Clock(60.0, threads=1))


@pytest.mark.parametrize("few", [search.FEW_KINDS, 0], ids=["any counts", "near ones"])
def test_smaller_replicas_fill_what_others_leave(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts 1.5 replicas of two serve 30/s. Of whole ones, one of two and one of one serve 28/s; alone 20 or 24."""
    monkeypatch.setattr(search, "FEW_KINDS", few)
    solved, parts = uneven()
    unit = solved.objective.per_unit(solved.data.scenario)
    assert parts.value * unit == pytest.approx(3000.0)
    whole = made_whole(parts, solved, Clock(60.0, threads=1))
    assert whole is not None and whole.value * unit == pytest.approx(2800.0)
    assert whole_record(solved, whole, whole.value)["loss_frac"] == pytest.approx(2.0 / 30.0)


def test_a_limit_on_candidates_holds_for_whole_replicas() -> None:
    """With one candidate a class and role nothing fills the third accelerator: 20/s."""
    solved, parts = uneven(**{"build.max_candidates_per_class_role": 1})
    whole = made_whole(parts, solved, Clock(60.0, threads=1))
    assert whole is not None and len(whole.data.columns) == 1
    assert whole.value * solved.objective.per_unit(solved.data.scenario) == pytest.approx(2000.0)


def test_counts_stay_near() -> None:
    """1.5 replicas of two: one or two after rounding, up to three when one away; nodes 3, or 2 to 4; fillers up to 8."""
    solved, parts = uneven()
    data = offered(solved.data, parts)
    model, program = small_model(data, solved)
    counts = Counts.of(data, model, program, parts)
    node, (pair, other) = next(iter(counts.nodes)), sorted(counts.kinds, key=lambda k: -counts.kinds[k])
    for away, nodes, bounds in ((0.0, 0.0, [(3, 3), (1, 2), (0, 8)]), (1.0, 1.0, [(2, 4), (0, 3), (0, 8)])):
        near = counts.near(program, None, away, nodes)
        found = [(near.lower[k], min(near.upper[k], 8.0)) for k in (node, pair, other)]
        assert found == bounds
    point = program.lower.copy()
    point[[node, pair, other]] = 3.0, 1.0, 1.0
    near = counts.near(program, point, 1.0, 0.0)
    assert [(near.lower[k], near.upper[k]) for k in (node, pair, other)] == [(3, 3), (0, 2), (0, 2)]


def test_costly_kinds_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only as many kinds are offered as are in use, others have no replicas."""
    monkeypatch.setattr("solver.nearby.MOST_KINDS", 1)
    solved, parts = uneven()
    whole = made_whole(parts, solved, Clock(60.0, threads=1))
    assert whole is not None and whole.value * solved.objective.per_unit(solved.data.scenario) == pytest.approx(2000.0)
