"""Watts: a board under its cap, a node, a pool at the four boundaries, and a replica above idle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solver.auditing.nodes import Node
from solver.evaluation import busy_use, clock
from solver.formulas.asking import Ask, derived, recorded
from solver.formulas.records import LOAD, POOL, Sheet, Term, columns_of, number
from solver.formulas.replicas import entry_field, taken
from solver.physics.calibration import generation
from solver.physics.energy import Use, board_power_w


def pool_field(name: str) -> Callable[[Ask], float]:
    """Return what reads a field of the pool's record."""
    return lambda ask: float(ask.pool[name])


def held(ask: Ask, field: str, name: str = "", unit: str = "") -> Term:
    """Term of a field of the pool's record."""
    return recorded(ask.pool, field, f"pool {ask.node.pool_id}", name, unit)


def _chip(ask: Ask, node: Node) -> tuple[Term, ...]:
    """Accelerators of a node and their rating; none of a node without."""
    if node.accelerator is None:
        none = "it has no accelerators"
        return (derived("accelerators", 0, "accelerators/node", none), derived("tdp_w", 0.0, "W", none))
    return (
        ask.row("platforms", node.platform.id, "accelerators"),
        ask.row("accelerators", node.accelerator.id, "tdp_w"),
    )


def base_watts(ask: Ask, node: Node) -> Term:
    """Peak of a node without devices bought apart, from its row; less the standard memory where that is left out."""
    columns = ("node_peak_w", "node_max_w") if node.accelerator else ("host_w",)
    row = ask.facts.row("platforms", node.platform.id)
    column = next(c for c in columns if row.get(c))
    found = ask.row("platforms", node.platform.id, column, "base_w")
    if not node.swapped:
        return found
    return Term("base_w", node.base_w, "W", f"{found.source}; less its standard memory", found.confidence)


@number("node_peak_w", "Peak of one node at its wall, accelerators at full power", "W", POOL,
        lambda ask: ask.node.peak_w)  # fmt: skip
def node_peak_w(ask: Ask) -> Sheet:
    """Peak of the platform as sold, and of the devices bought for it."""
    rows = [{"devices": float(count), "max_w": device.max_w or 0.0} for device, count in ask.node.devices]
    cells = [ask.row("memory", device.id, "max_w") for device, _ in ask.node.devices]
    if not rows:
        return Sheet("base_w", (base_watts(ask, ask.node),))
    about = {
        "devices": ("devices/node", f"design, pool {ask.node.pool_id}.devices", "solved"),
        "max_w": ("W", "memory, by row", cells[0].confidence),
    }
    labels = tuple(device.id for device, _ in ask.node.devices)
    notes = tuple(f"{cell.confidence}: {cell.source}" for cell in cells)
    return Sheet("base_w + sum(devices * max_w)", (base_watts(ask, ask.node),), labels, columns_of(rows, about), notes)


@number("pool_board_w", "Accelerator boards of a pool at their cap", "W", POOL, pool_field("board_w"))
def pool_board_w(ask: Ask) -> Sheet:
    """Rated watts of all boards, times the cap."""
    return Sheet("nodes * accelerators * tdp_w * cap",
                 (held(ask, "quantity", "nodes", "nodes"), *_chip(ask, ask.node),
                  held(ask, "cap", unit="share")))  # fmt: skip


@number("pool_node_w", "Nodes of a pool at their walls", "W", POOL, pool_field("node_w"))
def pool_node_w(ask: Ask) -> Sheet:
    """Peak of the nodes, less what the cap takes off their boards."""
    return Sheet("nodes * (node_peak_w - (1 - cap) * accelerators * tdp_w)",
                 (held(ask, "quantity", "nodes", "nodes"), ask.number("node_peak_w"), held(ask, "cap", unit="share"),
                  *_chip(ask, ask.node)))  # fmt: skip


@number("pool_it_w", "Nodes of a pool as IT power", "W", POOL, pool_field("it_w"))
def pool_it_w(ask: Ask) -> Sheet:
    """Racks are counted without power of their own, so that IT is what nodes take at their walls."""
    return Sheet("pool_node_w", (ask.number("pool_node_w"),))


def _stands(ask: Ask, pue: str) -> tuple[tuple[str, ...], list[dict[str, float]], tuple[str, ...]]:
    """Racks that the pool stands in: labels, nodes with the PUE of their cooling, and where it comes from."""
    stands, column = ask.node.stands, {"pue_peak": "pue_peak", "pue_mean": "pue_central"}[pue]
    cells = [ask.row("cooling", s.cooling.id, column) for s in stands]
    rows = [{"nodes": float(s.nodes), pue: cell.value} for s, cell in zip(stands, cells, strict=True)]
    return tuple(s.rack.id for s in stands), rows, tuple(f"{cell.confidence}: {cell.source}" for cell in cells)


def _racks(ask: Ask, pue: str) -> dict[str, tuple[str, str, str]]:
    return {"nodes": ("nodes", f"design, pool {ask.node.pool_id}.racks", "solved"),
            pue: ("W/W", "cooling of the rack", "by row")}  # fmt: skip


@number("pool_meter_w", "A pool at the utility meter", "W", POOL, pool_field("meter_w"))
def pool_meter_w(ask: Ask) -> Sheet:
    """Nodes in each kind of rack, with the PUE of its cooling on the design day."""
    labels, rows, notes = _stands(ask, "pue_peak")
    terms = (ask.number("pool_it_w"), held(ask, "quantity", "all_nodes", "nodes"))
    return Sheet("pool_it_w / all_nodes * sum(nodes * pue_peak)", terms, labels,
                 columns_of(rows, _racks(ask, "pue_peak")), notes)  # fmt: skip


@number("pool_standing_meter_w", "A pool at the meter on average while its accelerators idle", "W", POOL,
        pool_field("standing_meter_w"))  # fmt: skip
def pool_standing_meter_w(ask: Ask) -> Sheet:
    """Host, memory and drives of each node and its idle boards, times the mean PUE of its rack."""
    node, build = ask.node, ask.facts.study.build
    labels, rows, notes = _stands(ask, "pue_mean")
    draw = ask.setting("build.host_draw_frac", ask.facts.setting("build.host_draw_frac", build.host_draw_frac))
    left = node.platform.host_w * draw.value - node.base_drawn_w
    drives = node.host_drawn_w - node.base_drawn_w
    boards = _chip(ask, node)[:1]
    idle = (
        ask.row("accelerators", node.accelerator.id, "idle_w")
        if node.accelerator
        else derived("idle_w", 0.0, "W", "it has no accelerators")
    )
    terms = (
        ask.row("platforms", node.platform.id, "host_w"),
        draw,
        derived("left_out_w", left, "W", "standard memory that another population replaces, idle"),
        derived("devices_idle_w", drives, "W", "devices bought for the node, idle (memory rows)"),
        *boards,
        idle,
    )
    each = "(host_w * host_draw_frac - left_out_w + devices_idle_w + accelerators * idle_w)"
    return Sheet(f"{each} * sum(nodes * pue_mean)", terms, labels, columns_of(rows, _racks(ask, "pue_mean")), notes)


@number("board_activity", "Share of its range above idle that a busy board draws before its cap", "share", LOAD,
        lambda ask: _activity(ask))  # fmt: skip
def board_activity(ask: Ask) -> Sheet:
    """Every second a kernel runs, every byte and every FLOP costs energy; boards bend at their rating."""
    used, fit = _use(ask), ask.facts.calibration
    part = generation(ask.point.accelerators[0])
    scale = derived("scale", fit.activities.get(part, 1.0), "", f"calibration activity:{part}, 1 without a row")
    terms = (
        scale,
        *(ask.fit(name) for name in ("power_floor", "power_memory", "power_compute", "power_busy")),
        derived("memory_use", np.ravel(used.memory)[0], "share", "bytes/s over peak bandwidth"),
        derived("compute_use", np.ravel(used.compute)[0], "share", "FLOP/s over the peak rate of the format"),
        derived("running", min(1.0, float(np.ravel(used.running)[0])), "share", "time in which a kernel runs"),
    )
    wanted = "scale * (power_floor + power_memory * memory_use + power_compute * compute_use + power_busy * running)"
    return Sheet(f"({wanted}) / (1 + ({wanted}) ** 4) ** 0.25", terms)


def _use(ask: Ask) -> Use:
    """Use of memory, compute units and time while the replica is busy."""
    found, alone = clock(ask.layout, ask.times), ask.item["role"] == "prefill"
    return busy_use(ask.point, ask.layout, found, found.prefill_s if alone else found.mean_s, ask.times)


def _activity(ask: Ask) -> float:
    """Power of a board without idle watts, of 1 W and without a cap."""
    fit = ask.facts.calibration
    scale = fit.activities.get(generation(ask.point.accelerators[0]), 1.0)
    shares = (fit.power_floor, fit.power_memory, fit.power_compute, fit.power_busy)
    floor, memory, compute, busy = (scale * share for share in shares)
    return float(np.ravel(board_power_w(0.0, 1.0, _use(ask), (floor, memory, compute, busy), np.inf))[0])


@number("replica_board_w", "Boards of a replica while it is busy, under its power cap", "W", LOAD,
        lambda ask: float(ask.performance.power_busy_w[0]))  # fmt: skip
def replica_board_w(ask: Ask) -> Sheet:
    """Idle watts and the active share of the rest of the rating, at most the cap."""
    chip = ask.entry.accelerator.id
    terms = (
        derived("count", ask.entry.count, "accelerators", "tp x pp x dp of the entry"),
        ask.row("accelerators", chip, "idle_w"),
        ask.row("accelerators", chip, "tdp_w"),
        ask.number("board_activity"),
        taken(ask, "power_cap", unit="share"),
    )
    return Sheet("count * min(idle_w + (tdp_w - idle_w) * board_activity, power_cap * tdp_w)", terms)


@number("drawn_above_idle_w", "Boards of a load entry's replicas on average, above idle", "W", LOAD,
        entry_field("drawn_above_idle_w"))  # fmt: skip
def drawn_above_idle_w(ask: Ask) -> Sheet:
    """Watts of busy boards above idle ones; replicas that prefill rest between prompts."""
    chip = ask.entry.accelerator.id
    terms = (
        taken(ask, "replicas"),
        ask.number("replica_board_w"),
        derived("count", ask.entry.count, "accelerators", "tp x pp x dp of the entry"),
        ask.row("accelerators", chip, "idle_w"),
    )
    if ask.item["role"] != "prefill":
        return Sheet("replicas * (replica_board_w - count * idle_w)", terms)
    return Sheet("replicas * requests_per_s_per_replica / full_requests_per_s * (replica_board_w - count * idle_w)",
                 (*terms, ask.number("requests_per_s_per_replica"), ask.number("full_requests_per_s")))  # fmt: skip
