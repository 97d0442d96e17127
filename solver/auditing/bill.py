"""The bill of materials: it orders what the pools use, at the right price, of what may be bought."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from solver.auditing.checks import Checks
from solver.auditing.nodes import Node
from solver.auditing.rows import Facts
from solver.design import Record
from solver.parts import MemoryDevice, Platform, Rack

PLATFORMS = ("platform", "storage")
"""Kinds of lines that order platforms."""


@dataclass(frozen=True)
class Wanted:
    """A line as the pools demand it: quantity, and dollars and watts of one piece."""

    part: str
    kind: str
    quantity: float
    unit_usd: float
    unit_w: float
    unit_drawn_w: float
    confidence_price: str
    confidence_power: str


def wanted_lines(facts: Facts, nodes: dict[str, Node]) -> dict[str, Wanted]:
    """Return what the pools, their racks and their network ports need, by id of the bill's line."""
    lines: dict[str, Wanted] = {}

    def add(key: str, line: Wanted) -> None:
        before = lines[key].quantity if key in lines else 0.0
        lines[key] = Wanted(**(vars(line) | {"quantity": before + line.quantity}))

    for node in nodes.values():
        p, n = node.platform, node.quantity
        kind = "platform" if p.accelerators else "storage"
        add(node.bill_id, Wanted(p.id, kind, n, node.base_usd, node.base_w, node.base_drawn_w,
                                 p.confidence_price, p.confidence_power))  # fmt: skip
        for d, each in node.devices:
            add(d.id, Wanted(d.id, "memory", n * each, facts.device_usd(d), d.max_w or 0.0, d.idle_w or 0.0,
                             d.confidence_price, d.confidence))  # fmt: skip
        for stand in node.stands:
            r = stand.rack
            if not stand.own:
                usd, words = r.price_central_usd, (r.confidence_price, r.confidence)
                add(r.id, Wanted(r.id, "rack", stand.racks, usd, 0.0, 0.0, *words))
        net = facts.network
        add(net.id, Wanted(net.id, "network", n * node.endpoints, net.endpoint_usd or 0.0, node.endpoint_w,
                           node.endpoint_w, net.confidence, net.confidence))  # fmt: skip
    return {key: line for key, line in lines.items() if line.quantity > 0}


def check_bill(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check lines, prices, supply, and that everything ordered may be bought."""
    bill = facts.design.bill_of_materials
    wanted = wanted_lines(facts, nodes)
    for line in bill:
        _check_line(line, wanted.get(line["id"]), checks)
    ordered = [line["id"] for line in bill]
    checks.true("bill: two lines with the same id", len(set(ordered)) == len(ordered))
    for key in sorted(set(wanted) - set(ordered)):
        checks.true(f"bill: orders no {key}, of which the pools use {wanted[key].quantity:g}", False)
    _check_admission(facts, nodes, checks)
    _check_supply(facts, checks)


def _check_line(line: Record, wanted: Wanted | None, checks: Checks) -> None:
    """Check one line against what is used."""
    name, quantity = line["id"], line["quantity"]
    what = f"bill, {name}"
    if line["kind"] == "network":
        checks.at_least(f"{what}: quantity", quantity, 0.0)
    else:
        whole = isinstance(quantity, int) and quantity >= 0
        checks.true(f"{what}: quantity {quantity} is not a whole number of pieces", whole)
    if wanted is None:
        checks.true(f"{what}: ordered, but no pool uses it", quantity == 0)
        return
    checks.true(f"{what}: stands for part {line['part']}, not {wanted.part}", line["part"] == wanted.part)
    checks.true(f"{what}: is a {wanted.kind}, not a {line['kind']}", line["kind"] == wanted.kind)
    checks.equal(f"{what}: quantity against what the pools use", quantity, wanted.quantity, "pieces")
    checks.equal(f"{what}: unit price", line["unit_usd"], wanted.unit_usd, "USD")
    checks.equal(f"{what}: capital outlay", line["capex_usd"], quantity * wanted.unit_usd, "USD")
    checks.equal(f"{what}: provisioned watts", line["provisioned_w"], quantity * wanted.unit_w, "W")
    checks.equal(f"{what}: drawn watts", line["drawn_w"], quantity * wanted.unit_drawn_w, "W")
    words = (line["confidence_price"], line["confidence_power"])
    checks.true(f"{what}: confidence differs from its row", words == (wanted.confidence_price, wanted.confidence_power))


def _check_admission(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check sale, date, price and the study's exclusions of every part."""
    study, by = facts.study, facts.study.site.available_by
    platforms: dict[str, Platform] = {n.platform.id: n.platform for n in nodes.values() if n.quantity}
    devices: dict[str, MemoryDevice] = {d.id: d for n in nodes.values() if n.quantity for d, _ in n.devices}
    for p in platforms.values():
        for_sale = p.buyable == "yes" or p.id in study.allow
        checks.true(f"bill, {p.id}: not for sale ({p.buyable}), and the study does not allow it", for_sale)
        checks.true(f"bill, {p.id}: has no price", p.price_central_usd is not None)
    parts: list[Platform | MemoryDevice] = [*platforms.values(), *devices.values()]
    for part in parts:
        checks.true(f"bill, {part.id}: available {part.year_available}, wanted by {by}", part.year_available <= by)
        checks.true(f"bill, {part.id}: excluded by the study", part.id not in study.exclude)
    if study.build.max_platforms is not None:
        kinds = sum(p.accelerators > 0 for p in platforms.values())
        checks.at_most("bill: kinds of platforms", kinds, study.build.max_platforms)
    for rack in {s.rack.id: s.rack for n in nodes.values() for s in n.stands}.values():
        allowed = study.site.cooling is None or rack.cooling in study.site.cooling
        checks.true(f"rack {rack.id}: the site has no {rack.cooling} cooling", allowed)


def _check_supply(facts: Facts, checks: Checks) -> None:
    """Check supply limits against what the bill orders; a rack is not a limited part."""
    ordered: dict[tuple[str, str], float] = defaultdict(float)
    for line in facts.design.bill_of_materials:
        table = MemoryDevice.TABLE if line["kind"] == "memory" else Platform.TABLE
        if line["kind"] != Rack.TABLE.rstrip("s"):
            ordered[table, line["part"]] += line["quantity"]
    supply = facts.study.supply
    for table, limits in ((Platform.TABLE, supply.platform), (MemoryDevice.TABLE, supply.memory)):
        for part, spec in limits.items():
            checks.at_most(f"supply of {part}: pieces ordered", ordered[table, part], spec.quantity, scale=1.0)
