"""Show a number: its formula, what goes into it, and where that comes from."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from solver.design import Design
from solver.errors import InputError, Problem, closest
from solver.formulas import caches, latencies, monies, powers, replicas, retained, totals
from solver.formulas.asking import Ask, bare
from solver.formulas.expressions import put_in
from solver.formulas.records import CLASS, LOAD, NUMBERS, POOL, SITE, Formula, Sheet
from solver.scenario import resolve
from solver.words import WIDTH, figure

if TYPE_CHECKING:
    from solver.catalog import Catalog
    from solver.study import Study

FILES = (caches, retained, replicas, latencies, powers, totals, monies)
"""Where numbers are registered."""
ROWS = 24
"""Rows of a sum that are printed; the rest are summed up in the last line."""
_SOURCE = 400
"""Characters of a source that are printed."""


def listed() -> dict[str, str]:
    """Return every number that can be shown, and what it is."""
    return {made.id: f"{made.name} [{made.unit}], of a {made.of}" for made in NUMBERS.values()}


def needs_design(number: str) -> bool:
    """Return whether a number needs a solved design; those of a class need only a study and a catalog.

    Raises
    ------
    InputError
        If there is no such number.
    """
    return _found(number) not in _WITHOUT


_WITHOUT = frozenset(
    ("kv_bytes_per_token", "kv_window_bytes", "context_tokens", "active_kv_bytes_per_request", "prompt_kv_bytes",
     "load_bytes", "weight_bytes", "hit_rate_at_ttl")
)  # fmt: skip
"""Numbers of a class that are the same whatever is built."""


def show(
    design: Design, number: str, workload: str | None = None, load_id: str | None = None, pool_id: str | None = None
) -> Formula:
    """Return a number of a design with its formula.

    Parameters
    ----------
    design : Design
        With a build, or (for numbers that need none) as `solver.formulas.bare` makes it.
    number : str
        Id of the number, such as ``tokens_per_mw`` or ``ttft_s``.
    workload, load_id, pool_id : str, optional
        What it is of; the largest load entry or pool where none is named.

    Raises
    ------
    InputError
        If the number, class, entry or pool is unknown, with the closest match; or if the design has no build and the
        number needs one.
    """
    made = NUMBERS[_found(number)]
    if needs_design(number) and not design.has_build:
        problem = "needs a solved design, and this one has no build"
        raise InputError([Problem("explain", "", "--number", number, problem, ", ".join(sorted(_WITHOUT)))])
    ask = Ask(design, workload, load_id, pool_id, made.roles)
    ask = ask.pinned() if made.of == LOAD else made.pin(ask) if made.pin else ask
    sheet = made.sheet(ask)
    return Formula(made.id, made.name, made.unit, _subject(ask, made.of), sheet, sheet.value, made.stated(ask))


def number(
    study: Study,
    catalog: Catalog,
    number: str,
    design: Design | None = None,
    workload: str | None = None,
    load_id: str | None = None,
    pool_id: str | None = None,
) -> Formula:
    """Return a number with its formula, of a study and a catalog alone where it needs no solve.

    Parameters
    ----------
    study : Study
    catalog : Catalog
    number : str
    design : Design, optional
        Solved; without it only numbers for which `needs_design` is False can be shown.
    workload, load_id, pool_id : str, optional
        As in `show`.

    Raises
    ------
    InputError
        As `show`, and if the study does not fit the catalog.
    """
    if design is None:
        resolve(study, catalog)
        design = bare(study, catalog)
    return show(design, number, workload, load_id, pool_id)


def render(formula: Formula) -> str:
    """Return a formula as text of at most 100 columns."""
    sheet, unit = formula.sheet, f" {formula.unit}" if formula.unit else ""
    of = f" of {formula.subject}" if formula.subject else ""
    lines = textwrap.wrap(f"{formula.id}{of}: {formula.name}", WIDTH)
    lines += ["", *_indented(f"{formula.id} = {sheet.text}")]
    filled = put_in(sheet.text, {term.name: _plain(term.value) for term in sheet.terms})
    if filled != sheet.text:
        lines += _indented(f"= {filled}", " " * (len(formula.id) + 1))
    lines += _indented(f"= {_plain(formula.value)}{unit}", " " * (len(formula.id) + 1))
    if sheet.columns:
        lines += ["", *_table(sheet)]
    if sheet.terms:
        lines += [""]
    for (confidence, source), terms in groupby(sheet.terms, key=lambda term: (term.confidence, term.source)):
        cells = [f"{t.name} = {_plain(t.value)}{f' {t.unit}' if t.unit else ''}" for t in terms]
        lines += textwrap.wrap(", ".join(cells), WIDTH)
        lines += _indented(f"{confidence}: {_cut(source)}")
    return "\n".join(lines) + "\n"


def _table(sheet: Sheet) -> list[str]:
    """Rows of a sum, with what its columns are."""
    head = ["", *(f"{c.name}{f' [{c.unit}]' if c.unit else ''}" for c in sheet.columns)]
    rows = [[label, *(_plain(c.values[k]) for c in sheet.columns)] for k, label in enumerate(sheet.labels[:ROWS])]
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(1, len(head))]
    first = max(8, WIDTH - sum(w + 2 for w in widths))
    first = min(first, max((len(row[0]) for row in rows), default=8))
    lines = []
    for row in [head, *rows]:
        name = row[0] if len(row[0]) <= first else row[0][: first - 3] + "..."
        cells = "  ".join(f"{cell:>{w}}" for cell, w in zip(row[1:], widths, strict=True))
        lines.append(f"{name:{first}}  {cells}".rstrip()[:WIDTH])
    if len(sheet.labels) > ROWS:
        lines.append(f"and {len(sheet.labels) - ROWS} more rows")
    for column in sheet.columns:
        lines += _indented(f"{column.name}: {column.confidence}: {_cut(column.source)}")
    together: dict[str, list[str]] = {}
    for label, note in zip(sheet.labels[:ROWS], sheet.notes, strict=False):
        together.setdefault(note, []).append(label)
    for note, labels in together.items():
        lines += _indented(f"{', '.join(labels)}: {_cut(note, 200)}")
    return lines


def _indented(text: str, by: str = "    ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=by, subsequent_indent="        ", break_on_hyphens=False)


def _plain(value: float) -> str:
    """Return a number with enough digits to follow the sum by hand."""
    size = abs(value)
    if value == 0.0 or (1e-3 <= size < 1e15):
        return figure(value)
    return f"{value:.5g}"


def _cut(text: str, most: int = _SOURCE) -> str:
    return text if len(text) <= most else text[: most - 4] + " ..."


def _subject(ask: Ask, of: str) -> str:
    """What the number is of, in words."""
    if of == SITE:
        return ""
    if of == CLASS:
        return f"class {ask.work.id}"
    if of == LOAD:
        return f"load {ask.item['load_id']}"
    return f"pool {ask.node.pool_id}" if of == POOL else of


def _found(number: str) -> str:
    """Return the id where it is registered.

    Raises
    ------
    InputError
        With the closest id.
    """
    if number in NUMBERS:
        return number
    listed_ids = ", ".join(sorted(NUMBERS))
    raise InputError(
        [Problem("explain", "", "--number", number, "no such number", listed_ids, closest(number, NUMBERS))]
    )
