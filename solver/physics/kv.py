"""Bytes that one sequence keeps: keys and values, windows, indexes and recurrent state.

Counted from a model's own layers:
``KV(ctx) = token_bytes * ctx + window_bytes * min(1, ctx / window) + state``. Full-attention layers keep
every token, sliding layers only the last `window`, linear layers a constant state. Multi-head latent
attention keeps one latent vector and a rotary key a layer instead of heads; sparse attention adds an index
key that is stored in its own format whatever the precision of the KV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.parts import Model
from solver.physics.arrays import FloatArray, FloatLike

_BF16_BYTES = 2.0
_COMPRESSED = ("CSA", "HCA")
"""Attention that stores several tokens in one entry; its size is stated by the catalog, not by its layers."""


@dataclass(frozen=True)
class KvLayout:
    """What a sequence stores, in elements where the KV precision decides their bytes.

    Attributes
    ----------
    token_elements : float or array
        Elements per token of context in the layers that keep every token.
    index_bytes : float or array
        Bytes per token of context of a sparse-attention index, whatever the KV precision.
    window_elements : float or array
        Elements of all full windows.
    window : float or array
        Tokens in a window; 1 where there is none.
    state_bytes : float or array
        Bytes of recurrent state, whatever the context.
    """

    token_elements: FloatLike
    index_bytes: FloatLike
    window_elements: FloatLike
    window: FloatLike
    state_bytes: FloatLike

    def window_fill(self, context: FloatLike) -> FloatArray:
        """Return the share of the windows in use at a context."""
        return np.minimum(1.0, np.asarray(context) / self.window)

    def stored_bytes(self, context: FloatLike, element_bytes: FloatLike) -> FloatArray:
        """Return the bytes that one copy of a sequence of `context` tokens keeps."""
        per_token = np.asarray(self.token_elements) * element_bytes + self.index_bytes
        windows = np.asarray(self.window_elements) * element_bytes * self.window_fill(context)
        return np.asarray(per_token * context + windows + self.state_bytes)

    def private_bytes(self, context: FloatLike, shared: FloatLike, element_bytes: FloatLike) -> FloatArray:
        """Return the bytes of a sequence whose first `shared` tokens lie in a copy that all sequences read.

        Blocks of the layers that keep every token are shared; windows and recurrent state are the sequence's own.
        """
        per_token = np.asarray(self.token_elements) * element_bytes + self.index_bytes
        return np.asarray(self.stored_bytes(context, element_bytes) - per_token * shared)

    def copy_bytes(self, shared: FloatLike, element_bytes: FloatLike) -> FloatArray:
        """Return the bytes of that copy, with windows and state to go on from; 0 where nothing is shared."""
        return np.where(np.asarray(shared) > 0.0, self.stored_bytes(shared, element_bytes), 0.0)

    def read_bytes(self, context: FloatLike, element_bytes: FloatLike, read_frac: FloatLike) -> FloatArray:
        """Return the bytes of keys, values and index that one decoded token reads, without recurrent state.

        Sparse reading fetches only `read_frac` of the context's keys, but all of its index and windows.
        """
        per_token = np.asarray(self.token_elements) * element_bytes * read_frac + self.index_bytes
        return np.asarray(per_token * context + self.window_elements * element_bytes * self.window_fill(context))


def kv_layout(model: Model) -> KvLayout:
    """Return what a sequence of a model stores, from the model's own layers.

    Attention that compresses several tokens into one entry cannot be counted from layers and heads; there the
    catalog's bytes per token at two precisions give the elements (their difference) and the index (the rest).
    """
    layers = model.n_attention_layers or 0
    sliding = model.sliding_layers or 0
    window = float(model.sliding_window or 1)
    state = float(model.state_bytes_per_seq or 0.0)
    if _compressed(model):
        bf16, fp8 = model.kv_bytes_per_token_bf16 or 0.0, model.kv_bytes_per_token_fp8 or 0.0
        windows = (model.kv_window_bytes_bf16 or 0.0) / _BF16_BYTES
        return KvLayout(bf16 - fp8, 2.0 * fp8 - bf16, windows, window, state)
    if "MLA" in model.attention:
        per_layer = float((model.mla_kv_lora_rank or 0) + (model.mla_rope_dim or 0))
    else:
        per_layer = 2.0 * (model.n_kv_heads or 0) * (model.head_dim or 0)
    index = layers * float(model.index_bytes_per_token_layer or 0.0)
    return KvLayout((layers - sliding) * per_layer, index, sliding * per_layer * window, window, state)


def full_layers(model: Model) -> float:
    """Return the layers that attend to the whole context.

    Where tokens are compressed into shared entries this is the equivalent number, entries per token over
    layers.
    """
    if _compressed(model):
        return float(kv_layout(model).token_elements) / float(model.head_dim or 1)
    return float((model.n_attention_layers or 0) - (model.sliding_layers or 0))


def kv_heads(model: Model) -> float:
    """Return the heads over which KV can be divided; one for latent and for shared-KV attention."""
    return 1.0 if "MLA" in model.attention else float(model.n_kv_heads or 1)


def kv_shard(tp: FloatLike, heads: FloatLike) -> FloatArray:
    """Return the share of a sequence's KV that each tensor-parallel rank keeps, ``max(1 / tp, 1 / heads)``.

    Ranks beyond the number of KV heads keep copies: with one head (latent attention) everything is
    replicated.
    """
    return np.maximum(1.0 / np.asarray(tp), 1.0 / np.asarray(heads))


def _compressed(model: Model) -> bool:
    return any(word in model.attention for word in _COMPRESSED)
