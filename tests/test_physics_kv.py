"""Bytes of a sequence from a model's own layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from operating_points import DENSE, LATENT, shipped

from solver.parts import Model
from solver.physics.kv import full_layers, kv_heads, kv_layout, kv_shard

FAR = 1e7
"""A context beyond every window."""


def test_grouped_heads_by_hand() -> None:
    """Keys and values of 10 layers x 4 heads x 50.

    4,000 elements a token, 8 MB for 1,000 tokens in 16 bits.
    """
    assert kv_layout(DENSE).stored_bytes(1000, 2.0) == pytest.approx(8e6)


def test_latent_attention_keeps_one_vector_a_layer() -> None:
    """10 layers x (80 + 20) elements, whatever the heads; it cannot be divided over tensor-parallel ranks."""
    assert kv_layout(LATENT).stored_bytes(1000, 2.0) == pytest.approx(2e6)
    assert kv_shard(8, kv_heads(LATENT)) == 1.0


def test_a_window_fills_and_then_stays() -> None:
    """6 of 10 layers keep at most 100 tokens: 4 x 400 elements a token and 6 x 400 x min(ctx, 100)."""
    model = dataclasses.replace(DENSE, sliding_layers=6, sliding_window=100)
    layout = kv_layout(model)
    assert layout.stored_bytes(50, 1.0) == pytest.approx(10 * 400 * 50)
    assert layout.stored_bytes(1000, 1.0) == pytest.approx(4 * 400 * 1000 + 6 * 400 * 100)


def test_sparse_reading_keeps_the_index_and_recurrent_state_is_constant() -> None:
    """Reading a tenth of the keys still reads every index byte.

    The index does not shrink with the KV precision.
    """
    model = dataclasses.replace(DENSE, index_bytes_per_token_layer=128.0, state_bytes_per_seq=5e6)
    layout = kv_layout(model)
    assert layout.read_bytes(1000, 2.0, 0.1) == pytest.approx(8e5 + 10 * 128 * 1000)
    assert layout.stored_bytes(1000, 1.0) - layout.stored_bytes(0, 1.0) == pytest.approx(4e6 + 1.28e6)
    assert layout.stored_bytes(0, 1.0) == pytest.approx(5e6)


def test_shards_stop_at_the_number_of_heads() -> None:
    """4 heads over 8 ranks: each rank keeps a quarter, so the replica keeps two copies."""
    assert kv_shard(np.array([1, 2, 4, 8]), 4.0).tolist() == [1.0, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("fragment", "bytes_per_token"),
    [("opt-175b", 4.7e6), ("llama-3.1-70b", 328e3), ("deepseek-v3", 70e3), ("gpt-oss-120b", 37e3)],
)
def test_published_sizes(fragment: str, bytes_per_token: float) -> None:
    """Known bytes per token in 16 bits, within 1.5% (they are quoted in two digits)."""
    layout = kv_layout(shipped().typed(Model, fragment))
    assert layout.stored_bytes(FAR + 1, 2.0) - layout.stored_bytes(FAR, 2.0) == pytest.approx(
        bytes_per_token, rel=0.015
    )


@pytest.mark.parametrize("element_bytes", [1.0, 2.0])
def test_layers_agree_with_the_catalog(element_bytes: float) -> None:
    """KV counted from layers and heads equals the catalog's stated bytes, windows and state.

    At both precisions.
    """
    stated = [model for model in shipped().all(Model) if model.kv_bytes_per_token_bf16 is not None]
    assert len(stated) > 35
    for model in stated:
        slope = model.kv_bytes_per_token_bf16 if element_bytes == 2.0 else model.kv_bytes_per_token_fp8
        fixed = (model.kv_window_bytes_bf16 or 0.0) * element_bytes / 2.0 + model.state_bytes_per_seq
        assert slope is not None
        found = kv_layout(model).stored_bytes(FAR, element_bytes)
        assert found == pytest.approx(slope * FAR + fixed, rel=1e-9), model.id


def test_compressed_attention_counts_equivalent_layers() -> None:
    """Where tokens share entries, full layers are entries per token over entry width.

    Fewer than real layers.
    """
    compressed = [model for model in shipped().all(Model) if "CSA" in model.attention]
    assert compressed
    for model in compressed:
        assert 0.0 < full_layers(model) < float(model.n_layers or 0)
