"""The named numbers between a roofline and a clock: overheads, attained shares of peaks, host time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from solver.physics.arrays import FloatLike


@dataclass(frozen=True)
class TimeCoefficients:
    """Coefficients of the time form; arrays where they differ by point.

    Attributes
    ----------
    kernel_s : float
        Start and tail of one kernel launched from a captured graph, beyond its bytes and FLOPs.
    latent_kernels, linear_kernels, expert_kernels, quantising_kernels : float
        Kernels that latent and linear attention need beyond ordinary attention, experts beyond a dense FFN,
        and weights below 16 bits a layer (quantising activations).
    collective_s, collective_doubling_s : float
        One reduction over two ranks less one doubling, and each doubling of the ranks.
    dispatch_doubling_s : float
        One dispatch of tokens to experts between attention-data groups, by doubling of the groups.
    host_step_s, host_request_s : float
        Work of the host that each decode step waits for, alone and by request on a rank.
    dense_bandwidth_frac, expert_bandwidth_frac, kv_bandwidth_frac : float
        Attained share of memory bandwidth: dense weights, experts' weights, KV.
    decode_flop_frac, decode_attention_frac : float
        Attained share of the compute rate while decoding: products with weights, attention.
    prefill_flop_frac, expert_prefill_frac, prefill_attention_frac : float
        The same while prefilling: dense products, experts' grouped products, attention.
    link_frac : float
        Attained share of the link between ranks.
    experts_effective_frac : float
        Effective number of experts over the real one (see `solver.physics.products`).
    launch_s : float
        One kernel of a prefill pass, launched one by one.
    launch_share : float
        Share of those launches that is not hidden behind other work.
    expert_first_token_s : float
        What a layer of experts adds to the first token beyond its launches (routing on the host).
    first_token_s : float
        Host time of a request before its first token: queueing, tokenising, sampling.
    port_frac, port_latency_s, port_reduction_s : float
        Attained share of an accelerator's scale-out port, what a dispatch through it takes beyond its bytes, and what a
        reduction over two domains takes longer than inside one: planning figures, no fits.
    overhead : float or array
        Factor on kernels, collectives and host steps: of an accelerator, of an engine.
    """

    kernel_s: FloatLike
    latent_kernels: FloatLike
    linear_kernels: FloatLike
    expert_kernels: FloatLike
    quantising_kernels: FloatLike
    collective_s: FloatLike
    collective_doubling_s: FloatLike
    dispatch_doubling_s: FloatLike
    host_step_s: FloatLike
    host_request_s: FloatLike
    dense_bandwidth_frac: FloatLike
    expert_bandwidth_frac: FloatLike
    kv_bandwidth_frac: FloatLike
    decode_flop_frac: FloatLike
    decode_attention_frac: FloatLike
    prefill_flop_frac: FloatLike
    expert_prefill_frac: FloatLike
    prefill_attention_frac: FloatLike
    link_frac: FloatLike
    experts_effective_frac: FloatLike
    launch_s: FloatLike
    launch_share: FloatLike
    expert_first_token_s: FloatLike
    first_token_s: FloatLike
    port_frac: FloatLike = 1.0
    port_latency_s: FloatLike = 0.0
    port_reduction_s: FloatLike = 0.0
    overhead: FloatLike = 1.0


PLANNED = ("port_frac", "port_latency_s", "port_reduction_s")
"""Names of the coefficients that the table takes from sources, because no fit sees enough of them."""

FITTED = tuple(f.name for f in dataclasses.fields(TimeCoefficients) if f.name not in ("overhead", *PLANNED))
"""Names of the coefficients that the table gives one fitted value for."""
