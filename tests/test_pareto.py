"""Fronts: points against independent solves, spacing, no dominated point, a front known by hand, the command."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_model_shares import two

from solver import fronts
from solver.catalog import Catalog, load_catalog
from solver.charts import figures
from solver.cli import main
from solver.design import Record
from solver.errors import InputError
from solver.explaining.axes import axis
from solver.explaining.pareto import pareto
from solver.highs import Clock
from solver.optimise import relaxed_model
from solver.scenario import resolve
from solver.shares import SHARES
from solver.solve import solve
from solver.study import Study, study_from_dict

KEPT = ("hgx_h100_8",)
GAP = 0.01


@cache
def catalog() -> Catalog:
    return load_catalog()


@cache
def study() -> Study:
    """Half a megawatt of short chats on one kind of server, few batch sizes."""
    others = [row.id for row in catalog().rows("platforms") if row.id not in KEPT]
    return study_from_dict({
        "name": "front",
        "site": {"power_mw": 0.5, "id": "us_1mw"},
        "workload": [{"id": "chat_short", "requests_per_s": 1.0}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 1, "router_width": 1, "tiers": False,
                  "reuse_segments": 1},
        "solver": {"gap": GAP, "threads": 1},
        "exclude": others,
    })  # fmt: skip


@cache
def front(x: str, points: int = 5, y: str | None = None, **options: Any) -> Record:
    return pareto(study(), catalog(), x, y, points, **options)


@cache
def choice() -> Study:
    """The same for two kinds of server, one of which rests on estimates, prices and watts."""
    both = (*KEPT, "mi300x_8")
    return study().with_changes({"exclude": [row.id for row in catalog().rows("platforms") if row.id not in both]})


@cache
def trusted(x: str) -> Record:
    return pareto(choice(), catalog(), x, points=5)


@pytest.mark.parametrize("x", ["capex", "power", "co2", *SHARES])
def test_points_agree_with_solves_of_their_own(x: str) -> None:
    """Proves each point: the study with the point's changes, solved cold, is neither better nor worse by more than gaps."""
    found, of = (trusted(x), choice()) if x in SHARES else (front(x), study())
    along = axis(x, resolve(of, catalog()))
    assert len(found["points"]) >= 4
    for point in found["points"]:
        alone = solve(of.with_changes(point["changes"]), catalog())
        assert alone.objective["value"] <= point["y_bound"] * (1 + 1e-9)
        assert point["y"] <= alone.objective["bound"] * (1 + 1e-9)
        assert point["gap"] <= GAP * (1 + 1e-6)
        if point["limit"] is not None:
            assert point["x"] <= point["limit"] * (1 + 1e-6)
            assert along.value(alone, 0.0) <= point["limit"] * (1 + 1e-6)


@pytest.mark.parametrize("x", ["capex", "power", "co2", "tpot", *SHARES])
def test_no_point_is_dominated_and_none_equal(x: str) -> None:
    points = (trusted(x) if x in SHARES else front(x))["points"]
    for one, next_one in zip(points, points[1:], strict=False):
        assert next_one["x"] > one["x"]
        assert next_one["y"] > one["y"] * (1 + GAP / 2)


def test_limits_are_evenly_spaced_between_the_anchors() -> None:
    """Whole servers: a point uses what fits below its limit, and no less than one server less than that."""
    found = front("capex")
    low, high = found["ends"]
    limits = [p["limit"] for p in found["points"] if p["limit"] is not None]
    steps = np.linspace(low, high, len(limits))
    assert limits == pytest.approx(steps, rel=1e-6)
    server = solve(study().with_changes({"supply.platform.hgx_h100_8": 1}), catalog()).kpis["capex_usd"]["value"]
    for point in found["points"]:
        if point["limit"] is not None:
            assert point["limit"] - 1.01 * server <= point["x"]


@pytest.mark.parametrize("x", SHARES)
def test_limits_of_a_share_are_evenly_spaced(x: str) -> None:
    """The loose anchor is no more than what the best build has; a step below the strict one there are next to none."""
    found = trusted(x)
    low, high = found["ends"]
    limits = sorted([*(p["limit"] for p in found["points"] if p["limit"] is not None), *found["infeasible"]])
    places = [(limit - low) / (high - low) * 4.0 for limit in limits]
    assert places == pytest.approx(np.round(places), abs=1e-6) and len(limits) >= 3
    best = solve(choice(), catalog())
    assert 0.0 <= low - (high - low) / 4.0 < 0.1 < 0.5 < high <= best.kpis[x]["value"] * (1 + 1e-9)
    assert found["points"][0]["x"] < 0.35 and found["points"][-1]["y"] <= best.objective["bound"]
    shown, drawn = fronts.front(found), figures.pareto(found)
    assert (
        drawn is not None and drawn.layout.xaxis.tickformat == ".0%" and "[share]" not in drawn.layout.xaxis.title.text
    )
    assert f"{100.0 * found['points'][0]['x']:.1f}%" in shown and " share\n" not in shown


def test_the_least_share_of_a_relaxation() -> None:
    """Proves Use.least by hand: 6 kW that must serve 40 requests/s, 10 of a node of estimates, 4 of another.

    10 x + 4 y = 40 with x + y = 6 is x = 8 / 3, a share of 4 / 9; in 4 kW all four are estimates.
    """
    for megawatts, least in ((0.006, 4.0 / 9.0), (0.004, 1.0)):
        changes = {"site.power_mw": megawatts, "demand.floor_frac": 0.4, "build.max_estimated_capex_share": 1.0}
        data, clock = two(changes), Clock(60.0, threads=1)
        use = axis("estimated_capex_share", data.scenario).use
        assert use is not None
        ready = relaxed_model(data, clock)
        assert use(ready).least(ready.program, clock) == pytest.approx(least, rel=1e-6)


def test_a_share_that_is_limited_already_stays_so() -> None:
    """Proves that the front of a study with a limit of its own ends there."""
    found = pareto(
        choice().with_changes({"build.max_estimated_capex_share": 0.4}), catalog(), "estimated_capex_share", points=2
    )
    assert found["ends"][1] <= 0.4 and all(p["x"] <= 0.4 * (1 + 1e-6) for p in found["points"])


def test_a_front_known_by_hand() -> None:
    """So many servers at most, all alike: tokens go with their number, and money too, so that every point is one ray."""
    points = front("capex")["points"]
    per_dollar = [p["y"] / p["x"] for p in points]
    assert per_dollar == pytest.approx([per_dollar[0]] * len(points), rel=2 * GAP)


def test_a_limit_beyond_what_the_best_build_needs_is_merged() -> None:
    """Ten and twenty times the money buy nothing more where power binds."""
    best = solve(study(), catalog())
    capex = best.kpis["capex_usd"]["value"]
    found = pareto(study(), catalog(), "capex", points=3, ends=(0.5 * capex, 20.0 * capex))
    assert len(found["points"]) == 2 and found["merged"] == 1
    assert found["points"][-1]["y"] <= best.objective["bound"]


def test_a_promise_that_cannot_be_kept_is_said() -> None:
    found = pareto(study(), catalog(), "workload.chat_short.tpot_s", points=2, ends=(1e-6, 0.2))
    assert found["infeasible"] == [1e-6]
    assert [p["x"] for p in found["points"]] == [0.2]
    assert "no build at" in fronts.front(found)


def test_another_objective() -> None:
    """Yearly cost is minimised: a stricter carbon limit cannot make it cheaper."""
    floor = study().with_changes(
        {"demand.mode": "fixed", "demand.floor_frac": 1.0, "workload.chat_short.requests_per_s": 20.0}
    )
    found = pareto(floor, catalog(), "power", "tco", 3)
    assert found["sense_y"] == "min" and found["y"] == "tco"
    assert found["points"] and found["points"][0]["changes"]["objective.name"] == "tco"
    values = [p["y"] for p in found["points"]]
    assert values == sorted(values, reverse=True)


def test_stopped_fronts_keep_what_they_have() -> None:
    """Stops after the first two designs are done."""
    done = []

    def report(event: dict[str, Any]) -> None:
        done.append(event["phase"] == "done" or "polish" in event["phase"])

    found = pareto(study(), catalog(), "capex", points=6, on_progress=report, should_stop=lambda: sum(done) >= 2)
    assert found["stopped_by"] == "user"
    assert 1 <= len(found["points"]) < 6


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        ("capx", {}, "capex"),
        ("workload.chat_short.tpt_s", {}, "tpot_s"),
        ("capex", {"points": 1}, "two or more"),
        ("capex", {"ends": (2.0, 1.0)}, "the lower first"),
        ("capex", {"y": "tokns"}, "unknown objective"),
    ],
)
def test_bad_questions_are_refused(x: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        pareto(study(), catalog(), x, **options)


def test_command_prints_and_writes_the_front(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    record = front("capex")
    asked: list[Any] = []
    monkeypatch.setattr("solver.explaining.pareto.pareto", lambda *a, **k: asked.append((a, k)) or record)
    target, sheet = tmp_path / "front.json", tmp_path / "front.csv"
    study_file = str(Path(__file__).parent / "one.toml")
    words = ["pareto", study_file, "--x", "capex", "--points", "5", "--json", str(target), "--csv", str(sheet), "-q"]
    with pytest.raises(SystemExit) as left:
        main([*words, "--from", "1e6", "--to", "2e6"])
    assert left.value.code == 0
    assert asked[0][0][2:5] == ("capex", None, 5) and asked[0][1]["ends"] == (1e6, 2e6)
    shown = capsys.readouterr().out
    assert shown.count("#") > 40 and "Capital outlay" in shown
    assert all(len(text) <= 100 for text in shown.splitlines())
    assert json.loads(target.read_text()) == json.loads(json.dumps(record))
    rows = list(csv.DictReader(sheet.read_text().splitlines()))
    assert [float(row["x [USD]"]) for row in rows] == [p["x"] for p in record["points"]]
    with pytest.raises(SystemExit) as left:
        main(["pareto", study_file, "--x", "capex", "--from", "1"])
    assert left.value.code == 2
