"""Key figures of a design: one registered function each, computed from the design's own records.

Each says exactly what it counts; `basis` is printed wherever the number is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from solver.bands import Band, errors_of, regime_shares
from solver.boundaries import BoardWatts, ItWatts, MeterWatts, WallWatts
from solver.design import Design, Record
from solver.model.objectives import revenue_per_request, seconds_of_load, tokens_per_request
from solver.physics.calibration import Calibration
from solver.resources import SECONDS_PER_YEAR
from solver.scenario import Scenario
from solver.shares import SHARES

Figure = Callable[[Design, Scenario], float]


@dataclass(frozen=True)
class Kpi:
    """A key figure: id, name, unit, what it counts, and how it is computed.

    `band` says how the figure goes with throughput and power, whose error it then carries; a figure that a study
    gives nothing for (`applies`) is left out.
    """

    id: str
    name: str
    unit: str
    basis: str
    compute: Figure
    band: Band = ""
    applies: Callable[[Scenario], bool] = lambda _: True


KPIS: dict[str, Kpi] = {}


def kpi(
    kpi_id: str,
    name: str,
    unit: str,
    basis: str,
    *,
    band: Band = "",
    applies: Callable[[Scenario], bool] = lambda _: True,
) -> Callable[[Figure], Figure]:
    """Register a function as a key figure."""

    def add(function: Figure) -> Figure:
        if kpi_id in KPIS:
            raise ValueError(f"KPI {kpi_id} is registered twice")
        KPIS[kpi_id] = Kpi(kpi_id, name, unit, basis, function, band, applies)
        return function

    return add


def compute_kpis(design: Design, scenario: Scenario) -> tuple[dict[str, Record], dict[str, float]]:
    """Return all key figures of a design and its output tokens/s by model.

    Low and high come from the errors of the regimes of evidence that the load sits in (`solver.bands`), and `evidence`
    names the regime of most of its accelerators; other figures carry no band.
    """
    shares = regime_shares(design.load)
    errors = errors_of(shares, Calibration.from_catalog(scenario.catalog))
    evidence = max(shares, key=lambda word: shares[word])
    records = {}
    for item in KPIS.values():
        if not item.applies(scenario):
            continue
        value = item.compute(design, scenario)
        low, high = errors.ends(value, item.band)
        records[item.id] = {
            "value": value,
            "unit": item.unit,
            "basis": item.basis,
            "low": low,
            "high": high,
            "evidence": evidence if item.band else "datasheet",
        }
    by_model: dict[str, float] = defaultdict(float)
    for entry in design.load:
        if entry["output_tokens_per_s"]:
            by_model[entry["model"]] += entry["output_tokens_per_s"]
    return records, dict(sorted(by_model.items(), key=lambda pair: -pair[1]))


def _served(design: Design) -> dict[str, float]:
    """Requests/s decoded of each class."""
    served: dict[str, float] = defaultdict(float)
    for item in design.load:
        if item["role"] != "prefill":
            served[item["class"]] += item["requests_per_s"]
    return served


@kpi("requests_per_s", "Requests per second", "1/s", "requests served, all classes", band="rate")
def requests_per_s(design: Design, scenario: Scenario) -> float:
    """Requests served a second, all classes together."""
    return sum(_served(design).values())


@kpi("output_tokens_per_s", "Output tokens per second", "tokens/s", "output tokens, reasoning included", band="rate")
def output_tokens_per_s(design: Design, scenario: Scenario) -> float:
    """Output tokens a second."""
    return float(sum(item["output_tokens_per_s"] for item in design.load))


@kpi(
    "new_input_tokens_per_s",
    "New input tokens per second",
    "tokens/s",
    "input tokens prefilled, cached ones not",
    band="rate",
)
def new_input_tokens_per_s(design: Design, scenario: Scenario) -> float:
    """Input tokens prefilled a second."""
    return float(sum(item["input_tokens_per_s"] for item in design.load))


@kpi("tokens_per_s", "Tokens per second", "tokens/s", "as the study counts tokens (objective.tokens)", band="rate")
def tokens_per_s(design: Design, scenario: Scenario) -> float:
    """Tokens a second that the objective counts."""
    tokens = tokens_per_request(scenario)
    return sum(rate * tokens[name] for name, rate in _served(design).items())


@kpi(
    "value_tokens_per_s",
    "Value-weighted tokens per second",
    "tokens/s",
    "output tokens x value_per_token of the class",
    band="rate",
)
def value_tokens_per_s(design: Design, scenario: Scenario) -> float:
    """Output tokens a second, weighted with the value of the class."""
    value = {w.id: w.osl * w.value_per_token for w in scenario.workloads}
    return sum(rate * value[name] for name, rate in _served(design).items())


@kpi(
    "tokens_per_mw",
    "Tokens per second per contracted MW",
    "tokens/s/MW",
    "tokens_per_s over the contracted MW at the meter",
    band="rate",
)
def tokens_per_mw(design: Design, scenario: Scenario) -> float:
    """Tokens a second per contracted megawatt; per used megawatt where nothing is contracted."""
    contracted = scenario.site.power_w or utility_meter_w(design, scenario)
    return tokens_per_s(design, scenario) / (contracted / 1e6) if contracted else 0.0


@kpi(
    "tokens_per_used_mw",
    "Tokens per second per used MW",
    "tokens/s/MW",
    "tokens_per_s over provisioned MW at the meter",
    band="rate",
)
def tokens_per_used_mw(design: Design, scenario: Scenario) -> float:
    """Tokens a second per provisioned megawatt at the meter."""
    used = utility_meter_w(design, scenario)
    return tokens_per_s(design, scenario) / (used / 1e6) if used else 0.0


@kpi("accelerators", "Accelerators", "pieces", "accelerator packages in all pools")
def accelerators(design: Design, scenario: Scenario) -> float:
    """Accelerator packages."""
    return float(sum(pool["accelerators"] for pool in design.pools))


@kpi("accelerator_board_w", "Accelerator boards, provisioned", "W", "TDP x cap, boundary: accelerator board")
def accelerator_board_w(design: Design, scenario: Scenario) -> float:
    """Watts of accelerator boards at their caps."""
    return BoardWatts.total(BoardWatts(pool["board_w"]) for pool in design.pools).watts


@kpi("node_wall_w", "Nodes, provisioned", "W", "node peak less caps, with memory and drives, boundary: node wall")
def node_wall_w(design: Design, scenario: Scenario) -> float:
    """Watts of nodes at their walls."""
    return WallWatts.total(WallWatts(pool["node_w"]) for pool in design.pools).watts


@kpi("it_w", "IT, provisioned", "W", "nodes and network outside nodes, boundary: IT")
def it_provisioned_w(design: Design, scenario: Scenario) -> float:
    """Watts of all IT."""
    nodes = ItWatts.total(ItWatts(pool["it_w"]) for pool in design.pools)
    return (nodes + ItWatts(design.network.get("it_w", 0.0))).watts


@kpi("utility_meter_w", "Site, provisioned", "W", "IT x design-day PUE + fixed loads, boundary: utility meter")
def utility_meter_w(design: Design, scenario: Scenario) -> float:
    """Watts at the meter that the site must be able to deliver."""
    nodes = MeterWatts.total(MeterWatts(pool["meter_w"]) for pool in design.pools)
    return (nodes + MeterWatts(design.network.get("meter_w", 0.0)) + MeterWatts(scenario.site.fixed_w)).watts


def _working(design: Design) -> MeterWatts:
    """Mean power of all replicas above idle."""
    return MeterWatts.total(MeterWatts(item["drawn_above_idle_meter_w"]) for item in design.load)


@kpi(
    "drawn_meter_w",
    "Site, drawn on average",
    "W",
    "mean draw x mean PUE at the promised load, boundary: utility meter",
    band="draw",
)
def drawn_meter_w(design: Design, scenario: Scenario) -> float:
    """Mean watts at the meter."""
    standing = MeterWatts.total(MeterWatts(pool["standing_meter_w"]) for pool in design.pools)
    network = MeterWatts(design.network.get("drawn_meter_w", 0.0))
    return (standing + network + _working(design) + MeterWatts(scenario.site.fixed_w)).watts


@kpi("capex_usd", "Capital outlay", "USD", "platforms, memory, racks, network, with tax; no building")
def capex_usd(design: Design, scenario: Scenario) -> float:
    """Dollars to buy the bill of materials."""
    return float(sum(line["capex_usd"] for line in design.bill_of_materials))


@kpi(
    "tco_usd_per_year",
    "Yearly cost",
    "USD/year",
    "annuity less residual value + maintenance + electricity at the load factor + building by provisioned IT",
)
def tco_usd_per_year(design: Design, scenario: Scenario) -> float:
    """Dollars a year to own and run the build."""
    finance, site = scenario.finance, scenario.site
    spared = (1.0 - finance.load_factor) * _working(design)
    mean = MeterWatts(drawn_meter_w(design, scenario)) - spared
    total: float = mean.watts * site.electricity_usd_per_j * SECONDS_PER_YEAR
    total += it_provisioned_w(design, scenario) * finance.rent_usd_per_w_year
    for line in design.bill_of_materials:
        total += line["capex_usd"] * finance.yearly(line["kind"])
    return total


@kpi(
    "usd_per_million_tokens",
    "Cost of a million tokens",
    "USD/1e6 tokens",
    "yearly cost over the tokens of a year at the load factor",
    band="per_rate",
)
def usd_per_million_tokens(design: Design, scenario: Scenario) -> float:
    """Dollars per million tokens of a year."""
    yearly = tokens_per_s(design, scenario) * seconds_of_load(scenario)
    return tco_usd_per_year(design, scenario) / (yearly / 1e6) if yearly else 0.0


@kpi(
    "tokens_per_tco_dollar",
    "Tokens per dollar of yearly cost",
    "tokens/USD",
    "tokens_per_s of a year over the yearly cost",
    band="rate",
)
def tokens_per_tco_dollar(design: Design, scenario: Scenario) -> float:
    """Tokens of a year per dollar of that year."""
    cost = tco_usd_per_year(design, scenario)
    return tokens_per_s(design, scenario) * seconds_of_load(scenario) / cost if cost else 0.0


def _priced(scenario: Scenario) -> bool:
    """True where every class has a price."""
    return all(w.price_usd_per_token is not None for w in scenario.workloads)


@kpi(
    "revenue_usd_per_year",
    "Yearly revenue",
    "USD/year",
    "tokens as the study counts them x price of the class",
    band="rate",
    applies=_priced,
)
def revenue_usd_per_year(design: Design, scenario: Scenario) -> float:
    """Dollars a year that the served tokens earn."""
    earned = revenue_per_request(scenario)
    return sum(rate * earned[name] for name, rate in _served(design).items()) * seconds_of_load(scenario)


@kpi(
    "profit_usd_per_year",
    "Yearly revenue less yearly cost",
    "USD/year",
    "revenue less yearly cost, less unmet_usd_per_request of stated requests that are not served",
    applies=_priced,
)
def profit_usd_per_year(design: Design, scenario: Scenario) -> float:
    """Dollars a year that are left."""
    served, fixed = _served(design), scenario.study.demand.mode == "fixed"
    lost = sum(
        (w.unmet_usd_per_request or 0.0) * max(0.0, w.requests_per_s - served.get(w.id, 0.0))
        for w in scenario.workloads if fixed
    )  # fmt: skip
    return (
        revenue_usd_per_year(design, scenario) - lost * seconds_of_load(scenario) - tco_usd_per_year(design, scenario)
    )


@kpi(
    "joules_per_token",
    "Energy of a token",
    "J/token",
    "drawn watts at the meter over tokens_per_s",
    band="draw_per_rate",
)
def joules_per_token(design: Design, scenario: Scenario) -> float:
    """Joules at the meter per token."""
    rate = tokens_per_s(design, scenario)
    return drawn_meter_w(design, scenario) / rate if rate else 0.0


@kpi("floor_m2", "Floor", "m2", "racks with aisles")
def floor_m2(design: Design, scenario: Scenario) -> float:
    """Floor that the racks take, with aisles."""
    return float(sum(rack["floor_m2"] for pool in design.pools for rack in pool["racks"]))


@kpi("water_l_per_s", "Water", "L/s", "provisioned IT energy x water use of the cooling")
def water_l_per_s(design: Design, scenario: Scenario) -> float:
    """Litres of water a second at full load."""
    racks = {rack.id: scenario.cooling[rack.cooling].wue_l_per_j for rack in scenario.racks}
    total = float(design.network.get("it_w", 0.0)) * scenario.network_cooling.wue_l_per_j
    for pool in design.pools:
        for rack in pool["racks"]:
            total += pool["it_w"] * rack["nodes"] / pool["quantity"] * racks[rack["rack"]]
    return total


@kpi("co2_kg_per_s", "Carbon dioxide", "kg/s", "drawn energy x carbon of the grid", band="draw")
def co2_kg_per_s(design: Design, scenario: Scenario) -> float:
    """Kilograms of carbon dioxide a second."""
    return drawn_meter_w(design, scenario) * scenario.site.carbon_kg_per_j


@kpi("estimated_capex_share", "Dollars resting on estimates", "share", "capex of parts whose price is an estimate")
def estimated_capex_share(design: Design, scenario: Scenario) -> float:
    """Share of the capital outlay whose prices are estimates."""
    return SHARES["estimated_capex_share"].of_bill(design.bill_of_materials)


@kpi(
    "estimated_power_share",
    "Watts resting on estimates",
    "share",
    "provisioned IT watts of parts whose power is an estimate",
)
def estimated_power_share(design: Design, scenario: Scenario) -> float:
    """Share of the provisioned watts whose figures are estimates."""
    return SHARES["estimated_power_share"].of_bill(design.bill_of_materials)


@kpi(
    "measured_tokens_share",
    "Tokens on measured ground",
    "share",
    "tokens/s of load inside the calibration's measurements",
)
def measured_share(design: Design, scenario: Scenario) -> float:
    """Share of output tokens that rest on configurations like those measured."""
    total = output_tokens_per_s(design, scenario)
    inside = sum(item["output_tokens_per_s"] for item in design.load if item["evidence"] == "measured")
    return inside / total if total else 0.0


def _share_of(regime: str) -> Figure:
    """Return the figure of one regime."""

    def share(design: Design, scenario: Scenario) -> float:
        """Share of the accelerators at work in one regime of evidence."""
        return regime_shares(design.load)[regime]

    return share


for _regime, _id, _where in (
    ("measured", "measured_load_share", "inside the measurements"),
    ("extrapolated", "extrapolated_load_share", "one step outside the measurements"),
    ("none", "unmeasured_load_share", "further outside the measurements"),
):
    _basis = f"accelerators at work with evidence {_regime}, over all at work"
    kpi(_id, f"Load {_where}", "share", _basis)(_share_of(_regime))
