"""From an optimal point to a design that can be ordered, without leaving the gap."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from solver.errors import InputError, Problem
from solver.fewest import SLIVER_SHARE, FewestKinds, load_values, point_of, used_parts
from solver.highs import GRACE_S, Clock, Program, compile_model, solve_lp, solve_mip
from solver.model.build import build_model
from solver.model.data import ModelData
from solver.model.polish import used_data
from solver.optimise import Solved, add_objective, linearised, value_at, with_fixed_integers
from solver.reducing import Reducer
from solver.widths import stand

FloatArray = NDArray[np.float64]
SETTLE_TIME_S = 1.5
WHOLE_SETTLE_TIME_S = 4.0
"""The same where replicas are whole and some found no room: few counts can move, and the point is lost."""
SETTLE_GAP = 1e-4
ALTERNATIVES = 1
"""Columns offered to the polish per class, role, source of hits and pool, beside those in use."""


@dataclass(frozen=True)
class Polished:
    """A small model whose variables carry the final design.

    Attributes
    ----------
    data : ModelData
        Only what the design may use.
    model : ConcreteModel
        Variables set to the design.
    value : float
        Objective in model units.
    kinds_before, kinds_after : dict
        Platforms, configurations, pools and candidates used, for the report.
    free, fixed : Program
        The model, and the same with the integers of the design: only its continuous part is free.
    in_parts : float or None
        Of a design of whole replicas, the objective of the polished one whose replicas are counted in parts.
    """

    data: ModelData
    model: pyo.ConcreteModel
    value: float
    kinds_before: dict[str, int]
    kinds_after: dict[str, int]
    free: Program
    fixed: Program
    in_parts: float | None = None

    def proven(self, sense: int, value: float | None = None) -> float:
        """Objective that stands against the bound: the better of replicas in parts and whole ones, worth `value`."""
        mine = self.value if value is None else value
        return mine if self.in_parts is None else max(mine, self.in_parts, key=lambda v: sense * v)

    def with_point(
        self,
        data: ModelData,
        model: pyo.ConcreteModel,
        program: Program,
        values: FloatArray,
        solved: Solved,
        clock: Clock,
    ) -> Polished | None:
        """Return the design of whole replicas at a point of another model; None where its continuous part has none."""
        fixed = with_fixed_integers(program, values)
        cost, offset = linearised(fixed, solved, self.value)
        best = solve_lp(fixed, cost, offset, clock)
        if best.values is None:
            return None
        load_values(fixed, best.values)
        kinds = _kinds(data, *used_parts(model, data))
        value = value_at(fixed, best.values, solved)
        return Polished(data, model, value, self.kinds_before, kinds, program, fixed, in_parts=self.value)


def with_gaps(polished: Polished, solved: Solved, gaps: dict[str, float], clock: Clock) -> Polished:
    """Return the design with the same parts and some accelerators left idle.

    Rows sum over nodes, so a full family of pools can hold more whole replicas than its nodes have room for; what
    found no room is taken off the row and the rest is decided again, with more nodes where the demand asks for it.

    Parameters
    ----------
    polished : Polished
    solved : Solved
    gaps : dict
        ``platform@cap`` -> accelerators that stay idle, on top of those of earlier calls.
    clock : Clock
    """
    block, fixed = polished.model.period[0], polished.fixed
    wanted = {
        id(block.fit_accelerators[family]): gaps.get(f"{family[0]}@{family[1]:g}", 0.0)
        for family in block.fit_accelerators
    }
    idle = np.asarray([wanted.get(id(row.constraint), 0.0) for row in fixed.rows])
    fixed = dataclasses.replace(fixed, row_upper=fixed.row_upper - idle)
    free = dataclasses.replace(polished.free, row_upper=fixed.row_upper)
    cost, offset = linearised(fixed, solved, polished.value)
    best = solve_lp(fixed, cost, offset, clock)
    if best.values is None:
        whole = polished.in_parts is not None
        found = solve_mip(
            free, cost, offset, clock, upper=free.upper, gap=1e-5, points_first=whole,
            time_limit_s=WHOLE_SETTLE_TIME_S if whole else SETTLE_TIME_S,
        )  # fmt: skip
        if found.values is None:
            return polished
        fixed = with_fixed_integers(free, found.values)
        best = solve_lp(fixed, cost, offset, clock)
        if best.values is None:
            return polished
    load_values(fixed, best.values)
    columns, pools = used_parts(polished.model, polished.data)
    return dataclasses.replace(
        polished,
        value=value_at(fixed, best.values, solved),
        kinds_after=_kinds(polished.data, columns, pools),
        free=free,
        fixed=fixed,
    )


def polish(solved: Solved, clock: Clock) -> Polished:
    """Take the fewest kinds within the gap, fix the integers, re-solve the LP, and drop slivers.

    Parameters
    ----------
    solved : Solved
        With a point.
    clock : Clock
    """
    assert solved.found.values is not None
    clock.report("polish", None, None, None)
    load_values(solved.program, solved.found.values)
    columns, pools = used_parts(solved.model, solved.data)
    before = _kinds(solved.data, columns, pools)
    start = point_of(solved.program)
    data = used_data(solved.data, _offered(solved.data, set(columns), set(pools)), set(pools))
    model, program = small_model(data, solved)
    target, certain = _reduce(model, program, data, solved, start, clock)
    columns, pools = used_parts(model, data)
    start = point_of(program)
    data = used_data(data, set(columns), set(pools))
    if not certain:
        chosen = FewestKinds(data, solved, columns, pools, start, clock).search(target)
        if chosen is not None:
            columns, pools, start = chosen
            data = used_data(data, set(columns), set(pools))
    return settle(data, solved, target, start, clock, before)


def small_model(data: ModelData, solved: Solved) -> tuple[pyo.ConcreteModel, Program]:
    """The model of a cut of the data, compiled."""
    model = build_model(data)
    add_objective(model, data, solved.objective)
    return model, compile_model(model)


def _reduce(
    model: pyo.ConcreteModel, program: Program, data: ModelData, solved: Solved, start: dict[str, float], clock: Clock
) -> tuple[float, bool]:
    """Take out candidates beyond the study's limit, then kinds that the target can do without; load the point left.

    Returns
    -------
    float, bool
        The target, lower where the limit on candidates costs more than the gap; True where the relaxation proves
        of every kind left that the target needs it.
    """
    target = worst_allowed(solved)
    values = np.asarray([start.get(v.name, 0.0) for v in program.variables])
    limit, upper = data.scenario.study.build.max_candidates_per_class_role, None
    if limit is not None:
        limiter = _reducer(model, program, data, solved, target, values, _with_grace(clock), upper)
        if not limiter.limit_columns(limit):
            raise _too_few_candidates(data)
        values, upper = limiter.values, limiter.upper
        value = value_at(program, values, solved)
        sense = solved.objective.sense
        target = min(target, value - 1e-6 * abs(value) * sense, key=lambda v: v * sense)
    reducer = _reducer(model, program, data, solved, target, values, clock, upper)
    if not clock.stopped_by:
        reducer.drop_kinds()
        reducer.drop_columns()
    load_values(program, reducer.values)
    return target, reducer.certain


def _with_grace(clock: Clock) -> Clock:
    """A clock that leaves time to keep the limit on candidates even where the search took all there was."""
    ends = max(clock.time_limit_s, clock.elapsed_s + GRACE_S)
    return dataclasses.replace(clock, time_limit_s=ends, stopped_by="")


def _reducer(
    model: pyo.ConcreteModel,
    program: Program,
    data: ModelData,
    solved: Solved,
    target: float,
    values: FloatArray,
    clock: Clock,
    upper: FloatArray | None,
) -> Reducer:
    """A reducer of the costs and the cut that a target means."""
    cost, offset = linearised(program, solved, target)
    cut = 0.0 if solved.is_ratio else -solved.objective.sense * target
    return Reducer(data, model, program, cost, offset, cut + 1e-9 * abs(target), values, clock, upper)


def _too_few_candidates(data: ModelData) -> InputError:
    """What to say where no design has so few candidates."""
    study = data.scenario.study
    return InputError([
        Problem(
            study.name, "", "build.max_candidates_per_class_role", str(study.build.max_candidates_per_class_role),
            "no design with so few candidates was found", "a larger number, or leave it out",
        )
    ])  # fmt: skip


def _offered(data: ModelData, columns: set[int], pools: set[str]) -> set[int]:
    """Columns in use, and those on the pools in use that could take over from them."""
    families = {p.family for p in data.pools if p.id in pools}
    ranked: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
    for c in data.columns:
        here = c.pool.id in pools if c.pool else c.family in families
        if here:
            k = c.candidate
            where = c.pool.id if c.pool else f"{k.platform_id}@{k.power_cap}"
            ranked[k.workload, k.role, k.cache, k.tier, where].append((k.charge / k.requests_per_s, c.index))
    return columns | {index for group in ranked.values() for _, index in sorted(group)[:ALTERNATIVES]}


def _kinds(data: ModelData, columns: dict[int, float], pools: dict[str, float]) -> dict[str, int]:
    used = [p for p in data.pools if p.id in pools]
    return {
        "platforms": len({p.config.platform.id for p in used}),
        "configurations": len({p.config.id for p in used}),
        "pools": len(used),
        "candidates": len(columns),
    }


def worst_allowed(solved: Solved) -> float:
    """Worst objective (model units) that still lies within the study's gap, or what we hold if that is worse."""
    sense, bound = solved.objective.sense, solved.bound
    gap = solved.data.scenario.study.solver.gap
    allowed = bound / (1.0 + gap) if sense * bound > 0 else bound / (1.0 - gap)
    return _worse(min(solved.value, allowed, key=lambda value: sense * value), 1e-9, sense)


def _worse(value: float, share: float, sense: int) -> float:
    """A value that is worse by a share of its size; a profit may be negative."""
    return value - sense * share * abs(value)


def settle(
    data: ModelData,
    solved: Solved,
    target: float,
    start: dict[str, float],
    clock: Clock,
    before: dict[str, int],
    *,
    gap: float = SETTLE_GAP,
    time_limit_s: float = SETTLE_TIME_S,
    enough: float | None = None,
    like: Polished | None = None,
    spare: float = 0.0,
) -> Polished:
    """Best point over the chosen kinds: MILP over counts, integers fixed, LP, slivers dropped while the value holds.

    Queues with too few replicas for their width are filled or emptied where the target allows it.

    Parameters
    ----------
    data : ModelData
        What may be used.
    solved : Solved
        For its objective.
    target : float
        Objective (model units) that slivers and thin queues may cost; what a ratio is linearised at.
    start : dict
        Values of a feasible point by name of variable.
    clock : Clock
    before : dict
        Kinds before the polish.
    gap, time_limit_s : float
        When the search over counts may stop.
    enough : float, optional
        Objective (model units) at which any counts will do; of no use to a ratio.
    like : Polished, optional
        In place of a start: a design of much the same kinds, whose counts may do here too.
    spare : float
        Objective (model units) that slivers and thin queues may cost where the point is short of the target.

    Raises
    ------
    RuntimeError
        If neither the search nor the start gives a point.
    """
    model, program = small_model(data, solved)
    cost, offset = linearised(program, solved, target)
    held = np.asarray([start.get(v.name, 0.0) for v in program.variables])
    begin = held if start else None
    if like is not None:
        begin = solve_lp(_with_counts(program, like), cost, offset, clock).values
        held = held if begin is None else begin
    outcome = solve_mip(
        program,
        cost,
        offset,
        clock,
        upper=program.upper,
        gap=gap,
        time_limit_s=time_limit_s,
        start=begin,
        target=-np.inf if enough is None or solved.is_ratio else -solved.objective.sense * enough,
    )
    fixed = with_fixed_integers(program, held if outcome.values is None else outcome.values)
    best = solve_lp(fixed, cost, offset, clock)
    if best.values is None:
        raise RuntimeError("the LP with the integers of a feasible point has no point")
    values = best.values
    short = value_at(program, values, solved) - solved.objective.sense * spare
    target = min(target, short, key=lambda value: solved.objective.sense * value) if spare else target
    values, upper = _drop_slivers(model, data, fixed, cost, offset, values, solved, target, clock)
    fixed = dataclasses.replace(fixed, upper=upper)

    def good_enough(point: FloatArray) -> bool:
        return solved.objective.sense * (value_at(program, point, solved) - target) >= 0

    standing = stand(fixed, data, _positions(model, data, program), cost, offset, values, good_enough, clock)
    if standing is not None:
        fixed, values = standing
    load_values(program, values)
    columns, pools = used_parts(model, data)
    value = value_at(program, values, solved)
    return Polished(data, model, value, before, _kinds(data, columns, pools), program, fixed)


def _with_counts(program: Program, like: Polished) -> Program:
    """The program with its integers fixed at those of the same names in another design, zero where it has none."""
    theirs = zip(like.free.variables, like.free.integer, strict=True)
    counts = {v.name: float(v.value or 0.0) for v, whole in theirs if whole}
    mine = zip(program.variables, program.integer, strict=True)
    values = np.asarray([counts.get(v.name, 0.0) if whole else 0.0 for v, whole in mine])
    return with_fixed_integers(program, np.clip(values, program.lower, program.upper))


def _positions(model: pyo.ConcreteModel, data: ModelData, program: Program) -> dict[int, int]:
    """Column index -> position of its replicas in the program."""
    position = {id(v): k for k, v in enumerate(program.variables)}
    block = model.period[0]
    return {c.index: position[id(block.replicas[c.index])] for c in data.columns}


def _drop_slivers(
    model: pyo.ConcreteModel,
    data: ModelData,
    program: Program,
    cost: FloatArray,
    offset: float,
    values: FloatArray,
    solved: Solved,
    target: float,
    clock: Clock,
) -> tuple[FloatArray, FloatArray]:
    """Take out columns that carry next to nothing, smallest first, while the objective stays within the gap."""
    at = {index: [place] for index, place in _positions(model, data, program).items()}
    rate = {c.index: c.candidate.requests_per_s * values[at[c.index][0]] for c in data.columns}
    position = {id(v): k for k, v in enumerate(program.variables)}
    for index in model.period[0].KEEPING:
        at[index].append(position[id(model.period[0].idle[index])])
    carried: dict[tuple[str, str], float] = defaultdict(float)
    for c in data.columns:
        carried[c.candidate.workload, c.candidate.role] += rate[c.index]
    shares = {
        c.index: rate[c.index] / max(carried[c.candidate.workload, c.candidate.role], 1e-30) for c in data.columns
    }
    upper = program.upper.copy()
    for index in (
        ()
        if clock.stopped_by
        else sorted((i for i, share in shares.items() if share < SLIVER_SHARE), key=lambda i: shares[i])
    ):
        before = upper[at[index]].copy()
        upper[at[index]] = 0.0
        if not values[at[index]].any():
            continue  # the point does without it already
        without = solve_lp(program, cost, offset, clock, upper=upper)
        if without.values is None or solved.objective.sense * (value_at(program, without.values, solved) - target) < 0:
            upper[at[index]] = before
        else:
            values = without.values
    return values, upper
