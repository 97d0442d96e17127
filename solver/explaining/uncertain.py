"""Uncertain numbers behind a design: those with a low and a high end in the catalogs, and how to put another in place.

Each comes with a rough estimate of what it moves, from the share of the build that it touches; the estimate only says
which numbers are worth solving for.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from solver.catalog import Catalog
from solver.design import Design
from solver.errors import InputError
from solver.model.objectives import find_objective
from solver.parts import PartT
from solver.performance import Parts, predict
from solver.scenario import Scenario, resolve
from solver.study import Study

Tables = dict[str, list[dict[str, Any]]]
TOUCHED = 0.5
"""What a share of the money is taken to be worth, for the ranking."""
MEMORY = 0.3
"""The same of memory free for KV cache."""
ENTRIES = 8
"""Load entries that coefficients are tried on, those with the most accelerators."""
MONEY = ("tco", "tokens_per_tco_dollar", "profit")
"""Objectives that yearly cost is part of."""
DRAW = ("build.host_draw_frac", "site.carbon_g_per_kwh")
"""Assumptions that move drawn watts and what follows from them, and nothing else."""
_FACILITY = re.compile(r"^facility (\w+)")


@dataclass(frozen=True)
class Number:
    """An uncertain number.

    Attributes
    ----------
    path : str
        ``table.row.column`` of the catalog, or the key of the study.
    name, unit : str
    value, low, high : float
    estimate : float
        Rough share of the objective that its range moves.
    overlay : callable(value) -> tables, optional
        Rows of the catalog with another value.
    changes : callable(value) -> dict
        Changes of the study with another value.
    priced : bool
        True for the price of a part: it moves dollars and nothing else.
    """

    path: str
    name: str
    unit: str
    value: float
    low: float
    high: float
    estimate: float
    overlay: Callable[[float], Tables] | None = None
    changes: Callable[[float], dict[str, Any]] = field(default=lambda _: {})
    priced: bool = False


@dataclass(frozen=True)
class Basis:
    """What uncertain numbers are looked for in."""

    design: Design
    study: Study
    catalog: Catalog
    scenario: Scenario

    @classmethod
    def of(cls, design: Design, study: Study, catalog: Catalog) -> Basis:
        """Resolve the study."""
        return cls(design, study, catalog, resolve(study, catalog))

    @property
    def counts_draw(self) -> bool:
        """True where mean drawn watts are part of the objective or of a limit."""
        return self.counts_money or bool(self.scenario.site.co2_kg_per_s) or self.study.objective.power == "drawn"

    @property
    def counts_money(self) -> bool:
        """True where yearly cost is part of the objective."""
        return find_objective(self.scenario).id in MONEY


SOURCES: dict[str, Callable[[Basis], list[Number]]] = {}


def register(name: str) -> Callable[[Callable[[Basis], list[Number]]], Callable[[Basis], list[Number]]]:
    """Add a source of uncertain numbers to the registry."""

    def add(source: Callable[[Basis], list[Number]]) -> Callable[[Basis], list[Number]]:
        SOURCES[name] = source
        return source

    return add


def uncertain(basis: Basis) -> list[Number]:
    """Return the uncertain numbers of a study, those that move most by estimate first."""
    found = [number for source in SOURCES.values() for number in source(basis)]
    return sorted(found, key=lambda number: (-number.estimate, number.path))


@register("prices")
def prices(basis: Basis) -> list[Number]:
    """Prices of the parts in the bill of materials; a memory price stands for its series at the study's quarter.

    Where neither a budget nor the objective counts money, no price moves anything.
    """
    if not basis.counts_money and basis.scenario.site.budget_usd is None:
        return []
    total = sum(line["capex_usd"] for line in basis.design.bill_of_materials) or 1.0
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for line in basis.design.bill_of_materials:
        table = {"platform": "platforms", "storage": "platforms", "memory": "memory", "rack": "racks"}.get(line["kind"])
        if table and not line.get("owned"):
            spent[table, line["part"]] += line["capex_usd"]
    network = sum(line["capex_usd"] for line in basis.design.bill_of_materials if line["kind"] == "network")
    for part in (basis.scenario.switch, basis.scenario.optic):
        spent["network", part.id] += network / 2.0
    numbers: dict[str, Number] = {}
    for (table, part_id), usd in spent.items():
        made = _memory_price(basis, part_id) if table == "memory" else _price(basis, table, part_id)
        if made is not None and made.low < made.high:
            moved = TOUCHED * (made.high - made.low) / made.value * usd / total
            numbers[made.path] = _joined(made, moved, numbers.get(made.path))
    return list(numbers.values())


def _joined(number: Number, estimate: float, other: Number | None) -> Number:
    """A number with its estimate, joined with the same number of another part: the wider range, both estimates."""
    if other is None:
        return dataclasses.replace(number, estimate=estimate)
    low, high = min(number.low, other.low), max(number.high, other.high)
    return dataclasses.replace(number, low=low, high=high, estimate=estimate + other.estimate)


def _price(basis: Basis, table: str, part_id: str) -> Number | None:
    """Return the quoted price of a platform, rack or network part."""
    row = basis.catalog.row(table, part_id)
    low, value, high = (row[f"price_{end}_usd"] for end in ("low", "central", "high"))
    if not value:
        return None
    return Number(
        f"{table}.{part_id}.price_central_usd",
        f"price of {row['name']}",
        "USD",
        float(value),
        float(value if low is None else low),
        float(value if high is None else high),
        0.0,
        lambda usd: {table: [{"id": part_id, "price_central_usd": usd}]},
        priced=True,
    )


def _memory_price(basis: Basis, device_id: str) -> Number | None:
    """Return the price of a device's series at the study's quarter, its range as wide as that of the device's quote."""
    row, quarter = basis.catalog.row("memory", device_id), basis.scenario.site.price_quarter
    low, central, high = (row[f"price_{end}_usd_per_gb"] for end in ("low", "central", "high"))
    mine = [
        r for r in basis.catalog.rows("memory_prices") if (r["series"], r["quarter"]) == (row["price_series"], quarter)
    ]
    if not mine or not central or low is None or high is None:
        return None
    price, key = float(mine[0]["price_usd_per_gb"]), mine[0].id
    return Number(
        f"memory_prices.{key}.price_usd_per_gb",
        f"price of memory of series {row['price_series']}",
        "USD/GB",
        price,
        price * float(low) / float(central),
        price * float(high) / float(central),
        0.0,
        lambda usd: {"memory_prices": [{"id": key, "price_usd_per_gb": usd}]},
        priced=True,
    )


@register("cooling")
def cooling(basis: Basis) -> list[Number]:
    """Mean PUE of the cooling that the build stands under; it moves drawn energy, and nothing else."""
    if not basis.counts_draw:
        return []
    total = sum(pool["it_w"] for pool in basis.design.pools) or 1.0
    watts: dict[str, float] = defaultdict(float)
    for pool in basis.design.pools:
        for rack in pool["racks"]:
            kind = str(basis.catalog.row("racks", rack["rack"])["cooling"])
            watts[kind] += pool["it_w"] * rack["nodes"] / max(1, pool["quantity"])
    numbers = []
    for kind, mine in watts.items():
        row = basis.catalog.row("cooling", kind)
        low, value, high = (float(row[f"pue_{end}"]) for end in ("low", "central", "high"))
        # The mean is never above that of the design day.
        high = min(high, float(row["pue_peak"]))
        if low < high:
            numbers.append(Number(
                f"cooling.{kind}.pue_central", f"mean PUE of {row['name']}", "1", value, low, high,
                TOUCHED * (high - low) / value * mine / total,
                lambda pue, kind=kind: {"cooling": [{"id": kind, "pue_central": pue}]},  # type: ignore[misc]
            ))  # fmt: skip
    return numbers


@register("assumptions")
def assumptions(basis: Basis) -> list[Number]:
    """Defaults that stood in, where a row of the facility table gives their range."""
    facility = basis.catalog.tables["facility"]
    numbers = []
    for entry in basis.design.assumptions:
        match = _FACILITY.match(str(entry["source"]))
        row = facility.get(match.group(1)) if match else None
        path, value = str(entry["path"]), entry["value"]
        money = path.startswith("finance.") or path == "site.electricity_usd_per_mwh"
        idle = (money and not basis.counts_money) or (path in DRAW and not basis.counts_draw)
        if row is None or isinstance(value, str) or idle:
            continue
        low, high = float(row["low"]), float(row["high"])
        if not low <= float(value) <= high or low == high:
            continue
        span = (high - low) / float(value) if value else 1.0
        numbers.append(Number(
            path, str(row["name"]), str(row["unit"]), float(value), low, high, 0.2 * span,
            changes=lambda number, path=path: {path: number},  # type: ignore[misc]
        ))  # fmt: skip
    return numbers


@register("calibration")
def calibration(basis: Basis) -> list[Number]:
    """Coefficients of times and power, by what their range moves of the rates of the load entries that there are."""
    entries = sorted(basis.design.load, key=lambda e: -e["replicas"] * e["tp"] * e["pp"] * e["dp"])
    entries = [e for e in entries if e["role"] in ("prefill", "decode", "mixed")][:ENTRIES]
    before = [_rate(basis.catalog, basis, e) for e in entries]
    numbers = []
    for row in basis.catalog.rows("calibration"):
        low, value, high = (float(row[column]) for column in ("low", "value", "high"))
        if (
            row.id.split(":")[0] in ("spread", "prior")
            or row["group"] in ("spread", "prior")
            or not low <= value <= high
        ):
            continue
        if low == high:
            continue
        ends = [_Recalibrated(basis.catalog, row.id, v) for v in (low, high)]
        moved = sum(
            abs(math.log(after[k] / was[k])) * weight
            for catalog in ends
            for entry, was in zip(entries, before, strict=True)
            for after in [_rate(catalog, basis, entry)]
            for k, weight in ((0, 1.0), (1, MEMORY))
            if was[k] > 0 and after[k] > 0
        )
        if moved > 0:
            numbers.append(Number(
                f"calibration.{row.id}.value", f"coefficient {row.id}", str(row["unit"]), value, low, high,
                moved / max(1, len(entries)),
                lambda number, key=row.id: {"calibration": [{"id": key, "value": number}]},  # type: ignore[misc]
            ))  # fmt: skip
    return numbers


@dataclass(frozen=True)
class _Recalibrated:
    """A catalog with one coefficient changed, as far as a prediction needs it; an overlay checks all tables anew."""

    catalog: Catalog
    key: str
    value: float

    def rows(self, table: str, /) -> Iterable[Mapping[str, Any]]:
        """Return the rows of a table."""
        found = self.catalog.rows(table)
        if table != "calibration":
            return found
        return [{**row, "value": self.value} if row.id == self.key else row for row in found]

    def all(self, kind: type[PartT], /) -> tuple[PartT, ...]:
        """Return all parts of a kind."""
        return self.catalog.all(kind)


def _rate(catalog: Parts, basis: Basis, entry: Mapping[str, Any]) -> tuple[float, float]:
    """Requests/s of a load entry's replica at full load, and its memory free for KV cache; zero where it has none."""
    work = next(w for w in basis.scenario.workloads if w.id == entry["class"])
    platform = next(p for p in basis.scenario.platforms if p.id == entry["platform"])
    try:
        found = predict(
            catalog, model=str(entry["model"]), accelerator=str(platform.accelerator_id),
            count=int(entry["tp"] * entry["pp"] * entry["dp"]), precision=str(entry["precision"]),
            batch=max(1.0, float(entry["batch"])), isl=work.isl, osl=work.osl, tp=int(entry["tp"]), pp=int(entry["pp"]),
            dp=int(entry["dp"]), ep=int(entry["ep"]), role=str(entry["role"]), power_cap=float(entry["power_cap"]),
        )  # fmt: skip
    except InputError:
        return 0.0, 0.0
    return max(0.0, found.requests_per_s), max(0.0, found.kv_free_bytes)
