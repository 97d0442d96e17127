"""The formula behind any number: its text, the numbers put in, where each comes from and how sure it is."""

from __future__ import annotations

from typing import Any

import streamlit as st

from solver.design import Design
from solver.errors import InputError
from solver.ui.phrases import phrase
from solver.ui.text import name_of, t
from solver.ui.widgets import Column, problems, table
from solver.whatif.shown import formula_of, numbers_of, subjects_of
from solver.whatif.store import Run
from solver.words import figure


def formula(run: Run, design: Design) -> None:
    """Draw the choice of a number, and its formula."""
    st.subheader(t("explain.formula.title"))
    st.caption(t("explain.formula.about"))
    groups = numbers_of(design)
    names = {row["id"]: f"{phrase(row['name'])} [{row['unit']}]" for rows in groups.values() for row in rows}
    of = {row["id"]: group for group, rows in groups.items() for row in rows}
    first = str(design.objective.get("name"))
    number = st.selectbox(
        t("explain.formula.number"), list(names), index=list(names).index(first) if first in names else 0,
        format_func=lambda name: f"{t(f'explain.formula.of_{of[name]}')} · {names[name]}", key="formula_number",
        persist_state="session",
    )  # fmt: skip
    subjects = subjects_of(design, number)
    subject = ""
    if subjects:
        subject = st.selectbox(
            t(f"explain.formula.which_{of[number]}"), list(subjects), format_func=subjects.__getitem__,
            key=f"formula_subject_{of[number]}",
        )  # fmt: skip
    try:
        found = formula_of(design, number, subject)
    except InputError as error:
        problems(error, t("explain.formula.cannot"))
        return
    _draw(found)


def _draw(found: dict[str, Any]) -> None:
    """The formula in its three lines, then terms and rows."""
    indent = " " * (len(found["id"]) + 1)
    lines = [f"{found['id']} = {found['formula']}"]
    lines += [f"{indent}= {found['filled']}"] if found["filled"] else []
    lines += [f"{indent}= {figure(found['value'])} {found['unit']}".rstrip()]
    st.code("\n".join(lines), language=None, wrap_lines=True)
    table(
        [term | {"confidence": _sure(term["confidence"]), "source": _source(term)} for term in found["terms"]],
        [
            Column("name", t("explain.formula.term")),
            Column("value", t("explain.formula.value"), kind="number"),
            Column("unit", t("explain.formula.unit")),
            Column("confidence", t("explain.formula.confidence")),
            Column("source", t("explain.formula.source")),
        ],
        "table_terms",
        alt=t("explain.formula.terms"),
    )
    if found["rows"]:
        st.caption(t("explain.formula.rows"))
        columns = [Column("row", t("explain.formula.row"))]
        columns += [
            Column(c["name"], c["name"], c["unit"], "number", help=f"{_sure(c['confidence'])}: {c['source']}")
            for c in found["columns"]
        ]
        columns += [Column("note", t("explain.formula.source"))] if any(row["note"] for row in found["rows"]) else []
        table(found["rows"], columns, "table_rows", alt=t("explain.formula.rows"))


def _source(term: dict[str, Any]) -> str:
    """Where a term comes from; one with a formula of its own names it."""
    return t("explain.formula.see", number=term["see"]) if term["see"] else str(term["source"])


def _sure(word: str) -> str:
    return name_of("explain.confidence", word, word)
