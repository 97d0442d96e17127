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


VARIANTS: dict[str, dict[str, Any]] = {
    "lengths, drafts, fleet": {
        "workload": [
            {"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0, "percentile_over": "lengths",
             "isl_cv": 0.6, "system_tokens": 800.0},
            {"id": "rag_qa", "model_id": "gpt-oss-120b", "requests_per_s": 2.0, "promise_on": "per_1k_new_tokens",
             "arrival_cv": 1.5},
        ],
        "site": {"power_mw": 0.5, "id": "us_1mw", "discount_percent": {"AMD": 5.0}, "electricity_usd_per_mwh": 70.0},
        "finance": {"facility": "own", "load_factor": 0.6, "residual_percent": 5.0},
        "fleet": [{"platform": "hgx_h200_8", "quantity": 2}],
        "build": {"power_caps": [1.0, 0.7], "batch_points_per_octave": 3, "draft_tokens": [0, 3],
                  "draft_acceptance": 0.7},
    },
    "profit, hits promised, latent attention": {
        "demand": {"mode": "fixed"},
        "objective": {"name": "profit"},
        "workload": [
            {"id": "tool_agent", "requests_per_s": 30.0, "price_usd_per_million_tokens": 4.0,
             "unmet_usd_per_request": 1e-3, "promise_on": "hit"},
            {"id": "chat_short", "model_id": "deepseek-v3", "requests_per_s": 500.0,
             "price_usd_per_million_tokens": 2.0, "unmet_usd_per_request": 1e-4},
        ],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 3, "scale_up_handover": False},
    },
}  # fmt: skip
"""What differs from the study: other promises, roles, models, money."""


@cache
def variant(name: str) -> Design:
    """Return the audited design of a variant."""
    return solve(study(**VARIANTS[name]), catalog())
