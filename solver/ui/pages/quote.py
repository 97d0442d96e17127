"""A vendor's offer: buy or not, how many, what it displaces, when to walk away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from solver.charts.comparisons import price_line
from solver.errors import InputError
from solver.schema import CellError
from solver.ui import state
from solver.ui.choosing import run_of_page
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.watching import failed, watch
from solver.ui.widgets import TONES, Column, chart, empty, plain, problems, table
from solver.whatif.explanations import QUOTE, ask_quote, catalog_of, name_of, related, study_of
from solver.whatif.offers import displaced, offered, verdict
from solver.whatif.quantities import parse_number
from solver.whatif.store import Run
from solver.words import amount, figure, percent


def page() -> None:
    """Draw the page."""
    st.title(t("quote.title"))
    run = run_of_page()
    if run is None:
        empty(t("quote.no_run"), t("quote.no_run_hint"))
        return
    st.caption(t("quote.about", name=name_of(run)))
    try:
        parts = {str(row["part"]): row for row in offered(study_of(run), catalog_of(run, state.base_catalog()))}
    except InputError as error:
        problems(error)
        return
    asked = related(run, state.runs(), QUOTE)
    _form(run, parts, asked)
    _answer(asked)


def _form(run: Run, parts: Mapping[str, Mapping[str, Any]], asked: list[Run]) -> None:
    """Part, price and number of pieces."""
    with st.form("quote_form"):
        first, second, third = st.columns([3, 2, 1])
        part = first.selectbox(
            t("quote.part"), list(parts), format_func=lambda name: _part(parts[name]), key="quote_part",
            help=t("quote.part_help"),
        )  # fmt: skip
        typed = second.text_input(
            t("quote.price"), key="quote_price", placeholder="$300,000", help=t("quote.price_help")
        )
        count = third.number_input(
            t("quote.quantity"), 1, 100_000, 1, key="quote_quantity", help=t("quote.quantity_help")
        )
        sent = st.form_submit_button(t("quote.ask"), type="primary", disabled=any(not other.ended for other in asked))
    if not sent or part is None:
        return
    try:
        price = parse_number(typed, "USD")
    except CellError as error:
        st.error(f"{t('quote.price')}: {plain('; '.join(p for p in (error.message, error.allowed, error.hint) if p))}")
        return
    if price < 0.0:
        st.error(t("quote.negative"))
        return
    state.submit(ask_quote(run, part, price, int(count)), f"{name_of(run)}: {parts[part]['name']}")


def _part(row: Mapping[str, Any]) -> str:
    """Vendor, name and what the catalog asks."""
    price = t("quote.no_price") if row["usd"] is None else f"{figure(float(row['usd']))} USD"
    return f"{row['vendor']} · {row['name']} · {price}"


def _answer(asked: list[Run]) -> None:
    """The newest answer; earlier ones can be chosen."""
    if not asked:
        empty(t("quote.empty"), t("quote.empty_hint"))
        return
    names = {other.id: _called(other) for other in asked}
    chosen = asked[0]
    if len(asked) > 1:
        picked = st.selectbox(t("quote.which"), list(names), format_func=names.__getitem__, key="quote_which")
        chosen = next(other for other in asked if other.id == picked)
    if not chosen.ended:
        watch(chosen, "quote")
        return
    answer = (state.store().result(chosen.id) or {}).get("answer")
    if answer:
        _draw(answer)
    else:
        failed(chosen)


def _called(run: Run) -> str:
    options = run.request.options
    return f"{options['quantity']} x {options['part']}, {figure(float(options['price_usd']))} USD"


def _draw(answer: Mapping[str, Any]) -> None:
    """The verdict in large, the walk-away price on a line, what changes places."""
    found = verdict(answer)
    with st.container(border=True):
        st.badge(t(f"quote.bought_{found['bought']}"), color=TONES[found["tone"]])
        st.markdown(f"### {plain(_headline(answer, found))}")
        first, second, third = st.columns(3)
        first.metric(t("quote.many"), f"{answer['quantity']:,}", help=t("quote.many_help"))
        if found["gain"] is not None:
            sign, share = "+" if found["gain"] >= 0 else "−", found["gain_frac"]
            second.metric(t("quote.gain"), f"{sign}{figure(abs(found['gain']))}", help=t("quote.gain_help"))
            second.caption(plain(f"{found['unit']}, {share:+.2%}" if share is not None else found["unit"]))
        walk = "–" if found["usd"] is None else f"{figure(float(found['usd']))} USD"
        third.metric(t("quote.walk_away"), walk, help=t("quote.walk_away_help"))
        third.caption(plain(_walk_words(found)))
    chart(
        price_line(float(answer["price_usd"]), answer["catalog_usd"], found["usd"], found["high_usd"], phrase),
        "quote_line", t("quote.line"), t("quote.line_hint"),
    )  # fmt: skip
    less, more = displaced(answer)
    left, right = st.columns(2)
    for place, key, rows in ((left, "less", less), (right, "more", more)):
        with place:
            st.markdown(f"**{t(f'quote.{key}')}**")
            if not rows:
                st.caption(t("quote.nothing_moves"))
                continue
            table(
                rows,
                [
                    Column("part", t("quote.part")),
                    Column("kind", t("quote.kind"), said=True),
                    Column("without", t("quote.without"), kind="number"),
                    Column("with_order", t("quote.with_order"), kind="number"),
                    Column("change", t("quote.change"), kind="number"),
                ],
                f"quote_{key}",
                alt=t(f"quote.{key}"),
            )
    if found["capex_change_usd"] is not None:
        st.caption(t("quote.capex", usd=plain(amount(found["capex_change_usd"], "USD"))))


def _headline(answer: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The answer as a sentence."""
    price = f"{figure(float(answer['price_usd']))} USD"
    return t(f"quote.headline_{found['bought']}", part=answer["name"], price=price, order=f"{answer['order']:,}")


def _walk_words(found: Mapping[str, Any]) -> str:
    """What kind of walk-away price it is, and its range."""
    words = t(f"quote.walk_{found['walk_away']}")
    if found["high_usd"] is not None:
        words += " " + t("quote.walk_high", usd=figure(float(found["high_usd"])))
    if found["room_frac"] is not None:
        words += " " + t(
            "quote.room_above" if found["room_frac"] >= 0 else "quote.room_below",
            share=percent(abs(found["room_frac"])),
        )
    return words


page()
