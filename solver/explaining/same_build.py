"""What a build is worth where an uncertain number turns out otherwise: it stands there, its load is decided again.

Its nodes are those of the design, bought and owned; caps, racks, placement and load are free, within the study's
limits. Where a price moves and the objective counts no money, the load stays as it is and only the outlay is asked.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from solver.baselines import BASELINE_GAP
from solver.builds import build_from_dict
from solver.catalog import Catalog
from solver.configurations import Configuration, base_price_usd, configurations, made_to_order
from solver.design import Design, Record
from solver.explaining.uncertain import MONEY, Number
from solver.highs import Clock
from solver.model.objectives import find_objective
from solver.own_build import break_words, broken, columns_of_nodes, solved_nodes, with_platforms
from solver.parts import MemoryDevice, NetworkPart, Platform, Rack
from solver.physics.calibration import Calibration
from solver.scenario import Scenario, resolve
from solver.shares import SHARES, limited_shares
from solver.study import Study
from solver.words import amount, percent

WITHOUT_MEMORY = " without memory"
"""What the id of a bill's line ends in whose platform comes without its standard memory."""


TOLERANCE = 1e-6
"""Share by which rounding may exceed a limit."""


@dataclass(frozen=True)
class Worth:
    """What the same build reaches: a value with its bound, or in words why it does not stand."""

    value: float | None = None
    bound: float | None = None
    words: str = ""


class SameBuild:
    """The build of a design under numbers that turn out otherwise.

    Parameters
    ----------
    design : Design
        With a build.
    study : Study
    catalog : Catalog
    """

    def __init__(self, design: Design, study: Study, catalog: Catalog) -> None:
        self.design, self.catalog = design, catalog
        self.study = study.with_changes({"solver.gap": max(BASELINE_GAP, study.solver.gap)})

    @cached_property
    def counts(self) -> dict[str, int]:
        """Nodes that the design buys, by configuration."""
        found: Counter[str] = Counter()
        for line in self.design.bill_of_materials:
            for item in line["configurations"]:
                found[item["configuration"]] += item["quantity"]
        return dict(found)

    def at(self, number: Number, value: float, clock: Clock) -> Worth:
        """Return what the build is worth where a number has a value.

        Parameters
        ----------
        number : Number
        value : float
        clock : Clock
        """
        catalog = self.catalog if number.overlay is None else self.catalog.overlay(number.overlay(value))
        scenario = resolve(self.study.with_changes(number.changes(value)), catalog)
        if number.priced and find_objective(scenario).id not in MONEY:
            return self._paid(scenario)
        return self._loaded(scenario, clock)

    def _paid(self, scenario: Scenario) -> Worth:
        """Ask only what is paid: the load is the best there is whatever the nodes cost."""
        lines, words = self.design.bill_of_materials, []
        bill = [line | {"capex_usd": line["quantity"] * _unit_usd(line, scenario)} for line in lines]
        usd, budget = sum(line["capex_usd"] for line in bill), scenario.site.budget_usd
        if budget is not None and usd > budget * (1.0 + TOLERANCE):
            words.append(f"it costs {amount(usd, 'USD')}, {amount(budget, 'USD')} are allowed")
        for name, limit in limited_shares(scenario).items():
            resting = SHARES[name].of_bill(bill)
            if resting > limit * (1.0 + TOLERANCE):
                words.append(f"{SHARES[name].name}: {percent(resting)}, {percent(limit)} are allowed")
        if words:
            return Worth(words="; ".join(words))
        return Worth(self.design.value_in_parts, float(self.design.objective["bound"]))

    def _loaded(self, scenario: Scenario, clock: Clock) -> Worth:
        """Decide the load of the nodes again."""
        menu = self._menu(scenario)
        scenario = with_platforms(scenario, menu)
        make = columns_of_nodes(self.counts, menu, Calibration.from_catalog(scenario.catalog))
        found = solved_nodes(scenario, make, clock)
        if found.get("objective_value") is not None:
            return Worth(float(found["objective_value"]), float(found["bound"]))
        if "stopped_by" in found:
            return Worth(words="no answer in time")
        data, _ = make(scenario)
        if data.missing_roles:
            return Worth(words=f"nothing in it can serve {', '.join(data.missing_roles)}")
        served = found.get("served_frac")
        words = break_words(broken(data)[0])
        words += [f"it serves {percent(served)} of what must be served"] if served is not None else []
        return Worth(words="; ".join(words) or "it does not keep the limits")

    def _menu(self, scenario: Scenario) -> list[Configuration]:
        """Configurations that are bought or owned; what the menu no longer offers is made to order."""
        menu = {config.id: config for config in configurations(scenario)}
        return [
            menu[unit] if unit in menu else made_as_it_was(scenario, unit) for unit in {**self.counts, **scenario.fleet}
        ]


def made_as_it_was(scenario: Scenario, unit: str) -> Configuration:
    """Return a configuration by its id, whether the menu has it or not."""
    platform, _, label = unit.partition("/")
    nodes = build_from_dict({"node": [{"platform": platform, "quantity": 1, "configuration": label}]}).nodes[0]
    devices = [(scenario.device(device), count) for device, count in nodes.devices]
    config, misfits = made_to_order(scenario, scenario.catalog.typed(Platform, platform), devices)
    if config is None:
        raise ValueError(f"{unit}: {'; '.join(misfits)}")
    return dataclasses.replace(config, id=unit)


def _unit_usd(line: Record, scenario: Scenario) -> float:
    """What is paid for one piece of a line of the bill."""
    if line["owned"]:
        return 0.0
    catalog, kind = scenario.catalog, line["kind"]
    if kind in ("platform", "storage"):
        platform = catalog.typed(Platform, line["part"])
        usd = base_price_usd(scenario, platform, without_memory=line["id"].endswith(WITHOUT_MEMORY))
    elif kind == "memory":
        usd = scenario.device_usd(catalog.typed(MemoryDevice, line["part"]))
    elif kind == "rack":
        usd = catalog.typed(Rack, line["part"]).price_central_usd
    else:
        usd = catalog.typed(NetworkPart, line["part"]).price_central_usd or 0.0
    return scenario.landed_usd(usd, line["vendor"])
