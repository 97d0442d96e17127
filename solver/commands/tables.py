"""Commands about catalogs and studies: `list`, `validate`, `catalog import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solver.commands.shared import SOLVED, Catalogs, folders_of, load_parts, say
from solver.errors import InputError, Problem

if TYPE_CHECKING:
    from solver.catalog import Catalog


def list_rows(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Table; without it, all tables.")] = None,
    row: Annotated[str | None, typer.Argument(metavar="[ID]", help="Row to show whole, with units and source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All rows.")] = False,
    catalog: Catalogs = None,
) -> int:
    """List the tables of the catalog, the rows of one, or one row.

    What can be bought stands first.
    """
    from solver import listing

    parts = load_parts(catalog)
    if table is None:
        say(listing.tables(parts))
    elif row is None:
        say(listing.rows(parts, table, everything=everything))
    else:
        say(listing.row(parts, table, row))
    return SOLVED


def validate(
    studies: Annotated[
        list[Path] | None, typer.Argument(metavar="[STUDY]...", help="Studies to check as well.")
    ] = None,
    catalog: Catalogs = None,
) -> int:
    """Check catalogs and studies, and list everything that is wrong."""
    parts = load_parts(catalog)
    count = sum(len(rows) for rows in parts.tables.values())
    lines, problems = [f"{count:,} rows in {len(parts.tables)} tables are sound"], list[Problem]()
    for path in studies or ():
        try:
            lines.append(_checked_study(path, parts))
        except InputError as error:
            problems += error.problems
    say("\n".join(lines))
    if problems:
        raise InputError(problems)
    return SOLVED


def _checked_study(path: Path, catalog: Catalog) -> str:
    """Resolve a study against the catalog, and say what it holds."""
    from solver.model.objectives import find_objective
    from solver.scenario import resolve
    from solver.study import load_study

    scenario = resolve(load_study(path), catalog)
    objective = find_objective(scenario)
    bought = f"{len(scenario.platforms)} platforms and {len(scenario.devices)} memory devices may be bought"
    return f"{path}: {len(scenario.workloads)} classes, {bought}, objective {objective.id}"


def import_quotes(
    quotes: Annotated[Path, typer.Argument(metavar="QUOTES", help="Vendor's sheet: CSV, XLSX or ODS.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write, for --catalog.")],
    table: Annotated[str | None, typer.Option(metavar="TABLE", help="Only parts of this table.")] = None,
    fx: Annotated[list[str] | None, typer.Option(metavar="CODE=USD", help="USD of a unit of a currency.")] = None,
    quarter: Annotated[str | None, typer.Option(metavar="Q", help="Quarter of rows that state none.")] = None,
    sheet: Annotated[str | None, typer.Option(metavar="NAME", help="Sheet [default: the first].")] = None,
    catalog: Catalogs = None,
) -> int:
    """Turn a vendor's quotes into a catalog folder that lies over the others, and show what they change."""
    from solver import listing
    from solver.quotes import exchange_rates, read_quotes
    from solver.quoting.folder import write_folder

    base = folders_of(catalog)
    rates = exchange_rates(fx or ())
    found = read_quotes(quotes, load_parts(base), table=table, fx=rates, quarter=quarter, sheet=sheet)
    files = write_folder(found.rows, out, base)
    written = ", ".join(str(file) for file in files)
    say(f"{listing.quotes(found)}written: {written}; use it with --catalog {out}")
    return SOLVED
