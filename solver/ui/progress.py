"""A run at work on the design page: state, stage, time, best so far, bound and gap, and the button that ends it.

It polls in a fragment of its own, so that nothing else on the page is drawn anew while somebody types. Once there is
more to show, the page is drawn anew one time.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from solver.ui import state
from solver.ui.text import name_of, t
from solver.ui.widgets import plain
from solver.whatif.store import STOPPING, WAITING, Run
from solver.words import figure, percent

POLL_S, LATER_S = 0.4, 2.0
"""Seconds between looks, before and after there is a build to show."""


def watch(run: Run, *, shown: bool) -> None:
    """Draw a run until it is over.

    Parameters
    ----------
    run : Run
    shown : bool
        Whether part of its result is on the page already.
    """

    @st.fragment(run_every=LATER_S if shown else POLL_S)
    def look() -> None:
        now = state.store().get(run.id)
        if now is None or now.ended or (not shown and state.store().result(run.id) is not None):
            st.rerun()
        events = state.store().progress(now.id)
        with st.container(border=True, horizontal=shown, vertical_alignment="center"):
            if shown:
                stage = _stage(events)
                st.markdown(f"{t('design.progress.more')} :gray[{plain(stage)} · {now.seconds:,.0f} s]")
            else:
                _numbers(now, events)
            if state.is_mine(now):
                st.button(
                    t("design.progress.stop"), key=f"stop_{now.id}", on_click=state.pool().stop, args=(now.id,),
                    disabled=now.state == STOPPING, icon=":material/stop_circle:",
                )  # fmt: skip

    look()


def _numbers(run: Run, events: list[dict[str, Any]]) -> None:
    """State, stage and time, then the numbers of the search."""
    words = t(f"common.state.{run.state}")
    if run.state == WAITING and (before := state.pool().place(run.id)) > 0:
        words = f"{words}, {t('design.progress.queue', count=before)}"
    known = [event for event in events if event.get("bound") is not None]
    last = known[-1] if known else {}
    places = st.columns([1.0, 1.5, 0.8, 1.3, 1.3, 0.8])
    places[0].metric(t("design.progress.state"), words)
    places[1].metric(t("design.progress.stage"), plain(_stage(events)))
    places[2].metric(t("design.progress.time"), f"{run.seconds:,.0f} s")
    for place, name in zip(places[3:5], ("incumbent", "bound"), strict=True):
        values = [float(event[name]) for event in known if event.get(name) is not None]
        place.metric(t(f"design.progress.{name}"), figure(values[-1]) if values else "–",
                     help=str(last.get("unit") or "") or None)  # fmt: skip
    gap = last.get("gap")
    places[5].metric(t("design.progress.gap"), "–" if gap is None else percent(float(gap)))


def _stage(events: list[dict[str, Any]]) -> str:
    """What is done at the moment, in words."""
    stage = str(events[-1].get("stage") or "") if events else ""
    return name_of("design.stage", stage, stage or "–")
