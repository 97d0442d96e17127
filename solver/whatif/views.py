"""A design as rows for a page: headline figures, the build in words, the bill, promises, limits, other builds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from solver.brief import NEAR_FRAC, definition, money, promise_margins
from solver.charts.html import HEADLINES
from solver.design import Design
from solver.kpis import KPIS
from solver.resources import RESOURCES
from solver.shares import SHARES
from solver.words import amount, figure, percent

Record = dict[str, Any]
CARDS = 4
"""Headline figures at most."""
MORE_IS_BETTER = {
    "output_tokens_per_s": True,
    "capex_usd": False,
    "usd_per_million_tokens": False,
    "utility_meter_w": False,
}
"""Which way a headline figure should go."""
LEAST_SHARE = 0.005
"""Share of a platform below which a role is not named."""
ALIKE = 5e-5
"""Relative difference that is none."""
WORTH = "worth"
"""Section of a design that says what more of each limit of its site and supply gains: bottlenecks without the rest."""


def headlines(design: Design, base: Design | None = None, base_name: str = "") -> list[Record]:
    """Return the headline figures of a build as cards: the objective first, four at most.

    Parameters
    ----------
    design : Design
        With a build.
    base : Design, optional
        What they are compared with where it has a build; else the objective is compared with the first baseline.
    base_name : str

    Returns
    -------
    list of dict
        As `solver.ui.widgets.kpi_cards` draws them.
    """
    goal = str(design.objective["name"])
    basis = base if base is not None and base.has_build else None
    own = Card(design, basis, base_name)
    cards = [own.objective()]
    return cards + [own.figure(name) for name in HEADLINES if name != goal and name in design.kpis][: CARDS - 1]


class Card:
    """Makes the cards of one design against another."""

    def __init__(self, design: Design, base: Design | None, base_name: str) -> None:
        self.design, self.base, self.base_name = design, base, base_name

    def objective(self) -> Record:
        """Return the card of what the study wants most or least of."""
        found, design = self.design.objective, self.design
        kpi = design.kpis.get(str(found["name"]))
        more = found.get("sense", "max") == "max"
        card = _card(str(found.get("title", found["name"])), figure(float(found["value"])), str(found.get("unit", "")),
                     definition(design), kpi)  # fmt: skip
        if self.base is not None and self.base.objective.get("name") == found["name"]:
            return card | self._against(float(found["value"]), float(self.base.objective["value"]), more)
        other = next((b for b in design.baselines if b.get("gain_frac") is not None), None)
        if self.base is None and other is not None:
            gain = float(other["gain_frac"])
            clear = abs(gain) > float(found.get("gap") or 0.0)
            return card | {
                "delta": _signed(gain),
                "better": gain >= 0 if clear else None,
                "against": str(other["name"]),
            }
        return card

    def figure(self, name: str) -> Record:
        """Return the card of a key figure."""
        kpi = self.design.kpis[name]
        value, unit = float(kpi["value"]), str(kpi["unit"])
        if unit.startswith("USD"):
            number, _, short = money(self.design, value).partition(" ")
            unit = f"{short}{unit.removeprefix('USD')}"
        elif unit in ("W", "tokens/s"):
            number, _, unit = _prefixed(value, unit).partition(" ")
        else:
            number = figure(value)
        card = _card(KPIS[name].name, number, unit, str(kpi["basis"]), kpi)
        other = None if self.base is None else self.base.kpis.get(name)
        return card if other is None else card | self._against(value, float(other["value"]), MORE_IS_BETTER.get(name))

    def _against(self, value: float, other: float, more_is_better: bool | None) -> Record:
        """How a figure differs from that of the base."""
        share = (value - other) / abs(other) if other else 0.0
        if abs(share) < ALIKE:
            return {"delta": "0%", "better": None, "against": self.base_name}
        better = None if more_is_better is None else (share > 0) == more_is_better
        return {"delta": _signed(share), "better": better, "against": self.base_name}


def _prefixed(value: float, unit: str) -> str:
    """A figure with a decimal prefix on its unit: ``5.94 Mtokens/s`` reads badly, ``5.94 M tokens/s`` does not."""
    if unit == "W":
        return amount(value, unit)
    for scale, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:,.2f} {prefix} {unit}"
    return f"{figure(value)} {unit}"


def _card(name: str, value: str, unit: str, basis: str, kpi: Mapping[str, Any] | None) -> Record:
    card: Record = {"name": name, "value": value, "unit": unit, "definition": basis}
    if kpi is not None and kpi["low"] != kpi["high"] and kpi["value"]:
        low, high = (float(kpi[end]) / float(kpi["value"]) - 1.0 for end in ("low", "high"))
        card["range"] = f"{_signed(low)} … {_signed(high)}"
    return card


def _signed(share: float) -> str:
    if share > 1.0:
        return f"×{1.0 + share:.2g}" if share >= 9 else f"+{100 * share:.0f}%"
    return f"{'+' if share >= 0 else '-'}{percent(abs(share))}"


def build_lines(design: Design) -> list[Record]:
    """Return the build by platform, most watts first: how many of what, with what in them, for what.

    Returns
    -------
    list of dict
        ``platform``, ``name``, ``vendor``, ``quantity``, ``accelerators``, ``owned``, ``meter_w``, ``roles`` (role and
        share), ``fits`` (quantity and ``devices``, each with count and name; empty for as sold) and ``caps`` (quantity
        and cap of boards below their rating).
    """
    rows = design.catalog["rows"]
    names = {part: str(row["name"]) for table in ("platforms", "memory") for part, row in rows.get(table, {}).items()}
    vendors = {part: str(row["vendor"]) for part, row in rows.get("platforms", {}).items()}
    owned = {str(line["part"]) for line in design.bill_of_materials if line.get("owned")}
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for pool in design.pools:
        found[str(pool["platform"])].append(pool)
    lines = [
        {
            "platform": platform,
            "name": names.get(platform, platform),
            "vendor": vendors.get(platform, ""),
            "quantity": sum(int(pool["quantity"]) for pool in pools),
            "accelerators": sum(int(pool["accelerators"]) for pool in pools),
            "owned": platform in owned,
            "meter_w": sum(float(pool["meter_w"]) for pool in pools),
            "roles": _roles(pools),
            "fits": _fits(pools, names),
            "caps": _caps(pools),
        }
        for platform, pools in found.items()
    ]
    return sorted(lines, key=lambda line: (not line["accelerators"], -float(str(line["meter_w"]))))


def _roles(pools: list[Mapping[str, Any]]) -> list[Record]:
    """Roles with the share of the nodes that they take, the largest first."""
    nodes: dict[str, float] = defaultdict(float)
    for pool in pools:
        for role, share in pool["role_shares"].items():
            nodes[role] += float(share) * float(pool["quantity"])
    total = sum(nodes.values()) or 1.0
    ranked = sorted(nodes.items(), key=lambda pair: -pair[1])
    return [{"role": role, "share": part / total} for role, part in ranked if part >= LEAST_SHARE * total]


def _fits(pools: list[Mapping[str, Any]], names: Mapping[str, str]) -> list[Record]:
    """What nodes are bought with."""
    found: dict[str, Record] = {}
    for pool in pools:
        label = str(pool["configuration"]).partition("/")[2]
        devices = [{"count": int(d["count"]), "name": names.get(d["device"], d["device"])} for d in pool["devices"]]
        line = found.setdefault(label, {"fit": label, "quantity": 0, "devices": devices})
        line["quantity"] += int(pool["quantity"])
    return sorted(found.values(), key=lambda line: -line["quantity"])


def _caps(pools: list[Mapping[str, Any]]) -> list[Record]:
    """Nodes whose boards are capped below their rating."""
    found: dict[float, int] = defaultdict(int)
    for pool in pools:
        if float(pool["cap"]) < 1.0 and int(pool["accelerators"]):
            found[float(pool["cap"])] += int(pool["quantity"])
    return [{"cap": cap, "quantity": count} for cap, count in sorted(found.items(), reverse=True)]


def bill_rows(design: Design) -> list[Record]:
    """Return the bill of materials in the study's currency, most money first."""
    fx = float(design.study.get("site", {}).get("fx") or 1.0)
    rows = [
        {
            "name": line["name"], "part": line["part"], "kind": line["kind"], "vendor": line["vendor"],
            "quantity": line["quantity"], "unit_price": float(line["unit_usd"]) * fx,
            "capex": float(line["capex_usd"]) * fx, "provisioned_w": line["provisioned_w"],
            "drawn_w": line["drawn_w"], "weeks": line["lead_time_weeks"], "confidence": line["confidence_price"],
            "confidence_power": line["confidence_power"], "source": line["source"], "owned": bool(line.get("owned")),
        }
        for line in design.bill_of_materials
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -float(row["capex"]))


def currency(design: Design) -> str:
    """Return the currency of a study's money."""
    return str(design.study.get("site", {}).get("currency") or "USD")


def promise_rows(design: Design) -> list[Record]:
    """Return each promise with the slowest that keeps it and what is left, the tightest first."""
    limits = {str(limit["id"]): limit for limit in design.limits}
    rows = []
    for name, kind, margin in promise_margins(design):
        limit = limits[f"promise.{name}.{kind.lower()}"]
        rows.append({"class": name, "what": kind, "promised": limit["value"], "slowest": limit["used"], "left": margin,
                     "kept": margin > -1e-6})  # fmt: skip
    return rows


def limit_rows(design: Design) -> list[Record]:
    """Return the limits of site, supply and memory, the fullest first, with what more of each is worth where known."""
    worth = {str(item["id"]): item for item in _valued(design)}
    rows = []
    for limit in design.limits:
        name, value, used = str(limit["id"]), float(limit["value"]), float(limit["used"])
        if name.startswith("promise."):
            continue
        found = worth.get(name, {})
        rows.append({"id": name, "name": limit_name(design, name), "used": amount(used, limit["unit"]),
                     "limit": amount(value, limit["unit"]), "share": used / value if value else 1.0,
                     "binds": float(limit["slack"]) <= NEAR_FRAC * abs(value),
                     "worth": _worth(found), "unit": limit["unit"]})  # fmt: skip
    return sorted(rows, key=lambda row: -float(str(row["share"])))


def limit_name(design: Design, limit: str) -> str:
    """Return what people call a limit."""
    head, _, rest = limit.partition(".")
    if head == "site":
        known = {item.limit_path: item.name for item in RESOURCES.values() if item.limit_path}
        return known.get(limit, rest.replace("_", " "))
    if head == "supply":
        kind, _, part = rest.partition(".")
        row = design.catalog["rows"].get("platforms" if kind == "platform" else kind, {}).get(part, {})
        return f"supply of {row.get('name', part)}"
    shares = {share.path: share.name for share in SHARES.values()}
    return shares.get(limit, rest.replace("_", " ") if head != "memory" else rest)


def _valued(design: Design) -> list[Record]:
    """Records of what more is worth: of all bottlenecks where these were asked for."""
    found = design.explained.get("bottlenecks") or design.explained.get(WORTH) or []
    return [item for item in found if isinstance(item, dict)]


STEPS = {"W": (1e6, "MW"), "USD": (1e6, "MUSD"), "m2": (100.0, "100 m2"), "pieces": (1.0, "piece")}
"""Unit of a limit -> the step in which what more is worth is told, and what it is called."""


def _worth(item: Mapping[str, Any]) -> str:
    """What one step more of a limit gains, in words; empty where it was not valued."""
    if item.get("marginal") is None:
        return ""
    step, called = STEPS.get(str(item["unit"]), (1.0, str(item["unit"])))
    gain = float(item["marginal"]) * step
    unit = str(item.get("gain_unit", ""))
    return f"{'+' if gain >= 0 else '−'}{_prefixed(abs(gain), unit)} / {called}" if gain else f"0 / {called}"


def worth_of_power(design: Design) -> Record | None:
    """Return what one more megawatt gains, and what that is worth in a year; None where it was not valued."""
    limits = {str(limit["id"]) for limit in design.limits}
    for item in _valued(design):
        if item["id"] == "site.power_mw" in limits and item.get("marginal") is not None:
            yearly = item.get("usd_per_year")
            gain = _prefixed(float(item["marginal"]) * 1e6, str(item["gain_unit"]))
            return {"gain": gain, "usd_per_year": None if yearly is None else f"{amount(float(yearly) * 1e6, 'USD')}",
                    "usd_basis": str(item.get("usd_basis", "")), "binds": bool(item["marginal"])}  # fmt: skip
    return None


def other_rows(design: Design) -> list[Record]:
    """Return the builds that were solved for comparison, and how much better this one is."""
    found = [*design.baselines]
    runner = design.runner_up
    if runner and runner.get("objective_value") is not None:
        found.append({**runner, "name": f"best without {runner['without']}"})
    return [
        {"name": str(item["name"]), "value": item["objective_value"], "gain": item["gain_frac"],
         "platforms": ", ".join(item.get("platforms") or [])}
        for item in found if item.get("objective_value") is not None
    ]  # fmt: skip


def assumption_rows(design: Design) -> list[Record]:
    """Return what was assumed, what was changed from the default first."""
    rows = [
        {"path": item["path"], "value": _text(item["value"]), "default": _text(item["default"]),
         "changed": item["value"] != item["default"], "confidence": item["confidence"], "source": item["source"]}
        for item in design.assumptions
    ]  # fmt: skip
    return sorted(rows, key=lambda row: not row["changed"])


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
