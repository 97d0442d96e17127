"""The bill of materials: it orders what the pools use, at the right price, of what may be bought."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from solver.auditing.checks import Checks
from solver.auditing.network import read_network
from solver.auditing.nodes import Node
from solver.auditing.orders import check_orders, examples, ordered_nodes, whole_order, working_nodes
from solver.auditing.rows import Facts
from solver.design import Record
from solver.parts import MemoryDevice, NetworkPart, Part, Platform, Rack

PLATFORMS = ("platform", "storage")
"""Kinds of lines that order platforms."""
LOTS: dict[str, type[MemoryDevice | Rack | NetworkPart]] = {
    "memory": MemoryDevice,
    "rack": Rack,
    "network": NetworkPart,
}
"""Kinds of lines of which more may be ordered than is at work, so that lots are whole."""
TABLES: dict[tuple[str, ...], type[Part]] = {
    PLATFORMS: Platform, ("memory",): MemoryDevice, ("rack",): Rack, ("network",): NetworkPart,
}  # fmt: skip
"""Kinds of lines, and where their rows are."""
OWNED = " (owned)"
"""What the id of a line ends in that orders nothing."""


@dataclass(frozen=True)
class Wanted:
    """A line as the pools demand it: pieces to order and at work, list price, dollars paid and watts of one piece."""

    part: str
    kind: str
    quantity: float
    in_use: float
    list_usd: float
    unit_usd: float
    unit_w: float
    unit_drawn_w: float
    confidence_price: str
    confidence_power: str


def wanted_lines(facts: Facts, nodes: dict[str, Node]) -> dict[str, Wanted]:
    """Return what the pools, their racks and the network need, by id of the bill's line.

    Owned nodes at work stand on lines of their own, at no price.
    """
    lines: dict[str, Wanted] = {}

    def add(key: str, line: Wanted) -> None:
        found = lines.get(key)
        quantity, in_use = (found.quantity, found.in_use) if found else (0.0, 0.0)
        lines[key] = dataclasses.replace(line, quantity=quantity + line.quantity, in_use=in_use + line.in_use)

    working, ordered = working_nodes(nodes), ordered_nodes(facts)
    for configuration, node in examples(facts, nodes).items():
        at_work = working.get(configuration, 0)
        owned = min(at_work, facts.fleet.get(configuration, 0))
        for key, line in _node_lines(facts, node, ordered.get(configuration, 0), at_work - owned):
            add(key, line)
        for key, line in _node_lines(facts, node, owned, owned):
            add(key + OWNED, dataclasses.replace(line, list_usd=0.0, unit_usd=0.0))
    for stand in (stand for node in nodes.values() for stand in node.stands if not stand.own):
        r, n = stand.rack, stand.racks
        usd, words = r.price_central_usd, (r.confidence_price, r.confidence)
        add(r.id, Wanted(r.id, "rack", n, n, usd, facts.paid_usd(usd), 0.0, 0.0, *words))
    net = read_network(facts)
    for part, count in ((facts.switch, net.switches), (facts.optic, net.optics)):
        peak_w, usd = (part.power_max_w or 0.0) if part is facts.switch else 0.0, part.price_central_usd or 0.0
        add(part.id, Wanted(part.id, "network", count, count, usd, facts.paid_usd(usd, part.vendor), peak_w,
                            part.power_typ_w or 0.0, part.confidence_price, part.confidence))  # fmt: skip
    for key, line in lines.items():
        if line.kind in LOTS and not key.endswith(OWNED):
            quantity = whole_order(facts.part(LOTS[line.kind], line.part), int(line.quantity))
            lines[key] = dataclasses.replace(line, quantity=quantity)
    return {key: line for key, line in lines.items() if line.quantity > 0 or line.in_use > 0}


def _node_lines(facts: Facts, node: Node, n: int, at_work: int) -> Iterator[tuple[str, Wanted]]:
    """Lines of some nodes of a configuration, as if all were bought: platform, devices."""
    p, usd, paid = node.platform, node.base_usd, facts.paid_usd
    kind = "platform" if p.accelerators else "storage"
    yield node.bill_id, Wanted(p.id, kind, n, at_work, usd, paid(usd, p.vendor), node.base_w, node.base_drawn_w,
                               p.confidence_price, p.confidence_power)  # fmt: skip
    for d, each in node.devices:
        usd = facts.device_usd(d)
        watts = (d.max_w or 0.0, d.idle_w or 0.0)
        yield d.id, Wanted(d.id, "memory", n * each, at_work * each, usd, paid(usd, d.vendor), *watts,
                           d.confidence_price, d.confidence)  # fmt: skip


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
    check_orders(facts, nodes, checks)
    _check_admission(facts, nodes, checks)
    _check_supply(facts, checks)


def _check_line(line: Record, wanted: Wanted | None, checks: Checks) -> None:
    """Check one line against what is used."""
    name, quantity = line["id"], line["quantity"]
    what = f"bill, {name}"
    whole = isinstance(quantity, int) and quantity >= 0
    checks.true(f"{what}: quantity {quantity} is not a whole number of pieces", whole)
    if wanted is None:
        checks.true(f"{what}: ordered, but no pool uses it", quantity == 0)
        return
    checks.true(f"{what}: owned or not", line["owned"] == line["id"].endswith(OWNED))
    checks.true(f"{what}: stands for part {line['part']}, not {wanted.part}", line["part"] == wanted.part)
    checks.true(f"{what}: is a {wanted.kind}, not a {line['kind']}", line["kind"] == wanted.kind)
    checks.equal(f"{what}: quantity against what the pools use", quantity, wanted.quantity, "pieces")
    checks.equal(f"{what}: list price", line["list_usd"], wanted.list_usd, "USD")
    checks.equal(f"{what}: unit price with discount and tax", line["unit_usd"], wanted.unit_usd, "USD")
    checks.equal(f"{what}: capital outlay", line["capex_usd"], quantity * wanted.unit_usd, "USD")
    checks.equal(f"{what}: pieces at work", line["in_use"], wanted.in_use, "pieces")
    checks.equal(f"{what}: provisioned watts", line["provisioned_w"], wanted.in_use * wanted.unit_w, "W")
    checks.equal(f"{what}: drawn watts", line["drawn_w"], wanted.in_use * wanted.unit_drawn_w, "W")
    words = (line["confidence_price"], line["confidence_power"])
    checks.true(f"{what}: confidence differs from its row", words == (wanted.confidence_price, wanted.confidence_power))


def _check_admission(facts: Facts, nodes: dict[str, Node], checks: Checks) -> None:
    """Check sale, date, price and the study's exclusions of every part."""
    study, by = facts.study, facts.study.site.available_by
    ordered = {line["part"] for line in facts.design.bill_of_materials if line["quantity"] and not line["owned"]}
    known = examples(facts, nodes).values()
    platforms: dict[str, Platform] = {n.platform.id: n.platform for n in known if n.platform.id in ordered}
    devices: dict[str, MemoryDevice] = {d.id: d for n in known for d, _ in n.devices if d.id in ordered}
    for p in platforms.values():
        for_sale = p.buyable == "yes" or p.id in study.allow
        checks.true(f"bill, {p.id}: not for sale ({p.buyable}), and the study does not allow it", for_sale)
        checks.true(f"bill, {p.id}: has no price", p.price_central_usd is not None)
    parts: list[Platform | MemoryDevice] = [*platforms.values(), *devices.values()]
    for part in parts:
        checks.true(f"bill, {part.id}: available {part.year_available}, wanted by {by}", part.year_available <= by)
        checks.true(f"bill, {part.id}: excluded by the study", part.id not in study.exclude)
    _check_delivery(facts, checks)
    for rack in {s.rack.id: s.rack for n in nodes.values() for s in n.stands}.values():
        allowed = study.site.cooling is None or rack.cooling in study.site.cooling
        checks.true(f"rack {rack.id}: the site has no {rack.cooling} cooling", allowed)


def _check_delivery(facts: Facts, checks: Checks) -> None:
    """Check the lead time of each line, and that what is ordered comes in time."""
    site = facts.study.site
    for line in facts.design.bill_of_materials:
        table = next((kind.TABLE for kinds, kind in TABLES.items() if line["kind"] in kinds), "")
        weeks = facts.row(table, line["part"]).get("lead_time_weeks")
        stated, ordered = line["lead_time_weeks"], not line["owned"]
        same = stated is None if weeks is None or not ordered else abs(stated - weeks) < 1e-9 * max(1.0, weeks)
        checks.true(f"bill, {line['id']}: lead time {stated} is not that of its row, {weeks} weeks", same)
        if ordered and weeks is not None and site.order_date and site.energised_by:
            late = 7.0 * weeks - (date.fromisoformat(site.energised_by) - date.fromisoformat(site.order_date)).days
            checks.true(f"bill, {line['id']}: comes {late:g} days after the site is energised", late <= 0)


def _check_supply(facts: Facts, checks: Checks) -> None:
    """Check supply limits against what the bill orders; a rack is not a limited part."""
    ordered: dict[tuple[str, str], float] = defaultdict(float)
    for line in facts.design.bill_of_materials:
        table = MemoryDevice.TABLE if line["kind"] == "memory" else Platform.TABLE
        if line["kind"] != Rack.TABLE.rstrip("s") and not line["owned"]:
            ordered[table, line["part"]] += line["quantity"]
    supply = facts.study.supply
    for table, limits in ((Platform.TABLE, supply.platform), (MemoryDevice.TABLE, supply.memory)):
        for part, spec in limits.items():
            checks.at_most(f"supply of {part}: pieces ordered", ordered[table, part], spec.quantity, scale=1.0)
