"""Figures at which parts enter or leave: confirmed by whole solves on both sides; dates; devices off the menu."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import solved

from solver.answers import render_explained
from solver.catalog import Catalog
from solver.design import Design
from solver.errors import InputError
from solver.explain import explain
from solver.explaining import attributes
from solver.explaining.attributes import ATTRIBUTES, rows_with
from solver.explaining.entry import OFF_MENU
from solver.solve import solve
from solver.study import Study


@cache
def study() -> Study:
    """The solved study with two more servers to choose from, one of which does not pay."""
    base = solved.study()
    left = [part for part in base.exclude if part not in ("dgx_h100", "dgx_b200")]
    return base.with_changes({"exclude": left, "solver.gap": 0.005})


@cache
def explained() -> Design:
    return explain(
        study(), solved.catalog(), ["entry_prices", "attributes"],
        parts=["dgx_h100", "dgx_b200", "nvme_micron_9550pro_30tb"], attributes=["power", "date", "endurance"],
    )  # fmt: skip


def record(part: str, attribute: str) -> dict[str, Any]:
    found = explained().explained["attributes"]
    return next(r for r in found if (r["part"], r["attribute"]) == (part, attribute))


def changed(part: str, attribute: str, factor: float) -> Catalog:
    return solved.catalog().overlay(rows_with(solved.catalog(), part, ATTRIBUTES[attribute], factor))


def nodes(part: str, catalog: Catalog) -> float:
    bill = solve(study(), catalog).bill_of_materials
    return sum(line["quantity"] for line in bill if line["part"] == part)


def test_a_server_enters_where_it_draws_so_many_fewer_watts() -> None:
    found = record("dgx_h100", "power")
    assert found["answer"] == attributes.ENTERS and 0.25 < found["factor"] < 0.9
    assert nodes("dgx_h100", changed("dgx_h100", "power", 0.8 * found["factor"])) > 0
    assert nodes("dgx_h100", changed("dgx_h100", "power", 1.05 * found["factor"])) == 0


def test_a_server_leaves_where_it_draws_so_many_more() -> None:
    found = record("dgx_b200", "power")
    assert found["answer"] == attributes.LEAVES and 1.0 < found["factor"] < 4.0
    assert nodes("dgx_b200", solved.catalog()) > 0
    assert nodes("dgx_b200", changed("dgx_b200", "power", 1.05 * found["factor"])) == 0


@pytest.mark.slow
def test_worth_of_a_part_is_what_the_site_loses_without_it() -> None:
    found = record("dgx_b200", "date")
    design = explained()
    without = solve(study().with_changes({"exclude": [*study().exclude, "dgx_b200"]}), solved.catalog())
    rate = study().site.power_mw
    lost = rate * (design.objective["value"] - without.objective["value"])
    room = rate * design.objective["value"] * 2.0 * study().solver.gap
    assert found["gain_low"] - room <= lost <= found["gain_high"] + room


def test_a_part_that_is_late_is_worth_what_it_would_add() -> None:
    late = solved.catalog().overlay({"platforms": [{"id": "dgx_b200", "year_available": "2030-01"}]})
    found = explain(study(), late, ["attributes"], parts=["dgx_b200"], attributes=["date"]).explained["attributes"][0]
    assert found["answer"] == attributes.WORTH and not found["in_build"]
    assert found["quantity"] > 0 and found["gain_high"] > 0.0


def test_what_a_part_has_not_is_said() -> None:
    assert record("dgx_h100", "endurance")["answer"] == attributes.OTHER_TABLE
    assert "enters at" in render_explained(explained())


def test_a_device_off_the_menu_is_told_by_which_price_it_would_be_on() -> None:
    device = "nvme_micron_9550pro_30tb"
    found = next(r for r in explained().explained["entry_prices"] if r["part"] == device)
    assert found["answer"] == OFF_MENU and found["in_place_of"]
    tables = solved.catalog().tables["memory"]
    rival = tables[found["in_place_of"]]
    assert (rival["tier"], rival["bay"]) == (tables[device]["tier"], tables[device]["bay"])


def test_attributes_that_are_unknown_or_of_no_part_are_refused() -> None:
    with pytest.raises(InputError) as raised:
        explain(study(), solved.catalog(), ["attributes"], attributes=["watts"])
    assert "watts" in str(raised.value) and "attributes need a part" in str(raised.value)
