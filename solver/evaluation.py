"""Times, rates, watts and bytes of an array of operating points.

Everything is vectorised: there is no loop over points, only over the handful of distinct parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solver.errors import InputError, Problem
from solver.parts import Accelerator, Part, Precision
from solver.physics.arrays import BoolArray, FloatArray, IntArray
from solver.physics.calibration import Calibration, generation
from solver.physics.coefficients import TimeCoefficients
from solver.physics.energy import Use, board_power_w, capped_rate
from solver.physics.exchange import crossings_s
from solver.physics.kv import kv_shard
from solver.physics.overhead import decode_overhead_s, first_token_wait_s, launches_s, running_s
from solver.physics.rank import Rank, weight_bytes
from solver.physics.roofline import Prompt, Reads, Speculation, Steps, Work, prefill_work, step_work
from solver.physics.transformer import Architecture, architecture
from solver.points import EVIDENCE, ROLE_DECODE, ROLE_MIXED, ROLE_PREFILL, Performance, Points


@dataclass(frozen=True)
class Layout:
    """Points as ranks and pieces of work: all that times depend on and no coefficient touches.

    Attributes
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    micro : array
        Requests in a microbatch: the batch over the pipeline stages, at least 1.
    begun : array
        Prompts begun in a step on each attention-data group; 0 where prefill happens elsewhere.
    reads, prompt : Reads, Prompt
        What a request attends to, and what is prefilled for it.
    prompts, passes : array
        Prompts packed on each group, and passes they take.
    speculation : Speculation
        Tokens drafted, and tokens that a step yields.
    """

    model: Architecture
    rank: Rank
    micro: FloatArray
    begun: FloatArray
    reads: Reads
    prompt: Prompt
    prompts: FloatArray
    passes: FloatArray
    speculation: Speculation


@dataclass(frozen=True)
class Clock:
    """Times of all points with the work behind them.

    Attributes
    ----------
    steps : Steps
        Decode steps of one microbatch, without overhead.
    prefill : Work
        The packed prompts, without overhead.
    mean_s : array
        The mean step, prefill beside it included.
    step_s, tpot_s, prefill_s, first_token_s : array
        As in `Performance`, whatever the role.
    """

    steps: Steps
    prefill: Work
    mean_s: FloatArray
    step_s: FloatArray
    tpot_s: FloatArray
    prefill_s: FloatArray
    first_token_s: FloatArray


def layout(points: Points, gamma_prefill: float = 0.0, gamma_decode: float = 0.0) -> Layout:
    """Return the points as ranks and work, power caps applied to rates and bandwidth."""
    new = np.maximum(points.isl_new, 1.0)
    prompts = np.where(points.role == ROLE_PREFILL, np.maximum(points.batch, 1.0), 1.0)
    micro = np.maximum(1.0, points.batch / points.pp)
    speculation = Speculation.of(points.draft_tokens, points.acceptance)
    begun = micro * speculation.tokens / (points.dp * points.osl)
    return Layout(
        model=architecture(points.models).take(points.model),
        rank=_rank(points, gamma_prefill, gamma_decode),
        micro=micro,
        begun=np.where(points.role == ROLE_MIXED, begun, 0.0),
        reads=Reads(points.context, points.kv_read_frac),
        prompt=Prompt(new, points.cached, points.chunk),
        prompts=prompts,
        passes=np.ceil(prompts * new / points.chunk),
        speculation=speculation,
    )


def clock(at: Layout, k: TimeCoefficients) -> Clock:
    """Return the times of all points.

    ``tpot = (overhead + mean step + launch_share launches prefilling) / tokens of a step``: the passes that carry
    prompts are launched kernel by kernel. ``prefill = work + (launch_share launches + crossings) passes``, and the
    first token of the prompt waits for the hidden launches, for the host, and on a replica that decodes for one step.
    """
    model, rank = at.model, at.rank
    steps = step_work(model, rank, at.micro, at.reads, at.begun, at.prompt, k, at.speculation)
    prefill = prefill_work(model, rank, at.prompts, at.prompt, at.passes, k)
    overhead = decode_overhead_s(model, rank, np.maximum(1.0, at.micro / rank.dp), k, at.speculation.drafts)
    launch = launches_s(model, rank, k)
    step = overhead + steps.pure.time_s
    mean = overhead + steps.mean.time_s + k.launch_share * launch * steps.prefilling
    busy = prefill.time_s + (k.launch_share * launch + crossings_s(model, rank, k)) * at.passes
    return Clock(
        steps=steps,
        prefill=prefill,
        step_s=step,
        mean_s=mean,
        tpot_s=mean / at.speculation.tokens,
        prefill_s=busy,
        first_token_s=busy + first_token_wait_s(model, launch * at.passes, k),
    )


def evaluate(points: Points, calibration: Calibration) -> Performance:
    """Return times, rates, watts and bytes of all points.

    Pipeline stages each work on their own microbatch: a step is as long as all layers take on ``tp * dp``
    ranks with ``batch / pp`` requests, and the replica finishes `batch` requests in that time.

    Raises
    ------
    InputError
        If a model lacks what its times depend on.
    """
    fit, alone, apart = calibration, points.role == ROLE_PREFILL, points.role == ROLE_DECODE
    at = layout(points, fit.gamma_prefill, fit.gamma_decode)
    overhead = fit.times.overhead * _by_part(points, fit.overheads)
    fitted = dataclasses.replace(fit.times, overhead=overhead)
    times = clock(at, fitted)
    rate = np.where(
        alone,
        at.prompts * points.dp * points.pp / times.prefill_s,
        points.batch / (points.osl * times.tpot_s),
    )
    nan = np.full(len(rate), np.nan)
    first = times.first_token_s
    if (points.asked_new != points.isl_new).any() or (points.asked_cached != points.cached).any():
        asked = dataclasses.replace(points, isl_new=points.asked_new, cached=points.asked_cached)
        first = clock(layout(asked, fit.gamma_prefill, fit.gamma_decode), fitted).first_token_s
    first = first + np.where(alone, 0.0, times.step_s)
    return Performance(
        decode_step_s=np.where(alone, nan, times.step_s),
        prefill_s=times.prefill_s,
        first_token_s=np.where(apart, nan, first),
        tpot_s=np.where(alone, nan, times.tpot_s),
        requests_per_s=rate,
        power_busy_w=_power(points, at, times, np.where(alone, times.prefill_s, times.mean_s), fitted, fit),
        power_idle_w=points.count * _gather(points.accelerators, points.accelerator, "idle_w"),
        link_busy_frac=np.where(alone, times.prefill.link_s / times.prefill_s, times.steps.mean.link_s / times.mean_s),
        port_busy_frac=np.where(alone, times.prefill.port_s / times.prefill_s, times.steps.mean.port_s / times.mean_s),
        evidence=_evidence(points, calibration),
        **_memory(points, at, calibration),
    )


def _by_part(points: Points, factors: Mapping[str, float]) -> FloatArray:
    """Return the factor of the generation of each point's accelerator, 1 for those without one."""
    return np.array([factors.get(generation(part), 1.0) for part in points.accelerators])[points.accelerator]


def _gather(parts: Sequence[Part], index: IntArray, name: str) -> FloatArray:
    """Return one attribute of the part of each point; an empty cell of the catalog is an error."""
    gaps = [part for part in parts if getattr(part, name) is None]
    if gaps:
        message = "needed to predict times and power, and missing in the catalog"
        raise InputError([Problem(part.TABLE, part.id, name, "", message, "a number") for part in gaps])
    return np.array([getattr(part, name) for part in parts], dtype=np.float64)[index]


def _rank(points: Points, gamma_prefill: float, gamma_decode: float) -> Rank:
    """Return what one rank of each point computes and reads with, under its power cap."""
    native = [[_native_rate(acc, fmt) for fmt in points.precisions] for acc in points.accelerators]
    peak = np.array(native, dtype=np.float64)[points.accelerator, points.weight_precision]
    wide = _gather(points.accelerators, points.accelerator, "bf16_dense_flop_per_s")
    bandwidth = _gather(points.accelerators, points.accelerator, "mem_bw_bytes_per_s")
    return Rank(
        bandwidth=capped_rate(bandwidth, points.power_cap, gamma_decode),
        weight_rate=capped_rate(peak, points.power_cap, gamma_prefill),
        wide_rate=capped_rate(wide, points.power_cap, gamma_prefill),
        weight_bytes=_gather(points.precisions, points.weight_precision, "weight_bytes_per_param"),
        kv_bytes=_gather(points.precisions, points.kv_precision, "kv_bytes_per_element"),
        link=_gather(points.accelerators, points.accelerator, "scaleup_bytes_per_s"),
        port=points.port_bytes_per_s,
        domain=_gather(points.accelerators, points.accelerator, "scaleup_domain"),
        tp=points.tp.astype(np.float64),
        dp=points.dp.astype(np.float64),
        ep=points.ep.astype(np.float64),
    )


def _native_rate(accelerator: Accelerator, precision: Precision) -> float:
    """Return the first rate of the precision's order that the accelerator has natively."""
    for word in precision.compute_order:
        rate = getattr(accelerator, f"{word}_dense_flop_per_s")
        if rate:
            return float(rate)
    return float(accelerator.bf16_dense_flop_per_s)


def busy_use(points: Points, at: Layout, times: Clock, time_s: FloatArray, k: TimeCoefficients) -> Use:
    """Return the use of memory bandwidth, compute rate and time while a point is busy, against uncapped peaks.

    Parameters
    ----------
    points : Points
        N points.
    at, times : Layout, Clock
        Theirs.
    time_s : array (N,)
        Time of one prefill for the prefill role, of one step for the others.
    k : TimeCoefficients
        What the times come from.
    """
    alone = points.role == ROLE_PREFILL
    prompt, step = times.prefill, times.steps.mean
    moved, flops = np.where(alone, prompt.bytes, step.bytes), np.where(alone, prompt.flops, step.flops)
    requests = np.maximum(1.0, at.micro / at.rank.dp)
    running = np.where(
        alone,
        prompt.time_s - prompt.link_s / k.link_frac,
        step.time_s - step.link_s / k.link_frac + running_s(at.model, at.rank, requests, k),
    )
    stages = np.where(alone, 1.0, np.minimum(1.0, points.batch / points.pp))
    peak = _rank(points, 0.0, 0.0)
    return Use(
        memory=stages * moved / (time_s * peak.bandwidth),
        compute=stages * flops / (time_s * peak.weight_rate),
        running=stages * np.minimum(1.0, running / time_s),
    )


def _power(
    points: Points, at: Layout, times: Clock, time_s: FloatArray, k: TimeCoefficients, fit: Calibration
) -> FloatArray:
    """Return the power of all boards while busy: bytes, FLOPs and running kernels over the real time they take."""
    activity = _by_part(points, fit.activities)
    shares = (fit.power_floor, fit.power_memory, fit.power_compute, fit.power_busy)
    board = board_power_w(
        _gather(points.accelerators, points.accelerator, "idle_w"),
        _gather(points.accelerators, points.accelerator, "tdp_w"),
        busy_use(points, at, times, time_s, k),
        (shares[0] * activity, shares[1] * activity, shares[2] * activity, shares[3] * activity),
        points.power_cap,
    )
    return np.asarray(points.count * board)


def _memory(points: Points, at: Layout, fit: Calibration) -> dict[str, FloatArray]:
    """Return the byte fields of `Performance`."""
    kv, width = at.model.kv, at.rank.kv_bytes
    prefilling = points.role == ROLE_PREFILL
    prompt = points.isl_new + points.cached
    copies = kv_shard(points.tp, at.model.kv_heads) * points.tp
    held = np.where(prefilling, prompt, points.context)
    drafting = at.speculation.kept_share(at.model.layers)
    growing = (kv.private_bytes(held, points.shared, width) - kv.state_bytes) * (1.0 + drafting)
    shared = (1.0 + drafting) * kv.copy_bytes(points.shared, width) * copies * points.dp * (1.0 + fit.kv_paging_frac)
    weights = weight_bytes(at.model, at.rank, drafting) / points.pp
    chunk = np.where(points.role == ROLE_DECODE, 0.0, np.minimum(points.chunk, at.prompts * points.isl_new))
    tokens = chunk + np.where(prefilling, 0.0, at.micro / points.dp * at.speculation.rows)
    hbm = np.array([accelerator.hbm_bytes for accelerator in points.accelerators])[points.accelerator]
    spare = hbm * fit.hbm_usable_frac - fit.graph_buffers_bytes
    activations = tokens * at.model.hidden * fit.activation_bytes_per_value
    read = kv.read_bytes(points.context, width, points.kv_read_frac) * copies + 2.0 * kv.state_bytes
    return {
        "weight_bytes": weights,
        "kv_bytes_per_request": (growing * copies + kv.state_bytes) * (1.0 + fit.kv_paging_frac),
        "kv_transfer_bytes": kv.private_bytes(prompt, points.shared, width),
        "asked_transfer_bytes": kv.private_bytes(points.asked_new + points.asked_cached, points.shared, width),
        "kv_free_bytes": points.count * (spare - weights - activations) - shared,
        "kv_step_read_bytes": points.batch * read,
    }


def _evidence(points: Points, fit: Calibration) -> IntArray:
    """Return how far each point lies from the measurements: family, part, length or size, and drafts."""
    families = np.array([model.family in fit.families for model in points.models])[points.model]
    parts = np.array([part.id in fit.accelerators for part in points.accelerators])[points.accelerator]
    within: BoolArray = points.isl_new + points.cached <= fit.evidence_isl
    within &= (points.count <= fit.evidence_count) & (points.batch <= fit.evidence_batch)
    outside = (~families).astype(np.int64) + ~parts + ~within + (points.draft_tokens > 0)
    return np.asarray(np.minimum(outside, len(EVIDENCE) - 1), dtype=np.int64)
