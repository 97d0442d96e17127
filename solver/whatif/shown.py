"""The formula behind any number, as a page shows it: which numbers there are, of what, and what goes into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solver.design import Design
from solver.formulas import NUMBERS, needs_design, show
from solver.formulas.expressions import put_in
from solver.formulas.records import CLASS, LOAD, POOL, SITE
from solver.words import figure

Record = dict[str, Any]
OTHER = "--number "
"""How a term says that it is a number with a formula of its own."""
GROUPS = (SITE, CLASS, LOAD, POOL)
"""What numbers are of."""


def numbers_of(design: Design) -> dict[str, list[Record]]:
    """Return the numbers that a design can show, by what they are of: ``id``, ``name``, ``unit``."""
    found: dict[str, list[Record]] = {group: [] for group in GROUPS}
    for number in NUMBERS.values():
        known = number.of != SITE or number.id in design.kpis
        if known and (design.has_build or not needs_design(number.id)):
            found[number.of].append({"id": number.id, "name": number.name, "unit": number.unit})
    return {group: rows for group, rows in found.items() if rows}


def subjects_of(design: Design, number: str) -> dict[str, str]:
    """Return what a number can be asked of, id to words; empty for one of the whole design.

    Parameters
    ----------
    design : Design
    number : str
        Id of a number.
    """
    made = NUMBERS[number]
    if made.of == CLASS:
        return {str(work["id"]): str(work["id"]) for work in design.study.get("workload", [])}
    if made.of == LOAD:
        mine = [item for item in design.load if item["role"] in made.roles]
        ranked = sorted(mine, key=lambda item: -float(item["accelerators"]))
        return {str(item["load_id"]): _load_words(item) for item in ranked}
    if made.of == POOL:
        ranked = sorted(design.pools, key=lambda pool: -float(pool["meter_w"]))
        return {str(pool["pool_id"]): str(pool["pool_id"]) for pool in ranked}
    return {}


def _load_words(item: Mapping[str, Any]) -> str:
    tier = f", hits from {item['tier']}" if item.get("tier") else ""
    return f"{item['class']}, {item['role']} on {item['platform']}{tier}, batch {figure(float(item['batch']))}"


def formula_of(design: Design, number: str, subject: str = "") -> Record:
    """Return a number with its formula and everything that goes into it.

    Parameters
    ----------
    design : Design
    number : str
    subject : str
        One of `subjects_of`; empty for the whole design.

    Returns
    -------
    dict
        As `Formula.to_dict`, with ``filled``, the formula with the numbers put in, and of each term ``see``, the number
        that it is itself.

    Raises
    ------
    InputError
        As `solver.formulas.show`.
    """
    place = {CLASS: "workload", LOAD: "load_id", POOL: "pool_id"}.get(NUMBERS[number].of)
    found = show(design, number, **({place: subject} if place and subject else {}))
    filled = put_in(found.sheet.text, {term.name: _plain(term.value) for term in found.sheet.terms})
    record = found.to_dict()
    for term in record["terms"]:
        term["see"] = _number(str(term["source"]))
    return record | {"filled": filled if filled != found.sheet.text else ""}


def _number(source: str) -> str:
    """Id of the number that a term is itself, empty for others."""
    return source.removeprefix(OTHER) if source.startswith(OTHER) else ""


def _plain(value: float) -> str:
    """A number with enough digits to follow the sum by hand."""
    return figure(value) if value == 0.0 or 1e-3 <= abs(value) < 1e15 else f"{value:.5g}"
