"""Figures of several runs: what a range of an input does, and runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from solver.charts.colours import KINDS, LOSS, PLAIN
from solver.charts.figures import bars, laid
from solver.words import figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def swept(rows: Sequence[Mapping[str, Any]], x_title: str, y_title: str) -> Figure | None:
    """Return a key figure over the values of an input, with what no build goes beyond; values without a build marked.

    Parameters
    ----------
    rows : sequence of mappings
        As `solver.whatif.sweeps.sweep_rows` returns them.
    x_title, y_title : str
        With their units.
    """
    from plotly.graph_objects import Figure, Scatter

    found = [row for row in rows if row["result"] is not None]
    if not found:
        return None
    x, y = [float(row["value"]) for row in found], [float(row["result"]) for row in found]
    words = [f"{figure(a)}: {figure(b)}" for a, b in zip(x, y, strict=True)]
    made = Figure(
        Scatter(x=x, y=y, mode="lines+markers", name="best build", hovertext=words, hoverinfo="text",
                line={"color": KINDS["platform"], "width": 2}, marker={"size": 8})
    )  # fmt: skip
    bounds = [row["bound"] for row in found]
    if all(bound is not None for bound in bounds):
        ends = [float(bound) for bound in bounds]
        made.add_trace(Scatter(x=x, y=ends, mode="lines", name="no build beyond", hoverinfo="skip",
                               line={"color": PLAIN, "dash": "dot"}))  # fmt: skip
    without = [float(row["value"]) for row in rows if row["result"] is None]
    if without:
        made.add_trace(Scatter(x=without, y=[min(y)] * len(without), mode="markers", name="no build",
                               marker={"symbol": "x", "size": 10, "color": LOSS}))  # fmt: skip
    made.update_xaxes(title=escape(x_title))
    made.update_yaxes(title=escape(y_title))
    return laid(made, 360, legend=True)


def beside(names: Sequence[str], values: Sequence[float | None], unit: str) -> Figure | None:
    """Return one key figure of several runs as bars."""
    return bars([(name, float(v), None) for name, v in zip(names, values, strict=True) if v is not None], escape(unit))
