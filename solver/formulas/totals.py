"""Key figures of a design that count tokens, watts, floor and evidence; money has a file of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from solver.auditing.network import read_network
from solver.auditing.rows import Facts
from solver.auditing.totals import counted_tokens
from solver.formulas.asking import CHOSEN, COMPUTED, SOLVED, Ask, derived, stated_kpi
from solver.formulas.powers import base_watts
from solver.formulas.records import SITE, Column, Maker, Sheet, Term, columns_of, number
from solver.kpis import KPIS
from solver.points import EVIDENCE


def figure(kpi_id: str) -> Callable[[Maker], Maker]:
    """Return what registers the sheet of a key figure, with its name and unit."""
    made = KPIS[kpi_id]
    return number(kpi_id, f"{made.name} ({made.basis})", made.unit, SITE, stated_kpi(kpi_id))


def _rates(ask: Ask) -> dict[str, float]:
    """Requests/s decoded of each class."""
    found: dict[str, float] = defaultdict(float)
    for item in ask.design.load:
        if item["role"] != "prefill":
            found[str(item["class"])] += float(item["requests_per_s"])
    return dict(found)


def by_class(ask: Ask, **more: tuple[str, dict[str, float], str]) -> tuple[tuple[str, ...], tuple[Column, ...]]:
    """Return labels and columns of the classes: requests/s, and what else is given as (unit, by class, source)."""
    rates = _rates(ask)
    rows = [{"requests_per_s": rate} | {k: v[1][name] for k, v in more.items()} for name, rate in rates.items()]
    about = {"requests_per_s": ("1/s", "design, load of decode and mixed", SOLVED)}
    about |= {name: (unit, source, CHOSEN) for name, (unit, _, source) in more.items()}
    return tuple(rates), columns_of(rows, about)


@figure("requests_per_s")
def requests_per_s(ask: Ask) -> Sheet:
    """Sum over classes."""
    return Sheet("sum(requests_per_s)", (), *by_class(ask))


@figure("output_tokens_per_s")
def output_tokens_per_s(ask: Ask) -> Sheet:
    """Requests/s of each class, times the output of one."""
    osl = {w.id: w.osl for w in ask.facts.workloads.values()}
    return Sheet(
        "sum(requests_per_s * osl)", (), *by_class(ask, osl=("tokens", osl, "study and workloads, osl_tokens"))
    )


@figure("value_tokens_per_s")
def value_tokens_per_s(ask: Ask) -> Sheet:
    """Output tokens, times the value of one."""
    works = ask.facts.workloads.values()
    more = {
        "osl": ("tokens", {w.id: w.osl for w in works}, "study and workloads, osl_tokens"),
        "value_per_token": ("", {w.id: w.value_per_token for w in works}, "study and workloads, value_per_token"),
    }
    return Sheet("sum(requests_per_s * osl * value_per_token)", (), *by_class(ask, **more))


@figure("tokens_per_s")
def tokens_per_s(ask: Ask) -> Sheet:
    """Requests/s of each class, times the tokens that the study counts in one."""
    return Sheet("sum(requests_per_s * tokens)", (), *by_class(ask, tokens=counted(ask)))


def counted(ask: Ask) -> tuple[str, dict[str, float], str]:
    """Tokens that one request of each class counts."""
    how = ask.facts.study.objective.tokens
    tokens = {w.id: counted_tokens(ask.facts, w) for w in ask.facts.workloads.values()}
    return ("tokens", tokens, f"tokens of a request as objective.tokens = {how!r} counts them")


@figure("new_input_tokens_per_s")
def new_input_tokens_per_s(ask: Ask) -> Sheet:
    """Requests/s prefilled, times the tokens of a prompt that were in no cache."""
    rates: dict[tuple[str, str], float] = defaultdict(float)
    new: dict[tuple[str, str], float] = {}
    for entry in ask.entries:
        if entry.role != "decode":
            key = (entry.work.id, str(entry.record["cache"]))
            rates[key] += float(entry.record["requests_per_s"])
            new[key] = entry.work.isl - entry.cached
    rows = [{"prefilled_per_s": rate, "new_tokens": new[key]} for key, rate in rates.items()]
    about = {
        "prefilled_per_s": ("1/s", "design, load of prefill and mixed", SOLVED),
        "new_tokens": ("tokens", "isl less cached and shared tokens of the class", COMPUTED),
    }
    labels = tuple(f"{name}, {cache}" for name, cache in rates)
    return Sheet("sum(prefilled_per_s * new_tokens)", (), labels, columns_of(rows, about))


@figure("tokens_per_mw")
def tokens_per_mw(ask: Ask) -> Sheet:
    """Counted tokens over the contracted power; over the used where nothing is contracted."""
    tokens, contracted = ask.number("tokens_per_s"), ask.facts.site["power_mw"]
    if not contracted:
        return Sheet("tokens_per_s / (utility_meter_w / 1000000)", (tokens, ask.number("utility_meter_w")))
    spec = ask.facts.study.site
    if spec.power_mw is None and spec.id:
        return Sheet("tokens_per_s / (power_w / 1000000)", (tokens, ask.row("sites", spec.id, "power_mw")))
    term = Term("power_mw", float(contracted), "MW", "study, site.power_mw", CHOSEN)
    return Sheet("tokens_per_s / power_mw", (tokens, term))


@figure("tokens_per_used_mw")
def tokens_per_used_mw(ask: Ask) -> Sheet:
    """Counted tokens over provisioned watts at the meter."""
    return Sheet("tokens_per_s / (utility_meter_w / 1000000)",
                 (ask.number("tokens_per_s"), ask.number("utility_meter_w")))  # fmt: skip


def _pools(ask: Ask) -> tuple[tuple[str, ...], list[dict[str, float]], tuple[str, ...]]:
    """Labels, figures and sources of all pools: nodes, accelerators of one, peak, rating and cap."""
    rows, notes = [], []
    for node in ask.nodes.values():
        chip = node.accelerator
        base = base_watts(ask, node)
        rows.append({
            "nodes": float(node.quantity), "accelerators": float(node.platform.accelerators), "cap": node.cap,
            "tdp_w": chip.tdp_w if chip else 0.0, "node_peak_w": node.peak_w,
        })  # fmt: skip
        notes.append(f"{base.confidence}: {base.source}")
    return tuple(ask.nodes), rows, tuple(notes)


_POOL = {
    "nodes": ("nodes", "design, pools.quantity", SOLVED),
    "accelerators": ("per node", "platforms, by row", "datasheet"),
    "cap": ("share", "design, pools.cap", SOLVED),
    "tdp_w": ("W", "accelerators, by row", "datasheet"),
    "node_peak_w": ("W", "--number node_peak_w --pool ID", COMPUTED),
}


def _of_pools(ask: Ask, text: str, *names: str, terms: tuple[Term, ...] = ()) -> Sheet:
    labels, rows, notes = _pools(ask)
    return Sheet(text, terms, labels, columns_of(rows, {name: _POOL[name] for name in names}),
                 notes if "node_peak_w" in names else ())  # fmt: skip


@figure("accelerators")
def accelerators(ask: Ask) -> Sheet:
    """Nodes of each pool, times their accelerators."""
    return _of_pools(ask, "sum(nodes * accelerators)", "nodes", "accelerators")


@figure("accelerator_board_w")
def accelerator_board_w(ask: Ask) -> Sheet:
    """Rated watts of all boards at their caps."""
    return _of_pools(ask, "sum(nodes * accelerators * tdp_w * cap)", "nodes", "accelerators", "tdp_w", "cap")


@figure("node_wall_w")
def node_wall_w(ask: Ask) -> Sheet:
    """Peaks of nodes, less what caps take off their boards."""
    text = "sum(nodes * (node_peak_w - (1 - cap) * accelerators * tdp_w))"
    return _of_pools(ask, text, "nodes", "node_peak_w", "cap", "accelerators", "tdp_w")


def _switches(ask: Ask) -> tuple[Term, Term]:
    """Switches of the fabric, and the watts of one."""
    found = read_network(ask.facts)
    return (
        Term("switches", float(found.switches), "switches", "design, network.leaves and .spines", SOLVED),
        ask.row("network", ask.facts.switch.id, "power_max_w", "switch_w"),
    )


@figure("it_w")
def it_w(ask: Ask) -> Sheet:
    """Nodes, and the switches outside them with their optics."""
    return Sheet("node_wall_w + switches * switch_w", (ask.number("node_wall_w"), *_switches(ask)))


def _cooled(ask: Ask, column: str, unit: str) -> Sheet:
    """IT watts of each pool in each kind of rack and of the network, with a figure of their cooling."""
    rows, labels, notes = [], [], []
    network = read_network(ask.facts)
    places = [
        (f"{n.pool_id} in {s.rack.id}", s.nodes * n.it_w, s.cooling.id) for n in ask.nodes.values() for s in n.stands
    ]
    if network.cooling is not None:
        places.append(("network", network.it_w, network.cooling.id))
    for label, watts, cooling in places:
        cell = ask.row("cooling", cooling, column, "figure")
        rows.append({"it_w": watts, "figure": cell.value})
        labels.append(label)
        notes.append(f"{cell.confidence}: {cell.source}")
    name = {"pue_peak": "pue_peak", "wue_l_per_kwh": "wue_l_per_j"}[column]
    about = {
        "it_w": ("W", "--number pool_it_w --pool ID, by rack", COMPUTED),
        name: (unit, "cooling of the rack", "by row"),
    }
    rows = [{"it_w": row["it_w"], name: row["figure"]} for row in rows]
    return Sheet(f"sum(it_w * {name})", (), tuple(labels), columns_of(rows, about), tuple(notes))


@figure("utility_meter_w")
def utility_meter_w(ask: Ask) -> Sheet:
    """IT with the PUE of the design day, and what the site draws whatever is built."""
    cooled = _cooled(ask, "pue_peak", "W/W")
    fixed = Term("fixed_w", ask.facts.study.site.fixed_mw * 1e6, "W", "study, site.fixed_mw", CHOSEN)
    return Sheet(f"{cooled.text} + fixed_w", (fixed,), cooled.labels, cooled.columns, cooled.notes)


@figure("water_l_per_s")
def water_l_per_s(ask: Ask) -> Sheet:
    """Provisioned IT watts, times the water of their cooling."""
    return _cooled(ask, "wue_l_per_kwh", "L/J")


def working_w(ask: Ask) -> Term:
    """Mean watts at the meter of replicas at work, above idle."""
    total = sum(float(item["drawn_above_idle_meter_w"]) for item in ask.design.load)
    return Term("working_w", total, "W", "design, load.drawn_above_idle_meter_w", SOLVED)


@figure("drawn_meter_w")
def drawn_meter_w(ask: Ask) -> Sheet:
    """Nodes that stand, replicas at work, switches and optics, each at the mean PUE, and fixed loads."""
    standing = {p["pool_id"]: float(p["standing_meter_w"]) for p in ask.design.pools}
    switch, optic = ask.facts.switch, ask.facts.optic
    network, stated = read_network(ask.facts), ask.design.network
    terms = (
        working_w(ask),
        *_switches(ask)[:1],
        ask.row("network", switch.id, "power_typ_w", "switch_mean_w"),
        Term("optics", float(network.optics), "pieces", "design, network.optics", SOLVED),
        ask.row("network", optic.id, "power_typ_w", "optic_mean_w"),
        ask.row("cooling", str(stated["cooling"]), "pue_central", "network_pue"),
        Term("fixed_w", ask.facts.study.site.fixed_mw * 1e6, "W", "study, site.fixed_mw", CHOSEN),
    )
    about = {"standing_meter_w": ("W", "--number pool_standing_meter_w --pool ID", COMPUTED)}
    rows = [{"standing_meter_w": watts} for watts in standing.values()]
    text = (
        "sum(standing_meter_w) + working_w + (switches * switch_mean_w + optics * optic_mean_w) * network_pue + fixed_w"
    )
    return Sheet(text, terms, tuple(standing), columns_of(rows, about))


@figure("joules_per_token")
def joules_per_token(ask: Ask) -> Sheet:
    """Mean watts at the meter over counted tokens."""
    return Sheet("drawn_meter_w / tokens_per_s", (ask.number("drawn_meter_w"), ask.number("tokens_per_s")))


@figure("co2_kg_per_s")
def co2_kg_per_s(ask: Ask) -> Sheet:
    """Mean watts at the meter, times the carbon of the grid."""
    return Sheet("drawn_meter_w * carbon_kg_per_j", (ask.number("drawn_meter_w"), site_price(ask, "carbon_g_per_kwh")))


def site_price(ask: Ask, column: str) -> Term:
    """Carbon or price of a unit of energy: of the study, of its site's row, or the default."""
    spec, money = ask.facts.study.site, ask.facts.money
    name = {"carbon_g_per_kwh": "carbon_kg_per_j", "electricity_usd_per_mwh": "electricity_usd_per_j"}[column]
    if getattr(spec, column) is None and spec.id and ask.facts.row("sites", spec.id).get(column) is not None:
        return ask.row("sites", spec.id, column, name)
    return ask.setting(f"site.{column}", getattr(money, name), name)


@figure("floor_m2")
def floor_m2(ask: Ask) -> Sheet:
    """Racks of each kind, times their floor with aisles."""
    rows, labels, notes = [], [], []
    for node in ask.nodes.values():
        for stand in node.stands:
            cell = ask.row("racks", stand.rack.id, "floor_m2")
            rows.append({"racks": float(stand.racks), "floor_m2": cell.value})
            labels.append(f"{node.pool_id} in {stand.rack.id}")
            notes.append(f"{cell.confidence}: {cell.source}")
    about = {"racks": ("racks", "design, pools.racks", SOLVED), "floor_m2": ("m2", "racks, by row", "by row")}
    return Sheet("sum(racks * floor_m2)", (), tuple(labels), columns_of(rows, about), tuple(notes))


@figure("measured_tokens_share")
def measured_tokens_share(ask: Ask) -> Sheet:
    """Output tokens of entries inside the measurements, over all."""
    inside = sum(float(i["output_tokens_per_s"]) for i in ask.design.load if i["evidence"] == EVIDENCE[0])
    term = Term("measured_tokens_per_s", inside, "tokens/s", "design, load with evidence measured", SOLVED)
    return Sheet("measured_tokens_per_s / output_tokens_per_s", (term, ask.number("output_tokens_per_s")))


def _working_accelerators(facts: Facts) -> dict[str, float]:
    """Accelerators at work by regime of evidence."""
    found = dict.fromkeys(EVIDENCE, 0.0)
    for item in facts.design.load:
        found[str(item["evidence"])] += item["replicas"] * item["tp"] * item["pp"] * item["dp"]
    return found


def _regime(kpi_id: str, regime: str) -> None:
    """Register the share of the accelerators at work in one regime of evidence."""

    @figure(kpi_id)
    def share(ask: Ask) -> Sheet:
        """Accelerators at work in the regime, over all at work."""
        found = _working_accelerators(ask.facts)
        how = "design, load: replicas x tp x pp x dp, by evidence"
        inside = Term("accelerators_in_regime", found[regime], "accelerators", how, SOLVED)
        return Sheet("accelerators_in_regime / accelerators_at_work",
                     (inside, derived("accelerators_at_work", sum(found.values()), "accelerators", how)))  # fmt: skip


for _id, _word in (("measured_load_share", "measured"), ("extrapolated_load_share", "extrapolated"),
                   ("unmeasured_load_share", "none")):  # fmt: skip
    _regime(_id, _word)
