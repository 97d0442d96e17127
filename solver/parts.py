"""The parts a design is made of, as frozen SI records.

Catalog rows carry the units of datasheets; these records are the one place where they become SI. A field is
filled from the row whose column has the same SI name (`mem_gb` -> `mem_bytes`, factor 1e9).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from solver.errors import InputError, Problem
from solver.units import si_name

PartT = TypeVar("PartT", bound="Part")


@dataclass(frozen=True)
class Part:
    """Base of all records: an id and where its numbers come from."""

    TABLE: ClassVar[str] = ""

    id: str
    source: str
    confidence: str

    @classmethod
    def from_row(cls: type[PartT], row: Mapping[str, Any]) -> PartT:
        """Build the record from a validated catalog row, converting units to SI.

        Parameters
        ----------
        row : mapping
            Column name to value in catalog units; None where the catalog is empty.

        Raises
        ------
        InputError
            If a figure is empty without which the part cannot be evaluated.
        """
        problem = Problem(cls.TABLE, str(row["id"]), "", "", "is empty, so the part cannot be evaluated", "a value")
        lacking = [dataclasses.replace(problem, field=column) for column in cls.lacking(row)]
        if lacking:
            raise InputError(lacking)
        names = {field.name for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for column, value in row.items():
            name, factor = si_name(column)
            if column in names:
                values[column] = value
            elif name in names:
                values[name] = None if value is None else value * factor
        return cls(**values)

    @classmethod
    def lacking(cls, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the empty columns of a row without which the part cannot be evaluated."""
        needed = {field.name for field in dataclasses.fields(cls) if "None" not in str(field.type)}
        return tuple(column for column, value in row.items()
                     if value is None and (column in needed or si_name(column)[0] in needed))  # fmt: skip


@dataclass(frozen=True)
class Accelerator(Part):
    """One accelerator package; rates are dense peaks, None without native support.

    `afr_frac` is failures a year; None means the catalog's default.
    """

    TABLE: ClassVar[str] = "accelerators"

    vendor: str
    name: str
    year_available: str
    bf16_dense_flop_per_s: float
    fp8_dense_flop_per_s: float | None
    fp4_dense_flop_per_s: float | None
    mem_bytes: float
    mem_usable_bytes: float | None
    mem_bw_bytes_per_s: float
    tdp_w: float
    idle_w: float
    scaleup_bytes_per_s: float
    scaleup_domain: int
    confidence_power: str
    afr_frac: float | None = None

    @property
    def hbm_bytes(self) -> float:
        """Local memory: the reported usable size where known, else the nominal one."""
        return self.mem_bytes if self.mem_usable_bytes is None else self.mem_usable_bytes


@dataclass(frozen=True)
class Platform(Part):
    """The smallest thing one buys: a server, a rack-scale system, a storage server.

    Orders are multiples of `order_multiple`, at least `order_minimum`. `afr_frac` is failures a year outside the
    accelerators; None means the catalog's default. An appliance of pooled memory has `most_hosts` servers at most, each
    with `host_adapters` of its lanes.
    """

    TABLE: ClassVar[str] = "platforms"

    vendor: str
    name: str
    kind: str
    buyable: str
    year_available: str
    accelerator_id: str | None
    accelerators: int
    host_mem_id: str | None
    host_mem_slots: int
    host_mem_std_bytes: float
    host_mem_max_bytes: float
    host_mem_bw_bytes_per_s: float | None
    host_link_id: str | None
    cxl_lanes: int
    nvme_bays: int
    hdd_bays: int
    nic_count: int
    nic_bytes_per_s: float
    host_w: float
    node_typ_w: float | None
    node_max_w: float
    node_peak_w: float | None
    rack_units: int
    cooling: str
    own_rack_id: str | None
    price_low_usd: float | None
    price_central_usd: float | None
    price_high_usd: float | None
    price_quarter: str
    confidence_power: str
    confidence_price: str
    lead_time_s: float | None = None
    order_multiple: int = 1
    order_minimum: int = 1
    afr_frac: float | None = None
    confidence_lead_time: str = "estimate"
    second_accelerator_id: str | None = None
    second_accelerators: int = 0
    most_hosts: int = 0
    host_adapters: int = 0


@dataclass(frozen=True)
class MemoryDevice(Part):
    """One memory or storage device; bandwidth and energy per device.

    `endurance_dwpd` is None where writes do not wear it out; `write_amplification` None means the catalog's default.
    """

    TABLE: ClassVar[str] = "memory"

    tier: str
    vendor: str
    name: str
    year_available: str
    form_factor: str
    bay: str
    cxl_lanes: int
    capacity_bytes: float
    read_bw_bytes_per_s: float
    write_bw_bytes_per_s: float
    latency_s: float | None
    energy_read_j_per_byte: float | None
    energy_write_j_per_byte: float | None
    idle_w: float | None
    max_w: float | None
    price_series: str
    price_central_usd_per_byte: float | None
    price_quarter: str
    confidence_price: str
    endurance_dwpd: float | None
    write_amplification: float | None = None
    buyable: str = "yes"
    lead_time_s: float | None = None
    order_multiple: int = 1
    order_minimum: int = 1
    confidence_lead_time: str = "estimate"


@dataclass(frozen=True)
class Link(Part):
    """A path between an accelerator and memory outside its package, per direction and accelerator."""

    TABLE: ClassVar[str] = "links"

    name: str
    peak_bytes_per_s: float
    measured_frac: float
    latency_s: float
    energy_j_per_byte: float | None

    @property
    def bytes_per_s(self) -> float:
        """Bandwidth that was reached in measurements."""
        return self.peak_bytes_per_s * self.measured_frac


@dataclass(frozen=True)
class LinkEfficiency(Part):
    """The share of a link's peak that transfers of one size reached; `bytes` is the size of one transfer."""

    TABLE: ClassVar[str] = "link_efficiency"

    link_id: str
    bytes: float
    frac: float


@dataclass(frozen=True)
class Rack(Part):
    """A rack with its limits; price is frame, manifolds and containment, without IT."""

    TABLE: ClassVar[str] = "racks"

    name: str
    use: str
    usable_w: float
    peak_w: float
    rack_units: int
    cooling: str
    floor_m2: float
    price_central_usd: float
    confidence_price: str
    lead_time_s: float | None = None
    order_multiple: int = 1
    order_minimum: int = 1
    confidence_lead_time: str = "estimate"


@dataclass(frozen=True)
class Cooling(Part):
    """A way of cooling: PUE on average and on the design day, water use, what it accepts."""

    TABLE: ClassVar[str] = "cooling"

    name: str
    pue_central: float
    pue_peak: float
    wue_l_per_j: float
    accepts: tuple[str, ...]


@dataclass(frozen=True)
class NetworkPart(Part):
    """A network row: a switch with its ports, or the optic that stands in each of them."""

    TABLE: ClassVar[str] = "network"

    kind: str
    vendor: str
    name: str
    port_bytes_per_s: float | None
    ports: int | None
    power_typ_w: float | None
    power_max_w: float | None
    price_central_usd: float | None
    cooling: str | None
    confidence_price: str
    lead_time_s: float | None = None
    order_multiple: int = 1
    order_minimum: int = 1
    confidence_lead_time: str = "estimate"


@dataclass(frozen=True)
class Precision(Part):
    """A number format of weights or KV and the compute rates it can use, best first."""

    TABLE: ClassVar[str] = "precisions"

    weight_bytes_per_param: float
    kv_bytes_per_element: float
    compute_order: tuple[str, ...]
    quality_gate: bool


@dataclass(frozen=True)
class Model(Part):
    """A model's architecture, as far as memory and FLOPs depend on it."""

    TABLE: ClassVar[str] = "models"

    name: str
    family: str
    kind: str
    params_total: float
    params_active: float | None
    params_total_calc: float | None
    params_active_calc: float | None
    n_layers: int | None
    n_attention_layers: int | None
    hidden: int | None
    n_heads: int | None
    n_kv_heads: int | None
    head_dim: int | None
    attention: str
    mla_kv_lora_rank: int | None
    mla_rope_dim: int | None
    sliding_layers: int
    sliding_window: int | None
    linear_layers: int
    n_experts: int | None
    experts_per_token: int | None
    shared_experts: int | None
    moe_expert_dim: int | None
    vocab: int | None
    max_context: int | None
    native_precision: str
    index_bytes_per_token_layer: float
    kv_bytes_per_token_bf16: float | None
    kv_bytes_per_token_fp8: float | None
    kv_window_bytes_bf16: float | None
    state_bytes_per_seq: float
