"""The command `pareto`: the front between two figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from solver.commands.shared import NO_DESIGN, SOLVED, STOPPED, Catalogs, Quiet, StudyFile, load_parts, say
from solver.errors import InputError, Problem


def pareto(
    study: StudyFile,
    x: Annotated[
        str,
        typer.Option(
            metavar="FIGURE",
            help="What is limited: capex, power, floor, water, co2, estimated_capex_share or estimated_power_share, "
            "workload.CLASS.tpot_s or .ttft_s, or tpot or ttft for the promises of all classes as a multiple of what "
            "they are.",
        ),
    ],
    y: Annotated[str | None, typer.Option(metavar="NAME", help="Objective [default: the study's].")] = None,
    points: Annotated[int, typer.Option(metavar="N", help="Limits to try.")] = 8,
    low: Annotated[float | None, typer.Option("--from", metavar="A", help="Strictest limit, in SI units.")] = None,
    high: Annotated[float | None, typer.Option("--to", metavar="B", help="Loosest limit.")] = None,
    gap: Annotated[float, typer.Option(metavar="G", help="Relative gap of each point.")] = 0.004,
    catalog: Catalogs = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as in `tierwatt solve`.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the front as JSON.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write its points as CSV.")] = None,
    quiet: Quiet = False,
) -> int:
    """Draw the front between an objective and a figure that a study limits: audited builds, none dominated.

    Exit status: 0 drawn, 2 bad input, 3 no build at any limit, 4 stopped; what was found until then is kept.
    """
    from solver import export
    from solver.progress import progress, silent_libraries, stop_on_interrupt
    from solver.settings import changed
    from solver.study import load_study

    asked = changed(load_study(study), changes or (), {})
    if (low is None) != (high is None):
        missing = "--to" if high is None else "--from"
        raise InputError([Problem(missing, "", "", "", "is missing", "--from and --to go together")])
    for path in (json_file, csv_file):
        if path is not None:
            export.check_writable(path)
    loaded = load_parts(catalog)
    with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report:
        report({"t_s": 0.0, "phase": "parts and candidates"})
        from solver.explaining.pareto import pareto as find

        with silent_libraries():
            found = find(
                asked, loaded, x, y, points, report, should_stop, gap=gap,
                ends=None if low is None or high is None else (low, high),
            )  # fmt: skip
    from solver.fronts import front, front_csv

    if json_file is not None:
        export.write_whole(json_file, (json.dumps(found, indent=1, allow_nan=False) + "\n").encode("utf-8"))
    if csv_file is not None:
        export.write_whole(csv_file, front_csv(found))
    say(front(found))
    return STOPPED if found["stopped_by"] else SOLVED if found["points"] else NO_DESIGN
