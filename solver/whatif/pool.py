"""A queue of runs and the worker processes that do them.

Workers are started by `subprocess`, never by `multiprocessing`: that would execute the page again in each of them.
The pool gives a run to a worker that is warm for it, ends one that does not stop when it should, says in the run what
happened to a worker that died, and starts another in its place.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import solver
from solver.errors import TierwattError
from solver.whatif.limits import Limits
from solver.whatif.memory import out_of_memory, size_gb
from solver.whatif.store import FAILED, KINDS, STOPPED, Request, Run, Store
from solver.whatif.warm import RESIDENTS, structure

GRACE_S = 45.0
"""Seconds after a stop was asked for, or the time is over, in which a worker ends a run by itself."""
TICK_S = 0.2
"""Seconds between looks at the workers: how long they take, how large they are."""
EARLY_DEATHS = 3
"""Workers that may die before they are ready, one after another, until no more are started."""
REQUEST_BYTES = 4_000_000
RESTARTED = "The app was started anew while this run waited or was at work: run it again."


class BusyError(TierwattError):
    """There is no room in the queue, or what is asked for is too large."""


@dataclass(eq=False)
class _Worker:
    """A process, the run it is at, and the structures it is warm for."""

    process: subprocess.Popen[str]
    ready: bool = False
    run_id: str | None = None
    begun: float = 0.0
    stop_asked: float | None = None
    why_killed: str = ""
    warm: OrderedDict[str, None] = field(default_factory=OrderedDict)

    @property
    def orders(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin


class Pool:
    """Workers for the runs of a store.

    Parameters
    ----------
    store : Store
        Runs in it that are not over are ended: nobody is at work on them any more.
    limits : Limits
    catalogs : sequence of Path
        Folders of the base catalog; none for the one that comes with the program.

    Raises
    ------
    BusyError
        If another app works on the same store.
    """

    def __init__(self, store: Store, limits: Limits | None = None, catalogs: Sequence[Path] = ()) -> None:
        self.store, self.limits, self.catalogs = store, limits or Limits(), tuple(catalogs)
        self._hold = _locked(store.root)
        self._lock = threading.RLock()
        self._waiting: list[str] = []
        self._requests: dict[str, tuple[str, str]] = {}
        self._workers: list[_Worker] = []
        self._early, self._refused = 0, ""
        self._closed = threading.Event()
        for run in store.unfinished():
            store.end(run.id, FAILED, None, RESTARTED)
        for _ in range(self.limits.workers):
            self._start()
        threading.Thread(target=self._watch, daemon=True).start()
        atexit.register(self.close)

    def submit(self, request: Request, workspace: str, name: str = "", note: str = "") -> Run:
        """Queue a request.

        Raises
        ------
        BusyError
            If the queue is full, for all or for this workspace, or the request is larger than a study is.
        """
        if request.kind not in KINDS:
            raise ValueError(f"no kind of run is called {request.kind!r}")
        if len(json.dumps([request.study, request.overlay, request.options])) > REQUEST_BYTES:
            raise BusyError("this study with its changed parts is larger than a run may be")
        with self._lock:
            if self._refused:
                raise BusyError(self._refused)
            if self._early >= EARLY_DEATHS:
                raise BusyError(
                    "the solver cannot be started on this machine; whoever keeps the app finds why in its log"
                )
            mine = sum(1 for run_id in self._waiting if self._requests[run_id][0] == workspace)
            if len(self._waiting) >= self.limits.queue:
                raise BusyError(
                    f"{len(self._waiting)} runs are waiting already, all that the queue holds: try again later"
                )
            if mine >= self.limits.queue_each:
                raise BusyError(f"{mine} of your runs are waiting already: stop one, or wait until one is done")
            self.store.prune(self.limits.runs - 1)
            run = self.store.add(request, workspace, name, note)
            self._requests[run.id] = (workspace, structure(request))
            self._waiting.append(run.id)
            self._dispatch()
        return self.store.get(run.id) or run

    def stop(self, run_id: str) -> None:
        """End a run with the best that it has; one that waits is over at once."""
        with self._lock:
            if run_id in self._waiting:
                self._waiting.remove(run_id)
                self._requests.pop(run_id, None)
                self.store.end(run_id, STOPPED, None, "Stopped before it began.")
                return
            self.store.ask_stop(run_id)
            for worker in self._workers:
                if worker.run_id == run_id and worker.stop_asked is None:
                    worker.stop_asked = time.monotonic()

    def place(self, run_id: str) -> int:
        """Return how many runs are before one in the queue; -1 where it does not wait."""
        with self._lock:
            return self._waiting.index(run_id) if run_id in self._waiting else -1

    def is_warm(self, request: Request) -> bool:
        """True where a worker holds what makes a changed limit quick."""
        key = structure(request)
        with self._lock:
            return any(key in worker.warm for worker in self._workers)

    def close(self) -> None:
        """End the workers; runs at work keep the best that they have."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            for run_id in self._waiting:
                self.store.end(run_id, FAILED, None, RESTARTED)
            workers, self._waiting, self._workers = self._workers, [], []
        for worker in workers:
            _close(worker.orders)
        ends = time.monotonic() + GRACE_S
        for worker in workers:
            try:
                worker.process.wait(0.2 if worker.run_id is None else max(0.2, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                _kill(worker.process)
                worker.process.wait()
            if worker.run_id is not None:
                self.store.end(worker.run_id, FAILED, None, RESTARTED)
        self._hold.close()

    # --- workers ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start a worker and somebody who listens to it."""
        limits = self.limits
        command = [sys.executable, "-m", "solver.whatif.worker", str(self.store.root)]
        command += ["--threads", str(limits.threads), "--seconds", str(limits.seconds)]
        command += ["--memory-gb", str(limits.memory_gb)]
        command += [word for folder in self.catalogs for word in ("--catalog", str(folder))]
        home = str(Path(solver.__file__).parent.parent)
        paths = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {"PYTHONPATH": paths},
        )  # fmt: skip
        worker = _Worker(process)
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()

    def _listen(self, worker: _Worker) -> None:
        """Take what a worker says until it is gone."""
        assert worker.process.stdout is not None
        with worker.process.stdout as answers:
            for line in answers:
                self._answered(worker, json.loads(line))
        code = worker.process.wait()
        with self._lock:
            _close(worker.orders)
            if worker in self._workers:
                self._died(worker, code)

    def _answered(self, worker: _Worker, answer: dict[str, Any]) -> None:
        with self._lock:
            if "refused" in answer:
                self._refused = str(answer["refused"])
                return
            worker.ready, self._early = True, 0
            if answer.get("ended") == worker.run_id:
                worker.run_id = worker.stop_asked = None
            self._dispatch()

    def _died(self, worker: _Worker, code: int) -> None:
        """Say in its run what happened to a worker, and start another."""
        self._workers.remove(worker)
        _kill(worker.process)  # what it had started
        self._early += not worker.ready
        if worker.run_id is not None:
            self.store.end(worker.run_id, FAILED, None, worker.why_killed or why_died(code, self.limits.memory_gb))
        if not self._refused and self._early < EARLY_DEATHS:
            self._start()
            return
        why = self._refused or f"{EARLY_DEATHS} workers ended before they were ready; no more are started"
        print(f"tierwatt: {why}", file=sys.stderr, flush=True)
        for run_id in self._waiting:
            self.store.end(run_id, FAILED, None, self._refused or "The solver cannot be started on this machine.")
        self._waiting.clear()

    def _dispatch(self) -> None:
        """Give runs that wait to workers that do not, each to one that is warm for it where there is one."""
        for run_id in list(self._waiting):
            idle = [worker for worker in self._workers if worker.ready and worker.run_id is None]
            if not idle:
                break
            self._waiting.remove(run_id)
            run = self.store.get(run_id)
            _, key = self._requests.pop(run_id)
            if run is None or run.ended:  # deleted meanwhile
                continue
            self._give(max(idle, key=lambda worker: (key in worker.warm, -len(worker.warm))), run_id, key)
        if self._waiting:
            for worker in self._workers:
                _tell(worker.orders, "hurry")

    def _give(self, worker: _Worker, run_id: str, key: str) -> None:
        worker.run_id, worker.begun, worker.stop_asked, worker.why_killed = run_id, time.monotonic(), None, ""
        worker.warm[key] = None
        worker.warm.move_to_end(key)
        while len(worker.warm) > RESIDENTS:
            worker.warm.popitem(last=False)
        _tell(worker.orders, run_id)

    def _watch(self) -> None:
        """Kill workers that should have ended their run by now, or have grown beyond what one may take."""
        while not self._closed.wait(TICK_S):
            with self._lock:
                now = time.monotonic()
                for worker in self._workers:
                    if worker.run_id is None or worker.why_killed:
                        continue
                    if worker.stop_asked is None and self.store.stop_asked(worker.run_id):
                        worker.stop_asked = now
                    size = size_gb(worker.process.pid)
                    late = now - worker.begun > self.limits.seconds + GRACE_S
                    if size is not None and size > self.limits.memory_gb:
                        worker.why_killed = out_of_memory(self.limits.memory_gb)
                    elif late:
                        worker.why_killed = (
                            f"The run took longer than the {self.limits.seconds:g} s that one may take here."
                        )
                    elif worker.stop_asked is not None and now - worker.stop_asked > GRACE_S:
                        worker.why_killed = f"Stopped by you; the solver had nothing to show {GRACE_S:g} s later."
                    if worker.why_killed:
                        _kill(worker.process)


def why_died(code: int, memory_gb: float) -> str:
    """Return what to say of a worker that ended with a run unfinished."""
    if code == -signal.SIGKILL:
        return (
            "The solver was ended from outside, most likely because the machine ran out of memory. Other runs are kept."
        )
    if code == -signal.SIGABRT:
        return (
            f"The solver ended itself, most likely because it needs more than the {memory_gb:g} GB that one run may "
            "use here. Fewer classes or platforms make a study smaller. Other runs are kept."
        )
    how = f"signal {-code}" if code < 0 else f"status {code}"
    return f"The solver crashed ({how}). It was started anew and other runs are kept; run this one again."


def _kill(process: subprocess.Popen[str]) -> None:
    """End a worker with all that it has started: they are a group of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError, PermissionError):  # no groups on this system, or all gone
        process.kill()


def _tell(stream: IO[str], word: str) -> None:
    """Write a line to a worker; one that is gone is noticed elsewhere."""
    try:
        stream.write(word + "\n")
        stream.flush()
    except (OSError, ValueError):
        pass


def _close(stream: IO[str]) -> None:
    try:
        stream.close()
    except OSError:
        pass


def _locked(root: Path) -> IO[str]:
    """Hold the folder of a store for this process."""
    handle = (root / "lock").open("w", encoding="utf-8")
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system
        pass
    except OSError:
        handle.close()
        raise BusyError(f"another app works in {root}: give this one a folder of its own, TIERWATT_RUNS") from None
    return handle
