"""Solving as a caller sees it: progress, stopping, infeasible studies, and what more of a thing is worth."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
import pytest

from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.errors import InputError
from solver.highs import Clock, solve_lp
from solver.kpis import KPIS, compute_kpis
from solver.model.build import build_model
from solver.optimise import compiled, optimise
from solver.polishing import polish
from solver.resources import RESOURCES
from solver.scenario import resolve
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict

KEPT = ("mi300x_8", "hgx_h200_8", "storage_flash_2u24")
GAP = 0.01


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def study(catalog: Catalog) -> Study:
    """Half a megawatt, two classes, two servers and a box of flash: solved in seconds to a hundredth."""
    others = [row.id for row in catalog.rows("platforms") if row.id not in KEPT]
    return study_from_dict(
        {
            "name": "half",
            "site": {"power_mw": 0.5, "budget_usd": 9e6, "id": "us_1mw"},
            "supply": {"platform": {"hgx_h200_8": 8}},
            "workload": [
                {"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0},
                {"id": "batch_offline", "requests_per_s": 2.0},
            ],
            "build": {"power_caps": [1.0], "batch_points_per_octave": 4},
            "solver": {"gap": GAP},
            "exclude": others,
        }
    )


@pytest.fixture(scope="module")
def design(study: Study, catalog: Catalog) -> Design:
    return solve(study, catalog)


def optimum(study: Study, catalog: Catalog, **options: bool) -> float:
    """Best objective without polish or audit."""
    data, _ = prepare(resolve(study, catalog), **options)
    return optimise(data, Clock(60.0)).value


def relaxation(study: Study, catalog: Catalog, **options: bool) -> float:
    """Best objective of the linear relaxation: exact, so that small differences show."""
    data, _ = prepare(resolve(study, catalog), **options)
    _, program, objective = compiled(data)
    found = solve_lp(program, program.costs[0], float(program.offsets[0]), Clock(60.0))
    return found.objective * -objective.sense


@pytest.fixture(scope="module")
def base(study: Study, catalog: Catalog) -> float:
    return optimum(study, catalog)


def test_solved_audited_and_kept(design: Design) -> None:
    assert design.status == "optimal" and design.audit["ok"]
    assert Design.from_json(design.to_json()) == design


def test_bound_is_on_the_right_side(design: Design) -> None:
    assert design.objective["bound"] >= design.objective["value"] > 0
    loss = 1.0 - design.objective["value"] / design.objective["unpolished"]
    assert design.objective["loss_frac"] == pytest.approx(loss, abs=1e-12) and loss <= GAP
    steps = ("candidates_s", "model_s", "search_s", "polish_s", "audit_s")
    seconds = design.solver["seconds"]
    assert sum(seconds[step] for step in steps) == pytest.approx(seconds["total_s"], abs=0.2)


@pytest.mark.parametrize(
    "change",
    [
        {"site.power_mw": 0.6},
        {"site.budget_usd": 11e6},
        {"supply.platform.hgx_h200_8": 12},
        {"workload.tool_agent.ttft_s": 4.0},
        {"workload.tool_agent.tpot_s": 0.16},
    ],
    ids=lambda change: next(iter(change)),
)
def test_more_never_hurts(change: dict[str, Any], study: Study, catalog: Catalog, base: float) -> None:
    """A looser limit or promise only adds designs: the optimum may not fall by more than twice the gap."""
    assert optimum(study.with_changes(change), catalog) >= base * (1 - 2 * GAP)


def test_pruning_loses_nothing(study: Study, catalog: Catalog) -> None:
    coarse = study.with_changes({"build.batch_points_per_octave": 2, "build.tiers": False})
    pruned, whole = relaxation(coarse, catalog), relaxation(coarse, catalog, prune=False)
    assert pruned == pytest.approx(whole, rel=1e-7)


def test_batch_grid_is_fine_enough(study: Study, catalog: Catalog) -> None:
    """Twice the points on the default grid change the optimum by less than half a percent."""
    default = study.with_changes({"build.batch_points_per_octave": 24})
    finer = study.with_changes({"build.batch_points_per_octave": 48})
    assert relaxation(finer, catalog) == pytest.approx(relaxation(default, catalog), rel=0.005)


def test_row_order_changes_nothing(study: Study, catalog: Catalog) -> None:
    reverse = study.model_dump(mode="python")
    reverse["workload"] = reverse["workload"][::-1]
    assert relaxation(study_from_dict(reverse), catalog) == pytest.approx(relaxation(study, catalog), rel=1e-7)


def test_dearer_parts_never_lower_the_cost(study: Study, catalog: Catalog) -> None:
    fixed = study.with_changes(
        {"demand.mode": "fixed", "demand.floor_frac": 1.0, "objective.name": "tco",
         "workload.tool_agent.requests_per_s": 30.0, "workload.batch_offline.requests_per_s": 20.0}
    )  # fmt: skip
    dear = catalog.overlay(
        {"platforms": [{"id": p, "price_central_usd": 5e5, "price_high_usd": 6e5} for p in KEPT[:2]]}
    )
    assert optimum(fixed, dear) >= optimum(fixed, catalog) * (1 - 2 * GAP)


def test_prices_and_budget_in_another_currency(study: Study, catalog: Catalog) -> None:
    """Money in units half as large changes nothing, since only its ratio to the budget counts."""
    factor = 2.0

    def scaled(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
        return {"id": row.id} | {name: row[name] * factor for name in names if row[name] is not None}

    prices = ("price_low_usd", "price_central_usd", "price_high_usd")
    per_gb = tuple(f"{name}_per_gb" for name in prices)
    other = catalog.overlay(
        {
            "platforms": [scaled(row, prices) for row in catalog.rows("platforms")],
            "racks": [scaled(row, prices) for row in catalog.rows("racks")],
            "memory": [scaled(row, per_gb) for row in catalog.rows("memory")],
            "memory_prices": [scaled(row, ("price_usd_per_gb",)) for row in catalog.rows("memory_prices")],
            "network": [scaled(row, (*prices, "endpoint_usd")) for row in catalog.rows("network")],
        }
    )
    dear = study.with_changes({"site.budget_usd": 18e6})
    assert relaxation(dear, other) == pytest.approx(relaxation(study, catalog), rel=1e-7)


def test_kpis_equal_the_models_expressions(study: Study, catalog: Catalog) -> None:
    """What the report says of power, money, floor, water and carbon is what the model limited."""
    from solver.assemble import assemble

    data, candidates = prepare(resolve(study, catalog))
    clock = Clock(60.0)
    solved = optimise(data, clock)
    polished = polish(solved, clock)
    design = assemble(solved, polished, candidates, "optimal", "", {})
    block = polished.model.period[0]
    pairs = {
        "power": "utility_meter_w", "it_power": "it_w", "drawn": "drawn_meter_w", "capex": "capex_usd",
        "floor": "floor_m2", "water": "water_l_per_s", "co2": "co2_kg_per_s", "tco": "tco_usd_per_year",
    }  # fmt: skip
    assert set(pairs) == set(RESOURCES)
    for resource, kpi in pairs.items():
        model = float(pyo.value(block.use[resource])) * RESOURCES[resource].scale
        assert design.kpis[kpi]["value"] == pytest.approx(model, rel=1e-9), resource
    assert design.kpis["tokens_per_mw"]["value"] == pytest.approx(design.objective["value"], rel=1e-9)
    again, _ = compute_kpis(design, data.scenario)
    assert again == design.kpis and set(again) == set(KPIS)


def test_progress_tells_phase_incumbent_bound_and_gap(study: Study, catalog: Catalog) -> None:
    events: list[dict[str, Any]] = []
    solve(study, catalog, events.append)
    assert all(set(event) == {"t_s", "phase", "incumbent", "bound", "gap"} for event in events)
    assert [event["t_s"] for event in events] == sorted(event["t_s"] for event in events)
    assert {"candidates", "model", "relaxation", "polish", "done"} <= {event["phase"] for event in events}
    gaps = [event["gap"] for event in events if event["phase"] == "search" and event["gap"] is not None]
    assert all(later <= earlier + 1e-9 for earlier, later in zip(gaps, gaps[1:], strict=False))


def test_stop_keeps_the_best(study: Study, catalog: Catalog) -> None:
    seen: list[Any] = []

    def has_incumbent() -> bool:
        return any(event["incumbent"] is not None for event in seen)

    tight = study.with_changes({"solver.gap": 1e-6, "solver.time_limit_s": 30.0})
    design = solve(tight, catalog, seen.append, has_incumbent)
    assert design.status in ("feasible", "optimal") and design.audit["ok"]
    assert design.status == "optimal" or design.stopped_by == "user"


def test_no_time_is_not_a_crash(study: Study, catalog: Catalog) -> None:
    design = solve(study.with_changes({"solver.time_limit_s": 0.01}), catalog)
    assert design.status in ("unknown", "feasible") and design.stopped_by == "time limit"


def test_too_little_power_is_an_answer(study: Study, catalog: Catalog) -> None:
    design = solve(study.with_changes({"site.power_mw": 0.02, "demand.floor_frac": 50.0}), catalog)
    assert design.status == "infeasible" and design.explanation and not design.has_build


def test_an_unkept_promise_names_its_class(study: Study, catalog: Catalog) -> None:
    design = solve(study.with_changes({"workload.tool_agent.tpot_s": 1e-5}), catalog)
    assert design.status == "infeasible" and "tool_agent" in design.explanation[0]
    assert any(item["class"] == "tool_agent" and "TPOT" in item["reason"] for item in design.dropped)


@pytest.mark.parametrize("name", ["tokens", "tokens_per_used_mw", "tco"])
def test_objectives_say_what_they_need(name: str, study: Study, catalog: Catalog) -> None:
    with pytest.raises(InputError, match="demand"):
        solve(study.with_changes({"objective.name": name}), catalog)


@pytest.mark.parametrize("power", ["provisioned", "drawn"])
def test_ratio_is_certified(power: str, study: Study, catalog: Catalog) -> None:
    ratio = study.with_changes(
        {"objective.name": "tokens_per_used_mw", "objective.power": power, "demand.floor_frac": 5.0}
    )
    design = solve(ratio, catalog)
    assert design.status == "optimal" and design.objective["gap"] <= GAP * (1 + 1e-6)


def test_periods_share_the_stock(study: Study, catalog: Catalog) -> None:
    data, _ = prepare(resolve(study, catalog))
    model = build_model(data, periods=2)
    assert len(model.period) == 2
    unit = next(iter(model.UNITS))
    assert (unit, 1, 0) in model.keep_what_was_bought, "a node bought in period 1 is not owned in period 0"
