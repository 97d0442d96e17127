"""Catalog files of the app: what is downloaded is what the command line reads, and a bad upload is told by line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from solver.catalog import Catalog, default_folder, load_catalog
from solver.errors import InputError, Problem
from solver.whatif.edits import Edits, TableEdit
from solver.whatif.files import MOST_BYTES, overlay_files, overlay_zip, read_upload, rows_csv, table_csv
from solver.whatif.safe import bare_cell, csv_cell, markdown


@pytest.fixture(scope="module")
def base() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def edited(base: Catalog) -> Edits:
    """Every kind of edit: numbers, a cleared cell, texts with commas and quotes, lists, a new row, a removed one."""
    return Edits(base).apply_all({
        "racks": TableEdit({"air_17kw": {"usable_kw": "16.1", "weight_kg": "", "name": 'A "rack", 17 kW'}}, ("air_40kw",)),
        "workloads": TableEdit({"chat_short": {"ttft_s": "1e-1", "weight_precisions": "bf16", "notes": ""}}),
        "sites": TableEdit({"mine": {"name": 'Our "hall"\\', "power_mw": "3", "source": "lease", "confidence": "datasheet"}}),
        "precisions": TableEdit({"fp8": {"quality_gate": "yes"}}),
    })  # fmt: skip


def problems(base: Catalog, name: str, data: bytes, table: str = "racks") -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read_upload(base.schema, name, data, table)
    return list(caught.value.problems)


def test_downloaded_changes_give_the_same_catalog_on_the_command_line(
    tmp_path: Path, edited: Edits, base: Catalog
) -> None:
    with zipfile.ZipFile(io.BytesIO(overlay_zip(base.schema, edited.overlay))) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "my_catalog"
    assert {path.name for path in folder.iterdir()} == {
        "racks.csv",
        "workloads.toml",
        "sites.toml",
        "precisions.csv",
        "README.txt",
    }
    assert load_catalog(default_folder(), folder) == edited.catalog
    assert overlay_zip(base.schema, edited.overlay) == overlay_zip(base.schema, edited.overlay)


def test_downloaded_changes_come_back(edited: Edits, base: Catalog) -> None:
    back = read_upload(base.schema, "my_catalog (1).zip", overlay_zip(base.schema, edited.overlay), "links")
    assert Edits(base).apply_all(back).catalog == edited.catalog
    for name, text in overlay_files(base.schema, edited.overlay).items():
        assert set(read_upload(base.schema, name, text.encode(), "links")) == {name.split(".")[0]}


@pytest.mark.parametrize("table", sorted(load_catalog().schema.tables))
def test_a_whole_table_comes_back_as_it_went(base: Catalog, table: str) -> None:
    """Also through a spreadsheet's byte order mark; nothing of it counts as changed."""
    data = ("\ufeff" + table_csv(base, table)).encode()
    found = read_upload(base.schema, f"{table}.csv", data, "racks")
    assert Edits(base).apply_all(found).overlay == {}


def test_changed_rows_of_one_table(edited: Edits, base: Catalog) -> None:
    text = rows_csv(base.schema, "racks", edited.overlay["racks"])
    assert text.splitlines() == [
        "id,name,usable_kw,weight_kg,remove", "air_40kw,,,,yes", 'air_17kw,"A ""rack"", 17 kW",16.1,(empty),',
    ]  # fmt: skip
    one = rows_csv(base.schema, "racks", [{"id": "air_17kw", "weight_kg": None}])
    assert one == "id,weight_kg\nair_17kw,(empty)\n", "a cell that is cleared is no cell that is kept"


def test_numbers_of_an_upload_are_read_as_people_write_them(base: Catalog) -> None:
    data = b'id,usable_kw,price_central_usd\nair_17kw,"16,500 W",$9k\n'
    found = read_upload(base.schema, "mine.csv", data, "racks")
    row = Edits(base).apply_all(found).catalog.row("racks", "air_17kw")
    assert (row["usable_kw"], row["price_central_usd"]) == (16.5, 9000.0)


def test_every_problem_of_a_bad_upload_is_told_by_line_and_column(base: Catalog) -> None:
    data = b"id,usable_kw,cooling,colour\nair_17kw,lots,air,red\nair_17kw,5 GB,air,\n,1,air,\n"
    found = problems(base, "racks.csv", data)
    assert ("line 2, id air_17kw", "usable_kw", "lots") in {(p.row, p.field, p.value) for p in found}
    assert {"colour"} <= {p.field for p in found} and all(p.file == "racks.csv" for p in found)
    assert any("appears twice" in p.message for p in found) and any(p.message == "is empty" for p in found)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("racks.csv", b"", "is empty"), ("racks.csv", b"\0\1", "is a binary file"), ("racks.csv", b"id,name\nx,\xff\n", "is not UTF-8"),
        ("racks.csv", b"id;usable_kw\nair_17kw;5\n", "header is one cell"), ("racks.csv", b"name\nx\n", "missing column"),
        ("racks.csv", b'id,name\nx,"y\n', "is not CSV"), ("racks.csv", b"id,name\n", "holds no rows"),
        ("x.csv", b"id,tdp_w,mem_gb,idle_w,vendor\nb200_sxm,1,1,1,x\n", "it looks like accelerators"),
        ("racks.exe", b"id\nx\n", "is neither CSV nor TOML"), ("racks.toml", b"[[rack]]\n", "racks is a CSV table"),
        ("sites.toml", b"[[site]\n", "is not TOML"), ("x.zip", b"PK\x03\x04broken", "damaged"),
        ("x.xlsx", b"PK\x03\x04", "save the sheet as CSV"), ("big.csv", b"x" * (MOST_BYTES + 1), "is too large"),
        ("../../etc/racks.csv", b"", "racks.csv: is empty"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_in_words(base: Catalog, name: str, data: bytes, words: str) -> None:
    assert any(words in str(problem) for problem in problems(base, name, data))
    assert not any(".." in problem.file for problem in problems(base, name, data))


def test_an_archive_that_unpacks_to_too_much_is_refused(base: Catalog) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/racks.csv", b"id\n" + b"x" * MOST_BYTES)
    assert len(memory.getvalue()) < 10_000
    (problem,) = problems(base, "x.zip", memory.getvalue())
    assert problem.message == "holds too much"


@pytest.mark.parametrize("text", ["=1+2", "+x", "-x", "@SUM(A1)", "\t=1", " =1"])
def test_no_exported_text_is_a_formula(text: str) -> None:
    assert csv_cell(text).startswith("'") and bare_cell(csv_cell(text)) == text


@pytest.mark.parametrize("text", ["-5", "+1e3", "plain", "a=b", "'quoted'", ""])
def test_what_is_no_formula_is_exported_as_it_is(text: str) -> None:
    assert csv_cell(text) == text and bare_cell(text) == text


def test_markdown_shows_catalog_text_as_it_is() -> None:
    assert markdown("**x** <b> [a](http://b) :red[y] $z$\n# h") == (
        "\\*\\*x\\*\\* \\<b\\> \\[a\\]\\(http\u2060\\://b\\) \\:red\\[y\\] \\$z\\$ \\# h")  # fmt: skip
    assert markdown("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("text", ["https://a.b", "HTTP://a.b", "www.a.b", "me@a.b"])
def test_addresses_are_links_only_where_that_is_asked_for(text: str) -> None:
    """Markdown makes links of what looks like one, whatever is escaped."""
    assert "\u2060" in markdown(text) and markdown(text).replace("\u2060", "") == markdown(text, links=True)
