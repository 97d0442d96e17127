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
from solver.parts import Platform, Rack
from solver.scenario import Scenario

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MOST_BUILDS = 10_000_000
SLACK = 1e-9
"""Relative room in rows that hold only whole numbers, against rounding of the data."""


# --- what a node, a rack and a replica take -----------------------------------------------------------------


def provisioned_it_w(s: Scenario, pool: Pool) -> float:
    """Peak of the node less what the cap takes off its accelerators."""
    config, chip = pool.config, pool.config.accelerator
    off = 0.0 if chip is None else (1.0 - pool.cap) * config.platform.accelerators * chip.tdp_w
    return config.provisioned_w - off


def standing_it_w(s: Scenario, pool: Pool) -> float:
    """Mean watts of a node whose accelerators idle."""
    config, chip = pool.config, pool.config.accelerator
    idle = 0.0 if chip is None else config.platform.accelerators * chip.idle_w
    return config.host_drawn_w + idle


def taxed(s: Scenario, usd: float) -> float:
    """An amount with tax."""
    return usd + usd * s.study.site.tax_percent / 100.0


def price_usd(s: Scenario, config: Configuration) -> float:
    """A node with its memory."""
    return config.price_usd


def yearly(s: Scenario, usd: float, years: float, kept: float = 0.0) -> float:
    """Maintenance of an outlay and what repays it over its life, less a share that is had back in the end."""
    r = s.finance.wacc_frac
    owed = usd - kept * usd / (1.0 + r) ** years
    payment = owed / years if r == 0 else owed * r / (1.0 - (1.0 + r) ** -years)
    return payment + usd * s.finance.maintenance_frac


def node_per_year(s: Scenario, config: Configuration) -> float:
    """Server and memory bought apart, each over its own life; both are sold in the end."""
    f = s.finance
    classes = [
        (config.price_usd - config.devices_usd, f.it_life_years),
        (config.devices_usd, f.memory_life_years or f.it_life_years),
    ]
    return sum(yearly(s, usd, years, f.residual_frac) for usd, years in classes)


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
    bounds, here = [], s.fleet.get(h.pool.config.id, 0)
    if h.pool.config.platform.id in s.study.supply.platform:
        bounds.append(float(s.study.supply.platform[h.pool.config.platform.id].quantity + here))
    if s.site.power_w is not None:
        left = s.site.power_w * s.site.usable_power_frac - s.site.fixed_w
        bounds.append(left / (provisioned_it_w(s, h.pool) * h.pue_peak))
    if s.site.budget_usd is not None:
        bounds.append(s.site.budget_usd / price_usd(s, h.pool.config) + here)
    return max(0, math.floor(min(bounds) + SLACK))


@dataclass(frozen=True)
class Network:
    """Dollars and watts of a network that are estimates, and those that a node of each housing needs that are none."""

    rough_usd: float
    rough_w: float
    good_usd: FloatArray
    good_w: FloatArray


def of_node(s: Scenario, config: Configuration, *, watts: bool) -> tuple[float, float]:
    """Dollars or watts of a node that are estimates, and that are none; devices are split as their list prices are."""
    worth = {True: 0.0, False: 0.0}
    for name, n in config.bought:
        d = next(d for d in s.devices if d.id == name)
        left = 1.0 - s.study.site.discount_percent.get(d.vendor, 0.0) / 100.0
        usd = taxed(s, s.prices[d.price_series, "2026Q3"] * d.capacity_bytes / 1e9 * left)
        worth[(d.confidence if watts else d.confidence_price) == "estimate"] += n * (d.max_w or 0.0 if watts else usd)
    paid = sum(worth.values())
    whole, apart = (config.provisioned_w, paid) if watts else (config.price_usd, config.devices_usd)
    parts = {grade: apart * usd / paid if paid else 0.0 for grade, usd in worth.items()}
    grade = config.platform.confidence_power if watts else config.platform.confidence_price
    parts[grade == "estimate"] += whole - (apart if paid else 0.0)
    return parts[True], parts[False]


def _graded_work(
    data: ModelData, housed: IntArray, units: list[Configuration], of_unit: IntArray, net: Network, *, watts: bool
) -> tuple[FloatArray, FloatArray]:
    """Estimates among nodes at work, and what is none: of owned kinds what is bought, of racks the part that is filled."""
    s = data.scenario
    rough, good = np.zeros(len(housed)), housed @ (net.good_w if watts else net.good_usd)
    for u, config in enumerate(units):
        nodes = housed @ of_unit[:, u]
        estimated, sound = of_node(s, config, watts=watts)
        rough += nodes * estimated if watts else 0.0
        good += (nodes if watts else np.maximum(nodes - s.fleet.get(config.id, 0), 0)) * sound
    for k, h in enumerate(data.housings):
        if not watts and not h.own and h.rack.confidence_price != "estimate":
            good += housed[:, k] / h.fit * taxed(s, h.rack.price_central_usd)
    return rough, good


def builds(data: ModelData, net: Network) -> Builds:
    """Try every build against the rows that hold only whole numbers, beside a network."""
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
    if not s.fleet:
        housed = housed[_in_supply(data, [h.pool.config for h in data.housings], housed)]
    housed = housed[_few_kinds(data, housed) & _spread(data, housed) & _no_slivers(data, housed)]

    spares = max((kept_nodes(s, u, np.asarray([max(top)]))[0] - max(top) for u in units), default=0.0)
    extra = math.ceil(spares - SLACK)
    unit_top = [
        min(
            sum(top[k] for k in np.flatnonzero(of_unit[:, u])) + _beyond(units[u].platform) + extra,
            _supply(data, units[u]),
        )
        for u in range(len(units))
    ]
    rack_top = [math.ceil(top[k] / data.housings[k].fit) + 1 for k in apart]
    kind_top = [
        sum(rack_top[i] for i in np.flatnonzero(of_kind[:, q])) + _beyond(kinds[q]) - 1 for q in range(len(kinds))
    ]
    bought, racks, kinds_bought = grid(unit_top), grid(rack_top), grid(kind_top)
    dollars = np.asarray([price_usd(s, u) for u in units])
    rack_dollars = np.asarray([taxed(s, q.price_central_usd) for q in kinds])
    bought = bought[
        _taken(bought, [(u.platform.id, u.platform.order_multiple, u.platform.order_minimum) for u in units])
    ]
    bought = bought[_few_devices(data, units, bought)]
    loose, loose_usd = _loose(data, units, bought)
    cost_of_nodes = bought @ dollars + loose @ loose_usd
    good = _in_supply(data, units, bought, loose) & at_most(cost_of_nodes, site.budget_usd)
    bought, loose, cost_of_nodes = bought[good], loose[good], cost_of_nodes[good]
    kinds_bought = kinds_bought[_taken(kinds_bought, [(q.id, q.order_multiple, q.order_minimum) for q in kinds])]

    # Racks used and racks bought, then with nodes bought: the purchases.
    pairs = (
        (racks[:, None, :] @ of_kind <= kinds_bought[None, :, :]).all(axis=2) if kinds else np.ones((1, 1), dtype=bool)
    )
    i, k = np.nonzero(pairs)
    racks, kinds_bought = racks[i], kinds_bought[k]
    outlay = cost_of_nodes[:, None] + (kinds_bought @ rack_dollars)[None, :]
    b, r = np.nonzero(at_most(outlay, site.budget_usd))
    assert len(housed) * len(b) <= MOST_BUILDS, ("not tiny", len(housed), len(bought), len(racks), len(b))
    bought, loose, racks, kinds_bought = bought[b], loose[b], racks[r], kinds_bought[r]

    fit = np.asarray([data.housings[a].fit for a in apart])
    fits = np.ones((len(housed), len(bought)), dtype=bool)
    for n, a in enumerate(apart):
        fits &= housed[:, None, a] <= fit[n] * racks[None, :, n]
    for u in range(len(units)):
        fits &= (housed @ of_unit[:, u])[:, None] <= bought[None, :, u] + s.fleet.get(units[u].id, 0)
    for name in {u.platform.id for u in units}:
        mine = [k for k, u in enumerate(units) if u.platform.id == name]
        at_work = (housed @ of_unit[:, mine]).sum(axis=1)
        kept = kept_nodes(s, units[mine[0]], at_work)
        fits &= (
            kept[:, None]
            <= (bought[:, mine].sum(axis=1) + sum(s.fleet.get(units[k].id, 0) for k in mine))[None, :] + SLACK
        )
    floor = racks @ np.asarray([data.housings[a].rack.floor_m2 for a in apart]) if kinds else np.zeros(len(bought))
    fits &= at_most((housed @ own_floor)[:, None] + floor[None, :], site.floor_m2)

    estimates = [d.confidence_price == "estimate" for d in s.devices]
    stock = bought @ np.asarray([of_node(s, u, watts=False)[0] for u in units]) + loose @ (loose_usd * estimates)
    if kinds:
        stock = stock + kinds_bought @ (rack_dollars * [q.confidence_price == "estimate" for q in kinds])
    asked = s.study.build
    for watts, limit in ((False, asked.max_estimated_capex_share), (True, asked.max_estimated_power_share)):
        if limit is not None:
            rough, good = _graded_work(data, housed, units, of_unit, net, watts=watts)
            rough = rough[:, None] + (net.rough_w if watts else net.rough_usd + stock[None, :])
            fits &= (1.0 - limit) * rough <= limit * good[:, None] + SLACK * 1e3

    per_year = bought @ np.asarray([node_per_year(s, u) for u in units])
    memory_years = s.finance.memory_life_years or s.finance.it_life_years
    per_year = per_year + loose @ np.asarray(
        [yearly(s, usd, memory_years, s.finance.residual_frac) for usd in loose_usd]
    )
    if kinds:
        per_year = per_year + kinds_bought @ np.asarray([yearly(s, d, s.finance.rack_life_years) for d in rack_dollars])
    cost = np.where(fits, per_year[None, :], np.inf).min(axis=1, initial=np.inf)
    held = np.isfinite(cost)
    return Builds(housed[held], cost[held])


def kept_nodes(s: Scenario, config: Configuration, at_work: IntArray) -> FloatArray:
    """Nodes that must be owned for so many at work: a year's failures times the days each takes, and one more."""
    b = s.study.build
    failures = (b.platform_afr_percent or 0.0) + config.platform.accelerators * (b.accelerator_afr_percent or 0.0)
    return at_work * (1.0 + failures / 100.0 * b.spares_days / 365.0) + (at_work > 0) * float(b.n_plus_one)


def _spread(data: ModelData, housed: IntArray) -> NDArray[np.bool_]:
    """Whether no vendor has more of the accelerators' watts than the study allows."""
    limit = data.scenario.study.build.max_share_per_vendor or 1.0
    chips = [(h.pool.config.accelerator, h.pool.cap * h.pool.config.platform.accelerators) for h in data.housings]
    watts = np.asarray([chip.tdp_w * size if chip else 0.0 for chip, size in chips])
    good = np.ones(len(housed), dtype=bool)
    for vendor in {chip.vendor for chip, _ in chips if chip}:
        mine = np.asarray([bool(chip and chip.vendor == vendor) for chip, _ in chips])
        good &= housed @ (watts * mine) <= limit * (housed @ watts) + SLACK * 1e4
    return good


def _beyond(part: Platform | Rack) -> int:
    """Pieces that an order may hold beyond those at work."""
    return max(part.order_multiple, part.order_minimum)


def _taken(bought: IntArray, terms: list[tuple[str, int, int]]) -> NDArray[np.bool_]:
    """Whether every order is one that the supplier takes: columns of one part make one order."""
    good = np.ones(len(bought), dtype=bool)
    for part, multiple, minimum in dict.fromkeys(terms):
        pieces = bought[:, [name == part for name, _, _ in terms]].sum(axis=1)
        good &= (pieces % multiple == 0) & ((pieces == 0) | (pieces >= minimum))
    return good


def _loose(data: ModelData, units: list[Configuration], bought: IntArray) -> tuple[IntArray, FloatArray]:
    """Devices that fill up the last lot of each purchase, and their price."""
    s = data.scenario
    loose = np.zeros((len(bought), len(s.devices)), dtype=np.int64)
    usd = np.zeros(len(s.devices))
    for k, device in enumerate(s.devices):
        need = bought @ np.asarray([sum(n for d, n in u.bought if d == device.id) for u in units])
        pieces = np.where(need > 0, np.maximum(need, device.order_minimum), 0)
        loose[:, k] = -(-pieces // device.order_multiple) * device.order_multiple - need
        left = 1.0 - s.study.site.discount_percent.get(device.vendor, 0.0) / 100.0
        usd[k] = taxed(s, s.prices[device.price_series, "2026Q3"] * device.capacity_bytes / 1e9 * left)
    return loose, usd


def _few_kinds(data: ModelData, housed: IntArray) -> NDArray[np.bool_]:
    """Whether no more kinds of platform with accelerators stand than the study allows."""
    kinds = {h.pool.config.platform.id for h in data.housings if h.pool.config.platform.accelerators}
    standing = [
        housed @ np.asarray([int(h.pool.config.platform.id == kind) for h in data.housings]) > 0 for kind in kinds
    ]
    return np.sum(standing, axis=0, dtype=int) <= (data.scenario.study.build.max_platforms or len(kinds))


def _no_slivers(data: ModelData, housed: IntArray) -> NDArray[np.bool_]:
    """Whether of each platform that stands there is a share of the megawatts or a full rack, or some was owned."""
    s, good = data.scenario, np.ones(len(housed), dtype=bool)
    share = s.study.build.min_platform_mw_frac
    if share is None:
        return good
    assert s.study.site.power_mw is not None
    least_w = share * s.study.site.power_mw * 1e6
    for kind in {h.pool.config.platform.id for h in data.housings if h.pool.config.platform.accelerators}:
        here = np.asarray([h.pool.config.platform.id == kind for h in data.housings])
        parts = [max(provisioned_it_w(s, h.pool) * h.pue_peak / least_w, 1.0 / h.fit) for h in data.housings]
        owned = any(unit.split("/")[0] == kind for unit in s.fleet)
        good &= owned | (housed @ here == 0) | (housed @ (here * np.asarray(parts)) >= 1.0 - SLACK)
    return good


def _few_devices(data: ModelData, units: list[Configuration], bought: IntArray) -> NDArray[np.bool_]:
    """Whether no more kinds of memory device are bought than the study allows."""
    limit = data.scenario.study.build.max_device_kinds
    kinds = {device for u in units for device, _ in u.bought}
    taken = [bought @ np.asarray([int(any(d == kind for d, _ in u.bought)) for u in units]) > 0 for kind in kinds]
    few = np.sum(taken, axis=0, dtype=int) <= (len(kinds) if limit is None else limit)
    return np.broadcast_to(few, len(bought))


def _supply(data: ModelData, config: Configuration) -> int:
    known = data.scenario.study.supply.platform
    return known[config.platform.id].quantity if config.platform.id in known else 10**6


def _in_supply(
    data: ModelData, units: list[Configuration], bought: IntArray, loose: IntArray | None = None
) -> NDArray[np.bool_]:
    """Supply of platforms over their configurations, and of devices."""
    supply = data.scenario.study.supply
    good = np.ones(len(bought), dtype=bool)
    for part, spec in supply.platform.items():
        good &= bought @ np.asarray([int(u.platform.id == part) for u in units]) <= spec.quantity
    for device, spec in supply.memory.items():
        pieces = bought @ np.asarray([sum(n for d, n in u.bought if d == device) for u in units])
        for k, known in enumerate(data.scenario.devices):
            if loose is not None and known.id == device:
                pieces = pieces + loose[:, k]
        good &= pieces <= spec.quantity
    return good
