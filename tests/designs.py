"""A made-up design of the size of the reference study, for tests of what is printed and written."""

from __future__ import annotations

from typing import Any

from solver.design import Design

PLATFORMS = ("rack_a", "rack_b", "server_with_a_rather_long_name", "server_d", "server_e")
CLASSES = tuple(f"class_with_long_name_{n}" for n in range(10))


def line(part: str, kind: str, quantity: float, unit_usd: float, provisioned_w: float) -> dict[str, Any]:
    """Return a line of the bill of materials."""
    return {
        "id": part,
        "part": part,
        "kind": kind,
        "vendor": "Maker",
        "name": part.title(),
        "quantity": quantity,
        "unit_usd": unit_usd,
        "capex_usd": quantity * unit_usd,
        "provisioned_w": provisioned_w,
        "drawn_w": 0.6 * provisioned_w,
        "lead_time_weeks": None,
        "confidence_price": "estimate",
        "confidence_power": "press",
        "source": "made up",
    }


def pool(platform: str, quantity: int, shares: dict[str, float]) -> dict[str, Any]:
    """Return a pool of one platform."""
    return {
        "pool_id": f"{platform}/standard@0.7",
        "platform": platform,
        "configuration": f"{platform}/standard",
        "role": "shared",
        "role_shares": shares,
        "cap": 0.7,
        "quantity": quantity,
        "accelerators": 8 * quantity,
        "racks": [{"rack": "air", "own": False, "nodes": quantity, "racks": quantity // 3, "fit": 3}],
        "board_w": 1e6,
        "node_w": 2e6,
        "it_w": 2.1e6,
        "meter_w": 2.6e6,
        "standing_meter_w": 1e6,
    }


def limit(name: str, value: float, used: float, unit: str) -> dict[str, Any]:
    """Return a limit with its slack."""
    return {"id": name, "value": value, "used": used, "unit": unit, "slack": value - used, "marginal": None}


def kpi(value: float, unit: str = "", basis: str = "", spread: float = 0.0) -> dict[str, Any]:
    """Return a key figure."""
    low, high = value * (1 - spread), value * (1 + spread)
    return {"value": value, "unit": unit, "basis": basis, "low": low, "high": high, "evidence": "datasheet"}


def kpis() -> dict[str, Any]:
    """Return the key figures that the screen prints."""
    basis = "tokens_per_s over the contracted MW at the meter"
    return {
        "tokens_per_mw": kpi(626972.3, "tokens/s/MW", basis, 0.3),
        "output_tokens_per_s": kpi(12539446.0),
        "requests_per_s": kpi(29819.1),
        "accelerator_board_w": kpi(7.83e6),
        "node_wall_w": kpi(13.8e6),
        "it_w": kpi(15.15e6),
        "utility_meter_w": kpi(19.91e6),
        "drawn_meter_w": kpi(14.3e6),
        "joules_per_token": kpi(1.14),
        "capex_usd": kpi(449.9e6),
        "tco_usd_per_year": kpi(159.7e6),
        "usd_per_million_tokens": kpi(0.404),
        "estimated_capex_share": kpi(0.561),
        "estimated_power_share": kpi(0.357),
        "measured_tokens_share": kpi(0.12),
        "measured_load_share": kpi(0.15),
        "extrapolated_load_share": kpi(0.6),
        "unmeasured_load_share": kpi(0.25),
    }


def reference_like() -> Design:
    """Return a design with ten classes, five platforms, devices, racks and comparisons."""
    bill = [line(name, "platform", 10 * (n + 1), 3e6 / (n + 1), 3e6) for n, name in enumerate(PLATFORMS)]
    bill += [line("drive", "memory", 1104, 5299.0, 25e3), line("disk_server", "storage", 68, 14870.0, 31e3)]
    bill += [line("rack_air", "rack", 98, 14000.0, 0.0), line("rack_liquid", "rack", 4, 50000.0, 0.0)]
    bill += [line("fabric", "network", 16608.0, 4107.0, 1.345e6)]
    load = [
        {
            "load_id": f"{n}",
            "pool_id": None,
            "platform": PLATFORMS[n % 5],
            "class": name,
            "model": f"model-{n % 6}",
            "role": "mixed",
            "replicas": 3.5,
            "present": 3.5,
            "accelerators": 28.0,
            "requests_per_s": 100.0,
            "output_tokens_per_s": 1e6,
            "batch": 32.0,
        }
        for n, name in enumerate(CLASSES)
    ]
    place = {
        "class": CLASSES[0],
        "kind": "parked",
        "segment": 0,
        "tier": "nvme_tlc",
        "device": "drive",
        "pool_id": "p",
        "bytes": 1e15,
        "read_bytes_per_s": 1e12,
        "write_bytes_per_s": None,
    }
    limits = [limit("site.power_mw", 20e6, 19.91e6, "W"), limit("site.budget_usd", 450e6, 449.9e6, "USD")]
    limits += [limit("supply.platform.rack_b", 16, 16, "pieces")]
    limits += [
        limit(f"promise.{name}.{kind}", 0.5, 0.5 - 0.01 * n, "s")
        for n, name in enumerate(CLASSES)
        for kind in ("ttft", "tpot")
    ]
    limits += [
        limit(f"memory.{name}/standard@0.7.nvme_tlc.{kind}", 1e15, 1e15, "B")
        for name in PLATFORMS
        for kind in ("capacity", "read")
    ]
    seconds = {"candidates_s": 7.9, "model_s": 1.8, "search_s": 11.7, "total_s": 25.8}
    return Design(
        status="optimal",
        stopped_by="gap",
        objective={
            "name": "tokens_per_mw",
            "title": "Tokens per second per contracted megawatt",
            "unit": "tokens/s/MW",
            "sense": "max",
            "value": 626972.3,
            "bound": 627591.9,
            "gap": 0.000988,
        },
        study={
            "name": "reference",
            "description": "20 MW at the meter, ten classes",
            "objective": {"tokens": "output"},
            "site": {"usable_power_frac": 1.0},
            "demand": {"mode": "mix"},
            "solver": {"gap": 0.001},
            "workload": [{"id": name, "requests_per_s": 2.0} for name in CLASSES],
        },
        catalog={"hash": "0123456789abcdef", "rows": {}},
        assumptions=[
            {"path": "finance.wacc_percent", "value": 9.0, "default": 9.0, "source": "=1+1", "confidence": "estimate"}
        ],
        kpis=kpis(),
        tokens_by_model={f"model-{n}": 2e6 for n in range(6)},
        bill_of_materials=bill,
        pools=[pool(name, 30, {"prefill": 0.6, "decode": 0.397, "mixed": 0.003}) for name in PLATFORMS],
        load=load,
        placement=[place],
        limits=limits,
        dropped=[
            {
                "class": CLASSES[0],
                "reason": "TTFT above the promise",
                "count": 391000,
                "nearest": 0.51,
                "needed": 0.5,
                "unit": "s",
            }
        ],
        filtered=[{"part": "tray", "reason": "not for sale (component); name it in `allow` to admit it"}],
        baselines=[
            {"name": "only rack_a", "objective_value": 5e5, "gain_frac": 0.2539, "platforms": ["rack_a"]},
            {"name": "HBM only", "objective_value": 3e5, "gain_frac": 1.09, "platforms": []},
        ],
        runner_up={
            "name": "without rack_a",
            "without": "rack_a",
            "objective_value": 6e5,
            "gain_frac": 0.0449,
            "platforms": [],
        },
        audit={"ok": True, "checks": 1234, "worst": -1e-9, "violations": []},
        solver={
            "versions": {"pyomo": "6.10.1", "highspy": "1.16.0"},
            "seconds": seconds,
            "nodes": 1,
            "candidates": 5969,
            "columns": 8105,
            "rows": 5161,
        },
    )
