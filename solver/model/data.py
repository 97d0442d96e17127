"""Index sets of the model: pools, columns, housings and places for parked KV, as plain records.

The model files turn these into Pyomo components and never look at catalogs or arrays again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from solver.candidates import HIT, Candidate
from solver.configurations import Configuration, TierStock
from solver.parts import Rack
from solver.physics.reuse import Retention, retention_segments
from solver.scenario import Scenario
from solver.workload import Workload

ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT", bound=Hashable)
Family = tuple[str, float]
"""Platform id and power cap."""
PLACE = 6
"""Entries of `Column.place`."""


@dataclass(frozen=True)
class Pool:
    """Nodes of one configuration at one power cap; replicas of any role may run on them."""

    config: Configuration
    cap: float

    @property
    def id(self) -> str:
        """``configuration@cap``."""
        return f"{self.config.id}@{self.cap:g}"

    @property
    def family(self) -> Family:
        """Platform and cap: pools that differ only in their memory."""
        return (self.config.platform.id, self.cap)


@dataclass(frozen=True)
class Housing:
    """A pool's nodes in racks of one kind; `fit` nodes a rack, an own rack comes with the platform."""

    pool: Pool
    rack: Rack
    fit: int
    own: bool
    pue_peak: float
    pue_mean: float
    wue_l_per_j: float

    @property
    def id(self) -> str:
        """``pool in rack``."""
        return f"{self.pool.id} in {self.rack.id}"


@dataclass(frozen=True)
class Column:
    """Replicas of a candidate; `pool` is set where the node's own memory matters, else any pool will do."""

    candidate: Candidate
    pool: Pool | None
    index: int

    @property
    def family(self) -> Family:
        """Platform and cap on which the replicas run."""
        return (self.candidate.platform_id, self.candidate.power_cap)

    @property
    def kind(self) -> str:
        """What a replica is whichever class it serves: weights, shape, role, KV format, ports and where it stands.

        Replicas of one kind serve several classes, hits and misses, and batches in turn; of two kinds they do not.
        """
        c = self.candidate
        if c.role == "pair":
            return self.id
        where = self.pool.id if self.pool else f"{c.platform_id}@{c.power_cap:g}"
        shape = f"tp{c.tp} pp{c.pp} dp{c.dp} ep{c.ep}"
        return f"{c.model_id} {c.role} {c.precision}/{c.kv_precision} {shape} {c.ports:.6g} ports in {where}"

    @property
    def keeps(self) -> bool:
        """True where hits load KV that is parked on the replicas' own nodes."""
        return self.candidate.cache == HIT and self.pool is not None

    @property
    def place(self) -> tuple[object, ...]:
        """Class, role, cache, tier, platform and cap: the first `PLACE` entries of its identity."""
        c = self.candidate
        return (c.workload, c.role, c.cache, c.tier, c.platform_id, c.power_cap)

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it the same one among other candidates, however many replicas share its queue."""
        c = self.candidate
        halves = tuple(
            (h.replicas, h.candidate.precision, h.candidate.tp, h.candidate.pp, h.candidate.dp) for h in c.halves
        )
        shape = (c.precision, c.tp, c.pp, c.dp, c.ep, c.batch, c.draft_tokens)
        return (*self.place, self.pool.id if self.pool else "", *shape, halves)

    @property
    def id(self) -> str:
        """Readable and unique."""
        return f"{self.index}:{self.candidate.workload}:{self.candidate.role}:{self.candidate.platform_id}"


@dataclass(frozen=True)
class Place:
    """A tier of a pool, where KV can lie."""

    pool: Pool
    stock: TierStock

    @property
    def id(self) -> str:
        """``pool:tier``."""
        return f"{self.pool.id}:{self.stock.tier}"


@dataclass(frozen=True)
class Fabric:
    """A non-blocking network of so many tiers of one kind of switch (a folded Clos network, Leiserson 1985).

    Attributes
    ----------
    tiers : int
    most_ports : float
        Ports that nodes can be wired to.
    leaves_per_port, spines_per_port : float
        Switches for each of them.
    optics_per_port : float
        Switch ports in use for each of them: two ends of every link between switches, one of a link to a node.
    """

    tiers: int
    most_ports: float
    leaves_per_port: float
    spines_per_port: float
    optics_per_port: float

    @property
    def id(self) -> str:
        """Tiers in words."""
        return f"{self.tiers} tier{'s' if self.tiers > 1 else ''}"


def fabrics(switch_ports: int) -> tuple[Fabric, ...]:
    """Return the fabrics of one, two and three tiers of a switch with so many ports."""
    r = float(switch_ports)
    return (
        Fabric(1, r, 1.0 / r, 0.0, 1.0),
        Fabric(2, r**2 / 2.0, 2.0 / r, 1.0 / r, 3.0),
        Fabric(3, r**3 / 4.0, 2.0 / r, 3.0 / r, 5.0),
    )


def node_ports(scenario: Scenario, config: Configuration) -> float:
    """Switch ports of a node whatever works on it: a few of a server with accelerators, all of a storage server."""
    platform = config.platform
    cards = platform.nic_count
    if platform.accelerators:
        cards = min(cards, math.ceil(platform.accelerators / scenario.accelerators_per_port))
    return cards * platform.nic_bytes_per_s / (scenario.switch.port_bytes_per_s or 1.0)


@dataclass(frozen=True)
class ModelData:
    """Everything the model is built from.

    `pue_of_family` is the mean PUE charged to replicas of a platform and cap: the highest of all racks their
    nodes may stand in. It stays when the data is cut, so that a smaller model is the same model with fewer choices.
    `whole` asks for whole replicas whatever the study says.
    `given_nodes` holds, for a build whose nodes are given, how many of each configuration there are.
    """

    scenario: Scenario
    pools: tuple[Pool, ...]
    housings: tuple[Housing, ...]
    columns: tuple[Column, ...]
    places: tuple[Place, ...]
    retention: dict[str, Retention]
    pue_of_family: dict[Family, float] = field(default_factory=dict)
    given_nodes: dict[str, int] | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        """Take the charged PUE from the racks, unless it is given."""
        if not self.pue_of_family:
            self.pue_of_family.update((p.family, 1.0) for p in self.pools)
            for h in self.housings:
                self.pue_of_family[h.pool.family] = max(self.pue_of_family[h.pool.family], h.pue_mean)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """Classes of the scenario."""
        return self.scenario.workloads

    @cached_property
    def fabrics(self) -> tuple[Fabric, ...]:
        """Kinds of fabric that the study's switch can make."""
        return fabrics(self.scenario.switch.ports or 1)

    @cached_property
    def kinds(self) -> dict[str, list[Column]]:
        """Columns by the kind of their replicas."""
        return _group(self.columns, lambda column: column.kind)

    @cached_property
    def columns_of_family(self) -> dict[Family, list[Column]]:
        """Columns by platform and cap."""
        return _group(self.columns, lambda column: column.family)

    @cached_property
    def columns_of_pool(self) -> dict[str, list[Column]]:
        """Columns bound to a pool's own memory, by pool id."""
        return _group((c for c in self.columns if c.pool), lambda column: column.pool.id if column.pool else "")

    @cached_property
    def pools_of_family(self) -> dict[Family, list[Pool]]:
        """Pools by platform and cap."""
        return _group(self.pools, lambda pool: pool.family)

    @cached_property
    def housings_of_pool(self) -> dict[str, list[Housing]]:
        """Rack options by pool id."""
        return _group(self.housings, lambda housing: housing.pool.id)

    @cached_property
    def appliances(self) -> dict[str, Pool | None]:
        """Appliances of pooled memory to which nodes may be attached, by platform id; None where the data has none."""
        there = {p.config.platform.id: p for p in self.pools if p.config.lends}
        return {p.config.attached: there.get(p.config.attached) for p in self.pools if p.config.attached}

    @cached_property
    def missing_roles(self) -> dict[str, list[str]]:
        """Roles that no column can take, by class; classes that can be served are not there."""
        roles: dict[str, set[str]] = {w.id: set() for w in self.workloads}
        for c in self.columns:
            roles[c.candidate.workload].add(c.candidate.role)
        missing = {
            w: [r for r in ("prefill", "decode") if r not in got]
            for w, got in roles.items()
            if not got & {"mixed", "pair"}
        }
        return {w: left for w, left in missing.items() if left}

    @cached_property
    def spilling(self) -> tuple[Column, ...]:
        """Columns whose active KV overflows HBM."""
        return tuple(c for c in self.columns if c.candidate.spill_bytes > 0)

    @cached_property
    def load_bytes(self) -> dict[str, float]:
        """Bytes that one hit of a class loads."""
        return {c.candidate.workload: c.candidate.load_bytes for c in self.columns if c.candidate.cache == HIT}

    @cached_property
    def hits_at(self) -> dict[tuple[str, str], list[Column]]:
        """Columns that load hits, by (class, place id) or, for pooled tiers, by (class, tier)."""
        return _group(
            (c for c in self.columns if c.candidate.cache == HIT),
            lambda c: (c.candidate.workload, f"{c.pool.id}:{c.candidate.tier}" if c.pool else c.candidate.tier),
        )


def _group(items: Iterable[ItemT], key: Callable[[ItemT], KeyT]) -> dict[KeyT, list[ItemT]]:
    """Group items in order of appearance."""
    groups: dict[KeyT, list[ItemT]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)


def model_data(
    scenario: Scenario,
    configs: Sequence[Configuration],
    candidates: Sequence[Candidate],
    given_nodes: Mapping[str, int] | None = None,
) -> ModelData:
    """Lay out pools, columns, housings and places for a set of candidates.

    Only pools that some column can use exist: the standard configuration and the one with less host memory for
    every family with candidates, other configurations where a column needs their memory or nodes of them are owned,
    storage servers where a hit can be loaded from them.

    Parameters
    ----------
    scenario : Scenario
    configs : sequence of Configuration
    candidates : sequence of Candidate
    given_nodes : mapping, optional
        Configuration id -> nodes, where the build is given; each of these has its pools.
    """
    by_platform = _group(configs, lambda config: config.platform.id)
    always = {p: menu if given_nodes else _always(menu, scenario.fleet) for p, menu in by_platform.items()}
    pools: dict[tuple[str, float], Pool] = {}
    holding: dict[tuple[tuple[str, ...], float], list[Pool | None]] = {}
    columns: list[Column] = []

    def pool(config: Configuration, cap: float) -> Pool:
        if (config.id, cap) not in pools:
            pools[config.id, cap] = Pool(config, cap)
        return pools[config.id, cap]

    for candidate in candidates:
        menu = by_platform[candidate.platform_id]
        for config in always[candidate.platform_id]:
            pool(config, candidate.power_cap)
        if candidate.spill_bytes > 0:
            at: list[Pool | None] = [pool(c, candidate.power_cap) for c in menu if _holds_spill(c, candidate)]
        elif candidate.configurations:
            named = candidate.configurations, candidate.power_cap
            if named not in holding:
                holding[named] = [pool(c, candidate.power_cap) for c in menu if c.id in candidate.configurations]
            at = holding[named]
        else:
            at = [None]
        columns += [Column(candidate, place, len(columns) + k) for k, place in enumerate(at)]
    tiers = {c.candidate.tier for c in columns}
    attached = {p.config.attached for p in pools.values()}
    for config in configs:
        lends = config.lends is not None and config.platform.id in attached
        if given_nodes or lends or any(stock.pooled and stock.tier in tiers for stock in config.tiers):
            pool(config, 1.0)
    made = tuple(pools.values())
    return ModelData(
        scenario=scenario,
        pools=made,
        housings=tuple(h for p in made for h in _housings(scenario, p)),
        columns=tuple(columns),
        places=tuple(Place(p, stock) for p in made for stock in p.config.tiers),
        retention={w.id: _retention(scenario, w) for w in scenario.workloads if w.reuse_curve and w.reuse_frac_max > 0},
        given_nodes=None if given_nodes is None else dict(given_nodes),
    )


def _always(menu: Sequence[Configuration], fleet: Mapping[str, int]) -> list[Configuration]:
    """Configurations that any candidate of the platform may use: the standard one, lighter ones, owned ones."""
    return [menu[0], *(c for c in menu[1:] if c.lighter or c.id in fleet)]


def _holds_spill(config: Configuration, candidate: Candidate) -> bool:
    """True where a replica's share of a node has room below HBM for its active KV."""
    room = sum(stock.capacity_bytes for stock in config.tiers if not stock.pooled)
    return room > 0 and candidate.spill_bytes <= room * candidate.charge / config.platform.accelerators * (1 + 1e-9)


def _retention(scenario: Scenario, workload: Workload) -> Retention:
    """Retention segments of a class: share of requests that hit and tokens resident per request/s.

    A curve measured on other lengths is scaled with the ratio of mean input lengths.
    """
    rows = [r for r in scenario.catalog.rows("reuse") if r["curve"] == workload.reuse_curve]
    return retention_segments(
        [float(r["ttl_s"]) for r in rows],
        [float(r["hit_frac_of_max"]) for r in rows],
        [float(r["resident_tokens_per_rps"]) * workload.isl / float(r["isl_tokens"]) for r in rows],
        scenario.study.build.reuse_segments,
    )


def _housings(scenario: Scenario, pool: Pool) -> list[Housing]:
    """Racks that take a pool's nodes: its own rack, else those no other beats in watts, dollars and floor."""
    platform, watts = pool.config.platform, pool.config.capped_w(pool.cap)
    use = "servers" if platform.accelerators else "storage"
    found: list[Housing] = []
    for rack in scenario.racks:
        cooling = scenario.cooling[rack.cooling]
        own = platform.own_rack_id == rack.id
        room = math.floor(rack.peak_w / watts)
        fit = min(room, 1) if own else min(room, rack.rack_units // max(1, platform.rack_units))
        takes = own or (not platform.own_rack_id and rack.use == use and platform.cooling in cooling.accepts)
        if takes and fit > 0:
            found.append(Housing(pool, rack, fit, own, cooling.pue_peak, cooling.pue_central, cooling.wue_l_per_j))
    return [h for h in found if not any(_beats(other, h) for other in found if other is not h)]


def _beats(a: Housing, b: Housing) -> bool:
    """True where rack option `a` is no worse in anything and better in something."""

    def cost(h: Housing) -> tuple[float, ...]:
        return (h.pue_peak, h.pue_mean, h.rack.price_central_usd / h.fit, h.rack.floor_m2 / h.fit, h.wue_l_per_j)

    pairs = list(zip(cost(a), cost(b), strict=True))
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)
