"""The catalog page without a browser: edits are seeded as the grid would report them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from solver.catalog import load_catalog
from solver.ui import catalog_drafts
from solver.ui.text import words_of
from solver.whatif.edits import Edits, TableEdit
from solver.whatif.tables import STATUS, columns_of, group_of

ROOT = Path(__file__).parent.parent.parent
PAGE = str(ROOT / "solver" / "ui" / "pages" / "catalog.py")
PART = "b200_sxm"


@pytest.fixture
def page() -> AppTest:
    """The page as it opens: accelerators, main columns."""
    return drawn(AppTest.from_file(PAGE, default_timeout=30))


def drawn(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, [e.value for e in app.exception]
    return app


def grid(app: AppTest) -> Any:
    """Return the grid on the page, from the session."""
    return app.session_state[catalog_drafts.GRIDS][0]


def type_in(app: AppTest, cells: dict[str, dict[str, str]]) -> AppTest:
    """Type into cells of the grid: row id to column to text."""
    rows = {grid(app).ids.index(row_id): dict(row) for row_id, row in cells.items()}
    app.session_state[grid(app).key] = {"edited_rows": rows, "added_rows": [], "deleted_rows": []}
    return drawn(app)


def edits(app: AppTest) -> Edits:
    return app.session_state["edits"]  # type: ignore[no-any-return]


def said(app: AppTest) -> str:
    """Return everything that the page says, without the marks that keep catalog text from being Markdown."""
    parts = [
        element.value for kind in (app.markdown, app.caption, app.error, app.success, app.info) for element in kind
    ]
    return "\n".join(str(part) for part in parts).replace("\\", "")


GROUPS = list(group_of(load_catalog().schema))


@pytest.mark.parametrize(
    ("group", "view"),
    [*((group, "all") for group in GROUPS), ("parts", "main"), ("demand", "evidence"), ("place", "row")],
)
def test_every_table_draws_in_every_view(group: str, view: str) -> None:
    app = AppTest.from_file(PAGE, default_timeout=30)
    app.session_state["catalog_group"] = group
    app.session_state["catalog_view"] = view
    for table in group_of(load_catalog().schema)[group]:
        app.session_state[f"catalog_table_{group}"] = table
        drawn(app)
        assert app.title[0].value == words_of("en")[f"catalog.table.{table}"]
        frame = app.data_editor[0].value
        if view != "row":
            schema = load_catalog().schema
            assert list(frame.columns) == [STATUS, *columns_of(schema, table, view), catalog_drafts.SPARE]
            assert len(frame) == len(load_catalog().rows(table)) + 1


def test_the_page_draws_fast(page: AppTest) -> None:
    """Two seconds a page, with the widest table and a change waiting."""
    page.session_state["catalog_view"] = "all"
    type_in(drawn(page), {PART: {"tdp_w": "900"}})
    start = time.perf_counter()
    drawn(page)
    assert time.perf_counter() - start < 2.0


def test_every_cell_is_text_that_is_read_back(page: AppTest) -> None:
    frame = page.data_editor[0].value
    row = frame[frame["id"] == PART].iloc[0]
    assert (row["tdp_w"], row["mem_gb"], row["price_central_usd"] if "price_central_usd" in row else "") == (
        "1000",
        "180",
        "",
    )


def test_changes_are_listed_before_apply_and_undone_after(page: AppTest) -> None:
    type_in(page, {PART: {"tdp_w": "25.7", "idle_w": ".5"}, "l4": {"mem_gb": "1e2"}})
    assert "b200_sxm TDP 1000 -> 25.7 W, -97%" in said(page) and "is the unit right?" in said(page)
    assert "l4 memory 24 -> 100 GB, +317%" in said(page) and "3 changes, not applied yet" in said(page)
    assert not edits(page).overlay
    page.button("catalog_apply").click()
    drawn(page)
    row = edits(page).catalog.row("accelerators", PART)
    assert (row["tdp_w"], row["idle_w"], row["confidence_power"]) == (25.7, 0.5, "estimate")
    assert edits(page).catalog.row("accelerators", "l4")["mem_gb"] == 100.0
    assert "not applied yet" not in said(page) and "TDP, idle power: typed in the app" in row["source"]
    page.button("catalog_undo").click()
    drawn(page)
    assert not edits(page).overlay and "Nothing is changed" in said(page) and "not applied yet" not in said(page)
    page.button("catalog_redo").click()
    drawn(page)
    assert edits(page).catalog.row("accelerators", PART)["tdp_w"] == 25.7
    page.button("catalog_reset_all").click()
    drawn(page)
    assert not edits(page).overlay and edits(page).can_undo


def test_a_cell_that_cannot_be_blocks_apply_and_is_named(page: AppTest) -> None:
    type_in(page, {PART: {"tdp_w": "12 GB", "mem_gb": "200"}})
    assert page.button("catalog_apply").disabled and "1 cell has to be mended" in said(page)
    (fault,) = page.dataframe[-1].value.to_dict("records")
    assert list(fault.values())[1:5] == [PART, "TDP", "12 GB", "is in GB, the column is in W"]
    assert "b200_sxm memory 180 -> 200 GB" in said(page)
    page.button("catalog_discard").click()
    drawn(page)
    assert "not applied yet" not in said(page) and not catalog_draft(page)


def catalog_draft(app: AppTest, table: str = "accelerators") -> TableEdit:
    return app.session_state[catalog_drafts.DRAFTS].get(table, TableEdit())  # type: ignore[no-any-return]


def test_what_was_typed_survives_another_table_view_and_order(page: AppTest) -> None:
    """The grid's own state is gone with each of these; the draft is not."""
    type_in(page, {PART: {"tdp_w": "900"}})
    page.radio("catalog_table_parts").set_value("racks")
    drawn(page)
    assert "b200_sxm TDP 1000 -> 900 W" in said(page), "the list of changes is of all tables"
    page.radio("catalog_table_parts").set_value("accelerators")
    drawn(page)
    page.selectbox("catalog_order_accelerators").set_value("tdp_w")
    drawn(page)
    frame = page.data_editor[0].value
    assert frame[frame["id"] == PART].iloc[0]["tdp_w"] == "900"
    type_in(page, {"l4": {"tdp_w": "70"}})
    page.segmented_control("catalog_view").set_value("row")
    drawn(page)
    assert catalog_draft(page).rows == {PART: {"tdp_w": "900"}, "l4": {"tdp_w": "70"}}
    place = [row["column"] for row in grid(page).rows].index("idle_w")
    page.session_state[grid(page).key] = {"edited_rows": {place: {"value": "99"}}, "added_rows": [], "deleted_rows": []}
    drawn(page)
    shown = page.selectbox("catalog_row_accelerators").value
    assert catalog_draft(page).rows[shown]["idle_w"] == "99"


def test_a_wrong_word_stays_in_its_cell_and_is_told(page: AppTest) -> None:
    """A cell of choices would leave a pasted word out that is none of its options, without a word."""
    type_in(page, {PART: {"buyable": "maybe"}})
    assert page.button("catalog_apply").disabled and "buyable is not an allowed word" in said(page)
    told = page.dataframe[-1]
    assert told.value.iloc[0].tolist()[1:4] == [PART, "buyable", "maybe"] and "yes" in told.value.iloc[0].tolist()[5]
    page.session_state[catalog_drafts.GRIDS] = []
    page.session_state["catalog_search_accelerators"] = PART
    drawn(page)
    assert page.data_editor[0].value.iloc[0]["buyable"] == "maybe"


@pytest.mark.parametrize("over", ["row", "column"])
def test_a_block_beyond_the_end_is_told_and_what_fits_is_kept(page: AppTest, over: str) -> None:
    last = len(grid(page).ids) - 1
    key, column = grid(page).key, "tdp_w"
    cells: dict[int, dict[str, str]] = {last: {column: "900"}}
    if over == "row":
        cells[last + 1] = {column: "901"}
    else:
        cells[last][catalog_drafts.SPARE] = "901"
    page.session_state[key] = {"edited_rows": cells, "added_rows": [], "deleted_rows": []}
    drawn(page)
    assert "lay beyond the last row or column" in page.warning[0].value
    assert catalog_draft(page).rows == {grid(page).ids[last]: {column: "900"}}
    assert grid(page).key != key, "the spare cells are empty again"
    assert not drawn(page).warning


def test_rows_are_copied_and_removed(page: AppTest) -> None:
    page.text_input("catalog_add_id").set_value("my_part")
    page.selectbox("catalog_add_like_accelerators").set_value(PART)
    page.button("catalog_add").click()
    drawn(page)
    assert grid(page).ids[0] == "my_part" and "my_part added to accelerators, like b200_sxm" in said(page)
    type_in(page, {"my_part": {"tdp_w": "1.2 kW"}})
    page.button("catalog_apply").click()
    drawn(page)
    assert edits(page).catalog.row("accelerators", "my_part")["tdp_w"] == 1200.0
    page.multiselect("catalog_remove_accelerators").set_value([PART])
    page.button("catalog_remove").click()
    drawn(page)
    fault = page.dataframe[-1].value.to_dict("records")[0]
    assert "dgx_b200" in fault.values() and page.button("catalog_apply").disabled, "a platform still names it"
    page.button("catalog_remove_undo").click()
    page.multiselect("catalog_remove_accelerators").set_value(["my_part"])
    drawn(page)
    page.button("catalog_remove").click()
    drawn(page)
    page.button("catalog_apply").click()
    drawn(page)
    assert not edits(page).overlay


@pytest.mark.parametrize("row_id", ["two words", PART, ""])
def test_an_id_that_cannot_be_is_refused(page: AppTest, row_id: str) -> None:
    page.text_input("catalog_add_id").set_value(row_id)
    page.button("catalog_add").click()
    drawn(page)
    assert len(page.error) == 1 and not catalog_draft(page)


def test_rows_the_program_asks_for_cannot_go(page: AppTest) -> None:
    page.session_state["catalog_group"] = "place"
    page.session_state["catalog_table_place"] = "defaults"
    drawn(page)
    assert "exactly these rows" in said(page)
    assert "catalog_add" not in [button.key for button in page.button]


def test_upload_waits_for_apply_and_a_bad_one_is_told_by_line(page: AppTest) -> None:
    page.file_uploader("catalog_upload_0").upload("racks.csv", b'id,usable_kw\nair_17kw,"16,500 W"\n', "text/csv")
    drawn(page)
    assert "air_17kw usable power 17 -> 16.5 kW, -2.9%" in said(page) and not edits(page).overlay
    page.button("catalog_apply").click()
    drawn(page)
    assert edits(page).overlay["racks"][0]["usable_kw"] == 16.5
    page.file_uploader("catalog_upload_1").upload("racks.csv", b"id,usable_kw\nair_17kw,lots\n", "text/csv")
    drawn(page)
    (problem,) = page.dataframe[-1].value.to_dict("records")
    assert list(problem.values())[:4] == ["line 2, id air_17kw", "usable_kw", "lots", "is not a number"]
    assert "was not taken over" in said(page) and "not applied yet" not in said(page)


def test_another_catalog_from_elsewhere_is_shown(page: AppTest) -> None:
    """A run that is opened brings its own changed rows; the grid shows those, and not what it showed before."""
    type_in(page, {PART: {"tdp_w": "900"}})
    page.button("catalog_apply").click()
    drawn(page)
    page.session_state["edits"] = edits(page).with_overlay({"accelerators": [{"id": PART, "tdp_w": 800.0}]})
    drawn(page)
    frame = page.data_editor[0].value
    assert frame[frame["id"] == PART].iloc[0]["tdp_w"] == "800" and not catalog_draft(page)


def test_catalog_text_is_never_markdown(page: AppTest) -> None:
    bad = "**bold** [x](http://evil) <b> :red[y]"
    type_in(page, {PART: {"name": bad}})
    lines = [m.value for m in page.markdown if "bold" in m.value]
    parts = (r"\*\*bold\*\*", "\\[x\\]\\(http\u2060\\://evil\\)", r"\:red\[y\]")
    assert len(lines) == 2 and all(part in lines[0] for part in parts) and all(part in lines[1] for part in parts[:2])


def test_both_languages_say_the_same_things() -> None:
    keys = {lang: {key for key in words_of(lang) if key.startswith("catalog.")} for lang in ("en", "ko")}
    assert keys["en"] == keys["ko"]
    tables = load_catalog().schema.tables
    assert all({f"catalog.table.{table}", f"catalog.about.{table}"} <= keys["en"] for table in tables)
