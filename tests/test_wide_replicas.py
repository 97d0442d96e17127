"""Replicas of several whole nodes: offered where the study allows them, wired whole, laid out and audited."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from solver.audit import audit
from solver.candidate import Candidate
from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.menu import Menu, shapes, wide_parallelisms
from solver.parts import Model, Platform
from solver.performance import ROLE_DECODE, predict
from solver.scenario import resolve
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict

NODE, MODEL = "hgx_h200_8", "deepseek-v3"
PORTS = 8
"""Scale-out ports of a node, one an accelerator."""

CLASS = {"id": "tool_agent", "model_id": MODEL, "share": 1.0, "tpot_s": 0.03, "weight_precisions": ["fp8"],
         "kv_precision": "fp8"}  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def study(catalog: Catalog, nodes: int, **build: Any) -> Study:
    """Return a megawatt of eight-way servers for one class of a large mixture of experts."""
    out = [row.id for row in catalog.rows("platforms") if row.id != NODE]
    usual = {"power_caps": [1.0], "batch_points_per_octave": 4, "tiers": False, "replica_nodes": nodes}
    return study_from_dict({
        "name": "wide", "site": {"power_mw": 1.0}, "exclude": out, "workload": [CLASS], "build": {**usual, **build},
        "objective": {"name": "tokens_per_mw"},
    })  # fmt: skip


@pytest.fixture(scope="module")
def wide(catalog: Catalog) -> Design:
    """Decode replicas over four nodes, which are worth it at this promise."""
    return solve(study(catalog, 4), catalog, baselines=False)


def made(catalog: Catalog, nodes: int, **build: Any) -> list[Candidate]:
    return list(prepare(resolve(study(catalog, nodes, **build), catalog))[1].candidates)


# --- the menu ---------------------------------------------------------------------------------------------------


def test_only_experts_are_spread_and_no_tensor_group_crosses(catalog: Catalog) -> None:
    """Two and four nodes of eight, 1 to 8 ranks a group; a dense model and a rack that is one domain stay inside."""
    platform, model = catalog.typed(Platform, NODE), catalog.typed(Model, MODEL)
    found = wide_parallelisms(model, platform, 8, 4)
    assert found == [(t, 1, g // t, g) for g in (16, 32) for t in (1, 2, 4, 8)]
    assert wide_parallelisms(model, platform, 8, 1) == [] and wide_parallelisms(model, platform, 8, 3) == found[:4]
    assert wide_parallelisms(catalog.typed(Model, "llama-3.1-70b"), platform, 8, 4) == []
    assert wide_parallelisms(model, platform, 4, 4) == []


def menu_of(catalog: Catalog, nodes: int) -> Menu:
    scenario = resolve(study(catalog, nodes), catalog)
    return shapes(scenario, scenario.workloads[0], ROLE_DECODE, 0.0)


def test_a_wide_replica_takes_whole_nodes_and_all_their_ports(catalog: Catalog) -> None:
    menu = menu_of(catalog, 4)
    across = menu.spans_nodes
    assert across.any() and (menu.charge[across] == menu.count[across]).all()
    assert (menu.charge[across] % 8 == 0).all() and (menu.ports[across] == menu.count[across]).all()
    assert menu.wirable(1.0).all() and (menu.wirable(0.5) == ~across).all()
    chosen = menu.wired_for(np.zeros(len(menu)), [0.125, 1.0])
    assert (chosen.ports[across] == menu.count[across]).all() and (chosen.ports[~across] == 0.0).all()


def test_hand_over_gets_what_the_exchange_leaves(catalog: Catalog) -> None:
    """A quarter of the ports busy leaves three quarters of their bytes, and takes no port away."""
    menu = menu_of(catalog, 4)
    left = menu.beside(np.full(len(menu), 0.25))
    assert left.nic_bytes_per_s == pytest.approx(0.75 * menu.nic_bytes_per_s) and (left.ports == menu.ports).all()
    assert (menu.beside(np.full(len(menu), 1.5)).nic_bytes_per_s == 0.0).all()


def test_nothing_changes_unless_it_is_allowed(catalog: Catalog) -> None:
    """One node is the default, and candidates inside nodes are the same beside wider ones."""
    assert Study.model_validate(study(catalog, 1).model_dump()).build.replica_nodes == 1
    narrow, both = menu_of(catalog, 1), menu_of(catalog, 2)
    assert not narrow.spans_nodes.any()
    assert (both.take(~both.spans_nodes).charge == narrow.charge).all() and both.spans_nodes.sum() == 4
    assert all(c.count <= 8 for c in made(catalog, 1))


def test_a_wide_candidate_is_as_predicted(catalog: Catalog) -> None:
    """Step and watts are those of `predict` with the node's ports."""
    found = next(c for c in made(catalog, 4) if c.role == "decode" and c.count == 32)
    work = resolve(study(catalog, 4), catalog).workloads[0]
    alone = predict(
        catalog, model=MODEL, accelerator="h200_sxm", count=32, precision="fp8", kv_precision="fp8", tp=found.tp,
        dp=found.dp, ep=found.ep, batch=found.batch, isl=work.isl, osl=work.osl, context=work.context, role="decode",
        kv_read_frac=work.kv_read_frac,
    )  # fmt: skip
    assert found.tpot_s == pytest.approx(alone.tpot_s) and found.drawn_w == pytest.approx(alone.power_w)
    assert found.charge == found.ports == 32.0 and found.tpot_s <= CLASS["tpot_s"]


def test_hits_in_a_node_go_to_replicas_inside_it(catalog: Catalog) -> None:
    found = made(catalog, 2, tiers=True, roles=["mixed", "prefill"], batch_points_per_octave=1)
    assert any(c.cache == "hit" and c.configurations for c in found)
    assert not any(c.configurations and c.count > 8 for c in found)


# --- the solve --------------------------------------------------------------------------------------------------


def test_wide_replicas_are_built_where_they_pay(wide: Design, catalog: Catalog) -> None:
    """At 30 ms a token 32 accelerators decode a third more than 8; the build is proven and passes its audit."""
    inside = solve(study(catalog, 1), catalog, baselines=False)
    assert wide.status == inside.status == "optimal" and wide.audit["ok"], wide.audit["violations"]
    assert wide.objective["value"] > 1.25 * inside.objective["bound"]
    across = [e for e in wide.load if e["tp"] * e["dp"] > 8]
    assert across and all(e["ports_per_replica"] == e["tp"] * e["dp"] and e["role"] == "decode" for e in across)


def test_whole_wide_replicas_stand_in_whole_nodes(catalog: Catalog) -> None:
    found = solve(study(catalog, 4, whole_replicas=True), catalog, baselines=False)
    assert found.audit["ok"], found.audit["violations"]
    across = [e for e in found.load if e["tp"] * e["dp"] > 8]
    assert across and all(e["accelerators"] % 8 == 0 for e in across)


Plain = dict[str, Any]


def planted(design: Design, change: Callable[[Plain, Plain], None]) -> str:
    """Return the violations of the design with a change to it and to its wide entry."""
    plain = copy.deepcopy(dataclasses.asdict(design))
    change(plain, next(e for e in plain["load"] if e["tp"] * e["dp"] > 8))
    return " ".join(audit(Design(**plain))["violations"])


def forbid(design: Plain, _: Plain) -> None:
    design["study"]["build"]["replica_nodes"] = 2


def unwire(_: Plain, entry: Plain) -> None:
    entry["ports_per_replica"] /= 2


def shrink(_: Plain, entry: Plain) -> None:
    """Twenty accelerators are two nodes and a half."""
    entry["tp"], entry["dp"], entry["ep"] = 1, 20, 20


def crowd(design: Plain, entry: Plain) -> None:
    """One node fewer than the replicas that stand take."""
    entry["present"] = design["pools"][0]["quantity"] // 4 + 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (forbid, "spans more than one scale-up domain"),
        (shrink, "spans more than one scale-up domain"),
        (unwire, "no share of its node's that the study offers"),
        (crowd, "accelerators without room in any node"),
    ],
)
def test_planted_violations_are_found(wide: Design, change: Callable[[Plain, Plain], None], words: str) -> None:
    assert words in planted(wide, change)


def test_hits_of_a_wide_replica_in_a_nodes_own_tier_are_found(wide: Design) -> None:
    def hit(design: Plain, entry: Plain) -> None:
        entry |= {"role": "mixed", "cache": "hit", "tier": "host", "pool_id": design["pools"][0]["pool_id"]}

    assert "hits in a node's own tier" in planted(wide, hit)
