"""How fast the parts are: ``make bench`` prints a table of seconds, best of a few runs.

Options: names of benchmarks to run (all by default), such as ``python benchmarks/bench.py evaluate candidates``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from solver.candidates import build_candidates
from solver.catalog import Catalog, load_catalog
from solver.configurations import configurations
from solver.parts import Accelerator, Model, Precision
from solver.performance import evaluate
from solver.physics.calibration import Calibration
from solver.points import make_points
from solver.progress import silent_libraries
from solver.resident import Resident
from solver.scenario import resolve
from solver.solve import solve
from solver.study import Study, load_study, study_from_dict

ROOT = Path(__file__).parent.parent
POINTS = 100_000
Timed = Callable[[], str]


def catalog() -> str:
    """Read and check all tables."""
    found = load_catalog()
    return f"{sum(len(rows) for rows in found.tables.values())} rows"


def command() -> str:
    """Ask the command for help in a new process."""
    subprocess.run([sys.executable, "-m", "solver", "--help"], cwd=ROOT, check=True, capture_output=True)
    return "new process"


def points() -> Timed:
    """Return a run that evaluates many operating points at once."""
    parts = load_catalog()
    models = tuple(model for model in parts.all(Model) if model.n_layers and model.hidden)
    chips, formats = parts.all(Accelerator), parts.all(Precision)
    rng = np.random.default_rng(1)
    drawn = make_points(
        models,
        chips,
        formats,
        model=rng.integers(len(models), size=POINTS),
        accelerator=rng.integers(len(chips), size=POINTS),
        weight_precision=1,
        kv_precision=1,
        role=rng.integers(3, size=POINTS),
        tp=8,
        pp=1,
        dp=1,
        ep=1,
        power_cap=1.0,
        kv_read_frac=1.0,
        batch=rng.integers(1, 256, size=POINTS),
        isl_new=2000.0,
        cached=0.0,
        context=2250.0,
        osl=500.0,
        chunk=8192.0,
        port_bytes_per_s=5e10,
    )
    fit = Calibration.from_catalog(parts)

    def run() -> str:
        evaluate(drawn, fit)
        return f"{POINTS:,} points"

    return run


def candidates(name: str) -> Timed:
    """Return a run that makes and prunes the candidates of a study."""
    scenario = resolve(load_study(ROOT / "studies" / f"{name}.toml"), load_catalog())
    fit = Calibration.from_catalog(scenario.catalog)

    def run() -> str:
        found = build_candidates(scenario, configurations(scenario), fit)
        return f"{found.raw_count:,} raw, {len(found.candidates):,} kept"

    return run


def whole(name: str) -> Timed:
    """Return a run that solves a study, comparisons left out."""
    study, parts = load_study(ROOT / "studies" / f"{name}.toml"), load_catalog()

    def run() -> str:
        with silent_libraries():
            design = solve(study, parts)
        return f"{design.status}, gap {100.0 * (design.objective['gap'] or 0.0):.3f}%"

    return run


TWICE = {
    "chat_short": "qwen2.5-72b",
    "reasoning_prod": "kimi-k2",
    "tool_agent": "gpt-oss-120b",
    "rag_qa": "qwen3-235b-a22b",
}
"""Classes that the study of twenty has a second time, with another model."""


def twenty() -> tuple[Study, Catalog]:
    """Return a study of twenty classes: all that the catalog can serve, four of them with another model as well."""
    study, parts = load_study(ROOT / "studies" / "all_classes.toml"), load_catalog()
    more = [{**parts.row("workloads", name), "id": f"{name}_again", "model_id": model} for name, model in TWICE.items()]
    asked = study.model_dump(mode="python")
    rates = {spec["id"]: spec["requests_per_s"] for spec in asked["workload"]}
    asked["workload"] += [{"id": f"{name}_again", "requests_per_s": rates[name]} for name in TWICE]
    return study_from_dict(asked), parts.overlay({"workloads": more})


def whole_twenty() -> Timed:
    """Return a run that solves the study of twenty classes."""
    study, parts = twenty()

    def run() -> str:
        with silent_libraries():
            design = solve(study, parts)
        return f"{len(study.workload)} classes: {design.status}, gap {100.0 * (design.objective['gap'] or 0.0):.3f}%"

    return run


def warm(name: str, path: str, *values: Any) -> Timed:
    """Return a run that answers a change of a study kept warm; another value each time, since the last one is known."""
    resident = Resident(load_study(ROOT / "studies" / f"{name}.toml"), load_catalog())
    with silent_libraries():
        resident.solve()

    left = cycle(values)

    def run() -> str:
        value = next(left)
        with silent_libraries():
            design = resident.solve({path: value})
        return f"{path} {value}: {design.status}, gap {100.0 * (design.objective['gap'] or 0.0):.3f}%"

    return run


BENCHMARKS: dict[str, tuple[int, Callable[[], Timed]]] = {
    "command --help": (3, lambda: command),
    "load_catalog": (3, lambda: catalog),
    "evaluate": (5, points),
    "candidates small": (2, lambda: candidates("small")),
    "candidates reference": (2, lambda: candidates("reference")),
    "solve small": (1, lambda: whole("small")),
    "solve reference": (1, lambda: whole("reference")),
    "solve twenty": (1, whole_twenty),
    "warm limit": (2, lambda: warm("reference", "site.power_mw", 19.0, 21.0)),
    "warm supply": (2, lambda: warm("reference", "supply.platform.vr_nvl72.quantity", 20, 22)),
    "warm price": (2, lambda: warm("reference", "site.price_quarter", "2025Q4", "2026Q1")),
    "warm promise": (1, lambda: warm("reference", "workload.rag_qa.ttft_s", 5.0)),
}
"""Name -> runs, and what sets one up."""


def main(wanted: list[str]) -> None:
    """Run the benchmarks whose names contain one of the words."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors; best of n runs")
    print(f"{'benchmark':22}{'n':>3}{'seconds':>10}  what")
    for name, (runs, prepare) in BENCHMARKS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        run, best, words = prepare(), float("inf"), ""
        for _ in range(runs):
            begun = time.perf_counter()
            words = run()
            best = min(best, time.perf_counter() - begun)
        print(f"{name:22}{runs:3}{best:10.2f}  {words}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
