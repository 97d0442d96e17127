"""Waiting times against formulas with known answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import workload

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


@given(service=st.floats(1e-3, 10.0), scv=st.floats(-1.0, 5.0), load=st.floats(0.0, 0.99), lanes=st.integers(1, 16))
def test_a_wider_router_never_waits_longer(service: float, scv: float, load: float, lanes: int) -> None:
    waits = wait_quantile(load, service, scv, 0.99, lanes * np.arange(1.0, 17.0))
    assert (np.diff(waits) <= 1e-12 * (1.0 + waits[:-1])).all()


def test_eight_replicas_by_hand() -> None:
    """At half load 8 servers make 0.5 ** (sqrt(18) - 1) = 10.6% of the requests wait, S / (8 * 0.5) on average."""
    waiting, mean = 0.5 ** (np.sqrt(18.0) - 1.0), 2.0 / 8.0
    assert waiting == pytest.approx(0.1057, abs=1e-4)
    assert wait_quantile(0.5, 1.0, 1.0, 0.99, 8.0) == pytest.approx(mean * np.log(waiting / 0.01))


def test_variation_of_arrivals_enters_the_wait() -> None:
    """Half of the wait comes from arrivals and half from service: cv 2 instead of 1 makes it (4 + 1) / 2 as long."""
    work = workload("a")
    steady, bursty = (dataclasses.replace(work, isl_cv=1.0, arrival_cv=cv).wait_scv for cv in (1.0, 2.0))
    assert (steady, bursty) == (1.0, 4.0)
    assert wait_quantile(0.8, 1.0, bursty, 0.9) / wait_quantile(0.8, 1.0, steady, 0.9) == pytest.approx(2.5)


def test_what_a_promise_binds() -> None:
    """3,000 tokens of which two thirds are found: 1 s each; hits alone; 1 s and 3 s by new tokens."""
    work = dataclasses.replace(workload("a", isl=3000.0, reuse=2 / 3), ttft_s=1.0)
    promised = {
        on: [dataclasses.replace(work, promise_on=on).ttft_promise_s(cached) for cached in (2000.0, 0.0)]
        for on in ("all", "hit", "per_1k_new_tokens")
    }
    assert promised == {"all": [1.0, 1.0], "hit": [1.0, None], "per_1k_new_tokens": [1.0, 3.0]}
