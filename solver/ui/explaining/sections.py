"""What binds, the ladder, prices of parts, why this build, uncertain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from solver.charts import figures
from solver.design import Design
from solver.ui import state
from solver.ui.phrases import phrase
from solver.ui.text import name_of, t
from solver.ui.watching import failed, watch
from solver.ui.widgets import Column, chart, empty, plain, table
from solver.whatif import views_explained as views
from solver.whatif.explanations import EXPLAIN, ON_CHOICE, Known, ask_sections, related, sections_of
from solver.whatif.explanations import name_of as run_name
from solver.whatif.store import Run
from solver.whatif.views import WORTH
from solver.words import amount, figure, percent

EVERY: dict[str, Any] = {"sections": ["bottlenecks"], "promised": None}
"""Options of an explanation that values every promise."""


def known_of(run: Run) -> dict[str, Known]:
    """Return what is known of the run's sections."""
    return sections_of(run, state.runs(), state.store())


def wanted(run: Run, section: str, sections: Sequence[str], title: str = "empty") -> list[Any] | None:
    """Return the records of sections once all are there; else draw what is under way, or a button that asks.

    Parameters
    ----------
    run : Run
    section : str
        Of the words.
    sections : sequence of str
        Ids of `solver.explain.SECTIONS`.
    title : str
        Words of the section for what is not there yet.
    """
    st.subheader(t(f"explain.{section}.title"))
    st.caption(t(f"explain.{section}.about"))
    known = known_of(run)
    missing = [name for name in sections if known[name].record is None]
    if not missing:
        return [known[name].record for name in sections]
    at_work = {k.run.id: k.run for name in missing if (k := known[name]).under_way and k.run is not None}
    for other in at_work.values():
        watch(other, section)
    if not at_work:
        fault = next((known[name].run for name in missing if known[name].failed), None)
        if fault is not None and fault.message:
            failed(fault)
        empty(t(f"explain.{section}.{title}"), t(f"explain.{section}.cost"))
        left, right = st.columns(2)
        if left.button(t("explain.ask"), key=f"ask_{section}", type="primary", width="stretch"):
            state.submit(ask_sections(run, missing), run_name(run))
        others = [name for name, k in known.items() if k.record is None and name not in ON_CHOICE]
        if right.button(
            t("explain.ask_all"), key=f"ask_all_{section}", help=t("explain.ask_all_help"), width="stretch"
        ):
            state.submit(ask_sections(run, others), run_name(run))
    return None


def binds(run: Run, design: Design) -> None:
    """Draw limits and promises: what binds, what more of it is worth, what is slack."""
    early = design.explained.get(WORTH)
    found = wanted(run, "binds", ["bottlenecks"], title="early" if early else "empty")
    records = found[0] if found else early
    if not records:
        return
    rows = views.bottleneck_rows(records)
    _more_power(views.more_power(records))
    binding = views.binding(rows)
    unit = str(design.objective.get("unit", ""))
    chart(
        figures.bottlenecks(records, unit, phrase),
        "chart_binds",
        t("explain.binds.chart"),
        t("explain.binds.chart_hint"),
    )
    if not binding:
        st.info(t("explain.binds.nothing"))
        return
    gain = str(binding[0]["gain_unit"])
    basis = phrase(next((r["usd_basis"] for r in records if r.get("usd_basis")), ""))
    table(
        binding,
        [
            Column("name", t("explain.binds.limit"), said=True),
            Column("of", t("explain.binds.of")),
            Column("used_frac", t("explain.binds.used"), kind="percent"),
            Column(
                "per_percent_frac",
                t("explain.binds.per_percent"),
                kind="percent",
                help=t("explain.binds.per_percent_help"),
            ),
            Column("step", t("explain.binds.step")),
            Column("gain", t("explain.binds.gain"), gain, help=t("explain.binds.gain_help")),
            Column("usd_per_year", t("explain.binds.worth"), "USD/a", "money", help=basis),
        ],
        "table_binds",
        alt=t("explain.binds.title"),
    )
    slack = [
        phrase(row["name"])
        for row in rows
        if row["per_percent_frac"] == 0.0 and not str(row["id"]).startswith("memory.")
    ]
    open_ones = [phrase(row["name"]) for row in rows if row["per_percent_frac"] is None]
    for key, names in (("slack", slack), ("not_valued", open_ones)):
        if names:
            st.caption(f"{t(f'explain.binds.{key}')}: {plain(', '.join(names))}")
    if open_ones and found:
        _value_all(run)


def _value_all(run: Run) -> None:
    """Offer to value what was left out, or watch that."""
    asked = next((r for r in related(run, state.runs(), EXPLAIN) if r.request.options == EVERY and not r.ended), None)
    if asked is not None:
        watch(asked, "every")
    elif st.button(t("explain.binds.every"), key="ask_every", help=t("explain.binds.every_help")):
        options = {key: value for key, value in EVERY.items() if key != "sections"}
        state.submit(ask_sections(run, EVERY["sections"], **options), run_name(run))


def _more_power(found: Mapping[str, Any] | None) -> None:
    """What one more megawatt is worth, in large."""
    if found is None or found["gain"] <= 0.0:
        return
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.metric(t("explain.binds.one_mw"), f"+{figure(found['gain'])} {found['gain_unit']}")
    if found["usd_per_year"] is not None:
        with right.container(border=True, height="stretch"):
            st.metric(t("explain.binds.one_mw_usd"), amount(found["usd_per_year"], "USD/year"))
            st.caption(plain(phrase(found["usd_basis"])))


def ladder(run: Run, design: Design) -> None:
    """Draw one bottleneck after another."""
    found = wanted(run, "ladder", ["ladder"])
    if found is None:
        return
    section = found[0]
    chart(
        figures.ladder(section, str(section["unit"]), phrase),
        "chart_ladder",
        hint=t("explain.ladder.chart_hint", step=percent(section["step"])),
    )
    rows = [row | {"name": row["name"] or t("explain.ladder.as_is")} for row in views.ladder_rows(section)]
    table(
        rows,
        [
            Column("rung", "#", kind="number"),
            Column("name", t("explain.ladder.loosened"), said=True),
            Column("change", t("explain.ladder.change")),
            Column("value", t("explain.ladder.value"), str(section["unit"]), "number"),
            Column("gain_frac", t("explain.ladder.in_all"), kind="percent"),
            Column("next", t("explain.ladder.next"), said=True),
        ],
        "table_ladder",
        alt=t("explain.ladder.title"),
    )


def prices(run: Run, design: Design) -> None:
    """Draw the prices at which parts enter or leave the build: what a buyer takes into a negotiation."""
    found = wanted(run, "prices", ["entry_prices"])
    if found is None:
        return
    for inside, key in ((False, "outside"), (True, "inside")):
        rows = [
            row | {"answer": name_of("explain.answer", str(row["answer"]).replace(" ", "_"), str(row["answer"]))}
            for row in views.price_rows(found[0], inside=inside)
        ]
        if rows:
            st.markdown(f"**{t(f'explain.prices.{key}')}**")
            watts = Column(
                "fewer_watts_frac", t("explain.prices.watts"), kind="percent", help=t("explain.prices.watts_help")
            )
            columns = [
                Column("name", t("explain.prices.part")),
                Column("vendor", t("explain.prices.vendor")),
                Column("now_usd", t("explain.prices.now"), "USD", "money"),
                Column("answer", t("explain.prices.answer")),
                Column("at_usd", t("explain.prices.at"), "USD", "money"),
                Column("change", t("explain.prices.change")),
                *([] if inside else [watts]),
                Column("order", t("explain.prices.order"), kind="number", help=t("explain.prices.order_help")),
                Column("takes", t("explain.prices.takes"), kind="number"),
                Column("sure_usd", t("explain.prices.sure"), "USD", "money", help=t("explain.prices.sure_help")),
            ]
            table(rows, columns, f"table_prices_{key}", alt=t(f"explain.prices.{key}"))


def build(run: Run, design: Design) -> None:
    """Draw why it is this build: the waterfall of freedoms, other kinds of site, runner-up builds."""
    found = wanted(run, "build", ["levers", "architectures"])
    if found is None:
        return
    levers, sites = found
    unit = str(levers["unit"])
    chart(
        figures.waterfall(levers, phrase),
        "chart_levers",
        t("explain.build.waterfall"),
        t("explain.build.waterfall_hint"),
    )
    table(
        views.lever_rows(levers),
        [
            Column("name", t("explain.build.lever"), said=True),
            Column("contribution", t("explain.build.contribution"), unit, "number"),
            Column("between", t("explain.build.between")),
            Column("share", t("explain.build.share"), kind="percent"),
            Column("alone", t("explain.build.alone"), unit, "number", help=t("explain.build.alone_help")),
            Column("last", t("explain.build.last"), unit, "number", help=t("explain.build.last_help")),
        ],
        "table_levers",
        alt=t("explain.build.waterfall"),
    )
    st.divider()
    chart(
        figures.architectures(sites, unit, phrase),
        "chart_sites",
        t("explain.build.sites"),
        t("explain.build.sites_hint"),
    )
    rows = [
        row | {"build": t("explain.build.same") if row["same"] else row["build"] or t("explain.build.cannot")}
        for row in views.site_rows(sites)
    ]
    table(
        rows,
        [
            Column("name", t("explain.build.site"), said=True),
            Column("value", t("explain.build.best"), unit, "number"),
            Column("distance_frac", t("explain.build.behind"), kind="percent"),
            Column("build", t("explain.build.nodes")),
        ],
        "table_sites",
        alt=t("explain.build.sites"),
    )
    if sites.get("unsolved"):
        st.caption(f"{t('explain.build.unsolved')}: {plain(', '.join(map(phrase, sites['unsolved'])))}")


def uncertain(run: Run, design: Design) -> None:
    """Draw what uncertain numbers do to the result."""
    found = wanted(run, "uncertain", ["tornado"])
    if found is None:
        return
    section = found[0]
    unit = str(section["unit"])
    chart(figures.tornado(section, phrase), "chart_tornado", hint=t("explain.uncertain.chart_hint"))
    if not section["numbers"]:
        st.info(t("explain.uncertain.nothing"))
    table(
        views.uncertain_rows(section),
        [
            Column("name", t("explain.uncertain.number"), said=True),
            Column("unit", t("explain.uncertain.unit")),
            Column("low", t("explain.uncertain.low"), kind="number"),
            Column("now", t("explain.uncertain.now"), kind="number"),
            Column("high", t("explain.uncertain.high"), kind="number"),
            Column("swing_frac", t("explain.uncertain.swing"), kind="percent"),
            Column("value_at_low", t("explain.uncertain.at_low"), kind="number", help=unit),
            Column("value_at_high", t("explain.uncertain.at_high"), kind="number", help=unit),
            Column("same_at_low", t("explain.uncertain.same_at_low"), kind="number", help=unit),
            Column("same_at_high", t("explain.uncertain.same_at_high"), kind="number", help=unit),
            Column("breaks", t("explain.uncertain.breaks")),
        ],
        "table_tornado",
        alt=t("explain.uncertain.title"),
    )
    if section.get("untested"):
        with st.expander(f"{t('explain.uncertain.untested')} ({len(section['untested'])})"):
            st.caption(plain(", ".join(section["untested"])))
