"""Where watts, dollars and bytes go, as flows that balance: into every inner node as much as out of it.

Each flow is ``{"source", "target", "value", "unit"}``. Nothing is drawn here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from solver.auditing.entries import Entry, points_of
from solver.auditing.network import read_network
from solver.auditing.nodes import Node
from solver.brief import KINDS
from solver.design import Design
from solver.evaluation import evaluate
from solver.formulas.asking import Ask
from solver.formulas.records import NUMBERS

Flow = dict[str, Any]
METER, COOLING, NETWORK, FIXED = "utility meter", "cooling and distribution", "network", "other loads of the site"
HOST, MEMORY, IDLE, FREE = "hosts, fans, power supplies", "memory and drives", "idle accelerators", "free accelerators"
CAPITAL, YEARLY, NO_VENDOR = "capital outlay", "yearly cost", "any maker"
WEIGHTS, ACTIVE, PARKED = "weights", "active KV", "parked KV"
LOCAL = "hbm"
"""Tier of the accelerators' own memory."""


class _Sum:
    """Flows between names, added up."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._amounts: dict[tuple[str, str], float] = defaultdict(float)

    def add(self, source: str, target: str, value: float) -> None:
        """Add to the flow between two names."""
        self._amounts[source, target] += value

    def flows(self) -> list[Flow]:
        """Return what flows, nothing left out that is above zero."""
        return [
            {"source": s, "target": t, "value": v, "unit": self.unit} for (s, t), v in self._amounts.items() if v > 0
        ]


def watts(design: Design, power: str = "drawn") -> list[Flow]:
    """Return watts from the meter to tokens.

    Parameters
    ----------
    design : Design
        With a build.
    power : str
        ``drawn``: means at the promised load, in all `drawn_meter_w`; replicas at work are what boards draw above
        idle. ``provisioned``: peaks on the design day, in all `utility_meter_w`; boards at their caps go to what
        occupies them.
    """
    ask, found = Ask(design), _Sum("W")
    network, drawn = read_network(ask.facts), power == "drawn"
    at_it, at_meter = (network.drawn_w, network.drawn_meter_w) if drawn else (network.it_w, network.meter_w)
    found.add(METER, NETWORK, at_it)
    found.add(METER, COOLING, at_meter - at_it)
    found.add(METER, FIXED, ask.facts.study.site.fixed_mw * 1e6)
    for pool in design.pools:
        node = ask.nodes[str(pool["pool_id"])]
        each = node.standing_w if drawn else node.it_w
        meter_w = float(pool["standing_meter_w" if drawn else "meter_w"])
        found.add(METER, node.platform.id, node.quantity * each)
        found.add(METER, COOLING, meter_w - node.quantity * each)
        _inside(found, node, drawn=drawn)
    for entry, amount, cooling in _working(ask) if drawn else _occupied(ask):
        if drawn:
            found.add(METER, entry.platform.id, amount)
            found.add(METER, COOLING, cooling)
        found.add(entry.platform.id, entry.role, amount)
        found.add(entry.role, tokens_of(entry.work.id), amount)
    if not drawn:
        for platform, amount in _unoccupied(ask):
            found.add(platform, FREE, amount)
    return found.flows()


def tokens_of(workload: str) -> str:
    """Return the name of a class's tokens, where watts end."""
    return f"{workload}: tokens"


def _inside(found: _Sum, node: Node, *, drawn: bool) -> None:
    """Watts of a pool's nodes beside accelerators at work: host, devices bought for them, idle boards."""
    count = float(node.quantity)
    if drawn:
        devices = node.host_drawn_w - node.base_drawn_w
        idle = node.accelerator.idle_w * node.platform.accelerators if node.accelerator else 0.0
        found.add(node.platform.id, IDLE, count * idle)
        found.add(node.platform.id, HOST, count * node.base_drawn_w)
    else:
        devices = node.peak_w - node.base_w
        found.add(node.platform.id, HOST, count * (node.it_w - _board_w(node) - devices))
    found.add(node.platform.id, MEMORY, count * devices)


def _board_w(node: Node) -> float:
    """Watts of a node's boards at their cap."""
    return node.accelerator.tdp_w * node.cap * node.platform.accelerators if node.accelerator else 0.0


def _working(ask: Ask) -> Iterator[tuple[Entry, float, float]]:
    """Entries with their mean watts above idle, and what cooling and distribution take of them."""
    for entry in ask.entries:
        above = float(entry.record["drawn_above_idle_w"])
        yield entry, above, float(entry.record["drawn_above_idle_meter_w"]) - above


def _families(ask: Ask) -> dict[tuple[str, float], tuple[float, float]]:
    """Boards' watts of each platform and cap, and the share of them that replicas occupy."""
    boards: dict[tuple[str, float], float] = defaultdict(float)
    pieces: dict[tuple[str, float], float] = defaultdict(float)
    for node in ask.nodes.values():
        boards[node.family] += node.quantity * _board_w(node)
        pieces[node.family] += node.quantity * node.platform.accelerators
    taken: dict[tuple[str, float], float] = defaultdict(float)
    for entry in ask.entries:
        taken[entry.family] += float(entry.record["accelerators"])
    return {
        family: (total, taken[family] / max(pieces[family], taken[family])) for family, total in boards.items() if total
    }


def _occupied(ask: Ask) -> Iterator[tuple[Entry, float, float]]:
    """Entries with the watts of the boards that they occupy, at their caps."""
    families = _families(ask)
    taken: dict[tuple[str, float], float] = defaultdict(float)
    for entry in ask.entries:
        taken[entry.family] += float(entry.record["accelerators"])
    for entry in ask.entries:
        total, share = families[entry.family]
        yield entry, total * share * float(entry.record["accelerators"]) / taken[entry.family], 0.0


def _unoccupied(ask: Ask) -> Iterator[tuple[str, float]]:
    """Platforms with the watts of boards that nothing occupies."""
    for (platform, _), (total, share) in _families(ask).items():
        yield platform, total * (1.0 - share)


def capital(design: Design) -> list[Flow]:
    """Return dollars of the capital outlay: maker, kind, part; in all `capex_usd`."""
    found = _Sum("USD")
    for line in design.bill_of_materials:
        usd, vendor = float(line["capex_usd"]), str(line["vendor"] or NO_VENDOR)
        kind = KINDS.get(str(line["kind"]), str(line["kind"]))
        found.add(CAPITAL, vendor, usd)
        found.add(vendor, kind, usd)
        found.add(kind, f"{line['id']}", usd)
    return found.flows()


def yearly(design: Design) -> list[Flow]:
    """Return dollars of a year: capital and maintenance by kind, electricity, building; in all `tco_usd_per_year`."""
    ask, found = Ask(design), _Sum("USD/year")
    sheet = NUMBERS["tco_usd_per_year"].sheet(ask)
    terms = {term.name: term.value for term in sheet.terms}
    columns = {column.name: column.values for column in sheet.columns}
    for kind, usd, share in zip(sheet.labels, columns["kind_usd"], columns["yearly_frac"], strict=True):
        found.add(YEARLY, "capital and maintenance", usd * share)
        found.add("capital and maintenance", KINDS.get(kind, kind), usd * share)
    mean_w = terms["drawn_meter_w"] - (1.0 - terms["load_factor"]) * terms["working_w"]
    found.add(YEARLY, "electricity", mean_w * terms["electricity_usd_per_j"] * terms["year_s"])
    found.add(YEARLY, "building", terms["it_w"] * terms["building_usd_per_w_year"])
    return found.flows()


def stored(design: Design) -> list[Flow]:
    """Return bytes in use by what they are, the tier and the device: weights, active KV, parked KV."""
    ask, found = Ask(design), _Sum("B")
    if ask.entries:
        with np.errstate(all="ignore"):
            weights = evaluate(points_of(ask.facts, design.load), ask.facts.calibration).weight_bytes
        for entry, each in zip(ask.entries, weights, strict=True):
            _at(found, WEIGHTS, LOCAL, entry.accelerator.id, entry.present * entry.count * float(each))
            _at(found, ACTIVE, LOCAL, entry.accelerator.id, entry.replicas * _in_flight(entry))
    for place in design.placement:
        _at(found, ACTIVE if place["kind"] == "active" else PARKED, str(place["tier"]), str(place["device"]),
            float(place["bytes"]))  # fmt: skip
    return found.flows()


def _at(found: _Sum, what: str, tier: str, device: str, amount: float) -> None:
    found.add(what, tier, amount)
    found.add(tier, device, amount)


def _in_flight(entry: Entry) -> float:
    """KV in the local memory of one replica: of all requests in flight, as far as it is not below."""
    requests = entry.lanes if entry.role == "prefill" else float(entry.record["batch"])
    return entry.kv_bytes * requests - entry.spill_bytes


def inflow(flows: Iterable[Flow]) -> dict[str, float]:
    """Return what flows into each name."""
    found: dict[str, float] = defaultdict(float)
    for flow in flows:
        found[flow["target"]] += flow["value"]
    return dict(found)


def outflow(flows: Iterable[Flow]) -> dict[str, float]:
    """Return what flows out of each name."""
    found: dict[str, float] = defaultdict(float)
    for flow in flows:
        found[flow["source"]] += flow["value"]
    return dict(found)
