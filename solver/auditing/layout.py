"""Layout: replicas into the accelerators of nodes, nodes into racks.

Replicas are laid by decreasing size into the fullest scale-up domain that still has room, those bound to a
pool before those that may lie in any pool of their platform and cap. A replica never spans two domains, nor does a
unit of prefill and decode replicas that hand over over the domain's links, which is laid as one; a replica of several
whole nodes is laid as so many pieces. The
last part of a replica, which is at work only part of the time, takes that share of its accelerators, after all
whole ones and out of room kept for it; where no domain has so much room, it is shared out over several.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solver.auditing.checks import TOLERANCE, Checks
from solver.auditing.entries import Entry
from solver.auditing.nodes import Node, Standing

_GRAIN = 1e-9
"""Accelerators that are not worth a place."""


class Room:
    """Free accelerators of a pool.

    Attributes
    ----------
    free : Counter
        Room in a scale-up domain -> how many domains have it.
    slack : float
        Accelerators by which a replica may exceed the room, for rounding.
    kept : float
        Accelerators that whole replicas leave free for parts.
    """

    def __init__(self, free: Mapping[float, int], slack: float = 0.0) -> None:
        self.free, self.slack, self.kept = Counter(free), slack, 0.0

    @classmethod
    def of(cls, node: Node) -> Room:
        """Return the room of a pool's empty nodes."""
        size = node.platform.accelerators
        domain = min(size, node.accelerator.scaleup_domain if node.accelerator else size)
        if not domain:
            return cls({})
        free: Counter[float] = Counter({float(domain): node.quantity * (size // domain)})
        free[float(size % domain)] += node.quantity
        return cls(free, TOLERANCE * size)

    def put(self, size: float, replicas: int) -> int:
        """Place whole replicas, in the domains with the least room first; return how many found none."""
        total = sum(room * domains for room, domains in self.free.items())
        over = max(0, replicas - math.floor((total - self.kept + self.slack) / size))
        replicas -= over
        for room in sorted(self.free):
            each, domains = math.floor((room + self.slack) / size), self.free[room]
            if replicas == 0 or each == 0:
                continue
            full = min(domains, replicas // each)
            self._use(room, room - each * size, full)
            replicas -= full * each
            if replicas and full < domains:
                self._use(room, room - replicas * size, 1)
                replicas = 0
        return replicas + over

    def pour(self, amount: float) -> float:
        """Place a part of a replica: whole where it fits closest, else in what gaps there are; return the rest."""
        fitting = [room for room in sorted(self.free) if room >= amount - _GRAIN]
        if fitting:
            self._use(fitting[0], fitting[0] - amount, 1)
            return 0.0
        for room in sorted(self.free):
            filled = min(self.free[room], math.floor(amount / room)) if room > _GRAIN else 0
            self._use(room, 0.0, filled)
            amount -= filled * room
            if self.free[room] and _GRAIN < amount < room:
                self._use(room, room - amount, 1)
                return 0.0
        return amount if amount > _GRAIN else 0.0

    def _use(self, before: float, after: float, domains: int) -> None:
        """Move domains from one amount of room to another."""
        if domains:
            self.free[before] -= domains
            self.free[max(0.0, after)] += domains
            self.free += Counter()


@dataclass(frozen=True)
class Batch:
    """What stands together in one scale-up domain: replicas of an entry or of a kind, or whole units of a pair.

    There are `amount` of them, a part counted as a part; each takes `pieces` whole nodes where it spans several.
    """

    load_ids: tuple[str, ...]
    pool_id: str | None
    family: tuple[str, float]
    charge: float
    amount: float
    pieces: int = 1

    @property
    def name(self) -> str:
        """The entries that they serve."""
        return " and ".join(self.load_ids)


def batches(entries: list[Entry], whole: bool) -> list[Batch]:
    """Replicas of each entry; where replicas are whole, of each kind, which may do several entries in turn."""
    kinds: dict[Any, list[Entry]] = defaultdict(list)
    for entry in entries:
        kinds[entry.kind if whole or entry.unit is not None else entry.load_id].append(entry)
    return [_batch(mine, whole) for mine in kinds.values()]


def _batch(mine: list[Entry], whole: bool) -> Batch:
    first, ids = mine[0], tuple(e.load_id for e in mine)
    if first.unit is None:
        amount = whole_replicas(mine) if whole else sum(e.present for e in mine)
        return Batch(ids, first.pool_id, first.family, first.charge, amount, max(1, first.nodes))
    each = [float(e.record["unit_replicas"]) for e in mine]
    charge = sum(n * e.charge for n, e in zip(each, mine, strict=True))
    units = max(e.present / n for n, e in zip(each, mine, strict=True))
    return Batch(ids, first.pool_id, first.family, charge, rounded_up(units) if whole else units)


def whole_replicas(entries: list[Entry]) -> int:
    """Whole replicas that entries of one kind need."""
    return rounded_up(sum(e.present for e in entries))


def rounded_up(amount: float) -> int:
    """Whole number of replicas, with the audit's tolerance."""
    return math.ceil(amount * (1.0 - TOLERANCE) - TOLERANCE)


def check_replicas(nodes: dict[str, Node], entries: list[Entry], *, whole: bool, checks: Checks) -> None:
    """Lay all replicas into nodes.

    Parameters
    ----------
    nodes : dict
        Nodes by pool id.
    entries : list of Entry
    whole : bool
        Replicas are whole: what is left of the last one of a kind takes all its accelerators.
    checks : Checks
    """
    rooms = {pool_id: Room.of(node) for pool_id, node in nodes.items()}
    bound: dict[str, list[Batch]] = defaultdict(list)
    free: dict[tuple[str, float], list[Batch]] = defaultdict(list)
    for batch in batches(entries, whole):
        if batch.pool_id is None:
            free[batch.family].append(batch)
        else:
            bound[batch.pool_id].append(batch)
    groups = [
        (f"pool {pool_id}", [rooms[pool_id]] if pool_id in rooms else [], [nodes[pool_id]] if pool_id in rooms else [],
         mine)
        for pool_id, mine in bound.items()
    ]  # fmt: skip
    for family, mine in free.items():
        pools = [pool_id for pool_id, node in nodes.items() if node.family == family]
        what = f"pools of {family[0]} at cap {family[1]:g}"
        groups.append((what, [rooms[p] for p in pools], [nodes[p] for p in pools], mine))
    parts = []
    for what, where, mine_nodes, mine in groups:
        scale = max(1.0, float(sum(n.quantity * n.platform.accelerators for n in mine_nodes)))
        left = _lay_whole(what, where, mine, scale, checks)
        parts.append((what, where, scale, left))
        if len(where) == 1:
            where[0].kept += sum(amount for amount, _ in left)
    for what, where, scale, left in parts:
        _lay_parts(what, where, left, scale, checks)


def _lay_whole(
    what: str, rooms: list[Room], replicas: list[Batch], scale: float, checks: Checks
) -> list[tuple[float, Batch]]:
    """Lay whole replicas by decreasing size; what is left over is a violation. Return the parts of replicas."""
    parts: list[tuple[float, Batch]] = []
    for batch in sorted(replicas, key=lambda e: -e.charge / e.pieces):
        left = math.floor(batch.amount + _GRAIN)
        parts.append((max(0.0, batch.amount - left) * batch.charge, batch))
        left *= batch.pieces
        for room in rooms:
            left = room.put(batch.charge / batch.pieces, left)
        text = f"layout, {what}: accelerators without room in any node, for {batch.name}"
        _check_placed(text, left * batch.charge / batch.pieces, batch.family, scale, checks)
    return parts


def _lay_parts(what: str, rooms: list[Room], parts: list[tuple[float, Batch]], scale: float, checks: Checks) -> None:
    """Lay parts of replicas, the largest first; what is left over is a violation."""
    for amount, batch in sorted(parts, key=lambda part: (part[0], part[1].name), reverse=True):
        rest = amount
        for room in rooms:
            rest = room.pour(rest)
        text = f"layout, {what}: accelerators without room in any node, for a part of {batch.name}"
        _check_placed(text, rest, batch.family, scale, checks)


def _check_placed(text: str, left: float, family: tuple[str, float], scale: float, checks: Checks) -> None:
    """Check that nothing is left over, and keep how much is, by platform and cap."""
    if not checks.at_most(text, left, 0.0, scale=scale):
        name = f"{family[0]}@{family[1]:g}"
        checks.unplaced[name] = checks.unplaced.get(name, 0.0) + left


def check_racks(node: Node, checks: Checks) -> None:
    """Put the nodes of one pool into their racks."""
    what = f"pool {node.pool_id}"
    placed = sum(s.nodes for s in node.stands)
    checks.equal(f"{what}: nodes that stand in racks", placed, node.quantity, "nodes", scale=1.0)
    for stand in node.stands:
        _check_stand(f"{what} in rack {stand.rack.id}", node, stand, checks)


def _check_stand(what: str, node: Node, stand: Standing, checks: Checks) -> None:
    """Check cooling, kind, watts and height of the racks of one kind."""
    platform, rack = node.platform, stand.rack
    whole = all(isinstance(n, int) and n >= 0 for n in (stand.nodes, stand.racks))
    checks.true(f"{what}: nodes and racks are not whole numbers", whole)
    taken = platform.cooling in stand.cooling.accepts
    checks.true(f"{what}: {rack.cooling} racks do not take {platform.cooling} cooling", taken)
    checks.true(f"{what}: not its own rack", stand.own == (platform.own_rack_id == rack.id))
    if stand.own:
        checks.true(f"{what}: {stand.racks} racks came with {stand.nodes} platforms", stand.racks == stand.nodes)
        checks.at_most(f"{what}: peak watts of a rack", node.capped_w, rack.peak_w, "W")
        return
    use = "servers" if platform.accelerators else "storage"
    fits = not platform.own_rack_id and rack.use == use
    checks.true(f"{what}: a rack for {rack.use} cannot hold the platform", fits)
    if stand.nodes:
        checks.true(f"{what}: nodes without a rack", stand.racks > 0)
        fullest = math.ceil(stand.nodes / max(stand.racks, 1))
        checks.at_most(f"{what}: peak watts of the fullest rack", fullest * node.capped_w, rack.peak_w, "W")
        height = fullest * max(1, platform.rack_units)
        checks.at_most(f"{what}: height of the fullest rack", height, rack.rack_units, "U")
