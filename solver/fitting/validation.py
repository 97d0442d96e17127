"""Error tables of the validation page: by accelerator, model, engine, precision, batch and shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from solver.fitting.robust import Labels, errors
from solver.fitting.scores import Served, ordered_share
from solver.physics.arrays import BoolArray, FloatArray

_POOR = 0.2
"""Median error from which a regime is listed as poor."""

_FEWEST = 5
"""Runs below which a regime is not listed."""


def tables(found: Served) -> str:
    """Return all tables of a fit as text."""
    runs = found.runs
    points = runs.points
    lengths = zip(_band(points.isl_new), _band(points.osl), strict=True)
    shape = np.array([f"{isl:.0f} in, {osl:.0f} out" for isl, osl in lengths])
    parallel = np.array(
        [f"tp {tp} dp {dp} ep {ep}" for tp, dp, ep in zip(points.tp, points.dp, points.ep, strict=True)]
    )
    bands = 4.0 ** np.floor(np.log2(np.maximum(points.batch / points.dp, 1.0)) / 2.0)
    batch = np.array([f"{band:4.0f} and more" for band in bands])
    groups = {
        "accelerator": runs.accelerator, "model": runs.model, "engine": runs.engine, "precision": runs.precision,
        "requests on a rank": batch, "tokens up to": shape, "parallelism": parallel, "protocol": runs.protocol,
    }  # fmt: skip
    text = [_table(found, name, labels) for name, labels in groups.items()]
    stacks = np.array(
        [" ".join(words) for words in zip(runs.model, runs.accelerator, runs.engine, runs.precision, strict=True)]
    )
    return "\n".join([_cross(found), *text, _poor(found, stacks)])


def _band(lengths: FloatArray) -> FloatArray:
    """Return the power of two at or above nominal lengths, drawn lengths allowed for."""
    return np.asarray(2.0 ** np.ceil(np.log2(lengths) - 1e-9))


def _cross(found: Served) -> str:
    """Return the errors with labels left out, beside the other estimator's and the share of pairs ordered."""
    runs = found.runs
    told = np.isfinite(runs.oracle_tpot_s)
    lines = ["time per token                   median   mean    p90   pairs of accelerators ordered rightly"]
    everything = np.ones(len(runs.tpot_s), dtype=np.bool_)
    kinds = {
        "everything seen": (found.seen_s, everything), "family left out": (found.family_s, everything),
        "model left out": (found.model_s, everything), "accelerator left out": (found.accelerator_s, everything),
        "where aiconfigurator answers": (found.family_s, told), "aiconfigurator": (runs.oracle_tpot_s, told),
    }  # fmt: skip
    for name, (predicted, among) in kinds.items():
        of = errors(predicted[among], runs.tpot_s[among])
        share, pairs = ordered_share(runs, predicted, among)
        lines.append(f"{name:30s} {_shares(of.median, of.mean, of.p90)}   {100 * share:5.1f}% of {pairs}")
    return "\n".join(lines) + "\n"


def _shares(*values: float) -> str:
    return " ".join(f"{100 * value:6.1f}%" for value in values)


def _table(found: Served, title: str, labels: Labels) -> str:
    """Return one table: errors per label, family left out."""
    columns = f"{'TPOT median':>11s} {'p90':>7s} {'bias':>7s} {'tokens/s':>9s} {'TTFT':>7s} {'aicfg TPOT':>11s}"
    header = f"{title:30s} {'runs':>5s}  {columns}"
    return "\n".join([header, *(_line(found, name, mask) for name, mask in _folds(labels))]) + "\n"


def _folds(labels: Labels) -> Iterator[tuple[str, BoolArray]]:
    for name in np.unique(labels):
        yield str(name), labels == name


def _line(found: Served, name: str, mask: BoolArray) -> str:
    runs = found.runs
    of = errors(found.family_s[mask], runs.tpot_s[mask])
    bias = np.median(found.family_s[mask] / runs.tpot_s[mask]) - 1.0
    rate = errors(found.tokens_per_s(found.family_s)[mask], runs.tokens_per_s[mask]).median
    quiet, told = mask & runs.quiet, mask & np.isfinite(runs.oracle_tpot_s)
    first = f"{100 * errors(found.first_s[quiet], runs.ttft_s[quiet]).median:6.1f}%" if quiet.any() else f"{'-':>7s}"
    other = (
        f"{100 * errors(runs.oracle_tpot_s[told], runs.tpot_s[told]).median:10.1f}%" if told.any() else f"{'-':>11s}"
    )
    return (
        f"{name:30s} {int(mask.sum()):5d}  {100 * of.median:10.1f}% {100 * of.p90:6.1f}% {100 * bias:+6.1f}% "
        f"{100 * rate:8.1f}% {first} {other}"
    )


def _poor(found: Served, stacks: Labels) -> str:
    """Return the stacks of software and hardware whose median error is large, worst first."""
    runs, listed = found.runs, []
    for name, mask in _folds(stacks):
        of = errors(found.family_s[mask], runs.tpot_s[mask])
        if of.median > _POOR and of.points >= _FEWEST:
            bias = np.median(found.family_s[mask] / runs.tpot_s[mask]) - 1.0
            listed.append((of.median, f"{name:48s} {of.points:5d} {100 * of.median:7.1f}% {100 * bias:+7.1f}%"))
    head = f"{'poor: median above 20%':48s} {'runs':>5s} {'median':>8s} {'bias':>8s}"
    return "\n".join([head, *(line for _, line in sorted(listed, reverse=True))]) + "\n"
