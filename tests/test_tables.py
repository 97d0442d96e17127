"""Reading catalog files: a bad one is refused with every problem named, and never with a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from catalog_files import edit, only, problems, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solver.catalog import Catalog, default_folder, load_catalog
from solver.errors import InputError


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog that comes with the program."""
    return load_catalog()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the catalog folder that a test may spoil."""
    return Path(shutil.copytree(default_folder(), tmp_path / "mine"))


BAD_CELLS = {
    "text in a number": ("accelerators", "h100_sxm", "tdp_w", "seven hundred", "not a number"),
    "thousands separator": ("accelerators", "h100_sxm", "tdp_w", "1,000", "not a number"),
    "underscore": ("accelerators", "h100_sxm", "tdp_w", "1_000", "not a number"),
    "hexadecimal": ("accelerators", "h100_sxm", "tdp_w", "0x2bc", "not a number"),
    "unit in the cell": ("accelerators", "h100_sxm", "tdp_w", "700 W", "not a number"),
    "digits of another script": ("accelerators", "h100_sxm", "tdp_w", "７００", "not a number"),
    "nan": ("accelerators", "h100_sxm", "tdp_w", "NaN", "not a finite number"),
    "inf": ("accelerators", "h100_sxm", "tdp_w", "-Infinity", "not a finite number"),
    "overflow": ("accelerators", "h100_sxm", "tdp_w", "1e999", "not a finite number"),
    "negative": ("accelerators", "h100_sxm", "tdp_w", "-700", "negative"),
    "absurdly large": ("accelerators", "h100_sxm", "tdp_w", "700000", "implausibly large"),
    "absurdly small": ("accelerators", "h100_sxm", "mem_gb", "0.08", "implausibly small"),
    "share above one": ("links", "pcie5_x16", "measured_frac", "79", "implausibly large"),
    "fraction in a count": ("accelerators", "h100_sxm", "scaleup_domain", "7.5", "not a whole number"),
    "huge count": ("accelerators", "h100_sxm", "scaleup_domain", "9" * 5000, "not a finite number"),
    "month": ("accelerators", "h100_sxm", "year_available", "2022", "not a month"),
    "thirteenth month": ("accelerators", "h100_sxm", "year_available", "2022-13", "not a month"),
    "quarter": ("platforms", "hgx_h100_8", "price_quarter", "2026Q5", "not a quarter"),
    "word": ("platforms", "hgx_h100_8", "buyable", "yess", "not an allowed word"),
    "confidence": ("racks", "air_17kw", "confidence", "certain", "not an allowed word"),
    "truth value": ("precisions", "fp4", "quality_gate", "maybe", "neither yes nor no"),
    "word of a list": ("precisions", "fp4", "compute_order", "fp4;fp6", "unknown word 'fp6'"),
    "hole in a list": ("cooling", "liquid", "accepts", "liquid;;air", "empty entry"),
    "reference": ("platforms", "hgx_h100_8", "accelerator_id", "h100_smx", "names nothing in accelerators"),
    "reference to a series": ("memory", "hbf_gen1_512gb", "price_series", "hbff", "names nothing"),
    "reference to a word": ("platforms", "hgx_h100_8", "cooling", "airr", "names nothing in cooling.accepts"),
    "no source": ("accelerators", "h100_sxm", "source", "  ", "is empty"),
    "no confidence": ("accelerators", "h100_sxm", "confidence", "", "is empty"),
    "required number": ("accelerators", "h100_sxm", "tdp_w", "", "is empty"),
    "low above central": ("platforms", "hgx_h100_8", "price_low_usd", "290000", "exceeds price_central_usd"),
    "central above high": ("cooling", "air", "pue_central", "1.7", "exceeds pue_high"),
    "idle above TDP": ("accelerators", "h100_sxm", "idle_w", "701", "exceeds tdp_w"),
}


@pytest.mark.parametrize(("table", "row_id", "column", "value", "message"), BAD_CELLS.values(), ids=BAD_CELLS.keys())
def test_bad_cell_is_named_with_file_line_id_column_and_value(
    folder: Path, table: str, row_id: str, column: str, value: str, message: str
) -> None:
    line = put(folder, table, row_id, column, value)
    problem = only(problems(lambda: load_catalog(folder)), message=message)
    assert problem.file.endswith(f"mine/{table}.csv")
    assert f"line {line}" in problem.row
    assert row_id in problem.row
    assert problem.field == column
    assert problem.value == value.strip()
    assert problem.allowed


@pytest.mark.parametrize(
    ("table", "row_id", "column", "value", "near"),
    [
        ("platforms", "hgx_h100_8", "accelerator_id", "h100_smx", "h100_sxm"),
        ("platforms", "hgx_h100_8", "buyable", "yess", "yes"),
        ("precisions", "fp4", "compute_order", "fp4;fp88", "fp8"),
        ("platforms", "hgx_h100_8", "own_rack_id", "air_17", "air_17kw"),
    ],
)
def test_wrong_word_comes_with_the_closest_one(
    folder: Path, table: str, row_id: str, column: str, value: str, near: str
) -> None:
    put(folder, table, row_id, column, value)
    assert near in only(problems(lambda: load_catalog(folder)), field=column).hint


def test_all_problems_of_all_files_are_listed_at_once(folder: Path) -> None:
    """Proves that nothing stops at the first problem: eight faults of different kinds in four files, eight found."""
    put(folder, "accelerators", "h100_sxm", "tdp_w", "-1")
    put(folder, "accelerators", "mi300x", "mem_gb", "lots")
    put(folder, "accelerators", "gaudi3", "source", "")
    put(folder, "platforms", "hgx_h100_8", "accelerator_id", "h1000")
    put(folder, "platforms", "dgx_b200", "nic_count", "nan")
    put(folder, "racks", "air_17kw", "price_low_usd", "9000")
    (folder / "gpus.csv").write_text("id\n")
    (folder / "links.csv").write_bytes(b"\x00\x01\x02")
    found = problems(lambda: load_catalog(folder))
    assert len(found) == 8
    files = [Path(problem.file).name for problem in found]
    assert sorted(set(files)) == ["accelerators.csv", "gpus.csv", "links.csv", "platforms.csv", "racks.csv"]
    text = str(InputError(found))
    assert text.startswith("8 problems")
    for part in ("tdp_w", "mem_gb", "source", "h1000", "nic_count", "price_low_usd", "gpus.csv", "binary"):
        assert part in text


def test_missing_column_is_one_problem_and_not_one_a_row(folder: Path) -> None:
    def drop(records: list[list[str]]) -> None:
        place = records[0].index("tdp_w")
        for cells in records:
            del cells[place]

    edit(folder, "accelerators", drop)
    (problem,) = problems(lambda: load_catalog(folder))
    assert (problem.row, problem.field) == ("line 1", "tdp_w")
    assert "missing column" in problem.message


def test_column_with_an_unknown_unit_is_told_the_right_one(folder: Path) -> None:
    def rename(records: list[list[str]]) -> None:
        records[0][records[0].index("mem_gb")] = "mem_gib"

    edit(folder, "accelerators", rename)
    found = problems(lambda: load_catalog(folder))
    unknown = only(found, field="mem_gib")
    assert "_gib" in unknown.message
    assert "mem_gb" in unknown.hint
    missing = only(found, message="missing column")
    assert missing.field == "mem_gb"
    assert "mem_gib" in missing.hint


def test_unknown_column_gets_a_close_match(folder: Path) -> None:
    def add(records: list[list[str]]) -> None:
        records[0].append("vender")
        for cells in records[1:]:
            cells.append("x")

    edit(folder, "accelerators", add)
    (problem,) = problems(lambda: load_catalog(folder))
    assert problem.field == "vender"
    assert "'vendor'" in problem.hint


def test_column_twice_and_column_without_name(folder: Path) -> None:
    def spoil(records: list[list[str]]) -> None:
        for cells, extra in zip(records, [["tdp_w", ""]] + [["1", ""]] * len(records), strict=False):
            cells.extend(extra)

    edit(folder, "accelerators", spoil)
    found = problems(lambda: load_catalog(folder))
    assert only(found, message="appears twice").field == "tdp_w"
    assert "column" in only(found, message="has no name").field


def test_duplicate_id_names_both_lines(folder: Path) -> None:
    edit(folder, "racks", lambda records: records.append(list(records[1])))
    (problem,) = problems(lambda: load_catalog(folder))
    assert problem.value == "air_17kw"
    assert "line 15" in problem.row
    assert "line 2" in problem.message


def test_empty_id_and_id_with_white_space(folder: Path) -> None:
    def spoil(records: list[list[str]]) -> None:
        records[1][0] = ""
        records[2][0] = "air 40kw"

    edit(folder, "racks", spoil)
    found = problems(lambda: load_catalog(folder))
    assert only(found, message="is empty").row == "line 2"
    assert only(found, message="white space").field == "id"


@pytest.mark.parametrize(("change", "word"), [(-1, "short"), (+2, "long")])
def test_row_of_the_wrong_length(folder: Path, change: int, word: str) -> None:
    """A row that lacks a cell is one problem; references to its id still count as good."""

    def spoil(records: list[list[str]]) -> None:
        cells = next(cells for cells in records if cells[0] == "h100_sxm")
        cells[:] = cells[:change] if change < 0 else [*cells, *[""] * change]

    edit(folder, "accelerators", spoil)
    (problem,) = problems(lambda: load_catalog(folder))
    assert f"too {word}" in problem.message
    assert "h100_sxm" in problem.row
    assert "cells" in problem.allowed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x7fELF\x00\x01", "binary"),
        ("id,näme\n".encode("utf-16"), "binary"),
        (b"id,name\nx,caf\xe9\n", "not UTF-8"),
        (b"id;name;source\nx;y;z\n", "header is one cell"),
        (b'id,name\nx,"unclosed\n', "is not CSV"),
        (b"name,source\nx,y\n", "missing column"),
    ],
)
def test_file_that_is_no_table(folder: Path, content: bytes, message: str) -> None:
    """Proves that a broken file is reported as such, without a flood of dangling references into it."""
    (folder / "memory.csv").write_bytes(content)
    found = problems(lambda: load_catalog(folder))
    assert all(problem.file.endswith("memory.csv") for problem in found)
    assert any(message in problem.message for problem in found)


def test_position_of_a_bad_byte_is_told(folder: Path) -> None:
    (folder / "racks.csv").write_bytes(b"id,name\nx,ok\ny,caf\xe9\n")
    (problem,) = problems(lambda: load_catalog(folder))
    assert problem.row == "line 3"
    assert "0xe9" in problem.message


def test_line_numbers_survive_blank_lines_and_quoted_line_breaks(folder: Path) -> None:
    """The bad row is record 3 of the file but stands on line 6: a blank line and a name of three lines precede it."""
    lines = (folder / "racks.csv").read_text().splitlines()
    extra = lines[1].replace("air_17kw", "extra").replace('"Air-cooled rack, hot', '"Air-cooled\n\nrack, hot')
    bad = lines[2].replace("air_40kw", "air 40kw", 1)
    (folder / "racks.csv").write_text("\n".join([lines[0], "", extra, bad, lines[1], *lines[3:]]) + "\n")
    assert only(problems(lambda: load_catalog(folder)), message="white space").row.startswith("line 6,")


def test_byte_order_mark_and_windows_line_ends_are_accepted(folder: Path, catalog: Catalog) -> None:
    for path in folder.glob("*.csv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_catalog(folder) == catalog


# TOML tables


def append(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(path.read_text() + text)


def test_toml_syntax_error_has_its_position(folder: Path) -> None:
    (folder / "sites.toml").write_text('[[site]]\nid = "a"\nname = = "b"\n')
    (problem,) = problems(lambda: load_catalog(folder))
    assert problem.file.endswith("sites.toml")
    assert "line 3" in problem.message


SITE = '\n[[site]]\nid = "x"\nname = "x"\nsource = "s"\nconfidence = "estimate"\n'


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ('power_mw = "20"', "power_mw", "is text, not a number"),
        ("power_mw = true", "power_mw", "is true or false"),
        ("power_mw = nan", "power_mw", "not a finite"),
        ("power_mw = inf", "power_mw", "not a finite"),
        (f"power_mw = {'9' * 400}", "power_mw", "implausibly large"),
        ("power_mw = -1", "power_mw", "negative"),
        ("power_mv = 1", "power_mv", "unknown column"),
        ("country = 82", "country", "is a number, not text"),
        ("country = 2026-09-01", "country", "not text"),
        ("country = { a = 1 }", "country", "not text"),
    ],
)
def test_toml_value_is_refused_with_its_line(folder: Path, text: str, field: str, message: str) -> None:
    append(folder, "sites.toml", SITE + text + "\n")
    line = (folder / "sites.toml").read_text().splitlines().index('id = "x"')
    (problem,) = problems(lambda: load_catalog(folder))
    assert problem.field == field
    assert message in problem.message
    assert problem.row == f"line {line}, id x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[site]\nid = "x"\n', "is not an array of tables"),
        ('[[sites]]\nid = "x"\n', "unknown key"),
        ("site = [1, 2]\n", "is not a row"),
        ("x = " + "[" * 5000, "is not TOML"),
        (f"x = {'9' * 5000}", "is not TOML"),
        ('[[site]]\nname = "x"\n', "is empty"),
    ],
)
def test_toml_of_the_wrong_shape(folder: Path, text: str, message: str) -> None:
    (folder / "sites.toml").write_text(text)
    found = problems(lambda: load_catalog(folder))
    assert any(message in problem.message for problem in found)
    assert all(problem.file.endswith("sites.toml") for problem in found)


def test_workload_references_are_checked(folder: Path) -> None:
    text = (folder / "workloads.toml").read_text()
    text = text.replace('model_id = "kimi-k2"', 'model_id = "kimi-2"', 1).replace('"fp8", "bf16"', '"fp8", "bf61"', 1)
    text = text.replace('"weka_agentic_coding_odd:ttl"', '"weka:ttl"', 1)
    (folder / "workloads.toml").write_text(text)
    found = problems(lambda: load_catalog(folder))
    assert len(found) == 3
    assert "kimi-k2" in only(found, field="model_id").hint
    assert "bf16" in only(found, field="weight_precisions").hint
    assert "reuse.curve" in only(found, field="reuse_curve").message


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.binary(max_size=200),
    name=st.sampled_from(["racks.csv", "sites.toml", "calibration.csv", "schema.csv"]),
)
def test_no_file_content_ends_in_a_traceback(folder: Path, data: bytes, name: str) -> None:
    good = (default_folder() / name).read_bytes() if (default_folder() / name).exists() else b"id\n"
    for content in (data, good[:150] + data, good + data):
        (folder / name).write_bytes(content)
        try:
            load_catalog(folder)
        except InputError as error:
            assert error.problems
    (folder / name).write_bytes(good)
