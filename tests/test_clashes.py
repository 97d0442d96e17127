"""Studies without a build: each explanation names the true cause, and each relaxation is the smallest that does."""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any

import highspy
import numpy as np
import pytest
from hand import one_of_each, optimum
from independent import brute_force
from records import (
    TB,
    accelerator,
    candidate,
    configuration,
    housing,
    model_data,
    platform,
    rack,
    retention,
    scenario,
    tier,
    workload,
)
from tiny import tiny

from solver.catalog import Catalog, load_catalog
from solver.clashing import why
from solver.clashing.joint import joint_relaxation
from solver.clashing.limits import TRIED, Limit, named_limits, with_values_of
from solver.clashing.programs import Case, nodes, program_of
from solver.clashing.relax import Relaxation, single_relaxations
from solver.clashing.subset import DELETION, IIS, clashing, subset_of_rows
from solver.clashing.why import Told, told_limits
from solver.design import Design
from solver.errors import InputError
from solver.highs import INFEASIBLE, UNBOUNDED, Clock, load, solve_lp
from solver.model.data import ModelData, Pool
from solver.report import render
from solver.scenario import Scenario
from solver.search import Found
from solver.shares import SHARES, Share
from solver.solve import prepare, solve
from solver.study import Study, load_study

SERVED = {"demand.floor_frac": 1.0}
SEEDS = (0, 2, 4, 5, 7, 8, 9, 10, 13, 17, 19, 22)
MORE_SEEDS = tuple(seed for seed in range(60) if seed not in SEEDS)


def case_of(data: ModelData, *, something: bool = False) -> Case:
    """Return the case of hand-made columns, whose queues are no question."""

    def make(wanted: Scenario) -> ModelData:
        return dataclasses.replace(data, scenario=wanted)

    return Case(data.scenario, make, Clock(60.0, threads=1), something)


def told(data: ModelData, *, something: bool = False) -> Told:
    """Explain hand-made columns; failures are not caught."""
    assert math.isnan(optimum(data)) or something
    before, why.FAILURES = why.FAILURES, ()  # type: ignore[assignment]
    try:
        return told_limits(case_of(data, something=something))
    finally:
        why.FAILURES = before


# --- limits, by hand: 25 requests/s at 10 of a node take three nodes ---------------------------------------------


def nodes_of(changes: dict[str, Any], *, demand: float = 25.0, **options: Any) -> ModelData:
    """Return nodes of 1 kW and 1,000 USD on 2 m2 with four drives each; each serves 10 requests/s."""
    part = platform()
    pool = Pool(configuration(part, "drives", bought=[("drive", 4)]), 1.0)
    house = housing(pool, within=rack("own_rack", floor_m2=2.0), wue_l_per_j=1e-6)
    of = scenario(SERVED | changes, [workload(demand=demand)], carbon_kg_per_j=1e-5, **options)
    return model_data(of, [(candidate(rate=10.0, at=part), None)], [house])


BY_HAND = {
    "power": ({"site.power_mw": 0.002}, "site.power_mw", 0.003),
    "budget": ({"site.budget_usd": 2500.0}, "site.budget_usd", 3000.0),
    "floor": ({"site.floor_m2": 5.0}, "site.floor_m2", 6.0),
    "water": ({"site.water_l_per_s": 0.0025}, "site.water_l_per_s", 0.003),
    "carbon": ({"site.co2_kg_per_s": 0.002}, "site.co2_kg_per_s", 0.003),
    "supply": ({"supply.platform.node": 2}, "supply.platform.node", 3),
    "devices": ({"supply.memory.drive": 10}, "supply.memory.drive", 12),
    "usable power": ({"site.power_mw": 0.003, "site.usable_power_frac": 0.75}, "site.power_mw", 0.004),
    "fixed power": ({"site.power_mw": 0.003, "site.fixed_mw": 0.0005}, "site.power_mw", 0.0035),
    "currency": ({"site.budget": 1250.0, "site.currency": "EUR", "site.fx": 0.5}, "site.budget", 1500.0),
    "spares": ({"site.budget_usd": 3200.0, "build.spares_days": 36.5, "build.platform_afr_percent": 200.0},
               "site.budget_usd", 4000.0),
    "one more": ({"supply.platform.node": 3, "build.n_plus_one": True}, "supply.platform.node", 4),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_the_limit_that_clashes_is_named_with_what_is_needed(name: str) -> None:
    changes, key, needed = BY_HAND[name]
    data = nodes_of(changes)
    if key == "site.budget":  # hand-made sites are in USD
        site = dataclasses.replace(data.scenario.site, budget_usd=2500.0)
        data = dataclasses.replace(data, scenario=dataclasses.replace(data.scenario, site=site))
    found = told(data)
    assert found.clashing is not None and {key, "demand.floor_frac"} <= set(found.clashing.ids)
    single = next(s for s in found.singles if s.limit.id == key)
    assert single.enough_alone and single.needed == pytest.approx(needed, rel=1e-3) and single.needed >= needed
    others = {s.limit.id: s for s in found.singles if s.limit.id in ("site.power_mw", "supply.platform.node") != key}
    assert all(not s.enough_alone for k, s in others.items() if k != key)
    assert any(line.startswith(f"{key}: ") and "needed" in line for line in found.lines)
    assert found.finished and all("time ended" not in line for line in found.lines)


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_a_share_of_estimates_that_is_too_small_is_named(share: Share) -> None:
    """3 kW for 24 requests/s: two nodes of estimates at 10 and one that is none at 4, two thirds, where 0.4 is asked."""
    good = dataclasses.replace(platform("sound"), confidence_price="press", confidence_power="press")
    columns = [(candidate(rate=10.0, at=platform("rough")), None), (candidate(rate=4.0, at=good), None)]
    houses = [housing(Pool(configuration(part), 1.0)) for part in (platform("rough"), good)]
    of = scenario(SERVED | {"site.power_mw": 0.003, share.path: 0.4}, [workload(demand=24.0)])
    found = told(model_data(of, columns, houses))
    assert found.clashing is not None and {share.path, "demand.floor_frac", "site.power_mw"} == set(found.clashing.ids)
    single = next(s for s in found.singles if s.limit.id == share.path)
    assert single.enough_alone and single.needed == pytest.approx(2.0 / 3.0, rel=5e-3) and single.needed >= 2.0 / 3.0
    assert single.bound is not None and single.bound <= 2.0 / 3.0
    line = next(line for line in found.lines if line.startswith(f"{share.path}: "))
    assert "needed" in line and "0.4 allowed" in line


def test_two_limits_that_clash_are_moved_together() -> None:
    found = told(nodes_of({"site.power_mw": 0.001, "site.budget_usd": 1500.0}))
    singles = {s.limit.id: s for s in found.singles}
    assert singles["site.power_mw"].enough_alone is False and singles["site.budget_usd"].enough_alone is False
    assert singles["demand.floor_frac"].needed == pytest.approx(0.4, rel=1e-3)
    together = {j.limit.id: j.needed for j in found.joint_kept}
    assert together == {
        "site.power_mw": pytest.approx(0.003, rel=1e-3),
        "site.budget_usd": pytest.approx(3e3, rel=1e-3),
    }
    assert any("least change that serves what is asked: site.power_mw" in line for line in found.lines)


def test_the_cheapest_joint_relaxation_takes_the_least_of_all_shares() -> None:
    """One of three nodes' power and all their floor: two thirds less demand (0.6) beats twice as much power."""
    found = told(nodes_of({"site.power_mw": 0.001}))
    assert [j.limit.id for j in found.joint] == ["demand.floor_frac"]
    assert found.joint_share == pytest.approx(0.6, rel=0.02) and found.joint[0].needed == pytest.approx(0.4, rel=1e-3)


def test_kinds_of_platform_that_are_too_few() -> None:
    """One node of each of two platforms can be had; both together serve 18 of the 18 requests/s."""
    changes = SERVED | {"build.max_platforms": 1}
    data = one_of_each(changes)
    of = dataclasses.replace(data.scenario, workloads=(workload(demand=17.0),))
    found = told(dataclasses.replace(data, scenario=of))
    assert found.clashing is not None and "build.max_platforms" in found.clashing.ids
    single = next(s for s in found.singles if s.limit.id == "build.max_platforms")
    assert single.enough_alone and single.needed == 2


def test_a_share_of_one_vendor_that_is_too_small() -> None:
    """One node of the other vendor beside three of the first: their share is three quarters."""
    first, second = platform("first"), platform("second")
    pools = [
        Pool(configuration(part, chip=accelerator(part.id, vendor=f"{part.id} maker")), 1.0) for part in (first, second)
    ]
    columns = [(candidate(rate=10.0, at=part), None) for part in (first, second)]
    of = scenario(SERVED | {"build.max_share_per_vendor": 0.6, "supply.platform.second": 1}, [workload(demand=40.0)])
    found = told(model_data(of, columns, [housing(pool) for pool in pools]))
    single = next(s for s in found.singles if s.limit.id == "build.max_share_per_vendor")
    assert single.enough_alone and 0.75 <= (single.needed or 0.0) <= 0.75 * 1.01
    assert found.clashing is not None
    assert {"build.max_share_per_vendor", "supply.platform.second"} <= set(found.clashing.ids)


def test_drives_that_wear_out_are_named() -> None:
    """Every request loads its KV from drives that may be written a hundredth of what it takes."""
    stock = tier("nvme", capacity_bytes=100 * TB, read_bytes_per_s=10 * TB, link_bytes_per_s=10 * TB,
                 write_bytes_per_s=10 * TB, endurance_bytes_per_s=1e6)  # fmt: skip
    part = platform()
    pool = Pool(configuration(part, tiers=[stock]), 1.0)
    columns = [
        (candidate(rate=1.0, at=part), None),
        (candidate(rate=10.0, at=part, hit_from="nvme", load_bytes=5e7), pool),
    ]
    of = scenario(SERVED | {"supply.platform.node": 4}, [workload(demand=20.0, reuse=0.5)])
    data = model_data(of, columns, [housing(pool)], {"chat": retention((1.0, 1e3))})
    found = told(data)
    assert found.clashing is not None and "memory endurance" in found.clashing.ids
    assert any("because of" in line and "memory endurance" in line for line in found.lines)


def test_a_network_that_is_too_small_is_named() -> None:
    """Three tiers of switches with six ports join 54; 60 nodes with a port each are asked for."""
    part = platform(nic_count=1, nic_bytes_per_s=20e9)
    data = model_data(
        scenario(SERVED | {"supply.platform.node": 100}, [workload(demand=600.0)]),
        [(candidate(rate=10.0, at=part), None)],
        [housing(Pool(configuration(part), 1.0))],
    )
    found = told(data)
    assert found.clashing is not None and "network" in found.clashing.ids
    floor = next(s for s in found.singles if s.limit.id == "demand.floor_frac")
    assert floor.needed == pytest.approx(0.9, rel=1e-3)


def test_what_serving_anything_takes() -> None:
    """Nothing has to be served, and there is not room for one node."""
    found = told(nodes_of({"site.power_mw": 0.0005, "demand.floor_frac": 0.0}), something=True)
    [single] = [s for s in found.singles if s.enough_alone]
    assert single.limit.id == "site.power_mw" and single.needed == pytest.approx(0.001, rel=1e-3)


# --- witnesses ---------------------------------------------------------------------------------------------------


def lp_feasible(data: ModelData) -> bool:
    _, program = program_of(data, nodes, something=False)
    return solve_lp(program, program.costs[0], 0.0, Clock(60.0, threads=1)).status != INFEASIBLE


@pytest.mark.parametrize("seed", range(8))
def test_no_limit_of_the_set_can_be_left_out(seed: int) -> None:
    data = tightened(seed)
    if data is None or lp_feasible(data):
        pytest.skip("clashes only in whole numbers")
    limits = named_limits(data)
    found = clashing(case_of(data), limits)
    named = [limit for limit in limits if limit.id in found.ids]
    assert found.whole and named and found.witness in (IIS, DELETION)
    rest = {limit: limit.most for limit in limits if limit.id not in found.ids}
    assert not lp_feasible(with_values_of(data, rest)), "the set clashes without the other limits"
    for limit in named:
        assert lp_feasible(with_values_of(data, rest | {limit: limit.most})), f"{limit.id} can be left out"


def test_highs_names_the_same_rows() -> None:
    data = nodes_of({"site.power_mw": 0.002, "site.budget_usd": 1e6, "site.floor_m2": 1e3})
    assert set(subset_of_rows(case_of(data), named_limits(data))) == {"site.power_mw", "demand.floor_frac"}
    found = clashing(case_of(data), named_limits(data))
    assert found.witness == IIS and set(found.ids) == {"site.power_mw", "demand.floor_frac"}


def test_highs_gives_a_subset_that_is_irreducible() -> None:
    data = nodes_of({"site.power_mw": 0.002, "site.budget_usd": 2500.0})
    _, program = program_of(data, nodes, something=False)
    highs = load(program, program.costs[0], 0.0, program.upper, integer=False, clock=Clock(60.0, threads=1))
    highs.run()
    highs.setOptionValue("iis_strategy", 6)
    _, iis = highs.getIis()
    rows = list(iis.row_index_)
    everywhere = np.arange(len(program.row_lower))

    def clash(kept: list[int]) -> bool:
        off = ~np.isin(everywhere, kept)
        free = dataclasses.replace(
            program,
            row_lower=np.where(off, -highspy.kHighsInf, program.row_lower),
            row_upper=np.where(off, highspy.kHighsInf, program.row_upper),
        )
        return solve_lp(free, program.costs[0], 0.0, Clock(60.0, threads=1)).status == INFEASIBLE

    assert clash(rows) and not any(clash([row for row in rows if row != left]) for left in rows)


def test_what_clashes_only_in_whole_numbers_is_found_by_deletion() -> None:
    """Two and a half nodes' power serve 25 requests/s, but no half node is for sale."""
    found = told(nodes_of({"site.power_mw": 0.0026}))
    assert found.clashing is not None and found.clashing.witness == DELETION and not found.clashing.iis
    assert set(found.clashing.ids) == {"site.power_mw", "demand.floor_frac"}


# --- random cases against brute force ----------------------------------------------------------------------------


def tightened(seed: int) -> ModelData | None:
    """Return a random instance whose limits are tightened until nothing keeps them; None where it still has a build."""
    data = tiny(seed, "tco")
    if brute_force(data).value is None:
        return data
    mix = data.scenario.study.demand.mode == "mix"
    if mix and data.scenario.study.demand.max_scale:
        study = data.scenario.study.with_changes({"demand.max_scale": 20.0})
        data = dataclasses.replace(data, scenario=dataclasses.replace(data.scenario, study=study))
    values = {}
    for limit in named_limits(data):
        if limit.kind == "resource":
            values[limit] = limit.rounded(0.2 * limit.allowed)
        if limit.kind == "floor":
            values[limit] = 3.0 * limit.allowed if mix else min(1.0, 5.0 * limit.allowed)
    data = with_values_of(data, values)
    return data if brute_force(data).value is None else None


def has_build(data: ModelData) -> bool:
    """Try every build; where a looser supply leaves too many, search."""
    try:
        return brute_force(data).value is not None
    except AssertionError:
        return not math.isnan(optimum(data))


def tighter(single: Relaxation) -> float:
    """A hundredth less relaxed; one piece where pieces are counted."""
    assert single.needed is not None
    limit = single.limit
    return single.needed - limit.looser if limit.whole else single.needed * (1.0 - 0.01 * limit.looser)


def check_relaxations(data: ModelData) -> None:
    case, limits = case_of(data), named_limits(data)
    singles = single_relaxations(case, limits)
    assert any(single.enough_alone for single in singles)
    for single in singles:
        limit = single.limit
        if not single.enough_alone:
            loose = limit.allowed * 1e3 if limit.kind == "resource" else limit.most
            assert not has_build(with_values_of(data, {limit: loose if not limit.whole else min(loose, 30)})), limit.id
            continue
        assert has_build(with_values_of(data, {limit: single.needed})), f"{limit.id} = {single.needed}"
        if single.needed not in (0.0, limit.allowed):
            assert not has_build(with_values_of(data, {limit: tighter(single)})), f"{limit.id} < {single.needed}"
    joint, share = joint_relaxation(case, limits, singles)
    assert joint and has_build(with_values_of(data, {j.limit: j.needed for j in joint}))
    assert share <= min(single.share() for single in singles if single.limit.kind != TRIED) * 1.02


@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MORE_SEEDS)])
def test_every_relaxation_is_enough_and_a_hundredth_less_is_not(seed: int) -> None:
    data = tightened(seed)
    if data is None:
        pytest.skip("has a build however tight")
    check_relaxations(data)


# --- whole studies -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def study() -> Study:
    changes = {"solver.gap": 0.01, "build.router_width": 1, "build.batch_points_per_octave": 1}
    return load_study("tests/one.toml").with_changes(changes)


STUDIES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "power": ({"site.power_mw": 0.005}, ("site.power_mw: the smallest node needs 13.60 kW of 5.00 kW",)),
    "budget": ({"site.budget_usd": 1000.0}, ("site.budget_usd: the smallest node needs", "of 1.00 kUSD")),
    "supply": ({"supply.platform.hgx_h200_8": 1, "demand.floor_frac": 7.0, "build.tiers": False},
               ("supply.platform.hgx_h200_8 = 1, demand.floor_frac = 7: cannot all be kept", "needed, 1 allowed")),
    "no supply": ({"supply.platform.hgx_h200_8": 0}, ("supply.platform.hgx_h200_8: 0 of hgx_h200_8 can be had",)),
    "TTFT": ({"workload.chat_short.ttft_s": 0.001}, ("chat_short", "TTFT 0.001 s, the fastest candidate needs 0.07", "tp 8")),
    "TPOT": ({"workload.chat_short.tpot_s": 1e-4}, ("chat_short", "TPOT 0.0001 s, the fastest candidate needs 0.0070")),
    "both": ({"workload.chat_short.tpot_s": 1e-4, "workload.chat_short.ttft_s": 0.001},
             ("TTFT 0.001 s, the fastest", " and TPOT 0.0001 s")),
    "weights": ({"workload.chat_short.model_id": "kimi-k2", "workload.chat_short.weight_precisions": ["bf16"]},
                ("chat_short", "weights do not fit in memory: the nearest needs 2.", "TB of 1.", "hgx_h200_8")),
    "slots": ({"workload.chat_short.isl_tokens": 1e7, "workload.chat_short.ttft_s": 1e9, "workload.chat_short.tpot_s": 1e9},
              ("chat_short", "prompts of 10,000,000 tokens leave no room for KV cache; ")),
    "network": ({"build.handover_ttft_frac": 1e-9, "build.roles": ["prefill", "decode"], "build.scale_up_handover": False},
                ("chat_short", "can decode: KV is taken over too slowly: the nearest needs 0.", " s of 4.5e-10 s on hgx_h200_8")),
    "available": ({"site.available_by": "2020-01"}, ("site.available_by: none of", "hgx_h200_8 comes first, in 20")),
    "late": ({"site.order_date": "2026-01-01", "site.energised_by": "2026-07-09", "site.available_by": "2027-12"},
             ("site.energised_by: none of", "vr_nvl72 comes first, 36 weeks after its order: by 2026-09-10")),
    "excluded": ({"exclude": None}, ("exclude: none of", "nothing serves chat_short")),
    "scale": ({"demand.floor_frac": 3.0, "demand.max_scale": 2.0},
              ("demand.floor_frac: 3 of the demand must be served, demand.max_scale allows 2",)),
    "fixed": ({"demand.mode": "fixed", "demand.floor_frac": 1.5}, ("demand.floor_frac: 1.5 of the demand must be served",)),
    "standing": ({"site.fixed_mw": 0.6}, ("site.power_mw: site.fixed_mw takes 600.00 kW, 500.00 kW are allowed",)),
    "roles": ({"build.roles": ["prefill"]}, ("build.roles: only prefill may be built, so that nothing can decode",)),
    "vendor": ({"build.max_share_per_vendor": 0.4},
               ("build.max_share_per_vendor: 0.4 for each vendor takes 3 vendors", "only NVIDIA")),
    "kinds": ({"build.max_share_per_vendor": 0.4, "build.max_platforms": 2},
              ("build.max_platforms: 2 kinds of platform", "takes 3 vendors")),
    "profit": ({"objective.name": "profit", "workload.chat_short.price_usd_per_million_tokens": 1e-5, "demand.max_scale": 5.0},
               ("serving nothing is best: the best build that serves anything has -", "USD/year")),
}  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_an_infeasible_study_names_its_cause(name: str, study: Study, catalog: Catalog) -> None:
    changes, words = STUDIES[name]
    if name in ("excluded", "late"):
        left = "vr_nvl72" if name == "late" else ""
        out = [row.id for row in catalog.rows("platforms") if row["accelerators"] and row.id != left]
        changes = changes | {"exclude": out}
    design = solve(study.with_changes(changes | {"solver.time_limit_s": 100.0 if name == "supply" else 10.0}), catalog)
    assert design.status == "infeasible" and not design.has_build
    text = "\n".join(design.explanation)
    assert all(word in text for word in words), text
    clashes = design.explained["clashes"]
    assert clashes["clashing"] or clashes["classes"] or name == "profit"
    assert Design.from_json(design.to_json()) == design
    shown = render(design)
    assert "why" in shown and "nearest    " not in shown
    assert not any(line in ("the limits and the demand clash",) for line in design.explanation)


def test_the_smallest_promise_can_be_kept_and_a_hundredth_less_cannot(study: Study, catalog: Catalog) -> None:
    broken = solve(study.with_changes({"workload.chat_short.tpot_s": 1e-4}), catalog)
    [promise] = broken.explained["clashes"]["classes"]
    assert promise["promise"] == "tpot" and promise["role"] == "decode" and promise["asked"] == 1e-4
    kept, not_kept = (study.with_changes({"workload.chat_short.tpot_s": promise["needed"] * x}) for x in (1.0, 0.99))
    assert solve(kept, catalog).has_build and solve(not_kept, catalog).status == "infeasible"


def test_a_supply_that_is_needed_is_enough_in_a_whole_solve(study: Study, catalog: Catalog) -> None:
    asked = study.with_changes({"supply.platform.hgx_h200_8": 1, "demand.floor_frac": 7.0, "build.tiers": False})
    clashes = solve(asked, catalog).explained["clashes"]
    [single] = [s for s in clashes["single"] if s["id"] == "supply.platform.hgx_h200_8"]
    assert single["enough_alone"] and single["allowed"] == 1
    needed = round(single["needed"])
    assert solve(asked.with_changes({"supply.platform.hgx_h200_8.quantity": needed}), catalog).has_build
    less = solve(asked.with_changes({"supply.platform.hgx_h200_8.quantity": needed - 1}), catalog)
    assert less.status == "infeasible"


def test_a_promise_that_makes_a_build_too_dear_is_named(study: Study, catalog: Catalog) -> None:
    """The class can be served, but at this TPOT it takes more power than there is."""
    asked = {"workload.chat_short.tpot_s": 0.012, "supply.platform.hgx_h200_8": 4, "demand.floor_frac": 6.0}
    asked |= {"build.tiers": False, "solver.time_limit_s": 100.0}
    design = solve(study.with_changes(asked), catalog)
    assert design.status == "infeasible"
    [promise] = [p for p in design.explained["clashes"]["promises"] if p["promise"] == "tpot"]
    assert promise["enough_alone"] and promise["needed"] > 0.012
    assert any(line.startswith("TPOT of chat_short: ") for line in design.explanation)
    assert solve(study.with_changes(asked | {"workload.chat_short.tpot_s": promise["needed"]}), catalog).has_build


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"site.power_mw": 1e15}, "site.power_mw"),
        ({"site.budget_usd": 1e25}, "site.budget_usd"),
        ({"workload.chat_short.requests_per_s": 1e-12}, "requests_per_s"),
        ({"demand.max_scale": 1e16}, "demand.max_scale"),
        ({"workload.chat_short.value_per_token": 1e12}, "value_per_token"),
    ],
)
def test_bad_scales_are_refused_by_key(changes: dict[str, Any], key: str, study: Study, catalog: Catalog) -> None:
    with pytest.raises(InputError) as caught:
        solve(study.with_changes(changes), catalog)
    assert [problem.field for problem in caught.value.problems] == [key]


@pytest.mark.parametrize("status", [UNBOUNDED, INFEASIBLE])
def test_an_objective_without_end_is_bad_input(status: str, study: Study, catalog: Catalog, monkeypatch: Any) -> None:
    """No catalog holds parts that cost nothing, so the verdict is planted: HiGHS gives either word for it."""
    none = Found(status, None, math.nan, math.nan, math.nan, 0)
    module = sys.modules[prepare.__module__]
    whole = module.optimised

    def planted(*given: Any) -> Any:
        return dataclasses.replace(whole(*given), found=none)

    monkeypatch.setattr(module, "optimised", planted)
    monkeypatch.setattr(module, "_has_no_end", lambda *_: True)
    with pytest.raises(InputError) as caught:
        solve(study.with_changes({"solver.time_limit_s": 10.0}), catalog)
    [problem] = caught.value.problems
    assert problem.field == "objective.name" and "without end" in problem.message


def test_an_explanation_that_ran_out_of_time_says_what_is_known() -> None:
    data = nodes_of({"site.power_mw": 0.002})
    case = dataclasses.replace(case_of(data), clock=Clock(0.0, threads=1))
    found = told_limits(case)
    assert "(not every one was tried)" in found.lines[0] and not found.finished
    assert [single.enough_alone for single in found.singles] == [None] * 2


@pytest.mark.parametrize(("bound", "told"), [(0.03, True), (0.014, False), (None, False)])
def test_a_bound_within_what_is_allowed_says_nothing(bound: float | None, told: bool) -> None:
    limit = Limit("site.power_mw", "power", "MW", 0.02, "resource", "power")
    assert Relaxation(limit, None, None, bound).rules_out_what_is_asked == told
