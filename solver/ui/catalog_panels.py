"""Panels of the catalog page: changes before Apply, and steps back and forth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from solver.ui import catalog_drafts, state
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.whatif.changes import Change
from solver.whatif.edits import OWN, CellErrors, CellFault, Edits, Preview
from solver.whatif.labels import label
from solver.whatif.safe import markdown

GRADES = ("estimate", "press", "paper", "datasheet", "measured")
MOST_LINES, MOST_PROBLEMS = 200, 50
TALL, FAULT_LINES = 12, 8
"""Lines from which lists of changes and of refused cells scroll."""
LINE_PX = 30
WORDS, GIST = 240, 70
"""Characters of a change in a list, and at the foot of the window."""
MESSAGE = "catalog_message"


def say_what_happened() -> None:
    """Show once what the last button did."""
    message = st.session_state.pop(MESSAGE, "")
    if message:
        st.toast(message)


def count_of(key: str, count: int) -> str:
    """Return words with a count, in the singular where it is one."""
    return t(f"catalog.{key}_one") if count == 1 else t(f"catalog.{key}", count=f"{count:,}")


def _step(edits: Edits, message: str) -> None:
    """Make edits those of the session, and show them."""
    state.set_edits(edits)
    catalog_drafts.renew()
    st.session_state[MESSAGE] = message


# changes before Apply


def pending() -> Preview | None:
    """Return what was typed and not applied would do, None where nothing was."""
    drafts = catalog_drafts.drafts()
    return state.edits().preview_all(drafts) if drafts else None


def pending_list(preview: Preview) -> None:
    """Draw every change that is not applied yet, and every cell that has to be mended."""
    with st.container(border=True):
        st.markdown(f"**{count_of('pending', len(preview.changes))}**")
        change_list(preview.changes)
        if preview.faults:
            st.error(count_of("faults", len(preview.faults)), icon=":material/error:")
            fault_table(preview.faults)


def apply_bar(edits: Edits, preview: Preview) -> None:
    """Draw Apply at the foot of the window, in sight while cells are typed, with what matters most of the list.

    It keeps its height and place, so that a cell that is left by a click on Apply does not move it from under the
    pointer.
    """
    with st.bottom, st.container(border=True, gap="small"):
        words, source, grade, apply, discard = st.columns([5, 2.4, 1.7, 1.2, 1.3], vertical_alignment="center")
        words.markdown(_gist(preview))
        if any(change.share is not None for change in preview.changes):
            _evidence(source, grade)
        apply.button(
            t("catalog.apply"), type="primary", key="catalog_apply", on_click=_apply, args=(edits,), width="stretch",
            disabled=bool(preview.faults) or not preview.changes, help=t("catalog.apply_help"),
        )  # fmt: skip
        discard.button(
            t("catalog.discard"), key="catalog_discard", on_click=catalog_drafts.forget,
            help=t("catalog.discard_help"), width="stretch",
        )  # fmt: skip


def _gist(preview: Preview) -> str:
    """Return in two short lines how much is waiting, and the worst of it."""
    head = f"**{count_of('pending', len(preview.changes))}**"
    if preview.faults:
        fault = preview.faults[0]
        where = " ".join(filter(None, (fault.id, phrase(label(fault.column)))))
        return f"{head}  \n:red[:material/error: {markdown(f'{where} {fault.message}', GIST)}]"
    worst = _ordered(preview.changes)[:1]
    return "  \n".join([head, *(_words(change, GIST) for change in worst)])


def _evidence(source: Any, grade: Any) -> None:
    """Ask where new figures come from."""
    source.text_input(
        t("catalog.source"), placeholder=t("catalog.source_hint"), key="catalog_source",
        max_chars=300, label_visibility="collapsed", help=t("catalog.grade_help"),
    )  # fmt: skip
    grade.selectbox(
        t("catalog.grade"), [*GRADES, ""], key="catalog_grade", help=t("catalog.grade_help"),
        format_func=lambda word: t(f"catalog.grades.{word}") if word else t("catalog.grade_keep"),
        label_visibility="collapsed",
    )  # fmt: skip


def _apply(edits: Edits) -> None:
    """Take the drafts over, with a cell that was left by the click on Apply."""
    catalog_drafts.listen(edits)
    drafts = catalog_drafts.drafts()
    source = str(st.session_state.get("catalog_source", "")).strip() or t("catalog.source_default")
    grade = st.session_state.get("catalog_grade", OWN)
    count = len(edits.preview_all(drafts).changes)
    try:
        made = edits.apply_all(drafts, source=source if grade else "", confidence=grade)
    except CellErrors as error:
        st.session_state[MESSAGE] = markdown(error.faults[0].words)
        return
    only_cells = all(row_id in edits.catalog.tables[table] for table, edit in drafts.items() for row_id in edit.rows)
    if only_cells and not any(edit.removed for edit in drafts.values()):
        drafts.clear()
        state.set_edits(made)
        catalog_drafts.stay(made)
        st.session_state[MESSAGE] = t("catalog.applied", count=count)
    else:
        catalog_drafts.forget()
        _step(made, t("catalog.applied", count=count))


def change_list(changes: Sequence[Change], tall: int = TALL) -> None:
    """Draw changes in words, figures first, with a warning at those of more than ten times; long lists scroll."""
    ordered = _ordered(changes)
    lines = [f"- {_words(change, WORDS)}{_warning(change)}" for change in ordered[:MOST_LINES]]
    if len(ordered) > MOST_LINES:
        lines.append(f"- {t('catalog.differs_more', count=len(ordered) - MOST_LINES)}")
    with st.container(height=LINE_PX * tall if len(lines) > tall else "content", border=False):
        st.markdown("\n".join(lines))


def _ordered(changes: Sequence[Change]) -> list[Change]:
    """What may be a slip first, what only says where figures come from last."""
    return sorted(changes, key=lambda change: (not change.tenfold, change.is_evidence))


def _words(change: Change, longest: int) -> str:
    words = markdown(change.words, longest)
    return f":orange[**{words}**]" if change.tenfold else f":small[{words}]" if change.is_evidence else words


def _warning(change: Change) -> str:
    return f" {t('catalog.tenfold')}" if change.tenfold else ""


def fault_table(faults: Sequence[CellFault]) -> None:
    """Draw refused cells, one a line."""
    head = [t(f"catalog.fault_{name}") for name in ("table", "row", "column", "typed", "message", "allowed")]
    rows = [
        (
            t(f"catalog.table.{f.table}") if f.table else "",
            f.id,
            phrase(label(f.column)),
            f.typed,
            f.message,
            "; ".join(filter(None, (f.allowed, f.hint))),
        )
        for f in faults[:MOST_PROBLEMS]
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=head), hide_index=True, placeholder="", row_height=LINE_PX,
        height=min(len(rows) + 1, FAULT_LINES + 1) * LINE_PX + 6,
    )  # fmt: skip
    if len(faults) > MOST_PROBLEMS:
        st.caption(t("catalog.upload_more", count=len(faults) - MOST_PROBLEMS))


# steps


def steps(edits: Edits, table: str) -> None:
    """Draw undo, redo and reset."""
    with st.container(horizontal=True, gap="small", horizontal_alignment="right", vertical_alignment="bottom"):
        st.button(
            t("catalog.undo"), key="catalog_undo", icon=":material/undo:", disabled=not edits.can_undo,
            help=t("catalog.undo_help"), on_click=lambda: _step(edits.undo(), t("catalog.undone")),
        )  # fmt: skip
        st.button(
            t("catalog.redo"), key="catalog_redo", icon=":material/redo:", disabled=not edits.can_redo,
            help=t("catalog.redo_help"), on_click=lambda: _step(edits.redo(), t("catalog.redone")),
        )  # fmt: skip
        with st.popover(t("catalog.reset"), disabled=not edits.overlay, help=t("catalog.reset_help")):
            st.button(
                t("catalog.reset_table"), key="catalog_reset_table", disabled=table not in edits.overlay,
                on_click=_reset, args=(edits, table), width="stretch",
            )  # fmt: skip
            st.button(
                t("catalog.reset_all"), key="catalog_reset_all", on_click=_reset, args=(edits, None), width="stretch"
            )


def _reset(edits: Edits, table: str | None) -> None:
    try:
        made = edits.reset(table)
    except CellErrors as error:
        st.session_state[MESSAGE] = markdown(error.faults[0].words)
        return
    catalog_drafts.forget()
    _step(made, t("catalog.reset_done"))
