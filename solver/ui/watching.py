"""A run at work: what it does, the numbers of the search, and a button that ends it.

It polls in a fragment of its own, so that nothing else on the page is drawn anew while somebody types. Once the run is
over, or there is a first result where a page waits for one, the page is drawn anew one time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from solver.ui import state
from solver.ui.phrases import phrase
from solver.ui.text import has, t
from solver.ui.widgets import plain
from solver.whatif.store import STOPPING, WAITING, Run
from solver.words import figure, percent

SOON_S, POLL_S, LATER_S = 0.2, 0.4, 2.0
"""Seconds between looks: in the first seconds of a run, until there is a result to show, and after that."""
FIRST_S = 5.0
"""Seconds in which the answer of a warm model is there."""
NUMBERS = ("incumbent", "bound", "gap")
"""Numbers of an event that the search reports."""
Events = Sequence[Mapping[str, Any]]


def watch(run: Run, key: str = "", *, shown: bool | None = None) -> None:
    """Draw a run until it is over.

    Parameters
    ----------
    run : Run
    key : str
        Tells apart the runs that one page watches.
    shown : bool, optional
        Whether part of its result is on the page already, for pages that show a result before all of it is there.
    """
    early = run.seconds < FIRST_S
    pause = LATER_S if shown else SOON_S if early else POLL_S

    @st.fragment(run_every=pause)
    def look() -> None:
        now = state.store().get(run.id)
        if now is None or now.ended or (shown is False and state.store().result(run.id) is not None):
            st.rerun()
        if early and not shown and now.seconds >= FIRST_S:  # to look less often
            st.rerun()
        events, clock = state.store().progress(now.id), f":gray[{now.seconds:,.0f} s]"
        with st.container(border=True, horizontal=bool(shown), vertical_alignment="center"):
            if shown:
                st.markdown(f"{t('common.more')} :gray[{_stage(events)}] {clock}")
            else:
                st.markdown(f"**{_standing(now)}** {_stage(events)} {clock}")
                _numbers(events)
            if state.is_mine(now):
                st.button(t("common.stop"), key=f"stop_{key}_{now.id}" if key else f"stop_{now.id}",
                          on_click=state.pool().stop, args=(now.id,), disabled=now.state == STOPPING,
                          icon=":material/stop_circle:", help=t("common.stop_help"))  # fmt: skip

    look()


def _standing(run: Run) -> str:
    """State of a run, with its place in the queue."""
    before = state.pool().place(run.id) if run.state == WAITING else 0
    return t("common.in_queue", count=before) if before > 0 else t(f"common.state.{run.state}")


def _stage(events: Events) -> str:
    """What is done at the moment, in words, and at which of so many steps."""
    stage = str(events[-1].get("stage") or "") if events else ""
    words = t(f"common.stage.{stage}") if has(f"common.stage.{stage}") else phrase(stage)
    at = next((event for event in reversed(events) if event.get("of")), None)
    return plain(words) + (f" {at['step']}/{at['of']}" if at else "")


def _numbers(events: Events) -> None:
    """Best so far, bound and gap, once the search has any."""
    found = {name: next((float(event[name]) for event in reversed(events) if event.get(name) is not None), None)
             for name in NUMBERS}  # fmt: skip
    if found["incumbent"] is None and found["bound"] is None:
        return
    unit = next((str(event["unit"]) for event in reversed(events) if event.get("unit")), "")
    for place, (name, value) in zip(st.columns([1, 1, 1, 1])[: len(found)], found.items(), strict=True):
        said = "–" if value is None else percent(value) if name == "gap" else figure(value)
        place.metric(t(f"common.number.{name}"), said, help=t(f"common.{name}_help"))
        place.caption(plain(unit) if unit and name != "gap" else "")


def failed(run: Run) -> None:
    """Say why a run came to nothing."""
    st.error(plain(phrase(run.message)) if run.message else t("common.failed_without_word"))
