"""What binds, and what a little more of it is worth.

The relaxation's duals give the worth of the next unit of every row. That of a limit of the site or of supply is
confirmed by solving again with the limit further out: rows that hold only integers have no dual once integers are
fixed, so what a step gains is the interval ``[LB+ - UB0, UB+ - LB0]`` of the bounds of both solves. A limit whose dual
is zero gains nothing in the relaxation, however far it is moved out (its value is concave in the limit), so that the
step's gain is at most the gap of the answer, without another solve. What filters candidates (promises, the hardware's
own figures) has no row: its worth is the difference of two optima.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from solver.design import Design, Record
from solver.explaining.hardware import HARDWARE, Attribute, with_attribute
from solver.explaining.limits import Group, RowLimit, row_limits, tier_groups, used_groups
from solver.explaining.promises import Promise, promises_of
from solver.explaining.workbench import Gain, Range, Workbench
from solver.highs import OPTIMAL
from solver.resources import RESOURCES
from solver.scenario import Scenario, resolve

STEPS = (0.05, 0.10)
"""Shares by which a limit is moved out."""
HARDWARE_STEP = 0.10
SLACK_DUAL = 1e-9
"""Share of the objective below which what a whole limit is worth counts as nothing."""
SOLVED, PROVED, DUAL = "solved again", "slack in the relaxation", "dual of the relaxation"
"""How a marginal value is known."""


def bottlenecks(bench: Workbench, design: Design, *, rebuilt: bool = True, promised: int | None = 4) -> list[Record]:
    """Return every limit and promise with slack and worth, by what one percent more of it gains.

    Parameters
    ----------
    bench : Workbench
        Of the design's study.
    design : Design
    rebuilt : bool
        Also value what needs other candidates: promises, reuse and the accelerators' own memory and links.
    promised : int, optional
        How many of the promises nearest to binding; None values all.
    """
    asked = questions(bench, design, rebuilt=rebuilt, promised=promised)
    return ranked(bench, design, [answer() for answer in asked.values()])


def questions(
    bench: Workbench, design: Design, *, rebuilt: bool = True, promised: int | None = 4
) -> dict[str, Callable[[], Record]]:
    """Return what computes the record of each limit and promise, by id; options as in `bottlenecks`."""
    used = {item["id"]: item for item in design.limits}
    asked: dict[str, Callable[[], Record]] = {}
    if rebuilt:
        asked |= {f"hardware.{a.id}": partial(_hardware_record, bench, a) for a in HARDWARE.values()}
    near, far = promises_of(bench.scenario, used, most=promised if rebuilt else 0)
    asked |= {promise.id: partial(_promise_record, bench, promise) for promise in near}
    asked |= {promise.id: partial(_unvalued, promise) for promise in far}
    asked |= {limit.id: partial(_row_record, bench, limit, used.get(limit.id)) for limit in row_limits(bench)}
    groups = [*tier_groups(bench), *used_groups(bench)]
    return asked | {group.id: partial(_group_record, bench, group) for group in groups}


def ranked(bench: Workbench, design: Design, found: Sequence[Record]) -> list[Record]:
    """Return the records with their worth in dollars, by what one percent more gains."""
    records = [dict(record) for record in found]
    _add_money(records, bench, design)
    return sorted(records, key=lambda item: -(item["per_percent_frac"] or 0.0))


def objective_scale(bench: Workbench) -> float:
    """Size of the objective's numerator in gain units, to state shares of."""
    if bench.relaxed.values is None:
        return 1.0
    cost = bench.program.costs[0]
    return max(abs(float(cost @ bench.relaxed.values + bench.program.offsets[0])) * bench.unit, 1e-12)


def _record(identity: str, name: str, unit: str, value: float | None, used: float | None) -> Record:
    slack = None if value is None or used is None else value - used
    return {
        "id": identity, "name": name, "unit": unit, "value": value, "used": used, "slack": slack, "marginal": None,
        "how": "", "steps": [], "per_percent_frac": None,
    }  # fmt: skip


def dual_of(bench: Workbench, row: int) -> float:
    """Gain of one more model unit of a row, by the relaxation."""
    return abs(float(bench.relaxed.duals[row])) * bench.unit


def _row_record(bench: Workbench, limit: RowLimit, used: Record | None) -> Record:
    """A limit that is one row."""
    record = _record(limit.id, limit.name, limit.unit, limit.value, None if used is None else used["used"])
    dual, scale = dual_of(bench, limit.row), objective_scale(bench)
    record["marginal"] = dual / limit.scale
    slack = dual * limit.value / limit.scale <= SLACK_DUAL * scale
    steps = [share * limit.value / limit.scale for share in STEPS]
    steps = [float(math.ceil(step)) if limit.whole else step for step in steps]
    record["steps"] = [
        _step(step * limit.scale, share, gain)
        for step, share, gain in zip(steps, STEPS, _gains(bench, limit, steps, slack=slack), strict=True)
        if step > 0.0
    ]
    record["how"] = PROVED if slack else SOLVED
    record["per_percent_frac"] = 0.0 if slack else 0.01 * dual * limit.value / limit.scale / scale
    return record


def _gains(bench: Workbench, limit: RowLimit, steps: list[float], *, slack: bool) -> list[Gain]:
    """Return what each step gains; only the first, smaller one is relaxed anew.

    The value of the relaxation is concave in the limit, so that beyond a step it rises by no more than the dual there.
    """
    relaxed_gap = (bench.now.value - bench.relaxed.objective) * bench.unit
    if slack:
        return [Gain(0.0, max(0.0, relaxed_gap)) for _ in steps]
    bench.clock.report(f"what more {limit.name} is worth", None, None, None)
    first = bench.relax(bench.row_moved(limit.row, steps[0]))
    found = []
    for step in steps:
        bound = None
        if first.status == OPTIMAL:
            bound = first.objective - (step - steps[0]) * abs(float(first.duals[limit.row]))
        after = bench.solved(bench.row_moved(limit.row, step), first, bound=bound)
        gain = Gain.between(bench.now, after, bench.unit, loosened=True)
        found.append(Gain(gain.low, min(gain.high, relaxed_gap + dual_of(bench, limit.row) * step)))
    return found


def _step(step: float, share: float, gain: Gain) -> Record:
    """What one step gains, and for each unit of it."""
    each = gain.over(step) if step else gain
    return {
        "step": step, "share": share, "gain_low": gain.low, "gain_high": gain.high, "marginal_low": each.low,
        "marginal_high": each.high,
    }  # fmt: skip


def _group_record(bench: Workbench, group: Group) -> Record:
    """What nodes offer of a tier, a link, a rack or the network: the worth of one percent more of it everywhere."""
    offered = 1.0 if group.relative else sum(group.rows.values()) * group.scale
    record = _record(group.id, group.name, group.unit, offered, None)
    worth = sum(dual_of(bench, row) * units for row, units in group.rows.items())
    record["marginal"] = worth / offered if offered else 0.0
    record["how"] = DUAL
    record["per_percent_frac"] = 0.01 * worth / objective_scale(bench)
    return record


def _hardware_record(bench: Workbench, attribute: Attribute) -> Record:
    """More of something in every accelerator of the menu."""
    record = _record(f"hardware.{attribute.id}", attribute.name, "share", 1.0, None)
    catalog = with_attribute(bench.scenario, attribute, 1.0 + HARDWARE_STEP)
    changed = _with_widths(resolve(bench.scenario.study, catalog), bench.scenario)
    return _rebuilt(bench, record, changed, HARDWARE_STEP, HARDWARE_STEP)


def _promise_record(bench: Workbench, promise: Promise) -> Record:
    """A promise that is looser, or a reuse that is higher."""
    record = _record(promise.id, promise.name, promise.unit, promise.value, promise.used)
    share = STEPS[-1]
    study = bench.scenario.study.with_changes(promise.changes(share))
    changed = _with_widths(resolve(study, bench.scenario.catalog), bench.scenario)
    return _rebuilt(bench, record, changed, promise.step(share), share)


def _with_widths(scenario: Scenario, like: Scenario) -> Scenario:
    """A changed scenario with queues as wide as before."""
    return dataclasses.replace(scenario, widths=like.widths)


def _rebuilt(bench: Workbench, record: Record, changed: Scenario, step: float, share: float) -> Record:
    """Fill a record with what other candidates gain."""
    bench.clock.report(f"what more {record['name']} is worth", None, None, None)
    other = Workbench(changed, bench.make, bench.clock)
    after: Range = other.solved(other.program, other.relaxed)
    gain = Gain.between(bench.now, after, bench.unit, loosened=True)
    record["steps"] = [_step(step, share, gain)]
    record["how"] = SOLVED
    middle = max(0.0, (bench.relaxed.objective - other.relaxed.objective) * bench.unit)
    record["marginal"] = middle / step
    record["per_percent_frac"] = 0.01 * middle / share / objective_scale(bench)
    return record


def _unvalued(promise: Promise) -> Record:
    """A promise that was not asked about."""
    return _record(promise.id, promise.name, promise.unit, promise.value, promise.used) | {"how": "not computed"}


def _add_money(found: Iterable[Record], bench: Workbench, design: Design) -> None:
    """State worth in dollars too: of capital where money binds, and of a year."""
    per_dollar = next((r["marginal"] for r in found if r["id"] == RESOURCES["capex"].limit_path), None) or 0.0
    yearly, basis = yearly_usd_per_gain(design, bench)
    for record in found:
        marginal = record["marginal"]
        known = marginal is not None
        record["capex_usd"] = marginal / per_dollar if known and per_dollar > 0.0 else None
        record["usd_per_year"] = marginal * yearly if known and yearly is not None else None
        record["usd_basis"], record["gain_unit"] = basis, bench.objective.gain_unit


def yearly_usd_per_gain(design: Design, bench: Workbench) -> tuple[float | None, str]:
    """Dollars a year in one unit of gain, and what they are."""
    if bench.objective.gain_unit == "USD/year":
        return 1.0, "the objective is dollars a year"
    rate = (design.kpis.get("tokens_per_s") or {}).get("value")
    if bench.objective.gain_unit != "tokens/s" or not rate:
        return None, ""
    revenue = design.kpis.get("revenue_usd_per_year")
    if revenue:
        return revenue["value"] / rate, "revenue at the prices of the classes"
    cost = design.kpis.get("tco_usd_per_year")
    return (None, "") if cost is None else (cost["value"] / rate, "what these tokens cost in this build")
