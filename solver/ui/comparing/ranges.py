"""A range in place of a number: any numeric input of a study, solved at each value, warm from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from solver.catalog import Catalog
from solver.charts.comparisons import swept
from solver.errors import InputError
from solver.kpis import KPIS
from solver.ui import state
from solver.ui.choosing import open_changed, run_of_page
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.watching import failed, watch
from solver.ui.widgets import Column, chart, empty, problems, table
from solver.whatif.changes import overlay_of
from solver.whatif.explanations import (
    SWEEP,
    ask_sweep,
    catalog_of,
    name_of,
    related,
    study_of,
)
from solver.whatif.store import Run
from solver.whatif.sweeps import (
    cells_of,
    checked,
    proposed,
    rows_of,
    step_of,
    sweep_rows,
    sweepable,
    tables_of,
    values_of,
)
from solver.whatif.views_explained import build_words
from solver.words import figure


def sweep() -> None:
    """Draw the choice of an input and its values, and what came out."""
    run = run_of_page()
    if run is None:
        empty(t("compare.sweep.no_run"), t("compare.sweep.no_run_hint"))
        return
    st.caption(t("compare.sweep.about", name=name_of(run)))
    try:
        catalog = catalog_of(run, state.base_catalog())
        item = _chosen(run, catalog)
    except InputError as error:
        problems(error)
        return
    path = str(item["path"])
    left, right = st.columns(2)
    typed = left.text_input(
        t("compare.sweep.values", unit=item["unit"] or "1"), proposed(item), key=f"sweep_values_{path}",
        placeholder="10:30:5", help=t("compare.sweep.values_help"),
    )  # fmt: skip
    stands = t("compare.sweep.not_given") if item["value"] is None else f"{figure(float(item['value']))} {item['unit']}"
    with right:
        st.space("small")
        st.caption(t("compare.sweep.stands", value=stands))
    asked = [other for other in related(run, state.runs(), SWEEP) if other.request.options.get("path") == path]
    if st.button(t("compare.sweep.ask"), type="primary", key="ask_sweep", disabled=any(not r.ended for r in asked)):
        _ask(run, item, typed, catalog)
    _outcome(run, item, asked, catalog)


def _chosen(run: Run, catalog: Catalog) -> dict[str, Any]:
    """Draw the choice of an input, of the study or of a part; return it."""
    kind = st.segmented_control(
        t("compare.sweep.kind"), ["study", "catalog"], default="study", key="sweep_kind", required=True,
        format_func=lambda name: t(f"compare.sweep.of_{name}"), label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    if kind == "catalog":
        first, second, third = st.columns(3)
        table_name = first.selectbox(t("compare.sweep.table"), tables_of(catalog), key="sweep_table_name")
        rows = rows_of(catalog, table_name, state.store().design(run.id))
        row = second.selectbox(t("compare.sweep.row"), rows, key=f"sweep_row_{table_name}")
        cells = {item["path"]: item for item in cells_of(catalog, table_name, row)}
        path = third.selectbox(
            t("compare.sweep.column"), list(cells), format_func=titles(cells).__getitem__, key=f"sweep_cell_{row}"
        )
        return cells[path]
    inputs = {item["path"]: item for item in sweepable(study_of(run), catalog)}
    path = st.selectbox(
        t("compare.sweep.input"), list(inputs), format_func=titles(inputs).__getitem__, key="sweep_path",
        persist_state="session", help=t("compare.sweep.input_help"),
    )  # fmt: skip
    return inputs[path]


def titles(items: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Titles of inputs by path."""
    return {path: title(item) for path, item in items.items()}


def title(item: Mapping[str, Any]) -> str:
    """Section, name and unit of an input."""
    unit = f" [{item['unit']}]" if item["unit"] else ""
    return f"{str(item['section']).removeprefix('workload.')} · {phrase(item['name'])}{unit}"


def _ask(run: Run, item: Mapping[str, Any], typed: str, catalog: Catalog) -> None:
    """Queue the sweep, or say what is wrong with what was typed."""
    try:
        values = values_of(typed, str(item["unit"]), whole=bool(item["whole"]))
        checked(study_of(run), str(item["path"]), values, catalog)
    except InputError as error:
        problems(error)
        return
    state.submit(ask_sweep(run, str(item["path"]), values), f"{name_of(run)}: {item['name']}")


def _outcome(run: Run, item: Mapping[str, Any], asked: list[Run], catalog: Catalog) -> None:
    """The newest sweep of the input, as far as it has come; earlier ones can be chosen."""
    if not asked:
        empty(t("compare.sweep.empty"), t("compare.sweep.empty_hint"))
        return
    chosen = asked[0]
    if len(asked) > 1:
        labels = {other.id: f"{other.created[:16].replace('T', ' ')} UTC" for other in asked}
        picked = st.selectbox(t("compare.sweep.which"), list(labels), format_func=labels.__getitem__, key="sweep_which")
        chosen = next(other for other in asked if other.id == picked)
    if not chosen.ended:
        watch(chosen, "sweep")
    elif chosen.message:
        failed(chosen)
    result = state.store().result(chosen.id)
    if result and result.get("sweep"):
        _draw(run, item, result, catalog)


def _named(kpi: str, unit: str) -> str:
    """A key figure, or the objective, with its unit."""
    return f"{phrase(KPIS[kpi].name) if kpi else t('compare.sweep.objective')} [{unit}]"


def _draw(run: Run, item: Mapping[str, Any], result: Mapping[str, Any], catalog: Catalog) -> None:
    """Chart and table of a sweep; a click on a row opens that build."""
    known = [name for name in KPIS if any(name in (row.get("kpis") or {}) for row in result["sweep"])]
    names = {"": t("compare.sweep.objective")} | {name: _named(name, KPIS[name].unit) for name in known}
    kpi = st.selectbox(t("compare.sweep.figure"), list(names), key="sweep_kpi", format_func=names.__getitem__)
    rows = sweep_rows(result, kpi)
    unit = next((str(row["unit"]) for row in rows if row["unit"]), "")
    name = phrase(KPIS[kpi].name) if kpi else t("compare.sweep.objective")
    chart(
        swept(rows, title(item), _named(kpi, unit), phrase),
        "sweep_chart",
        hint=phrase(KPIS[kpi].basis) if kpi else t("compare.sweep.chart_hint"),
    )

    def open_from() -> None:
        picked = st.session_state["sweep_table"]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            value = rows[picked[0]]["value"]
            words = f"{item['name']} {figure(float(value))} {item['unit']}".strip()
            changes, cells = step_of(str(item["path"]), int(value) if item["whole"] else float(value), catalog)
            base = state.base_catalog()
            open_changed(run, changes, words, overlay_of(base, catalog.overlay(cells)) if cells else None)

    table(
        [
            row
            | {
                "build": build_words(row["nodes"]) or row["message"],
                "status": t(f"common.result.{row['status'].replace(' ', '_')}"),
            }
            for row in rows
        ],
        [
            Column("value", phrase(item["name"]), str(item["unit"]), "number"),
            Column("result", name, unit, "number"),
            Column("gap", t("compare.sweep.gap"), kind="percent"),
            Column("status", t("compare.sweep.status")),
            Column("build", t("compare.sweep.build")),
        ],
        "sweep_table",
        on_click=open_from,
        alt=t("compare.sweep.tab"),
    )
    st.caption(t("compare.sweep.click"))
