"""Compute, solved by hand. A node has one accelerator unless told; a request makes 100 output tokens."""

from __future__ import annotations

import dataclasses

import pytest
from hand import optimum, proves
from records import TB, candidate, configuration, housing, model_data, platform, scenario, tier, workload

from solver.candidate import Candidate
from solver.model.data import ModelData, Pool

POOL = Pool(configuration(), 1.0)


def test_what_is_decoded_was_prefilled() -> None:
    """Proves meet_prefill: 2/s prefilled and 10/s decoded an accelerator.

    One request/s takes 0.5 + 0.1 accelerators, so 6 nodes serve 10/s: 1,000 tokens/s. Without prefill 60/s: 6,000.
    """
    columns = [(candidate(role="prefill", rate=2.0), None), (candidate(role="decode", rate=10.0), None)]
    data = model_data(scenario({"supply.platform.node": 6}, [workload(demand=100.0)]), columns, [housing(POOL)])
    proves(data, "meet_prefill", 1000.0, 6000.0)


def test_what_is_prefilled_is_decoded() -> None:
    """Proves meet_decode: with 10/s prefilled and 2/s decoded 6 nodes serve 10/s: 1,000 tokens/s; else 6,000."""
    columns = [(candidate(role="prefill", rate=10.0), None), (candidate(role="decode", rate=2.0), None)]
    data = model_data(scenario({"supply.platform.node": 6}, [workload(demand=100.0)]), columns, [housing(POOL)])
    proves(data, "meet_decode", 1000.0, 6000.0)


def test_a_mixed_replica_counts_in_both() -> None:
    """Proves meet_prefill and meet_decode for mixed replicas: one node does both at 10/s, 1,000 tokens/s.

    If a mixed replica counted in one of them only there would be nothing for the other: 0.
    """
    data = model_data(
        scenario({"supply.platform.node": 1}, [workload(demand=100.0)]), [(candidate(), None)], [housing(POOL)]
    )
    assert optimum(data) == pytest.approx(1000.0)


def test_accelerators_are_shared_out_once() -> None:
    """Proves fit_accelerators: 3 accelerators serve 30/s, 3,000 tokens/s; if they were free, all 50/s: 5,000."""
    data = model_data(
        scenario({"supply.platform.node": 3}, [workload(demand=50.0)]), [(candidate(), None)], [housing(POOL)]
    )
    proves(data, "fit_accelerators", 3000.0, 5000.0)


def test_a_cap_is_another_family() -> None:
    """Proves fit_accelerators by cap: replicas at cap 0.7 do not run on nodes set up for cap 1.

    2 nodes in all, 8/s capped or 10/s uncapped each: both uncapped, 2,000 tokens/s of 100/s; free: 10,000.
    """
    capped = Pool(configuration(), 0.7)
    columns = [(candidate(rate=10.0), None), (candidate(rate=8.0, cap=0.7), None)]
    data = model_data(
        scenario({"supply.platform.node": 2}, [workload(demand=100.0)]), columns, [housing(POOL), housing(capped)]
    )
    proves(data, "fit_accelerators", 2000.0, 10000.0)


def two_classes(*second: Candidate) -> ModelData:
    """Return a case with one accelerator that serves 10/s of either class, and two classes at 5/s each."""
    changes = {"supply.platform.node": 1, "build.whole_replicas": True}
    classes = [workload("a", demand=5.0), workload("b", demand=5.0)]
    columns = [(candidate("a"), None), *((c, None) for c in second)]
    return model_data(scenario(changes, classes), columns, [housing(POOL)])


def test_a_whole_replica_is_of_one_kind() -> None:
    """Proves run_whole_replicas: other weights in the same accelerator are another replica, 500 tokens/s.

    If work were not tied to whole replicas, both classes were served: 1,000.
    """
    data = two_classes(dataclasses.replace(candidate("b"), precision="fp8"))
    proves(data, "run_whole_replicas", 500.0, 1000.0)


def test_a_whole_replica_serves_classes_in_turn() -> None:
    """Proves the sum in run_whole_replicas: half the time each class, 1,000 tokens/s; one replica a class: 500."""
    assert optimum(two_classes(candidate("b"))) == pytest.approx(1000.0)
    third = dataclasses.replace(candidate("b"), requests_per_s=5.0)
    proves(two_classes(third), "run_whole_replicas", 750.0, 1000.0)


def test_stranded_accelerators_are_charged() -> None:
    """Proves the charge in fit_accelerators: replicas of 3 on nodes of 8 take 4 each, so 2 a node.

    2 x 10/s x 100 = 2,000 tokens/s; charged at 3 each it would be 8 / 3 x 1,000 = 2,667; unlimited 5,000.
    """
    eight = platform(accelerators=8)
    data = model_data(
        scenario({"supply.platform.node": 1}, [workload(demand=50.0)]),
        [(candidate(count=3, charge=4.0), None)], [housing(Pool(configuration(eight), 1.0))],
    )  # fmt: skip
    proves(data, "fit_accelerators", 2000.0, 5000.0)


def test_replicas_that_need_memory_stand_beside_it() -> None:
    """Proves fit_own_nodes: 3 nodes may be bought but memory for one only.

    Replicas that spill run on the one node that has it: 10/s, 1,000 tokens/s. If any node of the platform would
    do, the terabyte of one node (0.1 TB a replica) would serve all three: 3,000.
    """
    with_memory = Pool(configuration(label="ddr", tiers=[tier(capacity_bytes=TB)], bought=[("ddr_device", 1)]), 1.0)
    spilling = candidate(spill_bytes=0.1 * TB, spill_read_bytes_per_s=1e9)
    data = model_data(
        scenario({"supply.platform.node": 3, "supply.memory.ddr_device": 1}, [workload(demand=50.0)]),
        [(spilling, with_memory)], [housing(POOL), housing(with_memory)],
    )  # fmt: skip
    proves(data, "fit_own_nodes", 1000.0, 3000.0)
