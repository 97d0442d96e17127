"""Saved runs: inputs that differ, key figures against a baseline, builds; and their names and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from solver.charts.comparisons import beside as bars
from solver.design import Design
from solver.errors import InputError
from solver.ui import state
from solver.ui.phrases import phrase
from solver.ui.text import name_of, t
from solver.ui.widgets import Column, chart, empty, plain, problems, table
from solver.whatif.cells import cell_text
from solver.whatif.changes import share_text
from solver.whatif.compare import build_rows, input_changes, kpi_rows
from solver.whatif.explanations import comparable, labels
from solver.whatif.store import NAME_LENGTH, NOTE_LENGTH, Run
from solver.words import figure, percent, quantity

MOST = 6
"""Runs beside each other."""
FIRST = 3
"""Runs that are chosen at first."""
HEADLINES = ("output_tokens_per_s", "capex_usd", "usd_per_million_tokens", "utility_meter_w")


def beside() -> None:
    """Draw the choice of runs and the baseline, then what differs: inputs first."""
    runs = {run.id: run for run in comparable(state.runs(), state.store())}
    if len(runs) < 2:
        empty(t("compare.beside.empty"), t("compare.beside.empty_hint"))
        return
    names = labels(list(runs.values()))
    left, right = st.columns([3, 1])
    chosen = left.multiselect(
        t("compare.beside.runs"), list(runs), default=list(runs)[:FIRST], format_func=names.__getitem__,
        max_selections=MOST, key="compare_runs", persist_state="session",
    )  # fmt: skip
    if len(chosen) < 2:
        empty(t("compare.beside.too_few"), t("compare.beside.too_few_hint"))
        return
    baseline = right.selectbox(
        t("compare.beside.baseline"), chosen, index=len(chosen) - 1, format_func=names.__getitem__, key="compare_base",
        help=t("compare.beside.baseline_help"),
    )  # fmt: skip
    others = [run_id for run_id in chosen if run_id != baseline]
    designs = {run_id: d for run_id in (baseline, *others) if (d := state.store().design(run_id)) is not None}
    _inputs(runs[baseline], [runs[run_id] for run_id in others], names)
    _figures(designs, baseline, names)
    _builds(designs, baseline, names)


def _inputs(baseline: Run, others: Sequence[Run], names: Mapping[str, str]) -> None:
    """A row for every input in which some run differs from the baseline."""
    st.subheader(t("compare.beside.inputs"))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        for run in others:
            for change in input_changes(baseline, run, state.base_catalog()):
                key = (str(change["where"]), str(change["what"]))
                row = rows.setdefault(
                    key,
                    {
                        "what": key[1],
                        "where": _where(key[0]),
                        "unit": change["unit"],
                        baseline.id: _value(change["before"]),
                    },
                )
                share = change["change_frac"]
                row[run.id] = _value(change["after"]) + (f"  {share_text(share)}" if share is not None else "")
    except InputError as error:
        problems(error)
        return
    if not rows:
        st.info(t("compare.beside.same_inputs"))
        return
    found = [{run.id: t("compare.beside.as_baseline") for run in others} | row for row in rows.values()]
    columns = [Column("where", t("compare.beside.where")), Column("what", t("compare.beside.what"))]
    columns += [Column("unit", t("compare.beside.unit")), Column(baseline.id, names[baseline.id])]
    columns += [Column(run.id, names[run.id]) for run in others]
    table(found, columns, "compare_inputs", alt=t("compare.beside.inputs"))


def _where(name: str) -> str:
    """The study, or a table of the catalog."""
    return t("compare.beside.study") if name == "study" else name_of("catalog.table", name)


def _value(value: Any) -> str:
    """A value as a reader writes it."""
    if value is None:
        return t("compare.beside.nothing")
    if isinstance(value, float | int) and not isinstance(value, bool):
        return figure(float(value)) if value else "0"
    if isinstance(value, bool):
        return t("common.yes" if value else "common.no")
    return cell_text(tuple(value)) if isinstance(value, list) else str(value)


def _figures(designs: Mapping[str, Design], baseline: str, names: Mapping[str, str]) -> None:
    """Key figures with their differences from the baseline; the objective as a chart."""
    st.subheader(t("compare.beside.figures"))
    rows = kpi_rows(designs, baseline)
    goals = {str(d.objective.get("name")): str(d.objective.get("unit", "")) for d in designs.values()}
    first = [row for row in rows if row["id"] in goals]
    if len(goals) == 1 and first:
        values = [first[0]["values"][run_id] for run_id in designs]
        chart(
            bars([names[r] for r in designs], values, goals.popitem()[1]),
            "compare_chart",
            phrase(first[0]["name"]),
            phrase(first[0]["basis"]),
        )
    elif len(goals) > 1:
        st.caption(t("compare.beside.goals_differ"))
    statuses = {run_id: t(f"common.result.{design.status}") for run_id, design in designs.items()}
    heads = [row for row in rows if row in first or row["id"] in HEADLINES]
    rest = [row for row in rows if row not in heads]
    _figure_table(heads, designs, baseline, names, "compare_heads", {"name": t("compare.beside.status")} | statuses)
    if not rest:
        return
    with st.expander(t("compare.beside.more_figures", count=len(rest))):
        _figure_table(rest, designs, baseline, names, "compare_rest")


def _figure_table(
    rows: Sequence[Mapping[str, Any]],
    designs: Mapping[str, Design],
    baseline: str,
    names: Mapping[str, str],
    key: str,
    first: Mapping[str, str] | None = None,
) -> None:
    """One row a figure, below a row of words; better and worse are said by a sign: no colour is needed to tell."""
    found = [dict(first)] if first else []
    for row in rows:
        cells = {"name": row["name"], "unit": row["unit"], "basis": row["basis"]}
        for run_id in designs:
            value, delta, good = row["values"][run_id], row["deltas"][run_id], row["better"][run_id]
            text = "–" if value is None else figure(float(value)) if value else "0"
            if run_id != baseline and delta:
                mark = {True: " ▲", False: " ▼", None: ""}[good]
                text += f"  {'+' if delta > 0 else '−'}{percent(abs(delta))}{mark}"
            cells[run_id] = text
        found.append(cells)
    columns = [Column("name", t("compare.beside.figure"), said=True), Column("unit", t("compare.beside.unit"))]
    columns += [Column(r, names[r] + (f" ({t('compare.beside.baseline')})" if r == baseline else "")) for r in designs]
    columns.append(Column("basis", t("compare.beside.counts"), said=True))
    table(found, columns, key, alt=t("compare.beside.figures"))
    st.caption(t("compare.beside.marks"))


def _builds(designs: Mapping[str, Design], baseline: str, names: Mapping[str, str]) -> None:
    """What is bought in each run."""
    st.subheader(t("compare.beside.builds"))
    rows = build_rows(designs, baseline)
    only = st.toggle(t("compare.beside.only_differences"), value=True, key="compare_only")
    shown = [row for row in rows if row["differs"] or not only]
    if not shown:
        st.info(t("compare.beside.same_build"))
        return
    found = []
    for row in shown:
        cells = {"part": row["part"], "kind": row["kind"], "vendor": row["vendor"]}
        for run_id in designs:
            change = row["changes"][run_id]
            cells[run_id] = quantity(row["quantities"][run_id]) + (
                f"  ({'+' if change > 0 else '−'}{quantity(abs(change))})" if change and run_id != baseline else ""
            )
        found.append(cells)
    columns = [
        Column("part", t("compare.beside.part")),
        Column("kind", t("compare.beside.kind"), said=True),
        Column("vendor", t("compare.beside.vendor")),
    ]
    columns += [Column(run_id, names[run_id]) for run_id in designs]
    table(found, columns, "compare_builds", alt=t("compare.beside.builds"))


def saved() -> None:
    """Draw the list of runs with their names and notes; open one, rename it, forget it."""
    runs = state.runs()
    if not runs:
        empty(t("compare.saved.empty"), t("compare.saved.empty_hint"))
        return
    names = labels(runs)
    rows = [
        {
            "name": names[r.id], "kind": t(f"compare.kind.{r.request.kind}"), "state": t(f"common.state.{r.state}"),
            "note": r.note, "created": r.created[:16].replace("T", " "), "seconds": r.seconds,
        }
        for r in runs
    ]  # fmt: skip
    picked = table(
        rows,
        [
            Column("name", t("compare.saved.name")),
            Column("kind", t("compare.saved.kind")),
            Column("state", t("compare.saved.state")),
            Column("note", t("compare.saved.note")),
            Column("created", t("compare.saved.created"), "UTC"),
            Column("seconds", t("compare.saved.seconds"), "s", "number"),
        ],
        "saved_runs",
        selectable=True,
        alt=t("compare.saved.tab"),
    )
    if not picked or picked[0] >= len(runs):
        st.caption(t("compare.saved.pick"))
        return
    _card(runs[picked[0]])


def _card(run: Run) -> None:
    """Name and note of one run, and what can be done with it."""
    with st.form(f"card_{run.id}"):
        name = st.text_input(t("compare.saved.name"), run.name, max_chars=NAME_LENGTH)
        note = st.text_area(t("compare.saved.note"), run.note, max_chars=NOTE_LENGTH)
        if st.form_submit_button(t("compare.saved.save"), type="primary"):
            state.store().rename(run.id, name, note)
            st.rerun()
    if run.message:
        st.caption(plain(phrase(run.message)))
    first, second = st.columns(2)
    if first.button(t("compare.saved.open"), key=f"open_{run.id}", width="stretch"):
        state.open_run(run.id)
        state.go("design")
    if second.button(
        t("compare.saved.forget"), key=f"forget_{run.id}", width="stretch", help=t("compare.saved.forget_help")
    ):
        state.store().delete(run.id)
        st.rerun()
