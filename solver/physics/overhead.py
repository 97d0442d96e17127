"""Launches and host work that no byte or FLOP explains, from the number of kernels of each layer kind.

Decode steps replay captured graphs: a kernel costs its start and tail. Prefill passes launch kernel by
kernel from the host, of which only a share is not hidden behind the work of the pass before.
"""

from __future__ import annotations

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike
from solver.physics.coefficients import TimeCoefficients
from solver.physics.exchange import collectives_s, crossings_s
from solver.physics.rank import Rank
from solver.physics.transformer import Architecture

_ATTENTION_KERNELS = 6.0
"""Norm, query-key-value product, rotary embedding and KV write, attention, its reduction, output product."""

_FFN_KERNELS = 4.0
"""Norm, gate and up product, activation, down product."""


def kernels(model: Architecture, rank: Rank, k: TimeCoefficients) -> FloatArray:
    """Return the kernels of one pass through all layers."""
    attention = model.attention_layers * (_ATTENTION_KERNELS + k.latent_kernels * model.latent)
    linear = model.linear_layers * (_ATTENTION_KERNELS + k.linear_kernels)
    ffn = model.dense_layers * _FFN_KERNELS + model.expert_layers * (_FFN_KERNELS + k.expert_kernels)
    return np.asarray(attention + linear + ffn + k.quantising_kernels * rank.quantised * model.layers)


def decode_overhead_s(
    model: Architecture, rank: Rank, requests: FloatLike, k: TimeCoefficients, drafts: FloatLike = 0.0
) -> FloatArray:
    """Return what a decode step takes beyond its bytes and FLOPs, with `requests` requests on a rank.

    ``(h (kernel_s kernels + collectives) + crossings) (1 + drafts / layers) + h host_step_s + host_request_s r`` for r
    requests: each draft launches the kernels of a layer, from the same captured graph, and the network between domains
    is that of no engine and no generation.
    """
    passes = 1.0 + np.asarray(drafts) / model.layers
    captured = (k.kernel_s * kernels(model, rank, k) + collectives_s(model, rank, k)) * passes + k.host_step_s
    crossings = crossings_s(model, rank, k) * passes
    return np.asarray(k.overhead * captured + crossings + k.host_request_s * np.asarray(requests))


def running_s(model: Architecture, rank: Rank, requests: FloatLike, k: TimeCoefficients) -> FloatArray:
    """Return the part of `decode_overhead_s` in which a kernel runs: starts and tails, and the work by request.

    What grows with the requests of a step is passed-on activations and sampling, on the board. Collectives and the
    work of the host by step leave the board waiting.
    """
    captured = k.overhead * np.asarray(k.kernel_s) * kernels(model, rank, k)
    return np.asarray(captured + k.host_request_s * np.asarray(requests))


def launches_s(model: Architecture, rank: Rank, k: TimeCoefficients) -> FloatArray:
    """Return the launches of one prefill pass, hidden or not."""
    return np.asarray(k.launch_s * kernels(model, rank, k))


def first_token_wait_s(model: Architecture, launch_s: FloatArray, k: TimeCoefficients) -> FloatArray:
    """Return what a first token waits for while other work goes on: hidden launches, routing, the host."""
    return np.asarray(
        k.first_token_s + (1.0 - k.launch_share) * launch_s + k.expert_first_token_s * model.expert_layers
    )
