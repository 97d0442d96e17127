"""The ladder: the tightest bottleneck is loosened by a step, the study is solved again, and the next one is named.

The tightest is the one of which one percent more gains most, by the duals of the relaxation for rows and by the
relaxation of a menu of the platforms in use for what candidates are made from.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from solver.catalog import Catalog
from solver.design import Design, Record
from solver.explaining.bottlenecks import dual_of, objective_scale
from solver.explaining.hardware import HARDWARE, with_attribute
from solver.explaining.limits import TIER_ROWS, row_limits, share_limits, tier_groups
from solver.explaining.workbench import Gain, Range, Workbench
from solver.resources import RESOURCES
from solver.restriction import PRESENT
from solver.scenario import Scenario, resolve
from solver.study import Study
from solver.units import si_name

STEP = 0.25
"""Share by which a bottleneck is loosened."""
DEPTH = 4
PROBE = 0.02
"""Share by which hardware is better where its worth is estimated."""
TIER_COLUMNS = {
    "capacity": "capacity_gb", "read": "read_bw_gb_s", "write": "write_bw_gb_s", "wear": "endurance_dwpd",
}  # fmt: skip
"""Kind of limit of a tier -> column of the devices that make it."""


@dataclass(frozen=True)
class _Rung:
    """A bottleneck: what one percent more of it gains, and the study and catalog with more of it."""

    id: str
    name: str
    per_percent_frac: float
    before: float | None
    after: float | None
    unit: str
    study: Study
    catalog: Catalog


def ladder(bench: Workbench, design: Design, *, depth: int = DEPTH, step: float = STEP) -> Record:
    """Return the sequence of bottlenecks, each loosened in turn.

    Parameters
    ----------
    bench : Workbench
        Of the design's study.
    design : Design
    depth : int
        How many are loosened.
    step : float
        Share by which each one is.
    """
    first: Range | None = None
    before, rungs, relaxed = bench.now, [], _nothing(bench)
    for number in range(depth + 1):
        now = bench.now if number == 0 else bench.solved(bench.program, bench.relaxed)
        first = first or now
        tightest = _tightest(bench, step) if number < depth else None
        gain = Gain.between(before, now, bench.unit, loosened=True)
        total = (first.value - now.value) * bench.unit / objective_scale(bench)
        rungs.append(
            {
                "rung": number, "relaxed": relaxed.id, "name": relaxed.name, "from": relaxed.before,
                "to": relaxed.after, "unit": relaxed.unit, "value": _rate(bench, now.value),
                "bound": _rate(bench, now.bound), "gain_low": gain.low if number else 0.0,
                "gain_high": gain.high if number else 0.0, "gain_frac": total,
                "bottleneck": tightest.id if tightest else "", "bottleneck_name": tightest.name if tightest else "",
                "per_percent_frac": tightest.per_percent_frac if tightest else None,
            }
        )  # fmt: skip
        if tightest is None or bench.clock.stop():
            break
        bench.clock.report(f"ladder: more {tightest.name}", None, None, None)
        scenario = resolve(tightest.study, tightest.catalog)
        scenario = dataclasses.replace(scenario, widths=bench.scenario.widths)
        relaxed, before, bench = tightest, now, Workbench(scenario, bench.make, bench.clock)
    return {"unit": bench.objective.gain_unit, "step": step, "rungs": rungs}


def _nothing(bench: Workbench) -> _Rung:
    return _Rung("", "", 0.0, None, None, "", bench.scenario.study, bench.scenario.catalog)


def _rate(bench: Workbench, cost: float) -> float | None:
    """A cost as what the objective counts, in gain units."""
    return -bench.objective.sense * cost * bench.unit if math.isfinite(cost) else None


def _tightest(bench: Workbench, step: float) -> _Rung | None:
    """The bottleneck of which one percent more gains most; None where nothing gains anything."""
    found = [*_rows(bench, step), *_tiers(bench, step), *_hardware(bench, step)]
    best = max(found, key=lambda rung: rung.per_percent_frac, default=None)
    return best if best is not None and best.per_percent_frac > 1e-7 else None


def _rows(bench: Workbench, step: float) -> list[_Rung]:
    """Limits of the site and of supply."""
    study, scale, found = bench.scenario.study, objective_scale(bench), []
    shares = share_limits(bench)
    for limit in [*row_limits(bench), *shares]:
        worth = 0.01 * dual_of(bench, limit.row) * limit.value / limit.scale / scale
        more = min(limit.value * (1.0 + step), 1.0 if limit in shares else math.inf)
        if limit.whole:
            more = float(math.ceil(more))
            path, value = f"{limit.id}.quantity", int(more)
        else:
            path, value = _key(study, limit.id), 0
        given = value if limit.whole else more if limit in shares else _in_study(study, path, limit.value, step)
        changed = study.with_changes({path: given})
        found.append(_Rung(limit.id, limit.name, worth, limit.value, more, limit.unit, changed, bench.scenario.catalog))
    return found


def _key(study: Study, path: str) -> str:
    """Key of the study that states a limit: a budget may be in a currency of its own."""
    return "site.budget" if path == RESOURCES["capex"].limit_path and study.site.budget is not None else path


def _in_study(study: Study, path: str, value: float, step: float) -> float:
    """A limit of the study with more of it, in the unit of its key; one that comes from the catalog from SI."""
    section, key = path.split(".")
    given = getattr(getattr(study, section), key)
    if given is None:
        given = value / si_name(key)[1]
    return float(given) * (1.0 + step)


def _tiers(bench: Workbench, step: float) -> list[_Rung]:
    """What devices of a tier hold, carry and endure."""
    catalog, scale, found = bench.scenario.catalog, objective_scale(bench), []
    devices: dict[str, set[str]] = {}
    for place in bench.data.places:
        devices.setdefault(place.stock.tier, set()).add(place.stock.device_id)
    for group in tier_groups(bench):
        worth = 0.01 * sum(dual_of(bench, row) * units for row, units in group.rows.items()) / scale
        _, tier, kind = group.id.split(".")
        assert kind in TIER_ROWS
        column, table = TIER_COLUMNS[kind], catalog.tables["memory"]
        rows = [
            {"id": d, column: table[d][column] * (1.0 + step)}
            for d in sorted(devices[tier])
            if isinstance(table[d][column], int | float)
        ]
        offered = sum(group.rows.values()) * group.scale
        if worth > 0.0 and rows:
            changed = catalog.overlay({"memory": rows})
            more = offered * (1.0 + step)
            found.append(_Rung(group.id, group.name, worth, offered, more, group.unit, bench.scenario.study, changed))
    return found


def _hardware(bench: Workbench, step: float) -> list[_Rung]:
    """Figures of the accelerators, by the relaxation of a menu of the platforms in use."""
    study, found = bench.scenario.study, []
    small = Workbench(_in_use(bench), bench.make, bench.clock)
    for attribute in HARDWARE.values():
        catalog = with_attribute(bench.scenario, attribute, 1.0 + PROBE)
        probed = _only(resolve(study, catalog), small.scenario)
        better = Workbench(probed, bench.make, bench.clock)
        gain = max(0.0, small.relaxed.objective - better.relaxed.objective) * bench.unit / objective_scale(bench)
        found.append(
            _Rung(
                f"hardware.{attribute.id}", attribute.name, 0.01 * gain / PROBE, 1.0, 1.0 + step, "x", study,
                with_attribute(bench.scenario, attribute, 1.0 + step),
            )
        )  # fmt: skip
    return found


def _in_use(bench: Workbench) -> Scenario:
    """The scenario with the platforms that the relaxation uses, and those without accelerators."""
    values = bench.relaxed.values
    assert values is not None
    housed = bench.ready.layout.housed
    used = {p.config.platform.id for p in bench.data.pools if values[housed[p.id]].sum() > PRESENT}
    platforms = tuple(p for p in bench.scenario.platforms if p.id in used or not p.accelerators)
    return dataclasses.replace(bench.scenario, platforms=platforms)


def _only(scenario: Scenario, like: Scenario) -> Scenario:
    """A scenario with the platforms and queues of another."""
    ids = {p.id for p in like.platforms}
    platforms = tuple(p for p in scenario.platforms if p.id in ids)
    return dataclasses.replace(scenario, platforms=platforms, widths=like.widths)
