"""The editable grids of the catalog page: text cells with help, never number cells or choices.

Streamlit's number cells change what is typed without a word (.5 becomes 5, 1e3 becomes 13), and its choices leave out
a wrong word that is pasted. So all cells are text here: `solver.whatif` reads them, and tells what is wrong by cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from solver.ui import catalog_drafts, state
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.widgets import empty
from solver.whatif.edits import Edits
from solver.whatif.safe import markdown
from solver.whatif.tables import STATUS, Field, columns_of, fields, origin, records, row_ids, sheet, status

HEIGHT = 398
"""Pixels of a grid at most, so that the list of changes is in sight on a laptop."""
ROW_HEIGHT = 35
NAME_PX, SPARE_PX = 180, 28
SHEET_COLUMNS = ("label", "value", "unit", "before", "confidence", "allowed", "meaning")


def whole_table(
    edits: Edits, table: str, view: str, search: str, order: str, *, descending: bool, only_changed: bool
) -> None:
    """Draw the rows of a table."""
    draft = catalog_drafts.draft(table)
    rows = records(edits, table, draft, search=search, order=order, descending=descending, only_changed=only_changed)
    key = edits.base.schema.key(table)
    how = (view, search, order, descending, only_changed)
    grid = catalog_drafts.grid(f"catalog_{table}", how, rows, table, key)
    if not grid.rows:
        empty(t("catalog.none_found"), t("catalog.none_found_hint"))
        return
    names = columns_of(edits.base.schema, table, view)
    shown = fields(edits.catalog, table, names, catalog_drafts.drafts())
    config = {STATUS: st.column_config.TextColumn(t("catalog.status_heading"), disabled=True, pinned=True, width=76)}
    config |= {field.name: _column(field, fixed=field.name == key) for field in shown}
    config[catalog_drafts.SPARE] = st.column_config.TextColumn("", help=t("catalog.spare_help"), width=SPARE_PX)
    states = [status(edits, table, row_id, draft) for row_id in grid.ids]
    lines = [_shown(row, shown, state) for row, state in zip(grid.rows, states, strict=True)]
    frame = pd.DataFrame([*lines, {}], columns=[STATUS, *names, catalog_drafts.SPARE], dtype="object").fillna("")
    st.caption(f"{t('catalog.rows', shown=len(grid.ids), count=len(row_ids(edits, table, draft)))} {t('catalog.how')}")
    st.data_editor(
        frame, key=grid.key, num_rows="fixed", hide_index=True, column_config=config, row_height=ROW_HEIGHT,
        height=_height(len(frame)), placeholder="", alt=t("catalog.grid_alt", table=table), on_change=_heard,
    )  # fmt: skip


def one_row(edits: Edits, table: str, row_id: str) -> None:
    """Draw one row cell by cell, with unit, evidence and what is allowed beside each."""
    lines = sheet(edits, table, row_id, catalog_drafts.draft(table))
    grid = catalog_drafts.grid(f"catalog_{table}_row", (row_id,), lines, table, "column", row_id)
    headings = {name: t(f"catalog.{'column' if name == 'label' else name}") for name in SHEET_COLUMNS}
    widths = {"label": 190, "value": 190, "unit": 80, "before": 110, "confidence": 95, "allowed": 170}
    config: dict[str, Any] = {
        name: st.column_config.TextColumn(
            heading, disabled=name != "value", width=widths.get(name, "large"), pinned=name == "label"
        )
        for name, heading in headings.items()
    }
    said = [{**row, "label": phrase(row["label"])} for row in grid.rows]
    frame = pd.DataFrame([*said, {}], columns=list(SHEET_COLUMNS), dtype="object").fillna("")
    st.data_editor(
        frame, key=grid.key, num_rows="fixed", hide_index=True, column_config=config, row_height=ROW_HEIGHT,
        height=_height(len(frame)), placeholder="", alt=t("catalog.grid_alt", table=row_id), on_change=_heard,
    )  # fmt: skip
    _evidence(edits, table, row_id)


def _heard() -> None:
    """Keep what was typed before anything else is done, for the next click may be on another page already."""
    catalog_drafts.listen(state.edits())


def _evidence(edits: Edits, table: str, row_id: str) -> None:
    """Say where the row comes from."""
    row: Mapping[str, Any] = edits.catalog.tables[table].get(row_id, {})
    for name in ("source", "notes"):
        if row.get(name):
            st.caption(f"**{t(f'catalog.{name}_of')}:** {markdown(row[name], links=True)}")
    where = origin(edits, table, row_id)
    known = {"": t("catalog.origin_new"), "overlay": t("catalog.origin_app")}
    st.caption(known.get(where) or t("catalog.origin_of", origin=markdown(where)))


def _column(field: Field, *, fixed: bool) -> Any:
    """How a column is shown and edited; the words of a choice are in its help, and a wrong one is told by cell."""
    return st.column_config.TextColumn(
        phrase(field.heading),
        help=markdown(field.help),
        disabled=fixed,
        pinned=fixed,
        alignment="right" if field.kind == "number" else "left",
        width="large" if field.long else NAME_PX if field.name == "name" else None,
    )


def _shown(row: Mapping[str, str], shown: Sequence[Field], state: str) -> dict[str, str]:
    """A row as the grid takes it."""
    status_words = t(f"catalog.state.{state}") if state else ""
    return {STATUS: status_words} | {field.name: row[field.name] for field in shown}


def _height(count: int) -> int:
    """Pixels of a grid: as many rows as there are, up to `HEIGHT`."""
    return min(HEIGHT, (count + 1) * ROW_HEIGHT + 3)
