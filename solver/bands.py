"""How sure a design is: the regimes of evidence that its load sits in, and the band that their errors make.

Accelerators are what the regimes are weighed by: a build of a kept mix yields what its accelerator-seconds allow. If
those of a regime take ``spread`` times as long as predicted, all of them together take ``sum(share spread)`` times as
long, and the build serves the prediction over that. Errors of a regime point one way (the same model stands behind
them), so they do not average out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from solver.design import Record
from solver.physics.calibration import Calibration
from solver.points import EVIDENCE

Band = Literal["", "rate", "per_rate", "draw", "draw_per_rate"]
"""How a figure goes with throughput and power: not at all, as throughput, its inverse, power, power over it."""


@dataclass(frozen=True)
class Errors:
    """Predicted over measured of a whole design, low and high end, of throughput and of power."""

    rate: tuple[float, float]
    power: tuple[float, float]

    def ends(self, value: float, band: Band) -> tuple[float, float]:
        """Return the low and the high end of a figure.

        Errors of throughput and of power are taken as independent: their logarithms add as squares.
        """
        if band == "rate":
            return value / self.rate[1], value / self.rate[0]
        if band == "per_rate":
            return value * self.rate[0], value * self.rate[1]
        least, greatest = self.power
        if band == "draw":
            return value / greatest, value / least
        if band == "draw_per_rate":
            down = math.hypot(math.log(self.rate[0]), math.log(greatest))
            up = math.hypot(math.log(self.rate[1]), math.log(least))
            return value * math.exp(-down), value * math.exp(up)
        return value, value


def regime_shares(load: Iterable[Record]) -> dict[str, float]:
    """Return the share of the accelerators at work in each regime of evidence; 0 everywhere where none work."""
    found = dict.fromkeys(EVIDENCE, 0.0)
    for item in load:
        found[item["evidence"]] += item["replicas"] * item["tp"] * item["pp"] * item["dp"]
    total = sum(found.values())
    return {regime: count / total if total else 0.0 for regime, count in found.items()}


def errors_of(shares: Mapping[str, float], fit: Calibration) -> Errors:
    """Return the errors of a design whose accelerators at work lie in these shares of the regimes.

    A prediction lies in its own band: a regime that was always predicted too high or too low is widened to hold it.
    """
    found = {}
    for subject in ("throughput", "power"):
        low = high = 1.0
        for regime, share in shares.items():
            least, greatest = fit.spread(subject, regime)
            low -= share * max(0.0, 1.0 - least)
            high += share * max(0.0, greatest - 1.0)
        found[subject] = (low, high)
    return Errors(found["throughput"], found["power"])
