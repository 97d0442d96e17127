"""Pairs of prefill and decode replicas in one scale-up domain: made, pruned, laid out and told."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from records import candidate, platform

from solver.audit import audit
from solver.candidate import Candidate, CandidateSet
from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.enumeration.pairing import _Group, _numbers, _units, undominated_pairs
from solver.performance import predict
from solver.physics.kv import kv_layout
from solver.scenario import resolve
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict

NODE = "hgx_h100_8"
CLASS = "chat_short"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Switches of 16 ports that draw 9 kW, so that each port costs watts."""
    return load_catalog().overlay({"network": [{"id": "generic_51t_400g", "ports": 16, "power_max_w": 9000}]})


@pytest.fixture(scope="module")
def study(catalog: Catalog) -> Study:
    """A quarter of a megawatt of eight-way servers for one class."""
    out = [row.id for row in catalog.rows("platforms") if row.id != NODE]
    return study_from_dict({
        "name": "pairs", "site": {"power_mw": 0.25}, "exclude": out, "workload": [{"id": CLASS, "share": 1.0}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 4, "tiers": False, "roles": ["prefill", "decode"]},
        "objective": {"name": "tokens_per_mw"},
    })  # fmt: skip


@pytest.fixture(scope="module")
def candidates(study: Study, catalog: Catalog) -> CandidateSet:
    return prepare(resolve(study, catalog))[1]


@pytest.fixture(scope="module")
def design(study: Study, catalog: Catalog) -> Design:
    return solve(study, catalog, baselines=False)


def paired(found: CandidateSet) -> list[Candidate]:
    return [c for c in found.candidates if c.role == "pair"]


# --- numbers ----------------------------------------------------------------------------------------------------


def test_numbers_of_replicas_by_hand() -> None:
    """Proves the numbers: 8 accelerators, prefill 1 at 3/s, decode 2 at 4/s: 3 and 2 serve min(9, 8) of 7 accelerators.

    2 and 3 serve 6, 4 and 2 serve 8 too, with one that is not needed.
    """
    one = np.asarray([1.0])
    first, second, rate = _numbers(one.astype(int), 2 * one.astype(int), 3.0 * one, 4.0 * one, np.asarray([8]))
    assert (first[0], second[0], rate[0]) == (3, 2, 8.0)


def test_numbers_are_the_best_of_all() -> None:
    """Proves that the numbers around balance suffice: no other numbers that fit serve more, in 2,000 random units."""
    rng = np.random.default_rng(5)
    for _ in range(2000):
        p, d = (int(2 ** rng.integers(0, 4)) for _ in range(2))
        room = int(rng.integers(p + d, 73))
        a, b = (float(np.exp(rng.normal(0.0, 1.5))) for _ in range(2))
        ways = itertools.product(range(1, room // p + 1), range(1, room // d + 1))
        best = max(min(n * a, m * b) for n, m in ways if n * p + m * d <= room)
        first, second, rate = _numbers(*(np.asarray([x]) for x in (p, d, a, b, room)))
        assert rate[0] == pytest.approx(best) and first[0] * p + second[0] * d <= room
        assert min(first[0] * a, second[0] * b) >= rate[0] * (1 - 1e-9)
        assert min((first[0] - 1) * a, (second[0] - 1) * b) < rate[0], "one that is not needed"


def test_a_unit_is_the_sum_of_its_halves() -> None:
    """Proves a unit: 3 prefill replicas of 1 at 3/s and 2 of decode of 2 at 4/s, in a domain of 8 of a node of 16.

    8/s, 7 accelerators that occupy a domain of 8, 2 x 240 W of decode, and prefill at 8/9 of its 60 W above 100 W
    of idle each. Half a domain holds 2 and 1 at 4/s; in a third neither fits with the other.
    """
    node = platform(accelerators=16)
    prefill = candidate(role="prefill", rate=3.0, at=node, drawn_w=160.0, idle_w=100.0)
    decode = candidate(role="decode", rate=4.0, at=node, count=2, charge=2.0, drawn_w=240.0, idle_w=200.0)
    made = _units(_Group([prefill], [decode], 16, 8), prune=False, by_size=False)
    unit = next(c for c in made if c.requests_per_s == 8.0)
    assert (unit.role, unit.count, unit.charge, unit.ports, unit.handover_bytes) == ("pair", 7, 8.0, 0.0, 0.0)
    assert [half.replicas for half in unit.halves] == [3, 2]
    assert unit.drawn_w == pytest.approx(2 * 240.0 + 3 * (100.0 + 60.0 * 8.0 / 9.0))
    assert unit.idle_w == pytest.approx(3 * 100.0 + 2 * 200.0)
    assert sum(half.replicas * half.candidate.requests_per_s for half in unit.halves[:1]) == pytest.approx(8.0)
    half = next(c for c in made if c is not unit)
    assert len(made) == 2 and (half.count, half.charge, half.requests_per_s) == (4, 4.0, 4.0)
    assert [part.replicas for part in half.halves] == [2, 1]


def test_two_replicas_that_fill_a_domain_are_no_pair() -> None:
    """Proves that both must fit: 4 and 8 do not go into a domain of 8."""
    halves = [candidate(role=role, count=n, charge=n) for role, n in (("prefill", 4), ("decode", 8))]
    assert _units(_Group(halves[:1], halves[1:], 8, 8), prune=False, by_size=False) == []


def test_a_mixed_replica_that_does_better_leaves_no_pair() -> None:
    """Proves pruning: a mixed replica with as many requests/s per accelerator and fewer watts stands for both."""
    prefill, decode = (candidate(role=role, rate=10.0) for role in ("prefill", "decode"))
    found = _units(_Group([prefill], [decode], 8, 8), prune=True, by_size=False)
    assert [c.count for c in found] == [2], "all parts of a domain are equally good; the smallest stays"
    assert undominated_pairs(found, [candidate(rate=4.9)], by_size=False) == found
    assert undominated_pairs(found, [candidate(rate=5.1)], by_size=False) == []
    assert undominated_pairs(found, [candidate(rate=5.1)], by_size=True) == found, "whole replicas of another size"


# --- from the catalog -------------------------------------------------------------------------------------------


def test_every_pair_fits_its_domain_and_keeps_its_promises(
    candidates: CandidateSet, study: Study, catalog: Catalog
) -> None:
    """Proves each pair from the catalog: whole replicas in a domain of 8, balanced, promises kept, no port."""
    found, work = paired(candidates), resolve(study, catalog).workloads[0]
    assert found
    for c in found:
        prefill, decode = c.halves
        assert c.count <= 8 and c.ports == 0.0 and c.spill_bytes == 0.0
        assert prefill.replicas * prefill.candidate.requests_per_s == pytest.approx(c.requests_per_s)
        assert decode.replicas * decode.candidate.requests_per_s == pytest.approx(c.requests_per_s)
        assert c.ttft_s <= work.ttft_s and c.tpot_s <= work.tpot_s and math.isnan(decode.candidate.ttft_s)


def test_the_hand_over_is_as_fast_as_the_links(candidates: CandidateSet, study: Study, catalog: Catalog) -> None:
    """Proves the speed: the TTFT of a pair is below that of the same prefill replica behind network ports at its rate.

    A prompt's KV over one accelerator's links at the measured share, instead of the time that ports may take.
    """
    scenario = resolve(study, catalog)
    work, chip = scenario.workloads[0], scenario.accelerators["h100_sxm"]
    width = scenario.precisions[work.kv_precision].kv_bytes_per_element
    prompt = float(kv_layout(scenario.models[work.model_id]).stored_bytes(work.isl, width))
    inside_s = prompt / (chip.scaleup_bytes_per_s * scenario.scale_up_link.measured_frac)
    assert inside_s < scenario.handover_ttft_frac * work.ttft_s, "or nothing is gained"
    for c in paired(candidates):
        prefill = c.halves[0].candidate
        alone = predict(catalog, model=work.model_id, accelerator=chip.id, count=prefill.count, precision=prefill.precision,
                        batch=1, isl=work.isl, osl=work.osl, tp=prefill.tp, pp=prefill.pp, dp=prefill.dp, ep=prefill.ep,
                        role="prefill", engine=None, power_cap=1.0)  # fmt: skip
        assert prefill.ttft_s >= alone.ttft_s + inside_s


def test_no_pairs_where_none_are_wanted(study: Study, catalog: Catalog) -> None:
    """Proves the switch and the roles: no pairs without either role, or where the study excludes them."""
    for changes in (
        {"build.scale_up_handover": False},
        {"build.roles": ["mixed", "decode"]},
        {"build.roles": ["mixed"]},
    ):
        assert not paired(prepare(resolve(study.with_changes(changes), catalog))[1])


def test_without_links_no_pair(study: Study, catalog: Catalog) -> None:
    """Proves that the links carry it: at a thousandth of their bandwidth pairs serve less, if there are any."""
    slow = catalog.overlay({"accelerators": [{"id": "h100_sxm", "scaleup_gb_s": 0.45}]})
    rates = [max((c.requests_per_s / c.charge for c in paired(prepare(resolve(study, part))[1])), default=0.0)
             for part in (catalog, slow)]  # fmt: skip
    assert rates[1] < 0.5 * rates[0]


# --- designs ----------------------------------------------------------------------------------------------------


def test_a_design_of_pairs_saves_ports_and_passes_its_audit(study: Study, catalog: Catalog, design: Design) -> None:
    """Proves the way through: never fewer tokens than over the network, fewer ports, one domain a unit."""
    apart = solve(study.with_changes({"build.scale_up_handover": False}), catalog, baselines=False)
    assert design.audit["ok"] and apart.audit["ok"]
    assert design.objective["value"] >= apart.objective["value"] * (1.0 - study.solver.gap)
    inside = [item for item in design.load if item["handover"] == "scale_up"]
    assert inside and not any(item["ports_per_replica"] for item in inside)
    assert design.network["ports"] < apart.network["ports"]
    assert not any(item["unit"] for item in apart.load)
    for unit in {item["unit"] for item in inside}:
        mine = [item for item in inside if item["unit"] == unit]
        assert {item["role"] for item in mine} == {"prefill", "decode"}
        assert sum(item["tp"] * item["dp"] * item["unit_replicas"] for item in mine) <= 8


def test_whole_replicas_are_whole_units(study: Study, catalog: Catalog) -> None:
    """Proves that where replicas are whole a unit is: the design passes an audit that rounds each unit up."""
    assert solve(study.with_changes({"build.whole_replicas": True}), catalog, baselines=False).audit["ok"]


def spoiled(design: Design, **changes: Any) -> list[str]:
    """Return what the audit says of a design whose first half in a unit states something else."""
    role, values = changes.pop("role"), changes
    load = [dict(item) for item in design.load]
    item = next(item for item in load if item["unit"] and item["role"] == role)
    item.update(values)
    found: list[str] = audit(design.replace(load=load))["violations"]
    return found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"role": "decode", "unit": "another"}, "is not one prefill and one decode entry"),
        ({"role": "prefill", "unit_replicas": 100}, "accelerators in one scale-up domain"),
        ({"role": "decode", "replicas": 0.5}, "prefill and decode replicas in proportion"),
        ({"role": "decode", "present": 1e3}, "prefill and decode replicas that stand in proportion"),
        ({"role": "prefill", "requests_per_s": 1e-3}, "requests handed over against those taken over"),
        ({"role": "prefill", "handover": "network"}, "hands over by network, not by scale_up"),
        ({"role": "decode", "pool_id": "elsewhere"}, "differ in class, platform, cap or pool"),
        ({"role": "prefill", "unit_replicas": 0}, "not a whole number above 0"),
    ],
)
def test_planted_violations_of_a_unit_are_named(changes: dict[str, Any], words: str, design: Design) -> None:
    assert any(words in text for text in spoiled(design, **changes)), spoiled(design, **changes)[:6]


def test_slow_links_and_excluded_hand_overs_are_named(design: Design) -> None:
    """Proves that the audit works the speed out itself, from the accelerator's row and the link's."""
    rows = {table: {key: dict(row) for key, row in part.items()} for table, part in design.catalog["rows"].items()}
    rows["accelerators"]["h100_sxm"]["scaleup_gb_s"] = 0.5
    slow = audit(design.replace(catalog=design.catalog | {"rows": rows}))["violations"]
    assert any("through a replica's own ports or links" in text for text in slow)
    study = design.study | {"build": design.study["build"] | {"scale_up_handover": False}}
    assert any(
        "inside a domain, which the study excludes" in text for text in audit(design.replace(study=study))["violations"]
    )
