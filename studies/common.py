"""What scripted studies share: inputs, solves with progress, CSV, chart, a page of findings, and the command line.

A study is a script ``NN_name.py`` with its question in the docstring and its inputs in ``NN_name.toml``. The script
gives `run_study` four functions: `rows` solves and returns tables; `draw`, `answer` and `findings` read those tables
back from the CSV files, so that no figure on the page is typed by hand.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

import solver
from solver.catalog import Catalog
from solver.design import Design
from solver.study import Study, load_study, study_from_dict

HERE = Path(__file__).parent
RESULTS = HERE / "results"
HASH_COLUMN = "catalog_hash"
COLORS = ("#1b6ca8", "#d1495b", "#3a7d44", "#e09f3e", "#6c4f9c", "#5c6b73", "#2a9d8f", "#9c6644")

Table = pd.DataFrame
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Inputs:
    """The TOML file of a scripted study: a study as `tierwatt solve` takes it, and what is varied."""

    study: Study
    sweep: dict[str, Any]


@dataclass
class Bench:
    """A catalog and a count of solves; prints one line a solve.

    Attributes
    ----------
    catalog : Catalog
    inputs : Inputs
    solves : int
        Done so far.
    began_s : float
    """

    catalog: Catalog
    inputs: Inputs
    solves: int = 0
    began_s: float = field(default_factory=time.perf_counter)

    def solve(self, label: str, changes: Mapping[str, Any], base: Study | None = None) -> Design:
        """Solve the study with some values changed, and say what came out."""
        study = (base or self.inputs.study).with_changes(changes)
        begun = time.perf_counter()
        design = solver.solve(study, self.catalog)
        self.solves += 1
        value = f"{design.objective['value']:,.0f} {design.objective['unit']}" if design.has_build else "no build"
        print(f"{self.solves:4d}  {time.perf_counter() - begun:5.1f} s  {label}: {value}, {design.status}", flush=True)
        return design

    def all_but(self, table: str, keep: Iterable[str]) -> list[str]:
        """Ids of a catalog table that are not among those to keep."""
        wanted = set(keep)
        return sorted(set(self.catalog.tables[table]) - wanted)


def load_inputs(path: Path, *, miniature: bool = False) -> Inputs:
    """Read ``[study]`` (or ``base``, a study file beside it) and ``[sweep]``.

    ``[changes]`` are made to the study; ``[miniature]`` is laid over the sweep where wanted.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    study = load_study(path.parent / data["base"]) if "base" in data else study_from_dict(data["study"], path.name)
    study = study.with_changes(data.get("changes", {}))
    return Inputs(study, data["sweep"] | (data.get("miniature", {}) if miniature else {}))


def outcome(design: Design) -> dict[str, Any]:
    """Columns that every solve has; empty where there is no build."""
    if not design.has_build:
        return {"status": design.status, "tokens [tokens/s/MW]": None, "gap [share]": None}
    kpis = design.kpis
    mw = kpis["utility_meter_w"]["value"] / 1e6
    return {
        "status": design.status,
        "tokens [tokens/s/MW]": round(design.objective["value"], 1),
        "bound [tokens/s/MW]": round(design.objective["bound"], 1),
        "gap [share]": round(design.objective["gap"], 6),
        "capex [MUSD]": round(kpis["capex_usd"]["value"] / 1e6, 4),
        "provisioned [MW]": round(mw, 5),
        "drawn [MW]": round(kpis["drawn_meter_w"]["value"] / 1e6, 5),
        "accelerators [pieces]": round(kpis["accelerators"]["value"]),
        "seconds [s]": round(design.solver["seconds"]["total_s"], 2),
    }


def bullets(lines: Sequence[str]) -> str:
    """Return findings as a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def markdown_table(frame: Table, digits: int = 0) -> str:
    """Return a small table as Markdown, numbers with thousands separators."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "no build" if pd.isna(value) else f"{value:,.{digits}f}"
        return str(value)

    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|" + "---|" * len(frame.columns)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in frame.itertuples(index=False)]
    return "\n".join(lines)


def percent(share: float, digits: int = 1) -> str:
    """Return a share as a signed percentage."""
    return f"{share * 100:+.{digits}f}%"


def new_figure(width: float = 9.0, height: float = 5.0) -> Figure:
    """Return a figure in the common style; SVG text stays text, so that the files are small and can be searched."""
    mpl.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "tierwatt", "font.size": 10, "axes.spines.top": False,
        "axes.spines.right": False, "axes.grid": True, "grid.color": "#e3e3e3", "axes.axisbelow": True,
        "axes.prop_cycle": mpl.cycler(color=COLORS),
    })  # fmt: skip
    return Figure(figsize=(width, height), layout="constrained")


def run_study(
    script: str,
    question: str,
    rows: Callable[[Bench], Tables],
    draw: Callable[[Tables], Figure],
    answer: Callable[[Tables], str],
    findings: Callable[[Tables, Inputs], str],
    argv: Sequence[str] | None = None,
) -> int:
    """Run a scripted study from the command line: solve, write CSV, chart and page.

    Parameters
    ----------
    script : str
        Path of the script; names the TOML file beside it and the results.
    question : str
        The script's docstring.
    rows : callable
        Solves; returns tables by suffix of the CSV file ("" for the main one).
    draw, answer, findings : callable
        Read the tables as they stand in the CSV files; the answer is a sentence or two, as the README has it.
    argv : sequence of str, optional
    """
    name = Path(script).stem
    parser = argparse.ArgumentParser(prog=name, description=question.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--miniature", action="store_true", help="a few solves only, to try the script")
    parser.add_argument("--page-only", action="store_true", help="chart and page anew from the CSV files")
    options = parser.parse_args(argv)
    inputs = load_inputs(HERE / f"{name}.toml", miniature=options.miniature)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.page_only:
        bench = Bench(solver.load_catalog(), inputs)
        print(f"{name}: {question.splitlines()[0]}", flush=True)
        for suffix, table in rows(bench).items():
            table.insert(0, HASH_COLUMN, bench.catalog.hash[:12])
            table.to_csv(options.out / f"{name}{suffix}.csv", index=False, lineterminator="\n")
        print(f"{bench.solves} solves in {time.perf_counter() - bench.began_s:.0f} s", flush=True)
    tables = {p.stem.removeprefix(name): pd.read_csv(p) for p in sorted(options.out.glob(f"{name}*.csv"))}
    draw(tables).savefig(options.out / f"{name}.svg", metadata={"Date": None})
    (options.out / f"{name}.md").write_text(
        _page(name, question, tables, inputs, answer(tables), findings), encoding="utf-8"
    )
    return 0


def _page(
    name: str,
    question: str,
    tables: Tables,
    inputs: Inputs,
    answer: str,
    findings: Callable[[Tables, Inputs], str],
) -> str:
    """Return the page: question, findings, chart, and how to get them again."""
    main = tables[""]
    gaps = main["gap [share]"].dropna()
    took = main["seconds [s]"].sum() if "seconds [s]" in main else 0.0
    title = name[3:].replace("_", " ").capitalize()
    csv = ", ".join(f"[{name}{suffix}.csv]({name}{suffix}.csv)" for suffix in tables)
    files = f"Inputs [{name}.toml](../{name}.toml), figures {csv}, script [{name}.py](../{name}.py)."
    return "\n\n".join([
        f"# {title}",
        question.strip(),
        f"**{answer}**",
        findings(tables, inputs),
        f"![{title}]({name}.svg)",
        f"{files} Written by the script from the CSV: {len(main)} solves, {took:,.0f} s in all, largest gap "
        f"{gaps.max() * 100:.2f}% (of {inputs.study.solver.gap * 100:g}% allowed; differences below that say nothing). "
        f"Catalog {main[HASH_COLUMN].iloc[0]}. All figures are of the model, not measured; how far to trust them: "
        "[reliability](../../docs/reliability.md).",
    ]) + "\n"  # fmt: skip
