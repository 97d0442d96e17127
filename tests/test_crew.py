"""Questions are answered once each, by whichever process is free, and none is lost with a process."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from solver.explaining import crew
from solver.explaining.subject import Subject
from solver.highs import Clock
from solver.solve import columns_of
from tests import solved

Known = dict[str, dict[str, float | None]]


def answers() -> Known:
    """What two sections say of each thing, as far as it hangs on no search that the clock ends."""
    clock = Clock(600.0, 2)
    options = {"promised": 0, "parts": ["mi300x_8", "hgx_h200_8"]}
    subject = Subject(solved.study(), solved.catalog(), solved.design(), columns_of({}), clock, options)
    found = crew.answers_to(subject, ["bottlenecks", "entry_prices"])
    return {
        "bottlenecks": {r["id"]: r["marginal"] for r in found["bottlenecks"]},
        "entry_prices": {r["part"]: r["relaxed_usd"] for r in found["entry_prices"]},
    }


@pytest.fixture(scope="module")
def alone() -> Known:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew.os, "cpu_count", lambda: 1)
        return answers()


def test_two_processes_answer_as_one_does(alone: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "WORTH_S", 0.0)
    monkeypatch.setattr(crew.os, "cpu_count", lambda: 2)
    asked = []
    answered = crew._List.answered

    def seen(self: crew._List, key: crew.Key, answer: Any, *, away: bool) -> None:
        asked.append((key, away))
        answered(self, key, answer, away=away)

    monkeypatch.setattr(crew._List, "answered", seen)
    assert answers() == alone
    assert len({key for key, _ in asked}) == len(asked)


def test_questions_of_a_process_that_dies_are_answered_here(alone: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "WORTH_S", 0.0)
    monkeypatch.setattr(crew.os, "cpu_count", lambda: 2)
    started = subprocess.Popen

    def broken(command: list[str], **pipes: Any) -> Any:
        return started([command[0], "-c", "import sys; sys.stdin.buffer.read(1000)"], **pipes)

    monkeypatch.setattr(crew.subprocess, "Popen", broken)
    assert answers() == alone


def test_a_question_that_fails_elsewhere_comes_back() -> None:
    listed = crew._List()
    listed.add([("a", "1"), ("a", "2")], last=True)
    first = listed.take(wait=True, away=True)
    assert first == ("a", "1") and listed.take(wait=True, away=False) == ("a", "2")
    listed.answered(("a", "2"), "two", away=False)
    listed.returned(first)
    assert listed.take(wait=True, away=False) == first
    listed.answered(first, "one", away=False)
    assert listed.take(wait=True, away=False) is None
    assert listed.answers == {("a", "1"): "one", ("a", "2"): "two"}
