"""Roofline time of one rank: the sum over operators of ``max(bytes / bandwidth, FLOPs / rate)``.

Four operators: dense weights (attention, shared experts, dense layers), routed experts, attention over the KV
cache, and the LM head; and the bytes that ranks exchange, over the scale-up link. A rank holds ``1 / tp`` of
the dense weights (attention-DP repeats them in each of its groups) and ``1 / (tp * dp)`` of the experts.
Pipeline stages are not seen here: a token passes all of them, so a step takes as long as all layers take on
``tp * dp`` ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike
from solver.physics.kv import kv_shard
from solver.physics.transformer import Architecture, expert_coverage

_FLOPS_PER_PARAM = 2.0
"""One multiplication and one addition per parameter and token."""

_ACTIVATION_BYTES = 2.0
"""Bytes of an activation on the link: engines exchange them in 16 bits."""


@dataclass(frozen=True)
class Rank:
    """What one rank computes and reads with, and how the model is cut; one array entry a point.

    Attributes
    ----------
    bandwidth : array
        Bytes/s of its local memory.
    weight_rate, attention_rate : array
        FLOP/s of matrix products with weights, and of attention over the KV cache.
    weight_bytes : array
        Bytes per parameter.
    kv_bytes : array
        Bytes per KV element.
    link : array
        Bytes/s to the other ranks, one direction; all ``tp * dp`` ranks lie in one scale-up domain.
    tp, dp, ep : array
        Tensor, attention-data and expert parallelism.
    experts_effective : float
        Effective over real number of experts (see `_experts`).
    """

    bandwidth: FloatArray
    weight_rate: FloatArray
    attention_rate: FloatArray
    weight_bytes: FloatArray
    kv_bytes: FloatArray
    link: FloatArray
    tp: FloatArray
    dp: FloatArray
    ep: FloatArray
    experts_effective: float


@dataclass(frozen=True)
class Work:
    """Roofline time of a piece of work on one rank, with the bytes it moves and the FLOPs it does.

    `exchange_s` is the part of the time in which ranks exchange activations over the scale-up link.
    """

    time_s: FloatArray
    bytes: FloatArray
    flops: FloatArray
    exchange_s: FloatArray


def decode_work(model: Architecture, rank: Rank, batch: FloatLike, context: FloatLike, read_frac: FloatLike) -> Work:
    """Return the work of one decode step.

    Parameters
    ----------
    model : Architecture
        One entry a point.
    rank : Rank
        One entry a point.
    batch : array
        Requests in the step over all ``tp * dp`` ranks, at least 1.
    context : array
        Mean tokens each request attends to.
    read_frac : array
        Share of the context's keys read each step.
    """
    batch = np.asarray(batch)
    local = np.maximum(1.0, batch / rank.dp)
    shard = kv_shard(rank.tp, model.kv_heads)
    kv_bytes = local * shard * model.kv.read_bytes(context, rank.kv_bytes, read_frac)
    state_bytes = local * 2.0 * model.kv.state_bytes / rank.tp
    kv_flops = local * model.decode_attention_flops(context, read_frac) / rank.tp
    return _total(
        rank,
        [
            _dense(model.dense, rank, local, 1.0),
            _experts(model, rank, batch, 1.0),
            (kv_bytes + state_bytes, kv_flops, rank.attention_rate),
            _dense(model.head, rank, local, 1.0),
        ],
        _exchange_s(model, rank, local),
    )


def prefill_work(
    model: Architecture, rank: Rank, prompts: FloatLike, new: FloatLike, cached: FloatLike, passes: FloatLike
) -> Work:
    """Return the work of prefilling prompts in a number of passes, every attention-data group busy alike.

    Attention counts ``new * cached + new ** 2 / 2`` pairs; each pass reads the weights, and the KV of all
    tokens before it.

    Parameters
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    prompts : array
        Prompts packed together on each attention-data group.
    new, cached : array
        Tokens to prefill, and tokens found in the cache, per prompt.
    passes : array
        Passes (chunks) that the new tokens of all packed prompts are cut into.
    """
    prompts, new, cached = np.asarray(prompts), np.asarray(new), np.asarray(cached)
    tokens = prompts * new / passes
    per_token = model.kv.token_elements * rank.kv_bytes + model.kv.index_bytes
    steps = np.maximum(1.0, passes / prompts)
    earlier = steps * cached + new * (steps - 1.0) / 2.0
    moved = prompts * kv_shard(rank.tp, model.kv_heads) * per_token * (earlier + new)
    flops = prompts * model.prefill_attention_flops(new, cached) / rank.tp
    return _total(
        rank,
        [
            _dense(model.dense, rank, tokens, passes),
            _experts(model, rank, tokens * rank.dp, passes),
            (moved, flops, rank.attention_rate),
            _dense(model.head, rank, prompts / passes, passes),
        ],
        _exchange_s(model, rank, prompts * new),
    )


def weight_bytes(model: Architecture, rank: Rank) -> FloatArray:
    """Return the bytes of weights on each of the ``tp * dp`` ranks, experts spread over the whole replica."""
    always = (model.total - model.routed) / rank.tp
    return np.asarray((always + model.routed / (rank.tp * rank.dp)) * rank.weight_bytes)


Operator = tuple[FloatArray, FloatArray, FloatArray]
"""Bytes, FLOPs and FLOP/s of one operator on one rank."""


def _dense(parameters: FloatArray, rank: Rank, tokens: FloatLike, passes: FloatLike) -> Operator:
    local = parameters / rank.tp
    return local * rank.weight_bytes * passes, _FLOPS_PER_PARAM * local * tokens * passes, rank.weight_rate


def _experts(model: Architecture, rank: Rank, tokens: FloatLike, passes: FloatLike) -> Operator:
    """Return the routed experts' work on the hottest rank.

    Experts read are ``E * (1 - (1 - k / E_eff) ** tokens)``: those that few tokens touch cost more than their
    bytes say (small grouped products, uneven ranks), which a smaller effective number E_eff stands for. Where
    ep ranks compute n routed tokens each on average, the busiest has about ``sqrt(2 ln(ep) n)`` more.
    """
    effective = np.maximum(model.visited, model.experts * rank.experts_effective)
    touched = np.where(model.experts > 1.0, expert_coverage(tokens, effective, model.visited), 1.0)
    local = model.routed / (rank.tp * rank.dp)
    mean = np.maximum(np.asarray(tokens) * model.visited / rank.ep, 1.0)
    skew = np.minimum(1.0 + np.sqrt(2.0 * np.log(rank.ep) / mean), rank.ep)
    flops = _FLOPS_PER_PARAM * local * model.visited_share() * tokens * skew
    return local * touched * rank.weight_bytes * passes, flops * passes, rank.weight_rate


def _exchange_s(model: Architecture, rank: Rank, tokens: FloatLike) -> FloatArray:
    """Return the time in which ranks exchange the activations of `tokens` tokens of one attention-data group.

    Tensor parallelism reduces activations twice a layer, each ``2 (tp - 1) / tp`` of them per rank. With
    attention-DP the experts' part becomes a dispatch to the ranks of k experts and a combination from them.
    """
    spread = (rank.dp > 1.0) & (model.is_moe > 0.0)
    reduced = np.where(spread, 1.0, 2.0) * 2.0 * (rank.tp - 1.0) / rank.tp
    ranks = rank.tp * rank.dp
    sent = np.where(spread, 2.0 * np.minimum(model.visited, ranks) * (ranks - 1.0) / ranks / rank.tp, 0.0)
    moved = _ACTIVATION_BYTES * (reduced + sent) * model.layers * model.hidden * tokens
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(moved > 0.0, moved / rank.link, 0.0)


def _total(rank: Rank, operators: list[Operator], exchange_s: FloatArray) -> Work:
    times = [np.maximum(moved / rank.bandwidth, flops / rate) for moved, flops, rate in operators]
    moved = sum((operator[0] for operator in operators), start=np.zeros(1))
    flops = sum((operator[1] for operator in operators), start=np.zeros(1))
    return Work(sum(times, start=exchange_s), moved, flops, exchange_s)
