"""Choices that a build can do without, each as a cut of columns and pools; nothing here knows a part's name."""

from __future__ import annotations

import math

from solver.explaining.shop import Cut
from solver.model.data import ModelData
from solver.performance import ROLES

ROLE_MIXED = ROLES[2]


def host_tiers(data: ModelData) -> frozenset[str]:
    """Tiers that nodes with accelerators have as they are sold: their host memory."""
    sold = (p.config for p in data.pools if p.config.accelerator and p.config.as_sold)
    return frozenset(stock.tier for config in sold for stock in config.tiers)


def wearing_tiers(data: ModelData) -> frozenset[str]:
    """Tiers of devices that writes wear out: flash and disks."""
    stocks = (stock for p in data.pools for stock in p.config.tiers)
    return frozenset(stock.tier for stock in stocks if math.isfinite(stock.endurance_bytes_per_s))


def without_host_memory(data: ModelData) -> Cut:
    """No KV cache in host memory: no hits from there, and no active KV that spills out of HBM."""
    tiers = host_tiers(data)
    return Cut(
        "no KV cache in host memory",
        lambda column: column.candidate.spill_bytes == 0 and column.candidate.tier not in tiers,
    )


def without_tiers_beyond(data: ModelData) -> Cut:
    """No KV cache beyond host memory: no drives, expanders, appliances or storage servers."""
    tiers = host_tiers(data)
    return Cut(
        "no KV cache beyond host memory",
        lambda column: not column.candidate.tier or column.candidate.tier in tiers,
        lambda pool: pool.config.accelerator is not None and all(stock.tier in tiers for stock in pool.config.tiers),
    )


def without_flash(data: ModelData) -> Cut:
    """No memory that writes wear out."""
    tiers = wearing_tiers(data)
    return Cut(
        "no flash or disks",
        lambda column: column.candidate.tier not in tiers,
        lambda pool: all(stock.tier not in tiers for stock in pool.config.tiers),
    )


def together(data: ModelData) -> Cut:
    """Prefill and decode on the same replicas."""
    return Cut("prefill and decode together", lambda column: column.candidate.role == ROLE_MIXED)


def uncapped(data: ModelData) -> Cut:
    """Accelerators at full power."""
    return Cut(
        "no power caps", lambda column: column.candidate.power_cap == 1.0, lambda pool: pool.cap == 1.0
    )  # fmt: skip


def undrafted(data: ModelData) -> Cut:
    """One token a decode step."""
    return Cut("no speculation", lambda column: column.candidate.draft_tokens == 0)


def within_nodes(data: ModelData) -> Cut:
    """Replicas within one node."""
    nodes = {p.config.platform.id: p.config.platform.accelerators for p in data.pools}
    return Cut(
        "replicas within a node",
        lambda column: bool(column.candidate.halves) or column.candidate.count <= nodes[column.candidate.platform_id],
    )


def air_cooled(data: ModelData) -> Cut:
    """Nodes that air cools."""
    return Cut("air-cooled only", keep_pool=lambda pool: pool.config.platform.cooling == "air")


def only_vendor(data: ModelData, vendor: str) -> Cut:
    """Accelerators of one vendor; storage servers and appliances are anybody's."""

    def keep(platform_vendor: str | None) -> bool:
        return platform_vendor is None or platform_vendor == vendor

    return Cut(
        f"only {vendor}",
        keep_pool=lambda pool: keep(pool.config.accelerator.vendor if pool.config.accelerator else None),
    )


def only_platform(data: ModelData, platform: str) -> Cut:
    """One kind of node with accelerators; storage servers may stand beside it."""
    return Cut(
        f"only {platform}",
        keep_pool=lambda pool: pool.config.accelerator is None or pool.config.platform.id == platform,
    )


def without_platforms(data: ModelData, platforms: frozenset[str]) -> Cut:
    """None of some platforms."""
    return Cut(
        f"without {', '.join(sorted(platforms))}", keep_pool=lambda pool: pool.config.platform.id not in platforms
    )


def accelerator_platforms(data: ModelData) -> list[str]:
    """Platforms with accelerators of which there are pools."""
    return sorted({p.config.platform.id for p in data.pools if p.config.accelerator})


def vendors(data: ModelData) -> list[str]:
    """Vendors of accelerators of which there are pools."""
    return sorted({p.config.accelerator.vendor for p in data.pools if p.config.accelerator})


def removes(data: ModelData, cut: Cut) -> bool:
    """True where a cut takes something out."""
    return not (all(map(cut.keep_column, data.columns)) and all(map(cut.keep_pool, data.pools)))
