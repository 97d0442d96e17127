"""Every whole-number build of a tiny instance, and what its nodes, racks and replicas take.

Written apart from `solver.resources` and `solver.model`, from the records alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.candidate import Candidate
from solver.configurations import Configuration
from solver.model.data import Housing, ModelData, Pool
from solver.scenario import Scenario

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MOST_BUILDS = 3_000_000
SLACK = 1e-9
"""Relative room in rows that hold only whole numbers, against rounding of the data."""


# --- what a node, a rack and a replica take -----------------------------------------------------------------


def endpoints(s: Scenario, config: Configuration) -> float:
    """Ports of the fabric that a node's network cards fill."""
    assert s.network.port_bytes_per_s
    return config.platform.nic_count * config.platform.nic_bytes_per_s / s.network.port_bytes_per_s


def provisioned_it_w(s: Scenario, pool: Pool) -> float:
    """Peak of the node less what the cap takes off its accelerators, and its share of the network."""
    config, chip = pool.config, pool.config.accelerator
    off = 0.0 if chip is None else (1.0 - pool.cap) * config.platform.accelerators * chip.tdp_w
    return config.provisioned_w - off + endpoints(s, config) * (s.network.endpoint_w or 0.0)


def standing_it_w(s: Scenario, pool: Pool) -> float:
    """Mean watts of a node whose accelerators idle."""
    config, chip = pool.config, pool.config.accelerator
    idle = 0.0 if chip is None else config.platform.accelerators * chip.idle_w
    return config.host_drawn_w + idle + endpoints(s, config) * (s.network.endpoint_w or 0.0)


def price_usd(s: Scenario, config: Configuration) -> float:
    """A node with its memory and its endpoints."""
    return config.price_usd + endpoints(s, config) * (s.network.endpoint_usd or 0.0)


def yearly(s: Scenario, usd: float, years: float) -> float:
    """Annuity and maintenance of an outlay."""
    r = s.finance.wacc_frac
    payment = 1.0 / years if r == 0 else r / (1.0 - (1.0 + r) ** -years)
    return usd * (payment + s.finance.maintenance_frac)


def mean_pue_of_work(data: ModelData, c: Candidate) -> float:
    """Highest mean PUE of the racks in which nodes of the candidate's platform and cap may stand."""
    return max(
        h.pue_mean for h in data.housings
        if h.pool.config.platform.id == c.platform_id and h.pool.cap == c.power_cap
    )  # fmt: skip


# --- builds -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Builds:
    """All purchases and all placements of nodes, and which go together.

    Attributes
    ----------
    housed : (H, n) array
        Nodes by housing.
    cost : (H,) array
        Best yearly dollars of a purchase that holds the placement (infinity if none does), placement excluded.
    """

    housed: IntArray
    cost: FloatArray


def grid(bounds: list[int]) -> IntArray:
    """Return all vectors of whole numbers from 0 to the bounds."""
    if not bounds:
        return np.zeros((1, 0), dtype=np.int64)
    return np.stack([g.ravel() for g in np.indices([b + 1 for b in bounds])], axis=1).astype(np.int64)


def at_most(left: FloatArray, right: float | None) -> NDArray[np.bool_]:
    """Whether a row holds, None for no limit."""
    return np.ones(left.shape, dtype=bool) if right is None else left <= right + SLACK * max(1.0, abs(right))


def most_nodes(data: ModelData, h: Housing) -> int:
    """Bound of nodes in a housing by supply, power and budget."""
    s = data.scenario
    bounds = []
    if h.pool.config.platform.id in s.study.supply.platform:
        bounds.append(float(s.study.supply.platform[h.pool.config.platform.id].quantity))
    if s.site.power_w is not None:
        left = s.site.power_w * s.site.usable_power_frac - s.site.fixed_w
        bounds.append(left / (provisioned_it_w(s, h.pool) * h.pue_peak))
    if s.site.budget_usd is not None:
        bounds.append(s.site.budget_usd / price_usd(s, h.pool.config))
    return max(0, math.floor(min(bounds) + SLACK))


def builds(data: ModelData) -> Builds:
    """Try every build against the rows that hold only whole numbers."""
    s, site = data.scenario, data.scenario.site
    units = list({p.config.id: p.config for p in data.pools}.values())
    apart = [k for k, h in enumerate(data.housings) if not h.own]
    kinds = list({data.housings[k].rack.id: data.housings[k].rack for k in apart}.values())
    top = [most_nodes(data, h) for h in data.housings]
    of_unit = np.asarray([[h.pool.config.id == u.id for u in units] for h in data.housings]).reshape(len(top), -1)
    of_kind = np.asarray([[data.housings[k].rack.id == q.id for q in kinds] for k in apart]).reshape(
        len(apart), len(kinds)
    )

    housed = grid(top)
    meter = np.asarray([provisioned_it_w(s, h.pool) * h.pue_peak for h in data.housings])
    water = np.asarray([provisioned_it_w(s, h.pool) * h.wue_l_per_j for h in data.housings])
    own_floor = np.asarray([h.rack.floor_m2 * h.own for h in data.housings])
    limit = None if site.power_w is None else site.power_w * site.usable_power_frac
    housed = housed[at_most(housed @ meter + site.fixed_w, limit) & at_most(housed @ water, site.water_l_per_s)]
    housed = housed[_in_supply(data, [h.pool.config for h in data.housings], housed) & _few_kinds(data, housed)]

    unit_top = [
        min(sum(top[k] for k in np.flatnonzero(of_unit[:, u])) + 1, _supply(data, units[u])) for u in range(len(units))
    ]
    rack_top = [math.ceil(top[k] / data.housings[k].fit) + 1 for k in apart]
    kind_top = [sum(rack_top[i] for i in np.flatnonzero(of_kind[:, q])) for q in range(len(kinds))]
    bought, racks, kinds_bought = grid(unit_top), grid(rack_top), grid(kind_top)
    dollars = np.asarray([price_usd(s, u) for u in units])
    rack_dollars = np.asarray([q.price_central_usd for q in kinds])
    bought = bought[_in_supply(data, units, bought) & at_most(bought @ dollars, site.budget_usd)]

    # Racks used and racks bought, then with nodes bought: the purchases.
    pairs = (
        (racks[:, None, :] @ of_kind <= kinds_bought[None, :, :]).all(axis=2) if kinds else np.ones((1, 1), dtype=bool)
    )
    i, k = np.nonzero(pairs)
    racks, kinds_bought = racks[i], kinds_bought[k]
    outlay = (bought @ dollars)[:, None] + (kinds_bought @ rack_dollars)[None, :]
    b, r = np.nonzero(at_most(outlay, site.budget_usd))
    assert len(housed) * len(b) <= MOST_BUILDS, ("not tiny", len(housed), len(bought), len(racks), len(b))
    bought, racks, kinds_bought = bought[b], racks[r], kinds_bought[r]

    fit = np.asarray([data.housings[a].fit for a in apart])
    fits = np.ones((len(housed), len(bought)), dtype=bool)
    for n, a in enumerate(apart):
        fits &= housed[:, None, a] <= fit[n] * racks[None, :, n]
    for u in range(len(units)):
        fits &= (housed @ of_unit[:, u])[:, None] <= bought[None, :, u]
    floor = kinds_bought @ np.asarray([q.floor_m2 for q in kinds]) if kinds else np.zeros(len(bought))
    fits &= at_most((housed @ own_floor)[:, None] + floor[None, :], site.floor_m2)

    per_year = bought @ np.asarray([yearly(s, d, s.finance.it_life_years) for d in dollars])
    if kinds:
        per_year = per_year + kinds_bought @ np.asarray([yearly(s, d, s.finance.rack_life_years) for d in rack_dollars])
    cost = np.where(fits, per_year[None, :], np.inf).min(axis=1, initial=np.inf)
    held = np.isfinite(cost)
    return Builds(housed[held], cost[held])


def _few_kinds(data: ModelData, housed: IntArray) -> NDArray[np.bool_]:
    """Whether no more kinds of platform with accelerators stand than the study allows."""
    kinds = {h.pool.config.platform.id for h in data.housings if h.pool.config.platform.accelerators}
    standing = [
        housed @ np.asarray([int(h.pool.config.platform.id == kind) for h in data.housings]) > 0 for kind in kinds
    ]
    return np.sum(standing, axis=0, dtype=int) <= (data.scenario.study.build.max_platforms or len(kinds))


def _supply(data: ModelData, config: Configuration) -> int:
    known = data.scenario.study.supply.platform
    return known[config.platform.id].quantity if config.platform.id in known else 10**6


def _in_supply(data: ModelData, units: list[Configuration], bought: IntArray) -> NDArray[np.bool_]:
    """Supply of platforms over their configurations, and of devices."""
    supply = data.scenario.study.supply
    good = np.ones(len(bought), dtype=bool)
    for part, spec in supply.platform.items():
        good &= bought @ np.asarray([int(u.platform.id == part) for u in units]) <= spec.quantity
    for device, spec in supply.memory.items():
        good &= bought @ np.asarray([sum(n for d, n in u.bought if d == device) for u in units]) <= spec.quantity
    return good
