"""Objectives: one registered row each, with unit and sense.

A linear objective is a numerator over a constant; a ratio has a resource as its denominator and is solved by
Dinkelbach steps in `solver.solve`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyomo.environ as pyo

from solver.errors import InputError, Problem, closest
from solver.model.data import ModelData
from solver.resources import SECONDS_PER_YEAR
from solver.scenario import Scenario


@dataclass(frozen=True)
class Objective:
    """What is maximised or minimised.

    Attributes
    ----------
    id, name, unit : str
    sense : int
        1 to maximise, -1 to minimise.
    numerator : callable(block, data) -> expression
        In model units (k tokens/s, or a resource's model unit).
    per_unit : callable(scenario) -> float
        Factor from the numerator's model unit to the objective's unit.
    denominator : callable(scenario) -> str or None
        Resource id of a true ratio.
    gain_unit, gain_per_unit : str, float
        In which differences of the numerator are told, and how many of them are one model unit of it: they keep their
        meaning where the contracted megawatts change.
    refuse : callable(scenario) -> str
        Reason why the study cannot use it, empty where it can.
    """

    id: str
    name: str
    unit: str
    sense: int
    numerator: Callable[[pyo.Block, ModelData], object]
    per_unit: Callable[[Scenario], float]
    gain_unit: str = "tokens/s"
    gain_per_unit: float = 1e3
    denominator: Callable[[Scenario], str | None] = lambda _: None
    refuse: Callable[[Scenario], str] = lambda _: ""


OBJECTIVES: dict[str, Objective] = {}


def register(objective: Objective) -> Objective:
    """Add an objective to the registry."""
    if objective.id in OBJECTIVES:
        raise ValueError(f"objective {objective.id} is registered twice")
    OBJECTIVES[objective.id] = objective
    return objective


def tokens_per_request(scenario: Scenario) -> dict[str, float]:
    """Tokens that count in one request of each class: output, output and new input, or output times its value."""
    counted = scenario.study.objective.tokens
    if counted == "value":
        return {w.id: w.output_tokens * w.value_per_token for w in scenario.workloads}
    return {w.id: w.all_tokens if counted == "all" else w.output_tokens for w in scenario.workloads}


def token_rate(block: pyo.Block, data: ModelData) -> object:
    """Thousand tokens a second, as the study counts tokens."""
    tokens = tokens_per_request(data.scenario)
    return pyo.quicksum(tokens[w] / 1e3 * block.served[w] for w in block.CLASSES)


def revenue_per_request(scenario: Scenario) -> dict[str, float]:
    """USD that one request of each class earns: its counted tokens at the price of the class."""
    tokens = tokens_per_request(scenario)
    return {w.id: tokens[w.id] * (w.price_usd_per_token or 0.0) for w in scenario.workloads}


def seconds_of_load(scenario: Scenario) -> float:
    """Seconds of the promised load in a year: all of them, times the load factor."""
    return SECONDS_PER_YEAR * scenario.finance.load_factor


def yearly_profit(block: pyo.Block, data: ModelData) -> object:
    """Thousand USD a year: what tokens earn, less what unmet requests cost, less the yearly cost."""
    earned, thousand = revenue_per_request(data.scenario), seconds_of_load(data.scenario) / 1e3
    lost = {w.id: w.unmet_usd_per_request or 0.0 for w in data.workloads}
    revenue = pyo.quicksum(thousand * earned[w] * block.served[w] for w in block.CLASSES)
    penalty = pyo.quicksum(thousand * usd * block.unmet[w] for w, usd in lost.items() if usd)
    return revenue - penalty - block.use["tco"]


def _unbounded_demand(scenario: Scenario) -> str:
    demand = scenario.study.demand
    if demand.mode == "mix" and demand.max_scale is None:
        return (
            "needs demand that is stated or capped: set demand.mode = 'fixed' with requests_per_s, or "
            "demand.max_scale; for a mix that grows with the site use tokens_per_mw"
        )
    return ""


def _no_contract(scenario: Scenario) -> str:
    return "" if scenario.site.power_w else "needs site.power_mw, the contracted megawatts"


def _no_floor(scenario: Scenario) -> str:
    if scenario.study.demand.floor_frac > 0:
        return ""
    return "needs demand.floor_frac above 0: without a floor the best ratio may be an almost empty site"


def power_resource(scenario: Scenario) -> str:
    """Resource that the study calls power: provisioned or drawn at the meter."""
    return "power" if scenario.study.objective.power == "provisioned" else "drawn"


def _no_price(scenario: Scenario) -> str:
    """Reason why a profit means nothing: a class without a price, a weighted price, a mix without end."""
    study = scenario.study
    unpriced = [w.id for w in scenario.workloads if w.price_usd_per_token is None]
    if unpriced:
        return f"needs price_usd_per_million_tokens of every class; missing for {', '.join(unpriced)}"
    if study.objective.tokens == "value":
        return "needs objective.tokens = 'output' or 'all': a price is a value already"
    fined = [w.id for w in scenario.workloads if w.unmet_usd_per_request]
    if fined and study.demand.mode == "mix":
        return (
            f"needs demand.mode = 'fixed' for unmet_usd_per_request of {', '.join(fined)}: a mix leaves nothing unmet"
        )
    if not scenario.site.power_w and not scenario.site.budget_usd:
        return _unbounded_demand(scenario)
    return ""


def find_objective(scenario: Scenario) -> Objective:
    """Return the study's objective.

    Raises
    ------
    InputError
        If it is unknown, or the study lacks what it needs.
    """
    name = scenario.study.objective.name
    if name not in OBJECTIVES:
        raise InputError([
            Problem(scenario.study.name, "", "objective.name", name, "unknown objective", ", ".join(OBJECTIVES),
                    closest(name, OBJECTIVES))
        ])  # fmt: skip
    objective = OBJECTIVES[name]
    reason = objective.refuse(scenario)
    if reason:
        raise InputError([Problem(scenario.study.name, "", "objective.name", name, reason)])
    return objective


register(Objective(
    id="tokens", name="Tokens per second", unit="tokens/s", sense=1,
    numerator=token_rate, per_unit=lambda s: 1e3, refuse=_unbounded_demand,
))  # fmt: skip
register(Objective(
    id="tokens_per_mw", name="Tokens per second per contracted megawatt", unit="tokens/s/MW", sense=1,
    numerator=token_rate, per_unit=lambda s: 1e3 / ((s.site.power_w or 1e6) / 1e6), refuse=_no_contract,
))  # fmt: skip
register(Objective(
    id="tokens_per_used_mw", name="Tokens per second per used megawatt", unit="tokens/s/MW", sense=1,
    numerator=token_rate, per_unit=lambda s: 1e6,
    denominator=power_resource, refuse=_no_floor,
))  # fmt: skip
register(Objective(
    id="tokens_per_tco_dollar", name="Tokens per dollar of yearly cost", unit="tokens/USD", sense=1,
    numerator=token_rate, per_unit=seconds_of_load, denominator=lambda s: "tco", refuse=_no_floor,
))  # fmt: skip
register(Objective(
    id="power", name="Power at the utility meter", unit="MW", sense=-1,
    numerator=lambda block, data: block.use[power_resource(data.scenario)], per_unit=lambda s: 1e-3,
    gain_unit="MW", gain_per_unit=1e-3, refuse=_no_floor,
))  # fmt: skip
register(Objective(
    id="profit", name="Yearly revenue less yearly cost", unit="USD/year", sense=1,
    numerator=yearly_profit, per_unit=lambda s: 1e3,
    gain_unit="USD/year", refuse=_no_price,
))  # fmt: skip
register(Objective(
    id="tco", name="Yearly cost of owning and running", unit="USD/year", sense=-1,
    numerator=lambda block, data: block.use["tco"], per_unit=lambda s: 1e3,
    gain_unit="USD/year", refuse=_no_floor,
))  # fmt: skip
