"""The audit: it passes what the solver builds, and names every kind of planted violation."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import solver
from solver.audit import TOLERANCE, audit
from solver.auditing.checks import Checks
from solver.auditing.entries import read_entries
from solver.auditing.layout import Room
from solver.auditing.nodes import read_nodes
from solver.auditing.rows import Facts
from solver.catalog import Catalog, load_catalog
from solver.design import INFEASIBLE, Design
from solver.performance import predict
from solver.solve import solve
from solver.study import study_from_dict

Plain = dict[str, Any]
Plant = Callable[[Plain], None]

SITE = {"power_mw": 1.0, "budget_usd": 25e6, "floor_m2": 100.0, "water_l_per_s": 0.05, "co2_kg_per_s": 0.2,
        "fixed_mw": 0.02, "price_quarter": "2026Q3", "available_by": "2026-12"}  # fmt: skip
BUILD = {"power_caps": [1.0, 0.7], "batch_points_per_octave": 4, "whole_replicas": False}
QUICK = {"gap": 0.002, "time_limit_s": 60.0}
"""Whether a design is sound does not depend on how near it is to the best one."""
MIXED = [
    {"id": "chat_short", "requests_per_s": 55.3},
    {"id": "agentic_coding", "requests_per_s": 12.0},
    {"id": "reasoning_deep", "requests_per_s": 1.6},
]
MANY = [*MIXED, {"id": "rag_qa", "requests_per_s": 12.0}]
BOX = "cxl_box_cmmb_16tb"
SPILLING = [{"id": "long_memory_companion", "requests_per_s": 2.0, "kv_read_frac": 0.02, "tpot_s": 1.0, "ttft_s": None}]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def built(catalog: Catalog, keep: set[str], **sections: Any) -> Plain:
    """Solve a study of a few platforms and return its design as plain data."""
    drives = [row.id for row in catalog.rows("memory") if row["bay"] == "nvme"] if "storage_hdd_4u90" in keep else []
    out = [row.id for row in catalog.rows("platforms") if row.id not in keep]
    data = {"name": "audited", "site": SITE, "build": BUILD, "solver": QUICK, "exclude": [*out, *drives], **sections}
    return dataclasses.asdict(solve(study_from_dict(data), catalog))


@pytest.fixture(scope="module")
def site(catalog: Catalog) -> Plain:
    """A megawatt of four classes: all roles, hits and misses, storage servers, own and bought racks."""
    supply = {"platform": {"gb200_nvl72": 4}, "memory": {"hdd_seagate_exosm_30tb": 200}}
    keep, build = {"mi350x_8", "gb200_nvl72", "storage_hdd_4u90"}, {**BUILD, "menu": "full"}
    return built(catalog, keep, workload=MANY, supply=supply, build=build)


@pytest.fixture(scope="module")
def spilled(catalog: Catalog) -> Plain:
    """A megawatt of one class whose decoding replicas keep part of their active KV in host memory."""
    place = {**SITE, "water_l_per_s": None, "co2_kg_per_s": None, "floor_m2": None}
    return built(catalog, {"hgx_h100_8"}, workload=SPILLING, site=place, build={**BUILD, "router_width": 1})


@pytest.fixture(scope="module")
def stated(catalog: Catalog) -> Plain:
    """The cheapest build for stated rates, of which some may rest on estimates."""
    asked = {"objective": {"name": "tco"}, "demand": {"mode": "fixed", "floor_frac": 0.9}}
    build = {**BUILD, "max_estimated_capex_share": 0.97, "max_estimated_power_share": 0.95}
    return built(catalog, {"mi350x_8", "gb200_nvl72"}, workload=MIXED, build=build, **asked)


@pytest.fixture(scope="module")
def whole(catalog: Catalog) -> Plain:
    """A megawatt of three classes in whole replicas."""
    supply = {"platform": {"gb200_nvl72": 4}, "memory": {"hdd_seagate_exosm_30tb": 200}}
    keep, build = {"mi350x_8", "gb200_nvl72", "storage_hdd_4u90"}, {**BUILD, "menu": "full", "whole_replicas": "auto"}
    return built(catalog, keep, workload=MIXED, supply=supply, build=build, solver={**QUICK, "gap": 0.005})


@pytest.fixture(scope="module")
def attached(catalog: Catalog) -> Plain:
    """A megawatt of two classes whose nodes share appliances of pooled memory over their own lanes, within 1%."""
    asked = [item for item in MIXED if item["id"] != "agentic_coding"]
    place = {**SITE, "water_l_per_s": None, "co2_kg_per_s": None, "floor_m2": None}
    plain: Plain = {"build": {**BUILD, "power_caps": [1.0]}, "solver": {"gap": 0.01}}
    return built(catalog, {"mi350x_8", BOX}, workload=asked, site=place, allow=[BOX], **plain)


def load(design: Plain, **where: Any) -> Plain:
    """Return the first load entry with these values; a callable value is a test."""
    return next(item for item in design["load"] if matches(item, where))


def pool(design: Plain, **where: Any) -> Plain:
    return next(item for item in design["pools"] if matches(item, where))


def line(design: Plain, **where: Any) -> Plain:
    return next(item for item in design["bill_of_materials"] if matches(item, where))


def placed(design: Plain, **where: Any) -> Plain:
    return next(item for item in design["placement"] if matches(item, where))


def matches(item: Plain, where: Plain) -> bool:
    return all(value(item[name]) if callable(value) else item[name] == value for name, value in where.items())


def row(design: Plain, table: str, row_id: str) -> Plain:
    found: Plain = design["catalog"]["rows"][table][row_id]
    return found


def workload(design: Plain, name: str) -> Plain:
    return next(item for item in design["study"]["workload"] if item["id"] == name)


def bought(item: Plain) -> Plain:
    """Return the pool's nodes in racks that are bought apart."""
    found: Plain = item["racks"][0]
    return found


def lighter_pool(design: Plain) -> Plain:
    """Return a pool of servers with smaller host memory than they are sold with."""
    standard = row(design, "platforms", "mi350x_8")["host_mem_std_gb"]

    def holds_less(devices: list[Plain]) -> bool:
        return 0 < sum(i["count"] * row(design, "memory", i["device"])["capacity_gb"] for i in devices) < standard

    return pool(design, platform="mi350x_8", devices=holds_less)


def own_rack(item: Plain) -> bool:
    return bool(item["racks"][0]["own"])


def violations(design: Plain) -> list[str]:
    found: list[str] = audit(Design(**design))["violations"]
    return found


# --- designs that stand ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["site", "spilled", "stated", "whole", "attached"])
def test_solved_designs_pass(name: str, request: pytest.FixtureRequest) -> None:
    report = audit(Design(**request.getfixturevalue(name)))
    assert report["violations"] == []
    assert report["ok"] and report["checks"] > 150 and report["worst"] <= TOLERANCE


def test_designs_show_what_the_plants_need(site: Plain, spilled: Plain, attached: Plain) -> None:
    assert any(item["tier"] == "cxl_pool" for item in attached["load"])
    assert {item["role"] for item in site["load"]} == {"prefill", "decode", "mixed"}
    assert any(item["tier"].startswith("pooled_") for item in site["load"] if item["cache"] == "hit")
    assert any(not item["tier"].startswith("pooled_") for item in spilled["load"] if item["cache"] == "hit")
    assert {item["racks"][0]["own"] for item in site["pools"]} == {True, False}
    assert {item["kind"] for item in spilled["placement"]} == {"active", "parked"}


def test_report_is_plain_and_fast(site: Plain) -> None:
    begun = time.perf_counter()
    report = audit(Design(**site))
    assert time.perf_counter() - begun < 2.0
    assert set(report) == {"ok", "checks", "worst", "violations"}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_same_report_after_saving_and_loading(site: Plain) -> None:
    design = Design(**site)
    assert audit(Design.from_json(design.to_json())) == audit(design)


def test_nothing_to_check_without_a_build() -> None:
    assert audit(Design(status=INFEASIBLE)) == {"ok": True, "checks": 0, "worst": 0.0, "violations": []}


def test_entries_are_what_predict_says(site: Plain, catalog: Catalog) -> None:
    """A decode entry's step time and full rate are those of the public prediction on the catalog's rows."""
    facts = Facts(Design(**site))
    entry = next(e for e in read_entries(facts) if e.role == "decode")
    item, work = entry.record, entry.work
    found = predict(
        catalog, model=item["model"], accelerator=str(entry.platform.accelerator_id), count=entry.count,
        precision=item["precision"], kv_precision=item["kv_format"], batch=item["batch"], isl=work.isl, osl=work.osl,
        tp=item["tp"], pp=item["pp"], dp=item["dp"], ep=item["ep"], role="decode", power_cap=item["power_cap"],
        context=work.context, kv_read_frac=work.kv_read_frac,
    )  # fmt: skip
    assert entry.tpot_s == pytest.approx(found.tpot_s, rel=1e-12)
    assert entry.full_rate == pytest.approx(found.requests_per_s, rel=1e-12)
    assert entry.busy_w == pytest.approx(found.power_w, rel=1e-12)


# --- planted violations ----------------------------------------------------------------------------------

PLANTS: list[tuple[str, str, Plant, str]] = []
"""Name, fixture, what is done to the design, and a pattern that one of the violations must match."""


def shared_queue(d: Plain) -> Plain:
    """Return a queue of the design that replicas share."""
    found: Plain = d["solver"]["queues"][0]
    assert found["width"] > 1
    return found


def plant(fixture: str, words: str) -> Callable[[Plant], Plant]:
    """Register a way to break a design."""

    def add(function: Plant) -> Plant:
        PLANTS.append((function.__name__, fixture, function, words))
        return function

    return add


@plant("site", "accelerators without room in any node")
def one_more_replica_than_fits(d: Plain) -> None:
    item = load(d, role="decode")
    for name in ("replicas", "present"):
        item[name] += sum(p["accelerators"] for p in d["pools"])


@plant("site", "accelerators without room in any node")
def fewer_nodes_than_the_load_needs(d: Plain) -> None:
    item = pool(d, platform="gb200_nvl72")
    item["quantity"] -= 1
    item["racks"][0]["nodes"] -= 1
    item["racks"][0]["racks"] -= 1


@plant("site", "quantity against what the pools use")
def missing_node(d: Plain) -> None:
    line(d, kind="platform")["quantity"] -= 1


@plant("site", "quantity against what the pools use")
def node_too_many(d: Plain) -> None:
    line(d, kind="platform")["quantity"] += 1


@plant("site", "quantity against what the pools use")
def missing_device(d: Plain) -> None:
    line(d, kind="memory")["quantity"] -= 1


@plant("site", "quantity against what the pools use")
def missing_rack(d: Plain) -> None:
    line(d, kind="rack")["quantity"] -= 1


@plant("site", "orders no")
def missing_line(d: Plain) -> None:
    d["bill_of_materials"].remove(line(d, kind="network"))


@plant("site", "two lines with the same id")
def doubled_line(d: Plain) -> None:
    d["bill_of_materials"].append(dict(d["bill_of_materials"][0]))


@plant("site", "ordered, but no pool uses it")
def line_that_nothing_uses(d: Plain) -> None:
    d["bill_of_materials"].append(line(d, kind="rack") | {"id": "another_rack"})


@plant("site", "not a whole number of pieces")
def half_a_node(d: Plain) -> None:
    line(d, kind="platform")["quantity"] += 0.5


@plant("site", "not a whole number of pieces")
def negative_quantity(d: Plain) -> None:
    line(d, kind="storage")["quantity"] = -1


@plant("site", "unit price")
def wrong_unit_price(d: Plain) -> None:
    line(d, kind="platform")["unit_usd"] *= 0.99


@plant("site", "unit price")
def price_of_another_quarter(d: Plain) -> None:
    """Memory prices move; a platform quoted at another quarter moves with its standard fit."""
    device = row(d, "memory", str(row(d, "platforms", "gb200_nvl72")["host_mem_id"]))
    row(d, "memory_prices", f"{device['price_series']}_{SITE['price_quarter']}")["price_usd_per_gb"] *= 2.0


@plant("site", "capital outlay")
def outlay_that_does_not_add_up(d: Plain) -> None:
    line(d, kind="rack")["capex_usd"] -= 1000.0


@plant("site", "confidence differs from its row")
def estimate_called_a_datasheet(d: Plain) -> None:
    line(d, kind="platform")["confidence_price"] = "measured"


@plant("site", "limit site.budget_usd")
def budget_over(d: Plain) -> None:
    d["study"]["site"]["budget_usd"] = 20e6


@plant("site", "limit site.power_mw")
def megawatts_over(d: Plain) -> None:
    d["study"]["site"]["power_mw"] = 0.9


@plant("site", "limit site.floor_m2")
def floor_over(d: Plain) -> None:
    d["study"]["site"]["floor_m2"] = 1.0


@plant("site", "limit site.water_l_per_s")
def water_over(d: Plain) -> None:
    d["study"]["site"]["water_l_per_s"] = 1e-4


@plant("site", "limit site.co2_kg_per_s")
def carbon_over(d: Plain) -> None:
    d["study"]["site"]["co2_kg_per_s"] = 1e-4


@plant("site", "limit build.max_estimated_capex_share")
def too_many_dollars_on_estimates(d: Plain) -> None:
    d["study"]["build"]["max_estimated_capex_share"] = 0.01


@plant("site", "limit build.max_estimated_power_share")
def too_many_watts_on_estimates(d: Plain) -> None:
    d["study"]["build"]["max_estimated_power_share"] = 0.01


@plant("stated", "limit build.max_estimated_capex_share: used")
def fewer_dollars_on_estimates_than_there_are(d: Plain) -> None:
    limit = next(limit for limit in d["limits"] if limit["id"] == "build.max_estimated_capex_share")
    limit["used"] -= 0.01
    limit["slack"] += 0.01


@plant("stated", "limit build.max_estimated_power_share: missing")
def share_of_watts_not_stated(d: Plain) -> None:
    d["limits"] = [limit for limit in d["limits"] if limit["id"] != "build.max_estimated_power_share"]


@plant("site", "supply of gb200_nvl72")
def platform_supply_over(d: Plain) -> None:
    d["study"]["supply"]["platform"]["gb200_nvl72"]["quantity"] = 1


@plant("site", "supply of hdd_seagate_exosm_30tb")
def device_supply_over(d: Plain) -> None:
    d["study"]["supply"]["memory"]["hdd_seagate_exosm_30tb"]["quantity"] = 1


@plant("site", r"not for sale \(cloud_only\)")
def part_not_for_sale(d: Plain) -> None:
    row(d, "platforms", "gb200_nvl72")["buyable"] = "cloud_only"


@plant("site", "wanted by 2024-01")
def part_too_late(d: Plain) -> None:
    d["study"]["site"]["available_by"] = "2024-01"


@plant("site", "excluded by the study")
def part_excluded(d: Plain) -> None:
    d["study"]["exclude"].append("mi350x_8")


@plant("site", "kinds of platforms")
def too_many_platforms(d: Plain) -> None:
    d["study"]["build"]["max_platforms"] = 1


@plant("site", "kinds of memory devices")
def too_many_devices(d: Plain) -> None:
    d["study"]["build"]["max_device_kinds"] = 0


@plant("site", "nodes of .* against the least share")
def sliver_of_a_platform(d: Plain) -> None:
    """The rack would hold hundreds of such servers, and they are far from all of the megawatts."""
    d["study"]["build"]["min_platform_mw_frac"] = 1.0
    rack = row(d, "racks", bought(pool(d, platform="mi350x_8"))["rack"])
    rack["peak_kw"], rack["rack_units"] = 1e5, 10_000


@plant("site", "quantity against what the pools use")
def switches_that_do_not_fill_a_lot(d: Plain) -> None:
    row(d, "network", d["network"]["switch"])["order_multiple"] = 1000


@plant("site", "quantity against what the pools use")
def optics_below_the_minimum(d: Plain) -> None:
    row(d, "network", d["network"]["optic"])["order_minimum"] = 10**6


@plant("site", "in a node's bays or lanes")
def more_drives_than_bays(d: Plain) -> None:
    pool(d, platform="storage_hdd_4u90")["devices"][0]["count"] = (
        row(d, "platforms", "storage_hdd_4u90")["hdd_bays"] + 1
    )


@plant("site", "host memory modules in a node's slots")
def more_modules_than_slots(d: Plain) -> None:
    pool(d, platform="mi350x_8", devices=bool)["devices"][0]["count"] *= 2


@plant("site", "host memory of a node")
def more_memory_than_the_platform_takes(d: Plain) -> None:
    row(d, "platforms", "mi350x_8")["host_mem_max_gb"] = 1500.0


@plant("site", "host memory to load weights and run: .* is below")
def less_memory_than_weights_need(d: Plain) -> None:
    """Smaller modules, in the design and in its name, in nodes that are bought without their standard memory."""
    lighter_pool(d)["devices"][0]["count"] = 4


@plant("site", "host memory to load weights and run: .* is below")
def more_memory_asked_for_than_is_bought(d: Plain) -> None:
    d["study"]["build"]["host_mem_min_frac"] = 1.0


@plant("site", "unit price")
def smaller_memory_beside_the_standard_memory(d: Plain) -> None:
    """A platform whose memory was replaced is paid without it; here it is paid with it."""
    device = row(d, "memory", str(row(d, "platforms", "mi350x_8")["host_mem_id"]))
    usd = row(d, "memory_prices", f"{device['price_series']}_{SITE['price_quarter']}")["price_usd_per_gb"]
    line(d, id="mi350x_8 without memory")["unit_usd"] += usd * row(d, "platforms", "mi350x_8")["host_mem_std_gb"]


@plant("site", "provisioned watts")
def watts_of_standard_memory_kept(d: Plain) -> None:
    line(d, id="mi350x_8 without memory")["provisioned_w"] *= 1.01


@plant("site", "drawn watts")
def idle_watts_of_standard_memory_kept(d: Plain) -> None:
    row(d, "memory", str(row(d, "platforms", "mi350x_8")["host_mem_id"]))["idle_w"] = 0.0


@plant("site", "nodes of mi350x_8/standard against those at work")
def smaller_memory_called_standard(d: Plain) -> None:
    item = lighter_pool(d)
    item["devices"], item["configuration"] = [], "mi350x_8/standard"


@plant("site", "tier pooled_ddr of .*: bytes")
def pooled_memory_overfilled(d: Plain) -> None:
    placed(d, kind="parked", tier="pooled_ddr")["bytes"] *= 1e3


@plant("site", "tier pooled_ddr of .*: bytes")
def pooled_modules_smaller_than_said(d: Plain) -> None:
    at = pool(d, pool_id=placed(d, kind="parked", tier="pooled_ddr")["pool_id"])
    row(d, "memory", at["devices"][0]["device"])["capacity_gb"] = 16.0


@plant("site", "tier pooled_ddr of .*: (reads|writes)")
def pooled_modules_slower_than_said(d: Plain) -> None:
    at = pool(d, pool_id=placed(d, kind="parked", tier="pooled_ddr")["pool_id"])
    row(d, "memory", at["devices"][0]["device"])["read_bw_gb_s"] = 1e-4


@plant("site", "there is no tier pooled_ddr")
def pooled_memory_on_drives(d: Plain) -> None:
    at = pool(d, devices=lambda devices: any("hdd" in item["device"] for item in devices))
    placed(d, kind="parked", tier="pooled_ddr")["pool_id"] = at["pool_id"]


@plant("site", "stands twice")
def doubled_pool(d: Plain) -> None:
    d["pools"].append(copy.deepcopy(d["pools"][0]))


@plant("site", "no pool of")
def cap_of_a_pool_changed(d: Plain) -> None:
    pool(d, platform="gb200_nvl72")["cap"] = 0.5


@plant("site", "not one the study offers")
def cap_that_is_not_offered(d: Plain) -> None:
    d["study"]["build"]["power_caps"] = [1.0]


@plant("site", "peak watts of the fullest rack")
def rack_too_full(d: Plain) -> None:
    item = pool(d, platform="mi350x_8", racks=lambda racks: racks[0]["racks"] > 1)
    bought(item)["racks"] = 1


@plant("site", "height of the fullest rack")
def rack_too_low(d: Plain) -> None:
    row(d, "racks", bought(pool(d, platform="mi350x_8"))["rack"])["rack_units"] = 4


@plant("site", "peak watts of a rack")
def own_rack_too_weak(d: Plain) -> None:
    row(d, "racks", bought(pool(d, racks=lambda racks: racks[0]["own"]))["rack"])["peak_kw"] = 50.0


@plant("site", "racks do not take")
def wrong_cooling(d: Plain) -> None:
    cooling = row(d, "racks", bought(pool(d, platform="mi350x_8"))["rack"])["cooling"]
    row(d, "cooling", cooling)["accepts"] = ["liquid"]


@plant("site", "the site has no")
def cooling_that_the_site_lacks(d: Plain) -> None:
    d["study"]["site"]["cooling"] = ["storage_air"]


@plant("site", "cannot hold the platform")
def servers_in_storage_racks(d: Plain) -> None:
    row(d, "racks", bought(pool(d, platform="mi350x_8"))["rack"])["use"] = "storage"


@plant("site", "nodes that stand in racks")
def nodes_without_racks(d: Plain) -> None:
    bought(pool(d, platform="mi350x_8"))["nodes"] -= 1


@plant("site", "spans more than one scale-up domain")
def replica_over_two_nodes(d: Plain) -> None:
    load(d, platform="mi350x_8")["pp"] = 16


@plant("site", "does not divide the model")
def heads_that_do_not_divide(d: Plain) -> None:
    load(d, platform="mi350x_8", role="prefill")["tp"] = 7


@plant("site", "number formats")
def precision_that_the_class_does_not_accept(d: Plain) -> None:
    load(d, role="decode")["precision"] = "fp4"


@plant("site", "role, cap or chunk")
def role_that_is_not_offered(d: Plain) -> None:
    d["study"]["build"]["roles"] = ["prefill", "decode"]


@plant("site", "load .*: batch")
def batch_that_is_not_offered(d: Plain) -> None:
    d["study"]["build"]["max_batch"] = 8


@plant("site", "longer than the model's context")
def context_too_long(d: Plain) -> None:
    row(d, "models", load(d, role="decode")["model"])["max_context"] = 1000


@plant("site", "accelerators of its replicas")
def accelerators_understated(d: Plain) -> None:
    load(d, role="decode")["accelerators"] *= 0.5


@plant("site", "replicas at work against those that stand")
def more_at_work_than_stand(d: Plain) -> None:
    load(d, role="decode")["replicas"] *= 2.0


@plant("site", "replicas that stand below their rated load")
def idle_without_memory_of_their_own(d: Plain) -> None:
    load(d, role="decode")["present"] *= 2.0


@plant("whole", "whole replicas: missing in the design")
def silence_on_whole_replicas(d: Plain) -> None:
    d["whole"] = {}


@plant("whole", "fewer than its entries take")
def one_whole_replica_too_few(d: Plain) -> None:
    d["whole"]["replicas"][0]["replicas"] -= 1


@plant("whole", "whole replicas: counts are not whole numbers")
def half_a_replica(d: Plain) -> None:
    d["whole"]["replicas"][0]["replicas"] += 0.5


@plant("whole", "whole replicas of .*: accelerators")
def accelerators_of_whole_replicas_understated(d: Plain) -> None:
    d["whole"]["replicas"][0]["accelerators"] *= 0.5


@plant("whole", "missing, or not those of its kind")
def replicas_of_nobody(d: Plain) -> None:
    d["whole"]["replicas"].pop()


@plant("whole", "value without their cost is better than the bound")
def whole_replicas_cost_too_much(d: Plain) -> None:
    d["whole"]["loss_frac"] = 0.5


@plant("whole", "what they cost is not stated")
def cost_of_whole_replicas_unstated(d: Plain) -> None:
    d["whole"]["loss_frac"] = None


@plant("whole", "they matter, and nothing is said of them")
def parts_although_they_matter(d: Plain) -> None:
    d["whole"] |= {"on": False, "loss_frac": 0.0}


@plant("whole", "whose replicas are not settled is called optimal")
def optimal_in_parts(d: Plain) -> None:
    d["whole"] |= {"on": False, "loss_frac": None}
    d["status"] = "optimal"


@plant("whole", "share of one of each kind")
def share_of_whole_replicas_understated(d: Plain) -> None:
    d["whole"] |= {"on": False, "loss_frac": None, "share": 0.001}


@plant("whole", "the study does not want them")
def whole_although_parts_will_do(d: Plain) -> None:
    d["study"]["build"]["whole_replicas"] = False


@plant("site", "KV in flight in local memory")
def batch_that_does_not_fit(d: Plain) -> None:
    load(d, role="mixed")["batch"] *= 64.0


@plant("site", "local memory left for KV beside the weights")
def weights_that_do_not_fit(d: Plain) -> None:
    part = row(d, "platforms", "gb200_nvl72")["accelerator_id"]
    row(d, "accelerators", part)["mem_gb"] = row(d, "accelerators", part)["mem_usable_gb"] = 10.0


@plant("site", "but no pool whose memory holds it")
def decode_batch_beyond_memory(d: Plain) -> None:
    load(d, role="decode")["batch"] *= 8.0


@plant("spilled", "KV below local memory")
def spill_understated(d: Plain) -> None:
    load(d, spill_bytes=bool)["spill_bytes"] *= 0.9


@plant("spilled", "bytes below local memory")
def active_bytes_nowhere(d: Plain) -> None:
    placed(d, kind="active")["bytes"] *= 0.9


@plant("spilled", "bytes in the share of its own nodes")
def active_bytes_on_others_nodes(d: Plain) -> None:
    placed(d, kind="active")["bytes"] *= 20.0


@plant("spilled", "active KV of .*: reads: .* is below")
def active_reads_understated(d: Plain) -> None:
    placed(d, kind="active")["read_bytes_per_s"] *= 0.9


@plant("spilled", "reads over its own links")
def link_too_slow_for_active_bytes(d: Plain) -> None:
    row(d, "links", "pcie5_x16")["peak_gb_s"] = 0.5


@plant("spilled", "reads from the share of its own nodes")
def host_memory_too_slow_for_active_bytes(d: Plain) -> None:
    row(d, "platforms", "hgx_h100_8")["host_mem_bw_gb_s"] = 5.0


@plant("spilled", "which is no load entry")
def active_bytes_of_nobody(d: Plain) -> None:
    placed(d, kind="active")["load_id"] = "nobody"


@plant("site", "tier pooled_hdd of .*: bytes")
def parked_bytes_too_many(d: Plain) -> None:
    for item in d["placement"]:
        if item["tier"] == "pooled_hdd":
            item["bytes"] *= 1000.0


@plant("site", "resident bytes")
def parked_bytes_too_few(d: Plain) -> None:
    placed(d, kind="parked")["bytes"] *= 0.99


@plant("site", "parked KV of agentic_coding .*: resident bytes: .* is below")
def shares_no_system_prompt(d: Plain) -> None:
    row(d, "workloads", "agentic_coding")["system_tokens"] = 0.0


@plant("site", "load .*: local memory left for KV beside the weights: .* is below")
def keeps_a_system_prompt_that_does_not_fit(d: Plain) -> None:
    row(d, "workloads", "agentic_coding")["system_tokens"] = 117_000.0
    row(d, "models", "deepseek-v3.2")["mla_kv_lora_rank"] = 512_000


@plant("site", "load .*: bytes handed over a request: .*")
def hands_over_the_system_prompt(d: Plain) -> None:
    prefill = load(d, **{"class": "agentic_coding", "role": "prefill"})
    prefill["handover_bytes"] *= 117_235.0 / (117_235.0 - 14_632.0)


@plant("site", "bytes/s read where it lay: .* is below")
def moved_without_reading(d: Plain) -> None:
    place = placed(d, kind="parked", moved_out_bytes_per_s=lambda moved: moved > 1e9)
    place["moved_out_bytes_per_s"] *= 0.9


@plant("site", "bytes/s that move out of it: .* is above")
def moved_more_than_leaves(d: Plain) -> None:
    place = placed(d, kind="parked", moved_out_bytes_per_s=lambda moved: moved > 1e9)
    place["moved_out_bytes_per_s"] *= 1.1


@plant("site", "reads of hits and of what moves out: .* is below")
def moves_not_among_the_reads(d: Plain) -> None:
    place = placed(d, kind="parked", moved_out_bytes_per_s=lambda moved: moved > 1e9)
    place["read_bytes_per_s"] -= place["moved_out_bytes_per_s"]


@plant("site", "moves are not numbers")
def moved_a_negative_amount(d: Plain) -> None:
    placed(d, kind="parked")["moved_out_bytes_per_s"] = -1.0


@plant("site", "parked KV of .*: bytes/s written: .* is below")
def moved_without_writing(d: Plain) -> None:
    placed(d, kind="parked", segment=lambda i: i > 0, write_bytes_per_s=lambda n: n > 1e9)["write_bytes_per_s"] *= 0.9


@plant("stated", "reads from the share of the replicas that load it")
def own_memory_slower_than_said(d: Plain) -> None:
    item = placed(d, kind="parked", tier=lambda name: name in ("ddr", "lpddr"))
    row(d, "platforms", pool(d, pool_id=item["pool_id"])["platform"])["host_mem_bw_gb_s"] = 1e-3


@plant("spilled", "parked KV of .*: bytes in the share of the replicas that load it")
def parked_where_nobody_loads(d: Plain) -> None:
    tier = placed(d, kind="parked", tier=lambda name: not name.startswith("pooled_"))["tier"]
    for item in d["load"]:
        if item["tier"] == tier:
            item["present"] *= 0.01


@plant("site", "there is no tier")
def parked_on_a_tier_that_is_not_there(d: Plain) -> None:
    placed(d, kind="parked")["tier"] = "hbf"


@plant("site", "is made of")
def parked_on_another_device(d: Plain) -> None:
    placed(d, kind="parked")["device"] = "another"


@plant("site", "requests kept for segment")
def kept_long_but_not_short(d: Plain) -> None:
    placed(d, kind="parked", segment=lambda i: i > 0)["requests_per_s"] = 1e6


@plant("site", "has no such retention segment")
def segment_that_is_not_there(d: Plain) -> None:
    placed(d, kind="parked")["segment"] = 99


@plant("site", "hits it wins")
def more_hits_than_a_segment_wins(d: Plain) -> None:
    placed(d, kind="parked")["hits_per_s"] *= 1.01


@plant("site", "time to live")
def another_time_to_live(d: Plain) -> None:
    placed(d, kind="parked")["ttl_s"] += 1.0


@plant("site", "against what is kept there")
def too_many_hits(d: Plain) -> None:
    item = load(d, cache="hit", tier="pooled_hdd")
    item["requests_per_s"] *= 1.05


@plant("site", "which no storage pool has")
def hits_from_storage_that_is_not_there(d: Plain) -> None:
    load(d, cache="hit", tier="pooled_hdd")["tier"] = "pooled_nvme_tlc"


@plant("site", "tier pooled_hdd of .*: reads")
def storage_ports_too_slow(d: Plain) -> None:
    row(d, "platforms", "storage_hdd_4u90")["nic_gbit_s"] = 0.001


@plant("attached", "appliances .*: nodes attached to their ports")
def more_nodes_than_an_appliance_has_ports_for(d: Plain) -> None:
    row(d, "platforms", BOX)["most_hosts"] = 1


@plant("attached", "appliances .*: nodes attached to their ports")
def appliance_that_is_none(d: Plain) -> None:
    pool(d, platform=BOX)["quantity"] = 0


@plant("attached", "appliances .*: bytes")
def appliances_too_small_for_what_all_nodes_park(d: Plain) -> None:
    row(d, "platforms", BOX)["host_mem_std_gb"] = 1000.0


@plant("attached", "appliances .*: reads")
def appliances_too_slow_for_what_all_nodes_read(d: Plain) -> None:
    placed(d, tier="cxl_pool", kind="parked")["read_bytes_per_s"] += 1e12


@plant("attached", "appliances .*: writes")
def appliances_too_slow_for_what_all_nodes_write(d: Plain) -> None:
    placed(d, tier="cxl_pool", kind="parked")["write_bytes_per_s"] += 1e12


@plant("attached", "cxl devices in a node's bays or lanes")
def no_lanes_for_the_adapters(d: Plain) -> None:
    row(d, "platforms", "mi350x_8")["cxl_lanes"] = 8


@plant("attached", "holds other devices than configuration")
def nodes_named_as_attached_that_are_not(d: Plain) -> None:
    pool(d, attached=BOX)["attached"] = ""


@plant("attached", "KV loaded by a replica over its own link and share")
def adapters_too_slow_for_hits(d: Plain) -> None:
    row(d, "links", str(row(d, "platforms", BOX)["host_link_id"]))["peak_gb_s"] = 0.001


@plant("spilled", "KV loaded by a replica over its own link and share")
def host_link_too_slow_for_hits(d: Plain) -> None:
    row(d, "links", str(row(d, "platforms", "hgx_h100_8")["host_link_id"]))["peak_gb_s"] = 0.01


@plant("site", "through a replica's own ports")
def ports_too_slow_for_the_hand_over(d: Plain) -> None:
    row(d, "network", d["network"]["switch"])["port_gbit_s"] = 0.1


@plant("site", "seconds to take over a prompt's KV")
def ports_too_slow_to_take_over(d: Plain) -> None:
    row(d, "network", d["network"]["switch"])["port_gbit_s"] = 0.1


@plant("site", "no share of its node's that the study offers")
def ports_that_are_no_share(d: Plain) -> None:
    load(d, ports_per_replica=bool)["ports_per_replica"] *= 1.1


@plant("site", "its node cannot wire")
def ports_that_a_node_cannot_wire(d: Plain) -> None:
    """Nine cards in place of eight, and the same share of them: a quarter of nine is no whole number."""
    row(d, "platforms", "mi350x_8")["nic_count"] = 9
    for item in d["load"]:
        if item["platform"] == "mi350x_8":
            item["ports_per_replica"] *= 9 / 8


@plant("site", "network: ports wired for nodes and replicas")
def ports_understated(d: Plain) -> None:
    d["network"]["ports"] *= 0.5


@plant("site", "network: ports wired for nodes and replicas")
def more_ports_of_its_own_asked_for_a_node(d: Plain) -> None:
    d["study"]["build"]["accelerators_per_port"] = 4.0


@plant("site", "network: ports that the fabric can join")
def fabric_with_too_few_tiers(d: Plain) -> None:
    d["network"]["tiers"] = 0


@plant("site", "network: leaves")
def too_few_leaves(d: Plain) -> None:
    d["network"]["leaves"] -= 2


@plant("site", "network: optics")
def too_few_optics(d: Plain) -> None:
    d["network"]["optics"] = 0


@plant("site", "network: meter_w")
def network_watts_understated(d: Plain) -> None:
    d["network"]["meter_w"] *= 0.5


@plant("site", "network: missing in the design")
def no_network(d: Plain) -> None:
    d["network"] = {}


@plant("site", "TPOT understated")
def tpot_understated(d: Plain) -> None:
    load(d, role="decode")["tpot_s"] *= 0.99


@plant("site", "TPOT promise broken")
def tpot_broken(d: Plain) -> None:
    workload(d, "chat_short")["tpot_s"] = 0.001


@plant("site", "TTFT understated")
def ttft_understated(d: Plain) -> None:
    load(d, role="prefill")["ttft_s"] *= 0.5


@plant("site", "router width above the study's")
def _(d: Plain) -> None:
    load(d, role="prefill")["router_width"] = 1 + d["study"]["build"]["router_width"]


@plant("site", "router width above the replicas that stand")
def wider_than_what_stands(d: Plain) -> None:
    d["study"]["build"]["router_width"] = 1000
    load(d, role="prefill", cache="miss")["router_width"] = 1000


@plant("site", "router width above the replicas that stand")
def replicas_of_a_queue_went(d: Plain) -> None:
    queue = shared_queue(d)
    for entry in d["load"]:
        if (entry["class"], entry["role"]) == (queue["class"], queue["role"]) and entry["router_width"] > 1:
            entry["replicas"] *= 0.99 * queue["width"] / queue["replicas"]


@plant("site", "width in solver.queues")
def stated_width_of_a_queue(d: Plain) -> None:
    shared_queue(d)["width"] -= 1


@plant("site", "replicas in solver.queues")
def stated_replicas_of_a_queue(d: Plain) -> None:
    shared_queue(d)["replicas"] += 1.0


@plant("site", "0 times in solver.queues")
def queue_not_stated(d: Plain) -> None:
    d["solver"]["queues"].clear()


@plant("site", "queues that no load entry shares")
def queue_of_nobody(d: Plain) -> None:
    d["solver"]["queues"].append(shared_queue(d) | {"class": "nobody"})


@plant("stated", "hits in a node's own tier go to that node")
def _(d: Plain) -> None:
    d["study"]["build"]["router_width"] = 2
    load(d, cache="hit", pool_id=lambda pool_id: pool_id is not None)["router_width"] = 2


@plant("site", "router width is not a whole number")
def _(d: Plain) -> None:
    load(d, role="prefill")["router_width"] = 1.5


@plant("site", "TTFT promise broken")
def _(d: Plain) -> None:
    workload(d, "agentic_coding")["promise_on"] = "per_1k_new_tokens"
    workload(d, "agentic_coding")["ttft_s"] = 0.01


@plant("site", "TTFT understated")
def _(d: Plain) -> None:
    workload(d, "chat_short")["arrival_cv"] = 20.0


@plant("site", "TTFT promise broken")
def ttft_broken(d: Plain) -> None:
    workload(d, "chat_short")["ttft_s"] = 0.01


@plant("site", "TTFT promise broken")
def percentile_raised(d: Plain) -> None:
    """A wait that 99.9% of the requests keep within the promise is longer than that of the class's percentile."""
    for item in d["study"]["workload"]:
        item["percentile"] = 0.999


@plant("site", "above what the utilisation cap leaves")
def rate_overstated(d: Plain) -> None:
    load(d, role="decode")["requests_per_s_per_replica"] *= 1.3


@plant("site", "requests/s against its replicas")
def more_requests_than_replicas_serve(d: Plain) -> None:
    load(d, role="decode")["requests_per_s"] *= 1.01


@plant("site", "output tokens/s")
def tokens_overstated(d: Plain) -> None:
    load(d, role="decode")["output_tokens_per_s"] *= 1.01


@plant("site", "bytes handed over")
def hand_over_understated(d: Plain) -> None:
    load(d, role="prefill")["handover_bytes"] *= 0.5


@plant("site", "drawn watts understated")
def watts_understated(d: Plain) -> None:
    load(d, role="decode")["drawn_above_idle_w"] *= 0.9


@plant("site", "drawn watts at the meter understated")
def meter_watts_understated(d: Plain) -> None:
    load(d, role="decode")["drawn_above_idle_meter_w"] *= 0.8


@plant("site", "evidence is")
def evidence_overstated(d: Plain) -> None:
    load(d, evidence=lambda word: word != "measured")["evidence"] = "measured"


@plant("site", "pool mi350x_8.*: node_w")
def pool_watts_understated(d: Plain) -> None:
    pool(d, platform="mi350x_8")["node_w"] *= 0.9


@plant("site", "pool mi350x_8.*: floor_m2")
def pool_floor_understated(d: Plain) -> None:
    bought(pool(d, platform="mi350x_8"))["floor_m2"] *= 0.5


@plant("site", "mix not kept")
def mix_not_kept(d: Plain) -> None:
    for item in d["load"]:
        if item["class"] == "chat_short":
            item["requests_per_s"] *= 0.9


@plant("site", "requests prefilled against those decoded")
def prompts_nobody_prefills(d: Plain) -> None:
    short = load(d, role="prefill")["class"]
    for item in d["load"]:
        if item["class"] == short and item["role"] == "prefill":
            item["requests_per_s"] *= 0.9


@plant("site", "scale of the mix")
def mix_beyond_its_scale(d: Plain) -> None:
    d["study"]["demand"]["max_scale"] = 1e-3


@plant("stated", "served beyond the stated rate")
def more_served_than_asked(d: Plain) -> None:
    workload(d, "chat_short")["requests_per_s"] *= 0.5


@plant("stated", "served against the floor")
def less_served_than_the_floor(d: Plain) -> None:
    workload(d, "chat_short")["requests_per_s"] *= 2.0


@plant("site", "objective: value")
def objective_overstated(d: Plain) -> None:
    d["objective"]["value"] *= 1.01


@plant("stated", "objective: value")
def cost_understated(d: Plain) -> None:
    d["objective"]["value"] *= 0.99


@plant("site", "value is better than its bound")
def bound_on_the_wrong_side(d: Plain) -> None:
    d["objective"]["bound"] = d["objective"]["value"] * 0.999


@plant("stated", "value is better than its bound")
def bound_above_the_cost(d: Plain) -> None:
    d["objective"]["bound"] = d["objective"]["value"] * 1.001


@plant("site", "objective: gap")
def gap_misstated(d: Plain) -> None:
    d["objective"]["gap"] = d["objective"]["gap"] + 0.01


@plant("site", "gap of a design that is called optimal")
def gap_too_wide_for_optimal(d: Plain) -> None:
    d["objective"]["bound"] = d["objective"]["value"] * 1.1
    d["objective"]["gap"] = 0.1


@plant("site", "not the study's")
def another_objective(d: Plain) -> None:
    d["objective"]["name"] = "tco"


@plant("site", "cannot recompute")
def unknown_objective(d: Plain) -> None:
    d["objective"]["name"] = d["study"]["objective"]["name"] = "smiles"


@plant("site", "KPI tokens_per_mw")
def kpi_off(d: Plain) -> None:
    d["kpis"]["tokens_per_mw"]["value"] *= 1.001


@plant("site", "KPI tco_usd_per_year")
def yearly_cost_off(d: Plain) -> None:
    d["kpis"]["tco_usd_per_year"]["value"] *= 0.99


@plant("site", "KPI tokens_per_s: low end of its band")
def band_beside_its_value(d: Plain) -> None:
    d["kpis"]["tokens_per_s"]["low"] = d["kpis"]["tokens_per_s"]["value"] * 1.5


@plant("site", "KPI tokens_per_mw: low end of its band")
def surer_than_its_regimes(d: Plain) -> None:
    record = d["kpis"]["tokens_per_mw"]
    record["low"] = 0.5 * (record["low"] + record["value"])


@plant("site", "KPI joules_per_token: high end of its band")
def energy_without_its_error(d: Plain) -> None:
    d["kpis"]["joules_per_token"]["high"] = d["kpis"]["joules_per_token"]["value"]


@plant("site", "KPI unmeasured_load_share")
def ground_called_measured(d: Plain) -> None:
    d["kpis"]["unmeasured_load_share"]["value"] += 0.1


@plant("site", "KPI it_w: missing")
def kpi_missing(d: Plain) -> None:
    del d["kpis"]["it_w"]


@plant("site", "tokens by model")
def tokens_by_model_off(d: Plain) -> None:
    d["tokens_by_model"][next(iter(d["tokens_by_model"]))] *= 1.01


@plant("site", "limit .*: slack")
def slack_off(d: Plain) -> None:
    d["limits"][0]["slack"] += 0.01 * d["limits"][0]["value"]


@plant("site", "limit site.power_mw: used")
def use_of_a_limit_off(d: Plain) -> None:
    limit = next(item for item in d["limits"] if item["id"] == "site.power_mw")
    limit["used"] *= 0.9
    limit["slack"] = limit["value"] - limit["used"]


@plant("site", "two entries with the same id")
def doubled_entry(d: Plain) -> None:
    d["load"].append(dict(d["load"][0]))


@plant("site", "row is not in the design")
def row_missing(d: Plain) -> None:
    del d["catalog"]["rows"]["models"][d["load"][0]["model"]]


@plant("site", "the design lacks")
def field_missing(d: Plain) -> None:
    del d["pools"][0]["devices"]


@plant("site", "role: unknown .*train")
def role_nobody_knows(d: Plain) -> None:
    d["load"][0]["role"] = "train"


@plant("site", "cannot be read")
def text_for_a_number(d: Plain) -> None:
    d["load"][0]["replicas"] = "many"


@plant("site", "not a number of at least 0")
def not_a_number(d: Plain) -> None:
    d["load"][0]["replicas"] = float("nan")


@pytest.mark.parametrize(
    ("fixture", "change", "words"), [case[1:] for case in PLANTS], ids=[case[0] for case in PLANTS]
)
def test_planted_violation_is_named(fixture: str, change: Plant, words: str, request: pytest.FixtureRequest) -> None:
    design = copy.deepcopy(request.getfixturevalue(fixture))
    change(design)
    report = audit(Design(**design))
    assert not report["ok"] and report["worst"] > TOLERANCE
    assert any(re.search(words, text) for text in report["violations"]), report["violations"][:10]


def test_worst_violation_comes_first(site: Plain) -> None:
    design = copy.deepcopy(site)
    design["kpis"]["it_w"]["value"] *= 1.001
    design["kpis"]["floor_m2"]["value"] *= 3.0
    found = violations(design)
    floor = next(k for k, text in enumerate(found) if "KPI floor_m2: stated" in text)
    power = next(k for k, text in enumerate(found) if "KPI it_w: stated" in text)
    assert floor < power


def test_violations_below_the_tolerance_pass(site: Plain) -> None:
    design = copy.deepcopy(site)
    design["kpis"]["it_w"]["value"] *= 1.0 + 0.5 * TOLERANCE
    report = audit(Design(**design))
    assert report["ok"] and 0.4 * TOLERANCE < report["worst"] < TOLERANCE


# --- layout by hand --------------------------------------------------------------------------------------


def test_whole_replicas_never_span_domains() -> None:
    """Two nodes of 8 hold two replicas of 5, not three, although 16 accelerators exceed 15."""
    assert Room({8.0: 2}).put(5.0, 3) == 1


def test_smaller_replicas_fill_the_gaps() -> None:
    """After one replica of 8 and one of 4, two of 2 fill the node; pooled arithmetic would allow a third of 4."""
    nodes = Room({8.0: 2})
    assert [nodes.put(size, n) for size, n in ((8.0, 1), (4.0, 1), (2.0, 2), (1.0, 1))] == [0, 0, 0, 1]


def test_parts_of_replicas_share_what_is_left() -> None:
    """Three replicas of 8 at work two thirds of the time take both nodes of 8; a little more does not fit."""
    nodes = Room({8.0: 2})
    assert sum(nodes.pour(16.0 / 3.0) for _ in range(3)) == pytest.approx(0.0, abs=1e-6)
    assert nodes.pour(0.5) == pytest.approx(0.5, abs=1e-6)


def test_part_goes_where_it_fits_closest() -> None:
    nodes = Room({8.0: 1, 3.0: 1})
    assert nodes.pour(2.5) == 0.0
    assert nodes.put(8.0, 1) == 0


def test_nodes_of_several_domains(site: Plain) -> None:
    """A node of 8 with scale-up domains of 2 holds four replicas of 2, and none of 4."""
    facts = Facts(Design(**site))
    node = next(n for n in read_nodes(facts, Checks()).values() if n.platform.accelerators == 8)
    assert node.accelerator is not None
    pairs = dataclasses.replace(node, quantity=1, accelerator=dataclasses.replace(node.accelerator, scaleup_domain=2))
    assert Room.of(pairs).put(2.0, 5) == 1
    assert Room.of(pairs).put(4.0, 1) == 1


# --- independence ----------------------------------------------------------------------------------------

ALLOWED = set(
    "auditing catalog design errors estimators evaluation parts performance physics points study units workload".split()
)
READS_TABLES = {"draft", "schema", "settings", "tables"}
"""What the catalog and the study are read with."""


def imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, by their first name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("solver.")}
    return found


def test_audit_imports_nothing_of_the_optimisation() -> None:
    """Were the audit to read a candidate, a coefficient or a variable, it would repeat the model's mistakes."""
    home = Path(solver.__file__).parent
    todo, seen = {home / "audit.py", *sorted((home / "auditing").glob("*.py"))}, set()
    while todo:
        path = todo.pop()
        seen.add(path)
        used = imports(path)
        assert used <= ALLOWED | READS_TABLES, f"{path.name} imports {sorted(used)}"
        for name in used:
            files = [home / f"{name}.py", *sorted((home / name).glob("*.py"))]
            todo |= {file for file in files if file.is_file()} - seen
