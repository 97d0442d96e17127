"""Rows of the calibration table: coefficients, factors, spreads, errors, and what the measurements cover."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from solver.fitting.data import generations_of
from solver.fitting.power import PowerFit
from solver.fitting.prior import POWER
from solver.fitting.robust import Errors
from solver.fitting.serving import Apart, Runs
from solver.fitting.times import TimeFit
from solver.physics.coefficients import FITTED
from solver.points import EVIDENCE

HEADER = ("id", "group", "value", "low", "high", "points", "unit", "source", "confidence")
KEPT_GROUPS = ("memory", "network", "prior")
"""Groups of the planning assumptions and priors, which a new fit keeps."""

SOURCES = {
    "serving": "InferenceX and NVIDIA gap-analysis serving runs as sampled by aiconfigurator-core 0.12.0 (Apache-2.0)",
    "first": "first tokens of the serving runs with at most 4 requests on a rank",
    "apart": "disaggregated InferenceX runs as sampled by aiconfigurator-core 0.12.0 (Apache-2.0)",
    "energy": "ML.ENERGY leaderboard data v3 (2026-02), text tasks, H100 and B200, board power by NVML",
    "splitwise": "Splitwise profiles of Llama-2-70B (github.com/Mutinifni/splitwise-sim, MIT)",
    "distserve": "DistServe latency fits of OPT on A100 (github.com/LLMServe/DistServe, Apache-2.0)",
}
_TIME_SOURCE = "fit to served, disaggregated, ML.ENERGY, Splitwise and DistServe times (sources: group evidence)"
_SUBJECT_SOURCES = {"apart": "apart", "power": "energy", "tokens": "energy", "energy": "energy", "cap": "splitwise",
                    "splitwise": "splitwise", "distserve": "distserve", "ttft": "first"}  # fmt: skip
_SPREADS = {
    "tpot": ("tpot_model_left_out", "tpot_left_out"),
    "ttft": ("ttft_quiet_left_out", "ttft_quiet_left_out"),
    "throughput": ("throughput_model_left_out", "throughput_left_out"),
    "power": ("power_left_out", "power_left_out"),
}
"""Prediction -> the errors whose spread it carries where its like was measured, and one step outside."""
_LIMITS = ("evidence_isl", "evidence_count", "evidence_batch")


def coefficient_rows(fit: TimeFit) -> list[dict[str, Any]]:
    """Return the rows of times, engines, generations and setups; ranges are over families left out."""
    count = len(fit.seen.measured_s)
    rows = []
    for name, value in fit.whole.numbers.items():
        held = [one.numbers[name] for one in fit.by_family.values()] + [value]
        kind, _, label = name.partition(":")
        points = count
        if kind in ("engine", "overhead"):
            labels = fit.seen.engine if kind == "engine" else generations_of(fit.seen.points)
            points = int((labels == label).sum())
        group, unit = (kind, "1") if label else ("time", unit_of(name))
        rows.append(row(name, group, value, min(held), max(held), points, unit, _TIME_SOURCE))
    return rows


def unit_of(name: str) -> str:
    """Return the unit of a coefficient from its name."""
    return "s" if name.endswith("_s") else "kernels" if name.endswith("_kernels") else "1"


def power_rows(fit: PowerFit) -> list[dict[str, Any]]:
    """Return the rows of power and caps."""
    rows = []
    for name, count in fit.points.items():
        group, source = ("power", SOURCES["energy"]) if name in POWER else ("cap", SOURCES["splitwise"])
        value = getattr(fit.calibration, name)
        low, high = min(fit.low[name], value), max(fit.high[name], value)
        rows.append(row(name, group, value, low, high, count, "1", "fit to " + source))
    for part, value in fit.activities.items():
        rows.append(row(f"activity:{part}", "activity", value, value, value, fit.points[POWER[0]], "1",
                        "fit to " + SOURCES["energy"]))  # fmt: skip
    return rows


def error_rows(found: Mapping[str, Errors]) -> list[dict[str, Any]]:
    """Return the spreads that predictions carry, and the error figures as they were printed."""
    rows = []
    for name, (near, far) in _SPREADS.items():
        if near not in found:
            continue
        of = found[far]
        for end, value in (("low", of.ratio_low), ("high", of.ratio_high)):
            source = f"predicted over measured, {'10th' if end == 'low' else '90th'} percentile of {far}"
            rows.append(row(f"{name}_error_{end}", "spread", value, value, value, of.points, "1", source))
        rows += _regime_rows(name, near, found[near], far, found[far])
    for subject, of in found.items():
        measured = SOURCES[_SUBJECT_SOURCES.get(subject.split("_")[0], "serving")]
        base, _, label = subject.partition(":")
        for name in ("median", "mean", "p90"):
            value = getattr(of, name)
            source = f"{name} of |predicted/measured - 1| on {measured}"
            full = f"{base}_{name}" + (f"_{label}" if label else "")
            rows.append(row(full.lower(), "error", value, value, value, of.points, "1", source))
    return rows


def _regime_rows(name: str, near: str, like: Errors, far: str, outside: Errors) -> list[dict[str, Any]]:
    """Return the 10th and 90th percentile of predicted over measured in each regime of evidence.

    Two steps outside the measurements, the errors of both steps multiply.
    """
    ends = (
        (like.ratio_low, like.ratio_high, near),
        (min(like.ratio_low, outside.ratio_low), max(like.ratio_high, outside.ratio_high), far),
        (min(1.0, outside.ratio_low) ** 2, max(1.0, outside.ratio_high) ** 2, f"{far}, twice"),
    )
    rows = []
    for word, (low, high, subject) in zip(EVIDENCE, ends, strict=True):
        source = f"10th and 90th percentile of predicted over measured: {subject}"
        middle = min(max(1.0, low), high)
        rows.append(row(f"spread:{name}_{word}", "spread", middle, low, high, outside.points, "1", source))
    return rows


def evidence_rows(runs: Runs, apart: Apart | None) -> list[dict[str, Any]]:
    """Return what the measurements cover."""
    points, serving = runs.points, SOURCES["serving"]
    most = (runs.longest_prompt, points.count.max(), points.batch.max())
    rows = [
        row(name, "evidence", float(value), float(value), float(value), len(runs.tpot_s), unit, "most in " + serving)
        for name, value, unit in zip(_LIMITS, most, ("tokens", "accelerators", "requests"), strict=True)
    ]
    covered = [("family", name, serving) for name in runs.family]
    covered += [("accelerator", name, serving) for name in runs.accelerator]
    if apart is not None:
        covered += [("accelerator", name, SOURCES["apart"]) for name in apart.accelerator]
    for kind, name in sorted({(kind, name) for kind, name, _ in covered}):
        own = [source for *label, source in covered if label == [kind, name]]
        source = "runs in " + " and ".join(sorted(set(own), reverse=True))
        rows.append(row(f"{kind}:{name}", "evidence", len(own), len(own), len(own), len(own), "runs", source))
    return rows


def row(
    name: str, group: str, value: float, low: float, high: float, points: int, unit: str, source: str
) -> dict[str, Any]:
    """Return one measured row of the table."""
    cells = (name, group, float(value), float(low), float(high), points, unit, source, "measured")
    return dict(zip(HEADER, cells, strict=True))


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the calibration table, numbers to six digits so that it does not depend on the machine."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, HEADER, lineterminator="\n")
        writer.writeheader()
        for cells in rows:
            writer.writerow({name: f"{cell:.6g}" if isinstance(cell, float) else cell for name, cell in cells.items()})


NAMES = (*FITTED, *POWER)
"""Coefficients that are printed."""
