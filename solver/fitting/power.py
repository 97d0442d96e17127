"""Fit of board power to measured serving power, and of a power cap's cost to capped runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.evaluation import busy_use
from solver.fitting.data import Library, read_table
from solver.fitting.robust import Errors, Labels, equal_weights, errors, fit, folds
from solver.performance import ROLE_MIXED, Points, evaluate
from solver.physics.arrays import BoolArray, FloatArray
from solver.physics.calibration import Calibration
from solver.physics.energy import board_power_w

TABLE = "measured_mlenergy_v3.csv"
COLUMNS = (
    "task model_id weight_precision gpu_model num_gpus expert_parallel data_parallel avg_batch_size "
    "avg_output_len output_throughput_tokens_per_sec gpu_power_w_per_gpu median_itl_ms"
).split()
CAP_TABLE = "measured_splitwise.csv"
CAP_COLUMNS = "hardware tensor_parallel prompt_size batch_size token_size prompt_time_ms token_time_ms".split()
NAMES = ("power_floor", "power_memory", "power_compute")
START = np.array([0.3, 0.5, 1.0])

_PROMPT_TOKENS = {"gpqa": 250.0, "lm-arena-chat": 100.0}
"""Text tasks whose prompt lengths are known, roughly: they are not in the table."""

_STEP_OVER_ITL = (0.5, 2.0)
"""Rows whose batch over throughput leaves this range of the median inter-token latency are inconsistent."""

_CHUNK_TOKENS = 8192.0

_CAPPED = "-pcap"
"""Ending of the hardware label of capped rows."""

_CAP_SHARE = 0.70
"""Share of rated power of the capped rows."""


@dataclass(frozen=True)
class PowerRuns:
    """Serving runs with measured board power.

    Attributes
    ----------
    points : Points
        One a run.
    step_s : array
        Measured time per output token, batch over throughput.
    board_w : array
        Measured power of one board.
    family : array of str
        Labels.
    """

    points: Points
    step_s: FloatArray
    board_w: FloatArray
    family: Labels


@dataclass(frozen=True)
class PowerFit:
    """Fitted power coefficients and cap exponents.

    Attributes
    ----------
    calibration : Calibration
        The given one with fitted power and cap.
    low, high, points : mapping
        Coefficient -> spread, and rows behind it.
    errors : mapping
        Subject -> errors.
    """

    calibration: Calibration
    low: dict[str, float]
    high: dict[str, float]
    points: dict[str, int]
    errors: dict[str, Errors]


def read_power(folder: Path, library: Library) -> tuple[PowerRuns, int, int]:
    """Return the text runs of models in the catalog, and how many were inconsistent and how many unknown."""
    frame = read_table(folder, TABLE, COLUMNS)
    text = frame[frame["task"].isin(list(_PROMPT_TOKENS))]
    step = text["avg_batch_size"] / text["output_throughput_tokens_per_sec"]
    consistent = text[(1e3 * step / text["median_itl_ms"]).between(*_STEP_OVER_ITL)]
    kept = consistent[library.known(consistent["model_id"])]
    places = library.model(kept["model_id"])
    isl = kept["task"].map(_PROMPT_TOKENS)
    points = library.points(
        model=places,
        accelerator=library.accelerator(kept["gpu_model"]),
        weight_precision=library.precision(kept["weight_precision"]),
        kv_precision=library.sixteen_bit(),
        role=ROLE_MIXED,
        tp=kept["num_gpus"] / kept["data_parallel"],
        dp=kept["data_parallel"],
        ep=kept["expert_parallel"],
        batch=kept["avg_batch_size"],
        isl_new=isl,
        context=isl + kept["avg_output_len"] / 2.0,
        osl=kept["avg_output_len"],
        chunk=_CHUNK_TOKENS,
    )
    runs = PowerRuns(
        points=points,
        step_s=step[kept.index].to_numpy(dtype=np.float64),
        board_w=kept["gpu_power_w_per_gpu"].to_numpy(dtype=np.float64),
        family=np.array([library.models[place].family for place in places]),
    )
    return runs, len(text) - len(consistent), len(consistent) - len(kept)


def fit_power(runs: PowerRuns, folder: Path, base: Calibration) -> PowerFit:
    """Fit the power form at measured step times, and the cap exponents; measure errors on families left out.

    The errors of ``power_left_out`` include those of the predicted step times; ``power_in_sample`` and
    ``power_measured_time_left_out`` do not.
    """
    everything = np.ones(len(runs.step_s), dtype=np.bool_)
    whole = _fitted(runs, base, everything)
    held = {name: _fitted(runs, base, ~mask) for name, mask in folds(runs.family)}
    prefill_s, decode_s = capped_times(folder)
    gammas = {"gamma_prefill": _gamma(prefill_s), "gamma_decode": _gamma(decode_s)}
    whole = dataclasses.replace(
        whole,
        gamma_prefill=max(0.0, float(np.median(gammas["gamma_prefill"]))),
        gamma_decode=max(0.0, float(np.median(gammas["gamma_decode"]))),
    )
    spread = {name: np.array([getattr(one, name) for one in held.values()]) for name in NAMES} | gammas
    predicted, ideal = np.zeros(len(runs.step_s)), np.zeros(len(runs.step_s))
    for name, mask in folds(runs.family):
        predicted[mask] = (evaluate(runs.points, held[name]).power_busy_w / runs.points.count)[mask]
        ideal[mask] = _board_w(runs, held[name])[mask]
    steps = evaluate(runs.points, whole).tpot_s
    return PowerFit(
        calibration=whole,
        low={name: max(0.0, float(values.min())) for name, values in spread.items()},
        high={name: max(0.0, float(values.max())) for name, values in spread.items()},
        points={**dict.fromkeys(NAMES, len(runs.step_s)), **{name: len(of) for name, of in gammas.items()}},
        errors={
            "power_in_sample": errors(_board_w(runs, whole), runs.board_w),
            "power_measured_time_left_out": errors(ideal, runs.board_w),
            "power_left_out": errors(predicted, runs.board_w),
            "power_runs_tpot": errors(steps, runs.step_s),
        },
    )


def capped_times(folder: Path) -> tuple[FloatArray, FloatArray]:
    """Return capped over uncapped times of the same (prompts, token steps)."""
    frame = read_table(folder, CAP_TABLE, CAP_COLUMNS)
    keys = CAP_COLUMNS[:5]
    capped = frame[frame["hardware"].str.endswith(_CAPPED)].copy()
    capped["hardware"] = capped["hardware"].str.removesuffix(_CAPPED)
    both = capped.merge(frame, on=keys, suffixes=("_capped", ""))
    ratios = [both[f"{name}_capped"] / both[name] for name in ("prompt_time_ms", "token_time_ms")]
    return ratios[0].to_numpy(dtype=np.float64), ratios[1].to_numpy(dtype=np.float64)


def _gamma(ratio: FloatArray) -> FloatArray:
    """Return the exponents with which speed falls with the cap."""
    return np.asarray(np.log(ratio) / -np.log(_CAP_SHARE))


def _use(runs: PowerRuns, fitted: Calibration) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return idle and rated power, and the use of memory and compute at the measured step times."""
    parts = runs.points.accelerators
    idle = np.array([part.idle_w for part in parts], dtype=np.float64)[runs.points.accelerator]
    rated = np.array([part.tdp_w for part in parts], dtype=np.float64)[runs.points.accelerator]
    return idle, rated, *busy_use(runs.points, fitted, runs.step_s)


def _board_w(runs: PowerRuns, fitted: Calibration) -> FloatArray:
    """Return the predicted power of a board at the measured step times."""
    coefficients = (fitted.power_floor, fitted.power_memory, fitted.power_compute)
    return board_power_w(*_use(runs, fitted), coefficients)


def _fitted(runs: PowerRuns, base: Calibration, mask: BoolArray) -> Calibration:
    """Return the power coefficients fitted to some of the runs; families count alike."""
    idle, rated, memory, compute = (values[mask] for values in _use(runs, base))
    features = np.column_stack([np.ones(len(idle)), memory, compute])

    def forward(at: FloatArray) -> tuple[FloatArray, FloatArray]:
        active = features @ at
        slope = features * ((rated - idle) * (active < 1.0))[:, None]
        return idle + (rated - idle) * np.minimum(1.0, active), slope

    value = fit(forward, runs.board_w[mask], equal_weights(runs.family[mask]), START)
    named: dict[str, Any] = dict(zip(NAMES, value.tolist(), strict=True))
    return dataclasses.replace(base, **named)
