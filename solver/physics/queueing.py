"""Waiting time of a request in front of replicas that share one router, and the load a promise allows.

The form is M/G/c with an exponential tail, ``P(W > t) = p exp(-t / m)``. A request waits with probability
``p = rho ** (sqrt(2 (c + 1)) - 1)`` (Sakasegawa's approximation of Erlang C; exactly ``rho`` for one server),
and if it waits, ``m = S (1 + scv) / (2 c (1 - rho))`` on average. With one server the mean is the
Pollaczek-Khinchine formula. For arrivals that are not Poisson pass ``scv = ca2 + cs2 - 1`` (Allen and
Cunneen).
"""

from __future__ import annotations

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike

_BISECTIONS = 40
"""Halvings of the load interval: the answer is exact to 1e-12."""


def wait_quantile(
    load: FloatLike, service_s: FloatLike, scv: FloatLike, q: FloatLike, servers: FloatLike = 1.0
) -> FloatArray:
    """Return the waiting time that a share `q` of the requests does not exceed.

    Parameters
    ----------
    load : float or array
        Utilisation of each server, in [0, 1); at or above 1 the wait is infinite.
    service_s : float or array
        Mean service time of one request, seconds.
    scv : float or array
        Squared coefficient of variation of the service time (see the module for other arrivals).
    q : float or array
        Quantile, in (0, 1).
    servers : float or array
        Replicas behind one router.

    Returns
    -------
    array
        Seconds, zero where a request waits with probability at most ``1 - q``.
    """
    rho = np.asarray(load, dtype=np.float64)
    spare = np.maximum(1.0 - rho, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.asarray(service_s) * (1.0 + np.asarray(scv)) / (2.0 * np.asarray(servers) * spare)
        exponent = np.sqrt(2.0 * (np.asarray(servers) + 1.0)) - 1.0
        decades = exponent * np.log(rho) - np.log1p(-np.asarray(q))
        wait = np.where(decades > 0.0, mean * decades, 0.0)
    return np.where(rho < 1.0, wait, np.inf)


def max_load(
    service_s: FloatLike,
    scv: FloatLike,
    slack_s: FloatLike,
    q: FloatLike | None,
    cap: FloatLike,
    servers: FloatLike = 1.0,
) -> FloatArray:
    """Return the highest utilisation at which the wait at quantile `q` stays within the slack.

    Parameters
    ----------
    service_s, scv, servers : float or array
        As in `wait_quantile`.
    slack_s : float or array
        Seconds left for waiting after everything else that the promise must cover.
    q : float, array or None
        Quantile of the promise; None, or nan in an array, means that nothing is promised.
    cap : float or array
        Utilisation that is never exceeded.

    Returns
    -------
    array
        Load in [0, cap]; zero where the slack is negative, `cap` where nothing is promised.
    """
    quantile = np.nan if q is None else q
    service, scvs, slack, quant, high, width = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (service_s, scv, slack_s, quantile, cap, servers))
    )
    promised = np.isfinite(quant)
    quant = np.where(promised, quant, 0.5)
    low, top = np.zeros_like(high), high.copy()
    kept = wait_quantile(top, service, scvs, quant, width) <= slack
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + top)
        within = wait_quantile(middle, service, scvs, quant, width) <= slack
        low, top = np.where(within, middle, low), np.where(within, top, middle)
    load = np.where(kept, high, low)
    return np.where(promised, np.where(slack < 0.0, 0.0, load), high)
