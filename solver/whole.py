"""Whole replicas: a build near the polished one in which every replica is whole, and what that costs.

The search counts replicas in parts: a part stands for one that is at work part of the time and lends its accelerators
to other kinds meanwhile. Where the kinds are few and the nodes many that is nothing; where it matters, integers are
decided here on the pools that the polished design uses, over replicas of all sizes (`solver.nearby`): first counts
are only rounded, then they may be further and further away, each search from the best point so far. The proof stays
that of the search; what whole replicas cost is stated apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.compression import solve_small_mip
from solver.design import Record
from solver.highs import OPTIMAL, Clock, Program, solve_lp
from solver.model.data import Column
from solver.nearby import Counts, offered, whole_model
from solver.optimise import Solved, linearised, value_at
from solver.polishing import Polished
from solver.restriction import PRESENT

FloatArray = NDArray[np.float64]
RULE_SHARE = 0.005
"""Accelerators of one replica of each kind, as a share of those occupied, above which whole replicas matter."""
WHOLE_TIME_S = 6.0
"""Seconds for the search over whole replicas."""


class Step(NamedTuple):
    """One search: how far counts may be from those of a design, and its share of the time left.

    Attributes
    ----------
    from_best : bool
        From the best point so far; else from the polished design, with parts of replicas rounded up or down.
    replicas, nodes : float
        How far those of a kind, and of a pool in a rack, may be.
    share : float
    """

    from_best: bool
    replicas: float
    nodes: float
    share: float


STEPS = (
    Step(False, 0.0, 0.0, 0.4),
    Step(False, 1.0, 0.0, 0.4),
    Step(True, 1.0, 1.0, 0.5),
    Step(True, 2.0, 1.0, 0.5),
    Step(True, 4.0, 2.0, 1.0),
)
EVERYWHERE = Step(False, np.inf, np.inf, 0.6)
"""What comes first where few kinds are offered: any counts."""
FEW_KINDS = 150
AFTER = Step(True, 2.0, 1.0, 1.0)
"""How far counts may move once more where some replicas find no room in the nodes."""
WHOLE_GAP = 3e-4
"""Loss below which nothing better is looked for."""


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
    data = offered(solved.data, polished)
    model, program = whole_model(data, solved, polished)
    counts = Counts.of(data, model, program, polished)
    relaxed = solve_lp(program, *linearised(program, solved, polished.value), clock)
    if relaxed.values is None:
        return None
    best = _searched(counts.without_costly(relaxed), counts, polished.value, solved, clock)
    if best is None:
        return None
    near = counts.near(program, best, AFTER.replicas, AFTER.nodes)
    return polished.with_point(data, model, near, best, solved, clock)


def _searched(program: Program, counts: Counts, wanted: float, solved: Solved, clock: Clock) -> FloatArray | None:
    """Best point with whole replicas found in time, in wider and wider surroundings; None where there is none."""
    best: FloatArray | None = None
    value, ends = wanted, clock.elapsed_s + WHOLE_TIME_S
    for step in (EVERYWHERE, *STEPS) if len(counts.kinds) <= FEW_KINDS else STEPS:
        if clock.elapsed_s >= ends or clock.stop():
            break
        near = counts.near(program, best if step.from_best else None, step.replicas, step.nodes)
        cost, offset = linearised(program, solved, value)
        inside = best is not None and bool(np.all((best >= near.lower - 1e-6) & (best <= near.upper + 1e-6)))
        found = solve_small_mip(
            near,
            cost,
            offset,
            clock,
            upper=near.upper,
            gap=WHOLE_GAP,
            start=best if inside else None,
            points_first=True,
            time_limit_s=step.share * (ends - clock.elapsed_s),
        )
        if found.values is not None and (best is None or found.objective < float(cost @ best + offset)):
            best, value = found.values, value_at(program, found.values, solved)
        everything = step is EVERYWHERE and found.status == OPTIMAL
        if everything or (best is not None and solved.objective.sense * (wanted - value) <= WHOLE_GAP * abs(wanted)):
            break
    return best


def whole_record(solved: Solved, polished: Polished, value: float) -> Record:
    """Whether replicas are whole, the share that decides, what it costs, and how many there are of each kind.

    `loss_frac` is null where whole replicas matter and none of them was looked for or found.
    """
    share, block, data = rounding_share(polished), polished.model.period[0], polished.data
    if not hasattr(block, "whole"):
        return {"on": False, "share": share, "loss_frac": None if matters(polished) else 0.0, "replicas": []}
    sense, proven = solved.objective.sense, polished.proven(solved.objective.sense, value)
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
