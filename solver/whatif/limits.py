"""What one app may use: processes, places in the queue, time and memory of a run, runs that are kept."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from solver.errors import InputError, Problem

PREFIX = "TIERWATT_"
VARIABLES = {
    "workers": "WORKERS", "queue": "QUEUE", "queue_each": "QUEUE_PER_USER", "seconds": "RUN_SECONDS",
    "memory_gb": "RUN_MEMORY_GB", "threads": "RUN_THREADS", "runs": "RUNS_KEPT",
}  # fmt: skip
"""Limit -> environment variable, without its prefix."""


LEAST = {"memory_gb": 0.6}
"""Limit -> least value, where not every number above 0 leaves room for a run."""


@dataclass(frozen=True)
class Limits:
    """Limits of an app.

    Attributes
    ----------
    workers : int
        Runs at a time.
    queue, queue_each : int
        Runs that wait, in all and of one workspace.
    seconds : float
        Of one run; then it ends with the best it has.
    memory_gb : float
        Address space of one worker, in GB.
    threads : int
        Of the solver in one run at most.
    runs : int
        Runs kept on disk.
    """

    workers: int = max(1, (os.cpu_count() or 1) // 2)
    queue: int = 20
    queue_each: int = 4
    seconds: float = 1800.0
    memory_gb: float = 12.0
    threads: int = max(1, min(os.cpu_count() or 1, 8))
    runs: int = 5000


def limits_from(environment: Mapping[str, str]) -> Limits:
    """Return the limits that environment variables state, the others as they are by default.

    Raises
    ------
    InputError
        For every variable that is no number above 0, or too low for any run.
    """
    found: dict[str, float] = {}
    problems = []
    for item in dataclasses.fields(Limits):
        name = PREFIX + VARIABLES[item.name]
        text = environment.get(name, "").strip()
        if not text:
            continue
        whole = item.type == "int"
        try:
            value: float = int(text) if whole else float(text)
        except ValueError:
            value = 0.0
        least = LEAST.get(item.name, 0.0)
        if value > 0 and value >= least and math.isfinite(value):
            found[item.name] = value
        else:
            allowed = f"a number from {least:g}" if least else "a whole number above 0" if whole else "a number above 0"
            wrong = "leaves no room for a run" if value > 0 else "is not a limit"
            problems.append(Problem("environment", "", name, text, wrong, allowed))
    if problems:
        raise InputError(problems)
    return dataclasses.replace(Limits(), **found)  # type: ignore[arg-type]
