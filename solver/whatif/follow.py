"""What follows an answer: what more of a site's limits is worth, and the simpler builds it is compared with.

Nobody should have to wait for it who has changed a limit meanwhile, and some of its programs cannot be interrupted. So
for a study that takes long it is worked out by a process of its own, which is killed as soon as it is in the way.
"""

from __future__ import annotations

import math
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from solver.catalog import Catalog
from solver.design import Design
from solver.explaining.bottlenecks import bottlenecks
from solver.explaining.workbench import Workbench
from solver.highs import Clock
from solver.resident import Resident
from solver.scenario import resolve
from solver.study import Study
from solver.whatif.memory import size_gb
from solver.whatif.views import WORTH

LONG_S = 3.0
"""Seconds that a study took to solve from which on a process of its own is started."""
LARGE = 5000
"""Columns of a program likewise: a warm answer may be quick where what follows it is not, and cannot be interrupted."""
LOOK_S = 0.05
HOLD_S = 1.0
"""Seconds that the process waits, in which the answer is drawn."""
NICE = 5
"""How much the process stands back: pages are drawn first."""
Report = Callable[[dict[str, Any]], None]


def followed(
    design: Design, resident: Resident, report: Report, enough: Callable[[], bool], memory_gb: float = math.inf
) -> Iterator[Design]:
    """Yield a design again and again, each time with more of what follows it.

    Parameters
    ----------
    design : Design
        Of the resident's study, with a build.
    resident : Resident
    report : callable
        Takes the events of a solver.
    enough : callable
        True once it should end; what was not finished is left out.
    memory_gb : float
        What a process of its own may take; beyond that it ends as if it should.
    """
    took = float(design.solver.get("seconds", {}).get("total_s") or 0.0)
    large = resident.ready is not None and len(resident.ready.program.upper) >= LARGE
    if large or took >= LONG_S:
        yield from _elsewhere(design, resident, report, enough, memory_gb)
    else:
        yield from _here(design, resident, report, enough)


def _here(design: Design, resident: Resident, report: Report, enough: Callable[[], bool]) -> Iterator[Design]:
    """The steps, in this process."""
    study, catalog = resident.study, resident.catalog
    clock = Clock(study.solver.time_limit_s, study.solver.threads, report, enough)
    steps: tuple[Callable[[Design], Design], ...] = (
        lambda found: valued(found, Workbench(resolve(study, catalog), resident.make, clock, found)),
        lambda found: resident.compared(found, report, enough),
    )
    for step in steps:
        more = step(design)
        if enough():  # a comparison that was cut short is a weaker build than there is: none is better than a wrong one
            return
        design = more
        yield design


def valued(design: Design, bench: Workbench) -> Design:
    """Return a design with what more of each limit of its site and supply is worth, as the section `WORTH`."""
    return design.replace(explained=design.explained | {WORTH: bottlenecks(bench, design, rebuilt=False)})


def _elsewhere(
    design: Design, resident: Resident, report: Report, enough: Callable[[], bool], memory_gb: float
) -> Iterator[Design]:
    """The steps, in a process that can be killed."""
    begun = time.monotonic()
    while time.monotonic() - begun < HOLD_S:
        if enough():
            return
        time.sleep(LOOK_S)
    process = subprocess.Popen(
        [sys.executable, "-m", "solver.whatif.follow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    found: queue.Queue[Any] = queue.Queue()
    asked = (resident.study, resident.catalog, design)
    talk = threading.Thread(target=_talk, args=(process.stdin, process.stdout, asked, found), daemon=True)
    talk.start()
    try:
        while not enough():
            try:
                answer = found.get(timeout=LOOK_S)
            except queue.Empty:
                if (size_gb(process.pid) or 0.0) > memory_gb:
                    return
                continue
            if answer is None:  # it is done, or it died: what it has found until then stands
                return
            if isinstance(answer, Design):
                yield answer
            else:
                report(answer)
    finally:
        process.kill()
        process.wait()
        talk.join()
        process.stdout.close()
        _close(process.stdin)


def _talk(asks: IO[bytes], answers: IO[bytes], asked: Any, found: queue.Queue[Any]) -> None:
    """Tell the process what to do once it is up, and put what it says into a queue; None at its end."""
    try:
        _send(asks, asked)
        while True:
            found.put(pickle.load(answers))
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        found.put(None)


def _send(stream: IO[bytes], thing: Any) -> None:
    pickle.dump(thing, stream, protocol=pickle.HIGHEST_PROTOCOL)
    stream.flush()


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:
        pass


def main() -> None:
    """Follow the design on standard input; events and designs go to what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(NICE)
    asked: tuple[Study, Catalog, Design] = pickle.load(sys.stdin.buffer)
    study, catalog, design = asked
    for more in _here(design, Resident(study, catalog), lambda event: _send(answers, event), lambda: False):
        _send(answers, more)


if __name__ == "__main__":
    main()
