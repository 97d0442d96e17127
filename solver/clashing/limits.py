"""The limits of a study by the key a user would change: what is allowed, and the same study with another value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from solver.model.data import ModelData
from solver.model.practical import counted_platforms, vendor_board_w
from solver.resources import RESOURCES
from solver.scenario import Scenario
from solver.shares import SHARES, limited_shares
from solver.study import Study
from solver.units import si_name

RESOURCE, PLATFORM, DEVICE, FLOOR, KINDS, DEVICES, TRIED = (
    "resource", "platform", "device", "floor", "kinds", "devices", "tried",
)  # fmt: skip
"""How a limit stands in the model: a cap on a resource, a supply, the demand that must be served, a number of kinds of
platform or of memory device, or a coefficient of rows, whose least relaxation is found by trying."""
UNITS = {"power_mw": "MW", "budget_usd": "USD", "floor_m2": "m2", "water_l_per_s": "L/s", "co2_kg_per_s": "kg/s"}
DIGITS = 4
"""Significant digits of a relaxation: it is rounded to the safe side."""


@dataclass(frozen=True)
class Limit:
    """One key of a study that builds must keep.

    Attributes
    ----------
    id : str
        Dotted path, as `Study.with_changes` takes it.
    name, unit : str
        In words; unit of the key.
    allowed : float
        The study's value.
    kind : str
        How it stands in the model.
    about : str
        Resource, platform, device, or build option.
    looser : int
        1 where more gives room (power), -1 where less does (a floor under demand).
    whole : bool
        True for counts.
    most : float
        Value beyond which it asks for nothing.
    scale : float
        Model units in one unit of the key, for resources.
    """

    id: str
    name: str
    unit: str
    allowed: float
    kind: str
    about: str = ""
    looser: int = 1
    whole: bool = False
    most: float = math.inf
    scale: float = 1.0

    def rounded(self, value: float) -> float:
        """Return a value of the key that gives no less room, with few digits."""
        if self.whole:
            return float(math.ceil(value - 1e-6))
        if value == 0.0 or not math.isfinite(value):
            return value
        step = 10.0 ** (math.floor(math.log10(abs(value))) + 1 - DIGITS)
        safe = value * (1.0 - self.looser * 1e-9)  # of a sum that is a round number, not the next one
        units = math.ceil(safe / step) if self.looser > 0 else math.floor(safe / step)
        return float(f"{units * step:.{DIGITS + 2}g}")


def named_limits(data: ModelData) -> tuple[Limit, ...]:
    """Return the limits of a study that its model holds.

    Parameters
    ----------
    data : ModelData
    """
    return (*_of_site(data.scenario), *_of_supply(data), *_of_demand(data.scenario), *_of_build(data))


def _of_site(scenario: Scenario) -> list[Limit]:
    """Caps on resources."""
    found = []
    for resource in RESOURCES.values():
        limit = resource.limit(scenario)
        if limit is None:
            continue
        path, name = resource.limit_path, resource.limit_path.rsplit(".", 1)[1]
        si, factor = si_name(name)
        allowed, unit = float(getattr(scenario.site, si)) / factor, UNITS.get(name, resource.unit)
        if name == "budget_usd" and scenario.study.site.budget is not None:
            fx = scenario.study.site.fx or 1.0
            path, allowed, unit = "site.budget", allowed * fx, scenario.study.site.currency
        words = resource.name[:1].lower() + resource.name[1:]
        found.append(Limit(path, words, unit, allowed, RESOURCE, resource.id, scale=limit / resource.scale / allowed))
    return found


def _of_supply(data: ModelData) -> list[Limit]:
    """How many of a part can be had."""
    supply, scenario = data.scenario.study.supply, data.scenario
    here = {p.config.platform.id for p in data.pools}
    devices = {device for p in data.pools for device, _ in p.config.bought}
    found = [
        Limit(f"supply.platform.{p}", f"pieces of {p}", "pieces", float(spec.quantity), PLATFORM, p, whole=True)
        for p, spec in supply.platform.items() if p in here and p not in scenario.only_owned
    ]  # fmt: skip
    found += [
        Limit(f"supply.memory.{d}", f"pieces of {d}", "pieces", float(spec.quantity), DEVICE, d, whole=True)
        for d, spec in supply.memory.items() if d in devices
    ]  # fmt: skip
    return found


def _of_demand(scenario: Scenario) -> list[Limit]:
    """What must be served."""
    floor, mode = scenario.study.demand.floor_frac, scenario.study.demand.mode
    name = "share of the stated rates to be served" if mode == "fixed" else "scale of the mix to be served"
    return [Limit("demand.floor_frac", name, "", floor, FLOOR, looser=-1, most=0.0)] if floor > 0 else []


def _of_build(data: ModelData) -> list[Limit]:
    """Practical limits."""
    build, found = data.scenario.study.build, []
    if build.max_platforms is not None:
        kinds = float(len(counted_platforms(data)))
        found.append(
            Limit("build.max_platforms", "kinds of accelerator platform", "kinds", float(build.max_platforms), KINDS,
                  whole=True, most=kinds)
        )  # fmt: skip
    if build.max_device_kinds is not None:
        kinds = float(len({device for p in data.pools for device, _ in p.config.bought}))
        found.append(
            Limit("build.max_device_kinds", "kinds of memory device", "kinds", float(build.max_device_kinds), DEVICES,
                  whole=True, most=kinds)
        )  # fmt: skip
    if build.max_share_per_vendor is not None and vendor_board_w(data):
        found.append(
            Limit("build.max_share_per_vendor", "share of one vendor in the watts of accelerators", "",
                  build.max_share_per_vendor, TRIED, "max_share_per_vendor", most=1.0)
        )  # fmt: skip
    found += [
        Limit(SHARES[name].path, SHARES[name].name, "", allowed, TRIED, SHARES[name].option, most=1.0)
        for name, allowed in limited_shares(data.scenario).items()
    ]
    if build.min_platform_mw_frac is not None:
        found.append(
            Limit("build.min_platform_mw_frac", "least share of a platform in the contracted power", "",
                  build.min_platform_mw_frac, TRIED, "min_platform_mw_frac", looser=-1, most=0.0)
        )  # fmt: skip
    if build.spares_days:
        found.append(
            Limit("build.spares_days", "days until a failed node is back", "days", build.spares_days, TRIED,
                  "spares_days", looser=-1, most=0.0)
        )  # fmt: skip
    if build.n_plus_one:
        found.append(
            Limit("build.n_plus_one", "one more node of each platform", "", 1.0, TRIED, "n_plus_one", looser=-1,
                  whole=True, most=0.0)
        )  # fmt: skip
    return found


def with_values(scenario: Scenario, values: Mapping[Limit, float]) -> Scenario:
    """Return the scenario with other values of some limits; one at or beyond its `most` is taken away.

    Parameters
    ----------
    scenario : Scenario
    values : mapping of Limit to float
        In the units of the keys.
    """
    for limit, value in values.items():
        scenario = _WAYS[limit.kind](scenario, limit, value)
    return scenario


def with_values_of(data: ModelData, values: Mapping[Limit, float]) -> ModelData:
    """Return model data with other values of some limits: its columns do not depend on any of them."""
    return dataclasses.replace(data, scenario=with_values(data.scenario, values))


def freed(limit: Limit, value: float) -> bool:
    """True where a value asks for nothing."""
    return value >= limit.most if limit.looser > 0 else value <= limit.most


def _section(scenario: Scenario, section: str, changes: Mapping[str, Any]) -> Scenario:
    study: Study = scenario.study
    part = getattr(study, section).model_copy(update=dict(changes))
    return dataclasses.replace(scenario, study=study.model_copy(update={section: part}))


def _resource(scenario: Scenario, limit: Limit, value: float) -> Scenario:
    given = None if freed(limit, value) else value
    si, factor = si_name(RESOURCES[limit.about].limit_path.rsplit(".", 1)[1])
    fx = scenario.study.site.fx or 1.0 if limit.id == "site.budget" else 1.0
    value_si = None if given is None else given * factor / fx
    site = dataclasses.replace(scenario.site, **{si: value_si})  # type: ignore[arg-type]
    changed = _section(scenario, "site", {limit.id.rsplit(".", 1)[1]: given})
    return dataclasses.replace(changed, site=site)


def _supplied(scenario: Scenario, limit: Limit, value: float) -> Scenario:
    kind = "platform" if limit.kind == PLATFORM else "memory"
    table = dict(getattr(scenario.study.supply, kind))
    spec = table.pop(limit.about)
    if not freed(limit, value):
        table[limit.about] = spec.model_copy(update={"quantity": round(value)})
    return _section(scenario, "supply", {kind: table})


def _floor(scenario: Scenario, _: Limit, value: float) -> Scenario:
    return _section(scenario, "demand", {"floor_frac": max(0.0, value)})


def _kinds(scenario: Scenario, limit: Limit, value: float) -> Scenario:
    return _section(scenario, "build", {limit.id.split(".")[1]: round(min(value, limit.most))})


def _tried(scenario: Scenario, limit: Limit, value: float) -> Scenario:
    off = freed(limit, value)
    given: Any = {"spares_days": 0.0 if off else value, "n_plus_one": not off}.get(limit.about, None if off else value)
    return _section(scenario, "build", {limit.about: given})


_WAYS: dict[str, Callable[[Scenario, Limit, float], Scenario]] = {
    RESOURCE: _resource, PLATFORM: _supplied, DEVICE: _supplied, FLOOR: _floor, KINDS: _kinds, DEVICES: _kinds,
    TRIED: _tried,
}  # fmt: skip
