"""The app: its pages, and what stands around each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from solver.errors import TierwattError
from solver.ui import state
from solver.ui.text import choose_language, t
from solver.ui.widgets import plain

FOLDER = Path(__file__).parent / "pages"
ICONS = {
    "design": ":material/domain:", "catalog": ":material/table_view:", "explain": ":material/lightbulb:",
    "compare": ":material/compare_arrows:", "quote": ":material/sell:", "plan": ":material/timeline:",
    "replay": ":material/replay:",
}  # fmt: skip
"""Pages in the order of the navigation; one without a file is not there yet."""
SIDEBAR_PX = 400


def main() -> None:
    """Draw the page that is asked for; whatever goes wrong is said without internals."""
    st.set_page_config("tierwatt", str(Path(__file__).parent / "icon.png"), "wide", SIDEBAR_PX)
    try:
        state.begin()
    except TierwattError as error:
        st.error(plain(error))
        st.stop()
    pages: dict[str, Any] = {
        name: st.Page(
            FOLDER / f"{name}.py", title=t(f"common.pages.{name}"), icon=icon, url_path=name, default=name == "design"
        )
        for name, icon in ICONS.items()
        if (FOLDER / f"{name}.py").exists()
    }
    state.set_pages(pages)
    page = st.navigation(list(pages.values()), position="top")
    page.run()
    with st.sidebar:
        choose_language()
