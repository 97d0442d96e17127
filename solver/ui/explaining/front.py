"""Trade-offs: the best of one figure for each value of another; a click on a point opens that build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from solver.charts import figures
from solver.design import Design
from solver.ui import state
from solver.ui.choosing import open_changed
from solver.ui.phrases import phrase
from solver.ui.text import name_of, t
from solver.ui.watching import failed, watch
from solver.ui.widgets import Column, chart, empty, table
from solver.whatif import views_explained as views
from solver.whatif.explanations import ask_front, front_runs
from solver.whatif.explanations import name_of as run_name
from solver.whatif.store import Run
from solver.words import amount

CHART, TABLE = "chart_front", "table_front"
LEAST, MOST, USUAL = 3, 15, 7
"""Points that can be asked for."""


def tradeoffs(run: Run, design: Design) -> None:
    """Draw the front between two figures, and what was chosen on it."""
    st.subheader(t("explain.tradeoffs.title"))
    st.caption(t("explain.tradeoffs.about"))
    x, y, points = _chosen(run, design)
    asked = front_runs(run, state.runs(), x, y)
    at_work = next((other for other in asked if not other.ended), None)
    done = next((other for other in asked if views.front_of(state.store().result(other.id))), None)
    if at_work is None and st.button(t("explain.tradeoffs.ask" if done is None else "explain.tradeoffs.ask_again"),
                                     key="ask_front", type="primary" if done is None else "secondary"):  # fmt: skip
        state.submit(ask_front(run, x, y, points), run_name(run))
    if at_work is not None:
        watch(at_work, "front")
    front = views.front_of(state.store().result(done.id)) if done is not None else None
    if front is None:
        if at_work is None:
            fault = next((other for other in asked if other.message), None)
            if fault is not None:
                failed(fault)
            empty(t("explain.tradeoffs.empty"), t("explain.tradeoffs.cost"))
        return
    _front(run, front)


def _chosen(run: Run, design: Design) -> tuple[str, str, int]:
    """Draw the choice of both figures and of how many points; return it."""
    goals, axes = views.goals(), views.axes_of(design)
    own = str((run.request.study.get("objective") or {}).get("name"))
    first, second, third = st.columns([2, 2, 1])
    x = first.selectbox(
        t("explain.tradeoffs.x"), axes, key="front_x", format_func=lambda name: name_of("explain.axis", name, name),
        help=t("explain.tradeoffs.x_help"), persist_state="session",
    )  # fmt: skip
    y = second.selectbox(
        t("explain.tradeoffs.y"), list(goals), index=list(goals).index(own) if own in goals else 0, key="front_y",
        format_func=lambda name: phrase(goals[name]), persist_state="session",
    )  # fmt: skip
    points = third.number_input(
        t("explain.tradeoffs.points"), LEAST, MOST, USUAL, key="front_points", help=t("explain.tradeoffs.points_help")
    )
    return x, y, int(points)


def _front(run: Run, front: Mapping[str, Any]) -> None:
    """The chart and its points; a click on either opens the build."""
    rows = views.front_rows(front)

    def open_from(key: str) -> None:
        selection = st.session_state[key]["selection"]
        picked = [p["point_index"] for p in selection.get("points", [])] or list(selection.get("rows", []))
        if picked and picked[0] < len(rows):
            row = rows[picked[0]]
            open_changed(run, row["changes"], amount(float(row["x"]), str(front["x_unit"])))

    words = {"x": name_of("explain.axis", str(front["x"]), phrase(front["x_name"])), "y": phrase(front["y_name"])}
    figure = figures.pareto(dict(front), phrase)
    chart(figure, CHART, hint=t("explain.tradeoffs.chart_hint"), on_click=lambda: open_from(CHART))
    table(
        rows,
        [
            Column("x", words["x"], str(front["x_unit"]), "number"),
            Column("y", words["y"], str(front["y_unit"]), "number"),
            Column("gap", t("explain.tradeoffs.gap"), kind="percent"),
            Column("build", t("explain.tradeoffs.build")),
        ],
        TABLE,
        on_click=lambda: open_from(TABLE),
        alt=t("explain.tradeoffs.title"),
    )
    notes: Sequence[str] = [
        t(f"explain.tradeoffs.{key}", count=count)
        for key, count in (("merged", front.get("merged") or 0), ("infeasible", len(front.get("infeasible") or [])))
        if count
    ]
    if notes:
        st.caption(" ".join(notes))
