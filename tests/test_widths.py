"""Router widths: only as many replicas share a queue as stand, and wider never serves less."""

from __future__ import annotations

from typing import Any

import pytest

from solver.candidates import Candidate
from solver.catalog import Catalog, load_catalog
from solver.errors import InputError
from solver.scenario import Scenario, resolve
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict
from solver.widths import FewReplicasError, check_widths, with_widths_that_stand

KEEP = {"hgx_h100_8"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def study(catalog: Catalog, width: int = 1, **of_class: Any) -> Study:
    out = [row.id for row in catalog.rows("platforms") if row.id not in KEEP]
    return study_from_dict({
        "site": {"power_mw": 0.2, "available_by": "2026-12"}, "exclude": out,
        "workload": [{"id": "chat_short", "requests_per_s": 1.0, **of_class}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 1, "router_width": width},
    })  # fmt: skip


def rates(catalog: Catalog, width: int, **of_class: Any) -> dict[tuple[Any, ...], Candidate]:
    _, made = prepare(resolve(study(catalog, width, **of_class), catalog), prune=False)
    return {
        (c.role, c.cache, c.tier, c.precision, c.tp, c.pp, c.dp, c.ep, c.batch, c.ports): c for c in made.candidates
    }


def test_a_wider_router_never_lowers_a_rate(catalog: Catalog) -> None:
    """Nothing is lost; hits from a node's own tiers stay as they are."""
    one, eight = rates(catalog, 1), rates(catalog, 8)
    assert set(one) <= set(eight)
    assert all(eight[key].requests_per_s >= c.requests_per_s * (1 - 1e-9) for key, c in one.items())
    assert any(eight[key].requests_per_s > c.requests_per_s * 1.01 for key, c in one.items())
    own = {key: c for key, c in one.items() if c.tier and not c.tier.startswith("pooled_")}
    assert own and all(c.router_width == 1 for c in own.values())
    assert all(eight[key].requests_per_s == c.requests_per_s for key, c in own.items())


def test_bursts_cost_rate_and_free_misses_gain(catalog: Catalog) -> None:
    plain, bursty, hits = (rates(catalog, 1, **more) for more in ({}, {"arrival_cv": 4.0}, {"promise_on": "hit"}))
    prefill = [key for key in bursty if key[0] == "prefill"]
    assert prefill and any(bursty[key].requests_per_s < plain[key].requests_per_s * 0.99 for key in prefill)
    assert {key for key in plain if key[1] == "miss"} < {key for key in hits if key[1] == "miss"}
    assert {key for key in plain if key[1] == "hit"} == {key for key in hits if key[1] == "hit"}


@pytest.mark.parametrize("promise_on", ["hit", "per_1k_new_tokens"])
def test_a_design_keeps_what_its_promise_binds(catalog: Catalog, promise_on: str) -> None:
    design = solve(study(catalog, 8, promise_on=promise_on), catalog)
    assert design.audit["ok"]
    assert {item["path"]: item["value"] for item in design.assumptions}["workload.chat_short.promise_on"] == promise_on
    for item in design.load:
        assert item["router_width"] <= max(1.0, item["replicas"] + 1e-6)


def test_words_without_a_meaning_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="promise_on"):
        study(catalog, promise_on="miss")
    with pytest.raises(InputError, match="no request of the class can hit"):
        resolve(study(catalog, promise_on="hit", reuse_frac_max=0.0), catalog)
    with pytest.raises(InputError, match="router_width"):
        study(catalog, width=0)


def test_widths_are_only_lowered_and_end_at_one(catalog: Catalog) -> None:
    entry = {"class": "a", "role": "prefill", "replicas": 3.7, "router_width": 8}
    with pytest.raises(FewReplicasError) as few:
        check_widths([entry, entry | {"replicas": 5.0}])
    assert few.value.widths == {("a", "prefill"): 3}
    check_widths([entry | {"router_width": 3}, entry | {"replicas": 0.2, "router_width": 1}])
    seen: list[int] = []

    def attempt(of: Scenario) -> str:
        seen.append(of.router_width("chat_short", "prefill"))
        if seen[-1] > 1:
            raise FewReplicasError({("chat_short", "prefill"): seen[-1] - 1})
        return "done"

    assert with_widths_that_stand(resolve(study(catalog, 8), catalog), attempt) == "done"
    assert seen == [8, 7, 6, 1]
