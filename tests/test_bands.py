"""How sure a design is: regimes of evidence of its load, and what their errors make of its figures."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from operating_points import ROOFLINE_ONLY

from solver.bands import Errors, errors_of, regime_shares

FIT = dataclasses.replace(
    ROOFLINE_ONLY,
    spreads={
        "throughput_measured": (0.8, 1.25), "throughput_extrapolated": (0.6, 1.5), "throughput_none": (0.4, 2.0),
        "power_measured": (0.9, 1.1), "power_extrapolated": (0.8, 1.3), "power_none": (1.05, 1.6),
    },
)  # fmt: skip


def entry(evidence: str, replicas: float, **ways: int) -> dict[str, Any]:
    """Return a line of the load."""
    return {"evidence": evidence, "replicas": replicas, "tp": 1, "pp": 1, "dp": 1, **ways}


LOAD = [
    entry("measured", 10.0, tp=4),  # 40 accelerators
    entry("extrapolated", 2.5, tp=2, dp=2, pp=2),  # 20
    entry("none", 30.0),  # 30
    entry("extrapolated", 1.25, dp=8),  # 10
]


def test_regimes_are_weighed_by_accelerators_at_work() -> None:
    """40, 30 and 30 of 100 accelerators; by replicas it would be 23%, 9% and 69%."""
    shares = regime_shares(LOAD)
    assert shares == pytest.approx({"measured": 0.4, "extrapolated": 0.3, "none": 0.3})
    assert set(regime_shares([]).values()) == {0.0}


def test_band_of_a_build_in_three_regimes() -> None:
    """Predicted over measured from 0.4 x 0.8 + 0.3 x 0.6 + 0.3 x 0.4 = 0.62 to 0.5 + 0.45 + 0.6 = 1.55.

    Power from 0.36 + 0.24 + 0.3 (a prediction that is always too high still has a band that holds it) to
    0.44 + 0.39 + 0.48 = 1.31.
    """
    errors = errors_of(regime_shares(LOAD), FIT)
    assert errors.rate == pytest.approx((0.62, 1.55)) and errors.power == pytest.approx((0.9, 1.31))
    assert errors.ends(310.0, "rate") == pytest.approx((200.0, 500.0))
    assert errors.ends(100.0, "per_rate") == pytest.approx((62.0, 155.0))
    assert errors.ends(117.9, "draw") == pytest.approx((90.0, 131.0))
    assert errors.ends(7.0, "") == (7.0, 7.0)


def test_accelerator_seconds_add_up() -> None:
    """A prefill and a decode pool of 10 each, 1.5 and 1.0 times slower than predicted, yield 1 / 1.25 of it.

    The mix of the two is held, so 100 requests/s need 15 and 10 accelerators in place of 10 and 10; the 20 there
    are serve 80.
    """
    fit = dataclasses.replace(FIT, spreads={"throughput_none": (1.0, 1.5), "throughput_measured": (1.0, 1.0)})
    errors = errors_of(regime_shares([entry("none", 10.0), entry("measured", 10.0)]), fit)
    assert errors.ends(100.0, "rate") == pytest.approx((80.0, 100.0))


def test_energy_of_a_token_has_both_errors_but_not_both_at_their_worst() -> None:
    """Times 1.25 for throughput and 1 / 0.8 for power: 1.25 to the power of the square root of 2."""
    low, high = Errors((0.8, 1.25), (0.8, 1.25)).ends(1.0, "draw_per_rate")
    assert high == pytest.approx(1.25**2**0.5) and low == pytest.approx(0.8**2**0.5)
    assert high < 1.25**2


def test_nothing_at_work_has_no_band() -> None:
    errors = errors_of(regime_shares([]), FIT)
    assert errors.ends(0.0, "rate") == (0.0, 0.0) and errors.rate == errors.power == (1.0, 1.0)


@pytest.mark.parametrize("worse", ["extrapolated", "none"])
def test_a_regime_further_off_is_never_surer(worse: str) -> None:
    near, far = (errors_of(regime_shares([entry(word, 1.0)]), FIT).ends(100.0, "rate") for word in ("measured", worse))
    assert far[0] < near[0] and far[1] > near[1]
