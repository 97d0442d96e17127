"""Explanations as rows for pages: what binds, the ladder, prices, levers, other sites, fronts, uncertain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from solver.design import Design
from solver.explaining.entry import NEVER
from solver.model.objectives import OBJECTIVES
from solver.shares import SHARES
from solver.whatif.changes import share_text
from solver.words import amount, figure, percent

Record = dict[str, Any]
WATTS_PER_MW = 1e6
WITHIN_GAP = "within the gap"
"""Answer for a part in the build that would leave it at today's price: the gap hides what it is worth."""
POWER = "site.power_mw"
AXES = ("capex", "power", "tpot", "ttft", "floor", "water", "co2", *SHARES)
"""What a front may be drawn against, the most asked for first; promises of single classes follow."""


def answer_words(design: Design) -> str:
    """Return the objective as a number with its unit."""
    return f"{figure(float(design.objective['value']))} {design.objective.get('unit', '')}".strip()


def bottleneck_rows(records: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Return what binds, the dearest first.

    Returns
    -------
    list of dict
        ``name``, ``of`` (what stands, with its unit; empty for figures of hardware), ``used_frac`` (None where nothing
        is counted), ``per_percent_frac`` (None where it was not valued), ``step``, ``gain`` (of the largest step that
        was solved, as a range), ``gain_unit``, ``usd_per_year`` (of that step).
    """
    rows = []
    for record in records:
        value, used, steps = record.get("value"), record.get("used"), record.get("steps") or []
        last = steps[-1] if steps else None
        known = last is not None and last["gain_high"] > 0.0
        rows.append(
            {
                "id": record["id"], "name": record["name"],
                "of": "" if value is None or record["unit"] == "share" else amount(float(value), record["unit"]),
                "used_frac": float(used) / float(value) if used is not None and value else None,
                "per_percent_frac": record["per_percent_frac"],
                "step": f"+{percent(last['share'])}" if known and last else "",
                "gain": f"{figure(last['gain_low'])} – {figure(last['gain_high'])}" if known and last else "",
                "gain_unit": record.get("gain_unit", ""),
                "usd_per_year": _usd_per_year(record, last) if known else None,
            }
        )  # fmt: skip
    return rows


def _usd_per_year(record: Mapping[str, Any], step: Mapping[str, Any] | None) -> float | None:
    """Dollars a year that a step is worth: the middle of what it gains, at what one unit of gain is worth."""
    if step is None or record.get("usd_per_year") is None or not record.get("marginal"):
        return None
    each = float(record["usd_per_year"]) / float(record["marginal"])
    return each * 0.5 * (float(step["gain_low"]) + float(step["gain_high"]))


def binding(rows: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Return the rows of what gains something."""
    return [dict(row) for row in rows if (row["per_percent_frac"] or 0.0) > 0.0]


def more_power(records: Sequence[Mapping[str, Any]]) -> Record | None:
    """Return what one more megawatt gains: ``gain``, ``gain_unit``, ``usd_per_year``, ``usd_basis``.

    None where power is no limit, or was not valued.
    """
    found = next((r for r in records if r["id"] == POWER and r.get("marginal") is not None), None)
    if found is None:
        return None
    usd = found.get("usd_per_year")
    return {
        "gain": float(found["marginal"]) * WATTS_PER_MW, "gain_unit": found.get("gain_unit", ""),
        "usd_per_year": None if usd is None else float(usd) * WATTS_PER_MW, "usd_basis": found.get("usd_basis", ""),
    }  # fmt: skip


def ladder_rows(section: Mapping[str, Any]) -> list[Record]:
    """Return rungs: ``rung``, ``name`` (empty of the study itself), ``change``, ``value``, ``gain_frac``, ``next``."""
    rows = []
    for rung in section.get("rungs") or []:
        moved = rung.get("from") is not None and rung.get("to") is not None and rung["unit"] != "x"
        ends = [amount(float(rung[end]), rung["unit"]) for end in ("from", "to")] if moved else []
        rows.append(
            {
                "rung": rung["rung"], "name": rung["name"], "change": " → ".join(ends), "value": rung["value"],
                "gain_frac": rung["gain_frac"], "next": rung["bottleneck_name"],
            }
        )  # fmt: skip
    return rows


def price_rows(records: Sequence[Mapping[str, Any]], *, inside: bool) -> list[Record]:
    """Return parts of the build, or parts outside it, with the price at which that changes.

    Returns
    -------
    list of dict
        ``part``, ``name``, ``vendor``, ``kind``, ``now_usd``, ``answer`` (as the record has it, or `WITHIN_GAP`),
        ``at_usd``, ``sure_usd`` (beyond which it is proved), ``change`` (from now to `at_usd`), ``order``, ``takes``,
        ``fewer_watts_frac``.
    """
    rows = []
    for record in records:
        if bool(record["in_build"]) == inside:
            now = record["price_now_usd"]
            answer, at = _turn(record)
            watts = record["fewer_watts_frac"]
            rows.append(
                {
                    "part": record["part"], "name": record["name"], "vendor": record["vendor"], "kind": record["kind"],
                    "now_usd": now, "answer": answer, "at_usd": at, "sure_usd": record["high_usd"],
                    "change": share_text((at - now) / now) if at is not None and now else "", "order": record["order"],
                    "takes": record["quantity"],
                    "fewer_watts_frac": watts if not inside and watts is not None and 0.0 < watts < 1.0 else None,
                }
            )  # fmt: skip
    return rows


def _turn(record: Mapping[str, Any]) -> tuple[str, float | None]:
    """Answer of a part, and the price at which it enters or leaves.

    A part in the build is worth today's price at least, so a lower price that was confirmed says nothing new of it; and
    where the relaxation would not hold it at that price, it is there because the gap cannot tell.
    """
    answer, now, low, relaxed = (record[key] for key in ("answer", "price_now_usd", "low_usd", "relaxed_usd"))
    if record["in_build"] and low is not None and now is not None and low < now:
        low = None
    turns = answer.startswith(("enters", "leaves")) or bool(record.get("in_place_of"))
    at = (low if low is not None else relaxed) if turns else None
    if record["in_build"] and (answer == NEVER or (at is not None and now is not None and at < now)):
        return WITHIN_GAP, None
    return answer, at


def lever_rows(section: Mapping[str, Any]) -> list[Record]:
    """Return what each freedom contributes: ``name``, ``contribution``, ``between``, ``share``, ``alone``, ``last``."""
    return [
        {
            "name": lever["name"], "contribution": lever["contribution"], "share": lever["share"],
            "between": f"{figure(lever['low'])} – {figure(lever['high'])}", "alone": lever["alone"],
            "last": lever["last"],
        }
        for lever in section.get("levers") or []
    ]  # fmt: skip


def site_rows(section: Mapping[str, Any]) -> list[Record]:
    """Return other kinds of site and runner-up builds: ``name``, ``value``, ``distance_frac``, ``build``, ``same``."""
    return [
        {
            "name": row["name"], "value": row["value"], "distance_frac": row["distance_frac"],
            "build": build_words(row.get("nodes") or {}), "same": bool(row.get("same_as_study")),
        }
        for row in [*(section.get("architectures") or []), *(section.get("runners_up") or [])]
    ]  # fmt: skip


def build_words(nodes: Mapping[str, Any]) -> str:
    """Return a build as so many of each platform, the most first."""
    ranked = sorted(nodes.items(), key=lambda pair: -float(pair[1]))
    return ", ".join(f"{int(count):,} x {name}" for name, count in ranked)


def uncertain_rows(section: Mapping[str, Any]) -> list[Record]:
    """Return uncertain numbers, the widest swing first: as they are, their ends, values there, ``breaks``."""
    return [
        {
            "path": row["path"], "name": row["name"], "unit": row["unit"], "now": row["number"], "low": row["low"],
            "high": row["high"], "value_at_low": row["value_at_low"], "value_at_high": row["value_at_high"],
            "swing_frac": row["swing_frac"], "same_at_low": row.get("same_at_low"),
            "same_at_high": row.get("same_at_high"),
            "breaks": "; ".join(filter(None, (row.get("same_words_at_low"), row.get("same_words_at_high")))),
        }
        for row in section.get("numbers") or []
    ]  # fmt: skip


def front_of(result: Mapping[str, Any] | None) -> Record | None:
    """Return the front that a run found, None where it found none."""
    if not result:
        return None
    front = result.get("front") or result
    return dict(front) if front.get("points") else None


def front_rows(front: Mapping[str, Any]) -> list[Record]:
    """Return the points of a front in the order of its chart: ``x``, ``y``, ``gap``, ``build``, ``changes``."""
    points = sorted((p for p in front["points"] if p.get("y") is not None), key=lambda p: float(p["x"]))
    return [
        {"x": p["x"], "y": p["y"], "gap": p["gap"], "build": build_words(p["nodes"]), "changes": p["changes"]}
        for p in points
    ]


def axes_of(design: Design) -> list[str]:
    """Return what a front of a design's study may be drawn against, as `solver.explaining.axes.axis` takes it."""
    promised = [str(limit["id"]).split(".") for limit in design.limits if str(limit["id"]).startswith("promise.")]
    return [*AXES, *(f"workload.{name}.{kind}_s" for _, name, kind in promised)]


def goals() -> dict[str, str]:
    """Return what can be best along a front: id of an objective to its name and unit."""
    return {name: f"{objective.name} [{objective.unit}]" for name, objective in OBJECTIVES.items()}
