"""Ways to compare: saved runs beside each other, and a range of one input."""

from __future__ import annotations

from collections.abc import Callable

from solver.ui.comparing.ranges import sweep
from solver.ui.comparing.runs import beside, saved

WAYS: dict[str, Callable[[], None]] = {"beside": beside, "sweep": sweep, "saved": saved}
