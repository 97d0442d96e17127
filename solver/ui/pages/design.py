"""The design page: a study in the form, one button, and the build."""

from __future__ import annotations

import json

import streamlit as st

from solver.design import INFEASIBLE, Design
from solver.study import Study
from solver.ui import forms, results, state, watching
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.widgets import empty, plain, run_header
from solver.whatif import takeaway
from solver.whatif.inputs import name_after
from solver.whatif.standing import standing
from solver.whatif.store import DONE, FAILED, STOPPED, Request, Run

RECENT = 12
"""Runs in the sidebar."""
ELSEWHERE = {"pareto": "explain", "quote": "quote", "sweep": "compare"}
"""Kinds of runs that are no design, and the page that shows them."""


def page() -> None:
    """Draw the page."""
    with st.sidebar:
        filled = forms.form()
        study, place = forms.draw(filled)
        run = state.current_run()
        with place:
            _button(study, run)
        _recent(run)
    if run is None and st.session_state.get(state.RUN):
        empty(t("design.empty.lost"), t("design.empty.lost_hint"))
    elif run is None:
        empty(t("design.empty.title"), t("design.empty.hint"))
        _steps()
    else:
        _run(run, study)


def _steps() -> None:
    """What there is to do, in three steps."""
    for number, place in enumerate(st.columns(3), start=1):
        with place.container(border=True, height="stretch"):
            st.markdown(f"**{number}. {t(f'design.empty.step_{number}_title')}**")
            st.caption(plain(t(f"design.empty.step_{number}")))


def _button(study: Study | None, run: Run | None) -> None:
    """The one button."""
    pressed = st.button(
        t("design.solve"), type="primary", width="stretch", disabled=study is None, key="solve", shortcut="ctrl+enter",
        help=t("design.solve_help"), icon=":material/play_arrow:",
    )  # fmt: skip
    if pressed and study is not None:
        base = run if run is not None and state.store().design(run.id) is not None else None
        if base is not None and base.request.study.get("name") != study.name:
            base = None
        overlay = state.edits().overlay
        name = name_after(study, overlay, None if base is None else base.request)
        state.submit(Request("solve", study.to_dict(), overlay, {}, "" if base is None else base.id), name, look=True)


def run_name(run: Run) -> str:
    """Return what a run is called: its name, else its study and when it was asked."""
    return f"{run.name or run.request.study.get('name') or t('design.untitled')} · {run.created[11:16]}"


def _recent(run: Run | None) -> None:
    """Solves of this workspace, to look at again."""
    mine = [one for one in state.runs() if one.request.kind == "solve"]
    if not mine:
        return
    with st.expander(t("design.runs", count=len(mine)), icon=":material/history:"):
        for one in mine[:RECENT]:
            here = run is not None and one.id == run.id
            label = f"{plain(run_name(one))} · {t(f'common.state.{one.state}')}"
            st.button(label, key=f"open_{one.id}", on_click=state.open_run, args=(one.id,), type="tertiary",
                      disabled=here, width="stretch")  # fmt: skip


def _run(run: Run, study: Study | None) -> None:
    """A run: how far it is, what came out, what can be done with it."""
    design = state.store().design(run.id)
    if not run.ended:
        watching.watch(run, shown=design is not None)
    if run.state == FAILED:
        _failed(run)
    elif run.state == STOPPED and design is None:
        empty(t("design.run.stopped_empty"), phrase(run.message))
    if design is None:
        if not run.ended:
            st.skeleton(height=260)
        elif run.request.kind in ELSEWHERE:
            _elsewhere(ELSEWHERE[run.request.kind])
        return
    run_header(run_name(run), standing(design, state.changes_of(run)), run.note)
    if run.state == STOPPED and run.message:
        st.info(plain(phrase(run.message)))
    if not state.is_mine(run):
        st.info(t("design.run.foreign"))
    if run.ended and _stale(run, study):
        st.warning(t("design.run.stale"), icon=":material/edit:")
    if run.ended:
        base, base_name = _actions(run, design)
    else:
        base, base_name = _base(run.request.base)
    if design.has_build:
        results.draw(run, design, base, base_name)
    else:
        _no_build(design)


def _elsewhere(page: str) -> None:
    """Where the result of a run stands that is no design."""
    empty(t("design.run.elsewhere"), t("design.run.elsewhere_hint", page=t(f"common.pages.{page}")))
    if page in st.session_state[state.PAGES]:
        st.page_link(st.session_state[state.PAGES][page], label=t(f"common.pages.{page}"))


def _stale(run: Run, study: Study | None) -> bool:
    """True where the form or the catalog means something else than what was solved."""
    asked = (run.request.study, run.request.overlay)
    return study is not None and (study.to_dict(), state.edits().overlay) != asked


def _failed(run: Run) -> None:
    """Why a run came to nothing, line by line."""
    lines = [plain(phrase(line.strip().removeprefix("- "))) for line in run.message.splitlines() if line.strip()]
    st.error(f"**{t('design.run.failed')}**\n\n" + "\n".join(f"- {line}" for line in lines), icon=":material/error:")


def _no_build(design: Design) -> None:
    """What is said where there is nothing to buy."""
    infeasible = design.status == INFEASIBLE
    empty(
        t("design.nobuild.title") if infeasible else t("design.nobuild.stopped"),
        "; ".join(map(phrase, design.explanation)),
    )
    if infeasible and "explain" in st.session_state[state.PAGES]:
        st.page_link(st.session_state[state.PAGES]["explain"], label=t("design.nobuild.explain"))


def _base(run_id: str) -> tuple[Design | None, str]:
    """The design that a run is compared with, and what it is called."""
    base = state.store().get(run_id)
    return (None, "") if base is None else (state.store().design(base.id), run_name(base))


def _actions(run: Run, design: Design) -> tuple[Design | None, str]:
    """Name, share, prove, compare; return what the figures are compared with."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        others = {"": t("design.run.against_baselines")}
        others |= {one.id: run_name(one) for one in state.runs()
                   if one.id != run.id and one.request.kind == "solve" and one.state in (DONE, STOPPED)}  # fmt: skip
        if run.request.base and (base := state.store().get(run.request.base)) is not None:
            others.setdefault(base.id, run_name(base))
        first = list(others).index(run.request.base) if run.request.base in others else 0
        chosen = st.selectbox(t("design.run.against"), list(others), first, format_func=lambda one: others[one],
                              key=f"against_{run.id}", width=260)  # fmt: skip
        if design.stopped_by == "quick" and st.button(
            t("design.run.prove"), key="prove", help=t("design.run.prove_help"), icon=":material/verified:"
        ):
            request = Request("solve", run.request.study, run.request.overlay, {"quick": False}, run.request.base)
            state.submit(request, run.name, look=True)
        with st.popover(t("design.run.take"), icon=":material/ios_share:"):
            _take(run, design)
        if state.is_mine(run):
            with st.popover(t("design.run.name"), icon=":material/edit_note:"):
                _name(run)
    return _base(chosen)


def _name(run: Run) -> None:
    """Name and note of a run, and its end."""
    with st.form(f"card_{run.id}", border=False):
        name = st.text_input(t("design.run.name_label"), run.name, max_chars=80)
        note = st.text_area(t("design.run.note_label"), run.note, max_chars=2000)
        if st.form_submit_button(t("design.run.keep")):
            state.store().rename(run.id, name, note)
            st.rerun()
    if st.button(t("design.run.delete"), key="delete", icon=":material/delete:"):
        state.store().delete(run.id)
        state.close_run()
        st.rerun()


def _take(run: Run, design: Design) -> None:
    """The link, the files, the command."""
    st.caption(t("design.run.link"))
    st.code(state.link(run.id), language=None, wrap_lines=True)
    result = state.store().result(run.id)
    files = {
        "excel": ("xlsx", lambda: takeaway.xlsx_bytes(design)),
        "csv": ("csv.zip", lambda: takeaway.csv_zip(design)),
        "json": ("json", lambda: json.dumps(result, indent=1).encode()),
        "html": ("html", lambda: takeaway.html_text(design, run).encode()),
        "files": ("zip", lambda: takeaway.reproduction(state.base_catalog().schema, run, result, state.base_catalog())),
    }
    with st.container(horizontal=True, gap="small"):
        for name, (ending, make) in files.items():
            st.download_button(t(f"design.run.{name}"), make, takeaway.file_name(run, ending), key=f"get_{name}",
                               on_click="ignore", icon=":material/download:")  # fmt: skip
    st.caption(t("design.run.command"))
    st.code("\n".join(takeaway.commands(run.request)), language="sh", wrap_lines=True)


page()
