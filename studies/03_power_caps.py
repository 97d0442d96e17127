"""What do power caps buy, which role takes them, and how far is the draw below what is provisioned?

The same megawatt is filled with a growing choice of caps on the accelerators, for single classes and a mix, with a
budget and without. Tokens are per contracted megawatt, so a cap gains by the watts that it need not provision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from common import Bench, Inputs, Tables, bullets, markdown_table, new_figure, outcome, percent, run_study
from matplotlib.figure import Figure

TOKENS = "tokens [tokens/s/MW]"
ROLES = ("prefill", "decode", "mixed")
ROLE_HEADS = ["mix", "budget", "caps", "role", "cap [share of TDP]", "accelerators [pieces]"]


def rows(bench: Bench) -> Tables:
    """Solve every mix, budget and choice of caps."""
    sweep, found, taken = bench.inputs.sweep, [], []
    exclude = bench.all_but("platforms", [*sweep["platforms"], "storage_flash_2u24", "storage_hdd_4u90"])
    for mix, rates in sweep["mix"].items():
        for budget in sweep["budgets"]:
            for caps in sweep["caps"]:
                word = " ".join(f"{cap:g}" for cap in caps)
                design = bench.solve(f"{mix}, budget {budget}, caps {word}", {
                    "workload": [{"id": name, "requests_per_s": rate} for name, rate in rates.items()],
                    "site.budget_usd": None if budget == "none" else bench.inputs.study.site.budget_usd,
                    "build.power_caps": caps,
                    "exclude": exclude,
                })  # fmt: skip
                key = {"mix": mix, "budget": budget, "caps": word}
                found.append(key | outcome(design))
                taken += [
                    [*key.values(), line["role"], line["power_cap"], line["accelerators"]] for line in design.load
                ]
    roles = pd.DataFrame(taken, columns=ROLE_HEADS).groupby(ROLE_HEADS[:-1], sort=False, as_index=False).sum()
    return {"": pd.DataFrame(found), "_roles": roles.round({ROLE_HEADS[-1]: 2})}


def _mixes(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return mix, budget and the solves in the order of the choice of caps, with the gain over no caps."""
    found = []
    for (mix, budget), part in table.groupby(["mix", "budget"], sort=False):
        part = part.copy()
        part["gain"] = part[TOKENS] / part[TOKENS].iloc[0] - 1
        found.append((mix, budget, part))
    return found


def draw(tables: Tables) -> Figure:
    """Gain by choice of caps, and drawn over provisioned, a line a mix."""
    figure = new_figure(11, 4.6)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    names = list(tables[""]["mix"].unique())
    for mix, budget, part in _mixes(tables[""]):
        style: dict[str, Any] = {
            "marker": "o",
            "markersize": 4,
            "color": f"C{names.index(mix)}",
            "linestyle": "-" if budget == "none" else ":",
            "label": f"{mix}, {'no budget' if budget == 'none' else budget}",
        }
        words = [caps.removeprefix("1 ") if caps != "1" else "none" for caps in part["caps"]]
        words = ["all" if " " in word else word for word in words]
        left.plot(words, part["gain"] * 100, **style)
        right.plot(words, part["drawn [MW]"] / part["provisioned [MW]"] * 100, **style)
    left.set_ylabel("tokens/s/MW over no caps [%]")
    right.set_ylabel("mean draw over provisioned [% at the meter]")
    right.set_ylim(50, 100)
    for axes in (left, right):
        axes.set_xlabel("lower cap to choose beside none [share of TDP]")
    left.legend(fontsize=7)
    return figure


def answer(tables: Tables) -> str:
    """Say it in short."""
    parts = _mixes(tables[""])
    words = []
    for budget in dict.fromkeys(budget for _, budget, _ in parts):
        last = [part["gain"].iloc[-1] for _, own, part in parts if own == budget]
        money = "without a budget" if budget == "none" else f"with {budget}"
        words.append(f"{percent(min(last))} to {percent(max(last))} {money}")
    first, drawn = [_drawn(part.iloc[0]) for *_, part in parts], [_drawn(part.iloc[-1]) for *_, part in parts]
    return (
        f"A free choice of caps buys {', '.join(words)}; {min(first):.0f} to {max(first):.0f}% of what is provisioned "
        f"is drawn without caps, {min(drawn):.0f} to {max(drawn):.0f}% with them."
    )


def findings(tables: Tables, inputs: Inputs) -> str:
    """Say what caps gain, who takes them, and what is drawn."""
    gain_lines, draw_lines = [], []
    for mix, budget, part in _mixes(tables[""]):
        best, last = part.loc[part["gain"].idxmax()], part.iloc[-1]
        money = "without a budget" if budget == "none" else f"with {budget}"
        single = part.iloc[1:-1] if len(part) > 2 else part.iloc[1:]
        one = single.loc[single["gain"].idxmax()]
        gain_lines.append(
            f"**{mix}**, {money}: {percent(last['gain'])} with {last['caps']} to choose from "
            f"({last[TOKENS]:,.0f} against {part[TOKENS].iloc[0]:,.0f} tokens/s/MW without caps); of single caps "
            f"{one['caps'].split()[-1]} is best, {percent(one['gain'])}; the best choice holds {_grown(part, best)} "
            "accelerators."
        )
        first = part.iloc[0]
        draw_lines.append(
            f"**{mix}**, {money}: {_drawn(first):.0f}% of what is provisioned is drawn without caps, "
            f"{_drawn(last):.0f}% with {last['caps']}."
        )
    roles = _by_role(tables["_roles"], inputs.sweep["caps"])
    return "\n\n".join(
        [
            f"{inputs.study.description} ({', '.join(inputs.sweep['platforms'])}). A capped pool provisions less, and "
            "what it does then is slower.",
            "## Gain",
            bullets(gain_lines),
            "## Who takes them",
            *roles,
            "## Drawn against provisioned",
            bullets(draw_lines),
        ]
    )


def _grown(part: pd.DataFrame, best: pd.Series) -> str:
    return percent(best["accelerators [pieces]"] / part["accelerators [pieces]"].iloc[0] - 1, 0)


def _drawn(row: pd.Series) -> float:
    return float(row["drawn [MW]"] / row["provisioned [MW]"] * 100)


def _by_role(roles: pd.DataFrame, caps: Sequence[Sequence[float]]) -> list[str]:
    """Say which share of each role's accelerators is capped where all caps may be chosen."""
    widest = " ".join(f"{cap:g}" for cap in caps[-1])
    here = roles[roles["caps"] == widest]
    count, cap = ROLE_HEADS[-1], ROLE_HEADS[-2]
    lines = []
    for budget, of_budget in here.groupby("budget", sort=False):
        words = []
        for role in ROLES:
            part = of_budget[of_budget["role"] == role]
            if len(part):
                capped = part.loc[part[cap] < 1, count].sum() / part[count].sum()
                mean = (part[cap] * part[count]).sum() / part[count].sum()
                words.append(f"{role} {capped * 100:.0f}% capped, {mean:.2f} of TDP on average")
        money = "Without a budget" if budget == "none" else f"With {budget}"
        lines.append(f"{money}, over all mixes by accelerators at work: {'; '.join(words)}.")
    shown = here.pivot_table(
        index=["mix", "budget", "role"], columns=cap, values=count, aggfunc="sum", fill_value=0.0, sort=False
    )
    shown = shown[sorted(shown.columns)].reset_index()
    shown.columns = [f"at {c:g} [accelerators]" if isinstance(c, float) else str(c) for c in shown.columns]
    return [bullets(lines), markdown_table(shown)]


def main(argv: list[str] | None = None) -> int:
    """Run the study."""
    return run_study(__file__, __doc__ or "", rows, draw, answer, findings, argv)


if __name__ == "__main__":
    raise SystemExit(main())
