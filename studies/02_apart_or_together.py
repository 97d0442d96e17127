"""When are prefill and decode better apart than together?

The same megawatt of one kind of node is filled three times for each model, length and promise: with mixed replicas
only, with prefill and decode apart only, and as the model likes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from common import Bench, Inputs, Tables, bullets, markdown_table, new_figure, outcome, percent, run_study
from matplotlib.figure import Figure

TOKENS = "tokens [tokens/s/MW]"
GAIN = "apart over together [share]"
WAYS = {"together": ["mixed"], "apart": ["prefill", "decode"], "free": ["prefill", "decode", "mixed"]}
KEYS = ["model", "promise", "TTFT [s]", "TPOT [s]", "prompt [tokens]", "answer [tokens]"]


def rows(bench: Bench) -> Tables:
    """Solve every model, promise and length in three ways."""
    sweep, found = bench.inputs.sweep, []
    exclude = bench.all_but("platforms", sweep["platforms"])
    for model in sweep["models"]:
        for promise in sweep["promise"]:
            for length in sweep["length"]:
                times = {"ttft_s": promise["ttft_s"], "tpot_s": promise["tpot_s"]}
                workload = sweep["class"] | length | times | {"model_id": model, "requests_per_s": 1.0}
                key = [model, promise["name"], *times.values(), *length.values()]
                for way, roles in WAYS.items():
                    label = f"{model} {promise['name']} {length['isl_tokens']:.0f}+{length['osl_tokens']:.0f} {way}"
                    changes = {"workload": [workload], "build.roles": roles, "exclude": exclude}
                    design = bench.solve(label, changes)
                    mixed = sum(line["accelerators"] for line in design.load if line["role"] == "mixed")
                    used = sum(line["accelerators"] for line in design.load)
                    share = {"mixed [share of accelerators]": round(mixed / used, 4) if used else None}
                    found.append(dict(zip(KEYS, key, strict=True)) | {"way": way} | outcome(design) | share)
    return {"": pd.DataFrame(found)}


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """One row a case: tokens together and apart, and the gain of apart over together."""
    wide = table.pivot_table(index=KEYS, columns="way", values=TOKENS, sort=False, dropna=False, observed=True)
    wide = wide.reindex(columns=list(WAYS)).dropna(how="all").reset_index()
    wide[GAIN] = wide["apart"] / wide["together"] - 1
    return wide


def draw(tables: Tables) -> Figure:
    """A panel a model: promise by length, the gain of apart over together as colour and number."""
    table = tables[""]
    wide = gains(table)
    models = list(table["model"].unique())
    promises = list(table["promise"].unique())
    lengths = list(table[KEYS[4:]].drop_duplicates().itertuples(index=False, name=None))
    figure = new_figure(3.6 * max(len(models), 2), 3.9)
    panels = [figure.add_subplot(1, len(models), i + 1) for i in range(len(models))]
    for axes, model in zip(panels, models, strict=True):
        grid = np.full((len(promises), len(lengths)), np.nan)
        for _, row in wide[wide["model"] == model].iterrows():
            at = promises.index(row["promise"]), lengths.index((row[KEYS[4]], row[KEYS[5]]))
            grid[at] = row[GAIN] * 100
            together, apart = pd.notna(row["together"]), pd.notna(row["apart"])
            word = f"{row[GAIN] * 100:+.0f}%" if together and apart else "apart\nonly" if apart else "together\nonly"
            axes.text(at[1], at[0], word, ha="center", va="center", fontsize=9)
        image = axes.imshow(grid, cmap="RdBu", vmin=-60, vmax=60, aspect="auto")
        axes.set_xticks(range(len(lengths)), [f"{isl:,.0f}\n+{osl:,.0f}" for isl, osl in lengths])
        axes.set_yticks(range(len(promises)), promises if model == models[0] else [""] * len(promises))
        axes.set_title(model)
        axes.grid(visible=False)
        axes.set_xlabel("prompt + answer [tokens]")
    figure.colorbar(image, ax=panels, label="apart over together [%]")
    return figure


def answer(tables: Tables) -> str:
    """Say it in short."""
    wide, noise = gains(tables[""]), tables[""]["gap [share]"].max()
    best, worst = wide.loc[wide[GAIN].idxmax()], wide.loc[wide[GAIN].idxmin()]
    words = []
    for model, part in wide.groupby("model", sort=False):
        only = part["together"].isna() & part["apart"].notna()
        words.append(f"{((part[GAIN] > noise) | only).sum()} of {len(part)} cases of {model}")
    return (
        f"Apart is better or the only way in {', '.join(words)}; from {percent(best[GAIN], 0)} ({_case(best)}) to "
        f"{percent(worst[GAIN], 0)} ({_case(worst)})."
    )


def findings(tables: Tables, inputs: Inputs) -> str:
    """Say where the border lies."""
    wide, noise, lines = gains(tables[""]), inputs.study.solver.gap, []
    both = wide.dropna(subset=["apart", "together"])
    won, lost = both[both[GAIN] > noise], both[both[GAIN] < -noise]
    only_apart = wide[wide["together"].isna() & wide["apart"].notna()]
    only_together = wide[wide["apart"].isna() & wide["together"].notna()]
    lines.append(
        f"Of {len(wide)} cases that any build can serve, apart is better in {len(won)}, together in {len(lost)}, "
        f"{len(both) - len(won) - len(lost)} lie within the gap; {len(only_apart)} can be served only apart and "
        f"{len(only_together)} only together."
    )
    for word, part, at in (("Most", won, "idxmax"), ("Least", lost, "idxmin")):
        if len(part):
            row = part.loc[getattr(part[GAIN], at)()]
            lines.append(f"{word} for apart: {percent(row[GAIN])} over together for {_case(row)}.")
    for model, part in wide.groupby("model", sort=False):
        words = []
        for promise, cases in part.groupby("promise", sort=False):
            better = (cases[GAIN] > noise) | (cases["together"].isna() & cases["apart"].notna())
            words.append(f"{promise} {better.sum()} of {len(cases)} (median {percent(cases[GAIN].median())})")
        lines.append(f"**{model}**: apart is better, or the only way, in {', '.join(words)}.")
    for promise, cases in wide.groupby("promise", sort=False):
        ttft, tpot = cases[["TTFT [s]", "TPOT [s]"]].iloc[0]
        lines.append(
            f"**{promise}** (TTFT {ttft:g} s, TPOT {tpot:g} s): apart over together {percent(cases[GAIN].min())} to "
            f"{percent(cases[GAIN].max())}, median {percent(cases[GAIN].median())}."
        )
    free = both["free"] / both[["apart", "together"]].max(axis=1) - 1
    lines.append(
        f"Allowing both at once adds more than the gap in {(free > noise).sum()} of {len(both)} cases, "
        f"at most {percent(free.max())}."
    )
    shown = wide[["model", "promise", *KEYS[2:], "together", "apart"]].copy()
    for column in KEYS[2:]:
        shown[column] = [f"{value:,g}" for value in shown[column]]
    shown[GAIN] = ["" if pd.isna(value) else percent(value) for value in wide[GAIN]]
    heads = {"together": "together [tokens/s/MW]", "apart": "apart [tokens/s/MW]"}
    return "\n\n".join(
        [
            f"{inputs.study.description} ({', '.join(inputs.sweep['platforms'])}), weights and KV in fp8, promises at "
            f"percentile {inputs.sweep['class']['percentile']:g}. TPOT is the mean over an answer: a single token that "
            "waits for a chunk of another prompt breaks no promise here, which favours together. Apart pays for the "
            "network that hands the KV over.",
            bullets(lines),
            markdown_table(shown.rename(columns=heads)),
        ]
    )


def _case(row: pd.Series) -> str:
    return (
        f"{row['model']}, {row[KEYS[4]]:,.0f} + {row[KEYS[5]]:,.0f} tokens, TTFT {row['TTFT [s]']:g} s and "
        f"TPOT {row['TPOT [s]']:g} s"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the study."""
    return run_study(__file__, __doc__ or "", rows, draw, answer, findings, argv)


if __name__ == "__main__":
    raise SystemExit(main())
