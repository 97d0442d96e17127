"""What does each memory tier really buy, in tokens per second per megawatt?

Tiers are added one after the other to the same site, for chat, retrieval, agents and long memory, at the prices of two
quarters and without a budget. And where do agents keep their KV cache: minutes in DRAM, longer on flash and disk?
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from common import Bench, Inputs, Tables, bullets, markdown_table, new_figure, outcome, percent, run_study
from matplotlib.figure import Figure

TOKENS = "tokens [tokens/s/MW]"
AGENTS = "agentic_coding"


def steps(sweep: dict[str, Any]) -> Iterator[tuple[str, str, bool, set[str], set[str]]]:
    """Yield (set, step, host memory allowed, tiers allowed, storage servers allowed)."""
    host, tiers, servers = False, set[str](), set[str]()
    for step in sweep["step"]:
        host |= step.get("host", False)
        tiers |= set(step.get("tiers", []))
        servers |= set(step.get("servers", []))
        yield "added", step["name"], host, set(tiers), set(servers)
    for step in sweep["step"]:
        if step.get("alone"):
            yield "alone", step["name"], True, set(step["tiers"]), set(step.get("servers", []))


def rows(bench: Bench) -> Tables:
    """Solve every class, quarter and set of tiers."""
    sweep, found, places = bench.inputs.sweep, [], []
    varied = {tier for step in sweep["step"] for tier in step.get("tiers", [])}
    host_tiers = {"hbm", "ddr", "lpddr"}
    for name in sweep["classes"]:
        for case in sweep["case"]:
            free = case.get("without_budget", False)
            quarter = f"{case['prices']}, no budget" if free else case["prices"]
            for kind, step, host, tiers, servers in steps(sweep):
                devices = [
                    id for id, row in bench.catalog.tables["memory"].items() if row["tier"] not in host_tiers | tiers
                ]
                design = bench.solve(f"{name} {quarter} {kind} {step}", {
                    "workload": [{"id": name, "requests_per_s": 1.0}],
                    "site.price_quarter": case["prices"],
                    "site.budget_usd": None if free else bench.inputs.study.site.budget_usd,
                    "build.tiers": host,
                    "exclude": [*bench.all_but("platforms", {*sweep["platforms"], *servers}), *devices],
                })  # fmt: skip
                key = {"class": name, "prices": quarter, "set": kind, "step": step}
                hits = sum(p["hits_per_s"] or 0.0 for p in design.placement if p["kind"] == "parked")
                served = design.kpis["requests_per_s"]["value"] if design.has_build else 0.0
                found.append(
                    key
                    | outcome(design)
                    | {"hits [share of requests]": round(hits / served, 4) if served else None}
                    | {f"{tier} [TB]": _stored(design.placement, tier) for tier in ("ddr", "lpddr", *sorted(varied))}
                    | {f"pooled {tier} [TB]": _stored(design.placement, f"pooled_{tier}") for tier in sorted(varied)}
                )
                places += [
                    key | {
                        "segment": p["segment"], "retention [s]": p["ttl_s"], "tier": p["tier"],
                        "stored [TB]": p["bytes"] / 1e12, "hits [1/s]": p["hits_per_s"],
                    }
                    for p in design.placement if p["kind"] == "parked"
                ]  # fmt: skip
    keys = ["class", "prices", "set", "step", "segment", "retention [s]", "tier"]
    columns = [*keys, "stored [TB]", "hits [1/s]"]
    parked = pd.DataFrame(places, columns=columns).groupby(keys, sort=False, as_index=False).sum()
    return {"": pd.DataFrame(found), "_placement": parked.round({"stored [TB]": 4, "hits [1/s]": 4})}


def _stored(placement: list[dict[str, Any]], tier: str) -> float:
    """Terabytes of KV in a tier."""
    return round(sum(p["bytes"] for p in placement if p["tier"] == tier) / 1e12, 4)


def draw(tables: Tables) -> Figure:
    """Tokens by step, a panel a class, a line a quarter."""
    table = tables[""]
    classes = list(table["class"].unique())
    figure = new_figure(3.2 * max(len(classes), 2), 4.6)
    for index, name in enumerate(classes):
        axes = figure.add_subplot(1, len(classes), index + 1)
        part = table[table["class"] == name]
        for number, quarter in enumerate(table["prices"].unique()):
            added, alone = (part[(part["prices"] == quarter) & (part["set"] == kind)] for kind in ("added", "alone"))
            axes.plot(added["step"], added[TOKENS] / 1e3, "o-", color=f"C{number}", label=f"added, {quarter}")
            axes.plot(
                alone["step"], alone[TOKENS] / 1e3, "x", color=f"C{number}", markersize=8, label="alone beside host"
            )
        axes.set_title(name)
        axes.set_ylim(bottom=0)
        axes.tick_params(axis="x", rotation=60)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
        if index == 0:
            axes.set_ylabel("1,000 output tokens/s per MW at the meter")
            axes.legend(fontsize=8, loc="lower right")
    return figure


def answer(tables: Tables) -> str:
    """Say it in short."""
    table = tables[""]
    shown = _by_step(table, table["gap [share]"].max())
    seen = [f"{line.split('**')[1]} {line.split(' in ')[1].split(' cases')[0]}" for line in shown]
    best = []
    for name in table["class"].unique():
        ratios = [part[TOKENS].max() / part[TOKENS].iloc[0] for (own, _), part in _added(table) if own == name]
        best.append(f"{name} {_times(min(ratios))} to {_times(max(ratios))}")
    return (
        f"All tiers over HBM only (without a prefix cache): {', '.join(best)}. Cases of class and prices in which a "
        f"tier adds more than the gap: {', '.join(seen)}."
    )


def findings(tables: Tables, inputs: Inputs) -> str:
    """Say what each tier buys and where agents keep their KV."""
    table = tables[""]
    noise = max(inputs.study.solver.gap, table["gap [share]"].max())
    lines = [_ladder(name, quarter, part[["step", TOKENS]], noise) for (name, quarter), part in _added(table)]
    alone = [_alone(table, name, quarter) for name, quarter in _pairs(table)]
    split = _split(tables["_placement"], inputs)
    return "\n\n".join(
        [
            "## What each tier buys",
            f"{inputs.study.description}; nodes {', '.join(inputs.sweep['platforms'])}, prefill and decode free, "
            f"caps {inputs.study.build.power_caps}. HBM only means no prefix cache: the model holds the KV of requests "
            "in flight in HBM and parks KV that waits for its user only below it. The standard host memory is paid and "
            "powered either way, so its step costs nothing; a larger population does. Replicas that load hits from "
            "their own nodes may stand below their rated load where the memory beside them is worth it.",
            bullets(_by_step(table, noise)),
            "In full:",
            bullets(lines),
            "Order matters: a tier that comes late finds the work done. Each alone beside HBM and host memory "
            "(pooled flash has no such run: its drives could stand in the nodes as well):",
            bullets([line for line in alone if line]),
            "## Where the KV of agents lies",
            *split,
        ]
    )


def _added(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield class and prices with the steps in their order."""
    for name, quarter in _pairs(table):
        yield (
            (name, quarter),
            table[(table["class"] == name) & (table["prices"] == quarter) & (table["set"] == "added")],
        )


def _by_step(table: pd.DataFrame, noise: float) -> list[str]:
    """One line a tier: in how many cases it shows, and where it buys most."""
    gains: dict[str, list[tuple[float, str, str]]] = {}
    for (name, quarter), part in _added(table):
        best = part[TOKENS].iloc[0]
        for step, value in zip(part["step"].iloc[1:], part[TOKENS].iloc[1:], strict=True):
            if best > 0 and value > 0:  # else there is no build to compare with
                gains.setdefault(step[2:], []).append((value / best, name, quarter))
            best = value if pd.isna(best) else max(best, value)
    lines = []
    for step, found in gains.items():
        ratio, name, quarter = max(found)
        seen = sum(gain - 1 > noise for gain, _, _ in found)
        most = f", most for {name} at {quarter} ({_times(ratio)})" if seen else f" (at most {_times(ratio)})"
        lines.append(f"**{step}** adds more than the gap in {seen} of {len(found)} cases{most}.")
    return lines


def _ladder(name: str, quarter: str, part: pd.DataFrame, noise: float) -> str:
    """One line on a class: what each step added to the best before it."""
    served = part.dropna(subset=[TOKENS])
    if served.empty:
        return f"**{name}**, {quarter}: no build keeps the promises."
    first, best = served[TOKENS].iloc[0], served[TOKENS].iloc[0]
    gained, idle = [], []
    for step, value in zip(served["step"].iloc[1:], served[TOKENS].iloc[1:], strict=True):
        if value / best - 1 > noise:
            gained.append(f"{step[2:]} {_times(value / best)}")
        else:
            idle.append(step[2:])
        best = max(best, value)
    rest = f"; no more than the gap from {', '.join(idle)}" if idle else ""
    start = served["step"].iloc[0].removeprefix("+ ")
    start = f"with {start}" if len(served) == len(part) else f"with {start}, the first that keeps the promises"
    return (
        f"**{name}**, {quarter}: {first:,.0f} tokens/s/MW {start}, {best:,.0f} at best ({_times(best / first)}): "
        f"{', '.join(gained) or 'no tier shows'}{rest}."
    )


def _times(ratio: float) -> str:
    """Return a ratio as a percentage, or as a factor where it is large."""
    return percent(ratio - 1) if ratio < 2 else f"{ratio:,.1f} times"


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(table[["class", "prices"]].drop_duplicates().itertuples(index=False, name=None))


def _alone(table: pd.DataFrame, name: str, quarter: str) -> str:
    """One line on tiers tried alone."""
    part = table[(table["class"] == name) & (table["prices"] == quarter)]
    base = part[(part["set"] == "added") & (part["step"] == "+ host DRAM")][TOKENS]
    tried = part[part["set"] == "alone"]
    if base.empty or tried.empty:
        return ""
    words = [f"{s[2:]} {_times(v / base.iloc[0])}" for s, v in zip(tried["step"], tried[TOKENS], strict=True)]
    return f"**{name}**, {quarter}: {', '.join(words)}."


def _split(placement: pd.DataFrame, inputs: Inputs) -> list[str]:
    """Say by retention where parked KV of agents lies with all tiers, and how the quarters differ."""
    last, border = inputs.sweep["step"][-1]["name"], inputs.sweep["minutes_s"]
    here = placement[(placement["class"] == AGENTS) & (placement["step"] == last) & (placement["set"] == "added")]
    if here.empty:
        return ["With all tiers no KV of agents is parked below HBM."]
    stored = here.pivot_table(
        index=["prices", "retention [s]"], columns="tier", values="stored [TB]", aggfunc="sum", fill_value=0.0
    )
    shown = stored.reset_index()
    shown["retention [s]"] = [f"{s:,.0f}" for s in shown["retention [s]"]]
    heads = {c: f"{c} [TB]" for c in stored.columns}
    lines, shares = [], []
    for quarter, part in here.groupby("prices", sort=False):
        dram = part["tier"].isin(inputs.sweep["dram_class"])
        minutes = part["retention [s]"] <= border
        words = []
        for label, mask in ((f"up to {border:,.0f} s", minutes), ("longer", ~minutes)):
            total = part.loc[mask, "stored [TB]"].sum()
            held = part.loc[mask & dram, "stored [TB]"].sum()
            if label != "longer" and total:
                shares.append((quarter, held / total))
            words.append(
                f"{label} {held / total * 100:.0f}% of {total:,.1f} TB lies in DRAM-class tiers"
                if total
                else f"{label} nothing is kept"
            )
        lines.append(
            f"At prices of {quarter}: {'; '.join(words)}; the longest retention kept is "
            f"{part['retention [s]'].max():,.0f} s."
        )
    flash = sum(share < 0.5 for _, share in shares)
    lines.append(
        f"In {flash} of {len(shares)} cases most of even the minutes lies on flash or disk; the share in DRAM-class "
        f"tiers is {', '.join(f'{share * 100:.0f}% at {quarter}' for quarter, share in shares)}."
    )
    return [bullets(lines), markdown_table(shown.rename(columns=heads), 2)]


def main(argv: list[str] | None = None) -> int:
    """Run the study."""
    return run_study(__file__, __doc__ or "", rows, draw, answer, findings, argv)


if __name__ == "__main__":
    raise SystemExit(main())
