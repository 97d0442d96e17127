"""Where the subjects of the audit put what they found: a counter, the worst violation, and a line for each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from solver.errors import InputError

TOLERANCE = 1e-6
"""Relative violation that is forgiven: numbers pass through a linear program solved to about 1e-9."""
WORST = 1e9
"""Stands for a violation without bound (of a limit of zero, or not a number), so that reports stay plain JSON."""
_TINY = 1e-12


class Checks:
    """Counts checks and collects violations.

    Attributes
    ----------
    count : int
        Checks made so far.
    worst : float
        Largest relative violation; negative while everything has slack.
    unplaced : dict
        ``platform@cap`` -> accelerators of replicas that found no room in any node.
    """

    def __init__(self) -> None:
        self.count = 0
        self.worst = -math.inf
        self.unplaced: dict[str, float] = {}
        self._found: list[tuple[float, str]] = []

    def at_most(self, what: str, used: float, limit: float, unit: str = "", *, scale: float = 0.0) -> bool:
        """Check ``used <= limit``.

        Parameters
        ----------
        what : str
            What is checked, as it appears in a violation.
        used, limit : float
        unit : str
        scale : float
            Amount that a violation is at least set against, for limits near zero.
        """
        excess = (used - limit) / max(abs(limit), scale, _TINY)
        return self._note(excess, f"{what}: {_show(used)} is above {_show(limit)}", unit)

    def at_least(self, what: str, used: float, limit: float, unit: str = "", *, scale: float = 0.0) -> bool:
        """Check ``used >= limit``; parameters as in `at_most`."""
        excess = (limit - used) / max(abs(limit), scale, _TINY)
        return self._note(excess, f"{what}: {_show(used)} is below {_show(limit)}", unit)

    def equal(self, what: str, stated: float, true: float, unit: str = "", *, scale: float = 0.0) -> bool:
        """Check that what the design states is what the rows give."""
        off = abs(stated - true) / max(abs(true), scale, _TINY)
        return self._note(off, f"{what}: stated {_show(stated)}, recomputed {_show(true)}", unit)

    def true(self, what: str, holds: bool) -> bool:
        """Check a fact that is either so or not."""
        return self._note(-1.0 if holds else WORST, what, "")

    def _note(self, relative: float, text: str, unit: str) -> bool:
        """Count one check; anything that is not surely within the tolerance is a violation."""
        self.count += 1
        relative = WORST if math.isnan(relative) else min(relative, WORST)
        self.worst = max(self.worst, relative)
        if relative <= TOLERANCE:
            return True
        share = "" if relative >= WORST else f" (by {relative:.2g})"
        self._found.append((relative, f"{text}{f' {unit}' if unit else ''}{share}"))
        return False

    @contextmanager
    def subject(self, name: str) -> Iterator[None]:
        """Run one subject; a record or row that it cannot read is a violation, not a crash."""
        try:
            yield
        except KeyError as error:
            self.true(f"{name}: the design lacks {error}", False)
        except (TypeError, ValueError, ArithmeticError) as error:
            self.true(f"{name}: the design cannot be read: {error}", False)
        except InputError as error:
            for problem in error.problems:
                self.true(f"{name}: {problem}", False)

    def report(self) -> dict[str, Any]:
        """Return what `solver.audit.audit` returns, the worst violation first."""
        lines = [text for _, text in sorted(self._found, key=lambda pair: -pair[0])]
        return {
            "ok": not lines,
            "checks": self.count,
            "worst": self.worst if self.count else 0.0,
            "violations": lines,
            **({"unplaced": self.unplaced} if self.unplaced else {}),
        }


def _show(value: float) -> str:
    return f"{value:.9g}"
