"""A design as rows for a page: figures with their definition and what they are compared with, the build in words."""

from __future__ import annotations

from typing import Any

import pytest
from solved import design

from solver.design import Design
from solver.whatif.views import (
    CARDS,
    assumption_rows,
    bill_rows,
    build_lines,
    currency,
    headlines,
    limit_rows,
    other_rows,
    promise_rows,
    worth_of_power,
)


def scaled(made: Design, name: str, factor: float) -> Design:
    kpi = made.kpis[name]
    return made.replace(kpis=made.kpis | {name: kpi | {"value": kpi["value"] * factor}})


def test_four_cards_each_with_what_it_counts() -> None:
    cards = headlines(design())
    assert len(cards) == CARDS and all(card["definition"] and card["value"] for card in cards)
    first = cards[0]
    assert first["unit"] == "tokens/s/MW" and "output tokens/s over the contracted MW" in first["definition"]
    gain = design().baselines[0]["gain_frac"]
    assert first["against"] == design().baselines[0]["name"] and first["delta"].startswith("+" if gain >= 0 else "-")
    within = abs(gain) <= design().objective["gap"]
    assert first["better"] == (None if within else gain >= 0)


def test_cards_against_another_design_say_which_way_is_better() -> None:
    made = design()
    base = scaled(scaled(made, "capex_usd", 0.8), "output_tokens_per_s", 2.0)
    base = base.replace(objective=base.objective | {"value": base.objective["value"] * 0.5})
    cards = {card["name"]: card for card in headlines(made, base, "before")}
    goal = cards[made.objective["title"]]
    assert (goal["delta"], goal["better"], goal["against"]) == ("+100%", True, "before")
    assert (cards["Capital outlay"]["delta"], cards["Capital outlay"]["better"]) == ("+25%", False)
    assert (cards["Output tokens per second"]["delta"], cards["Output tokens per second"]["better"]) == ("-50%", False)
    assert all(card["delta"] == "0%" and card["better"] is None for card in headlines(made, made, "itself"))


def test_another_objective_is_not_compared() -> None:
    made = design()
    base = made.replace(objective=made.objective | {"name": "tco"})
    assert "delta" not in headlines(made, base, "before")[0]


def test_the_build_holds_every_node_once() -> None:
    lines = build_lines(design())
    assert sum(line["quantity"] for line in lines) == sum(pool["quantity"] for pool in design().pools)
    assert sum(line["accelerators"] for line in lines) == design().kpis["accelerators"]["value"]
    for line in lines:
        assert sum(fit["quantity"] for fit in line["fits"]) == line["quantity"]
        assert sum(role["share"] for role in line["roles"]) == pytest.approx(1.0, abs=0.02)
        assert line["name"] != line["platform"] and line["vendor"]
        capped = sum(p["quantity"] for p in design().pools if p["platform"] == line["platform"] and p["cap"] < 1)
        assert sum(cap["quantity"] for cap in line["caps"]) == (capped if line["accelerators"] else 0)


def test_owned_nodes_are_called_so() -> None:
    made = design()
    line = made.bill_of_materials[0]
    owned = made.replace(bill_of_materials=[line | {"owned": True}, *made.bill_of_materials[1:]])
    assert [one["platform"] for one in build_lines(owned) if one["owned"]] == [line["part"]]
    assert not any(one["owned"] for one in build_lines(made))


def test_the_bill_adds_up_in_the_study_s_currency() -> None:
    made = design()
    assert sum(row["capex"] for row in bill_rows(made)) == pytest.approx(made.kpis["capex_usd"]["value"])
    won = made.replace(study=made.study | {"site": made.study["site"] | {"currency": "KRW", "fx": 1400.0}})
    assert currency(won) == "KRW" and bill_rows(won)[0]["capex"] == pytest.approx(1400.0 * bill_rows(made)[0]["capex"])


def test_promises_stand_tightest_first() -> None:
    rows = promise_rows(design())
    assert rows and all(row["kept"] and row["slowest"] <= row["promised"] * (1 + 1e-6) for row in rows)
    assert [row["left"] for row in rows] == sorted(row["left"] for row in rows)


def test_limits_say_what_is_used_and_what_more_is_worth() -> None:
    made = design()
    item: dict[str, Any] = {"id": "site.power_mw", "marginal": 0.5, "unit": "W", "gain_unit": "tokens/s",
                            "usd_per_year": 3.0, "usd_basis": "x"}  # fmt: skip
    told = made.replace(explained={"worth": [item]})
    row = next(row for row in limit_rows(told) if row["id"] == "site.power_mw")
    assert row["worth"] == "+500.00 k tokens/s / MW" and row["name"] == "Provisioned power at the utility meter"
    assert worth_of_power(told) == {
        "gain": "500.00 k tokens/s",
        "usd_per_year": "3.00 MUSD",
        "usd_basis": "x",
        "binds": True,
    }
    assert worth_of_power(made) is None and not next(iter(limit_rows(made)))["worth"]
    names = {row["id"]: row["name"] for row in limit_rows(made)}
    assert names["supply.platform.hgx_h200_8"].startswith("supply of ")


def test_other_builds_and_assumptions() -> None:
    made = design()
    rows = other_rows(made)
    assert len(rows) == len(made.baselines) + 1 and rows[-1]["name"].startswith("best without")
    shown = assumption_rows(made)
    assert len(shown) == len(made.assumptions) and [row["changed"] for row in shown] == sorted(
        (row["changed"] for row in shown), reverse=True
    )
