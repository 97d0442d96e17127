"""Ranges in place of numbers: which inputs take one, what can be typed, what comes out."""

from __future__ import annotations

import pages
import pytest
from solved import catalog, design, study

from solver.errors import InputError
from solver.whatif.kinds import RUNNERS, Job
from solver.whatif.store import Request
from solver.whatif.sweeps import (
    MOST,
    cells_of,
    checked,
    proposed,
    rows_of,
    step_of,
    sweep_rows,
    sweepable,
    tables_of,
    values_of,
)
from solver.whatif.warm import Warm


def test_inputs_that_can_be_swept_are_what_a_study_takes() -> None:
    found = {item["path"]: item for item in sweepable(study(), catalog())}
    for path in ("site.power_mw", "site.budget_usd", "workload.tool_agent.ttft_s", "finance.wacc_percent",
                 "supply.platform.hgx_h200_8", "workload.batch_offline.requests_per_s"):  # fmt: skip
        assert path in found, path
    assert found["site.power_mw"] == {
        "path": "site.power_mw",
        "section": "site",
        "name": "power",
        "unit": "MW",
        "value": 0.5,
        "whole": False,
    }
    assert found["workload.tool_agent.ttft_s"]["value"] == catalog().row("workloads", "tool_agent")["ttft_s"], (
        "of the catalog"
    )
    assert found["supply.platform.hgx_h200_8"]["whole"] and found["supply.platform.hgx_h200_8"]["value"] == 8
    assert not {
        "site.price_quarter",
        "build.tiers",
        "build.power_caps",
        "workload.tool_agent.share",
        "site.budget",
    } & set(found)
    for path, item in found.items():
        if item["value"] is not None:
            assert study().with_changes({path: item["value"]}), path


def test_proposed_ranges_are_ranges_that_the_study_takes() -> None:
    known = 0
    for item in sweepable(study(), catalog()):
        text = proposed(item)
        if text:
            known += 1
            checked(study(), item["path"], values_of(text, item["unit"], whole=item["whole"]), catalog())
    assert known > 15
    assert proposed({"path": "site.floor_m2", "value": None, "whole": False}) == ""


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [("10, 20, 40", "", [10, 20, 40]), ("10:30:5", "", [10, 15, 20, 25, 30]), ("40; 20", "MW", [20, 40]),
     ("0.5 MW, 800 kW", "MW", [0.5, 0.8]), ("1,000, 2,000", "", [1000, 2000]), ("$10M, 2e7", "USD", [1e7, 2e7]),
     ("10:31:5", "", [10, 15, 20, 25, 30]), ("0:.3:.1", "", [0.0, 0.1, 0.2, 0.3]), ("5, 5, 6", "", [5, 6])],
)  # fmt: skip
def test_typed_ranges(text: str, unit: str, expected: list[float]) -> None:
    assert values_of(text, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [("10", "two or more"), ("", "two or more"), ("10:30", "from:to:step"), ("30:10:5", "from below to"), ("1:2:0", "from:to:step"),
     ("a, b", "a number"), ("1:1000:0.01", f"{MOST} at most"), ("1e9:2e9:1e-300", f"{MOST} at most"), ("10 kg, 20 kg", "kg")],
)  # fmt: skip
def test_what_is_no_range_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        values_of(text, "MW")


def test_whole_numbers() -> None:
    assert [type(v) for v in values_of("1:3:1", whole=True)] == [int] * 3
    with pytest.raises(InputError, match="whole"):
        values_of("1, 1.5", whole=True)


def test_values_that_the_study_refuses_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        checked(study(), "site.power_mw", [-1.0, 0.0, 0.5], catalog())
    assert len(caught.value.problems) == 2


def test_rows_of_an_outcome() -> None:
    goal = {"name": "tokens_per_mw", "unit": "tokens/s/MW", "value": 5.0, "bound": 6.0, "gap": 0.2}
    result = {"path": "site.power_mw", "sweep": [
        {"value": 2.0, "status": "optimal", "objective": goal, "kpis": {"capex_usd": {"value": 7.0, "unit": "USD"}}, "nodes": {"p": 3}, "message": ""},
        {"value": 1.0, "status": "infeasible", "objective": {}, "kpis": {}, "nodes": {}, "message": "no power"},
        {"value": 3.0, "status": "bad input", "message": "no"},
    ]}  # fmt: skip
    rows = sweep_rows(result)
    assert [row["value"] for row in rows] == [1.0, 2.0, 3.0]
    assert rows[0]["result"] is None and rows[0]["message"] == "no power"
    assert (rows[1]["result"], rows[1]["bound"], rows[1]["unit"]) == (5.0, 6.0, "tokens/s/MW")
    money = sweep_rows(result, "capex_usd")[1]
    assert (money["result"], money["bound"], money["unit"]) == (7.0, None, "USD")


def test_numbers_of_the_catalog_can_be_swept_too() -> None:
    cells = {item["name"]: item for item in cells_of(catalog(), "platforms", "mi300x_8")}
    price = next(item for item in cells.values() if item["path"].endswith("/price_central_usd"))
    assert price["unit"] == "USD" and price["value"] == catalog().row("platforms", "mi300x_8")["price_central_usd"]
    assert set(tables_of(catalog())) <= set(catalog().tables)
    assert next(iter(cells.values())) == price, "the price first"
    for item in cells.values():
        checked(study(), item["path"], [item["value"]], catalog())


def test_bought_parts_are_offered_first() -> None:
    found = rows_of(catalog(), "platforms", design())
    bought = {line["part"] for line in design().bill_of_materials} & set(catalog().tables["platforms"])
    assert set(found[: len(bought)]) == bought and sorted(found) == sorted(catalog().tables["platforms"])
    assert rows_of(catalog(), "racks") == list(catalog().tables["racks"])


def test_a_price_beyond_its_range_takes_the_range_along() -> None:
    row = catalog().row("platforms", "mi300x_8")
    for value, low, high in ((1e5, 1e5, row["price_high_usd"]), (1e6, row["price_low_usd"], 1e6)):
        changes, cells = step_of("catalog/platforms/mi300x_8/price_central_usd", value, catalog())
        made = catalog().overlay(cells).row("platforms", "mi300x_8")
        assert changes == {} and (made["price_low_usd"], made["price_central_usd"], made["price_high_usd"]) == (
            low,
            value,
            high,
        )
    assert step_of("site.power_mw", 2.0, catalog()) == ({"site.power_mw": 2.0}, {})


def test_a_cell_that_the_catalog_refuses_is_refused() -> None:
    with pytest.raises(InputError, match="accelerators"):
        checked(study(), "catalog/platforms/mi300x_8/accelerators", [-3, 8], catalog())


def test_a_price_is_swept_over_a_warm_study() -> None:
    """Two megawatts of money: what a dearer server leaves, and the study's own price is back afterwards."""
    small = study(**pages.SMALL).with_changes({"site.budget_usd": 2e6, "site.floor_m2": None})
    warm, published = Warm(), []
    path = "catalog/platforms/mi300x_8/price_central_usd"
    request = Request("sweep", small.to_dict(), {}, {"path": path, "values": [1e5, 2e5, -1.0, 4e5]})
    job = Job(request, warm, lambda event: None, lambda: False, lambda: False, published.append)
    rows = sweep_rows(RUNNERS["sweep"](job))
    assert [row["status"] for row in rows][0] == "bad input" and len(published) == 4
    reached = [row["result"] for row in rows[1:]]
    assert reached == sorted(reached, reverse=True) and reached[0] > 1.3 * reached[-1]
    assert warm.resident(request).catalog == warm.catalog(request)
