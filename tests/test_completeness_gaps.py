"""Hand-solved cases that `test_completeness.py` found wanting: every key figure, and whole replicas in brute force."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hand import optimum
from records import SOURCE, rack, scenario, workload
from tiny import tiny

from solver.design import Design
from solver.kpis import KPIS
from solver.parts import Cooling
from solver.resources import SECONDS_PER_YEAR
from solver.scenario import Finance, Scenario

# --- key figures ------------------------------------------------------------------------------------------------


def place() -> Scenario:
    """Return 20 kW contracted, 600 W of fixed loads, and money, energy and cooling in round numbers.

    chat: 1,000 tokens in, of which 800 are cached, and 100 out. code: 500 in and 20 out, each worth three; 4 of 10 requests
    a second of code are served, the others cost 1e-4 USD each. A token of chat earns 2e-6 USD, one of code 1e-6.
    Servers live 4 years, memory 2, network 8, racks 10; a fifth of the price of IT is had back; the mean load of the
    year is half the promised one. Racks of kind wet take 1e-6 L/J of water, dry ones none.
    """
    classes = [
        dataclasses.replace(workload("chat", demand=15.0, reuse=0.8), price_usd_per_token=2e-6),
        dataclasses.replace(workload("code", isl=500.0, osl=20.0), value_per_token=3.0, price_usd_per_token=1e-6,
                            unmet_usd_per_request=1e-4),
    ]  # fmt: skip
    made = scenario(
        {"site.power_mw": 0.02, "site.fixed_mw": 0.0006, "objective.tokens": "all"}, classes,
        finance=Finance(0.0, 4.0, 10.0, 0.05, 2.0, 2.0, 8.0, 0.2, 0.5), electricity_usd_per_j=1e-8, carbon_kg_per_j=1e-7,
    )  # fmt: skip
    kinds = {"wet": 1e-6, "dry": 0.0}
    return dataclasses.replace(
        made,
        racks=tuple(dataclasses.replace(rack(name), cooling=name) for name in kinds),
        cooling={k: Cooling(id=k, **SOURCE, name=k, pue_central=1.2, pue_peak=1.2, wue_l_per_j=w, accepts=())
                 for k, w in kinds.items()},
    )  # fmt: skip


def entry(
    name: str, role: str, rate: float, output: float, new_input: float, above_w: float, evidence: str, replicas: float
) -> dict[str, Any]:
    """Return a line of the load."""
    return {
        "class": name, "model": "model", "role": role, "requests_per_s": rate, "output_tokens_per_s": output,
        "input_tokens_per_s": new_input, "drawn_above_idle_meter_w": above_w, "evidence": evidence,
        "replicas": replicas, "tp": 2, "pp": 1, "dp": 1 if role == "prefill" else 2,
    }  # fmt: skip


def line(kind: str, usd: float, watts: float, price: str, power: str) -> dict[str, Any]:
    """Return a line of the bill of materials."""
    return {
        "kind": kind,
        "capex_usd": usd,
        "provisioned_w": watts,
        "confidence_price": price,
        "confidence_power": power,
    }


def standing(kind: str, nodes: int, floor_m2: float) -> dict[str, Any]:
    """Return the nodes of a pool in one kind of rack."""
    return {"rack": kind, "nodes": nodes, "floor_m2": floor_m2}


def design() -> Design:
    """Return a build of two pools that prefills, decodes and does both."""
    return Design(
        load=[
            entry("chat", "prefill", 10.0, 0.0, 4000.0, 1000.0, "measured", 2.0),
            entry("chat", "decode", 10.0, 1000.0, 0.0, 2000.0, "extrapolated", 1.5),
            entry("chat", "mixed", 5.0, 500.0, 3000.0, 500.0, "none", 0.5),
            entry("code", "mixed", 4.0, 80.0, 2000.0, 500.0, "measured", 1.0),
        ],
        pools=[
            {"quantity": 3, "accelerators": 8, "board_w": 4000.0, "node_w": 7600.0, "it_w": 8000.0, "meter_w": 10000.0,
             "standing_meter_w": 4000.0, "racks": [standing("wet", 2, 3.0), standing("dry", 1, 2.0)]},
            {"quantity": 4, "accelerators": 4, "board_w": 800.0, "node_w": 1900.0, "it_w": 2000.0, "meter_w": 2400.0,
             "standing_meter_w": 1500.0, "racks": [standing("wet", 4, 3.0)]},
        ],
        bill_of_materials=[
            line("platform", 30000.0, 7600.0, "press", "datasheet"), line("memory", 6000.0, 400.0, "estimate", "estimate"),
            line("rack", 3000.0, 0.0, "estimate", "datasheet"), line("network", 1000.0, 500.0, "press", "datasheet"),
        ],
    )  # fmt: skip


DRAWN_W = 4000.0 + 1500.0 + (1000.0 + 2000.0 + 500.0 + 500.0) + 600.0
TOKENS = 15.0 * (100.0 + 200.0) + 4.0 * (20.0 + 500.0)
ELECTRICITY_USD = (DRAWN_W - 0.5 * 4000.0) * 1e-8 * SECONDS_PER_YEAR
TCO_USD = (
    ELECTRICITY_USD + 10000.0 * 2.0 + 40000.0 * 0.05 + 3000.0 / 10.0
    + 0.8 * (30000.0 / 4.0 + 6000.0 / 2.0 + 1000.0 / 8.0)
)  # fmt: skip
LOAD_S = 0.5 * SECONDS_PER_YEAR
YEARLY_TOKENS = TOKENS * LOAD_S
REVENUE_USD = (15.0 * 300.0 * 2e-6 + 4.0 * 520.0 * 1e-6) * LOAD_S
UNMET_USD = 6.0 * 1e-4 * LOAD_S

BY_HAND: dict[str, tuple[float, float]] = {
    "requests_per_s": (19.0, 29.0),  # prefilled requests counted again
    "output_tokens_per_s": (1580.0, 1500.0),  # a class forgotten
    "new_input_tokens_per_s": (9000.0, 17000.0),  # cached tokens of 10 prefilled requests counted
    "tokens_per_s": (TOKENS, 1580.0),  # output only, where the study counts all
    "value_tokens_per_s": (1500.0 + 3.0 * 80.0, 1580.0),  # not weighted
    "tokens_per_mw": (TOKENS / 0.02, TOKENS / 0.013),  # over used megawatts
    "tokens_per_used_mw": (TOKENS / 0.013, TOKENS / 0.0124),  # fixed loads forgotten
    "accelerators": (12.0, 40.0),  # a pool's accelerators taken for a node's
    "accelerator_board_w": (4800.0, 9500.0),  # hosts counted
    "node_wall_w": (9500.0, 10000.0),  # network outside nodes counted
    "it_w": (10000.0, 12400.0),  # at the meter
    "utility_meter_w": (13000.0, 12400.0),  # fixed loads forgotten
    "drawn_meter_w": (DRAWN_W, 6100.0),  # idle nodes only
    "capex_usd": (40000.0, 37000.0),  # racks forgotten
    "tco_usd_per_year": (TCO_USD, TCO_USD + 0.5 * 4000.0 * 1e-8 * SECONDS_PER_YEAR),  # full load all year
    "usd_per_million_tokens": (
        TCO_USD / (YEARLY_TOKENS / 1e6),
        TCO_USD / (1580.0 * LOAD_S / 1e6),
    ),  # output only
    "tokens_per_tco_dollar": (YEARLY_TOKENS / TCO_USD, YEARLY_TOKENS / 40000.0),  # over the outlay
    "revenue_usd_per_year": (REVENUE_USD, REVENUE_USD * 1580.0 / TOKENS),  # at one price, output only
    "profit_usd_per_year": (REVENUE_USD - UNMET_USD - TCO_USD, REVENUE_USD - TCO_USD),  # unmet requests forgotten
    "joules_per_token": (DRAWN_W / TOKENS, 13000.0 / TOKENS),  # provisioned watts
    "floor_m2": (8.0, 20.0),  # times the nodes that stand there
    "water_l_per_s": (8000.0 * 2.0 / 3.0 * 1e-6 + 2000.0 * 1e-6, 10000.0 * 1e-6),  # dry racks counted as wet
    "co2_kg_per_s": (DRAWN_W * 1e-7, 13000.0 * 1e-7),  # provisioned watts
    "estimated_capex_share": (9000.0 / 40000.0, 0.5),  # by lines of the bill
    "estimated_power_share": (400.0 / 8500.0, 0.25),  # by lines of the bill
    "measured_tokens_share": (80.0 / 1580.0, 0.5),  # by entries of the load
    "measured_load_share": (8.0 / 16.0, 3.0 / 5.0),  # by replicas
    "extrapolated_load_share": (6.0 / 16.0, 1.5 / 5.0),  # by replicas
    "unmeasured_load_share": (2.0 / 16.0, 0.5 / 5.0),  # by replicas
}
"""Key figure -> the hand's number, and the number if it were what the comment says."""


@pytest.mark.parametrize("name", KPIS)
def test_every_key_figure_by_hand(name: str) -> None:
    """Proves each figure: the hand's number from the records above, and not that of the slip beside it."""
    right, slip = BY_HAND[name]
    assert right != pytest.approx(slip, rel=1e-3), "a case that does not tell right from wrong proves nothing"
    assert KPIS[name].compute(design(), place()) == pytest.approx(right, rel=1e-12)


def test_without_a_contract_tokens_are_counted_per_used_megawatt() -> None:
    """Proves tokens_per_mw where no megawatts are contracted: over the 13 kW used; over none it would not exist."""
    free = place()
    free = dataclasses.replace(free, site=dataclasses.replace(free.site, power_w=None))
    assert KPIS["tokens_per_mw"].compute(design(), free) == pytest.approx(TOKENS / 0.013)


# --- whole replicas ---------------------------------------------------------------------------------------------


def test_instances_of_whole_replicas_are_sharp() -> None:
    """Proves that brute force would notice run_whole_replicas missing: some instance's optimum changes without it."""
    for seed in range(60):
        data = tiny(seed, "tokens_per_mw", whole=True)
        right, broken = optimum(data), optimum(data, "run_whole_replicas")
        if math.isfinite(right) and math.isfinite(broken) and abs(right - broken) > 1e-4 * right:
            return
    pytest.fail("no instance needs run_whole_replicas")
