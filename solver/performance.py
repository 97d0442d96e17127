"""Performance of operating points: whole arrays by `evaluate`, one by `predict`.

A point is a model on a replica of accelerators in a role. A single prediction is an array of one, so that a
table of points and single points can never differ.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from solver.errors import InputError, Problem, closest
from solver.estimators import aiconfigurator
from solver.estimators.protocol import Estimate, Question
from solver.evaluation import evaluate
from solver.parts import Accelerator, Model, PartT, Platform, Precision
from solver.physics.calibration import Calibration
from solver.points import (
    EVIDENCE,
    ROLE_DECODE,
    ROLE_MIXED,
    ROLE_PREFILL,
    ROLES,
    Performance,
    Points,
    make_points,
    widest_ports,
)
from solver.units import SUFFIXES

__all__ = [
    "EVIDENCE",
    "ROLES",
    "ROLE_DECODE",
    "ROLE_MIXED",
    "ROLE_PREFILL",
    "Calibration",
    "Performance",
    "Points",
    "Prediction",
    "default_kv_precision",
    "evaluate",
    "predict",
]

ESTIMATORS = ("roofline", aiconfigurator.NAME)
"""Ways to estimate times: the project's own, and an installed package."""

_CHUNK_TOKENS = 8192
"""Tokens of a prefill pass unless told otherwise: what the calibrated runs were served with."""


ACCEPTANCE = "build.draft_acceptance"
"""Row of the defaults with the chance that a drafted token is accepted."""

MOST_DRAFTS = 8
"""Most tokens drafted in a step: acceptance falls with the place, and the form takes it as the same."""


class Parts(Protocol):
    """What `predict` needs of a catalog."""

    def rows(self, table: str, /) -> Iterable[Mapping[str, Any]]:
        """Return the rows of a table."""
        ...

    def all(self, kind: type[PartT], /) -> tuple[PartT, ...]:
        """Return all parts of a kind."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What one replica does at one operating point; low and high span 80% of the errors in its regime of evidence.

    Attributes
    ----------
    ttft_s : float
        Time to the first token of an unloaded replica: prefill, the host, and one step where the replica also
        decodes; nan for decode, where prefill happens elsewhere.
    tpot_s : float
        Time per output token; nan for prefill.
    output_tokens_per_s, input_tokens_per_s, requests_per_s : float
        Of the replica at full load; input tokens are those prefilled here.
    power_w : float
        Board power of the whole replica.
    evidence : str
        A word of `EVIDENCE`; of `solver.estimators.protocol.TAGS` where another estimator gave the times, which
        then have no range.
    kv_free_bytes, kv_bytes_per_request, weight_bytes : float
        Local memory left for KV on the replica, KV of a request, weights per accelerator.
    fits : bool
        Whether weights and the KV of the batch fit in local memory.
    """

    ttft_s: float
    ttft_s_low: float
    ttft_s_high: float
    tpot_s: float
    tpot_s_low: float
    tpot_s_high: float
    output_tokens_per_s: float
    output_tokens_per_s_low: float
    output_tokens_per_s_high: float
    input_tokens_per_s: float
    input_tokens_per_s_low: float
    input_tokens_per_s_high: float
    power_w: float
    power_w_low: float
    power_w_high: float
    requests_per_s: float
    evidence: str
    kv_free_bytes: float
    kv_bytes_per_request: float
    weight_bytes: float
    fits: bool


def predict(
    catalog: Parts,
    *,
    model: str,
    accelerator: str,
    count: int,
    precision: str,
    batch: float,
    isl: float,
    osl: float,
    tp: int | None = None,
    pp: int = 1,
    dp: int = 1,
    ep: int = 1,
    role: str = "mixed",
    engine: str | None = None,
    power_cap: float = 1.0,
    estimator: str = "roofline",
    kv_precision: str | None = None,
    cached: float = 0.0,
    kv_read_frac: float = 1.0,
    context: float | None = None,
    chunk: float = _CHUNK_TOKENS,
    draft_tokens: int = 0,
    acceptance: float | None = None,
    port_gbit_s: float | None = None,
) -> Prediction:
    """Predict one operating point.

    Parameters
    ----------
    catalog : Catalog
        With models, accelerators, precisions and calibration.
    model, accelerator, precision, kv_precision : str
        Ids; the KV precision is by default that of the weights, or the narrowest one that needs no quality
        gate.
    count : int
        Accelerators in the replica, ``tp * pp * dp``.
    batch : float
        Requests in flight over the whole replica.
    isl, osl, cached : float
        Tokens of the prompt, of the output, and of the prompt that are found in the cache.
    tp, pp, dp, ep : int
        Parallelism; tp is by default ``count / (pp * dp)``.
    role : {"prefill", "decode", "mixed"}
        What the replica does.
    engine : str, optional
        Serving engine; None for the common fit.
    power_cap, kv_read_frac : float
        Share of rated power, share of the context's keys read each step; in (0, 1].
    estimator : {"roofline", "aiconfigurator"}
        Way to estimate times; power and memory are the project's own in any case.
    context : float, optional
        Mean context while decoding; by default ``isl + osl / 2``.
    chunk : float
        Most prompt tokens in a pass.
    draft_tokens : int
        Tokens drafted before each decode step (multi-token prediction, EAGLE); 0 for no speculation.
    acceptance : float, optional
        Chance that a drafted token is accepted if the one before it was; by default the catalog's.
    port_gbit_s : float, optional
        Rate of each accelerator's scale-out port, which counts where ``tp * dp`` ranks span scale-up domains; by
        default that of the platform that gives it most.

    Raises
    ------
    InputError
        With everything that is wrong with the arguments.
    """
    calibration = Calibration.from_rows(catalog.rows("calibration"))
    problems: list[Problem] = []
    spec = _pick(catalog, Model, "model", model, problems)
    part = _pick(catalog, Accelerator, "accelerator", accelerator, problems)
    _pick(catalog, Precision, "precision", precision, problems)
    if kv_precision is not None:
        _pick(catalog, Precision, "kv_precision", kv_precision, problems)
    if engine is not None:
        _choose("engine", engine, tuple(sorted(calibration.engines)), problems)
    _choose("role", role, ROLES, problems)
    _choose("estimator", estimator, ESTIMATORS, problems)
    ranks = max(1, count // max(1, pp * dp)) if tp is None else tp
    sizes = {"tp": ranks, "pp": pp, "dp": dp, "ep": ep}
    lengths = {"batch": batch, "isl": isl, "osl": osl, "chunk": chunk}
    shares = {"power_cap": power_cap, "kv_read_frac": kv_read_frac}
    problems += _number_problems(sizes, lengths, shares, count, cached)
    accepted = default_acceptance(catalog) if acceptance is None else acceptance
    problems += _draft_problems(draft_tokens, accepted, estimator)
    if port_gbit_s is not None and not 0 < port_gbit_s < math.inf:
        problems.append(Problem("predict", "", "port_gbit_s", str(port_gbit_s), "out of range", "a number above 0"))
    if problems or spec is None or part is None:
        raise InputError(problems)
    port = (
        widest_ports(catalog.all(Platform), (part,))[0] if port_gbit_s is None else port_gbit_s * SUFFIXES["_gbit_s"][1]
    )
    if port == 0.0 and ranks * dp > part.scaleup_domain:
        message = f"{ranks * dp} ranks span scale-up domains of {part.scaleup_domain}, and no platform gives it a port"
        raise InputError([Problem("predict", "", "port_gbit_s", "", message, "a number above 0")])
    formats = tuple(catalog.all(Precision))
    places = {fmt.id: place for place, fmt in enumerate(formats)}
    weight = places[precision]
    kv = default_kv_precision(formats, weight) if kv_precision is None else places[kv_precision]
    numbers = {
        **{"model": 0, "accelerator": 0, "weight_precision": weight, "kv_precision": kv},
        **{"role": ROLES.index(role), **sizes, **shares, "batch": batch, "isl_new": isl - cached},
        **{"cached": cached, "context": isl + osl / 2.0 if context is None else context},
        **{"osl": osl, "chunk": chunk, "port_bytes_per_s": port},
        **{"draft_tokens": draft_tokens, "acceptance": accepted},
    }
    points = make_points((spec,), (part,), formats, **numbers)
    fit = calibration.for_engine(engine)
    found = _prediction(points, evaluate(points, fit), fit)
    if estimator == ESTIMATORS[0]:
        return found
    question = Question(
        model_source=spec.source, accelerator=part.id, weight_bytes=formats[weight].weight_bytes_per_param,
        kv_bytes=formats[kv].kv_bytes_per_element, role=role, tp=ranks, pp=pp, dp=dp, ep=ep, batch=batch, isl=isl,
        osl=osl, cached=cached, engine=engine or "", is_moe=bool(spec.n_experts),
    )  # fmt: skip
    return _restated(found, question, aiconfigurator.AiConfigurator().estimate(question))


def _restated(found: Prediction, question: Question, answer: Estimate) -> Prediction:
    """Return a prediction with the times and rates of another estimator."""
    if question.role == "prefill":
        rate = question.batch * question.dp * question.pp / answer.first_token_s
    else:
        rate = question.batch / (question.osl * answer.tpot_s)
    values = {
        "ttft_s": answer.first_token_s,
        "tpot_s": answer.tpot_s,
        "output_tokens_per_s": 0.0 if question.role == "prefill" else rate * question.osl,
        "input_tokens_per_s": 0.0 if question.role == "decode" else rate * (question.isl - question.cached),
    }
    ranges = {f"{name}{end}": value for name, value in values.items() for end in ("", "_low", "_high")}
    return dataclasses.replace(found, **ranges, requests_per_s=rate, evidence=answer.tag)  # type: ignore[arg-type]


def default_acceptance(catalog: Parts) -> float:
    """Return the catalog's chance that a drafted token is accepted.

    Raises
    ------
    InputError
        If the table of defaults has no such row.
    """
    found = [row["value"] for row in catalog.rows("defaults") if row["id"] == ACCEPTANCE]
    if not found:
        raise InputError([Problem("defaults", ACCEPTANCE, "value", "", "row missing", "a number from 0 to 1")])
    return float(found[0])


def _draft_problems(drafts: int, acceptance: float, estimator: str) -> list[Problem]:
    """Return what is wrong with the drafts of a prediction."""
    most = f"a whole number from 0 to {MOST_DRAFTS}"
    if drafts and estimator != ESTIMATORS[0]:
        most = f"0 with the estimator {estimator}, which does not know them"
    checks = [
        ("draft_tokens", drafts, isinstance(drafts, int) and 0 <= drafts <= MOST_DRAFTS and not (
            drafts and estimator != ESTIMATORS[0]), most),
        ("acceptance", acceptance, 0.0 <= acceptance <= 1.0, "0 to 1"),
    ]  # fmt: skip
    return [
        Problem("predict", "", name, str(value), "out of range", allowed)
        for name, value, ok, allowed in checks if not ok
    ]  # fmt: skip


def default_kv_precision(precisions: tuple[Precision, ...], weight: int) -> int:
    """Return the position of the KV precision that goes with a weight precision unless one is named.

    It is the weights' own, or where that needs a quality gate, the narrowest one that needs none.
    """
    if not precisions[weight].quality_gate:
        return weight
    open_ones = [place for place, fmt in enumerate(precisions) if not fmt.quality_gate]
    return min(open_ones, key=lambda place: precisions[place].kv_bytes_per_element, default=weight)


def _prediction(points: Points, performance: Performance, fit: Calibration) -> Prediction:
    """Return the record of the first point, with its spread."""
    value = {name: array[0].item() for name, array in vars(performance).items()}
    role = int(points.role[0])
    ttft = value["first_token_s"]
    rate, osl, new = value["requests_per_s"], float(points.osl[0]), float(points.isl_new[0])
    output = 0.0 if role == ROLE_PREFILL else rate * osl
    taken = 0.0 if role == ROLE_DECODE else rate * new
    held = value["kv_bytes_per_request"] * (float(points.batch[0]) if role != ROLE_PREFILL else 1.0)
    evidence = EVIDENCE[value["evidence"]]
    central = {
        "ttft_s": ("ttft", ttft),
        "tpot_s": ("tpot", value["tpot_s"]),
        "output_tokens_per_s": ("throughput", output),
        "input_tokens_per_s": ("throughput", taken),
        "power_w": ("power", value["power_busy_w"]),
    }
    ranges: dict[str, float] = {}
    for name, (subject, number) in central.items():
        least, greatest = fit.spread(subject, evidence)
        ranges[name] = number
        ranges[f"{name}_low"] = number / max(1.0, greatest)
        ranges[f"{name}_high"] = number / min(1.0, least)
    return Prediction(
        **ranges,
        requests_per_s=rate,
        evidence=evidence,
        kv_free_bytes=value["kv_free_bytes"],
        kv_bytes_per_request=value["kv_bytes_per_request"],
        weight_bytes=value["weight_bytes"],
        fits=value["kv_free_bytes"] >= held,
    )


def _pick(catalog: Parts, kind: type[PartT], field: str, name: str, problems: list[Problem]) -> PartT | None:
    """Return the part of this id, or note the problem with the closest id."""
    parts = {part.id: part for part in catalog.all(kind)}
    lacking = {row["id"]: kind.lacking(row) for row in catalog.rows(kind.TABLE)}
    if lacking.get(name):
        message, allowed = f"has no figure for {', '.join(lacking[name])}", f"a row of {kind.TABLE} that has them"
        problems.append(Problem("predict", "", field, str(name), message, allowed))
    elif name not in parts:
        hint, allowed = closest(name, parts), f"an id of {kind.TABLE}"
        problems.append(Problem("predict", "", field, str(name), "no such row", allowed, hint))
    return parts.get(name)


def _choose(field: str, value: str, allowed: tuple[str, ...], problems: list[Problem]) -> None:
    """Note a word that is not among the allowed ones."""
    if value not in allowed:
        hint = closest(value, allowed)
        problems.append(Problem("predict", "", field, str(value), "unknown", ", ".join(allowed), hint))


def _number_problems(
    sizes: dict[str, int], lengths: dict[str, float], shares: dict[str, float], count: int, cached: float
) -> list[Problem]:
    """Return what is wrong with the numbers of a prediction."""
    checks: list[tuple[str, float, bool, str]] = [
        (name, size, isinstance(size, int) and size > 0, "a whole number above 0") for name, size in sizes.items()
    ]
    checks += [(name, value, 0 < value < math.inf, "a number above 0") for name, value in lengths.items()]
    checks += [(name, share, 0 < share <= 1, "above 0, at most 1") for name, share in shares.items()]
    product = sizes["tp"] * sizes["pp"] * sizes["dp"]
    checks += [
        ("count", count, count == product, f"tp * pp * dp = {product}"),
        ("cached", cached, 0 <= cached < lengths["isl"], "0 to below isl"),
    ]
    return [
        Problem("predict", "", name, str(value), "out of range", allowed)
        for name, value, ok, allowed in checks
        if not ok
    ]
