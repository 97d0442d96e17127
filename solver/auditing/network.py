"""Network: every port that nodes and replicas need is wired, and switches and optics carry them without blocking."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from solver.auditing.checks import TOLERANCE, Checks
from solver.auditing.entries import Entry
from solver.auditing.layout import batches
from solver.auditing.nodes import Node
from solver.auditing.rows import Facts
from solver.auditing.whole import is_whole
from solver.parts import Cooling


@dataclass(frozen=True)
class Network:
    """What the design's switches and optics draw, and what cools them; nothing where there is no switch."""

    switches: int = 0
    optics: int = 0
    it_w: float = 0.0
    drawn_w: float = 0.0
    cooling: Cooling | None = None

    @property
    def meter_w(self) -> float:
        """Provisioned watts at the meter."""
        return self.it_w * self.cooling.pue_peak if self.cooling else 0.0

    @property
    def drawn_meter_w(self) -> float:
        """Mean watts at the meter."""
        return self.drawn_w * self.cooling.pue_central if self.cooling else 0.0

    @property
    def water_l_per_s(self) -> float:
        """Water for cooling at full load."""
        return self.it_w * self.cooling.wue_l_per_j if self.cooling else 0.0


def read_network(facts: Facts) -> Network:
    """Return the network that the design states, with its watts from the rows of its parts."""
    stated = facts.design.network
    if not stated:
        return Network()
    switches, optics = stated["leaves"] + stated["spines"], stated["optics"]
    switch, optic = facts.switch, facts.optic
    return Network(
        switches=switches,
        optics=optics,
        it_w=switches * (switch.power_max_w or 0.0),
        drawn_w=switches * (switch.power_typ_w or 0.0) + optics * (optic.power_typ_w or 0.0),
        cooling=facts.part(Cooling, stated["cooling"]),
    )


def node_ports(facts: Facts, node: Node) -> float:
    """Ports of one node whatever works on it: one for every few accelerators, all of a storage server."""
    platform, build = node.platform, facts.study.build
    shared_by = float(facts.setting("build.accelerators_per_port", build.accelerators_per_port))
    most = math.ceil(platform.accelerators / shared_by) if platform.accelerators else platform.nic_count
    return min(most, platform.nic_count) * platform.nic_bytes_per_s / facts.port_bytes_per_s


def check_network(facts: Facts, nodes: dict[str, Node], entries: list[Entry], checks: Checks) -> None:
    """Check wired ports against needs, the fabric against its ports, and the watts it states."""
    stated, found = facts.design.network, read_network(facts)
    needed = sum(n.quantity * node_ports(facts, n) for n in nodes.values())
    ports = {e.load_id: float(e.record["ports_per_replica"]) for e in entries}
    needed += sum(b.amount * ports[b.load_ids[0]] for b in batches(entries, is_whole(facts)))
    needed += _ports_for_writes(facts, nodes, entries)
    if not checks.true("network: missing in the design", bool(stated) or not needed):
        return
    checks.true("network: not the study's switch and optic",
                (stated["switch"], stated["optic"]) == (facts.switch.id, facts.optic.id))  # fmt: skip
    checks.at_least("network: ports wired for nodes and replicas", stated["ports"], needed, "ports")
    counts = [stated[name] for name in ("tiers", "leaves", "spines", "optics")]
    checks.true("network: counts are not whole numbers", all(isinstance(n, int) and n >= 0 for n in counts))
    r, tiers = float(facts.switch.ports or 1), stated["tiers"]
    shape = {0: (0.0, 0.0, 0.0, 0.0), 1: (r, 1 / r, 0.0, 1.0), 2: (r * r / 2, 2 / r, 1 / r, 3.0),
             3: (r**3 / 4, 2 / r, 3 / r, 5.0)}  # fmt: skip
    if not checks.true(f"network: a fabric of {tiers} tiers", tiers in shape):
        return
    most, *each = shape[tiers]
    checks.at_most("network: ports that the fabric can join", needed, most, "ports", scale=1.0)
    for name, per_port in zip(("leaves", "spines", "optics"), each, strict=True):
        checks.at_least(f"network: {name}", stated[name], needed * per_port * (1.0 - TOLERANCE), scale=1.0)
    kinds = facts.study.site.cooling
    cooling = facts.part(Cooling, stated["cooling"])
    checks.true(f"network: the site has no {cooling.id} cooling", kinds is None or cooling.id in kinds)
    takes = [facts.part(Cooling, kind).accepts for kind in kinds or [cooling.id]]
    wanted = facts.switch.cooling or "air"
    accepted = wanted in cooling.accepts or not any(wanted in accepts for accepts in takes)
    checks.true(f"network: {cooling.id} racks do not take the switches", accepted)
    true = {"it_w": found.it_w, "meter_w": found.meter_w, "drawn_meter_w": found.drawn_meter_w}
    for name, value in true.items():
        checks.equal(f"network: {name}", stated[name], value, "W", scale=1.0)


def _ports_for_writes(facts: Facts, nodes: dict[str, Node], entries: list[Entry]) -> float:
    """Ports beyond those of replicas that prefill, to write KV to storage servers."""
    written: dict[str, float] = defaultdict(float)
    for record in facts.design.placement:
        tier = nodes[record["pool_id"]].tiers.get(record["tier"]) if record["pool_id"] in nodes else None
        if tier is not None and tier.pooled:
            written[record["class"]] += float(record["write_bytes_per_s"])
    for e in entries:
        if e.role != "decode" and e.record["ports_per_replica"] > 0:
            rate = float(e.record["requests_per_s_per_replica"])
            handed = rate * e.transfer_bytes if e.role == "prefill" and e.unit is None else 0.0
            written[e.work.id] -= e.replicas * max(0.0, e.nic_out_bytes_per_s - handed)
    return sum(max(0.0, left) for left in written.values()) / (facts.port_bytes_per_s * facts.nic_link.measured_frac)


def check_wiring(facts: Facts, entry: Entry, what: str, checks: Checks) -> None:
    """Check that a replica's ports are a share of its node's that the study offers and a node can wire."""
    cards, size = entry.platform.nic_count, entry.platform.accelerators
    whole = cards * entry.platform.nic_bytes_per_s / facts.port_bytes_per_s * entry.count / size
    ports = float(entry.record["ports_per_replica"])
    share = ports / whole if whole else 0.0
    shares = (1.0,) if entry.nodes else (0.0, *facts.study.build.port_shares)
    offered = [s for s in shares if abs(share - s) <= TOLERANCE]
    checks.true(f"{what}: {ports:g} ports are no share of its node's that the study offers", bool(offered))
    wirable = abs(share * cards - round(share * cards)) <= TOLERANCE * max(1, cards)
    checks.true(f"{what}: its node cannot wire {share:g} of {cards} ports", wirable)
