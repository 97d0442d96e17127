"""From roofline to clock: launches, collectives and per-request work of each layer, and fitted efficiencies.

``decode_step = (A + e r) L + b roofline_decode``; ``prefill = A L passes + c roofline_prefill``; a mixed
replica adds its prefill work to each step, ``tpot = decode_step + c batch roofline_prefill / osl``. The
overhead of a layer is ``A = a + d log2 n``, and f more where attention-DP groups dispatch tokens to shared
experts; n is the ranks that a layer is cut over, r the requests on one rank, L the layers.
"""

from __future__ import annotations

import numpy as np

from solver.physics.arrays import BoolArray, FloatArray, FloatLike


def layer_overhead_s(
    layers: FloatLike,
    ranks: FloatLike,
    dispatching: BoolArray,
    per_layer_s: float,
    per_doubling_s: float,
    per_dispatch_s: float,
) -> FloatArray:
    """Return the launch and collective time of one pass, ``(a + d log2 n + f dispatching) L``."""
    per_pass = per_layer_s + per_doubling_s * np.log2(ranks) + per_dispatch_s * dispatching
    return np.asarray(per_pass * layers)


def decode_step_s(
    overhead_s: FloatLike,
    requests: FloatLike,
    layers: FloatLike,
    per_request_s: float,
    roofline_s: FloatLike,
    factor: float,
) -> FloatArray:
    """Return the time of one pure decode step with `requests` requests on each rank."""
    return np.asarray(overhead_s + per_request_s * np.asarray(requests) * layers + factor * np.asarray(roofline_s))


def interference_s(prefill_s: FloatLike, batch: FloatLike, osl: FloatLike) -> FloatArray:
    """Return the prefill time that each decode step of a mixed replica carries on average.

    Each request in flight is prefilled once in its `osl` steps.
    """
    return np.asarray(np.asarray(batch) * prefill_s / osl)
