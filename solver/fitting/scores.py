"""How far predictions are off on measurements that their fit had not seen, beside another estimator's."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from solver.fitting.joint import FIRST
from solver.fitting.robust import Errors, errors, folds
from solver.fitting.serving import Runs
from solver.fitting.times import TimeFit
from solver.physics.arrays import BoolArray, FloatArray

_TELLING = 1.1
"""Pairs of accelerators count where one is this much faster than the other."""


@dataclass(frozen=True)
class Served:
    """Predictions of the served runs, in their order.

    Attributes
    ----------
    runs : Runs
        What was measured.
    seen_s : array
        Time per token by the fit to everything.
    family_s, model_s, accelerator_s : array
        By the fits without the run's family, model, accelerator.
    first_s : array
        First tokens of the quiet runs, family left out; nan for the others.
    """

    runs: Runs
    seen_s: FloatArray
    family_s: FloatArray
    model_s: FloatArray
    accelerator_s: FloatArray
    first_s: FloatArray

    def tokens_per_s(self, tpot_s: FloatArray) -> FloatArray:
        """Return output tokens/s of the replica at full load."""
        return self.runs.points.batch / tpot_s


def served(fit: TimeFit, runs: Runs) -> Served:
    """Return the predictions of the served runs."""
    seen = fit.seen
    own, first = seen.source == "serving", seen.kind == FIRST
    family = fit.left_out_s(fit.by_family, seen.family)
    first_s = np.full(len(runs.tpot_s), np.nan)
    first_s[np.flatnonzero(runs.quiet)] = family[first]
    return Served(
        runs=runs,
        seen_s=fit.whole.predicted_s[own],
        family_s=family[own],
        model_s=fit.left_out_s(fit.by_model, seen.model)[own],
        accelerator_s=fit.left_out_s(fit.by_accelerator, seen.accelerator)[own],
        first_s=first_s,
    )


def time_errors(fit: TimeFit, found: Served) -> dict[str, Errors]:
    """Return the errors of times and rates by subject."""
    runs, seen = found.runs, fit.seen
    family = fit.left_out_s(fit.by_family, seen.family)
    public = runs.protocol == PUBLIC
    result = {
        "tpot_in_sample": errors(found.seen_s, runs.tpot_s),
        "tpot_left_out": errors(found.family_s, runs.tpot_s),
    }
    if public.any():
        result["tpot_public_left_out"] = errors(found.family_s[public], runs.tpot_s[public])
    for name, mask in folds(runs.family):
        result[f"tpot_left_out:{name}"] = errors(found.family_s[mask], runs.tpot_s[mask])
    result["tpot_model_left_out"] = errors(found.model_s, runs.tpot_s)
    result["tpot_accelerator_left_out"] = errors(found.accelerator_s, runs.tpot_s)
    result["throughput_left_out"] = errors(found.tokens_per_s(found.family_s), runs.tokens_per_s)
    result["throughput_model_left_out"] = errors(found.tokens_per_s(found.model_s), runs.tokens_per_s)
    if runs.quiet.any():
        result["ttft_quiet_left_out"] = errors(found.first_s[runs.quiet], runs.ttft_s[runs.quiet])
    for source in ("apart", "energy", "splitwise", "distserve"):
        own = seen.source == source
        if own.any():
            result[f"{source}_left_out"] = errors(family[own], seen.measured_s[own])
    return result


PUBLIC = "inferencex"
"""Protocol of the public runs, which the other estimator was not tuned on."""


def oracle_errors(runs: Runs) -> dict[str, Errors]:
    """Return the other estimator's errors on the same rows, where it answered."""
    pairs: dict[str, tuple[FloatArray, FloatArray, BoolArray]] = {
        "tpot": (runs.oracle_tpot_s, runs.tpot_s, np.ones(len(runs.tpot_s), dtype=np.bool_)),
        "tpot_public": (runs.oracle_tpot_s, runs.tpot_s, np.asarray(runs.protocol == PUBLIC)),
        "throughput": (runs.oracle_tokens_per_s, runs.tokens_per_s, np.ones(len(runs.tpot_s), dtype=np.bool_)),
        "ttft_quiet": (runs.oracle_ttft_s, runs.ttft_s, runs.quiet),
    }
    found = {}
    for name, (predicted, measured, among) in pairs.items():
        told = among & np.isfinite(predicted)
        if told.any():
            found[name] = errors(predicted[told], measured[told])
    return found


def ordered_share(runs: Runs, predicted_s: FloatArray, among: BoolArray | None = None) -> tuple[float, int]:
    """Return the share of telling pairs of accelerators that are ordered rightly, and their number.

    Two accelerators are compared where they ran one model in one shape, concurrency, precision, engine and
    parallelism, and one was over 10% faster; repeated runs count by their median.
    """
    points = runs.points
    chosen = np.ones(len(predicted_s), dtype=np.bool_) if among is None else among
    groups: dict[tuple[object, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    labels = [column.tolist() for column in (runs.model, runs.precision, runs.engine)]
    numbers = [getattr(points, name).tolist() for name in "isl_new osl batch tp pp dp ep".split()]
    keys = list(zip(*labels, *numbers, strict=True))
    for row in np.flatnonzero(chosen):
        groups[keys[row]][str(runs.accelerator[row])].append(int(row))
    right = total = 0
    for parts in groups.values():
        medians = [(np.median(runs.tpot_s[rows]), np.median(predicted_s[rows])) for rows in parts.values()]
        for place, (measured, predicted) in enumerate(medians):
            for other_measured, other_predicted in medians[place + 1 :]:
                ratio = measured / other_measured
                if max(ratio, 1.0 / ratio) > _TELLING:
                    total += 1
                    right += bool((measured > other_measured) == (predicted > other_predicted))
    return (right / total if total else float("nan")), total
