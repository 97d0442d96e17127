"""Runs on disk: what is written is found again, by those who may see it, and by nobody through a path."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from designs import reference_like

from solver.whatif.store import NAME_LENGTH, Request, Store, is_id, new_id

WORKSPACE = "w" * 22


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def request(kind: str = "solve") -> Request:
    return Request(kind, {"name": "small", "site": {"power_mw": 1.0}}, {"platforms": [{"id": "x", "power_w": 25.7}]})


def test_ids_differ_and_are_ids() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100 and all(is_id(one) for one in ids)


def test_a_run_waits_with_all_that_was_asked(store: Store) -> None:
    made = store.add(request(), WORKSPACE, "first", "why")
    found = Store(store.root).get(made.id)  # another process looks
    assert found == made
    assert (found.state, found.name, found.note, found.seconds) == ("waiting", "first", "why", 0.0)
    assert found.request.overlay["platforms"][0]["power_w"] == 25.7


def test_only_the_workspace_lists_its_runs_newest_first(store: Store) -> None:
    ids = [store.add(request(), WORKSPACE).id for _ in range(3)]
    other = store.add(request(), "v" * 22)
    for number, run_id in enumerate(ids):  # the clock may not have moved between them
        card = store.folder(run_id) / "card.json"
        card.write_text(card.read_text().replace(store.get(run_id).created, f"2026-01-0{number + 1}"))  # type: ignore[union-attr]
    assert [run.id for run in store.list(WORKSPACE)] == ids[::-1]
    assert [run.id for run in store.list("v" * 22)] == [other.id]
    assert store.get(other.id) is not None  # who has the id may open it


@pytest.mark.parametrize("text", ["", "..", "../../etc/passwd", "a" * 21, "a" * 23, "a" * 21 + "/", "a" * 21 + "\n"])
def test_no_path_comes_from_outside(store: Store, text: str) -> None:
    assert store.get(text) is None and store.result(text) is None and store.design(text) is None
    assert store.progress(text) == [] and store.list(text) == []
    store.ask_stop(text)
    store.delete(text)
    with pytest.raises(KeyError):
        store.folder(text)
    with pytest.raises(KeyError):
        store.rename(text, "x")
    with pytest.raises(ValueError):
        store.add(request(), text)


def test_unknown_kinds_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="'shell'"):
        store.add(request("shell"), WORKSPACE)


def test_a_run_goes_from_waiting_to_done(store: Store) -> None:
    run = store.add(request(), WORKSPACE)
    store.begin(run.id)
    assert store.get(run.id).state == "running"  # type: ignore[union-attr]
    store.report(run.id, {"seconds": 1.0, "stage": "search", "incumbent": None, "bound": 2.0, "gap": None})
    with (store.folder(run.id) / "progress.jsonl").open("a") as stream:
        stream.write('{"seconds": 2.0, "sta')  # a line that is being written
    assert [event["stage"] for event in store.progress(run.id)] == ["search"]
    design = reference_like()
    store.end(run.id, "done", {"design": dataclasses.asdict(design)})
    done = store.get(run.id)
    assert done is not None and done.state == "done" and done.ended
    assert store.design(run.id) == design
    assert store.design(run.id) is store.design(run.id)  # read once
    store.end(run.id, "failed", None, "too late")
    assert store.get(run.id).state == "done"  # type: ignore[union-attr]


def test_a_stop_shows_until_the_run_is_over(store: Store) -> None:
    run = store.add(request(), WORKSPACE)
    store.begin(run.id)
    assert not store.stop_asked(run.id)
    store.ask_stop(run.id)
    assert store.stop_asked(run.id) and store.get(run.id).state == "stopping"  # type: ignore[union-attr]
    store.end(run.id, "stopped", None, "stopped")
    assert store.get(run.id).state == "stopped"  # type: ignore[union-attr]


def test_names_are_changed_and_cut(store: Store) -> None:
    run = store.add(request(), WORKSPACE, "a", "b")
    assert store.rename(run.id, name=" c ").name == "c"
    assert store.rename(run.id, note="d").note == "d" and store.get(run.id).name == "c"  # type: ignore[union-attr]
    assert len(store.rename(run.id, name="x" * 500).name) == NAME_LENGTH


def test_a_deleted_run_is_gone_and_ends_in_silence(store: Store) -> None:
    run = store.add(request(), WORKSPACE)
    store.begin(run.id)
    store.delete(run.id)
    assert store.get(run.id) is None and store.list(WORKSPACE) == [] and store.stop_asked(run.id)
    store.end(run.id, "done", {"answer": {}})
    assert not store.folder(run.id).exists()


def test_unfinished_runs_are_found_by_whoever_starts(store: Store) -> None:
    first, second = store.add(request(), WORKSPACE), store.add(request(), "v" * 22)
    store.end(second.id, "done", {"answer": {}})
    assert [run.id for run in store.unfinished()] == [first.id]


def test_a_design_of_another_version_is_none(store: Store) -> None:
    run = store.add(request(), WORKSPACE)
    store.end(run.id, "done", {"design": dataclasses.asdict(reference_like()) | {"schema_version": "0.1"}})
    assert store.design(run.id) is None


def test_the_oldest_nameless_runs_make_room(store: Store) -> None:
    named = store.add(request(), WORKSPACE, "keep me")
    over = [store.add(request(), WORKSPACE) for _ in range(3)]
    busy = store.add(request(), WORKSPACE)
    for run in (named, *over):
        store.end(run.id, "done", {"answer": {}})
    store.prune(3)
    left = {run.id for run in store.list(WORKSPACE)}
    assert {named.id, busy.id} < left and len(left) == 3


def test_part_of_a_result_shows_while_the_run_goes_on(store: Store) -> None:
    run = store.add(request("sweep"), WORKSPACE)
    store.begin(run.id)
    store.publish(run.id, {"sweep": [1]})
    assert store.result(run.id) == {"sweep": [1]} and store.get(run.id).state == "running"  # type: ignore[union-attr]
    store.delete(run.id)
    store.publish(run.id, {"sweep": [1, 2]})
    store.report(run.id, {"stage": "late"})
    assert not store.folder(run.id).exists()
