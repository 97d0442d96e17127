"""Commands that look at one thing: a predicted point, a written design."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from solver.commands.shared import OTHER, SOLVED, AsJson, Catalogs, load_parts, say
from solver.errors import InputError, Problem


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
    draft_tokens: Annotated[int, typer.Option(metavar="K", help="Tokens drafted before each decode step.")] = 0,
    acceptance: Annotated[
        float | None,
        typer.Option(metavar="A", help="Chance that a drafted token is accepted [default: the catalog's]."),
    ] = None,
    port_gbit_s: Annotated[
        float | None, typer.Option(metavar="R", help="Scale-out port of an accelerator [default: its platform's].")
    ] = None,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="roofline, or aiconfigurator where installed.")
    ] = "roofline",
    catalog: Catalogs = None,
    as_json: AsJson = False,
) -> int:
    """Predict one replica at one operating point, with its range and evidence."""
    from solver.performance import predict as point

    found = point(
        load_parts(catalog),
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
        estimator=estimator,
        draft_tokens=draft_tokens,
        acceptance=acceptance,
        port_gbit_s=port_gbit_s,
    )
    record = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in asdict(found).items()}
    if as_json:
        say(json.dumps(record, indent=1, allow_nan=False))
    else:
        from solver.listing import prediction

        say(prediction(record))
    return SOLVED


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
    say(json.dumps(report, indent=1) if as_json else audited(report))
    return SOLVED if report["ok"] else OTHER
