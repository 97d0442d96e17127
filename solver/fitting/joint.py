"""All measured times in one set of observations, so that each coefficient is fitted to everything that bears on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from solver.evaluation import Layout, clock, layout
from solver.fitting.data import generations_of
from solver.fitting.power import PowerRuns
from solver.fitting.profiles import Profiles
from solver.fitting.robust import Labels
from solver.fitting.serving import Apart, Runs
from solver.performance import Points
from solver.physics.arrays import FloatArray, IntArray
from solver.physics.coefficients import FITTED, TimeCoefficients

STEP, PROMPT, FIRST = 0, 1, 2
"""What was timed: a token, a prompt on its own, the first token of a served request."""

SHARES = {"serving": 1.0, "energy": 0.5, "apart": 0.2, "first": 0.15, "splitwise": 0.1, "distserve": 0.1}
"""Weight of each source: served tokens are what is predicted, the others steady what they alone can tell."""

_FIRST_WAVE = 0.1
"""Share of a run's requests that arrive at once at its start (ten requests per unit of concurrency)."""


@dataclass(frozen=True)
class Observations:
    """Measured times with their operating points and labels.

    Attributes
    ----------
    points : Points
        N points.
    kind : int array
        STEP, PROMPT or FIRST.
    measured_s : array
        Times.
    source, family, model, engine, accelerator, setup : array of str
        Labels; the engine is empty where its factor is one of the setups.
    """

    points: Points
    kind: IntArray
    measured_s: FloatArray
    source: Labels
    family: Labels
    model: Labels
    engine: Labels
    accelerator: Labels
    setup: Labels


def observations(runs: Runs, apart: Apart | None, watts: PowerRuns | None, profiles: Profiles | None) -> Observations:
    """Put everything that was timed into one set, served tokens first and in their order."""
    blocks = [_block(runs, "serving", STEP, runs.tpot_s, runs.engine)]
    if watts is not None:
        blocks.append(_block(watts, "energy", STEP, watts.step_s, watts.engine, "energy"))
    if apart is not None:
        blocks.append(_block(apart, "apart", STEP, apart.tpot_s, apart.engine, "apart"))
    if profiles is not None:
        kind = np.where(profiles.prompt, PROMPT, STEP)
        blocks.append(_block(profiles, profiles.source, kind, profiles.time_s, "", profiles.setup))
    first = _block(runs, "first", FIRST, runs.ttft_s, runs.engine)
    blocks.append(_take(first, np.flatnonzero(runs.quiet)))
    names = [f.name for f in dataclasses.fields(Observations) if f.name != "points"]
    joined = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
    return Observations(points=_concatenated([block.points for block in blocks]), **joined)


def _block(
    rows: Runs | Apart | PowerRuns | Profiles, source: str | Labels, kind: int | IntArray, time_s: FloatArray,
    engine: str | Labels, setup: str | Labels = "",
) -> Observations:  # fmt: skip
    shape = time_s.shape
    return Observations(
        points=rows.points,
        kind=np.broadcast_to(np.asarray(kind, dtype=np.int64), shape),
        measured_s=time_s,
        source=np.broadcast_to(np.asarray(source, dtype=np.str_), shape),
        family=rows.family,
        model=rows.model,
        engine=np.broadcast_to(np.asarray(engine, dtype=np.str_), shape),
        accelerator=rows.accelerator,
        setup=np.broadcast_to(np.asarray(setup, dtype=np.str_), shape),
    )


def _take(rows: Observations, index: IntArray) -> Observations:
    own = {f.name: getattr(rows, f.name)[index] for f in dataclasses.fields(Observations) if f.name != "points"}
    return Observations(points=_points_at(rows.points, index), **own)


def _points_at(points: Points, index: IntArray) -> Points:
    columns = [f.name for f in dataclasses.fields(Points)][3:]
    own: dict[str, Any] = {name: getattr(points, name)[index] for name in columns}
    return dataclasses.replace(points, **own)


def _concatenated(parts: list[Points]) -> Points:
    columns = [f.name for f in dataclasses.fields(Points)][3:]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return dataclasses.replace(parts[0], **joined)


@dataclass(frozen=True)
class Forward:
    """Predicted times of observations as a function of named numbers.

    Attributes
    ----------
    seen : Observations
        What is predicted.
    at : Layout
        Its points.
    generation : array of str
        Generation of each point's accelerator.
    names : tuple of str
        Coefficients, then ``engine:``, ``overhead:`` and ``setup:`` factors.
    planned : mapping
        Coefficients that are not fitted, by name.
    """

    seen: Observations
    at: Layout
    generation: Labels
    names: tuple[str, ...]
    planned: Mapping[str, float]

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the predicted time of every observation."""
        number = dict(zip(self.names, values.tolist(), strict=True))
        k = self._coefficients(number)
        found = clock(self.at, k)
        wave = _FIRST_WAVE * (self.seen.points.batch / self.seen.points.dp - 1.0)
        first = found.first_token_s + found.step_s + wave * found.prefill.time_s
        alone = found.first_token_s - k.first_token_s
        return np.select([self.seen.kind == FIRST, self.seen.kind == PROMPT], [first, alone], found.tpot_s)

    def _coefficients(self, number: Mapping[str, float]) -> TimeCoefficients:
        """Return the coefficients of every observation, with what is particular to its engine and setup."""
        overhead = np.ones(len(self.seen.measured_s))
        for name, value in number.items():
            kind, _, label = name.partition(":")
            if kind == "engine":
                overhead = np.where(self.seen.engine == label, overhead * value, overhead)
            elif kind == "overhead":
                overhead = np.where(self.generation == label, overhead * value, overhead)
        step, request = np.ones_like(overhead), np.ones_like(overhead)
        for setup, of_all, of_step, of_request in _SETUPS:
            own = self.seen.setup == setup
            overhead = np.where(own, overhead * number.get(f"setup:{of_all}", 1.0), overhead)
            step = np.where(own, number.get(f"setup:{of_step}", 1.0), step)
            request = np.where(own, number.get(f"setup:{of_request}", 1.0), request)
        k = TimeCoefficients(**{name: number[name] for name in FITTED}, **self.planned, overhead=overhead)
        return dataclasses.replace(k, host_step_s=k.host_step_s * step, host_request_s=k.host_request_s * request)


_SETUPS = (
    ("energy", "", "energy_step", "energy_request"),
    ("apart", "apart_overhead", "", ""),
    ("vllm2023", "vllm2023_overhead", "", "vllm2023_request"),
    ("distserve", "distserve_overhead", "", "distserve_request"),
)
"""Setup, and the factors that scale its overheads, its host step and its host work by request."""


def forward(seen: Observations, setups: tuple[str, ...], planned: Mapping[str, float]) -> Forward:
    """Return the predictions of observations, with a factor for each engine and generation among them."""
    engines = [f"engine:{name}" for name in np.unique(seen.engine) if name]
    generations = generations_of(seen.points)
    parts = [f"overhead:{name}" for name in np.unique(generations)]
    factors = [f"setup:{name}" for name in setups]
    return Forward(seen, layout(seen.points), generations, (*FITTED, *engines, *parts, *factors), planned)
