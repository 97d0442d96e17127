"""What the build is measured against: simpler builds under the same limits, and the best without its chief platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from solver.candidates import MISS, CandidateSet
from solver.design import Design, Record
from solver.highs import OPTIMAL, Clock, solve_lp
from solver.model.data import Column, ModelData, Pool
from solver.optimise import compiled
from solver.performance import ROLES
from solver.scenario import Scenario
from solver.settling import Make, optimise_at_widths

BASELINE_GAP = 0.004
"""Relative gap of these solves: wide enough to be quick, far below the differences they show."""
BASELINE_TIME_S = 20.0
SINGLES_TRIED = 3
"""Single platforms solved as a MILP, best relaxations first."""
ROLE_MIXED = ROLES[2]
Cut = Callable[[ModelData], ModelData]
"""What a comparison leaves of the columns of a study."""


def add_baselines(design: Design, scenario: Scenario, make: Make, clock: Clock) -> Design:
    """Return the design with its baselines and runner-up; the queues of each are as wide as its own replicas allow.

    Parameters
    ----------
    design : Design
        With a build.
    scenario : Scenario
        Of the study.
    make : callable
        All its columns.
    clock : Clock
        Of the solve; each comparison has its own, shorter one.
    """
    if not design.has_build:
        return design
    clock.report("baselines", None, None, None)
    compare = Comparison(scenario, make, clock)
    baselines = [best_single_platform(compare), hbm_only_colocated(compare)]
    value = design.value_in_parts  # comparisons count replicas in parts
    records = [with_gain(record, value, design.objective["sense"]) for record in baselines if record]
    chief = chief_platform(design)
    runner = compare.solved(f"without {chief}", lambda data: subset(data, keep_pool=lambda p: _platform(p) != chief))
    if runner:
        runner = with_gain(runner, value, design.objective["sense"]) | {"without": chief}
    return design.replace(baselines=records, runner_up=runner or {"without": chief, "objective_value": None})


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The study that builds are compared under."""

    scenario: Scenario
    make: Make
    clock: Clock

    def solved(self, name: str, cut: Cut) -> Record | None:
        """Solve what a cut leaves of the study; None where it has no design."""

        def make(scenario: Scenario) -> tuple[ModelData, CandidateSet]:
            data, candidates = self.make(scenario)
            return cut(data), candidates

        if cut(self.make(self.scenario)[0]).missing_roles:
            return None
        inner = Clock(min(BASELINE_TIME_S, self.clock.left_s), self.clock.threads, None, self.clock.should_stop)
        solved = optimise_at_widths(self.scenario, make, inner)
        if solved is None or solved.found.values is None:
            return None
        unit = solved.objective.per_unit(self.scenario)
        sign = -1.0 if solved.objective.sense > 0 else 1.0
        return {
            "name": name,
            "objective_value": solved.value * unit,
            "bound": solved.bound * unit,
            "gap": abs(solved.bound - solved.value) / max(abs(solved.value), 1e-12),
            "platforms": [],
            "cost": sign * solved.value,
        }


def chief_platform(design: Design) -> str:
    """Platform with the most watts at the meter."""
    watts: dict[str, float] = {}
    for pool in design.pools:
        watts[pool["platform"]] = watts.get(pool["platform"], 0.0) + pool["meter_w"]
    return max(watts, key=lambda platform: watts[platform])


def best_single_platform(compare: Comparison) -> Record | None:
    """Best build from one kind of accelerator platform, roles apart or together and caps as it likes.

    Storage servers may stand beside it; relaxations are ranked first, the best few are solved.
    """
    data, _ = compare.make(compare.scenario)
    platforms = sorted({p.config.platform.id for p in data.pools if p.config.accelerator})
    ranked: list[tuple[float, str]] = []
    for platform in platforms:
        part = _single(data, platform)
        if not part.missing_roles:
            _, program, _ = compiled(part)
            relaxed = solve_lp(program, program.costs[0], float(program.offsets[0]), compare.clock)
            if relaxed.status == OPTIMAL:
                ranked.append((relaxed.objective, platform))
    best: Record | None = None
    for bound, platform in sorted(ranked)[:SINGLES_TRIED]:
        if best and bound >= best["cost"]:
            break
        record = compare.solved(f"only {platform}", partial(_single, platform=platform))
        if record and (best is None or record["cost"] < best["cost"]):
            best = record | {"platforms": [platform]}
    return best


def hbm_only_colocated(compare: Comparison) -> Record | None:
    """Best build of mixed replicas without caches below HBM and without power caps, on any platforms."""

    def plain(column: Column) -> bool:
        c = column.candidate
        return c.role == ROLE_MIXED and c.cache == MISS and c.spill_bytes == 0 and c.power_cap == 1.0

    cut = partial(subset, keep_column=plain, keep_pool=lambda pool: pool.cap == 1.0 and pool.config.as_sold)
    return compare.solved("HBM only, prefill and decode together, no caps", cut)


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
    return subset(data, keep_pool=lambda pool: _platform(pool) == platform or pool.config.accelerator is None)


def _platform(pool: Pool) -> str:
    return pool.config.platform.id


def with_gain(record: Record, value: float, sense: str) -> Record:
    """Add how much better the design is: a share of the comparison's value."""
    other = record["objective_value"]
    gain = (value - other) / max(abs(other), 1e-12) * (1.0 if sense == "max" else -1.0)
    return {k: v for k, v in record.items() if k != "cost"} | {"gain_frac": gain}
