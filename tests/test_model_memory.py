"""Memory below HBM, solved by hand.

Spilled KV: one candidate that needs more memory than HBM. Parked KV: an accelerator decodes 10 requests/s,
prefills 1/s where the prompt is not cached and 10/s where it is; a retention segment of 10,000 tokens keeps
1 GB per request/s. A request makes 100 output tokens.
"""

from __future__ import annotations

import dataclasses

import pytest
from hand import optimum, proves
from records import (
    GB,
    TB,
    candidate,
    configuration,
    housing,
    model_data,
    platform,
    retention,
    scenario,
    tier,
    workload,
)

from solver.configurations import TierStock
from solver.model.data import ModelData, Pool
from solver.physics.reuse import Retention


def spilling(stock: TierStock, *, accelerators: int = 1, spill_bytes: float = 80 * GB, reads: float = GB) -> ModelData:
    """Return a case with one node, 50 requests/s asked, and one candidate whose KV spills."""
    node = platform(accelerators=accelerators)
    pool = Pool(configuration(node, tiers=[stock]), 1.0)
    served = candidate(spill_bytes=spill_bytes, spill_read_bytes_per_s=reads)
    return model_data(scenario({"supply.platform.node": 1}, [workload(demand=50.0)]), [(served, pool)], [housing(pool)])


def parking(nodes: int, curve: Retention, stock: TierStock, *, load_bytes: float = 0.0) -> ModelData:
    """Return a case with hits from a tier of the nodes or, if it is pooled, from one storage server."""
    local = Pool(configuration(tiers=[] if stock.pooled else [stock]), 1.0)
    houses = [housing(local)]
    if stock.pooled:
        houses.append(housing(Pool(configuration(platform("store", accelerators=0), tiers=[stock]), 1.0)))
    hit = candidate(role="prefill", rate=10.0, hit_from=stock.tier, load_bytes=load_bytes)
    columns = [
        (candidate(role="decode", rate=10.0), None),
        (candidate(role="prefill", rate=1.0), None),
        (hit, None if stock.pooled else local),
    ]
    changes = {"supply.platform.node": nodes, "supply.platform.store": 1}
    return model_data(scenario(changes, [workload(demand=100.0, reuse=0.8)]), columns, houses, {"chat": curve})


def test_kv_that_does_not_fit_in_hbm_needs_a_place() -> None:
    """Proves fit_kv_cache: 80 GB spill from a replica and its node has 50 GB, so none runs: 0; else 1,000 tokens/s."""
    proves(spilling(tier(capacity_bytes=50 * GB)), "fit_kv_cache", 0.0, 1000.0)


def test_a_replica_has_its_own_share_of_the_bytes() -> None:
    """Proves stay_on_own_node: 80 GB spill, but half a node of 100 GB is 50 GB, so none runs: 0.

    If replicas pooled the node's bytes, 100 / 80 = 1.25 replicas would run: 1,250 tokens/s.
    """
    proves(spilling(tier(capacity_bytes=100 * GB), accelerators=2), "stay_on_own_node", 0.0, 1250.0)


def test_a_replica_has_its_own_share_of_the_reads() -> None:
    """Proves stay_on_own_node: 8 GB/s are read, half a node's 10 GB/s is 5 GB/s, so none runs: 0; pooled 1,250."""
    data = spilling(tier(read_bytes_per_s=10 * GB), accelerators=2, reads=8 * GB)
    proves(data, "stay_on_own_node", 0.0, 1250.0)


def test_a_replica_reads_over_its_own_link() -> None:
    """Proves read_over_own_link: 8 GB/s over a link of 5 GB/s cannot be, so none runs: 0; else 1,000 tokens/s."""
    proves(spilling(tier(link_bytes_per_s=5 * GB), reads=8 * GB), "read_over_own_link", 0.0, 1000.0)


def test_a_replica_of_two_has_two_links() -> None:
    """Proves read_over_own_link per accelerator: 8 GB/s over two links of 5 GB/s is 1,000 tokens/s; one link gave 0."""
    node = platform(accelerators=2)
    pool = Pool(configuration(node, tiers=[tier(link_bytes_per_s=5 * GB)]), 1.0)
    served = candidate(count=2, charge=2.0, spill_bytes=80 * GB, spill_read_bytes_per_s=8 * GB)
    data = model_data(scenario({"supply.platform.node": 1}, [workload(demand=50.0)]), [(served, pool)], [housing(pool)])
    assert optimum(data) == pytest.approx(1000.0)


HALF = retention((0.5, 1e4))
"""Half of the requests hit after 1 GB per request/s."""


def test_hits_come_from_what_is_kept() -> None:
    """Proves hit_what_is_kept: at most half of the requests hit.

    One request/s takes 0.1 + 0.5 / 1 + 0.5 / 10 = 0.65 accelerators; 13 nodes serve 20/s, 2,000 tokens/s.
    If hits were free it would take 0.2: 65/s, 6,500.
    """
    proves(parking(13, HALF, tier()), "hit_what_is_kept", 2000.0, 6500.0)


def test_what_is_parked_is_what_is_kept() -> None:
    """Proves park_somewhere: parked requests are those retained, 2,000 as above; parked without limit 6,500."""
    proves(parking(13, HALF, tier()), "park_somewhere", 2000.0, 6500.0)


def test_no_more_is_kept_than_is_served() -> None:
    """Proves keep_in_order for the first segment: retained <= served, 2,000 as above; kept without limit 6,500."""
    proves(parking(13, HALF, tier()), ("keep_in_order", ("chat", 0)), 2000.0, 6500.0)


def test_what_is_kept_long_was_kept_short() -> None:
    """Proves keep_in_order for later segments, which read_moved says too, in bytes: without both the second is free.

    The first takes bytes and hits nothing, the second needs none.

    With no bytes the first is closed and so is the second: all miss at 1.1 accelerators a request/s, 11 nodes
    serve 10/s, 1,000 tokens/s. If the second could be had alone, without limit, 55/s: 5,500.
    """
    curve = retention((0.0, 1e4), (0.5, 0.0))
    data, later = parking(11, curve, tier(capacity_bytes=0.0)), ("keep_in_order", ("chat", 1))
    for row in (later, "read_moved"):
        assert optimum(data, row) == pytest.approx(1000.0)
    assert optimum(data, later, "read_moved") == pytest.approx(5500.0)


def test_hits_are_parked_where_they_are_prefilled() -> None:
    """Proves park_on_own_nodes: a prefilling accelerator has 40 GB and serves 10 hits/s, 4 GB a hit/s.

    The first segment wins 0.25 for 1 GB: 4 GB a hit/s, which fits: 0.1 + 0.75 + 0.025 accelerators a request/s. The
    second wins 0.25 for 9 GB more, for which 0.225 accelerators stand that have nothing else to do: it saves 0.025.
    So 7 / 0.85 = 8.24/s, 823.5 tokens/s; 800 if none stood idle beside its memory. If nodes that decode could lend
    theirs, half would hit: 7 / 0.65 = 10.77/s, 1,076.9.
    """
    curve = retention((0.25, 1e4), (0.25, 9e4))
    proves(parking(7, curve, tier(capacity_bytes=40 * GB)), "park_on_own_nodes", 700.0 / 0.85, 700.0 / 0.65)


def test_no_accelerator_stands_idle_for_less_than_it_saves() -> None:
    """Proves the idle accelerators of park_on_own_nodes: 12 GB more a request/s take 0.3 and save 0.25, so none stands.

    0.1 + 0.75 + 0.025 accelerators a request/s as with the first segment alone: 800 tokens/s. Were memory free of
    accelerators: 7 / 0.65.
    """
    curve = retention((0.25, 1e4), (0.25, 12e4))
    proves(parking(7, curve, tier(capacity_bytes=40 * GB)), "park_on_own_nodes", 800.0, 700.0 / 0.65)


def test_a_storage_server_has_so_many_bytes() -> None:
    """Proves fit_tier: 10 GB keep 10 requests/s, of which 5/s hit.

    1.1 s - 0.9 x 5 = 12 nodes gives s = 15/s, 1,500 tokens/s. With bytes to spare half would hit: 12 / 0.65, 1,846.
    """
    proves(parking(12, HALF, tier(capacity_bytes=10 * GB, pooled=True)), "fit_tier", 1500.0, 1200.0 / 0.65)


@pytest.mark.parametrize("slow", ["read_bytes_per_s", "link_bytes_per_s"])
def test_a_storage_server_reads_so_fast(slow: str) -> None:
    """Proves read_tier: 1 GB/s of drives or of network ports load 5 hits/s of 0.2 GB; 1,500 tokens/s; else 1,846."""
    stock = tier(pooled=True, **{slow: GB})  # type: ignore[arg-type]
    proves(parking(12, HALF, stock, load_bytes=0.2 * GB), "read_tier", 1500.0, 1200.0 / 0.65)


def test_kept_bytes_follow_from_the_models_layers() -> None:
    """Proves the bytes of a segment: 10,000 tokens x 2 x 10 heads x 50 wide x 50 layers x 2 bytes = 1 GB.

    A terabyte then keeps 1,000 requests/s; were a head or the values left out, twice that.
    """
    from solver.model.parking import resident_bytes

    assert resident_bytes(parking(1, HALF, tier(capacity_bytes=TB)), "chat", 0) == pytest.approx(GB, rel=1e-12)


# --- writes -------------------------------------------------------------------------------------------------------
# A prompt of 1,000 tokens is 0.1 GB, of which a hit finds 0.08 GB. Every request that is kept is written.


def test_what_is_kept_is_written() -> None:
    """Proves write_new and write_tier: 1.2 GB/s of writes keep 20/s at 0.1 - 0.5 x 0.08 = 0.06 GB each.

    10/s of 20 kept then hit. 20 decode on 2 nodes, 10 are prefilled on 10, 10 hits on 1: with 13 nodes 2,000 tokens/s.
    Half the writes keep 10/s: 5/s hit, (s - 5) + 0.5 + 0.1 s = 13, s = 15.9. Without either row 2,000 tokens/s.
    """
    wide = tier(pooled=True, write_bytes_per_s=1.2 * GB)
    assert optimum(parking(13, HALF, wide, load_bytes=0.08 * GB)) == pytest.approx(2000.0)
    slow = parking(13, HALF, tier(pooled=True, write_bytes_per_s=0.6 * GB), load_bytes=0.08 * GB)
    for row in ("write_new", "write_tier"):
        proves(slow, row, 17.5 / 1.1 * 100.0, 2000.0)


def test_drives_last_their_life() -> None:
    """Proves wear_tier: drives that endure 0.6 GB/s keep 10/s, 1,590.9 tokens/s; else 2,000."""
    worn = parking(13, HALF, tier(pooled=True, endurance_bytes_per_s=0.6 * GB), load_bytes=0.08 * GB)
    proves(worn, "wear_tier", 17.5 / 1.1 * 100.0, 2000.0)


def test_what_moves_to_another_tier_is_written_again() -> None:
    """Proves write_moved: drives that endure no writes cannot take over what memory has kept for the first segment.

    Memory keeps 10/s, 5 of which hit: 1.1 s = 7 + 0.9 x 5, 1,045.5 tokens/s. If KV moved to drives for nothing, another
    2.5 would hit: 1,250.
    """
    ram, worn = tier("ram", capacity_bytes=10 * GB, pooled=True), tier("flash", pooled=True, endurance_bytes_per_s=0.0)
    local = Pool(configuration(), 1.0)
    stores = [Pool(configuration(platform(name, accelerators=0), tiers=[stock]), 1.0)
              for name, stock in (("fast", ram), ("slow", worn))]  # fmt: skip
    columns = [(candidate(role="decode", rate=10.0), None), (candidate(role="prefill", rate=1.0), None)]
    columns += [(candidate(role="prefill", rate=10.0, hit_from=stock.tier), None) for stock in (ram, worn)]
    limits = {"supply.platform.node": 7, "supply.platform.fast": 1, "supply.platform.slow": 1}
    data = model_data(
        scenario(limits, [workload(demand=100.0, reuse=0.8)]), columns, [housing(p) for p in (local, *stores)],
        {"chat": retention((0.5, 1e4), (0.25, 9e4))},
    )  # fmt: skip
    proves(data, "write_moved", 11.5 / 1.1 * 100.0, 1250.0)


def test_writes_leave_through_wired_ports() -> None:
    """Proves push_over_ports: 0.6 GB/s to storage need 0.03 of a port of 20 GB/s, so a switch of 1,000 USD must stand.

    12 nodes and a server cost 13,000 USD; with 1,000 more for the switch half the requests may hit: 12 / 0.65. With a
    dollar less a node must go: 11 / 0.65. Without the row no switch is needed.
    """
    stock = tier(pooled=True)
    base = parking(12, HALF, stock, load_bytes=0.08 * GB)

    def with_budget(usd: float) -> ModelData:
        of = scenario(
            {"supply.platform.node": 12, "supply.platform.store": 1, "site.budget_usd": usd},
            [workload(demand=100.0, reuse=0.8)], switch=(0.0, 0.0, 1000.0),
        )  # fmt: skip
        return dataclasses.replace(base, scenario=of)

    assert optimum(with_budget(14_000.0)) == pytest.approx(1200.0 / 0.65)
    proves(with_budget(13_999.0), "push_over_ports", 1100.0 / 0.65, 1200.0 / 0.65)


# --- reads of what moves ------------------------------------------------------------------------------------------


def moving(*, nodes: int = 13, **store: float) -> ModelData:
    """Return a case of two storage servers: memory of 30 GB that hits come from, and drives that take 0.5 GB/s of writes.

    A second segment wins a quarter for 9 GB more. KV that moves to drives for it is half of 0.1 GB; KV that is parked
    there from the start is written whole.
    """
    ram = tier("ram", capacity_bytes=30 * GB, pooled=True, **store)  # type: ignore[arg-type]
    flash = tier("flash", pooled=True, write_bytes_per_s=0.5 * GB)
    local = Pool(configuration(), 1.0)
    stores = [Pool(configuration(platform(name, accelerators=0), tiers=[stock]), 1.0)
              for name, stock in (("fast", ram), ("slow", flash))]  # fmt: skip
    columns = [(candidate(role="decode", rate=10.0), None), (candidate(role="prefill", rate=1.0), None)]
    columns += [(candidate(role="prefill", rate=10.0, hit_from=stock.tier), None) for stock in (ram, flash)]
    limits = {"supply.platform.node": nodes, "supply.platform.fast": 1, "supply.platform.slow": 1}
    return model_data(
        scenario(limits, [workload(demand=100.0, reuse=0.8)]), columns, [housing(p) for p in (local, *stores)],
        {"chat": retention((0.5, 1e4), (0.25, 9e4))},
    )  # fmt: skip


def test_what_moves_to_another_tier_is_read_where_it_lay() -> None:
    """Proves read_moved and the moves of read_tier: memory that reads 0.25 GB/s lets 5/s of 0.05 GB move, not 10/s.

    With m moved, d parked on drives from the start and r = (30 - s + d) / 9 kept in memory for both segments,
    0.65 s = 13 + 0.225 (m + d + r). Writes of 0.5 GB/s are 0.05 m + 0.1 d: m = 10, d = 0 gives s = 16 / 0.675 without
    either row; m = 5, d = 2.5 gives s = 15.5 / 0.675.
    """
    assert optimum(moving()) == pytest.approx(1600.0 / 0.675)
    slow = moving(read_bytes_per_s=0.25 * GB)
    for row in ("read_moved", "read_tier"):
        proves(slow, row, 1550.0 / 0.675, 1600.0 / 0.675)


def test_a_byte_that_is_written_to_move_was_read_somewhere() -> None:
    """Proves write_moved with read_moved: a place that is read keeps less or is written to; else 1300 / 0.425.

    Without write_moved all s requests move for nothing, and writes allow d = 5: 0.65 s = 13 + 0.225 s, at most 35.
    """
    proves(moving(read_bytes_per_s=0.25 * GB), "write_moved", 1550.0 / 0.675, 1300.0 / 0.425)


def test_replicas_read_what_moves_from_their_own_share_of_the_nodes() -> None:
    """Proves read_on_own_nodes: hits are loaded by 0.05 (s - d) of 13 nodes, each of which reads 0.1 GB/s.

    A node's 20 GB hold the first segment of the 20/s that its 10 hits/s come from, so the second lies on drives, to
    which 0.05 m <= 0.1 x 0.05 (s - d) may move and d may go at once, 0.05 m + 0.1 d <= 0.5. All 13 nodes read enough
    for m = 10: s = 15.25 / 0.65. Their own share allows m = (0.1 s - 0.5) / 0.95, m + d = 5 + m / 2. A node more that
    only stands would win 0.225 by its reads and 0.5 by its memory, for 1.
    """
    ddr = tier("ddr", capacity_bytes=20 * GB, read_bytes_per_s=0.1 * GB)
    flash = tier("flash", pooled=True, write_bytes_per_s=0.5 * GB)
    local = Pool(configuration(tiers=[ddr]), 1.0)
    store = Pool(configuration(platform("slow", accelerators=0), tiers=[flash]), 1.0)
    columns = [(candidate(role="decode", rate=10.0), None), (candidate(role="prefill", rate=1.0), None)]
    columns += [(candidate(role="prefill", rate=10.0, hit_from="ddr"), local)]
    columns += [(candidate(role="prefill", rate=10.0, hit_from=flash.tier), None)]
    limits = {"supply.platform.node": 13, "supply.platform.slow": 1}
    data = model_data(
        scenario(limits, [workload(demand=100.0, reuse=0.8)]), columns, [housing(local), housing(store)],
        {"chat": retention((0.5, 1e4), (0.25, 9e4))},
    )  # fmt: skip
    own = (14.125 - 0.1125 / 1.9) / (0.65 - 0.0225 / 1.9)
    proves(data, "read_on_own_nodes", own * 100.0, 1525.0 / 0.65)
