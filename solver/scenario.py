"""A study resolved against a catalog: what may be bought, for which classes, under which limits.

Everything here is frozen and in SI. What a filter removed is kept with its reason, and every number that
came from a default is kept as an assumption.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from solver.catalog import Catalog
from solver.classes import workloads_of
from solver.delivery import Delivery
from solver.errors import InputError, Problem, closest
from solver.finance import Finance as Finance
from solver.parts import (
    Accelerator,
    Cooling,
    Link,
    LinkEfficiency,
    MemoryDevice,
    Model,
    NetworkPart,
    Platform,
    Precision,
    Rack,
)
from solver.physics.cost import annuity, memory_usd_per_byte, price_table
from solver.physics.links import TransferEfficiency, transfer_efficiency
from solver.purchasable import Filtered, devices_of, platforms_of
from solver.resolver import Assumption, Resolver, si_value
from solver.study import Study
from solver.units import si_name
from solver.workload import Workload


@dataclass(frozen=True)
class Site:
    """Limits and prices of the place, money in USD; None means no limit."""

    power_w: float | None
    usable_power_frac: float
    fixed_w: float
    budget_usd: float | None
    floor_m2: float | None
    water_l_per_s: float | None
    co2_kg_per_s: float | None
    price_quarter: str
    available_by: str
    electricity_usd_per_j: float
    carbon_kg_per_j: float
    cooling: tuple[str, ...] | None
    tax_frac: float = 0.0
    discount_frac: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """Study and catalog brought together.

    `fleet` counts owned nodes by configuration id; platforms of `only_owned` may be used and not bought. `widths`
    by class id and role are router widths below the study's, frozen because no more replicas stood.
    """

    catalog: Catalog
    study: Study
    site: Site
    finance: Finance
    workloads: tuple[Workload, ...]
    models: dict[str, Model]
    accelerators: dict[str, Accelerator]
    platforms: tuple[Platform, ...]
    devices: tuple[MemoryDevice, ...]
    precisions: dict[str, Precision]
    racks: tuple[Rack, ...]
    cooling: dict[str, Cooling]
    links: dict[str, Link]
    switch: NetworkPart
    optic: NetworkPart
    network_cooling: Cooling
    nic_link: Link
    nic_efficiency: TransferEfficiency
    scale_up_link: Link
    scale_up_efficiency: TransferEfficiency
    handover_ttft_frac: float
    write_amplification: float
    host_mem_usable_frac: float
    host_mem_min_frac: float
    host_draw_frac: float
    accelerators_per_port: float
    prices: dict[tuple[str, str], float]
    filtered: tuple[Filtered, ...]
    assumptions: tuple[Assumption, ...]
    fleet: Mapping[str, int] = field(default_factory=dict)
    only_owned: frozenset[str] = frozenset()
    accelerator_afr_frac: float = 0.0
    platform_afr_frac: float = 0.0
    widths: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def router_width(self, workload_id: str, role: str) -> int:
        """Replicas that share a queue: what the study says, or fewer where fewer stand (`widths`)."""
        most = self.study.build.router_width
        return min(most, self.widths.get((workload_id, role), most))

    def spare_share(self, platform: Platform, accelerator: Accelerator | None) -> float:
        """Return the share of a platform's nodes that is away for repair, on average.

        Failures a year of the accelerators and of everything else, times the days until a node is back, over 365.
        """
        afr = self.platform_afr_frac if platform.afr_frac is None else platform.afr_frac
        if accelerator is not None:
            each = self.accelerator_afr_frac if accelerator.afr_frac is None else accelerator.afr_frac
            afr += platform.accelerators * each
        return afr * self.study.build.spares_days / 365.0

    def most_bought(self, platform_id: str) -> int | None:
        """Return how many of a platform may be bought: none of those that are only owned; None for no limit."""
        if platform_id in self.only_owned:
            return 0
        supply = self.study.supply.platform.get(platform_id)
        return None if supply is None else supply.quantity

    def owned(self, platform_id: str) -> int:
        """Return how many nodes of a platform are owned already."""
        return sum(n for unit, n in self.fleet.items() if unit.split("/")[0] == platform_id)

    def device(self, device_id: str) -> MemoryDevice:
        """Return a memory device by id, whether or not it may be bought apart."""
        return self.catalog.typed(MemoryDevice, device_id)

    def landed_usd(self, list_usd: float, vendor: str = "") -> float:
        """Return what is paid for a list price: less the vendor's discount, plus tax."""
        site = self.site
        return list_usd * (1.0 - site.discount_frac.get(vendor, 0.0)) * (1.0 + site.tax_frac)

    def device_usd(self, device: MemoryDevice) -> float:
        """Return the list price of one memory device at the study's quarter."""
        return memory_usd_per_byte(device, self.site.price_quarter, self.prices) * device.capacity_bytes


def resolve(study: Study, catalog: Catalog) -> Scenario:
    """Bring a study and a catalog together.

    Parameters
    ----------
    study : Study
    catalog : Catalog

    Raises
    ------
    InputError
        If the study names what the catalog does not have; every such place at once, with close matches.
    """
    todo = Resolver(study, catalog)
    _check_ids(todo)
    if todo.problems:
        raise InputError(todo.problems)
    site, finance = _site(todo), _finance(todo)
    _check_share_of_mw(todo, site)
    workloads = workloads_of(todo)
    if todo.problems:
        raise InputError(todo.problems)
    platforms, filtered = platforms_of(study, catalog)
    devices, more = devices_of(study, catalog)
    delivery, own_racks = Delivery.of(study.site), {p.own_rack_id for p in platforms}
    more += [Filtered(r.id, reason) for r in catalog.all(Rack) if r.id not in own_racks
             and (reason := delivery.too_late(r.lead_time_s))]  # fmt: skip
    switch = catalog.typed(NetworkPart, todo.default("build.switch", study.build.switch))
    optic = catalog.typed(NetworkPart, todo.default("build.optic", study.build.optic))
    late = [
        Problem(study.name, "", f"build.{name}", part.id, reason, "a later site.energised_by, or another part")
        for name, part in (("switch", switch), ("optic", optic)) if (reason := delivery.too_late(part.lead_time_s))
    ]  # fmt: skip
    if late:
        raise InputError(late)
    nic_link = catalog.typed(Link, todo.default("build.nic_link", study.build.nic_link))
    scale_up_link = catalog.typed(Link, todo.default("build.scale_up_link", study.build.scale_up_link))
    return Scenario(
        catalog=catalog,
        study=study,
        site=site,
        finance=finance,
        workloads=workloads,
        models={w.model_id: catalog.typed(Model, w.model_id) for w in workloads},
        accelerators={str(p.accelerator_id): catalog.typed(Accelerator, str(p.accelerator_id))
                      for p in platforms if p.accelerator_id},
        platforms=platforms,
        devices=devices,
        precisions={p.id: p for p in catalog.all(Precision)},
        racks=tuple(r for r in catalog.all(Rack) if (site.cooling is None or r.cooling in site.cooling)
                    and (r.id in own_racks or not delivery.too_late(r.lead_time_s))),
        cooling={c.id: c for c in catalog.all(Cooling)},
        links={link.id: link for link in catalog.all(Link)},
        switch=switch,
        optic=optic,
        network_cooling=network_cooling(switch, site.cooling, catalog.all(Cooling)),
        nic_link=nic_link,
        nic_efficiency=_efficiency(catalog, nic_link),
        scale_up_link=scale_up_link,
        scale_up_efficiency=_efficiency(catalog, scale_up_link),
        write_amplification=todo.default("build.write_amplification", study.build.write_amplification),
        handover_ttft_frac=todo.default("build.handover_ttft_frac", study.build.handover_ttft_frac),
        host_mem_usable_frac=todo.default("build.host_mem_usable_frac", study.build.host_mem_usable_frac),
        host_mem_min_frac=todo.default("build.host_mem_min_frac", study.build.host_mem_min_frac),
        host_draw_frac=todo.default("build.host_draw_frac", study.build.host_draw_frac),
        accelerators_per_port=todo.default("build.accelerators_per_port", study.build.accelerators_per_port),
        prices=price_table(catalog.rows("memory_prices")),
        filtered=tuple([*filtered, *more]),
        assumptions=tuple(todo.assumptions),
        fleet=fleet_of(study),
        accelerator_afr_frac=_afr_frac(todo, "accelerator_afr_percent"),
        platform_afr_frac=_afr_frac(todo, "platform_afr_percent"),
        only_owned=frozenset(f.part for f in filtered) & {p.id for p in platforms},
    )  # fmt: skip


def _efficiency(catalog: Catalog, link: Link) -> TransferEfficiency:
    """Share of a link's peak by the size of a transfer, as it was measured."""
    points = [(e.bytes, e.frac) for e in catalog.all(LinkEfficiency) if e.link_id == link.id]
    return transfer_efficiency(points, link.measured_frac)


def _check_share_of_mw(todo: Resolver, site: Site) -> None:
    """Record a problem where a share is asked of megawatts that nobody stated."""
    share = todo.study.build.min_platform_mw_frac
    if share is not None and site.power_w is None:
        problem = "is a share of site.power_mw, which the study leaves open"
        todo.problems.append(
            Problem(todo.study.name, "", "build.min_platform_mw_frac", str(share), problem, "with a site.power_mw")
        )


def _afr_frac(todo: Resolver, name: str) -> float:
    """Failures a year, which only a study that keeps spares asks for."""
    build = todo.study.build
    return todo.default(f"build.{name}", getattr(build, name)) / 100.0 if build.spares_days else 0.0


def fleet_of(study: Study) -> dict[str, int]:
    """Owned nodes by configuration id."""
    owned: dict[str, int] = {}
    for spec in study.fleet:
        unit = f"{spec.platform}/{spec.configuration}"
        owned[unit] = owned.get(unit, 0) + spec.quantity
    return owned


def network_cooling(switch: NetworkPart, allowed: tuple[str, ...] | None, kinds: Iterable[Cooling]) -> Cooling:
    """Cooling of the racks that switches stand in: the most efficient of the site that takes the switch.

    Where the site has none that does, the least efficient of the site is charged.
    """
    here = [c for c in kinds if allowed is None or c.id in allowed]
    fitting = [c for c in here if (switch.cooling or "air") in c.accepts]
    rank = {c.id: (c.pue_peak, c.pue_central, c.id) for c in here}
    return min(fitting, key=lambda c: rank[c.id]) if fitting else max(here, key=lambda c: rank[c.id])


def _check_ids(todo: Resolver) -> None:
    """Check every id the study names."""
    study = todo.study
    tables: list[tuple[str, str, Iterable[str]]] = [
        ("platforms", "supply.platform", study.supply.platform),
        ("memory", "supply.memory", study.supply.memory),
        ("platforms", "fleet.platform", [owned.platform for owned in study.fleet]),
        ("cooling", "site.cooling", study.site.cooling or ()),
        ("workloads", "workload.id", [w.id for w in study.workload]),
        ("models", "workload.model_id", [w.model_id for w in study.workload if w.model_id]),
        ("network", "build.switch", [study.build.switch] if study.build.switch else ()),
        ("network", "build.optic", [study.build.optic] if study.build.optic else ()),
        ("links", "build.nic_link", [study.build.nic_link] if study.build.nic_link else ()),
        ("links", "build.scale_up_link", [study.build.scale_up_link] if study.build.scale_up_link else ()),
        ("sites", "site.id", [study.site.id] if study.site.id else ()),
    ]
    for table, path, names in tables:
        for name in names:
            todo.check(table, name, path)
    for spec in study.workload:
        for precision in [*(spec.weight_precisions or []), *([spec.kv_precision] if spec.kv_precision else [])]:
            todo.check("precisions", precision, f"workload.{spec.id}")
    for path, names in (("allow", study.allow), ("exclude", study.exclude)):
        for name in names:
            if name not in todo.catalog.tables["memory"]:
                todo.check("platforms", name, path)
    vendors = {str(row["vendor"]) for table in ("platforms", "memory", "network") for row in todo.catalog.rows(table)}
    todo.problems += [
        Problem(study.name, "site", "discount_percent", vendor, "no vendor of the catalog",
                ", ".join(sorted(vendors)), closest(vendor, vendors))
        for vendor in study.site.discount_percent if vendor not in vendors
    ]  # fmt: skip
    quarters = sorted({str(row["quarter"]) for row in todo.catalog.rows("memory_prices")})
    if study.site.price_quarter not in quarters:
        todo.problems.append(
            Problem(study.name, "", "site.price_quarter", study.site.price_quarter, "no memory prices for it",
                    ", ".join(quarters))
        )  # fmt: skip


def _site(todo: Resolver) -> Site:
    """Merge the study's site with the catalog's site row and the defaults."""
    spec = todo.study.site
    row = dict(todo.catalog.row("sites", spec.id)) if spec.id else {}
    given = {name: getattr(spec, name) for name in type(spec).model_fields}
    merged = {name: row.get(name) if value is None else value for name, value in given.items()}
    electricity = todo.default("site.electricity_usd_per_mwh", merged["electricity_usd_per_mwh"])
    carbon = todo.default("site.carbon_g_per_kwh", merged["carbon_g_per_kwh"])
    return Site(
        power_w=si_value("power_mw", merged["power_mw"]),
        usable_power_frac=spec.usable_power_frac,
        fixed_w=spec.fixed_mw * 1e6,
        budget_usd=merged["budget_usd"] if spec.budget is None else spec.budget / (spec.fx or 1.0),
        floor_m2=merged["floor_m2"],
        water_l_per_s=merged["water_l_per_s"],
        co2_kg_per_s=merged["co2_kg_per_s"],
        price_quarter=spec.price_quarter,
        available_by=spec.available_by,
        electricity_usd_per_j=electricity * si_name("electricity_usd_per_mwh")[1],
        carbon_kg_per_j=carbon * si_name("carbon_g_per_kwh")[1],
        cooling=None if spec.cooling is None else tuple(spec.cooling),
        tax_frac=spec.tax_percent / 100.0,
        discount_frac={vendor: percent / 100.0 for vendor, percent in spec.discount_percent.items()},
    )


def _finance(todo: Resolver) -> Finance:
    """Finance numbers, from the study or the catalog's defaults."""
    spec = todo.study.finance

    def value(name: str) -> float:
        return float(todo.default(f"finance.{name}", getattr(spec, name)))

    wacc = value("wacc_percent") / 100.0
    if spec.facility == "rent":
        building = value("rent_usd_per_kw_month") * 12.0 / 1e3
    else:
        building = value("facility_usd_per_kw") / 1e3 * float(annuity(wacc, value("facility_life_years")))
    return Finance(
        wacc_frac=wacc,
        it_life_years=value("it_life_years"),
        rack_life_years=value("rack_life_years"),
        maintenance_frac=value("maintenance_percent") / 100.0,
        rent_usd_per_w_year=building,
        memory_life_years=value("memory_life_years"),
        network_life_years=value("network_life_years"),
        residual_frac=value("residual_percent") / 100.0,
        load_factor=value("load_factor"),
    )
