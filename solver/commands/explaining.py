"""The command `explain`: a study is solved, and its answer is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solver.commands.shared import NO_DESIGN, SOLVED, STOPPED, Catalogs, Quiet, StudyFile, load_parts, say


def explain(
    study: StudyFile,
    bottlenecks: Annotated[bool, typer.Option("--bottlenecks", help="What binds, and what more gains.")] = False,
    ladder: Annotated[bool, typer.Option("--ladder", help="Loosen the tightest, name the next, and so on.")] = False,
    entry_prices: Annotated[
        bool, typer.Option("--entry-prices", help="Prices at which parts enter or leave the build.")
    ] = False,
    parts: Annotated[
        list[str] | None, typer.Option("--part", metavar="ID", help="Only these parts, with --entry-prices.")
    ] = None,
    depth: Annotated[int, typer.Option(metavar="N", min=1, max=12, help="Rungs of the ladder.")] = 4,
    step: Annotated[float, typer.Option(metavar="S", min=0.01, max=10.0, help="Share by which a rung loosens.")] = 0.25,
    catalog: Catalogs = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as in `tierwatt solve`.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the design as JSON.")] = None,
    quiet: Quiet = False,
) -> int:
    """Explain the best build of a study: what binds, what comes next, at which prices parts enter or leave.

    Without a choice of sections: bottlenecks. Exit status as of `tierwatt solve`.
    """
    from solver import export
    from solver.progress import progress, silent_libraries, stop_on_interrupt
    from solver.settings import changed
    from solver.study import load_study

    asked = changed(load_study(study), changes or (), {})
    chosen = {"bottlenecks": bottlenecks, "entry_prices": entry_prices or bool(parts), "ladder": ladder}
    sections = [name for name, wanted in chosen.items() if wanted] or ["bottlenecks"]
    if json_file is not None:
        export.check_writable(json_file)
    loaded = load_parts(catalog)
    with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report:
        report({"t_s": 0.0, "phase": "parts and candidates"})
        from solver.explain import explain as find

        with silent_libraries():
            design = find(
                asked, loaded, sections, on_progress=report, should_stop=should_stop, depth=depth, step=step,
                parts=parts,
            )  # fmt: skip
    if json_file is not None:
        export.write_json(design, json_file)
    from solver.answers import render_explained
    from solver.design import INFEASIBLE
    from solver.report import render

    if not design.has_build:
        say(render(design))
        return NO_DESIGN if design.status == INFEASIBLE else STOPPED
    say(render_explained(design))
    return SOLVED if set(sections) <= set(design.explained) else STOPPED
