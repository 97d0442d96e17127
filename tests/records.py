"""Hand-made records for tests of the model: round numbers, no catalog, everything else at its neutral value.

Defaults make a node of one accelerator that draws 1 kW at the meter, costs 1,000 USD and stands in its own
rack, so that a test states only what it is about.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from solver.candidate import HIT, MISS, NONE, Candidate, Half
from solver.catalog import Catalog
from solver.configurations import Configuration, TierStock
from solver.model.data import Column, Housing, ModelData, Place, Pool
from solver.parts import Accelerator, Cooling, Link, MemoryDevice, Model, NetworkPart, Platform, Precision, Rack
from solver.physics.links import transfer_efficiency
from solver.physics.reuse import Retention
from solver.scenario import Finance, Scenario, Site, fleet_of
from solver.study import Study, study_from_dict
from solver.workload import Workload

GB, TB = 1e9, 1e12
PORT = 20 * GB
"""Bytes/s of a switch port."""
KV_BYTES_PER_TOKEN = 1e5
"""Of the model below: 2 x 10 heads x 50 wide x 50 layers x 2 bytes."""
SOURCE = {"source": "made up", "confidence": "estimate"}


def accelerator(part_id: str = "chip", *, tdp_w: float = 600.0, idle_w: float = 100.0, vendor: str = "") -> Accelerator:
    """Return an accelerator of which only the watts matter."""
    return Accelerator(
        id=part_id, **SOURCE, vendor=vendor, name=part_id, year_available="2025-01", bf16_dense_flop_per_s=1e15,
        fp8_dense_flop_per_s=None, fp4_dense_flop_per_s=None, mem_bytes=1e11, mem_usable_bytes=None,
        mem_bw_bytes_per_s=1e12, tdp_w=tdp_w, idle_w=idle_w, scaleup_bytes_per_s=1e11, scaleup_domain=8,
        confidence_power="estimate",
    )  # fmt: skip


def platform(
    part_id: str = "node", *, accelerators: int = 1, nic_count: int = 0, nic_bytes_per_s: float = 0.0,
    own_rack_id: str | None = None,
) -> Platform:  # fmt: skip
    """Return a platform of which only the accelerators and network ports matter."""
    return Platform(
        id=part_id, **SOURCE, vendor="", name=part_id, kind="server", buyable="yes", year_available="2025-01",
        accelerator_id="chip" if accelerators else None, accelerators=accelerators, host_mem_id=None, host_mem_slots=0,
        host_mem_std_bytes=0.0, host_mem_max_bytes=0.0, host_mem_bw_bytes_per_s=None, host_link_id=None, cxl_lanes=0,
        nvme_bays=0, hdd_bays=0, nic_count=nic_count, nic_bytes_per_s=nic_bytes_per_s, host_w=0.0, node_typ_w=None,
        node_max_w=1e3, node_peak_w=None, rack_units=1, cooling="air", own_rack_id=own_rack_id, price_low_usd=None,
        price_central_usd=1e3, price_high_usd=None, price_quarter="2026Q3", confidence_power="estimate",
        confidence_price="estimate",
    )  # fmt: skip


def appliance(part_id: str = "box", *, most_hosts: int = 16, **stock: Any) -> Pool:
    """Return a pool of appliances of pooled memory whose tier `cxl` has some figures."""
    box = dataclasses.replace(platform(part_id, accelerators=0), most_hosts=most_hosts)
    return Pool(configuration(box, lends=tier("cxl", **stock)), 1.0)


def tier(
    name: str = "ddr", *, capacity_bytes: float = TB, read_bytes_per_s: float = TB, link_bytes_per_s: float = TB,
    pooled: bool = False, write_bytes_per_s: float | None = None, endurance_bytes_per_s: float = math.inf,
) -> TierStock:  # fmt: skip
    """Return a memory tier of a node."""
    return TierStock(
        tier=f"pooled_{name}" if pooled else name, device_id=f"{name}_device", capacity_bytes=capacity_bytes,
        read_bytes_per_s=read_bytes_per_s,
        write_bytes_per_s=write_bytes_per_s or TB, endurance_bytes_per_s=endurance_bytes_per_s, link_bytes_per_s=link_bytes_per_s,
        latency_s=0.0, energy_read_j_per_byte=0.0, pooled=pooled,
    )  # fmt: skip


def configuration(
    of: Platform | None = None, label: str = "standard", *, tiers: Sequence[TierStock] = (),
    chip: Accelerator | None = None, bought: Sequence[tuple[str, int]] = (), provisioned_w: float = 1e3,
    host_drawn_w: float = 0.0, price_usd: float = 1e3, attached: str = "", lends: TierStock | None = None,
) -> Configuration:  # fmt: skip
    """Return a platform with its memory, price and watts."""
    of = platform() if of is None else of
    return Configuration(
        id=f"{of.id}/{label}", platform=of, accelerator=(chip or accelerator()) if of.accelerators else None,
        tiers=tuple(tiers), bought=tuple(bought), removed_bytes=0.0, provisioned_w=provisioned_w,
        host_drawn_w=host_drawn_w, price_usd=price_usd, attached=attached, lends=lends,
    )  # fmt: skip


def rack(part_id: str = "rack", *, floor_m2: float = 0.0, price_usd: float = 0.0) -> Rack:
    """Return a rack; how many nodes it takes stands in the housing."""
    return Rack(
        id=part_id, **SOURCE, name=part_id, use="servers", usable_w=1e5, peak_w=1e5, rack_units=42, cooling="air",
        floor_m2=floor_m2, price_central_usd=price_usd, confidence_price="estimate",
    )  # fmt: skip


def memory_device(part_id: str = "drive", *, usd: float = 100.0, order_multiple: int = 1) -> MemoryDevice:
    """Return a memory device of which only the price and the lot matter."""
    return MemoryDevice(
        id=part_id, **SOURCE, tier="ddr", vendor="maker of memory", name=part_id, year_available="2025-01", form_factor="",
        bay="nvme", cxl_lanes=0, capacity_bytes=GB, read_bw_bytes_per_s=1e9, write_bw_bytes_per_s=1e9, latency_s=0.0,
        energy_read_j_per_byte=None, energy_write_j_per_byte=None, idle_w=None, max_w=None, price_series=part_id,
        price_central_usd_per_byte=usd / GB, price_quarter="2026Q3", confidence_price="estimate", endurance_dwpd=None,
        order_multiple=order_multiple,
    )  # fmt: skip


def housing(
    pool: Pool, *, within: Rack | None = None, fit: int = 1, own: bool = True, pue_peak: float = 1.0,
    pue_mean: float = 1.0, wue_l_per_j: float = 0.0,
) -> Housing:  # fmt: skip
    """Return a pool in a kind of rack; by default in a rack that comes with the node."""
    return Housing(pool, within or rack("own_rack"), fit, own, pue_peak, pue_mean, wue_l_per_j)


def candidate(
    workload: str = "chat", role: str = "mixed", *, rate: float = 10.0, at: Platform | None = None, cap: float = 1.0,
    charge: float = 1.0, count: int = 1, hit_from: str = "", load_bytes: float = 0.0, spill_bytes: float = 0.0,
    spill_read_bytes_per_s: float = 0.0, drawn_w: float = 100.0, idle_w: float = 100.0, ports: float = 0.0,
    halves: tuple[Half, ...] = (),
) -> Candidate:  # fmt: skip
    """Return one way to serve a class; 10 requests/s from one accelerator unless told."""
    cache = NONE if role == "decode" else HIT if hit_from else MISS
    return Candidate(
        workload=workload, model_id="model", platform_id="node" if at is None else at.id, role=role, power_cap=cap,
        precision="bf16", kv_precision="bf16", tp=count, pp=1, dp=1, ep=1, charge=charge, batch=1.0, cache=cache,
        tier=hit_from, requests_per_s=rate, ttft_s=0.1, tpot_s=0.01, step_s=0.01, drawn_w=drawn_w, idle_w=idle_w,
        spill_bytes=spill_bytes, spill_read_bytes_per_s=spill_read_bytes_per_s, load_bytes=load_bytes,
        handover_bytes=0.0, ports=ports, evidence=0, halves=halves,
    )  # fmt: skip


def retention(*segments: tuple[float, float]) -> Retention:
    """Return a retention curve from (hits added, tokens resident per request/s) of each segment."""
    return Retention(
        d_hit=np.asarray([hit for hit, _ in segments]),
        d_resident_tokens=np.asarray([tokens for _, tokens in segments]),
        ttl_s=np.arange(1.0, len(segments) + 1.0),
    )


def workload(
    part_id: str = "chat", *, demand: float = 10.0, isl: float = 1000.0, osl: float = 100.0, reuse: float = 0.0
) -> Workload:
    """Return a class: 100 output tokens a request, 10 requests/s unless told."""
    return Workload(
        id=part_id, name=part_id, model_id="model", isl=isl, osl=osl, isl_cv=0.0, osl_cv=0.0, reuse_frac_max=reuse,
        reuse_curve="curve" if reuse else None, arrival_cv=1.0, ttft_s=None, tpot_s=None, percentile=0.9,
        weight_precisions=("bf16",), kv_precision="bf16", kv_read_frac=1.0, value_per_token=1.0, requests_per_s=demand,
    )  # fmt: skip


def model(*, state_bytes: float = 0.0) -> Model:
    """Return a model whose KV cache takes `KV_BYTES_PER_TOKEN` and, if wanted, a state a sequence."""
    return Model(
        id="model", **SOURCE, name="model", family="", kind="llm", params_total=1e9, params_active=None,
        params_total_calc=None, params_active_calc=None, n_layers=50, n_attention_layers=50, hidden=500, n_heads=10,
        n_kv_heads=10, head_dim=50, attention="MHA", mla_kv_lora_rank=None, mla_rope_dim=None, sliding_layers=0,
        sliding_window=None, linear_layers=0, n_experts=None, experts_per_token=None, shared_experts=None,
        moe_expert_dim=None, vocab=None, max_context=None, native_precision="bf16", index_bytes_per_token_layer=0.0,
        kv_bytes_per_token_bf16=None, kv_bytes_per_token_fp8=None, kv_window_bytes_bf16=None,
        state_bytes_per_seq=state_bytes,
    )  # fmt: skip


def study(changes: Mapping[str, Any] | None = None) -> Study:
    """Return a study with stated demand and tokens/s as its objective, tiny gap, and some dotted changes."""
    base = {
        "site": {"power_mw": 1000.0},
        "workload": [{"id": "chat", "requests_per_s": 1.0}],
        "demand": {"mode": "fixed"},
        "objective": {"name": "tokens"},
        "solver": {"gap": 1e-6, "threads": 1, "time_limit_s": 60.0},
    }
    return study_from_dict(base).with_changes(changes or {})


def scenario(
    changes: Mapping[str, Any] | None = None,
    workloads: Sequence[Workload] = (),
    *,
    finance: Finance | None = None,
    switch: tuple[float, float, float] = (0.0, 0.0, 0.0),
    optic: tuple[float, float] = (0.0, 0.0),
    network_cooling: tuple[float, float, float] = (1.0, 1.0, 0.0),
    electricity_usd_per_j: float = 0.0,
    carbon_kg_per_j: float = 0.0,
    of: Model | None = None,
    devices: Sequence[MemoryDevice] = (),
    switch_terms: tuple[int, int] = (1, 1),
    optic_terms: tuple[int, int] = (1, 1),
) -> Scenario:
    """Return a scenario.

    Parameters
    ----------
    switch : (peak W, mean W, USD)
        Of a switch with six ports of 20 GB/s.
    optic : (mean W, USD)
    network_cooling : (PUE on the design day, mean PUE, L/J)
    devices : sequence of MemoryDevice
        For sale at their central price.
    switch_terms, optic_terms : (multiple, minimum) of an order
    """
    asked = study(changes)
    spec = asked.site
    link = Link(
        id="nic", **SOURCE, name="", peak_bytes_per_s=1e9, measured_frac=1.0, latency_s=0.0, energy_j_per_byte=0.0
    )
    return Scenario(
        catalog=cast("Catalog", None),
        study=asked,
        site=Site(
            power_w=None if spec.power_mw is None else spec.power_mw * 1e6,
            usable_power_frac=spec.usable_power_frac, fixed_w=spec.fixed_mw * 1e6, budget_usd=spec.budget_usd,
            floor_m2=spec.floor_m2, water_l_per_s=spec.water_l_per_s, co2_kg_per_s=spec.co2_kg_per_s,
            price_quarter="2026Q3", available_by="2026-12", electricity_usd_per_j=electricity_usd_per_j,
            carbon_kg_per_j=carbon_kg_per_j, cooling=None, tax_frac=spec.tax_percent / 100.0,
            discount_frac={vendor: percent / 100.0 for vendor, percent in spec.discount_percent.items()},
        ),
        finance=finance or Finance(0.0, 1.0, 1.0, 0.0, 0.0),
        workloads=tuple(workloads) or (workload(),),
        models={"model": of or model()},
        accelerators={}, platforms=(), devices=tuple(devices),
        precisions={"bf16": Precision(id="bf16", **SOURCE, weight_bytes_per_param=2.0, kv_bytes_per_element=2.0,
                                      compute_order=("bf16",), quality_gate=False)},
        racks=(), cooling={}, links={},
        switch=_network_part("switch", 6, *switch, *switch_terms),
        optic=_network_part("optic", 1, optic[0], *optic, *optic_terms),
        network_cooling=Cooling(id="air", **SOURCE, name="", pue_peak=network_cooling[0], pue_central=network_cooling[1],
                                wue_l_per_j=network_cooling[2], accepts=("air",)),
        handover_ttft_frac=0.02, write_amplification=1.0, nic_efficiency=transfer_efficiency([], 1.0),
        nic_link=link, scale_up_link=link, scale_up_efficiency=transfer_efficiency([], 1.0),
        host_mem_usable_frac=1.0, host_mem_min_frac=0.5, host_draw_frac=0.5, filtered=(), assumptions=(),
        accelerators_per_port=asked.build.accelerators_per_port or 8.0,
        prices={(d.price_series, "2026Q3"): (d.price_central_usd_per_byte or 0.0) * GB for d in devices},
        fleet=fleet_of(asked), accelerator_afr_frac=(asked.build.accelerator_afr_percent or 0.0) / 100.0,
        platform_afr_frac=(asked.build.platform_afr_percent or 0.0) / 100.0,
    )  # fmt: skip


def _network_part(
    kind: str, ports: int, peak_w: float, mean_w: float, usd: float, multiple: int, minimum: int
) -> NetworkPart:
    return NetworkPart(
        id=kind, **SOURCE, kind=kind, vendor="maker", name="", port_bytes_per_s=PORT, ports=ports, power_typ_w=mean_w,
        power_max_w=peak_w, price_central_usd=usd, cooling="air", confidence_price="estimate",
        order_multiple=multiple, order_minimum=minimum,
    )  # fmt: skip


def model_data(
    of: Scenario,
    columns: Sequence[tuple[Candidate, Pool | None]],
    housings: Sequence[Housing],
    kept: Mapping[str, Retention] | None = None,
) -> ModelData:
    """Return model data; pools and places are those of the housings."""
    pools = tuple({h.pool.id: h.pool for h in housings}.values())
    return ModelData(
        scenario=of,
        pools=pools,
        housings=tuple(housings),
        columns=tuple(Column(c, pool, k) for k, (c, pool) in enumerate(columns)),
        places=tuple(Place(p, stock) for p in pools for stock in p.config.tiers),
        retention=dict(kept or {}),
    )
