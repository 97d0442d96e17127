"""Figures of single parts at which they enter or leave a build: what can be asked, what was asked, answers as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from solver.catalog import Catalog
from solver.explaining.attributes import ATTRIBUTES, DATE, rows_with
from solver.scenario import resolve
from solver.study import Study
from solver.whatif.explanations import EXPLAIN, ask_sections, related
from solver.whatif.labels import label
from solver.whatif.store import Request, Run, Store
from solver.words import figure

Record = dict[str, Any]
SECTION = "attributes"
LATE = ("available ", "comes ")
"""How reasons begin by which a part comes too late: all that can be asked of it is what having it is worth."""


def askable(study: Study, catalog: Catalog) -> list[Record]:
    """Return the parts whose figures can be asked about, platforms first, each group by vendor and name.

    Returns
    -------
    list of dict
        ``part``, ``kind`` (``platform`` or ``memory``), ``vendor``, ``name``, ``attributes`` (ids of those that the
        catalog states of it, the date last; the date alone of a part that comes too late).

    Raises
    ------
    InputError
        If the study does not fit the catalog.
    """
    scenario = resolve(study, catalog)
    late = {item.part for item in scenario.filtered if item.reason.startswith(LATE)}
    rows = []
    for table, parts in (("platforms", scenario.platforms), ("memory", scenario.devices)):
        open_ones = {part.id for part in parts} - scenario.only_owned
        for part, row in catalog.tables[table].items():
            if part in open_ones or part in late:
                rows.append({"part": part, "kind": "platform" if table == "platforms" else "memory",
                             "vendor": row["vendor"], "name": row["name"],
                             "attributes": [DATE] if part in late else [*_stated(catalog, part), DATE]})  # fmt: skip
    kinds = ("platform", "memory")
    return sorted(rows, key=lambda row: (kinds.index(row["kind"]), str(row["vendor"]), str(row["name"])))


def _stated(catalog: Catalog, part: str) -> list[str]:
    """Attributes of which the catalog has a figure for a part."""
    return [name for name, attribute in ATTRIBUTES.items() if rows_with(catalog, part, attribute, 1.0)]


def ask_attributes(run: Run, part: str, attributes: Sequence[str]) -> Request:
    """Return the request that finds the figures of a part at which it enters or leaves the build of a run's study."""
    return ask_sections(run, [SECTION], parts=[part], attributes=list(attributes))


def asked_of(run: Run, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that asked about parts of a run's study, the newest first."""
    return [other for other in related(run, runs, EXPLAIN) if other.request.options.get("attributes")]


def answered(run: Run, runs: Sequence[Run], store: Store) -> list[Record]:
    """Return what was found of parts of a run's study, the newest first, each part and attribute once."""
    found: dict[tuple[str, str], Record] = {}
    said = [other for other in related(run, runs, EXPLAIN) if SECTION in other.request.options.get("sections", ())]
    for other in [*said, run]:
        design = store.design(other.id) if other.ended else None
        for record in design.explained.get(SECTION) or [] if design is not None else []:
            found.setdefault((str(record["part"]), str(record["attribute"])), record)
    return list(found.values())


def without_use(run: Run, found: Sequence[Mapping[str, Any]]) -> bool:
    """True where a run that is over asked about a part and has no answer: no build of its study can hold that part."""
    options = run.request.options
    wanted = {(part, name) for part in options["parts"] for name in options["attributes"]}
    return bool(wanted - {(str(record["part"]), str(record["attribute"])) for record in found})


def attribute_rows(records: Sequence[Mapping[str, Any]], catalog: Catalog) -> list[Record]:
    """Return answers as rows.

    Returns
    -------
    list of dict
        ``part``, ``vendor``, ``name``, ``attribute`` (id), ``what`` (its name), ``in_build``, ``answer`` (as the record
        has it), ``share`` (of change), ``figures`` (each figure of the catalog from now to there, with its unit),
        ``confirmed`` (None where nothing is to be confirmed), ``order``, ``takes``, ``gain`` (a range).
    """
    named: dict[str, Mapping[str, Any]] = {**catalog.tables["platforms"], **catalog.tables["memory"]}
    return [
        {
            "part": record["part"], "vendor": named.get(record["part"], {}).get("vendor", ""),
            "name": named.get(record["part"], {}).get("name", record["part"]), "attribute": record["attribute"],
            "what": record["name"], "in_build": record["in_build"], "answer": record["answer"],
            "share": record["share"], "figures": _figures(record, catalog),
            "confirmed": record["confirmed"] if record["share"] is not None else None, "order": record["order"],
            "takes": record["quantity"], "gain": _gain(record),
        }
        for record in records
    ]  # fmt: skip


def _gain(record: Mapping[str, Any]) -> str:
    """What having a part gains, as a range."""
    low, high = record["gain_low"], record["gain_high"]
    return "" if high is None else f"{figure(low)} – {figure(high)}"


def _figures(record: Mapping[str, Any], catalog: Catalog) -> str:
    """Figures that change, from what they are to where the part enters or leaves."""
    factor, attribute = record["factor"], ATTRIBUTES.get(str(record["attribute"]))
    if factor is None or attribute is None:
        return ""
    schema, parts = catalog.schema, []
    for table, columns in attribute.columns.items():
        row: Mapping[str, Any] = catalog.tables[table].get(str(record["rows"].get(table)), {})
        for column in columns:
            value = row.get(column)
            if isinstance(value, int | float):
                unit = schema.tables[table][column].unit
                parts.append(f"{label(column)} {figure(value)} → {figure(value * factor)} {unit}".strip())
    return "; ".join(parts)
