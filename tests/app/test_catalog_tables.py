"""Tables as the page shows them: columns with help and choices, rows in order, drafts by row id."""

from __future__ import annotations

import pytest

from solver.catalog import Catalog, load_catalog
from solver.schema import CellError
from solver.whatif.edits import Edits, TableEdit
from solver.whatif.labels import heading, label
from solver.whatif.tables import (
    STATUS,
    VIEWS,
    columns_of,
    fields,
    group_of,
    new_row,
    records,
    row_ids,
    sheet,
    status,
    tidy,
    typed,
    without,
)

PART = "b200_sxm"
NONE = TableEdit()


@pytest.fixture(scope="module")
def base() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def edits(base: Catalog) -> Edits:
    return Edits(base)


def test_every_table_stands_in_one_group_and_every_column_in_some_view(base: Catalog) -> None:
    tables = [table for group in group_of(base.schema).values() for table in group]
    assert sorted(tables) == sorted(base.schema.tables) and "other" not in group_of(base.schema)
    for table, columns in base.schema.tables.items():
        shown = {name for view in VIEWS for name in columns_of(base.schema, table, view)}
        assert shown == set(columns)
        assert all(columns_of(base.schema, table, view)[0] == base.schema.key(table) for view in VIEWS)


def test_headings_are_told_apart_and_carry_their_unit(base: Catalog) -> None:
    for columns in base.schema.tables.values():
        shown = [heading(name, rule.unit) for name, rule in columns.items()]
        assert len(set(shown)) == len(shown)
        assert all(f"[{rule.unit}]" in text for text, rule in zip(shown, columns.values(), strict=True) if rule.unit)
    assert (label("tdp_w"), label("mem_bw_gb_s"), label("host_w")) == ("TDP", "memory bandwidth", "host power")


def test_help_says_meaning_bounds_default_evidence_and_the_name_in_files(base: Catalog) -> None:
    (tdp,) = fields(base, "accelerators", ["tdp_w"])
    assert tdp.help == (
        "Thermal design power of the accelerator alone. Allowed: numbers from 1 to 20000 W. Evidence: column 'confidence, power'. In files: tdp_w"
    )
    order, kind = fields(base, "memory", ["order_multiple", "tier"])
    assert "Empty means 1" in order.help and kind.kind == "choice" and "hbm" in kind.options


def test_references_offer_what_there_is_and_what_waits_in_drafts(base: Catalog) -> None:
    (without_drafts,) = fields(base, "platforms", ["accelerator_id"])
    (with_drafts,) = fields(base, "platforms", ["accelerator_id"], {"accelerators": TableEdit({"mine": {}})})
    assert set(with_drafts.options) - set(without_drafts.options) == {"mine"} and PART in without_drafts.options
    (word,) = fields(base, "platforms", ["cooling"])
    assert set(word.options) == {w for row in base.rows("cooling") for w in row["accepts"]}


def test_untouched_rows_are_no_edit(edits: Edits, base: Catalog) -> None:
    """Every cell as it is shown, typed back as it stands, changes nothing: in every table."""
    for table in base.schema.tables:
        rows = records(edits, table, NONE)
        assert rows and not typed(edits, table, NONE, {row[base.schema.key(table)]: row for row in rows})


def test_order_search_and_changed_rows(edits: Edits, base: Catalog) -> None:
    by_power = [row["tdp_w"] for row in records(edits, "accelerators", NONE, order="tdp_w", descending=True)]
    watts = [float(text.replace(",", "")) for text in by_power if text]
    assert watts == sorted(watts, reverse=True) and by_power.index("") == len(watts), "by size, empty cells last"
    assert {row["id"] for row in records(edits, "accelerators", NONE, search="nvidia SXM5")} == {"h100_sxm"}
    first = row_ids(edits, "accelerators", NONE)
    sold = [base.row("accelerators", row_id)["buyable"] == "yes" for row_id in first]
    assert sold == sorted(sold, reverse=True)
    draft = TableEdit({PART: {"tdp_w": "9"}, "mine": {}}, ("l4",))
    shown = records(edits, "accelerators", draft, only_changed=True)
    assert {row["id"]: row[STATUS] for row in shown} == {"mine": "new", PART: "edited", "l4": "going"}
    made = edits.apply("accelerators", TableEdit({PART: {"tdp_w": "900"}}))
    assert status(made, "accelerators", PART, NONE) == "changed" and status(made, "accelerators", "l4", NONE) == ""


def test_typed_cells_are_kept_unless_they_say_what_stands_there(edits: Edits) -> None:
    one = typed(edits, "accelerators", NONE, {PART: {"tdp_w": "25.7", STATUS: "x"}})
    assert one == TableEdit({PART: {"tdp_w": "25.7"}})
    both = typed(edits, "accelerators", one, {PART: {"mem_gb": None}, "l4": {"name": "L", "tdp_w": "72"}})
    assert both.rows == {PART: {"tdp_w": "25.7", "mem_gb": ""}, "l4": {"name": "L"}}
    assert not tidy(edits, "accelerators", TableEdit({PART: {"tdp_w": "1 kW", "afr_percent": ""}})), (
        "says what stands there"
    )


def test_rows_are_added_copied_and_removed_in_the_draft(edits: Edits) -> None:
    draft = new_row(edits, "accelerators", NONE, " mine ", like=PART)
    assert list(draft.rows) == ["mine"] and draft.rows["mine"]["tdp_w"] == "1000" and "id" not in draft.rows["mine"]
    assert row_ids(edits, "accelerators", draft)[0] == "mine"
    for bad in ("", "two words", PART, "mine", "=1", "x" * 99):
        with pytest.raises(CellError):
            new_row(edits, "accelerators", draft, bad)
    with pytest.raises(CellError):
        new_row(edits, "defaults", NONE, "site.x")
    gone = without(edits, "accelerators", draft, ["mine", PART])
    assert gone == TableEdit({}, (PART,))


def test_one_row_shows_unit_evidence_and_what_came_along(edits: Edits) -> None:
    made = edits.apply("accelerators", TableEdit({PART: {"tdp_w": "900"}}))
    lines = {line["column"]: line for line in sheet(made, "accelerators", PART, TableEdit({PART: {"idle_w": "50"}}))}
    assert (lines["tdp_w"]["value"], lines["tdp_w"]["before"], lines["tdp_w"]["unit"]) == ("900", "1000", "W")
    assert lines["tdp_w"]["confidence"] == "datasheet" and lines["idle_w"]["confidence"] == "press"
    assert lines["idle_w"]["value"] == "50" and lines["idle_w"]["before"] == "140"
    assert lines["price_low_usd"]["confidence"] == "press" and lines["tdp_w"]["allowed"] == "from 1 to 20,000"
    (value,) = [line for line in sheet(edits, "defaults", "site.carbon_g_per_kwh", NONE) if line["column"] == "value"]
    assert value["unit"] == "g/kWh"
