"""Fit of step times to measured serving runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from solver.evaluation import rooflines
from solver.fitting.robust import Errors, Labels, equal_weights, errors, fit, folds
from solver.fitting.serving import Apart, Runs
from solver.performance import Performance, evaluate
from solver.physics.arrays import BoolArray, FloatArray
from solver.physics.calibration import Calibration
from solver.physics.overhead import interference_s

NAMES = ("per_layer_s", "per_doubling_s", "per_request_s", "decode_factor", "prefill_factor")
EXPERTS = "experts_effective_frac"
DISPATCH = "per_dispatch_s"
START = np.array([5e-5, 1e-5, 5e-7, 1.2, 1.5])

_EFFECTIVE_EXPERTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0)
"""Effective over real experts tried; the one with the least mean error on families left out is kept."""

_AS_GOOD = 1.05
"""Errors within this factor of the best count as equally good for the range of that number."""

_FIRST_WAVE = 0.1
"""Share of a run's requests that arrive at once at its start (ten requests per unit of concurrency)."""


@dataclass(frozen=True)
class TimeFit:
    """Fitted coefficients with their spread, and the errors.

    Attributes
    ----------
    calibration : Calibration
        The given one with fitted times.
    low, high, points : mapping
        Coefficient -> least and greatest value with one family left out, and runs behind it.
    errors : mapping
        Subject -> errors.
    engines : mapping
        Engine -> time relative to the common fit, its least and greatest over models, runs.
    """

    calibration: Calibration
    low: dict[str, float]
    high: dict[str, float]
    points: dict[str, int]
    errors: dict[str, Errors]
    engines: dict[str, tuple[float, float, float, int]]


def fit_times(runs: Runs, apart: Apart, base: Calibration) -> TimeFit:
    """Fit the time coefficients, and measure their errors with each family (and each model) left out in turn.

    Runs without attention-DP fit everything but the dispatch overhead; that is the median time per layer
    which the other coefficients leave unexplained in the decode workers with attention-DP of disaggregated
    runs.

    Parameters
    ----------
    runs : Runs
        Measured colocated serving.
    apart : Apart
        Measured decode workers.
    base : Calibration
        Everything that this fit does not touch.
    """
    tried = {share: _folds(runs, base, share, runs.family) for share in _EFFECTIVE_EXPERTS}
    plain = np.asarray(runs.points.dp == 1)
    off = {share: _left_out(runs, tried[share], runs.family, plain).mean for share in tried}
    share = min(off, key=lambda key: off[key])
    near = [other for other in off if off[other] <= off[share] * _AS_GOOD]
    whole = _fitted(runs, base, share, plain)
    dispatch = _unexplained_s(apart, dataclasses.replace(whole, per_dispatch_s=0.0))
    whole = dataclasses.replace(whole, per_dispatch_s=max(0.0, float(np.median(dispatch))))
    by_family = {
        name: dataclasses.replace(held, per_dispatch_s=whole.per_dispatch_s) for name, held in tried[share].items()
    }
    by_model = _folds(runs, whole, share, runs.model)
    spread = {name: [getattr(held, name) for held in by_family.values()] for name in NAMES}
    spread[EXPERTS] = near
    spread[DISPATCH] = np.percentile(dispatch, [25.0, 75.0]).tolist()
    performance = evaluate(runs.points, whole)
    return TimeFit(
        calibration=whole,
        low={name: max(0.0, min(values)) for name, values in spread.items()},
        high={name: max(values) for name, values in spread.items()},
        points={**dict.fromkeys((*NAMES, EXPERTS), int(plain.sum())), DISPATCH: len(dispatch)},
        errors={
            "tpot_in_sample": errors(performance.tpot_s, runs.tpot_s),
            "tpot_left_out": _left_out(runs, by_family, runs.family),
            "tpot_model_left_out": _left_out(runs, by_model, runs.model),
            "throughput_left_out": errors(_held_rate(runs, by_family), runs.tokens_per_s),
            "ttft": _ttft_errors(runs, performance),
            "decode_apart": errors(evaluate(apart.points, whole).tpot_s, apart.tpot_s),
        },
        engines=_engine_ratios(runs, performance.tpot_s),
    )


def _fitted(runs: Runs, base: Calibration, share: float, mask: BoolArray) -> Calibration:
    """Return the coefficients fitted to some of the runs; families count alike."""
    points = runs.points
    roof = rooflines(points, share)
    layers, local = roof.model.layers, roof.micro / points.dp
    prefill = interference_s(roof.prefill.time_s, local, points.osl)
    overheads = [layers, layers * np.log2(points.tp * points.dp), layers * np.maximum(1.0, local)]
    features = np.column_stack([*overheads, roof.decode.time_s, prefill])[mask]
    weights = equal_weights(runs.family[mask])
    value = fit(lambda at: (features @ at, features), runs.tpot_s[mask], weights, START)
    named = dict(zip(NAMES, value.tolist(), strict=True))
    return dataclasses.replace(base, **named, experts_effective_frac=share)


def _folds(runs: Runs, base: Calibration, share: float, labels: Labels) -> dict[str, Calibration]:
    """Return the coefficients fitted without each label."""
    plain = runs.points.dp == 1
    return {name: _fitted(runs, base, share, plain & ~mask) for name, mask in folds(labels)}


def _left_out(runs: Runs, held: Mapping[str, Calibration], labels: Labels, among: BoolArray | None = None) -> Errors:
    """Return the errors of each label's runs under the coefficients fitted without it."""
    predicted = np.zeros(len(labels))
    for name, mask in folds(labels):
        predicted[mask] = evaluate(runs.points, held[name]).tpot_s[mask]
    chosen = np.ones(len(labels), dtype=np.bool_) if among is None else among
    return errors(predicted[chosen], runs.tpot_s[chosen])


def _held_rate(runs: Runs, held: Mapping[str, Calibration]) -> FloatArray:
    """Return the output tokens/s of each family's runs under the coefficients fitted without it."""
    rate = np.zeros(len(runs.tpot_s))
    for name, mask in folds(runs.family):
        rate[mask] = (evaluate(runs.points, held[name]).requests_per_s * runs.points.osl)[mask]
    return rate


def _ttft_errors(runs: Runs, performance: Performance) -> Errors:
    """Return the errors of first tokens, the wave at the start of a closed-loop run allowed for.

    The first requests of a run arrive together and wait for half of each other on average.
    """
    wave = 1.0 + 0.5 * _FIRST_WAVE * (runs.points.batch - 1.0)
    first = performance.prefill_s * wave + performance.tpot_s
    return errors(first[runs.drawn], runs.ttft_s[runs.drawn])


def _unexplained_s(apart: Apart, fitted: Calibration) -> FloatArray:
    """Return the measured less the predicted step time per layer of decode workers with attention-DP."""
    points = apart.points
    layers = np.array([model.n_layers for model in points.models], dtype=np.float64)[points.model]
    rest = (apart.tpot_s - evaluate(points, fitted).tpot_s) / layers
    return np.asarray(rest[points.dp > 1])


def _engine_ratios(runs: Runs, predicted: FloatArray) -> dict[str, tuple[float, float, float, int]]:
    """Return each engine's measured over predicted step time: the median over models of their medians."""
    ratio = runs.tpot_s / predicted
    found = {}
    for engine, mask in folds(runs.engine):
        medians = [float(np.median(ratio[mask & own])) for _, own in folds(runs.model) if (mask & own).any()]
        found[engine] = (float(np.median(medians)), min(medians), max(medians), int(mask.sum()))
    return found
