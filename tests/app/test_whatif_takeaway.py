"""What is taken away gives the run again, and no spreadsheet runs it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shlex
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from solved import catalog, design, study
from typer.testing import CliRunner

from solver.catalog import load_catalog
from solver.cli import app
from solver.design import Design
from solver.study import load_study, study_from_dict
from solver.whatif.inputs import presets
from solver.whatif.store import Request, Run
from solver.whatif.takeaway import (
    FOLDER,
    STUDY_FILE,
    commands,
    csv_zip,
    file_name,
    html_text,
    reproduction,
    sheet_csv,
    study_toml,
    xlsx_bytes,
)

OVERLAY = {"platforms": [{"id": "hgx_h200_8", "price_central_usd": 330000.5}],
           "sites": [{"id": "us_1mw", "floor_m2": 175.25}]}  # fmt: skip


def run(kind: str = "solve", overlay: Any = None, name: str = "", **options: Any) -> Run:
    asked = Request(kind, study().to_dict(), overlay or {}, options)
    return Run("r" * 22, "w" * 22, name, "a note", "done", "2026-11-25T14:00:00+00:00", 1.0, asked)


@pytest.mark.parametrize("name", [*presets(), "odd"])
def test_a_study_goes_to_toml_and_back(name: str, tmp_path: Path) -> None:
    made = presets().get(name) or study(
        name='quo"te \\ \u2028 \x7f \x01 \U0001f600', fleet=[{"platform": "hgx_h200_8", "quantity": 2}],
        supply={"platform": {"hgx_h200_8": {"quantity": 8, "basis": "quote", "note": "a = 'b'\n[x]"}}, "memory": {}},
        site={"power_mw": 1e-3, "discount_percent": {"A & B.C": 5.0, "NVIDIA": 1e-7}},
    )  # fmt: skip
    text = study_toml(made.to_dict())
    assert study_from_dict(tomllib.loads(text)).to_dict() == made.to_dict()
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    assert load_study(tmp_path / "s.toml").hash == made.hash


def test_the_archive_gives_the_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the archive is understood, and reads the study and the changed rows."""
    made = run(overlay=OVERLAY)
    data = reproduction(catalog().schema, made, {"design": dataclasses.asdict(design())}, catalog())
    assert data == reproduction(catalog().schema, made, {"design": dataclasses.asdict(design())}, catalog())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert not any(name.startswith("/") or ".." in name for name in names)
        archive.extractall(tmp_path)
    assert {
        STUDY_FILE,
        "run.sh",
        "README.txt",
        "result.json",
        f"{FOLDER}/platforms.csv",
        f"{FOLDER}/sites.toml",
    } == set(names)
    changed = load_catalog(Path("catalogs"), tmp_path / FOLDER)
    assert changed.hash == catalog().overlay(OVERLAY).hash
    assert load_study(tmp_path / STUDY_FILE).hash == study().hash
    line = commands(made.request)[0]
    assert line in (tmp_path / "run.sh").read_text() and line in (tmp_path / "README.txt").read_text()
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)
    assert words[0] == "tierwatt" and words[-2:] == ["--json", "design.json"]
    done = CliRunner().invoke(app, [*words[1:], "--gap", "0.05", "--no-baselines", "--quiet"])
    assert done.exit_code == 0, done.output
    assert Design.read(tmp_path / "design.json").study["name"] == "half"


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (run("explain", sections=["ladder", "entry_prices"]),
         "tierwatt explain study.toml --ladder --entry-prices --json design.json"),
(run("explain", sections=["entry_prices"], parts=["mi300x_8"], depth=2, promised=None),
         "tierwatt explain study.toml --entry-prices --part mi300x_8 --depth 2 --every-promise --json design.json"),
        (run("pareto", x="capex", points=5), "tierwatt pareto study.toml --x capex --points 5 --json front.json"),
        (run("quote", part="mi300x_8", price_usd=5e4, quantity=3),
         "tierwatt check-quote study.toml --part mi300x_8 --price 50000.0 --quantity 3"),
        (run("sweep", path="site.power_mw", values=[1.5, 2.0]),
         "tierwatt solve study.toml --set site.power_mw=1.5 --no-baselines --json design_01.json"),
    ],
)  # fmt: skip
def test_every_kind_has_its_command(made: Run, line: str) -> None:
    assert commands(made.request)[0] == line
    words = shlex.split(line)[1:]
    help_text = CliRunner().invoke(app, [words[0], "--help"]).output
    assert all(word in help_text for word in words if word.startswith("--"))


def test_sheets_are_tidy_and_run_nothing() -> None:
    made = design().replace(study=design().study | {"name": "=cmd|' /C calc'!A0", "description": "@SUM(1)"})
    with zipfile.ZipFile(io.BytesIO(csv_zip(made))) as archive:
        for name in archive.namelist():
            for row in csv.reader(io.StringIO(archive.read(name).decode())):
                assert not any(cell[:1] in ("=", "@") for cell in row), name
        frame = pd.read_csv(io.BytesIO(archive.read("kpis.csv")))
    assert set(frame["kpi"]) == set(made.kpis)
    assert sheet_csv([{"a": "-2+3", "b": -1.5, "c": None}]).splitlines()[1] == "'-2+3,-1.5,"
    book = pd.read_excel(io.BytesIO(xlsx_bytes(made)), sheet_name=None, engine="calamine")
    assert book["pools"].shape[0] == len(made.pools)


def test_the_page_names_the_command_and_escapes_the_catalog() -> None:
    made = design().replace(study=design().study | {"description": "<script>alert(1)</script>"})
    text = html_text(made, run())
    assert "tierwatt solve study.toml" in text and "<script>alert(1)" not in text


@pytest.mark.parametrize("name", ["../../etc/passwd", 'a"b\r\nX: y', "한국어", ""])
def test_file_names_are_plain(name: str) -> None:
    made = file_name(run(name=name), "json")
    assert made.isascii() and not set(made) & set('/\\"\r\n .') - {"."} and made.endswith("-rrrrrr.json")
    json.dumps(made)
