"""A study that is solved in seconds, for tests of what is said of a solved design."""

from __future__ import annotations

from functools import cache
from typing import Any

from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.solve import solve
from solver.study import Study, study_from_dict

KEPT = ("mi300x_8", "hgx_h200_8", "storage_flash_2u24")


@cache
def catalog() -> Catalog:
    """Return the catalog that comes along."""
    return load_catalog()


def study(**more: Any) -> Study:
    """Return half a megawatt for two priced classes: hits from flash that wears, a batch class without promises."""
    others = [row.id for row in catalog().rows("platforms") if row.id not in KEPT]
    return study_from_dict(
        {
            "name": "half",
            "site": {"power_mw": 0.5, "fixed_mw": 0.01, "budget_usd": 9e6, "id": "us_1mw", "tax_percent": 5.0},
            "supply": {"platform": {"hgx_h200_8": 8}},
            "demand": {"mode": "mix"},
            "workload": [
                {"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0,
                 "price_usd_per_million_tokens": 4.0},
                {"id": "batch_offline", "requests_per_s": 2.0, "price_usd_per_million_tokens": 2.0},
            ],
            "build": {"power_caps": [1.0, 0.7], "batch_points_per_octave": 4, "whole_replicas": False},
            "solver": {"gap": 0.01},
            "exclude": others,
        }
        | more
    )  # fmt: skip


@cache
def design() -> Design:
    """Return its audited design, with baselines."""
    return solve(study(), catalog(), baselines=True)
