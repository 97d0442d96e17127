"""What people call the columns of the catalog: their names without the unit, spelled out."""

from __future__ import annotations

from functools import cache

SUFFIXES = (
    "_usd_per_million_tokens", "_pj_per_bit", "_usd_per_gb", "_usd_per_mwh", "_g_per_kwh", "_l_per_kwh", "_l_per_s",
    "_kg_per_s", "_pb_per_day", "_bytes_per_token_layer", "_tflops", "_gbit_s", "_gb_s", "_gb", "_kw", "_mw", "_w",
    "_s", "_usd", "_percent", "_weeks", "_years", "_b", "_frac", "_m2", "_kg", "_hz", "_tokens",
)  # fmt: skip
"""Endings of names that are units, the longest first."""
POWER, RATE, MONEY = ("_kw", "_w"), ("_gb_s", "_gbit_s"), ("_usd", "_usd_per_gb")
WORDS = {
    "id": "ID", "tdp": "TDP", "mem": "memory", "bw": "bandwidth", "std": "standard", "typ": "typical",
    "afr": "failure rate", "nic": "NIC", "nvme": "NVMe", "hdd": "HDD", "cxl": "CXL", "kv": "KV", "mla": "MLA",
    "ttft": "TTFT", "tpot": "TPOT", "isl": "input length", "osl": "output length", "cv": "CV", "pue": "PUE",
    "wue": "water use", "allin": "all-in", "it": "IT", "bf16": "BF16", "fp8": "FP8", "fp4": "FP4",
    "params": "parameters", "calc": "computed", "dwpd": "DWPD", "scaleup": "scale-up", "n": "number of", "ffn": "FFN",
    "moe": "MoE", "dim": "dimension", "frac": "share", "ttl": "TTL", "rps": "request/s", "seq": "sequence",
    "infer": "inference", "vocab": "vocabulary", "co2": "CO2", "w": "power", "gb": "GB", "dsa": "DSA",
    "p50": "median", "p95": "95th percentile", "rope": "RoPE", "lora": "LoRA", "max": "maximum",
}  # fmt: skip
KEPT = {
    "w_per_port": "power per port", "kv_bytes_per_token_bf16": "KV per token, BF16",
    "kv_window_bytes_bf16": "KV window, BF16", "kv_bytes_per_token_fp8": "KV per token, FP8",
    "hit_frac_of_max": "hits, of an infinite cache", "hit_frac": "hits", "price_quarter": "quarter of the price",
    "year_available": "available from", "endpoint_usd": "price per endpoint", "endpoint_w": "power per endpoint",
    "lead_time_weeks": "lead time", "reuse_frac_max": "reuse, infinite cache", "floor_m2": "floor",
    "bytes": "transfer size", "budget_usd": "budget", "price_usd_per_gb": "price",
    "price_usd_per_million_tokens": "price of tokens", "unmet_usd_per_request": "cost of an unserved request",
    "weight_bytes_per_param": "weight bytes per parameter", "measured_frac": "measured share of peak",
    "params_total_b": "parameters", "params_active_b": "active parameters", "own_rack_id": "own rack",
    "accelerator_id": "accelerator", "second_accelerator_id": "second accelerator",
    "host_mem_id": "host memory module", "model_id": "model", "link_id": "link", "host_link_id": "host link",
    "control_hz": "control rate", "data_ingest_pb_per_day": "data written", "wue_l_per_kwh": "water use",
    "scaleup_gb_s": "scale-up bandwidth", "energy_pj_per_bit": "energy per bit",
    "energy_read_pj_per_bit": "read energy", "energy_write_pj_per_bit": "write energy", "nic_gbit_s": "NIC rate",
    "port_gbit_s": "port rate", "peak_gb_s": "peak bandwidth", "mem_gb": "memory",
    "host_mem_std_gb": "standard host memory", "host_mem_max_gb": "most host memory",
    "index_bytes_per_token_layer": "index key", "electricity_usd_per_mwh": "electricity price",
    "carbon_g_per_kwh": "carbon intensity", "allin_it_w": "all-in IT power",
    "tflop_per_infer": "work of an inference", "mem_usable_gb": "usable memory", "water_l_per_s": "water",
    "co2_kg_per_s": "CO2", "isl_tokens": "input length", "osl_tokens": "output length", "new_isl_tokens": "new input",
}  # fmt: skip
"""Columns whose name says too little, or more than needed."""
GRADED = {"confidence": "confidence", "confidence_power": "confidence, power", "confidence_price": "confidence, price",
          "confidence_idle": "confidence, idle power", "confidence_latency": "confidence, latency",
          "confidence_lead_time": "confidence, lead time"}  # fmt: skip


@cache
def label(column: str) -> str:
    """Return what people call a column, without its unit: ``tdp_w`` is TDP, ``mem_bw_gb_s`` memory bandwidth."""
    named = KEPT.get(column) or GRADED.get(column)
    if named:
        return named
    ending = next((suffix for suffix in SUFFIXES if column.endswith(suffix)), "")
    stem = column[: len(column) - len(ending)] or column
    words = [WORDS.get(word, word) for word in stem.split("_")]
    if ending in POWER and stem != "tdp" and "power" not in words:
        words.append("power")
    return " ".join(words)


def heading(column: str, unit: str = "") -> str:
    """Return a column's heading: its label with a capital, and its unit in brackets."""
    name = label(column)
    return f"{name[:1].upper()}{name[1:]}" + (f" [{unit}]" if unit else "")
