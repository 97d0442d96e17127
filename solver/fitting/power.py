"""Fit of board power to measured serving power."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.evaluation import busy_use, clock, layout
from solver.fitting.capping import CapRuns, cap_errors, gammas, median_gammas
from solver.fitting.data import Library, generations_of, read_table
from solver.fitting.prior import POWER, Prior
from solver.fitting.robust import Errors, Labels, equal_weights, errors, fit, folds
from solver.performance import ROLE_MIXED, Points
from solver.physics.arrays import BoolArray, FloatArray
from solver.physics.calibration import Calibration
from solver.physics.energy import Use, board_power_w

TABLE = "measured_mlenergy_v3.csv"
COLUMNS = (
    "task model_id weight_precision gpu_model num_gpus expert_parallel data_parallel avg_batch_size "
    "avg_output_len output_throughput_tokens_per_sec gpu_power_w_per_gpu median_itl_ms"
).split()
_PROMPT_TOKENS = {"gpqa": 250.0, "lm-arena-chat": 100.0}
"""Text tasks whose prompt lengths are known, roughly: they are not in the table."""

_STEP_OVER_ITL = (0.5, 2.0)
"""Rows whose batch over throughput leaves this range of the median inter-token latency are inconsistent."""

_CHUNK_TOKENS = 8192.0

_ENGINE = "vllm"
"""What the runs were served with."""

SETUP = "energy"
"""Name of how the runs were measured, among the setups of the fit of times."""

_EFFECTIVE = 100.0
"""Independent measurements that all power runs count as: batches of one model on one node are alike."""


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
    family, model, engine, accelerator : array of str
        Labels.
    """

    points: Points
    step_s: FloatArray
    board_w: FloatArray
    family: Labels
    model: Labels
    engine: Labels
    accelerator: Labels


@dataclass(frozen=True)
class PowerFit:
    """Fitted power coefficients and cap exponents.

    Attributes
    ----------
    calibration : Calibration
        The given one with fitted power and cap.
    low, high, points : mapping
        Coefficient -> spread, and rows behind it.
    activities : mapping
        Generation -> its factor on the active share of power.
    errors : mapping
        Subject -> errors.
    """

    calibration: Calibration
    low: dict[str, float]
    high: dict[str, float]
    points: dict[str, int]
    activities: dict[str, float]
    errors: dict[str, Errors]


def read_power(folder: Path, library: Library) -> tuple[PowerRuns, int, int]:
    """Return the text runs of models in the catalog, and how many were inconsistent and how many unknown."""
    frame = read_table(folder, TABLE, COLUMNS)
    text = frame[frame["task"].isin(list(_PROMPT_TOKENS))]
    step = text["avg_batch_size"] / text["output_throughput_tokens_per_sec"]
    consistent = text[(1e3 * step / text["median_itl_ms"]).between(*_STEP_OVER_ITL)]
    kept = consistent[library.known(consistent["model_id"])]
    places = library.model(kept["model_id"])
    parts = library.accelerator(kept["gpu_model"])
    isl = kept["task"].map(_PROMPT_TOKENS)
    points = library.points(
        model=places,
        accelerator=parts,
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
        model=np.array([library.models[place].id for place in places]),
        engine=np.full(len(kept), _ENGINE),
        accelerator=np.array([library.accelerators[place].id for place in parts]),
    )
    return runs, len(text) - len(consistent), len(consistent) - len(kept)


def fit_power(
    runs: PowerRuns, caps: CapRuns | None, base: Calibration, priors: Mapping[str, Prior],
    unseen: Mapping[str, Calibration], unseen_s: FloatArray,
) -> PowerFit:  # fmt: skip
    """Fit the power form at measured step times, and the cap exponents; measure errors on families left out.

    The errors of ``power_left_out`` include those of step times predicted without the family;
    ``power_in_sample`` and ``power_measured_time_left_out`` do not.

    Parameters
    ----------
    runs : PowerRuns
        Measured power.
    caps : CapRuns, optional
        Runs with a cap and without.
    base : Calibration
        With fitted times, the host being that of `SETUP`.
    priors : mapping
        Of the coefficients of power.
    unseen : mapping
        Family -> times fitted without it, for the same host.
    unseen_s : array
        Step times of the runs predicted without their family.
    """
    everything = np.ones(len(runs.step_s), dtype=np.bool_)
    whole, activities = _fitted(runs, base, priors, everything)
    held = {name: _fitted(runs, unseen.get(name, base), priors, ~mask)[0] for name, mask in folds(runs.family)}
    exponents = gammas(caps) if caps else {}
    medians: dict[str, Any] = median_gammas(caps) if caps else {}
    whole = dataclasses.replace(whole, **medians)
    spread = {name: np.array([getattr(one, name) for one in held.values()]) for name in POWER} | exponents
    predicted, ideal = np.zeros(len(runs.step_s)), np.zeros(len(runs.step_s))
    for name, mask in folds(runs.family):
        predicted[mask] = _Uses.of(runs, held[name], unseen_s).board_w(held[name])[mask]
        ideal[mask] = _Uses.of(runs, held[name], runs.step_s).board_w(held[name])[mask]
    per_token = runs.points.count / runs.points.batch
    by_part = {
        f"power_left_out:{part}": errors(predicted[mask], runs.board_w[mask]) for part, mask in folds(runs.accelerator)
    }
    return PowerFit(
        calibration=whole,
        low={name: max(0.0, float(values.min())) for name, values in spread.items()},
        high={name: max(0.0, float(values.max())) for name, values in spread.items()},
        points={**dict.fromkeys(POWER, len(runs.step_s)), **{name: len(of) for name, of in exponents.items()}},
        activities=activities,
        errors={
            "power_in_sample": errors(_Uses.of(runs, whole, runs.step_s).board_w(whole), runs.board_w),
            "power_measured_time_left_out": errors(ideal, runs.board_w),
            "power_left_out": errors(predicted, runs.board_w),
            **by_part,
            **(cap_errors(caps, whole) if caps else {}),
            "tokens_per_joule_left_out": errors(
                1.0 / (predicted * unseen_s * per_token), 1.0 / (runs.board_w * runs.step_s * per_token)
            ),
        },
    )


@dataclass(frozen=True)
class _Uses:
    """Idle and rated power of the boards of some runs, and what the boards do."""

    idle_w: FloatArray
    rated_w: FloatArray
    use: Use
    generation: Labels

    @classmethod
    def of(cls, runs: PowerRuns, fitted: Calibration, step_s: FloatArray) -> _Uses:
        """Return those of all runs at some step times."""
        parts = runs.points.accelerators
        idle = np.array([part.idle_w for part in parts], dtype=np.float64)[runs.points.accelerator]
        rated = np.array([part.tdp_w for part in parts], dtype=np.float64)[runs.points.accelerator]
        at, generation = layout(runs.points), generations_of(runs.points)
        own = np.array([fitted.overheads.get(name, 1.0) for name in generation])
        times = dataclasses.replace(fitted.times, overhead=own * fitted.engines.get(_ENGINE, 1.0))
        return cls(idle, rated, busy_use(runs.points, at, clock(at, times), step_s, times), generation)

    def board_w(self, fitted: Calibration) -> FloatArray:
        """Return the power of each board."""
        named = {name: getattr(fitted, name) for name in POWER}
        return self._power(named, fitted.activities)

    def _power(self, named: Mapping[str, float], activities: Mapping[str, float]) -> FloatArray:
        active = np.ones(len(self.idle_w))
        for name, factor in activities.items():
            active = np.where(self.generation == name, factor, active)
        floor, memory, compute, busy = (named[name] * active for name in POWER)
        return board_power_w(self.idle_w, self.rated_w, self.use, (floor, memory, compute, busy))

    def fit(self, measured_w: FloatArray, weights: FloatArray, priors: Mapping[str, Prior]) -> dict[str, float]:
        """Return the coefficients and the ``activity:`` factors of the generations."""
        parts = sorted(str(name) for name in np.unique(self.generation))
        names = [*POWER, *(f"activity:{part}" for part in parts)]
        chosen = [priors[name.split(":")[0]] for name in names]

        def predict(at: FloatArray) -> FloatArray:
            number = dict(zip(names, at.tolist(), strict=True))
            return self._power(number, {part: number[f"activity:{part}"] for part in parts})

        centre, spread = (np.array([getattr(prior, f) for prior in chosen]) for f in ("value", "spread"))
        return dict(zip(names, fit(predict, measured_w, weights, centre, spread).tolist(), strict=True))


def _fitted(
    runs: PowerRuns, base: Calibration, priors: Mapping[str, Prior], mask: BoolArray
) -> tuple[Calibration, dict[str, float]]:
    """Return the coefficients fitted to some of the runs, and the factors of generations; families count alike."""
    weights = np.zeros(len(mask))
    weights[mask] = equal_weights(runs.family[mask]) * _EFFECTIVE / mask.sum()
    named = _Uses.of(runs, base, runs.step_s).fit(runs.board_w, weights, priors)
    activities = {name.partition(":")[2]: value for name, value in named.items() if ":" in name}
    shares: dict[str, Any] = {name: named[name] for name in POWER}
    return dataclasses.replace(base, **shares, activities=activities), activities
