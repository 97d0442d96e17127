"""Runs side by side: inputs that differ, key figures against a baseline, builds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from solved import catalog, design, study

from solver.kpis import KPIS
from solver.study import study_from_dict
from solver.whatif.compare import LESS, MORE, better, build_rows, change_frac, flat, input_changes, kpi_rows
from solver.whatif.store import Request, Run


def run(changes: dict[str, Any] | None = None, overlay: dict[str, Any] | None = None) -> Run:
    asked = Request("solve", study().with_changes(changes or {}).to_dict(), overlay or {})
    return Run("a" * 22, "w" * 22, "", "", "done", "2026-01-01", 1.0, asked)


def test_every_changed_key_of_the_study_is_a_row() -> None:
    changes = {
        "site.power_mw": 0.75,
        "workload.tool_agent.ttft_s": 1.0,
        "supply.platform.hgx_h200_8": 12,
        "site.budget_usd": None,
    }
    rows = {row["what"]: row for row in input_changes(run(), run(changes), catalog())}
    assert set(rows) == set(changes)
    assert (rows["site.power_mw"]["before"], rows["site.power_mw"]["after"], rows["site.power_mw"]["unit"]) == (
        0.5,
        0.75,
        "MW",
    )
    assert rows["site.power_mw"]["change_frac"] == pytest.approx(0.5)
    assert rows["supply.platform.hgx_h200_8"]["after"] == 12
    assert rows["site.budget_usd"]["change_frac"] is None and rows["site.budget_usd"]["after"] is None


def test_paths_of_rows_are_paths_that_a_study_takes() -> None:
    whole = study().to_dict()
    for path, value in flat(whole).items():
        if path.split(".")[0] not in ("fleet", "name", "description") and not isinstance(value, list | dict):
            assert study().with_changes({path: value}).to_dict() == whole, path


def test_name_and_threads_are_no_inputs() -> None:
    other = run({"solver.threads": 1})
    renamed = dict(other.request.study, name="another")
    other = Run(**{**vars(other), "request": Request("solve", renamed)})
    assert input_changes(run(), other, catalog()) == []


def test_a_class_that_one_run_lacks_is_shown() -> None:
    data = study().to_dict()
    fewer = study_from_dict(data | {"workload": data["workload"][:1]})
    other = Run("b" * 22, "w" * 22, "", "", "done", "", 1.0, Request("solve", fewer.to_dict()))
    rows = {row["what"]: row for row in input_changes(run(), other, catalog())}
    assert rows["workload.batch_offline.requests_per_s"]["before"] == 2.0
    assert rows["workload.batch_offline.requests_per_s"]["after"] is None


def test_changed_cells_of_the_catalog_are_rows_with_units() -> None:
    cheap = {"platforms": [{"id": "mi300x_8", "price_central_usd": 152000.0}]}
    rows = input_changes(run(), run(overlay=cheap), catalog())
    assert len(rows) == 1 and rows[0]["where"] == "platforms" and rows[0]["what"].startswith("mi300x_8 ")
    assert rows[0]["after"] == 152000.0 and rows[0]["change_frac"] == pytest.approx(-0.2)
    back = input_changes(run(overlay=cheap), run(), catalog())
    assert (back[0]["before"], back[0]["after"]) == (rows[0]["after"], rows[0]["before"])
    assert input_changes(run(overlay=cheap), run(overlay=cheap), catalog()) == []


def test_every_key_figure_has_a_direction_or_is_known_to_have_none() -> None:
    neither = {"new_input_tokens_per_s", "accelerators", "accelerator_board_w", "node_wall_w", "it_w"}
    assert not MORE & LESS and MORE | LESS | neither == set(KPIS)


@pytest.mark.parametrize(
    ("kpi", "before", "after", "expected"),
    [("tokens_per_mw", 1.0, 2.0, True), ("tokens_per_mw", 2.0, 1.0, False), ("capex_usd", 2.0, 1.0, True),
     ("capex_usd", 1.0, 2.0, False), ("capex_usd", 1.0, 1.0 + 1e-12, None), ("accelerators", 1.0, 2.0, None)],
)  # fmt: skip
def test_better(kpi: str, before: float, after: float, expected: bool | None) -> None:
    assert better(kpi, before, after) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(2.0, 3.0, 0.5), (-2.0, -1.0, 0.5), (0.0, 1.0, None), (None, 1.0, None), ("a", 1.0, None), (True, 1.0, None), (math.nan, 1.0, None)],
)  # fmt: skip
def test_change_frac(before: Any, after: Any, expected: float | None) -> None:
    assert change_frac(before, after) == (None if expected is None else pytest.approx(expected))


def twice() -> dict[str, Any]:
    """The design, and one with half its tokens, less money and a rack less."""
    first = design()
    kpis = {name: dict(kpi, value=kpi["value"] * 0.5) for name, kpi in first.kpis.items()}
    bill = [dict(line) for line in first.bill_of_materials]
    bill[0] |= {"quantity": bill[0]["quantity"] - 1}
    gone = bill.pop()
    return {"one": first, "two": first.replace(kpis=kpis, bill_of_materials=bill), "gone": gone}


def test_key_figures_are_set_against_the_baseline() -> None:
    runs = twice()
    rows = {row["id"]: row for row in kpi_rows({k: runs[k] for k in ("one", "two")}, "one")}
    tokens, money = rows["tokens_per_mw"], rows["capex_usd"]
    assert tokens["deltas"] == {"one": 0.0, "two": pytest.approx(-0.5)}
    assert tokens["better"] == {"one": None, "two": False} and money["better"]["two"] is True
    assert tokens["basis"] and tokens["unit"] == "tokens/s/MW"
    against_two = {row["id"]: row for row in kpi_rows({k: runs[k] for k in ("one", "two")}, "two")}
    assert against_two["tokens_per_mw"]["deltas"]["one"] == pytest.approx(1.0)


def test_objectives_that_are_no_key_figure_have_a_row_where_they_are_the_same() -> None:
    first = design()
    cost = {"name": "tco", "title": "Yearly cost", "unit": "USD/year", "sense": "min", "value": 10.0}
    runs = {"a": first.replace(objective=cost), "b": first.replace(objective=cost | {"value": 8.0})}
    row = kpi_rows(runs, "a")[0]
    assert row["id"] == "tco" and row["deltas"]["b"] == pytest.approx(-0.2) and row["better"] == {"a": None, "b": True}
    assert kpi_rows({"a": runs["a"], "b": first}, "a")[0]["id"] != "tco"


def test_a_run_without_a_build_has_no_figures() -> None:
    first = design()
    rows = kpi_rows({"a": first, "b": first.replace(status="infeasible", kpis={}, bill_of_materials=[])}, "a")
    assert all(row["values"]["b"] is None and row["deltas"]["b"] is None and row["better"]["b"] is None for row in rows)


def test_builds_say_what_more_and_what_less() -> None:
    runs = twice()
    rows = {row["part"]: row for row in build_rows({k: runs[k] for k in ("one", "two")}, "one")}
    first, gone = design().bill_of_materials[0], runs["gone"]
    assert rows[first["id"]]["changes"]["two"] == -1.0 and rows[first["id"]]["differs"]
    assert rows[gone["id"]]["quantities"]["two"] == 0.0 and rows[gone["id"]]["changes"]["two"] == -gone["quantity"]
    spent = [float(line["capex_usd"]) for line in sorted(design().bill_of_materials, key=lambda b: -b["capex_usd"])]
    assert spent[0] == next(float(b["capex_usd"]) for b in design().bill_of_materials if b["id"] == next(iter(rows)))
