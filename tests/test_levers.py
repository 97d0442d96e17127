"""What each freedom contributes: Shapley values by hand and by all orders, sets of levers against solves of their own."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from records import candidate, configuration, housing, model_data, platform, retention, scenario, tier, workload
from tiny import tiny

from solver.baselines import subset
from solver.candidates import CandidateSet
from solver.catalog import load_catalog
from solver.design import Design
from solver.explaining.architectures import architectures
from solver.explaining.bench import Bench
from solver.explaining.cuts import without_host_memory
from solver.explaining.levers import LEVERS, levers, shapley, subsets
from solver.explaining.shop import Cut
from solver.explaining.subject import Subject
from solver.highs import OPTIMAL, Clock
from solver.model.data import ModelData, Pool
from solver.optimise import optimise
from solver.scenario import Scenario
from solver.solve import columns_of, solve
from solver.study import study_from_dict

GAP = 1e-6
WITH_A_BUILD = [("tokens", seed) for seed in (2, 3, 6, 7, 8, 9, 11, 12, 17)] + [("tco", seed) for seed in (0, 1, 3, 4)]
KEPT = ("mi300x_8", "hgx_h200_8", "storage_flash_2u24")
ALIKE: list[tuple[dict[str, Any], list[str]]] = [
    ({"build.power_caps": [1.0]}, ["caps"]),
    ({"build.roles": ["mixed"]}, ["apart"]),
    ({"build.power_caps": [1.0], "build.roles": ["mixed"]}, ["apart", "caps"]),
]
"""Changes of a study and the levers that they take away."""
GLOVES = {frozenset(s): float("left" in s and len(s) > 1) for s in subsets(frozenset({"left", "right", "other"}))}


def exact(data: ModelData, *cuts: Cut) -> float | None:
    """Optimum of what cuts leave, each solved by itself."""
    part = subset(
        data,
        lambda column: all(cut.keep_column(column) for cut in cuts),
        lambda pool: all(cut.keep_pool(pool) for cut in cuts),
    )
    tight = part.scenario.study.with_changes({"solver.gap": GAP})
    part = ModelData(**{f: getattr(part, f) for f in part.__dataclass_fields__} | {"scenario": with_study(part, tight)})
    solved = optimise(part, Clock(60.0, threads=1))
    return solved.value * solved.objective.per_unit(data.scenario) if solved.found.status == OPTIMAL else None


def with_study(data: ModelData, study: object) -> Scenario:
    return Scenario(**{f: getattr(data.scenario, f) for f in data.scenario.__dataclass_fields__} | {"study": study})  # type: ignore[arg-type]


def bench(data: ModelData) -> Bench:
    def make(within: Scenario) -> tuple[ModelData, CandidateSet]:
        return data, CandidateSet((), (), 0, 0)

    return Bench(data.scenario, make, Clock(60.0, threads=1), gap=GAP)


def design(data: ModelData) -> Design:
    """A design that holds only what levers ask of one: its value and bound."""
    value = exact(data)
    assert value is not None
    objective = {"value": value, "bound": value, "gap": 0.0, "unit": "tokens/s", "sense": "max"}
    return Design(status="optimal", objective=objective)


def capped_nodes(*, platforms: int = 1) -> ModelData:
    """One node of each platform: 1,000 and 2,000 tokens/s at full power, a tenth less at a cap of 0.5."""
    parts = [platform(name) for name in ("first", "second")[:platforms]]
    columns, houses = [], []
    for n, part in enumerate(parts):
        config = configuration(part, tiers=[tier("ddr")])
        for cap, rate in ((1.0, 10.0), (0.5, 9.0)):
            pool = Pool(config, cap)
            houses.append(housing(pool))
            columns.append((candidate(rate=rate * (1.0 + n), at=part, cap=cap), None))
    supply = {f"supply.platform.{part.id}": 1 for part in parts}
    return model_data(scenario(supply, [workload(demand=1000.0)]), columns, houses)


@pytest.mark.parametrize(
    ("values", "right"),
    [
        (GLOVES, {"left": 4 / 6, "right": 1 / 6, "other": 1 / 6}),
        ({s: float(len(s) == 3) for s in GLOVES}, {"left": 1 / 3, "right": 1 / 3, "other": 1 / 3}),
        ({s: 5.0 * ("left" in s) + 2.0 * ("right" in s) + 7.0 for s in GLOVES}, {"left": 5.0, "right": 2.0, "other": 0.0}),
    ],
    ids=["gloves", "unanimous", "additive"],
)  # fmt: skip
def test_contributions_known_by_hand(values: dict[frozenset[str], float], right: dict[str, float]) -> None:
    assert shapley(values) == pytest.approx(right, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_contributions_are_the_mean_over_all_orders(seed: int) -> None:
    """Proves that no order is preferred: the mean over every permutation, and the sum."""
    rng, names = math.sin, "abcde"[: 2 + seed % 4]
    values = {s: 100.0 * rng(seed + sum(map(ord, s))) + 10.0 * len(s) for s in subsets(frozenset(names))}
    orders = list(itertools.permutations(names))
    means = dict.fromkeys(names, 0.0)
    for order in orders:
        for k, name in enumerate(order):
            means[name] += (values[frozenset(order[: k + 1])] - values[frozenset(order[:k])]) / len(orders)
    found = shapley(values)
    assert found == pytest.approx(means, rel=1e-9)
    assert math.fsum(found.values()) == pytest.approx(values[frozenset(names)] - values[frozenset()], abs=1e-9)


def test_two_platforms_add_up() -> None:
    """One node of 1,000 and one of 2,000 tokens/s: mixing them is worth the weaker, caps nothing where power abounds."""
    data = capped_nodes(platforms=2)
    found = levers(bench(data), design(data))
    assert found["plain"]["value"] == pytest.approx(2000.0, rel=1e-5)
    assert found["total"] == pytest.approx(1000.0, rel=1e-4)
    worth = {lever["id"]: lever["contribution"] for lever in found["levers"]}
    assert worth == pytest.approx({"mixing": 1000.0, "caps": 0.0}, abs=0.1)


def test_a_lever_without_which_there_is_no_build_is_kept() -> None:
    """Proves `needed`: the only columns load hits from host memory or miss; a floor above what misses can do."""
    part = platform("first")
    config = configuration(part, tiers=[tier("ddr")])
    pool = Pool(config, 1.0)
    work = workload(demand=20.0, reuse=0.9)
    columns = [
        (candidate(rate=1.0, at=part), None),
        (candidate(rate=100.0, at=part, hit_from="ddr", load_bytes=1e6), pool),
    ]
    changes = {"supply.platform.first": 1, "demand.mode": "fixed", "demand.floor_frac": 0.3}
    data = model_data(scenario(changes, [work]), columns, [housing(pool)], {work.id: retention((0.9, 10.0))})
    assert exact(data, without_host_memory(data)) is None
    found = levers(bench(data), design(data))
    assert found["needed"] == ["host_memory"]
    assert found["levers"] == [] and found["total"] == 0.0


@pytest.mark.parametrize(("objective", "seed"), WITH_A_BUILD)
def test_sets_of_levers_agree_with_solves_of_their_own(objective: str, seed: int) -> None:
    """Proves the bench: every set's value within its bound of the optimum found apart; sums, monotony, intervals."""
    data = tiny(seed, objective)
    made = design(data)
    found = levers(bench(data), made)
    sense = 1.0 if objective == "tokens" else -1.0
    total = math.fsum(lever["contribution"] for lever in found["levers"])
    assert total == pytest.approx(found["total"], abs=1e-9 * abs(found["value"]))
    by_set = {frozenset(s["on"]): s for s in found["subsets"]}
    all_on = max(by_set, key=len)
    true = {}
    for on, record in by_set.items():
        ways = itertools.product(*(LEVERS[name].without(data) for name in sorted(all_on - on)))
        values = [v for way in ways if (v := exact(data, *way)) is not None]
        true[on] = max(values, key=lambda v: sense * v)
        assert record["value"] == pytest.approx(true[on], rel=1e-4), (on, record)
        assert sense * (record["bound"] - true[on]) >= -1e-4 * abs(true[on])
    for less, more in itertools.combinations(by_set, 2):
        if less < more:
            assert sense * (by_set[more]["value"] - by_set[less]["value"]) >= 0.0
    for lever in found["levers"]:
        assert lever["low"] - 1e-6 <= lever["contribution"] <= lever["high"] + 1e-6


def test_time_that_is_up_leaves_honest_intervals() -> None:
    """Nothing but the plain build and the relaxations: the intervals hold what all solves give, and the sum stays."""
    data = tiny(3, "tokens")
    made = design(data)
    whole = levers(bench(data), made)
    found = levers(bench(data), made, time_limit_s=0.0)
    assert 0 < sum(not s["solved"] for s in found["subsets"])
    total = math.fsum(lever["contribution"] for lever in found["levers"])
    assert total == pytest.approx(found["total"], abs=1e-9 * abs(found["value"]))
    true = {lever["id"]: lever["contribution"] for lever in whole["levers"]}
    for lever in found["levers"]:
        assert lever["low"] - 1e-6 <= lever["contribution"] <= lever["high"] + 1e-6
        assert lever["low"] - 1e-6 <= true[lever["id"]] <= lever["high"] + 1e-6


def test_architectures_are_ranked_by_distance() -> None:
    """Two platforms: without the better one half is left; what takes nothing out is the study itself."""
    data = capped_nodes(platforms=2)
    made = design(data).replace(
        pools=[
            {"platform": "second", "meter_w": 2.0, "quantity": 1},
            {"platform": "first", "meter_w": 1.0, "quantity": 1},
        ]
    )
    found = architectures(bench(data), made)
    rows = {row["name"]: row for row in found["architectures"]}
    assert rows["air-cooled only"]["same_as_study"] and rows["no flash or disks"]["distance_frac"] == 0.0
    assert rows["no power caps"]["value"] == pytest.approx(3000.0, rel=1e-5)
    assert [row["name"] for row in found["runners_up"]] == ["without second"]
    assert found["runners_up"][0]["value"] == pytest.approx(1000.0, rel=1e-5)
    assert found["runners_up"][0]["distance_frac"] == pytest.approx(2 / 3, rel=1e-4)
    assert found["runners_up"][0]["nodes"] == {"first": 1}
    distances = [row["distance_frac"] for row in found["architectures"]]
    assert distances == sorted(distances)


def test_sets_of_levers_agree_with_studies_without_them() -> None:
    """Proves the cuts on a real study: value and bound of a set against a solve of the study that lacks the freedom."""
    catalog = load_catalog()
    extra = [row.id for row in catalog.rows("memory") if row["bay"] == "cxl" or row["tier"] == "nvme_qlc"]
    study = study_from_dict({
        "name": "half",
        "site": {"power_mw": 0.5, "budget_usd": 9e6, "id": "us_1mw"},
        "workload": [
            {"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0},
            {"id": "batch_offline", "requests_per_s": 2.0},
        ],
        "build": {"power_caps": [1.0, 0.7], "batch_points_per_octave": 1},
        "solver": {"gap": 0.004},
        "exclude": [*extra, *(row.id for row in catalog.rows("platforms") if row.id not in KEPT)],
    })  # fmt: skip
    made = solve(study, catalog)
    found = levers(Subject(study, catalog, made, columns_of({}), Clock(60.0)).cutting, made)
    assert {lever["id"] for lever in found["levers"]} == {"host_memory", "tiers_beyond", "apart", "caps", "mixing"}
    assert math.fsum(lever["contribution"] for lever in found["levers"]) == pytest.approx(found["total"], abs=1e-9)
    assert found["value"] == made.value_in_parts
    by_set = {frozenset(s["on"]): s for s in found["subsets"]}
    everything = max(by_set, key=len)
    for changes, off in ALIKE:
        alone, record = solve(study.with_changes(changes), catalog).objective, by_set[everything - set(off)]
        assert record["value"] <= alone["bound"] * (1 + 1e-9), off
        assert alone["value"] <= record["bound"] * (1 + 1e-9), off
        assert record["gap"] < 0.02, off
