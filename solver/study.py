"""The question a user asks: site, mix, limits, objective and options, as a frozen TOML document.

A study holds what the user wrote and the defaults; ids are resolved against a catalog in `solver.scenario`.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from solver.errors import InputError, Problem, closest

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Month = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
Quarter = Annotated[str, Field(pattern=r"^20\d\dQ[1-4]$")]


def _real_day(text: str) -> str:
    """Refuse a day that the calendar does not have."""
    datetime.date.fromisoformat(text)
    return text


Day = Annotated[str, Field(pattern=r"^20\d\d-\d\d-\d\d$"), AfterValidator(_real_day)]
Role = Literal["prefill", "decode", "mixed"]


class Spec(BaseModel):
    """Base of the sections: frozen, no unknown keys, no silent conversion of text to numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SiteSpec(Spec):
    """The place: power at the utility meter, money, floor, energy; `id` takes the rest from the catalog.

    `budget` is in `currency`, of which `fx` are a dollar. Discounts are off list prices, by vendor; tax comes on top.
    """

    id: str | None = None
    power_mw: Positive | None = None
    budget_usd: Positive | None = None
    floor_m2: Positive | None = None
    water_l_per_s: Positive | None = None
    co2_kg_per_s: Positive | None = None
    price_quarter: Quarter = "2026Q3"
    available_by: Month = "2026-12"
    order_date: Day | None = None
    energised_by: Day | None = None
    electricity_usd_per_mwh: NonNegative | None = None
    carbon_g_per_kwh: NonNegative | None = None
    cooling: list[str] | None = None
    budget: Positive | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    fx: Positive | None = None
    tax_percent: NonNegative = 0.0
    discount_percent: dict[str, Annotated[float, Field(ge=0, lt=100)]] = {}
    usable_power_frac: Annotated[float, Field(gt=0, le=1)] = 1.0
    fixed_mw: NonNegative = 0.0

    @model_validator(mode="after")
    def _both_days(self) -> SiteSpec:
        if (self.order_date is None) != (self.energised_by is None):
            raise ValueError("order_date and energised_by go together: lead times are checked between them")
        if self.order_date and self.energised_by and self.order_date >= self.energised_by:
            raise ValueError("energised_by must be after order_date")
        return self

    @model_validator(mode="after")
    def _one_money(self) -> SiteSpec:
        if self.budget is not None and self.budget_usd is not None:
            raise ValueError("give either budget (in site.currency) or budget_usd")
        if (self.currency == "USD") != (self.fx is None):
            raise ValueError("currency and fx go together: fx is how much of a currency other than USD a dollar buys")
        return self


class SupplySpec(Spec):
    """How many of one part can be had, and on what ground."""

    quantity: Annotated[int, Field(ge=0)]
    basis: Literal["quote", "contract", "assumption"] = "assumption"
    note: str = ""


def _quantity(value: Any) -> Any:
    """Let a bare number stand for a supply limit."""
    return {"quantity": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Supply = Annotated[SupplySpec, BeforeValidator(_quantity)]


class SupplySection(Spec):
    """Supply limits by platform and by memory device bought apart from a standard fit."""

    platform: dict[str, Supply] = {}
    memory: dict[str, Supply] = {}


class FleetSpec(Spec):
    """Nodes that are owned already: `configuration` as the menu calls it, such as ``standard`` or ``8xDRIVE``."""

    platform: str
    quantity: Annotated[int, Field(ge=1)]
    configuration: str = "standard"


class WorkloadSpec(Spec):
    """One class: a catalog id, its demand, and whatever the study changes of the catalog's row.

    `promise_on` says which requests the TTFT promise binds: hits and misses each, hits alone, or every request by
    its new tokens (`ttft_s` for each thousand). `percentile_over` says of what its percentile is: of waits, for a
    prompt of mean length, or of requests, whose lengths spread.
    """

    id: str
    requests_per_s: Positive | None = None
    share: Positive | None = None
    model_id: str | None = None
    isl_tokens: Positive | None = None
    osl_tokens: Positive | None = None
    isl_cv: NonNegative | None = None
    osl_cv: NonNegative | None = None
    reuse_frac_max: Share | None = None
    reuse_curve: str | None = None
    system_tokens: NonNegative | None = None
    arrival_cv: NonNegative | None = None
    ttft_s: Positive | None = None
    tpot_s: Positive | None = None
    percentile: Annotated[float, Field(gt=0, lt=1)] | None = None
    promise_on: Literal["all", "hit", "per_1k_new_tokens"] = "all"
    percentile_over: Literal["waits", "lengths"] = "waits"
    weight_precisions: list[str] | None = None
    kv_precision: str | None = None
    kv_read_frac: Annotated[float, Field(gt=0, le=1)] | None = None
    draft_acceptance: Share | None = None
    value_per_token: Positive | None = None
    price_usd_per_million_tokens: NonNegative | None = None
    unmet_usd_per_request: NonNegative | None = None

    @model_validator(mode="after")
    def _demand_once(self) -> WorkloadSpec:
        if (self.requests_per_s is None) == (self.share is None):
            raise ValueError("give either requests_per_s or share")
        return self


class DemandSpec(Spec):
    """`fixed`: serve up to the stated rates. `mix`: scale the proportions as far as the limits allow.

    `floor_frac` is the share of the stated rates that must be served; ratio objectives need one.
    """

    mode: Literal["fixed", "mix"] = "mix"
    floor_frac: NonNegative = 0.0
    max_scale: Positive | None = None


class ObjectiveSpec(Spec):
    """What to maximise or minimise, and what counts as a token and as power."""

    name: str = "tokens_per_mw"
    tokens: Literal["output", "all", "value"] = "output"
    power: Literal["provisioned", "drawn"] = "provisioned"


class BuildSpec(Spec):
    """Practical limits and the menu from which candidates are made.

    `menu`: see `solver.configurations`. `draft_tokens`: depths of speculation. `spares_days`: how long a failed node is
    away. `replica_nodes`: whole nodes that a replica of a mixture of experts may span at most. `max_estimated_*_share`:
    how much of the capital outlay and of the provisioned watts may rest on estimates.
    """

    power_caps: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] = [1.0, 0.85, 0.7]
    roles: Annotated[list[Role], Field(min_length=1)] = ["prefill", "decode", "mixed"]
    utilisation_cap: Annotated[float, Field(gt=0, lt=1)] = 0.85
    batch_points_per_octave: Annotated[int, Field(ge=1, le=96)] = 24
    max_batch: Annotated[int, Field(ge=1, le=65536)] = 4096
    chunk_tokens: Positive = 8192.0
    draft_tokens: Annotated[list[Annotated[int, Field(ge=0, le=8)]], Field(min_length=1)] = [0]
    draft_acceptance: Share | None = None
    router_width: Annotated[int, Field(ge=1, le=1024)] = 8
    max_platforms: Annotated[int, Field(ge=1)] | None = None
    min_platform_mw_frac: Annotated[float, Field(gt=0, le=1)] | None = None
    max_device_kinds: Annotated[int, Field(ge=0)] | None = None
    max_candidates_per_class_role: Annotated[int, Field(ge=1)] | None = None
    tiers: bool = True
    reuse_segments: Annotated[int, Field(ge=1, le=12)] = 4
    switch: str | None = None
    optic: str | None = None
    nic_link: str | None = None
    scale_up_link: str | None = None
    scale_up_handover: bool = True
    replica_nodes: Annotated[int, Field(ge=1, le=64)] = 1
    port_shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] = [0.125, 0.25, 0.5, 1.0]
    accelerators_per_port: Positive | None = None
    handover_ttft_frac: Share | None = None
    write_amplification: Annotated[float, Field(ge=1, le=100)] | None = None
    menu: Literal["small", "full"] = "small"
    host_mem_usable_frac: Share | None = None
    host_mem_min_frac: NonNegative | None = None
    host_draw_frac: Share | None = None
    whole_replicas: bool | Literal["auto"] = False
    spares_days: NonNegative = 0.0
    accelerator_afr_percent: NonNegative | None = None
    platform_afr_percent: NonNegative | None = None
    n_plus_one: bool = False
    max_share_per_vendor: Annotated[float, Field(gt=0, le=1)] | None = None
    max_estimated_capex_share: Annotated[float, Field(gt=0, le=1)] | None = None
    max_estimated_power_share: Annotated[float, Field(gt=0, le=1)] | None = None


class FinanceSpec(Spec):
    """Money over time; what is not given comes from the catalog's defaults.

    The building is rented by provisioned IT kW, or owned and written off; the other way's keys then play no part.
    """

    wacc_percent: NonNegative | None = None
    it_life_years: Positive | None = None
    memory_life_years: Positive | None = None
    network_life_years: Positive | None = None
    rack_life_years: Positive | None = None
    residual_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    maintenance_percent: NonNegative | None = None
    load_factor: Annotated[float, Field(gt=0, le=1)] | None = None
    facility: Literal["rent", "own"] = "rent"
    rent_usd_per_kw_month: NonNegative | None = None
    facility_usd_per_kw: NonNegative | None = None
    facility_life_years: Positive | None = None


class SolverSpec(Spec):
    """When to stop."""

    gap: Annotated[float, Field(ge=1e-6, lt=1)] = 0.001
    time_limit_s: Positive = 300.0
    threads: Annotated[int, Field(ge=1, le=64)] = 2


class Study(Spec):
    """A whole study; frozen and hashed by content."""

    name: str = "study"
    description: str = ""
    site: SiteSpec
    supply: SupplySection = SupplySection()
    fleet: list[FleetSpec] = []
    workload: Annotated[list[WorkloadSpec], Field(min_length=1)]
    demand: DemandSpec = DemandSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    build: BuildSpec = BuildSpec()
    finance: FinanceSpec = FinanceSpec()
    solver: SolverSpec = SolverSpec()
    allow: list[str] = []
    exclude: list[str] = []

    def to_dict(self) -> dict[str, Any]:
        """Return the study with all defaults as plain data."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """Content hash (sha256, hexadecimal)."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def with_changes(self, changes: Mapping[str, Any]) -> Study:
        """Return a copy with some values replaced.

        Parameters
        ----------
        changes : mapping
            Dotted path to value: ``site.power_mw``, ``supply.platform.ID``, ``workload.CLASS.ttft_s``.

        Raises
        ------
        InputError
            If a path does not exist or a value is not allowed; all problems at once.
        """
        data = self.model_dump(mode="python")
        problems: list[Problem] = []
        for path, value in changes.items():
            problem = _assign(data, path, value)
            if problem:
                problems.append(problem)
        if problems:
            raise InputError(problems)
        return study_from_dict(data, origin="changes")


def _assign(data: dict[str, Any], path: str, value: Any) -> Problem | None:
    """Set one dotted path in nested data; return the problem if there is no such place."""
    *parents, last = path.split(".")
    place: Any = data
    for depth, key in enumerate(parents):
        known: list[str]
        if isinstance(place, list):
            known = [str(item.get("id", item.get("platform"))) for item in place]
            found = next((item for item, name in zip(place, known, strict=True) if name == key), None)
        else:
            known = list(place)
            found = place.get(key)
            if found is None and parents[: depth + 1][0] == "supply" and depth == 2:
                found = place.setdefault(key, {})
        if not isinstance(found, dict | list):
            return Problem("changes", path, key, "", "no such place", ", ".join(known), closest(key, known))
        place = found
    if not isinstance(place, dict):
        return Problem("changes", path, last, "", "names a list, not a value", "a dotted path to a value")
    if last not in place and parents[:1] != ["supply"] and parents != ["site", "discount_percent"]:
        return Problem("changes", path, last, "", "no such key", ", ".join(place), closest(last, place))
    place[last] = value
    return None


def _problems(error: ValidationError, origin: str) -> list[Problem]:
    """Turn pydantic's errors into problems with the path of the key and what is allowed."""
    problems = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        hint = ""
        if item["type"] == "extra_forbidden":
            fields = _fields_at(item["loc"][:-1])
            hint = closest(str(item["loc"][-1]), fields)
            message, allowed = "unknown key", ", ".join(fields)
        else:
            message, allowed = item["msg"], str((item.get("ctx") or {}).get("expected", ""))
        shown = "" if isinstance(item["input"], dict | list) else str(item["input"])
        problems.append(Problem(origin, "", path, shown, message, allowed, hint))
    return problems


def _fields_at(path: tuple[int | str, ...]) -> list[str]:
    """Names of the keys allowed at a place in the study."""
    sections: dict[str, type[Spec]] = {
        "site": SiteSpec, "supply": SupplySection, "fleet": FleetSpec, "workload": WorkloadSpec, "demand": DemandSpec,
        "objective": ObjectiveSpec, "build": BuildSpec, "finance": FinanceSpec, "solver": SolverSpec,
    }  # fmt: skip
    if not path:
        return list(Study.model_fields)
    spec = SupplySpec if path[0] == "supply" and len(path) > 2 else sections.get(str(path[0]), Study)
    return list(spec.model_fields)


def study_from_dict(data: Mapping[str, Any], origin: str = "study") -> Study:
    """Validate plain data as a study.

    Raises
    ------
    InputError
        With every problem found: path of the key, value, what is allowed and a close match.
    """
    try:
        study = Study.model_validate(dict(data))
    except ValidationError as error:
        raise InputError(_problems(error, origin)) from None
    seen: set[str] = set()
    doubled = [w.id for w in study.workload if w.id in seen or seen.add(w.id)]  # type: ignore[func-returns-value]
    problems = [
        Problem(origin, f"workload {name}", "id", name, "appears twice", "one entry a class") for name in doubled
    ]
    if len({w.share is None for w in study.workload}) > 1:
        problems.append(
            Problem(origin, "", "workload", "", "mixes share and requests_per_s", "one of them for all classes")
        )
    if problems:
        raise InputError(problems)
    return study


def load_study(path: str | Path) -> Study:
    """Read a study from a TOML file.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8, not TOML, or anything in it is wrong.
    """
    file = Path(path)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        near = [str(p) for p in file.parent.glob("*.toml")] if file.parent.is_dir() else []
        problem = Problem(str(path), "", "", "", "no such file", "a study in TOML", closest(str(file), near))
        raise InputError([problem]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(path), "", "", "", f"cannot be read: {error}", "UTF-8 text")]) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([Problem(str(path), "", "", "", f"not TOML: {error}", "TOML 1.0")]) from None
    return study_from_dict(data, origin=file.name)
