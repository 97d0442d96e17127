"""Why the answer is what it is: what binds, what comes next, at which price things change, what clashes."""

from __future__ import annotations

import streamlit as st

from solver.design import Design
from solver.ui import explaining, state
from solver.ui.choosing import follow, run_of_page
from solver.ui.text import t
from solver.ui.watching import failed, watch
from solver.ui.widgets import empty, run_header
from solver.whatif.explanations import name_of
from solver.whatif.standing import standing
from solver.whatif.store import Run

SECTION = "explain_section"


def page() -> None:
    """Draw the page."""
    follow()
    st.title(t("explain.title"))
    run = run_of_page()
    if run is None:
        empty(t("explain.no_run"), t("explain.no_run_hint"))
        return
    design = state.store().design(run.id)
    if not run.ended and design is None:
        watch(run, "subject")
    elif design is None:
        failed(run)
    else:
        run_header(name_of(run), standing(design, state.changes_of(run)), run.note)
        if design.status == "infeasible":
            explaining.clashes(run, design)
        elif not design.has_build:
            empty(t("explain.no_build"), t("explain.no_build_hint"))
        else:
            _sections(run, design)


def _sections(run: Run, design: Design) -> None:
    """One section at a time, chosen in a row of words."""
    chosen = st.segmented_control(
        t("explain.section"), list(explaining.SECTIONS), default=next(iter(explaining.SECTIONS)), key=SECTION,
        required=True, format_func=lambda name: t(f"explain.{name}.tab"), label_visibility="collapsed",
        persist_state="session", width="stretch",
    )  # fmt: skip
    explaining.SECTIONS[chosen or next(iter(explaining.SECTIONS))](run, design)


page()
