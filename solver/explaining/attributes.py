"""How much less a part would have to draw, or more to move, hold or compute, to enter the build; or to leave it.

A part's own figures are in the candidates, so that each trial makes them anew. The worth of a piece at the duals of the
relaxation without the part (`blocks`) changes sign where the part enters: that factor is searched by halving ratios,
and confirmed by a build that holds an order at two percent beyond it. What having a part by a date is worth is the
difference of two optima: with it and without.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from solver.catalog import Catalog
from solver.design import Design, Record
from solver.explaining.blocks import own_columns, priced
from solver.explaining.entry import Part, parts_of
from solver.explaining.slopes import bought_columns, housed_pieces
from solver.explaining.workbench import Gain, Range, Workbench
from solver.highs import OPTIMAL
from solver.restriction import PRESENT
from solver.scenario import resolve

FARTHEST = 4.0
"""Factor beyond which no figure is tried."""
TRIALS = 7
NEAR = 0.005
"""Relative width of the factor at which its search ends."""
BEYOND = 0.02
"""How far beyond the factor the build that confirms it stands."""
ENTERS, LEAVES, OUT_OF_REACH, STAYS, IN_MENU, WORTH, KEPT_OUT, OTHER_TABLE = (
    "enters at", "leaves at", "does not enter within a factor of 4", "stays within a factor of 4",
    "can be had in time", "worth of having it", "kept out by more than its date", "has no such figure",
)  # fmt: skip


@dataclass(frozen=True)
class Attribute:
    """A figure of parts: the catalog's columns that state it, by table, and whether more of it is better."""

    id: str
    name: str
    sense: int
    columns: Mapping[str, tuple[str, ...]]


ATTRIBUTES: dict[str, Attribute] = {}
DATE = "date"
"""The one attribute that is no figure: having the part by the study's date at all."""


def register(attribute: Attribute) -> Attribute:
    """Add an attribute to the registry."""
    if attribute.id in ATTRIBUTES:
        raise ValueError(f"attribute {attribute.id} is registered twice")
    ATTRIBUTES[attribute.id] = attribute
    return attribute


register(Attribute("power", "watts", -1, {
    "accelerators": ("tdp_w", "idle_w", "allin_it_w"),
    "platforms": ("host_w", "node_typ_w", "node_max_w", "node_peak_w"),
    "memory": ("idle_w", "max_w"),
}))  # fmt: skip
register(Attribute("bandwidth", "memory bandwidth", 1, {
    "accelerators": ("mem_bw_gb_s",), "memory": ("read_bw_gb_s", "write_bw_gb_s"),
}))  # fmt: skip
register(Attribute("capacity", "accelerator memory", 1, {"accelerators": ("mem_gb", "mem_usable_gb")}))
register(Attribute("compute", "FLOPs", 1, {
    "accelerators": ("bf16_dense_tflops", "fp8_dense_tflops", "fp4_dense_tflops"),
}))  # fmt: skip
register(Attribute("endurance", "endurance", 1, {"memory": ("endurance_dwpd",)}))


def questions(
    bench: Workbench, design: Design, parts: Iterable[str], attributes: Iterable[str]
) -> dict[str, Callable[[], Record]]:
    """Return what computes the record of each part and attribute, by ``part:attribute``.

    Parameters
    ----------
    bench : Workbench
        Of the design's study.
    design : Design
    parts : iterable of str
        Platforms or memory devices; those that come too late for the study have a date only.
    attributes : iterable of str
        Ids of `ATTRIBUTES`, or `DATE`.
    """
    bought = {line["part"] for line in design.bill_of_materials}
    menu = {part.id: part for part in parts_of(bench)}
    asked: dict[str, Callable[[], Record]] = {}
    for name in parts:
        for attribute in attributes:
            key = f"{name}:{attribute}"
            if attribute == DATE:
                asked[key] = partial(_dated, bench, design, name)
            elif name in menu:
                trial = _Trial(bench, menu[name], ATTRIBUTES[attribute], inside=name in bought)
                asked[key] = trial.answer
    return asked


def _record(part: str, attribute: str, name: str, *, inside: bool) -> Record:
    return {
        "part": part, "attribute": attribute, "name": name, "in_build": inside, "answer": OTHER_TABLE, "factor": None,
        "share": None, "confirmed": False, "order": None, "quantity": None, "gain_low": None, "gain_high": None,
        "rows": {},
    }  # fmt: skip


def rows_with(catalog: Catalog, part: str, attribute: Attribute, factor: float) -> dict[str, list[dict[str, Any]]]:
    """Return the catalog's rows of a part, table -> rows, with an attribute times a factor."""
    found: dict[str, list[dict[str, Any]]] = {}
    at = {table: part for table in ("platforms", "memory") if part in catalog.tables[table]}
    accelerator = catalog.tables["platforms"][part]["accelerator_id"] if "platforms" in at else None
    at |= {"accelerators": accelerator} if accelerator else {}
    for table, identity in at.items():
        row = catalog.tables[table][identity]
        scaled = {c: row[c] * factor for c in attribute.columns.get(table, ()) if isinstance(row[c], int | float)}
        if scaled:
            found[table] = [{"id": identity, **scaled}]
    return found


@dataclass(frozen=True)
class _Trial:
    """One part and one of its attributes."""

    bench: Workbench
    part: Part
    attribute: Attribute
    inside: bool

    def answer(self) -> Record:
        """Search the factor at which a piece of the part is worth as much as it costs."""
        record = _record(self.part.id, self.attribute.id, self.attribute.name, inside=self.inside)
        record["rows"] = {
            table: rows[0]["id"]
            for table, rows in rows_with(self.bench.scenario.catalog, self.part.id, self.attribute, 1.0).items()
        }
        if not record["rows"]:
            return record
        toward = self.attribute.sense * (-1 if self.inside else 1)
        factor = self._crossing(FARTHEST**toward)
        if factor is None:
            return record | {"answer": STAYS if self.inside else OUT_OF_REACH}
        record |= {"answer": LEAVES if self.inside else ENTERS, "factor": factor, "share": factor - 1.0}
        return record | self._confirmed(factor * (1.0 + self.attribute.sense * BEYOND))

    def _at(self, factor: float) -> Workbench:
        """The study with the attribute times a factor, its queues as wide as before."""
        bench = self.bench
        bench.clock.report(f"{self.part.name}: {self.attribute.name} times {factor:.3g}", None, None, None)
        changed = rows_with(bench.scenario.catalog, self.part.id, self.attribute, factor)
        scenario = resolve(bench.scenario.study, bench.scenario.catalog.overlay(changed))
        return Workbench(dataclasses.replace(scenario, widths=bench.scenario.widths), bench.make, bench.clock)

    def _worth(self, factor: float) -> float:
        """What a piece gains beyond its cost, at the duals of the relaxation without the part, as a share of that."""
        bench = self._at(factor)
        pieces = bought_columns(bench, self.part.pieces)
        upper = np.where(pieces > 0.0, 0.0, bench.program.upper)
        without = bench.relax(dataclasses.replace(bench.program, upper=upper))
        if without.status != OPTIMAL:
            return math.inf
        cost, _ = bench.cost_of(bench.program)
        at_work = housed_pieces(bench, self.part.pieces)
        use = priced(bench.program, cost, own_columns(bench, pieces), at_work, without.duals, bench.clock)
        return -math.inf if use is None else -use.reduced_cost / max(abs(without.objective), 1e-12)

    def _crossing(self, end: float) -> float | None:
        """Factor between 1 and `end` at which the worth changes sign; None where it does not."""
        near, far = (0.0, self._worth(1.0)), (math.log(end), self._worth(end))
        if (near[1] > 0.0) == (far[1] > 0.0):
            return 1.0 if near[1] > 0.0 and not self.inside else None
        for _ in range(TRIALS):
            if abs(far[0] - near[0]) <= NEAR:
                break
            middle = 0.5 * (near[0] + far[0])
            if math.isfinite(near[1]) and math.isfinite(far[1]):
                straight = near[0] - near[1] * (far[0] - near[0]) / (far[1] - near[1])
                middle = 0.5 * (middle + straight)  # the straight line alone creeps where the worth is bent
            worth = self._worth(math.exp(middle))
            near, far = ((middle, worth), far) if (worth > 0.0) == (near[1] > 0.0) else (near, (middle, worth))
        return math.exp(near[0] if near[1] > 0.0 else far[0])

    def _confirmed(self, factor: float) -> Record:
        """Look for a build with an order that is as good as the best without the part."""
        bench = self._at(factor)
        pieces = bought_columns(bench, self.part.pieces)
        upper = np.where(pieces > 0.0, 0.0, bench.program.upper)
        without = bench.solved(dataclasses.replace(bench.program, upper=upper))
        order = self.part.order(bench.scenario, self.part.price_usd)
        column = _best_column(bench, pieces)
        lower = bench.program.lower.copy()
        lower[column] = max(1.0, math.floor(order / pieces[column]))
        keep = pieces > 0.0
        keep |= False if without.values is None else without.values > PRESENT
        enough = without.value + max(bench.scenario.study.solver.gap, 1e-9) * abs(without.value)
        found = bench.solved(dataclasses.replace(bench.program, lower=lower), keep=keep, enough=enough)
        if found.values is None or found.value > enough:
            return {"order": order}
        return {"order": order, "confirmed": True, "quantity": round(float(pieces @ np.round(found.values)))}


def _best_column(bench: Workbench, pieces: np.ndarray[Any, Any]) -> int:
    """The configuration of a part that the relaxation buys most of, or else the one of least reduced cost."""
    values, dear = bench.relaxed.values, bench.relaxed.reduced_costs
    assert values is not None
    there = np.flatnonzero(pieces > 0.0)
    return int(max(there, key=lambda k: (values[k] * pieces[k], -dear[k])))


def _dated(bench: Workbench, design: Design, part: str) -> Record:
    """What having a part by the study's date is worth: of one that is late, if it came; of another, if it did not."""
    scenario = bench.scenario
    table = "platforms" if part in scenario.catalog.tables["platforms"] else "memory"
    inside = any(line["part"] == part for line in design.bill_of_materials)
    record = _record(part, DATE, "date", inside=inside)
    record["rows"] = {table: part}
    menu = {p.id: p for p in parts_of(bench)}
    if part in menu:
        if not inside:
            return record | {"answer": IN_MENU}
        pieces = bought_columns(bench, menu[part].pieces)
        upper = np.where(pieces > 0.0, 0.0, bench.program.upper)
        without = bench.solved(dataclasses.replace(bench.program, upper=upper))
        return record | {"answer": WORTH} | _gained(bench, without, bench.now)
    early = [{"id": part, "year_available": scenario.study.site.available_by}]
    study = scenario.study.with_changes({"allow": sorted({*scenario.study.allow, part})})
    changed = resolve(study, scenario.catalog.overlay({table: early}))
    other = Workbench(dataclasses.replace(changed, widths=scenario.widths), bench.make, bench.clock)
    mine = next((p for p in parts_of(other) if p.id == part), None)
    if mine is None:
        return record | {"answer": KEPT_OUT}
    after = other.solved(other.program, other.relaxed)
    if after.values is not None:
        record["quantity"] = round(float(bought_columns(other, mine.pieces) @ np.round(after.values)))
    return record | {"answer": WORTH} | _gained(bench, bench.now, after)


def _gained(bench: Workbench, before: Range, after: Range) -> Record:
    gain = Gain.between(before, after, bench.unit, loosened=True)
    return {"gain_low": gain.low, "gain_high": gain.high, "confirmed": True}
