"""Board power, caps and overheads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from operating_points import DENSE, LATENT, MOE, PLAIN, points

from solver.evaluation import layout
from solver.physics.energy import Use, board_power_w, capped_rate
from solver.physics.overhead import decode_overhead_s, first_token_wait_s, kernels, launches_s, running_s

COEFFICIENTS = (0.1, 0.4, 2.0, 0.2)


def knee(wanted: float) -> float:
    """Return what is drawn of a wanted share of the range."""
    return wanted / (1.0 + wanted**4) ** 0.25


def test_power_by_hand() -> None:
    """Between kernels 0.1 of the range; a kernel all the time 0.2 more, half the bandwidth 0.2, 5% of the rate 0.1.

    Three tenths are drawn as 0.2994, six as 0.5820, twice the range as 0.9850: ratings are neared, not passed.
    """
    assert board_power_w(100.0, 1000.0, Use(0.0, 0.0, 0.0), COEFFICIENTS) == pytest.approx(100 + 900 * knee(0.1))
    assert board_power_w(100.0, 1000.0, Use(0.0, 0.0, 1.0), COEFFICIENTS) == pytest.approx(
        100 + 900 * 0.299394, rel=1e-5
    )
    busy = board_power_w(100.0, 1000.0, Use(0.5, 0.05, 1.0), COEFFICIENTS)
    assert busy == pytest.approx(100 + 900 * knee(0.6)) == pytest.approx(100 + 900 * 0.58200, rel=1e-4)
    full = board_power_w(100.0, 1000.0, Use(1.0, 0.65, 1.0), COEFFICIENTS)
    assert full == pytest.approx(100 + 900 * 0.98495, rel=1e-4)


def test_a_cap_clips_and_time_counts_once() -> None:
    """A cap of 0.7 holds 700 W and touches nothing below; a running share above 1 is 1."""
    full, light = Use(1.0, 0.65, 1.0), Use(0.1, 0.0, 0.5)
    assert board_power_w(100.0, 1000.0, full, COEFFICIENTS, 0.7) == pytest.approx(700.0)
    assert board_power_w(100.0, 1000.0, light, COEFFICIENTS, 0.7) == board_power_w(100.0, 1000.0, light, COEFFICIENTS)
    assert board_power_w(0.0, 1.0, Use(0.0, 0.0, 1.5), COEFFICIENTS) == pytest.approx(knee(0.3))


@pytest.mark.parametrize("field", ["memory", "compute", "running"])
def test_more_use_never_draws_less(field: str) -> None:
    """Power grows with each use and stays at or below its cap."""
    rng = np.random.default_rng(0)
    cap = rng.uniform(0.3, 1.0, 2000)
    use = Use(*rng.uniform(0.0, 1.0, (3, 2000)))
    more = dataclasses.replace(use, **{field: getattr(use, field) + 0.1})
    before, after = (board_power_w(70.0, 700.0, of, COEFFICIENTS, cap) for of in (use, more))
    assert (after >= before).all() and (after <= 700.0 * cap).all() and (before >= 70.0).all()


def test_a_cap_slows_by_a_power_of_itself() -> None:
    """Exponent 0 leaves memory alone; at 0.7 an exponent of ln 1.3 / ln(1 / 0.7) costs a factor 1.3."""
    gamma = float(np.log(1.3) / np.log(1 / 0.7))
    assert capped_rate(1e15, 0.7, gamma) == pytest.approx(1e15 / 1.3)
    assert capped_rate(1e15, 0.7, 0.0) == 1e15


COUNTED = dataclasses.replace(
    PLAIN, kernel_s=3e-6, latent_kernels=4.0, expert_kernels=6.0, linear_kernels=2.0, quantising_kernels=2.0,
    collective_s=5e-6, collective_doubling_s=1e-6, dispatch_doubling_s=8e-6, host_step_s=1e-3, host_request_s=1e-5,
    launch_s=2e-5, launch_share=0.25, expert_first_token_s=1e-3, first_token_s=0.02,
)  # fmt: skip


def test_kernels_are_counted_by_layer_kind() -> None:
    """Ten layers: 6 + 4 kernels each; 4 more with a latent, 6 more with experts, 2 more in 8 bits.

    Two of ten layers with attention and eight linear ones: 10 x 4 + 2 x 6 + 8 x 8.
    """
    linear = dataclasses.replace(DENSE, id="linear", n_attention_layers=2, linear_layers=8)
    grid = points(DENSE, LATENT, MOE, linear, model=[0, 1, 2, 3, 0], weight_precision=[0, 0, 0, 0, 1])
    at = layout(grid)
    assert kernels(at.model, at.rank, COUNTED).tolist() == pytest.approx([100, 140, 160, 116, 120])


def test_blocks_of_one_kind_hold_one_kind() -> None:
    """Ten blocks of which two attend and three are recurrent: five FFNs, as 2 x 6 + 3 x 8 + 5 x 4 kernels."""
    hybrid = dataclasses.replace(DENSE, id="hybrid", n_attention_layers=2, linear_layers=3)
    at = layout(points(hybrid))
    assert kernels(at.model, at.rank, COUNTED).tolist() == pytest.approx([56])


def test_overheads_by_hand() -> None:
    """100 kernels of 3 us; 20 collectives of 5 + 3 us at tp 8; a host step of 1 ms; 32 requests of 10 us.

    Attention-DP over 4 groups of experts: 20 dispatches of 5 + 2 x 8 us. An engine's factor leaves requests alone.
    """
    at = layout(points(DENSE, MOE, model=[0, 1], tp=[8, 1], dp=[1, 4]))
    found = decode_overhead_s(at.model, at.rank, 32.0, COUNTED)
    assert found == pytest.approx([0.3e-3 + 0.16e-3 + 1e-3 + 0.32e-3, 0.48e-3 + 0.42e-3 + 1e-3 + 0.32e-3])
    slow = decode_overhead_s(at.model, at.rank, 32.0, dataclasses.replace(COUNTED, overhead=2.0))
    assert slow[0] == pytest.approx(2 * 1.46e-3 + 0.32e-3)


def test_boards_wait_for_the_host_and_for_each_other() -> None:
    """Of those overheads kernels and the work by request run on the board; collectives and the host step do not."""
    at = layout(points(DENSE, tp=[8]))
    assert running_s(at.model, at.rank, 32.0, COUNTED) == pytest.approx([0.3e-3 + 0.32e-3])
    twice = dataclasses.replace(COUNTED, overhead=2.0)
    assert running_s(at.model, at.rank, 32.0, twice) == pytest.approx([0.6e-3 + 0.32e-3])


def test_a_first_token_waits_for_hidden_launches_and_routing() -> None:
    """160 launches of 20 us of which a quarter shows, ten layers of experts of 1 ms, and 20 ms of host."""
    at = layout(points(MOE))
    launch = launches_s(at.model, at.rank, COUNTED)
    assert launch == pytest.approx([3.2e-3])
    assert first_token_wait_s(at.model, launch, COUNTED) == pytest.approx([0.02 + 0.75 * 3.2e-3 + 0.01])
