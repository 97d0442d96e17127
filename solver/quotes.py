"""Vendors' quotes: a sheet of prices and lead times becomes an overlay of the catalog.

A quote replaces the low, central and high price of a part, its quarter and the grade of its evidence; everything
else of the row stays. A study prices memory by its series, so a quoted device gets a series of its own, which
moves with the old one from the quoted quarter on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from solver.catalog import Catalog, Row
from solver.errors import InputError, Problem, closest
from solver.quoting import cells
from solver.quoting.headings import Headings, find_headings
from solver.quoting.names import PartNames
from solver.quoting.series import own_series, price_at
from solver.quoting.sheets import Record, read_records
from solver.schema import CellError, Value, parse_native

TABLES = ("platforms", "memory", "racks", "network")
"""Tables whose parts are bought by quote."""
EVIDENCE = "datasheet"
"""Confidence of a figure that the vendor wrote."""
HOME = "USD"
FALL, RISE = -0.75, 3.0
"""Changes of a price beyond these are remarked on: a unit, or a pack, may be meant."""
READERS = {
    "lead_time": "lead_time_weeks",
    "order_minimum": "order_minimum",
    "order_multiple": "order_multiple",
}
"""Meaning of a heading -> the catalog column it fills."""
PRICES = ("price", "price_per_gb")


@dataclass(frozen=True)
class Change:
    """One cell that a quote changes; `frac` is the relative change of a number, None without an old one."""

    table: str
    part: str
    column: str
    old: Value
    new: Value

    @property
    def frac(self) -> float | None:
        """Relative change of a number."""
        numbers = isinstance(self.old, int | float) and isinstance(self.new, int | float)
        return self.new / self.old - 1.0 if numbers and self.old else None  # type: ignore[operator]


@dataclass(frozen=True)
class Quotes:
    """What a sheet says of the catalog: overlay rows by table, changed cells, and what was passed over."""

    rows: Mapping[str, list[dict[str, Value]]]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


@dataclass
class _Reader:
    """What is known while a sheet is read."""

    catalog: Catalog
    label: str
    source: str
    tables: tuple[str, ...]
    fx: Mapping[str, float]
    quarter: str | None
    quarters: list[str]
    names: PartNames
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Value]]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def refuse(self, place: str, name: str, value: str, message: str, allowed: str, hint: str = "") -> None:
        """Keep a problem."""
        self.problems.append(Problem(self.label, place, name, value, message, allowed, hint))

    def note(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notes:
            self.notes.append(text)


def read_quotes(
    path: str | Path,
    catalog: Catalog,
    *,
    table: str | None = None,
    fx: Mapping[str, float] | None = None,
    quarter: str | None = None,
    sheet: str | None = None,
) -> Quotes:
    """Read a vendor's sheet against a catalog.

    Parameters
    ----------
    path : str or Path
        CSV or spreadsheet with a heading row; `solver.quoting.headings` lists the headings that are understood.
    catalog : Catalog
        What the quotes are laid over.
    table : str, optional
        Only parts of this table; by default all of `TABLES`.
    fx : mapping, optional
        Currency -> USD a unit.
    quarter : str, optional
        Quarter of quotes in rows that state neither quarter nor date.
    sheet : str, optional
        Sheet of a spreadsheet.

    Raises
    ------
    InputError
        With every problem of the sheet: file, row, column, value, what is allowed and a close match.
    """
    if table is not None and table not in TABLES:
        allowed = ", ".join(TABLES)
        raise InputError([Problem("--table", "", "", table, "is not bought by quote", allowed, closest(table, TABLES))])
    label, records = read_records(path, sheet)
    headings = find_headings(label, records)
    tables = TABLES if table is None else (table,)
    quarters = sorted({str(row["quarter"]) for row in catalog.rows("memory_prices")})
    reader = _Reader(catalog, label, Path(path).name, tables, fx or {}, quarter, quarters, PartNames(catalog, tables))
    reader.notes += headings.notes
    for record in headings.rows:
        _read_row(reader, record, headings)
    if not headings.rows:
        reader.refuse("", "", "", "holds no quotes", "rows under the heading")
    if reader.problems:
        raise InputError(reader.problems)
    return Quotes(reader.rows, tuple(reader.changes), tuple(reader.notes))


def exchange_rates(items: Iterable[str]) -> dict[str, float]:
    """Return currency -> USD a unit from texts such as ``EUR=1.08``.

    Raises
    ------
    InputError
        For every text that is not a currency and a rate.
    """
    rates, problems = {}, []
    for item in items:
        code, _, text = item.partition("=")
        try:
            if not re.fullmatch(r"\s*[A-Za-z]{3}\s*", code):
                raise CellError("names no currency")
            rates[code.strip().upper()] = float(cells.amount(text.strip()))
        except CellError as error:
            problems.append(Problem("--fx", "", "", item, error.message, "CODE=USD_A_UNIT such as EUR=1.08"))
    if problems:
        raise InputError(problems)
    return rates


def _find(reader: _Reader, record: Record, names: list[str]) -> Row | None:
    """Return the row a quote is about, or keep the problem; the first of its names that says something counts."""
    known = [found for name in names if (found := reader.names.find(name))]
    name, found = (names or [""])[0], (known or [[]])[0]
    if len(found) == 1:
        part = found[0]
        first = reader.seen.setdefault(part, record.place)
        if first == record.place:
            return reader.catalog.row(*part)
        reader.refuse(record.place, "id", name, f"is quoted twice, first in {first}", "one quote a part")
    elif found:
        ids = ", ".join(part_id for _, part_id in found)
        reader.refuse(record.place, "id", name, "means several parts", ids, "write the id")
    else:
        where = " or ".join(reader.tables)
        message = "is no id or name of the catalog" if name else "is empty"
        reader.refuse(record.place, "id", name, message, f"an id or a name of {where}", reader.names.hint(name))
    return None


def _read_row(reader: _Reader, record: Record, headings: Headings) -> None:
    """Turn one quote into overlay rows, or keep its problems."""
    before = len(reader.problems)
    cell = headings.cells(record)
    row = _find(reader, record, headings.parts(record))
    given = {name: text for name in (*READERS, *PRICES) if (text := cell.get(name))}
    values = {name: _cell(reader, record, name, text) for name, text in given.items()}
    if not given:
        reader.refuse(record.place, "price", "", "is empty", "a price or a lead time")
    priced = [name for name in PRICES if name in given]
    if len(priced) > 1:
        reader.refuse(record.place, "price", cell["price"], "is given a part and a gigabyte", "one of the two")
    rate = _rate(reader, record, cell.get("currency", "")) if priced else None
    quarter = _quarter(reader, record, cell) if priced else None
    if row is None or len(reader.problems) > before:
        return
    part = (next(table for table in reader.tables if reader.catalog.tables[table].get(row.id) is row), row)
    changed: dict[str, Value] = {READERS[name]: values[name] for name in given if name in READERS}
    if "lead_time" in given:
        changed["confidence_lead_time"] = EVIDENCE
    if rate is not None and quarter is not None:
        price = float(str(values[priced[0]])) * rate
        changed |= _priced(reader, record, part, price, quarter, per_gb=priced == ["price_per_gb"])
    _keep(reader, record, part, changed)


def _cell(reader: _Reader, record: Record, name: str, text: str) -> Value:
    """Read one cell, or keep its problem."""
    try:
        return cells.weeks(text) if name == "lead_time" else cells.amount(text, whole=name.startswith("order"))
    except CellError as error:
        reader.refuse(record.place, name, text, error.message, error.allowed, error.hint)
        return None


def _rate(reader: _Reader, record: Record, currency: str) -> float | None:
    """Return the USD of a unit of a currency, or keep the problem."""
    code = currency.upper() or HOME
    rate = 1.0 if code == HOME else reader.fx.get(code)
    if rate is None:
        known = ", ".join([HOME, *reader.fx])
        reader.refuse(record.place, "currency", code, "has no rate", known, f"give --fx {code}=USD_A_UNIT")
    return rate


def _quarter(reader: _Reader, record: Record, cell: Mapping[str, str]) -> str | None:
    """Return the quarter of a quote; one after the last with memory prices counts as that one."""
    name = "date" if cell.get("date") and not cell.get("quarter") else "quarter"
    text = cell.get(name) or reader.quarter or ""
    try:
        quarter = cells.quarter(text)
    except CellError as error:
        message = error.message if text else "is empty"
        reader.refuse(record.place, name, text, message, error.allowed, "--quarter holds for rows without one")
        return None
    first, last = reader.quarters[0], reader.quarters[-1]
    if quarter < first:
        reader.refuse(record.place, name, text, "is before the first memory prices", f"{first} to {last}")
        return None
    if quarter > last:
        reader.note(f"quotes of {quarter} count as {last}, the last quarter with memory prices")
    return min(quarter, last)


def _keep(reader: _Reader, record: Record, part: tuple[str, Row], values: dict[str, Value]) -> None:
    """Check the new values by the data dictionary and note what they change."""
    table, row = part
    columns = reader.catalog.schema.tables[table]
    for name in [name for name in values if name not in columns]:
        del values[name]
        reader.note(f"{table} have no {name}: passed over")
    for name, value in values.items():
        try:
            values[name] = parse_native(columns[name], value)
        except CellError as error:
            reader.refuse(record.place, name, str(value), error.message, error.allowed, error.hint)
        else:
            old = row.get(name)
            if table == "memory" and name == "price_central_usd_per_gb":
                old = price_at(reader.catalog, str(row["price_series"]), str(values["price_quarter"]))
            if old != value and not name.startswith(("confidence", "price_series")):
                change = Change(table, row.id, name, old, value)
                reader.changes.append(change)
                if name.startswith("price_central") and change.frac is not None and not FALL < change.frac < RISE:
                    reader.note(f"{row.id} in {record.place} changes by {change.frac:+.0%}: is its unit right?")
    values["source"] = f"{row['source']}; quote: {reader.source}, {record.place}"
    reader.rows.setdefault(table, []).append({"id": row.id, **values})


def _priced(
    reader: _Reader, record: Record, part: tuple[str, Row], price: float, quarter: str, *, per_gb: bool
) -> dict[str, Value]:
    """Return the price columns of a quote."""
    table, row = part
    graded: dict[str, Value] = {"confidence_price": EVIDENCE}
    if table == "memory":
        usd_per_gb = price if per_gb else price / float(row["capacity_gb"])
        origin = f"quote: {reader.source}, {record.place}"
        try:
            series, prices = own_series(reader.catalog, row, usd_per_gb, quarter, origin, EVIDENCE)
        except CellError as error:
            reader.refuse(record.place, "quarter", quarter, error.message, error.allowed)
            return {}
        reader.rows.setdefault("memory_prices", []).extend(prices)
        each: dict[str, Value] = {f"price_{end}_usd_per_gb": usd_per_gb for end in ("low", "central", "high")}
        return {**each, "price_series": series, "price_quarter": quarter, **graded}
    if per_gb:
        reader.refuse(record.place, "price_per_gb", str(price), f"{table} are not priced by the gigabyte", "a price")
    if row.get("kind") == "fabric_bundle":
        message = "a bundle is a sum of parts and is not sold"
        reader.refuse(record.place, "id", row.id, message, "a NIC, switch, optic or cable")
    ends: dict[str, Value] = {f"price_{end}_usd": price for end in ("low", "central", "high")}
    dated: dict[str, Value] = {"price_quarter": quarter} if "price_quarter" in row else {}
    return {**ends, **dated, **graded}
