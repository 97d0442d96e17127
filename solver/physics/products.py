"""Time of matrix products with weights: dense ones, routed experts, the LM head.

A product of a pass takes the soft maximum of reading its weights and computing its tokens, each at an
attained share of the peak. Tokens that decode and tokens that prefill reach different shares of the compute
rate (a few rows a product, or thousands), so they are counted apart and read the weights together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike, soft_maximum
from solver.physics.coefficients import TimeCoefficients
from solver.physics.rank import WIDE_BYTES, Rank
from solver.physics.transformer import Architecture, expert_coverage

_FLOPS_PER_PARAM = 2.0
"""One multiplication and one addition per parameter and token."""


@dataclass(frozen=True)
class Work:
    """Time of a piece of work on one rank, with the bytes it moves and the FLOPs it does.

    `link_s` and `port_s` are how long the activations that ranks exchange would take at the peak of the scale-up link
    and of the scale-out port.
    """

    time_s: FloatArray
    bytes: FloatArray
    flops: FloatArray
    link_s: FloatLike = 0.0
    port_s: FloatLike = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.time_s + other.time_s,
            self.bytes + other.bytes,
            self.flops + other.flops,
            np.asarray(self.link_s) + other.link_s,
            np.asarray(self.port_s) + other.port_s,
        )

    def times(self, count: FloatLike) -> Work:
        """Return the work of several such passes."""
        sent = (np.asarray(self.link_s) * count, np.asarray(self.port_s) * count)
        return Work(self.time_s * count, self.bytes * count, self.flops * count, *sent)

    def mixed_with(self, other: Work, share: FloatLike) -> Work:
        """Return the mean of passes of which `share` are the other."""
        of = np.asarray(share)
        return Work(
            (1.0 - of) * self.time_s + of * other.time_s,
            (1.0 - of) * self.bytes + of * other.bytes,
            (1.0 - of) * self.flops + of * other.flops,
            (1.0 - of) * self.link_s + of * other.link_s,
            (1.0 - of) * self.port_s + of * other.port_s,
        )


@dataclass(frozen=True)
class Tokens:
    """Tokens of one pass on each attention-data group: those that decode, and those that prefill."""

    decoding: FloatLike
    prefilling: FloatLike

    @property
    def all(self) -> FloatArray:
        """Return both together."""
        return np.asarray(np.asarray(self.decoding) + np.asarray(self.prefilling))


def dense_products(model: Architecture, rank: Rank, tokens: Tokens, k: TimeCoefficients) -> Work:
    """Return the products that every token takes, without the LM head; parts kept in 16 bits apart."""
    kept = model.unquantised * rank.keeps_wide
    narrow = _product(model.dense - kept, rank.weight_bytes, rank.weight_rate, rank, tokens, k)
    if not np.any(kept):
        return narrow
    return narrow + _product(kept, WIDE_BYTES, rank.wide_rate, rank, tokens, k)


def head_product(model: Architecture, rank: Rank, tokens: FloatLike, k: TimeCoefficients) -> Work:
    """Return the LM head in 16 bits for the tokens that a next one is chosen after."""
    return _product(model.head, WIDE_BYTES, rank.wide_rate, rank, Tokens(tokens, 0.0), k)


def expert_products(model: Architecture, rank: Rank, tokens: Tokens, k: TimeCoefficients) -> Work:
    """Return the routed experts' products on the hottest rank, tokens of all attention-data groups together.

    Experts read are ``E * (1 - (1 - k / E_eff) ** tokens)``: those that few tokens touch cost more than their
    bytes say (small grouped products, uneven ranks), which a smaller effective number E_eff stands for. Where
    ep ranks compute n routed tokens each on average, the busiest has about ``sqrt(2 ln(ep) n)`` more.
    """
    local = model.routed / (rank.tp * rank.dp)
    total = tokens.all * rank.dp
    effective = np.maximum(model.visited, model.experts * k.experts_effective_frac)
    touched = np.where(model.experts > 1.0, expert_coverage(total, effective, model.visited), 1.0)
    mean = np.maximum(total * model.visited / rank.ep, 1.0)
    skew = np.minimum(1.0 + np.sqrt(2.0 * np.log(rank.ep) / mean), rank.ep)
    per_token = _FLOPS_PER_PARAM * local * model.visited_share() * skew * rank.dp
    attained = np.asarray(tokens.decoding) / k.decode_flop_frac + np.asarray(tokens.prefilling) / k.expert_prefill_frac
    moved = local * touched * rank.weight_bytes
    time_s = soft_maximum(moved / (rank.bandwidth * k.expert_bandwidth_frac), per_token * attained / rank.weight_rate)
    return Work(time_s, moved, per_token * tokens.all)


def _product(
    parameters: FloatArray, width: FloatLike, rate: FloatArray, rank: Rank, tokens: Tokens, k: TimeCoefficients
) -> Work:
    """Return one pass over dense parameters of `width` bytes each."""
    local = parameters / rank.tp
    moved, per_token = local * width, _FLOPS_PER_PARAM * local
    attained = np.asarray(tokens.decoding) / k.decode_flop_frac + np.asarray(tokens.prefilling) / k.prefill_flop_frac
    time_s = soft_maximum(moved / (rank.bandwidth * k.dense_bandwidth_frac), per_token * attained / rate)
    return Work(time_s, moved, per_token * tokens.all)
