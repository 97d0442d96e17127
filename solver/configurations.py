"""The menu of node configurations: what memory and drives a platform is bought with.

A configuration fixes device counts, so that price, provisioned watts, bytes and bandwidth of each tier are
constants of the node and never counted twice: the quoted platform contains its standard memory fit, and a
configuration pays only for the difference.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from solver.boundaries import BoardWatts, WallWatts, capped_wall
from solver.errors import InputError, Problem, closest
from solver.parts import Accelerator, MemoryDevice, Platform
from solver.physics.cost import memory_usd_per_byte, platform_usd
from solver.physics.wear import endurance_bytes_per_s
from solver.populations import Filled, appliances, drives, host_bytes_per_s, larger_host, smaller_host, usd_per_byte
from solver.scenario import Scenario


@dataclass(frozen=True)
class TierStock:
    """One memory tier of one node.

    Attributes
    ----------
    tier : str
        Tier word of the device's catalog row, with ``pooled_`` before it on storage servers.
    device_id : str
        The device that makes the tier.
    capacity_bytes, read_bytes_per_s, write_bytes_per_s : float
        Of the whole node.
    link_bytes_per_s : float
        Path from one accelerator to the tier; for a storage server, from the whole server to the network.
    latency_s : float
        First-byte latency.
    energy_read_j_per_byte : float
        Device energy above idle.
    pooled : bool
        True where other nodes read it through the network.
    endurance_bytes_per_s : float
        Mean bytes/s that may be written without wearing the devices out before their rated life; infinite for memory.
    """

    tier: str
    device_id: str
    capacity_bytes: float
    read_bytes_per_s: float
    write_bytes_per_s: float
    link_bytes_per_s: float
    latency_s: float
    energy_read_j_per_byte: float
    pooled: bool
    endurance_bytes_per_s: float = math.inf


@dataclass(frozen=True)
class Configuration:
    """A platform with its memory population.

    Attributes
    ----------
    id : str
        ``platform/host`` or ``platform/host+drives``.
    bought : tuple of (device id, count)
        Devices a node carries beyond (or instead of) the standard fit, for the bill of materials.
    removed_bytes : float
        Standard memory that is not bought because another population takes its slots.
    provisioned_w : float
        Node at its peak with all accelerators at full power and these devices.
    host_drawn_w : float
        Average draw of everything in the node but the accelerators, without traffic.
    price_usd : float
        Node with these devices at the study's price quarter, less discounts, plus tax.
    devices_usd : float
        Of which the devices that are bought apart.
    lighter : bool
        Less than the platform as it is sold: smaller host memory and nothing else.
    attached : str
        Appliance of pooled memory that a node reaches over its own lanes, empty for none; one of `tiers` is its memory.
    lends : TierStock or None
        Of an appliance, what all nodes attached to it share; no other node reaches it.
    least_usd : float or None
        Price by which money bounds how many there can be, where that is not `price_usd`: one program then holds at
        many prices.
    """

    id: str
    platform: Platform
    accelerator: Accelerator | None
    tiers: tuple[TierStock, ...]
    bought: tuple[tuple[str, int], ...]
    removed_bytes: float
    provisioned_w: float
    host_drawn_w: float
    price_usd: float
    devices_usd: float = 0.0
    lighter: bool = False
    attached: str = ""
    lends: TierStock | None = None
    least_usd: float | None = None

    @property
    def cheapest(self) -> Configuration:
        """The same at the price by which money bounds how many there can be."""
        return self if self.least_usd is None else dataclasses.replace(self, price_usd=self.least_usd)

    @property
    def as_sold(self) -> bool:
        """True where nothing is added to the platform and nothing exchanged."""
        return not self.bought and not self.attached

    def capped(self, cap: float) -> WallWatts:
        """Provisioned power of a node whose accelerators are capped at a share of TDP."""
        peak = WallWatts(self.provisioned_w)
        if self.accelerator is None:
            return peak
        return capped_wall(peak, BoardWatts((1.0 - cap) * self.accelerator.tdp_w * self.platform.accelerators))

    def capped_w(self, cap: float) -> float:
        """Return `capped` as plain watts at the wall of the node, for rows of the model."""
        return self.capped(cap).watts

    def tier(self, name: str) -> TierStock | None:
        """Return a tier by name, None where the node lacks it."""
        return next((stock for stock in self.tiers if stock.tier == name), None)


def configurations(scenario: Scenario) -> tuple[Configuration, ...]:
    """Build the menu of every platform of a scenario; of one that is only owned, what is owned.

    Raises
    ------
    InputError
        If a fleet names a configuration that is not on the menu.
    """
    menu: list[Configuration] = []
    for platform in scenario.platforms:
        menu += [_configuration(scenario, platform, host, extra) for host, extra in _fillings(scenario, platform)]
        menu += _attached(scenario, platform)
    _check_fleet(scenario, menu)
    return tuple(c for c in menu if c.platform.id not in scenario.only_owned or c.id in scenario.fleet)


def _fillings(scenario: Scenario, platform: Platform) -> list[tuple[Filled | None, tuple[Filled, ...]]]:
    """Populations of a platform on the menu, the standard fit first: host memory, and drives or expanders beside it.

    A storage server holds drives, or host memory in all slots; on the small menu only where it would not leave bays
    for hard disks empty. The full menu fills all bays or lanes, or half of them, beside each population of host memory,
    the small one all of them beside the standard fit alone. Without tiers there is only host memory, standard and
    smaller.
    """
    build = scenario.study.build
    larger = larger_host(scenario, platform) if build.tiers else []
    extras = drives(scenario, platform, halves=build.menu == "full") if build.tiers else []
    if platform.most_hosts:
        return [(None, ())] if build.tiers else []
    if not platform.accelerators:
        of_memory = larger if build.menu == "full" or not platform.hdd_bays else []
        return [*((None, (extra,)) for extra in extras), *((host, ()) for host in of_memory)]
    hosts: list[Filled | None] = [None, *smaller_host(scenario, platform), *larger]
    alone: list[tuple[Filled | None, tuple[Filled, ...]]] = [(host, ()) for host in hosts]
    beside = hosts if build.menu == "full" else hosts[:1]
    return [*alone, *((host, (extra,)) for host in beside for extra in extras)]


def _attached(scenario: Scenario, platform: Platform) -> list[Configuration]:
    """Nodes attached to appliances for whose adapters they have lanes: standard memory, on the full menu any."""
    build = scenario.study.build
    if not build.tiers:
        return []
    hosts: list[Filled | None] = [None]
    if build.menu == "full":
        hosts += [*smaller_host(scenario, platform), *larger_host(scenario, platform)]
    return [
        _attach(scenario, _configuration(scenario, platform, host, ()), appliance)
        for appliance in appliances(scenario, platform)
        for host in hosts
    ]


def _check_fleet(scenario: Scenario, menu: list[Configuration]) -> None:
    """Raise where an owned configuration is none that the platform can have."""
    known = {c.id for c in menu}
    problems = []
    for spec in scenario.study.fleet:
        labels = [c.id.removeprefix(f"{spec.platform}/") for c in menu if c.platform.id == spec.platform]
        if f"{spec.platform}/{spec.configuration}" not in known:
            problems.append(
                Problem(scenario.study.name, f"fleet {spec.platform}", "configuration", spec.configuration,
                        "not on the platform's menu", ", ".join(labels), closest(spec.configuration, labels))
            )  # fmt: skip
    if problems:
        raise InputError(problems)


def made_to_order(
    scenario: Scenario, platform: Platform, devices: Sequence[Filled]
) -> tuple[Configuration | None, list[str]]:
    """Return a platform with the devices a user names, or what keeps them from fitting.

    Parameters
    ----------
    scenario : Scenario
    platform : Platform
    devices : sequence of (MemoryDevice, count)
        In one node. A device that takes the slots of the standard memory replaces it.

    Returns
    -------
    configuration : Configuration or None
    misfits : list of str
    """
    standard = scenario.device(platform.host_mem_id) if platform.host_mem_id else None
    host = [(d, n) for d, n in devices if standard and d.bay == standard.bay]
    extra = tuple((d, n) for d, n in devices if not (standard and d.bay == standard.bay))
    misfits = [f"{d.id} stands beside {host[0][0].id} in the slots of the host memory" for d, _ in host[1:]]
    for d, n in host[:1]:
        if n > platform.host_mem_slots or n * d.capacity_bytes > platform.host_mem_max_bytes:
            most = min(platform.host_mem_slots, int(platform.host_mem_max_bytes // d.capacity_bytes))
            misfits.append(f"{n} {d.id} do not fit: at most {most}")
    places = {"nvme": platform.nvme_bays, "hdd": platform.hdd_bays, "cxl": platform.cxl_lanes}
    for bay in sorted({d.bay for d, _ in extra}):
        taken = sum(n * max(1, d.cxl_lanes) for d, n in extra if d.bay == bay)
        if taken > places.get(bay, 0):
            word = "lanes" if bay == "cxl" else "bays"
            misfits.append(f"{taken} {bay} {word} taken, {places.get(bay, 0)} there")
    if extra and platform.accelerators and not platform.host_link_id:
        misfits.append("no host link is known over which its accelerators would read drives or expanders")
    tiers = [d.tier for d, _ in devices]
    misfits += [
        f"two kinds of device in tier {t}; one is modelled" for t in sorted({t for t in tiers if tiers.count(t) > 1})
    ]
    if platform.most_hosts:
        misfits.append("is an appliance of pooled memory, to which a build cannot say what is attached")
    if misfits:
        return None, misfits
    return _configuration(scenario, platform, host[0] if host else None, extra), []


def _configuration(
    scenario: Scenario,
    platform: Platform,
    host: Filled | None,
    extra: tuple[Filled, ...],
) -> Configuration:
    """Price, power and tiers of one platform with one population."""
    bought = [*([host] if host else []), *extra]
    price = scenario.landed_usd(base_price_usd(scenario, platform, without_memory=host is not None), platform.vendor)
    devices_usd = sum(usd_per_byte(scenario, d) * d.capacity_bytes * count for d, count in bought)
    accelerator = scenario.accelerators.get(platform.accelerator_id or "")
    base_w = platform.host_w if accelerator is None else (platform.node_peak_w or platform.node_max_w)
    left_w, left_idle_w = _standard_w(scenario, platform, host)
    added_w = sum((d.max_w or 0.0) * count for d, count in bought) - left_w
    idle_w = sum((d.idle_w or 0.0) * count for d, count in bought) - left_idle_w
    labels = [f"{count}x{device.id}" for device, count in bought]
    return Configuration(
        id=f"{platform.id}/{'+'.join(labels) if labels else 'standard'}",
        platform=platform,
        accelerator=accelerator,
        tiers=tuple(_tiers(scenario, platform, host, extra)),
        bought=tuple((device.id, count) for device, count in bought),
        removed_bytes=platform.host_mem_std_bytes if host else 0.0,
        provisioned_w=base_w + added_w,
        host_drawn_w=platform.host_w * scenario.host_draw_frac + idle_w,
        price_usd=price + devices_usd,
        devices_usd=devices_usd,
        lighter=host is not None and not extra and host[1] * host[0].capacity_bytes < platform.host_mem_std_bytes,
        lends=_lent(scenario, platform) if platform.most_hosts and scenario.study.build.tiers else None,
    )


def _lent(scenario: Scenario, appliance: Platform) -> TierStock:
    """Memory of an appliance, whole; its link is that of all adapters of one attached node."""
    device, path = scenario.device(str(appliance.host_mem_id)), scenario.links[str(appliance.host_link_id)]
    bandwidth = appliance.host_mem_bw_bytes_per_s or 0.0
    return TierStock(
        tier=device.tier,
        device_id=device.id,
        capacity_bytes=appliance.host_mem_std_bytes,
        read_bytes_per_s=bandwidth,
        write_bytes_per_s=bandwidth,
        link_bytes_per_s=appliance.host_adapters * path.bytes_per_s,
        latency_s=device.latency_s or path.latency_s,
        energy_read_j_per_byte=device.energy_read_j_per_byte or 0.0,
        pooled=False,
    )


def _attach(scenario: Scenario, config: Configuration, appliance: Platform) -> Configuration:
    """Return a node attached to an appliance, whose memory it sees through its adapters and its own host link."""
    whole, path = _lent(scenario, appliance), scenario.links[str(config.platform.host_link_id)]
    seen = dataclasses.replace(
        whole,
        read_bytes_per_s=min(whole.read_bytes_per_s, whole.link_bytes_per_s),
        write_bytes_per_s=min(whole.write_bytes_per_s, whole.link_bytes_per_s),
        link_bytes_per_s=path.bytes_per_s,
        latency_s=path.latency_s + whole.latency_s,
    )
    return dataclasses.replace(
        config, id=f"{config.id}+{appliance.id}", tiers=(*config.tiers, seen), attached=appliance.id, lighter=False
    )


def base_price_usd(scenario: Scenario, platform: Platform, *, without_memory: bool) -> float:
    """List price of a platform at the quarter; without its standard memory where other modules take the slots.

    What is only owned has no price to be paid.
    """
    if platform.id in scenario.only_owned:
        return 0.0
    if not platform.host_mem_id:
        return platform.price_central_usd or 0.0
    device, quarter = scenario.device(platform.host_mem_id), scenario.site.price_quarter
    list_usd = memory_usd_per_byte(device, quarter, scenario.prices)
    price = platform_usd(platform, quarter, scenario.prices, device)
    return price - (platform.host_mem_std_bytes * list_usd if without_memory else 0.0)


def _standard_w(scenario: Scenario, platform: Platform, host: Filled | None) -> tuple[float, float]:
    """Watts at most and idle of the standard fit, which leave with it when another population takes its slots."""
    if host is None or not platform.host_mem_id:
        return 0.0, 0.0
    device = scenario.device(platform.host_mem_id)
    fit = platform.host_mem_std_bytes / device.capacity_bytes
    return fit * (device.max_w or 0.0), fit * (device.idle_w or 0.0)


def _tiers(
    scenario: Scenario,
    platform: Platform,
    host: Filled | None,
    extra: tuple[Filled, ...],
) -> list[TierStock]:
    """Tiers of a node: host memory that serving may use (of a storage server, what was bought), and what was added."""
    stocks: list[TierStock] = []
    pooled = platform.accelerators == 0
    if not pooled and not platform.host_link_id:
        return stocks
    if platform.host_mem_id and (host or not pooled) and scenario.study.build.tiers:
        device = host[0] if host else scenario.device(platform.host_mem_id)
        capacity = host[1] * device.capacity_bytes if host else platform.host_mem_std_bytes
        bandwidth = host_bytes_per_s(platform, host)
        stocks.append(
            _stock(scenario, platform, device, capacity * scenario.host_mem_usable_frac, bandwidth, bandwidth)
        )
    for device, count in extra:
        stocks.append(
            _stock(scenario, platform, device, count * device.capacity_bytes, count * device.read_bw_bytes_per_s,
                   count * device.write_bw_bytes_per_s)
        )  # fmt: skip
    return stocks


def _stock(
    scenario: Scenario, platform: Platform, device: MemoryDevice, capacity: float, read: float, write: float
) -> TierStock:
    pooled = platform.accelerators == 0
    if pooled:
        link = platform.nic_count * platform.nic_bytes_per_s * scenario.nic_link.measured_frac
        latency = scenario.nic_link.latency_s
    else:
        path = scenario.links[str(platform.host_link_id)]
        link, latency = path.bytes_per_s, path.latency_s
    return TierStock(
        tier=f"pooled_{device.tier}" if pooled else device.tier,
        device_id=device.id,
        capacity_bytes=capacity,
        read_bytes_per_s=read,
        write_bytes_per_s=write,
        link_bytes_per_s=link,
        latency_s=latency + (device.latency_s or 0.0),
        energy_read_j_per_byte=device.energy_read_j_per_byte or 0.0,
        pooled=pooled,
        endurance_bytes_per_s=endurance_bytes_per_s(
            capacity, device.endurance_dwpd, device.write_amplification or scenario.write_amplification
        ),
    )
