"""What a session knows: its workspace, the edited catalog, the run that is looked at; and what all sessions share.

The workspace is a token that cannot be guessed and stands in the address as `w`, so that a reload and a second tab
find the same runs; `run` in the address is the run that is looked at. A link to a run carries the run alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from solver.catalog import Catalog, load_catalog
from solver.errors import TierwattError
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.widgets import plain
from solver.whatif import inputs
from solver.whatif.changes import overlay_changes
from solver.whatif.desks import Desks
from solver.whatif.edits import Edits
from solver.whatif.limits import limits_from
from solver.whatif.pool import BusyError, Pool
from solver.whatif.store import Request, Run, Store, is_id, new_id

WORKSPACE, RUN = "w", "run"
EDITS, PAGES, OPENED = "edits", "pages", "opened"
ROOT_VARIABLE, CATALOG_VARIABLE, PRESETS_VARIABLE = "TIERWATT_RUNS", "TIERWATT_CATALOG", "TIERWATT_PRESETS"
ROOTS_TRIED = 9
"""Folders that are tried where another app of the same user works in the first."""


def root() -> Path:
    """Return the folder of runs: as the environment says, else where programs of this user keep their state."""
    given = os.environ.get(ROOT_VARIABLE)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(given) if given else Path(home) / "tierwatt" / "runs"


def catalog_folders() -> tuple[Path, ...]:
    """Return the folders of the base catalog that the environment names; none for the one that comes along."""
    return tuple(Path(name) for name in os.environ.get(CATALOG_VARIABLE, "").split(os.pathsep) if name)


def presets_folder() -> Path:
    """Return the folder of the studies to begin with."""
    given = os.environ.get(PRESETS_VARIABLE)
    return Path(given) if given else inputs.presets_folder()


def pool() -> Pool:
    """Return the pool of this server, started when it is first asked for."""
    return _pool(root(), catalog_folders(), bool(os.environ.get(ROOT_VARIABLE)))


@st.cache_resource(show_spinner=False)
def _pool(folder: Path, catalogs: tuple[Path, ...], only: bool) -> Pool:
    limits = limits_from(os.environ)
    for number in range(2, ROOTS_TRIED + 1):
        try:
            return Pool(Store(folder), limits, catalogs)
        except BusyError:
            if only:
                raise
            folder = folder.with_name(f"{folder.name.split('-')[0]}-{number}")
    return Pool(Store(folder), limits, catalogs)


def store() -> Store:
    """Return the runs of this server."""
    return pool().store


def base_catalog() -> Catalog:
    """Return the catalog that edits are made to; all sessions share it, and nobody changes it."""
    return _catalog(catalog_folders())


@st.cache_resource(show_spinner=False)
def _catalog(folders: tuple[Path, ...]) -> Catalog:
    return load_catalog(*folders)


def begin() -> None:
    """Set up the session and its address; before anything of a page is drawn."""
    asked = st.query_params.get(WORKSPACE, "")
    if WORKSPACE not in st.session_state:
        st.session_state[WORKSPACE] = asked if is_id(asked) else new_id()
    if asked != st.session_state[WORKSPACE]:
        st.query_params[WORKSPACE] = st.session_state[WORKSPACE]
    wanted = st.query_params.get(RUN, "")
    if is_id(wanted) and wanted != st.session_state.get(RUN):
        open_run(wanted, reload=True)
    _show_run()
    pool()


def workspace() -> str:
    """Return the token of this session's workspace."""
    return str(st.session_state[WORKSPACE])


def runs() -> list[Run]:
    """Return the runs of this workspace, the newest first."""
    return store().list(workspace())


def edits() -> Edits:
    """Return the edits of this session; they begin with what its workspace applied last."""
    if EDITS not in st.session_state:
        made = Edits(base_catalog())
        try:
            made = made.with_overlay(_desk() or {})
        except TierwattError:  # made with another base catalog
            pass
        st.session_state[EDITS] = Edits(made.base, made.overlay)
    found: Edits = st.session_state[EDITS]
    return found


def set_edits(made: Edits) -> None:
    """Keep other edits, for a reload of the page as well."""
    st.session_state[EDITS] = made
    if WORKSPACE in st.session_state:
        Desks(store().root).save(workspace(), made.overlay)


def _desk() -> dict[str, Any] | None:
    """Return the overlay that the workspace kept, None where it never did."""
    return Desks(store().root).load(workspace()) if WORKSPACE in st.session_state else None


def catalog() -> Catalog:
    """Return the catalog as edited in this session."""
    return edits().catalog


def current_run() -> Run | None:
    """Return the run that is looked at."""
    run_id = st.session_state.get(RUN)
    return None if run_id is None else store().get(run_id)


def open_run(run_id: str, *, reload: bool = False) -> None:
    """Look at a run, with what it asked in the form and its changed parts in the catalog; nothing where there is none.

    The edits until then can be had back with undo. A reload of one's own page keeps them instead: they may be newer.
    """
    run = store().get(run_id)
    if run is None:
        return
    st.session_state[RUN] = run_id
    st.session_state[OPENED] = run_id
    own = reload and is_mine(run) and _desk() is not None
    if run.request.overlay != edits().overlay and not own:
        try:
            set_edits(edits().with_overlay(run.request.overlay))
        except TierwattError:  # made with another base catalog
            st.session_state[OPENED] = None
    _show_run()


def take_opened() -> str | None:
    """Return the run that was opened since this was asked last: the form is to show what it asked."""
    found: str | None = st.session_state.pop(OPENED, None)
    return found


def close_run() -> None:
    """Look at no run."""
    st.session_state.pop(RUN, None)
    _show_run()


def _show_run() -> None:
    """Let the address name the run."""
    run_id = st.session_state.get(RUN)
    if run_id is None:
        st.query_params.pop(RUN, None)
    elif st.query_params.get(RUN) != run_id:
        st.query_params[RUN] = run_id


def is_mine(run: Run) -> bool:
    """True where a run is of this workspace; who has its link may look at it, but not stop or delete it."""
    return run.workspace == workspace()


def link(run_id: str) -> str:
    """Return the link that opens a run for whoever has it."""
    here = urlsplit(str(st.context.url or ""))
    return (
        urlunsplit((here.scheme, here.netloc, here.path, f"{RUN}={run_id}", "")) if here.netloc else f"?{RUN}={run_id}"
    )


def submit(request: Request, name: str = "", *, rerun: bool = True, look: bool = False) -> Run | None:
    """Queue a request; None, with the reason on the page, where there is no room for it.

    Parameters
    ----------
    request : Request
    name : str
    rerun : bool
        Whether the page is drawn anew at once.
    look : bool
        Whether the run is the one that is looked at from now on.
    """
    try:
        run = pool().submit(request, workspace(), name)
    except BusyError as error:
        st.error(plain(t("app.busy", reason=phrase(error))))
        return None
    if look:
        st.session_state[RUN] = run.id
        _show_run()
    if rerun:
        st.rerun()
    return run


def changes_of(run: Run) -> list[str]:
    """Return what a run changed of the catalog, in words."""
    known: dict[str, list[str]] = st.session_state.setdefault("changes_of", {})
    if run.id not in known:
        try:
            known[run.id] = [change.words for change in overlay_changes(base_catalog(), run.request.overlay)]
        except TierwattError:
            known[run.id] = [f"{table}: {len(rows)}" for table, rows in run.request.overlay.items()]
    return known[run.id]


def set_pages(pages: dict[str, Any]) -> None:
    """Remember the pages by name."""
    st.session_state[PAGES] = pages


def go(page: str) -> None:
    """Go to a page by its name."""
    st.switch_page(st.session_state[PAGES][page])
