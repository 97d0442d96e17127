"""Runs in worker processes: done, stopped with the best, refused, crashed; nothing of it reaches the one who asks."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from solved import study

from solver.errors import InputError
from solver.study import load_study
from solver.whatif import pool as pools
from solver.whatif.limits import Limits, limits_from
from solver.whatif.memory import out_of_memory, size_gb
from solver.whatif.pool import BusyError, Pool, why_died
from solver.whatif.store import Request, Run, Store, new_id

ROOT = Path(__file__).parent.parent.parent
ME, OTHER = "m" * 22, "o" * 22
SMALL: dict[str, Any] = {
    "site": {"power_mw": 5.0, "id": "us_1mw", "floor_m2": 1e4},
    "workload": [{"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0}],
    "build": {"power_caps": [1.0], "batch_points_per_octave": 2, "roles": ["mixed"], "tiers": False},
    "supply": {},
}
"""Solved in a tenth of a second."""
MEASURED = pytest.mark.skipif(size_gb(os.getpid()) is None, reason="this system does not say how large a process is")
SLOW = {"batch_points_per_octave": 96}
"""Takes seconds."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    made = Pool(
        Store(tmp_path_factory.mktemp("runs")), Limits(workers=1, queue=3, queue_each=2, seconds=60.0, threads=1)
    )
    yield made
    made.close()


def request(kind: str = "solve", options: dict[str, Any] | None = None, **more: Any) -> Request:
    return Request(kind, study(**SMALL | more).to_dict(), {}, {"more": False} if options is None else options)


def wait(pool: Pool, run_id: str, until: Callable[[Run], bool] = lambda run: run.ended, seconds: float = 50.0) -> Run:
    """Wait for a state of a run."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        run = pool.store.get(run_id)
        assert run is not None
        if until(run):
            return run
        time.sleep(0.02)
    raise AssertionError(f"still {run.state} after {seconds} s")


def test_a_solve_is_done_and_warm_for_a_changed_limit(pool: Pool) -> None:
    first = request()
    assert not pool.is_warm(first)
    run = wait(pool, pool.submit(first, ME, "first").id)
    assert (run.state, run.message, run.name) == ("done", "", "first")
    design = pool.store.design(run.id)
    assert design is not None and design.has_build and design.audit["ok"]
    stages = [event["stage"] for event in pool.store.progress(run.id)]
    assert stages[-1] == "done" and len(stages) > 2
    told = [event for event in pool.store.progress(run.id) if event["bound"] is not None]
    assert all(event["unit"] == "tokens/s/MW" for event in told)
    assert all(0.9 < event["bound"] / design.objective["bound"] < 2.0 for event in told)  # in one unit from the first
    site = first.study["site"] | {"power_mw": 4.0}
    changed = dataclasses.replace(first, study=first.study | {"site": site}, base=run.id)
    assert pool.is_warm(changed)
    again = wait(pool, pool.submit(changed, ME).id)
    quick = pool.store.design(again.id)
    assert quick is not None and quick.study["site"]["power_mw"] == 4.0 and again.request.base == run.id
    assert quick.kpis["utility_meter_w"]["value"] <= 4.0e6 * (1 + 1e-9)
    assert again.seconds < run.seconds


def test_changed_parts_reach_the_solve(pool: Pool) -> None:
    asked = dataclasses.replace(request(), overlay={"platforms": [{"id": "hgx_h200_8", "price_usd": 1234567.0}]})
    run = wait(pool, pool.submit(asked, ME).id)
    if run.state == "failed":  # prices stand in quarters: whatever the column is called, the answer names it
        assert "price_usd" in run.message and "platforms" in run.message
    bad = dataclasses.replace(request(), overlay={"platforms": [{"id": "hgx_h200_8", "accelerators": -5}]})
    run = wait(pool, pool.submit(bad, ME).id)
    assert run.state == "failed" and "accelerators" in run.message and "Traceback" not in run.message


def test_comparisons_follow_the_answer_and_a_sweep_shows_its_steps(pool: Pool) -> None:
    run = wait(pool, pool.submit(request(options={}), ME).id)
    design = pool.store.design(run.id)
    assert design is not None and design.baselines and design.runner_up
    worth = {record["id"]: record["marginal"] for record in design.explained["worth"]}
    assert worth["site.power_mw"] > 0
    options = {"path": "site.power_mw", "values": [3.0, -1.0, 5.0]}
    swept = wait(pool, pool.submit(request("sweep", options), ME).id)
    result = pool.store.result(swept.id)
    assert result is not None and [record["value"] for record in result["sweep"]] == [3.0, -1.0, 5.0]
    good, bad, better = result["sweep"]
    assert bad["status"] == "bad input" and "power_mw" in bad["message"]
    assert good["kpis"]["utility_meter_w"]["value"] < better["kpis"]["utility_meter_w"]["value"]
    assert {event.get("step") for event in pool.store.progress(swept.id)} == {1, 3}


def test_the_other_kinds_answer(pool: Pool) -> None:
    quote = {"part": "mi300x_8", "price_usd": 1.0, "quantity": 1}
    found = pool.store.result(wait(pool, pool.submit(request("quote", quote), ME).id).id)
    assert found is not None and found["answer"]["bought"] in ("yes", "within the gap")
    front = pool.store.result(wait(pool, pool.submit(request("pareto", {"x": "capex", "points": 2}), ME).id).id)
    assert front is not None and front["points"] and front["x_unit"]
    told = wait(pool, pool.submit(request("explain", {"sections": ["bottlenecks"]}), ME).id)
    design = pool.store.design(told.id)
    assert design is not None and design.explained["bottlenecks"]
    again = request("explain", {"sections": ["bottlenecks"]})
    based = wait(pool, pool.submit(dataclasses.replace(again, base=told.id), ME).id)
    assert "search" not in {event["stage"] for event in pool.store.progress(based.id)}  # the build is known
    assert pool.store.design(based.id).objective == design.objective  # type: ignore[union-attr]
    wrong = wait(pool, pool.submit(request("explain", {"sections": ["poetry"]}), ME).id)
    assert wrong.state == "failed" and "poetry" in wrong.message and "bottlenecks" in wrong.message


def test_a_worker_that_dies_is_told_of_and_replaced(pool: Pool) -> None:
    run = pool.submit(request(build=SLOW), ME)
    wait(pool, run.id, lambda found: found.state == "running")
    os.kill(pool._workers[0].process.pid, signal.SIGKILL)
    failed = wait(pool, run.id)
    assert failed.state == "failed" and failed.message == why_died(-signal.SIGKILL, 1.0)
    assert wait(pool, pool.submit(request(), ME).id).state == "done"


def test_the_queue_is_short_and_a_waiting_run_can_be_stopped(pool: Pool) -> None:
    slow = pool.submit(request(build=SLOW), ME)
    waiting = [pool.submit(request(), ME), pool.submit(request(), ME)]
    assert [pool.place(run.id) for run in waiting] == [0, 1]
    with pytest.raises(BusyError, match="2 of your runs"):
        pool.submit(request(), ME)
    theirs = pool.submit(request(), OTHER)
    with pytest.raises(BusyError, match="3 runs are waiting"):
        pool.submit(request(), OTHER)
    for run in (*waiting, theirs):
        pool.stop(run.id)
        assert pool.store.get(run.id).state == "stopped"  # type: ignore[union-attr]
    pool.stop(slow.id)
    assert wait(pool, slow.id).state in ("stopped", "done")
    with pytest.raises(BusyError, match="larger"):
        pool.submit(dataclasses.replace(request(), overlay={"x": [{"a": "b" * 5_000_000}]}), ME)


def test_stop_keeps_the_best(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep ends after the value it is at, with those that are done."""
    values = [3.0 + 0.01 * step for step in range(200)]
    run = pool.submit(request("sweep", {"path": "site.power_mw", "values": values}), ME)
    wait(pool, run.id, lambda _: len((pool.store.result(run.id) or {}).get("sweep", [])) >= 2)
    pool.stop(run.id)
    assert pool.store.get(run.id).state in ("stopping", "stopped")  # type: ignore[union-attr]
    ended = wait(pool, run.id)
    result = pool.store.result(run.id)
    assert ended.state == "stopped" and "best" in ended.message and result is not None
    assert 2 <= len(result["sweep"]) < 200


def test_a_run_that_will_not_end_is_ended(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "GRACE_S", 0.0)
    run = pool.submit(request(build=SLOW), ME)
    wait(pool, run.id, lambda found: found.state == "running")
    worker = pool._workers[0]
    os.kill(worker.process.pid, signal.SIGSTOP)
    pool.stop(run.id)
    ended = wait(pool, run.id)
    assert ended.state == "failed" and "Stopped by you" in ended.message
    monkeypatch.undo()
    assert wait(pool, pool.submit(request(), ME).id).state == "done"


def size_of_a_worker(folder: Path) -> float:
    """Return what a worker takes when it comes up, in GB."""
    idle = Pool(Store(folder), Limits(workers=1, threads=1))
    while not idle._workers[0].ready:
        time.sleep(0.02)
    size = size_gb(idle._workers[0].process.pid)
    idle.close()
    assert size is not None
    return size


@MEASURED
@pytest.mark.parametrize("more_gb", [0.18, pytest.param(0.25, marks=pytest.mark.slow)])
def test_memory_has_a_limit_that_is_told_at_once(pool: Pool, tmp_path: Path, more_gb: float) -> None:
    """Little more than a worker takes: it is ended while it grows, wherever it is, before its threads wait for ever."""
    limit = round(size_of_a_worker(tmp_path / "idle") + more_gb, 3)
    made = Pool(Store(tmp_path / "runs"), Limits(workers=1, memory_gb=limit, threads=2))
    try:
        large = Request("solve", load_study(ROOT / "studies" / "small.toml").to_dict())
        run = wait(made, made.submit(large, ME).id)
        assert run.state == "failed" and run.message == out_of_memory(limit)
        assert f"{limit:g} GB" in run.message
        assert wait(made, made.submit(request(), ME).id).state == "done", "the next worker does the next run"
    finally:
        made.close()


@MEASURED
def test_a_limit_below_what_a_worker_takes_is_refused_in_words(tmp_path: Path) -> None:
    made = Pool(Store(tmp_path), Limits(workers=1, memory_gb=0.3, threads=1))
    try:
        run = wait(made, made.submit(request(), ME).id, seconds=20.0)
        assert run.state == "failed" and "within 0.3 GB" in run.message and "TIERWATT_RUN_MEMORY_GB" in run.message
        with pytest.raises(BusyError, match="takes .* GB before it begins"):
            made.submit(request(), ME)
        assert not made._workers, "none is started again and again"
    finally:
        made.close()


@MEASURED
def test_what_grows_faster_than_anybody_looks_is_refused_by_the_system() -> None:
    code = "from solver.whatif.memory import hold_back; hold_back(1.0); bytearray(2 * 10**9)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "MemoryError" in done.stderr


def test_a_process_that_is_gone_has_no_size() -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert size_gb(int(done.stdout)) is None


def test_a_run_has_a_time_limit(tmp_path: Path) -> None:
    made = Pool(Store(tmp_path), Limits(workers=1, seconds=0.5, threads=1))
    try:
        values = [3.0 + 0.01 * step for step in range(200)]
        run = wait(made, made.submit(request("sweep", {"path": "site.power_mw", "values": values}), ME).id)
        assert run.state == "stopped" and "0.5 s" in run.message
    finally:
        made.close()


def test_one_app_a_folder_and_a_restart_ends_what_was_at_work(tmp_path: Path) -> None:
    store = Store(tmp_path)
    left = store.add(request(), ME)
    store.begin(left.id)
    made = Pool(store, Limits(workers=1))
    try:
        failed = store.get(left.id)
        assert failed is not None and failed.state == "failed" and "anew" in failed.message
        with pytest.raises(BusyError, match="TIERWATT_RUNS"):
            Pool(Store(tmp_path), Limits(workers=1))
    finally:
        made.close()
    Pool(Store(tmp_path), Limits(workers=1)).close()


def test_workers_that_never_come_up_are_not_started_for_ever(tmp_path: Path) -> None:
    made = Pool(Store(tmp_path), Limits(workers=1), [tmp_path / "no_catalog_here"])
    try:
        ends = time.monotonic() + 30.0
        while made._early < pools.EARLY_DEATHS and time.monotonic() < ends:
            time.sleep(0.05)
        with pytest.raises(BusyError, match="cannot be started"):
            made.submit(request(), ME)
    finally:
        made.close()


def test_limits_come_from_the_environment() -> None:
    assert limits_from({}) == Limits()
    given = limits_from({"TIERWATT_WORKERS": "3", "TIERWATT_RUN_SECONDS": "90.5", "TIERWATT_QUEUE_PER_USER": " "})
    assert (given.workers, given.seconds, given.queue_each) == (3, 90.5, Limits().queue_each)
    with pytest.raises(InputError) as caught:
        limits_from({"TIERWATT_WORKERS": "1.5", "TIERWATT_RUN_MEMORY_GB": "-1", "TIERWATT_QUEUE": "many"})
    assert len(caught.value.problems) == 3 and new_id() not in str(caught.value)
    with pytest.raises(InputError, match=r"leaves no room for a run.*a number from 0\.6"):
        limits_from({"TIERWATT_RUN_MEMORY_GB": "0.4"})


def test_what_follows_is_the_same_from_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies that take long hand it to another process; whoever is hurried kills it at once."""
    from solved import catalog

    from solver.resident import Resident
    from solver.whatif import follow

    resident = Resident(study(**SMALL), catalog())
    design = resident.solve()
    events: list[dict[str, Any]] = []
    here = list(follow.followed(design, resident, events.append, lambda: False))
    monkeypatch.setattr(follow, "LONG_S", 0.0)
    there = list(follow.followed(design, resident, events.append, lambda: False))
    assert len(here) == len(there) == 2 and there[0].baselines == [] and there[0].explained["worth"]
    assert [b["name"] for b in here[1].baselines] == [b["name"] for b in there[1].baselines]
    assert there[1].objective == design.objective and {"baselines"} <= {event["phase"] for event in events}
    begun = time.monotonic()
    assert list(follow.followed(design, resident, events.append, lambda: True)) == []
    assert time.monotonic() - begun < 1.0
