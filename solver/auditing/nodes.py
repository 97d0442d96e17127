"""Nodes of each pool, from their rows: tiers, watts and dollars."""

from __future__ import annotations

import math
from dataclasses import dataclass

from solver.auditing.checks import Checks
from solver.auditing.rows import Facts
from solver.design import Record
from solver.parts import Accelerator, Cooling, Link, MemoryDevice, Platform, Rack
from solver.physics.wear import endurance_bytes_per_s

Devices = tuple[tuple[MemoryDevice, int], ...]
"""What is bought for each node, with counts."""
_POOLED = "pooled_"
_EXTRA_BAYS = ("nvme", "hdd", "cxl")


@dataclass(frozen=True)
class Tier:
    """A memory tier of one node: bytes, bytes/s, wear, path of one accelerator (of the server, where pooled)."""

    device_id: str
    capacity_bytes: float
    read_bytes_per_s: float
    write_bytes_per_s: float
    endurance_bytes_per_s: float
    link_bytes_per_s: float
    latency_s: float
    pooled: bool


@dataclass(frozen=True)
class Standing:
    """Nodes of a pool in one kind of rack."""

    rack: Rack
    cooling: Cooling
    nodes: int
    racks: int
    own: bool


@dataclass(frozen=True)
class Node:
    """One node of a pool, and how many there are.

    Attributes
    ----------
    peak_w, capped_w : float
        Provisioned at full power and at the pool's cap.
    host_drawn_w, standing_w : float
        Mean draw without the accelerators, and with them idle.
    base_usd, base_w, base_drawn_w : float
        The platform as it is billed: without the devices that are bought apart.
    swapped : bool
        Standard memory left out for another population.
    attached : Platform or None
        Appliance of pooled memory that each node reaches over its own lanes.
    """

    pool_id: str
    configuration: str
    platform: Platform
    accelerator: Accelerator | None
    cap: float
    quantity: int
    devices: Devices
    tiers: dict[str, Tier]
    stands: tuple[Standing, ...]
    peak_w: float
    capped_w: float
    host_drawn_w: float
    standing_w: float
    base_usd: float
    base_w: float
    base_drawn_w: float
    swapped: bool
    attached: Platform | None = None

    @property
    def family(self) -> tuple[str, float]:
        """Platform and cap: replicas that need no memory of their own node may lie on any of these."""
        return (self.platform.id, self.cap)

    @property
    def it_w(self) -> float:
        """Provisioned IT watts."""
        return self.capped_w

    @property
    def pue_mean(self) -> float:
        """Highest mean PUE among the racks in which the pool stands."""
        return max((s.cooling.pue_central for s in self.stands), default=1.0)

    @property
    def bill_id(self) -> str:
        """Line of the bill that orders the platform."""
        return self.platform.id + (" without memory" if self.swapped else "")


def read_nodes(facts: Facts, checks: Checks) -> dict[str, Node]:
    """Return the nodes of every pool, and check that what is in them fits their slots."""
    nodes: dict[str, Node] = {}
    for pool in facts.design.pools:
        pool_id = str(pool["pool_id"])
        checks.true(f"pool {pool_id}: stands twice in the design", pool_id not in nodes)
        node = _node(facts, pool)
        nodes[pool_id] = node
        whole = isinstance(pool["quantity"], int) and pool["quantity"] >= 0
        checks.true(f"pool {pool_id}: quantity {pool['quantity']} is not a whole number of nodes", whole)
        offered = node.cap in facts.study.build.power_caps or node.accelerator is None
        checks.true(f"pool {pool_id}: cap {node.cap:g} is not one the study offers", offered)
        _check_slots(node, _least_host_bytes(facts, node), _adapter_lanes(facts, node), checks)
        label = "+".join(f"{n}x{d.id}" for d, n in node.devices) or "standard"
        label += f"+{node.attached.id}" if node.attached else ""
        named = pool["configuration"] == f"{node.platform.id}/{label}"
        checks.true(f"pool {pool_id}: holds other devices than configuration {pool['configuration']}", named)
    return nodes


def node_of(facts: Facts, configuration: str) -> Node:
    """Return a node of a configuration that stands in no pool: a spare, read from its name."""
    platform, _, label = configuration.partition("/")
    parts = [part.partition("x") for part in label.split("+") if part != "standard"]
    devices = [{"device": device, "count": int(count)} for count, _, device in parts if count.isdigit()]
    attached = next(("".join(part) for part in parts if not part[0].isdigit()), "")
    return _node(facts, {"pool_id": "", "configuration": configuration, "platform": platform, "devices": devices,
                         "attached": attached, "cap": 1.0, "quantity": 0, "racks": []})  # fmt: skip


def _node(facts: Facts, pool: Record) -> Node:
    """Read one pool's node."""
    platform = facts.part(Platform, pool["platform"])
    accelerator = facts.part(Accelerator, platform.accelerator_id) if platform.accelerator_id else None
    devices = tuple((facts.part(MemoryDevice, item["device"]), item["count"]) for item in pool["devices"])
    standard = facts.part(MemoryDevice, platform.host_mem_id) if platform.host_mem_id else None
    swapped = standard is not None and any(device.bay == standard.bay for device, _ in devices)
    left_w = left_idle_w = left_usd = moved_usd = 0.0
    if standard is not None:
        fit = platform.host_mem_std_bytes / standard.capacity_bytes
        left_w = fit * (standard.max_w or 0.0) if swapped else 0.0
        left_idle_w = fit * (standard.idle_w or 0.0) if swapped else 0.0
        left_usd = fit * facts.device_usd(standard) if swapped else 0.0
        if fit and platform.price_quarter != facts.study.site.price_quarter:
            moved_usd = fit * (facts.device_usd(standard) - facts.device_usd(standard, platform.price_quarter))
    base_w = platform.host_w if accelerator is None else (platform.node_peak_w or platform.node_max_w)
    peak_w = base_w - left_w + sum((d.max_w or 0.0) * n for d, n in devices)
    appliance = facts.part(Platform, pool["attached"]) if pool.get("attached") else None
    tiers = _tiers(facts, platform, standard, devices, swapped)
    cap = float(pool["cap"])
    count = platform.accelerators
    host_w = platform.host_w * facts.setting("build.host_draw_frac", facts.study.build.host_draw_frac)
    base_drawn_w = host_w - left_idle_w
    drawn_w = base_drawn_w + sum((d.idle_w or 0.0) * n for d, n in devices)
    return Node(
        pool_id=pool["pool_id"],
        configuration=str(pool["configuration"]),
        platform=platform,
        accelerator=accelerator,
        cap=cap,
        quantity=pool["quantity"],
        devices=devices,
        tiers=tiers | (reached(facts, platform, appliance) if appliance else {}),
        stands=tuple(_standing(facts, item) for item in pool["racks"]),
        peak_w=peak_w,
        capped_w=peak_w - ((1.0 - cap) * accelerator.tdp_w * count if accelerator else 0.0),
        host_drawn_w=drawn_w,
        standing_w=drawn_w + (accelerator.idle_w * count if accelerator else 0.0),
        base_usd=(platform.price_central_usd or 0.0) + moved_usd - left_usd,
        base_w=base_w - left_w,
        base_drawn_w=base_drawn_w,
        swapped=swapped,
        attached=appliance,
    )


def _standing(facts: Facts, item: Record) -> Standing:
    rack = facts.part(Rack, item["rack"])
    return Standing(rack, facts.part(Cooling, rack.cooling), item["nodes"], item["racks"], bool(item["own"]))


def _tiers(
    facts: Facts, platform: Platform, standard: MemoryDevice | None, devices: Devices, swapped: bool
) -> dict[str, Tier]:
    """Memory of a node that serving may use: its host memory, and what was bought for its bays."""
    build, pooled = facts.study.build, platform.accelerators == 0
    if pooled:
        link = platform.nic_count * platform.nic_bytes_per_s * facts.nic_link.measured_frac
        latency = facts.nic_link.latency_s
    elif platform.host_link_id:
        path = facts.part(Link, platform.host_link_id)
        link, latency = path.peak_bytes_per_s * path.measured_frac, path.latency_s
    else:
        link, latency = 0.0, 0.0
    found: dict[str, Tier] = {}
    for device, n in devices:
        if swapped and standard is not None and device.bay == standard.bay:
            continue
        name = (_POOLED if pooled else "") + device.tier
        size, speed = n * device.capacity_bytes, n * device.read_bw_bytes_per_s
        more = device.write_amplification or facts.setting("build.write_amplification", build.write_amplification)
        wear = endurance_bytes_per_s(size, device.endurance_dwpd, more)
        latency_s = latency + (device.latency_s or 0.0)
        found[name] = Tier(device.id, size, speed, n * device.write_bw_bytes_per_s, wear, link, latency_s, pooled)
    if standard is not None and (swapped or not pooled) and build.tiers:
        here, n = next(((d, n) for d, n in devices if d.bay == standard.bay), (standard, 0))
        size = n * here.capacity_bytes if swapped else platform.host_mem_std_bytes
        size *= facts.setting("build.host_mem_usable_frac", build.host_mem_usable_frac)
        speed = platform.host_mem_bw_bytes_per_s or 0.0
        speed = min(speed, n * here.read_bw_bytes_per_s) if swapped else speed
        latency_s = latency + (here.latency_s or 0.0)
        name = (_POOLED if pooled else "") + here.tier
        found[name] = Tier(here.id, size, speed, speed, math.inf, link, latency_s, pooled)
    return found


def reached(facts: Facts, platform: Platform, appliance: Platform) -> dict[str, Tier]:
    """Memory of an appliance as one attached node sees it: over its adapters, then over an accelerator's host link."""
    device, cable = facts.part(MemoryDevice, str(appliance.host_mem_id)), facts.part(Link, str(appliance.host_link_id))
    path = facts.part(Link, str(platform.host_link_id))
    adapters = appliance.host_adapters * cable.peak_bytes_per_s * cable.measured_frac
    speed = min(adapters, appliance.host_mem_bw_bytes_per_s or 0.0)
    latency_s = path.latency_s + (device.latency_s or cable.latency_s)
    link = path.peak_bytes_per_s * path.measured_frac
    size = appliance.host_mem_std_bytes
    return {device.tier: Tier(device.id, size, speed, speed, math.inf, link, latency_s, False)}


def _least_host_bytes(facts: Facts, node: Node) -> float:
    """Host memory without which a node cannot load weights: a share of its accelerators' local memory."""
    share = facts.setting("build.host_mem_min_frac", facts.study.build.host_mem_min_frac)
    return float(share * node.platform.accelerators * node.accelerator.mem_bytes) if node.accelerator else 0.0


def _adapter_lanes(facts: Facts, node: Node) -> int:
    """Lanes that the adapters of an attached node take."""
    if node.attached is None:
        return 0
    return int(node.attached.host_adapters * facts.part(MemoryDevice, str(node.attached.host_mem_id)).cxl_lanes)


def _check_slots(node: Node, least_host_bytes: float, adapter_lanes: int, checks: Checks) -> None:
    """Check that the devices of a node and its adapters find bays, lanes and slots."""
    platform, what = node.platform, f"pool {node.pool_id}"
    places = {"nvme": platform.nvme_bays, "hdd": platform.hdd_bays, "cxl": platform.cxl_lanes}
    for bay in _EXTRA_BAYS:
        taken = sum(n * max(1, d.cxl_lanes) for d, n in node.devices if d.bay == bay)
        taken += adapter_lanes if bay == "cxl" else 0
        checks.at_most(f"{what}: {bay} devices in a node's bays or lanes", taken, places[bay])
    host = [(d, n) for d, n in node.devices if d.bay not in _EXTRA_BAYS]
    checks.true(f"{what}: holds devices for which {platform.id} has no slots", node.swapped or not host)
    checks.true(f"{what}: mixes kinds of host memory", len(host) <= 1)
    for device, n in host:
        least = min(platform.host_mem_std_bytes, least_host_bytes)
        checks.at_least(f"{what}: host memory to load weights and run", n * device.capacity_bytes, least, "B")
        checks.at_most(f"{what}: host memory modules in a node's slots", n, platform.host_mem_slots)
        checks.at_most(f"{what}: host memory of a node", n * device.capacity_bytes, platform.host_mem_max_bytes, "B")
    for device, n in node.devices:
        whole = isinstance(n, int) and n > 0
        checks.true(f"{what}: {n} of {device.id} is not a whole number of devices", whole)
