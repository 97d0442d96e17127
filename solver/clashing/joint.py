"""The cheapest joint relaxation: one slack for each named limit, weighted by its share of the limit (elastic model)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyomo.environ as pyo

from solver.clashing.limits import FLOOR, RESOURCE, TRIED, Limit, with_values
from solver.clashing.programs import Case, amount_of, is_stepped, least, served_share
from solver.clashing.relax import FAR, Relaxation
from solver.model.data import ModelData
from solver.scenario import Scenario

ELASTIC = 1e-6
"""Share of a limit below which it is left as it is."""
CHEAP = 0.01
"""Relative distance to the bound at which the sum of the shares is low enough."""
ROOM = 8.0
"""Times what is allowed, beyond which no limit is moved where limits bound counts."""


def joint_relaxation(
    case: Case, limits: Sequence[Limit], singles: Sequence[Relaxation]
) -> tuple[list[Relaxation], float]:
    """Return what limits would have to be moved together, and the sum of the shares; empty where time ended.

    Of all changes that give the study a build, the one whose shares of the limits add up to the least. A limit whose
    relaxation is found by trying stays as it is.

    Parameters
    ----------
    case : Case
    limits : sequence of Limit
    singles : sequence of Relaxation
        Whose shares bound the sum.
    """
    moved = [limit for limit in limits if limit.kind != TRIED]
    known = min((single.share() for single in singles if single.limit.kind != TRIED), default=float("inf"))
    stepped = is_stepped(case.make(case.scenario))
    room = 1.0 + (known if known < ROOM else ROOM)
    scenario = _with_room(case.scenario, moved, room if stepped else None)

    def aim(model: pyo.ConcreteModel, data: ModelData) -> object:
        return _slack(model, data, moved)

    answer = least(case, scenario, aim, gap=CHEAP)
    if answer.read is None:
        return [], float("nan")
    found = []
    for k, limit in enumerate(moved):
        slack = answer.read(partial(_slack_of, place=k))
        if slack > ELASTIC:
            moved_by = slack * (1.0 if limit.whole else limit.allowed)
            needed = limit.rounded(limit.allowed + limit.looser * moved_by)
            found.append(Relaxation(limit, enough_alone=None, needed=max(0.0, needed)))
    return found, answer.value


def _slack_of(model: pyo.ConcreteModel, place: int) -> object:
    return model.slack[place]


def _with_room(scenario: Scenario, limits: Sequence[Limit], room: float | None) -> Scenario:
    """The scenario in which slacks take the place of limits."""
    far = scenario.study.build.min_platform_mw_frac is not None
    values = {}
    for limit in limits:
        bounded = (
            limit.kind != FLOOR
            and limit.most == float("inf")
            and (room is not None or (far and limit.kind == RESOURCE))
        )
        values[limit] = max(limit.allowed, float(limit.whole)) * (room or FAR) + limit.whole if bounded else limit.most
    return with_values(scenario, values)


def _slack(model: pyo.ConcreteModel, data: ModelData, limits: Sequence[Limit]) -> object:
    """Add ``use <= allowed (1 + slack)`` for every limit and return the sum of the slacks; counts move by pieces."""
    places = range(len(limits))
    model.slack = pyo.Var(
        places,
        domain={k: pyo.NonNegativeIntegers if limits[k].whole else pyo.NonNegativeReals for k in places},
        bounds={k: (0.0, 1.0 if limits[k].kind == FLOOR else None) for k in places},
    )
    share = served_share(model, data) if any(limit.kind == FLOOR for limit in limits) else 0.0

    def kept(m: pyo.ConcreteModel, k: int) -> object:
        limit = limits[k]
        if limit.kind == FLOOR:
            return share >= limit.allowed * (1.0 - m.slack[k])
        if limit.whole:
            return amount_of(limit, m, data) <= limit.allowed + m.slack[k]
        used: Any = amount_of(limit, m, data)
        return used * (1.0 / limit.allowed) <= 1.0 + m.slack[k]

    model.elastic = pyo.Constraint(places, rule=kept)
    return pyo.quicksum(
        model.slack[k] * (1.0 / max(limits[k].allowed, 1.0) if limits[k].whole else 1.0) for k in places
    )
