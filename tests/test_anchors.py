"""Published integer answers come out of the ordinary model with their data in place of ours.

The shared anchors are read from `TIERWATT_SHARED`, or from a folder `shared` beside the project.
"""

from __future__ import annotations

import csv
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from records import accelerator, candidate, configuration, housing, model_data, platform, scenario, workload

from solver.catalog import Catalog, load_catalog
from solver.highs import Clock, Program
from solver.market import with_row
from solver.model.data import Family, ModelData, Pool
from solver.optimise import best, compiled, optimise
from solver.scenario import Finance, resolve
from solver.solve import prepare
from solver.study import study_from_dict

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TIERWATT_SHARED", ROOT.parent / "shared"))
UNIT_W, UNIT_USD = 1e3, 1e5
"""Watts in a power unit and dollars in a cost unit of Splitwise's simulator, so that catalog ranges are kept."""
MACHINES = 40
OLD, NEW = "dgx_a100", "dgx_h100"


def anchor(name: str) -> list[dict[str, str]]:
    """Rows of a shared file; the test is skipped where it is not there."""
    path = SHARED / "anchors" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there: set TIERWATT_SHARED")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- Splitwise: how many other machines fit in the power or the cost of 40 H100 machines ---------------------------


def splitwise_catalog() -> tuple[Catalog, dict[str, tuple[float, float]]]:
    """Catalog in which both machines have Splitwise's power and cost, and their (power, cost) units by platform.

    All power sits in the accelerators, so that a cap of 0.7 makes of 44 units the 30.8 of the capped machine. They stand
    in racks of their own that cost nothing, without network and with a PUE of 1.
    """
    rows = {row["machine"]: row for row in anchor("splitwise_hw_cost_power.csv")}
    units = {
        OLD: (float(rows["dgx-a100"]["sim_power_units"]), float(rows["dgx-a100"]["sim_cost_per_gpu_hr_usd"])),
        NEW: (float(rows["dgx-h100"]["sim_power_units"]), float(rows["dgx-h100"]["sim_cost_per_gpu_hr_usd"])),
    }
    assert float(rows["dgx-h100-pcap"]["sim_power_units"]) == pytest.approx(0.7 * units[NEW][0])
    made = {"source": "splitwise-sim", "confidence": "paper"}
    slot = {"id": "slot", "name": "slot", "use": "integrated", "usable_kw": 100.0, "peak_kw": 100.0, "rack_units": 42,
            "cooling": "ideal", "floor_m2": 1.0, "price_low_usd": 100.0, "price_central_usd": 100.0,
            "price_high_usd": 100.0, "confidence_price": "paper"} | made  # fmt: skip
    ideal = {"id": "ideal", "name": "ideal", "pue_low": 1.0, "pue_central": 1.0, "pue_high": 1.0, "pue_peak": 1.0,
             "wue_l_per_kwh": 0.0, "accepts": ["air"]} | made  # fmt: skip
    catalog = load_catalog()
    chips = {p: str(catalog.row("platforms", p)["accelerator_id"]) for p in units}
    return catalog.overlay({
        "cooling": [ideal],
        "racks": [slot],
        "accelerators": [{"id": chips[p], "tdp_w": power * UNIT_W / 8} for p, (power, _) in units.items()],
        "platforms": [
            {"id": p, "node_typ_w": None, "node_max_w": power * UNIT_W, "node_peak_w": power * UNIT_W, "nic_count": 0,
             "own_rack_id": "slot", "price_low_usd": None, "price_high_usd": None, "price_central_usd": usd * UNIT_USD,
             "price_quarter": "2026Q3"}
            for p, (power, usd) in units.items()
        ],
    }), units  # fmt: skip


def splitwise_data(catalog: Catalog, site: dict[str, float], caps: list[float]) -> ModelData:
    """Columns of a study with both machines, one class, and a limit on power or money."""
    others = [row.id for row in catalog.rows("platforms") if row.id not in (OLD, NEW)]
    study = study_from_dict({
        "site": {"cooling": ["ideal"], **site},
        "workload": [{"id": "chat_short", "model_id": "llama-3.1-8b", "share": 1.0, "ttft_s": 100.0, "tpot_s": 1.0}],
        "demand": {"mode": "mix", "max_scale": 1e7},
        "objective": {"name": "tokens"},
        # The simulator knows one price and one power a machine: no node may be bought with less host memory.
        "build": {"power_caps": caps, "roles": ["mixed"], "tiers": False, "batch_points_per_octave": 1,
                  "host_mem_min_frac": 100.0},
        "solver": {"gap": 1e-6, "threads": 1},
        "allow": [OLD],
        "exclude": others,
    })  # fmt: skip
    data, _ = prepare(resolve(study, catalog))
    return data


def at_work(program: Program, data: ModelData, family: Family) -> np.ndarray:
    """Row that sums the nodes at work of a platform and cap."""
    family_of = {h.id: h.pool.family for h in data.housings}
    return np.asarray([
        float(v.parent_component().local_name == "housed" and family_of[v.index()] == family) for v in program.variables
    ])  # fmt: skip


def most(data: ModelData, given: int, other: Family) -> int:
    """Nodes of the other kind in the best build that holds so many uncapped new machines, and no further kind."""
    _, program, objective = compiled(data)
    limited = with_row(program, at_work(program, data, (NEW, 1.0)), given, given)
    for family in data.pools_of_family:
        if family not in (other, (NEW, 1.0)):
            limited = with_row(limited, at_work(program, data, family), 0.0, 0.0)
    found, _, _ = best(limited, objective.sense, Clock(60.0, threads=1), 1e-7)
    assert found.values is not None
    return round(float(at_work(program, data, other) @ found.values))


def test_splitwise_counts_for_the_same_power_and_cost() -> None:
    """27 counts of machines that fit beside H of the 40 in their power or cost.

    One of them is a whole number by arithmetic: 35 machines of 44 units are 50 of 30.8. The published 49 is what
    ``1540 // 30.8`` gives in binary floating point; the model fills the site.
    """
    catalog, units = splitwise_catalog()
    power, cost = units[NEW]
    by_power = {"power_mw": MACHINES * power * UNIT_W / 1e6, "budget_usd": 1e12}
    by_cost = {"power_mw": 1e4, "budget_usd": MACHINES * cost * UNIT_USD}
    families: dict[str, tuple[ModelData, Family, Fraction]] = {
        "iso-power A/H": (splitwise_data(catalog, by_power, [1.0]), (OLD, 1.0), ratio(power, units[OLD][0])),
        "iso-cost A/H": (splitwise_data(catalog, by_cost, [1.0]), (OLD, 1.0), ratio(cost, units[OLD][1])),
        "iso-power HHcap (token pool)": (splitwise_data(catalog, by_power, [1.0, 0.7]), (NEW, 0.7), Fraction(10, 7)),
    }
    rows = anchor("splitwise_iso_grid.csv")
    assert len(rows) == 27
    unlike = []
    for row in rows:
        data, other, each = families[row["family"]]
        given, published = int(row["n_h100_or_prompt"]), int(row["n_other"])
        found = most(data, given, other)
        assert found == (MACHINES - given) * each.numerator // each.denominator, row
        if found != published:
            unlike.append((row["family"], given, found, published))
    assert unlike == [("iso-power HHcap (token pool)", 5, 50, 49)] and 1540 // 30.8 == 49


def ratio(more: float, less: float) -> Fraction:
    """Quotient of two decimal numbers, exact."""
    return Fraction(str(more)) / Fraction(str(less))


# --- Melange: the cheapest mix of two GPUs -------------------------------------------------------------------------

PRICE_USD_PER_H = {"A10G": 1.01, "A100-80GB": 3.67}
REQUESTS_PER_S = {"A10G": (2.0, 1.0, 5.0, 2.0), "A100-80GB": (20.0, 20.0, 40.0, 20.0)}
SHARES = (0.2, 0.1, 0.5, 0.2)
"""Throughput of each GPU for four sizes of request, and their shares: the file that the anchor names as its source,
melange-release melange/config/example.json at ebba701 (prices are those of the anchor's own rows)."""
HOURLY_SCALE = 1e3


def melange_data(rate: float) -> ModelData:
    """Four classes of one rate in all, to be served by two GPUs bought by the hour; money is the objective.

    A year of life without interest makes the yearly cost the price itself; prices are scaled to dollars of the model.
    """
    columns, housings = [], []
    for gpu, usd in PRICE_USD_PER_H.items():
        box = platform(gpu)
        chip = accelerator(gpu, idle_w=0.0)
        housings.append(housing(Pool(configuration(box, chip=chip, price_usd=usd * HOURLY_SCALE), 1.0)))
        columns += [
            (candidate(f"size{k}", at=box, rate=r, drawn_w=0.0, idle_w=0.0), None)
            for k, r in enumerate(REQUESTS_PER_S[gpu])
        ]
    works = [workload(f"size{k}", demand=rate * share) for k, share in enumerate(SHARES)]
    changes = {"objective.name": "tco", "demand.floor_frac": 1.0}
    return model_data(scenario(changes, works, finance=Finance(0.0, 1.0, 1.0, 0.0, 0.0)), columns, housings)


def test_melange_cheapest_mix() -> None:
    """4.68 USD/h at 30 requests/s, and the published optimum of a continuous split at every other rate."""
    rows = anchor("melange_toy.csv")
    split = [row for row in rows if row["slice_factor"] == "inf"]
    assert {float(row["request_rate_per_s"]) for row in split} >= {30.0} and len(split) == 8
    for row in split:
        data = melange_data(float(row["request_rate_per_s"]))
        solved = optimise(data, Clock(60.0, threads=1))
        usd = solved.value * solved.objective.per_unit(data.scenario) / HOURLY_SCALE
        assert usd == pytest.approx(float(row["cost_usd_per_h"]), abs=1e-6), row
        counts = {
            v.index(): round(x)
            for v, x in zip(solved.program.variables, solved.found.values, strict=True)
            if v.parent_component().local_name == "housed"
        }
        found = [next(n for where, n in counts.items() if where.startswith(gpu)) for gpu in PRICE_USD_PER_H]
        assert found == [int(row["n_A10G"]), int(row["n_A100_80GB"])], row
    whole = [float(row["cost_usd_per_h"]) for row in rows if row["slice_factor"] != "inf"]
    assert min(whole) == pytest.approx(4.68) and max(whole) == pytest.approx(6.70), "slices cost up to 43% more"
