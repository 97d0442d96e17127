"""What would the reference study build if every part could be had, and if money were no object?

The reference study (20 MW, ten classes) as it is, without its limits of supply, without its budget, and without both.
What changes is what allocation and money cost in tokens per second per megawatt.
"""

from __future__ import annotations

import pandas as pd
from common import Bench, Inputs, Tables, bullets, markdown_table, new_figure, outcome, percent, run_study
from matplotlib.figure import Figure

TOKENS = "tokens [tokens/s/MW]"
LIFTED = {"supply": ("supply", {}), "budget": ("site.budget_usd", None)}


def rows(bench: Bench) -> Tables:
    """Solve the four cases."""
    found, parts, parked = [], [], []
    for case in bench.inputs.sweep["case"]:
        name = case["name"]
        design = bench.solve(name, dict(LIFTED[limit] for limit in case["lift"]))
        found.append({"case": name} | outcome(design))
        by_platform: dict[str, list[float]] = {}
        for pool in design.pools:
            if pool["accelerators"]:
                entry = by_platform.setdefault(pool["platform"], [0.0, 0.0])
                entry[0] += pool["quantity"]
                entry[1] += pool["meter_w"] / 1e6
        parts += [
            {"case": name, "platform": platform, "nodes [pieces]": nodes, "provisioned [MW]": round(mw, 4)}
            for platform, (nodes, mw) in sorted(by_platform.items(), key=lambda item: -item[1][1])
        ]
        stored: dict[str, float] = {}
        for place in design.placement:
            stored[place["tier"]] = stored.get(place["tier"], 0.0) + place["bytes"] / 1e12
        parked += [{"case": name, "tier": tier, "stored [TB]": round(tb, 3)} for tier, tb in sorted(stored.items())]
    return {"": pd.DataFrame(found), "_platforms": pd.DataFrame(parts), "_tiers": pd.DataFrame(parked)}


def draw(tables: Tables) -> Figure:
    """Tokens by case, and what fills the site."""
    table, parts = tables[""], tables["_platforms"]
    figure = new_figure(11, 4.4)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    bars = left.bar(table["case"], table[TOKENS] / 1e3)
    left.bar_label(
        bars, labels=[f"{v:,.0f}\n{m:,.0f} MUSD" for v, m in zip(bars.datavalues, table["capex [MUSD]"], strict=True)]
    )
    left.set_ylabel("1,000 output tokens/s per MW at the meter")
    left.margins(y=0.15)
    wide = parts.pivot_table(
        index="case", columns="platform", values="provisioned [MW]", aggfunc="sum", fill_value=0.0, sort=False
    )
    bottom = pd.Series(0.0, index=wide.index)
    for platform in wide.columns:
        right.bar(wide.index, wide[platform], bottom=bottom, label=platform)
        bottom += wide[platform]
    right.set_ylabel("nodes with accelerators [MW at the meter]")
    right.margins(y=0.3)
    right.legend(fontsize=8, ncols=3, loc="upper center")
    return figure


def answer(tables: Tables) -> str:
    """Say it in short."""
    first, rest = tables[""].iloc[0], tables[""].iloc[1:]
    words = [
        f"{row['case']} {percent(row[TOKENS] / first[TOKENS] - 1)} for {row['capex [MUSD]']:,.0f} MUSD"
        for _, row in rest.iterrows()
    ]
    return (
        f"As it is {first[TOKENS]:,.0f} tokens/s/MW for {first['capex [MUSD]']:,.0f} MUSD"
        f"{'; ' if words else ''}{', '.join(words)}."
    )


def findings(tables: Tables, inputs: Inputs) -> str:
    """Say what the limits cost."""
    table, parts, tiers = tables[""], tables["_platforms"], tables["_tiers"]
    first = table.iloc[0]
    lines = [
        f"**{first['case']}**: {first[TOKENS]:,.0f} tokens/s/MW for {first['capex [MUSD]']:,.0f} MUSD, of "
        f"{_platforms(parts, first['case'])}."
    ]
    for _, row in table.iloc[1:].iterrows():
        lines.append(
            f"**{row['case']}**: {row[TOKENS]:,.0f} tokens/s/MW ({percent(row[TOKENS] / first[TOKENS] - 1)}) for "
            f"{row['capex [MUSD]']:,.0f} MUSD ({percent(row['capex [MUSD]'] / first['capex [MUSD]'] - 1)}), of "
            f"{_platforms(parts, row['case'])}."
        )
    mw = inputs.study.site.power_mw or 1.0
    for _, row in table.iloc[1:].iterrows():
        more = row["capex [MUSD]"] - first["capex [MUSD]"]
        if more > 1:
            extra, first_usd = (row[TOKENS] - first[TOKENS]) * mw / more, first[TOKENS] * mw / first["capex [MUSD]"]
            lines.append(
                f"With **{row['case']}** each further million dollars buys {extra:,.0f} tokens/s; as it is a "
                f"million buys {first_usd:,.0f} on average."
            )
    shown = tiers.pivot_table(index="case", columns="tier", values="stored [TB]", fill_value=0.0, sort=False)
    heads = {tier: f"{tier} [TB]" for tier in shown.columns}
    return "\n\n".join(
        [
            f"{inputs.study.description}. Shares are of the provisioned watts of nodes with accelerators.",
            bullets(lines),
            "KV below HBM:",
            markdown_table(shown.reset_index().rename(columns=heads), 1),
        ]
    )


def _platforms(parts: pd.DataFrame, case: str) -> str:
    """Name the platforms of a case with their share of the watts."""
    here = parts[parts["case"] == case]
    shares = here["provisioned [MW]"] / here["provisioned [MW]"].sum()
    return ", ".join(f"{platform} {share * 100:.0f}%" for platform, share in zip(here["platform"], shares, strict=True))


def main(argv: list[str] | None = None) -> int:
    """Run the study."""
    return run_study(__file__, __doc__ or "", rows, draw, answer, findings, argv)


if __name__ == "__main__":
    raise SystemExit(main())
