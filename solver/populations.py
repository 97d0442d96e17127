"""What a node can be filled with: host memory in whole channels, drives, expanders.

Each population is one kind of device in all its places, so that a platform's menu stays short. Host memory is the
standard fit, the largest, and one that is cheaper than the standard fit and still enough for a node to load weights.
"""

from __future__ import annotations

from solver.parts import MemoryDevice, Platform
from solver.scenario import Scenario

Filled = tuple[MemoryDevice, int]
"""A device and how many of it stand in one node."""
ROUNDING = 0.99
"""Share of a platform's memory bandwidth at which all of its channels count as filled; catalogs round."""


def usd_per_byte(scenario: Scenario, device: MemoryDevice) -> float:
    """Price of a device's byte at the quarter, less discounts, plus tax."""
    return scenario.landed_usd(scenario.device_usd(device), device.vendor) / device.capacity_bytes


def _rank_usd(usd: float) -> float:
    """Nine digits of a price: what costs the same must not be told apart by how its price was rounded."""
    return float(f"{usd:.9g}")


def host_bytes_per_s(platform: Platform, host: Filled | None) -> float:
    """Bandwidth of host memory: the platform's, or that of the modules where they are too few for its channels."""
    most = platform.host_mem_bw_bytes_per_s or 0.0
    return most if host is None else min(most, host[1] * host[0].read_bw_bytes_per_s)


def least_host_bytes(scenario: Scenario, platform: Platform) -> float:
    """Host memory that a node needs to load weights and run, never more than its standard fit."""
    accelerator = scenario.accelerators.get(platform.accelerator_id or "")
    local = platform.accelerators * accelerator.mem_bytes if accelerator else 0.0
    return min(platform.host_mem_std_bytes, scenario.host_mem_min_frac * local)


def larger_host(scenario: Scenario, platform: Platform) -> list[Filled]:
    """The largest population of all slots that the platform takes, if it exceeds the standard fit."""
    slots = platform.host_mem_slots
    fitting = [
        d for d in _modules(scenario, platform)
        if platform.host_mem_std_bytes < d.capacity_bytes * slots <= platform.host_mem_max_bytes
    ]  # fmt: skip
    if not fitting:
        return []
    return [(max(fitting, key=lambda d: (d.capacity_bytes, -_rank_usd(usd_per_byte(scenario, d)), d.id)), slots)]


def smaller_host(scenario: Scenario, platform: Platform) -> list[Filled]:
    """The cheapest population of all or half of the slots below the standard fit, if it is cheaper than that.

    Half of the slots is one module a channel where channels have two. No channel is left empty: the modules carry
    the platform's memory bandwidth together. Storage servers have none; their standard memory only runs them.
    """
    if not platform.accelerators or not platform.host_mem_id:
        return []
    standard = scenario.device(platform.host_mem_id)
    kept_usd = platform.host_mem_std_bytes * usd_per_byte(scenario, standard)
    wanted = ROUNDING * (platform.host_mem_bw_bytes_per_s or 0.0)
    found = []
    for device in _modules(scenario, platform):
        for count in {platform.host_mem_slots, platform.host_mem_slots // 2}:
            size = count * device.capacity_bytes
            usd = size * usd_per_byte(scenario, device)
            fits = least_host_bytes(scenario, platform) <= size < platform.host_mem_std_bytes
            if count and fits and count * device.read_bw_bytes_per_s >= wanted and _rank_usd(usd) < _rank_usd(kept_usd):
                found.append((_rank_usd(usd), size, device.id, (device, count)))
    return [min(found, key=lambda item: item[:3])[3]] if found else []


def drives(scenario: Scenario, platform: Platform, *, halves: bool) -> list[Filled]:
    """Drives in all bays (one device a tier) and expanders on all lanes; where wanted, also in half of them.

    None without a host link to read them over.
    """
    if platform.accelerators and not platform.host_link_id:
        return []
    found = []
    for bay, places in (("nvme", platform.nvme_bays), ("hdd", platform.hdd_bays), ("cxl", platform.cxl_lanes)):
        here = [d for d in scenario.devices if d.bay == bay]
        for tier in sorted({d.tier for d in here}):
            device = _cheapest(scenario, [d for d in here if d.tier == tier])
            count = places // max(1, device.cxl_lanes)
            found += [(device, n) for n in ([count, count // 2] if halves else [count]) if n]
    return found


def appliances(scenario: Scenario, platform: Platform) -> list[Platform]:
    """Appliances of pooled memory for whose adapters a node has the lanes."""
    if not platform.accelerators or not platform.host_link_id:
        return []
    lanes = {p.id: p.host_adapters * scenario.device(p.host_mem_id).cxl_lanes
             for p in scenario.platforms if p.most_hosts and p.host_mem_id}  # fmt: skip
    return [p for p in scenario.platforms if 0 < lanes.get(p.id, 0) <= platform.cxl_lanes]


def _modules(scenario: Scenario, platform: Platform) -> list[MemoryDevice]:
    """Modules that stand in for the standard ones: of the same tier and form; none where memory is soldered."""
    if not platform.host_mem_id or platform.host_mem_slots == 0:
        return []
    standard = scenario.device(platform.host_mem_id)
    kind = (standard.tier, standard.bay, standard.form_factor)
    return [d for d in scenario.devices if (d.tier, d.bay, d.form_factor) == kind]


def _cheapest(scenario: Scenario, devices: list[MemoryDevice]) -> MemoryDevice:
    """Device with the fewest dollars a byte, the faster one where the price is the same."""
    return min(
        devices,
        key=lambda d: (_rank_usd(usd_per_byte(scenario, d)), -d.read_bw_bytes_per_s / d.capacity_bytes, d.id),
    )
