"""Polish: inside the gap there are many designs; take the one a buyer can order.

Among all points whose objective is within the allowed loss, the fewest platforms, configurations, pools and
candidates, each counted by a binary.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import pyomo.environ as pyo

from solver.model.data import ModelData

WEIGHTS = {"platform": 40.0, "unit": 15.0, "pool": 4.0, "column": 1.0}
"""What one more kind costs: a platform is a vendor to deal with, a candidate only a line in a deployment."""


def used_data(data: ModelData, columns: set[int], pools: set[str]) -> ModelData:
    """Return the model data cut to some columns and pools.

    Parameters
    ----------
    data : ModelData
    columns : set of int
        Column indices to keep; those that no pool kept could hold go too, since no row would bound them.
    pools : set of str
        Pool ids to keep, besides those the kept columns are bound to.
    """
    kept = tuple(c for c in data.columns if c.index in columns)
    wanted = pools | {c.pool.id for c in kept if c.pool}
    wanted |= _spare_pools(data, wanted)
    stand = {p.family for p in data.pools if p.id in wanted}
    return dataclasses.replace(
        data,
        columns=tuple(c for c in kept if c.family in stand),
        pools=tuple(p for p in data.pools if p.id in wanted),
        housings=tuple(h for h in data.housings if h.pool.id in wanted),
        places=tuple(p for p in data.places if p.pool.id in wanted),
    )


def _spare_pools(data: ModelData, wanted: set[str]) -> set[str]:
    """One pool of each configuration of which spares or what a lot leaves over may lie on the shelf."""
    build = data.scenario.study.build
    shelved = bool(build.spares_days or build.n_plus_one)
    platforms = {
        p.config.platform.id for p in data.pools
        if p.id in wanted and (shelved or p.config.platform.order_multiple > 1 or p.config.platform.order_minimum > 1)
    }  # fmt: skip
    first = {p.config.id: p.id for p in reversed(data.pools) if p.config.platform.id in platforms}
    return set(first.values())


def add_polish(
    model: pyo.ConcreteModel,
    data: ModelData,
    nodes_at_most: dict[str, float],
    replicas_at_most: dict[int, float],
    replicas_at_least: dict[int, float],
) -> None:
    """Add binaries for what is used, and the objective that counts them.

    Parameters
    ----------
    model : ConcreteModel
        Built from `data`; its other objectives must be inactive.
    data : ModelData
    nodes_at_most : dict
        Pool id -> nodes that no sensible design exceeds.
    replicas_at_most : dict
        Column index -> replicas likewise.
    replicas_at_least : dict
        Column index -> replicas below which it is not worth a deployment of its own.
    """
    block, build = model.period[0], data.scenario.study.build
    pools = {p.id: p for p in data.pools}
    platform = {p.config.id: p.config.platform.id for p in data.pools}
    model.use_column = pyo.Var([c.index for c in data.columns], domain=pyo.Binary, doc="candidate is used [0 or 1]")
    model.use_pool = pyo.Var(list(pools), domain=pyo.Binary, doc="pool is used [0 or 1]")
    model.use_unit = pyo.Var(sorted(platform), domain=pyo.Binary, doc="configuration is used [0 or 1]")
    model.use_platform = pyo.Var(sorted(set(platform.values())), domain=pyo.Binary, doc="platform is used [0 or 1]")
    model.run_only_used = pyo.Constraint(
        [c.index for c in data.columns],
        rule=lambda m, j: block.present[j] <= replicas_at_most[j] * m.use_column[j],
        doc="``present_j <= X_j z_j``; the dual has no price, the row only counts",
    )
    model.run_no_slivers = pyo.Constraint(
        [c.index for c in data.columns],
        rule=lambda m, j: block.present[j] >= replicas_at_least[j] * m.use_column[j],
        doc="``present_j >= X_min z_j``; the row only counts",
    )
    model.fill_only_used = pyo.Constraint(
        list(pools),
        rule=lambda m, p: block.nodes[p] <= nodes_at_most[p] * m.use_pool[p],
        doc="``n[pool] <= N z[pool]``; the row only counts",
    )
    model.pool_needs_unit = pyo.Constraint(
        list(pools),
        rule=lambda m, p: m.use_pool[p] <= m.use_unit[pools[p].config.id],
        doc="``z[pool] <= z[unit]``; the row only counts",
    )
    model.unit_needs_platform = pyo.Constraint(
        sorted(platform),
        rule=lambda m, u: m.use_unit[u] <= m.use_platform[platform[u]],
        doc="``z[unit] <= z[platform]``; the row only counts",
    )
    if build.max_candidates_per_class_role is not None:
        by_role = defaultdict(list)
        for column in data.columns:
            by_role[column.candidate.workload, column.candidate.role].append(column.index)
        model.limit_candidates = pyo.Constraint(
            list(by_role),
            rule=lambda m, *key: sum(m.use_column[j] for j in by_role[key]) <= build.max_candidates_per_class_role,
            doc="``sum z_j <= max_candidates_per_class_role`` for a class and role; the row only counts",
        )
    model.kinds = pyo.Objective(
        expr=WEIGHTS["platform"] * pyo.quicksum(model.use_platform.values())
        + WEIGHTS["unit"] * pyo.quicksum(model.use_unit.values())
        + WEIGHTS["pool"] * pyo.quicksum(model.use_pool.values())
        + WEIGHTS["column"] * pyo.quicksum(model.use_column.values()),
        doc="weighted number of kinds",
    )
