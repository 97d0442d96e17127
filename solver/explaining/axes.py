"""What a front may be drawn against: a resource that a study limits, a promise, a share that rests on estimates.

Each is a figure of which less is better, and the change of a study that holds it below a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.design import Design
from solver.errors import InputError, Problem, closest
from solver.highs import OPTIMAL, Clock, Program, solve_lp
from solver.model.limits import use_terms
from solver.model.shares import share_terms
from solver.optimise import Ready
from solver.resources import RESOURCES, Resource
from solver.scenario import Scenario
from solver.shares import SHARES, Share

Changes = dict[str, Any]
KPI_OF_RESOURCE = {
    "power": "utility_meter_w",
    "capex": "capex_usd",
    "floor": "floor_m2",
    "water": "water_l_per_s",
    "co2": "co2_kg_per_s",
}
"""Resource with a limit -> the key figure that shows its use."""
PROMISES = {"ttft": "ttft_s", "tpot": "tpot_s"}
WIDER = 2.0
"""A promise is varied between its half and its double."""
STEPS = 12
"""Linear programs to find the least of a share; each at least halves what is left, most need four."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Use:
    """How a figure stands in a program: ``amount @ x + fixed``, or of a share that over ``over @ x``."""

    amount: FloatArray
    fixed: float = 0.0
    over: FloatArray | None = None

    def least(self, program: Program, clock: Clock) -> float | None:
        """Return the least of the figure in the relaxation of a program; None where that is not found.

        A share is a ratio of two sums: the share of a point is tried as a price of all that is counted, until no point
        has a lower one (Dinkelbach).
        """
        if self.over is None:
            found = solve_lp(program, self.amount, self.fixed, clock)
            return found.objective if found.status == OPTIMAL else None
        ratio = 1.0
        for _ in range(STEPS):
            found = solve_lp(program, self.amount - ratio * self.over, 0.0, clock)
            if found.status != OPTIMAL or found.values is None:
                return None
            whole = float(self.over @ found.values)
            if whole <= 0.0 or found.objective >= -1e-9 * whole:
                break
            ratio = float(self.amount @ found.values) / whole
        return max(ratio, 0.0)


@dataclass(frozen=True)
class Axis:
    """A figure of which less is better.

    Attributes
    ----------
    id, name, unit : str
    changes : callable(value) -> dict
        Changes of the study that hold the figure at no more than a value.
    value : callable(design, limit) -> float
        The figure of a design made under a limit.
    use : callable(ready) -> Use, optional
        How it stands in a program, where the study's model holds it.
    free : dict
        Changes of the study under which the model holds it and nothing is limited that was not.
    above : bool
        True where hardly any build is at the least that the relaxation allows, so that limits begin a step above it.
    ends : (float, float) or None
        Where it is varied; None where that follows from the study's best design.
    """

    id: str
    name: str
    unit: str
    changes: Callable[[float], Changes]
    value: Callable[[Design, float], float]
    use: Callable[[Ready], Use] | None = None
    free: Changes = field(default_factory=dict)
    above: bool = False
    ends: tuple[float, float] | None = None


def axis(name: str, scenario: Scenario) -> Axis:
    """Return an axis by its name.

    Parameters
    ----------
    name : str
        A resource (``capex``) or its key figure (``capex_usd``), a share that rests on estimates
        (``estimated_capex_share``), ``workload.CLASS.tpot_s`` or ``.ttft_s``, or ``tpot`` or ``ttft`` for the promises
        of all classes together, as a multiple of what they are.
    scenario : Scenario

    Raises
    ------
    InputError
        If there is no such axis, or the class has no such promise.
    """
    for resource, figure in KPI_OF_RESOURCE.items():
        if name in (resource, figure):
            return _resource(resource, scenario)
    if name in SHARES:
        return _share(SHARES[name], scenario)
    promised = _promised(scenario)
    if name in promised:
        value = promised[name]
        return _promise(name, name, "s", lambda limit: {name: limit}, value)
    if name in PROMISES:
        mine = {path: value for path, value in promised.items() if path.endswith(f".{PROMISES[name]}")}
        title = f"{name.upper()} promises, as a multiple of what they are"
        return _promise(name, title, "1", lambda scale: {p: scale * v for p, v in mine.items()}, 1.0)
    known = [*KPI_OF_RESOURCE, *SHARES, *PROMISES, *promised]
    raise InputError([
        Problem("pareto", "", "x", name, "is nothing that a study limits", ", ".join(known), closest(name, known))
    ])  # fmt: skip


def _resource(resource: str, scenario: Scenario) -> Axis:
    kind, path = RESOURCES[resource], RESOURCES[resource].limit_path
    figure = KPI_OF_RESOURCE[resource]

    def changes(limit: float) -> Changes:
        if resource == "power" and scenario.site.power_w:
            # The contract stays what it is, since objectives divide by it.
            return {"site.usable_power_frac": limit / scenario.site.power_w}
        if resource == "power":
            return {path: limit / 1e6}
        return {path: limit, **({"site.budget": None} if resource == "capex" else {})}

    return Axis(resource, kind.name, kind.unit, changes, _figure(figure), lambda ready: _amount(ready, kind))


def _figure(kpi: str) -> Callable[[Design, float], float]:
    return lambda design, _: float(design.kpis[kpi]["value"])


def _amount(ready: Ready, resource: Resource) -> Use:
    """A resource in a program, in its own unit."""
    terms = use_terms(ready.model.period[0], ready.data, resource)
    return Use(_columns(ready.program, terms, resource.scale), resource.fixed(ready.data.scenario))


def _columns(program: Program, terms: Iterable[tuple[pyo.Var, float]], scale: float = 1.0) -> FloatArray:
    """Amounts of variables by the columns of a program."""
    at = {id(variable): k for k, variable in enumerate(program.variables)}
    amounts = np.zeros(len(program.upper))
    for variable, amount in terms:
        if id(variable) in at:
            amounts[at[id(variable)]] += amount * scale
    return amounts


def _share(share: Share, scenario: Scenario) -> Axis:
    """A share that rests on estimates; a limit of 1 binds nothing, and puts into the model what is counted."""

    def use(ready: Ready) -> Use:
        terms = share_terms(ready.model.period[0], ready.data, share)
        amount = _columns(ready.program, terms.estimated)
        return Use(amount, over=amount + _columns(ready.program, terms.sound))

    free = {share.path: 1.0} if share.limit(scenario) is None else {}
    name = share.name[:1].upper() + share.name[1:]
    return Axis(
        share.id, name, "share", lambda limit: {share.path: min(limit, 1.0)}, _figure(share.id), use, free, True
    )


def _promised(scenario: Scenario) -> Mapping[str, float]:
    """Promises of all classes by the path of their study key."""
    promises = {f"workload.{w.id}.{key}": getattr(w, key) for w in scenario.workloads for key in PROMISES.values()}
    return {path: value for path, value in promises.items() if value is not None}


def _promise(name: str, title: str, unit: str, changes: Callable[[float], Changes], value: float) -> Axis:
    return Axis(name, title, unit, changes, lambda _, limit: limit, ends=(value / WIDER, value * WIDER))
