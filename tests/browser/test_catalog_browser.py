"""The catalog page in a real browser: what keys, clicks and pasted blocks do to numbers, which no other test can see."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grids import SETTLE_MS, Grid, open_table, press

from solver.catalog import default_folder, load_catalog

pytestmark = pytest.mark.browser
PART, NEXT = "h200_sxm", "l4"
"""Two rows that stand under each other; the preset buys servers with the first."""
HASTE_MS = 150
"""Between Enter and a click somewhere else: nobody is quicker."""
TALL = {"width": 1366, "height": 1200}
"""A window in which nothing lies over the rows."""


def changes(page: Any) -> str:
    """Return the text of the page, where the changes that are not applied yet are listed."""
    return str(page.get_by_test_id("stMain").inner_text()).replace("→", "->")


def wait_for(page: Any, text: str) -> None:
    """Wait until the page says something, or fail with what it says instead."""
    try:
        page.get_by_test_id("stMain").get_by_text(text).first.wait_for(timeout=10_000)
    except Exception:
        pytest.fail(f"{text!r} is not in {changes(page)}")


def apply(page: Any) -> None:
    assert page.get_by_role("button", name="Apply", exact=True).is_enabled(), changes(page)
    press(page, "Apply")
    page.get_by_text("Applied:").first.wait_for()


def test_hard_numbers_are_found_in_the_solved_study(user: Callable[..., Any], app: Any) -> None:
    """Typed and pasted; Streamlit's own number cells would make 5, 13 and 13 of the first three."""
    page = user("catalog", viewport=TALL)
    grid = Grid(page, "accelerators")
    row = grid.row(PART)
    assert grid.row(NEXT) == row + 1
    grid.put("idle_w", row, ".5")
    grid.put("tdp_w", row, "1e3")
    grid.put("mem_gb", row, "1,234.5")
    grid.paste("fp8_dense_tflops", row, [["2 PFLOP/s"], ["2.5e2"]])
    grid.paste("mem_gb", row + 1, [["24.25", "1,000.5", "9e1"]])
    wait_for(page, "8 changes, not applied yet")
    assert "h200_sxm TDP 700 -> 1000 W, +43%" in changes(page) and "h200_sxm idle power" in changes(page)
    apply(page)
    open_table(page, "Platforms")
    platforms = Grid(page, "platforms")
    box = platforms.row("hgx_h200_8")
    platforms.put("node_max_w", box, "9.75 kW")
    platforms.put("price_central_usd", box, "$355,000")
    wait_for(page, "2 changes, not applied yet")
    apply(page)
    page.get_by_role("link", name="Design").click()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Solve").click()
    page.wait_for_function("() => new URL(location).searchParams.get('run')")
    run_id = page.evaluate("() => new URL(location).searchParams.get('run')")
    for _ in range(200):
        run = app.store.get(run_id)
        if run is not None and run.ended:
            break
        page.wait_for_timeout(100)
    assert run.state == "done", run.message
    rows = {row["id"]: row for table in ("accelerators", "platforms") for row in run.request.overlay[table]}
    figures = {
        part: {name: value for name, value in row.items() if isinstance(value, float)} for part, row in rows.items()
    }
    assert figures == {
        PART: {"idle_w": 0.5, "tdp_w": 1000.0, "mem_gb": 1234.5, "fp8_dense_tflops": 2000.0},
        NEXT: {"fp8_dense_tflops": 250.0, "mem_gb": 24.25, "mem_bw_gb_s": 1000.5, "tdp_w": 90.0},
        "hgx_h200_8": {"node_max_w": 9750.0, "price_central_usd": 355000.0},
    }
    design = app.store.design(run_id)
    assert design is not None and design.has_build
    (line,) = [b for b in design.bill_of_materials if b["part"] == "hgx_h200_8"]
    assert line["confidence_price"] == "estimate"


def test_what_cannot_be_stays_in_sight_and_nothing_is_lost_on_the_way(user: Callable[..., Any]) -> None:
    """Refused cells as they were typed, another page, a cell left by the click on Apply, undo and redo."""
    page = user("catalog", viewport=TALL)
    grid = Grid(page, "accelerators")
    row = grid.row(PART)
    grid.put("mem_gb", row, "abc")
    grid.put("mem_gb", row + 1, "-5")
    grid.put("mem_bw_gb_s", row, "9999999")
    grid.put("scaleup_domain" if "scaleup_domain" in grid.columns else "idle_w", row, "7 GB")
    wait_for(page, "4 cells have to be mended before Apply")
    assert page.get_by_role("button", name="Apply", exact=True).is_disabled()
    assert [grid.shown("mem_gb", row), grid.shown("mem_gb", row + 1)] == ["abc", "-5"]
    press(page, "Discard")
    assert "not applied" not in changes(page)

    grid = Grid(page, "accelerators")
    for text in ("150.5", "25", "49"):  # one under the other, as fast as somebody types
        if text == "150.5":
            grid.select("mem_gb", row)
        page.keyboard.type(text, delay=60)
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
    page.wait_for_timeout(SETTLE_MS)
    page.get_by_role("link", name="Design").click()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Solve").wait_for()
    page.get_by_role("link", name="Catalog").click()
    grid = Grid(page, "accelerators")
    wait_for(page, "3 changes, not applied yet")
    words = changes(page)
    assert all(
        line in words
        for line in ("h200_sxm memory 141 -> 150.5 GB", "l4 memory 24 -> 25 GB", "l40s memory 48 -> 49 GB")
    )

    grid.put("tdp_w", row, "650", end="")
    apply(page)
    assert "not applied" not in changes(page), "the open cell went along"
    assert grid.shown("tdp_w", row) == "650"
    press(page, "Undo")
    grid = Grid(page, "accelerators")
    assert grid.shown("tdp_w", row) == "700" and grid.shown("mem_gb", row) == "141"
    press(page, "Redo")
    grid = Grid(page, "accelerators")
    assert grid.shown("tdp_w", row) == "650" and grid.shown("mem_gb", row) == "150.5"
    page.reload()
    assert Grid(page, "accelerators").shown("tdp_w", row) == "650", "what was applied survives a reload"


def test_nothing_that_is_pasted_is_lost_without_a_word(user: Callable[..., Any]) -> None:
    """A word that is no choice, a block longer and one wider than the grid; then a link right after Enter in a cell."""
    page = user("catalog", viewport=TALL)
    open_table(page, "Cooling")
    grid = Grid(page, "cooling")
    ids = load_catalog().rows("cooling")
    last, number, choice = len(ids) - 1, "pue_central", "confidence"
    grid.paste(number, last - 1, [["1.05"], ["1.06"], ["1.07"]])
    wait_for(page, "lay beyond the last row or column")
    wait_for(page, "2 changes, not applied yet")
    grid = Grid(page, "cooling")
    grid.paste(choice, 0, [["hearsay", "over the edge"]])
    wait_for(page, "lay beyond the last row or column")
    assert "is not an allowed word" in changes(page) and Grid(page, "cooling").shown(choice, 0) == "hearsay"
    press(page, "Discard")

    grid = Grid(page, "cooling")
    grid.put(number, 0, "1.04", end="")
    page.keyboard.press("Enter")
    page.wait_for_timeout(HASTE_MS)
    design = page.get_by_role("link", name="Design")
    design.click()
    page.wait_for_timeout(2 * SETTLE_MS)
    if "catalog" in page.url:  # what was typed went first
        design.click()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Solve").wait_for()
    page.get_by_role("link", name="Catalog").click()
    wait_for(page, "1 change, not applied yet")


def test_files_in_and_out_and_another_user(user: Callable[..., Any], tmp_path: Path) -> None:
    page = user("catalog")
    open_table(page, "Racks")
    bad, good = tmp_path / "racks.csv", tmp_path / "mine.csv"
    bad.write_text("id,usable_kw,cooling,colour\nair_17kw,lots,ice,red\nair_40kw,5 GB,air,\n")
    good.write_text('id,usable_kw,price_central_usd\nair_17kw,"16,500 W",$9k\n')
    press(page, "Upload")
    page.locator("input[type=file]").set_input_files(bad)
    page.get_by_text("racks.csv was not taken over").wait_for()
    page.wait_for_timeout(SETTLE_MS)
    told = page.locator("[data-testid=stDataFrame]").nth(1).locator("[role=gridcell]").all_inner_texts()
    assert {"line 2, id air_17kw", "usable_kw", "lots", "is not a number", "colour", "unknown column"} <= set(told)
    assert "is in GB, the column is in kW" in told
    page.locator("input[type=file]").set_input_files(good)
    wait_for(page, "2 changes, not applied yet")
    page.keyboard.press("Escape")
    apply(page)
    press(page, "Download")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="All changes").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        archive.extractall(tmp_path)
    row = load_catalog(default_folder(), tmp_path / "my_catalog").row("racks", "air_17kw")
    assert (row["usable_kw"], row["price_central_usd"], row["confidence_price"]) == (16.5, 9000.0, "estimate")

    other = user("catalog")
    open_table(other, "Racks")
    assert "Nothing is changed" in other.get_by_test_id("stSidebar").inner_text()
    assert "changes to the catalog" in page.get_by_test_id("stSidebar").inner_text()
