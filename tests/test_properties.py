"""What must hold for any instance: more is never worse, dearer is never cheaper, units and order do not matter.

Drawn instances are either tiny, solved with whole numbers, or half a megawatt of the real catalog, of which the
linear relaxation is solved: it is exact, so that the smallest step in the wrong direction shows.
"""

from __future__ import annotations

import dataclasses
import math
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny

from solver.catalog import Catalog, FrozenMap, load_catalog
from solver.highs import INFEASIBLE, OPTIMAL, Clock, solve_lp
from solver.model.data import ModelData
from solver.model.objectives import OBJECTIVES
from solver.optimise import compiled, optimise
from solver.resources import RESOURCES
from solver.scenario import resolve
from solver.solve import prepare
from solver.study import Study, study_from_dict
from solver.units import si_name

EXACT = 1e-7
"""Relative tolerance of a linear relaxation."""


def drawn(examples: int) -> settings:
    """Return settings that draw the same examples in every run, however slow the machine."""
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def no_worse(value: float, base: float, sense: int, tolerance: float) -> bool:
    """Whether a value is at least as good as the base; without a feasible point a value is the worst there is."""
    if math.isinf(value) or math.isinf(base):
        return sense * value >= sense * base
    return sense * (value - base) >= -tolerance * max(abs(value), abs(base))


# --- tiny instances ---------------------------------------------------------------------------------------------

LEVELS = {
    "site.power_mw": (0.003, 0.02), "site.budget_usd": (5e3, 4e4), "site.floor_m2": (3.0, 15.0),
    "site.water_l_per_s": (5e-4, 8e-3), "site.co2_kg_per_s": (3e-4, 3e-3),
}  # fmt: skip
"""Limit of a resource -> what one and what a dozen tiny nodes take."""
SEEDS = st.integers(0, 300)
SUPPLIES = ("supply.platform.p", "supply.platform.q", "supply.platform.s", "supply.memory.extra")


def with_changes(data: ModelData, changes: dict[str, Any]) -> ModelData:
    """Return the instance under a changed study; limits of the site stand in SI beside it."""
    of = data.scenario
    limits = {}
    for path, value in changes.items():
        section, _, key = path.partition(".")
        if section == "site":
            name, factor = si_name(key)
            limits[name] = value * factor
    study, site = of.study.with_changes(changes), dataclasses.replace(of.site, **limits)
    return dataclasses.replace(data, scenario=dataclasses.replace(of, study=study, site=site))


@cache
def tiny_value(seed: int, objective: str, *changes: tuple[str, float | None]) -> float:
    """Return the numerator of the objective (thousand tokens/s, thousand USD a year) or the ratio.

    The numerator of `tokens_per_mw` is tokens: more megawatts in the contract also divide by more.
    """
    solved = optimise(with_changes(tiny(seed, objective), dict(changes)), Clock(60.0, threads=1))
    if solved.found.values is None:
        assert solved.found.status == INFEASIBLE
        return -solved.objective.sense * math.inf
    assert abs(solved.bound - solved.value) <= solved.data.scenario.study.solver.gap * max(abs(solved.value), 1e-3)
    return solved.value


def level(path: str, share: float) -> float:
    """Return a limit between what one and what a dozen nodes take."""
    low, high = LEVELS[path]
    return float(f"{low + share * (high - low):.3g}")


def test_every_limit_is_drawn() -> None:
    assert set(LEVELS) == {r.limit_path for r in RESOURCES.values() if r.limit_path}


def holds(objective: str, seed: int, few: bool, path: str, tight: float, loose: float) -> bool:
    """Whether the looser of two limits is no worse within twice the gap, with all kinds of platform or one.

    How little of a platform is worth having goes with the megawatts, so more of those could hurt: it is left out.
    """
    kinds, slivers = ("build.max_platforms", 1 if few else None), ("build.min_platform_mw_frac", None)
    base, more = (tiny_value(seed, objective, kinds, slivers, (path, value)) for value in (tight, loose))
    gap = tiny(seed, objective).scenario.study.solver.gap
    return no_worse(more, base, OBJECTIVES[objective].sense, 2 * gap)


@pytest.mark.parametrize("objective", OBJECTIVES)
@drawn(40)
@given(SEEDS, st.booleans(), st.sampled_from(sorted(LEVELS)), st.floats(0.0, 1.0), st.floats(1.0, 4.0))
def test_a_looser_limit_never_hurts(
    objective: str, seed: int, few: bool, path: str, share: float, factor: float
) -> None:
    """Whatever was built under the tighter limit may be built under the looser one, so the optimum may not fall.

    It would if a limit stood on the wrong side of a row, if a bound derived from it (most nodes of a pool) cut
    designs off, or if the search stopped short.
    """
    tight = level(path, share)
    assert holds(objective, seed, few, path, tight, tight * factor)


def parts(data: ModelData) -> list[str]:
    """Return the study keys of the supply of what can be bought in an instance."""
    platforms = {f"supply.platform.{p.config.platform.id}" for p in data.pools}
    return sorted(platforms | {f"supply.memory.{device}" for p in data.pools for device, _ in p.config.bought})


@pytest.mark.parametrize("objective", OBJECTIVES)
@drawn(30)
@given(SEEDS, st.booleans(), st.integers(0, 11))
def test_more_supply_never_hurts(objective: str, seed: int, few: bool, which: int) -> None:
    """What could be bought can still be bought: none, one, two to four of a part, and no step is for the worse.

    A supply that is read as a floor or a share, or bounds nodes too tightly, would show.
    """
    keys = parts(tiny(seed, objective))
    assert all(holds(objective, seed, few, keys[which % len(keys)], number, number + 1) for number in range(4))


@pytest.mark.parametrize("path", [*LEVELS, *SUPPLIES])
def test_the_drawn_limits_bind(path: str) -> None:
    """Were a limit never felt, nothing could be learned from loosening it: in some instance more of it is better."""
    tight, loose = (level(path, 0.1), level(path, 1.0)) if path in LEVELS else (1, 3)
    pairs = ([tiny_value(seed, "tokens", (path, value)) for value in (tight, loose)] for seed in range(100))
    assert any(math.isfinite(base) and more > base * 1.01 for base, more in pairs)


# --- the real catalog -------------------------------------------------------------------------------------------

KEPT = ("mi300x_8", "hgx_h200_8", "storage_flash_2u24")
SERVERS = KEPT[:2]
RATES = {"tool_agent": 3.0, "batch_offline": 2.0, "reasoning_deep": 0.5}
POWER_MW, BUDGET_USD, ELECTRICITY_USD_PER_MWH, RENT_USD_PER_KW_MONTH = 0.5, 6e6, 86.0, 110.0
STATED: dict[str, Any] = {
    "demand.mode": "fixed", "demand.floor_frac": 1.0, "objective.name": "tco", "site.budget_usd": None,
    f"supply.platform.{SERVERS[0]}": 1, **{f"workload.{name}.requests_per_s": 10.0 * rate for name, rate in RATES.items()},
}  # fmt: skip
"""Changes to the study below that ask for the cheapest build of stated rates; one server will not do."""
PROMISES = {
    "workload.tool_agent.ttft_s": 0.2, "workload.tool_agent.tpot_s": 0.02, "workload.batch_offline.ttft_s": 0.05,
    "workload.batch_offline.tpot_s": 0.01, "workload.reasoning_deep.ttft_s": 0.05, "workload.reasoning_deep.tpot_s": 0.01,
}  # fmt: skip
"""Promise -> one that few candidates keep."""


@cache
def catalog() -> Catalog:
    return load_catalog()


@cache
def half() -> Study:
    """Half a megawatt, three classes, two servers and a box of flash on a coarse grid."""
    return study_from_dict(
        {
            "name": "half",
            "site": {
                "power_mw": POWER_MW,
                "budget_usd": BUDGET_USD,
                "electricity_usd_per_mwh": ELECTRICITY_USD_PER_MWH,
            },
            "finance": {"rent_usd_per_kw_month": RENT_USD_PER_KW_MONTH},
            "workload": [{"id": name, "requests_per_s": rate} for name, rate in RATES.items()],
            "build": {"power_caps": [1.0], "batch_points_per_octave": 2},
            "exclude": [row.id for row in catalog().rows("platforms") if row.id not in KEPT],
        }
    )


def relaxation(study: Study, of: Catalog | None = None) -> float:
    """Return the numerator at the optimum of the linear relaxation; the worst there is where no point exists."""
    data, _ = prepare(resolve(study, of or catalog()))
    _, program, objective = compiled(data)
    found = solve_lp(program, program.costs[0], float(program.offsets[0]), Clock(60.0, threads=1))
    assert found.status in (OPTIMAL, INFEASIBLE)
    return -objective.sense * (found.objective if found.status == OPTIMAL else math.inf)


@cache
def relaxed(*changes: tuple[str, Any]) -> float:
    """Return the relaxation of the study with some changes."""
    return relaxation(half().with_changes(dict(changes)))


@drawn(60)
@given(path=st.sampled_from(sorted(PROMISES)), start=st.floats(1.0, 8.0), factor=st.floats(1.0, 4.0))
def test_a_looser_promise_never_hurts(path: str, start: float, factor: float) -> None:
    """Every candidate that keeps the tighter promise keeps the looser one, at the same rate or a higher one.

    The optimum would fall if the menu or the pruning depended on the promise, or if a candidate that may queue
    longer were dropped for what it then loads.
    """
    tight = PROMISES[path] * start
    base, looser = relaxed((path, tight)), relaxed((path, tight * factor))
    assert no_worse(looser, base, 1, EXACT)


@pytest.mark.parametrize("path", PROMISES)
def test_the_drawn_promises_bind(path: str) -> None:
    """Were a promise kept by all candidates anyway, loosening it would show nothing."""
    assert relaxed((path, PROMISES[path] * 8.0)) > relaxed((path, PROMISES[path])) * 1.01


SHARES = {
    "site.power_mw": POWER_MW, "site.budget_usd": BUDGET_USD, "site.floor_m2": 40.0, "site.water_l_per_s": 0.03,
    "site.co2_kg_per_s": 0.04, f"supply.platform.{SERVERS[0]}": 32,
}  # fmt: skip
"""Limit -> about what half a megawatt takes of it."""


@drawn(60)
@given(path=st.sampled_from(sorted(SHARES)), share=st.floats(0.1, 1.5), factor=st.floats(1.0, 4.0), cost=st.booleans())
def test_more_of_anything_never_hurts_the_relaxation(path: str, share: float, factor: float, cost: bool) -> None:
    """More power, money, floor, water, carbon or supply: never fewer tokens, never a dearer build of stated rates."""
    tight, loose = SHARES[path] * share, SHARES[path] * share * factor
    if path.startswith("supply"):
        tight, loose = math.floor(tight), math.ceil(loose)
    stated = tuple(STATED.items()) if cost else ()
    base, more = relaxed(*stated, (path, tight)), relaxed(*stated, (path, loose))
    assert no_worse(more, base, -1 if cost else 1, EXACT)


@pytest.mark.parametrize("path", SHARES)
def test_the_shares_bind(path: str) -> None:
    """A limit at a tenth of what is taken must cost tokens, or its property above holds for nothing."""
    low = SHARES[path] * 0.1
    assert relaxed((path, math.floor(low) if path.startswith("supply") else low)) < relaxed() * (1 - 1e-5)


@drawn(15)
@given(factor=st.floats(0.2, 10.0))
def test_a_site_of_any_size_makes_as_much_of_a_megawatt(factor: float) -> None:
    """Power and money times a factor: so many times the tokens, where only the fabric knows scale.

    A larger site may need another tier of switches, which takes under 4% here. A constant that does not grow with
    the site (a fixed load, a bound of nodes or replicas) would break it.
    """
    scaled = relaxed(("site.power_mw", POWER_MW * factor), ("site.budget_usd", BUDGET_USD * factor))
    assert scaled == pytest.approx(relaxed() * factor, rel=0.04)


def priced(factor: float) -> Catalog:
    """Return the catalog with every number in USD times a factor, found by the units of the dictionary."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table, columns in catalog().schema.tables.items():
        money = [name for name, column in columns.items() if column.unit.startswith("USD")]
        changed = [
            {catalog().schema.key(table): row.id}
            | {name: row[name] * factor for name in money if row[name] is not None}
            for row in catalog().rows(table)
        ]
        rows |= {table: changed} if money and changed else {}
    return catalog().overlay(rows)


@pytest.mark.parametrize("cost", [False, True])
@drawn(10)
@given(factor=st.floats(0.5, 8.0))
def test_money_in_another_unit_changes_nothing(cost: bool, factor: float) -> None:
    """Prices, electricity, rent and budget times a factor: the same tokens, and a cost that is so many times as high.

    A price that is left out of the sum, or a number of dollars typed into the code, would not scale.
    """
    changes = {
        **(STATED if cost else {}), "site.budget_usd": BUDGET_USD * factor,
        "site.electricity_usd_per_mwh": ELECTRICITY_USD_PER_MWH * factor,
        "finance.rent_usd_per_kw_month": RENT_USD_PER_KW_MONTH * factor,
    }  # fmt: skip
    base = relaxed(*(tuple(STATED.items()) if cost else ()), ("site.budget_usd", BUDGET_USD))
    value = relaxation(half().with_changes(changes), priced(factor))
    assert math.isfinite(base), "no build, nothing to compare"
    assert cost or relaxed(("site.budget_usd", BUDGET_USD * 0.99)) < base, "a budget to spare hides wrong prices"
    assert value == pytest.approx(base * (factor if cost else 1.0), rel=EXACT)


@drawn(20)
@given(order=st.permutations(range(3)), seed=st.integers(0, 2**32 - 1), cost=st.booleans())
def test_order_of_classes_and_rows_changes_nothing(order: list[int], seed: int, cost: bool) -> None:
    """Classes of the study and rows of every table in another order: the same optimum.

    A first or last row that wins where it should not (the last price, the last PUE, the first of two candidates
    that are not equal) would move it.
    """
    shuffle = random.Random(seed).shuffle
    tables = {}
    for table, rows in catalog().tables.items():
        items = list(rows.items())
        shuffle(items)
        tables[table] = FrozenMap(dict(items))
    stated = STATED if cost else {}
    mixed = half().with_changes(stated).model_dump(mode="python")
    mixed["workload"] = [mixed["workload"][k] for k in order]
    shuffled = Catalog(catalog().schema, FrozenMap(tables))
    assert relaxation(study_from_dict(mixed), shuffled) == pytest.approx(relaxed(*stated.items()), rel=EXACT)


def dearer(platform: str, factor: float) -> Catalog:
    """Return the catalog with the three quotes of a platform times a factor."""
    row = catalog().row("platforms", platform)
    names = ("price_low_usd", "price_central_usd", "price_high_usd")
    quotes = {name: row[name] * factor for name in names if row[name] is not None}
    return catalog().overlay({"platforms": [{"id": platform} | quotes]})


@cache
def cost_at(platform: str, factor: float, budget_usd: float | None) -> float:
    """Return the yearly cost of the stated rates where a platform costs a factor of its price."""
    return relaxation(half().with_changes({**STATED, "site.budget_usd": budget_usd}), dearer(platform, factor))


@drawn(25)
@given(
    platform=st.sampled_from(KEPT), start=st.floats(0.5, 1.5), factor=st.floats(1.0, 3.0),
    budget=st.sampled_from([None, BUDGET_USD]),
)  # fmt: skip
def test_a_dearer_platform_never_lowers_the_cost(
    platform: str, start: float, factor: float, budget: float | None
) -> None:
    """What a build costs rises with the price of its parts, so the cheapest build cannot become cheaper.

    It would if a price entered with the wrong sign (memory taken out of a quote) or decided what is on the menu.
    """
    base, dear = cost_at(platform, start, budget), cost_at(platform, start * factor, budget)
    assert no_worse(base, dear, -1, EXACT)


def test_the_dearer_servers_are_bought() -> None:
    """Were a platform never bought its price would not matter: at some price it is part of the cheapest build."""
    for platform in SERVERS:
        assert cost_at(platform, 1.5, None) > cost_at(platform, 0.5, None) * 1.001
