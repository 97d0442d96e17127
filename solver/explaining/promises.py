"""What a step changes more of than the side of a row: promises and reuse shape candidates, shares coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solver.design import Record
from solver.scenario import Scenario
from solver.shares import SHARES, limited_shares


@dataclass(frozen=True)
class Promise:
    """A value of one class, or a share that rests on estimates, that the study may change.

    Attributes
    ----------
    id, name, unit : str
    path : str
        Key of the study.
    value : float
    used : float or None
        The part of it that the design uses.
    most : float
        It cannot be higher.
    """

    id: str
    name: str
    unit: str
    path: str
    value: float
    used: float | None
    most: float = float("inf")

    def changes(self, share: float) -> Mapping[str, Any]:
        """Return the change of the study that loosens it by a share."""
        return {self.path: self.value + self.step(share)}

    def step(self, share: float) -> float:
        """Return how much looser a share makes it."""
        return min(self.value * (1.0 + share), self.most) - self.value

    @property
    def taken(self) -> float:
        """Share of it that the design uses."""
        return 0.0 if self.used is None else self.used / self.value


def promises_of(
    scenario: Scenario, used: Mapping[str, Record], most: int | None
) -> tuple[list[Promise], list[Promise]]:
    """Return the promises and shares to be valued, those nearest to binding first, and the others.

    Parameters
    ----------
    scenario : Scenario
    used : mapping
        The design's limits by id.
    most : int, optional
        How many to value.
    """
    found = [
        Promise(share.path, share.name, "share", share.path, limit, used[share.path]["used"], most=1.0)
        for share, limit in ((SHARES[name], limit) for name, limit in limited_shares(scenario).items() if limit < 1.0)
        if share.path in used
    ]
    for work in scenario.workloads:
        for name, value, title in (("ttft", work.ttft_s, "TTFT"), ("tpot", work.tpot_s, "TPOT")):
            if value is None:
                continue
            identity = f"promise.{work.id}.{name}"
            spent = used.get(identity)
            path = f"workload.{work.id}.{name}_s"
            found.append(
                Promise(identity, f"{title} of {work.id}", "s", path, value, None if spent is None else spent["used"])
            )
        if work.reuse_curve and 0.0 < work.reuse_frac_max < 1.0:
            path = f"workload.{work.id}.reuse_frac_max"
            identity, name = f"reuse.{work.id}", f"prefix reuse of {work.id}"
            found.append(Promise(identity, name, "share", path, work.reuse_frac_max, None, most=1.0))
    ranked = sorted(found, key=lambda p: -p.taken)
    count = len(ranked) if most is None else most
    return ranked[:count], ranked[count:]
