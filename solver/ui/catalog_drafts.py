"""The catalog page's part of the session: what was typed and not applied, and the grids that it was typed into.

A grid reports edits by row position, a moment after they were made, and forgets them when it is not drawn. So the
rows it shows are frozen with its key, and whatever it reports is kept at once as a draft by row id, which survives
another page and another order. The grid before the one on the page is listened to as well: a cell may be left by a
click on what replaces the grid. After Apply the grid stays, for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import streamlit as st

from solver.whatif.edits import Edits, TableEdit
from solver.whatif.tables import typed

DRAFTS, GRIDS, REVISION, SEEN = "catalog_drafts", "catalog_grids", "catalog_revision", "catalog_seen"
BEYOND = "catalog_beyond"
"""In the session while it has to be said that a pasted block ran over the end of its grid."""
SPARE = "beyond"
"""Id of the empty column at the right of a grid. With the empty row at its foot it catches what is pasted beyond the
end, which a grid leaves out without a word."""


@dataclass(frozen=True)
class Grid:
    """A grid that is or was on the page: its key, the rows as they were when it appeared, and the draft in them.

    Its rows are those of a table, or where it has a `row_id` the cells of that row.
    """

    key: str
    table: str
    ids: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    draft: TableEdit
    row_id: str = ""

    def edited(self) -> TableEdit | None:
        """Return the cells that differ from the rows, None where the grid is not there any more."""
        state: Any = st.session_state.get(self.key)
        if state is None:
            return None
        rows: dict[str, dict[str, Any]] = {}
        for place, typed_in in state["edited_rows"].items():
            cells = {name: text for name, text in typed_in.items() if name != SPARE}
            if int(place) >= len(self.rows) or not cells:
                continue
            row = self.rows[int(place)]
            if not self.row_id:
                rows[self.ids[int(place)]] = cells
            elif "value" in cells:
                rows.setdefault(self.row_id, {})[row["column"]] = cells["value"]
        return TableEdit(rows)

    @property
    def overrun(self) -> bool:
        """True where something was put beyond the last row or column."""
        state: Any = st.session_state.get(self.key)
        put = state["edited_rows"].items() if state is not None else ()
        return any(int(place) >= len(self.rows) or SPARE in cells for place, cells in put)


def drafts() -> dict[str, TableEdit]:
    """Return what was typed and not applied, by table."""
    found: dict[str, TableEdit] = st.session_state.setdefault(DRAFTS, {})
    return found


def draft(table: str) -> TableEdit:
    """Return what was typed into a table and not applied."""
    return drafts().get(table, TableEdit())


def keep(table: str, edit: TableEdit) -> None:
    """Keep what was typed into a table; nothing is kept of an empty edit."""
    if edit:
        drafts()[table] = edit
    else:
        drafts().pop(table, None)


def listen(edits: Edits) -> None:
    """Keep what the grid on the page, and the one before it, report."""
    grids: list[Grid] = st.session_state.get(GRIDS, [])
    for place, grid in enumerate(grids):
        found = grid.edited()
        if found is not None and (place == 0 or found.rows):
            start = grid.draft if place == 0 else draft(grid.table)
            keep(grid.table, typed(edits, grid.table, start, found.rows))
    if any(grid.overrun for grid in grids):  # the next grid has what fitted, and its spare cells are empty again
        st.session_state[BEYOND] = True
        renew()


def follow(edits: Edits) -> None:
    """Build grids anew where the catalog changed elsewhere: a run was opened, or another page applied something."""
    seen = st.session_state.get(SEEN)
    if seen is not None and seen != edits.catalog.hash:
        renew()
    st.session_state[SEEN] = edits.catalog.hash


def stay(edits: Edits) -> None:
    """Keep the grid on the page though the catalog is another one now, because it already shows it."""
    st.session_state[SEEN] = edits.catalog.hash


def renew() -> None:
    """Have the next grid built anew: after the catalog or a draft changed by something else than the grid."""
    st.session_state[GRIDS] = []
    st.session_state[REVISION] = st.session_state.get(REVISION, 0) + 1


def forget() -> None:
    """Forget everything typed and not applied."""
    st.session_state[DRAFTS] = {}
    renew()


def grid(
    name: str, how: Sequence[object], rows: Sequence[Mapping[str, str]], table: str, key_column: str, row_id: str = ""
) -> Grid:
    """Return the grid to draw: the one that is on the page, or a new one with the rows of now.

    Parameters
    ----------
    name : str
        What the grid is of.
    how : sequence
        Everything that the choice and order of its rows and columns depends on.
    rows : sequence of mappings
        As they are now.
    table, key_column : str
    row_id : str
        Where the rows are the cells of one row.
    """
    revision = st.session_state.get(REVISION, 0)
    key = f"{name}_{revision}_{crc32(repr(tuple(how)).encode()):08x}"
    held: list[Grid] = st.session_state.get(GRIDS, [])
    if held and held[0].key == key and key in st.session_state:
        return held[0]
    ids = () if row_id else tuple(row[key_column] for row in rows)
    made = Grid(key, table, ids, tuple(dict(row) for row in rows), draft(table), row_id)
    st.session_state[GRIDS] = [made, *(old for old in held[:1] if old.key != key)]
    return made
