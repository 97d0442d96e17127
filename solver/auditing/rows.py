"""What a design stands on, read afresh: its study, and the catalog rows embedded in it."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from solver.design import Design, Record
from solver.errors import InputError, Problem
from solver.parts import Link, MemoryDevice, Model, NetworkPart, Part, Precision
from solver.physics.calibration import Calibration
from solver.physics.kv import kv_layout
from solver.physics.links import TransferEfficiency, transfer_efficiency
from solver.physics.reuse import Retention, retention_segments
from solver.study import Study, WorkloadSpec, study_from_dict
from solver.units import HOURS_PER_YEAR, SUFFIXES
from solver.workload import Workload

AnyPart = TypeVar("AnyPart", bound=Part)
_USUAL = {
    **{"isl_cv": 0.0, "osl_cv": 0.0, "arrival_cv": 1.0},
    **{"percentile": 0.5, "kv_read_frac": 1.0, "value_per_token": 1.0},
}
"""What holds where neither the study nor the row says anything."""
SECONDS_PER_YEAR = HOURS_PER_YEAR * 3600.0


@dataclass(frozen=True)
class Money:
    """What turns dollars and joules into a yearly cost."""

    electricity_usd_per_j: float
    carbon_kg_per_j: float
    wacc_frac: float
    maintenance_frac: float
    life_years: dict[str, float]
    residual_frac: float
    load_factor: float
    building_usd_per_w_year: float

    def yearly(self, kind: str) -> float:
        """Return the yearly cost of a dollar in lines of a kind: annuity less residual value, and maintenance."""
        years = self.life_years[kind if kind in self.life_years else "it"]
        kept = 0.0 if kind == "rack" else self.residual_frac / (1.0 + self.wacc_frac) ** years
        return (1.0 - kept) * annuity(self.wacc_frac, years) + self.maintenance_frac


def annuity(rate: float, years: float) -> float:
    """Return the yearly payment per dollar, ``r / (1 - (1 + r) ** -n)``."""
    return rate / (1.0 - (1.0 + rate) ** -years) if rate else 1.0 / years


class Facts:
    """The study and the embedded rows of a design, in SI; nothing here comes from the design's own results."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self._rows: Mapping[str, Mapping[str, Record]] = design.catalog["rows"]
        self.study: Study = study_from_dict(design.study, origin="study of the design")

    def rows(self, table: str) -> Iterable[Mapping[str, Any]]:
        """Return the embedded rows of a table."""
        return self._rows.get(table, {}).values()

    def row(self, table: str, row_id: str) -> Mapping[str, Any]:
        """Return one embedded row.

        Raises
        ------
        InputError
            If the design does not carry it.
        """
        found = self._rows.get(table, {}).get(row_id)
        if found is None:
            raise InputError([Problem("design", "", f"catalog.rows.{table}", row_id, "row is not in the design")])
        return found

    def part(self, kind: type[AnyPart], row_id: str) -> AnyPart:
        """Return one embedded row as its SI record."""
        return kind.from_row(self.row(kind.TABLE, row_id))

    def setting(self, path: str, given: Any) -> Any:
        """Return what the study gives, else the default that the design carries."""
        if given is not None:
            return given
        row = self.row("defaults", path)
        return row["ref"] or row["value"]

    @cached_property
    def site(self) -> dict[str, Any]:
        """Limits of the place: the study's own, else those of its site row."""
        spec = self.study.site
        row = self.row("sites", spec.id) if spec.id else {}
        given = {name: getattr(spec, name) for name in type(spec).model_fields}
        merged = {name: row.get(name) if value is None else value for name, value in given.items()}
        if spec.budget is not None:
            merged["budget_usd"] = spec.budget / (spec.fx or 1.0)
        return merged

    @cached_property
    def fleet(self) -> dict[str, int]:
        """Owned nodes by configuration id."""
        found: dict[str, int] = defaultdict(int)
        for spec in self.study.fleet:
            found[f"{spec.platform}/{spec.configuration}"] += spec.quantity
        return dict(found)

    @cached_property
    def money(self) -> Money:
        """Prices of energy and capital."""
        spec = self.study.finance
        finance = {
            name: float(self.setting(f"finance.{name}", getattr(spec, name)))
            for name in type(spec).model_fields
            if name != "facility"
        }
        wacc = finance["wacc_percent"] / 100.0
        building = finance["rent_usd_per_kw_month"] * 12.0
        if spec.facility == "own":
            building = finance["facility_usd_per_kw"] * annuity(wacc, finance["facility_life_years"])
        electricity = self.setting("site.electricity_usd_per_mwh", self.site["electricity_usd_per_mwh"])
        carbon = self.setting("site.carbon_g_per_kwh", self.site["carbon_g_per_kwh"])
        return Money(
            electricity_usd_per_j=electricity * SUFFIXES["_usd_per_mwh"][1],
            carbon_kg_per_j=carbon * SUFFIXES["_g_per_kwh"][1],
            wacc_frac=wacc,
            maintenance_frac=finance["maintenance_percent"] / 100.0,
            life_years={kind: finance[f"{kind}_life_years"] for kind in ("it", "memory", "network", "rack")},
            residual_frac=finance["residual_percent"] / 100.0,
            load_factor=finance["load_factor"],
            building_usd_per_w_year=building / 1e3,
        )

    @cached_property
    def workloads(self) -> dict[str, Workload]:
        """Classes by id."""
        total = sum(spec.share or 0.0 for spec in self.study.workload)
        return {spec.id: self._workload(spec, total) for spec in self.study.workload}

    def _workload(self, spec: WorkloadSpec, total_share: float) -> Workload:
        """Lay what the study says of a class over its row."""
        row = self.row("workloads", spec.id)
        value: dict[str, Any] = {
            name: row.get(name) if getattr(spec, name) is None else getattr(spec, name)
            for name in type(spec).model_fields
        }
        demand = spec.requests_per_s if spec.share is None else spec.share / total_share
        plain = {f.name for f in dataclasses.fields(Workload)} & set(value)
        fields = {name: value[name] or _USUAL.get(name, value[name]) for name in plain}
        fields |= {
            "arrival_cv": 1.0 if value["arrival_cv"] is None else value["arrival_cv"],
            "name": row["name"], "isl": value["isl_tokens"], "osl": value["osl_tokens"], "requests_per_s": demand,
            "weight_precisions": tuple(value["weight_precisions"]),
            "price_usd_per_token": None if value["price_usd_per_million_tokens"] is None
            else value["price_usd_per_million_tokens"] / 1e6,
            "reuse_frac_max": (value["reuse_frac_max"] or 0.0) if value["reuse_curve"] else 0.0,
            "system_tokens": value["system_tokens"] or 0.0,
            "draft_acceptance": self._acceptance(value["draft_acceptance"]),
        }  # fmt: skip
        most = self.row("models", fields["model_id"]).get("max_context")
        longest = math.inf if most is None else most - value["osl_tokens"]
        return Workload(**fields, longest_isl=max(fields["isl"], longest))

    def _acceptance(self, own: float | None) -> float:
        """Return the chance that a draft of a class is accepted; nothing where the study lets none be drafted."""
        build = self.study.build
        if max(build.draft_tokens) == 0:
            return 0.0
        return float(self.setting("build.draft_acceptance", build.draft_acceptance) if own is None else own)

    @cached_property
    def models(self) -> dict[str, Model]:
        """Models of the classes, by id."""
        return {w.model_id: self.part(Model, w.model_id) for w in self.workloads.values()}

    @cached_property
    def precisions(self) -> dict[str, Precision]:
        """Number formats by id."""
        return {str(row["id"]): Precision.from_row(row) for row in self.rows("precisions")}

    @cached_property
    def calibration(self) -> Calibration:
        """Fitted coefficients."""
        return Calibration.from_rows(self.rows("calibration"))

    @cached_property
    def switch(self) -> NetworkPart:
        """The switch that the fabric is made of."""
        return self.part(NetworkPart, self.setting("build.switch", self.study.build.switch))

    @cached_property
    def optic(self) -> NetworkPart:
        """What stands in each switch port in use."""
        return self.part(NetworkPart, self.setting("build.optic", self.study.build.optic))

    @property
    def port_bytes_per_s(self) -> float:
        """Bytes/s of a switch port."""
        return self.switch.port_bytes_per_s or 1.0

    @cached_property
    def nic_link(self) -> Link:
        """The path between nodes."""
        return self.part(Link, self.setting("build.nic_link", self.study.build.nic_link))

    @cached_property
    def nic_efficiency(self) -> TransferEfficiency:
        """Share of the path between nodes that transfers reach, by their size."""
        return self._efficiency(self.nic_link)

    @cached_property
    def scale_up_link(self) -> Link:
        """The path that stands for those inside a scale-up domain."""
        return self.part(Link, self.setting("build.scale_up_link", self.study.build.scale_up_link))

    @cached_property
    def scale_up_efficiency(self) -> TransferEfficiency:
        """Share of the scale-up bandwidth that transfers reach, by their size."""
        return self._efficiency(self.scale_up_link)

    def _efficiency(self, link: Link) -> TransferEfficiency:
        rows = [r for r in self.rows("link_efficiency") if r["link_id"] == link.id]
        return transfer_efficiency([(float(r["bytes"]), float(r["frac"])) for r in rows], link.measured_frac)

    @cached_property
    def _prices(self) -> dict[tuple[str, str], float]:
        """USD per byte by series and quarter."""
        rows = self.rows("memory_prices")
        return {(str(r["series"]), str(r["quarter"])): float(r["price_usd_per_gb"]) / 1e9 for r in rows}

    def paid_usd(self, list_usd: float, vendor: str = "") -> float:
        """Return what a list price comes to: the vendor's discount off, tax on what is left."""
        spec = self.study.site
        off = spec.discount_percent.get(vendor, 0.0) / 100.0
        return (list_usd - off * list_usd) * (1.0 + spec.tax_percent / 100.0)

    def device_usd(self, device: MemoryDevice, quarter: str | None = None) -> float:
        """Return the price of one memory device at a quarter, by default the study's."""
        key = (device.price_series, quarter or self.study.site.price_quarter)
        if key not in self._prices:
            raise InputError([Problem("design", "", "memory_prices", " ".join(key), "price is not in the design")])
        return self._prices[key] * device.capacity_bytes

    def kv_bytes(self, work: Workload) -> float:
        """Return the bytes of one copy of the KV of a class's prompt, without the tokens that all requests share."""
        width = self.precisions[work.kv_precision].kv_bytes_per_element
        return float(kv_layout(self.models[work.model_id]).private_bytes(work.isl, work.system_tokens, width))

    def loaded_share(self, work: Workload) -> float:
        """Return the share of that KV which a hit finds: the cached tokens beyond the shared ones."""
        found = max(0.0, work.isl * work.reuse_frac_max - work.system_tokens)
        return found / (work.isl - work.system_tokens)

    @cached_property
    def retention(self) -> dict[str, Retention]:
        """Retention segments of the classes that can reuse anything; curves are scaled to the class's prompts."""
        found = {}
        for work in self.workloads.values():
            rows = [r for r in self.rows("reuse") if r["curve"] == work.reuse_curve]
            if rows and work.reuse_frac_max > 0:
                found[work.id] = retention_segments(
                    [r["ttl_s"] for r in rows],
                    [r["hit_frac_of_max"] for r in rows],
                    [r["resident_tokens_per_rps"] * work.isl / r["isl_tokens"] for r in rows],
                    self.study.build.reuse_segments,
                )
        return found
