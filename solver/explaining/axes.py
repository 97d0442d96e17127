"""What a front may be drawn against: a resource that a study limits, a promise, a share resting on estimates.

Each is a figure of which less is better, and the change of a study that holds it below a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from solver.design import Design
from solver.errors import InputError, Problem, closest
from solver.resources import RESOURCES
from solver.scenario import Scenario

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
    resource : str
        Registered resource that it is, empty for none.
    ends : (float, float) or None
        Where it is varied; None where that follows from the study's best design.
    """

    id: str
    name: str
    unit: str
    changes: Callable[[float], Changes]
    value: Callable[[Design, float], float]
    resource: str = ""
    ends: tuple[float, float] | None = None


def axis(name: str, scenario: Scenario) -> Axis:
    """Return an axis by its name.

    Parameters
    ----------
    name : str
        A resource (``capex``) or its key figure (``capex_usd``), ``workload.CLASS.tpot_s`` or ``.ttft_s``, or
        ``tpot`` or ``ttft`` for the promises of all classes together, as a multiple of what they are.
    scenario : Scenario

    Raises
    ------
    InputError
        If there is no such axis, or the class has no such promise.
    """
    for resource, figure in KPI_OF_RESOURCE.items():
        if name in (resource, figure):
            return _resource(resource, scenario)
    promised = _promised(scenario)
    if name in promised:
        value = promised[name]
        return _promise(name, name, "s", lambda limit: {name: limit}, value)
    if name in PROMISES:
        mine = {path: value for path, value in promised.items() if path.endswith(f".{PROMISES[name]}")}
        title = f"{name.upper()} promises, as a multiple of what they are"
        return _promise(name, title, "1", lambda scale: {p: scale * v for p, v in mine.items()}, 1.0)
    known = [*KPI_OF_RESOURCE, *PROMISES, *promised]
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

    return Axis(
        resource, kind.name, kind.unit, changes, lambda design, _: float(design.kpis[figure]["value"]), resource
    )


def _promised(scenario: Scenario) -> Mapping[str, float]:
    """Promises of all classes by the path of their study key."""
    promises = {f"workload.{w.id}.{key}": getattr(w, key) for w in scenario.workloads for key in PROMISES.values()}
    return {path: value for path, value in promises.items() if value is not None}


def _promise(name: str, title: str, unit: str, changes: Callable[[float], Changes], value: float) -> Axis:
    return Axis(name, title, unit, changes, lambda _, limit: limit, ends=(value / WIDER, value * WIDER))
