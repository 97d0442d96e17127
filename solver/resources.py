"""What can be consumed, capped, minimised or reported: one registered row each.

A resource is linear in what is bought (nodes, racks, loose devices) and in what is at work (racks that stand, nodes in
them, switches and their ports in use, replicas). The model sums these contributions, caps them where the study names a
limit, and reports them; a new resource is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from solver.boundaries import (
    BoardWatts,
    ItWatts,
    MeterWatts,
    WallWatts,
    at_meter,
    at_wall,
    extra_as_it,
    nodes_as_it,
)
from solver.candidates import Candidate
from solver.configurations import Configuration
from solver.model.data import Housing
from solver.parts import MemoryDevice, NetworkPart, Rack
from solver.scenario import Scenario

SECONDS_PER_YEAR = 8760.0 * 3600.0


def _nothing(*_: object) -> float:
    return 0.0


@dataclass(frozen=True)
class Resource:
    """One thing that a design consumes.

    Attributes
    ----------
    id, name, unit : str
        `unit` is the SI unit of the amounts.
    scale : float
        SI units in one unit of the model, so that coefficients stay near 1.
    limit_path : str
        Study key that caps it, empty where it cannot be capped.
    limit : callable(scenario) -> float or None
        The cap.
    fixed : callable(scenario) -> float
        Consumed whatever is built.
    per_node_bought, per_rack_bought, per_loose_bought : callable(scenario, configuration, rack or part) -> float
        Loose are memory devices and network parts beyond what is at work, where they come in lots.
    per_switch, per_optic : callable(scenario) -> float
        Per switch, and per switch port in use.
    per_rack : callable(scenario, rack) -> float
        Per rack that stands, bought apart.
    per_node : callable(scenario, housing) -> float
        Per node at work in a rack.
    per_replica : callable(scenario, candidate, pue) -> float
        Per replica at work, on top of idle.
    """

    id: str
    name: str
    unit: str
    scale: float
    limit_path: str = ""
    limit: Callable[[Scenario], float | None] = lambda _: None
    fixed: Callable[[Scenario], float] = _nothing
    per_node_bought: Callable[[Scenario, Configuration], float] = _nothing
    per_rack_bought: Callable[[Scenario, Rack], float] = _nothing
    per_loose_bought: Callable[[Scenario, MemoryDevice | NetworkPart], float] = _nothing
    per_rack: Callable[[Scenario, Rack], float] = _nothing
    per_switch: Callable[[Scenario], float] = _nothing
    per_optic: Callable[[Scenario], float] = _nothing
    per_node: Callable[[Scenario, Housing], float] = _nothing
    per_replica: Callable[[Scenario, Candidate, float], float] = _nothing

    @property
    def works(self) -> bool:
        """True where replicas at work consume of it."""
        return self.per_replica is not _nothing


RESOURCES: dict[str, Resource] = {}


def register(resource: Resource) -> Resource:
    """Add a resource to the registry."""
    if resource.id in RESOURCES:
        raise ValueError(f"resource {resource.id} is registered twice")
    RESOURCES[resource.id] = resource
    return resource


def it_w(scenario: Scenario, housing: Housing) -> ItWatts:
    """Provisioned IT power of a node: its peak at the wall less what the cap takes off its boards."""
    return nodes_as_it(housing.pool.config.capped(housing.pool.cap))


def standing_w(scenario: Scenario, housing: Housing) -> ItWatts:
    """IT power a node draws on average while its accelerators idle."""
    config = housing.pool.config
    idle = config.accelerator.idle_w * config.platform.accelerators if config.accelerator else 0.0
    return nodes_as_it(at_wall(BoardWatts(idle), WallWatts(config.host_drawn_w)))


def working_w(candidate: Candidate) -> BoardWatts:
    """Board power a replica draws on average above its idle accelerators."""
    return BoardWatts(candidate.drawn_w) - BoardWatts(candidate.idle_w)


def working_meter_w(candidate: Candidate, pue: float) -> MeterWatts:
    """Return what the meter shows of a working replica, above its idle accelerators."""
    return at_meter(extra_as_it(working_w(candidate)), pue)


def switch_w(scenario: Scenario) -> ItWatts:
    """Provisioned power of a switch, all its ports with optics."""
    return ItWatts(scenario.switch.power_max_w or 0.0)


def switch_drawn_w(scenario: Scenario) -> ItWatts:
    """Power a switch draws on average, without optics."""
    return ItWatts(scenario.switch.power_typ_w or 0.0)


def optic_drawn_w(scenario: Scenario) -> ItWatts:
    """Power the optic of a switch port in use draws on average; its peak is part of the switch's."""
    return ItWatts(scenario.optic.power_typ_w or 0.0)


def switch_usd(scenario: Scenario) -> float:
    """What is paid for a switch without optics."""
    return scenario.landed_usd(scenario.switch.price_central_usd or 0.0, scenario.switch.vendor)


def optic_usd(scenario: Scenario) -> float:
    """What is paid for the optic of a switch port in use."""
    return scenario.landed_usd(scenario.optic.price_central_usd or 0.0, scenario.optic.vendor)


def loose_usd(scenario: Scenario, part: MemoryDevice | NetworkPart) -> float:
    """What is paid for one memory device, switch or optic."""
    usd = (part.price_central_usd or 0.0) if isinstance(part, NetworkPart) else scenario.device_usd(part)
    return scenario.landed_usd(usd, part.vendor)


def node_usd_per_year(scenario: Scenario, config: Configuration) -> float:
    """Yearly cost of a node's server and of the memory bought for it."""
    yearly = scenario.finance.yearly
    server = (config.price_usd - config.devices_usd) * yearly("platform")
    return server + config.devices_usd * yearly("memory")


def _energy_usd_per_w(scenario: Scenario) -> float:
    return scenario.site.electricity_usd_per_j * SECONDS_PER_YEAR


def _provisioned(s: Scenario, h: Housing) -> float:
    """Watts at the meter of a node at its peak, on the design day."""
    return at_meter(it_w(s, h), h.pue_peak).watts


def _standing(s: Scenario, h: Housing) -> float:
    """Mean watts at the meter of a node that stands."""
    return at_meter(standing_w(s, h), h.pue_mean).watts


def _networked(s: Scenario, it: ItWatts) -> float:
    """Mean watts at the meter of a part of the network."""
    return at_meter(it, s.network_cooling.pue_central).watts


register(Resource(
    id="power", name="Provisioned power at the utility meter", unit="W", scale=1e3,
    limit_path="site.power_mw",
    limit=lambda s: None if s.site.power_w is None else s.site.power_w * s.site.usable_power_frac,
    fixed=lambda s: s.site.fixed_w,
    per_switch=lambda s: at_meter(switch_w(s), s.network_cooling.pue_peak).watts,
    per_node=_provisioned,
))  # fmt: skip
register(Resource(
    id="it_power", name="Provisioned IT power", unit="W", scale=1e3,
    per_switch=lambda s: switch_w(s).watts,
    per_node=lambda s, h: it_w(s, h).watts,
))  # fmt: skip
register(Resource(
    id="drawn", name="Mean drawn power at the utility meter", unit="W", scale=1e3,
    fixed=lambda s: s.site.fixed_w,
    per_switch=lambda s: _networked(s, switch_drawn_w(s)),
    per_optic=lambda s: _networked(s, optic_drawn_w(s)),
    per_node=_standing,
    per_replica=lambda s, c, pue: working_meter_w(c, pue).watts,
))  # fmt: skip
register(Resource(
    id="capex", name="Capital outlay for IT, racks and network, with tax", unit="USD", scale=1e3,
    limit_path="site.budget_usd",
    limit=lambda s: s.site.budget_usd,
    per_node_bought=lambda s, config: config.price_usd,
    per_rack_bought=lambda s, rack: s.landed_usd(rack.price_central_usd),
    per_loose_bought=loose_usd,
    per_switch=switch_usd,
    per_optic=optic_usd,
))  # fmt: skip
register(Resource(
    id="floor", name="Floor with aisles", unit="m2", scale=1.0,
    limit_path="site.floor_m2",
    limit=lambda s: s.site.floor_m2,
    per_node=lambda s, h: h.rack.floor_m2 if h.own else 0.0,
    per_rack=lambda s, rack: rack.floor_m2,
))  # fmt: skip
register(Resource(
    id="water", name="Water for cooling", unit="L/s", scale=1e-3,
    limit_path="site.water_l_per_s",
    limit=lambda s: s.site.water_l_per_s,
    per_switch=lambda s: switch_w(s).watts * s.network_cooling.wue_l_per_j,
    per_node=lambda s, h: it_w(s, h).watts * h.wue_l_per_j,
))  # fmt: skip
register(Resource(
    id="co2", name="Carbon dioxide of the energy drawn", unit="kg/s", scale=1e-3,
    limit_path="site.co2_kg_per_s",
    limit=lambda s: s.site.co2_kg_per_s,
    fixed=lambda s: s.site.fixed_w * s.site.carbon_kg_per_j,
    per_switch=lambda s: _networked(s, switch_drawn_w(s)) * s.site.carbon_kg_per_j,
    per_optic=lambda s: _networked(s, optic_drawn_w(s)) * s.site.carbon_kg_per_j,
    per_node=lambda s, h: _standing(s, h) * s.site.carbon_kg_per_j,
    per_replica=lambda s, c, pue: working_meter_w(c, pue).watts * s.site.carbon_kg_per_j,
))  # fmt: skip
register(Resource(
    id="tco", name="Yearly cost of owning and running", unit="USD/year", scale=1e3,
    fixed=lambda s: s.site.fixed_w * _energy_usd_per_w(s),
    per_node_bought=node_usd_per_year,
    per_rack_bought=lambda s, rack: s.landed_usd(rack.price_central_usd) * s.finance.yearly("rack"),
    per_loose_bought=lambda s, part: loose_usd(s, part) * s.finance.yearly(part.TABLE),
    per_switch=lambda s: (
        switch_usd(s) * s.finance.yearly("network")
        + _networked(s, switch_drawn_w(s)) * _energy_usd_per_w(s)
        + switch_w(s).watts * s.finance.rent_usd_per_w_year
    ),
    per_optic=lambda s: (
        optic_usd(s) * s.finance.yearly("network")
        + _networked(s, optic_drawn_w(s)) * _energy_usd_per_w(s)
    ),
    per_node=lambda s, h: (
        _standing(s, h) * _energy_usd_per_w(s) + it_w(s, h).watts * s.finance.rent_usd_per_w_year
    ),
    per_replica=lambda s, c, pue: working_meter_w(c, pue).watts * _energy_usd_per_w(s) * s.finance.load_factor,
))  # fmt: skip
