"""Network: switch ports that nodes and replicas are wired to, and the leaves and spines that carry them.

Only wired ports cost switches and optics. A replica is wired to as many ports as its hand-over and its reads from
other nodes need; a node to a few for everything else.
"""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import Fabric, ModelData, node_ports


def add_network(block: pyo.Block, data: ModelData) -> None:
    """Add wired ports, the kind of fabric, leaves and spines.

    Parameters
    ----------
    block : Block
        One period with `nodes`, `there` and `extra_ports`.
    data : ModelData
    """
    fabrics = {f.id: f for f in data.fabrics}
    block.FABRICS = pyo.Set(initialize=list(fabrics), doc="kinds of fabric")
    block.wired = pyo.Var(block.FABRICS, domain=pyo.NonNegativeReals, doc="ports wired in a kind of fabric [1]")
    block.fabric = pyo.Var(block.FABRICS, domain=pyo.Binary, doc="kind of fabric is built [0 or 1]")
    block.leaves = pyo.Var(domain=pyo.NonNegativeIntegers, doc="switches that nodes are wired to [1]")
    block.spines = pyo.Var(domain=pyo.NonNegativeIntegers, doc="switches that only join other switches [1]")
    block.ports = pyo.Expression(expr=ports(block, data), doc="switch ports that nodes and replicas need [1]")
    block.optics = pyo.Var(domain=pyo.NonNegativeIntegers, doc="switch ports in use, each with an optic [1]")
    block.wire_ports = pyo.Constraint(expr=wire_ports(block), doc=wire_ports.__doc__)
    block.build_one_fabric = pyo.Constraint(expr=build_one_fabric(block), doc=build_one_fabric.__doc__)
    block.stay_within_fabric = pyo.Constraint(
        block.FABRICS, rule=lambda b, f: stay_within_fabric(b, fabrics[f]), doc=stay_within_fabric.__doc__
    )
    block.have_leaves = pyo.Constraint(expr=have_leaves(block, data), doc=have_leaves.__doc__)
    block.have_spines = pyo.Constraint(expr=have_spines(block, data), doc=have_spines.__doc__)
    block.have_optics = pyo.Constraint(expr=have_optics(block, data), doc=have_optics.__doc__)


def ports(block: pyo.Block, data: ModelData) -> object:
    """Sum the ports of nodes, of replicas and of writes to storage servers."""
    scenario = data.scenario
    nodes = pyo.quicksum(node_ports(scenario, p.config) * block.nodes[p.id] for p in data.pools)
    nodes += pyo.quicksum(block.extra_ports.values())
    return nodes + pyo.quicksum(k[0].candidate.ports * block.there[name] for name, k in data.kinds.items())


def wire_ports(block: pyo.Block) -> object:
    """``sum_k wired[k] >= sum_k ports_k N_k + sum_p ports_p n[p] + sum_w extra[w]``.

    The dual is the price of one more port.
    """
    return pyo.quicksum(block.wired.values()) >= block.ports


def build_one_fabric(block: pyo.Block) -> object:
    """``sum_k fabric[k] <= 1``. The dual is what a second fabric beside the first would be worth in the relaxation."""
    return pyo.quicksum(block.fabric.values()) <= 1


def stay_within_fabric(block: pyo.Block, fabric: Fabric) -> object:
    """``wired[k] <= most[k] fabric[k]``: two tiers of switches with R ports join R^2 / 2 ports, three R^3 / 4.

    The dual is what a switch with more ports would be worth per port it adds.
    """
    return block.wired[fabric.id] <= fabric.most_ports * block.fabric[fabric.id]


def have_leaves(block: pyo.Block, data: ModelData) -> object:
    """``leaves >= sum_k leaves_per_port[k] wired[k]``. The dual is the price of one more leaf switch."""
    return block.leaves >= pyo.quicksum(f.leaves_per_port * block.wired[f.id] for f in data.fabrics)


def have_spines(block: pyo.Block, data: ModelData) -> object:
    """``spines >= sum_k spines_per_port[k] wired[k]``. The dual is the price of one more spine switch."""
    return block.spines >= pyo.quicksum(f.spines_per_port * block.wired[f.id] for f in data.fabrics)


def have_optics(block: pyo.Block, data: ModelData) -> object:
    """``optics >= sum_k optics_per_port[k] wired[k]``. The dual is the price of one more optic."""
    return block.optics >= pyo.quicksum(f.optics_per_port * block.wired[f.id] for f in data.fabrics)
