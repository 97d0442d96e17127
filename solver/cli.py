"""The command ``tierwatt``: words in, the library called, text out.

Exit status: 0 solved, 2 bad input, 3 infeasible, 4 stopped before the gap was reached, 1 anything else. The
solver itself is imported only by the commands that solve.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from solver import __version__
from solver.commands import app as apps
from solver.commands import checking, explaining, solving, tables, tradeoffs
from solver.commands.shared import BAD_INPUT, OTHER, SOLVED, STOPPED, say
from solver.errors import InputError, TierwattError

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

app.command()(solving.solve)
app.command("check-quote")(solving.check_quote)
app.command()(explaining.explain)
app.command()(tradeoffs.pareto)
app.command()(checking.predict)
app.command()(checking.audit)
app.command("app")(apps.serve)
app.command("list")(tables.list_rows)
app.command()(tables.validate)
catalog_app.command("import")(tables.import_quotes)


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


def _version(wanted: bool) -> None:
    if wanted:
        say(f"tierwatt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
