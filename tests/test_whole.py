"""Whole replicas near a polished design, solved by hand: three accelerators, two classes in equal parts at 10/s each."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from records import candidate, configuration, housing, model_data, scenario, workload

from solver.highs import Clock
from solver.model.data import Pool
from solver.optimise import Solved, optimise
from solver.polishing import Polished, polish
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
