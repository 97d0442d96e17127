"""Fit of all times to everything that was measured, and its errors on what it has not seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from solver.fitting.joint import FIRST, SHARES, Forward, Observations, forward
from solver.fitting.prior import SETUPS, Prior
from solver.fitting.robust import Labels, equal_weights, fit, folds
from solver.physics.arrays import BoolArray, FloatArray
from solver.physics.calibration import Calibration
from solver.physics.coefficients import FITTED

EFFECTIVE = 60.0
"""Independent measurements that all rows count as.

Rows of one model, accelerator, engine and precision share their errors (one software stack, one set of
kernels), so a stack counts as one measurement, and about sixty are in the serving runs and what steadies them.
"""

_FIRST_SCALE = 0.4
"""First tokens scatter this much more than tokens (inverse): their log errors are scaled down by it."""


@dataclass(frozen=True)
class Fitted:
    """One fit: every number by name, and the predictions of all observations under it."""

    numbers: dict[str, float]
    predicted_s: FloatArray

    def applied(self, base: Calibration, setup: str = "") -> Calibration:
        """Return a calibration with these times, engines and accelerators, with the host of a setup if one is named."""
        named = {kind: self._factors(kind) for kind in ("engine", "overhead")}
        own = {name: self.numbers[name] for name in FITTED}
        for of in ("step", "request"):
            own[f"host_{of}_s"] *= self.numbers.get(f"setup:{setup}_{of}", 1.0)
        times = dataclasses.replace(base.times, **own)
        return dataclasses.replace(base, times=times, engines=named["engine"], overheads=named["overhead"])

    def _factors(self, kind: str) -> dict[str, float]:
        split = [(name.partition(":"), value) for name, value in self.numbers.items()]
        return {label: value for (own, _, label), value in split if own == kind}


@dataclass(frozen=True)
class TimeFit:
    """The fit to everything, and those without each family, model and accelerator.

    Attributes
    ----------
    seen : Observations
        What was fitted.
    whole : Fitted
        All of it.
    by_family, by_model, by_accelerator : mapping
        Label -> fit without it.
    """

    seen: Observations
    whole: Fitted
    by_family: Mapping[str, Fitted]
    by_model: Mapping[str, Fitted]
    by_accelerator: Mapping[str, Fitted]

    def left_out_s(self, held: Mapping[str, Fitted], labels: Labels) -> FloatArray:
        """Return predictions of each observation by the fit without its label, by the whole fit without one."""
        predicted = self.whole.predicted_s.copy()
        for name, own in held.items():
            predicted[labels == name] = own.predicted_s[labels == name]
        return predicted


def fit_times(seen: Observations, priors: Mapping[str, Prior], planned: Mapping[str, float]) -> TimeFit:
    """Fit all coefficients of time, once with everything and once without each label in turn.

    What is left out is left out of every source. Models are left out only where they were served: elsewhere
    their family is.

    Parameters
    ----------
    seen : Observations
        Everything measured.
    priors : mapping
        Name -> prior.
    planned : mapping
        Coefficients that are not fitted, by name.
    """
    present = tuple(name for name in SETUPS if name.split("_")[0] in set(seen.setup))
    predict = forward(seen, present, planned)
    served = seen.source == "serving"
    everything = np.ones(len(served), dtype=np.bool_)
    whole = _fitted(predict, priors, everything)
    near = np.array(list(whole.numbers.values()))
    return TimeFit(
        seen=seen,
        whole=whole,
        by_family=_without(predict, priors, near, seen.family, np.unique(seen.family)),
        by_model=_without(predict, priors, near, seen.model, np.unique(seen.model[served])),
        by_accelerator=_without(predict, priors, near, seen.accelerator, np.unique(seen.accelerator)),
    )


def weights_of(seen: Observations, mask: BoolArray) -> FloatArray:
    """Return how many independent measurements each row counts as.

    Sources weigh as `SHARES` says, and within a source each family alike; rows outside the mask count nothing,
    and no row counts more than once.
    """
    weights = np.zeros(len(mask))
    for source, share in SHARES.items():
        own = mask & (seen.source == source)
        if own.any():
            weights[own] = equal_weights(seen.family[own]) * share / own.sum()
    return np.minimum(1.0, weights * EFFECTIVE / sum(SHARES.values()))


def _fitted(predict: Forward, priors: Mapping[str, Prior], mask: BoolArray, start: FloatArray | None = None) -> Fitted:
    """Return the fit to some of the observations."""
    seen = predict.seen
    chosen = [_prior_of(name, priors) for name in predict.names]
    centre, spread = (np.array([getattr(prior, field) for prior in chosen]) for field in ("value", "spread"))
    first = seen.kind == FIRST
    narrowed = np.where(first, _FIRST_SCALE, 1.0)

    def scaled(at: FloatArray) -> FloatArray:
        return np.asarray(predict(at) ** narrowed)

    found = fit(scaled, seen.measured_s**narrowed, weights_of(seen, mask), centre, spread, start)
    return Fitted(dict(zip(predict.names, found.tolist(), strict=True)), predict(found))


def _prior_of(name: str, priors: Mapping[str, Prior]) -> Prior:
    """Return the prior of a number: its own, of a setup that of its label, of a factor that of its kind."""
    kind, _, label = name.partition(":")
    return priors.get(name) or priors[label if kind == "setup" else kind]


def _without(
    predict: Forward, priors: Mapping[str, Prior], start: FloatArray, labels: Labels, names: Iterable[str]
) -> dict[str, Fitted]:
    """Return the fits without each of some labels."""
    wanted = set(map(str, names))
    return {name: _fitted(predict, priors, ~mask, start) for name, mask in folds(labels) if name in wanted}
