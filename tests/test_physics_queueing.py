"""Waiting times against formulas with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.physics.queueing import max_load, wait_quantile


def test_one_server_with_exponential_service_is_exact() -> None:
    """M/M/1 waits have P(W > t) = rho exp(-(1 - rho) t / S) exactly; scv = 1 must give that quantile."""
    rho, service, q = 0.8, 2.0, 0.99
    exact = service / (1 - rho) * np.log(rho / (1 - q))
    assert wait_quantile(rho, service, 1.0, q) == pytest.approx(exact)


def test_deterministic_service_halves_the_wait() -> None:
    """Pollaczek-Khinchine: without variation in service the mean wait is half that of M/M/1."""
    ratio = wait_quantile(0.7, 1.0, 0.0, 0.95) / wait_quantile(0.7, 1.0, 1.0, 0.95)
    assert ratio == pytest.approx(0.5)


def test_nobody_waits_below_the_quantile_and_everybody_at_full_load() -> None:
    """A share rho waits at all: at rho <= 1 - q the quantile is 0.

    At rho >= 1 the queue grows without end.
    """
    waits = wait_quantile(np.array([0.0, 0.05, 0.0999, 1.0, 1.2]), 1.0, 1.0, 0.9)
    assert waits[:3].tolist() == [0.0, 0.0, 0.0]
    assert np.isinf(waits[3:]).all()


def test_a_wide_pool_waits_less() -> None:
    """Eight servers behind one router at the same utilisation wait far less than one."""
    one, eight = wait_quantile(0.85, 1.0, 1.0, 0.99, np.array([1.0, 8.0]))
    assert eight < one / 6


@given(
    service=st.floats(1e-3, 10.0),
    scv=st.floats(0.0, 5.0),
    slack=st.floats(0.0, 100.0),
    q=st.floats(0.5, 0.999),
    servers=st.sampled_from([1.0, 2.0, 8.0, 64.0]),
)
def test_the_load_found_is_the_highest_that_keeps_the_promise(
    service: float, scv: float, slack: float, q: float, servers: float
) -> None:
    """At the load found the wait fits in the slack; a little above it does not, unless the cap binds."""
    cap = 0.95
    load = float(max_load(service, scv, slack, q, cap, servers))
    assert 0.0 <= load <= cap
    assert float(wait_quantile(load, service, scv, q, servers)) <= slack
    if load < cap:
        assert float(wait_quantile(min(load + 1e-6, 0.999999), service, scv, q, servers)) > slack


def test_without_slack_no_load_and_without_promise_the_cap() -> None:
    """Negative slack cannot be kept at any load; None and nan promise nothing.

    Cap is exact where slack is ample.
    """
    assert max_load(1.0, 1.0, -0.1, 0.99, 0.85) == 0.0
    assert max_load(1.0, 1.0, -0.1, None, 0.85) == 0.85
    mixed = max_load(1.0, 1.0, np.array([-1.0, 1e9, 1e9]), np.array([np.nan, 0.99, 0.5]), 0.85)
    assert mixed.tolist() == [0.85, 0.85, 0.85]


def test_more_slack_never_means_less_load() -> None:
    """Monotone in the slack, over an array at once."""
    loads = max_load(1.0, 1.5, np.linspace(0.0, 50.0, 200), 0.99, 0.99)
    assert (np.diff(loads) >= 0).all()
    assert loads[0] == pytest.approx(0.01, abs=1e-9)
