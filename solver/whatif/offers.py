"""A vendor's offer: which parts can be offered, what they cost in the study, and what the answer says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solver.catalog import Catalog
from solver.parts import Platform
from solver.physics.cost import platform_usd
from solver.quote import ANY, BUDGET, NEVER, NO, NO_BUILD, PRICE, TIE, UNKNOWN, YES
from solver.scenario import Scenario, resolve
from solver.study import Study

Record = dict[str, Any]
BOUGHT = {YES: "yes", NO: "no", TIE: "tie", UNKNOWN: "unknown"}
"""Answer of a quote -> id of its words."""
WALK_AWAY = {PRICE: "price", NEVER: "never", ANY: "any", BUDGET: "budget", NO_BUILD: "no_build", UNKNOWN: "unknown"}
"""Kind of a walk-away price -> id of its words."""
BELOW = "below"
"""Id of the words where only the upper end of a walk-away price is known."""


def offered(study: Study, catalog: Catalog) -> list[Record]:
    """Return the parts that may be quoted to a study, platforms first, each group by name.

    Returns
    -------
    list of dict
        ``part``, ``kind`` (``platform`` or ``memory``), ``name``, ``vendor``, ``usd`` (what a piece costs in the
        study's quarter; None where the catalog has no price).

    Raises
    ------
    InputError
        If the study does not fit the catalog.
    """
    scenario = resolve(study, catalog)
    left_out = {
        item.part for item in scenario.filtered if not item.reason.startswith(("not for sale", "no price"))
    }  # a quote makes a part one that is for sale
    rows = [
        {"part": part.id, "kind": "platform", "name": part.name, "vendor": part.vendor,
         "usd": _platform_usd(part, scenario)}
        for part in catalog.all(Platform) if part.accelerators
    ]  # fmt: skip
    rows += [
        {"part": device.id, "kind": "memory", "name": device.name, "vendor": device.vendor,
         "usd": scenario.device_usd(device)}
        for device in scenario.devices
    ]  # fmt: skip
    kinds = ("platform", "memory")
    return sorted(
        (row for row in rows if row["part"] not in left_out),
        key=lambda row: (kinds.index(str(row["kind"])), str(row["name"])),
    )


def _platform_usd(part: Platform, scenario: Scenario) -> float | None:
    if part.price_central_usd is None:
        return None
    memory = scenario.device(part.host_mem_id) if part.host_mem_id else None
    return platform_usd(part, scenario.site.price_quarter, scenario.prices, memory)


def verdict(answer: Mapping[str, Any]) -> Record:
    """Return what a quote's answer says, as ids of words and their numbers.

    Returns
    -------
    dict
        ``bought`` (id), ``tone``, ``quantity``, ``walk_away`` (id), ``usd``, ``high_usd``, ``room_frac`` (from the
        quoted price to the walk-away price), ``gain``, ``gain_frac``, ``unit``, ``capex_change_usd``.
    """
    walk, goal, capex = answer["walk_away"], answer["objective"], answer["capex_usd"]
    bought = BOUGHT[answer["bought"]]
    price, usd = float(answer["price_usd"]), walk["usd"] or None  # at 0 USD no price was found, only that one may be
    kind = BELOW if walk["kind"] == PRICE and usd is None else WALK_AWAY[walk["kind"]]
    both = None not in (capex["with_order"], capex["without"])
    return {
        "bought": bought, "tone": {"yes": "good", "no": "bad"}.get(bought, "warn"), "quantity": answer["quantity"],
        "walk_away": kind, "usd": usd, "high_usd": walk["high_usd"],
        "room_frac": (float(usd) - price) / price if usd is not None and price else None,
        "gain": goal["gain"], "gain_frac": goal["gain_frac"], "unit": goal["unit"],
        "capex_change_usd": capex["with_order"] - capex["without"] if both else None,
    }  # fmt: skip


def displaced(answer: Mapping[str, Any]) -> tuple[list[Record], list[Record]]:
    """Return what an order takes the place of, and what comes with it, the largest change first."""
    rows = sorted(answer["displaced"], key=lambda row: -abs(row["change"]))
    return [row for row in rows if row["change"] < 0], [row for row in rows if row["change"] > 0]
