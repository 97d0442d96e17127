"""The command ``tierwatt``: words in, the library called, text out.

Exit status: 0 solved, 2 bad input, 3 infeasible, 4 stopped before the gap was reached, 1 anything else. The
solver itself is imported only by the commands that solve.
"""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solver import __version__
from solver.errors import InputError, Problem, TierwattError

if TYPE_CHECKING:
    from solver.catalog import Catalog
    from solver.design import Design
    from solver.study import Study

SOLVED, OTHER, BAD_INPUT, NO_DESIGN, STOPPED = 0, 1, 2, 3, 4

app = typer.Typer(
    name="tierwatt",
    help="Which parts to buy so that a site serves the most tokens per second per megawatt.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

catalog_app = typer.Typer(help="Change catalogs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(catalog_app, name="catalog")

Catalogs = Annotated[
    list[Path] | None,
    typer.Option("--catalog", metavar="DIR", help="Catalog folder; later ones override rows of earlier ones, and one "
                 "without schema.csv lies over the catalogs that come with the program."),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave with its exit status; what went wrong is said in words."""
    status = OTHER
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        result = app(arguments, prog_name="tierwatt", standalone_mode=False)
        status = result if isinstance(result, int) else SOLVED
    except InputError as error:
        status = _complain(error, BAD_INPUT)
    except TierwattError as error:
        status = _complain(error, OTHER)
    except (KeyboardInterrupt, typer.Abort):
        status = _complain("stopped", STOPPED)
    except Exception as error:
        status = _usage(error)
    sys.exit(status)


def _complain(what: object, status: int) -> int:
    """Say on standard error what is wrong."""
    print(f"tierwatt: {what}", file=sys.stderr)
    return status


def _usage(error: Exception) -> int:
    """Show an error of usage as the parser words it; anything else is a bug and keeps its traceback."""
    show, status = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(status, int):
        show(file=sys.stderr)
        return status
    if isinstance(status, int):
        return status
    raise error


def _close_stdout() -> None:
    """Leave nothing that Python would try to flush into a closed pipe at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say(text: str) -> None:
    """Print a result; a reader who has seen enough is no error.

    Raises
    ------
    TierwattError
        If it cannot be written for another reason.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
    except OSError as error:
        _close_stdout()
        raise TierwattError(f"the result cannot be printed: {error.strerror}") from None


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"tierwatt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _catalog(folders: list[Path] | None) -> Catalog:
    """Load the catalog."""
    from solver.catalog import load_catalog

    return load_catalog(*_folders(folders))


def _folders(folders: list[Path] | None) -> list[Path]:
    """Catalog folders; a first one without a data dictionary lies over the one that comes with the program."""
    from solver.catalog import default_folder
    from solver.tables import SCHEMA_FILE

    given = list(folders or [])
    if not given or (given[0].is_dir() and not (given[0] / SCHEMA_FILE).is_file()):
        given.insert(0, default_folder())
    return given


@app.command()
def solve(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Study in TOML.")],
    catalog: Catalogs = None,
    objective: Annotated[str | None, typer.Option(metavar="NAME", help="Objective in place of the study's.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a value by its dotted path, such as site.power_mw=10, "
            "workload.CLASS.ttft_s=1 or supply.platform.ID=8; nothing after the = takes the value away.",
        ),
    ] = None,
    gap: Annotated[float | None, typer.Option(metavar="G", help="Relative gap at which to stop.")] = None,
    time_limit: Annotated[float | None, typer.Option(metavar="S", help="Seconds after which to stop.")] = None,
    baselines: Annotated[bool, typer.Option(help="Compare with simpler builds.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the design as JSON.")] = None,
    xlsx_file: Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write it as a spreadsheet.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Find the best build of a study and print it on one screen.

    Exit status: 0 solved, 2 bad input, 3 infeasible, 4 stopped before the gap was reached, 1 anything else.
    """
    from solver import export
    from solver.settings import changed
    from solver.study import load_study

    asked = changed(
        load_study(study),
        changes or (),
        {"objective.name": objective, "solver.gap": gap, "solver.time_limit_s": time_limit},
    )
    if xlsx_file is not None:
        export.check_xlsx()
    for path in (json_file, xlsx_file):
        if path is not None:
            export.check_writable(path)
    design = _solve(asked, _catalog(catalog), baselines=baselines, quiet=quiet)
    if json_file is not None:
        export.write_json(design, json_file)
    if xlsx_file is not None:
        export.write_xlsx(design, xlsx_file)
    from solver.report import render

    _say(render(design))
    return _status(design)


def _solve(study: Study, catalog: Catalog, *, baselines: bool, quiet: bool) -> Design:
    """Solve with progress on standard error; Ctrl-C stops and keeps the best."""
    from solver.progress import progress, silent_libraries, stop_on_interrupt

    with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report:
        report({"t_s": 0.0, "phase": "parts and candidates"})
        from solver.solve import solve as find

        with silent_libraries():
            return find(study, catalog, on_progress=report, should_stop=should_stop, baselines=baselines)


def _status(design: Design) -> int:
    """Exit status of a design."""
    from solver.design import INFEASIBLE, OPTIMAL

    return {OPTIMAL: SOLVED, INFEASIBLE: NO_DESIGN}.get(design.status, STOPPED)


@app.command()
def predict(
    model: Annotated[str, typer.Option(metavar="ID", help="Model.")],
    accelerator: Annotated[str, typer.Option(metavar="ID", help="Accelerator.")],
    count: Annotated[int, typer.Option(metavar="N", help="Accelerators of the replica.")],
    precision: Annotated[str, typer.Option(metavar="P", help="Precision of the weights.")],
    batch: Annotated[float, typer.Option(metavar="B", help="Requests in flight over the whole replica.")],
    isl: Annotated[float, typer.Option(metavar="N", help="Input tokens of a request.")],
    osl: Annotated[float, typer.Option(metavar="N", help="Output tokens of a request.")],
    tp: Annotated[int | None, typer.Option(metavar="N", help="Tensor parallelism [default: count / (pp dp)].")] = None,
    pp: Annotated[int, typer.Option(metavar="N", help="Pipeline parallelism.")] = 1,
    dp: Annotated[int, typer.Option(metavar="N", help="Data parallelism of attention.")] = 1,
    ep: Annotated[int, typer.Option(metavar="N", help="Expert parallelism.")] = 1,
    role: Annotated[str, typer.Option(metavar="ROLE", help="prefill, decode or mixed.")] = "mixed",
    power_cap: Annotated[float, typer.Option(metavar="F", help="Power cap as a share of rated power.")] = 1.0,
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Serving engine [default: the common fit].")
    ] = None,
    kv_precision: Annotated[str | None, typer.Option(metavar="P", help="Precision of the KV cache.")] = None,
    cached: Annotated[float, typer.Option(metavar="N", help="Input tokens found in the cache.")] = 0.0,
    catalog: Catalogs = None,
    as_json: AsJson = False,
) -> int:
    """Predict one replica at one operating point, with its range and evidence."""
    from solver.performance import predict as point

    found = point(
        _catalog(catalog),
        model=model,
        accelerator=accelerator,
        count=count,
        precision=precision,
        batch=batch,
        isl=isl,
        osl=osl,
        tp=tp,
        pp=pp,
        dp=dp,
        ep=ep,
        role=role,
        power_cap=power_cap,
        engine=engine,
        kv_precision=kv_precision,
        cached=cached,
    )
    record = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in asdict(found).items()}
    if as_json:
        _say(json.dumps(record, indent=1, allow_nan=False))
    else:
        from solver.listing import prediction

        _say(prediction(record))
    return SOLVED


@app.command()
def audit(
    design: Annotated[Path, typer.Argument(metavar="DESIGN.json", help="Design written by `tierwatt solve --json`.")],
    as_json: AsJson = False,
) -> int:
    """Check a design from the bill of materials and the catalog rows it holds, without the model that made it.

    Exit status: 0 passed, 1 failed, 2 not a design.
    """
    from solver.audit import audit as check
    from solver.design import Design
    from solver.listing import audited

    found = Design.read(design)
    if not found.has_build:
        raise InputError(
            [Problem(str(design), "", "status", found.status, "has no build to check", "a design with a build")]
        )
    report = check(found)
    _say(json.dumps(report, indent=1) if as_json else audited(report))
    return SOLVED if report["ok"] else OTHER


@app.command("list")
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

    parts = _catalog(catalog)
    if table is None:
        _say(listing.tables(parts))
    elif row is None:
        _say(listing.rows(parts, table, everything=everything))
    else:
        _say(listing.row(parts, table, row))
    return SOLVED


@app.command()
def validate(
    studies: Annotated[
        list[Path] | None, typer.Argument(metavar="[STUDY]...", help="Studies to check as well.")
    ] = None,
    catalog: Catalogs = None,
) -> int:
    """Check catalogs and studies, and list everything that is wrong."""
    parts = _catalog(catalog)
    count = sum(len(rows) for rows in parts.tables.values())
    lines, problems = [f"{count:,} rows in {len(parts.tables)} tables are sound"], list[Problem]()
    for path in studies or ():
        try:
            lines.append(_checked_study(path, parts))
        except InputError as error:
            problems += error.problems
    _say("\n".join(lines))
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


@catalog_app.command("import")
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

    base = _folders(catalog)
    rates = exchange_rates(fx or ())
    found = read_quotes(quotes, _catalog(base), table=table, fx=rates, quarter=quarter, sheet=sheet)
    files = write_folder(found.rows, out, base)
    written = ", ".join(str(file) for file in files)
    _say(f"{listing.quotes(found)}written: {written}; use it with --catalog {out}")
    return SOLVED
