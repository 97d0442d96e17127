"""The run that a page is about, chosen in the sidebar; and builds that are opened from a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from solver.ui import state
from solver.ui.text import t
from solver.whatif.explanations import Overlay, ask_changed, comparable, labels, name_of, solved_already, subject
from solver.whatif.store import Run

KEY, FOLLOW = "about_run", "follow"


def run_of_page() -> Run | None:
    """Draw the choice of a run in the sidebar, and return the run that the page is about."""
    run = subject(state.current_run(), state.store())
    runs = comparable(state.runs(), state.store())
    if run is not None and run.id not in {other.id for other in runs}:
        runs = [run, *runs]  # somebody else's, or one at work
    names = labels(runs)
    if not runs:
        return None
    st.session_state[KEY] = None if run is None else run.id
    with st.sidebar:
        st.selectbox(
            t("common.about_run"), list(names), index=None, format_func=names.__getitem__, key=KEY,
            placeholder=t("common.choose_run"), on_change=_open,
        )  # fmt: skip
    return run


def _open() -> None:
    chosen = st.session_state.get(KEY)
    if chosen:
        state.open_run(chosen)


def open_changed(run: Run, changes: Mapping[str, Any], words: str, overlay: Overlay | None = None) -> None:
    """Open a run's study with some values changed, solved anew where nobody did; `follow` then changes the page.

    Parameters
    ----------
    run : Run
    changes : mapping
        As `Study.with_changes` takes them.
    words : str
        What tells it apart, for its name.
    overlay : mapping, optional
        Changed parts in place of the run's.
    """
    request = ask_changed(run, changes, overlay)
    found = solved_already(request, state.runs()) or state.submit(request, f"{name_of(run)}, {words}", rerun=False)
    if found is not None:
        state.open_run(found.id)
        st.session_state[FOLLOW] = True


def follow() -> None:
    """Go to the page of designs where a click asked for it: callbacks cannot change the page themselves."""
    if st.session_state.pop(FOLLOW, False):
        state.go("design")
