"""Non-negative robust fits on log error, folds that leave a family out, and error summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solver.physics.arrays import BoolArray, FloatArray

_SOFT = 0.1
"""Log error at which the loss turns linear: what the same run differs by on another engine version."""

_ITERATIONS = 400

_NOTHING = 1e-6
"""Coefficients below this share of their start count as zero."""

Labels = npt.NDArray[np.str_]
Forward = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Coefficients (k,) -> predictions (N,) and their derivatives (N, k)."""


@dataclass(frozen=True)
class Errors:
    """Relative errors ``|predicted / measured - 1|`` and the spread of the ratio.

    Attributes
    ----------
    median, mean, p90 : float
        Of the absolute relative error.
    ratio_low, ratio_high : float
        10th and 90th percentile of predicted over measured.
    points : int
        Measurements compared.
    """

    median: float
    mean: float
    p90: float
    ratio_low: float
    ratio_high: float
    points: int

    def __str__(self) -> str:
        shares = (self.median, self.mean, self.p90)
        text = " / ".join(f"{100 * share:.1f}%" for share in shares)
        return f"{text} (median / mean / p90; {self.points} points)"


def errors(predicted: FloatArray, measured: FloatArray) -> Errors:
    """Return the error summary of predictions against measurements."""
    ratio = predicted / measured
    off = np.abs(ratio - 1.0)
    low, high = np.percentile(ratio, [10.0, 90.0])
    return Errors(
        float(np.median(off)),
        float(off.mean()),
        float(np.percentile(off, 90.0)),
        float(low),
        float(high),
        len(off),
    )


def equal_weights(labels: Labels) -> FloatArray:
    """Return weights under which each label counts alike, with mean 1."""
    names, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(len(labels) / len(names) / counts[inverse], dtype=np.float64)


def folds(labels: Labels) -> Iterator[tuple[str, BoolArray]]:
    """Yield each label with the mask of its points."""
    for name in np.unique(labels):
        yield str(name), labels == name


def fit(forward: Forward, measured: FloatArray, weights: FloatArray, start: FloatArray) -> FloatArray:
    """Return the non-negative coefficients that minimise a robust loss of the log error.

    The loss of a log error r is ``2 f^2 (sqrt(1 + (r / f)^2) - 1)`` with f = 0.1: quadratic near zero and
    linear beyond, so that rows with hidden tuning do not pull. Coefficients are squares of free variables,
    scaled by their start; the minimum is found by Levenberg-Marquardt steps with reweighting. Deterministic.

    Parameters
    ----------
    forward : callable
        Coefficients -> predictions (positive) and derivatives.
    measured, weights : array (N,)
        Positive measurements and their weights.
    start : array (k,)
        Positive first guess, which also sets the scale.
    """
    free, damping = np.ones(len(start)), 1e-3

    def state(at: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        predicted, slope = forward(start * at**2)
        residual = np.log(predicted / measured)
        jacobian = slope * (2.0 * start * at) / predicted[:, None]
        loss = np.sum(weights * 2.0 * _SOFT**2 * (np.sqrt(1.0 + (residual / _SOFT) ** 2) - 1.0))
        return float(loss), residual, jacobian

    loss, residual, jacobian = state(free)
    for _ in range(_ITERATIONS):
        shared = weights / np.sqrt(1.0 + (residual / _SOFT) ** 2)
        normal = jacobian.T @ (shared[:, None] * jacobian)
        gradient = jacobian.T @ (shared * residual)
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), -gradient)
        trial = state(free + step)
        if trial[0] < loss:
            done = loss - trial[0] < 1e-12 * loss
            free, (loss, residual, jacobian), damping = free + step, trial, max(damping / 3.0, 1e-9)
            if done:
                break
        else:
            damping *= 4.0
            if damping > 1e12:
                break
    value = start * free**2
    return np.where(value < _NOTHING * start, 0.0, value)
