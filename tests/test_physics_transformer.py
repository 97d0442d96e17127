"""Parameters, experts and FLOPs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from operating_points import DENSE, LATENT, MOE, shipped

from solver.errors import InputError
from solver.parts import Model
from solver.physics.transformer import architecture, expert_coverage, missing_fields


def test_the_split_of_parameters_by_hand() -> None:
    """Dense 1.0 - 0.1 (head); mixed experts 8e9 routed, 1.9 - 1.0 - 0.1 always read."""
    numbers = architecture([DENSE, MOE])
    assert numbers.dense == pytest.approx([0.9e9, 0.8e9])
    assert numbers.routed == pytest.approx([0.0, 8.0e9])
    assert numbers.head == pytest.approx([0.1e9, 0.1e9])


def test_routed_experts_agree_with_their_dimensions() -> None:
    """Three matrices of hidden x expert width in every expert and layer, where all layers have experts."""
    for name in ("mixtral-8x7b", "qwen3-235b-a22b", "gpt-oss-120b"):
        model = shipped().typed(Model, name)
        sizes = (model.n_layers, model.n_experts, model.hidden, model.moe_expert_dim)
        expected = 3.0 * float(np.prod(np.array(sizes, dtype=np.float64)))
        assert architecture([model]).routed[0] == pytest.approx(expected, rel=0.01), name


def test_every_parameter_of_a_shipped_model_is_somewhere() -> None:
    """Nothing is negative, and what a token reads is at most everything."""
    models = [model for model in shipped().all(Model) if not missing_fields(model)]
    numbers = architecture(models)
    for part in (numbers.dense, numbers.head, numbers.routed):
        assert (part >= 0.0).all()
    assert (numbers.dense + numbers.head + numbers.routed <= numbers.total * 1.001).all()


def test_coverage_starts_at_the_visited_share_and_ends_at_all() -> None:
    """One token touches k of E experts; many touch all.

    The expectation for 2 of 8 and 3 tokens is 1 - 0.75^3.
    """
    assert expert_coverage(1.0, 8.0, 2.0) == pytest.approx(0.25)
    assert expert_coverage(3.0, 8.0, 2.0) == pytest.approx(1.0 - 0.75**3)
    assert expert_coverage(1e4, 8.0, 2.0) == pytest.approx(1.0)
    assert expert_coverage(1.0, 1.0, 1.0) == 1.0


def test_attention_flops_by_hand() -> None:
    """4 x 16 heads x 50 a pair and layer.

    Latent 2 x 16 x (80 + 20 + 80) decoding, 2 x 16 x (50 + 20 + 50) not.
    """
    numbers = architecture([DENSE, LATENT])
    assert numbers.pair_flops_decode.tolist() == [3200.0, 5760.0]
    assert numbers.pair_flops_prefill.tolist() == [3200.0, 3840.0]
    assert numbers.decode_attention_flops(1000.0, 1.0)[0] == pytest.approx(3200.0 * 10 * 1000)
    pairs = 100.0 * 400.0 + 100.0**2 / 2
    assert numbers.prefill_attention_flops(100.0, 400.0)[0] == pytest.approx(3200.0 * 10 * pairs)


def test_chunks_of_a_prompt_add_up_to_the_prompt() -> None:
    """Attending in chunks to what came before computes the same pairs, with and without windows."""
    for model in (DENSE, dataclasses.replace(DENSE, sliding_layers=4, sliding_window=64)):
        numbers = architecture([model])
        whole = numbers.prefill_attention_flops(300.0, 0.0)[0]
        parts = sum(numbers.prefill_attention_flops(100.0, done)[0] for done in (0.0, 100.0, 200.0))
        assert parts == pytest.approx(whole)


def test_a_window_limits_pairs() -> None:
    """Ten layers of window 64: about 64 pairs a token once it is full."""
    numbers = architecture([dataclasses.replace(DENSE, sliding_layers=10, sliding_window=64)])
    assert numbers.decode_attention_flops(1e5, 1.0)[0] == pytest.approx(3200.0 * 10 * 64)
    assert numbers.prefill_attention_flops(1000.0, 1000.0)[0] == pytest.approx(3200.0 * 10 * 64 * 1000)


def test_a_model_without_depth_is_an_error() -> None:
    """Missing data is loud, and names all that is missing."""
    bare = dataclasses.replace(DENSE, n_layers=None, hidden=None)
    assert missing_fields(bare) == ("n_layers", "hidden")
    with pytest.raises(InputError, match="2 problems") as caught:
        architecture([DENSE, bare])
    assert {problem.field for problem in caught.value.problems} == {"n_layers", "hidden"}
