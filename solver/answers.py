"""Words for explanations: bottlenecks, the ladder, and prices of parts, each on one screen."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap
from typing import Any

from solver.design import Design, Record
from solver.explaining.entry import ANY, ENTERS, LEAVES, NEVER, OFF_MENU
from solver.words import amount, block, figure, percent, table

NAME, PART = 34, 24
"""Characters of a limit's and of a part's name."""
WIDTH = 96
MOST_ROWS = 16
MOST_PARTS = 40


def render_explained(design: Design) -> str:
    """Return the sections of a design that were asked for as text.

    Parameters
    ----------
    design : Design
    """
    unit = str(design.objective.get("unit", ""))
    lines = block(
        "answer", f"{figure(design.objective['value'])} {unit}, gap {percent(design.objective['gap'])}"
    ) if design.has_build else []  # fmt: skip
    text = "\n".join(lines) + "\n" if lines else ""
    for name, words in WORDS.items():
        if name in design.explained:
            text += "\n" + words(design.explained[name])
    return text


def bottlenecks(records: list[Record]) -> str:
    """What binds, the dearest first, and what was found slack."""
    binding = [r for r in records if (r["per_percent_frac"] or 0.0) > 0.0]
    rows = [
        (
            r["name"][:NAME], _size(r), f"+{percent(r['per_percent_frac'])}", _step(r),
            "" if r["usd_per_year"] is None or not r["steps"] else _usd_per_year(r),
        )
        for r in binding[:MOST_ROWS]
    ]  # fmt: skip
    text = "What binds, and what more of it gains\n"
    text += table(("limit", "of", "1% more", "a step gains", "a year"), rows, (False, True, True, True, True))
    text += "" if len(binding) <= MOST_ROWS else f"{len(binding) - MOST_ROWS} more gain less\n"
    slack = [r["name"] for r in records if r["per_percent_frac"] == 0.0 and not r["id"].startswith("memory.")]
    unknown = [r["name"] for r in records if r["per_percent_frac"] is None]
    basis = next((r["usd_basis"] for r in binding if r["usd_basis"]), "")
    notes = block("slack", ", ".join(slack)) if slack else []
    notes += block("not valued", ", ".join(unknown), most=2) if unknown else []
    notes += block("a year", f"worth of the last step's gain: {basis}") if basis else []
    return text + "\n".join(notes) + "\n"


def _size(record: Record) -> str:
    if record["id"].startswith("hardware."):
        return "as built"
    return amount(record["value"], record["unit"])


def _step(record: Record) -> str:
    """Gain of the largest step, as a range."""
    if not record["steps"]:
        return "dual only"
    last = record["steps"][-1]
    return f"+{percent(last['share'])}: {figure(last['gain_low'])} to {figure(last['gain_high'])}"


def _usd_per_year(record: Record) -> str:
    each = record["usd_per_year"] / record["marginal"] if record["marginal"] else 0.0
    last = record["steps"][-1]
    return f"{amount(each * 0.5 * (last['gain_low'] + last['gain_high']), 'USD')}"


def ladder(record: Record) -> str:
    """Each rung: what was loosened, what it gained, what binds then."""
    rows = []
    for rung in record["rungs"]:
        what = "as the study has it" if not rung["rung"] else f"{percent(record['step'])} more {rung['name']}"
        value = "none found" if rung["value"] is None else figure(rung["value"])
        rows.append((f"{rung['rung']}", what[:46], value, f"{rung['gain_frac']:+.1%}", rung["bottleneck_name"][:40]))
    head = ("", "loosened", record["unit"], "in all", "tightest then")
    return "The ladder\n" + table(head, rows, (True, False, True, True, False))


def entry_prices(records: list[Record]) -> str:
    """Parts in the build with the price at which they leave, others with that at which they enter."""
    text = ""
    for inside, title in (
        (True, "In the build: how dear it may get"),
        (False, "Not in the build: what would bring it in"),
    ):
        rows = [_price_row(r) for r in records if r["in_build"] == inside]
        if rows:
            head = ("part", "USD now", "answer", "at USD", "certain to", "order", "takes")
            text += title + "\n" + table(head, rows[:MOST_PARTS], (False, True, False, True, True, True, True)) + "\n"
    return text


def _price_row(record: Record) -> tuple[str, ...]:
    def usd(value: float | None) -> str:
        return "" if value is None else f"{value:,.0f}"

    low, high, answer = record["low_usd"], record["high_usd"], record["answer"]
    if answer in (ENTERS, LEAVES):
        at, certain = usd(low if low is not None else record["relaxed_usd"]), usd(high)
    else:
        at, certain = "", "" if record["proved"] else usd(high)
    watts = record["fewer_watts_frac"]
    hint = f"; at {percent(watts)} fewer W" if answer == NEVER and watts is not None and 0.0 < watts < 1.0 else ""
    takes = "" if record["quantity"] is None else f"{record['quantity']:,}"
    words = "stays" if answer == ANY else "never" if answer == NEVER else answer
    if answer == OFF_MENU and record["in_place_of"]:
        words, at = f"cheaper than {record['in_place_of'][:20]}", usd(record["relaxed_usd"])
    return record["part"][:PART], usd(record["price_now_usd"]), words + hint, at, certain, f"{record['order']:,}", takes


def attributes(records: list[Record]) -> str:
    """Figures at which parts enter or leave, and what having them by the date is worth."""
    rows = []
    for r in records:
        if r["gain_high"] is not None:
            words = f"{r['answer']}: {figure(r['gain_low'])} to {figure(r['gain_high'])}"
        elif r["share"] is not None:
            words = f"{r['answer']} {r['share']:+.1%}" + ("" if r["confirmed"] else " (not confirmed)")
        else:
            words = r["answer"]
        takes = "" if r["quantity"] is None else f"{r['quantity']:,}"
        rows.append((r["part"][:PART], r["name"], words, takes))
    return "What would bring a part in, or out\n" + table(
        ("part", "figure", "answer", "takes"), rows, (False,) * 3 + (True,)
    )


def levers(record: Record) -> str:
    """From the plain build to the design, lever by lever."""
    unit, total = record["unit"], record["total"]
    rows = [("plain build", _or_none(record["plain"]["value"]), "", "")]
    rows += [
        (lever["name"], f"{lever['contribution']:+,.5g}", f"{lever['low']:+,.4g} to {lever['high']:+,.4g}",
         percent(lever["share"]))
        for lever in record["levers"]
    ]  # fmt: skip
    rows += [("this design", figure(record["value"]), "", "100%" if total else "")]
    return "Why this build\n" + table(("lever", unit, "between", "of the gain"), rows, (False, True, True, True))


def architectures(record: Record) -> str:
    """The best of each kind of site, and the runner-up builds."""
    rows = [
        (r["name"][:50], _or_none(r["value"]), "" if r["distance_frac"] is None else percent(r["distance_frac"]))
        for r in [*record["architectures"], *record["runners_up"]]
    ]
    return "Other kinds of site\n" + table(("site", record["unit"], "behind"), rows, (False, True, True))


def tornado(record: Record) -> str:
    """Each number at its low and high end, the widest swing first: the best build there, and the one that stands."""
    rows, broken = [], []
    for n in record["numbers"]:
        row = [n["name"][:40]]
        for end in ("low", "high"):
            words, same = n.get(f"same_words_at_{end}"), n.get(f"same_at_{end}")
            row += [_or_none(n[f"value_at_{end}"]), "no" if same is None else figure(same)]
            broken += [f"{n['name']} at its {end} end: {words}"] if words else []
        rows.append((*row, percent(n["swing_frac"] or 0.0)))
    head = ("number", "low: best", "this build", "high: best", "this build", "swing")
    text = f"Uncertain numbers, {record['unit']}\n" + table(head, rows, (False, *[True] * 5))
    lines = [line for words in broken for line in wrap(words, WIDTH, initial_indent="  ", subsequent_indent="    ")]
    return "\n".join([text, *(["Where this build does not stand:", *lines] if lines else [])])


def _or_none(value: float | None) -> str:
    return "none found" if value is None else figure(value)


WORDS: dict[str, Callable[[Any], str]] = {
    "bottlenecks": bottlenecks, "ladder": ladder, "entry_prices": entry_prices,
    "attributes": attributes,
    "levers": levers, "architectures": architectures,
    "tornado": tornado,
}  # fmt: skip
"""Section -> what words it."""
