"""Plotly figures of flows and of explained sections; None where there is nothing to draw.

Backgrounds are clear and text takes the colour of its page, so that a figure stands on light and on dark. Words are
English unless somebody passes what says them in another language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from solver.brief import KINDS as KIND_WORDS
from solver.charts import flows as found
from solver.charts.colours import GAIN, KINDS, LOSS, PAPER, PLAIN, ROLES, faded, tier_colour, vendor_colours
from solver.charts.labels import Say, english, wrapped
from solver.design import Design, Record
from solver.words import amount, figure, percent, si

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
BARS = 14
"""Bars of a chart at most."""
SHARE = "share"
ROW_PX, LEAST_PX = 30, 150
"""Height of a bar, and of a figure at least."""
SMALL = 0.004
"""Flows below this share of the whole are drawn without a label."""
TICK = 18
"""Columns of a line below a bar."""
BROAD_TICK = 34
"""Columns of a line beside a bar."""
BROAD = 0.08
"""Nodes above this share of the whole have room for a label of two lines."""


def sankey(flows: Sequence[found.Flow], colours: Mapping[str, str], say: Say = english) -> Figure | None:
    """Return a Sankey diagram; a node is named with what passes through it."""
    from plotly.graph_objects import Figure, Sankey

    if not flows:
        return None
    into, out = found.inflow(flows), found.outflow(flows)
    names = list(dict.fromkeys(name for flow in flows for name in (flow["source"], flow["target"])))
    through = {name: max(into.get(name, 0.0), out.get(name, 0.0)) for name in names}
    whole, unit = sum(v for name, v in out.items() if name not in into), str(flows[0]["unit"])
    place = {name: k for k, name in enumerate(names)}
    shade = {name: colours.get(name, PLAIN) for name in names}
    said = {name: say(name) for name in names}
    labels = [_labelled(said[name], through[name], whole, unit, ends=name not in out) for name in names]
    hover = [f"{escape(said[name])}: {amount(through[name], unit)}, {percent(through[name] / whole)}" for name in names]
    made = Figure(
        Sankey(
            arrangement="snap",
            node={"label": labels, "color": [shade[n] for n in names], "pad": 16, "thickness": 14, "line": {"width": 0},
                  "customdata": hover, "hovertemplate": "%{customdata}<extra></extra>"},
            link={
                "source": [place[f["source"]] for f in flows], "target": [place[f["target"]] for f in flows],
                "value": [f["value"] for f in flows],
                "color": [faded(shade[f["target"] if f["target"] in colours else f["source"]]) for f in flows],
                "customdata": [
                    escape(f"{said[f['source']]} → {said[f['target']]}: {amount(f['value'], unit)}") for f in flows
                ],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            textfont={"size": 11, "family": FONT},
        )
    )  # fmt: skip
    ends = sum(1 for name in names if name not in out)
    return laid(made, max(320, 34 * ends + 60))


def _labelled(name: str, value: float, whole: float, unit: str, *, ends: bool) -> str:
    """Name of a node with what passes through it: on two lines where there is room, none where it is very thin."""
    if value < SMALL * whole:
        return ""
    number, _, prefix = si(value, 6).partition(" ")
    three = float(f"{float(number.replace(',', '')):.3g}")
    short = f"{three:,g} {prefix}{unit.split('/')[0]}"
    return f"{escape(name)}{'  ' if ends or value < BROAD * whole else '<br>'}{short}"


def watts(design: Design, power: str = "drawn", say: Say = english) -> Figure | None:
    """Return watts from the meter to tokens."""
    flows = found.watts(design, power)
    colours = {found.METER: PLAIN, found.COOLING: LOSS, found.NETWORK: KINDS["network"], found.HOST: "#8a8d91",
               found.MEMORY: KINDS["memory"], found.IDLE: "#a8a29a", found.FREE: "#a8a29a"} | ROLES  # fmt: skip
    makers = {row["id"]: str(row["vendor"]) for row in design.catalog["rows"].get("platforms", {}).values()}
    by_maker = vendor_colours(makers.values())
    return sankey(flows, colours | {part: by_maker[maker] for part, maker in makers.items()}, say)


def capital(design: Design, say: Say = english) -> Figure | None:
    """Return dollars of the outlay by maker, kind and part."""
    colours = vendor_colours(str(line["vendor"] or found.NO_VENDOR) for line in design.bill_of_materials)
    colours |= {KIND_WORDS[kind]: colour for kind, colour in KINDS.items()}
    colours |= {str(line["id"]): KINDS.get(str(line["kind"]), PLAIN) for line in design.bill_of_materials}
    return sankey(found.capital(design), colours, say)


def yearly(design: Design, say: Say = english) -> Figure | None:
    """Return dollars of a year."""
    colours = {KIND_WORDS[kind]: colour for kind, colour in KINDS.items()}
    return sankey(found.yearly(design), colours | {"electricity": "#c8a02e", "building": "#996250"}, say)


def stored(design: Design, say: Say = english) -> Figure | None:
    """Return bytes by what they are, tier and device."""
    flows = found.stored(design)
    kinds = {found.WEIGHTS: "#5f7480", found.ACTIVE: "#b3485d", found.PARKED: "#3a78b4"}
    tiers = {f["target"]: tier_colour(f["target"]) for f in flows if f["source"] in kinds}
    devices = {f["target"]: tiers[f["source"]] for f in flows if f["source"] in tiers}
    return sankey(flows, devices | tiers | kinds, say)


def bottlenecks(section: Sequence[Record], unit: str, say: Say = english) -> Figure | None:
    """Return what one per cent more of each limit is worth, the most first."""
    worth = [
        (say(str(b.get("name") or b["id"])), 0.01 * abs(float(b["value"])), b)
        for b in section
        if b.get("marginal") and b.get("value")
    ]
    worth.sort(key=lambda item: -abs(item[1] * float(item[2]["marginal"])))
    rows = [(name, step * float(b["marginal"]), _ends(b, step)) for name, step, b in worth[:BARS]]
    counted = next((str(b["gain_unit"]) for b in section if b.get("gain_unit")), unit)
    return bars(rows, say(f"{counted} for one per cent more"))


def _ends(item: Record, step: float) -> tuple[float, float] | None:
    """Interval of what a bottleneck is worth."""
    low, high = item.get("marginal_low"), item.get("marginal_high")
    return None if low is None or high is None else (float(low) * step, float(high) * step)


def ladder(section: Record, unit: str, say: Say = english) -> Figure | None:
    """Return the objective as one limit after another is lifted."""
    from plotly.graph_objects import Figure, Scatter

    rungs = [r for r in section.get("rungs") or [] if r.get("value") is not None]
    if len(rungs) < 2:
        return None
    labels = [wrapped(say(str(r["name"] or "as it is")), TICK) for r in rungs]
    text = [figure(float(r["value"])) for r in rungs]
    made = Figure(
        Scatter(
            x=list(range(len(rungs))), y=[float(r["value"]) for r in rungs], text=text,
            mode="lines+markers+text", textposition="top center", line={"shape": "hv", "color": GAIN, "width": 2},
            hovertext=[
                f"{label}<br>{escape(say('tightest then'))}: {escape(say(str(r['bottleneck_name'])))}"
                for label, r in zip(labels, rungs, strict=True)
            ],
        )
    )  # fmt: skip
    made.update_xaxes(tickvals=list(range(len(rungs))), ticktext=labels)
    made.update_yaxes(title=str(section.get("unit") or unit), rangemode="tozero")
    return laid(made, 340)


def waterfall(section: Record, say: Say = english) -> Figure | None:
    """Return what each lever contributes between a plain build and the design."""
    from plotly.graph_objects import Figure, Waterfall

    levers = section.get("levers") or []
    if not levers:
        return None
    names = [wrapped(say(name), TICK) for name in ("plain build", *(str(x["name"]) for x in levers), "this design")]
    values = [float(section["plain"]["value"] or 0.0), *(float(lever["contribution"]) for lever in levers), 0.0]
    made = Figure(
        Waterfall(
            x=names, y=values, measure=["absolute", *["relative"] * len(levers), "total"],
            text=[figure(v) for v in [*values[:-1], float(section["value"])]], textposition="outside",
            increasing={"marker": {"color": GAIN}}, decreasing={"marker": {"color": LOSS}},
            totals={"marker": {"color": PLAIN}}, connector={"line": {"color": PLAIN, "width": 1}},
        )
    )  # fmt: skip
    made.update_yaxes(title=str(section["unit"]))
    return laid(made, 380)


def architectures(section: Record, unit: str, say: Say = english) -> Figure | None:
    """Return the best build of each kind of site."""
    rows = [
        (say(str(a["name"])), float(a["value"]), None)
        for a in section.get("architectures") or []
        if a.get("value") is not None
    ]
    return bars(sorted(rows, key=lambda row: -row[1])[:BARS], unit)


def pareto(section: Record, say: Say = english) -> Figure | None:
    """Return the best of one figure for each value of another, and what no build goes beyond."""
    from plotly.graph_objects import Figure, Scatter

    points = sorted((p for p in section.get("points") or [] if p.get("y") is not None), key=lambda p: float(p["x"]))
    if len(points) < 2:
        return None
    x = [float(p["x"]) for p in points]
    made = Figure(Scatter(x=x, y=[float(p["y"]) for p in points], mode="lines+markers", name=say("best build"),
                          line={"color": KINDS["platform"]}))  # fmt: skip
    bound = [p.get("y_bound") for p in points]
    if all(b is not None for b in bound):
        made.add_trace(Scatter(x=x, y=[float(b) for b in bound if b is not None], mode="lines",
                               name=say("no build beyond"), line={"color": PLAIN, "dash": "dot"}))  # fmt: skip
    made.update_xaxes(title=escape(_axis(section, "x", say)), tickformat=".0%" if section["x_unit"] == SHARE else None)
    made.update_yaxes(title=wrapped(_axis(section, "y", say), BROAD_TICK))
    return laid(made, 360, legend=True)


def _axis(section: Record, axis: str, say: Say) -> str:
    """Name of a key figure with its unit."""
    from solver.kpis import KPIS

    key = str(section[axis])
    name = section.get(f"{axis}_name") or (KPIS[key].name if key in KPIS else key)
    unit = section[f"{axis}_unit"]
    return say(str(name)) if unit == SHARE else f"{say(str(name))} [{unit}]"


def tornado(section: Record, say: Say = english) -> Figure | None:
    """Return the objective at both ends of each uncertain number, the widest swing first.

    Bars are the best build there, marks the build as it is: diamonds where it stands, crosses at the end of the bar
    where it does not.
    """
    from plotly.graph_objects import Bar, Figure

    numbers = [n for n in section.get("numbers") or [] if None not in (n.get("value_at_low"), n.get("value_at_high"))]
    if not numbers:
        return None
    widest = sorted(numbers, key=lambda n: -abs(float(n["swing_frac"])))[:BARS][::-1]
    base, names = float(section["value"]), [wrapped(say(str(n.get("name") or n["path"])), BROAD_TICK) for n in widest]
    made = Figure()
    for end, colour in (("low", KINDS["platform"]), ("high", ROLES["prefill"])):  # neither end is the good one
        made.add_trace(
            Bar(
                y=names, x=[float(n[f"value_at_{end}"]) - base for n in widest], base=base, orientation="h",
                name=say(f"number at its {end} end"), marker={"color": colour},
                hovertext=[escape(f"{n['path']} = {n[end]}: {figure(float(n[f'value_at_{end}']))}") for n in widest],
                hoverinfo="text",
            )
        )  # fmt: skip
    _mark_same_build(made, widest, names, say)
    made.update_layout(barmode="overlay")
    made.add_vline(x=base, line={"color": PLAIN, "width": 1})
    made.update_xaxes(title=str(section["unit"]))
    return laid(made, max(LEAST_PX, ROW_PX * len(widest) + 110), legend=True)


def _mark_same_build(made: Figure, numbers: Sequence[Record], names: Sequence[str], say: Say) -> None:
    """Mark what the design's own build is worth at both ends, and where it breaks a limit."""
    from plotly.graph_objects import Scatter

    ends = [(n, name, end) for n, name in zip(numbers, names, strict=True) for end in ("low", "high")]
    stands = [(n[f"same_at_{end}"], name, "") for n, name, end in ends if n.get(f"same_at_{end}") is not None]
    breaks = [(n[f"value_at_{end}"], name, words) for n, name, end in ends if (words := n.get(f"same_words_at_{end}"))]
    for points, symbol, title in (
        (stands, "diamond", "this build there"),
        (breaks, "x", "this build does not stand there"),
    ):
        if points:
            made.add_trace(
                Scatter(
                    x=[float(x) for x, _, _ in points], y=[name for _, name, _ in points], mode="markers",
                    name=say(title),
                    marker={"symbol": symbol, "size": 10, "color": PAPER, "line": {"width": 2, "color": PLAIN}},
                    hovertext=[escape(words or f"{say(title)}: {figure(float(x))}") for x, _, words in points],
                    hoverinfo="text",
                )
            )  # fmt: skip


def attributes(section: Sequence[Record], say: Say = english) -> Figure | None:
    """Return by which share a part's own figure would have to change for it to enter or leave, the least first."""
    from plotly.graph_objects import Bar, Figure

    found = sorted((r for r in section if r.get("share") is not None), key=lambda r: abs(float(r["share"])))[:BARS]
    if not found:
        return None
    made = Figure(
        Bar(
            y=[wrapped(f"{r['part']}: {say(str(r['name']))}", BROAD_TICK) for r in found[::-1]],
            x=[100.0 * float(r["share"]) for r in found[::-1]], orientation="h", textposition="auto",
            text=[f"{float(r['share']):+.1%}" for r in found[::-1]],
            marker={"color": [PLAIN if r["in_build"] else KINDS["platform"] for r in found[::-1]]},
        )
    )  # fmt: skip
    made.update_xaxes(title=say("change of the figure, %"))
    return laid(made, max(LEAST_PX, ROW_PX * len(found) + 90))


def explained(design: Design) -> dict[str, Figure]:
    """Return the figures of the explained sections that a design has, by section."""
    unit, sections = str(design.objective.get("unit", "")), design.explained
    made: dict[str, Figure | None] = {}
    if sections.get("bottlenecks"):
        made["bottlenecks"] = bottlenecks(sections["bottlenecks"], unit)
    if sections.get("attributes"):
        made["attributes"] = attributes(sections["attributes"])
    if sections.get("ladder"):
        made["ladder"] = ladder(sections["ladder"], unit)
    if sections.get("levers"):
        made["levers"] = waterfall(sections["levers"])
    if sections.get("architectures"):
        made["architectures"] = architectures(sections["architectures"], unit)
    if sections.get("pareto"):
        made["pareto"] = pareto(sections["pareto"])
    if sections.get("tornado"):
        made["tornado"] = tornado(sections["tornado"])
    return {name: drawn for name, drawn in made.items() if drawn is not None}


def bars(rows: Iterable[tuple[str, float, tuple[float, float] | None]], unit: str) -> Figure | None:
    """Horizontal bars from the top, with their intervals."""
    from plotly.graph_objects import Bar, Figure

    listed = list(rows)[::-1]
    if not listed:
        return None
    values = [value for _, value, _ in listed]
    errors: dict[str, Any] = {}
    if all(ends is not None for _, _, ends in listed):
        ends = [ends for _, _, ends in listed if ends is not None]
        up = [max(0.0, e[1] - v) for e, v in zip(ends, values, strict=True)]
        down = [max(0.0, v - e[0]) for e, v in zip(ends, values, strict=True)]
        errors = {"error_x": {"type": "data", "symmetric": False, "color": PLAIN, "array": up, "arrayminus": down}}
    made = Figure(
        Bar(y=[escape(name) for name, _, _ in listed], x=values, orientation="h", text=[figure(v) for v in values],
            textposition="auto", insidetextanchor="start", marker={"color": KINDS["platform"]}, **errors)
    )  # fmt: skip
    made.update_xaxes(title=unit)
    return laid(made, max(LEAST_PX, ROW_PX * len(listed) + 90))


def laid(made: Figure, height: int, *, legend: bool = False) -> Figure:
    """Set what all figures share."""
    clear = "rgba(0,0,0,0)"
    made.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 40 if legend else 12, "b": 12},
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        font={"family": FONT, "size": 12, "color": "#23272b"},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        colorway=[KINDS["platform"], GAIN, LOSS],
    )
    made.update_xaxes(automargin=True, gridcolor="rgba(128,128,128,0.25)", zerolinecolor="rgba(128,128,128,0.5)")
    made.update_yaxes(automargin=True, gridcolor="rgba(128,128,128,0.25)", zerolinecolor="rgba(128,128,128,0.5)")
    return made
