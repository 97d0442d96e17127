"""Random instances so small that every whole-number build can be tried.

Each draws one or two platforms with a few configurations, caps and racks, one or two classes with mixed, prefill
and decode candidates, with or without KV below HBM and cached prompts, and some of the limits a study can name.
The counts are bounded by supply, so that few builds exist.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from records import (
    GB,
    PORT,
    accelerator,
    candidate,
    configuration,
    housing,
    memory_device,
    model,
    model_data,
    platform,
    rack,
    retention,
    scenario,
    tier,
    workload,
)

from solver.candidate import Candidate
from solver.configurations import Configuration, TierStock
from solver.model.data import Housing, ModelData, Pool
from solver.parts import MemoryDevice, Platform, Rack
from solver.physics.reuse import Retention
from solver.scenario import Finance, Scenario
from solver.workload import Workload

Ordered = TypeVar("Ordered", Platform, Rack)


@dataclass
class Draw:
    """What is drawn step by step for one instance; the other generators draw some things apart from the rest."""

    rng: np.random.Generator
    more: np.random.Generator
    buyer: np.random.Generator
    reads: np.random.Generator
    shares: np.random.Generator
    trust: np.random.Generator
    whole: bool
    objective: str
    wired: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    pools: list[Pool] = field(default_factory=list)
    housings: list[Housing] = field(default_factory=list)
    columns: list[tuple[Candidate, Pool | None]] = field(default_factory=list)
    kept: dict[str, Retention] = field(default_factory=dict)

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """Return a number between two bounds, three digits."""
        return float(f"{self.rng.uniform(low, high):.3g}")

    def pick(self, items: list[Any]) -> Any:
        """Return one of some items."""
        return items[int(self.rng.integers(len(items)))]


def tiny(seed: int, objective: str, *, power: str = "provisioned", whole: bool = False) -> ModelData:
    """Return a random tiny instance.

    Parameters
    ----------
    seed : int
    objective : str
        Objective id; demand is drawn so that the objective means something.
    power : {"provisioned", "drawn"}
        What a ratio divides by.
    whole : bool
        Whole replicas; the instance is then smaller still.
    """
    key = [seed, *objective.encode()]
    draw = Draw(*(np.random.default_rng(k) for k in (key, *([*key, n] for n in (1, 2, 3, 4, 5)))), whole, objective)
    draw.wired = not whole and draw.chance(0.2)
    works = [_class(draw, name) for name in ("a", "b")[: 1 if whole or draw.chance(0.4) else 2]]
    platforms = [_terms(draw, platform(n, accelerators=_accelerators(draw), **_ports(draw))) for n in ("p", "q")]
    for part in platforms[: 1 if whole or draw.wired or draw.chance(0.5) else 2]:
        _pools(draw, part)
    reuse = [w for w in works if w.reuse_frac_max > 0]
    if reuse and not draw.wired and draw.chance(0.5):
        _storage(draw)
    if not draw.wired and not draw.whole and len(draw.pools) <= 2 and draw.more.random() < 0.4:
        _appliance(draw)
    _housings(draw)
    for work in works:
        _columns(draw, work)
    for work in reuse:
        draw.kept[work.id] = _curve(draw)
    _limits(draw, objective, power)
    _demand(draw, objective)
    _orders(draw)
    _wishes(draw)
    grades = _trust(draw)
    if draw.changes["demand.mode"] == "mix":
        works = [dataclasses.replace(work, unmet_usd_per_request=None) for work in works]
    finance = Finance(*(draw.between(*b) for b in ((0.0, 0.1), (3.0, 6.0), (8.0, 15.0), (0.0, 0.08), (0.0, 1.0))))
    of = scenario(
        draw.changes | {"objective.name": objective, "objective.power": power, "build.whole_replicas": whole},
        works,
        finance=dataclasses.replace(finance, **_lives(draw)),
        switch=(draw.between(0.0, 900.0), draw.between(0.0, 400.0), draw.between(0.0, 2000.0)),
        optic=(draw.between(0.0, 30.0), draw.between(0.0, 800.0)),
        network_cooling=(draw.between(1.1, 1.6), draw.between(1.0, 1.1), draw.between(0, 2) / 3.6e6),
        electricity_usd_per_j=draw.between(0.0, 0.3) / 3.6e6,
        carbon_kg_per_j=draw.between(0.0, 0.5) / 3.6e6,
        devices=_devices(draw),
        of=model(state_bytes=draw.pick([0.0, 0.0, 3e7])),
        switch_terms=_lots(draw),
        optic_terms=_lots(draw),
    )
    of = _with_grades(of, grades)
    return model_data(of, draw.columns, draw.housings, draw.kept)


def _lives(draw: Draw) -> dict[str, float]:
    """Lives of memory and network, what IT is sold for in the end, and the load factor."""
    bounds = {"memory_life_years": (2.0, 8.0), "network_life_years": (4.0, 10.0), "residual_frac": (0.0, 0.3),
              "load_factor": (0.4, 1.0)}  # fmt: skip
    return {name: float(draw.more.uniform(*ends)) for name, ends in bounds.items()}


def _devices(draw: Draw) -> list[MemoryDevice]:
    """Return the devices that nodes of configuration `more` take, at times in boxes."""
    boxed = draw.more.random() < 0.3
    multiple = int(draw.more.integers(2, 7)) if boxed else 1
    usd = float(draw.more.uniform(20, 400))
    return [memory_device(name, usd=usd, order_multiple=multiple) for name in ("extra", "other")]


def _terms(draw: Draw, part: Ordered) -> Ordered:
    """Draw lots and minimums of a few."""
    if draw.wired or draw.more.random() < 0.75:
        return part
    multiple, minimum = (int(draw.more.integers(1, 3)) for _ in range(2))
    return dataclasses.replace(part, order_multiple=multiple, order_minimum=minimum)


def _accelerators(draw: Draw) -> int:
    return int(draw.pick([1, 2] if draw.whole else [1, 2, 4]))


def _ports(draw: Draw) -> dict[str, Any]:
    """Draw network cards where the instance has a network."""
    return {"nic_count": int(draw.rng.integers(1, 3)) if draw.wired else 0, "nic_bytes_per_s": PORT}


def _class(draw: Draw, name: str) -> Workload:
    reuse = draw.between(0.2, 0.9) if draw.chance(0.5) else 0.0
    made = workload(
        name, demand=draw.between(2.0, 30.0), isl=draw.between(200, 4000), osl=draw.between(50, 1000), reuse=reuse
    )
    if draw.shares.random() < 0.3:
        made = dataclasses.replace(made, system_tokens=float(draw.shares.uniform(0.05, 0.6)) * made.isl)
    if draw.objective != "profit":
        return dataclasses.replace(made, value_per_token=float(draw.more.uniform(0.2, 5.0)))
    fine = float(draw.more.uniform(0.0, 2e-5)) if draw.more.random() < 0.4 else None
    price = float(draw.more.uniform(5e-9, 2e-7))
    return dataclasses.replace(made, price_usd_per_token=price, unmet_usd_per_request=fine)


def _curve(draw: Draw) -> Retention:
    """Concave or not: the model must be right for both."""
    count = int(draw.rng.integers(1, 4))
    return retention(*((draw.between(0.05, 0.9 / count), draw.between(1e3, 3e5)) for _ in range(count)))


def _stock(draw: Draw, name: str, pooled: bool = False) -> TierStock:
    """Draw a tier; some are so slow that reads bind before bytes."""
    slow = 0.02 if draw.chance(0.4) and name != "ddr" else 1.0
    wears = name != "ddr" and draw.chance(0.4)
    slowest = float(10.0 ** draw.reads.uniform(-3.0, -1.0)) if draw.reads.random() < 0.25 else 1.0
    return tier(
        name, capacity_bytes=draw.between(50, 800) * GB, read_bytes_per_s=slowest * slow * draw.between(5, 200) * GB,
        link_bytes_per_s=slow * draw.between(3, 60) * GB, pooled=pooled,
        write_bytes_per_s=draw.between(0.2, 5) * GB if pooled or draw.chance(0.4) else None,
        endurance_bytes_per_s=draw.between(0.1, 2) * GB if wears else math.inf,
    )  # fmt: skip


def _configured(
    draw: Draw, part: Platform, label: str, tiers: list[TierStock], bought: list[tuple[str, int]]
) -> Configuration:
    chip = accelerator(tdp_w=draw.between(200, 900), idle_w=draw.between(20, 150), vendor=f"maker of {part.id}")
    size = max(1, part.accelerators)
    made = configuration(
        part, label, tiers=tiers, chip=chip, bought=bought, provisioned_w=size * 950.0 + draw.between(200, 1500),
        host_drawn_w=draw.between(50, 400), price_usd=size * draw.between(500, 3000) + draw.between(100, 2000),
    )  # fmt: skip
    share = float(draw.more.uniform(0.1, 0.6)) if bought else 0.0
    return dataclasses.replace(made, devices_usd=share * made.price_usd)


def _pools(draw: Draw, part: Platform) -> None:
    """Draw configurations and caps of a platform, and how many can be had."""
    two = draw.chance(0.5) and not draw.whole
    scarce = two and draw.chance(0.5)
    device = "other" if part.id == "q" and draw.buyer.random() < 0.6 else "extra"
    local = [_stock(draw, "ddr")] if not scarce and draw.chance(0.7) else []
    menu = [_configured(draw, part, "standard", local, [])]
    if two:
        more = [_stock(draw, "ddr")] + ([_stock(draw, "nvme")] if draw.chance(0.5) else [])
        each = int(draw.rng.integers(1, 5))
        menu.append(_configured(draw, part, "more", more, [(device, each)]))
        if scarce:
            draw.changes[f"supply.memory.{device}"] = each * int(draw.rng.integers(1, 3)) + int(draw.rng.integers(0, 2))
        elif draw.chance(0.2):
            draw.changes[f"supply.memory.{device}"] = int(draw.rng.integers(0, 8))
    draw.pools += [Pool(config, 1.0) for config in menu]
    if draw.chance(0.3):
        draw.pools.append(Pool(draw.pick(menu), 0.75))
    draw.changes[f"supply.platform.{part.id}"] = 3 if scarce else int(draw.rng.integers(1, 3 if draw.whole else 4))


def _storage(draw: Draw) -> None:
    """Draw a storage server that every node can read."""
    part = platform("s", accelerators=0, **_ports(draw))
    draw.pools.append(Pool(_configured(draw, part, "drives", [_stock(draw, "flash", pooled=True)], []), 1.0))
    draw.changes["supply.platform.s"] = int(draw.rng.integers(1, 3))


def _appliance(draw: Draw) -> None:
    """Draw an appliance of pooled memory and a platform whose nodes may be attached to it; it binds before they do."""
    pool = draw.pools[0]
    seen = tier("cxl", capacity_bytes=draw.between(300, 900) * GB, read_bytes_per_s=draw.between(20, 200) * GB,
                link_bytes_per_s=draw.between(20, 60) * GB)  # fmt: skip
    config = pool.config
    draw.pools.append(Pool(dataclasses.replace(
        config, id=f"{config.platform.id}/attached", tiers=(*config.tiers, seen), attached="box",
        price_usd=0.9 * config.price_usd), 1.0))  # fmt: skip
    box = dataclasses.replace(platform("box", accelerators=0), most_hosts=int(draw.rng.integers(1, 3)))
    lends = tier("cxl", capacity_bytes=draw.between(20, 500) * GB, read_bytes_per_s=draw.between(0.05, 20) * GB,
                 write_bytes_per_s=draw.between(0.02, 2) * GB)  # fmt: skip
    draw.pools.append(Pool(dataclasses.replace(_configured(draw, box, "standard", [], []), lends=lends), 1.0))
    draw.changes["supply.platform.box"] = int(draw.rng.integers(1, 3))


def _housings(draw: Draw) -> None:
    """Draw one or two kinds of rack for each pool; an own rack cannot be chosen apart."""
    racks = [
        _terms(draw, rack(n, floor_m2=draw.between(1, 4), price_usd=draw.between(100, 3000))) for n in ("r1", "r2")
    ]
    cooling = [(draw.between(1.05, 1.6), draw.between(1.02, 1.3), draw.between(0, 2) / 3.6e6) for _ in range(3)]
    apart = 0
    for pool in draw.pools:
        kinds = [None] if draw.chance(0.4) or apart >= 2 else racks[: 1 + (draw.chance(0.3) and len(draw.pools) < 3)]
        for kind in kinds:
            peak, mean, water = draw.pick(cooling)
            own = kind is None
            apart += not own
            fit = 1 if own else int(draw.rng.integers(1, 4))
            within = rack(f"own_{pool.config.platform.id}", floor_m2=draw.between(0.5, 3)) if own else kind
            draw.housings.append(
                housing(pool, within=within, fit=fit, own=own, pue_peak=peak, pue_mean=mean, wue_l_per_j=water)
            )


def _columns(draw: Draw, work: Workload) -> None:
    """Draw candidates of a class; the first two make sure that somebody prefills and decodes."""
    hosts = [p for p in draw.pools if p.config.platform.accelerators]
    kinds = ["mixed"] if draw.chance(0.5) else ["prefill", "decode"]
    kinds += [draw.pick(["mixed", "prefill", "decode", "decode"]) for _ in range(1 if draw.whole else 3)]
    for plain in kinds:
        role = "pair" if plain == "mixed" and draw.buyer.random() < 0.3 else plain
        pool = draw.pick(hosts)
        size = pool.config.platform.accelerators
        count = int(draw.pick([n for n in (1, 2, 3, 4) if n <= size]))
        charge = size / (size // count)
        idle = pool.config.accelerator.idle_w * count
        made: dict[str, Any] = {
            "at": pool.config.platform, "cap": pool.cap, "count": count, "charge": charge,
            "rate": count * draw.between(0.5, 12.0), "idle_w": idle, "drawn_w": idle + count * draw.between(0, 500),
            "ports": draw.pick([0.0, 1.0, 2.5]) * charge / size if draw.wired else 0.0,
        }  # fmt: skip
        if role == "decode" and draw.chance(0.6):
            _spilling(draw, work, pool, made)
            continue
        draw.columns.append((candidate(work.id, role, **made), None))
        if role != "decode" and work.reuse_frac_max > 0:
            _hitting(draw, work, role, hosts, made)


def _spilling(draw: Draw, work: Workload, pool: Pool, made: dict[str, Any]) -> None:
    """A decode candidate whose KV overflows, once for every pool of its family with memory of its own."""
    spill = draw.between(5, 200) * GB
    own = candidate(work.id, "decode", spill_bytes=spill, spill_read_bytes_per_s=draw.between(1, 60) * GB,
                    **made | {"rate": made["rate"] * draw.between(1.0, 4.0)})  # fmt: skip
    here = [p for p in draw.pools if p.family == pool.family and p.config.tiers]
    draw.columns += [(own, p) for p in here] or [(candidate(work.id, "decode", **made), None)]


def _hitting(draw: Draw, work: Workload, role: str, hosts: list[Pool], made: dict[str, Any]) -> None:
    """The same candidate for cached prompts, from every tier that its nodes can load from."""
    made = made | {
        "rate": made["rate"] * draw.between(1.2, 5.0),
        "load_bytes": (work.cached_on_hit - work.system_tokens) * 1e5,
    }
    for pool in hosts:
        if pool.family == (made["at"].id, made["cap"]):
            for stock in pool.config.tiers:
                draw.columns.append((candidate(work.id, role, hit_from=stock.tier, **made), pool))
    if any(p.config.platform.accelerators == 0 for p in draw.pools):
        draw.columns.append((candidate(work.id, role, hit_from="pooled_flash", **made), None))


def _limits(draw: Draw, objective: str, power: str) -> None:
    """Draw limits of the site near what a few nodes take."""
    chances = {"site.power_mw": (0.5, 0.003, 0.02), "site.budget_usd": (0.4, 5e3, 4e4), "site.floor_m2": (0.25, 3.0, 15.0),
               "site.water_l_per_s": (0.2, 5e-4, 8e-3), "site.co2_kg_per_s": (0.2, 3e-4, 3e-3)}  # fmt: skip
    for path, (chance, low, high) in chances.items():
        if draw.chance(chance) or (draw.wired and path == "site.budget_usd"):
            draw.changes[path] = draw.between(low, high)
    draw.changes.setdefault("site.power_mw", 1.0 if objective == "tokens_per_mw" else None)
    if draw.chance(0.3):
        draw.changes["site.fixed_mw"] = draw.between(1e-4, 2e-3)
        draw.changes["site.usable_power_frac"] = draw.between(0.8, 1.0)
    if draw.chance(0.3):
        draw.changes["objective.tokens"] = "all" if objective == "profit" or draw.more.random() < 0.5 else "value"
    if draw.chance(0.15):
        draw.changes["build.max_platforms"] = 1


def _orders(draw: Draw) -> None:
    """Draw what comes on top of prices, what is owned already, and the terms of orders."""
    configs = list({p.config.id: p.config for p in draw.pools}.values())
    if not draw.wired and draw.more.random() < 0.25:
        part, label = configs[int(draw.more.integers(len(configs)))].id.split("/")
        draw.changes["fleet"] = [{"platform": part, "quantity": int(draw.more.integers(1, 3)), "configuration": label}]
    if not draw.wired and draw.more.random() < 0.15:
        draw.changes["build.n_plus_one"] = True
    if not draw.wired and draw.more.random() < 0.2:
        draw.changes["build.spares_days"] = float(draw.more.uniform(10.0, 60.0))
        draw.changes["build.accelerator_afr_percent"] = float(draw.more.uniform(1.0, 100.0))
        draw.changes["build.platform_afr_percent"] = float(draw.more.uniform(1.0, 100.0))
    if len({c.platform.id for c in configs if c.accelerator}) > 1 and draw.more.random() < 0.4:
        draw.changes["build.max_share_per_vendor"] = float(draw.more.uniform(0.5, 0.9))
    if draw.more.random() < 0.3:
        draw.changes["site.tax_percent"] = float(draw.more.uniform(1.0, 25.0))
        draw.changes["site.discount_percent.maker"] = float(draw.more.uniform(1.0, 40.0))


def _wishes(draw: Draw) -> None:
    """Draw how many kinds of device there may be, and how little of a platform is worth having."""
    if draw.buyer.random() < 0.3:
        draw.changes["build.max_device_kinds"] = int(draw.buyer.integers(0, 2))
    if draw.changes["site.power_mw"] is not None and draw.buyer.random() < 0.3:
        draw.changes["build.min_platform_mw_frac"] = float(draw.buyer.uniform(0.1, 1.0))


def _trust(draw: Draw) -> tuple[str, str, str]:
    """Draw which prices and watts are estimates and how much may rest on them; return the grades of the network."""
    for name in ("max_estimated_capex_share", "max_estimated_power_share"):
        if draw.trust.random() < 0.25:
            draw.changes[f"build.{name}"] = float(draw.trust.uniform(0.1, 0.9))
    known: dict[tuple[str, str], Any] = {}

    def graded(part: Any) -> Any:
        fields = {f.name for f in dataclasses.fields(part)} & {"confidence", "confidence_price", "confidence_power"}
        grades = {name: "press" if draw.trust.random() < 0.5 else "estimate" for name in sorted(fields)}
        return known.setdefault((type(part).__name__, part.id), dataclasses.replace(part, **grades))

    pools = {p.id: Pool(dataclasses.replace(p.config, platform=graded(p.config.platform)), p.cap) for p in draw.pools}
    draw.pools = [pools[p.id] for p in draw.pools]
    draw.housings = [
        dataclasses.replace(h, pool=pools[h.pool.id], rack=h.rack if h.own else graded(h.rack)) for h in draw.housings
    ]
    draw.columns = [(c, None if p is None else pools[p.id]) for c, p in draw.columns]
    switch, optic, watts = ("press" if draw.trust.random() < 0.5 else "estimate" for _ in range(3))
    return switch, optic, watts


def _with_grades(of: Scenario, grades: tuple[str, str, str]) -> Scenario:
    """Return a scenario whose network and devices have grades: the first device is no estimate, the second is one."""
    switch, optic, watts = grades
    return dataclasses.replace(
        of,
        switch=dataclasses.replace(of.switch, confidence_price=switch, confidence=watts),
        optic=dataclasses.replace(of.optic, confidence_price=optic),
        devices=tuple(
            dataclasses.replace(d, confidence_price=grade, confidence=grade, max_w=5.0)
            for d, grade in zip(of.devices, ("press", "estimate"), strict=True)
        ),
    )


def _lots(draw: Draw) -> tuple[int, int]:
    """Draw the multiple and the minimum of an order of switches or optics."""
    if not draw.wired or draw.buyer.random() < 0.7:
        return 1, 1
    return int(draw.buyer.integers(1, 5)), int(draw.buyer.integers(1, 9))


def _demand(draw: Draw, objective: str) -> None:
    """Draw how demand is stated; a ratio or a cost needs a floor."""
    fixed = draw.chance(0.5)
    draw.changes["demand.mode"] = "fixed" if fixed else "mix"
    if objective in ("tokens_per_used_mw", "tokens_per_tco_dollar", "tco", "power"):
        draw.changes["demand.floor_frac"] = draw.between(0.05, 1.0) if fixed else draw.between(0.05, 1.5)
    elif draw.chance(0.4):
        draw.changes["demand.floor_frac"] = draw.between(0.0, 0.6)
    if not fixed and (objective in ("tokens", "profit") or draw.chance(0.3)):
        draw.changes["demand.max_scale"] = draw.between(1.6, 4.0)
