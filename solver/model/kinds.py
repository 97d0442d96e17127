"""Kinds: how many sorts of platform and memory device a buyer takes on, and how little of a platform is worth having.

A binary for each kind, only where the study counts it.
"""

from __future__ import annotations

import pyomo.environ as pyo

from solver.model.data import Housing, ModelData
from solver.model.orders import most_bought
from solver.model.practical import counted_platforms, most_nodes
from solver.resources import RESOURCES
from solver.scenario import Scenario


def add_kinds(block: pyo.Block, data: ModelData) -> None:
    """Add a binary for each platform and device that the study counts, and the limits on them.

    Parameters
    ----------
    block : Block
        One period with `housed` and `nodes`; `bought` stands on the model.
    data : ModelData
    """
    build = data.scenario.study.build
    platforms, servers = sorted({p.config.platform.id for p in data.pools}), counted_platforms(data)
    limited = build.max_platforms is not None or build.min_platform_mw_frac is not None
    counted = platforms if build.n_plus_one else servers if limited else []
    most = {p.id: most_nodes(data, p.id) for p in data.pools if p.config.platform.id in counted}
    block.chosen = pyo.Var(counted, domain=pyo.Binary, doc="platform is in the build [0 or 1]")
    block.build_only_chosen = pyo.Constraint(
        list(most),
        rule=lambda b, pool: build_only_chosen(b, pool, pool.split("/")[0], most[pool]),
        doc=build_only_chosen.__doc__,
    )
    if build.max_platforms is not None and servers:
        block.choose_few = pyo.Constraint(expr=choose_few(block, servers, build.max_platforms), doc=choose_few.__doc__)
    parts = shares_of_least(data)
    block.build_no_slivers = pyo.Constraint(
        list(parts), rule=lambda b, p: build_no_slivers(b, p, parts[p]), doc=build_no_slivers.__doc__
    )
    _add_devices(block, data)


def _add_devices(block: pyo.Block, data: ModelData) -> None:
    """Add a binary for each kind of memory device that is bought, and the limit on their number."""
    limit = data.scenario.study.build.max_device_kinds
    units = {p.config.id: p.config for p in data.pools} if limit is not None else {}
    pairs = [(unit, device) for unit, config in units.items() for device, _ in config.bought]
    most = {unit: most_bought(data, units[unit]) for unit, _ in pairs}
    block.device_chosen = pyo.Var(
        sorted({device for _, device in pairs}), domain=pyo.Binary, doc="memory device is bought [0 or 1]"
    )
    block.buy_only_chosen = pyo.Constraint(
        pairs, rule=lambda b, unit, device: buy_only_chosen(b, unit, device, most[unit]), doc=buy_only_chosen.__doc__
    )
    if pairs and limit is not None:
        block.choose_few_devices = pyo.Constraint(expr=choose_few_devices(block, limit), doc=choose_few_devices.__doc__)


def build_only_chosen(block: pyo.Block, pool: str, platform: str, most: float) -> object:
    """``n[pool] <= N z[platform]``. The dual is what another kind of platform would be worth per node."""
    return block.nodes[pool] <= most * block.chosen[platform]


def choose_few(block: pyo.Block, platforms: list[str], limit: int) -> object:
    """``sum z[platform] <= max_platforms``. The dual is the value of one more kind in the relaxation."""
    return pyo.quicksum(block.chosen[p] for p in platforms) <= limit


def build_no_slivers(block: pyo.Block, platform: str, parts: dict[str, float]) -> object:
    """``sum_q max(w[pool,q] / (share MW), 1 / fit[pool,q]) n[pool,q] >= z[p]``: a share of the MW or a full rack.

    `w` are provisioned watts at the meter, `share` is `min_platform_mw_frac` of the contracted ones. The dual is what
    a smaller share would be worth.
    """
    return pyo.quicksum(part * block.housed[h] for h, part in parts.items()) >= block.chosen[platform]


def shares_of_least(data: ModelData) -> dict[str, dict[str, float]]:
    """Return how much of the least that is worth having one node is, by platform and housing.

    A platform that is owned already stays however little there is of it.
    """
    share = data.scenario.study.build.min_platform_mw_frac
    if share is None:
        return {}
    owned = {unit.split("/")[0] for unit in data.scenario.fleet}
    found: dict[str, dict[str, float]] = {p: {} for p in counted_platforms(data) if p not in owned}
    for h in data.housings:
        if (name := h.pool.config.platform.id) in found:
            found[name][h.id] = _share_of_least(data.scenario, h, share)
    return found


def _share_of_least(scenario: Scenario, housing: Housing, share: float) -> float:
    """One node against a share of the contracted megawatts, or against a full rack if that is less."""
    watts = RESOURCES["power"].per_node(scenario, housing)
    return max(watts / (share * (scenario.site.power_w or 1.0)), 1.0 / housing.fit)


def buy_only_chosen(block: pyo.Block, unit: str, device: str, most: float) -> object:
    """``sum_v bought[u,v] <= N z[device]`` for each device in a node. The dual is what another kind is worth a node."""
    m = block.model()
    return pyo.quicksum(m.bought[unit, v] for v in m.PERIODS) <= most * block.device_chosen[device]


def choose_few_devices(block: pyo.Block, limit: int) -> object:
    """``sum z[device] <= max_device_kinds``. The dual is the value of one more kind in the relaxation."""
    return pyo.quicksum(block.device_chosen.values()) <= limit
