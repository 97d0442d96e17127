"""Shares of a build that rest on estimates: of its dollars and of its watts, each of which a study may limit.

An amount is the estimated part of something and the sound part. The same lines of a bill that make the key figure are
split by the same grade, so that a build within a limit has a key figure within it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from solver.configurations import Configuration
from solver.parts import MemoryDevice, NetworkPart, Part, Rack
from solver.resources import loose_usd, optic_usd, switch_usd, switch_w
from solver.scenario import Scenario

ESTIMATE = "estimate"
"""Grade of a figure without a source that measured, offered or reported it."""


class Split(NamedTuple):
    """Amounts that rest on estimates, and others."""

    estimated: float = 0.0
    sound: float = 0.0

    def __add__(self, other: object) -> Split:
        """Add part by part."""
        assert isinstance(other, Split)
        return Split(self.estimated + other.estimated, self.sound + other.sound)

    def times(self, number: float) -> Split:
        """Return so many of it."""
        return Split(number * self.estimated, number * self.sound)


def price_grade(part: Part) -> str:
    """Return the grade of a part's price."""
    return str(getattr(part, "confidence_price", part.confidence))


def power_grade(part: Part) -> str:
    """Return the grade of a part's watts."""
    return str(getattr(part, "confidence_power", part.confidence))


def graded(amount: float, grade: str) -> Split:
    """Return an amount as what its grade makes of it."""
    return Split(amount, 0.0) if grade == ESTIMATE else Split(0.0, amount)


def resting_share(bill: Iterable[Mapping[str, Any]], field: str, grade: str) -> float:
    """Return the share of a field of the bill's lines that rests on estimates.

    Parameters
    ----------
    bill : iterable of mapping
        Lines of a bill of materials.
    field : str
        ``capex_usd`` or ``provisioned_w``.
    grade : str
        ``confidence_price`` or ``confidence_power``.
    """
    total = rough = 0.0
    for line in bill:
        total += line[field]
        rough += line[field] if line[grade] == ESTIMATE else 0.0
    return rough / total if total else 0.0


@dataclass(frozen=True)
class Share:
    """A share that a study may limit.

    Attributes
    ----------
    id : str
        Its key figure.
    name, unit : str
        What the limit is called; unit of the amounts.
    option : str
        Key of the study, in its section ``build``.
    scale : float
        Units of the amounts in one unit of the model.
    of_bought : bool
        True where it counts what is bought; else what is at work, owned or bought.
    of_bill : callable(lines) -> float
    per_node : callable(scenario, configuration) -> Split
    per_rack, per_loose, per_switch, per_optic : callable -> Split
        As in `solver.resources.Resource`.
    """

    id: str
    name: str
    unit: str
    option: str
    scale: float
    of_bought: bool
    of_bill: Callable[[Iterable[Mapping[str, Any]]], float]
    per_node: Callable[[Scenario, Configuration], Split]
    per_switch: Callable[[Scenario], Split]
    per_optic: Callable[[Scenario], Split] = lambda _: Split()
    per_rack: Callable[[Scenario, Rack], Split] = lambda _, __: Split()
    per_loose: Callable[[Scenario, MemoryDevice | NetworkPart], Split] = lambda _, __: Split()

    @property
    def path(self) -> str:
        """Key of the study."""
        return f"build.{self.option}"

    def limit(self, scenario: Scenario) -> float | None:
        """Return what the study allows."""
        found: float | None = getattr(scenario.study.build, self.option)
        return found


def _device(scenario: Scenario, name: str) -> MemoryDevice:
    """Return a device: one for sale, or of a build that is given any that the catalog has."""
    return next((d for d in scenario.devices if d.id == name), None) or scenario.device(name)


def node_usd(scenario: Scenario, config: Configuration) -> Split:
    """Dollars of a node: its server by the grade of its price, the devices bought for it by theirs."""
    devices = Split()
    for name, count in config.bought:
        device = _device(scenario, name)
        devices += graded(count * loose_usd(scenario, device), price_grade(device))
    whole = devices.estimated + devices.sound
    paid = devices.times(config.devices_usd / whole) if whole > 0.0 else Split()
    return graded(config.price_usd - paid.estimated - paid.sound, price_grade(config.platform)) + paid


def node_w(scenario: Scenario, config: Configuration) -> Split:
    """Watts of a node at its peak, without caps: its server by the grade of its power, its devices by theirs."""
    devices = Split()
    for name, count in config.bought:
        device = _device(scenario, name)
        devices += graded(count * (device.max_w or 0.0), power_grade(device))
    return graded(config.provisioned_w - devices.estimated - devices.sound, power_grade(config.platform)) + devices


SHARES: dict[str, Share] = {
    share.id: share
    for share in (
        Share(
            "estimated_capex_share", "share of the capital outlay at prices that are estimates", "USD",
            "max_estimated_capex_share", 1e3, of_bought=True,
            of_bill=lambda bill: resting_share(bill, "capex_usd", "confidence_price"),
            per_node=node_usd,
            per_switch=lambda s: graded(switch_usd(s), price_grade(s.switch)),
            per_optic=lambda s: graded(optic_usd(s), price_grade(s.optic)),
            per_rack=lambda s, rack: graded(s.landed_usd(rack.price_central_usd), price_grade(rack)),
            per_loose=lambda s, part: graded(loose_usd(s, part), price_grade(part)),
        ),
        Share(
            "estimated_power_share", "share of the provisioned watts that are estimates", "W",
            "max_estimated_power_share", 1e3, of_bought=False,
            of_bill=lambda bill: resting_share(bill, "provisioned_w", "confidence_power"),
            per_node=node_w,
            per_switch=lambda s: graded(switch_w(s).watts, power_grade(s.switch)),
        ),
    )
}  # fmt: skip
"""Key figure -> the share; one entry here is one more that can be limited."""


def limited_shares(scenario: Scenario) -> dict[str, float]:
    """Return what a study allows of each share that it limits."""
    found = {share.id: share.limit(scenario) for share in SHARES.values()}
    return {name: limit for name, limit in found.items() if limit is not None}
