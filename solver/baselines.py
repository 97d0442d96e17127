"""What the build is measured against: simpler builds under the same limits, and the best without its chief platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from solver.candidates import MISS
from solver.design import Design, Record
from solver.highs import OPTIMAL, Clock, solve_lp
from solver.model.data import Column, ModelData, Pool
from solver.optimise import Solved, compiled, optimise
from solver.performance import ROLES

BASELINE_GAP = 0.004
"""Relative gap of these solves: wide enough to be quick, far below the differences they show."""
BASELINE_TIME_S = 20.0
SINGLES_TRIED = 3
"""Single platforms solved as a MILP, best relaxations first."""
ROLE_MIXED = ROLES[2]


def add_baselines(design: Design, data: ModelData, clock: Clock) -> Design:
    """Return the design with its baselines and runner-up.

    Parameters
    ----------
    design : Design
        With a build.
    data : ModelData
        All columns of the study.
    clock : Clock
        Of the solve; each comparison has its own, shorter one.
    """
    if not design.has_build:
        return design
    clock.report("baselines", None, None, None)
    baselines = [best_single_platform(data, clock), hbm_only_colocated(data, clock)]
    value = design.value_in_parts  # comparisons count replicas in parts
    records = [with_gain(record, value, design.objective["sense"]) for record in baselines if record]
    chief = chief_platform(design)
    without = subset(data, keep_pool=lambda pool: pool.config.platform.id != chief)
    runner = _solved_record(f"without {chief}", without, clock)
    if runner:
        runner = with_gain(runner, value, design.objective["sense"]) | {"without": chief}
    return design.replace(baselines=records, runner_up=runner or {"without": chief, "objective_value": None})


def chief_platform(design: Design) -> str:
    """Platform with the most watts at the meter."""
    watts: dict[str, float] = {}
    for pool in design.pools:
        watts[pool["platform"]] = watts.get(pool["platform"], 0.0) + pool["meter_w"]
    return max(watts, key=lambda platform: watts[platform])


def best_single_platform(data: ModelData, clock: Clock) -> Record | None:
    """Best build from one kind of accelerator platform, roles apart or together and caps as it likes.

    Storage servers may stand beside it; relaxations are ranked first, the best few are solved.
    """
    platforms = sorted({p.config.platform.id for p in data.pools if p.config.accelerator})
    ranked: list[tuple[float, str]] = []
    for platform in platforms:
        part = _single(data, platform)
        if not part.missing_roles:
            _, program, _ = compiled(part)
            relaxed = solve_lp(program, program.costs[0], float(program.offsets[0]), clock)
            if relaxed.status == OPTIMAL:
                ranked.append((relaxed.objective, platform))
    best: Record | None = None
    for bound, platform in sorted(ranked)[:SINGLES_TRIED]:
        if best and bound >= best["cost"]:
            break
        record = _solved_record(f"only {platform}", _single(data, platform), clock)
        if record and (best is None or record["cost"] < best["cost"]):
            best = record | {"platforms": [platform]}
    return best


def hbm_only_colocated(data: ModelData, clock: Clock) -> Record | None:
    """Best build of mixed replicas without caches below HBM and without power caps, on any platforms."""

    def plain(column: Column) -> bool:
        c = column.candidate
        return c.role == ROLE_MIXED and c.cache == MISS and c.spill_bytes == 0 and c.power_cap == 1.0

    part = subset(data, keep_column=plain, keep_pool=lambda pool: pool.cap == 1.0 and pool.config.as_sold)
    return _solved_record("HBM only, prefill and decode together, no caps", part, clock)


def subset(
    data: ModelData,
    keep_column: Callable[[Column], bool] = lambda _: True,
    keep_pool: Callable[[Pool], bool] = lambda _: True,
) -> ModelData:
    """Return the model data with only some columns and pools; columns go with the last of their pools."""
    pools = tuple(p for p in data.pools if keep_pool(p))
    ids, families = {p.id for p in pools}, {p.family for p in pools}
    tiers = {stock.tier for p in pools for stock in p.config.tiers if stock.pooled}
    columns = tuple(
        c
        for c in data.columns
        if keep_column(c)
        and c.family in families
        and (c.pool is None or c.pool.id in ids)
        and (c.pool is not None or not c.candidate.tier or c.candidate.tier in tiers)
    )
    study = data.scenario.study.with_changes({"solver.gap": max(BASELINE_GAP, data.scenario.study.solver.gap)})
    return dataclasses.replace(
        data,
        scenario=dataclasses.replace(data.scenario, study=study),
        pools=pools,
        columns=columns,
        housings=tuple(h for h in data.housings if h.pool.id in ids),
        places=tuple(p for p in data.places if p.pool.id in ids),
    )


def _single(data: ModelData, platform: str) -> ModelData:
    return subset(data, keep_pool=lambda pool: pool.config.platform.id == platform or pool.config.accelerator is None)


def _solved_record(name: str, data: ModelData, clock: Clock) -> Record | None:
    """Solve a comparison; None where it has no design."""
    if data.missing_roles:
        return None
    inner = Clock(min(BASELINE_TIME_S, clock.left_s), clock.threads, None, clock.should_stop)
    solved: Solved = optimise(data, inner)
    if solved.found.values is None:
        return None
    unit = solved.objective.per_unit(data.scenario)
    sign = -1.0 if solved.objective.sense > 0 else 1.0
    return {
        "name": name,
        "objective_value": solved.value * unit,
        "bound": solved.bound * unit,
        "gap": abs(solved.bound - solved.value) / max(abs(solved.value), 1e-12),
        "platforms": [],
        "cost": sign * solved.value,
    }


def with_gain(record: Record, value: float, sense: str) -> Record:
    """Add how much better the design is: a share of the comparison's value."""
    other = record["objective_value"]
    gain = (value - other) / max(abs(other), 1e-12) * (1.0 if sense == "max" else -1.0)
    return {k: v for k, v in record.items() if k != "cost"} | {"gain_frac": gain}
