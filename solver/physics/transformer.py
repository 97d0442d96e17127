"""What a model's layers weigh and compute, per token and per pair of tokens.

Parameters split into those that every token reads (attention, shared experts, dense layers, LM head) and
routed experts. With E experts of which a token visits k,
``total - embedding - active = routed * (1 - k / E)``. A batch of t tokens touches ``E * (1 - (1 - k / E) **
t)`` experts under uniform routing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.errors import InputError, Problem
from solver.parts import Model
from solver.physics.arrays import FloatArray, FloatLike, IntArray
from solver.physics.kv import KvLayout, full_layers, kv_heads, kv_layout

_QUERY_LATENT = 3.0
"""Width of the queries' latent over that of keys and values, in published models with latent attention."""


@dataclass(frozen=True)
class Architecture:
    """Numbers of several models, one array entry a model (or a point, after `take`).

    Attributes
    ----------
    layers, hidden : array
        Depth and width.
    total : array
        All parameters.
    dense : array
        Parameters that every token reads, without the LM head.
    head : array
        Parameters of the LM head.
    routed : array
        Parameters of all routed experts.
    experts, visited : array
        Routed experts a layer, and how many of them a token visits (1 and 1 in dense models).
    is_moe : array
        1.0 for mixture-of-experts models, else 0.0.
    pair_flops_decode, pair_flops_prefill : array
        FLOPs of attention per (query, key) pair and layer, scores and values.
    full_layers, sliding_layers : array
        Layers that attend to everything and to a window.
    attention_layers, linear_layers, dense_layers, expert_layers : array
        Layers with attention over KV, with linear attention, with a dense and with an experts' FFN.
    latent : array
        1.0 for multi-head latent attention, else 0.0.
    unquantised : array
        Of the dense parameters, those that checkpoints below 8 bits keep in 16 bits.
    kv_heads : array
        Heads over which KV can be divided.
    kv : KvLayout
        What a sequence stores.
    """

    layers: FloatArray
    hidden: FloatArray
    total: FloatArray
    dense: FloatArray
    head: FloatArray
    routed: FloatArray
    experts: FloatArray
    visited: FloatArray
    is_moe: FloatArray
    pair_flops_decode: FloatArray
    pair_flops_prefill: FloatArray
    full_layers: FloatArray
    sliding_layers: FloatArray
    attention_layers: FloatArray
    linear_layers: FloatArray
    dense_layers: FloatArray
    expert_layers: FloatArray
    latent: FloatArray
    unquantised: FloatArray
    kv_heads: FloatArray
    kv: KvLayout

    def take(self, index: IntArray) -> Architecture:
        """Return the entries of the models at `index`, one a point."""
        own = {f.name: getattr(self, f.name)[index] for f in dataclasses.fields(self) if f.name != "kv"}
        kv = KvLayout(*(np.asarray(getattr(self.kv, f.name))[index] for f in dataclasses.fields(KvLayout)))
        return Architecture(**own, kv=kv)

    def visited_share(self) -> FloatArray:
        """Return k / E, the share of the routed experts that one token visits."""
        return self.visited / self.experts

    def decode_attention_flops(self, context: FloatLike, read_frac: FloatLike) -> FloatArray:
        """Return the attention FLOPs of one decoded token that reads `read_frac` of its context's keys."""
        windowed = np.minimum(context, self.kv.window)
        pairs = self.full_layers * np.asarray(context) * read_frac + self.sliding_layers * windowed
        return np.asarray(self.pair_flops_decode * pairs)

    def prefill_attention_flops(self, new: FloatLike, cached: FloatLike) -> FloatArray:
        """Return the attention FLOPs of `new` tokens behind `cached` ones.

        Full layers see ``new * cached + new ** 2 / 2`` pairs; sliding layers pair each token with at most a
        window of earlier ones.
        """
        last = np.asarray(new) + np.asarray(cached)
        full = 0.5 * (last**2 - np.asarray(cached) ** 2)
        sliding = _windowed_pairs(last, self.kv.window) - _windowed_pairs(cached, self.kv.window)
        return np.asarray(self.pair_flops_prefill * (self.full_layers * full + self.sliding_layers * sliding))


def architecture(models: Sequence[Model]) -> Architecture:
    """Return the numbers of several models as arrays in their order.

    Raises
    ------
    InputError
        If a model's row lacks its number of layers or its width, without which no time can be predicted.
    """
    gaps = [(model.id, field) for model in models for field in missing_fields(model)]
    if gaps:
        message = "needed to predict times and missing in the catalog"
        raise InputError([Problem("models", row, field, "", message, "a number") for row, field in gaps])
    rows = [_numbers(model) for model in models]
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    layouts = [kv_layout(model) for model in models]
    names = [f.name for f in dataclasses.fields(KvLayout)]
    kv = KvLayout(*(np.array([getattr(own, name) for own in layouts], dtype=np.float64) for name in names))
    return Architecture(**columns, kv=kv)


def missing_fields(model: Model) -> tuple[str, ...]:
    """Return the fields without which a model's times cannot be predicted and which its row lacks."""
    return tuple(name for name in ("n_layers", "hidden") if getattr(model, name) is None)


def expert_coverage(tokens: FloatLike, experts: FloatLike, visited: FloatLike) -> FloatArray:
    """Return the expected share of the experts that `tokens` tokens touch, ``1 - (1 - k / E) ** tokens``."""
    share = np.asarray(visited, dtype=np.float64) / experts
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(np.asarray(tokens) * np.log1p(-share)))


def _numbers(model: Model) -> dict[str, float]:
    """Return the scalar fields of `Architecture` for one model."""
    calculated = model.params_total_calc is not None and model.params_active_calc is not None
    total = model.params_total_calc if calculated else model.params_total
    active = model.params_active_calc if calculated else model.params_active
    assert total is not None
    active = total if active is None else active
    experts, visited = float(model.n_experts or 1), float(model.experts_per_token or 1)
    is_moe = experts > visited
    head = float((model.vocab or 0) * (model.hidden or 0))
    embedding = head if calculated else 0.0
    routed = max(0.0, (total - embedding - active) / (1.0 - visited / experts)) if is_moe else 0.0
    sliding = float(model.sliding_layers or 0)
    decode, prefill = _pair_flops(model)
    dense = max(0.0, active - routed * visited / experts - head)
    return {
        "layers": float(model.n_layers or 0),
        "hidden": float(model.hidden or 0),
        "total": total,
        "dense": dense,
        "head": head,
        "routed": routed,
        "experts": experts,
        "visited": visited,
        "is_moe": float(is_moe),
        "pair_flops_decode": decode,
        "pair_flops_prefill": prefill,
        "full_layers": full_layers(model),
        "sliding_layers": sliding,
        **_layer_kinds(model, is_moe),
        "unquantised": min(dense, _latent_projections(model)),
        "kv_heads": kv_heads(model),
    }


def _layer_kinds(model: Model, is_moe: bool) -> dict[str, float]:
    """Return how many layers of each kind a model has.

    A block usually holds an attention and an FFN. Where attention and recurrent layers together are fewer than
    the blocks, a block holds one of the three, and the rest are FFNs.
    """
    blocks, linear = float(model.n_layers or 0), float(model.linear_layers or 0)
    attention = blocks - linear if model.n_attention_layers is None else float(model.n_attention_layers)
    ffn = blocks if attention + linear >= blocks or not linear else blocks - attention - linear
    return {
        "attention_layers": attention,
        "linear_layers": linear,
        "dense_layers": 0.0 if is_moe else ffn,
        "expert_layers": ffn if is_moe else 0.0,
        "latent": float("MLA" in model.attention),
    }


def _latent_projections(model: Model) -> float:
    """Return the parameters of all projections of latent attention, zero for other attention.

    Queries pass a latent of their own; the catalog does not give its width, which is three times that of the
    keys and values where it is published.
    """
    if "MLA" not in model.attention:
        return 0.0
    hidden, heads, width = float(model.hidden or 0), float(model.n_heads or 0), float(model.head_dim or 0)
    latent, rope = float(model.mla_kv_lora_rank or 0), float(model.mla_rope_dim or 0)
    queries = _QUERY_LATENT * latent * (hidden + heads * (width + rope))
    keys = hidden * (latent + rope) + latent * heads * 2.0 * width
    return float(model.n_attention_layers or model.n_layers or 0) * (queries + keys + heads * width * hidden)


def _pair_flops(model: Model) -> tuple[float, float]:
    """Return FLOPs per pair and layer for (decode, prefill).

    Ordinary attention: ``4 * heads * head_dim`` (scores and values). Latent attention decodes absorbed, on
    the latent vector itself, ``2 * heads * (rank + rope + rank)``, and prefills unabsorbed,
    ``2 * heads * (head_dim + rope + head_dim)``.
    """
    heads, width = float(model.n_heads or 0), float(model.head_dim or 0)
    if "MLA" in model.attention:
        rank, rope = float(model.mla_kv_lora_rank or 0), float(model.mla_rope_dim or 0)
        return 2.0 * heads * (2.0 * rank + rope), 2.0 * heads * (2.0 * width + rope)
    flops = 4.0 * heads * width
    return flops, flops


def _windowed_pairs(last: FloatLike, window: FloatLike) -> FloatArray:
    """Return the pairs of tokens 0..last with at most `window` predecessors each."""
    end = np.asarray(last)
    return np.where(end <= window, 0.5 * end**2, window * (end - 0.5 * np.asarray(window)))
