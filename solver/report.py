"""A design on one screen: plain text, under 45 lines and 100 columns, the same whether piped or not."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence

from solver.design import FEASIBLE, INFEASIBLE, OPTIMAL, Design, Record
from solver.versus import comparisons
from solver.words import WIDTH, amount, block, figure, many, percent, quantity, si

LINES = 44
"""Lines of a screen; the buy list takes what the rest leaves, and sums up what does not fit."""
FEWEST_LINES = 10
"""Lines of the buy list at least."""
MOST_CLASSES = 12
KEPT_FRAC = 1e-6
"""A promise missed by less than this share of it is kept."""
BINDING_FRAC = 0.01
"""A limit binds when less than this share of it is left."""
SHARE_SHOWN = 0.005
INLINE = 30
"""Characters about racks that fit beside their sum; more go on lines of their own."""
CAPS_W = 500.0
"""Watts that caps must save to be worth a line."""
TOKENS = {"output": "output tokens/s", "all": "output and new input tokens/s",
          "value": "value-weighted output tokens/s"}  # fmt: skip
BOUNDARIES = {"board": "accelerator_board_w", "wall": "node_wall_w", "IT": "it_w", "meter": "utility_meter_w"}
"""Where power is stated, from the inside out, and the key figure for each."""
TITLES = {
    OPTIMAL: "optimal",
    FEASIBLE: "feasible, not proved to the gap asked for",
    INFEASIBLE: "infeasible: no build keeps every limit and promise",
}


def render(design: Design) -> str:
    """Return the design as the text of one screen.

    Parameters
    ----------
    design : Design
        Of any status; comparisons that were not computed are named as such.
    """
    lines = _title(design)
    if design.has_build:
        lines += _objective(design)
        rest = [
            *_power(design),
            *_money(design),
            *_tokens(design),
            *_promises(design),
            *_queues(design),
            *_binding(design),
            *_left_out(design),
            *_evidence(design),
            *comparisons(design),
            *_proof(design),
        ]
        lines += [*_bill(design, max(FEWEST_LINES, LINES - len(lines) - len(rest))), *rest]
    else:
        lines += [*_why(design), *_left_out(design)]
    return "\n".join(lines) + "\n"


def _title(design: Design) -> list[str]:
    """Name, status and what stopped the solve; the study's own description."""
    status = TITLES.get(design.status, "unknown: stopped before a build was found")
    if design.stopped_by not in ("", "gap"):
        status += f" (stopped by {design.stopped_by})"
    description = str(design.study.get("description", ""))
    lines = textwrap.wrap(f"{design.study.get('name', 'study')}: {status}", WIDTH)
    return lines + ([*textwrap.wrap(description, WIDTH)[:2]] if description else [])


def _value(design: Design, kpi: str) -> float:
    """Value of a key figure, zero where a design lacks it."""
    return float(design.kpis.get(kpi, {}).get("value") or 0.0)


def _definition(design: Design) -> str:
    """What the objective counts, in words."""
    name = str(design.objective["name"])
    found = next((record for kpi, record in design.kpis.items() if kpi == name or kpi.startswith(f"{name}_")), None)
    basis = str(found["basis"]) if found else str(design.objective.get("title", name))
    counted = TOKENS.get(str(design.study.get("objective", {}).get("tokens", "output")), "tokens/s")
    return counted if name == "tokens" else basis.replace("tokens_per_s", counted)


def _objective(design: Design) -> list[str]:
    """Value, unit and definition; bound and gap."""
    found = design.objective
    aim = "most" if found.get("sense", "max") == "max" else "least"
    asked = design.study.get("solver", {}).get("gap")
    beyond = "more" if aim == "most" else "less"
    which = "no build with queues of these widths" if design.solver.get("lowered_widths") else "no build"
    proof = f"{which} has {beyond} than {figure(found['bound'])}; gap {percent(found['gap'])}"
    return [
        *block("objective", f"{figure(found['value'])} {found.get('unit', '')}, {aim} {_definition(design)}", most=2),
        *block("bound", proof + (f" of {percent(asked)} allowed" if asked else "") + _whole(design)),
    ]


def _whole(design: Design) -> str:
    """What whole replicas cost, or that their parts were left as they are."""
    whole = design.whole
    if whole.get("on"):
        count = sum(item["replicas"] for item in whole["replicas"])
        cost = f" cost {percent(whole['loss_frac'])} more" if whole["loss_frac"] > 0 else ""
        return f"; {count:,} whole replicas{cost}"
    unsettled = whole and whole["loss_frac"] is None
    return "; replicas in parts, whole ones may serve less" if unsettled else ""


def _currency(design: Design) -> tuple[str, float]:
    """Currency of printed prices, and how much of it a dollar buys."""
    site = design.study.get("site", {})
    return str(site.get("currency") or "USD"), float(site.get("fx") or 1.0)


def _bill(design: Design, most: int) -> list[str]:
    """What to buy, in at most so many lines: one a part, racks together, what caps save, and the sum."""
    racks = [line for line in design.bill_of_materials if line["kind"] == "rack"]
    parts = [line for line in design.bill_of_materials if line["kind"] != "rack"]
    order = ("platform", "memory", "storage", "network")
    parts.sort(key=lambda line: (order.index(line["kind"]) if line["kind"] in order else 9, -line["capex_usd"]))
    watts = sum(line["provisioned_w"] for line in design.bill_of_materials)
    saved = watts - _value(design, "it_w")
    text = ", ".join(f"{quantity(r['quantity'])} {r['id']}" for r in racks)
    names = [] if len(text) <= INLINE else textwrap.wrap(text, WIDTH - 8, max_lines=2, placeholder=" ...")
    room = most - 2 - bool(racks) - len(names) - (saved > CAPS_W)
    shown = parts if len(parts) <= room else parts[: room - 1]
    words, (currency, fx) = _part_words(design), _currency(design)
    rows = [_listed(line, words.get(line["id"], ""), fx) for line in shown]
    if len(shown) < len(parts):
        rows.append(_summed(f"{len(parts) - len(shown)} more parts", parts[len(shown) :], fx))
    if racks:
        rows.append((*_summed("racks", racks, fx)[:5], "" if names else text))
    if saved > CAPS_W:
        rows.append(("less power caps", "", "", "", f"{-saved / 1e6:.3f}", ""))
    capex = sum(line["capex_usd"] for line in design.bill_of_materials)
    rows.append(("total", "", "", si(capex * fx), f"{(watts - max(0.0, saved)) / 1e6:.3f}", ""))
    head = ("buy", "quantity", f"unit {currency}", currency, "IT MW", "for")
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(5)]
    lines = [_columns(row, widths) for row in [head, *rows]]
    below = next((n for n, row in enumerate(rows) if row[0] == "racks"), len(rows)) + 2
    return [*lines[:below], *(f"    {line}" for line in names), *lines[below:]]


def _listed(line: Record, words: str, fx: float) -> tuple[str, str, str, str, str, str]:
    """One row for one line of the bill."""
    unit, megawatts = f"{line['unit_usd'] * fx:,.0f}", f"{line['provisioned_w'] / 1e6:.3f}"
    return line["id"], quantity(line["quantity"]), unit, si(line["capex_usd"] * fx), megawatts, words


def _summed(name: str, lines: Sequence[Record], fx: float) -> tuple[str, str, str, str, str, str]:
    """One row for several lines of the bill."""
    pieces = sum(line["quantity"] for line in lines)
    usd, watts = (sum(line[key] for line in lines) for key in ("capex_usd", "provisioned_w"))
    return name, quantity(pieces), "", si(usd * fx), f"{watts / 1e6:.3f}", ""


def _columns(row: Sequence[str], widths: Sequence[int]) -> str:
    """One row of the buy list, cut to the width of the screen."""
    cells = [f"{row[0]:{widths[0]}}", *(f"{row[k]:>{widths[k]}}" for k in range(1, 5)), row[5]]
    text = "  ".join(cells).rstrip()
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."


def _part_words(design: Design) -> dict[str, str]:
    """What each part is bought for: the roles of a platform, the tier of a device."""
    work: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for pool in design.pools:
        for role, share in pool["role_shares"].items():
            work[pool["platform"]][role] += share * max(pool["accelerators"], 1)
    words = {part: _roles(shares) for part, shares in work.items()}
    held: dict[str, set[str]] = defaultdict(set)
    for place in design.placement:
        held[place["device"]].add(place["tier"])
    words |= {device: "KV in " + ", ".join(sorted(tiers)) for device, tiers in held.items()}
    named = {line["id"]: words.get(line["id"]) or words.get(line["part"], "") for line in design.bill_of_materials}
    net = design.network
    if net:
        named[net["switch"]] = f"{net['tiers']}-tier fabric: {net['leaves']} leaves, {net['spines']} spines"
        named[net["optic"]] = f"{net['ports']:,.0f} ports wired to nodes{_inside(design)}"
    return named


def _inside(design: Design) -> str:
    """Share of hand-overs that need no port, where there are any."""
    rates: dict[str, float] = defaultdict(float)
    for item in design.load:
        if item["role"] == "prefill":
            rates[item.get("handover") or ""] += item["requests_per_s"]
    total = sum(rates.values())
    return f"; {percent(rates['scale_up'] / total)} of hand-overs inside domains" if rates["scale_up"] else ""


def _roles(amounts: dict[str, float]) -> str:
    """Roles with their shares, the largest first."""
    total = sum(amounts.values()) or 1.0
    shares = sorted(((value / total, role) for role, value in amounts.items()), reverse=True)
    shown = [(share, role) for share, role in shares if share >= SHARE_SHOWN]
    return shown[0][1] if len(shown) == 1 else " ".join(f"{role} {share:.0%}" for share, role in shown)


def _limits(design: Design, name: str) -> Record | None:
    """The limit of that id."""
    return next((limit for limit in design.limits if limit["id"] == name), None)


def _power(design: Design) -> list[str]:
    """Used and unused megawatts at the four boundaries, and what is drawn on average."""
    used = {name: _value(design, kpi) / 1e6 for name, kpi in BOUNDARIES.items()}
    limit = _limits(design, "site.power_mw")
    left = limit["slack"] / 1e6 if limit else 0.0
    meter = used["meter"] or 1.0
    n = 2 if meter >= 10.0 else 3
    if limit is None:
        text = ", ".join(f"{name} {mw:.{n}f}" for name, mw in used.items()) + "; no contracted power given"
    else:
        usable = float(design.study.get("site", {}).get("usable_power_frac") or 1.0)
        allowed, contracted = limit["value"] / 1e6, limit["value"] / 1e6 / usable
        text = ", ".join(f"{name} {mw:.{n}f}+{max(0.0, left * mw / meter):.{n}f}" for name, mw in used.items())
        text += f" = {allowed:.{n}f} usable of {contracted:.2f}" if usable < 1 else f" = {contracted:.2f} contracted"
    drawn = _value(design, "drawn_meter_w") / 1e6
    return [
        *block("MW+unused", text),
        *block("drawn", f"{drawn:.{n}f} MW at the meter on average, {percent(drawn / meter)} of what is provisioned; "
                f"{_value(design, 'joules_per_token'):.3g} J/token"),
    ]  # fmt: skip


def _money(design: Design) -> list[str]:
    """Budget used and unused, yearly cost, cost of tokens."""
    limit, (currency, fx) = _limits(design, "site.budget_usd"), _currency(design)
    capex, yearly = _value(design, "capex_usd") * fx / 1e6, _value(design, "tco_usd_per_year") * fx
    if limit is None:
        text = f"{capex:,.2f} M{currency}, no budget given"
    else:
        left, budget = max(0.0, limit["slack"]) * fx / 1e6, limit["value"] * fx / 1e6
        text = f"{capex:,.2f} used + {left:,.2f} unused = {budget:,.2f} M{currency}"
    each = _value(design, "usd_per_million_tokens") * fx
    text += f"; {si(yearly)}{currency}/year in all; {each:.3g} {currency}/1e6 tokens"
    return block("money", text, most=2)


def _tokens(design: Design) -> list[str]:
    """Output tokens by model, requests, and how far the study's mix is served."""
    served: dict[str, float] = defaultdict(float)
    for item in design.load:
        served[item["class"]] += item["requests_per_s"] if item["role"] != "prefill" else 0.0
    asked = {w["id"]: w["requests_per_s"] for w in design.study["workload"] if w.get("requests_per_s")}
    scale = min((served[name] / rate for name, rate in asked.items()), default=None)
    mix = design.study.get("demand", {}).get("mode") == "mix"
    word = "" if scale is None else f", {scale:.4g} x the mix" if mix else f", {percent(scale)} of the rates asked for"
    idle = sum(
        item["accelerators"] * (1.0 - item["replicas"] / item["present"]) for item in design.load if item.get("present")
    )
    beside = f"; {figure(idle)} accelerators stand idle beside parked KV" if idle >= 0.5 else ""
    models = ", ".join(f"{model} {si(rate).strip()}" for model, rate in design.tokens_by_model.items())
    total, requests = _value(design, "output_tokens_per_s"), _value(design, "requests_per_s")
    return block("tokens/s", f"{si(total).strip()} output ({figure(requests)} requests/s{word}): {models}{beside}")


def _promises(design: Design) -> list[str]:
    """What is left of the tightest promise of each class."""
    worst: dict[str, tuple[float, str]] = {}
    for limit in design.limits:
        if limit["id"].startswith("promise."):
            name, kind = limit["id"].removeprefix("promise.").rsplit(".", 1)
            margin = (limit["slack"] / limit["value"], kind.upper())
            worst[name] = min(worst.get(name, margin), margin)
    if not worst:
        return block("promises", "none given")
    ranked = sorted(worst.items(), key=lambda pair: pair[1])
    words = {"hit": " (hits only)", "per_1k_new_tokens": " (per 1k new tokens)"}
    bound = {w["id"]: words.get(w.get("promise_on", "all"), "") for w in design.study["workload"]}
    long = {w["id"] for w in design.study["workload"] if w.get("percentile_over") == "lengths"}
    bound |= {name: f"{bound[name]} (long prompts too)" for name in long}
    kept = all(margin > -KEPT_FRAC for margin, _ in worst.values())
    cells = [
        f"{name} {kind}{bound.get(name, '') if kind == 'TTFT' else ''} {max(margin, 0.0) if kept else margin:.1%}"
        for name, (margin, kind) in ranked[:MOST_CLASSES]
    ]
    cells += [f"{len(ranked) - MOST_CLASSES} more classes"] if len(ranked) > MOST_CLASSES else []
    return block("promises", ("kept; least left: " if kept else "NOT ALL KEPT: ") + ", ".join(cells), most=4)


def _binding(design: Design) -> list[str]:
    """Limits of which less than one per cent is left."""
    tight = [limit for limit in design.limits if limit["slack"] <= BINDING_FRAC * abs(limit["value"])]
    words = []
    memory: dict[str, Counter[str]] = {kind: Counter() for kind in ("capacity", "read", "write", "wear")}
    promises: Counter[str] = Counter()
    for limit in tight:
        if limit["id"].startswith("memory."):
            place, kind = limit["id"].rsplit(".", 1)
            memory[kind][place.rsplit(".", 1)[1]] += 1
        elif limit["id"].startswith("promise."):
            promises[limit["id"].rsplit(".", 1)[1].upper()] += 1
        else:
            marginal = f", {limit['marginal']:.4g} per {limit['unit']}" if limit.get("marginal") is not None else ""
            words.append(f"{limit['id']} ({percent(1 - limit['slack'] / (limit['value'] or 1.0))}{marginal})")
    for kind, tiers in memory.items():
        if tiers:
            words.append(f"{kind} of {' and '.join(tiers)} ({sum(tiers.values())} pools)")
    words += [f"{count} {kind} promise{'s' * (count > 1)}" for kind, count in promises.items()]
    return block("binds", ", ".join(words) or "nothing within 1% of its limit")


def _left_out(design: Design) -> list[str]:
    """How many candidates each reason excluded, and how many parts were not considered."""
    reasons: Counter[str] = Counter()
    for item in design.dropped:
        reasons[item["reason"]] += item["count"]
    dropped = f"{many(sum(reasons.values()))} candidates" + _counted(reasons)
    parts = Counter(_reason_word(item["reason"]) for item in design.filtered)
    count = sum(parts.values())
    filtered = f"{count} part{'s' * (count != 1)}" + _counted(parts)
    return block("dropped", f"{dropped}; filtered: {filtered}", most=3)


def _counted(reasons: Counter[str]) -> str:
    """Reasons with their counts, in brackets."""
    words = ", ".join(f"{reason} {many(count)}" for reason, count in reasons.most_common())
    return f" ({words})" if words else ""


def _reason_word(reason: str) -> str:
    """A filter's reason without the particulars of the part."""
    if reason.startswith("available"):
        return "not available in time"
    return reason.split(" (")[0].split(" 20")[0].split(";")[0].split(",")[0]


def _evidence(design: Design) -> list[str]:
    """What the answer rests on: estimated dollars and watts, regimes of evidence, the range of the objective."""
    name = str(design.objective["name"])
    dollars, watts = (percent(_value(design, f"estimated_{what}_share")) for what in ("capex", "power"))
    inside, near, far = (
        percent(_value(design, f"{regime}_load_share")) for regime in ("measured", "extrapolated", "unmeasured")
    )
    text = f"{dollars} of dollars and {watts} of watts rest on estimates"
    text += f"; of the accelerators at work {inside} within the measurements, {near} one step outside, {far} further"
    kpi = design.kpis.get(name) or {}
    if kpi and kpi["low"] != kpi["high"]:
        text += f"; {figure(kpi['low'])} to {figure(kpi['high'])} {kpi['unit']} within the model's error"
    guessed = sum(1 for a in design.assumptions if a["confidence"] == "estimate")
    return block("evidence", f"{text}; {len(design.assumptions)} assumptions, {guessed} estimated")


def _queues(design: Design) -> list[str]:
    """How many replicas share a router, where fewer do because no more stand, and how often that was solved."""
    queues, rounds = design.solver.get("queues", []), design.solver.get("queue_rounds", {})
    if not queues:
        return []
    most = design.study["build"]["router_width"]
    fewer = [f"{q['class']} {q['role']} {q['width']}" for q in queues if q["width"] < most]
    cells = fewer[:MOST_CLASSES] + ([f"{len(fewer) - MOST_CLASSES} more"] if len(fewer) > MOST_CLASSES else [])
    text = f"{most} replicas share a router" + (f", fewer where no more stand: {', '.join(cells)}" if cells else "")
    if rounds.get("relaxations", 1) > 1:
        text += f"; {rounds['relaxations']} relaxations, {rounds['solves']} solves"
    return block("queues", text)


def _proof(design: Design) -> list[str]:
    """The audit, where the time went, and what reproduces the result."""
    found = design.audit
    if not found:
        audit = "not audited"
    elif found["ok"]:
        audit = f"passed {found['checks']:,} checks from the catalog's rows; largest excess {float(found['worst']):.1e}"
    else:
        audit = f"FAILED: {len(found.get('violations', []))} of {found['checks']:,} checks"
    done = design.solver
    seconds = dict(done.get("seconds", {}))
    total = seconds.pop("total_s", sum(seconds.values()))
    steps = ", ".join(f"{name.removesuffix('_s')} {value:.1f}" for name, value in seconds.items())
    rest = total - sum(seconds.values())
    steps += f", rest {rest:.1f}" if rest >= 0.05 else ""
    size = f"{done.get('candidates', 0):,} candidates, {done.get('rows', 0):,} rows, {done.get('columns', 0):,} columns"
    versions = " ".join(f"{name} {number}" for name, number in done.get("versions", {}).items())
    text = f"{total:.1f} s ({steps}); {size}; catalog {design.catalog.get('hash', '')[:12]}, {versions}"
    return [*block("audit", audit), *block("time", text)]


def _why(design: Design) -> list[str]:
    """Why there is no build; where that was not asked, what came nearest to what excluded candidates."""
    lines = [line for reason in design.explanation for line in block("why", reason, most=5)]
    if design.status != INFEASIBLE or "clashes" in design.explained:
        return lines
    named = {item["class"] for item in design.dropped if any(item["class"] in reason for reason in design.explanation)}
    concerned = [item for item in design.dropped if not named or item["class"] in named]
    concerned.sort(key=lambda item: (item["nearest"] or 0.0) / (item["needed"] or 1.0), reverse=True)
    for text in [text for text in map(_nearest, concerned) if text][:12]:
        lines += block("nearest", text, most=2)
    return lines


def _nearest(item: Record) -> str:
    """How near a class came to what it needed, in words."""
    if item["nearest"] is None or item["nearest"] == item["needed"] or not item["needed"]:
        return ""
    ratio, needed = item["nearest"] / item["needed"], amount(item["needed"], item["unit"])
    missed = f"needs {ratio:,.1f} times {needed}" if ratio >= 2.0 else f"misses {needed} by {percent(ratio - 1.0)}"
    at = f" on {item['where']}" if item.get("where") else ""
    return f"{item['class']}: {item['reason']}: the nearest {missed}{at} ({item['count']:,} candidates)"
