"""Driving Streamlit's grids, whose cells are drawn on a canvas: select, type, paste, and read what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solver.catalog import load_catalog
from solver.whatif.tables import STATUS, columns_of

ROW_PX, HEAD_PX = 35, 35
KEY_MS = 120
"""Time between keys; faster ones can be lost while the cell's editor opens."""
SETTLE_MS = 700


class Grid:
    """The first grid of the catalog page.

    Parameters
    ----------
    page : playwright Page
    table, view : str
        What it shows.
    """

    def __init__(self, page: Any, table: str, view: str = "main") -> None:
        self.page = page
        self.columns = [STATUS, *columns_of(load_catalog().schema, table, view)]
        self.canvas = page.locator("[data-testid=stDataFrame] canvas").first
        self.canvas.wait_for()
        page.wait_for_timeout(SETTLE_MS)

    def row(self, row_id: str) -> int:
        """Return the place of a row among those that are in sight."""
        cells = self.page.locator("[data-testid=stDataFrame]").first.locator("[id^=glide-cell-1-]")
        found = dict(cells.evaluate_all("found => found.map(cell => [cell.innerText, cell.id])"))
        return int(found[row_id].rpartition("-")[2])

    def select(self, column: str, row: int) -> None:
        """Select a cell: click into the grid, go to its first cell, then down and right."""
        box = self.canvas.bounding_box()
        self.page.mouse.click(box["x"] + 100, box["y"] + HEAD_PX + ROW_PX * 1.5)
        self.page.wait_for_timeout(300)
        keys = [
            "Control+ArrowUp",
            "Control+ArrowLeft",
            *["ArrowDown"] * row,
            *["ArrowRight"] * self.columns.index(column),
        ]
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(30)
        self.page.wait_for_timeout(200)

    def put(self, column: str, row: int, text: str, end: str = "Enter") -> None:
        """Type into a cell."""
        self.select(column, row)
        self.page.keyboard.type(text, delay=KEY_MS)
        if end:
            self.page.keyboard.press(end)
            self.page.wait_for_timeout(SETTLE_MS)

    def paste(self, column: str, row: int, block: Sequence[Sequence[str]]) -> None:
        """Paste a block as a spreadsheet puts it on the clipboard."""
        text = "\n".join("\t".join(cells) for cells in block)
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        self.select(column, row)
        self.page.keyboard.press("Control+v")
        self.page.wait_for_timeout(SETTLE_MS)

    def shown(self, column: str, row: int) -> str:
        """Return what a cell shows, where it is in sight."""
        self.select(column, row)
        return str(self.page.locator(f"#glide-cell-{self.columns.index(column)}-{row}").first.inner_text())


def open_table(page: Any, table: str) -> None:
    """Choose a table of the first group."""
    page.get_by_test_id("stSidebar").get_by_text(table, exact=True).click()
    page.get_by_role("heading", name=table, exact=True).wait_for()
    page.wait_for_timeout(SETTLE_MS)


def press(page: Any, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_timeout(SETTLE_MS)
