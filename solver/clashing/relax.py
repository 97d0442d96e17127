"""The smallest relaxation of each single limit that gives a study a build, the others kept as they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyomo.environ as pyo

from solver.clashing.limits import FLOOR, RESOURCE, TRIED, Limit, with_values
from solver.clashing.programs import ANY, Answer, Case, amount_of, is_stepped, least, served_share
from solver.design import Record
from solver.highs import INFEASIBLE
from solver.model.data import ModelData
from solver.scenario import Scenario

FAR = 1e3
"""Times what is allowed: room enough where a limit cannot be taken away, because others are shares of it."""
CEILINGS = (2.0, 16.0, 256.0)
"""Times the relaxation's least: where limits bound counts, the least is searched below these."""
AGAIN = 3
"""How often a least is searched again below itself, where other rows are shares of the limit."""
TRIALS = 12
"""Halvings of the range of a limit that is found by trying."""
NEAR = 0.004
"""Relative width of that range at which to stop."""


@dataclasses.dataclass(frozen=True)
class Relaxation:
    """What one limit would have to be.

    Attributes
    ----------
    limit : Limit
    enough_alone : bool or None
        None where time ended before that was known.
    needed : float or None
        Value of the key with which there is a build, rounded to the safe side.
    bound : float or None
        No value tighter than this gives one.
    """

    limit: Limit
    enough_alone: bool | None
    needed: float | None = None
    bound: float | None = None

    @property
    def rules_out_what_is_asked(self) -> bool:
        """True where the bound alone shows that what the study allows is not enough."""
        return self.bound is not None and (self.bound - self.limit.allowed) * self.limit.looser > 0.0

    def record(self) -> Record:
        """Return it as plain data."""
        limit = self.limit
        return {
            "id": limit.id,
            "name": limit.name,
            "unit": limit.unit,
            "allowed": limit.allowed,
            "needed": self.needed,
            "needed_bound": self.bound,
            "enough_alone": self.enough_alone,
        }

    def share(self) -> float:
        """How much of the limit it takes; infinite where none is known."""
        if self.needed is None:
            return math.inf
        return abs(self.needed - self.limit.allowed) / max(abs(self.limit.allowed), 1.0 if self.limit.whole else 1e-12)


def single_relaxations(case: Case, limits: Sequence[Limit]) -> list[Relaxation]:
    """Return the smallest relaxation of each limit, in the order of the limits; what time does not allow is left open.

    Parameters
    ----------
    case : Case
    limits : sequence of Limit
    """
    found = []
    for limit in limits:
        case.clock.report(f"what {limit.id} would have to be", None, None, None)
        found.append(Relaxation(limit, None) if case.clock.stop() else relaxed(case, limit))
    return found


def relaxed(case: Case, limit: Limit) -> Relaxation:
    """Return the smallest relaxation of one limit.

    Parameters
    ----------
    case : Case
    limit : Limit
    """
    if limit.kind == TRIED:
        return _tried(case, limit)
    answer = _least_share(case, limit) if limit.kind == FLOOR else _least_amount(case, limit)
    if not answer.found:
        proven = -answer.bound if limit.kind == FLOOR else answer.bound
        known = float(proven) if np.isfinite(proven) and answer.status != INFEASIBLE else None
        return Relaxation(limit, False if answer.status == INFEASIBLE else None, bound=known)
    value, bound = (-answer.value, -answer.bound) if limit.kind == FLOOR else (answer.value, answer.bound)
    if limit.kind == FLOOR and value <= 0.0:
        return Relaxation(limit, enough_alone=True, needed=0.0, bound=0.0)
    # What needs no more than is allowed takes part in no clash: what is missing is whole replicas or queues.
    needed = limit.rounded(value)
    if limit.looser * (needed - limit.allowed) < 0.0:
        needed = limit.allowed
    return Relaxation(limit, enough_alone=True, needed=needed, bound=bound)


def without(limit: Limit, scenario: Scenario) -> Scenario:
    """Return the scenario without one limit, or with so much of it that it binds nothing.

    Parameters
    ----------
    limit : Limit
    scenario : Scenario
    """
    shared = limit.kind == RESOURCE and scenario.study.build.min_platform_mw_frac is not None
    return with_values(scenario, {limit: FAR * limit.allowed if shared else limit.most})


def _least_amount(case: Case, limit: Limit) -> Answer:
    """The least of what a limit caps."""

    def aim(model: pyo.ConcreteModel, data: ModelData) -> object:
        return amount_of(limit, model, data)

    free = without(limit, case.scenario)
    if limit.kind not in (RESOURCE, "platform", "device") or not is_stepped(case.make(case.scenario)):
        return least(case, free, aim)
    loose = least(case, free, aim, gap=ANY)
    if not loose.found:
        return loose
    lowest = max(loose.bound, limit.allowed * (1.0 + 1e-6), 1.0 if limit.whole else 0.0)
    answer = loose
    for ceiling in (c * lowest for c in CEILINGS if c * lowest < loose.value):
        tighter = least(case, with_values(case.scenario, {limit: ceiling}), aim)
        if tighter.found:
            answer = tighter
            break
    for _ in range(AGAIN):
        again = least(case, with_values(case.scenario, {limit: limit.rounded(answer.value)}), aim)
        if not again.found:
            break
        answer, before = again, answer.value
        if answer.value >= before * (1.0 - 1e-3):
            break
    return dataclasses.replace(answer, bound=answer.bound if np.isfinite(answer.bound) else loose.bound)


def _least_share(case: Case, limit: Limit) -> Answer:
    """The largest floor that can be kept, as a least."""

    def aim(model: pyo.ConcreteModel, data: ModelData) -> object:
        return -served_share(model, data)

    return least(case, with_values(case.scenario, {limit: 0.0}), aim)


def _tried(case: Case, limit: Limit) -> Relaxation:
    """Halve the range between what is allowed and what asks for nothing."""

    def there(value: float) -> bool | None:
        answer = least(case, with_values(case.scenario, {limit: value}), gap=ANY)
        return True if answer.found else False if answer.status == INFEASIBLE else None

    alone = there(limit.most)
    if not alone:
        return Relaxation(limit, alone)
    good, bad = limit.most, limit.allowed
    for _ in range(0 if limit.whole else TRIALS):
        middle = 0.5 * (good + bad)
        if abs(good - bad) <= NEAR * abs(middle) or case.clock.stop():
            break
        good, bad = (middle, bad) if there(middle) else (good, middle)
    return Relaxation(limit, enough_alone=True, needed=limit.rounded(good), bound=bad)


def feasible_with(case: Case, values: Mapping[Limit, float]) -> bool | None:
    """Return whether a study has a build with other values of some limits; None where time ended.

    Parameters
    ----------
    case : Case
    values : mapping of Limit to float
    """
    answer = least(case, with_values(case.scenario, values), gap=ANY)
    return True if answer.found else False if answer.status == INFEASIBLE else None
