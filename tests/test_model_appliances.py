"""Appliances of pooled memory, solved by hand.

An accelerator decodes 10 requests/s, prefills 1/s where the prompt is not cached and 10/s where it is; what is kept
for one request/s is 1 GB, and half of it hits. So 0.65 accelerators a request/s where all is kept, 1.1 where nothing
is. A request makes 100 output tokens. Nodes see a terabyte each; the appliance behind them has less.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hand import optimum, proves
from pytest import approx
from records import GB, appliance, candidate, configuration, housing, model_data, retention, scenario, tier, workload

from solver.model.data import ModelData, Pool

HALF = retention((0.5, 1e4))
ALL, SOME = 1300.0 / 0.65, 17.5 / 1.1 * 100.0
"""Tokens/s of 13 nodes where all is kept, and where 5 requests/s hit: 1.1 s = 13 + 0.9 x 5."""


def parking(*, load_bytes: float = 0.0, most_hosts: int = 16, boxes: int = 1, **stock: Any) -> ModelData:
    """Return a case with 13 nodes and appliances on which cached prompts lie."""
    local = Pool(configuration(tiers=[tier("cxl")], attached="box"), 1.0)
    box = appliance(most_hosts=most_hosts, **stock)
    columns = [
        (candidate(role="decode", rate=10.0), None),
        (candidate(role="prefill", rate=1.0), None),
        (candidate(role="prefill", rate=10.0, hit_from="cxl", load_bytes=load_bytes), local),
    ]
    of = scenario({"supply.platform.node": 13, "supply.platform.box": boxes}, [workload(demand=100.0, reuse=0.8)])
    return model_data(of, columns, [housing(local), housing(box)], {"chat": HALF})


def test_nodes_find_ports() -> None:
    """Proves attach_hosts: an appliance with 12 ports lets 12 of 13 nodes run; without the row all 13 do."""
    proves(parking(most_hosts=12), "attach_hosts", 1200.0 / 0.65, ALL)
    assert optimum(parking(most_hosts=12, boxes=2)) == approx(ALL)


def test_without_an_appliance_nothing_is_attached() -> None:
    """Proves attach_hosts where a smaller model has left the appliance out: no node runs; without the row all do."""
    data = parking()
    bare = tuple(p for p in data.pools if p.config.attached)
    proves(dataclasses.replace(data, pools=bare, housings=data.housings[:1]), "attach_hosts", 0.0, ALL)


def test_nodes_share_the_bytes() -> None:
    """Proves fit_appliance: 10 GB behind all 13 nodes keep 10 requests/s, of which 5 hit; without the row all is kept."""
    proves(parking(capacity_bytes=10 * GB), "fit_appliance", SOME, ALL)


def test_nodes_share_the_reads() -> None:
    """Proves read_appliance: 1 GB/s load 5 hits/s of 0.2 GB, however fast each node's own lanes are."""
    proves(parking(read_bytes_per_s=GB, load_bytes=0.2 * GB), "read_appliance", SOME, ALL)


def test_nodes_share_the_writes() -> None:
    """Proves write_appliance: 0.6 GB/s keep 10 requests/s at 0.1 - 0.5 x 0.08 = 0.06 GB each, of which 5 hit."""
    proves(parking(write_bytes_per_s=0.6 * GB, load_bytes=0.08 * GB), "write_appliance", SOME, ALL)


def test_active_kv_shares_the_bytes_too() -> None:
    """Proves fit_appliance for what spills: two replicas of 80 GB, and 80 GB behind two nodes: 1,000 tokens/s."""
    local = Pool(configuration(tiers=[tier("cxl")], attached="box"), 1.0)
    served = candidate(spill_bytes=80 * GB, spill_read_bytes_per_s=GB)
    of = scenario({"supply.platform.node": 2, "supply.platform.box": 1}, [workload(demand=50.0)])
    data = model_data(of, [(served, local)], [housing(local), housing(appliance(capacity_bytes=80 * GB))])
    proves(data, "fit_appliance", 1000.0, 2000.0)


def test_pools_share_an_appliance() -> None:
    """Proves the sums over pools: nodes at two caps of one platform lie behind one appliance with 3 ports.

    5 nodes of each cap may be bought in all, each serves 1,000 tokens/s: 3,000. Were ports counted by pool, 5,000.
    """
    pools = [Pool(configuration(tiers=[tier("cxl")], attached="box"), cap) for cap in (1.0, 0.7)]
    columns = [(candidate(cap=p.cap, spill_bytes=GB, spill_read_bytes_per_s=GB), p) for p in pools]
    of = scenario({"supply.platform.node": 5, "supply.platform.box": 1}, [workload(demand=500.0)])
    box = appliance(most_hosts=3)
    data = model_data(of, columns, [*(housing(p) for p in pools), housing(box)])
    proves(data, "attach_hosts", 3000.0, 5000.0)
