"""How far a solve has come, on standard error: a live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

from solver.words import figure

PLAIN_EVERY_S = 5.0
Report = Callable[[dict[str, Any]], None]


def line(event: dict[str, Any]) -> str:
    """Return one progress event as text: phase, incumbent, bound, gap."""
    words = [str(event["phase"])]
    words += [f"{name} {figure(event[name])}" for name in ("incumbent", "bound") if event.get(name) is not None]
    if event.get("gap") is not None:
        words.append(f"gap {100.0 * event['gap']:.3g}%")
    return "  ".join(words)


class PlainProgress:
    """A line when the phase changes and every few seconds.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase = ""
        self._last_s = -PLAIN_EVERY_S

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event of the solve."""
        if event["phase"] == self._phase and event["t_s"] - self._last_s < PLAIN_EVERY_S:
            return
        self._phase, self._last_s = event["phase"], event["t_s"]
        print(f"{event['t_s']:7.1f} s  {line(event)}", file=self._stream, flush=True)


@contextmanager
def progress(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Report]:
    """Show progress while the block runs.

    Parameters
    ----------
    stream : text stream, optional
        Where to write, standard error by default.
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        Takes the events that `solver.solve` reports.
    """
    stream = stream or sys.stderr
    if quiet:
        yield lambda event: None
    elif stream.isatty():
        with _live(stream) as report:
            yield report
    else:
        yield PlainProgress(stream)


@contextmanager
def _live(stream: TextIO) -> Iterator[Report]:
    """One line that is drawn again and again, and gone at the end."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("reading")
        yield lambda event: bar.update(task, description=line(event))


@contextmanager
def stop_on_interrupt(stream: TextIO | None = None) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request to stop, and leave the second to the system.

    Yields
    ------
    callable
        True once a stop was asked for.
    """
    asked = False
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print(
            "\nstopping with the best build so far; Ctrl-C again quits at once", file=stream or sys.stderr, flush=True
        )

    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Keep what compiled libraries print off standard output while the block runs.

    HiGHS greets once a process, before it can be told not to; standard output is for the result.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
