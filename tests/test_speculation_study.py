"""Speculation as a choice: candidates, the optimum, and the audit of a design that drafts."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from solver.audit import audit
from solver.candidates import CandidateSet, build_candidates
from solver.catalog import Catalog, load_catalog
from solver.configurations import configurations
from solver.design import Design
from solver.errors import InputError
from solver.performance import Calibration
from solver.scenario import Scenario, resolve
from solver.solve import solve
from solver.study import study_from_dict

KEPT = ("hgx_h200_8",)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def scenario(catalog: Catalog, build: dict[str, Any], **work: Any) -> Scenario:
    """Return one class on one kind of server."""
    return resolve(study_from_dict(asked(catalog, build, **work)), catalog)


def asked(catalog: Catalog, build: dict[str, Any], **work: Any) -> dict[str, Any]:
    """Return a study of one class on one kind of server."""
    return {
        "name": "drafts",
        "site": {"power_mw": 0.5, "id": "us_1mw"},
        "workload": [{"id": "chat_short", "model_id": "llama-3.1-70b", "requests_per_s": 1.0, **work}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 2, "tiers": False, **build},
        "solver": {"gap": 0.01},
        "exclude": [row.id for row in catalog.rows("platforms") if row.id not in KEPT],
    }


def candidates(catalog: Catalog, build: dict[str, Any], **work: Any) -> CandidateSet:
    """Return the candidates of the class."""
    made = scenario(catalog, build, **work)
    return build_candidates(made, configurations(made), Calibration.from_catalog(catalog))


@pytest.fixture(scope="module")
def drafted(catalog: Catalog) -> Design:
    """A design whose class has a tight TPOT, which drafts keep with larger batches."""
    return solve(study_from_dict(asked(catalog, {"draft_tokens": [0, 3]}, tpot_s=0.012)), catalog)


def test_depths_are_a_dimension_of_replicas_that_decode(catalog: Catalog) -> None:
    """Prefill replicas draft nothing; without the key nothing is drafted, and acceptance is not even an assumption."""
    found = candidates(catalog, {"draft_tokens": [0, 3]}).candidates
    assert {c.draft_tokens for c in found if c.role == "prefill"} == {0}
    assert 3 in {c.draft_tokens for c in found if c.role == "decode"}
    plain = scenario(catalog, {})
    assert plain.workloads[0].draft_acceptance == 0.0
    assert not [a for a in plain.assumptions if a.path == "build.draft_acceptance"]
    told = scenario(catalog, {"draft_tokens": [0, 3]})
    assert told.workloads[0].draft_acceptance == 0.75
    assert [a.path for a in told.assumptions].count("build.draft_acceptance") == 1


def test_zero_is_the_default_and_drafts_that_are_never_accepted_are_never_chosen(catalog: Catalog) -> None:
    """With drafts offered at no acceptance the pruned candidates are those without drafts, figure by figure."""
    plain = candidates(catalog, {}).candidates
    zero = candidates(catalog, {"draft_tokens": [0]}).candidates
    lost = candidates(catalog, {"draft_tokens": [0, 2]}, draft_acceptance=0.0).candidates
    assert _figures(plain) == _figures(zero) == _figures(lost)


def _figures(found: tuple[Any, ...]) -> set[str]:
    """Return candidates as texts, since not-a-number equals nothing."""
    return {repr(c) for c in found}


def test_a_class_may_state_its_own_acceptance(catalog: Catalog) -> None:
    made = scenario(catalog, {"draft_tokens": [3], "draft_acceptance": 0.6}, draft_acceptance=0.9)
    assert made.workloads[0].draft_acceptance == 0.9
    made = scenario(catalog, {"draft_tokens": [3], "draft_acceptance": 0.6})
    assert made.workloads[0].draft_acceptance == 0.6


@pytest.mark.parametrize("value", [[], [9], [-1], [1.5]])
def test_depths_that_cannot_be_are_refused(catalog: Catalog, value: list[Any]) -> None:
    with pytest.raises(InputError, match="draft_tokens"):
        scenario(catalog, {"draft_tokens": value})


def test_offering_drafts_never_costs_and_here_pays(catalog: Catalog, drafted: Design) -> None:
    plain = solve(study_from_dict(asked(catalog, {}, tpot_s=0.012)), catalog)
    assert plain.audit["ok"] and drafted.audit["ok"]
    assert drafted.objective["value"] > 1.02 * plain.objective["value"]
    assert any(item["draft_tokens"] == 3 for item in drafted.load)
    assert all(item["draft_tokens"] == 0 for item in plain.load)


def plain_copy(design: Design) -> dict[str, Any]:
    """Return a design as plain data that may be spoilt."""
    return copy.deepcopy(dataclasses.asdict(design))


def complaints(data: dict[str, Any]) -> str:
    """Return what the audit finds, as one text."""
    return "\n".join(audit(Design(**data))["violations"])


def drafting(data: dict[str, Any]) -> dict[str, Any]:
    """Return an entry that drafts."""
    found: dict[str, Any] = next(item for item in data["load"] if item["draft_tokens"])
    return found


def test_audit_predicts_the_drafts_anew(drafted: Design) -> None:
    data = plain_copy(drafted)
    assert audit(Design(**data))["ok"]
    drafting(data)["draft_tokens"] = 0
    assert "TPOT understated" in complaints(data)


def test_audit_takes_acceptance_from_the_study(drafted: Design) -> None:
    data = plain_copy(drafted)
    data["study"]["build"]["draft_acceptance"] = 0.2
    assert "TPOT understated" in complaints(data)
    data = plain_copy(drafted)
    data["study"]["workload"][0]["draft_acceptance"] = 0.2
    assert "TPOT understated" in complaints(data)


def test_audit_wants_depths_that_the_study_offers(drafted: Design) -> None:
    data = plain_copy(drafted)
    data["study"]["build"]["draft_tokens"] = [0, 1]
    assert "drafted tokens are not what the study offers" in complaints(data)
