"""Questions about an answer, shared by two processes.

HiGHS solves these programs on one core, and the questions do not wait for each other: a second process (a new
interpreter, so that whoever calls needs no guard in a script of his own) makes the study's program for itself and takes
questions from the same list. One that it fails to answer goes back to the list and is answered here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pyomo.common.gc_manager import PauseGC

from solver.explaining.sections import SECTIONS, WHOLE
from solver.explaining.subject import Subject
from solver.highs import Clock
from solver.solve import columns_of, known_of

PACKAGES = Path(__file__).resolve().parents[2]
"""Where the other process finds this package, wherever it is started."""
Key = tuple[str, str]
"""Section and question."""
WORTH_S = 6.0
"""Seconds that a study took to solve from which on a second process is worth starting."""


class _List:
    """Questions that are still open, taken from the front."""

    def __init__(self) -> None:
        self._open: deque[Key] = deque()
        self._changed = threading.Condition()
        self._away = 0
        self._last = False
        self.answers: dict[Key, Any] = {}

    def add(self, keys: Sequence[Key], *, last: bool = False) -> None:
        """Put questions at the end; after the last ones, waiting for more is over."""
        with self._changed:
            self._open.extend(keys)
            self._last = self._last or last
            self._changed.notify_all()

    def take(self, *, wait: bool, away: bool) -> Key | None:
        """Return the next question; None where there is none, and none may come back."""
        with self._changed:
            while not self._open:
                if not wait or (self._last and (away or not self._away)):
                    return None
                self._changed.wait(0.2)
            self._away += away
            return self._open.popleft()

    def answered(self, key: Key, answer: Any, *, away: bool) -> None:
        """Keep an answer."""
        with self._changed:
            self.answers[key] = answer
            self._away -= away
            self._changed.notify_all()

    def returned(self, key: Key) -> None:
        """Take back a question that was not answered elsewhere."""
        with self._changed:
            self._away -= 1
            self._open.append(key)
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait or take any more."""
        with self._changed:
            self._open.clear()
            self._last = True
            self._changed.notify_all()


class _Mate:
    """The other process, and the thread that hands it questions."""

    def __init__(self, subject: Subject, listed: _List) -> None:
        self._listed = listed
        found = os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "solver.explaining.crew"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": found}, start_new_session=True,  # an interrupt is for whoever asks
        )  # fmt: skip
        self._thread = threading.Thread(target=self._serve, args=(subject,), daemon=True)
        self._thread.start()

    def _serve(self, subject: Subject) -> None:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        try:
            _send(asked, (
                subject.study, subject.catalog, subject.design, subject.options, subject.clock.left_s,
                known_of(subject.make),
            ))  # fmt: skip
        except OSError:
            return
        while (key := self._listed.take(wait=True, away=True)) is not None:
            try:
                _send(asked, key)
                good, answer = pickle.load(answers)
            except (OSError, EOFError, pickle.UnpicklingError):
                self._listed.returned(key)
                return
            if good:
                self._listed.answered(key, answer, away=True)
            else:
                self._listed.returned(key)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # a pipe to a process that died cannot take what was left for it
                if pipe is not None:
                    pipe.close()


def answers_to(subject: Subject, sections: Sequence[str]) -> dict[str, Any]:
    """Return sections by id; those that a stop or the time cut short are missing.

    Parameters
    ----------
    subject : Subject
    sections : sequence of str
        Ids of `SECTIONS`.
    """
    chosen = [SECTIONS[name] for name in dict.fromkeys(sections)]
    listed = _List()
    listed.add([(s.id, WHOLE) for s in chosen if s.whole])
    several = sum(1 if s.whole else 2 for s in chosen) > 1
    mate = _Mate(subject, listed) if several and _is_worth_it(subject) else None
    try:
        asked = {s.id: dict(s.questions(subject)) for s in chosen}
        listed.add([(s.id, key) for s in chosen if not s.whole for key in asked[s.id]], last=True)
        while not subject.clock.stop() and (key := listed.take(wait=True, away=False)) is not None:
            listed.answered(key, asked[key[0]][key[1]](), away=False)
    finally:
        listed.close()
        if mate is not None:
            mate.end()
    found = {}
    for section in chosen:
        answers = [listed.answers.get((section.id, key)) for key in asked[section.id]]
        if all(answer is not None for answer in answers):
            found[section.id] = section.gathered(subject, answers)
    return found


def _is_worth_it(subject: Subject) -> bool:
    """True where a second process would gain more than it costs to start."""
    took = float(subject.design.solver.get("seconds", {}).get("total_s") or 0.0)
    return took >= WORTH_S and subject.clock.threads > 1 and (os.cpu_count() or 1) > 1


def _send(pipe: IO[bytes], thing: Any) -> None:
    pickle.dump(thing, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    study, catalog, design, options, left_s, made = pickle.load(asked)
    subject = Subject(study, catalog, design, columns_of(made), Clock(left_s, study.solver.threads), options)
    known: dict[str, Any] = {}
    while True:
        try:
            section, key = pickle.load(asked)
        except EOFError:
            return
        try:
            if section not in known:
                known[section] = SECTIONS[section].questions(subject)
            answer = True, known[section][key]()
        except Exception as error:  # whoever asked answers it himself, and sees what is wrong
            answer = False, repr(error)
        _send(answers, answer)


def main() -> None:
    """Serve whoever started this process, over its pipes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    with PauseGC():
        _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
