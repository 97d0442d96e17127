"""A run at work: how far it is, and a button that ends it; once it is over the page is drawn anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from solver.ui import state
from solver.ui.text import name_of, t
from solver.ui.widgets import plain
from solver.whatif.store import STOPPING, WAITING, Run
from solver.words import figure, percent

POLL_S = 0.7
"""Seconds between looks."""


def watch(run: Run, key: str) -> None:
    """Draw a run until it is over, then draw the whole page anew.

    Parameters
    ----------
    run : Run
    key : str
        Tells apart the runs that one page watches.
    """

    @st.fragment(run_every=POLL_S)
    def look() -> None:
        now = state.store().get(run.id)
        if now is None or now.ended:
            st.rerun()
        with st.container(border=True):
            _draw(now, state.store().progress(now.id))
            st.button(t("common.stop"), key=f"stop_{key}_{run.id}", on_click=state.pool().stop, args=(run.id,),
                      disabled=now.state == STOPPING or not state.is_mine(now), help=t("common.stop_help"))  # fmt: skip

    look()


def _draw(run: Run, events: Sequence[Mapping[str, Any]]) -> None:
    """State and stage, and the numbers of the last event that has any."""
    words = t(f"common.state.{run.state}")
    if run.state == WAITING:
        place = state.pool().place(run.id)
        words = t("common.in_queue", count=place) if place > 0 else words
    stage = str(events[-1].get("stage") or "") if events else ""
    at = next((e for e in reversed(events) if e.get("of")), None)
    counted = f" {at['step']}/{at['of']}" if at else ""
    st.markdown(f"**{words}** {plain(name_of('common.stage', stage, stage))}{counted} · {run.seconds:,.0f} s")
    last = next((e for e in reversed(events) if e.get("incumbent") is not None or e.get("bound") is not None), None)
    if last is not None:
        unit = str(last.get("unit") or "")
        parts = [
            t(f"common.{name}", value=f"{figure(float(last[name]))} {unit}".strip())
            for name in ("incumbent", "bound") if last.get(name) is not None
        ]  # fmt: skip
        parts += [t("common.gap", value=percent(float(last["gap"])))] if last.get("gap") is not None else []
        st.caption(plain(" · ".join(parts)))


def failed(run: Run) -> None:
    """Say why a run came to nothing."""
    st.error(plain(run.message or t("common.failed_without_word")))
