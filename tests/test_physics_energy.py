"""Board power, caps and overheads."""

from __future__ import annotations

import numpy as np
import pytest

from solver.physics.energy import board_power_w, capped_rate
from solver.physics.overhead import decode_step_s, interference_s, layer_overhead_s

COEFFICIENTS = (0.3, 0.4, 1.0)


def test_power_by_hand_and_clipped() -> None:
    """100 + 900 x (0.3 + 0.4 x 0.5) = 550 W; full use saturates at the rating; a cap clips."""
    assert board_power_w(100.0, 1000.0, 0.5, 0.0, COEFFICIENTS) == pytest.approx(550.0)
    assert board_power_w(100.0, 1000.0, 1.0, 0.9, COEFFICIENTS) == pytest.approx(1000.0)
    assert board_power_w(100.0, 1000.0, 1.0, 0.9, COEFFICIENTS, 0.7) == pytest.approx(700.0)
    assert board_power_w(100.0, 1000.0, 0.1, 0.0, COEFFICIENTS, 0.7) == pytest.approx(406.0)


def test_a_cap_slows_by_a_power_of_itself() -> None:
    """Exponent 0 leaves memory alone; at 0.7 an exponent of ln 1.3 / ln(1 / 0.7) costs a factor 1.3."""
    gamma = float(np.log(1.3) / np.log(1 / 0.7))
    assert capped_rate(1e15, 0.7, gamma) == pytest.approx(1e15 / 1.3)
    assert capped_rate(1e15, 0.7, 0.0) == 1e15


def test_overheads_by_hand() -> None:
    """80 layers on 8 ranks: (50 + 10 x 3) us each, 100 us more where tokens are dispatched."""
    found = layer_overhead_s(80.0, 8, np.array([False, True]), 50e-6, 10e-6, 100e-6)
    assert found == pytest.approx([6.4e-3, 14.4e-3])
    assert decode_step_s(6.4e-3, 32.0, 80.0, 1e-6, 10e-3, 1.2) == pytest.approx(6.4e-3 + 2.56e-3 + 12e-3)
    assert interference_s(0.5, 40.0, 200.0) == pytest.approx(0.1)
