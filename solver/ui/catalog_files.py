"""Files of the catalog page in and out: a table, its changed rows, all changes as a folder for the command line."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from solver.errors import InputError
from solver.ui import catalog_drafts
from solver.ui.text import t
from solver.whatif.edits import Edits, merged
from solver.whatif.files import MOST_BYTES, overlay_zip, read_upload, rows_csv, table_csv
from solver.whatif.safe import markdown
from solver.whatif.tables import tidy

MOST_PROBLEMS = 50
UPLOADED, UPLOADS = "catalog_uploaded", "catalog_uploads"
"""What came of the last upload, and how many there were: a number of its own empties the uploader."""


def files(edits: Edits, table: str) -> None:
    """Draw upload and download."""
    with st.popover(t("catalog.upload"), icon=":material/upload:", help=t("catalog.upload_help")):
        key = f"catalog_upload_{st.session_state.get(UPLOADS, 0)}"
        st.file_uploader(
            t("catalog.upload_label"), type=["csv", "toml", "zip"], key=key, on_change=_upload, max_upload_size=2,
            args=(edits, table, key), help=t("catalog.upload_help"),
        )  # fmt: skip
    with st.popover(t("catalog.download"), icon=":material/download:"):
        schema = edits.base.schema
        st.download_button(
            t("catalog.download_table"), lambda: table_csv(edits.catalog, table), f"{table}.csv", "text/csv",
            key="catalog_download_table", on_click="ignore", width="stretch",
        )  # fmt: skip
        changed = edits.overlay.get(table, [])
        st.download_button(
            t("catalog.download_changed"), lambda: rows_csv(schema, table, changed), f"{table}_changes.csv", "text/csv",
            key="catalog_download_changed", on_click="ignore", disabled=not changed, width="stretch",
        )  # fmt: skip
        st.download_button(
            t("catalog.download_all"), lambda: overlay_zip(schema, edits.overlay), "my_catalog.zip", "application/zip",
            key="catalog_download_all", on_click="ignore", disabled=not edits.overlay, width="stretch",
        )  # fmt: skip
        if not edits.overlay:
            st.caption(t("catalog.download_none"))


def _upload(edits: Edits, table: str, key: str) -> None:
    """Read what was uploaded into the drafts, or keep what is wrong with it."""
    file: Any = st.session_state.get(key)
    if file is None:
        return
    st.session_state[UPLOADS] = st.session_state.get(UPLOADS, 0) + 1
    name = str(file.name)[:100]
    if file.size > MOST_BYTES:
        data = b"\0" * (MOST_BYTES + 1)
    else:
        data = file.getvalue()
    try:
        found = read_upload(edits.base.schema, name, data, table)
    except InputError as error:
        st.session_state[UPLOADED] = (name, 0, error)
        return
    changed = 0
    for where, edit in found.items():
        merge = tidy(edits, where, merged(catalog_drafts.draft(where), edit))
        changed += len(merge.removed) + sum(len(cells) for cells in merge.rows.values())
        catalog_drafts.keep(where, merge)
    st.session_state[UPLOADED] = (name, changed, None)
    catalog_drafts.renew()


def uploaded() -> None:
    """Say what came of the last upload."""
    name, changed, error = st.session_state.pop(UPLOADED, ("", 0, None))
    if error is not None:
        st.error(t("catalog.upload_bad", name=markdown(name)), icon=":material/error:")
        head = [
            t("catalog.upload_line"),
            *(t(f"catalog.fault_{name}") for name in ("column", "typed", "message", "allowed")),
        ]
        rows = [(p.row, p.field, p.value[:80], p.message, "; ".join(filter(None, (p.allowed, p.hint))))
                for p in error.problems[:MOST_PROBLEMS]]  # fmt: skip
        st.dataframe(pd.DataFrame(rows, columns=head), hide_index=True, placeholder="")
        if len(error.problems) > MOST_PROBLEMS:
            st.caption(t("catalog.upload_more", count=len(error.problems) - MOST_PROBLEMS))
    elif name and changed:
        st.success(t("catalog.upload_done", name=markdown(name), count=changed))
    elif name:
        st.info(t("catalog.upload_none", name=markdown(name)))
