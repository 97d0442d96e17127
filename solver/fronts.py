"""A front between two figures as text and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import textwrap

from solver.design import Record
from solver.words import WIDTH, amount, figure, percent, table

BAR = 40
"""Columns of the longest bar."""
COLUMNS = ("x", "y", "y_bound", "gap", "limit", "status", "changes")


def front(record: Record) -> str:
    """Return a front as a table and a bar for each point; empty fronts say why."""
    less = "less" if record["sense_y"] == "min" else "more"
    title = f"{record['y_name']} [{record['y_unit']}], {less} is better, against {record['x_name']}"
    lines = [*textwrap.wrap(title, WIDTH), ""]
    points = record["points"]
    if not points:
        return "\n".join([*lines, "no build at any limit that was tried"]) + "\n"
    most = max(abs(point["y"]) for point in points) or 1.0
    rows = [
        (
            _along(point["x"], record["x_unit"]),
            figure(point["y"]),
            percent(point["gap"]),
            "#" * max(1, round(BAR * abs(point["y"]) / most)),
        )
        for point in points
    ]
    lines.append(table((record["x"], record["y"], "gap", ""), rows, (True, True, True)))
    notes = [f"points within {percent(record['gap_frac'])} of each other are one"]
    if record["merged"]:
        notes.append(f"{record['merged']} merged or dominated")
    if record["infeasible"]:
        tight = ", ".join(_along(x, record["x_unit"]) for x in record["infeasible"])
        notes.append(f"no build at {tight}")
    if record["stopped_by"]:
        notes.append("stopped before all limits were tried")
    lines += textwrap.wrap("; ".join(notes), WIDTH)
    return "\n".join(lines) + "\n"


def _along(value: float, unit: str) -> str:
    if unit == "1":
        return f"{value:.4g}"
    if unit == "share":
        return f"{100.0 * value:.1f}%"
    return amount(value, unit) if math.isfinite(value) else "no limit"


def front_csv(record: Record) -> bytes:
    """Return the points of a front as CSV, one row each, with units in the heading and the changes as JSON."""
    units = {"x": record["x_unit"], "y": record["y_unit"], "y_bound": record["y_unit"], "limit": record["x_unit"]}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"{name} [{units[name]}]" if name in units else name for name in COLUMNS])
    for point in record["points"]:
        writer.writerow([*(point[name] for name in COLUMNS[:-1]), json.dumps(point["changes"])])
    return text.getvalue().encode("utf-8")
