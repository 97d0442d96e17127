"""What a formula is asked of: a design or only a study and a catalog, and one class, load entry or pool in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from solver.auditing.checks import Checks
from solver.auditing.entries import Entry, points_of, read_entries
from solver.auditing.nodes import Node, read_nodes
from solver.auditing.rows import Facts
from solver.catalog import Catalog
from solver.design import Design, Record
from solver.errors import InputError, Problem, closest
from solver.evaluation import Layout, evaluate, layout
from solver.formulas.records import NUMBERS, Term
from solver.physics.calibration import generation
from solver.physics.coefficients import TimeCoefficients
from solver.points import ROLES, Performance, Points
from solver.schema import grade_column
from solver.study import Study
from solver.units import si_name
from solver.workload import Workload

CHOSEN, SOLVED, COMPUTED, DEFINED = "chosen", "solved", "computed", "definition"
_UNITS = {
    "_bytes_per_s": "B/s", "_flop_per_s": "FLOP/s", "_bytes": "B", "_usd_per_j": "USD/J", "_kg_per_j": "kg/J",
    "_l_per_j": "L/J", "_usd_per_token": "USD/token", "_usd": "USD", "_frac": "share", "_tokens": "tokens", "_w": "W",
    "_s": "s", "_m2": "m2", "_dwpd": "writes/day",
}  # fmt: skip
"""SI suffix -> unit, the longest first."""


def unit_of(name: str) -> str:
    """Return the unit of an SI name, empty for plain counts."""
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def bare(study: Study, catalog: Catalog) -> Design:
    """Return a design without a build that carries the whole catalog, for numbers that need no solve."""
    rows = {table: {key: dict(row) for key, row in found.items()} for table, found in catalog.tables.items()}
    return Design(study=study.to_dict(), catalog={"hash": catalog.hash, "rows": rows})


@dataclass(frozen=True)
class Ask:
    """One question to a design.

    Attributes
    ----------
    design : Design
        With a build or, for numbers of a class, without.
    workload, load_id, pool_id : str or None
        What was named; where nothing was, the only class, or the largest entry or pool.
    roles : tuple of str
        Roles of the load entries that have the number.
    """

    design: Design
    workload: str | None = None
    load_id: str | None = None
    pool_id: str | None = None
    roles: tuple[str, ...] = ROLES

    @cached_property
    def facts(self) -> Facts:
        """Study and rows."""
        return Facts(self.design)

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Nodes of every pool, read from rows."""
        return read_nodes(self.facts, Checks())

    @cached_property
    def entries(self) -> list[Entry]:
        """Load entries, predicted from rows."""
        return read_entries(self.facts)

    @cached_property
    def work(self) -> Workload:
        """The class asked for, or that of the load entry asked for."""
        works = self.facts.workloads
        name = self.workload
        if name is None and self.load_id is not None:
            name = str(self.item["class"])
        if name is None and len(works) == 1:
            name = next(iter(works))
        return works[_known("such class", name, works, "--class")]

    @cached_property
    def item(self) -> Record:
        """Record of the load entry asked for, else the largest (of the class, where one is named)."""
        load = {str(item["load_id"]): item for item in self.design.load if item["role"] in self.roles}
        if self.load_id is not None or not load:
            other = any(item["load_id"] == self.load_id for item in self.design.load)
            what = (
                f"such number in a replica of this role, only in {' and '.join(self.roles)}" if other else "such load"
            )
            return load[_known(what, self.load_id, load, "--load")]
        mine = [item for item in load.values() if self.workload in (None, item["class"])]
        if not mine:
            _known("such class", self.workload, {item["class"] for item in load.values()}, "--class")
        return max(mine, key=lambda item: float(item["accelerators"]))

    @cached_property
    def entry(self) -> Entry:
        """Load entry asked for, predicted from rows."""
        return next(e for e in self.entries if e.load_id == str(self.item["load_id"]))

    @cached_property
    def node(self) -> Node:
        """Pool asked for, else the one with the most watts."""
        pools = {str(pool["pool_id"]): pool for pool in self.design.pools}
        if self.pool_id is None and pools:
            return self.nodes[max(pools, key=lambda name: float(pools[name]["meter_w"]))]
        return self.nodes[_known("such pool", self.pool_id, pools, "--pool")]

    @property
    def pool(self) -> Record:
        """Record of that pool."""
        return next(pool for pool in self.design.pools if pool["pool_id"] == self.node.pool_id)

    @cached_property
    def point(self) -> Points:
        """Operating point of the load entry."""
        return points_of(self.facts, [self.item])

    @cached_property
    def performance(self) -> Performance:
        """What is predicted for it."""
        with np.errstate(all="ignore"):
            return evaluate(self.point, self.facts.calibration)

    @cached_property
    def layout(self) -> Layout:
        """Its ranks and work, under its power cap."""
        fit = self.facts.calibration
        return layout(self.point, fit.gamma_prefill, fit.gamma_decode)

    @cached_property
    def times(self) -> TimeCoefficients:
        """Coefficients of times for its accelerator."""
        fit = self.facts.calibration
        factor = fit.overheads.get(generation(self.point.accelerators[0]), 1.0)
        return dataclasses.replace(fit.times, overhead=np.asarray(fit.times.overhead) * factor)

    def row(self, table: str, row_id: str, column: str, name: str = "") -> Term:
        """Term of one cell of the catalog, in SI."""
        found = self.facts.row(table, row_id)
        si, factor = si_name(column)
        if table in ("calibration", "defaults"):
            si, factor = si_name(row_id)
        unit = unit_of(si)
        words = str(found.get("source") or "no source given")
        return Term(name or si, float(found[column] or 0.0) * factor, unit, f"{table} {row_id}: {words}",
                    _confidence(found, column))  # fmt: skip

    def setting(self, path: str, value: float, name: str = "", unit: str = "") -> Term:
        """Term of a key of the study that may stand at a default of the catalog."""
        known = {str(a["path"]): a for a in self.design.assumptions}
        found, given = known.get(path), _given(self.design.study, path)
        if given is None and found is None and path in (self.design.catalog["rows"].get("defaults") or {}):
            row = self.facts.row("defaults", path)
            found = {"source": row["source"], "confidence": row["confidence"]}
        last = name or si_name(path.rsplit(".", 1)[-1])[0]
        source = f"study, {path}" if found is None else f"default of {path}: {found['source']}"
        return Term(last, float(value), unit or unit_of(last), source, CHOSEN if found is None else found["confidence"])

    def field(self, column: str, name: str = "", work: Workload | None = None) -> Term:
        """Term of a column of a class: the study's value, else its row's."""
        mine = work or self.work
        spec = next(spec for spec in self.facts.study.workload if spec.id == mine.id)
        si = {"isl_tokens": "isl", "osl_tokens": "osl"}.get(column, si_name(column)[0])
        value, label = float(getattr(mine, si)), name or si
        unit = "tokens" if si in ("isl", "osl") else unit_of(si)
        if getattr(spec, column, None) is not None:
            return Term(label, value, unit, f"study, workload {mine.id}.{column}", CHOSEN)
        row = self.facts.row("workloads", mine.id)
        words = str(row.get("source") or "no source given")
        return Term(label, value, unit, f"workloads {mine.id}: {words}", str(row["confidence"]))

    def fit(self, row_id: str, name: str = "") -> Term:
        """Term of a coefficient of the calibration."""
        return self.row("calibration", row_id, "value", name)

    def number(self, number_id: str, name: str = "") -> Term:
        """Term that is a number of the registry itself, asked of the same thing."""
        made = NUMBERS[number_id]
        return Term(name or number_id, made.sheet(self).value, made.unit, f"--number {number_id}", COMPUTED)

    def at(self, **chosen: str) -> Ask:
        """Return the same question of another class, entry or pool."""
        return dataclasses.replace(self, **chosen)  # type: ignore[arg-type]

    def pinned(self) -> Ask:
        """Return the question with its load entry by name, and the class of that."""
        return self.at(load_id=str(self.item["load_id"]), workload=str(self.item["class"]))

    def kpi(self, kpi_id: str) -> float:
        """Value of a key figure as the design states it."""
        if kpi_id not in self.design.kpis:
            problem = Problem("design", "", "kpis", kpi_id, "the design does not state it")
            raise InputError([dataclasses.replace(problem, allowed=", ".join(self.design.kpis) or "a solved design")])
        return float(self.design.kpis[kpi_id]["value"])


def recorded(item: Mapping[str, Any], field: str, where: str, name: str = "", unit: str = "") -> Term:
    """Term of a field of a record of the design: what the solver chose."""
    return Term(name or field, float(item[field]), unit or unit_of(field), f"design, {where}.{field}", SOLVED)


def derived(name: str, value: float, unit: str, how: str) -> Term:
    """Term that a function of the physics gives."""
    return Term(name, float(value), unit, how, COMPUTED)


def stated_kpi(kpi_id: str) -> Callable[[Ask], float]:
    """Return what reads a key figure from the design."""
    return lambda ask: ask.kpi(kpi_id)


def _known(what: str, name: str | None, choices: Iterable[str], option: str) -> str:
    """Return the name where it is one of the choices.

    Raises
    ------
    InputError
        Naming the choices, with the closest.
    """
    allowed = list(choices)
    if name is not None and name in allowed:
        return name
    message = f"no {what}" if name else f"is needed: no {what} is named"
    listed = ", ".join(allowed) or "a design that has one"
    raise InputError([Problem("explain", "", option, name or "", message, listed, closest(name or "", allowed))])


def _confidence(row: Mapping[str, Any], column: str) -> str:
    """Confidence of a column: of watts, prices, latencies by their own columns where the row has them."""
    return str(row.get(grade_column(column, row)) or row.get("confidence") or "estimate")


def _given(study: Mapping[str, Any], path: str) -> Any:
    """What a study says at a dotted path; None where nothing."""
    found: Any = study
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
