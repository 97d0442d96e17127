"""Columns made for a few platforms are those that the whole catalog has there, at any width of the queues."""

from __future__ import annotations

from typing import Any

import pytest

from solver import shortlist
from solver.candidates import CandidateSet
from solver.catalog import Catalog, load_catalog
from solver.model.data import ModelData
from solver.scenario import Scenario, resolve
from solver.shortlist import Shortlist
from solver.solve import prepare
from solver.study import study_from_dict
from solver.widths import narrowed

KEPT = ("mi300x_8", "hgx_h200_8", "hgx_h100_8", "storage_flash_2u24")
NARROWER = [{}, {("tool_agent", "prefill"): 2}, {("tool_agent", "prefill"): 1, ("tool_agent", "mixed"): 3}]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def scenario(catalog: Catalog) -> Scenario:
    study: dict[str, Any] = {
        "name": "short", "site": {"power_mw": 0.5, "budget_usd": 9e6, "id": "us_1mw"},
        "workload": [{"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0},
                     {"id": "batch_offline", "requests_per_s": 2.0}],
        "build": {"power_caps": [0.7, 1.0], "batch_points_per_octave": 2, "router_width": 8},
        "exclude": [row.id for row in catalog.rows("platforms") if row.id not in KEPT],
        "fleet": [{"platform": "hgx_h100_8", "configuration": "standard", "quantity": 1}],
    }  # fmt: skip
    study["fleet"][0]["configuration"] = owned_configuration(study, catalog)
    return resolve(study_from_dict(study), catalog)


def owned_configuration(study: dict[str, Any], catalog: Catalog) -> str:
    """The standard fit of the owned platform by its name on the menu."""
    from solver.configurations import configurations

    bare = resolve(study_from_dict({**study, "fleet": []}), catalog)
    return next(c.id for c in configurations(bare) if c.platform.id == "hgx_h100_8").split("/", 1)[1]


def columns(data: ModelData, platforms: set[str]) -> dict[tuple[object, ...], str]:
    """Columns as text by what they are: what a role does not do is not a number, which equals nothing."""
    return {c.identity: repr((c.candidate, c.pool)) for c in data.columns if c.candidate.platform_id in platforms}


@pytest.mark.parametrize("widths", NARROWER, ids=str)
def test_the_columns_are_those_of_the_whole_catalog(widths: dict[Any, int], scenario: Scenario) -> None:
    """Proves Shortlist: what is known is cut, what is not is made; owned platforms and storage come along."""
    known: dict[str, CandidateSet] = {}
    prepare(scenario, known=known)
    short = Shortlist(scenario, {"mi300x_8"}, known, {})
    ids = {p.id for p in short.platforms}
    assert ids == {"mi300x_8", "hgx_h100_8", "storage_flash_2u24"}, "accelerators of another kind stay away"
    mine, _ = short(narrowed(scenario, widths))
    whole, _ = prepare(narrowed(scenario, widths))
    assert columns(mine, ids) == columns(whole, ids)
    assert {p.id for p in mine.pools} == {p.id for p in whole.pools if p.config.platform.id in ids}
    assert mine.scenario == narrowed(scenario, widths)


def test_what_is_known_is_not_made_again(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the whole catalog's candidates none is evaluated again; a narrower queue makes its roles alone."""
    known: dict[str, CandidateSet] = {}
    prepare(scenario, known=known)
    mine: dict[str, CandidateSet] = {}
    made: list[str] = []
    from solver import candidates

    really = candidates.role_candidates

    def role_candidates(subject: Any, role: str, *args: Any, **options: Any) -> CandidateSet:
        made.append(role)
        return really(subject, role, *args, **options)

    monkeypatch.setattr("solver.candidates.role_candidates", role_candidates)
    short = Shortlist(scenario, {"mi300x_8"}, known, mine)
    short(scenario)
    assert made == []
    short(narrowed(scenario, {("tool_agent", "prefill"): 2}))
    assert sorted(made) == ["pair", "prefill"]
    short(narrowed(scenario, {("tool_agent", "prefill"): 2}))
    assert len(made) == 2


def test_what_is_kept_has_an_end(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many classes and roles all are forgotten."""
    mine = {str(k): CandidateSet((), (), 0, 0) for k in range(4)}
    monkeypatch.setattr(shortlist, "MOST_KEPT", 3)
    Shortlist(scenario, set(), {}, mine)
    assert mine == {}
