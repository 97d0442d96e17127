"""Steps and prefills whose bytes, FLOPs and times can be counted by hand, one layer kind at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from operating_points import DENSE, LATENT, MOE, PART, PLAIN, points, shipped

from solver.evaluation import Clock, clock, layout
from solver.parts import Model
from solver.performance import ROLE_DECODE, ROLE_PREFILL
from solver.physics.arrays import soft_maximum
from solver.physics.kv import kv_layout

FAST_LINK = dataclasses.replace(PART, scaleup_bytes_per_s=1e30)


def work(*models: Model, share: float = 1.0, **columns: Any) -> Clock:
    """Return the work of points with all of every peak, decoding unless told otherwise."""
    grid = points(*models, **{"role": ROLE_DECODE, **columns})
    return clock(layout(grid), dataclasses.replace(PLAIN, experts_effective_frac=share))


def test_the_soft_maximum_is_a_hypotenuse() -> None:
    """3 and 4 give 5: more than the larger, less than the sum; a zero changes nothing."""
    assert soft_maximum(3.0, 4.0) == pytest.approx(5.0)
    assert soft_maximum(0.0, 4.0) == pytest.approx(4.0)


def test_a_small_batch_reads_weights_and_kv() -> None:
    """2 GB of weights (embedding aside) and 8 MB of KV at 2 TB/s: 1.004 ms, far above the FLOPs' 2 us."""
    found = work(batch=1).steps.pure
    assert found.time_s[0] == pytest.approx((2e9 + 8e6) / 2e12, rel=1e-4)
    assert found.bytes[0] == pytest.approx(2e9 + 8e6)
    assert found.flops[0] == pytest.approx(2e9 + 3200 * 10 * 1000)


def test_a_large_batch_is_bound_operator_by_operator() -> None:
    """At 2,000 requests products take their FLOPs' time (2 us each) while attention reads 16 GB of KV.

    Dense layers: 1.8 GB at 2 TB/s and 3.6 TFLOP at 1 PFLOP/s; head: 0.2 GB and 0.4 TFLOP; attention: 16 GB and
    64 GFLOP. A single maximum over the sums would give 9 ms, less than the sum of the three.
    """
    dense = np.hypot(1.8e9 / 2e12, 2000 * 1.8e9 / 1e15)
    head = np.hypot(0.2e9 / 2e12, 2000 * 0.2e9 / 1e15)
    attention = np.hypot(2000 * 8e6 / 2e12, 2000 * 3200 * 10 * 1000 / 1e15)
    assert work(batch=2000).steps.pure.time_s[0] == pytest.approx(dense + head + attention)


def test_attained_shares_stretch_each_operator() -> None:
    """Half the bandwidth for weights, a quarter for KV: twice 1 ms, and four times 4 us."""
    k = dataclasses.replace(PLAIN, dense_bandwidth_frac=0.5, kv_bandwidth_frac=0.25)
    found = clock(layout(points(batch=1, role=ROLE_DECODE)), k).steps.pure.time_s[0]
    assert found == pytest.approx(2e9 / 1e12 + 8e6 / 0.5e12, rel=1e-4)


def test_ranks_share_weights_and_heads_but_not_a_latent() -> None:
    """Tp 8: an eighth of the weights; 4 KV heads over 8 ranks leave a quarter each; a latent stays whole."""
    found = work(DENSE, LATENT, accelerators=(FAST_LINK,), model=[0, 1], tp=8, batch=100).steps.pure.bytes
    assert found[0] == pytest.approx(2e9 / 8 + 100 * 8e6 / 4)
    assert found[1] == pytest.approx(2e9 / 8 + 100 * 2e6)


def test_a_latent_decodes_absorbed_and_prefills_unabsorbed() -> None:
    """16 heads: 2 x 16 x (80 + 20 + 80) FLOPs a pair decoding, 2 x 16 x (50 + 20 + 50) prefilling."""
    found = work(LATENT, batch=1)
    assert found.steps.pure.flops[0] - 2e9 == pytest.approx(10 * 1000 * 2 * 16 * 180)
    prefill = work(LATENT, role=ROLE_PREFILL).prefill
    assert prefill.flops[0] - 1.8e12 - 0.2e9 == pytest.approx(10 * 0.5e6 * 2 * 16 * 120)


def test_sliding_layers_read_a_window_and_linear_layers_a_state() -> None:
    """5 of 10 layers see 100 of 1,000 tokens: 4 MB + 0.4 MB of KV; a state of 1 MB is read and written."""
    sliding = dataclasses.replace(DENSE, id="sliding", sliding_layers=5, sliding_window=100)
    recurrent = dataclasses.replace(
        DENSE, id="recurrent", n_attention_layers=2, linear_layers=8, state_bytes_per_seq=1e6
    )
    found = work(sliding, recurrent, model=[0, 1], batch=1).steps.pure.bytes
    assert found[0] == pytest.approx(2e9 + 4e6 + 0.4e6)
    assert found[1] == pytest.approx(2e9 + 8e6 / 5 + 2e6)


def test_attention_groups_repeat_weights_and_share_experts() -> None:
    """Dp 4: each group reads all 1.8 GB of its own weights for a quarter of the requests.

    Experts are cut by 4.
    """
    found = work(MOE, accelerators=(FAST_LINK,), dp=4, batch=4000).steps.pure
    assert found.bytes[0] == pytest.approx(2 * (0.8e9 + 0.1e9) + 2 * 8e9 / 4 + 1000 * 8e6)


def test_a_lone_token_reads_only_its_experts() -> None:
    """1 of 8 experts at batch 1; a smaller effective number of experts reads more.

    A large batch reads all.
    """
    read = [work(MOE, batch=batch, share=frac).steps.pure.bytes[0] for batch, frac in ((1, 1), (1, 0.5), (1e4, 1))]
    always, kv = 2 * 0.9e9, 8e6
    assert read[0] == pytest.approx(always + kv + 2 * 8e9 / 8)
    assert read[1] == pytest.approx(always + kv + 2 * 8e9 / 4)
    assert read[2] == pytest.approx(always + 1e4 * kv + 2 * 8e9)


def test_expert_parallel_ranks_wait_for_the_busiest() -> None:
    """Expert parallelism adds FLOPs on the hottest rank, less so with more tokens, and no bytes."""
    few, many = (work(MOE, tp=8, ep=[1, 8], batch=batch).steps.pure for batch in (64, 64_000))
    assert few.bytes[0] == few.bytes[1]
    assert few.flops[1] / few.flops[0] > many.flops[1] / many.flops[0] > 1.0


def test_prefill_by_hand() -> None:
    """1,000 tokens: 2 FLOPs x 0.9e9 x 1,000, attention over 500,000 pairs, and one token through the head."""
    found = work(role=ROLE_PREFILL).prefill
    attention = 3200 * 10 * 1000**2 / 2
    assert found.flops[0] == pytest.approx(1.8e12 + attention + 0.2e9)
    dense_s = np.hypot(1.8e9 / 2e12, 1.8e12 / 1e15)
    head_s = np.hypot(0.2e9 / 2e12, 0.2e9 / 1e15)
    kv_s = np.hypot(8e6 / 2e12, attention / 1e15)
    assert found.time_s[0] == pytest.approx(dense_s + kv_s + head_s)


def test_a_hit_saves_linear_work_but_is_still_attended_to() -> None:
    """900 of 1,000 tokens cached: a tenth of the products, pairs 100 x 900 + 100^2 / 2, and the KV of all."""
    found = work(role=ROLE_PREFILL, isl_new=100, cached=900).prefill
    assert found.flops[0] == pytest.approx(0.18e12 + 3200 * 10 * 95_000 + 0.2e9)
    assert found.bytes[0] == pytest.approx(2 * 1.0e9 + 8000 * 1000)


def test_chunks_read_weights_again_and_earlier_tokens() -> None:
    """Four passes of 250 tokens read the weights four times and 0 + 250 + 500 + 750 earlier tokens."""
    found = work(role=ROLE_PREFILL, chunk=250).prefill
    assert found.bytes[0] == pytest.approx(4 * 2 * 1.0e9 + 8000 * (1000 + 1500))
    assert found.flops[0] == pytest.approx(work(role=ROLE_PREFILL).prefill.flops[0], rel=1e-2)


def test_a_step_that_prefills_reads_the_weights_once() -> None:
    """10 requests of 100 tokens: a prompt of 1,000 begins in each tenth step.

    That step reads 1.8 GB once for 10 + 1,000 tokens; the mean step is nine parts pure and one part joint, and a
    tenth of the prompt's attention.
    """
    found = clock(layout(points(batch=10)), PLAIN)
    assert found.steps.prefilling[0] == pytest.approx(0.1)
    pure = np.hypot(1.8e9 / 2e12, 10 * 1.8e9 / 1e15)
    joint = np.hypot(1.8e9 / 2e12, 1010 * 1.8e9 / 1e15)
    prompt = np.hypot(8e6 / 2e12, 3200 * 10 * 1000**2 / 2 / 1e15)
    assert found.tpot_s[0] - found.step_s[0] == pytest.approx(0.1 * (joint - pure) + 0.1 * prompt)


def test_exchange_takes_link_time() -> None:
    """Tp 2: two reductions a layer of 2 x 1/2 x 2 bytes x 1,000 values a token, over 400 GB/s."""
    slow = work(tp=2, batch=100).steps.pure.time_s[0]
    fast = work(accelerators=(FAST_LINK,), tp=2, batch=100).steps.pure.time_s[0]
    assert slow - fast == pytest.approx(2 * 1.0 * 2 * 10 * 1000 * 100 / 4e11)
    alone = dataclasses.replace(PART, scaleup_bytes_per_s=0.0)
    assert np.isinf(work(accelerators=(alone,), tp=2).steps.pure.time_s[0])
    assert np.isfinite(work(accelerators=(alone,), tp=1).steps.pure.time_s[0])


def test_formats_without_native_units_compute_in_wider_ones() -> None:
    """Four-bit weights without such units read a quarter of the bytes, but compute at the 16-bit rate."""
    rank = layout(points(weight_precision=[0, 1, 2], batch=1e5)).rank
    assert rank.weight_rate.tolist() == [1e15, 2e15, 1e15]
    assert rank.weight_bytes.tolist() == [2.0, 1.0, 0.5]


def test_narrow_checkpoints_keep_the_head_and_a_latent_in_sixteen_bits() -> None:
    """In 4 bits: the head 0.2 GB whatever the weights; projections of a latent at 2 bytes, the rest at half one.

    Projections a layer: queries 240 x (1,000 + 16 x 70), keys 1,000 x 100 + 80 x 16 x 100, output 16 x 50 x 1,000.
    """
    grid = points(DENSE, LATENT, model=[0, 1, 1], weight_precision=[2, 2, 1], kv_precision=0,
                  role=ROLE_DECODE, context=1)  # fmt: skip
    found = clock(layout(grid), PLAIN).steps.pure.bytes
    kept = 10 * (240 * 2120 + 100_000 + 128_000 + 800_000)
    assert found[0] == pytest.approx(0.2e9 + 0.9e9 * 0.5, rel=1e-4)
    assert found[1] == pytest.approx(0.2e9 + kept * 2.0 + (0.9e9 - kept) * 0.5, rel=1e-4)
    assert found[2] == pytest.approx(0.2e9 + 0.9e9, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "published"),
    [("opt-175b", 4.7e6), ("llama-3.1-70b", 328e3), ("deepseek-v3", 70e3), ("gpt-oss-120b", 37e3)],
)
def test_kv_per_token_is_what_is_published(words: str, published: float) -> None:
    """Elements of a model's own layers at 16 bits, against the figure of its makers or measurers."""
    model = next(model for model in shipped().all(Model) if model.id == words)
    assert float(kv_layout(model).token_elements) * 2.0 == pytest.approx(published, rel=0.01)


def test_link_time_at_the_peak_travels_with_the_work() -> None:
    """Half the link's peak attained: the step waits twice as long as the link would take at its peak."""
    grid = points(tp=2, batch=100, role=ROLE_DECODE)
    found = clock(layout(grid), dataclasses.replace(PLAIN, link_frac=0.5)).steps
    alone = clock(layout(grid), dataclasses.replace(PLAIN, link_frac=1e9)).steps
    peak_s = 2 * 1.0 * 2 * 10 * 1000 * 100 / 4e11
    assert np.asarray(found.pure.link_s)[0] == pytest.approx(peak_s) == np.asarray(found.mean.link_s)[0]
    assert found.pure.time_s[0] - alone.pure.time_s[0] == pytest.approx(2 * peak_s, rel=1e-6)
