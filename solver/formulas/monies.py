"""Key figures of a design in dollars."""

from __future__ import annotations

from collections import defaultdict

from solver.formulas.asking import CHOSEN, COMPUTED, SOLVED, Ask
from solver.formulas.records import Sheet, Term, columns_of
from solver.formulas.totals import by_class, counted, figure, site_price, working_w
from solver.resources import SECONDS_PER_YEAR


@figure("capex_usd")
def capex_usd(ask: Ask) -> Sheet:
    """Pieces ordered of each part, times what is paid for one."""
    bill = ask.design.bill_of_materials
    fields = ("quantity", "list_usd", "discount_frac", "tax_frac")
    rows = [{name: float(line[name]) for name in fields} for line in bill]
    notes = tuple(f"{line['confidence_price']}: {line['source']}" for line in bill)
    about = {
        "quantity": ("pieces", "design, bill_of_materials", SOLVED),
        "list_usd": ("USD", "catalog price at the study's quarter", "by row"),
        "discount_frac": ("share", "study, site.discount_percent", CHOSEN),
        "tax_frac": ("share", "study, site.tax_percent", CHOSEN),
    }
    text = "sum(quantity * list_usd * (1 - discount_frac) * (1 + tax_frac))"
    return Sheet(text, (), tuple(str(line["id"]) for line in bill), columns_of(rows, about), notes)


@figure("tco_usd_per_year")
def tco_usd_per_year(ask: Ask) -> Sheet:
    """Annuity and maintenance of each kind of asset, electricity of the mean load, building by provisioned IT."""
    money, finance = ask.facts.money, ask.facts.study.finance
    spent: dict[str, float] = defaultdict(float)
    for line in ask.design.bill_of_materials:
        spent[str(line["kind"])] += float(line["capex_usd"])
    rows = [{"kind_usd": usd, "yearly_frac": money.yearly(kind)} for kind, usd in spent.items()]
    about = {
        "kind_usd": ("USD", "design, bill_of_materials", SOLVED),
        "yearly_frac": ("1/year", "annuity less residual value, and maintenance (finance.*)", COMPUTED),
    }
    notes = tuple(
        f"{money.life_years[kind if kind in money.life_years else 'it']:g} years at {money.wacc_frac:.3g}"
        for kind in spent
    )
    building = "facility_usd_per_kw" if finance.facility == "own" else "rent_usd_per_kw_month"
    rent = ask.setting(f"finance.{building}", money.building_usd_per_w_year, "building_usd_per_w_year", "USD/W/year")
    terms = (
        ask.number("drawn_meter_w"),
        working_w(ask),
        ask.setting("finance.load_factor", money.load_factor, unit="share"),
        site_price(ask, "electricity_usd_per_mwh"),
        Term("year_s", SECONDS_PER_YEAR, "s", "seconds of a year", "definition"),
        ask.number("it_w"),
        rent,
    )
    text = (
        "sum(kind_usd * yearly_frac)"
        " + (drawn_meter_w - (1 - load_factor) * working_w) * electricity_usd_per_j * year_s"
        " + it_w * building_usd_per_w_year"
    )
    return Sheet(text, terms, tuple(spent), columns_of(rows, about), notes)


def _year(ask: Ask) -> Term:
    return Term("load_s_per_year", SECONDS_PER_YEAR * ask.facts.money.load_factor, "s/year",
                "seconds of a year x finance.load_factor", COMPUTED)  # fmt: skip


@figure("usd_per_million_tokens")
def usd_per_million_tokens(ask: Ask) -> Sheet:
    """Yearly cost over the millions of tokens of that year."""
    return Sheet("tco_usd_per_year / (tokens_per_s * load_s_per_year / 1000000)",
                 (ask.number("tco_usd_per_year"), ask.number("tokens_per_s"), _year(ask)))  # fmt: skip


@figure("tokens_per_tco_dollar")
def tokens_per_tco_dollar(ask: Ask) -> Sheet:
    """Tokens of a year over the cost of that year."""
    return Sheet("tokens_per_s * load_s_per_year / tco_usd_per_year",
                 (ask.number("tokens_per_s"), _year(ask), ask.number("tco_usd_per_year")))  # fmt: skip


def _prices(ask: Ask) -> tuple[str, dict[str, float], str]:
    prices = {w.id: w.price_usd_per_token or 0.0 for w in ask.facts.workloads.values()}
    return ("USD/token", prices, "study and workloads, price_usd_per_million_tokens")


@figure("revenue_usd_per_year")
def revenue_usd_per_year(ask: Ask) -> Sheet:
    """Counted tokens of a year at the price of their class."""
    labels, columns = by_class(ask, tokens=counted(ask), price_usd_per_token=_prices(ask))
    return Sheet("sum(requests_per_s * tokens * price_usd_per_token) * load_s_per_year", (_year(ask),), labels, columns)


@figure("profit_usd_per_year")
def profit_usd_per_year(ask: Ask) -> Sheet:
    """Revenue less cost, less what requests that were stated and are not served cost."""
    terms = (ask.number("revenue_usd_per_year"), ask.number("tco_usd_per_year"))
    works = ask.facts.workloads.values()
    if ask.facts.study.demand.mode != "fixed" or not any(w.unmet_usd_per_request for w in works):
        return Sheet("revenue_usd_per_year - tco_usd_per_year", terms)
    served: dict[str, float] = defaultdict(float)
    for item in ask.design.load:
        served[str(item["class"])] += float(item["requests_per_s"]) if item["role"] != "prefill" else 0.0
    rows = [{"asked_per_s": w.requests_per_s, "served_per_s": served[w.id],
             "unmet_usd_per_request": w.unmet_usd_per_request or 0.0} for w in works]  # fmt: skip
    about = {
        "asked_per_s": ("1/s", "study, workload.requests_per_s", CHOSEN),
        "served_per_s": ("1/s", "design, load of decode and mixed", SOLVED),
        "unmet_usd_per_request": ("USD", "study, workload.unmet_usd_per_request", CHOSEN),
    }
    lost = "sum(unmet_usd_per_request * max(0, asked_per_s - served_per_s)) * load_s_per_year"
    return Sheet(f"revenue_usd_per_year - tco_usd_per_year - {lost}", (*terms, _year(ask)),
                 tuple(w.id for w in works), columns_of(rows, about))  # fmt: skip


def _estimated(ask: Ask, kind: str, field: str) -> tuple[float, float]:
    """Sum of a field of the bill's lines whose confidence is an estimate, and of all."""
    bill = ask.design.bill_of_materials
    rough = sum(float(line[field]) for line in bill if line[f"confidence_{kind}"] == "estimate")
    return rough, sum(float(line[field]) for line in bill)


@figure("estimated_capex_share")
def estimated_capex_share(ask: Ask) -> Sheet:
    """Dollars of parts whose price is an estimate, over all."""
    rough, _ = _estimated(ask, "price", "capex_usd")
    term = Term("estimated_usd", rough, "USD", "design, bill_of_materials with confidence_price estimate", SOLVED)
    return Sheet("estimated_usd / capex_usd", (term, ask.number("capex_usd")))


@figure("estimated_power_share")
def estimated_power_share(ask: Ask) -> Sheet:
    """Watts of parts whose power is an estimate, over all, caps left out."""
    rough, whole = _estimated(ask, "power", "provisioned_w")
    where = "design, bill_of_materials.provisioned_w"
    term = Term("estimated_w", rough, "W", f"{where} with confidence_power estimate", SOLVED)
    return Sheet("estimated_w / all_w", (term, Term("all_w", whole, "W", where, SOLVED)))
