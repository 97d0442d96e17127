"""Runs side by side: names and notes, inputs that differ, key figures, builds; and a range of one input."""

from __future__ import annotations

import streamlit as st

from solver.ui import comparing
from solver.ui.choosing import follow
from solver.ui.text import t

WAY = "compare_way"


def page() -> None:
    """Draw the page."""
    follow()
    st.title(t("compare.title"))
    chosen = st.segmented_control(
        t("compare.way"), list(comparing.WAYS), default=next(iter(comparing.WAYS)), key=WAY, required=True,
        format_func=lambda name: t(f"compare.{name}.tab"), label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    comparing.WAYS[chosen or next(iter(comparing.WAYS))]()


page()
