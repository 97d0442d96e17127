"""Node-wall power while serving: the catalog's nodes and the fitted boards against MLPerf's meters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.boundaries import BoardWatts, WallWatts, at_wall, beside_boards
from solver.errors import InputError, Problem
from solver.fitting.data import Library, PartSource, read_table
from solver.fitting.robust import errors, folds
from solver.parts import Accelerator, Platform
from solver.performance import ROLE_MIXED, default_kv_precision, evaluate
from solver.physics.arrays import FloatArray
from solver.physics.calibration import Calibration, generation

TABLE = "mlperf_power.csv"
COLUMNS = "system model scenario tokens_per_s wall_w".split()

_LIMIT_W = {"MaxQ": 500.0}
"""Word of a system's mode -> power limit of each board.

``power_limit`` of eight H200 in closed/NVIDIA/configs of llama2-70b and mixtral-8x7b,
github.com/mlcommons/inference_results_v4.1 (Apache-2.0), whose expected rates are those of the metered runs.
"""

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
    system : str
        What is left out in turn.
    cap : float
        Power limit of the boards as a share of their rating.
    platform : Platform
        First server of the catalog with as many of the accelerator.
    model, part : int
        Positions in the library.
    """

    label: str
    system: str
    wall: WallWatts
    cap: float
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
            cap = min(1.0, _LIMIT_W.get(mode.strip(), math.inf) / library.accelerators[part].tdp_w)
            wall = WallWatts(float(str(row["wall_w"])))
            yield WallRun(label, str(row["system"]), wall, cap, server, model, part)


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
        "chunk": _CHUNK_TOKENS, "power_cap": [run.cap for run in runs],
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


def _host_w(runs: tuple[WallRun, ...]) -> FloatArray:
    return np.array([run.platform.host_w for run in runs])


def host_shares(runs: tuple[WallRun, ...], boards_w: FloatArray) -> FloatArray:
    """Return what each node drew beside its predicted boards, as a share of its peak beside their ratings."""
    pairs = zip(runs, boards_w.tolist(), strict=True)
    return np.array([beside_boards(run.wall, BoardWatts(watts)).watts for run, watts in pairs]) / _host_w(runs)


def walls_w(runs: tuple[WallRun, ...], boards_w: FloatArray, share: float | FloatArray) -> FloatArray:
    """Return the predicted watts of each node: its boards, and a share of its peak beside their ratings."""
    pairs = zip(boards_w.tolist(), (share * _host_w(runs)).tolist(), strict=True)
    return np.array([at_wall(BoardWatts(boards), WallWatts(beside)).watts for boards, beside in pairs])


def others_shares(runs: tuple[WallRun, ...], shares: FloatArray) -> FloatArray:
    """Return for each node the median share of the other systems, nan where there is no other."""
    system, found = np.array([run.system for run in runs]), np.full(len(runs), np.nan)
    for _, mask in folds(system):
        if not mask.all():
            found[mask] = np.median(shares[~mask])
    return found


def wall_table(runs: tuple[WallRun, ...], library: Library, catalog: PartSource, fitted: Calibration) -> str:
    """Return measured and predicted node-wall watts as text: the host drawing the default, and as other systems'."""
    frac, measured = host_draw_frac(catalog), np.array([run.wall.watts for run in runs])
    short, long = (boards_of(runs, library, fitted, *lengths) for lengths in _LENGTHS)
    boards = 0.5 * (short + long)
    shares = host_shares(runs, boards)
    usual, other = walls_w(runs, boards, frac), walls_w(runs, boards, others_shares(runs, shares))
    hosts = f"host drew  wall, host at {frac:.2f}  as other systems'"
    lines = [f"{'node at the wall, W':40s} measured  boards, short to long  {hosts}"]
    for i, run in enumerate(runs):
        told = f"{shares[i]:9.2f}  {usual[i]:9.0f} {100.0 * (usual[i] / measured[i] - 1.0):+5.0f}%"
        if np.isfinite(other[i]):
            told += f"   {other[i]:9.0f} {100.0 * (other[i] / measured[i] - 1.0):+5.0f}%"
        lines.append(f"{run.label:40s} {measured[i]:8.0f}   {short[i]:9.0f} {long[i]:9.0f}  {told}")
    lines.append(f"{f'host at {frac:.2f}':40s} {errors(usual, measured)}")
    if np.isfinite(other).all():
        lines.append(f"{'host as other systems':40s} {errors(other, measured)}")
    return "\n".join(lines) + "\n"
