"""The best build of each kind of site, and the runner-up builds: how far each is behind the design.

An architecture is a cut of what may be used: one vendor's accelerators, air cooling, no KV cache below HBM, and so on.
The runner-up builds do without the platform with the most watts, then without the first two, and so on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from solver.design import Design, Record
from solver.explaining import cuts
from solver.explaining.bench import Bench
from solver.explaining.shop import Cut
from solver.model.data import ModelData

RUNNERS_UP = 3
"""Builds without the chief platform, without the first two, and so on."""
TIME_S = 60.0

Sites = dict[str, tuple[Cut, ...]]
"""Name of a site -> the cuts that together leave it."""


def _named(*cut: Cut) -> Sites:
    return {cut[0].name: cut}


ARCHITECTURES: dict[str, Callable[[ModelData], Sites]] = {
    "vendor": lambda data: {f"only {v}": (cuts.only_vendor(data, v),) for v in cuts.vendors(data)},
    "air_cooled": lambda data: _named(cuts.air_cooled(data)),
    "hbm_only": lambda data: {"HBM only": (cuts.without_host_memory(data), cuts.without_tiers_beyond(data))},
    "together": lambda data: _named(cuts.together(data)),
    "uncapped": lambda data: _named(cuts.uncapped(data)),
    "no_flash": lambda data: _named(cuts.without_flash(data)),
}
"""Kind of site -> its sites, from the parts of the study; one entry here is one more kind."""


def architectures(bench: Bench, design: Design, *, time_limit_s: float = TIME_S) -> Record:
    """Return the best build of each architecture and the runner-up builds, the nearest to the design first.

    Parameters
    ----------
    bench : Bench
        Of the design's study; its clock is reported to, and asked for a stop.
    design : Design
        With a build.
    time_limit_s : float
        For all solves together; what is not solved by then is not listed, and `unsolved` names it.

    Returns
    -------
    dict
        See docs/explaining.md.
    """
    begun = time.perf_counter()
    asked = [
        ("architecture", kind, name, site)
        for kind, made in ARCHITECTURES.items()
        for name, site in made(bench.data).items()
    ]
    asked += [("runner_up", "without", cut.name, (cut,)) for cut in runners_up(design, bench.data)]
    rows: dict[str, list[Record]] = {"architecture": [], "runner_up": []}
    unsolved = []
    for group, kind, name, site in asked:
        if bench.clock.stop() or time.perf_counter() > begun + time_limit_s:
            unsolved.append(name)
            continue
        bench.clock.report(f"architectures: {name}", None, None, None)
        rows[group].append(_record(design, bench, kind, name, site))
    return {
        "unit": design.objective["unit"],
        "value": design.value_in_parts,
        "gap_frac": bench.gap,
        "architectures": sorted(rows["architecture"], key=_distance),
        "runners_up": rows["runner_up"],
        "unsolved": unsolved,
        "seconds": round(time.perf_counter() - begun, 3),
    }


def runners_up(design: Design, data: ModelData) -> list[Cut]:
    """Cuts without the platform of a design with the most watts, without the first two, and so on.

    The last platform with accelerators that may be bought is never taken away.
    """
    watts: dict[str, float] = {}
    for pool in design.pools:
        watts[pool["platform"]] = watts.get(pool["platform"], 0.0) + pool["meter_w"]
    able = set(cuts.accelerator_platforms(data))
    ranked = [p for p in sorted(watts, key=lambda p: -watts[p]) if p in able]
    most = min(RUNNERS_UP, len(able) - 1, len(ranked))
    return [cuts.without_platforms(data, frozenset(ranked[: n + 1])) for n in range(most)]


def _record(design: Design, bench: Bench, kind: str, name: str, site: tuple[Cut, ...]) -> Record:
    """Return the best of a site; cuts that take nothing out leave the study itself."""
    record: Record = {"id": kind, "name": name, "value": None, "bound": None, "gap": None}
    record |= {"distance_frac": None, "least_distance_frac": None, "nodes": {}, "same_as_study": False}
    value, sense = design.value_in_parts, bench.sense
    if not any(cuts.removes(bench.data, cut) for cut in site):
        bound = float(design.objective["bound"])
        nodes: dict[str, int] = {}
        for pool in design.pools:
            nodes[pool["platform"]] = nodes.get(pool["platform"], 0) + pool["quantity"]
        found = {"value": value, "bound": bound, "gap": design.objective["gap"], "nodes": nodes, "same_as_study": True}
        return record | found | {"distance_frac": 0.0, "least_distance_frac": 0.0}
    answer = bench.answer(*site)
    if answer.value is None or not answer.value:
        return record | {"bound": answer.bound}
    assert answer.bound is not None
    reached, best = (sense * (value - v) / abs(value) for v in (answer.value, answer.bound))
    found = {"value": answer.value, "bound": answer.bound, "gap": answer.gap, "nodes": answer.nodes}
    return record | found | {"distance_frac": reached, "least_distance_frac": max(0.0, best)}


def _distance(record: Record) -> tuple[bool, float]:
    distance = record["distance_frac"]
    return distance is None, distance or 0.0
