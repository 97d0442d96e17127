"""Numbers of a study that no solver can tell apart, named by their key before a solve; and what has no bound."""

from __future__ import annotations

import math

from solver.errors import InputError, Problem
from solver.model.data import ModelData
from solver.resources import RESOURCES
from solver.scenario import Scenario
from solver.units import si_name

LEAST, MOST = 1e-9, 1e15
"""Coefficients outside these are dropped or refused by HiGHS."""
MOST_NODES = 1e12
"""Times what the smallest node takes, beyond which a limit is no limit."""


def check_scales(data: ModelData) -> None:
    """Refuse numbers that make coefficients or limits no solver can work with.

    Parameters
    ----------
    data : ModelData

    Raises
    ------
    InputError
        Naming each key.
    """
    problems = [*_demand(data.scenario), *_values(data.scenario), *_limits(data)]
    if problems:
        raise InputError(problems)


def _problem(scenario: Scenario, row: str, key: str, value: float, message: str, allowed: str) -> Problem:
    return Problem(scenario.study.name, row, key, f"{value:g}", message, allowed)


def _demand(scenario: Scenario) -> list[Problem]:
    """Rates and what multiplies them."""
    demand, allowed = scenario.study.demand, f"{LEAST:g} to {MOST:g}"
    found = [
        _problem(scenario, f"workload {w.id}", "requests_per_s", w.requests_per_s, "is badly scaled", allowed)
        for w in scenario.workloads if not LEAST <= w.requests_per_s <= MOST
    ]  # fmt: skip
    rates = {w.id: w.requests_per_s for w in scenario.workloads}
    high, low = max(rates, key=lambda w: rates[w]), min(rates, key=lambda w: rates[w])
    if not found and rates[high] > MOST_NODES * rates[low]:
        message = f"is {rates[high] / rates[low]:.3g} times that of {low}: too far apart for one mix"
        found.append(
            _problem(
                scenario, f"workload {high}", "requests_per_s", rates[high], message, f"up to {MOST_NODES:g} times"
            )
        )
    factors = {"demand.floor_frac": demand.floor_frac, "demand.max_scale": demand.max_scale}
    found += [
        _problem(scenario, "", key, value, "is badly scaled", f"0, or {allowed}")
        for key, value in factors.items() if value and not LEAST <= value <= MOST
    ]  # fmt: skip
    return found


def _values(scenario: Scenario) -> list[Problem]:
    """Prices and values of tokens, thousands of which stand in the objective."""
    found = []
    for w in scenario.workloads:
        values = {
            "value_per_token": w.value_per_token,
            "price_usd_per_million_tokens": (w.price_usd_per_token or 0.0) * 1e6,
            "unmet_usd_per_request": w.unmet_usd_per_request or 0.0,
        }
        found += [
            _problem(scenario, f"workload {w.id}", key, value, "is badly scaled", f"0, or {LEAST:g} to 1e+09")
            for key, value in values.items() if value and not LEAST <= value <= 1e9
        ]  # fmt: skip
    return found


def _limits(data: ModelData) -> list[Problem]:
    """Limits that are a million million nodes, and nodes that take more of a resource than a coefficient can say."""
    scenario, found = data.scenario, []
    for resource in RESOURCES.values():
        limit = resource.limit(scenario)
        takes = {
            h.pool.config.id: resource.per_node(scenario, h) + resource.per_node_bought(scenario, h.pool.config)
            for h in data.housings
        }
        some = {config: amount for config, amount in takes.items() if amount > 0.0}
        if limit is not None and some and limit > MOST_NODES * min(some.values()):
            message = f"is {limit / min(some.values()):.3g} times what the smallest node takes: no limit at all"
            value = limit / si_name(resource.limit_path)[1]
            found.append(
                _problem(scenario, "", resource.limit_path, value, message,
                         f"up to {MOST_NODES:g} nodes; leave the key out for no limit")
            )  # fmt: skip
        found += [
            _problem(scenario, config, resource.name, amount, f"is badly scaled in {resource.unit}",
                     f"up to {MOST * resource.scale:g}")
            for config, amount in some.items() if amount > MOST * resource.scale or not math.isfinite(amount)
        ][:1]  # fmt: skip
    return found


def unbounded(scenario: Scenario) -> InputError:
    """Return the error of an objective that grows without end.

    Parameters
    ----------
    scenario : Scenario
    """
    name = scenario.study.objective.name
    message = "grows without end: nothing that the study names limits what may be built"
    allowed = "a site.power_mw, a site.budget_usd, a supply, or demand that is stated or capped (demand.max_scale)"
    return InputError([Problem(scenario.study.name, "", "objective.name", name, message, allowed)])
