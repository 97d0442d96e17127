"""The catalog page's part of the session: what was typed and not applied, and the grid that it was typed into.

A grid reports edits by row position and forgets them when it is not drawn. So the rows it shows are frozen with its
key, and whatever it reports is kept at once as a draft by row id, which survives another page and another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import streamlit as st

from solver.whatif.edits import TableEdit

DRAFTS, GRID, REVISION = "catalog_drafts", "catalog_grid", "catalog_revision"


@dataclass(frozen=True)
class Grid:
    """A grid that is on the page: its key, the rows as they were when it appeared, and the draft they contain."""

    key: str
    rows: tuple[Mapping[str, str], ...]
    draft: TableEdit


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


def renew() -> None:
    """Have the next grid built anew: after the catalog or a draft changed by something else than the grid."""
    st.session_state[REVISION] = st.session_state.get(REVISION, 0) + 1


def forget() -> None:
    """Forget everything typed and not applied."""
    st.session_state[DRAFTS] = {}
    renew()


def grid(name: str, how: Sequence[object], rows: Sequence[Mapping[str, str]], table: str) -> Grid:
    """Return the grid to draw: the one that is on the page, or a new one with the rows of now.

    Parameters
    ----------
    name : str
        What the grid is of.
    how : sequence
        Everything that the choice and order of its rows and columns depends on.
    rows : sequence of mappings
        As they are now.
    table : str
    """
    revision = st.session_state.get(REVISION, 0)
    key = f"{name}_{revision}_{crc32(repr(tuple(how)).encode()):08x}"
    held: Grid | None = st.session_state.get(GRID)
    if held is None or held.key != key or key not in st.session_state:
        held = Grid(key, tuple(dict(row) for row in rows), draft(table))
        st.session_state[GRID] = held
    return held


def edited_rows(key: str) -> dict[Any, dict[str, Any]]:
    """Return what the grid of a key reports: row position to column to what stands there now."""
    state = st.session_state.get(key)
    return dict(state["edited_rows"]) if state else {}
