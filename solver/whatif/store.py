"""Runs on disk: what was asked, how far it has come, what came out.

A run is a folder of small files, each written whole by one party only: `request.json` and `card.json` (its name and
note) by the page, `state.json`, `progress.jsonl` and `result.json` by whoever works on it, and an empty `stop` by
whoever wants it to end. So no reader ever sees half of anything, and a run survives a reload, a second tab and the
end of the process. An id cannot be guessed and is checked before a path is made of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from solver.design import SCHEMA_VERSION, Design, write_whole

KINDS = ("solve", "explain", "pareto", "quote", "sweep")
WAITING, RUNNING, STOPPING, DONE, FAILED, STOPPED = "waiting", "running", "stopping", "done", "failed", "stopped"
ENDED = (DONE, FAILED, STOPPED)
"""States that a run stays in."""
ID = re.compile(r"[A-Za-z0-9_-]{22}")
NAME_LENGTH, NOTE_LENGTH = 80, 2000
DESIGNS_KEPT = 12
"""Designs that are kept in memory: pages ask for the same ones again and again."""
REQUEST, CARD, STATE, PROGRESS, RESULT, STOP = (
    "request.json", "card.json", "state.json", "progress.jsonl", "result.json", "stop",
)  # fmt: skip


def new_id() -> str:
    """Return an id that cannot be guessed: 16 random bytes in 22 letters."""
    return secrets.token_urlsafe(16)


def is_id(text: str) -> bool:
    """True for what `new_id` makes, which is safe as the name of a folder."""
    return ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Request:
    """What a run is to find out.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    study : dict
        ``Study.to_dict()``.
    overlay : dict
        Table to changed rows, as ``Catalog.overlay`` takes them.
    options : dict
        Of an explanation ``sections``; of a front ``x``, ``y``, ``points``; of a quote ``part``, ``price_usd``,
        ``quantity``; of a sweep ``path`` and ``values``; of a solve ``more`` and ``quick``.
    base : str
        Id of the run that it was derived from, or empty.
    """

    kind: str
    study: dict[str, Any]
    overlay: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    base: str = ""


@dataclass(frozen=True)
class Run:
    """A run as it stands: `state` is waiting, running, stopping, done, failed or stopped; `message` says why."""

    id: str
    workspace: str
    name: str
    note: str
    state: str
    created: str
    seconds: float
    request: Request
    message: str = ""

    @property
    def ended(self) -> bool:
        """True where nothing more will happen."""
        return self.state in ENDED


Runs: TypeAlias = list[Run]
Events: TypeAlias = list[dict[str, Any]]


class Store:
    """Runs below a folder.

    Parameters
    ----------
    root : str or Path
        Made where it does not exist.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._designs: OrderedDict[str, tuple[int, Design]] = OrderedDict()
        self._lock = threading.Lock()
        (self.root / "runs").mkdir(parents=True, exist_ok=True)

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run.

        Raises
        ------
        KeyError
            If this is no id: a path is never made of anything else.
        """
        if not is_id(run_id):
            raise KeyError("no such run")
        return self.root / "runs" / run_id

    def add(self, request: Request, workspace: str, name: str = "", note: str = "") -> Run:
        """Keep a request as a waiting run of a workspace.

        Raises
        ------
        ValueError
            If there is no such kind, or the workspace is not an id.
        """
        if request.kind not in KINDS or not is_id(workspace):
            raise ValueError(f"{request.kind!r} is none of {KINDS}, or the workspace is not an id")
        run_id = new_id()
        folder = self.folder(run_id)
        folder.mkdir(parents=True)
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        card = {"workspace": workspace, "created": created, "name": name[:NAME_LENGTH], "note": note[:NOTE_LENGTH]}
        _write(folder / CARD, card)
        _write(folder / STATE, {"state": WAITING})
        _write(folder / REQUEST, dataclasses.asdict(request))
        mark = self._mark(workspace, run_id)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        run = self.get(run_id)
        assert run is not None
        return run

    def get(self, run_id: str) -> Run | None:
        """Return a run as it stands, None where there is none of that id."""
        if not is_id(run_id):
            return None
        folder = self.folder(run_id)
        card, state, request = _read(folder / CARD), _read(folder / STATE), _read(folder / REQUEST)
        if not (card and state and request):
            return None
        word = str(state["state"])
        if word in (WAITING, RUNNING) and (folder / STOP).exists():
            word = STOPPING
        return Run(
            id=run_id,
            workspace=card["workspace"],
            name=card["name"],
            note=card["note"],
            state=word,
            created=card["created"],
            seconds=_seconds(state),
            request=Request(**request),
            message=str(state.get("message", "")),
        )

    def list(self, workspace: str) -> Runs:
        """Return the runs of a workspace, the newest first."""
        if not is_id(workspace):
            return []
        marks = self._mark(workspace, "").glob("*")
        runs = [run for mark in marks if (run := self.get(mark.name)) is not None]
        return sorted(runs, key=lambda run: run.created, reverse=True)

    def rename(self, run_id: str, name: str | None = None, note: str | None = None) -> Run:
        """Change the name or the note of a run.

        Raises
        ------
        KeyError
            If there is no such run.
        """
        card = _read(self.folder(run_id) / CARD)
        if not card:
            raise KeyError("no such run")
        card["name"] = card["name"] if name is None else name.strip()[:NAME_LENGTH]
        card["note"] = card["note"] if note is None else note.strip()[:NOTE_LENGTH]
        _write(self.folder(run_id) / CARD, card)
        run = self.get(run_id)
        assert run is not None
        return run

    def delete(self, run_id: str) -> None:
        """Forget a run; one that is at work is asked to stop, and finds nowhere to write its result."""
        run = self.get(run_id)
        if run is not None:
            self.ask_stop(run_id)
            self._mark(run.workspace, run_id).unlink(missing_ok=True)
            shutil.rmtree(self.folder(run_id), ignore_errors=True)

    def progress(self, run_id: str) -> Events:
        """Return how far a run has come: seconds, stage, incumbent, bound and gap, the latest last."""
        try:
            lines = (self.folder(run_id) / PROGRESS).read_text(encoding="utf-8").splitlines(keepends=True)
        except (OSError, KeyError):
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def result(self, run_id: str) -> dict[str, Any] | None:
        """Return what came out, None before there is anything.

        A solve and an explanation have a ``design``, a quote an ``answer``, a sweep ``sweep`` (a record a value); a
        front is what `solver.pareto` returns, with its ``points``. A run at work may have part of it already.
        """
        return _read(self.folder(run_id) / RESULT) if is_id(run_id) else None

    def design(self, run_id: str) -> Design | None:
        """Return the design of a run, None where it has none (or one of another version); not to be changed."""
        if not is_id(run_id):
            return None
        path = self.folder(run_id) / RESULT
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            known = self._designs.get(run_id)
            if known is not None and known[0] == stamp:
                self._designs.move_to_end(run_id)
                return known[1]
        record = (self.result(run_id) or {}).get("design")
        if not record or record.get("schema_version") != SCHEMA_VERSION:
            return None
        design = Design(**record)
        with self._lock:
            self._designs[run_id] = (stamp, design)
            while len(self._designs) > DESIGNS_KEPT:
                self._designs.popitem(last=False)
        return design

    def ask_stop(self, run_id: str) -> None:
        """Ask a run to end with the best that it has."""
        if self.get(run_id) is not None:
            (self.folder(run_id) / STOP).touch()

    def stop_asked(self, run_id: str) -> bool:
        """True where somebody asked for an end, or the run is gone."""
        folder = self.folder(run_id)
        return (folder / STOP).exists() or not folder.exists()

    # --- for those who work on runs --------------------------------------------------------------------------------

    def begin(self, run_id: str) -> None:
        """Say that a run is at work now."""
        _write(self.folder(run_id) / STATE, {"state": RUNNING, "begun": time.time()})

    def report(self, run_id: str, event: Mapping[str, Any]) -> None:
        """Add a line of progress."""
        with contextlib.suppress(FileNotFoundError), (self.folder(run_id) / PROGRESS).open("a") as stream:
            stream.write(json.dumps(event, allow_nan=False) + "\n")

    def publish(self, run_id: str, result: Mapping[str, Any]) -> None:
        """Write what there is so far of a run at work."""
        if (self.folder(run_id) / STATE).exists():
            _write(self.folder(run_id) / RESULT, result)

    def end(self, run_id: str, state: str, result: Mapping[str, Any] | None = None, message: str = "") -> None:
        """Write what came out, then that the run is over; nothing where it was deleted or is over already."""
        folder = self.folder(run_id)
        before = _read(folder / STATE)
        if not before or before["state"] in ENDED:
            return
        if result is not None:
            self.publish(run_id, result)
        _write(folder / STATE, before | {"state": state, "ended": time.time(), "message": message})

    def unfinished(self) -> Runs:
        """Return the runs of all workspaces that are not over, the oldest first."""
        runs = [self.get(folder.name) for folder in (self.root / "runs").iterdir()]
        return sorted((run for run in runs if run is not None and not run.ended), key=lambda run: run.created)

    def prune(self, most: int) -> None:
        """Forget the oldest runs that are over, those without a name or note first, until there are so many left."""
        folders = list((self.root / "runs").iterdir())
        if len(folders) > most:
            runs = [run for folder in folders if (run := self.get(folder.name)) is not None and run.ended]
            runs.sort(key=lambda run: (bool(run.name or run.note), run.created))
            for run in runs[: len(folders) - most]:
                self.delete(run.id)

    def _mark(self, workspace: str, run_id: str) -> Path:
        """An empty file by which a workspace knows its run."""
        return self.root / "workspaces" / workspace / run_id


def _seconds(state: Mapping[str, Any]) -> float:
    """Seconds at work."""
    begun = state.get("begun")
    return 0.0 if begun is None else max(float(state.get("ended") or time.time()) - float(begun), 0.0)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, allow_nan=False))


def _read(path: Path) -> dict[str, Any] | None:
    """What a file holds; None where there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    return found if isinstance(found, dict) else None
