"""Times, rates, watts and bytes of an array of operating points.

Everything is vectorised: there is no loop over points, only over the handful of distinct parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.errors import InputError, Problem
from solver.parts import Accelerator, Part, Precision
from solver.physics.arrays import BoolArray, FloatArray, IntArray
from solver.physics.calibration import Calibration
from solver.physics.energy import board_power_w, capped_rate
from solver.physics.kv import kv_shard
from solver.physics.overhead import decode_step_s, interference_s, layer_overhead_s
from solver.physics.roofline import Rank, Work, decode_work, prefill_work, weight_bytes
from solver.physics.transformer import Architecture, architecture
from solver.points import EVIDENCE, ROLE_DECODE, ROLE_MIXED, ROLE_PREFILL, Performance, Points


@dataclass(frozen=True)
class Rooflines:
    """The part of a prediction that no fitted time coefficient touches; calibration fits on it.

    Attributes
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    decode : Work
        A decode step of one microbatch.
    prefill : Work
        `prompts` prompts on each attention-data group, in `passes` passes.
    micro : array
        Requests in a microbatch: the batch over the pipeline stages, at least 1.
    prompts, passes : array
        Prompts packed on each group, and passes they take.
    """

    model: Architecture
    rank: Rank
    decode: Work
    prefill: Work
    micro: FloatArray
    prompts: FloatArray
    passes: FloatArray


def rooflines(
    points: Points, experts_effective: float, gamma_prefill: float = 0.0, gamma_decode: float = 0.0
) -> Rooflines:
    """Return the roofline times, bytes and FLOPs per rank of every point."""
    model = architecture(points.models).take(points.model)
    rank = _rank(points, experts_effective, gamma_prefill, gamma_decode)
    new = np.maximum(points.isl_new, 1.0)
    prompts = np.where(points.role == ROLE_PREFILL, np.maximum(points.batch, 1.0), 1.0)
    passes = np.ceil(prompts * new / points.chunk)
    micro = np.maximum(1.0, points.batch / points.pp)
    return Rooflines(
        model=model,
        rank=rank,
        decode=decode_work(model, rank, micro, points.context, points.kv_read_frac),
        prefill=prefill_work(model, rank, prompts, new, points.cached, passes),
        micro=micro,
        prompts=prompts,
        passes=passes,
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
    fit, prefill_role = calibration, points.role == ROLE_PREFILL
    roof = rooflines(points, fit.experts_effective_frac, fit.gamma_prefill, fit.gamma_decode)
    overhead = layer_overhead_s(
        roof.model.layers,
        points.tp * points.dp,
        (points.dp > 1) & (roof.model.is_moe > 0.0),
        fit.per_layer_s,
        fit.per_doubling_s,
        fit.per_dispatch_s,
    )
    local = roof.micro / points.dp
    requests = np.maximum(1.0, local)
    step = decode_step_s(
        overhead, requests, roof.model.layers, fit.per_request_s, roof.decode.time_s, fit.decode_factor
    )
    prefill = overhead * roof.passes + fit.prefill_factor * roof.prefill.time_s
    lanes = points.dp * points.pp
    mixed = points.role == ROLE_MIXED
    prefilling = np.where(mixed, local, 0.0)
    tpot = step + interference_s(fit.prefill_factor * roof.prefill.time_s, prefilling, points.osl)
    pass_share = points.isl_new / points.chunk
    busiest = lanes / (overhead * pass_share + fit.prefill_factor * roof.prefill.time_s)
    decoded = points.batch / (points.osl * tpot)
    served = np.where(mixed, np.minimum(decoded, busiest), decoded)
    rate = np.where(prefill_role, roof.prompts * lanes / prefill, served)
    nan = np.full(len(step), np.nan)
    return Performance(
        decode_step_s=np.where(prefill_role, nan, step),
        prefill_s=prefill,
        tpot_s=np.where(prefill_role, nan, tpot),
        requests_per_s=rate,
        power_busy_w=_power(points, roof, np.where(prefill_role, prefill, tpot), fit),
        power_idle_w=points.count * _gather(points.accelerators, points.accelerator, "idle_w"),
        link_busy_frac=np.where(prefill_role, roof.prefill.exchange_s / prefill, roof.decode.exchange_s / step),
        evidence=_evidence(points, calibration),
        **_memory(points, roof, calibration),
    )


def _gather(parts: Sequence[Part], index: IntArray, name: str) -> FloatArray:
    """Return one attribute of the part of each point; an empty cell of the catalog is an error."""
    gaps = [part for part in parts if getattr(part, name) is None]
    if gaps:
        message = "needed to predict times and power, and missing in the catalog"
        raise InputError([Problem(part.TABLE, part.id, name, "", message, "a number") for part in gaps])
    return np.array([getattr(part, name) for part in parts], dtype=np.float64)[index]


def _rank(points: Points, experts_effective: float, gamma_prefill: float, gamma_decode: float) -> Rank:
    """Return what one rank of each point computes and reads with, under its power cap."""

    def rate(precision: IntArray) -> FloatArray:
        table = [[_native_rate(acc, fmt) for fmt in points.precisions] for acc in points.accelerators]
        peak = np.array(table, dtype=np.float64)[points.accelerator, precision]
        return capped_rate(peak, points.power_cap, gamma_prefill)

    bandwidth = _gather(points.accelerators, points.accelerator, "mem_bw_bytes_per_s")
    return Rank(
        bandwidth=capped_rate(bandwidth, points.power_cap, gamma_decode),
        weight_rate=rate(points.weight_precision),
        attention_rate=rate(points.kv_precision),
        weight_bytes=_gather(points.precisions, points.weight_precision, "weight_bytes_per_param"),
        kv_bytes=_gather(points.precisions, points.kv_precision, "kv_bytes_per_element"),
        link=_gather(points.accelerators, points.accelerator, "scaleup_bytes_per_s"),
        tp=points.tp.astype(np.float64),
        dp=points.dp.astype(np.float64),
        ep=points.ep.astype(np.float64),
        experts_effective=experts_effective,
    )


def _native_rate(accelerator: Accelerator, precision: Precision) -> float:
    """Return the first rate of the precision's order that the accelerator has natively."""
    for word in precision.compute_order:
        rate = getattr(accelerator, f"{word}_dense_flop_per_s")
        if rate:
            return float(rate)
    return float(accelerator.bf16_dense_flop_per_s)


def busy_use(points: Points, calibration: Calibration, time_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the share of memory bandwidth and of the compute rate in use while a point is busy.

    Parameters
    ----------
    points : Points
        N points.
    calibration : Calibration
        Its effective experts and cap exponents.
    time_s : array (N,)
        Time of one prefill for the prefill role, of one output token for the others.
    """
    fit = calibration
    roof = rooflines(points, fit.experts_effective_frac, fit.gamma_prefill, fit.gamma_decode)
    return _use(points, roof, time_s)


def _use(points: Points, roof: Rooflines, time_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return bytes/s over peak bandwidth and FLOP/s over the peak rate, uncapped, while busy."""
    prefilling = points.role == ROLE_PREFILL
    per_step = np.where(points.role == ROLE_MIXED, roof.micro / (points.dp * points.osl), 0.0)
    moved = np.where(prefilling, roof.prefill.bytes, roof.decode.bytes + per_step * roof.prefill.bytes)
    flops = np.where(prefilling, roof.prefill.flops, roof.decode.flops + per_step * roof.prefill.flops)
    stages = np.where(prefilling, 1.0, np.minimum(1.0, points.batch / points.pp))
    peak = _rank(points, 1.0, 0.0, 0.0)
    return stages * moved / (time_s * peak.bandwidth), stages * flops / (time_s * peak.weight_rate)


def _power(points: Points, roof: Rooflines, time_s: FloatArray, fit: Calibration) -> FloatArray:
    """Return the power of all boards while busy: bytes and FLOPs over the real time they take."""
    board = board_power_w(
        _gather(points.accelerators, points.accelerator, "idle_w"),
        _gather(points.accelerators, points.accelerator, "tdp_w"),
        *_use(points, roof, time_s),
        (fit.power_floor, fit.power_memory, fit.power_compute),
        points.power_cap,
    )
    return np.asarray(points.count * board)


def _memory(points: Points, roof: Rooflines, fit: Calibration) -> dict[str, FloatArray]:
    """Return the byte fields of `Performance`."""
    kv, width = roof.model.kv, roof.rank.kv_bytes
    prefilling = points.role == ROLE_PREFILL
    prompt = points.isl_new + points.cached
    copies = kv_shard(points.tp, roof.model.kv_heads) * points.tp
    held = np.where(prefilling, prompt, points.context)
    growing = kv.private_bytes(held, points.shared, width) - kv.state_bytes
    shared = kv.copy_bytes(points.shared, width) * copies * points.dp * (1.0 + fit.kv_paging_frac)
    weights = weight_bytes(roof.model, roof.rank) / points.pp
    chunk = np.where(points.role == ROLE_DECODE, 0.0, np.minimum(points.chunk, roof.prompts * points.isl_new))
    tokens = chunk + np.where(prefilling, 0.0, roof.micro / points.dp)
    hbm = np.array([accelerator.hbm_bytes for accelerator in points.accelerators])[points.accelerator]
    spare = hbm * fit.hbm_usable_frac - fit.graph_buffers_bytes
    activations = tokens * roof.model.hidden * fit.activation_bytes_per_value
    read = kv.read_bytes(points.context, width, points.kv_read_frac) * copies + 2.0 * kv.state_bytes
    return {
        "weight_bytes": weights,
        "kv_bytes_per_request": (growing * copies + kv.state_bytes) * (1.0 + fit.kv_paging_frac),
        "kv_transfer_bytes": kv.private_bytes(prompt, points.shared, width),
        "kv_free_bytes": points.count * (spare - weights - activations) - shared,
        "kv_step_read_bytes": points.batch * read,
    }


def _evidence(points: Points, fit: Calibration) -> IntArray:
    """Return how far each point lies from the measurements: family, part, and length or size."""
    families = np.array([model.family in fit.families for model in points.models])[points.model]
    parts = np.array([part.id in fit.accelerators for part in points.accelerators])[points.accelerator]
    within: BoolArray = points.isl_new + points.cached <= fit.evidence_isl
    within &= (points.count <= fit.evidence_count) & (points.batch <= fit.evidence_batch)
    outside = (~families).astype(np.int64) + ~parts + ~within
    return np.asarray(np.minimum(outside, len(EVIDENCE) - 1), dtype=np.int64)
