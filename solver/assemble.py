"""From the model's variables to a Design: every record, before KPIs, report and audit."""

from __future__ import annotations

import math
from importlib import metadata

import pyomo.environ as pyo

from solver.bill import bill_of_materials
from solver.candidates import CandidateSet, Dropped
from solver.design import Design, Record
from solver.embed import used_rows
from solver.holdings import buy_what_is_used, network_record, pool_record
from solver.kpis import compute_kpis
from solver.optimise import Solved
from solver.polishing import Polished
from solver.scenario import Scenario
from solver.search import relative_gap
from solver.servings import load_records, placement_records
from solver.slacks import limit_records
from solver.whole import whole_record
from solver.widths import width_records


def assemble(
    solved: Solved,
    polished: Polished,
    candidates: CandidateSet,
    status: str,
    stopped_by: str,
    seconds: dict[str, float],
) -> Design:
    """Build the design that a polished model holds.

    Parameters
    ----------
    solved : Solved
        Where the bound comes from.
    polished : Polished
        Where the values come from.
    candidates : CandidateSet
        For the account of what was dropped.
    status, stopped_by : str
    seconds : dict
        Time by step.

    Returns
    -------
    Design
        Complete but for baselines, runner-up and audit.
    """
    data, scenario = polished.data, polished.data.scenario
    block = polished.model.period[0]
    buy_what_is_used(data, polished.model)
    unit = solved.objective.per_unit(scenario)
    value, bound = _value(polished.model) * unit, solved.bound * unit
    load = load_records(data, block)
    whole = whole_record(solved, polished, value / unit)
    bill = bill_of_materials(data, polished.model)
    pools = [pool_record(scenario, data, pool, block, load) for pool in data.pools]
    design = Design(
        status=status,
        stopped_by=stopped_by,
        objective={
            "name": solved.objective.id,
            "title": solved.objective.name,
            "unit": solved.objective.unit,
            "sense": "max" if solved.objective.sense > 0 else "min",
            "value": value,
            "bound": bound,
            "gap": relative_gap(polished.proven(solved.objective.sense, value / unit) * unit, bound)
            if whole["on"]
            else relative_gap(value, bound),
            "unpolished": solved.value * unit,
            "loss_frac": solved.objective.sense * (1.0 - _in_parts(polished) / solved.value) if solved.value else 0.0,
        },
        study=scenario.study.to_dict(),
        catalog=used_rows(data),
        assumptions=assumption_records(scenario),
        bill_of_materials=bill,
        pools=[p for p in pools if p["quantity"] > 0],
        load=load,
        placement=placement_records(data, block, load),
        network=network_record(data, block),
        whole=whole,
        limits=limit_records(data, polished.model, load, bill),
        dropped=dropped_records(candidates.dropped),
        filtered=[{"part": f.part, "reason": f.reason} for f in scenario.filtered],
        solver={
            "versions": {name: metadata.version(name) for name in ("pyomo", "highspy", "numpy")},
            "seconds": {k: round(v, 3) for k, v in seconds.items()},
            "nodes": solved.found.nodes,
            "raw_candidates": candidates.raw_count,
            "feasible_candidates": candidates.feasible_count,
            "candidates": len(candidates.candidates),
            "columns": len(solved.data.columns),
            "rows": len(solved.program.rows),
            "lp_bound": abs(solved.found.lp_bound) * unit,
            "kinds_before_polish": polished.kinds_before,
            "kinds": polished.kinds_after,
            "queues": width_records(load),
            "lowered_widths": [{"class": c, "role": r, "width": w} for (c, r), w in scenario.widths.items()],
        },
    )
    kpis, by_model = compute_kpis(design, scenario)
    return design.replace(kpis=kpis, tokens_by_model=by_model)


def _in_parts(polished: Polished) -> float:
    """Objective of the polished design, before its replicas were made whole."""
    return polished.value if polished.in_parts is None else polished.in_parts


def _value(model: pyo.ConcreteModel) -> float:
    """Objective in model units, of what is bought in the end."""
    ratio = model.component("denominator")
    return float(pyo.value(model.numerator.expr)) / (1.0 if ratio is None else float(pyo.value(ratio.expr)))


def unbuilt(
    scenario: Scenario, candidates: CandidateSet, status: str, explanation: list[str], stopped_by: str = ""
) -> Design:
    """Return the design of a study without a build: infeasible, or stopped with nothing found."""
    return Design(
        status=status,
        stopped_by=stopped_by,
        objective={"name": scenario.study.objective.name, "value": None, "bound": None, "gap": None},
        study=scenario.study.to_dict(),
        catalog={"hash": scenario.catalog.hash, "rows": {}},
        assumptions=assumption_records(scenario),
        dropped=dropped_records(candidates.dropped),
        filtered=[{"part": f.part, "reason": f.reason} for f in scenario.filtered],
        explanation=explanation,
    )


def assumption_records(scenario: Scenario) -> list[Record]:
    """Defaults that stood in for what the study did not give, and planning assumptions on supply."""
    records: list[Record] = [
        {"path": a.path, "value": a.value, "default": a.default, "source": a.source, "confidence": a.confidence}
        for a in scenario.assumptions
    ]
    records += [
        {
            "path": f"workload.{work.id}.{field}",
            "value": getattr(work, field),
            "default": default,
            "source": "the study's choice",
            "confidence": "datasheet",
        }
        for work in scenario.workloads
        for field, default in (("promise_on", "all"), ("percentile_over", "waits"))
        if getattr(work, field) != default
    ]
    for kind, table in (("platform", scenario.study.supply.platform), ("memory", scenario.study.supply.memory)):
        records += [
            {
                "path": f"supply.{kind}.{part}",
                "value": spec.quantity,
                "default": None,
                "source": spec.note or spec.basis,
                "confidence": "estimate" if spec.basis == "assumption" else "datasheet",
            }
            for part, spec in table.items()
        ]
    return records


def dropped_records(dropped: tuple[Dropped, ...]) -> list[Record]:
    """Account of the candidates that a promise or the memory excluded."""
    return [
        {
            "class": d.workload,
            "reason": d.reason,
            "count": d.count,
            "nearest": d.nearest if math.isfinite(d.nearest) else None,
            "needed": d.needed,
            "unit": d.unit,
            "where": d.where,
        }
        for d in dropped
    ]
