"""What ranks of a replica send each other: bytes over the link, and the latency of each collective."""

from __future__ import annotations

import numpy as np

from solver.physics.arrays import BoolArray, FloatArray, FloatLike
from solver.physics.coefficients import TimeCoefficients
from solver.physics.rank import WIDE_BYTES, Rank
from solver.physics.transformer import Architecture

_PER_LAYER = 2.0
"""Exchanges a layer: after attention and after the FFN; or dispatch to the experts and combination."""


def spreads(model: Architecture, rank: Rank) -> BoolArray:
    """Return where attention-data groups dispatch tokens to experts that they share."""
    return np.asarray((rank.dp > 1.0) & (model.is_moe > 0.0))


def exchange_s(model: Architecture, rank: Rank, tokens: FloatLike, k: TimeCoefficients) -> FloatArray:
    """Return the time in which the activations of `tokens` tokens of one attention-data group cross the link.

    Tensor parallelism reduces activations twice a layer, each ``2 (tp - 1) / tp`` of them per rank. With
    attention-DP the experts' part becomes a dispatch to the ranks of k experts and a combination from them.
    """
    spread = spreads(model, rank)
    reduced = np.where(spread, 1.0, _PER_LAYER) * 2.0 * (rank.tp - 1.0) / rank.tp
    ranks = rank.tp * rank.dp
    sent = np.where(spread, _PER_LAYER * np.minimum(model.visited, ranks) * (ranks - 1.0) / ranks / rank.tp, 0.0)
    moved = WIDE_BYTES * (reduced + sent) * model.layers * model.hidden * tokens
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(moved > 0.0, moved / (rank.link * k.link_frac), 0.0)


def collectives_s(model: Architecture, rank: Rank, k: TimeCoefficients) -> FloatArray:
    """Return the latency of all collectives of one pass.

    ``2 L (c + d log2 tp)`` where tp > 1, and ``2 L (c + e log2 dp)`` more where tokens are dispatched.
    """
    reductions = np.where(rank.tp > 1.0, k.collective_s + k.collective_doubling_s * np.log2(rank.tp), 0.0)
    dispatch = k.collective_s + k.dispatch_doubling_s * np.log2(rank.dp)
    return np.asarray(_PER_LAYER * model.layers * (reductions + np.where(spreads(model, rank), dispatch, 0.0)))
