"""Rows of the catalog page in and out: an empty row, a copy of another, rows that are to go."""

from __future__ import annotations

import streamlit as st

from solver.schema import CellError
from solver.ui import catalog_drafts
from solver.ui.text import t
from solver.whatif.edits import Edits, TableEdit
from solver.whatif.safe import markdown
from solver.whatif.tables import FIXED, new_row, row_ids, without

ADD_FAULT = "catalog_add_fault"


def rows_in_and_out(edits: Edits, table: str) -> None:
    """Draw adding, copying and removing rows."""
    if table in FIXED:
        st.caption(t("catalog.fixed"))
        return
    draft = catalog_drafts.draft(table)
    with st.popover(t("catalog.add"), icon=":material/add:", help=t("catalog.add_help")):
        st.text_input(t("catalog.add_id"), placeholder=t("catalog.add_id_hint"), key="catalog_add_id", max_chars=80)
        st.selectbox(
            t("catalog.add_like"), ["", *row_ids(edits, table, draft)], key=f"catalog_add_like_{table}",
            format_func=lambda row_id: row_id or t("catalog.add_blank"),
        )  # fmt: skip
        st.button(t("catalog.add_button"), key="catalog_add", type="primary", on_click=_add, args=(edits, table))
        if st.session_state.get(ADD_FAULT):
            st.error(markdown(st.session_state[ADD_FAULT]))
    with st.popover(t("catalog.remove"), icon=":material/remove:", help=t("catalog.remove_help")):
        st.multiselect(
            t("catalog.remove_which"), [row for row in row_ids(edits, table, draft) if row not in draft.removed],
            key=f"catalog_remove_{table}",
        )  # fmt: skip
        st.button(
            t("catalog.remove_button"), key="catalog_remove", type="primary", on_click=_remove, args=(edits, table)
        )
        if draft.removed:
            st.button(t("catalog.remove_undo"), key="catalog_remove_undo", on_click=_keep_after_all, args=(table,))


def _add(edits: Edits, table: str) -> None:
    """Put a new row on top of the draft."""
    like = str(st.session_state.get(f"catalog_add_like_{table}") or "")
    row_id = str(st.session_state.get("catalog_add_id", ""))
    try:
        made = new_row(edits, table, catalog_drafts.draft(table), row_id, like)
    except CellError as error:
        st.session_state[ADD_FAULT] = f"{row_id!r} {error.message}: {error.allowed}" if row_id else error.allowed
        return
    st.session_state[ADD_FAULT] = ""
    st.session_state["catalog_add_id"] = ""
    catalog_drafts.keep(table, made)
    catalog_drafts.renew()


def _remove(edits: Edits, table: str) -> None:
    """Mark rows of the draft for removal."""
    chosen = list(st.session_state.get(f"catalog_remove_{table}", ()))
    catalog_drafts.keep(table, without(edits, table, catalog_drafts.draft(table), chosen))
    st.session_state[f"catalog_remove_{table}"] = []
    catalog_drafts.renew()


def _keep_after_all(table: str) -> None:
    catalog_drafts.keep(table, TableEdit(catalog_drafts.draft(table).rows))
    catalog_drafts.renew()
