"""Time of attention over the KV cache, decoding and prefilling; recurrent state is read and written."""

from __future__ import annotations

import numpy as np

from solver.physics.arrays import FloatLike, soft_maximum
from solver.physics.coefficients import TimeCoefficients
from solver.physics.kv import kv_shard
from solver.physics.products import Work
from solver.physics.rank import Rank
from solver.physics.transformer import Architecture


def decode_attention(
    model: Architecture, rank: Rank, requests: FloatLike, context: FloatLike, read_frac: FloatLike, k: TimeCoefficients,
    rows: FloatLike = 1.0,
) -> Work:  # fmt: skip
    """Return the attention of one decode step for `requests` requests of one attention-data group.

    Each computes `rows` tokens, for which its KV is read once. Scores and values are computed in 16 bits whatever the
    format of the KV, which is what engines do by default.
    """
    requests = np.asarray(requests)
    moved = requests * kv_shard(rank.tp, model.kv_heads) * model.kv.read_bytes(context, rank.kv_bytes, read_frac)
    moved = moved + requests * 2.0 * model.kv.state_bytes / rank.tp
    flops = rows * requests * model.decode_attention_flops(context, read_frac) / rank.tp
    read_s = moved / (rank.bandwidth * k.kv_bandwidth_frac)
    return Work(soft_maximum(read_s, flops / (rank.wide_rate * k.decode_attention_frac)), moved, flops)


def prefill_attention(
    model: Architecture, rank: Rank, new: FloatLike, cached: FloatLike, passes: FloatLike, k: TimeCoefficients
) -> Work:
    """Return the attention of one prompt: ``new * cached + new ** 2 / 2`` pairs, earlier KV read in each pass.

    Parameters
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    new, cached : array
        Tokens to prefill, and tokens found in the cache.
    passes : array
        Passes (chunks) that the new tokens are cut into, at least 1.
    k : TimeCoefficients
        Attained shares.
    """
    new, cached, passes = np.asarray(new), np.asarray(cached), np.asarray(passes)
    per_token = model.kv.token_elements * rank.kv_bytes + model.kv.index_bytes
    earlier = passes * cached + new * (passes - 1.0) / 2.0
    moved = kv_shard(rank.tp, model.kv_heads) * per_token * (earlier + new)
    flops = model.prefill_attention_flops(new, cached) / rank.tp
    read_s = moved / (rank.bandwidth * k.kv_bandwidth_frac)
    return Work(soft_maximum(read_s, flops / (rank.wide_rate * k.prefill_attention_frac)), moved, flops)
