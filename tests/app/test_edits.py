"""Edits of the catalog: typed cells become the smallest overlay, refused by cell, undone and redone step by step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solver.catalog import Catalog, load_catalog
from solver.whatif.cells import cell_text
from solver.whatif.changes import Change, overlay_changes, share_text
from solver.whatif.desks import Desks
from solver.whatif.edits import CellErrors, Edits, TableEdit
from solver.whatif.store import new_id

PART, RACK = "b200_sxm", "air_17kw"


@pytest.fixture(scope="module")
def base() -> Catalog:
    return load_catalog()


@pytest.fixture
def edits(base: Catalog) -> Edits:
    return Edits(base)


def copied(catalog: Catalog, table: str, row_id: str) -> dict[str, str | None]:
    """Return the cells of a row as text, without its id."""
    return {name: cell_text(value) for name, value in catalog.row(table, row_id).items() if name != "id"}


def test_typed_cells_arrive_exactly_and_nothing_else_changes(edits: Edits, base: Catalog) -> None:
    typed = {"tdp_w": "25.7", "idle_w": ".5", "mem_gb": "1,234.5", "price_central_usd": "$40,000", "mem_bw_gb_s": "1e3"}
    made = edits.apply("accelerators", TableEdit({PART: typed}))
    row = made.catalog.row("accelerators", PART)
    assert (row["tdp_w"], row["idle_w"], row["mem_gb"]) == (25.7, 0.5, 1234.5)
    assert (row["mem_bw_gb_s"], row["price_central_usd"]) == (1000.0, 40000.0)
    assert {change.column for change in made.changes()} == set(typed)
    assert edits.catalog is base and not edits.changes()


def test_words_of_changes(edits: Edits) -> None:
    made = edits.apply(
        "accelerators",
        TableEdit({PART: {"tdp_w": "25.7", "idle_w": "15", "fp4_dense_tflops": "", "mem_gb": "185"}}, ()),
    )
    words = [change.words for change in made.changes()]
    assert words == [
        "b200_sxm FP4 dense 9000 -> nothing",
        "b200_sxm memory 180 -> 185 GB, +2.8%",
        "b200_sxm TDP 1000 -> 25.7 W, -97%",
        "b200_sxm idle power 140 -> 15 W, -89%",
    ]
    assert [change.tenfold for change in made.changes()] == [False, False, True, False]


@pytest.mark.parametrize(
    ("before", "after", "words", "tenfold"),
    [
        (100.0, 1000.0, "10 times", False), (100.0, 1000.1, "10 times", True), (100.0, 10.0, "-90%", False), (100.0, 9.9, "-90%", True),
        (8000.0, 25.7, "-99.7%", True), (1.0, 1.00001, "+0.001%", False), (100.0, 0.0, "-100%", True), (1.0, 39.0, "39 times", True),
        (50.0, 51.0, "+2.0%", False), (1.0, 1e6, "1,000,000 times", True),
    ],
)  # fmt: skip
def test_relative_changes(before: float, after: float, words: str, tenfold: bool) -> None:
    change = Change("t", "r", "c", "c", "", before, after)
    assert change.share is not None and share_text(change.share) == words
    assert change.tenfold is tenfold


def test_a_figure_that_was_nothing_has_no_share(edits: Edits) -> None:
    change = Change("t", "r", "c", "c", "W", None, 5.0)
    assert change.share is None and not change.tenfold and change.words == "r c nothing -> 5 W"


def test_all_refused_cells_are_told_with_row_and_column(edits: Edits) -> None:
    typed = {PART: {"tdp_w": "25 GB", "mem_gb": "abc", "idle_w": "-5", "buyable": "maybe", "colour": "red"}}
    with pytest.raises(CellErrors) as caught:
        edits.apply("accelerators", TableEdit(typed))
    faults = {fault.column: fault for fault in caught.value.faults}
    assert set(faults) == set(typed[PART]) and {fault.id for fault in faults.values()} == {PART}
    assert faults["tdp_w"].message == "is in GB, the column is in W" and "from 1 to 20000 W" in faults["tdp_w"].allowed
    assert faults["idle_w"].message == "is negative" and faults["mem_gb"].typed == "abc"
    assert "yes" in faults["buyable"].allowed and faults["colour"].message == "unknown column"


@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        ({"tdp_w": "99999"}, "tdp_w", "is implausibly large"),
        ({"scaleup_domain": "25.7"}, "scaleup_domain", "is not a whole number"),
        ({"tdp_w": ""}, "tdp_w", "is empty"),
        ({"idle_w": "1200"}, "idle_w", "exceeds TDP"),
        ({"name": "=HYPERLINK(1)"}, "name", "opens with '='"),
        ({"notes": "a\nb"}, "notes", "has a line break"),
        ({"notes": "x" * 5000}, "notes", "is too long"),
        ({"id": "other"}, "id", "cannot be renamed"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_is_refused(
    edits: Edits, cells: dict[str, str | None], column: str, message: str
) -> None:
    """Each of these a number cell of the page's framework would have changed, clipped or cleared without a word."""
    with pytest.raises(CellErrors) as caught:
        edits.apply("accelerators", TableEdit({PART: cells}))
    (fault,) = caught.value.faults
    assert (fault.id, fault.column) == (PART, column) and fault.message.startswith(message)
    assert edits.preview("accelerators", TableEdit({PART: cells})).faults == caught.value.faults


def test_a_share_typed_as_percent_is_hinted_at(edits: Edits) -> None:
    (fault,) = edits.preview("links", TableEdit({"pcie5_x16": {"measured_frac": "50"}})).faults
    assert fault.hint == "is 50% meant? Then write the sign"
    made = edits.apply("links", TableEdit({"pcie5_x16": {"measured_frac": "50%"}}))
    assert made.catalog.row("links", "pcie5_x16")["measured_frac"] == 0.5


def test_the_unit_of_a_row_counts_where_the_column_says_so(edits: Edits) -> None:
    made = edits.apply("defaults", TableEdit({"site.electricity_usd_per_mwh": {"value": "9 ct/kWh"}}))
    (change,) = made.changes()
    assert change.after == 90.0 and change.words == "site.electricity_usd_per_mwh value 86 -> 90 USD/MWh, +4.7%"


def test_undo_redo_and_reset(edits: Edits, base: Catalog) -> None:
    one = edits.apply("accelerators", TableEdit({PART: {"tdp_w": "900"}}))
    two = one.apply("racks", TableEdit({RACK: {"usable_kw": "15"}}))
    assert two.undo().catalog == one.catalog and two.undo().undo().catalog == base
    assert two.undo().undo().redo().redo().catalog == two.catalog
    assert not edits.can_undo and edits.undo() is edits and not two.can_redo and two.redo() is two
    assert two.undo().apply("racks", TableEdit({RACK: {"usable_kw": "16"}})).can_redo is False
    assert set(two.reset("racks").overlay) == {"accelerators"} and two.reset().catalog == base
    assert two.reset().undo().catalog == two.catalog


def test_overlay_is_the_smallest_and_goes_through_json(edits: Edits, base: Catalog) -> None:
    """What is typed back to what it was leaves no trace; the overlay gives the same catalog anywhere else."""
    made = edits.apply("accelerators", TableEdit({PART: {"tdp_w": "900"}})).apply(
        "workloads", TableEdit({"chat_short": {"weight_precisions": "fp8", "ttft_s": "0.5"}})
    )
    overlay = json.loads(json.dumps(made.overlay))
    assert overlay == {"accelerators": [{"id": PART, "tdp_w": 900.0}],
                       "workloads": [{"id": "chat_short", "ttft_s": 0.5, "weight_precisions": ["fp8"]}]}  # fmt: skip
    assert base.overlay(overlay) == made.catalog
    assert [c.words for c in overlay_changes(base, overlay)] == [c.words for c in made.changes()]
    back = made.apply("accelerators", TableEdit({PART: {"tdp_w": "1 kW"}}))
    assert set(back.overlay) == {"workloads"}
    assert Edits(base).with_overlay(overlay).catalog == made.catalog
    assert made.apply("accelerators", TableEdit({PART: {"tdp_w": "900 W"}})) is made, "no step without a change"


def test_rows_come_copied_and_go(edits: Edits, base: Catalog) -> None:
    made = edits.apply(
        "racks", TableEdit({"my_rack": {**copied(base, "racks", RACK), "usable_kw": "18"}}, ("air_40kw",))
    )
    words = {change.words for change in made.changes()}
    assert words == {"air_40kw removed from racks", "my_rack added to racks, like air_17kw"}
    assert made.catalog.row("racks", "my_rack")["usable_kw"] == 18.0 and "air_40kw" not in made.catalog.tables["racks"]
    assert base.overlay(made.overlay) == made.catalog
    gone = made.apply("racks", TableEdit({}, ("my_rack",)))
    assert gone.overlay == {"racks": [{"id": "air_40kw", "remove": True}]}


def test_a_row_that_others_name_cannot_go_alone(edits: Edits, base: Catalog) -> None:
    users = [row.id for row in base.rows("platforms") if row["accelerator_id"] == PART]
    with pytest.raises(CellErrors) as caught:
        edits.apply("accelerators", TableEdit({}, (PART,)))
    assert {(f.table, f.id, f.column) for f in caught.value.faults} == {
        ("platforms", u, "accelerator_id") for u in users
    }
    both = edits.apply_all({"accelerators": TableEdit({}, (PART,)), "platforms": TableEdit({}, tuple(users))})
    assert PART not in both.catalog.tables["accelerators"] and both.undo().catalog == base


def test_new_rows_of_two_tables_may_name_each_other(edits: Edits, base: Catalog) -> None:
    part, box = copied(base, "accelerators", PART), copied(base, "platforms", "dgx_b200")
    together = {"platforms": TableEdit({"my_box": {**box, "accelerator_id": "my_part"}}),
                "accelerators": TableEdit({"my_part": part})}  # fmt: skip
    assert edits.apply_all(together).catalog.row("platforms", "my_box")["accelerator_id"] == "my_part"
    alone = edits.preview("platforms", together["platforms"])
    assert alone.faults[0].column == "accelerator_id" and not edits.preview_all(together).faults


def test_an_empty_new_row_names_every_cell_it_needs(edits: Edits) -> None:
    faults = edits.preview("racks", TableEdit({"air_17kv": {}})).faults
    assert {"name", "usable_kw", "cooling", "source", "confidence"} <= {fault.column for fault in faults}
    assert all(RACK in fault.hint for fault in faults), "a slip in an ID is told"


def test_evidence_of_typed_figures_is_marked(edits: Edits, base: Catalog) -> None:
    """A datasheet's grade may not cover a figure that somebody typed; other grades of the row stay."""
    before = base.row("accelerators", PART)
    made = edits.apply("accelerators", TableEdit({PART: {"tdp_w": "900"}}), source="our meter", confidence="measured")
    row = made.catalog.row("accelerators", PART)
    assert row["confidence_power"] == "measured" and row["source"] == f"TDP: our meter; {before['source']}"
    assert {n: row[n] for n in row if n.startswith("confidence") and n != "confidence_power"} == {
        n: before[n] for n in before if n.startswith("confidence") and n != "confidence_power"}  # fmt: skip
    assert [c.words for c in made.changes() if c.column == "source"] == ["b200_sxm source begins with: TDP: our meter"]
    own = edits.apply("accelerators", TableEdit({PART: {"tdp_w": "900", "source": "mine", "confidence_power": "press"}}),
                      source="x", confidence="estimate").catalog.row("accelerators", PART)  # fmt: skip
    assert (own["source"], own["confidence_power"]) == ("mine", "press")
    renamed = edits.apply("accelerators", TableEdit({PART: {"name": "B"}}), source="x", confidence="estimate")
    assert [change.column for change in renamed.changes()] == ["name"]


def test_preview_shows_changes_beside_what_is_refused(edits: Edits) -> None:
    found = edits.preview("accelerators", TableEdit({PART: {"tdp_w": "900", "mem_gb": "much"}}))
    assert [change.column for change in found.changes] == ["tdp_w"] and [fault.column for fault in found.faults] == [
        "mem_gb"
    ]


def test_desk_of_a_workspace_is_kept_on_disk(edits: Edits, tmp_path: Path) -> None:
    made = edits.apply("racks", TableEdit({RACK: {"usable_kw": "15", "weight_kg": ""}}))
    mine, other = new_id(), new_id()
    desks = Desks(tmp_path)
    assert desks.load(mine) is None
    desks.save(mine, made.overlay)
    assert desks.load(mine) == made.overlay and desks.load(other) is None
    desks.save("../../evil", made.overlay)
    assert desks.load("../../evil") is None and [f.name for f in tmp_path.rglob("*.json")] == [f"{mine}.json"]
    (tmp_path / "desks" / f"{other}.json").write_text("{")
    assert desks.load(other) is None
