"""What ranks of a replica send each other: bytes over links and ports, and the latency of each collective.

Ranks of one scale-up domain exchange over its links. A replica with more ranks than a domain holds spans several, of
equal parts, and what crosses between them goes through the scale-out port that each accelerator has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import BoolArray, FloatArray, FloatLike
from solver.physics.coefficients import TimeCoefficients
from solver.physics.rank import WIDE_BYTES, Rank
from solver.physics.transformer import Architecture

_PER_LAYER = 2.0
"""Exchanges a layer: after attention and after the FFN; or dispatch to the experts and combination."""

_NARROW_BYTES = 1.0
"""Bytes of an activation that is dispatched to experts with weights below 16 bits: it is quantised first."""


@dataclass(frozen=True)
class Exchange:
    """Seconds in which activations cross the links inside domains, and the ports between them."""

    links_s: FloatArray
    ports_s: FloatArray


def spreads(model: Architecture, rank: Rank) -> BoolArray:
    """Return where attention-data groups dispatch tokens to experts that they share."""
    return np.asarray((rank.dp > 1.0) & (model.is_moe > 0.0))


def exchange_s(model: Architecture, rank: Rank, tokens: FloatLike, k: TimeCoefficients, *, forwarded: bool) -> Exchange:
    """Return the time in which the activations of `tokens` tokens of one attention-data group cross links and ports.

    Tensor parallelism reduces activations twice a layer, each ``2 (n - 1) / n`` of them per rank over the links,
    ``n`` ranks in each of m domains. With attention-DP the experts' part becomes a dispatch to the ranks of k experts
    and a combination from them.

    Parameters
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    tokens : array
        Tokens of each attention-data group.
    k : TimeCoefficients
        Attained shares of peaks.
    forwarded : bool
        Whether a token that many experts of a domain want crosses to it once and is forwarded inside, as prefill
        passes do; else each expert's copy is sent on its own, as decode steps do.
    """
    spread, ranks = spreads(model, rank), rank.tp * rank.dp
    across, inside = rank.tp_domains, rank.tp / rank.tp_domains
    reduced = np.where(spread, 1.0, _PER_LAYER) * 2.0 * (inside - 1.0) / inside
    near = ranks if forwarded else ranks / rank.domains
    copies = np.minimum(model.visited, ranks)
    sent = np.where(spread, _PER_LAYER * copies * (near - 1.0) / ranks / rank.tp, 0.0)
    values = model.layers * model.hidden * tokens
    links_s = _over(WIDE_BYTES * (reduced + sent) * values, rank.link * k.link_frac)
    if not np.any(rank.domains > 1.0):
        return Exchange(links_s, np.zeros_like(links_s))
    summed = np.where(spread, 1.0, _PER_LAYER) * 2.0 * (across - 1.0) / rank.tp
    ways = _NARROW_BYTES * rank.quantised + WIDE_BYTES * (1.0 - rank.quantised) + WIDE_BYTES
    leaving = np.where(spread, ways * _copies_beyond(model, rank, forwarded=forwarded) / rank.tp, 0.0)
    return Exchange(links_s, _over((WIDE_BYTES * summed + leaving) * values, rank.port * k.port_frac))


def _copies_beyond(model: Architecture, rank: Rank, *, forwarded: bool) -> FloatArray:
    """Return how often a dispatched token leaves its domain.

    Of k experts, spread evenly over m domains, ``k (1 - 1 / m)`` lie beyond, in ``(m - 1) (1 - (1 - 1 / m) ** k)``
    other domains.
    """
    away = 1.0 - 1.0 / rank.domains
    if forwarded:
        return np.asarray((rank.domains - 1.0) * (1.0 - away**model.visited))
    return np.asarray(np.minimum(model.visited, rank.tp * rank.dp) * away)


def _over(moved: FloatArray, speed: FloatArray) -> FloatArray:
    """Return the time of bytes at a speed; none where nothing moves, endless where nothing carries them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(moved > 0.0, moved / speed, 0.0)


def collectives_s(model: Architecture, rank: Rank, k: TimeCoefficients) -> FloatArray:
    """Return the latency of all collectives of one pass inside domains.

    ``2 L (c + d log2 n)`` over the n ranks of a tensor group in a domain where a group has several, and
    ``2 L (c + e log2 dp)`` more where tokens are dispatched.
    """
    inside = rank.tp / rank.tp_domains
    reductions = np.where(rank.tp > 1.0, k.collective_s + k.collective_doubling_s * np.log2(inside), 0.0)
    dispatch = k.collective_s + k.dispatch_doubling_s * np.log2(rank.dp)
    return np.asarray(_PER_LAYER * model.layers * (reductions + np.where(spreads(model, rank), dispatch, 0.0)))


def crossings_s(model: Architecture, rank: Rank, k: TimeCoefficients) -> FloatArray:
    """Return what all collectives of one pass take longer because they cross domains, beyond their bytes.

    ``2 L r log2 m`` where a tensor group spans m domains, and ``2 L p`` where a dispatch, which sends to all of them at
    once, does. A reduction waits for each step of its exchange, so r is much longer than the latency p of a port.
    """
    summed = k.port_reduction_s * np.log2(rank.tp_domains)
    dispatched = np.where(spreads(model, rank) & (rank.domains > 1.0), k.port_latency_s, 0.0)
    return np.asarray(_PER_LAYER * model.layers * (summed + dispatched))
