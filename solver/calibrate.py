"""Fit the calibration table to published measurements: ``python -m solver.calibrate --data DIR``.

The raw measurements are not part of the project; only what was learned from them is, in the table that this
writes. Times come from serving runs, power from serving runs with measured board power, the cost of a power
cap from capped runs. Planning assumptions on memory are no fits and are kept as they stand in the table.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solver.catalog import Catalog, default_folder, load_catalog
from solver.errors import InputError
from solver.fitting import power, serving, times
from solver.fitting.data import Library
from solver.fitting.robust import Errors
from solver.physics.calibration import Calibration

HEADER = ("id", "group", "value", "low", "high", "points", "unit", "source", "confidence")
KEPT_GROUP = "memory"
"""Group of the planning assumptions, which a new fit keeps."""

_SERVING = "InferenceX and NVIDIA gap-analysis serving runs as sampled by aiconfigurator-core 0.12.0 (Apache-2.0)"
_APART = "disaggregated InferenceX runs as sampled by aiconfigurator-core 0.12.0 (Apache-2.0)"
_POWER = "ML.ENERGY leaderboard data v3 (2026-02), text tasks, H100 and B200, board power by NVML"
_CAP = "Splitwise profiles of Llama-2-70B on capped and uncapped H100 (github.com/Mutinifni/splitwise-sim, MIT)"

_COEFFICIENTS: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(("per_layer_s", "per_doubling_s", "per_request_s"), ("time", "s", _SERVING)),
    "per_dispatch_s": ("time", "s", _APART),
    **dict.fromkeys(("decode_factor", "prefill_factor", "experts_effective_frac"), ("time", "1", _SERVING)),
    **dict.fromkeys(("power_floor", "power_memory", "power_compute"), ("power", "1", _POWER)),
    **dict.fromkeys(("gamma_prefill", "gamma_decode"), ("cap", "1", _CAP)),
}
"""Coefficient -> group, unit, measurements."""

_ERROR_SOURCES = {"power": _POWER, "decode": _APART}

_SPREADS = {
    "tpot": "tpot_left_out",
    "ttft": "ttft",
    "throughput": "throughput_left_out",
    "power": "power_left_out",
}
"""Prediction -> the errors whose spread it carries."""

_LIMITS = ("evidence_isl", "evidence_count", "evidence_batch")


@dataclass(frozen=True)
class Fit:
    """Everything that the measurements say.

    Attributes
    ----------
    rows : tuple of mapping
        The calibration table.
    errors : mapping
        Subject -> errors.
    skipped : str
        What was left out, in words.
    """

    rows: tuple[dict[str, Any], ...]
    errors: dict[str, Errors]
    skipped: str


def calibrate(folder: Path, catalog: Catalog) -> Fit:
    """Fit everything to the measurements in a folder.

    Raises
    ------
    InputError
        If the folder, a table or a column is missing.
    """
    library = Library.from_catalog(catalog)
    runs, unknown = serving.read_runs(folder, library)
    apart = serving.read_apart(folder, library)
    watts, inconsistent, nameless = power.read_power(folder, library)
    kept = [dict(row) for row in catalog.rows("calibration") if row["group"] == KEPT_GROUP]
    base = _blank(kept)
    time_fit = times.fit_times(runs, apart, base)
    power_fit = power.fit_power(watts, folder, time_fit.calibration)
    found = time_fit.errors | power_fit.errors
    rows = [*_coefficient_rows(time_fit, power_fit), *kept, *_error_rows(found), *_evidence_rows(runs, apart)]
    rows += [
        _row(
            f"engine:{name}",
            "engine",
            value,
            low,
            high,
            count,
            "1",
            "time relative to the common fit: " + _SERVING,
        )
        for name, (value, low, high, count) in time_fit.engines.items()
    ]
    skipped = (
        f"{unknown} clean serving runs of models without a catalog row; "
        f"{inconsistent} power runs whose throughput and latency disagree, "
        f"{nameless} power runs of models without a catalog row"
    )
    return Fit(tuple(rows), found, skipped)


def write_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the calibration table, numbers to six digits so that it does not depend on the machine."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, HEADER, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{cell:.6g}" if isinstance(cell, float) else cell for name, cell in row.items()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, print the errors and write the table; 2 where the input is bad."""
    parser = argparse.ArgumentParser(prog="python -m solver.calibrate", description="Fit the calibration table.")
    parser.add_argument("--data", required=True, type=Path, help="folder with the measured_*.csv tables")
    parser.add_argument("--catalog", type=Path, default=default_folder(), help="catalog folder")
    parser.add_argument("--out", type=Path, help="table to write (default: calibration.csv of the catalog)")
    options = parser.parse_args(arguments)
    try:
        fit = calibrate(options.data, load_catalog(options.catalog))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    out = options.out or options.catalog / "calibration.csv"
    write_table(fit.rows, out)
    for row in fit.rows:
        if row["id"] in _COEFFICIENTS:
            print(
                f"{row['id']:24s} {row['value']:.4g}  ({row['low']:.4g} to {row['high']:.4g}, {row['points']} points)"
            )
    for subject, found in fit.errors.items():
        print(f"{subject:30s} {found}; predicted/measured {found.ratio_low:.2f} to {found.ratio_high:.2f}")
    print(f"left out: {fit.skipped}")
    print(f"wrote {out}")
    return 0


def _blank(kept: list[dict[str, Any]]) -> Calibration:
    """Return a calibration of the kept assumptions alone, everything fitted at zero."""
    fields = [field.name for field in dataclasses.fields(Calibration)]
    fitted = [name for name in fields if name in _COEFFICIENTS or name in _LIMITS or "_error_" in name]
    return Calibration.from_rows([*kept, *({"id": name, "value": 0.0} for name in fitted)])


def _coefficient_rows(*fits: times.TimeFit | power.PowerFit) -> list[dict[str, Any]]:
    """Return the rows of the fitted coefficients."""
    rows = []
    for fit in fits:
        for name, count in fit.points.items():
            group, unit, source = _COEFFICIENTS[name]
            value = getattr(fit.calibration, name)
            rows.append(_row(name, group, value, fit.low[name], fit.high[name], count, unit, "fit to " + source))
    return rows


def _error_rows(found: dict[str, Errors]) -> list[dict[str, Any]]:
    """Return the spreads that predictions carry, and the error figures as they were printed."""
    rows = []
    for name, subject in _SPREADS.items():
        of = found[subject]
        for end, value in (("low", of.ratio_low), ("high", of.ratio_high)):
            source = f"predicted over measured, {'10th' if end == 'low' else '90th'} percentile of {subject}"
            rows.append(_row(f"{name}_error_{end}", "spread", value, value, value, of.points, "1", source))
    for subject, of in found.items():
        measured = _ERROR_SOURCES.get(subject.split("_")[0], _SERVING)
        for name in ("median", "mean", "p90"):
            value = getattr(of, name)
            source = f"{name} of |predicted/measured - 1| on {measured}"
            rows.append(_row(f"{subject}_{name}", "error", value, value, value, of.points, "1", source))
    return rows


def _evidence_rows(runs: serving.Runs, apart: serving.Apart) -> list[dict[str, Any]]:
    """Return what the measurements cover."""
    points = runs.points
    most = (runs.longest_prompt, points.count.max(), points.batch.max())
    limits = zip(_LIMITS, most, ("tokens", "accelerators", "requests"), strict=True)
    rows = [
        _row(
            name,
            "evidence",
            float(value),
            float(value),
            float(value),
            len(runs.tpot_s),
            unit,
            "most in " + _SERVING,
        )
        for name, value, unit in limits
    ]
    covered = [("family", name, _SERVING) for name in runs.family]
    covered += [("accelerator", name, _SERVING) for name in runs.accelerator]
    covered += [("accelerator", name, _APART) for name in apart.accelerator]
    for kind, name in sorted({(kind, name) for kind, name, _ in covered}):
        own = [source for *label, source in covered if label == [kind, name]]
        source = "runs in " + " and ".join(sorted(set(own), reverse=True))
        count = len(own)
        rows.append(_row(f"{kind}:{name}", "evidence", count, count, count, count, "runs", source))
    return rows


def _row(
    name: str, group: str, value: float, low: float, high: float, points: int, unit: str, source: str
) -> dict[str, Any]:
    """Return one measured row of the table."""
    cells = (name, group, float(value), float(low), float(high), points, unit, source, "measured")
    return dict(zip(HEADER, cells, strict=True))


if __name__ == "__main__":
    sys.exit(main())
