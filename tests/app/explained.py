"""Explained sections as `solver.explain` writes them, small: for tests of what is drawn of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import solved

from solver.design import Design

BOTTLENECKS: list[dict[str, Any]] = [
    {"id": "site.power_mw", "name": "Provisioned power at the utility meter", "unit": "W", "value": 5e5, "used": 499897.6,
     "slack": 102.4, "marginal": 0.2, "how": "solved again", "per_percent_frac": 0.0096, "gain_unit": "tokens/s",
     "steps": [
         {"step": 25e3, "share": 0.05, "gain_low": 3962.0, "gain_high": 5784.0, "marginal_low": 0.158, "marginal_high": 0.231},
         {"step": 50e3, "share": 0.10, "gain_low": 9000.0, "gain_high": 11000.0, "marginal_low": 0.18, "marginal_high": 0.22},
     ],
     "capex_usd": 340.0, "usd_per_year": 20.0, "usd_basis": "revenue at the prices of the classes"},
    {"id": "hardware.compute", "name": "accelerator FLOPs", "unit": "share", "value": 1.0, "used": None, "slack": None,
     "marginal": 8e4, "how": "solved again", "per_percent_frac": 0.0078, "gain_unit": "tokens/s", "steps": [],
     "capex_usd": None, "usd_per_year": None, "usd_basis": ""},
    {"id": "site.floor_m2", "name": "Floor with aisles", "unit": "m2", "value": 150.0, "used": 60.0, "slack": 90.0, "marginal": 0.0,
     "how": "proved", "per_percent_frac": 0.0, "gain_unit": "tokens/s", "capex_usd": None, "usd_per_year": None, "usd_basis": "",
     "steps": [{"step": 7.5, "share": 0.05, "gain_low": 0.0, "gain_high": 0.0, "marginal_low": 0.0, "marginal_high": 0.0}]},
    {"id": "promise.tool_agent.ttft", "name": "TTFT of tool_agent", "unit": "s", "value": 2.0, "used": 1.2, "slack": 0.8,
     "marginal": None, "how": "", "per_percent_frac": None, "gain_unit": "tokens/s", "steps": [], "capex_usd": None,
     "usd_per_year": None, "usd_basis": ""},
]  # fmt: skip
LADDER: dict[str, Any] = {"unit": "tokens/s", "step": 0.25, "rungs": [
    {"rung": 0, "relaxed": "", "name": "", "from": None, "to": None, "unit": "", "value": 102016.0, "bound": 102886.0,
     "gain_low": 0.0, "gain_high": 0.0, "gain_frac": 0.0, "bottleneck": "site.power_mw",
     "bottleneck_name": "Provisioned power at the utility meter", "per_percent_frac": 0.0096},
    {"rung": 1, "relaxed": "site.power_mw", "name": "Provisioned power at the utility meter", "from": 5e5, "to": 6.25e5,
     "unit": "W", "value": 125246.0, "bound": 125786.0, "gain_low": 22360.0, "gain_high": 23770.0, "gain_frac": 0.185,
     "bottleneck": "hardware.compute", "bottleneck_name": "accelerator FLOPs", "per_percent_frac": 0.0075},
    {"rung": 2, "relaxed": "hardware.compute", "name": "accelerator FLOPs", "from": 1.0, "to": 1.25, "unit": "x",
     "value": 149280.0, "bound": 150052.0, "gain_low": 23493.0, "gain_high": 24807.0, "gain_frac": 0.315,
     "bottleneck": "", "bottleneck_name": "", "per_percent_frac": None},
]}  # fmt: skip
PRICES: list[dict[str, Any]] = [
    {"part": "dimm", "kind": "memory", "name": "RDIMM 64GB", "vendor": "A maker", "in_build": True, "answer": "leaves above",
     "price_now_usd": 1600.0, "relaxed_usd": 3200.0, "low_usd": 3000.0, "high_usd": 13500.0, "order": 112, "quantity": 768,
     "fewer_watts_frac": -0.01, "proved": True},
    {"part": "server", "kind": "platform", "name": "8-way server", "vendor": "B maker", "in_build": False,
     "answer": "never at any price", "price_now_usd": 342701.6, "relaxed_usd": None, "low_usd": None, "high_usd": 1.4e6,
     "order": 1, "quantity": None, "fewer_watts_frac": 0.118, "proved": True},
    {"part": "drive", "kind": "memory", "name": "QLC drive", "vendor": "C maker", "in_build": False, "answer": "enters below",
     "price_now_usd": 1000.0, "relaxed_usd": 900.0, "low_usd": None, "high_usd": 950.0, "order": 8, "quantity": None,
     "fewer_watts_frac": 2.0, "proved": True},
]  # fmt: skip
LEVERS: dict[str, Any] = {
    "unit": "tokens/s/MW", "value": 203820.0, "plain": {"value": 97080.0, "bound": 97080.0, "gap": 0.0, "nodes": {"x": 32}},
    "total": 106740.0, "needed": [], "left_on": [], "gap_frac": 0.01, "subsets": [], "seconds": 6.0,
    "levers": [
        {"id": "tiers_beyond", "name": "KV cache on flash", "contribution": 68442.0, "low": 68000.0, "high": 69000.0,
         "share": 0.64, "alone": 71210.0, "last": 24418.0},
        {"id": "apart", "name": "prefill and decode apart", "contribution": 38298.0, "low": 37000.0, "high": 39000.0,
         "share": 0.36, "alone": 15498.0, "last": 24145.0},
    ]}  # fmt: skip
SITES: dict[str, Any] = {
    "unit": "tokens/s/MW", "value": 203820.0, "gap_frac": 0.01, "unsolved": [], "seconds": 1.0,
    "architectures": [
        {"id": "air_cooled", "name": "air-cooled only", "value": 203820.0, "bound": 205771.0, "gap": 0.0096, "distance_frac": 0.0,
         "least_distance_frac": 0.0, "nodes": {"p": 32, "s": 21}, "same_as_study": True},
        {"id": "hbm_only", "name": "HBM only", "value": 99000.0, "bound": 99500.0, "gap": 0.005, "distance_frac": 0.51,
         "least_distance_frac": 0.5, "nodes": {"p": 33}, "same_as_study": False},
        {"id": "vendor", "name": "only Nobody", "value": None, "bound": None, "gap": None, "distance_frac": None,
         "least_distance_frac": None, "nodes": {}, "same_as_study": False},
    ],
    "runners_up": [
        {"id": "without", "name": "without p", "value": 42503.0, "bound": 42503.0, "gap": 0.0, "distance_frac": 0.79,
         "least_distance_frac": 0.79, "nodes": {"q": 8}, "same_as_study": False},
    ]}  # fmt: skip
TORNADO: dict[str, Any] = {
    "unit": "tokens/s/MW", "value": 203820.0, "bound": 205771.0, "untested": ["calibration.host_request_s.value"], "seconds": 3.0,
    "numbers": [
        {"path": "platforms.p.price_central_usd", "name": "price of p", "unit": "USD", "number": 190e3, "low": 150e3,
         "high": 260e3, "value_at_low": 205241.0, "value_at_high": 188180.0, "bound_at_low": 207311.0, "bound_at_high": 189747.0,
         "swing_frac": 0.084, "least_swing_frac": 0.076, "most_swing_frac": 0.094, "estimate_frac": 0.16,
         "same_at_low": 203820.0, "same_at_high": None, "same_bound_at_low": 205771.0, "same_bound_at_high": None,
         "same_words_at_low": "", "same_words_at_high": "it costs 9.10 MUSD, 9.00 MUSD are allowed", "same_swing_frac": None},
    ]}  # fmt: skip
ATTRIBUTES: list[dict[str, Any]] = [
    {"part": "hgx_h200_8", "attribute": "power", "name": "watts", "in_build": False, "answer": "enters at", "factor": 0.75,
     "share": -0.25, "confirmed": True, "order": 2, "quantity": 3, "gain_low": None, "gain_high": None,
     "rows": {"platforms": "hgx_h200_8", "accelerators": "h200_sxm"}},
    {"part": "mi300x_8", "attribute": "date", "name": "date", "in_build": True, "answer": "worth of having it", "factor": None,
     "share": None, "confirmed": True, "order": None, "quantity": None, "gain_low": 15e3, "gain_high": 16e3,
     "rows": {"platforms": "mi300x_8"}},
]  # fmt: skip
SECTIONS: dict[str, Any] = {
    "bottlenecks": BOTTLENECKS, "ladder": LADDER, "entry_prices": PRICES, "levers": LEVERS, "architectures": SITES,
    "tornado": TORNADO, "attributes": ATTRIBUTES,
}  # fmt: skip
FRONT: dict[str, Any] = {
    "x": "capex", "y": "tokens_per_mw", "x_name": "Capital outlay", "y_name": "Tokens per second per contracted megawatt",
    "x_unit": "USD", "y_unit": "tokens/s/MW", "sense_x": "min", "sense_y": "max", "ends": [1.8e6, 7.3e6], "gap_frac": 0.01,
    "merged": 0, "infeasible": [], "stopped_by": "", "seconds": 12.0,
    "points": [
        {"x": 5.43e6, "y": 153979.0, "y_bound": 154903.0, "gap": 0.006, "limit": 5.44e6, "status": "optimal",
         "changes": {"site.budget_usd": 5.44e6, "site.budget": None}, "nodes": {"p": 26, "s": 6}},
        {"x": 1.8e6, "y": 49183.0, "y_bound": 49511.0, "gap": 0.0067, "limit": 1.81e6, "status": "optimal",
         "changes": {"site.budget_usd": 1.81e6, "site.budget": None}, "nodes": {"p": 8, "s": 3}},
    ]}  # fmt: skip
CLASHES: dict[str, Any] = {
    "clashing": ["site.power_mw", "demand.floor_frac"], "witness": "deletion", "iis": [], "inputs": [], "finished": True,
    "seconds": 3.0, "joint_share": 0.3,
    "single": [
        {"id": "site.power_mw", "name": "provisioned power at the utility meter", "unit": "MW", "allowed": 0.5,
         "needed": 0.70315, "needed_bound": 0.7, "enough_alone": True},
        {"id": "site.floor_m2", "name": "floor with aisles", "unit": "m2", "allowed": 150.0, "needed": None, "needed_bound": None,
         "enough_alone": False},
        {"id": "supply.platform.hgx_h200_8", "name": "pieces of hgx_h200_8", "unit": "pieces", "allowed": 8.0, "needed": 12.0,
         "needed_bound": 12.0, "enough_alone": True},
        {"id": "demand.floor_frac", "name": "scale of the mix to be served", "unit": "", "allowed": 1.0, "needed": 0.84567,
         "needed_bound": 0.85, "enough_alone": True},
    ],
    "joint": [
        {"id": "site.power_mw", "name": "provisioned power at the utility meter", "unit": "MW", "allowed": 0.5, "needed": 0.55,
         "needed_bound": None, "enough_alone": None},
        {"id": "demand.floor_frac", "name": "scale of the mix to be served", "unit": "", "allowed": 1.0, "needed": 0.9,
         "needed_bound": None, "enough_alone": None},
    ],
    "joint_serving": [],
    "classes": [],
    "promises": [
        {"class": "tool_agent", "role": "", "promise": "ttft", "asked": 2.0, "nearest": None, "needed": 3.1, "needed_bound": 3.0,
         "unit": "s", "where": "", "enough_alone": True},
        {"class": "tool_agent", "role": "", "promise": "tpot", "asked": 0.08, "nearest": None, "needed": None,
         "needed_bound": None, "unit": "s", "where": "", "enough_alone": False},
    ],
}  # fmt: skip


def infeasible(**clashes: Any) -> Design:
    """Return the answer to a study without a build."""
    found = solved.design()
    bare = Design(study=found.study, catalog=found.catalog)
    return dataclasses.replace(
        bare, status="infeasible", explained={"clashes": CLASHES | clashes},
        objective={"name": "tokens_per_mw", "unit": "tokens/s/MW", "value": None, "bound": None, "gap": None},
        explanation=["site.power_mw = 0.50 MW, demand.floor_frac = 1: cannot all be kept"],
    )  # fmt: skip


def explained(**sections: Any) -> Design:
    """Return a solved design with all sections."""
    return solved.design().replace(explained=SECTIONS | sections)


QUOTE: dict[str, Any] = {
    "part": "hgx_h200_8", "kind": "platform", "name": "8-way server", "price_usd": 300e3, "catalog_usd": 376963.2,
    "price_quarter": "2026Q3", "order": 2, "bought": "yes", "quantity": 3,
    "objective": {"name": "tokens_per_mw", "unit": "tokens/s/MW", "sense": "max", "with_order": 210e3, "without": 200e3,
                  "bound_without": 201e3, "gain": 10e3, "gain_frac": 0.05},
    "walk_away": {"kind": "price", "usd": 330e3, "high_usd": 345e3, "tolerance": 0.01},
    "displaced": [
        {"part": "mi300x_8", "kind": "platform", "without": 32, "with_order": 29, "change": -3},
        {"part": "hgx_h200_8", "kind": "platform", "without": 0, "with_order": 3, "change": 3},
        {"part": "rack_air", "kind": "rack", "without": 9, "with_order": 10, "change": 1},
    ],
    "capex_usd": {"without": 9e6, "with_order": 9.1e6}, "stopped_by": "", "seconds": 2.0,
}  # fmt: skip
