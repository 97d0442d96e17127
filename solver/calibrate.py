"""Fit the calibration table to published measurements: ``python -m solver.calibrate --data DIR``.

The raw measurements are not part of the project; only what was learned from them is, in the table that this
writes. Times come from all that was timed in one fit, power from serving runs with measured board power, the
cost of a power cap from capped runs. Planning assumptions on memory and the priors are no fits and are kept
as they stand in the table; so are the parts for which the folder has no measurements.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solver.catalog import Catalog, default_folder, load_catalog
from solver.errors import InputError, Problem
from solver.fitting import capping, power, profiles, serving, times, wall
from solver.fitting.data import Library
from solver.fitting.joint import observations
from solver.fitting.prior import centred, read_priors
from solver.fitting.robust import Errors
from solver.fitting.scatter import plots
from solver.fitting.scores import Served, oracle_errors, ordered_share, served, time_errors
from solver.fitting.table import (
    HEADER,
    KEPT_GROUPS,
    NAMES,
    coefficient_rows,
    error_rows,
    evidence_rows,
    power_rows,
    write_table,
)
from solver.fitting.validation import tables
from solver.physics.calibration import Calibration
from solver.physics.coefficients import FITTED, PLANNED

__all__ = ["HEADER", "Fit", "calibrate", "main", "write_table"]

_POWER_GROUPS = ("power", "cap", "activity")


@dataclass(frozen=True)
class Fit:
    """Everything that the measurements say.

    Attributes
    ----------
    rows : tuple of mapping
        The calibration table.
    errors, oracle : mapping
        Subject -> errors, and another estimator's on the same rows.
    served : Served
        Predictions of the served runs.
    skipped : str
        What was left out, in words.
    power_tables : str
        Capped over uncapped times and power at the wall of nodes, measured and predicted; empty where not measured.
    """

    rows: tuple[dict[str, Any], ...]
    errors: dict[str, Errors]
    oracle: dict[str, Errors]
    served: Served
    skipped: str
    power_tables: str = ""


def calibrate(folder: Path, catalog: Catalog, own: bool = False, anchors: Path | None = None) -> Fit:
    """Fit everything to the measurements in a folder: served runs, and whatever else of them it has.

    Parameters
    ----------
    folder : Path
        With measured_serving.csv, and any of the other tables.
    catalog : Catalog
        Parts, and the table with priors and assumptions.
    own : bool
        Start from the table's fit in place of the priors, and keep every row that the folder says nothing of:
        for a few measurements of one's own.
    anchors : Path, optional
        Folder with metered nodes; without it, the data folder and ``anchors`` beside it are looked at.

    Raises
    ------
    InputError
        If the folder, the table of served runs, a column or a prior is missing.
    """
    library, committed = Library.from_catalog(catalog), catalog.rows("calibration")
    runs, unknown = serving.read_runs(folder, library)
    apart = serving.read_apart(folder, library) if (folder / serving.APART_TABLE).is_file() else None
    caps, watts, inconsistent, nameless = capping.read_caps(folder, library), None, 0, 0
    if (folder / power.TABLE).is_file():
        watts, inconsistent, nameless = power.read_power(folder, library)
    priors = read_priors(committed)
    if own:
        priors = centred(priors, committed)
    seen = observations(runs, apart, watts, profiles.read_profiles(folder, library))
    time_fit = times.fit_times(seen, priors, planned(committed))
    found = served(time_fit, runs)
    errors = time_errors(time_fit, found)
    rows = coefficient_rows(time_fit)
    if watts is None:
        rows += [dict(row) for row in committed if row["group"] in _POWER_GROUPS or _of_power(str(row["id"]))]
    else:
        base = _base(committed)
        unseen = {name: held.applied(base, power.SETUP) for name, held in time_fit.by_family.items()}
        steps_s = time_fit.left_out_s(time_fit.by_family, seen.family)[seen.source == "energy"]
        power_fit = power.fit_power(watts, caps, time_fit.whole.applied(base, power.SETUP), priors, unseen, steps_s)
        errors |= power_fit.errors
        rows += power_rows(power_fit)
        if caps is None:
            rows += [dict(row) for row in committed if row["group"] == "cap"]
    rows += [dict(row) for row in committed if row["group"] in KEPT_GROUPS]
    rows += [*error_rows(errors), *evidence_rows(runs, apart)]
    if own:
        told = {row["id"] for row in rows}
        rows += [dict(row) for row in committed if row["id"] not in told]
    skipped = (
        f"{unknown} clean serving runs of models without a catalog row; "
        f"{inconsistent} power runs whose throughput and latency disagree, "
        f"{nameless} power runs of models without a catalog row"
    )
    shown = _power_tables(caps, [anchors] if anchors else [folder, folder.parent / "anchors"], library, catalog, rows)
    return Fit(tuple(rows), errors, oracle_errors(runs), found, skipped, shown)


def _power_tables(
    caps: capping.CapRuns | None, places: Sequence[Path], library: Library, catalog: Catalog,
    rows: Sequence[Mapping[str, Any]],
) -> str:  # fmt: skip
    """Return capped times and node-wall watts, measured and as the rows of a table predict them; empty without any."""
    nodes = wall.read_wall(places, library, catalog)
    if caps is None and not nodes:
        return ""
    fitted = Calibration.from_rows(rows)
    shown = [capping.cap_table(caps, fitted)] if caps else []
    shown += [wall.wall_table(nodes, library, catalog, fitted)] if nodes else []
    return "\n".join(shown)


def planned(committed: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the coefficients of time that a table takes from sources, in SI units.

    Raises
    ------
    InputError
        Naming every one that the table lacks.
    """
    found = {str(row["id"]): float(row["value"]) for row in committed if row["id"] in PLANNED}
    absent = [name for name in PLANNED if name not in found]
    if absent:
        message, hint = "planning figure missing from the calibration table", "copy the row of the shipped table"
        raise InputError([Problem("calibration", name, "value", "", message, "a number", hint) for name in absent])
    return found


def _base(committed: Sequence[Mapping[str, Any]]) -> Calibration:
    """Return the calibration of a table that may lack what is about to be fitted."""
    own = [field.name for field in dataclasses.fields(Calibration) if field.type == "float"]
    return Calibration.from_rows([*({"id": name, "value": 0.0} for name in (*FITTED, *PLANNED, *own)), *committed])


def _of_power(name: str) -> bool:
    """Return whether a row is a spread or an error of power or caps."""
    return name.startswith(("power_", "tokens_per_joule", "spread:power", "cap_"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, print the errors and write the table; 2 where the input is bad."""
    parser = argparse.ArgumentParser(prog="python -m solver.calibrate", description="Fit the calibration table.")
    parser.add_argument("--data", required=True, type=Path, help="folder with the measured_*.csv tables")
    parser.add_argument("--catalog", type=Path, default=default_folder(), help="catalog folder")
    parser.add_argument("--out", type=Path, help="table to write (default: calibration.csv of the catalog)")
    parser.add_argument("--own", action="store_true", help="few runs of your own: start from the table's fit")
    parser.add_argument("--tables", action="store_true", help="print the error tables of the validation page as well")
    parser.add_argument("--anchors", type=Path, help="folder with mlperf_power.csv (default: anchors beside the data)")
    parser.add_argument("--plot", type=Path, help="SVG of the validation page to write")
    options = parser.parse_args(arguments)
    try:
        fit = calibrate(options.data, load_catalog(options.catalog), options.own, options.anchors)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    out = options.out or options.catalog / "calibration.csv"
    write_table(fit.rows, out)
    for row in fit.rows:
        if row["id"] in NAMES or row["group"] in ("engine", "overhead", "activity", "setup", "cap"):
            spread = f"({row['low']:.4g} to {row['high']:.4g}, {row['points']} points)"
            print(f"{row['id']:28s} {row['value']:.4g}  {spread}")
    for subject, found in fit.errors.items():
        print(f"{subject:30s} {found}; predicted/measured {found.ratio_low:.2f} to {found.ratio_high:.2f}")
    for subject, found in fit.oracle.items():
        print(f"{'aiconfigurator ' + subject:30s} {found}")
    share, pairs = ordered_share(fit.served.runs, fit.served.family_s)
    print(f"pairs of accelerators          {100 * share:.1f}% of {pairs} ordered rightly")
    print(f"left out: {fit.skipped}")
    print(f"wrote {out}")
    if options.plot:
        options.plot.write_text(plots(fit.served), encoding="utf-8")
    if options.tables:
        print()
        print(tables(fit.served))
        print(fit.power_tables, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
