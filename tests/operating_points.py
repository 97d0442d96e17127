"""Operating points for tests.

A dense and a mixed-experts model on one plain part, and the shipped catalog.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from solver.catalog import Catalog, load_catalog
from solver.parts import Accelerator, Model, Precision
from solver.performance import ROLE_MIXED, Calibration, Points
from solver.physics.coefficients import TimeCoefficients
from solver.points import make_points

DENSE = Model(
    id="dense", source="test", confidence="estimate", name="Dense", family="Test", kind="dense",
    params_total=1.1e9, params_active=1.0e9, params_total_calc=1.1e9, params_active_calc=1.0e9,
    n_layers=10, n_attention_layers=10, hidden=1000, n_heads=16, n_kv_heads=4, head_dim=50, attention="GQA",
    mla_kv_lora_rank=None, mla_rope_dim=None, sliding_layers=0, sliding_window=None, linear_layers=0,
    n_experts=None, experts_per_token=None, shared_experts=None, moe_expert_dim=None, vocab=100_000,
    max_context=100_000, native_precision="sixteen", index_bytes_per_token_layer=0.0,
    kv_bytes_per_token_bf16=None, kv_bytes_per_token_fp8=None, kv_window_bytes_bf16=None,
    state_bytes_per_seq=0.0,
)  # fmt: skip
"""1.1e9 parameters of which 0.1e9 are the embedding and 0.1e9 the LM head; 4,000 KV elements a token."""

MOE = dataclasses.replace(
    DENSE, id="moe", kind="moe", params_total=9.0e9, params_active=1.9e9, params_total_calc=9.0e9,
    params_active_calc=1.9e9, n_experts=8, experts_per_token=1,
)  # fmt: skip
"""Routed: (9.0 - 0.1 - 1.9) / (1 - 1/8) = 8e9; each token reads 1e9 of them."""

LATENT = dataclasses.replace(DENSE, id="latent", attention="MLA", n_kv_heads=None, mla_kv_lora_rank=80, mla_rope_dim=20)
"""100 KV elements a token and layer, one head."""

PART = Accelerator(
    id="part", source="test", confidence="estimate", vendor="Test", name="Part 100GB",
    year_available="2025-01", bf16_dense_flop_per_s=1e15, fp8_dense_flop_per_s=2e15,
    fp4_dense_flop_per_s=None, mem_bytes=1e11, mem_usable_bytes=None, mem_bw_bytes_per_s=2e12, tdp_w=1000.0,
    idle_w=100.0, scaleup_bytes_per_s=4e11, scaleup_domain=8, confidence_power="estimate",
)  # fmt: skip

SIXTEEN = Precision("sixteen", "test", "estimate", 2.0, 2.0, ("bf16",), quality_gate=False)
EIGHT = Precision("eight", "test", "estimate", 1.0, 1.0, ("fp8", "bf16"), quality_gate=False)
FOUR = Precision("four", "test", "estimate", 0.5, 0.5, ("fp4", "bf16"), quality_gate=True)

PLAIN = TimeCoefficients(
    kernel_s=0.0, latent_kernels=0.0, linear_kernels=0.0, expert_kernels=0.0, quantising_kernels=0.0,
    collective_s=0.0, collective_doubling_s=0.0, dispatch_doubling_s=0.0, host_step_s=0.0, host_request_s=0.0,
    dense_bandwidth_frac=1.0, expert_bandwidth_frac=1.0, kv_bandwidth_frac=1.0, decode_flop_frac=1.0,
    decode_attention_frac=1.0, prefill_flop_frac=1.0, expert_prefill_frac=1.0, prefill_attention_frac=1.0,
    link_frac=1.0, experts_effective_frac=1.0, launch_s=0.0, launch_share=0.0, expert_first_token_s=0.0,
    first_token_s=0.0,
)  # fmt: skip
"""No overheads, and all of every peak."""

ROOFLINE_ONLY = Calibration(
    times=PLAIN, power_floor=0.2, power_memory=0.5, power_compute=1.0, power_busy=0.1,
    gamma_prefill=1.0, gamma_decode=0.0, hbm_usable_frac=0.9, graph_buffers_bytes=5e9,
    activation_bytes_per_value=20.0, kv_paging_frac=0.0, tpot_error_low=0.8, tpot_error_high=1.25,
    ttft_error_low=0.5, ttft_error_high=0.9,
    throughput_error_low=0.8, throughput_error_high=1.25, power_error_low=0.9, power_error_high=1.1,
    evidence_isl=8192.0, evidence_count=8.0, evidence_batch=512.0, families=frozenset({"Test"}),
    accelerators=frozenset({"part"}), engines={}, overheads={}, activities={}, spreads={},
)  # fmt: skip
"""No overheads and no efficiencies: times are rooflines and can be checked by hand."""


@cache
def shipped() -> Catalog:
    """Return the catalog that comes with the program."""
    return load_catalog()


def points(*models: Model, accelerators: tuple[Accelerator, ...] = (PART,), **columns: Any) -> Points:
    """Return points of a plain colocated replica of one part, changed by columns."""
    usual = {
        "model": 0, "accelerator": 0, "weight_precision": 0, "kv_precision": 0, "role": ROLE_MIXED,
        "tp": 1, "pp": 1, "dp": 1, "ep": 1, "batch": 1, "isl_new": 1000, "cached": 0, "context": 1000,
        "osl": 100, "power_cap": 1, "kv_read_frac": 1, "chunk": 8192, "port_bytes_per_s": 5e10,
    }  # fmt: skip
    chosen = models or (DENSE,)
    return make_points(chosen, accelerators, (SIXTEEN, EIGHT, FOUR), **{**usual, **columns})
