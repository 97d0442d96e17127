"""A design as one page that needs nothing else: no network, no files beside it; charts are drawn by inlined plotly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from solver.brief import definition, money, paragraphs
from solver.charts import figures
from solver.charts.markup import folded, paragraph, records, section, table, text
from solver.charts.style import CSS, SCRIPT
from solver.design import Design, Record
from solver.report import TITLES
from solver.sheets import rows_of
from solver.words import amount, figure, percent, quantity

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEADLINES = ("output_tokens_per_s", "capex_usd", "usd_per_million_tokens", "utility_meter_w")
"""Key figures beside the objective, as many as make four."""
SHOWN = 24
"""Limits that are listed."""
CAPTIONS = {
    "bottlenecks": ("What one per cent more of each limit is worth", "gains at the optimum, with their intervals"),
    "ladder": ("One bottleneck after another lifted", "the objective with all limits up to there taken away"),
    "levers": ("What each freedom of the build contributes", "from a plain build to this one"),
    "architectures": ("The best build of each kind", "under the same limits and promises"),
    "attributes": ("Figures at which parts enter or leave the build", "each part's own, everything else as it is"),
    "entry_prices": ("Prices at which parts enter or leave the build", "solved for, everything else as it is"),
    "pareto": ("What one figure costs of another", "best builds, and what no build goes beyond"),
    "tornado": ("What uncertain numbers do to the result", "each at both ends: the best build there, and this one"),
    "clashes": ("What clashes", "limits and promises that no build keeps together"),
}  # fmt: skip
"""Title and subtitle of the sections that a design may have been asked for."""


def page(design: Design, command: str = "") -> str:
    """Return a design of any status as an HTML page.

    Parameters
    ----------
    design : Design
    command : str
        What reproduces it, as typed.
    """
    name = str(design.study.get("name", "study"))
    parts = [_head(design, name), _brief(design)]
    if design.has_build:
        parts += [_build(design), _flows(design), _promises(design), _limits(design), _baselines(design)]
    else:
        parts += [_dropped(design)]
    parts += [_explained(design), _assumptions(design), _proof(design, command)]
    return _whole(name, "\n".join(part for part in parts if part))


def _whole(name: str, body: str) -> str:
    """Put the body between head and script; plotly goes in once, and only where something is drawn."""
    from plotly.offline import get_plotlyjs

    drawn = "plotly-graph-div" in body
    library = f"<script>{get_plotlyjs()}</script>" if drawn else ""
    rules = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{text(name)} - tierwatt</title>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta name='color-scheme' content='light dark'>"
        f"<meta http-equiv='Content-Security-Policy' content=\"{rules}\">\n"
        f"<style>{CSS}</style>{library}</head>\n<body><main>\n{body}\n</main>"
        f"{f'<script>{SCRIPT}</script>' if drawn else ''}</body></html>\n"
    )


def chart(drawn: Figure | None, title: str, more: str) -> str:
    """Return a figure with its caption; nothing where there is nothing to draw."""
    if drawn is None:
        return ""
    config = {"displayModeBar": False, "responsive": True}
    inside = drawn.to_html(full_html=False, include_plotlyjs=False, config=config, default_width="100%")
    return f"<figure><figcaption>{text(title)} <span>{text(more)}</span></figcaption>{inside}</figure>"


def _head(design: Design, name: str) -> str:
    """Name, status, and at most four headline figures with what they count."""
    status = TITLES.get(design.status, "unknown: stopped before a build was found")
    if design.stopped_by not in ("", "gap"):
        status += f" (stopped by {design.stopped_by})"
    head = f"<h1>{text(name)}</h1>{paragraph(str(design.study.get('description') or ''), 'soft')}"
    head += f"<span class='status'>{text(status)}</span>"
    if not design.has_build:
        return head
    found = design.objective
    kpi = design.kpis.get(str(found["name"]))
    cards = [_card(str(found.get("title", found["name"])), figure(found["value"]), str(found.get("unit", "")),
                   definition(design), kpi)]  # fmt: skip
    shown = [name for name in HEADLINES if name != found["name"] and name in design.kpis][:3]
    cards += [_kpi_card(design, name) for name in shown]
    return f"{head}<div class='kpis'>{''.join(cards)}</div>"


def _kpi_card(design: Design, name: str) -> str:
    """One key figure, dollars in the study's currency."""
    kpi = design.kpis[name]
    value, unit = float(kpi["value"]), str(kpi["unit"])
    if unit == "USD":
        number, unit = money(design, value), ""
    elif unit.startswith("USD/"):
        number, unit = money(design, value).strip(), unit.removeprefix("USD")
    else:
        number, unit = (amount(value, unit), "") if unit == "W" else (figure(value), unit)
    return _card(_named(name), number, unit, str(kpi["basis"]), kpi)


def _named(kpi_id: str) -> str:
    """Name of a key figure in words."""
    from solver.kpis import KPIS

    return KPIS[kpi_id].name


def _card(name: str, number: str, unit: str, basis: str, kpi: Record | None) -> str:
    """One headline figure: name, value, unit, what it counts, and its range."""
    between = ""
    if kpi and kpi["low"] != kpi["high"]:
        between = f"; {figure(float(kpi['low']))} to {figure(float(kpi['high']))} within the model's error"
    return (
        f"<div class='kpi'><div class='name'>{text(name)}</div><div class='value'>{text(number)} "
        f"<span class='unit'>{text(unit)}</span></div><div class='basis'>{text(basis + between)}</div></div>"
    )


def _brief(design: Design) -> str:
    """The executive's page as the page's opening."""
    items = "".join(f"<dt>{text(title)}</dt><dd>{text(words)}</dd>" for title, words in paragraphs(design))
    return f"<dl class='brief'>{items}</dl>"


def _build(design: Design) -> str:
    """Pools in words and the bill of materials."""
    words = [
        f"{quantity(p['quantity'])} {p['platform']} ({str(p['configuration']).partition('/')[2]}) at "
        f"{percent(float(p['cap']))} of rated board power: {_roles(p)}"
        for p in design.pools
    ]  # fmt: skip
    listed = "<ul>" + "".join(f"<li>{text(line)}</li>" for line in words) + "</ul>"
    fx = float(design.study.get("site", {}).get("fx") or 1.0)
    currency = str(design.study.get("site", {}).get("currency") or "USD")
    head = ("part", "kind", "vendor", "quantity", f"unit price {currency}", currency, "IT W", "weeks", "price rests on")
    rows = [
        (b["id"], b["kind"], b["vendor"], b["quantity"], b["unit_usd"] * fx, b["capex_usd"] * fx, b["provisioned_w"],
         b["lead_time_weeks"], b["confidence_price"])
        for b in design.bill_of_materials
    ]  # fmt: skip
    sources = table(("part", "source"), [(b["id"], b["source"]) for b in design.bill_of_materials], soft=("source",))
    bill = table(head, rows) + folded("where the figures of these parts come from", sources)
    return section("The build", listed, "<h3>Bill of materials</h3>", bill)


def _roles(pool: Record) -> str:
    """Roles of a pool with their shares."""
    shares = sorted(pool["role_shares"].items(), key=lambda pair: -pair[1])
    return ", ".join(f"{role} {share:.0%}" for role, share in shares if share >= 0.005) or "idle"


def _flows(design: Design) -> str:
    """Sankeys of watts, dollars and bytes."""
    drawn, peak, capex, cost = (
        float(design.kpis[name]["value"])
        for name in ("drawn_meter_w", "utility_meter_w", "capex_usd", "tco_usd_per_year")
    )
    return section(
        "Where watts, dollars and bytes go",
        chart(figures.watts(design), "Watts from the meter to tokens",
              f"{amount(drawn, 'W')} drawn on average at the promised load"),
        chart(figures.watts(design, "provisioned"), "Watts that must be provisioned",
              f"{amount(peak, 'W')} on the design day; boards at their caps"),
        chart(figures.capital(design), "Dollars of the outlay", f"{amount(capex, 'USD')} by maker, kind and part"),
        chart(figures.yearly(design), "Dollars of a year", f"{amount(cost, 'USD/year')} to own and run"),
        chart(figures.stored(design), "Bytes by tier", "weights, active and parked KV in use, by tier and device"),
    )  # fmt: skip


def _promises(design: Design) -> str:
    """What is promised, the slowest that keeps it, and what is left."""
    rows = []
    for limit in design.limits:
        if str(limit["id"]).startswith("promise."):
            name, kind = str(limit["id"]).removeprefix("promise.").rsplit(".", 1)
            margin = float(limit["slack"]) / float(limit["value"])
            rows.append(
                (name, kind.upper(), limit["value"], limit["used"], percent(margin) if margin > -1e-6 else "BROKEN")
            )
    inside = table(("class", "what", "promised s", "slowest s", "left"), rows) if rows else ""
    return section("Promises", inside or paragraph("No latency is promised.", "soft"))


def _limits(design: Design) -> str:
    """Limits by the share that is used."""
    found = [limit for limit in design.limits if not str(limit["id"]).startswith("promise.")]
    found.sort(key=lambda limit: -float(limit["used"]) / (abs(float(limit["value"])) or 1.0))
    rows = [(limit["id"], amount(float(limit["used"]), limit["unit"]), amount(float(limit["value"]), limit["unit"]),
             percent(float(limit["used"]) / (float(limit["value"]) or 1.0))) for limit in found]  # fmt: skip
    head = ("limit", "used", "of", "share")
    more = folded(f"{len(rows) - SHOWN} more limits", table(head, rows[SHOWN:])) if len(rows) > SHOWN else ""
    return section("What binds", table(head, rows[:SHOWN]) if rows else paragraph("No limit is given.", "soft"), more)


def _baselines(design: Design) -> str:
    """Other builds under the same limits."""
    rows = [
        (b["name"], b.get("objective_value"), _gain(b), ", ".join(b.get("platforms") or [])) for b in design.baselines
    ]
    runner = design.runner_up
    if runner and runner.get("objective_value") is not None:
        rows.append((f"best without {runner['without']}", runner["objective_value"], _gain(runner),
                     ", ".join(runner.get("platforms") or [])))  # fmt: skip
    head = ("other build", str(design.objective.get("unit", "")), "this design is better by", "platforms")
    inside = table(head, rows) if rows else paragraph("No other build was solved for comparison.", "soft")
    return section("Compared with", inside)


def _gain(record: Record) -> str:
    return "" if record.get("gain_frac") is None else percent(float(record["gain_frac"]))


def _dropped(design: Design) -> str:
    """What excluded candidates, where there is no build."""
    head = ("class", "reason", "candidates", "nearest", "needed", "unit", "where")
    rows = [
        tuple(d.get(k) for k in ("class", "reason", "count", "nearest", "needed", "unit", "where"))
        for d in design.dropped
    ]
    return section("What excluded candidates", table(head, rows) if rows else "")


def _explained(design: Design) -> str:
    """Sections that were asked for: their chart where there is one, and their records."""
    drawn = figures.explained(design)
    parts = []
    for name, record in design.explained.items():
        title, more = CAPTIONS.get(name, (name.replace("_", " "), ""))
        rows = rows_of(record)
        if not rows and name not in drawn:
            continue
        body = chart(drawn.get(name), title, more) or f"<h3>{text(title)} <span class='soft'>{text(more)}</span></h3>"
        listed = records(rows) if rows else ""
        parts.append(body + (folded("figures", listed) if name in drawn else listed))
    return section("Explained", *parts)


def _assumptions(design: Design) -> str:
    """Every default that stood in, and what the study chose in its place."""
    rows = [(a["path"], a["value"], a["default"], "" if a["value"] == a["default"] else "yes", a["confidence"],
             a["source"]) for a in design.assumptions]  # fmt: skip
    head = ("assumption", "value", "default", "changed", "confidence", "source")
    return section("Assumptions", table(head, rows, soft=("source",)) if rows else "")


def _proof(design: Design, command: str) -> str:
    """Bound, gap, audit, versions, and what reproduces the result."""
    found, audit, done = design.objective, design.audit, design.solver
    rows: list[tuple[str, Any]] = [
        ("objective", f"{figure(found['value'])} {found.get('unit', '')}" if found.get("value") is not None else None),
        ("bound", f"{figure(found['bound'])} {found.get('unit', '')}" if found.get("bound") is not None else None),
        ("gap", f"{float(found['gap']):.4%}" if found.get("gap") is not None else None),
        ("audit", _audit(audit)),
        ("catalog", design.catalog.get("hash")),
        ("versions", ", ".join(f"{name} {number}" for name, number in done.get("versions", {}).items())),
        ("seconds", done.get("seconds", {}).get("total_s")),
    ]
    shown = command or "tierwatt solve STUDY.toml"
    study = json.dumps(design.study, indent=1, ensure_ascii=False)
    return section(
        "Proof",
        table(("", ""), [(name, text_of) for name, text_of in rows if text_of not in (None, "")]),
        "<h3>What reproduces it</h3>" + f"<pre>{text(shown)}</pre>",
        folded("the study with all its defaults", f"<pre>{text(study)}</pre>"),
    )


def _audit(audit: Record) -> str:
    """What the recomputation from raw rows found."""
    if not audit:
        return "not audited"
    if audit["ok"]:
        return f"passed {audit['checks']:,} checks from the catalog's rows; largest excess {float(audit['worst']):.1e}"
    return f"FAILED: {len(audit.get('violations', []))} of {audit['checks']:,} checks"
