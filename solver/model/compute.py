"""Compute: replicas that stand, those at work, and the accelerators they occupy.

A replica that loads hits from its own node may stand for the memory beside it and work below its rated load: requests
are shared out evenly, so that each waits less than at the load its promises were made for. It counts as one that works
at rated load part of the time, in watts too. All other replicas work at their rated load, since one without memory of
its own would be worth nothing idle.
"""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import Column, Family, ModelData

PREFILLS = ("prefill", "mixed", "pair")
DECODES = ("decode", "mixed", "pair")


def add_compute(block: pyo.Block, data: ModelData) -> None:
    """Add replicas that stand and that work, the demand for prefill and decode, and the accelerators they occupy.

    Parameters
    ----------
    block : Block
        One period with `served` and `nodes`.
    data : ModelData
    """
    columns = {c.index: c for c in data.columns}
    block.replicas = pyo.Var(block.COLUMNS, domain=pyo.NonNegativeReals, doc="replicas at work [1]")
    block.KEEPING = pyo.Set(initialize=[j for j, c in columns.items() if c.keeps], doc="columns beside parked KV")
    block.idle = pyo.Var(block.KEEPING, domain=pyo.NonNegativeReals, doc="replicas that only stand by their memory [1]")
    block.present = pyo.Expression(
        block.COLUMNS,
        rule=lambda b, j: b.replicas[j] + (b.idle[j] if columns[j].keeps else 0.0),
        doc="replicas that stand, at work or not [1]",
    )
    of_class = _by_class(data)
    block.prefilled = pyo.Expression(
        block.CLASSES, rule=lambda b, w: _rate(b, of_class[w], PREFILLS), doc="requests prefilled [1/s]"
    )
    block.decoded = pyo.Expression(
        block.CLASSES, rule=lambda b, w: _rate(b, of_class[w], DECODES), doc="requests decoded [1/s]"
    )
    block.meet_prefill = pyo.Constraint(block.CLASSES, rule=meet_prefill, doc=meet_prefill.__doc__)
    block.meet_decode = pyo.Constraint(block.CLASSES, rule=meet_decode, doc=meet_decode.__doc__)
    block.KINDS = pyo.Set(initialize=list(data.kinds), doc="kinds of replicas")
    block.there = pyo.Expression(block.KINDS, rule=lambda b, k: _present(b, data, k), doc="replicas of a kind [1]")
    if data.whole or data.scenario.study.build.whole_replicas is True:
        block.whole = pyo.Var(block.KINDS, domain=pyo.NonNegativeIntegers, doc="whole replicas of a kind [1]")
        block.run_whole_replicas = pyo.Constraint(
            block.KINDS, rule=lambda b, k: run_whole_replicas(b, data, k), doc=run_whole_replicas.__doc__
        )
        for k in block.KINDS:
            block.there[k] = block.whole[k]
    block.occupied = pyo.Expression(
        block.KINDS, rule=lambda b, k: data.kinds[k][0].candidate.charge * b.there[k], doc="accelerators [1]"
    )
    block.fit_accelerators = pyo.Constraint(
        block.FAMILIES, rule=lambda b, *family: fit_accelerators(b, data, family), doc=fit_accelerators.__doc__
    )
    block.fit_own_nodes = pyo.Constraint(
        block.BOUND_POOLS, rule=lambda b, pool: fit_own_nodes(b, data, pool), doc=fit_own_nodes.__doc__
    )


def _by_class(data: ModelData) -> dict[str, list[Column]]:
    """Columns of every class."""
    found: dict[str, list[Column]] = {w.id: [] for w in data.workloads}
    for column in data.columns:
        found[column.candidate.workload].append(column)
    return found


def _rate(block: pyo.Block, columns: list[Column], roles: tuple[str, ...]) -> object:
    return pyo.quicksum(
        c.candidate.requests_per_s * block.replicas[c.index] for c in columns if c.candidate.role in roles
    )


def meet_prefill(block: pyo.Block, w: str) -> object:
    """``sum_j rate_j x_j >= served[w]`` over prefill, mixed and pairs. The dual is the price of a prefill a second."""
    return block.prefilled[w] >= block.served[w]


def meet_decode(block: pyo.Block, w: str) -> object:
    """``sum_j rate_j x_j >= served[w]`` over decode, mixed and pairs. The dual is the price of a decoded request."""
    return block.decoded[w] >= block.served[w]


def _present(block: pyo.Block, data: ModelData, kind: str) -> object:
    return pyo.quicksum(part for c in data.kinds[kind] for part in standing(block, c))


def standing(block: pyo.Block, column: Column) -> tuple[pyo.Var, ...]:
    """Variables whose sum is ``present``: a sum of variables is compiled faster than one of named expressions."""
    at_work = block.replicas[column.index]
    return (at_work, block.idle[column.index]) if column.keeps else (at_work,)


def run_whole_replicas(block: pyo.Block, data: ModelData, kind: str) -> object:
    """``sum_j present_j <= N_k`` over what replicas of a kind do in turn.

    The dual is zero where one has room to spare.
    """
    return _present(block, data, kind) <= block.whole[kind]


def fit_accelerators(block: pyo.Block, data: ModelData, family: Family) -> object:
    """``sum_k g_k N_k <= g_p sum_c n[p, c, cap]``; where replicas are not whole, N_k is what stands of them.

    The dual is the value of one more accelerator there.
    """
    kinds = dict.fromkeys(c.kind for c in data.columns_of_family.get(family, []))
    used = pyo.quicksum(block.occupied[k] for k in kinds)
    size = data.pools_of_family[family][0].config.platform.accelerators
    return used <= size * pyo.quicksum(block.nodes[p.id] for p in data.pools_of_family[family])


def fit_own_nodes(block: pyo.Block, data: ModelData, pool: str) -> object:
    """``sum_k g_k N_k <= g_p n[pool]`` over replicas that need this pool's own memory.

    The dual is what an accelerator beside that memory is worth above one without it.
    """
    columns = data.columns_of_pool[pool]
    assert columns[0].pool is not None
    size = columns[0].pool.config.platform.accelerators
    kinds = dict.fromkeys(c.kind for c in columns)
    return pyo.quicksum(block.occupied[k] for k in kinds) <= size * block.nodes[pool]
