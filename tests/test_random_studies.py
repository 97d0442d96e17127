"""Random studies over the full catalog: whatever is asked, the answer is sound or says why there is none.

What each seed proves: the design passes its audit, so no replica reads more than its own links carry or holds more
than its own node's share; the bound lies on the right side of the value; with all dominated candidates kept, the
relaxation is the same and neither search beats the other's bound; a study without a build names what stands in the
way. A rule of pruning that drops something of use, a bound from a wrong claim of the solver below, a kind of part
that some step cannot read, or a row that lends one node the memory of another, fails at some seed.
"""

from __future__ import annotations

from unittest.mock import patch

import pytest
from random_studies import random_study

from solver.auditing.checks import Checks
from solver.catalog import Catalog, load_catalog
from solver.configurations import configurations
from solver.design import FEASIBLE, INFEASIBLE, OPTIMAL, UNKNOWN, Design
from solver.errors import InputError
from solver.highs import OPTIMAL as SOLVED
from solver.highs import Clock, solve_lp
from solver.optimise import compiled
from solver.progress import silent_libraries
from solver.scenario import resolve
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict

QUICK = (1, 2, 16, 22, 31, 44)
"""Seeds of the fast suite: solved in a second or so; one has no build."""
SEEDS = [pytest.param(seed, marks=() if seed in QUICK else pytest.mark.slow) for seed in range(100)]
EXACT = 1e-6
WISH = "build.max_candidates_per_class_role"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def relaxation(study: Study, catalog: Catalog, *, prune: bool) -> float | None:
    """Return the best numerator over all columns, whole or not, in the sense of minimisation; None if there is none."""
    data, _ = prepare(resolve(study, catalog), prune=prune)
    if data.missing_roles and study.demand.mode == "mix":
        return None
    _, program, _ = compiled(data)
    found = solve_lp(program, program.costs[0], float(program.offsets[0]), Clock(60.0, 1))
    return found.objective if found.status == SOLVED else None


def answer(study: Study, catalog: Catalog, *, prune: bool) -> tuple[Design | None, list[str]]:
    """Return the design and what its audit compared; None where a wish for few candidates is refused by name."""
    checked: list[str] = []
    note = Checks._note

    def listen(checks: Checks, relative: float, text: str, unit: str) -> bool:
        checked.append(text)
        return note(checks, relative, text, unit)

    with patch.object(Checks, "_note", listen), silent_libraries():
        try:
            return solve(study, catalog, prune=prune), checked
        except InputError as refused:
            assert [problem.field for problem in refused.problems] == [WISH]
            return None, checked


def check(design: Design, checked: list[str]) -> None:
    """Check one answer by itself."""
    if design.status in (INFEASIBLE, UNKNOWN):
        assert design.explanation and not design.has_build
        assert design.status == INFEASIBLE or design.stopped_by
        return
    assert design.status in (OPTIMAL, FEASIBLE) and design.audit["ok"]
    objective = design.objective
    sense = 1 if objective["sense"] == "max" else -1
    assert sense * (objective["bound"] - objective["value"]) >= -EXACT * abs(objective["value"])
    for load in design.load:
        if load["role"] != "decode":
            assert any(load["load_id"] in text and "KV in flight in local memory" in text for text in checked)
        if load["cache"] == "hit":
            assert any(load["load_id"] in text and "over its own link and share" in text for text in checked)
        if load["role"] == "decode" and load["spill_bytes"] > 1e9 * load["replicas"]:
            assert any(load["load_id"] in text and "reads over its own links" in text for text in checked)
    for place in design.placement:
        if place["kind"] == "parked" and not place["tier"].startswith("pooled_"):
            here = f"parked KV of {place['class']} in {place['pool_id']} {place['tier']}"
            assert any(here in text and "bytes in the share of the replicas" in text for text in checked)
            assert any(here in text and "reads from the share of the replicas" in text for text in checked)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_study_is_answered_soundly(seed: int, catalog: Catalog) -> None:
    study = random_study(seed, catalog)
    pruned, all_kept = (answer(study, catalog, prune=prune) for prune in (True, False))
    for design, checked in (pruned, all_kept):
        if design is not None:
            check(design, checked)
    bounds = [relaxation(study, catalog, prune=prune) for prune in (True, False)]
    assert (bounds[0] is None) == (bounds[1] is None)
    if bounds[0] is not None:
        assert bounds[0] == pytest.approx(bounds[1], rel=EXACT, abs=1e-9)
    one, other = pruned[0], all_kept[0]
    if one is None or other is None or UNKNOWN in (one.status, other.status):
        return
    assert one.has_build == other.has_build
    if one.has_build and other.has_build:
        sense = 1 if one.objective["sense"] == "max" else -1
        for mine, theirs in ((one.objective, other.objective), (other.objective, one.objective)):
            assert sense * (mine["value"] - theirs["bound"]) <= EXACT * abs(theirs["bound"])


# --- what random studies broke ------------------------------------------------------------------------------------


def test_a_node_without_a_known_host_link_has_no_tiers(catalog: Catalog) -> None:
    """Drives in its bays would be read over a link that no row describes: they were looked up under no name."""
    [part] = [p.id for p in catalog.rows("platforms") if p["accelerators"] and not p["host_link_id"] and p["nvme_bays"]]
    asked = {"site": {"power_mw": 1.0}, "workload": [{"id": "chat_short", "requests_per_s": 1.0}], "allow": [part]}
    menu = [c for c in configurations(resolve(study_from_dict(asked), catalog)) if c.platform.id == part]
    assert [c.id for c in menu] == [f"{part}/standard"] and not menu[0].tiers


def test_without_any_accelerator_the_classes_are_named(catalog: Catalog) -> None:
    out = [row.id for row in catalog.rows("platforms") if row["accelerators"]]
    asked = {"site": {"power_mw": 1.0}, "workload": [{"id": "chat_short", "requests_per_s": 1.0}], "exclude": out}
    design = solve(study_from_dict(asked), catalog)
    assert design.status == INFEASIBLE and "chat_short" in design.explanation[0]


def test_a_wish_for_few_candidates_is_kept_after_the_time_is_over(catalog: Catalog) -> None:
    """The search may take all there is; the answer then was that the wish is bad input."""
    late = random_study(5, catalog).with_changes({"solver.time_limit_s": 3.0})
    with silent_libraries():
        design = solve(late, catalog)
    assert design.status in (OPTIMAL, FEASIBLE) or (design.status == UNKNOWN and design.stopped_by == "time limit")
