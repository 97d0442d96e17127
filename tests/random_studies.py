"""Random studies over the full catalog: a few classes with promises of their own, limits, options and objectives.

Sizes follow from the site's megawatts, so that most studies have a build; some do not, and must say why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from solver.catalog import Catalog
from solver.servable import why_not_evaluated, why_not_served
from solver.study import Study, study_from_dict

OBJECTIVES = ("tokens_per_mw", "tokens_per_mw", "tokens", "tokens_per_used_mw", "tokens_per_tco_dollar", "tco", "power",
              "profit")  # fmt: skip
"""Drawn from, the chief one twice as often."""
NEED_FLOOR = ("tokens_per_used_mw", "tokens_per_tco_dollar", "tco", "power")
PARTS_A_STUDY = (2, 6)
"""Platforms with accelerators that a study may buy: few, so that every candidate can be kept for comparison."""
TOKENS_A_MW = 2e4
"""Output tokens/s of a megawatt that any build reaches with room to spare; it sets the stated rates."""


class Draw:
    """Draws of one study."""

    def __init__(self, seed: int) -> None:
        self.seed, self.rng, self.trust = seed, np.random.default_rng([seed, 20]), np.random.default_rng([seed, 21])

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """Return a number between two bounds, by ratio, three digits."""
        return float(f"{low * (high / low) ** self.rng.random():.3g}")

    def pick(self, items: Any, count: int | None = None) -> Any:
        """Return one of some items, or some of them without repeats."""
        if count is None:
            return items[int(self.rng.integers(len(items)))]
        return [items[int(k)] for k in self.rng.choice(len(items), min(count, len(items)), replace=False)]


def random_study(seed: int, catalog: Catalog) -> Study:
    """Return the study of a seed.

    Parameters
    ----------
    seed : int
    catalog : Catalog
    """
    draw = Draw(seed)
    objective, megawatts = draw.pick(OBJECTIVES), draw.between(0.3, 40.0)
    fixed = draw.chance(0.4)
    floor = objective in NEED_FLOOR or draw.chance(0.2)
    scale = {"max_scale": draw.between(2.0, 20.0)} if not fixed and objective == "tokens" else {}
    study: dict[str, Any] = {
        "name": f"random {seed}",
        "site": _site(draw, megawatts),
        "workload": _classes(draw, catalog, megawatts, priced=objective == "profit", fixed=fixed),
        "demand": {
            "mode": "fixed" if fixed else "mix",
            "floor_frac": draw.between(0.02, 0.5) if floor else 0.0,
            **scale,
        },
        "objective": {
            "name": objective,
            "tokens": draw.pick(["output", "all"] if objective == "profit" else ["output", "all", "value"]),
            "power": draw.pick(["provisioned", "drawn"]),
        },
        "build": _build(draw),
        "solver": {"gap": 0.01, "time_limit_s": 20.0, "threads": 1},
    }
    _parts(draw, catalog, study, megawatts)
    return study_from_dict(study)


def _site(draw: Draw, megawatts: float) -> dict[str, Any]:
    """Draw the place: megawatts always, other limits at times."""
    site: dict[str, Any] = {
        "power_mw": megawatts,
        "price_quarter": draw.pick(["2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3"]),
        "available_by": draw.pick(["2025-06", "2026-06", "2026-12", "2027-12"]),
    }
    if draw.chance(0.5):
        site["budget_usd"] = megawatts * draw.between(5e6, 60e6)
    if draw.chance(0.3):
        site["floor_m2"] = megawatts * draw.between(40.0, 300.0)
    if draw.chance(0.15):
        site["co2_kg_per_s"] = megawatts * draw.between(0.05, 0.3)
    if draw.chance(0.15):
        site["usable_power_frac"], site["fixed_mw"] = draw.between(0.7, 1.0), 0.02 * megawatts
    if draw.chance(0.2):
        site["tax_percent"], site["discount_percent"] = draw.between(2.0, 25.0), {"NVIDIA": draw.between(1.0, 30.0)}
    return site


def _classes(draw: Draw, catalog: Catalog, megawatts: float, *, priced: bool, fixed: bool) -> list[dict[str, Any]]:
    """Draw two to four classes, their rates and their promises."""
    rows = [row for row in catalog.rows("workloads") if why_not_served(row, None, catalog) is None]
    chosen = draw.pick(rows, int(draw.rng.integers(2, 5)))
    classes = []
    for row in chosen:
        rate = megawatts * TOKENS_A_MW / len(chosen) / row["osl_tokens"] * draw.between(0.2, 2.0)
        made: dict[str, Any] = {"id": row["id"], "requests_per_s": float(f"{rate:.3g}")}
        if draw.chance(0.6) and row["ttft_s"]:
            made["ttft_s"] = row["ttft_s"] * draw.between(0.6, 6.0)
        if draw.chance(0.6) and row["tpot_s"]:
            made["tpot_s"] = row["tpot_s"] * draw.between(0.5, 4.0)
        if draw.chance(0.3):
            made["percentile"] = draw.pick([0.5, 0.9, 0.99])
        if draw.chance(0.2) and row["model_id"] == "llama-3.1-70b":
            made["kv_precision"] = "bf16"
        if priced:
            made["price_usd_per_million_tokens"] = draw.between(0.1, 20.0)
        if priced and fixed and draw.chance(0.4):
            made["unmet_usd_per_request"] = draw.between(1e-5, 1e-2)
        if draw.chance(0.3):
            made["value_per_token"] = draw.between(0.2, 5.0)
        classes.append(made)
    return classes


def _build(draw: Draw) -> dict[str, Any]:
    """Draw practical limits and options of the menu; the grid of batches is coarse."""
    build: dict[str, Any] = {
        "batch_points_per_octave": 1,
        "power_caps": draw.pick([[1.0], [1.0], [1.0, 0.7]]),
        "tiers": not draw.chance(0.2),
        "reuse_segments": int(draw.rng.integers(1, 5)),
    }
    if draw.chance(0.25):
        build["max_platforms"] = int(draw.rng.integers(1, 4))
    if draw.chance(0.2):
        build["max_candidates_per_class_role"] = int(draw.rng.integers(2, 4))
    if draw.chance(0.15):
        build["roles"] = draw.pick([["mixed"], ["prefill", "decode"]])
    if draw.chance(0.15):
        build["menu"] = "full"
    if draw.chance(0.15):
        build["whole_replicas"] = True
    elif draw.seed % 4:  # the search over whole replicas takes seconds; every fourth study of the default is enough
        build["whole_replicas"] = False
    if draw.chance(0.15):
        build["spares_days"] = draw.between(2.0, 60.0)
    if draw.chance(0.15):
        build["n_plus_one"] = True
    if draw.chance(0.2):
        build["port_shares"] = draw.pick([[1.0], [0.25, 1.0]])
    if draw.chance(0.1):
        build["max_share_per_vendor"] = draw.between(0.55, 0.9)
    for name in ("max_estimated_capex_share", "max_estimated_power_share"):
        if draw.trust.random() < 0.15:
            build[name] = float(draw.trust.uniform(0.1, 0.9))
    return build


def _parts(draw: Draw, catalog: Catalog, study: dict[str, Any], megawatts: float) -> None:
    """Draw which platforms may be bought, how many of some, and what is owned."""
    rows = [row for row in catalog.rows("platforms") if not why_not_evaluated(row, catalog)]
    hosts = [row for row in rows if row["accelerators"]]
    chosen = draw.pick(hosts, int(draw.rng.integers(PARTS_A_STUDY[0], PARTS_A_STUDY[1] + 1)))
    kept = {row["id"] for row in chosen}
    study["allow"] = sorted(kept)
    study["exclude"] = [row["id"] for row in catalog.rows("platforms") if row["accelerators"] and row["id"] not in kept]
    study["supply"] = {"platform": {row["id"]: int(draw.rng.integers(0, 200)) for row in chosen if draw.chance(0.3)}}
    if draw.chance(0.2):
        watts = float(chosen[0]["node_max_w"] or 1e4)
        study["fleet"] = [{"platform": chosen[0]["id"], "quantity": max(1, int(0.1 * megawatts * 1e6 / watts))}]
