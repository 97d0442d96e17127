"""Which explanations of a run there are: what was asked of its study before, is under way, or can be asked next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solver.catalog import Catalog
from solver.explaining.sections import SECTIONS
from solver.study import Study, study_from_dict
from solver.whatif.store import FAILED, RESULT, Request, Run, Store

Overlay = Mapping[str, list[dict[str, Any]]]
PARETO, EXPLAIN, SOLVE, QUOTE, SWEEP = "pareto", "explain", "solve", "quote", "sweep"
ON_CHOICE = ("attributes",)
"""Sections that answer nothing unless parts are named."""
_HURRY = ("time_limit_s", "threads")
"""Keys of the solver that do not change what is asked."""


def question(request: Request) -> str:
    """Return the hash of what is asked: the study and the changed parts, not how long it may take or who asks."""
    study = {key: value for key, value in request.study.items() if key not in ("name", "description")}
    study["solver"] = {key: value for key, value in (study.get("solver") or {}).items() if key not in _HURRY}
    return hashlib.sha256(json.dumps([study, request.overlay], sort_keys=True).encode()).hexdigest()


def subject(run: Run | None, store: Store) -> Run | None:
    """Return the run that a page is about: one with a design; others are about the run that they were asked of."""
    for _ in range(8):
        if run is None or run.request.kind in (SOLVE, EXPLAIN):
            return run
        run = store.get(run.request.base)
    return None


def related(run: Run, runs: Sequence[Run], kind: str) -> list[Run]:
    """Return the runs of a kind that ask the same question, the newest first."""
    same = question(run.request)
    return [other for other in runs if other.request.kind == kind and question(other.request) == same]


@dataclass(frozen=True)
class Known:
    """What is known of a section.

    Attributes
    ----------
    record : Any
        The section, None where it was not found.
    run : Run or None
        That found it, is at it, or failed.
    """

    record: Any = None
    run: Run | None = None

    @property
    def under_way(self) -> bool:
        """True while somebody works on it."""
        return self.record is None and self.run is not None and not self.run.ended

    @property
    def failed(self) -> bool:
        """True where it was asked for and came to nothing."""
        return self.record is None and self.run is not None and self.run.ended


def sections_of(run: Run, runs: Sequence[Run], store: Store) -> dict[str, Known]:
    """Return what is known of every section of a run's study, from the run itself and from others that asked the same.

    Parameters
    ----------
    run : Run
    runs : sequence of Run
        The newest first.
    store : Store
    """
    mine = [*(other for other in related(run, runs, EXPLAIN) if other.id != run.id), run]
    found: dict[str, Known] = {name: Known() for name in SECTIONS}
    for other in mine:
        wanted = other.request.options.get("sections", []) if other.request.kind == EXPLAIN else []
        open_ones = [name for name, known in found.items() if known.record is None]
        if not set(wanted) & set(open_ones) and other.id != run.id:
            continue
        design = store.design(other.id)
        for name in open_ones:
            if design is not None and name in design.explained:
                found[name] = Known(design.explained[name], other)
            elif name in wanted and (found[name].run is None or (not other.ended and found[name].failed)):
                found[name] = Known(None, other)
    return found


def ask_sections(run: Run, sections: Sequence[str], **options: Any) -> Request:
    """Return the request that explains a run's study."""
    return Request(EXPLAIN, run.request.study, run.request.overlay, {"sections": list(sections), **options}, run.id)


def ask_front(run: Run, x: str, y: str, points: int) -> Request:
    """Return the request for a front of a run's study."""
    return Request(PARETO, run.request.study, run.request.overlay, {"x": x, "y": y, "points": points}, run.id)


def ask_quote(run: Run, part: str, price_usd: float, quantity: int) -> Request:
    """Return the request that judges a quote for a run's study."""
    options = {"part": part, "price_usd": price_usd, "quantity": quantity}
    return Request(QUOTE, run.request.study, run.request.overlay, options, run.id)


def ask_sweep(run: Run, path: str, values: Sequence[float]) -> Request:
    """Return the request for a sweep of one input of a run's study."""
    return Request(SWEEP, run.request.study, run.request.overlay, {"path": path, "values": list(values)}, run.id)


def ask_changed(run: Run, changes: Mapping[str, Any], overlay: Overlay | None = None) -> Request:
    """Return the request that solves a run's study with some values changed.

    Parameters
    ----------
    run : Run
    changes : mapping
        As `Study.with_changes` takes them.
    overlay : mapping, optional
        Changed parts in place of the run's.

    Raises
    ------
    InputError
        As `Study.with_changes`.
    """
    study = study_of(run).with_changes(changes)
    return Request(SOLVE, study.to_dict(), run.request.overlay if overlay is None else dict(overlay), {}, run.id)


def study_of(run: Run) -> Study:
    """Return the study of a run.

    Raises
    ------
    InputError
        If it is none any more.
    """
    return study_from_dict(run.request.study, run.name or "study")


def catalog_of(run: Run, base: Catalog) -> Catalog:
    """Return the catalog with what a run changed of it.

    Raises
    ------
    InputError
        If that does not fit any more.
    """
    return base.overlay(run.request.overlay) if run.request.overlay else base


def solved_already(request: Request, runs: Sequence[Run]) -> Run | None:
    """Return a run that asked the same and did not fail; None where nobody did."""
    same = question(request)
    return next(
        (r for r in runs if r.request.kind == SOLVE and r.state != FAILED and question(r.request) == same), None
    )


def front_runs(run: Run, runs: Sequence[Run], x: str, y: str) -> list[Run]:
    """Return the runs that asked for a front between two figures of a run's study, the newest first."""
    own = str((run.request.study.get("objective") or {}).get("name"))
    return [
        other for other in related(run, runs, PARETO)
        if other.request.options.get("x") == x and (other.request.options.get("y") or own) == y
    ]  # fmt: skip


def name_of(run: Run) -> str:
    """Return what a run is called: its name, else its study's."""
    return run.name or str(run.request.study.get("name") or "study")


def comparable(runs: Sequence[Run], store: Store) -> list[Run]:
    """Return the runs that can be compared: solves that are over and came to a design."""
    return [
        run for run in runs
        if run.request.kind == SOLVE and run.ended and run.state != FAILED and (store.folder(run.id) / RESULT).exists()
    ]  # fmt: skip


def labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return what runs are called, told apart by a number where two have one name."""
    found: dict[str, str] = {}
    for run in runs:
        name, count = name_of(run), 2
        while name in found.values():
            name, count = f"{name_of(run)} ({count})", count + 1
        found[run.id] = name
    return found
