"""Steps and prefills whose bytes and FLOPs can be counted by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from operating_points import DENSE, LATENT, MOE, PART, points

from solver.evaluation import rooflines

FAST_LINK = dataclasses.replace(PART, scaleup_bytes_per_s=1e30)


def test_a_small_batch_reads_weights_and_kv() -> None:
    """2 GB of weights (embedding aside) and 8 MB of KV at 2 TB/s: 1.004 ms, far above the FLOPs' 2 us."""
    work = rooflines(points(batch=1), 1.0).decode
    assert work.time_s[0] == pytest.approx((2e9 + 8e6) / 2e12)
    assert work.flops[0] == pytest.approx(2e9 + 3200 * 10 * 1000)


def test_a_large_batch_is_bound_operator_by_operator() -> None:
    """At 2,000 requests products are compute-bound (2 us each) while attention still reads 16 GB of KV.

    A single maximum over the sums would give max(18 GB / BW, FLOPs / rate) = 9 ms, less than the sum of both.
    """
    work = rooflines(points(batch=2000), 1.0).decode
    assert work.time_s[0] == pytest.approx(2000 * 2e9 / 1e15 + 2000 * 8e6 / 2e12)


def test_ranks_share_weights_and_heads_but_not_a_latent() -> None:
    """Tp 8: an eighth of the weights; 4 KV heads over 8 ranks leave a quarter each; a latent stays whole."""
    grid = points(DENSE, LATENT, accelerators=(FAST_LINK,), model=[0, 1], tp=8, batch=100)
    found = rooflines(grid, 1.0).decode.bytes
    assert found[0] == pytest.approx(2e9 / 8 + 100 * 8e6 / 4)
    assert found[1] == pytest.approx(2e9 / 8 + 100 * 2e6)


def test_attention_groups_repeat_weights_and_share_experts() -> None:
    """Dp 4: each group reads all 1.8 GB of its own weights for a quarter of the requests.

    Experts are cut by 4.
    """
    work = rooflines(points(MOE, accelerators=(FAST_LINK,), dp=4, batch=4000), 1.0).decode
    assert work.bytes[0] == pytest.approx(2 * (0.8e9 + 0.1e9) + 2 * 8e9 / 4 + 1000 * 8e6)


def test_a_lone_token_reads_only_its_experts() -> None:
    """1 of 8 experts at batch 1; a smaller effective number of experts reads more.

    A large batch reads all.
    """
    read = [rooflines(points(MOE, batch=batch), frac).decode.bytes[0] for batch, frac in ((1, 1), (1, 0.5), (1e4, 1))]
    always, kv = 2 * 0.9e9, 8e6
    assert read[0] == pytest.approx(always + kv + 2 * 8e9 / 8)
    assert read[1] == pytest.approx(always + kv + 2 * 8e9 / 4)
    assert read[2] == pytest.approx(always + 1e4 * kv + 2 * 8e9)


def test_expert_parallel_ranks_wait_for_the_busiest() -> None:
    """Expert parallelism adds FLOPs on the hottest rank, less so with more tokens, and no bytes."""
    few, many = (rooflines(points(MOE, tp=8, ep=[1, 8], batch=batch), 1.0).decode for batch in (64, 64_000))
    assert few.bytes[0] == few.bytes[1]
    assert few.flops[1] / few.flops[0] > many.flops[1] / many.flops[0] > 1.0


def test_prefill_by_hand() -> None:
    """1,000 tokens: 2 FLOPs x 0.9e9 x 1,000, attention over 500,000 pairs, and one token through the head."""
    work = rooflines(points(), 1.0).prefill
    attention = 3200 * 10 * 1000**2 / 2
    assert work.flops[0] == pytest.approx(1.8e12 + attention + 0.2e9)
    head_s, kv_s = 0.2e9 / 2e12, max(8e6 / 2e12, attention / 1e15)
    assert work.time_s[0] == pytest.approx(1.8e12 / 1e15 + kv_s + head_s)


def test_a_hit_saves_linear_work_but_is_still_attended_to() -> None:
    """900 of 1,000 tokens cached: a tenth of the products, pairs 100 x 900 + 100^2 / 2, and the KV of all."""
    work = rooflines(points(isl_new=100, cached=900), 1.0).prefill
    assert work.flops[0] == pytest.approx(0.18e12 + 3200 * 10 * 95_000 + 0.2e9)
    assert work.bytes[0] == pytest.approx(2 * 1.0e9 + 8000 * 1000)


def test_chunks_read_weights_again_and_earlier_tokens() -> None:
    """Four passes of 250 tokens read the weights four times and 0 + 250 + 500 + 750 earlier tokens."""
    work = rooflines(points(chunk=250), 1.0).prefill
    assert work.bytes[0] == pytest.approx(4 * 2 * 1.0e9 + 8000 * (1000 + 1500))
    assert work.flops[0] == pytest.approx(rooflines(points(), 1.0).prefill.flops[0], rel=1e-2)


def test_exchange_takes_link_time() -> None:
    """Tp 2: two reductions a layer of 2 x 1/2 x 2 bytes x 1,000 values a token, over 400 GB/s."""
    slow = rooflines(points(tp=2, batch=100), 1.0).decode.time_s[0]
    fast = rooflines(points(accelerators=(FAST_LINK,), tp=2, batch=100), 1.0).decode.time_s[0]
    assert slow - fast == pytest.approx(2 * 1.0 * 2 * 10 * 1000 * 100 / 4e11)
    alone = dataclasses.replace(PART, scaleup_bytes_per_s=0.0)
    assert np.isinf(rooflines(points(accelerators=(alone,), tp=2), 1.0).decode.time_s[0])
    assert np.isfinite(rooflines(points(accelerators=(alone,), tp=1), 1.0).decode.time_s[0])


def test_formats_without_native_units_compute_in_wider_ones() -> None:
    """Four-bit weights without such units read a quarter of the bytes, but compute at the 16-bit rate."""
    grid = points(weight_precision=[0, 1, 2], batch=1e5)
    rank = rooflines(grid, 1.0).rank
    assert rank.weight_rate.tolist() == [1e15, 2e15, 1e15]
    assert rank.weight_bytes.tolist() == [2.0, 1.0, 0.5]
