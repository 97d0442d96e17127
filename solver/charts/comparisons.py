"""Figures of several runs: what a range of an input does, and runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from solver.charts.colours import GAIN, KINDS, LOSS, PLAIN
from solver.charts.figures import bars, laid
from solver.charts.labels import Say, english
from solver.words import figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def swept(rows: Sequence[Mapping[str, Any]], x_title: str, y_title: str, say: Say = english) -> Figure | None:
    """Return a key figure over the values of an input, with what no build goes beyond; values without a build marked.

    Parameters
    ----------
    rows : sequence of mappings
        As `solver.whatif.sweeps.sweep_rows` returns them.
    x_title, y_title : str
        With their units.
    say : callable
        Says the chart's own words.
    """
    from plotly.graph_objects import Figure, Scatter

    found = [row for row in rows if row["result"] is not None]
    if not found:
        return None
    x, y = [float(row["value"]) for row in found], [float(row["result"]) for row in found]
    words = [f"{figure(a)}: {figure(b)}" for a, b in zip(x, y, strict=True)]
    made = Figure(
        Scatter(x=x, y=y, mode="lines+markers", name=say("best build"), hovertext=words, hoverinfo="text",
                line={"color": KINDS["platform"], "width": 2}, marker={"size": 8})
    )  # fmt: skip
    bounds = [row["bound"] for row in found]
    if all(bound is not None for bound in bounds):
        ends = [float(bound) for bound in bounds]
        made.add_trace(Scatter(x=x, y=ends, mode="lines", name=say("no build beyond"), hoverinfo="skip",
                               line={"color": PLAIN, "dash": "dot"}))  # fmt: skip
    without = [float(row["value"]) for row in rows if row["result"] is None]
    if without:
        made.add_trace(Scatter(x=without, y=[min(y)] * len(without), mode="markers", name=say("no build"),
                               marker={"symbol": "x", "size": 10, "color": LOSS}))  # fmt: skip
    made.update_xaxes(title=escape(x_title))
    made.update_yaxes(title=escape(y_title))
    return laid(made, 360, legend=True)


def beside(names: Sequence[str], values: Sequence[float | None], unit: str) -> Figure | None:
    """Return one key figure of several runs as bars."""
    return bars([(name, float(v), None) for name, v in zip(names, values, strict=True) if v is not None], escape(unit))


def price_line(
    quoted: float, catalog: float | None, low: float | None, high: float | None, say: Say = english
) -> Figure | None:
    """Return prices of a part on one line: quoted, in the catalog, and the range in which to walk away.

    Parameters
    ----------
    quoted : float
        USD, as the others.
    catalog : float or None
        What the catalog asks.
    low, high : float or None
        A price at which buying is better, and one above which it is not; None where there is none.
    say : callable
        Says the chart's own words.
    """
    from plotly.graph_objects import Figure, Scatter

    marks = [("quoted", quoted, "diamond", KINDS["platform"]), ("in the catalog", catalog, "line-ns-open", PLAIN),
             ("worth it up to", low, "circle", GAIN), ("not worth it above", high, "circle-open", LOSS)]  # fmt: skip
    shown = [mark for mark in marks if mark[1] is not None]
    if len(shown) < 2:
        return None
    made = Figure()
    if low is not None and high is not None:
        made.add_trace(Scatter(x=[low, high], y=["", ""], mode="lines", hoverinfo="skip", showlegend=False,
                               line={"color": PLAIN, "width": 8}, opacity=0.35))  # fmt: skip
    for name, value, symbol, colour in shown:
        words = f"{say(name)}: {figure(float(value or 0.0))} USD"
        marker = {"symbol": symbol, "size": 14, "color": colour, "line": {"width": 2}}
        made.add_trace(
            Scatter(x=[value], y=[""], mode="markers", name=say(name), hovertext=words, hoverinfo="text", marker=marker)
        )
    made.update_xaxes(title=say("USD a piece"), rangemode="tozero")
    made.update_yaxes(visible=False)
    return laid(made, 170, legend=True)
