"""A study kept warm answers as a cold one does, and computes again only what a change touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from solver.catalog import Catalog, load_catalog
from solver.errors import AuditError
from solver.highs import STOPPED, Clock, Outcome, Program
from solver.optimise import Solved, compiled, optimise
from solver.polishing import settle
from solver.repricing import repriced, same_structure
from solver.resident import Resident
from solver.scenario import resolve
from solver.search import Found
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict

KEPT = ("mi300x_8", "hgx_h200_8", "storage_flash_2u24")
GAP = 0.01
LIMITS: list[dict[str, Any]] = [
    {"site.power_mw": 0.4},
    {"site.budget_usd": 6e6, "site.power_mw": 0.6},
    {"supply.platform.hgx_h200_8.quantity": 2},
    {"site.price_quarter": "2025Q4"},
    {"site.fixed_mw": 0.05, "site.usable_power_frac": 0.9},
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def study(catalog: Catalog) -> Study:
    """Half a megawatt, two classes, two servers and a box of flash; one device a tier, so that prices change no menu."""
    extra = [row.id for row in catalog.rows("memory") if row["bay"] == "cxl" or row["tier"] == "nvme_qlc"]
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
            "exclude": [*extra, *(row.id for row in catalog.rows("platforms") if row.id not in KEPT)],
        }
    )


@pytest.fixture(scope="module")
def resident(study: Study, catalog: Catalog) -> Resident:
    warm = Resident(study, catalog)
    assert warm.solve().status == "optimal"
    return warm


def rows(program: Program) -> dict[str, tuple[dict[str, float], float, float]]:
    """Rows by name: coefficients by variable, lower and upper side."""
    found = {}
    for k, row in enumerate(program.rows):
        part = slice(program.start[k], program.start[k + 1])
        terms = {
            program.variables[j].name: float(v)
            for j, v in zip(program.index[part], program.value[part], strict=True)
            if v
        }
        name = f"{row.constraint.name} {row.bound_type}"
        found[name] = (terms, float(program.row_lower[k]), float(program.row_upper[k]))
    return found


@pytest.mark.parametrize("changes", LIMITS, ids=lambda c: " ".join(c))
def test_a_repriced_program_is_the_one_built_anew(changes: dict[str, Any], study: Study, catalog: Catalog) -> None:
    """Proves repriced: each row of the program built from the changed study, and other rows than before."""
    known: dict[str, Any] = {}
    old, _ = prepare(resolve(study, catalog), known=known)
    new, _ = prepare(resolve(study.with_changes(changes), catalog), known=known)
    assert same_structure(old, new)
    changed, fresh = rows(repriced(optimise(old, Clock(60.0)), new)), rows(compiled(new)[1])
    assert changed.keys() == fresh.keys()
    for name, (terms, lower, upper) in fresh.items():
        assert changed[name][0] == pytest.approx(terms, rel=1e-12), name
        assert changed[name][1:] == pytest.approx((lower, upper), rel=1e-12), name
    assert fresh != rows(compiled(old)[1]), "the change must change something"


@pytest.mark.parametrize(
    "changes", [*LIMITS, {"workload.tool_agent.ttft_s": 0.8}, {"workload.batch_offline.requests_per_s": 5.0}],
    ids=lambda c: " ".join(c),
)  # fmt: skip
def test_warm_and_cold_agree_within_their_gaps(
    changes: dict[str, Any], resident: Resident, study: Study, catalog: Catalog
) -> None:
    """Proves the quick answer: audited, its bound beaten by no cold design, its value within the cold bound."""
    warm, cold = resident.solve(changes), solve(study.with_changes(changes), catalog)
    assert warm.audit["ok"] and warm.study == cold.study
    assert cold.objective["value"] <= warm.objective["bound"] * (1 + 1e-9)
    assert warm.objective["value"] <= cold.objective["bound"] * (1 + 1e-9)
    assert warm.objective["gap"] <= 0.02
    assert (warm.status == "optimal") == (warm.objective["gap"] <= GAP * (1 + 1e-6))


def test_only_what_a_change_touches_is_computed_again(study: Study, catalog: Catalog) -> None:
    """Two classes in three roles and pairs once; no price or demand adds any, a promise its class, a width all but decode."""
    known: dict[str, Any] = {}
    for changes, count in (
        ({}, 8),
        ({"site.price_quarter": "2025Q4"}, 8),
        ({"workload.tool_agent.requests_per_s": 9.0}, 8),
        ({"workload.tool_agent.ttft_s": 0.8}, 12),
        ({"build.router_width": 2}, 18),
        ({"build.utilisation_cap": 0.7}, 26),
    ):
        prepare(resolve(study.with_changes(changes), catalog), known=known)
        assert len(known) == count, changes


def test_candidates_from_the_cache_are_those_made_anew(study: Study, catalog: Catalog) -> None:
    """Proves the key: after a change of price, promise or option the cache gives what a cold start would."""
    known: dict[str, Any] = {}
    prepare(resolve(study, catalog), known=known)
    for changes in ({"site.price_quarter": "2025Q4"}, {"workload.tool_agent.ttft_s": 0.8}, {"build.max_batch": 64}):
        scenario = resolve(study.with_changes(changes), catalog)
        warm, cold = prepare(scenario, known=known)[1], prepare(scenario)[1]
        assert repr(warm) == repr(cold)


def test_a_study_that_becomes_impossible_is_explained(resident: Resident) -> None:
    """Proves the way back: no quick answer where there is none, and the next one is quick again."""
    broken = resident.solve({"workload.tool_agent.ttft_s": 1e-4})
    assert broken.status == "infeasible" and broken.explanation
    again = resident.solve({"site.power_mw": 0.45})
    assert again.has_build and again.stopped_by in ("quick", "gap")


def test_counted_limits_are_solved_in_full(resident: Resident) -> None:
    """Proves the exception: with a limit on platforms the answer keeps it and its gap."""
    design = resident.solve({"build.max_platforms": 1})
    assert design.status == "optimal"
    assert len({p["platform"] for p in design.pools if p["platform"] in KEPT[:2]}) == 1
    assert np.isfinite(design.objective["bound"])


def test_a_quick_answer_that_fails_its_audit_is_not_given(
    study: Study, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the way back: the study is solved in full instead, by code that is not replaced here."""
    warm = Resident(study, catalog)
    warm.solve()

    def refuse(*_: object, **__: object) -> None:
        raise AuditError("the design fails its audit")

    monkeypatch.setattr("solver.resident.audited", refuse)
    design = warm.solve({"site.power_mw": 0.45})
    assert design.status == "optimal" and design.stopped_by == "gap" and design.audit["ok"]


def test_counts_begin_at_those_of_a_design_like_it(
    study: Study, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves settle: where the search has no point of its own, the counts of the design before are the answer."""
    warm = Resident(study, catalog)
    assert warm.solve().has_build and warm._warm is not None
    before, ready = warm._warm.polished, warm._warm.ready
    found = Found(STOPPED, None, np.nan, np.nan, np.nan, 0)
    bound = -ready.objective.sense * ready.relaxed.objective
    solved = Solved(before.data, before.model, before.free, ready.objective, found, bound, bound, {})

    def no_search(*_: Any, start: Any = None, **__: Any) -> Outcome:
        assert start is not None
        return Outcome(STOPPED, None, np.nan, np.nan)

    monkeypatch.setattr("solver.polishing.solve_mip", no_search)
    after = settle(before.data, solved, bound, {}, Clock(60.0), {}, like=before)
    assert after.value == pytest.approx(before.value, rel=1e-6)
    thin = settle(before.data, solved, bound, {}, Clock(60.0), {}, like=before, spare=0.01 * abs(bound))
    assert before.value - 0.01 * abs(bound) * (1 + 1e-6) <= thin.value <= before.value * (1 + 1e-6)
    assert thin.kinds_after["candidates"] <= after.kinds_after["candidates"]
