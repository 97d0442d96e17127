"""What a power cap costs in time: exponents fitted to capped runs, and ratios predicted with them for other runs.

All capped rows published so far state the same two ratios (docs/validation.md), so exponents rest on one statement
however many rows there are.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from solver.evaluation import clock, layout
from solver.fitting.data import Library, read_table
from solver.fitting.robust import Errors, Labels, errors, folds
from solver.performance import ROLE_DECODE, ROLE_PREFILL, Points
from solver.physics.arrays import BoolArray, FloatArray
from solver.physics.calibration import Calibration

TABLE = "measured_splitwise.csv"
COLUMNS = "model hardware tensor_parallel prompt_size batch_size token_size prompt_time_ms token_time_ms".split()

_KEYS = COLUMNS[:6]

_CAPPED = "-pcap"
"""Ending of the hardware label of capped rows."""

_CAP_SHARE = 0.70
"""Share of rated power of the capped rows."""


@dataclass(frozen=True)
class CapRuns:
    """Runs that were measured with a cap and without.

    Attributes
    ----------
    prompt, token : array
        Capped over uncapped time of the prompts, and of a decode step.
    prompts, steps : Points
        What was run, uncapped.
    ranks : array of str
        Tensor parallelism: the label that is left out in turn.
    """

    prompt: FloatArray
    token: FloatArray
    prompts: Points
    steps: Points
    ranks: Labels


def read_caps(folder: Path, library: Library) -> CapRuns | None:
    """Return the runs of models in the catalog with and without a cap, None without such a table."""
    if not (folder / TABLE).is_file():
        return None
    frame = read_table(folder, TABLE, COLUMNS)
    capped = frame[frame["hardware"].str.endswith(_CAPPED)].copy()
    capped["hardware"] = capped["hardware"].str.removesuffix(_CAPPED)
    both = capped.merge(frame, on=_KEYS, suffixes=("_capped", ""))
    both = both[library.known(both["model"])]
    if both.empty:
        return None
    prompt, token = (
        (both[f"{name}_capped"] / both[name]).to_numpy(dtype=np.float64) for name in ("prompt_time_ms", "token_time_ms")
    )
    return CapRuns(
        prompt=prompt,
        token=token,
        prompts=_points(both, library, ROLE_PREFILL),
        steps=_points(both, library, ROLE_DECODE),
        ranks=both["tensor_parallel"].astype(str).to_numpy(dtype=np.str_),
    )


def gammas(runs: CapRuns) -> dict[str, FloatArray]:
    """Return the exponents with which speed falls with the cap, by coefficient: one a run."""
    times = {"gamma_prefill": runs.prompt, "gamma_decode": runs.token}
    return {name: np.asarray(np.log(ratio) / -np.log(_CAP_SHARE)) for name, ratio in times.items()}


def median_gammas(runs: CapRuns, mask: BoolArray | None = None) -> dict[str, float]:
    """Return the median exponents of some runs; none is below 0: a cap makes nothing faster."""
    use = np.ones(len(runs.prompt), dtype=np.bool_) if mask is None else mask
    return {name: max(0.0, float(np.median(values[use]))) for name, values in gammas(runs).items()}


def cap_errors(runs: CapRuns, fitted: Calibration) -> dict[str, Errors]:
    """Return the errors of predicted capped over uncapped times, exponents from runs on other numbers of ranks."""
    predicted = {"cap_prompt": np.zeros_like(runs.prompt), "cap_token": np.zeros_like(runs.token)}
    for _, mask in folds(runs.ranks):
        own = median_gammas(runs, ~mask) if not mask.all() else median_gammas(runs)
        predicted["cap_prompt"][mask] = _slowed(runs.prompts, fitted, own)[mask]
        predicted["cap_token"][mask] = _slowed(runs.steps, fitted, own)[mask]
    measured = {"cap_prompt": runs.prompt, "cap_token": runs.token}
    return {name: errors(values, measured[name]) for name, values in predicted.items()}


def cap_table(runs: CapRuns, fitted: Calibration) -> str:
    """Return medians of capped over uncapped times by number of ranks, measured and predicted, as text."""
    lines = [f"{'time at ' + format(_CAP_SHARE, '.0%') + ' of power':30s} runs   prompts predicted     steps predicted"]
    for name, mask in folds(runs.ranks):
        own = median_gammas(runs, ~mask) if not mask.all() else median_gammas(runs)
        found = (runs.prompt, _slowed(runs.prompts, fitted, own), runs.token, _slowed(runs.steps, fitted, own))
        cells = "  ".join(f"{float(np.median(values[mask])):8.3f}" for values in found)
        lines.append(f"{'tp ' + name + ', exponents of others':30s} {int(mask.sum()):4d}  {cells}")
    return "\n".join(lines) + "\n"


def _points(frame: pd.DataFrame, library: Library, role: int) -> Points:
    return library.points(
        model=library.model(frame["model"]),
        accelerator=library.accelerator(frame["hardware"]),
        weight_precision=library.sixteen_bit(),
        kv_precision=library.sixteen_bit(),
        role=np.full(len(frame), role),
        tp=frame["tensor_parallel"],
        batch=frame["batch_size"],
        isl_new=frame["prompt_size"],
        context=frame["prompt_size"] + frame["token_size"] / 2.0,
        osl=frame["token_size"],
        chunk=frame["batch_size"] * frame["prompt_size"],
    )


def _slowed(points: Points, fitted: Calibration, own: dict[str, float]) -> FloatArray:
    """Return predicted capped over uncapped times of one prompt, or of one decode step."""
    capped = dataclasses.replace(points, power_cap=np.full(len(points.batch), _CAP_SHARE))
    slow = clock(layout(capped, own["gamma_prefill"], own["gamma_decode"]), fitted.times)
    fast = clock(layout(points), fitted.times)
    return np.asarray(np.where(points.role == ROLE_PREFILL, slow.prefill_s / fast.prefill_s, slow.tpot_s / fast.tpot_s))
