"""Ranges in place of numbers: which inputs take one, what can be typed, what comes out."""

from __future__ import annotations

import pytest
from solved import catalog, study

from solver.errors import InputError
from solver.whatif.sweeps import MOST, checked, proposed, sweep_rows, sweepable, values_of


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
            checked(study(), item["path"], values_of(text, item["unit"], whole=item["whole"]))
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
        checked(study(), "site.power_mw", [-1.0, 0.0, 0.5])
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
