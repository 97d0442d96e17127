"""The page that judges a vendor's offer."""

from __future__ import annotations

from typing import Any

import pytest
from opened import Desk, words
from opened import desk as desk

from solver.whatif.offers import BOUGHT, WALK_AWAY


@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_to_judge_for_says_what_to_do(desk: Desk, language: str) -> None:
    assert any(m.value.startswith("#### ") for m in desk.open("quote", None, language).markdown)


def offer(desk: Desk, part: str, price: str, pieces: int = 1) -> Any:
    app = desk.open("quote", desk.solved())
    box = app.selectbox(key="quote_part")
    box.select_index(next(n for n, name in enumerate(box.options) if part in name))
    app.text_input(key="quote_price").set_value(price)
    app.number_input(key="quote_quantity").set_value(pieces)
    next(b for b in app.button if b.label == "Judge the offer").click().run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("typed", "price"), [("$250,000", 250e3), ("250 kUSD", 250e3), ("2.5e5", 250e3), (".5", 0.5), ("0", 0.0)]
)
def test_an_offer_is_queued_exactly_as_typed(desk: Desk, typed: str, price: float) -> None:
    offer(desk, "H200", typed, 4)
    asked = desk.queue.asked[0]
    assert asked.request.kind == "quote" and asked.request.options == {
        "part": "hgx_h200_8",
        "price_usd": price,
        "quantity": 4,
    }


@pytest.mark.parametrize("typed", ["", "cheap", "-5", "3 kW", "1,5"])
def test_what_is_no_price_is_refused_in_words(desk: Desk, typed: str) -> None:
    app = offer(desk, "H200", typed)
    assert not desk.queue.asked and len(app.error) == 1


def test_parts_are_named_with_vendor_and_price(desk: Desk) -> None:
    options = desk.open("quote", desk.solved()).selectbox(key="quote_part").options
    assert any(o.startswith("AMD · 8x MI300X") and "USD" in o for o in options)
    assert any("NVMe" in o or "PCIe5" in o for o in options), "memory too"


def test_an_answer_in_words_and_numbers(desk: Desk) -> None:
    run = desk.solved()
    desk.quoted(run)
    app = desk.open("quote", run)
    shown = words(app)
    assert "At 300,000 USD, buy 8-way server" in shown and "buy" in shown
    assert [m.value for m in app.metric] == ["3", "+10,000", "330,000 USD"]
    assert "Above 345,000 USD it is proved not to be" in shown and "leaves 10% of room" in shown
    less, more = (frame.value for frame in app.dataframe)
    assert list(less["part"]) == ["mi300x_8"] and less["change"].iloc[0] == -3
    assert list(more["part"]) == ["hgx_h200_8", "rack_air"]
    assert "100.00 kUSD" in shown


@pytest.mark.parametrize(("number", "kind"), list(enumerate(WALK_AWAY)))
def test_every_kind_of_answer_is_drawn(desk: Desk, number: int, kind: str) -> None:
    run, bought, language = desk.solved(), list(BOUGHT)[number % len(BOUGHT)], ("en", "ko")[number % 2]
    walk = {"kind": kind, "usd": None, "high_usd": None, "tolerance": 0.01}
    goal = {"name": "tokens_per_mw", "unit": "tokens/s/MW", "sense": "max", "with_order": None, "without": None,
            "bound_without": None, "gain": None, "gain_frac": None}  # fmt: skip
    desk.quoted(
        run,
        bought=bought,
        walk_away=walk,
        objective=goal,
        displaced=[],
        capex_usd={"without": None, "with_order": None},
    )
    app = desk.open("quote", run, language)
    assert app.metric[-1].value == "–"


def test_an_offer_too_dear_says_by_how_much(desk: Desk) -> None:
    run = desk.solved()
    walk = {"kind": "price", "usd": 240e3, "high_usd": 250e3, "tolerance": 0.01}
    desk.quoted(run, bought="no", walk_away=walk)
    assert "The offer is 20% too dear" in words(desk.open("quote", run))


def test_a_failed_quote_says_why(desk: Desk) -> None:
    from solver.whatif.explanations import ask_quote

    run = desk.solved()
    desk.put(ask_quote(run, "hgx_h200_8", 1.0, 1), None, message="the study does not admit it")
    assert "does not admit" in words(desk.open("quote", run))


def test_earlier_offers_can_be_chosen(desk: Desk) -> None:
    run = desk.solved()
    desk.quoted(run)
    desk.quoted(run, quantity=9)
    app = desk.open("quote", run)
    assert app.metric[0].value == "9"
    app.selectbox(key="quote_which").select_index(1).run()
    assert app.metric[0].value == "3"
