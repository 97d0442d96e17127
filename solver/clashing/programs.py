"""The model of a study with some limits moved, asked for the least of something: one compiled program a question."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.common.gc_manager import PauseGC

from solver.clashing.limits import Limit
from solver.highs import INFEASIBLE, STOPPED, Clock, Program, compile_model, solve_lp
from solver.model.build import build_model
from solver.model.data import ModelData
from solver.model.orders import orders_with_rules
from solver.optimise import with_fixed_integers
from solver.restriction import Layout, promising
from solver.scenario import Scenario
from solver.search import minimise
from solver.widths import Queue, behind, narrowed, queue_of, too_wide

FloatArray = NDArray[np.float64]
Aim = Callable[[pyo.ConcreteModel, ModelData], object]
"""Adds what it needs to a model and returns what is to be as small as can be."""
GAP = 0.002
"""Relative distance to the bound at which a least value is good enough."""
ANY = 0.9
"""The same where any point will do."""
ROUNDS = 5
"""How often queues are narrowed before the answer is left open."""
NODE_SHARE = 0.01
"""Share of a node's work that counts as serving something."""
PHYSICS = {
    "memory capacity": ("fit_tier", "fit_kv_cache", "stay_on_own_node", "fit_appliance", "park_on_own_nodes"),
    "memory reads": ("read_tier", "read_over_own_link", "read_on_own_nodes", "read_appliance"),
    "memory writes": ("write_tier", "write_appliance"),
    "memory endurance": ("wear_tier",),
    "network": ("stay_within_fabric", "build_one_fabric"),
    "smallest orders": ("order_enough",),
    "hosts of an appliance": ("attach_hosts",),
}
"""What no key of the study loosens, by name, and the rows that hold it."""


@dataclass(frozen=True)
class Case:
    """A study whose limits may be moved.

    Attributes
    ----------
    scenario : Scenario
        Queues as wide as the study lets them be.
    make : callable
        Columns of a scenario at its widths; they do not depend on limits.
    clock : Clock
        Of the explanation.
    something : bool
        True where nothing must be served and the question is what serving anything takes.
    """

    scenario: Scenario
    make: Callable[[Scenario], ModelData]
    clock: Clock
    something: bool = False


@dataclass(frozen=True)
class Answer:
    """The least of an aim.

    Attributes
    ----------
    status : str
        As of `solver.search.Found`.
    value, bound : float
        Found, and proven for queues of any width; nan where there is none.
    read : callable or None
        Value at the point of an expression, given as a function of the model.
    """

    status: str
    value: float = np.nan
    bound: float = np.nan
    read: Callable[[Callable[[pyo.ConcreteModel], object]], float] | None = None

    @property
    def found(self) -> bool:
        """True where there is a point."""
        return self.read is not None


def nodes(model: pyo.ConcreteModel, _: ModelData) -> object:
    """Return the nodes at work: an aim where any point will do."""
    return pyo.quicksum(model.period[0].housed.values())


def relaxed_point(data: ModelData, *, something: bool, clock: Clock, without: Iterable[str] = ()) -> str:
    """Return the status of the linear relaxation of a study's limits."""
    _, program = program_of(data, nodes, something=something, without=without)
    return solve_lp(program, program.costs[0], float(program.offsets[0]), clock).status


def least(case: Case, scenario: Scenario, aim: Aim = nodes, *, gap: float = GAP, without: Iterable[str] = ()) -> Answer:
    """Return the least of an aim over builds whose queues stand.

    A queue of fewer replicas than share it is narrowed, or filled: the better of both is taken.

    Parameters
    ----------
    case : Case
    scenario : Scenario
        The case's with some limits moved.
    aim : callable
    gap : float
    without : iterable of str
        Names of `PHYSICS` whose rows are left out.
    """
    first, thin = _step(case, scenario, aim, {}, gap, without)
    if not thin:
        return first
    filled, still = _step(case, scenario, aim, thin, gap, without)
    best = filled if filled.found and not still else None
    for rounds in range(ROUNDS):
        if case.clock.stop():
            break
        scenario = narrowed(scenario, thin, rounds)
        answer, thin = _step(case, scenario, aim, {}, gap, without)
        if not answer.found:
            break
        if not thin:
            best = answer if best is None or answer.value < best.value else best
            break
    if best is None:
        return Answer(INFEASIBLE if not case.clock.stopped_by else STOPPED, bound=first.bound)
    return dataclasses.replace(best, bound=min(first.bound, best.value))


def _step(
    case: Case, scenario: Scenario, aim: Aim, fill: dict[Queue, int], gap: float, without: Iterable[str]
) -> tuple[Answer, dict[Queue, int]]:
    """One solve at the widths of a scenario, and the queues that are wider than what stands."""
    data = case.make(scenario)
    model, program = program_of(data, aim, something=case.something, without=without, fill=fill)
    layout = Layout.of(data, model, program)
    cost, offset = program.costs[0], float(program.offsets[0])
    found = minimise(
        program, cost, offset, case.clock, gap=gap, absolute_gap=1e-9, narrow=partial(promising, data, layout)
    )
    if found.values is None:
        return Answer(found.status, bound=found.bound), {}
    values, value = found.values, found.objective
    fixed = with_fixed_integers(program, values)
    settled = solve_lp(fixed, cost, offset, case.clock)
    if settled.values is not None:
        values, value = settled.values, settled.objective
    at = {id(v): k for k, v in enumerate(program.variables)}

    def read(expression: Callable[[pyo.ConcreteModel], object]) -> float:
        for variable in model.component_data_objects(pyo.Var, descend_into=True):
            place = at.get(id(variable))
            variable.set_value(0.0 if place is None else float(values[place]), skip_validation=True)
        return float(pyo.value(expression(model)))

    bound = found.bound if np.isfinite(found.bound) else found.lp_bound
    return Answer(found.status, value, min(bound, value), read), too_wide(data, layout.replicas, values, 0.0)


def program_of(
    data: ModelData,
    aim: Aim,
    *,
    something: bool,
    without: Iterable[str] = (),
    fill: dict[Queue, int] | None = None,
) -> tuple[pyo.ConcreteModel, Program]:
    """Build the model of a study's limits, add an aim, and compile it."""
    with PauseGC():
        model = build_model(data)
        block = model.period[0]
        for rows in (row for name in without for row in PHYSICS[name]):
            component = block.component(rows) or model.component(rows)
            if component is not None:
                component.deactivate()
        if something:
            _serve_something(model, data)
        for queue, width in (fill or {}).items():
            _fill(model, data, queue, width)
        model.aim = pyo.Objective(expr=aim(model, data), sense=pyo.minimize)
        return model, compile_model(model)


def _serve_something(model: pyo.ConcreteModel, data: ModelData) -> None:
    """Ask for a hundredth of what a node can do: an empty build is none."""
    block, best = model.period[0], dict.fromkeys((w.id for w in data.workloads), 0.0)
    size = {p.family: p.config.platform.accelerators for p in data.pools}
    for c in data.columns:
        rate = c.candidate.requests_per_s * size.get(c.family, 1) / c.candidate.charge
        best[c.candidate.workload] = max(best[c.candidate.workload], rate)
    asked = {w.id: w.requests_per_s for w in data.workloads}
    if data.scenario.study.demand.mode == "mix":
        each = 1.0 / sum(asked[w] / max(rate, 1e-12) for w, rate in best.items())
        model.something = pyo.Constraint(expr=block.scale >= NODE_SHARE * each)
        return
    each = min(1.0, max(rate / asked[w] for w, rate in best.items()))
    model.something = pyo.Constraint(
        expr=pyo.quicksum(block.served[w] / asked[w] for w in block.CLASSES) >= NODE_SHARE * each
    )


def _fill(model: pyo.ConcreteModel, data: ModelData, queue: Queue, _: int) -> None:
    """Ask for as many replicas behind a queue as share it."""
    block = model.period[0]
    mine = [c for c in data.columns if queue_of(c.candidate) == queue and c.candidate.router_width > 1]
    width = max(c.candidate.router_width for c in mine)
    name = f"fill {queue[0]} {queue[1]}"
    stand = pyo.quicksum(behind(c.candidate) * block.replicas[c.index] for c in mine)
    model.add_component(name, pyo.Constraint(expr=stand >= width))


def is_stepped(data: ModelData) -> bool:
    """True where rows bound counts by what the limits allow, so that a limit that is moved moves them too."""
    build = data.scenario.study.build
    kinds = build.max_platforms is not None or build.min_platform_mw_frac is not None or build.n_plus_one
    minimums = any(order.minimum > 1 for order in orders_with_rules(data).values())
    return kinds or build.max_device_kinds is not None or minimums


def amount_of(limit: Limit, model: pyo.ConcreteModel, data: ModelData) -> object:
    """Return what a build takes of a limit, in the unit of its key.

    Parameters
    ----------
    limit : Limit
        On a resource, a supply or a number of kinds.
    model : ConcreteModel
    data : ModelData
    """
    block = model.period[0]
    if limit.kind == "resource":
        return block.use[limit.about] * (1.0 / limit.scale)
    if limit.kind == "platform":
        units = {p.config.id for p in data.pools if p.config.platform.id == limit.about}
        return pyo.quicksum(model.bought[u, v] for u in sorted(units) for v in model.PERIODS)
    if limit.kind == "device":
        counts = {p.config.id: dict(p.config.bought).get(limit.about, 0) for p in data.pools}
        taken = pyo.quicksum(n * model.bought[u, v] for u, n in counts.items() if n for v in model.PERIODS)
        return taken + (
            pyo.quicksum(model.loose[limit.about, v] for v in model.PERIODS) if limit.about in model.LOOSE else 0.0
        )
    if limit.kind == "devices":
        return pyo.quicksum(block.device_chosen.values())
    servers = {p.config.platform.id for p in data.pools if p.config.accelerator}
    return pyo.quicksum(block.chosen[p] for p in sorted(servers) if p in block.chosen)


def served_share(model: pyo.ConcreteModel, data: ModelData) -> pyo.Var:
    """Add the share of the demand that every class is served, or the scale of the mix, no more than what is served.

    Parameters
    ----------
    model : ConcreteModel
        Of a study without a floor.
    data : ModelData
    """
    block = model.period[0]
    model.share = pyo.Var(domain=pyo.NonNegativeReals)
    if data.scenario.study.demand.mode == "mix":
        model.share_served = pyo.Constraint(expr=model.share <= block.scale)
    else:
        asked = {w.id: w.requests_per_s for w in data.workloads}
        model.share_served = pyo.Constraint(block.CLASSES, rule=lambda m, w: asked[w] * m.share <= block.served[w])
    return model.share
