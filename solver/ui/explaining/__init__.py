"""Sections of the page that explains an answer: one function each, in the order in which they are offered."""

from __future__ import annotations

from collections.abc import Callable

from solver.design import Design
from solver.ui.explaining.clashes import clashes as clashes
from solver.ui.explaining.front import tradeoffs
from solver.ui.explaining.numbers import formula
from solver.ui.explaining.parts import parts
from solver.ui.explaining.sections import binds, build, ladder, prices, uncertain
from solver.whatif.store import Run

SECTIONS: dict[str, Callable[[Run, Design], None]] = {
    "binds": binds, "ladder": ladder, "prices": prices, "parts": parts, "build": build,
    "tradeoffs": tradeoffs, "uncertain": uncertain, "formula": formula,
}  # fmt: skip
