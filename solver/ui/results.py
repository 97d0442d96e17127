"""A design on the page: figures, the build in words, the bill, flows, promises, limits, other builds, assumptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from solver.charts import figures
from solver.charts.labels import Say
from solver.design import Design
from solver.ui.phrases import phrase
from solver.ui.text import name_of, t
from solver.ui.widgets import Column, chart, kpi_cards, plain, table
from solver.whatif import views
from solver.whatif.store import Run
from solver.words import amount, percent, quantity

FLOWS: dict[str, Callable[[Design, Say], Any]] = {
    "power": lambda design, say: figures.watts(design, say=say),
    "capital": figures.capital,
    "yearly": figures.yearly,
    "stored": figures.stored,
    "provisioned": lambda design, say: figures.watts(design, "provisioned", say),
}
"""What can be drawn as flows, in the order of the choice."""
NEAR = 0.05
"""Share left below which a promise or limit is shown at once."""
SHOWN = 8


def draw(run: Run, design: Design, base: Design | None, base_name: str) -> None:
    """Draw a design that has a build."""
    kpi_cards(views.headlines(design, base, base_name))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _build(design)
    with right:
        _binds(design)
    _flows(run, design)
    _bill(design)
    left, right = st.columns(2, gap="medium")
    with left:
        _promises(design)
    with right:
        _others(design)
    _limits(design)
    _assumptions(design)


def _build(design: Design) -> None:
    """The build in words, a line a platform."""
    st.markdown(f"#### {t('design.build.title')}")
    for line in views.build_lines(design):
        st.markdown(f"- {_line(line)}")


def _line(line: Mapping[str, Any]) -> str:
    """One platform: how many, for what, with what, capped how."""
    roles = ", ".join(
        plain(f"{name_of('design.role', r['role'])} {percent(r['share'])}" if len(line["roles"]) > 1
              else name_of("design.role", r["role"])) for r in line["roles"]
    )  # fmt: skip
    head = t("design.build.line", quantity=quantity(line["quantity"]), name=plain(line["name"]),
             roles=roles or t("design.build.idle"))  # fmt: skip
    parts = []
    if any(fit["devices"] for fit in line["fits"]):
        parts += [_fit(fit, whole=len(line["fits"]) == 1) for fit in line["fits"]]
    if line["caps"]:
        caps = ", ".join(
            t("design.build.cap", quantity=quantity(c["quantity"]), cap=percent(c["cap"])) for c in line["caps"]
        )
        parts.append(t("design.build.caps", caps=caps))
    if line["owned"]:
        parts.append(t("design.build.owned"))
    tail = "; ".join(plain(part) for part in [amount(line["meter_w"], "W"), *parts])
    return f"{head}  \n  :gray[{tail}]"


def _fit(fit: Mapping[str, Any], *, whole: bool) -> str:
    devices = " + ".join(f"{d['count']} × {d['name']}" for d in fit["devices"])
    if not devices:
        return t("design.build.fit_standard", quantity=quantity(fit["quantity"]))
    return devices if whole else t("design.build.fit", quantity=quantity(fit["quantity"]), devices=devices)


def _binds(design: Design) -> None:
    """What is used up, and what one more megawatt is worth."""
    st.markdown(f"#### {t('design.binds.title')}")
    worth = views.worth_of_power(design)
    if worth is None:
        st.caption(t("design.binds.later"))
    elif not worth["binds"]:
        st.markdown(t("design.binds.mw_none"))
    elif worth["usd_per_year"] is None:
        st.markdown(t("design.binds.mw", gain=plain(worth["gain"])))
    else:
        st.markdown(t("design.binds.mw_usd", gain=plain(worth["gain"]), usd=plain(worth["usd_per_year"])))
    rows = [row for row in views.limit_rows(design) if not row["id"].startswith("memory.")]
    for row in rows[:SHOWN]:
        text = f"{phrase(row['name'])}: {row['used']} / {row['limit']}" + (f" · {row['worth']}" if row["worth"] else "")
        st.progress(min(max(float(row["share"]), 0.0), 1.0), plain(text))
    if not rows:
        st.caption(t("design.binds.none"))


def _limits(design: Design) -> None:
    """All limits, those of memory as well."""
    rows = views.limit_rows(design)
    if not rows:
        return
    with st.expander(t("design.binds.all", count=len(rows))):
        table(rows, [
            Column("name", t("design.binds.limit"), said=True), Column("used", t("design.binds.used")),
            Column("limit", t("design.binds.of")), Column("share", t("design.binds.share"), kind="percent"),
            Column("worth", t("design.binds.worth")),
        ], key="limits", alt=t("design.binds.title"))  # fmt: skip


def _flows(run: Run, design: Design) -> None:
    """One Sankey at a time, chosen in a row of words."""
    left, right = st.columns([1, 3], vertical_alignment="center")
    left.markdown(f"#### {t('design.flows.title')}")
    chosen = right.segmented_control(
        t("design.flows.title"), list(FLOWS), default="power", key="flow", required=True, persist_state="session",
        format_func=lambda name: t(f"design.flows.{name}"), label_visibility="collapsed", width="stretch",
    ) or "power"  # fmt: skip
    drawn = FLOWS[chosen](design, phrase)
    if drawn is None:
        st.caption(t("design.flows.none"))
    chart(drawn, f"flow_{run.id}_{chosen}", "", t(f"design.flows.{chosen}_hint"))


def _bill(design: Design) -> None:
    """The bill of materials."""
    st.markdown(f"#### {t('design.build.bill')}")
    rows, money = views.bill_rows(design), views.currency(design)
    word = {name: t(f"design.build.{name}") for name in (
        "name", "kind", "vendor", "quantity", "unit_price", "capex", "provisioned", "drawn", "weeks", "confidence",
        "confidence_power", "source",
    )}  # fmt: skip
    table(rows, [
        Column("name", word["name"]), Column("vendor", word["vendor"]),
        Column("quantity", word["quantity"], kind="money"), Column("unit_price", word["unit_price"], money, "money"),
        Column("capex", word["capex"], f"M{money}", "number", 1e6),
        Column("provisioned_w", word["provisioned"], "MW", "number", 1e6),
        Column("weeks", word["weeks"], t("design.build.weeks_unit"), "number"),
        Column("confidence", word["confidence"], said=True),
        Column("confidence_power", word["confidence_power"], said=True),
        Column("drawn_w", word["drawn"], "MW", "number", 1e6), Column("kind", word["kind"], said=True),
        Column("source", word["source"]),
    ], key="bill", alt=t("design.build.bill"))  # fmt: skip
    share = float(design.kpis.get("estimated_capex_share", {}).get("value") or 0.0)
    total = sum(float(row["capex"]) for row in rows)
    st.caption(plain(t("design.build.total", capex=amount(total, "USD").replace("USD", money), share=percent(share))))


def _promises(design: Design) -> None:
    """Promises, the tightest first."""
    _listed("promises", views.promise_rows(design), [
        Column("class", t("design.promises.class")), Column("what", t("design.promises.what")),
        Column("promised", t("design.promises.promised"), "s", "number"),
        Column("slowest", t("design.promises.slowest"), "s", "number"),
        Column("left", t("design.promises.left"), kind="percent"),
    ])  # fmt: skip


def _others(design: Design) -> None:
    """Builds that were solved for comparison."""
    _listed("others", views.other_rows(design), [
        Column("name", t("design.others.name"), said=True), Column("gain", t("design.others.gain"), kind="percent"),
        Column("value", t("design.others.value"), str(design.objective.get("unit", "")), "number"),
    ])  # fmt: skip


def _listed(key: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Draw a table under its title, or say that there is nothing to list."""
    st.markdown(f"#### {t(f'design.{key}.title')}")
    if rows:
        table(rows, columns, key=key, alt=t(f"design.{key}.title"))
    else:
        st.caption(t(f"design.{key}.none"))


def _assumptions(design: Design) -> None:
    """What was assumed, folded."""
    rows = views.assumption_rows(design)
    if not rows:
        return
    changed = sum(1 for row in rows if row["changed"])
    with st.expander(t("design.assumptions.title", count=len(rows), changed=changed)):
        table(rows, [
            Column("path", t("design.assumptions.path")), Column("value", t("design.assumptions.value")),
            Column("default", t("design.assumptions.default")),
            Column("confidence", t("design.assumptions.confidence"), said=True),
            Column("source", t("design.assumptions.source")),
        ], key="assumptions", alt=t("design.assumptions.title", count=len(rows), changed=changed))  # fmt: skip
