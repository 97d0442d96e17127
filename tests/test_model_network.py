"""The network, solved by hand. A node of 1,000 USD wires 2 of 6 ports a switch and serves 1,000 tokens/s; 7,000 USD.

With switches at 400 USD, 4 nodes need 8 ports: two tiers, 3 leaves and 2 spines, 6,000 USD. 5 nodes need 10 ports,
4 leaves and 2 spines, 7,400 USD.
"""

from __future__ import annotations

import pytest
from hand import optimum, proves
from records import PORT, candidate, configuration, housing, model_data, platform, scenario, workload

from solver.model.data import ModelData, Pool, fabrics, node_ports

ONE_PORT = {"nic_count": 2, "nic_bytes_per_s": PORT}


def wired(*, switch_usd: float = 0.0, optic_usd: float = 0.0, peak_w: float = 0.0, **limits: float) -> ModelData:
    """Return as many nodes as the limits allow, each with a port of its own and a replica that needs another."""
    node = platform(**ONE_PORT)
    of = scenario(
        {"site." + name: value for name, value in limits.items()}, [workload(demand=100.0)],
        switch=(peak_w, 0.0, switch_usd), optic=(0.0, optic_usd), network_cooling=(2.0, 1.0, 0.0),
    )  # fmt: skip
    return model_data(of, [(candidate(ports=1.0), None)], [housing(Pool(configuration(node), 1.0))])


FOUR = {
    "wire_ports": 7000.0,  # no port costs anything
    "have_leaves": 6000.0,  # 12 ports: 2 spines, 6,800 USD
    "have_spines": 5000.0,  # 10 ports: 4 leaves, 6,600 USD
    "stay_within_fabric": 6000.0,  # one tier of 2 switches for 12 ports, 6,800 USD
    "build_one_fabric": 5000.0,  # 6 ports in one tier, 4 in another of two: 3 leaves and a spine, 6,600 USD
}
"""Row -> tokens/s without it."""


@pytest.mark.parametrize("row", FOUR)
def test_switches_for_every_port(row: str) -> None:
    """Proves the rows of the fabric: 4 nodes, 4,000 tokens/s; without a row what `FOUR` says."""
    proves(wired(switch_usd=400.0, budget_usd=7000.0), row, 4000.0, FOUR[row])


def test_an_optic_in_every_switch_port_in_use() -> None:
    """Proves have_optics: 8 ports take 24 optics of 100 USD, 6,400 USD; 10 would take 30, 8,000; else 7 nodes."""
    proves(wired(optic_usd=100.0, budget_usd=7000.0), "have_optics", 4000.0, 7000.0)


def test_a_small_network_has_one_tier() -> None:
    """Proves one tier: 3 nodes fill the 6 ports of one switch, 3,400 USD; two tiers would take 3 switches more."""
    assert optimum(wired(switch_usd=400.0, budget_usd=3400.0)) == pytest.approx(3000.0)
    assert optimum(wired(switch_usd=400.0, budget_usd=3399.0)) == pytest.approx(2000.0)


def test_switches_draw_from_the_meter() -> None:
    """Proves the watts of switches: 3 nodes of 1 kW and one switch of 500 W at PUE 2 take 4 kW.

    Without the switch's PUE 3.5 kW would do.
    """
    assert optimum(wired(peak_w=500.0, power_mw=0.004)) == pytest.approx(3000.0)
    assert optimum(wired(peak_w=500.0, power_mw=0.0039)) == pytest.approx(2000.0)


def test_parts_of_a_port_are_shared() -> None:
    """Proves that replicas of one node share its ports: 4 replicas with a quarter each and the node's own make 2.

    3 nodes fill a switch. Were each replica given a whole port, 3 nodes would need 15.
    """
    node = platform(accelerators=4, **ONE_PORT)
    of = scenario({"site.budget_usd": 3400.0}, [workload(demand=1000.0)], switch=(0.0, 0.0, 400.0))
    data = model_data(of, [(candidate(ports=0.25), None)], [housing(Pool(configuration(node), 1.0))])
    assert optimum(data) == pytest.approx(12_000.0)


def test_a_hand_over_inside_a_domain_takes_no_port() -> None:
    """Proves what pairs save: 2 nodes of 4 accelerators where each node keeps a port and prefill and decode take more.

    Apart, 2 accelerators prefill 20/s and 2 decode 20/s, over a port each: 6 ports fill a switch with 2 nodes,
    4,000 tokens/s for 2,400 USD. As pairs a node's own port is all, and 3,400 USD buy 3 nodes, 6,000 tokens/s;
    apart 3 nodes take 9 ports and two tiers, 3 leaves and 2 spines, 5,000 USD.
    """
    node = platform(accelerators=4, **ONE_PORT)
    of = scenario({"site.budget_usd": 3400.0}, [workload(demand=1000.0)], switch=(0.0, 0.0, 400.0))
    apart = [(candidate(role=role, rate=20.0, charge=2.0, count=2, ports=1.0, at=node), None)
             for role in ("prefill", "decode")]  # fmt: skip
    together = [(candidate(role="pair", rate=20.0, charge=4.0, count=4, at=node), None)]
    house = [housing(Pool(configuration(node), 1.0))]
    assert optimum(model_data(of, apart, house)) == pytest.approx(4000.0)
    assert optimum(model_data(of, apart + together, house)) == pytest.approx(6000.0)


def test_ports_of_a_node() -> None:
    """Proves the ports a node has whatever works on it: one for eight accelerators, all of a storage server."""
    of = scenario()
    for accelerators, cards, ports in ((0, 4, 4.0), (1, 4, 1.0), (8, 4, 1.0), (9, 4, 2.0), (72, 72, 9.0), (16, 1, 1.0)):
        part = platform(accelerators=accelerators, nic_count=cards, nic_bytes_per_s=PORT)
        assert node_ports(of, configuration(part)) == ports
    many = configuration(platform(accelerators=72, nic_count=72, nic_bytes_per_s=PORT))
    assert node_ports(scenario({"build.accelerators_per_port": 24.0}), many) == 3.0


def test_sizes_of_fabrics() -> None:
    """Proves the sizes with switches of 64 ports: 64, 2,048 and 65,536 ports; 3 switch ports each in two tiers."""
    one, two, three = fabrics(64)
    assert [f.most_ports for f in (one, two, three)] == [64, 2048, 65536]
    assert [f.optics_per_port for f in (one, two, three)] == [1, 3, 5]
    assert 2048 * two.leaves_per_port == 64 and 2048 * two.spines_per_port == 32
    for fabric in (one, two, three):
        assert 64 * (fabric.leaves_per_port + fabric.spines_per_port) == fabric.optics_per_port
