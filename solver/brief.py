"""A design for someone who decides: what to buy, what it costs and gives, against what, what binds, what is uncertain.

Plain text of less than 40 lines and 100 columns; the same paragraphs open the HTML page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from solver.design import FEASIBLE, INFEASIBLE, Design, Record
from solver.words import WIDTH, amount, figure, percent, quantity, si

LINES = 39
"""Lines at most."""
PARTS, CLASSES, LIMITS = 6, 4, 5
"""Parts, classes and limits that are named; the rest are counted."""
NEAR_FRAC = 0.01
"""A limit binds when less than this share of it is left."""
KINDS = {"platform": "servers", "storage": "storage servers", "memory": "memory and drives", "rack": "racks",
         "network": "network"}  # fmt: skip
"""Words for the kinds of lines of a bill."""


def brief(design: Design) -> str:
    """Return the brief of a design of any status."""
    name = str(design.study.get("name", "study"))
    lines = textwrap.wrap(f"{name}: {design.study.get('description') or 'what to buy'}", WIDTH)[:2]
    for title, text in paragraphs(design):
        lines += [
            "",
            *textwrap.wrap(f"{title}: {text}", WIDTH, break_on_hyphens=False, max_lines=5, placeholder=" ..."),
        ]
    return "\n".join(lines[:LINES]) + "\n"


def paragraphs(design: Design) -> list[tuple[str, str]]:
    """Return the brief as titles with their text."""
    if not design.has_build:
        word = "There is no such build" if design.status == INFEASIBLE else "No build was found in time"
        return [(word, "; ".join(design.explanation) or "no reason is stated")]
    return [
        ("Buy", _buy(design)),
        ("Cost", _cost(design)),
        ("Gives", _gives(design)),
        ("Compared", _compared(design)),
        ("Held back by", _binds(design)),
        ("Uncertain", _uncertain(design)),
        ("Proof", _proof(design)),
    ]


def money(design: Design, usd: float) -> str:
    """An amount in the study's currency."""
    site = design.study.get("site", {})
    return f"{si(usd * float(site.get('fx') or 1.0))}{site.get('currency') or 'USD'}"


def _value(design: Design, kpi: str) -> float:
    return float(design.kpis.get(kpi, {}).get("value") or 0.0)


def _buy(design: Design) -> str:
    """Parts by dollars, and how many accelerators they hold."""
    lines = sorted(design.bill_of_materials, key=lambda line: -float(line["capex_usd"]))
    wanted = [line for line in lines if line["kind"] != "rack" and not line.get("owned")]
    owned = [line for line in lines if line.get("owned")]
    named = [f"{quantity(line['quantity'])} {line['id']}" for line in wanted[:PARTS]]
    rest = len(wanted) - PARTS
    text = ", ".join(named) + (f" and {rest} more part{'s' * (rest > 1)}" if rest > 0 else "")
    racks = sum(float(line["quantity"]) for line in lines if line["kind"] == "rack")
    text += f"; in {quantity(racks)} racks" if racks else ""
    text += f"; {len(owned)} parts that are owned stay at work" if owned else ""
    latest = max((float(line["lead_time_weeks"] or 0.0) for line in wanted), default=0.0)
    text += f". {figure(_value(design, 'accelerators'))} accelerators in all"
    return text + (f"; the slowest part takes {figure(latest)} weeks to come." if latest else ".")


def _cost(design: Design) -> str:
    """Capital, its largest parts, yearly cost, power."""
    kinds: dict[str, float] = {}
    for line in design.bill_of_materials:
        kinds[line["kind"]] = kinds.get(line["kind"], 0.0) + float(line["capex_usd"])
    total = sum(kinds.values()) or 1.0
    ranked = sorted(kinds.items(), key=lambda pair: -pair[1])
    shares = ", ".join(f"{KINDS.get(k, k)} {percent(usd / total)}" for k, usd in ranked if usd >= 0.005 * total)
    text = f"{money(design, _value(design, 'capex_usd'))} to buy ({shares}), "
    text += f"{money(design, _value(design, 'tco_usd_per_year'))} a year to own and run; "
    text += f"{amount(_value(design, 'utility_meter_w'), 'W')} at the meter, "
    return text + f"{amount(_value(design, 'drawn_meter_w'), 'W')} drawn on average."


def definition(design: Design) -> str:
    """What the objective counts."""
    name = str(design.objective["name"])
    found = next((kpi for key, kpi in design.kpis.items() if key == name or key.startswith(f"{name}_")), None)
    basis = str(found["basis"]) if found else str(design.objective.get("title", name))
    tokens = {"output": "output tokens/s", "all": "output and new input tokens/s", "value": "value-weighted tokens/s"}
    return basis.replace("tokens_per_s", tokens.get(str(design.study.get("objective", {}).get("tokens")), "tokens/s"))


def _gives(design: Design) -> str:
    """Objective, tokens, their price, and promises kept."""
    found = design.objective
    text = f"{figure(found['value'])} {found.get('unit', '')} ({definition(design)}); "
    text += f"{si(_value(design, 'output_tokens_per_s')).strip()} output tokens/s in "
    text += f"{figure(_value(design, 'requests_per_s'))} requests/s, at "
    text += f"{money(design, _value(design, 'usd_per_million_tokens')).strip()} per million tokens"
    margins = promise_margins(design)
    if margins:
        name, kind, margin = margins[0]
        kept = "Every latency promise is kept" if margin > -1e-6 else "NOT every latency promise is kept"
        text += f". {kept}; the tightest, {kind} of {name}, has {percent(max(margin, 0.0))} left"
    return text + "."


def promise_margins(design: Design) -> list[tuple[str, str, float]]:
    """Return class, TTFT or TPOT, and share left of each promise, the tightest first."""
    found = []
    for limit in design.limits:
        if str(limit["id"]).startswith("promise."):
            name, kind = str(limit["id"]).removeprefix("promise.").rsplit(".", 1)
            found.append((name, kind.upper(), float(limit["slack"]) / float(limit["value"])))
    return sorted(found, key=lambda item: item[2])


def _compared(design: Design) -> str:
    """Gain over the baselines, and how near the runner-up comes."""
    gains = [_gain(record) for record in design.baselines if record.get("gain_frac") is not None]
    runner = design.runner_up
    if runner and runner.get("objective_value") is not None:
        gains.append(_gain({"name": f"the best build without {runner['without']}", "gain_frac": runner["gain_frac"]}))
    return ("; ".join(gains) or "no other build was solved for comparison") + "."


def _gain(record: Record) -> str:
    share, name = float(record["gain_frac"]), record["name"]
    if record.get("kind") == "own build":
        name = f"your build {name!r}"
    return f"{percent(share)} better than {name}" if share >= 0 else f"{percent(-share)} worse than {name}"


def binding(limits: Iterable[Record]) -> list[Record]:
    """Return the limits of which less than one per cent is left, site and supply first."""
    tight = [limit for limit in limits if float(limit["slack"]) <= NEAR_FRAC * abs(float(limit["value"]))]
    order = ("site", "build", "supply", "promise", "memory")
    return sorted(tight, key=lambda limit: order.index(str(limit["id"]).split(".")[0]))


def _binds(design: Design) -> str:
    """Limits that are used up, in words; what a little more is worth where that was asked."""
    worth = {str(b["id"]): b for b in design.explained.get("bottlenecks", []) if isinstance(b, dict)}
    words = []
    for limit in binding(design.limits):
        name, found = str(limit["id"]), worth.get(str(limit["id"]))
        gain = found.get("marginal") if found else limit.get("marginal")
        counted = found.get("gain_unit", "") if found else design.objective.get("unit", "")
        unit = f"{counted} per {limit['unit']}"
        words.append(f"{name} ({percent(float(limit['used']) / float(limit['value'] or 1.0))} used"
                     + (f", {float(gain):.3g} {unit})" if gain else ")"))  # fmt: skip
    rest = len(words) - LIMITS
    text = ", ".join(words[:LIMITS]) + (f" and {rest} more" if rest > 0 else "")
    return (text or "nothing: every limit has more than 1% left") + "."


def _uncertain(design: Design) -> str:
    """What rests on estimates, the range, assumptions."""
    text = f"{percent(_value(design, 'estimated_capex_share'))} of the dollars and "
    text += f"{percent(_value(design, 'estimated_power_share'))} of the watts rest on estimates; "
    text += f"{percent(_value(design, 'measured_load_share'))} of the accelerators at work do what was measured"
    kpi = design.kpis.get(str(design.objective["name"])) or {}
    if kpi and kpi["low"] != kpi["high"]:
        text += f"; the result lies between {figure(kpi['low'])} and {figure(kpi['high'])} {kpi['unit']}"
    guessed = sum(1 for a in design.assumptions if a["confidence"] == "estimate")
    return f"{text}. {len(design.assumptions)} assumptions were made, {guessed} of them estimates."


def _proof(design: Design) -> str:
    """Bound, gap, and whether the audit passed."""
    found, checked = design.objective, design.audit
    beyond = "more" if found.get("sense", "max") == "max" else "less"
    text = f"no build reaches {beyond} than {figure(found['bound'])} (gap {percent(found['gap'])}"
    text += ", not proved to the gap asked for)" if design.status == FEASIBLE else ")"
    if not checked:
        return f"{text}; not audited."
    passed = f"passed {checked['checks']:,} checks" if checked["ok"] else "FAILED"
    return f"{text}; recomputed from the catalog's rows, the design {passed}."
