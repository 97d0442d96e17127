"""Node-wall power while serving: the catalog's nodes and the fitted boards against MLPerf's meters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.boundaries import BoardWatts, WallWatts, at_wall, beside_boards
from solver.errors import InputError, Problem
from solver.fitting.data import Library, PartSource, read_table
from solver.fitting.robust import errors
from solver.parts import Accelerator, Platform
from solver.performance import ROLE_MIXED, default_kv_precision, evaluate
from solver.physics.arrays import FloatArray
from solver.physics.calibration import Calibration, generation

TABLE = "mlperf_power.csv"
COLUMNS = "system model scenario tokens_per_s wall_w".split()

_LIMITED = "MaxQ"
"""Word of systems whose boards run below their rating, at watts that are not published."""

_LENGTHS = ((250.0, 250.0), (9000.0, 700.0))
"""(Prompt, output) tokens: the table has none, MLPerf's sets of these models lie between."""

_BATCH = 512.0
"""Requests in flight on a replica, as far as their KV fits: these runs are paced by throughput."""

_CHUNK_TOKENS = 8192.0
_DRAWN = "build.host_draw_frac"
"""Default: what a node draws on average beside its boards, over what is left of its peak beside their ratings."""


@dataclass(frozen=True)
class WallRun:
    """A metered node, and the catalog's parts for it.

    Attributes
    ----------
    label : str
        System, model and scenario.
    wall : WallWatts
        Measured.
    limited : bool
        Boards run below their rating, nobody says how far.
    platform : Platform
        First server of the catalog with as many of the accelerator.
    model, part : int
        Positions in the library.
    """

    label: str
    wall: WallWatts
    limited: bool
    platform: Platform
    model: int
    part: int


def read_wall(folders: Iterable[Path], library: Library, catalog: PartSource) -> tuple[WallRun, ...]:
    """Return the metered nodes whose model and server the catalog has, from the first folder with the table.

    Raises
    ------
    InputError
        If a column is missing, or a system is not words and a count.
    """
    place = next((folder for folder in folders if (folder / TABLE).is_file()), None)
    if place is None:
        return ()
    frame = read_table(place, TABLE, COLUMNS)
    system = frame["system"].str.extract(r"^(?P<gpu>\S+)(?P<mode>[^(]*)\((?P<count>\d+)x\)$")
    unread = frame.index[system["gpu"].isna()]
    if len(unread):
        message, allowed = "not an accelerator and a count", "words such as 'B200 (8x)'"
        where = (str(place / TABLE), f"line {unread[0] + 2}", "system", str(frame["system"][unread[0]]))
        raise InputError([Problem(*where, message, allowed)])
    models = {_plain(model.id): at for at, model in enumerate(library.models)}
    parts = library.accelerator(system["gpu"])
    rows = zip(frame.to_dict("records"), parts, system["mode"], system["count"].astype(int), strict=True)
    return tuple(_runs(rows, models, library, catalog))


def _runs(
    rows: Iterable[tuple[Mapping[Any, Any], int, str, int]], models: dict[str, int], library: Library,
    catalog: PartSource,
) -> Iterable[WallRun]:  # fmt: skip
    """Yield the runs whose model and server are known."""
    for row, part, mode, count in rows:
        model, server = models.get(_plain(str(row["model"]))), _server(catalog, library.accelerators[part], count)
        if model is not None and server is not None:
            label = f"{row['system']} {row['model']} {row['scenario']}"
            yield WallRun(label, WallWatts(float(str(row["wall_w"]))), _LIMITED in mode, server, model, part)


def _plain(name: str) -> str:
    return re.sub(r"[-._]", "", name.lower())


def _server(catalog: PartSource, part: Accelerator, count: int) -> Platform | None:
    return next((p for p in catalog.all(Platform) if (p.accelerator_id, p.accelerators) == (part.id, count)), None)


def host_draw_frac(catalog: PartSource) -> float:
    """Return the catalog's default for what nodes draw beside their boards."""
    return next(float(row["value"]) for row in catalog.rows("defaults") if row["id"] == _DRAWN)


def boards_of(runs: tuple[WallRun, ...], library: Library, fitted: Calibration, isl: float, osl: float) -> FloatArray:
    """Return the predicted watts of all boards of each node, full of replicas in its narrowest native format.

    A replica has the fewest boards, by doublings, whose memory holds the weights and as much again.
    """
    parts = [library.accelerators[run.part] for run in runs]
    formats = [next(i for i, p in enumerate(library.precisions) if p.id == generation(part)) for part in parts]
    ranks = [_ranks(run, library, fmt) for run, fmt in zip(runs, formats, strict=True)]
    columns = {
        "model": [run.model for run in runs], "accelerator": [run.part for run in runs],
        "weight_precision": formats, "kv_precision": [default_kv_precision(library.precisions, f) for f in formats],
        "role": ROLE_MIXED, "tp": ranks, "isl_new": isl, "context": isl + osl / 2.0, "osl": osl,
        "chunk": _CHUNK_TOKENS,
    }  # fmt: skip
    room = evaluate(library.points(batch=np.ones(len(runs)), **columns), fitted)
    batch = np.clip(np.floor(room.kv_free_bytes / room.kv_bytes_per_request), 1.0, _BATCH)
    busy = evaluate(library.points(batch=batch, **columns), fitted).power_busy_w
    nodes = np.array([run.platform.accelerators for run in runs]) / np.array(ranks)
    return np.asarray(busy * nodes)


def _ranks(run: WallRun, library: Library, precision: int) -> int:
    """Return the boards of a replica."""
    weights = library.models[run.model].params_total * library.precisions[precision].weight_bytes_per_param
    ranks = 1
    while ranks < run.platform.accelerators and 2.0 * weights > ranks * library.accelerators[run.part].hbm_bytes:
        ranks *= 2
    return ranks


def wall_table(runs: tuple[WallRun, ...], library: Library, catalog: PartSource, fitted: Calibration) -> str:
    """Return measured and predicted node-wall watts as text; boards below their rating are listed, not judged."""
    frac = host_draw_frac(catalog)
    found = [boards_of(runs, library, fitted, isl, osl) for isl, osl in _LENGTHS]
    head = f"{'node at the wall, W':40s} measured  predicted, short to long   off      host drawn, share of its peak"
    lines, ratios, shares = [head], [], []
    for i, run in enumerate(runs):
        boards = [BoardWatts(float(each[i])) for each in found]
        walls = [at_wall(of, WallWatts(frac * run.platform.host_w)).watts for of in boards]
        ratio = 0.5 * sum(walls) / run.wall.watts
        share = beside_boards(run.wall, 0.5 * BoardWatts.total(boards)).watts / run.platform.host_w
        told = f"{100.0 * (ratio - 1.0):+5.0f}%  {share:8.2f}"
        if run.limited:
            told = "rated boards: no verdict"
        else:
            ratios.append(ratio)
            shares.append(share)
        lines.append(f"{run.label:40s} {run.wall.watts:8.0f}  {walls[0]:9.0f} {walls[1]:9.0f}        {told}")
    if ratios:
        of = errors(np.array(ratios), np.ones(len(ratios)))
        lines.append(f"{of}; host drawn {frac:.2f} assumed, {float(np.median(shares)):.2f} fits (median)")
    return "\n".join(lines) + "\n"
