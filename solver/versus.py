"""Words for comparisons: a design against other builds, an order at a quoted price against none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solver.design import Design, Record
from solver.own_build import break_words
from solver.words import amount, block, figure, percent, table


def comparisons(design: Design) -> list[str]:
    """Gain over the baselines, and the runner-up."""
    unit = str(design.objective.get("unit", ""))
    lines = []
    for record in design.baselines:
        own = record.get("kind") == "own build"
        text = own_build(record, unit) if own else f"{_gain(float(record['gain_frac']))} {record['name']}"
        text += "" if own else f" ({figure(record['objective_value'])} {unit})"
        lines += block("baseline", text, most=4 if own else 1)
    if not lines:
        lines = block("baseline", "not computed")
    runner = design.runner_up
    if not runner:
        return [*lines, *block("runner-up", "not computed")]
    if runner.get("objective_value") is None:
        return [*lines, *block("runner-up", f"none found without {runner.get('without', 'the chief platform')}")]
    distance = _distance(design, float(runner["objective_value"]))
    chief = ", ".join(runner.get("platforms") or []) or runner.get("chief platform", "")
    text = f"without {runner['without']} {figure(runner['objective_value'])} {unit}"
    text += f", {percent(distance)} behind" if distance is not None else ""
    return [*lines, *block("runner-up", text + (f" ({chief})" if chief else ""), most=2)]


def own_build(record: Record, unit: str) -> str:
    """What the user's build reaches, how far behind it is, and what it breaks."""
    value, name = record["objective_value"], f"your build {record['name']!r}"
    if record["unserved"]:
        lacking = [f"{u['class']} ({' and '.join(u['roles'])})" for u in record["unserved"]]
        text = f"{name} cannot serve {', '.join(lacking)}"
    elif record["served_frac"] is not None:
        text = f"{name} serves only {percent(record['served_frac'])} of what must be served"
    elif record.get("gain_frac") is None:
        text = f"{name} serves nothing" if value is not None else f"{name}: stopped before an answer was found"
    else:
        distance = float(record["distance_frac"])
        text = f"{_gain(float(record['gain_frac']))} {name} ({figure(value)} {unit}, "
        text += f"{percent(abs(distance))} {'behind' if distance >= 0 else 'ahead'})"
    broken = break_words(record["breaks"])
    text += "; breaks " + ", ".join(broken) if broken else ""
    return text + (f" ({', '.join(record['lifted'])} lifted here)" if record["lifted"] else "")


def _distance(design: Design, value: float) -> float | None:
    """How far a build falls short of the design, as a share of the design's value."""
    best = design.value_in_parts
    sense = -1.0 if design.objective.get("sense") == "min" else 1.0
    return None if not best else max(0.0, sense * (best - value) / abs(best))


def _gain(share: float) -> str:
    """How much better than a comparison, in words that lead to its name."""
    if percent(share) == "0%":
        return "as good as"
    if share < 0.0:
        return f"{percent(-share)} worse than"
    return f"{1.0 + share:.1f} times as good as" if share >= 1.0 else f"{percent(share)} better than"


def quote(answer: Mapping[str, Any]) -> str:
    """Return the answer to a quote as text.

    Parameters
    ----------
    answer : mapping
        As `QuoteAnswer.to_dict` makes it.
    """
    pieces = f"{answer['order']} or more" if answer["order"] > 1 else "one or more"
    catalog = f", the catalog asks {_usd(answer['catalog_usd'])}" if answer["catalog_usd"] is not None else ""
    lines = [f"{answer['part']} at {_usd(answer['price_usd'])} a piece in {answer['price_quarter']}{catalog}"]
    lines += block("bought", _verdict(answer, pieces))
    lines += block("walk away", _walk_away(answer, pieces))
    lines += _effect(answer)
    for kind, usd in (("without", answer["capex_usd"]["without"]), ("with", answer["capex_usd"]["with_order"])):
        if usd:
            lines += block(f"{kind} it", f"{_objective(answer, kind)}, {amount(usd, 'USD')} of capital")
    text = "\n".join(lines) + "\n"
    if answer["displaced"]:
        head = ("displaces", "without", "with", "change")
        rows = [
            (d["part"], f"{d['without']:,}", f"{d['with_order']:,}", f"{d['change']:+,}") for d in answer["displaced"]
        ]
        text += table(head, rows, (False, True, True, True))
    stopped = f"stopped by the {answer['stopped_by']}; " if answer["stopped_by"] else ""
    return text + f"{stopped}{answer['seconds']:.1f} s\n"


def _usd(value: float) -> str:
    """A price of one piece."""
    return f"{value:,.0f} USD" if value >= 1000.0 else f"{value:,.2f} USD"


def _verdict(answer: Mapping[str, Any], pieces: str) -> str:
    """Whether it would be bought, and how many."""
    count = f"{answer['quantity']:,}"
    return {
        "yes": f"yes, {count} of them",
        "no": f"no: a build with {pieces} is worse than the best without, or there is none",
        "within the gap": f"neither way: with {count} and without differ by less than the gap of the study",
    }.get(str(answer["bought"]), "not found in time")


def _walk_away(answer: Mapping[str, Any], pieces: str) -> str:
    """The highest price at which the order is worth it."""
    found = answer["walk_away"]
    if found["usd"] is None:
        return {
            "never": f"at once: {pieces} would not be bought at any price, not even at 0 USD",
            "no build": "no build keeps the limits and promises of the study, with it or without",
            "any": f"never: {pieces} would be bought at any price, since money is not limited and does not count",
        }.get(str(found["kind"]), "not found in time")
    low, high = float(found["usd"]), found["high_usd"]
    if found["kind"] == "budget":
        return f"never within the budget, which pays up to {_usd(low)} a piece for {pieces}: no build does without"
    if low == 0.0:
        text = f"below what the gap can tell: certainly not worth more than {_usd(high)}"
    else:
        text = f"above {_usd(low)} a piece for {pieces}"
    if high is not None and low > 0.0 and high - low > float(found["tolerance"]) * low:
        text += f"; certainly above {_usd(high)} (between the two is the gap: a smaller one tells them apart)"
    return text


def _effect(answer: Mapping[str, Any]) -> list[str]:
    """What the order does to the objective at the quoted price."""
    found = answer["objective"]
    if found["gain"] is None:
        return []
    word = "better" if found["gain"] >= 0 else "worse"
    share = f" ({percent(abs(found['gain_frac']))})" if found["gain_frac"] is not None else ""
    return block("effect", f"{figure(abs(found['gain']))} {found['unit']}{share} {word} with it")


def _objective(answer: Mapping[str, Any], side: str) -> str:
    found = answer["objective"]
    value = found["without" if side == "without" else "with_order"]
    return "no build" if value is None else f"{figure(value)} {found['unit']}"
