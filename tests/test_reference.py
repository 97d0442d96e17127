"""The reference study: what it is tuned to show, and that its design stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.solve import solve
from solver.study import load_study

STUDIES = Path(__file__).parent.parent / "studies"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def reference(catalog: Catalog) -> Design:
    return solve(load_study(STUDIES / "reference.toml"), catalog)


def used(design: Design, limit: str) -> float:
    """Share of a limit that the design uses."""
    record = next(item for item in design.limits if item["id"] == limit)
    return float(record["used"] / record["value"])


def test_solved_to_a_thousandth_and_audited(reference: Design) -> None:
    assert reference.status == "optimal"
    assert reference.objective["gap"] <= 0.001 * (1 + 1e-6)
    assert reference.audit["ok"] and reference.audit["checks"] > 500


def test_megawatts_bind(reference: Design) -> None:
    """The largest server is 0.1% of the site, so less than that share of the megawatts may stay unused."""
    assert used(reference, "site.power_mw") > 0.998


def test_a_supply_limit_binds(reference: Design) -> None:
    shares = [item["used"] / item["value"] for item in reference.limits if item["id"].startswith("supply.")]
    assert max(shares) == 1.0


def test_money_nearly_binds(reference: Design) -> None:
    assert used(reference, "site.budget_usd") > 0.97


def test_more_than_one_vendor_and_generation(reference: Design) -> None:
    platforms = reference.catalog["rows"]["platforms"]
    bought = {line["part"] for line in reference.bill_of_materials if line["kind"] == "platform"}
    assert len({platforms[part]["vendor"] for part in bought}) >= 2
    assert len({platforms[part]["year_available"] for part in bought}) >= 2


def test_every_class_is_served_in_its_proportion(reference: Design) -> None:
    asked = {w["id"]: w["requests_per_s"] for w in reference.study["workload"]}
    served: dict[str, float] = dict.fromkeys(asked, 0.0)
    for item in reference.load:
        if item["role"] != "prefill":
            served[item["class"]] += item["requests_per_s"]
    scales = {name: served[name] / asked[name] for name in asked}
    assert max(scales.values()) == pytest.approx(min(scales.values()), rel=1e-6)


def test_survives_saving(reference: Design, tmp_path: Path) -> None:
    reference.save(tmp_path / "design.json")
    assert Design.read(tmp_path / "design.json") == reference
