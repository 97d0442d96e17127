"""Whole replicas: a build near the polished one in which every replica is whole, and what that costs.

The search counts replicas in parts: a part stands for one that is at work part of the time and lends its accelerators
to other kinds meanwhile. Where the kinds are few and the nodes many that is nothing; where it matters, integers are
decided here over the parts that the polished design uses, smaller replicas beside them, and counts near theirs. The
proof stays that of the search; what whole replicas cost is stated apart.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.design import Record
from solver.highs import Clock, Program, solve_mip
from solver.model.data import Column, ModelData
from solver.model.polish import used_data
from solver.optimise import Solved, linearised
from solver.polishing import Polished, small_model

FloatArray = NDArray[np.float64]
PRESENT = 1e-9
"""Replicas below this are not there."""
RULE_SHARE = 0.005
"""Accelerators of one replica of each kind, as a share of those occupied, above which whole replicas matter."""
WHOLE_TIME_S = 5.0
"""Seconds for the search over whole replicas."""
NODES_AWAY, REPLICAS_AWAY, FILLERS = 2.0, 2.0, 8.0
"""How far nodes and replicas of a kind may be from the polished design, and how many of a new kind there may be."""
SMALLER = 1
"""Smaller replicas offered beside those in use, for each class, role, source of hits and pool."""
WHOLE_GAP = 2e-4


def rounding_share(polished: Polished) -> float:
    """Accelerators of one replica of every kind in use, as a share of the accelerators occupied."""
    block = polished.model.period[0]
    used = {k: amount for k in block.KINDS if (amount := float(pyo.value(block.occupied[k]))) > 1e-6}
    one_each = sum(polished.data.kinds[k][0].candidate.charge for k in used)
    return one_each / max(sum(used.values()), 1e-9)


def matters(polished: Polished) -> bool:
    """True where the study leaves it open and one replica of every kind weighs more than `RULE_SHARE`."""
    open_question = polished.data.scenario.study.build.whole_replicas == "auto"
    return open_question and not polished.data.whole and rounding_share(polished) > RULE_SHARE


def made_whole(polished: Polished, solved: Solved, clock: Clock) -> Polished | None:
    """Return the best design of whole replicas that is found near a polished one; None where none is.

    Parameters
    ----------
    polished : Polished
    solved : Solved
        With all columns of the study.
    clock : Clock
    """
    clock.report("whole replicas", None, None, None)
    used = {c.index for c in polished.data.columns}
    pools = {p.id for p in polished.data.pools}
    cut = used_data(solved.data, used | _smaller(solved.data, polished), pools)
    data = dataclasses.replace(cut, whole=True, pue_of_family=polished.data.pue_of_family)
    model, program = small_model(data, solved)
    program = _near(program, model, polished)
    cost, offset = linearised(program, solved, polished.value)
    found = solve_mip(
        program, cost, offset, clock, upper=program.upper, gap=WHOLE_GAP, time_limit_s=WHOLE_TIME_S
    )  # fmt: skip
    if found.values is None:
        return None
    return polished.with_point(data, model, program, found.values, solved, clock)


def whole_record(solved: Solved, polished: Polished, value: float) -> Record:
    """Whether replicas are whole, the share that decides, what it costs, and how many there are of each kind.

    `loss_frac` is null where whole replicas matter and none of them was looked for or found.
    """
    share, block, data = rounding_share(polished), polished.model.period[0], polished.data
    if not hasattr(block, "whole"):
        return {"on": False, "share": share, "loss_frac": None if matters(polished) else 0.0, "replicas": []}
    sense, proven = solved.objective.sense, polished.proven(solved.objective.sense)
    loss = sense * (1.0 - value / proven) if polished.in_parts is not None and proven else 0.0
    records = []
    for kind, columns in data.kinds.items():
        mine = [c for c in columns if float(pyo.value(block.present[c.index], exception=False) or 0.0) > PRESENT]
        if mine:
            count = round(float(pyo.value(block.there[kind], exception=False) or 0.0))
            amount = count * mine[0].candidate.charge
            records.append(
                {"replicas": count, "accelerators": amount, "load_ids": [name for c in mine for name in load_ids(c)]}
            )
    return {"on": True, "share": share, "loss_frac": max(0.0, loss), "replicas": records}


def load_ids(column: Column) -> list[str]:
    """Ids of the load entries of a column: one, or one for each half of a pair."""
    halves = column.candidate.halves
    return [f"{column.id}:{half.candidate.role}" for half in halves] if halves else [column.id]


def _smaller(data: ModelData, polished: Polished) -> set[int]:
    """Columns of smaller replicas, by size the best of each class, role, source of hits and pool in use."""
    pools, families = {p.id for p in polished.data.pools}, {p.family for p in polished.data.pools}
    groups: dict[tuple[object, ...], dict[float, tuple[float, int]]] = defaultdict(dict)
    for c in data.columns:
        k = c.candidate
        if c.pool.id in pools if c.pool else c.family in families:
            where = c.pool.id if c.pool else c.family
            best = groups[k.workload, k.role, k.cache, k.tier, where]
            best[k.charge] = min(best.get(k.charge, (np.inf, -1)), (k.charge / k.requests_per_s, c.index))
    return {best[charge][1] for best in groups.values() for charge in sorted(best)[:SMALLER]}


def _near(program: Program, model: pyo.ConcreteModel, polished: Polished) -> Program:
    """The program with counts of nodes and replicas near those of a polished design."""
    old, block = polished.model.period[0], model.period[0]
    at = {id(variable): k for k, variable in enumerate(program.variables)}
    lower, upper = program.lower.copy(), program.upper.copy()
    for h, variable in block.housed.items():
        n = float(pyo.value(old.housed[h], exception=False) or 0.0) if h in old.housed else 0.0
        lower[at[id(variable)]] = max(0.0, np.round(n) - NODES_AWAY)
        upper[at[id(variable)]] = np.round(n) + NODES_AWAY
    for kind, variable in block.whole.items():
        n = float(pyo.value(old.there[kind], exception=False) or 0.0) if kind in old.there else 0.0
        if id(variable) in at:
            lower[at[id(variable)]] = max(0.0, np.floor(n) - REPLICAS_AWAY)
            upper[at[id(variable)]] = max(np.ceil(n) + REPLICAS_AWAY, FILLERS)
    return dataclasses.replace(program, lower=lower, upper=upper)
