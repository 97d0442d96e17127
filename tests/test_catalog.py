"""The catalog as a whole: folders, layers, overlays, and what makes two catalogs the same."""

from __future__ import annotations

import pickle
import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalog_files import edit, only, problems, read, write

from solver.catalog import Catalog, Row, default_folder, load_catalog
from solver.parts import Accelerator, Cooling, MemoryDevice, Precision, Rack


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog that comes with the program."""
    return load_catalog()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the catalog folder that a test may spoil."""
    return Path(shutil.copytree(default_folder(), tmp_path / "mine"))


def test_missing_table_and_unknown_table(folder: Path) -> None:
    (folder / "memory.csv").rename(folder / "memry.csv")
    found = problems(lambda: load_catalog(folder))
    assert "memory.csv" in only(found, message="unknown table").hint
    assert only(found, message="no such file").file.endswith("memory.csv")
    assert len(found) == 2


def test_table_in_the_wrong_format_is_refused(folder: Path) -> None:
    (folder / "sites.toml").rename(folder / "sites.csv")
    assert "sites.toml" in only(problems(lambda: load_catalog(folder)), message="unknown table").hint


def test_missing_folders_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "catalogs").mkdir()
    (tmp_path / "file").write_text("x")
    wanted = [tmp_path / "catalgs", tmp_path / "file", "", "a\0b", tmp_path / ("x" * 5000)]
    found = problems(lambda: load_catalog(*wanted))
    assert len(found) == len(wanted)
    assert str(tmp_path / "catalogs") in found[0].hint
    assert "not a folder" in found[1].message


def test_folder_without_tables(tmp_path: Path) -> None:
    (problem,) = problems(lambda: load_catalog(tmp_path))
    assert "no catalog tables" in problem.message


def test_relative_folder_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> None:
    monkeypatch.chdir(folder.parent)
    assert load_catalog("mine") == catalog
    assert load_catalog("mine").origin("racks", "air_17kw") == "mine/racks.csv, line 2"


def test_folder_that_holds_only_some_tables_cannot_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "racks.csv").write_text("id,price_central_usd\nair_17kw,9000\n")
    found = problems(lambda: load_catalog(tmp_path))
    assert "base folder first" in only(found, file="accelerators.csv").hint


# layers and overlays


def test_later_folder_overrides_by_id_and_keeps_the_rest(tmp_path: Path, catalog: Catalog) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "racks.csv").write_text("price_central_usd,id,weight_kg\n9000,air_17kw,\n")
    both = load_catalog(default_folder(), layer)
    changed, before = both.row("racks", "air_17kw"), catalog.row("racks", "air_17kw")
    assert changed["price_central_usd"] == 9000.0
    assert changed["weight_kg"] == before["weight_kg"]
    assert {k for k in changed if changed[k] != before[k]} == {"price_central_usd"}
    assert both.origin("racks", "air_17kw") == "layer/racks.csv, line 2"
    assert both.origin("racks", "air_40kw") == "catalogs/racks.csv, line 3"
    assert both.hash != catalog.hash


def test_new_row_in_a_partial_file_must_be_complete(tmp_path: Path) -> None:
    (tmp_path / "racks.csv").write_text("id,price_central_usd\nair_17kw,9000\nown_rack,9000\n")
    found = problems(lambda: load_catalog(default_folder(), tmp_path))
    assert {"cooling", "usable_kw", "source", "confidence"} <= {problem.field for problem in found}
    assert all("own_rack" in problem.message for problem in found)


def test_overlay_changes_a_copy_and_says_so(catalog: Catalog) -> None:
    hash_before = catalog.hash
    new = catalog.overlay({"accelerators": [{"id": "h100_sxm", "tdp_w": 650}], "racks": []})
    assert new.row("accelerators", "h100_sxm")["tdp_w"] == 650.0
    assert new.typed(Accelerator, "h100_sxm").tdp_w == 650.0
    assert new.origin("accelerators", "h100_sxm") == "overlay"
    assert new.origin("accelerators", "h200_sxm").startswith("catalogs/accelerators.csv, line ")
    assert catalog.row("accelerators", "h100_sxm")["tdp_w"] == 700.0
    assert catalog.typed(Accelerator, "h100_sxm").tdp_w == 700.0
    assert catalog.hash == hash_before != new.hash
    assert new.overlay({"accelerators": [{"id": "h100_sxm", "tdp_w": 700}]}) == catalog


def test_overlay_adds_a_row_and_fills_defaults(catalog: Catalog) -> None:
    row = {"id": "mine", "name": "Mine", "model_id": "llama-3.1-8b", "isl_tokens": 100, "osl_tokens": 50,
           "weight_precisions": ["fp8"], "kv_precision": "bf16", "source": "me", "confidence": "estimate"}  # fmt: skip
    new = catalog.overlay({"workloads": [row]}).row("workloads", "mine")
    assert new["weight_precisions"] == ("fp8",)
    assert (new["kv_read_frac"], new["arrival_cv"], new["ttft_s"]) == (1.0, 1.0, None)


def test_overlay_none_clears_an_optional_value_but_not_a_required_one(catalog: Catalog) -> None:
    new = catalog.overlay({"accelerators": [{"id": "b200_sxm", "fp4_dense_tflops": None}]})
    assert new.typed(Accelerator, "b200_sxm").fp4_dense_flop_per_s is None
    found = problems(lambda: catalog.overlay({"accelerators": [{"id": "b200_sxm", "tdp_w": None}]}))
    assert only(found, field="tdp_w").message == "is empty"


def test_overlay_takes_numpy_numbers_but_not_text(catalog: Catalog) -> None:
    new = catalog.overlay(
        {"accelerators": [{"id": "h100_sxm", "tdp_w": np.float32(650), "scaleup_domain": np.int64(4)}]}
    )
    value = new.row("accelerators", "h100_sxm")
    assert (type(value["tdp_w"]), type(value["scaleup_domain"])) == (float, int)
    found = problems(lambda: catalog.overlay({"accelerators": [{"id": "h100_sxm", "tdp_w": "650"}]}))
    assert "is text" in found[0].message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"acelerators": []}, "unknown table"),
        ({"racks": "air"}, "is not a list of rows"),
        ({"racks": {"id": "air_17kw"}}, "is not a list of rows"),
        ({"racks": [["air_17kw"]]}, "is not a row"),
        ({"racks": [{"price_central_usd": 1}]}, "is empty"),
        ({"racks": [{"id": 7}]}, "is a number, not text"),
        ({"racks": [{"id": "air_17kw"}, {"id": "air_17kw"}]}, "appears twice"),
        ({"racks": [{"id": "air_17kw", "colour": "red"}]}, "unknown column"),
        ({"racks": [{"id": "air_17kw", "cooling": "ice"}]}, "names nothing in cooling"),
        ({"racks": [{"id": "air_17kw", "usable_kw": float("nan")}]}, "not a finite number"),
        ({"racks": [{"id": "air_17kw", "price_low_usd": 20_000}]}, "exceeds"),
    ],
)
def test_bad_overlay_is_refused_like_a_bad_file(catalog: Catalog, rows: Any, message: str) -> None:
    found = problems(lambda: catalog.overlay(rows))
    assert any(message in problem.message for problem in found)
    assert all(problem.file == "overlay" for problem in found)


def test_overlay_lists_all_its_problems(catalog: Catalog) -> None:
    rows = {
        "racks": [{"id": "air_17kw", "usable_kw": -1, "cooling": "ice"}],
        "links": [{"id": "pcie5_x16", "peak": 1}],
    }
    assert {problem.field for problem in problems(lambda: catalog.overlay(rows))} == {
        "usable_kw",
        "cooling",
        "peak",
    }


# removal


def test_overlay_takes_a_row_away_and_brings_it_back(catalog: Catalog) -> None:
    row = dict(catalog.row("racks", "air_17kw"))
    less = catalog.overlay({"racks": [{"id": "air_17kw", "remove": True}, {"id": "air_40kw", "remove": False}]})
    assert set(catalog.tables["racks"]) - set(less.tables["racks"]) == {"air_17kw"}
    assert less.hash != catalog.hash
    assert less.overlay({"racks": [row]}) == catalog


def test_folder_takes_rows_away_and_clears_cells(tmp_path: Path, catalog: Catalog) -> None:
    """What the layer says of a removed row beside its id does not matter; `(empty)` clears, an empty cell keeps."""
    (tmp_path / "racks.csv").write_text("id,remove,weight_kg,cooling\nair_17kw,yes,heavy,ice\nair_40kw,,(empty),\n")
    (tmp_path / "sites.toml").write_text('[[site]]\nid = "us_1mw"\nremove = true\n')
    both = load_catalog(default_folder(), tmp_path)
    assert "air_17kw" not in both.tables["racks"] and "us_1mw" not in both.tables["sites"]
    assert catalog.row("racks", "air_40kw")["weight_kg"] is not None
    assert both.row("racks", "air_40kw")["weight_kg"] is None
    assert both.row("racks", "air_40kw")["cooling"] == catalog.row("racks", "air_40kw")["cooling"]
    again = tmp_path / "again"
    again.mkdir()
    (again / "racks.csv").write_text("id,price_central_usd\nair_17kw,9000\n")
    found = problems(lambda: load_catalog(default_folder(), tmp_path, again))
    assert any("air_17kw" in problem.message for problem in found), "a removed row comes back whole or not at all"


def test_removed_row_that_others_name_is_refused(catalog: Catalog) -> None:
    found = problems(lambda: catalog.overlay({"cooling": [{"id": "rear_door", "remove": True}]}))
    assert {p.message for p in found} == {"names a removed row of cooling"}
    users = [row.id for row in catalog.rows("racks") if row["cooling"] == "rear_door"]
    assert users and {p.row.split(", id ")[1] for p in found} == set(users)
    gone = {"cooling": [{"id": "rear_door", "remove": True}], "racks": [{"id": name, "remove": True} for name in users]}
    assert "rear_door" not in catalog.overlay(gone).tables["cooling"]


@pytest.mark.parametrize(
    ("row", "message", "hint"),
    [
        ({"id": "air_17kv", "remove": True}, "names no row", "air_17kw"),
        ({"id": "air_17kw", "remove": "perhaps"}, "is neither yes nor no", ""),
        ({"id": "air_17kw", "remove": 1}, "is a number, not yes or no", ""),
        ({"remove": True}, "is empty", ""),
    ],
)
def test_bad_removal_is_refused(catalog: Catalog, row: Any, message: str, hint: str) -> None:
    (problem,) = problems(lambda: catalog.overlay({"racks": [row]}))
    assert problem.message == message and hint in problem.hint


# identity


def test_hash_depends_on_content_only(folder: Path, catalog: Catalog) -> None:
    """Rows, columns and the spelling of numbers may move; a changed value may not go unnoticed."""
    rng = random.Random(7)
    for path in folder.glob("*.csv"):
        if path.name == "schema.csv":
            continue
        header, *rows = read(path)
        rng.shuffle(rows)
        order = rng.sample(range(len(header)), len(header))
        write(path, [[cells[i] for i in order] for cells in [header, *rows]])
    shuffled = load_catalog(folder)
    assert shuffled.hash == catalog.hash
    assert [row.id for row in shuffled.rows("platforms")] == [row.id for row in catalog.rows("platforms")]
    edit(folder, "links", lambda records: [cells.__setitem__(records[0].index("peak_gb_s"), "6.3e1")
                                           for cells in records if "pcie5_x16" in cells] and None)  # fmt: skip
    assert load_catalog(folder).hash == catalog.hash
    edit(folder, "links", lambda records: [cells.__setitem__(records[0].index("peak_gb_s"), "64")
                                           for cells in records if "pcie5_x16" in cells] and None)  # fmt: skip
    assert load_catalog(folder).hash != catalog.hash


def test_catalog_survives_pickling(catalog: Catalog) -> None:
    again = pickle.loads(pickle.dumps(catalog))
    assert again == catalog
    assert again.origin("racks", "air_17kw") == catalog.origin("racks", "air_17kw")
    assert hash(again) == hash(catalog)


def test_catalog_is_frozen(catalog: Catalog) -> None:
    row = catalog.row("racks", "air_17kw")
    with pytest.raises(AttributeError):
        row.id = "other"
    with pytest.raises(TypeError):
        row["usable_kw"] = 1.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        catalog.tables = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        catalog.tables["racks"]["new"] = row  # type: ignore[index]
    assert isinstance(row, Row)


def test_unknown_table_and_row_get_a_close_match(catalog: Catalog) -> None:
    assert "'racks'" in problems(lambda: catalog.rows("rack"))[0].hint
    assert "'h100_sxm'" in problems(lambda: catalog.row("accelerators", "h100sxm"))[0].hint
    assert "'air'" in problems(lambda: catalog.typed(Cooling, "aire"))[0].hint


def test_typed_records_are_in_si_and_built_once(catalog: Catalog) -> None:
    part = catalog.typed(Accelerator, "h100_sxm")
    assert part is catalog.typed(Accelerator, "h100_sxm")
    assert (part.mem_bytes, part.mem_bw_bytes_per_s, part.bf16_dense_flop_per_s) == (80e9, 3350e9, 989e12)
    assert catalog.typed(Rack, "air_17kw").usable_w == 17e3
    assert catalog.typed(Precision, "fp4").quality_gate is True
    assert catalog.typed(Cooling, "liquid").accepts == ("liquid", "warm_liquid")
    assert len(catalog.all(MemoryDevice)) == len(catalog.rows("memory"))


def test_loading_is_fast() -> None:
    load_catalog()
    start = time.perf_counter()
    load_catalog()
    assert time.perf_counter() - start < 0.3
