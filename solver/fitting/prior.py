"""What is believed of each coefficient before the fit, from the `prior:` rows of the calibration table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from solver.errors import InputError, Problem
from solver.physics.coefficients import FITTED

KIND = "prior:"
COMMON = ("engine", "overhead", "activity")
"""Priors that hold for every engine, every accelerator: factors around 1."""
SETUPS = (
    "energy_step", "energy_request", "apart_overhead", "vllm2023_overhead", "vllm2023_request",
    "distserve_overhead", "distserve_request",
)  # fmt: skip
"""How the measuring differed by source: factors on overheads and host work that predictions do not use."""
POWER = ("power_floor", "power_memory", "power_compute", "power_busy")


@dataclass(frozen=True)
class Prior:
    """A log-normal prior.

    Attributes
    ----------
    value : float
        Median.
    spread : float
        Standard deviation of its logarithm.
    """

    value: float
    spread: float


def centred(priors: Mapping[str, Prior], rows: Iterable[Mapping[str, Any]]) -> dict[str, Prior]:
    """Return priors around what a table's fit found, as wide as before, for few measurements of one's own."""
    found = dict(priors)
    for row in rows:
        kind, _, label = str(row["id"]).partition(":")
        base = priors.get(label if kind == "setup" else kind)
        if base is not None and kind != "prior":
            found[str(row["id"])] = Prior(float(row["value"]), base.spread)
    return found


def read_priors(rows: Iterable[Mapping[str, Any]]) -> dict[str, Prior]:
    """Return the priors of a calibration table by name; low and high of a row are one spread off its value.

    Raises
    ------
    InputError
        Naming every prior that is missing or not positive.
    """
    found: dict[str, Prior] = {}
    problems: list[Problem] = []
    for row in rows:
        name = str(row["id"])
        if not name.startswith(KIND):
            continue
        low, value, high = (float(row[field] or 0.0) for field in ("low", "value", "high"))
        if not 0.0 < low < value < high:
            message = "a prior needs low, value and high, positive and growing"
            problems.append(Problem("calibration", name, "value", str(row["value"]), message, "0 < low < value < high"))
            continue
        found[name.removeprefix(KIND)] = Prior(value, 0.5 * math.log(high / low))
    absent = [name for name in (*FITTED, *COMMON, *SETUPS, *POWER) if name not in found]
    named = {problem.row for problem in problems}
    problems += [
        Problem("calibration", KIND + name, "id", "", "no such row", "a prior for every fitted coefficient")
        for name in absent
        if KIND + name not in named
    ]
    if problems:
        raise InputError(problems)
    return found
