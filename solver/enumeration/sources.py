"""Where hits are loaded from: the tiers of a menu, and how fast the nodes of each platform read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from solver.configurations import Configuration, TierStock


@dataclass(frozen=True)
class Source:
    """One tier of nodes that are equally fast, or of storage servers.

    Attributes
    ----------
    tier : str
    pooled : bool
        True where it is read through the network.
    latency_s : float
        Of a pooled tier.
    stocks : mapping
        Platform id to the tier of one of its nodes; empty where pooled.
    configurations : mapping
        Platform id to its configurations with this tier.
    """

    tier: str
    pooled: bool
    latency_s: float
    stocks: Mapping[str, TierStock]
    configurations: Mapping[str, tuple[str, ...]]


def sources(configs: Sequence[Configuration]) -> Iterator[Source]:
    """Return every tier of a menu; one of a node's own as often as a platform has it with different speeds.

    The first source of a tier holds each platform's fastest nodes, the second the next, and so on.
    """
    for tier in sorted({stock.tier for config in configs for stock in config.tiers}):
        having = [(config, stock) for config in configs if (stock := config.tier(tier))]
        if having[0][1].pooled:
            yield Source(tier, True, min(stock.latency_s for _, stock in having), {}, {})
            continue
        ranked = {p: _by_speed(having, p) for p in dict.fromkeys(config.platform.id for config, _ in having)}
        for rank in range(max(len(groups) for groups in ranked.values())):
            here = {p: groups[rank] for p, groups in ranked.items() if rank < len(groups)}
            yield Source(tier, False, 0.0, {p: stock for p, (stock, _) in here.items()},
                         {p: ids for p, (_, ids) in here.items()})  # fmt: skip


def _by_speed(
    having: Sequence[tuple[Configuration, TierStock]], platform_id: str
) -> list[tuple[TierStock, tuple[str, ...]]]:
    """Group a platform's configurations by how fast a replica reads the tier there, the fastest first."""
    groups: dict[tuple[float, float, float], tuple[TierStock, tuple[str, ...]]] = {}
    for config, stock in having:
        if config.platform.id == platform_id:
            speed = (-stock.read_bytes_per_s, -stock.link_bytes_per_s, stock.latency_s)
            groups[speed] = (stock, (*groups.get(speed, (stock, ()))[1], config.id))
    return [groups[speed] for speed in sorted(groups)]
