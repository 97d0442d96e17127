"""Solving as a caller sees it: progress, stopping, infeasible studies, and what more of a thing is worth."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
import pytest

from solver.audit import audit
from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.errors import InputError
from solver.highs import Clock, solve_lp
from solver.kpis import KPIS, compute_kpis
from solver.model.build import build_model
from solver.model.objectives import find_objective
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
    """Half a megawatt, two classes, two servers and a box of flash: solved in seconds to a hundredth, in parts of replicas."""
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
            "build": {"power_caps": [1.0], "batch_points_per_octave": 4, "whole_replicas": False},
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
    assert again == design.kpis and set(again) == {name for name, kpi in KPIS.items() if kpi.applies(data.scenario)}


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
        return any(event["incumbent"] for event in seen)

    tight = study.with_changes({"solver.gap": 1e-6, "solver.time_limit_s": 30.0})
    design = solve(tight, catalog, seen.append, has_incumbent)
    assert design.status in ("feasible", "optimal") and design.audit["ok"]
    assert design.status == "optimal" or design.stopped_by == "user"


def test_no_time_is_not_a_crash(study: Study, catalog: Catalog) -> None:
    design = solve(study.with_changes({"solver.time_limit_s": 0.01}), catalog)
    assert design.status in ("unknown", "feasible") and design.stopped_by == "time limit"


def test_too_little_power_is_an_answer(study: Study, catalog: Catalog) -> None:
    changes = {"site.power_mw": 0.02, "demand.floor_frac": 50.0, "solver.time_limit_s": 10.0}
    design = solve(study.with_changes(changes), catalog)
    assert design.status == "infeasible" and design.explanation and not design.has_build


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"site.budget_usd": 100.0}, "site.budget_usd: the smallest node needs"),
        ({"site.power_mw": 0.001}, "site.power_mw: the smallest node needs"),
    ],
)
def test_an_empty_build_is_no_optimum(change: dict[str, Any], words: str, study: Study, catalog: Catalog) -> None:
    """Nothing bought keeps every limit: without the check it would be called optimal at 0 tokens/s/MW."""
    design = solve(study.with_changes(change | {"solver.time_limit_s": 10.0}), catalog)
    assert design.status == "infeasible" and not design.has_build
    assert words in design.explanation[0]


def test_an_unkept_promise_names_its_class(study: Study, catalog: Catalog) -> None:
    design = solve(study.with_changes({"workload.tool_agent.tpot_s": 1e-5}), catalog)
    assert design.status == "infeasible" and "tool_agent" in design.explanation[0]
    assert any(item["class"] == "tool_agent" and "TPOT" in item["reason"] for item in design.dropped)


@pytest.mark.parametrize("name", ["tokens", "tokens_per_used_mw", "tco"])
def test_objectives_say_what_they_need(name: str, study: Study, catalog: Catalog) -> None:
    with pytest.raises(InputError, match="demand"):
        solve(study.with_changes({"objective.name": name}), catalog)


PRICED = {f"workload.{name}.price_usd_per_million_tokens": 2.0 for name in ("tool_agent", "batch_offline")}
FIXED = {"demand.mode": "fixed", "workload.tool_agent.requests_per_s": 60.0}


@pytest.mark.parametrize(
    ("name", "kpi", "changes"),
    [
        ("tokens_per_tco_dollar", "tokens_per_tco_dollar", {"demand.floor_frac": 5.0}),
        ("power", "utility_meter_w", {"demand.floor_frac": 5.0}),
        ("profit", "profit_usd_per_year", PRICED | FIXED | {"workload.tool_agent.unmet_usd_per_request": 1e-4}),
        (
            "tokens_per_mw",
            "value_tokens_per_s",
            {"objective.tokens": "value", "workload.tool_agent.value_per_token": 9.0},
        ),
    ],
)
def test_objectives_of_a_buyer(name: str, kpi: str, changes: dict[str, Any], study: Study, catalog: Catalog) -> None:
    """Each is solved to its gap, passes the audit, and is the key figure of the same name."""
    design = solve(study.with_changes({"objective.name": name} | changes), catalog)
    assert design.status == "optimal" and design.audit["ok"] and design.objective["gap"] <= GAP * (1 + 1e-6)
    unit = {"utility_meter_w": 1e6, "value_tokens_per_s": 0.5}.get(kpi, 1.0)
    assert design.objective["value"] == pytest.approx(design.kpis[kpi]["value"] / unit, rel=1e-9)


FLEET = [{"platform": "hgx_h200_8", "quantity": 3}, {"platform": "hgx_h100_8", "quantity": 2}]


def test_a_fleet_is_used_and_not_paid(study: Study, catalog: Catalog) -> None:
    """Three owned servers of a kind that is sold and two of one that the study excludes: more tokens for the budget.

    The excluded kind is never ordered, owned nodes stand on lines of their own at 0 USD, and the audit holds them to
    their number.
    """
    poor = study.with_changes({"site.budget_usd": 1.5e6})
    design = solve(poor.with_changes({"fleet": FLEET}), catalog)
    assert design.audit["ok"] and design.objective["value"] > 1.2 * solve(poor, catalog).objective["value"]
    owned = [line for line in design.bill_of_materials if line["owned"]]
    used = {line["part"]: line["quantity"] for line in owned if line["kind"] == "platform"}
    assert used and all(used[part] <= next(f["quantity"] for f in FLEET if f["platform"] == part) for part in used)
    assert all(line["capex_usd"] == 0.0 and line["id"].endswith("(owned)") for line in owned)
    assert not any(line["part"] == "hgx_h100_8" and not line["owned"] for line in design.bill_of_materials)
    assert any(f["part"] == "hgx_h100_8" and "excluded" in f["reason"] for f in design.filtered)
    more = design.replace(study=design.study | {"fleet": []})
    assert any("(owned)" in text for text in audit(more)["violations"])


def test_an_owned_configuration_must_be_on_the_menu(study: Study, catalog: Catalog) -> None:
    """An owned population that the platform cannot have is named with those it can."""
    changes = {"fleet": [{"platform": "hgx_h200_8", "quantity": 1, "configuration": "standart"}]}
    with pytest.raises(InputError, match="menu.*standard") as caught:
        prepare(resolve(study.with_changes(changes), catalog))
    assert "standard" in caught.value.problems[0].hint
    with pytest.raises(InputError, match="fleet"):
        resolve(study.with_changes({"fleet": [{"platform": "hgx_h2000_8", "quantity": 1}]}), catalog)


def in_lots(catalog: Catalog) -> Catalog:
    """Servers in fours, racks in fives, every device in hundreds, switches in dozens and optics in boxes of 64."""
    return catalog.overlay({
        "platforms": [{"id": part, "order_multiple": 4, "order_minimum": 6} for part in KEPT],
        "racks": [{"id": row.id, "order_multiple": 5} for row in catalog.rows("racks")],
        "memory": [{"id": row.id, "order_multiple": 100} for row in catalog.rows("memory")],
        "network": [{"id": row.id, "order_multiple": {"switch": 12, "optic": 64}[row["kind"]]}
                    for row in catalog.rows("network") if row["kind"] in ("switch", "optic")],
    })  # fmt: skip


def test_orders_are_whole_lots(study: Study, catalog: Catalog) -> None:
    """Each part, with its standard memory or without, comes in whole lots; the audit names an order that breaks them."""
    design = solve(study.with_changes({"supply.platform.hgx_h200_8": 100}), in_lots(catalog))
    assert design.audit["ok"] and design.status == "optimal"
    lots = {"platform": 4, "storage": 4, "rack": 5, "memory": 100}
    ordered: dict[tuple[str, str], float] = {}
    for line in design.bill_of_materials:
        key = (line["kind"], line["part"])
        ordered[key] = ordered.get(key, 0.0) + line["quantity"]
        assert line["in_use"] <= line["quantity"], line["id"]
    assert all(quantity % lots.get(kind, 1e-9) < 1e-6 for (kind, _), quantity in ordered.items())
    net = design.network
    for part, multiple, working in (
        (net["switch"], 12, net["leaves"] + net["spines"]),
        (net["optic"], 64, net["optics"]),
    ):
        assert working <= ordered["network", part] < working + multiple and ordered["network", part] % multiple == 0
    servers = [quantity for (kind, _), quantity in ordered.items() if kind == "platform"]
    assert servers and all(quantity >= 6 for quantity in servers)
    bill = [dict(line) for line in design.bill_of_materials]
    first = next(line for line in bill if line["kind"] == "platform")
    first["configurations"] = [{**first["configurations"][0], "quantity": first["quantity"] + 1}]
    assert any("whole lots" in text for text in audit(design.replace(bill_of_materials=bill))["violations"])


def test_what_comes_too_late_is_not_ordered(study: Study, catalog: Catalog) -> None:
    """26 weeks between order and power: a server of 30 weeks is filtered with its weeks, one of 26 is not."""
    slow = catalog.overlay(
        {"platforms": [{"id": KEPT[0], "lead_time_weeks": 30}, {"id": KEPT[1], "lead_time_weeks": 26}]}
    )
    days = {"site.order_date": "2026-01-05", "site.energised_by": "2026-07-06"}
    design = solve(study.with_changes(days), slow)
    assert design.audit["ok"]
    assert {line["part"] for line in design.bill_of_materials if line["kind"] == "platform"} == {KEPT[1]}
    assert any(f["part"] == KEPT[0] and "30 weeks" in f["reason"] and "26.0" in f["reason"] for f in design.filtered)
    assert all(line["lead_time_weeks"] is not None for line in design.bill_of_materials)
    sooner = design.study | {"site": design.study["site"] | {"energised_by": "2026-07-05"}}
    assert any("1 days after" in text for text in audit(design.replace(study=sooner))["violations"])


def test_days_are_refused_where_they_make_no_sense(study: Study, catalog: Catalog) -> None:
    """One day without the other, an order after power, a day that is none, and a fabric that comes too late."""
    for days in (
        ("2026-01-05", None),
        (None, "2026-01-05"),
        ("2026-02-01", "2026-01-01"),
        ("2026-02-31", "2026-07-01"),
    ):
        with pytest.raises(InputError, match="site"):
            study.with_changes(dict(zip(("site.order_date", "site.energised_by"), days, strict=True)))
    soon = study.with_changes({"site.order_date": "2026-01-01", "site.energised_by": "2026-01-15"})
    with pytest.raises(InputError, match="build.switch.*within 2.0"):
        resolve(soon, catalog)


SPARE = {"build.spares_days": 30.0, "build.n_plus_one": True, "build.accelerator_afr_percent": 20.0}


def test_spares_are_bought_and_lie_idle(study: Study, catalog: Catalog) -> None:
    """8 x 20% + 5% failures a year, 30 days each: 13.6% more servers than work, and one; none draws or stands."""
    design = solve(study.with_changes(SPARE), catalog)
    assert design.audit["ok"] and design.status == "optimal"
    servers = [line for line in design.bill_of_materials if line["kind"] == "platform"]
    for part in {line["part"] for line in servers}:
        ordered, working = (sum(s[n] for s in servers if s["part"] == part) for n in ("quantity", "in_use"))
        kept = working * (1.0 + 1.65 * 30.0 / 365.0) + 1.0
        assert kept - 1e-6 <= ordered < kept + 1.0
    nodes = sum(pool["quantity"] for pool in design.pools)
    assert nodes == sum(line["in_use"] for line in design.bill_of_materials if line["kind"] in ("platform", "storage"))
    none = design.study | {"build": design.study["build"] | {"spares_days": 60.0}}
    assert any("with spares" in text for text in audit(design.replace(study=none))["violations"])


def test_no_vendor_has_more_than_its_share(study: Study, catalog: Catalog) -> None:
    """At most six tenths of the accelerators' watts from one maker; the audit names a build that has more."""
    limited = solve(study.with_changes({"build.max_share_per_vendor": 0.6}), catalog)
    watts: dict[str, float] = {}
    for pool in limited.pools:
        vendor = catalog.row("platforms", pool["platform"])["vendor"]
        watts[vendor] = watts.get(vendor, 0.0) + pool["board_w"]
    assert limited.audit["ok"] and max(watts.values()) <= 0.6 * sum(watts.values()) * (1 + 1e-6)
    less = limited.study | {"build": limited.study["build"] | {"max_share_per_vendor": 0.5}}
    assert any("vendors: accelerator watts" in text for text in audit(limited.replace(study=less))["violations"])


def test_no_slivers_and_few_kinds_of_device(study: Study, catalog: Catalog) -> None:
    """At least a third of the megawatts or a full rack of each platform, one kind of device; the audit names less."""
    asked = study.with_changes({"build.min_platform_mw_frac": 0.34, "build.max_device_kinds": 1})
    design = solve(asked, catalog)
    assert design.audit["ok"] and design.status == "optimal"
    assert len({line["part"] for line in design.bill_of_materials if line["kind"] == "memory"}) <= 1
    enough: dict[str, float] = dict.fromkeys((pool["platform"] for pool in design.pools if pool["board_w"]), 0.0)
    for pool in (pool for pool in design.pools if pool["board_w"]):
        for item in pool["racks"]:
            each = pool["node_w"] / pool["quantity"] * item["pue_peak"] / (0.34 * 0.5e6)
            enough[pool["platform"]] += item["nodes"] * max(each, 1.0 / item["fit"])
    assert enough and all(amount >= 1.0 - 1e-6 for amount in enough.values())


def test_a_share_of_megawatts_needs_megawatts(study: Study, catalog: Catalog) -> None:
    """Without a contract there is nothing to take a share of; no share above one, no fewer kinds than none."""
    changes = {"site.id": None, "site.power_mw": None, "build.min_platform_mw_frac": 0.01, "objective.name": "tokens"}
    with pytest.raises(InputError, match="build.min_platform_mw_frac.*site.power_mw"):
        resolve(study.with_changes(changes), catalog)
    for key, value in (("min_platform_mw_frac", 1.5), ("min_platform_mw_frac", 0.0), ("max_device_kinds", -1)):
        with pytest.raises(InputError, match=f"build.{key}"):
            study.with_changes({f"build.{key}": value})


MONEY = {"site.budget_usd": None, "site.budget": 8.1e6, "site.currency": "EUR", "site.fx": 0.9, "site.tax_percent": 10.0,
         "site.discount_percent": {"AMD": 20.0}}  # fmt: skip


def test_tax_discounts_and_currency(study: Study, catalog: Catalog) -> None:
    """8.1 MEUR at 0.9 are 9 MUSD; AMD's servers cost 0.8 x 1.1 of their list price, others 1.1; printed in EUR."""
    from solver.report import render

    design = solve(study.with_changes(MONEY), catalog)
    budget = next(limit for limit in design.limits if limit["id"] == "site.budget_usd")
    assert design.audit["ok"] and budget["value"] == pytest.approx(9e6) and budget["used"] <= 9e6
    paid = {line["vendor"]: line["unit_usd"] / line["list_usd"] for line in design.bill_of_materials}
    assert paid["AMD"] == pytest.approx(0.88) and all(paid[v] == pytest.approx(1.1) for v in paid if v != "AMD")
    screen = render(design)
    assert (
        "unit EUR" in screen and "8.10 MEUR" in screen and "USD/year" not in screen.split("\nmoney")[1].split("\n")[0]
    )


def test_money_is_refused_where_it_is_ambiguous(study: Study, catalog: Catalog) -> None:
    """Two budgets, a currency without a rate, and a vendor nobody knows are problems with a hint, not guesses."""
    for changes in ({"site.budget": 1e6}, {"site.currency": "EUR"}, {"site.fx": 0.9}):
        with pytest.raises(InputError, match="budget|currency"):
            study.with_changes(changes)
    with pytest.raises(InputError, match="discount_percent.*no vendor.*AMD") as caught:
        resolve(study.with_changes({"site.discount_percent.AMDD": 5.0}), catalog)
    assert "AMD" in caught.value.problems[0].hint


@pytest.mark.parametrize("facility", ["rent", "own"])
def test_the_building_is_rented_or_owned(facility: str, study: Study, catalog: Catalog) -> None:
    """A kW of IT costs 12 x 110 USD a year rented, 12,000 over 15 years at 9 percent owned; the audit agrees."""
    changes = {"finance.facility": facility, "finance.load_factor": 0.7, "demand.floor_frac": 5.0}
    data, _ = prepare(resolve(study.with_changes(changes), catalog))
    usd = {"rent": 1320.0, "own": 12000.0 * 0.09 / (1.0 - 1.09**-15)}[facility]
    assert data.scenario.finance.rent_usd_per_w_year == pytest.approx(usd / 1e3)
    design = solve(study.with_changes(changes | {"objective.name": "tco"}), catalog)
    assert design.audit["ok"] and design.objective["value"] == pytest.approx(design.kpis["tco_usd_per_year"]["value"])
    other = {"rent": "facility_usd_per_kw", "own": "rent_usd_per_kw_month"}[facility]
    assert f"finance.{other}" not in {item["path"] for item in design.assumptions}


def test_nothing_that_pays_is_no_build(study: Study, catalog: Catalog) -> None:
    """At a thousandth of a cent for a million tokens the best build is none: said so, not a crash of ratios."""
    cheap = {path: 1e-5 for path in PRICED}
    design = solve(study.with_changes({"objective.name": "profit"} | cheap | FIXED), catalog)
    assert design.status == "infeasible" and "serving nothing" in design.explanation[0]


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


def test_the_example_of_a_buyer_resolves(catalog: Catalog) -> None:
    """The study in docs/buying.md is one that the program takes, with every key in its place."""
    text = (Path(__file__).parent.parent / "docs" / "buying.md").read_text(encoding="utf-8")
    body = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    scenario = resolve(study_from_dict(tomllib.loads(body)), catalog)
    assert scenario.site.budget_usd == pytest.approx(90e6) and scenario.fleet == {"hgx_h100_8/standard": 6}
    find_objective(scenario)
