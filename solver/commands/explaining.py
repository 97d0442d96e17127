"""The command `explain`: a study is solved, and its answer is asked about."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solver.commands.shared import NO_DESIGN, SOLVED, STOPPED, Catalogs, Quiet, StudyFile, load_parts, say

if TYPE_CHECKING:
    from solver.catalog import Catalog
    from solver.study import Study


def explain(
    study: StudyFile,
    bottlenecks: Annotated[bool, typer.Option("--bottlenecks", help="What binds, and what more gains.")] = False,
    ladder: Annotated[bool, typer.Option("--ladder", help="Loosen the tightest, name the next, and so on.")] = False,
    entry_prices: Annotated[
        bool, typer.Option("--entry-prices", help="Prices at which parts enter or leave the build.")
    ] = False,
    levers: Annotated[bool, typer.Option("--levers", help="What each freedom of the build contributes.")] = False,
    architectures: Annotated[
        bool, typer.Option("--architectures", help="The best build of each kind of site, and the runner-up builds.")
    ] = False,
    tornado: Annotated[bool, typer.Option("--tornado", help="Uncertain numbers at both ends, by swing.")] = False,
    every_promise: Annotated[
        bool, typer.Option("--every-promise", help="Value all promises and reuses, not only those nearest to binding.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="All of these.")] = False,
    number: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print the formula of a number instead, with what goes in.")
    ] = None,
    workload: Annotated[str | None, typer.Option("--class", metavar="ID", help="Of this class.")] = None,
    load: Annotated[str | None, typer.Option(metavar="ID", help="Of this load entry.")] = None,
    pool: Annotated[str | None, typer.Option(metavar="ID", help="Of this pool.")] = None,
    parts: Annotated[
        list[str] | None, typer.Option("--part", metavar="ID", help="Only these parts, with --entry-prices.")
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute", metavar="NAME", help="Of these parts: power, bandwidth, capacity, compute, endurance, date."
        ),
    ] = None,
    depth: Annotated[int, typer.Option(metavar="N", min=1, max=12, help="Rungs of the ladder.")] = 4,
    step: Annotated[float, typer.Option(metavar="S", min=0.01, max=10.0, help="Share by which a rung loosens.")] = 0.25,
    catalog: Catalogs = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as in `tierwatt solve`.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one page with charts.")
    ] = None,
    xlsx_file: Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write it as a spreadsheet.")] = None,
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
    chosen = {
        "bottlenecks": bottlenecks, "levers": levers, "architectures": architectures,
        "entry_prices": entry_prices or bool(parts and not attributes), "ladder": ladder, "tornado": tornado,
    }  # fmt: skip
    sections = [name for name, wanted in chosen.items() if wanted or every]
    sections += ["attributes"] if attributes else [] if sections else ["bottlenecks"]
    export.check_all(json_file, xlsx_file, html_file)
    loaded = load_parts(catalog)
    if number is not None:
        return _number(asked, loaded, number, workload, load, pool, quiet=quiet)
    with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report:
        report({"t_s": 0.0, "phase": "parts and candidates"})
        from solver.explain import explain as find
        from solver.explaining.sections import PROMISED

        with silent_libraries():
            design = find(
                asked, loaded, sections, on_progress=report, should_stop=should_stop, depth=depth, step=step,
                parts=parts, attributes=attributes, promised=None if every_promise else PROMISED,
            )  # fmt: skip
    words = _words(
        study, sections, attributes, catalog, changes, parts, every_promise=every_promise, depth=depth, step=step
    )
    export.write_all(design, json_file, xlsx_file, html_file, shlex.join(words))
    from solver.answers import render_explained
    from solver.design import INFEASIBLE
    from solver.report import render

    if not design.has_build:
        say(render(design))
        return NO_DESIGN if design.status == INFEASIBLE else STOPPED
    say(render_explained(design))
    return SOLVED if set(sections) <= set(design.explained) else STOPPED


def _words(
    study: Path,
    sections: list[str],
    attributes: list[str] | None,
    catalog: list[Path] | None,
    changes: list[str] | None,
    parts: list[str] | None,
    *,
    every_promise: bool,
    depth: int,
    step: float,
) -> list[str]:
    """The whole command, as a page states it."""
    plain = [name for name in sections if name != "attributes"]
    words = ["tierwatt", "explain", str(study), *(f"--{name.replace('_', '-')}" for name in plain)]
    words += [word for name in attributes or () for word in ("--attribute", name)]
    words += [word for folder in catalog or () for word in ("--catalog", str(folder))]
    words += [word for change in changes or () for word in ("--set", change)]
    words += [word for part in parts or () for word in ("--part", part)]
    words += ["--every-promise"] * every_promise + ["--depth", str(depth), "--step", str(step)]
    return words


def _number(
    study: Study, catalog: Catalog, name: str, workload: str | None, load: str | None, pool: str | None, *, quiet: bool
) -> int:
    """Print the formula of a number; the study is solved only where the number needs it."""
    from solver.design import INFEASIBLE
    from solver.formulas import needs_design, number, render
    from solver.progress import progress, silent_libraries, stop_on_interrupt

    design = None
    if needs_design(name):
        with stop_on_interrupt() as should_stop, progress(quiet=quiet) as report, silent_libraries():
            from solver.solve import solve

            design = solve(study, catalog, on_progress=report, should_stop=should_stop)
        if not design.has_build:
            from solver.report import render as screen

            say(screen(design))
            return NO_DESIGN if design.status == INFEASIBLE else STOPPED
    say(render(number(study, catalog, name, design, workload=workload, load_id=load, pool_id=pool)))
    return SOLVED
