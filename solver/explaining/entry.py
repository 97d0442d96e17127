"""The price at which a part enters the build, or leaves it.

A part's best use is priced by a small linear program at the duals of a relaxation without it (`blocks`): a piece that
costs ``p`` adds ``rc(p) = rc(now) + pi (p - now)`` to the cost of the best build, with ``pi`` what a dollar is worth.
Where that is zero, the part enters. Above it, a build with an order of ``k`` pieces costs at least ``LB + k rc(p)``:
from the price on at which that is worse than the best build known without the part, it is certainly not bought. Below
it, a build that holds the order and is as good as the best without shows that it is. Between the two lies what the gap
hides. Where a dollar is worth nothing, no price helps; the same sum over the watts of a node tells how many fewer it
would have to draw.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from solver.design import Design, Record
from solver.explaining.blocks import Priced, own_columns, priced
from solver.explaining.slopes import Slopes, bought_columns, housed_pieces
from solver.explaining.workbench import WHOLE_COLUMNS, Range, Workbench
from solver.highs import OPTIMAL, Clock, Outcome, Program
from solver.market import Market, open_market, ordered
from solver.parts import MemoryDevice
from solver.physics.cost import memory_usd_per_byte
from solver.populations import usd_per_byte
from solver.pricing import headroom
from solver.restriction import PRESENT
from solver.scenario import Scenario

FloatArray = NDArray[np.float64]
LOWER = (0.98, 0.9)
"""Shares of the relaxation's price at which a build with the order is looked for first."""
TRIES = 4
"""Prices at which it is looked for, at most."""
ORDER_FRAC = 0.02
"""Share of what megawatts and money allow of a part that an order is at least: what it changes must show."""
TOLERANCE = 0.005
"""Relative width of a price range at which its search ends."""
SEARCH_TIME_S = 60.0
OPEN_BAYS = ("nvme", "hdd", "cxl")
"""Places of which the menu fills one tier with the cheapest byte; host memory is chosen by size."""
ENTERS, LEAVES, NEVER, ANY, UNDECIDED, NO_USE, OFF_MENU = (
    "enters below", "leaves above", "never at any price", "stays at any price", "not decided", "no use in this study",
    "not the cheapest of its tier",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What may be bought, and how many pieces of it each configuration holds.

    Attributes
    ----------
    id, kind, name, vendor : str
    price_usd : float
        Of a piece, as things are.
    pieces : mapping
        Configuration id -> pieces in one node.
    least : int
        Pieces of the smallest order.
    watts : float
        That a piece provisions at the least; 0 where that is counted with its node.
    """

    id: str
    kind: str
    name: str
    vendor: str
    price_usd: float
    pieces: Mapping[str, int]
    least: int
    watts: float = 0.0

    def order(self, scenario: Scenario, price_usd: float) -> int:
        """Pieces of an order large enough to show: a share of the most that the megawatts and the money allow.

        Parameters
        ----------
        scenario : Scenario
        price_usd : float
            That the order is judged at.
        """
        site = scenario.site
        most = [site.power_w / self.watts] if site.power_w and self.watts > 0.0 else []
        most += [site.budget_usd / price_usd] if site.budget_usd and price_usd > 0.0 else []
        return max(self.least, math.ceil(ORDER_FRAC * min(most))) if most else self.least


def parts_of(bench: Workbench) -> list[Part]:
    """Platforms and memory devices of the menu."""
    configs = {p.config.id: p.config for p in bench.data.pools}
    found = []
    for platform in {c.platform.id: c.platform for c in configs.values()}.values():
        mine = {c.id: 1 for c in configs.values() if c.platform.id == platform.id}
        usd = min(c.price_usd - _devices_usd(bench, c.bought) for c in configs.values() if c.id in mine)
        watts = min(configs[c].provisioned_w for c in mine)
        kind = "platform" if platform.accelerators else "storage"
        least = max(1, int(platform.order_minimum or 1))
        found.append(Part(platform.id, kind, platform.name, platform.vendor, usd, mine, least, watts))
    devices = {d.id: d for d in bench.scenario.devices}
    counts: dict[str, dict[str, int]] = {}
    for config in configs.values():
        for device, count in config.bought:
            counts.setdefault(device, {})[config.id] = count
    for device, pieces in counts.items():
        row = devices[device]
        usd = _devices_usd(bench, [(device, 1)])
        found.append(Part(device, "memory", row.name, row.vendor, usd, pieces, min(pieces.values())))
    return found


def _devices_usd(bench: Workbench, bought: Iterable[tuple[str, int]]) -> float:
    """Dollars for devices, as configurations count them."""
    scenario = bench.scenario
    rows = {d.id: d for d in scenario.devices}
    return sum(
        count * memory_usd_per_byte(rows[d], scenario.site.price_quarter, scenario.prices) * rows[d].capacity_bytes
        for d, count in bought
    )


def entry_prices(bench: Workbench, design: Design, parts: Iterable[str] | None = None) -> list[Record]:
    """Return for each part the price at which it enters the build, or leaves it.

    Parameters
    ----------
    bench : Workbench
        Of the design's study.
    design : Design
    parts : iterable of str, optional
        Ids; all parts of the menu without.
    """
    return ranked([answer() for answer in questions(bench, design, parts).values()])


def questions(bench: Workbench, design: Design, parts: Iterable[str] | None = None) -> dict[str, Callable[[], Record]]:
    """Return what computes the record of each part, by id; parameters as in `entry_prices`."""
    wanted = None if parts is None else set(parts)
    bought: dict[str, int] = {}
    for line in design.bill_of_materials:
        bought[line["part"]] = bought.get(line["part"], 0) + round(line.get("quantity", 0))
    slopes, menu = Slopes(bench), parts_of(bench)
    asked = {
        part.id: _Question(bench, slopes, part, inside=part.id in bought, bought=bought.get(part.id, 0)).answer
        for part in menu
    }
    asked |= {d.id: partial(_off_menu, bench, d, bought) for d in bench.scenario.devices if d.id not in asked}
    return {part: answer for part, answer in asked.items() if wanted is None or part in wanted}


def _off_menu(bench: Workbench, device: MemoryDevice, bought: Collection[str]) -> Record:
    """A device that another of its tier keeps off the menu: from which price on it would be the cheaper byte."""
    usd = _devices_usd(bench, [(device.id, 1)])
    part = Part(device.id, "memory", device.name, device.vendor, usd, {}, 1)
    record = blank(part, inside=False, order=1) | {"answer": OFF_MENU}
    on_menu = {d for p in bench.data.pools for d, _ in p.config.bought}
    rivals = [d for d in bench.scenario.devices if d.id in on_menu and (d.tier, d.bay) == (device.tier, device.bay)]
    if not rivals or device.bay not in OPEN_BAYS:
        return record
    rival = min(rivals, key=lambda d: (d.id not in bought, d.id))
    record["in_place_of"] = rival.id
    record["relaxed_usd"] = usd_per_byte(bench.scenario, rival) * device.capacity_bytes / _landed(bench, device)
    return record


def _landed(bench: Workbench, device: MemoryDevice) -> float:
    """Dollars paid for one dollar of a device's price: discounts and tax."""
    return bench.scenario.landed_usd(1.0, device.vendor)


def blank(part: Part, *, inside: bool, order: int) -> Record:
    """Return the record of a part of which nothing is known yet."""
    return {
        "part": part.id, "kind": part.kind, "name": part.name, "vendor": part.vendor, "in_build": inside,
        "answer": UNDECIDED, "price_now_usd": part.price_usd, "relaxed_usd": None, "low_usd": None,
        "high_usd": None, "order": order, "quantity": None, "fewer_watts_frac": None, "in_place_of": "",
        "proved": True,
    }  # fmt: skip


def ranked(found: Iterable[Record]) -> list[Record]:
    """Return the records of parts: those in the build first, then by how near their price is."""
    return sorted(
        found,
        key=lambda r: (
            not r["in_build"],
            r["answer"] == OFF_MENU,
            r["kind"],
            -(r["relaxed_usd"] or 0.0) / max(r["price_now_usd"], 1e-9),
        ),
    )


@dataclass(frozen=True)
class _Question:
    """One part, asked about."""

    bench: Workbench
    slopes: Slopes
    part: Part
    inside: bool
    bought: int = 0

    def answer(self) -> Record:
        """Return the record of the part."""
        bench, part = self.bench, self.part
        bench.clock.report(f"price of {part.name}", None, None, None)
        pieces = bought_columns(bench, part.pieces)
        own = own_columns(bench, pieces)
        without, relaxed = self._without(pieces)
        record = blank(part, inside=self.inside, order=self._order(part.price_usd))
        small = len(bench.program.upper) <= WHOLE_COLUMNS and math.isfinite(without.value)
        if relaxed.status != OPTIMAL:
            return record | {"answer": ANY if self.inside else UNDECIDED}
        cost, _ = bench.cost_of(bench.program)
        use = priced(bench.program, cost, own, self._at_work, relaxed.duals, bench.clock)
        if use is not None:
            record["fewer_watts_frac"] = self._fewer_watts(use, relaxed)
            worth, scale = self.slopes.worth_usd(bench, pieces, relaxed.duals), abs(relaxed.objective)
            free = worth * part.price_usd * record["order"] <= 1e-9 * scale
            record["relaxed_usd"] = None if free else part.price_usd - use.reduced_cost / worth
        if small:
            return self._searched(record, without)
        if use is None:
            return record | {"answer": NO_USE}
        usd = record["relaxed_usd"]
        if usd is None:
            return record | {"answer": NEVER if use.reduced_cost > 1e-9 * scale else ANY if self.inside else UNDECIDED}
        order = self._order(usd if usd > 0.0 else part.price_usd)
        high = usd + max(0.0, without.value - relaxed.objective) / (worth * order)
        record |= {"high_usd": high, "order": order}
        if usd <= 0.0:
            return record | {"answer": NEVER, "proved": high <= 0.0}
        record["answer"] = LEAVES if self.inside else ENTERS
        self._confirm(record, pieces, use, without, relaxed)
        return record

    @cached_property
    def _at_work(self) -> FloatArray:
        """Pieces in one node of each column of nodes at work: where money is free, more may be bought than works."""
        return housed_pieces(self.bench, self.part.pieces)

    def _without(self, pieces: FloatArray) -> tuple[Range, Outcome]:
        """Range of the best build without the part, and its relaxation."""
        bench = self.bench
        if not self.inside and not float(self._at_work @ _values(bench.relaxed)) > 1e-9:
            return bench.now, bench.relaxed
        upper = np.where(pieces > 0.0, 0.0, bench.program.upper)
        program = dataclasses.replace(bench.program, upper=upper)
        relaxed = bench.relax(program)
        return bench.solved(program, relaxed), relaxed

    def _confirm(self, record: Record, pieces: FloatArray, use: Priced, without: Range, relaxed: Outcome) -> None:
        """Look for a build with the order that is as good as the best without, at prices below that of the relaxation.

        As good means within the gap of the study. The design itself is one at today's price.
        """
        bench, usd, order = self.bench, record["relaxed_usd"], record["order"]
        enough = without.value + max(bench.scenario.study.solver.gap, 1e-9) * abs(without.value)
        keep = use.columns | (pieces > 0.0)
        keep |= False if without.values is None else without.values > PRESENT
        among = keep | bench.worth_a_look(relaxed)
        price, like, now = LOWER[0] * usd, relaxed, self.part.price_usd
        if self.bought >= order and now <= record["high_usd"] and bench.now.value <= enough:
            record |= {"low_usd": now, "quantity": self.bought}
        for number in range(TRIES):
            if record["low_usd"] is not None and price <= record["low_usd"]:
                return
            program = self._ordered(self.slopes.at(pieces, price - now), pieces, use, order)
            like = bench.relax(program, among) if number else relaxed
            found = bench.solved(program, like, keep=keep, bound=-math.inf, enough=enough, wide=number > 0)
            if found.values is not None and found.value <= enough:
                record["low_usd"] = price
                record["quantity"] = round(float(pieces @ np.round(found.values)))
                return
            lower = LOWER[1] * (price if number else usd)
            if number and like.status == OPTIMAL:  # else not even parts of nodes hold the order at this price
                missed = found.value if found.values is not None else like.objective
                lower = min(
                    lower, price - (missed - enough) / (self.slopes.worth_usd(bench, pieces, like.duals) * order)
                )
            price = lower
            if not 0.0 < price < math.inf:
                return

    def _searched(self, record: Record, without: Range) -> Record:
        """The range of the price by branch and bound on both sides, where the program is small enough."""
        bench, part, clock = self.bench, self.part, self.bench.clock
        inner = Clock(SEARCH_TIME_S, clock.threads, None, clock.should_stop)
        sense, gap, order = bench.objective.sense, bench.scenario.study.solver.gap, record["order"]
        market, _ = open_market(bench.data, part.pieces, part.price_usd)
        if not (market.money_rows or np.any(market.cost_per_usd)):
            return record | {"answer": self._whatever_it_costs(market, without, order)}
        found = headroom(market, -sense * without.value, order, inner, TOLERANCE, gap, part.price_usd)
        certain = found
        if without.bound < without.value - 1e-9 * abs(without.value):
            certain = headroom(market, -sense * without.bound, order, inner, TOLERANCE, gap, part.price_usd)
        low = certain.low_usd
        record |= {"low_usd": None if low is None or low < 0.0 else low, "high_usd": found.high_usd}
        if found.high_usd <= 0.0:
            return record | {"answer": NEVER, "low_usd": None}
        if certain.point is not None and record["low_usd"] is not None:
            record["quantity"] = market.pieces(certain.point)
        return record | {"answer": LEAVES if self.inside else ENTERS}

    def _whatever_it_costs(self, market: Market, without: Range, order: int) -> str:
        """Where money is neither limited nor counted, the price decides nothing."""
        with_order = self.bench.solved(ordered(market, market.program, order))
        if with_order.bound > without.value:
            return NEVER
        return ANY if with_order.value <= without.bound else UNDECIDED

    def _ordered(self, program: Program, pieces: FloatArray, use: Priced, order: int) -> Program:
        """The program with at least the order bought of the configuration that the part is best used in."""
        column = int(np.argmax(use.point * (pieces > 0.0)))
        lower = program.lower.copy()
        lower[column] = max(lower[column], math.floor(order / pieces[column]) or 1.0)
        return dataclasses.replace(program, lower=lower)

    def _order(self, price_usd: float) -> int:
        """Pieces of the order that the price is judged by: no more than supply allows."""
        scenario = self.bench.scenario
        supply = scenario.study.supply
        spec = supply.platform.get(self.part.id) or supply.memory.get(self.part.id)
        order = self.part.order(scenario, price_usd)
        return order if spec is None else max(1, min(order, int(spec.quantity)))

    def _fewer_watts(self, use: Priced, relaxed: Outcome) -> float | None:
        """Share of a node's watts that would have to go for the part to enter at its price."""
        block = self.bench.ready.model.period[0]
        if "power" not in block.within_limit:
            return None
        at = self.bench.program.row_numbers
        program, row = self.bench.program, at[id(block.within_limit["power"])]
        entries = slice(program.start[row], program.start[row + 1])
        taken = float(program.value[entries] @ use.point[program.index[entries]])
        worth = taken * abs(float(relaxed.duals[row]))
        return use.reduced_cost / worth if worth > 0.0 else None


def _values(relaxed: Outcome) -> FloatArray:
    assert relaxed.values is not None
    return relaxed.values
