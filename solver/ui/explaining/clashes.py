"""A study without a build as a page: what clashes, the least that has to give, and a button that gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from solver.design import Design
from solver.ui.choosing import open_changed
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.widgets import Column, plain, table
from solver.whatif.remedies import JOINT, remedies
from solver.whatif.store import Run
from solver.words import amount, percent

SHOWN = 6
"""Choices that are drawn at once."""


def clashes(run: Run, design: Design) -> None:
    """Draw why there is no build, and what would give one."""
    st.subheader(t("explain.clashes.title"))
    record = design.explained.get("clashes") or {}
    clashing = [str(name) for name in record.get("clashing") or []]
    if clashing:
        st.markdown(f"{t('explain.clashes.together')} " + " · ".join(f"**{plain(name)}**" for name in clashing))
    with st.container(border=True):
        for line in design.explanation:
            st.markdown(f"- {plain(phrase(line))}")
    found = remedies(design)
    st.subheader(t("explain.clashes.remedies"))
    if not found:
        st.markdown(t("explain.clashes.none"))
    else:
        st.caption(t("explain.clashes.about"))
    for place, remedy in enumerate(found[:SHOWN]):
        _remedy(run, remedy, place)
    if len(found) > SHOWN:
        with st.expander(t("explain.clashes.more", count=len(found) - SHOWN)):
            for place, remedy in enumerate(found[SHOWN:], start=SHOWN):
                _remedy(run, remedy, place)
    if not record.get("finished", True):
        st.caption(t("explain.clashes.unfinished"))
    _dropped(design)


def _remedy(run: Run, remedy: Mapping[str, Any], place: int) -> None:
    """One choice in words, with its button."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="stretch", gap=None):
            for move in remedy["moves"]:
                st.markdown(_move(move))
            key = "joint" if remedy["kind"] == JOINT else "enough" if remedy["enough"] else "first"
            st.caption(t(f"explain.clashes.{key}", share=percent(remedy["share"])))
        words = ", ".join(
            f"{m['path'].rsplit('.', 1)[-1]} {amount(float(m['after']), m['unit']).strip()}" for m in remedy["moves"]
        )
        st.button(
            t("explain.clashes.apply"), key=f"apply_{place}", type="primary" if place == 0 else "secondary",
            on_click=open_changed, args=(run, remedy["changes"], words),
        )  # fmt: skip


def _move(move: Mapping[str, Any]) -> str:
    """A key with its value before and after, as Markdown."""
    unit = str(move["unit"])
    before, after = (amount(float(move[end]), unit).strip() for end in ("before", "after"))
    name = f" ({plain(phrase(move['name']))})" if move["name"] else ""
    return f"**{plain(move['path'])}**{name}: {plain(before)} → **{plain(after)}**"


def _dropped(design: Design) -> None:
    """What excluded candidates, folded."""
    if not design.dropped:
        return
    with st.expander(t("explain.clashes.dropped")):
        table(
            design.dropped,
            [
                Column("class", t("explain.clashes.class")),
                Column("reason", t("explain.clashes.reason"), said=True),
                Column("count", t("explain.clashes.count"), kind="number"),
                Column("nearest", t("explain.clashes.nearest"), kind="number"),
                Column("needed", t("explain.clashes.needed"), kind="number"),
                Column("unit", t("explain.clashes.unit")),
                Column("where", t("explain.clashes.where")),
            ],
            "table_dropped",
            alt=t("explain.clashes.dropped"),
        )
