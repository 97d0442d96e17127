"""How many replicas share a queue: no more than stand, found by solving again with the widths that stood.

Candidates are made for `build.router_width` replicas behind one router. Where a design runs fewer replicas of a load
entry than its width, the width of that class and role is lowered to what stands and the study is solved again.
Widths are only ever lowered, so this ends.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

from solver.design import Record
from solver.scenario import Scenario

Answer = TypeVar("Answer")
ROUNDS = 3
"""Solves that lower only what was too wide; the next one takes width 1 throughout."""
_ROUNDING = 1e-6
"""Part of a replica that a whole one may lack."""


class FewReplicasError(Exception):
    """Fewer replicas stand than share a queue.

    Parameters
    ----------
    widths : dict
        Class id and role -> replicas that stand.
    """

    def __init__(self, widths: dict[tuple[str, str], int]) -> None:
        self.widths = widths
        super().__init__(f"fewer replicas than share a queue: {widths}")


def check_widths(load: Sequence[Record]) -> None:
    """Compare the widths of load entries with their whole replicas.

    Raises
    ------
    FewReplicasError
        If an entry has fewer.
    """
    short: dict[tuple[str, str], int] = {}
    for item in load:
        stand = max(1, int(item["replicas"] + _ROUNDING))
        if stand < item["router_width"]:
            key = (item["class"], item["role"])
            short[key] = min(short.get(key, stand), stand)
    if short:
        raise FewReplicasError(short)


def with_widths_that_stand(scenario: Scenario, attempt: Callable[[Scenario], Answer]) -> Answer:
    """Return the answer of the first attempt whose widths stand.

    Parameters
    ----------
    scenario : Scenario
    attempt : callable
        Solves a scenario; raises `FewReplicasError`.
    """
    for _ in range(ROUNDS):
        try:
            return attempt(scenario)
        except FewReplicasError as few:
            scenario = dataclasses.replace(scenario, widths={**scenario.widths, **few.widths})
    ones = {(work.id, role): 1 for work in scenario.workloads for role in ("prefill", "mixed")}
    return attempt(dataclasses.replace(scenario, widths=ones))
