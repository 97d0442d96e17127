"""Scripted studies: their form, what the committed results name, and one of them run in miniature."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from solver.catalog import load_catalog
from solver.scenario import resolve
from solver.servable import why_not_served
from solver.study import load_study

STUDIES = Path(__file__).parent.parent / "studies"
RESULTS = STUDIES / "results"
SCRIPTS = sorted(STUDIES.glob("[0-9][0-9]_*.py"))
NAMES = [path.stem for path in SCRIPTS]


def script(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a script as it is run, with its folder on the path."""
    monkeypatch.syspath_prepend(str(STUDIES))
    spec = importlib.util.spec_from_file_location(f"study_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_studies_and_no_results_without_one() -> None:
    assert SCRIPTS
    assert {path.stem for path in RESULTS.glob("*.md")} == set(NAMES)


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_a_study_asks_a_question_and_has_its_inputs_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = script(path, monkeypatch)
    assert (module.__doc__ or "").splitlines()[0].endswith("?")
    assert callable(module.main) and callable(module.rows) and callable(module.draw) and callable(module.findings)
    inputs = importlib.import_module("common").load_inputs(path.with_suffix(".toml"))
    assert inputs.study.solver.gap <= 0.005
    assert set(tomllib.loads(path.with_suffix(".toml").read_text())["miniature"]) <= set(inputs.sweep)


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_results_name_one_catalog_and_every_number_has_a_unit(path: Path) -> None:
    page = (RESULTS / f"{path.stem}.md").read_text()
    files = sorted(RESULTS.glob(f"{path.stem}*.csv"))
    assert files and (RESULTS / f"{path.stem}.svg").stat().st_size < 300_000
    for file in files:
        table = pd.read_csv(file, dtype={"catalog_hash": str})
        (found,) = set(table["catalog_hash"])
        assert re.fullmatch("[0-9a-f]{12}", found) and f"Catalog {found}" in page
        numbers = [c for c in table.columns if pd.api.types.is_numeric_dtype(table[c]) and c not in ("segment", "caps")]
        assert numbers and all(re.search(r" \[[^]]+\]$", column) for column in numbers), numbers
        assert f"]({file.name})" in page


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_a_page_is_what_its_csv_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding typed by hand, or left from an older run, would differ."""
    for file in RESULTS.glob(f"{path.stem}*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert script(path, monkeypatch).main(["--page-only", "--out", str(tmp_path)]) == 0
    assert (tmp_path / f"{path.stem}.md").read_text() == (RESULTS / f"{path.stem}.md").read_text()


def test_the_readme_gives_the_answers_of_the_pages() -> None:
    readme = " ".join((STUDIES.parent / "README.md").read_text().split())
    for path in SCRIPTS:
        found = re.search(r"^\*\*(.+)\*\*$", (RESULTS / f"{path.stem}.md").read_text(), re.MULTILINE)
        assert found and f"(studies/results/{path.stem}.md) {found[1]}" in readme


def test_a_study_runs_in_miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = STUDIES / "02_apart_or_together.py"
    module = script(path, monkeypatch)
    assert module.main(["--miniature", "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / f"{path.stem}.csv")
    tokens = table.set_index("way")["tokens [tokens/s/MW]"]
    assert set(tokens.index) == set(module.WAYS)
    allowed = 1 - table["gap [share]"].max() - 1e-6
    assert tokens["free"] >= tokens[["apart", "together"]].max() * allowed  # more choice is never worse
    assert "<svg" in (tmp_path / f"{path.stem}.svg").read_text()


def test_the_studies_share_one_way_to_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STUDIES))
    common = importlib.import_module("common")
    assert common.percent(0.1234) == "+12.3%" and common.percent(-0.5, 0) == "-50%"
    table = common.markdown_table(pd.DataFrame({"a": ["x"], "b [W]": [1234.5]}), 1)
    assert table.splitlines() == ["| a | b [W] |", "|---|---|", "| x | 1,234.5 |"]
    sys.modules.pop("common")


def test_the_study_of_all_classes_has_them_all_and_the_benchmark_twenty() -> None:
    catalog = load_catalog()
    served = {row.id for row in catalog.rows("workloads") if not why_not_served(row, None, catalog)}
    kinds = {row.id: row["kind"] for row in catalog.rows("workloads")}
    study = load_study(STUDIES / "all_classes.toml")
    assert {spec.id for spec in study.workload} == {name for name in served if kinds[name] in ("tokens", "shape")}
    spec = importlib.util.spec_from_file_location("bench", STUDIES.parent / "benchmarks" / "bench.py")
    assert spec and spec.loader
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    assert len(resolve(*bench.twenty()).workloads) == 20
