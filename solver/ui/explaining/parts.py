"""Figures of single parts: by how much each would have to change for its part to enter the build, or to leave it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from solver.charts import figures
from solver.design import Design
from solver.errors import InputError
from solver.model.objectives import OBJECTIVES
from solver.ui import state
from solver.ui.phrases import phrase
from solver.ui.text import name_of, t
from solver.ui.watching import failed, watch
from solver.ui.widgets import Column, chart, empty, plain, problems, table
from solver.whatif.attributed import answered, ask_attributes, askable, asked_of, attribute_rows, without_use
from solver.whatif.explanations import catalog_of, study_of
from solver.whatif.explanations import name_of as run_name
from solver.whatif.store import Run


def parts(run: Run, design: Design) -> None:
    """Draw the choice of a part and of its figures, what is under way, and what was found."""
    st.subheader(t("explain.parts.title"))
    st.caption(t("explain.parts.about"))
    try:
        catalog = catalog_of(run, state.base_catalog())
        offered = {str(row["part"]): row for row in askable(study_of(run), catalog)}
    except InputError as error:
        problems(error)
        return
    asked = asked_of(run, state.runs())
    at_work = next((other for other in asked if not other.ended), None)
    _form(run, design, offered, busy=at_work is not None)
    if at_work is not None:
        watch(at_work, "parts")
    found = answered(run, state.runs(), state.store())
    if asked and asked[0].ended:
        _nothing_of(asked[0], offered, found)
    if found:
        _draw(design, found, attribute_rows(found, catalog))
    elif not asked:
        empty(t("explain.parts.empty"), t("explain.parts.cost"))


def _form(run: Run, design: Design, offered: Mapping[str, Mapping[str, Any]], *, busy: bool) -> None:
    """Part and figures, and the button that asks."""
    bought = {str(line["part"]) for line in design.bill_of_materials}
    left, middle, right = st.columns([3, 5, 1.4], vertical_alignment="bottom")
    part = left.selectbox(
        t("explain.parts.part"), list(offered), format_func=lambda name: _called(offered[name], bought),
        key="parts_part", help=t("explain.parts.part_help"), persist_state="session",
    )  # fmt: skip
    if part is None:
        return
    names = list(offered[part]["attributes"])
    chosen = middle.pills(
        t("explain.parts.which"), names, selection_mode="multi", default=names[:1], key=f"parts_which_{part}",
        format_func=lambda name: t(f"explain.attribute.{name}"), help=t("explain.parts.which_help"),
    )  # fmt: skip
    if not right.button(t("explain.parts.ask"), key="ask_parts", type="primary", disabled=busy, width="stretch"):
        return
    if chosen:
        state.submit(ask_attributes(run, part, chosen), f"{run_name(run)}: {offered[part]['name']}")
    else:
        st.error(t("explain.parts.nothing_chosen"))


def _called(row: Mapping[str, Any], bought: set[str]) -> str:
    """Vendor and name, and where the part stands."""
    marks = [t("explain.parts.in_build")] if row["part"] in bought else []
    marks += [t("explain.parts.late")] if row["attributes"] == ["date"] else []
    return " · ".join([str(row["vendor"]), str(row["name"]), *marks])


def _nothing_of(run: Run, offered: Mapping[str, Mapping[str, Any]], found: list[dict[str, Any]]) -> None:
    """Say why the last question has no answer."""
    if state.store().design(run.id) is None:
        failed(run)
    elif without_use(run, found):
        names = ", ".join(str(offered.get(part, {}).get("name", part)) for part in run.request.options["parts"])
        st.info(plain(phrase(run.message) or t("explain.parts.no_use", part=names)))


def _draw(design: Design, found: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """The changes as bars, then each answer with its figures."""
    pairs = sorted(zip(found, rows, strict=True), key=lambda pair: pair[1]["share"] is None)  # figures that turn first
    found, rows = [record for record, _ in pairs], [row for _, row in pairs]
    named = [record | {"part": row["name"], "name": _figure(row)} for record, row in zip(found, rows, strict=True)]
    chart(figures.attributes(named, phrase), "chart_parts", t("explain.parts.chart"), t("explain.parts.chart_hint"))
    shown = [
        row
        | {
            "what": _figure(row),
            "answer": _answer(row),
            "confirmed": _confirmed(row["confirmed"]),
            "share": "" if row["share"] is None else f"{row['share']:+.1%}",
        }
        for row in rows
    ]
    columns = [
        Column("name", t("explain.parts.part")),
        Column("what", t("explain.parts.figure")),
        Column("answer", t("explain.parts.answer")),
        Column("share", t("explain.parts.share")),
        Column("confirmed", t("explain.parts.confirmed"), help=t("explain.parts.confirmed_help")),
        Column("order", t("explain.parts.order"), kind="number", help=t("explain.prices.order_help")),
        Column("takes", t("explain.parts.takes"), kind="number"),
    ]
    if any(row["gain"] for row in rows):
        columns.insert(3, Column("gain", t("explain.parts.gain"), _unit(design)))
    table(shown, [*columns, Column("figures", t("explain.parts.from_to"))], "table_parts", alt=t("explain.parts.title"))


def _unit(design: Design) -> str:
    """Unit of what a part gains."""
    goal = OBJECTIVES.get(str(design.objective.get("name")))
    return goal.gain_unit if goal is not None else ""


def _figure(row: Mapping[str, Any]) -> str:
    return name_of("explain.attribute", str(row["attribute"]), str(row["what"]))


def _answer(row: Mapping[str, Any]) -> str:
    return name_of("explain.attribute_answer", str(row["answer"]).replace(" ", "_"), str(row["answer"]))


def _confirmed(value: bool | None) -> str:
    return "" if value is None else t("common.yes" if value else "common.no")
