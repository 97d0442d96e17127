"""A vendor's quote: would the part be bought at that price, how many, what does it displace, and when to walk away.

An order is judged against the best build without the part. Below the walk-away price a build with at least the
order is better than every build without the part; above the upper end of its range none is as good. Both ends are
solved for, not extrapolated; the prices between them differ by less than the gap of the study can tell.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.candidates import CandidateSet
from solver.catalog import Catalog
from solver.errors import InputError, Problem
from solver.highs import INFEASIBLE, Clock, solve_lp
from solver.market import open_market, ordered
from solver.optimise import SEARCH_GAP_SHARE, Solved, best
from solver.pricing import Headroom, headroom
from solver.quoted import Quoted, prepare_quote
from solver.restriction import Layout
from solver.study import Study
from solver.widths import FewReplicasError, Queue, standing, too_wide

FloatArray = NDArray[np.float64]
BETTER = 1e-6
"""An order is worth it when the objective is this share better than without: an idle piece is not."""
TOLERANCE = 0.01
LEAST_TRIAL_USD = 1.0
YES, NO, TIE, UNKNOWN = "yes", "no", "within the gap", "not found in time"
PRICE, NEVER, ANY, BUDGET, NO_BUILD = "price", "never", "any", "budget", "no build"
"""Kinds of walk-away: a price; not even free; whatever it costs; whatever the budget can pay; none with it either."""


@dataclass(frozen=True)
class QuoteAnswer:
    """What a quote is worth.

    Attributes
    ----------
    part, kind, name : str
        Kind is ``platform`` or ``memory``.
    price_usd : float
        Of one piece in the study's price quarter.
    catalog_usd : float or None
        What the catalog asks at that quarter.
    price_quarter : str
    order : int
        Pieces of the smallest order that is judged.
    bought : str
        ``yes``, ``no``, ``within the gap`` or ``not found in time``.
    quantity : int
        Pieces at work in the best build that holds the order, at the quoted price.
    objective : dict
        ``name``, ``unit``, ``sense``, ``with_order``, ``without``, ``bound_without``, ``gain`` (positive where
        the order makes it better) and ``gain_frac``.
    walk_away : dict
        ``kind`` (``price``, ``never``, ``any``, ``budget``, ``no build`` or ``not found in time``); ``usd``: the
        highest price at which the order is still better than none; ``high_usd``: above it no build with the order is as
        good; ``tolerance`` that was asked for.
    displaced : list of dict
        ``part``, ``kind``, ``without``, ``with_order``, ``change``: pieces of what the order adds or replaces.
    capex_usd : dict
        ``without`` and ``with_order`` at the quoted price.
    stopped_by : str
    seconds : float
    """

    part: str
    kind: str
    name: str
    price_usd: float
    catalog_usd: float | None
    price_quarter: str
    order: int
    bought: str
    quantity: int
    objective: dict[str, Any]
    walk_away: dict[str, Any]
    displaced: list[dict[str, Any]]
    capex_usd: dict[str, float | None]
    stopped_by: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return dataclasses.asdict(self)


def check_quote(
    study: Study,
    catalog: Catalog,
    part: str,
    price_usd: float,
    quantity: int = 1,
    *,
    tolerance: float = TOLERANCE,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> QuoteAnswer:
    """Judge a quoted price of a platform or a memory device.

    Parameters
    ----------
    study : Study
    catalog : Catalog
    part : str
        Id in ``platforms`` or ``memory``. A quoted platform counts as for sale.
    price_usd : float
        Of one piece, in the study's price quarter; a platform's includes its standard memory.
    quantity : int
        The smallest order: at least so many pieces, or none.
    tolerance : float
        Relative width at which the range of the walk-away price is narrow enough.
    on_progress, should_stop : callable, optional
        As in `solver.solve`.

    Raises
    ------
    InputError
        If the study does not fit the catalog, or the part cannot be part of its builds.
    """
    clock = Clock(study.solver.time_limit_s, study.solver.threads, on_progress, should_stop)
    _check_numbers(price_usd, quantity, tolerance)
    widths: dict[Queue, int] = {}
    known: dict[str, CandidateSet] = {}
    while True:
        quoted = prepare_quote(study, catalog, part, widths, known)
        clock.report("candidates", None, None, None)
        try:
            return judge(quoted, part, price_usd, quantity, tolerance, clock)
        except FewReplicasError as few:
            widths |= few.widths


def judge(quoted: Quoted, part: str, price_usd: float, quantity: int, tolerance: float, clock: Clock) -> QuoteAnswer:
    """Answer a quote on columns that are prepared.

    Parameters
    ----------
    quoted : Quoted
    part, price_usd, quantity, tolerance
        As in `check_quote`.
    clock : Clock

    Raises
    ------
    FewReplicasError
        If a build of the answer, or the relaxation with or without the part, has fewer replicas than share a queue.
    """
    return _Bargain(quoted, part, price_usd, quantity, tolerance, clock).answer()


def _check_numbers(price_usd: float, quantity: int, tolerance: float) -> None:
    """Refuse numbers that mean nothing; all of them at once."""
    problems = []
    if not (math.isfinite(price_usd) and 0 <= price_usd <= 1e12):
        problems.append(Problem("quote", "", "price", str(price_usd), "is not a price", "USD, 0 or more"))
    if quantity < 1:
        problems.append(Problem("quote", "", "quantity", str(quantity), "is not an order", "1 or more"))
    if not 1e-4 <= tolerance < 1:
        problems.append(Problem("quote", "", "tolerance", str(tolerance), "is not a tolerance", "0.0001 to below 1"))
    if problems:
        raise InputError(problems)


@dataclass
class _Side:
    """Best objective of one side of the comparison, in model units."""

    value: float
    bound: float
    point: FloatArray | None
    status: str

    @property
    def found(self) -> bool:
        """True where there is a build."""
        return self.point is not None


class _Bargain:
    """One quote on one compiled program."""

    def __init__(self, quoted: Quoted, part: str, price_usd: float, order: int, tolerance: float, clock: Clock) -> None:
        self.quoted, self.part, self.price_usd, self.order = quoted, part, price_usd, order
        self.tolerance, self.clock = tolerance, clock
        self.begun = time.perf_counter()
        clock.report("model", None, None, None)
        self.market, self.model = open_market(quoted.data, quoted.pieces, quoted.usd)
        self.replicas = Layout.of(quoted.data, self.model, self.market.program).replicas
        self.sense = self.market.objective.sense
        self.money_gap = quoted.data.scenario.study.solver.gap
        self.gap = self.money_gap * SEARCH_GAP_SHARE

    def answer(self) -> QuoteAnswer:
        """Solve without the part, find the walk-away price, solve with the order at the quoted price."""
        self._check_relaxed()
        without = self._best(self.market.without)
        walk_away, point = self._walk_away(without)
        witness = point if walk_away["usd"] is not None and self.price_usd <= walk_away["usd"] else None
        with_order = self._best(ordered(self.market, self.market.at(self.price_usd), self.order), witness)
        self._check_widths(without.point, point, with_order.point)
        bought = self._bought(without, with_order, walk_away)
        scenario = self.quoted.data.scenario
        return QuoteAnswer(
            part=self.part,
            kind=self.quoted.kind,
            name=self.quoted.name,
            price_usd=self.price_usd,
            catalog_usd=self.quoted.catalog_usd,
            price_quarter=scenario.site.price_quarter,
            order=self.order,
            bought=bought,
            quantity=self.market.pieces(with_order.point) if with_order.point is not None else 0,
            objective=self._objective(without, with_order),
            walk_away=walk_away,
            displaced=self._displaced(without, with_order),
            capex_usd={"without": self._capex(without), "with_order": self._capex(with_order)},
            stopped_by=self.clock.stopped_by,
            seconds=time.perf_counter() - self.begun,
        )

    def _check_widths(self, *points: FloatArray | None) -> None:
        """Both sides are judged at the same queues: none wider than what stands on either of them."""
        few: dict[Queue, int] = {}
        for point in points:
            if point is not None:
                for queue, stand in too_wide(self.quoted.data, self.replicas, point).items():
                    few[queue] = min(stand, few.get(queue, stand))
        if few:
            raise FewReplicasError(few)

    def _check_relaxed(self) -> None:
        """Find queues that are too wide before the long solves."""
        for program in (self.market.without, self.market.at(self.price_usd)):
            self._check_widths(solve_lp(program, program.costs[0], float(program.offsets[0]), self.clock).values)

    def _best(self, program: Any, start: FloatArray | None = None) -> _Side:
        found, value, bound = best(program, self.sense, self.clock, self.gap, start)
        solved = Solved(self.quoted.data, self.model, program, self.market.objective, found, value, bound, {})
        solved = standing(solved, self.clock)
        return _Side(solved.value, bound, solved.found.values, found.status)

    def _target(self, value: float) -> float:
        """Objective that is better than a value."""
        return value + self.sense * BETTER * abs(value)

    def _walk_away(self, without: _Side) -> tuple[dict[str, Any], FloatArray | None]:
        """Kind and range of the walk-away price, and the build that pays its lower end."""
        found: dict[str, Any] = {"kind": PRICE, "usd": None, "high_usd": None, "tolerance": self.tolerance}
        needed = without.status == INFEASIBLE or (without.found and self.sense > 0 and without.bound <= 1e-9)
        if not (needed or without.found):
            return found | {"kind": UNKNOWN}, None
        lowest = None if needed else self._target(without.bound)
        if not self._priced(lowest):
            return found | {"kind": self._whatever_it_costs(without, needed=needed)}, None
        start = max(self.price_usd, self.quoted.usd, LEAST_TRIAL_USD)
        low = headroom(self.market, lowest, self.order, self.clock, self.tolerance, self.money_gap, start)
        high_usd = low.high_usd
        if not needed and (low.low_usd is None or without.bound != without.value):
            again = max(low.low_usd or 0.0, 0.0) or start
            held = self._target(without.value)
            wide = headroom(self.market, held, self.order, self.clock, self.tolerance, self.money_gap, again)
            high_usd = max(high_usd, wide.high_usd)
        return self._range(found, low, high_usd, needed=needed)

    def _range(
        self, found: dict[str, Any], low: Headroom, high_usd: float, *, needed: bool
    ) -> tuple[dict[str, Any], FloatArray | None]:
        """The walk-away record of a range of prices."""
        if needed and (low.low_usd is None or low.low_usd < 0.0):
            return found | {"kind": NO_BUILD if low.high_usd <= 0.0 else UNKNOWN}, None
        if high_usd <= 0.0:
            return found | {"kind": NEVER}, None
        most = high_usd if math.isfinite(high_usd) else None
        if low.low_usd is None or low.low_usd < 0.0:
            return found | ({"kind": UNKNOWN} if most is None else {"usd": 0.0, "high_usd": most}), None
        least = low.low_usd
        kind = BUDGET if needed else PRICE
        return found | {"kind": kind, "usd": least, "high_usd": None if most is None else max(most, least)}, low.point

    def _priced(self, target: float | None) -> bool:
        """True where a higher price takes something away."""
        objective = target is not None and bool(np.any(self.market.cost_per_usd))
        return objective or bool(self.market.money_rows)

    def _whatever_it_costs(self, without: _Side, *, needed: bool) -> str:
        """Where money is not limited and not counted, the price decides nothing."""
        with_order = self._best(ordered(self.market, self.market.program, self.order))
        if not with_order.found:
            return NEVER if with_order.status == INFEASIBLE else UNKNOWN
        return ANY if needed or self.sense * (with_order.value - self._target(without.value)) >= 0 else NEVER

    def _bought(self, without: _Side, with_order: _Side, walk_away: Mapping[str, Any]) -> str:
        """Whether the order is better than none at the quoted price."""
        kind, usd, high = walk_away["kind"], walk_away["usd"], walk_away["high_usd"]
        if kind in (NEVER, NO_BUILD) or (high is not None and self.price_usd > high) or with_order.status == INFEASIBLE:
            return NO
        if kind == ANY or (usd is not None and self.price_usd <= usd and usd > 0):
            return YES
        if not (without.found and with_order.found):
            return UNKNOWN
        if self.sense * (with_order.value - self._target(without.bound)) >= 0:
            return YES
        return NO if self.sense * (with_order.bound - self._target(without.value)) < 0 else TIE

    # --- the answer in numbers -------------------------------------------------------------------------------------

    def _objective(self, without: _Side, with_order: _Side) -> dict[str, Any]:
        objective = self.market.objective
        unit = objective.per_unit(self.quoted.data.scenario)
        both = without.found and with_order.found
        gain = self.sense * (with_order.value - without.value) * unit if both else None
        relative = None if gain is None or not without.value else gain / abs(without.value * unit)
        return {
            "name": objective.id,
            "unit": objective.unit,
            "sense": "max" if self.sense > 0 else "min",
            "with_order": with_order.value * unit if with_order.found else None,
            "without": without.value * unit if without.found else None,
            "bound_without": without.bound * unit if without.found else None,
            "gain": gain,
            "gain_frac": relative,
        }

    def _nodes(self, side: _Side) -> tuple[Counter[str], Counter[str]]:
        """Nodes at work by configuration, and racks by kind."""
        nodes: Counter[str] = Counter()
        racks: Counter[str] = Counter()
        if side.point is not None:
            where = {h.id: h for h in self.quoted.data.housings}
            for variable, value in zip(self.market.program.variables, side.point, strict=False):
                if variable.parent_component().local_name == "housed" and value > 0.5:
                    housing = where[variable.index()]
                    nodes[housing.pool.config.id] += round(value)
                    if not housing.own:
                        racks[housing.rack.id] += math.ceil(round(value) / housing.fit)
        return nodes, racks

    def _bill(self, side: _Side) -> dict[tuple[str, str], int]:
        """Pieces by kind and part."""
        nodes, racks = self._nodes(side)
        bill: Counter[tuple[str, str]] = Counter()
        for config in {p.config.id: p.config for p in self.quoted.data.pools}.values():
            bill["platform" if config.accelerator else "storage", config.platform.id] += nodes[config.id]
            for device, count in config.bought:
                bill["memory", device] += nodes[config.id] * count
        bill.update({("rack", rack): count for rack, count in racks.items()})
        return bill

    def _displaced(self, without: _Side, with_order: _Side) -> list[dict[str, Any]]:
        """Difference of the two bills, where there is one."""
        if not (without.found and with_order.found):
            return []
        old, new = self._bill(without), self._bill(with_order)
        kinds = ("platform", "storage", "memory", "rack")
        return [
            {"part": part, "kind": kind, "without": old.get((kind, part), 0), "with_order": new.get((kind, part), 0),
             "change": new.get((kind, part), 0) - old.get((kind, part), 0)}
            for kind, part in sorted(old.keys() | new.keys(), key=lambda k: (kinds.index(k[0]), k[1]))
            if new.get((kind, part), 0) != old.get((kind, part), 0)
        ]  # fmt: skip

    def _capex(self, side: _Side) -> float | None:
        """Dollars for nodes at work and their racks, at the quoted price; the network apart."""
        if not side.found:
            return None
        data, (nodes, racks) = self.quoted.data, self._nodes(side)
        configs = {p.config.id: p.config for p in data.pools}
        prices = {h.rack.id: h.rack.price_central_usd for h in data.housings}
        usd = sum(n * configs[c].price_usd for c, n in nodes.items())
        usd += sum(n * prices[rack] for rack, n in racks.items())
        return (
            usd + self.market.pieces(side.point) * (self.price_usd - self.quoted.usd)
            if side.point is not None
            else None
        )
