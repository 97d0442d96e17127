"""Operating points and what is predicted for them, as structs of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.parts import Accelerator, Model, Platform, Precision
from solver.physics.arrays import FloatArray, IntArray

ROLE_PREFILL, ROLE_DECODE, ROLE_MIXED = 0, 1, 2
ROLES = ("prefill", "decode", "mixed")
EVIDENCE = ("measured", "extrapolated", "none")
"""Words for the evidence codes: within the measurements, one step outside, further."""


@dataclass(frozen=True)
class Points:
    """Operating points as a struct of arrays; every array has shape (N,).

    Attributes
    ----------
    models, accelerators, precisions : tuple
        The distinct parts that the index arrays point into.
    model, accelerator, weight_precision, kv_precision : int array
        Indices.
    role : int array
        ROLE_PREFILL, ROLE_DECODE or ROLE_MIXED.
    tp, pp, dp, ep : int array
        Tensor, pipeline, attention-data and expert parallelism; a replica has ``tp * pp * dp`` accelerators.
    batch : array
        Requests in flight over the whole replica; for prefill, prompts packed into one pass of each group.
    isl_new, cached : array
        Prompt tokens to prefill and prompt tokens found in the cache.
    context : array
        Residency-weighted mean context while decoding.
    osl : array
        Output tokens per request.
    power_cap : array
        Share of rated power.
    kv_read_frac : array
        Share of the context's keys read each decode step.
    chunk : array
        Most prompt tokens in one pass.
    shared : array
        Tokens at the start of every prompt that are the same (tools and system prompt): kept once by each
        attention-data group, not once a request.
    draft_tokens : array
        Tokens drafted before each decode step, which verifies them all and one more; 0 for no speculation.
    acceptance : array
        Chance that a drafted token is accepted if the one before it was.
    port_bytes_per_s : array
        What the scale-out port of one accelerator carries in each direction, for replicas beyond a scale-up domain.
    asked_new, asked_cached : array
        As `isl_new` and `cached`, of the request whose first token is asked for; it may be longer than the mean one.
    """

    models: tuple[Model, ...]
    accelerators: tuple[Accelerator, ...]
    precisions: tuple[Precision, ...]
    model: IntArray
    accelerator: IntArray
    weight_precision: IntArray
    kv_precision: IntArray
    role: IntArray
    tp: IntArray
    pp: IntArray
    dp: IntArray
    ep: IntArray
    batch: FloatArray
    isl_new: FloatArray
    cached: FloatArray
    context: FloatArray
    osl: FloatArray
    power_cap: FloatArray
    kv_read_frac: FloatArray
    chunk: FloatArray
    shared: FloatArray
    draft_tokens: FloatArray
    acceptance: FloatArray
    port_bytes_per_s: FloatArray
    asked_new: FloatArray
    asked_cached: FloatArray

    @property
    def count(self) -> IntArray:
        """Accelerators in a replica."""
        return self.tp * self.pp * self.dp


@dataclass(frozen=True)
class Performance:
    """What `evaluate` returns: arrays of shape (N,), SI units, per replica.

    Attributes
    ----------
    decode_step_s : array
        Pure decode step at `batch`, with its drafts; nan for prefill.
    prefill_s : array
        Time that prefilling one request (one pack of requests for prefill) keeps the replica busy, while each
        attention-data group and each pipeline stage works on another.
    first_token_s : array
        From the arrival of the request asked for at an unloaded replica to its first token: its prefill, what goes
        on beside it on the host, and one step where the replica also decodes; nan for decode.
    tpot_s : array
        Time per output token: the decode step, in mixed replicas with its share of prefill, over the tokens that
        it yields; nan for prefill.
    requests_per_s : array
        At full load: ``batch / (osl * tpot)``; for prefill
        ``batch * dp * pp / prefill_s``.
    power_busy_w, power_idle_w : array
        Board power of all accelerators, while busy and idle.
    weight_bytes : array
        Per accelerator.
    kv_bytes_per_request : array
        Local memory one request takes on the replica, copies and paging included, shared tokens not: at `context`,
        for prefill at the length of the prompt.
    kv_transfer_bytes : array
        One copy of the prompt's KV without shared tokens, which is handed over or parked.
    asked_transfer_bytes : array
        The same of the request whose first token is asked for.
    kv_free_bytes : array
        Local memory left for KV on the whole replica beside weights and shared tokens; negative where they do not fit.
    kv_step_read_bytes : array
        KV bytes that a decode step reads over the whole replica, copies included.
    link_busy_frac : array
        Share of the peak scale-up bandwidth that activations take on average while the replica is busy.
    port_busy_frac : array
        The same share of the accelerators' scale-out ports, 0 inside one scale-up domain.
    evidence : int array
        Index into `EVIDENCE`.
    """

    decode_step_s: FloatArray
    prefill_s: FloatArray
    first_token_s: FloatArray
    tpot_s: FloatArray
    requests_per_s: FloatArray
    power_busy_w: FloatArray
    power_idle_w: FloatArray
    weight_bytes: FloatArray
    kv_bytes_per_request: FloatArray
    kv_transfer_bytes: FloatArray
    asked_transfer_bytes: FloatArray
    kv_free_bytes: FloatArray
    kv_step_read_bytes: FloatArray
    link_busy_frac: FloatArray
    port_busy_frac: FloatArray
    evidence: IntArray

    def take(self, rows: NDArray[np.intp]) -> Performance:
        """Return some rows."""
        return Performance(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


def widest_ports(platforms: Iterable[Platform], accelerators: Sequence[Accelerator]) -> tuple[float, ...]:
    """Return by accelerator the bytes/s of its scale-out port in the platform that gives it most, 0 without one."""
    rates = dict.fromkeys((part.id for part in accelerators), 0.0)
    for platform in platforms:
        if platform.accelerator_id in rates and platform.accelerators > 0:
            rate = platform.nic_count * platform.nic_bytes_per_s / platform.accelerators
            rates[platform.accelerator_id] = max(rates[platform.accelerator_id], rate)
    return tuple(rates.values())


_INDICES = frozenset("model accelerator weight_precision kv_precision role tp pp dp ep".split())

_OPTIONAL = ("shared", "draft_tokens", "acceptance")


def make_points(
    models: tuple[Model, ...],
    accelerators: tuple[Accelerator, ...],
    precisions: tuple[Precision, ...],
    **columns: Any,
) -> Points:
    """Return points from columns: arrays or scalars, broadcast to one length.

    `shared`, `draft_tokens` and `acceptance` are 0, and the request asked for is the mean one, unless given.

    Raises
    ------
    KeyError, TypeError
        If a column is missing, or unknown.
    ValueError
        If the columns do not broadcast.
    """
    columns = {**dict.fromkeys(_OPTIONAL, 0.0), **columns}
    for asked, mean in (("asked_new", "isl_new"), ("asked_cached", "cached")):
        if mean in columns:
            columns.setdefault(asked, columns[mean])
    names = [field.name for field in dataclasses.fields(Points)][3:]
    arrays = [np.asarray(columns.pop(name), dtype=np.int64 if name in _INDICES else np.float64) for name in names]
    whole = [np.atleast_1d(array) for array in np.broadcast_arrays(*arrays)]
    return Points(models, accelerators, precisions, *whole, **columns)
