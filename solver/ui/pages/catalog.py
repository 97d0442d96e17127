"""The catalog page: every table of parts, models, workloads and sites, to read and to edit."""

from __future__ import annotations

import streamlit as st

from solver.ui import catalog_drafts, catalog_files, catalog_grid, catalog_panels, catalog_rows, state
from solver.ui.phrases import phrase
from solver.ui.text import has, t
from solver.whatif.edits import Edits
from solver.whatif.labels import heading
from solver.whatif.safe import markdown
from solver.whatif.tables import MAIN_VIEW, VIEWS, group_of, row_ids

ROW_VIEW = "row"


def page() -> None:
    """Draw the page."""
    edits = state.edits()
    catalog_drafts.follow(edits)
    catalog_drafts.listen(edits)
    catalog_panels.say_what_happened()
    with st.sidebar:
        table = _pick_table(edits)
        _differences(edits)
    title, buttons = st.columns([3, 2], vertical_alignment="bottom")
    title.title(_words("table", table))
    with buttons:
        catalog_panels.steps(edits, table)
    if st.session_state.pop(catalog_drafts.BEYOND, False):
        st.warning(t("catalog.beyond"), icon=":material/content_paste_off:")
    _table(edits, table)
    catalog_files.uploaded()
    waiting = catalog_panels.pending()
    if waiting is not None:
        catalog_panels.pending_list(waiting)
        catalog_panels.apply_bar(edits, waiting)


def _pick_table(edits: Edits) -> str:
    """Draw the choice of a table, with what each of them holds."""
    groups = group_of(edits.base.schema)
    group = st.segmented_control(
        t("catalog.group_label"), list(groups), required=True, default=next(iter(groups)), key="catalog_group",
        format_func=lambda name: t(f"catalog.group.{name}"), persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    tables = groups[str(group)]
    table = st.radio(
        t("catalog.table_label"), tables, key=f"catalog_table_{group}", persist_state="session",
        format_func=lambda name: _words("table", name), label_visibility="collapsed",
        captions=[_caption(edits, name) for name in tables],
    )  # fmt: skip
    return str(table)


def _words(kind: str, table: str) -> str:
    """Return the words for a table; its own name where nobody wrote any."""
    key = f"catalog.{kind}.{table}"
    return t(key) if has(key) else markdown(table)


def _caption(edits: Edits, table: str) -> str:
    """What a table holds, after what waits in it for Apply and what differs in it; its label must not change."""
    marks = []
    if catalog_drafts.draft(table):
        marks.append(f":orange-badge[{t('catalog.state.edited')}]")
    if table in edits.overlay:
        marks.append(f":blue-badge[{t('catalog.state.changed')}]")
    return " ".join([*marks, _words("about", table)])


def _table(edits: Edits, table: str) -> None:
    """Draw what is shown of a table and how, the grid, and the buttons under it."""
    left, middle, right = st.columns([4, 4, 1.6], vertical_alignment="bottom")
    view = left.segmented_control(
        t("catalog.view_label"), [*VIEWS, ROW_VIEW], required=True, default=MAIN_VIEW, key="catalog_view",
        format_func=lambda name: t(f"catalog.view.{name}"), persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    if view == ROW_VIEW:
        with middle:
            row_id = _pick_row(edits, table)
        if row_id is not None:
            catalog_grid.one_row(edits, table, row_id)
    else:
        words = middle.text_input(
            t("catalog.search"), key=f"catalog_search_{table}", placeholder=t("catalog.search_hint"), max_chars=100,
            label_visibility="collapsed", icon=":material/search:",
        )  # fmt: skip
        with right.popover(t("catalog.order"), icon=":material/sort:", width="stretch"):
            order, descending, changed = _order(edits, table)
        catalog_grid.whole_table(edits, table, str(view), words, order, descending=descending, only_changed=changed)
    with st.container(horizontal=True, gap="small"):
        catalog_rows.rows_in_and_out(edits, table)
        catalog_files.files(edits, table)


def _order(edits: Edits, table: str) -> tuple[str, bool, bool]:
    """Draw the choice of an order, and whether only changed rows are shown."""
    by = st.selectbox(
        t("catalog.order_label"), ["", *edits.base.schema.tables[table]], key=f"catalog_order_{table}",
        format_func=lambda name: phrase(heading(name)) if name else t("catalog.order_default"),
    )  # fmt: skip
    down = st.toggle(t("catalog.descending"), key=f"catalog_down_{table}", disabled=not by)
    changed = st.toggle(t("catalog.only_changed"), key=f"catalog_changed_{table}")
    return str(by or ""), bool(by) and down, changed


def _pick_row(edits: Edits, table: str) -> str | None:
    """Draw the choice of a row."""
    ids = row_ids(edits, table, catalog_drafts.draft(table))
    chosen = st.selectbox(t("catalog.row_label"), ids, key=f"catalog_row_{table}", label_visibility="collapsed")
    return None if chosen is None else str(chosen)


def _differences(edits: Edits) -> None:
    """Draw everything that differs from what came along."""
    changes = edits.changes()
    if not changes:
        st.caption(t("catalog.differs_none"))
        return
    with st.expander(catalog_panels.count_of("differs", len(changes)), icon=":material/difference:"):
        catalog_panels.change_list(changes)


page()
