"""The user's own build as a baseline: its nodes stand fixed, the rest is decided as well as it can be.

Load, power caps, racks and placement are optimised under the study's limits and promises; nodes may stand unused.
What the build breaks is said with numbers: a limit that its purchase alone breaks is lifted for the comparison, and
where the build cannot serve what must be served, the share that it can serve is found.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from solver.baselines import BASELINE_TIME_S, with_gain
from solver.builds import Build
from solver.candidates import CandidateSet, build_candidates
from solver.configurations import Configuration, made_to_order
from solver.design import Record
from solver.errors import InputError, Problem, closest
from solver.highs import INFEASIBLE, Clock
from solver.model.data import ModelData, model_data, node_ports
from solver.model.kinds import shares_of_least
from solver.model.objectives import find_objective, tokens_per_request
from solver.parts import Accelerator, MemoryDevice, Platform
from solver.physics.calibration import Calibration
from solver.resources import RESOURCES, Resource
from solver.scenario import Scenario, resolve
from solver.settling import Make, optimise_at_widths
from solver.shares import SHARES, Split, limited_shares
from solver.units import si_name
from solver.words import amount

TOLERANCE = 1e-9


def check_build(build: Build, scenario: Scenario) -> None:
    """Raise `InputError` with everything in a build that its catalog or its nodes have no room for."""
    _configurations(build, scenario)


def own_build(build: Build, scenario: Scenario, clock: Clock) -> Record:
    """Solve a given build under a study and say what it reaches and what it breaks.

    Parameters
    ----------
    build : Build
    scenario : Scenario
        Of the study.
    clock : Clock

    Returns
    -------
    dict
        A baseline record; `objective_value` is None where the build serves nothing that counts.

    Raises
    ------
    InputError
        If the build names what the catalog does not have, what has no price, or what does not fit its node.
    """
    counts, configs = _configurations(build, scenario)
    make = columns_of_nodes(counts, list(configs.values()), Calibration.from_catalog(scenario.catalog))
    within = with_platforms(scenario, configs.values())
    data, _ = make(within)
    breaks, lifted = broken(data)
    record: Record = {
        "name": build.name,
        "kind": "own build",
        "objective_value": None,
        "bound": None,
        "gap": None,
        "platforms": sorted({c.platform.id for c in configs.values()}),
        "nodes": dict(counts),
        "breaks": breaks,
        "lifted": sorted(lifted),
        "unserved": [],
        "served_frac": None,
    }
    if lifted:
        study = scenario.study.with_changes(lifted)
        within = with_platforms(resolve(study, scenario.catalog), configs.values())
    record["unserved"] = [{"class": name, "roles": roles} for name, roles in data.missing_roles.items()]
    demand = scenario.study.demand
    if data.missing_roles and (demand.mode == "mix" or demand.floor_frac > 0):
        return record
    return record | solved_nodes(within, make, clock)


def columns_of_nodes(counts: dict[str, int], menu: Sequence[Configuration], fit: Calibration) -> Make:
    """Return what makes the columns of a scenario whose nodes are given.

    Parameters
    ----------
    counts : dict
        Configuration id -> nodes that are bought.
    menu : sequence of Configuration
        Of these, and of what is owned besides.
    fit : Calibration
    """
    known: dict[str, CandidateSet] = {}

    def make(within: Scenario) -> tuple[ModelData, CandidateSet]:
        candidates = build_candidates(within, menu, fit, known=known)
        return model_data(within, menu, candidates.candidates, counts), candidates

    return make


def compared(record: Record, value: float, sense: str) -> Record:
    """Add the gain of the design over the build, and how far the build is behind the design.

    Parameters
    ----------
    record : dict
        As `own_build` returns it.
    value : float
        Objective of the design.
    sense : str
        ``max`` or ``min``.
    """
    other = record["objective_value"]
    if not other:
        return record | {"gain_frac": None, "distance_frac": None}
    distance = 1.0 - other / value if sense == "max" else other / value - 1.0
    return with_gain(record, value, sense) | {"distance_frac": distance}


def _configurations(build: Build, scenario: Scenario) -> tuple[dict[str, int], dict[str, Configuration]]:
    """Nodes by configuration id, and the configurations; every problem at once."""
    catalog, problems = scenario.catalog, list[Problem]()
    counts: Counter[str] = Counter()
    configs: dict[str, Configuration] = {}

    def wrong(row: str, field: str, value: str, message: str, allowed: str, hint: str = "") -> None:
        problems.append(Problem(build.origin, row, field, value, message, allowed, hint))

    for nodes in build.nodes:
        before = len(problems)
        for table, field, names in (
            ("platforms", "platform", [nodes.platform]),
            ("memory", "devices", [device for device, _ in nodes.devices]),
        ):
            known = catalog.tables[table]
            for name in names:
                if name not in known:
                    wrong(nodes.row, field, name, f"not in {table} of the catalog", "an id listed by `tierwatt list`",
                          closest(name, known))  # fmt: skip
        if len(problems) > before:
            continue
        platform = catalog.typed(Platform, nodes.platform)
        if platform.price_central_usd is None:
            wrong(nodes.row, "platform", platform.id, "has no price", "a price in a catalog laid over (--catalog)")
            continue
        devices = [(catalog.typed(MemoryDevice, device), count) for device, count in nodes.devices]
        config, misfits = made_to_order(scenario, platform, devices)
        for misfit in misfits:
            wrong(nodes.row, "devices", "", misfit, f"what {platform.id} has room for")
        if config is not None:
            configs[config.id] = config
            counts[config.id] += nodes.quantity
    if problems:
        raise InputError(problems)
    return dict(counts), configs


def with_platforms(scenario: Scenario, configs: Iterable[Configuration]) -> Scenario:
    """Return the scenario with a build's platforms in place of those that may be bought."""
    platforms = {c.platform.id: c.platform for c in configs}
    return dataclasses.replace(
        scenario,
        platforms=tuple(platforms.values()),
        accelerators={
            str(p.accelerator_id): scenario.catalog.typed(Accelerator, str(p.accelerator_id))
            for p in platforms.values()
            if p.accelerator_id
        },
    )


def broken(data: ModelData) -> tuple[list[Record], dict[str, float]]:
    """Return what a build breaks with all its nodes at work, and new values for the limits that buying it breaks."""
    scenario, counts = data.scenario, data.given_nodes or {}
    parts: Counter[str] = Counter()
    reasons = {f.part: f.reason for f in scenario.filtered}
    for config in _configs(data):
        parts[config.platform.id] += counts[config.id]
        for device, number in config.bought:
            parts[device] += counts[config.id] * number
    refused = [part for part, count in parts.items() if count and part in reasons]
    breaks: list[Record] = [{"limit": f"part.{part}", "reason": reasons[part]} for part in refused]
    lifted: dict[str, float] = {}
    for resource in RESOURCES.values():
        limit, least, whole = resource.limit(scenario), *_needs(data, resource)
        if limit is None:
            continue
        if whole > limit * (1 + TOLERANCE):
            breaks.append(_excess(resource.limit_path, whole, limit, resource.unit))
        if least > limit * (1 + TOLERANCE):
            room = whole + _fabric(data, resource, _all_ports(data)) - _fabric(data, resource, _own_ports(data))
            lifted[resource.limit_path] = math.ceil(room) / si_name(resource.limit_path)[1]
    for kind, table in (("platform", scenario.study.supply.platform), ("memory", scenario.study.supply.memory)):
        for part, spec in table.items():
            if parts[part] > spec.quantity:
                path = f"supply.{kind}.{part}"
                breaks.append(_excess(path, parts[part], spec.quantity, "pieces"))
                lifted[f"{path}.quantity"] = parts[part]
    kinds, most = len({c.platform.id for c in _configs(data) if counts[c.id]}), scenario.study.build.max_platforms
    if most is not None and kinds > most:
        breaks.append(_excess("build.max_platforms", kinds, most, "platforms"))
    devices = {device for c in _configs(data) if counts[c.id] for device, _ in c.bought}
    few = scenario.study.build.max_device_kinds
    if few is not None and len(devices) > few:
        breaks.append(_excess("build.max_device_kinds", len(devices), few, "devices"))
        lifted["build.max_device_kinds"] = len(devices)
    return breaks + _estimates(data) + _slivers(data), lifted


def _estimates(data: ModelData) -> list[Record]:
    """Shares of the build's nodes that rest on estimates beyond what the study allows; the comparison lets them be."""
    counts, found = data.given_nodes or {}, []
    for name, limit in limited_shares(data.scenario).items():
        share, whole = SHARES[name], Split()
        for config in _configs(data):
            whole += share.per_node(data.scenario, config).times(counts[config.id])
        resting = whole.estimated / max(whole.estimated + whole.sound, 1e-30)
        if resting > limit * (1 + TOLERANCE):
            found.append(_excess(share.path, resting, limit, "share"))
    return found


def _slivers(data: ModelData) -> list[Record]:
    """Platforms of which the build has less than is worth having; the comparison leaves them unused."""
    counts, least = data.given_nodes or {}, data.scenario.study.build.min_platform_mw_frac
    found = []
    for platform, parts in shares_of_least(data).items():
        best: dict[str, float] = defaultdict(float)
        for h in data.housings:
            if h.id in parts:
                best[h.pool.config.id] = max(best[h.pool.config.id], parts[h.id])
        nodes = {unit: counts.get(unit, 0) for unit in best}
        if 0 < sum(n * best[unit] for unit, n in nodes.items()) < 1.0 - TOLERANCE:
            reason = f"{sum(nodes.values())} of {platform} are neither {least:g} of the contracted MW nor a full rack"
            found.append({"limit": "build.min_platform_mw_frac", "reason": reason})
    return found


def _configs(data: ModelData) -> list[Configuration]:
    return list({p.config.id: p.config for p in data.pools if p.config.id in (data.given_nodes or {})}.values())


def _needs(data: ModelData, resource: Resource) -> tuple[float, float]:
    """What buying the build takes of a resource, and what it takes at least with all nodes at work."""
    scenario, counts = data.scenario, data.given_nodes or {}
    at_work: dict[str, list[float]] = defaultdict(list)
    for housing in data.housings:
        count = counts.get(housing.pool.config.id, 0)
        racks = 0 if housing.own else math.ceil(count / housing.fit)
        use = count * resource.per_node(scenario, housing) + racks * resource.per_rack_bought(scenario, housing.rack)
        at_work[housing.pool.config.id].append(use)
    bought = sum(counts[c.id] * resource.per_node_bought(scenario, c) for c in _configs(data))
    least = resource.fixed(scenario) + bought
    wired = _fabric(data, resource, _own_ports(data))
    return least, least + wired + sum(min(uses) for uses in at_work.values())


def _own_ports(data: ModelData) -> float:
    """Switch ports of the build's nodes whatever works on them."""
    counts = data.given_nodes or {}
    return sum(counts[c.id] * node_ports(data.scenario, c) for c in _configs(data))


def _all_ports(data: ModelData) -> float:
    """Switch ports if every network card were wired."""
    counts, port = data.given_nodes or {}, data.scenario.switch.port_bytes_per_s or 1.0
    return sum(counts[c.id] * c.platform.nic_count * c.platform.nic_bytes_per_s / port for c in _configs(data))


def _fabric(data: ModelData, resource: Resource, ports: float) -> float:
    """What the smallest fabric that joins so many ports takes of a resource."""
    fabric = next((f for f in data.fabrics if ports <= f.most_ports), data.fabrics[-1])
    switches = math.ceil(ports * fabric.leaves_per_port) + math.ceil(ports * fabric.spines_per_port)
    optics = math.ceil(ports * fabric.optics_per_port)
    return switches * resource.per_switch(data.scenario) + optics * resource.per_optic(data.scenario)


def break_words(breaks: Iterable[Record]) -> list[str]:
    """Return what a build breaks, a line each."""
    return [
        f"{b['limit']}: {b['reason']}" if "reason" in b
        else f"{b['limit']} by {amount(b['excess'], b['unit'])} ({amount(b['needed'], b['unit'])} in all)"
        for b in breaks
    ]  # fmt: skip


def _excess(limit: str, needed: float, allowed: float, unit: str) -> Record:
    return {"limit": limit, "needed": needed, "allowed": allowed, "excess": needed - allowed, "unit": unit}


def solved_nodes(scenario: Scenario, make: Make, clock: Clock) -> Record:
    """Return the objective of given nodes; where the limits leave too little for the demand, the share they serve.

    Parameters
    ----------
    scenario : Scenario
    make : callable
        As `columns_of_nodes` returns it.
    clock : Clock

    Returns
    -------
    dict
        ``objective_value``, ``bound`` and ``gap``; or ``served_frac``; or ``stopped_by``; nothing where a class that
        must be served has no columns.
    """
    inner = Clock(min(BASELINE_TIME_S, clock.left_s), clock.threads, None, clock.should_stop)
    found = optimise_at_widths(scenario, make, inner)
    if found is None:
        return {}
    if found.found.values is not None:
        unit = found.objective.per_unit(scenario)
        gap = abs(found.bound - found.value) / max(abs(found.value), 1e-12)
        return {"objective_value": found.value * unit, "bound": found.bound * unit, "gap": gap}
    if found.found.status != INFEASIBLE:
        return {"stopped_by": inner.stopped_by or "time limit"}
    return {"served_frac": _served(scenario, make, inner)}


def _served(scenario: Scenario, make: Make, clock: Clock) -> float | None:
    """Share of the demand that must be served which the build can serve, the same for all classes."""
    floor = scenario.study.demand.floor_frac
    if floor == 0:
        return None
    study = scenario.study.with_changes({
        "demand.mode": "mix", "demand.floor_frac": 0.0, "demand.max_scale": floor, "objective.name": "tokens",
    })  # fmt: skip
    loose = dataclasses.replace(scenario, study=study)
    found = optimise_at_widths(loose, make, clock)
    if found is None or found.found.values is None:
        return None
    whole = sum(tokens_per_request(loose)[w.id] * w.requests_per_s for w in loose.workloads) * floor
    return found.value * find_objective(loose).per_unit(loose) / whole
