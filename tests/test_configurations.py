"""What a node may be filled with: prices, watts and bytes of each population, counted once, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from solver.catalog import Catalog, load_catalog
from solver.configurations import Configuration, configurations, made_to_order
from solver.scenario import resolve
from solver.study import study_from_dict

DDR_USD_PER_GB = 20.0
SERVER: dict[str, Any] = {
    "id": "hgx_h100_8", "host_mem_id": "ddr5_6400_rdimm_96gb", "host_mem_slots": 16, "host_mem_std_gb": 1536.0,
    "host_mem_max_gb": 4096.0, "host_mem_bw_gb_s": 800.0, "host_w": 2000.0, "node_typ_w": 8000.0, "node_max_w": 9000.0,
    "node_peak_w": 10000.0,
    "price_central_usd": 100_000.0, "price_low_usd": 100_000.0, "price_high_usd": 100_000.0,
    "price_quarter": "2026Q3", "nvme_bays": 4, "cxl_lanes": 0,
}  # fmt: skip
STORAGE: dict[str, Any] = {
    "id": "storage_flash_2u24", "host_mem_id": "ddr5_6400_rdimm_64gb", "host_mem_slots": 10, "host_mem_std_gb": 256.0,
    "host_mem_max_gb": 1280.0, "host_mem_bw_gb_s": 300.0, "host_w": 600.0, "node_typ_w": 600.0, "node_max_w": 1000.0, "price_central_usd": 10_000.0,
    "price_low_usd": 10_000.0, "price_high_usd": 10_000.0, "price_quarter": "2026Q3", "nvme_bays": 2,
}  # fmt: skip
DRIVE = "nvme_solidigm_ps1010_7tb"
MODULES = {
    "ddr5_6400_rdimm_64gb": {"idle_w": 2.0, "max_w": 8.0},
    "ddr5_6400_rdimm_96gb": {"idle_w": 3.0, "max_w": 10.0},
    "ddr5_6400_rdimm_128gb": {"idle_w": 4.0, "max_w": 12.0},
    DRIVE: {"idle_w": 5.0, "max_w": 25.0},
}
"""Modules of 51.2 GB/s."""
SLOWER: dict[str, Any] = {**SERVER, "host_mem_bw_gb_s": 400.0}
"""Eight modules carry the bandwidth of this one."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog with round prices and watts: DDR5 at 20 USD/GB, TLC at 0.5."""
    prices = [
        {"id": "ddr5_2026Q3", "price_usd_per_gb": DDR_USD_PER_GB},
        {"id": "nvme_tlc_2026Q3", "price_usd_per_gb": 0.5},
    ]
    devices = [{"id": name, **values} for name, values in MODULES.items()]
    return load_catalog().overlay({"memory_prices": prices, "memory": devices})


def menu(catalog: Catalog, *platforms: dict[str, Any], **build: Any) -> dict[str, Configuration]:
    """Return the configurations of some platforms by what they hold."""
    return {name.partition("/")[2]: c for name, c in every(catalog, *platforms, **build).items()}


def every(catalog: Catalog, *platforms: dict[str, Any], **build: Any) -> dict[str, Configuration]:
    """Return the configurations of some platforms by their ids, with the modules and the drive above."""
    changed = catalog.overlay({"platforms": list(platforms)})
    keep = {p["id"] for p in platforms}
    out = [row.id for row in changed.rows("platforms") if row.id not in keep]
    out += [row.id for row in changed.rows("memory") if row.id not in MODULES]
    site = {"power_mw": 1.0, "price_quarter": "2026Q3", "available_by": "2026-12"}
    asked = {"name": "menu", "site": site, "build": {"host_mem_usable_frac": 1.0, "host_draw_frac": 0.5, **build},
             "exclude": out, "workload": [{"id": "chat_short", "requests_per_s": 1.0}]}  # fmt: skip
    return {c.id: c for c in configurations(resolve(study_from_dict(asked), changed))}


def numbers(config: Configuration) -> tuple[float, float, float]:
    """Dollars, peak watts and mean watts without the accelerators."""
    return config.price_usd, config.provisioned_w, config.host_drawn_w


def test_smaller_standard_and_larger_memory_pay_the_difference(catalog: Catalog) -> None:
    """The standard fit, 16 x 96 GB, is 30,720 USD, 160 W at most and 48 W idle of the server's 100,000 USD, 10 kW and 1 kW.

    16 x 64 GB are 20,480 USD, 128 W and 32 W; 16 x 128 GB are 40,960 USD, 192 W and 64 W. Paid beside the standard fit
    they would make the server dearer than it is sold.
    """
    found = menu(catalog, SERVER)
    assert list(found) == ["standard", "16xddr5_6400_rdimm_64gb", "16xddr5_6400_rdimm_128gb", f"4x{DRIVE}"]
    assert numbers(found["standard"]) == pytest.approx((100_000.0, 10_000.0, 1000.0))
    assert numbers(found["16xddr5_6400_rdimm_64gb"]) == pytest.approx((89_760.0, 9968.0, 984.0))
    assert numbers(found["16xddr5_6400_rdimm_128gb"]) == pytest.approx((110_240.0, 10_032.0, 1016.0))
    assert [c.id for c in found.values() if c.lighter] == ["hgx_h100_8/16xddr5_6400_rdimm_64gb"]
    for label, size in (
        ("standard", 1536e9),
        ("16xddr5_6400_rdimm_64gb", 1024e9),
        ("16xddr5_6400_rdimm_128gb", 2048e9),
    ):
        stock = found[label].tier("ddr")
        assert stock is not None and stock.capacity_bytes == pytest.approx(size)
        assert stock.read_bytes_per_s == pytest.approx(800e9)


def test_a_quote_of_another_quarter_moves_before_its_memory_is_left_out(catalog: Catalog) -> None:
    """Quoted at 2026Q2, when DDR5 cost 15 USD/GB: 1,536 GB are 7,680 USD dearer now, and leave at today's 20."""
    before = catalog.overlay({"memory_prices": [{"id": "ddr5_2026Q2", "price_usd_per_gb": 15.0}]})
    found = menu(before, {**SERVER, "price_quarter": "2026Q2"})
    assert found["standard"].price_usd == pytest.approx(107_680.0)
    assert found["16xddr5_6400_rdimm_64gb"].price_usd == pytest.approx(107_680.0 - 30_720.0 + 20_480.0)


def test_half_of_the_slots_only_where_every_channel_keeps_a_module(catalog: Catalog) -> None:
    """Eight modules of 51.2 GB/s carry 409.6 GB/s: enough for a server of 400 GB/s, of 420 GB/s not."""
    assert "8xddr5_6400_rdimm_64gb" in menu(catalog, SLOWER)
    faster = menu(catalog, {**SERVER, "host_mem_bw_gb_s": 420.0})
    assert "16xddr5_6400_rdimm_64gb" in faster and not any(label.startswith("8x") for label in faster)


def test_smaller_memory_stays_above_what_loading_weights_needs(catalog: Catalog) -> None:
    """Eight accelerators of 80 GB: 320 GB let 8 x 64 GB through, 640 GB do not, and 1,280 GB leave nothing below 1,536."""
    hosts = {frac: [c.id for c in menu(catalog, SLOWER, host_mem_min_frac=frac).values() if c.lighter]
             for frac in (0.5, 1.0, 2.0)}  # fmt: skip
    assert hosts[0.5] == ["hgx_h100_8/8xddr5_6400_rdimm_64gb"]
    assert hosts[1.0] == ["hgx_h100_8/8xddr5_6400_rdimm_96gb"]
    assert hosts[2.0] == []


def test_soldered_memory_stays(catalog: Catalog) -> None:
    assert list(menu(catalog, {**SERVER, "host_mem_slots": 0})) == ["standard", f"4x{DRIVE}"]


def test_without_tiers_a_node_is_standard_or_lighter(catalog: Catalog) -> None:
    found = menu(catalog, SERVER, tiers=False)
    assert list(found) == ["standard", "16xddr5_6400_rdimm_64gb"]
    assert all(not c.tiers for c in found.values())


def test_the_full_menu_fills_bays_beside_every_memory(catalog: Catalog) -> None:
    """Four drives are 4 x 7,680 GB x 0.5 = 15,360 USD, 100 W at most and 20 W idle, whatever memory stands beside them.

    Two of them are half of that, in half of the bays.
    """
    small, full = menu(catalog, SERVER), menu(catalog, SERVER, menu="full")
    assert set(small) < set(full) and len(full) == 9
    added = [a - b for a, b in zip(numbers(full[f"2x{DRIVE}"]), numbers(full["standard"]), strict=True)]
    assert added == pytest.approx([7680.0, 50.0, 10.0])
    for label, config in full.items():
        bare = full.get(label.removesuffix(f"+4x{DRIVE}"))
        if label.endswith(f"+4x{DRIVE}") and bare is not None:
            added = [a - b for a, b in zip(numbers(config), numbers(bare), strict=True)]
            assert added == pytest.approx([15_360.0, 100.0, 20.0])
            assert {t.tier for t in config.tiers} == {"ddr", "nvme_tlc"} and not config.lighter
    assert f"16xddr5_6400_rdimm_128gb+4x{DRIVE}" in full


def test_a_storage_server_of_memory_is_a_pooled_tier(catalog: Catalog) -> None:
    """10 x 128 GB, 25,600 USD, in place of 256 GB, 5,120 USD: 10,000 - 5,120 + 25,600; a server without drives is none."""
    found = menu(catalog, SERVER, STORAGE)
    filled = found["10xddr5_6400_rdimm_128gb"]
    assert filled.platform.id == "storage_flash_2u24" and f"2x{DRIVE}" in found
    assert filled.price_usd == pytest.approx(30_480.0)
    assert filled.provisioned_w == pytest.approx(600.0 - 4 * 8.0 + 10 * 12.0)
    assert filled.host_drawn_w == pytest.approx(300.0 - 4 * 2.0 + 10 * 4.0)
    (stock,) = filled.tiers
    assert (stock.tier, stock.pooled) == ("pooled_ddr", True)
    assert stock.capacity_bytes == pytest.approx(1280e9) and stock.read_bytes_per_s == pytest.approx(300e9)
    platform = filled.platform
    shelf = {**STORAGE, "hdd_bays": 12}
    assert not any(c.tier("pooled_ddr") for c in menu(catalog, SERVER, shelf).values())
    assert "10xddr5_6400_rdimm_128gb" in menu(catalog, SERVER, shelf, menu="full")
    assert stock.link_bytes_per_s <= platform.nic_count * platform.nic_bytes_per_s


BOX: dict[str, Any] = {
    "id": "cxl_box_cmmb_16tb", "host_mem_std_gb": 16_000.0, "host_mem_max_gb": 16_000.0, "host_mem_bw_gb_s": 50.0, "host_adapters": 2, "host_w": 800.0,
    "node_max_w": 800.0, "price_low_usd": 200_000.0, "price_central_usd": 200_000.0, "price_high_usd": 200_000.0,
    "price_quarter": "2026Q3", "buyable": "yes",
}  # fmt: skip


def test_a_node_with_lanes_is_attached_to_an_appliance(catalog: Catalog) -> None:
    """Two adapters of 16 lanes at 63 x 0.95 GB/s: 119.7 GB/s, but the box has 50. The node pays and draws nothing more.

    The box is paid once, as it stands, and lends 16 TB to all nodes attached; with 31 lanes no node is.
    """
    found = every(catalog, {**SERVER, "cxl_lanes": 32}, BOX)
    node, box = found["hgx_h100_8/standard+cxl_box_cmmb_16tb"], found["cxl_box_cmmb_16tb/standard"]
    assert (
        numbers(node) == pytest.approx(numbers(found["hgx_h100_8/standard"])) and not node.bought and not node.as_sold
    )
    seen = node.tier("cxl_pool")
    assert seen is not None and node.attached == "cxl_box_cmmb_16tb" and not seen.pooled
    assert (seen.capacity_bytes, seen.read_bytes_per_s) == pytest.approx((16e12, 50e9))
    assert seen.link_bytes_per_s == pytest.approx(63e9 * 0.79)
    faster = menu(catalog, {**SERVER, "cxl_lanes": 32}, {**BOX, "host_mem_bw_gb_s": 500.0})
    through = faster["standard+cxl_box_cmmb_16tb"].tier("cxl_pool")
    assert through is not None and through.read_bytes_per_s == pytest.approx(2 * 63e9 * 0.95)
    assert box.lends is not None and box.tiers == () and box.lends.capacity_bytes == pytest.approx(16e12)
    assert numbers(box) == pytest.approx((200_000.0, 800.0, 400.0))
    without = menu(catalog, {**SERVER, "cxl_lanes": 31}, BOX)
    assert not any(c.attached for c in without.values())


def test_appliances_are_a_tier_among_others(catalog: Catalog) -> None:
    """Without tiers no node is attached; the full menu attaches nodes with smaller and larger memory too."""
    server = {**SERVER, "cxl_lanes": 32}
    assert not any(c.attached or c.lends for c in menu(catalog, server, BOX, tiers=False).values())
    full = [label for label, c in menu(catalog, server, BOX, menu="full").items() if c.attached]
    assert full == [f"{host}+cxl_box_cmmb_16tb" for host in
                    ("standard", "16xddr5_6400_rdimm_64gb", "16xddr5_6400_rdimm_128gb")]  # fmt: skip


def test_a_build_cannot_name_an_appliance(catalog: Catalog) -> None:
    """A user's build says what stands in a node, not what it is attached to: one line says so, instead of an idle box."""
    changed = catalog.overlay({"platforms": [BOX]})
    study = study_from_dict({"site": {"power_mw": 1.0}, "workload": [{"id": "chat_short", "requests_per_s": 1.0}]})
    scenario = resolve(study, changed)
    box = next(p for p in scenario.platforms if p.id == BOX["id"])
    made, misfits = made_to_order(scenario, box, [])
    assert made is None and any("pooled memory" in line for line in misfits)
