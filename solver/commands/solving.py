"""Commands that solve a study: `solve` and `check-quote`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solver.commands.shared import NO_DESIGN, SOLVED, STOPPED, AsJson, Catalogs, Quiet, StudyFile, load_parts, say

if TYPE_CHECKING:
    from solver.builds import Build
    from solver.catalog import Catalog
    from solver.design import Design
    from solver.study import Study


def solve(
    study: StudyFile,
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
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with a build of your own: nodes by platform, in TOML or CSV."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the design as JSON.")] = None,
    xlsx_file: Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write it as a spreadsheet.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one page with charts.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Print a page for someone who decides instead.")] = False,
    quiet: Quiet = False,
) -> int:
    """Find the best build of a study and print it on one screen.

    Exit status: 0 solved, 2 bad input, 3 infeasible, 4 stopped before the gap was reached, 1 anything else.
    """
    from solver import export
    from solver.builds import load_build
    from solver.settings import changed
    from solver.study import load_study

    asked = changed(
        load_study(study),
        changes or (),
        {"objective.name": objective, "solver.gap": gap, "solver.time_limit_s": time_limit},
    )
    export.check_all(json_file, xlsx_file, html_file)
    own = None if baseline is None else load_build(baseline)
    design = _solve(asked, load_parts(catalog), baselines=baselines, quiet=quiet, baseline=own)
    options = {"--objective": objective, "--gap": gap, "--time-limit": time_limit, "--baseline": baseline}
    command = _typed(study, catalog, changes, options, baselines=baselines)
    export.write_all(design, json_file, xlsx_file, html_file, command)
    if brief:
        from solver.brief import brief as words
    else:
        from solver.report import render as words

    say(words(design))
    return _status(design)


def _typed(
    study: Path,
    catalogs: list[Path] | None,
    changes: list[str] | None,
    options: Mapping[str, object],
    *,
    baselines: bool,
) -> str:
    """Return the command that gives the same design, with everything that it depends on."""
    words = ["tierwatt", "solve", str(study)]
    words += [word for folder in catalogs or () for word in ("--catalog", str(folder))]
    words += [word for change in changes or () for word in ("--set", change)]
    words += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return shlex.join(words + ([] if baselines else ["--no-baselines"]))


def _solve(study: Study, catalog: Catalog, *, baselines: bool, quiet: bool, baseline: Build | None = None) -> Design:
    """Solve with progress on standard error; Ctrl-C stops and keeps the best."""
    from solver.progress import progress, silent_libraries, stop_on_interrupt

    with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report:
        report({"t_s": 0.0, "phase": "parts and candidates"})
        from solver.solve import solve as find

        with silent_libraries():
            return find(
                study, catalog, on_progress=report, should_stop=should_stop, baselines=baselines, baseline=baseline
            )


def _status(design: Design) -> int:
    """Exit status of a design."""
    from solver.design import INFEASIBLE, OPTIMAL

    return {OPTIMAL: SOLVED, INFEASIBLE: NO_DESIGN}.get(design.status, STOPPED)


def check_quote(
    study: StudyFile,
    part: Annotated[str, typer.Option(metavar="ID", help="Platform or memory device.")],
    price: Annotated[float, typer.Option(metavar="USD", help="Of one piece, in the study's price quarter.")],
    quantity: Annotated[int, typer.Option(metavar="N", help="The smallest order: at least N pieces, or none.")] = 1,
    catalog: Catalogs = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as in `tierwatt solve`.")
    ] = None,
    gap: Annotated[float | None, typer.Option(metavar="G", help="Relative gap of each solve.")] = None,
    tolerance: Annotated[float, typer.Option(metavar="T", help="Relative width of the walk-away price.")] = 0.01,
    time_limit: Annotated[float | None, typer.Option(metavar="S", help="Seconds after which to stop.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Judge a quoted price: bought or not, how many, what it displaces, and the price to walk away at.

    Exit status: 0 answered, 2 bad input, 3 no build with it or without, 4 stopped before an answer was found.
    """
    from solver.progress import progress, silent_libraries, stop_on_interrupt
    from solver.settings import changed
    from solver.study import load_study

    asked = changed(load_study(study), changes or (), {"solver.gap": gap, "solver.time_limit_s": time_limit})
    parts = load_parts(catalog)
    with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report:
        report({"t_s": 0.0, "phase": "parts and candidates"})
        from solver.quote import NO_BUILD, UNKNOWN
        from solver.quote import check_quote as check

        with silent_libraries():
            found = check(
                asked, parts, part, price, quantity, tolerance=tolerance, on_progress=report, should_stop=should_stop
            )
    from solver.versus import quote

    say(json.dumps(found.to_dict(), indent=1, allow_nan=False) if as_json else quote(found.to_dict()))
    kind = found.walk_away["kind"]
    return NO_DESIGN if kind == NO_BUILD else STOPPED if UNKNOWN in (found.bought, kind) else SOLVED
