"""The resident process: ``python -m solver.whatif.worker ROOT`` works on runs, one after another, and stays warm.

The pool writes a line a run to its standard input; what it answers goes to what was its standard output, so that
nothing a library prints gets in between. When its input ends, it ends with the best that it has. What goes wrong in
one run is said in words in that run, and in full on standard error for whoever keeps the app.
"""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from solver.design import Design
from solver.errors import AuditError, InputError
from solver.whatif.memory import hold_back, out_of_memory, too_little
from solver.whatif.store import DONE, FAILED, STOPPED, Request, Store

LOOK_S = 0.1
"""Seconds between looks at the file that asks for a stop."""
EXIT_S = 20.0
"""Seconds that a run has to end in once the app is gone."""
HURRY = "hurry"
UP_GB = 2.0
"""What the process may take to come up, so that a limit that is too low is told instead of met."""


class Orders:
    """Lines from the pool: ids of runs, and the word that others wait."""

    def __init__(self, stream: TextIO) -> None:
        self.runs: queue.Queue[str | None] = queue.Queue()
        self.closed, self.hurried = threading.Event(), threading.Event()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: TextIO) -> None:
        for line in stream:
            word = line.strip()
            if word == HURRY:
                self.hurried.set()
            else:
                self.hurried.clear()
                self.runs.put(word)
        self.closed.set()
        self.runs.put(None)
        time.sleep(EXIT_S)
        os._exit(1)


class Worker:
    """Works on runs of a store.

    Parameters
    ----------
    store : Store
    orders : Orders
    seconds : float
        Of one run; then it ends with the best it has.
    memory_gb : float
        What the process may use, for the message where it was not enough.
    """

    def __init__(self, store: Store, orders: Orders, warm: Any, seconds: float, memory_gb: float) -> None:
        self.store, self.orders, self.warm = store, orders, warm
        self.seconds, self.memory_gb = seconds, memory_gb

    def work(self, run_id: str) -> None:
        """Do one run; whatever goes wrong ends it, not the process."""
        from solver.whatif.kinds import RUNNERS, Job

        run = self.store.get(run_id)
        if run is None or run.ended:
            return
        self.store.begin(run_id)
        watch = _Watch(self.store, run_id, self.orders, self.seconds)
        try:
            job = Job(
                run.request,
                self.warm,
                watch.report,
                watch.should_stop,
                self.orders.hurried.is_set,
                lambda part: self.store.publish(run_id, _finite(part)),
                lambda: self._before(run.request),
            )
            result = _finite(RUNNERS[run.request.kind](job))
        except InputError as error:
            self.store.end(run_id, FAILED, None, str(error))
        except AuditError:
            self._log(run_id)
            self.store.end(run_id, FAILED, None, "The design failed the independent check of its own limits and is "
                           "not shown. This is a fault of the program: please report the study.")  # fmt: skip
        except Exception as error:
            self._log(run_id)
            self.warm.forget()
            fault = "The solve ended in a fault of the program. Please report the study; whoever keeps the app finds "
            fault += f"the details in its log under {run_id[:6]}."
            self.store.end(run_id, FAILED, None, out_of_memory(self.memory_gb) if short_of_memory(error) else fault)
        else:
            self.store.end(run_id, STOPPED if watch.why else DONE, result, watch.why)

    def _before(self, request: Request) -> Design | None:
        """The build of the run that a request is based on, where both ask the same of the same parts."""
        base = self.store.get(request.base)
        if base is None or (base.request.study, base.request.overlay) != (request.study, request.overlay):
            return None
        design = self.store.design(request.base)
        return design if design is not None and design.has_build else None

    def _log(self, run_id: str) -> None:
        print(f"tierwatt: run {run_id[:6]}: {traceback.format_exc()}", file=sys.stderr, flush=True)


class _Watch:
    """Progress of a run, and whether it is to end."""

    def __init__(self, store: Store, run_id: str, orders: Orders, seconds: float) -> None:
        self.store, self.run_id, self.orders, self.seconds = store, run_id, orders, seconds
        self.begun = self.looked = time.monotonic()
        self.why = ""

    def report(self, event: dict[str, Any]) -> None:
        """Write an event of the solver as a line of progress."""
        own = {"seconds": round(time.monotonic() - self.begun, 3), "stage": event.get("phase", "")}
        rest = {key: value for key, value in event.items() if key not in ("t_s", "phase")}
        self.store.report(self.run_id, _finite(own | rest))

    def should_stop(self) -> bool:
        """True once the user, the limit or the end of the app asks for it."""
        now = time.monotonic()
        if not self.why and now - self.looked >= LOOK_S:
            self.looked = now
            if self.store.stop_asked(self.run_id):
                self.why = "Stopped by you: this is the best that was found until then."
            elif self.orders.closed.is_set():
                self.why = "The app was closed meanwhile: this is the best that was found until then."
            elif now - self.begun > self.seconds:
                self.why = f"Stopped after {self.seconds:g} s, the most that one run may take here."
        return bool(self.why)


def short_of_memory(error: BaseException | None) -> bool:
    """True where an error, or one that it came from, is that there was no more memory."""
    while error is not None:
        no_room = isinstance(error, OSError) and error.errno == errno.ENOMEM
        if no_room or isinstance(error, MemoryError) or "bad_alloc" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _finite(value: Any) -> Any:
    """Return plain data with None for numbers that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def main(arguments: list[str] | None = None) -> None:
    """Work until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m solver.whatif.worker")
    parser.add_argument("root", type=Path)
    parser.add_argument("--catalog", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--memory-gb", type=float, default=12.0)
    given = parser.parse_args(arguments)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    hold_back(max(given.memory_gb, UP_GB))
    orders = Orders(sys.stdin)
    import scipy.sparse  # noqa: F401  # Pyomo imports it in the first solve, which is to find it loaded

    from solver.whatif import kinds  # noqa: F401
    from solver.whatif.warm import Warm

    worker = Worker(Store(given.root), orders, Warm(given.catalog, given.threads, given.seconds, given.memory_gb),
                    given.seconds, given.memory_gb)  # fmt: skip
    if why := too_little(given.memory_gb):
        _say(answers, {"refused": why})
        return
    hold_back(given.memory_gb)
    _say(answers, {"ready": True})
    while (run_id := orders.runs.get()) is not None:
        worker.work(run_id)
        _say(answers, {"ended": run_id})


def _say(stream: TextIO, answer: Mapping[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
