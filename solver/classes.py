"""The classes of a study: each laid over its row of the catalog, checked, in SI."""

from __future__ import annotations

import math
from typing import Any

from solver.errors import Problem, closest
from solver.resolver import Resolver, si_value
from solver.servable import why_not_served
from solver.study import WorkloadSpec
from solver.workload import Workload


def workloads_of(todo: Resolver) -> tuple[Workload, ...]:
    """Merge each class of the study with its catalog row."""
    _check_served(todo)
    if todo.problems:
        return ()
    total_share = sum(w.share or 0.0 for w in todo.study.workload)
    return tuple(_workload(todo, spec, total_share) for spec in todo.study.workload)


def _check_served(todo: Resolver) -> None:
    """Record a problem for each class that cannot be served."""
    for spec in todo.study.workload:
        found = why_not_served(todo.catalog.row("workloads", spec.id), spec.model_id, todo.catalog)
        if found:
            todo.problems.append(Problem(todo.study.name, f"workload {spec.id}", *found))


def _acceptance(todo: Resolver, own: float | None) -> float:
    """Return a class's chance that a drafted token is accepted, its own or the study's; 0 where none is drafted."""
    build = todo.study.build
    if not any(build.draft_tokens):
        return 0.0
    return float(todo.default("build.draft_acceptance", build.draft_acceptance) if own is None else own)


def _check(todo: Resolver, spec: WorkloadSpec, value: dict[str, Any]) -> None:
    """Record a problem for each field that does not go with the others."""
    curve = value["reuse_curve"]
    known = {str(r["curve"]) for r in todo.catalog.rows("reuse")}
    if curve is not None and curve not in known:
        todo.problems.append(
            Problem(todo.study.name, f"workload {spec.id}", "reuse_curve", curve, "not in reuse of the catalog",
                    ", ".join(sorted(known)), closest(curve, known))
        )  # fmt: skip
    if (value["system_tokens"] or 0.0) >= value["isl_tokens"]:
        todo.problems.append(
            Problem(todo.study.name, f"workload {spec.id}", "system_tokens", str(value["system_tokens"]),
                    "leaves nothing of the prompt to a request itself", f"below isl_tokens, {value['isl_tokens']:g}")
        )  # fmt: skip
    if spec.promise_on != "all" and value["ttft_s"] is None:
        lack = "has no TTFT promise to bind"
    elif spec.promise_on == "hit" and not (curve and value["reuse_frac_max"]):
        lack = "no request of the class can hit"
    else:
        lack = ""
    if lack:
        todo.problems.append(
            Problem(todo.study.name, f"workload {spec.id}", "promise_on", spec.promise_on, lack, "all")
        )
    if spec.percentile_over == "lengths" and (value["ttft_s"] is None or spec.promise_on == "per_1k_new_tokens"):
        lack = "has no TTFT promise" if value["ttft_s"] is None else "is promised by its new tokens already"
        todo.problems.append(
            Problem(todo.study.name, f"workload {spec.id}", "percentile_over", spec.percentile_over, lack, "waits")
        )


def _workload(todo: Resolver, spec: WorkloadSpec, total_share: float) -> Workload:
    """Lay what the study says of a class over its row."""
    row = todo.catalog.row("workloads", spec.id)
    value = {name: getattr(spec, name) for name in type(spec).model_fields}
    value = {name: row.get(name) if item is None else item for name, item in value.items()}
    _check(todo, spec, value)
    curve = value["reuse_curve"]
    most = next((m.get("max_context") for m in todo.catalog.rows("models") if m["id"] == value["model_id"]), None)
    longest = (math.inf if most is None else float(most)) - value["osl_tokens"]
    return Workload(
        id=spec.id,
        name=str(row["name"]),
        model_id=value["model_id"],
        isl=value["isl_tokens"],
        osl=value["osl_tokens"],
        isl_cv=value["isl_cv"] or 0.0,
        osl_cv=value["osl_cv"] or 0.0,
        reuse_frac_max=(value["reuse_frac_max"] or 0.0) if curve else 0.0,
        reuse_curve=curve,
        arrival_cv=1.0 if value["arrival_cv"] is None else value["arrival_cv"],
        ttft_s=value["ttft_s"],
        tpot_s=value["tpot_s"],
        percentile=value["percentile"] or 0.5,
        promise_on=spec.promise_on,
        percentile_over=spec.percentile_over,
        longest_isl=max(longest, value["isl_tokens"]),
        weight_precisions=tuple(value["weight_precisions"]),
        kv_precision=value["kv_precision"],
        kv_read_frac=value["kv_read_frac"] or 1.0,
        value_per_token=value["value_per_token"] or 1.0,
        requests_per_s=(spec.requests_per_s or 0.0) if spec.share is None else spec.share / total_share,
        price_usd_per_token=si_value("price_usd_per_million_tokens", value["price_usd_per_million_tokens"]),
        unmet_usd_per_request=value["unmet_usd_per_request"],
        system_tokens=value["system_tokens"] or 0.0,
        draft_acceptance=_acceptance(todo, value["draft_acceptance"]),
    )
