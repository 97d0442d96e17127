"""Why a study has no build: lines for the screen and the section `clashes` of the answer."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from solver.candidate import Dropped
from solver.clashing.inputs import Contradiction
from solver.clashing.joint import joint_relaxation
from solver.clashing.limits import FLOOR, Limit, named_limits
from solver.clashing.programs import Case
from solver.clashing.promises import Promise, loosened, unkept
from solver.clashing.relax import Relaxation, feasible_with, single_relaxations
from solver.clashing.subset import DELETION, Subset, clashing
from solver.clashing.words import clash_line, class_lines, joint_line, loosened_lines, single_line
from solver.design import Record
from solver.errors import TierwattError
from solver.highs import Clock
from solver.model.data import ModelData
from solver.scenario import Scenario

SHARE, LEAST_S, MOST_S = 0.2, 2.0, 60.0
"""Share of the study's time that an explanation may take, and its bounds in seconds."""
INPUT, CANDIDATES = "input", "candidates"
"""Witnesses that take no solve."""
FAILURES = (TierwattError, RuntimeError, ValueError, ArithmeticError, LookupError)
"""What an explanation may not raise: it then says what is known."""
QUEUES = (
    "the limits leave room for a build, but none was found in which as many replicas stand as share a queue "
    "(build.router_width); a narrower one may have a build"
)
UNTOLD = "no build keeps all limits; time ended before it was known which of them clash"


@dataclasses.dataclass
class Told:
    """What is known of why there is no build; filled step by step, so that it holds when time ends."""

    lines: list[str] = dataclasses.field(default_factory=list)
    clashing: Subset | None = None
    witness: str = ""
    inputs: list[Contradiction] = dataclasses.field(default_factory=list)
    singles: list[Relaxation] = dataclasses.field(default_factory=list)
    joint: list[Relaxation] = dataclasses.field(default_factory=list)
    joint_share: float | None = None
    joint_kept: list[Relaxation] = dataclasses.field(default_factory=list)
    classes: list[Promise] = dataclasses.field(default_factory=list)
    promises: list[Promise] = dataclasses.field(default_factory=list)
    finished: bool = False
    build: bool = False
    """True where the limits have a build after all, so that something else is in the way."""
    began: float = dataclasses.field(default_factory=time.perf_counter)

    def record(self) -> Record:
        """Return the section `clashes`."""
        found = self.clashing
        ids = list(found.ids) if found else list(dict.fromkeys(item.id for item in self.inputs))
        return {
            "clashing": ids,
            "witness": found.witness if found else self.witness,
            "iis": list(found.iis) if found else [],
            "inputs": [item.record() for item in self.inputs],
            "single": [single.record() for single in self.singles],
            "joint": [j.record() for j in self.joint],
            "joint_share": self.joint_share,
            "joint_serving": [j.record() for j in self.joint_kept],
            "classes": [p.record() for p in self.classes],
            "promises": [p.record() for p in self.promises],
            "finished": self.finished,
            "seconds": round(time.perf_counter() - self.began, 3),
        }


def clock_of(clock: Clock, time_limit_s: float) -> Clock:
    """Return the clock of an explanation: a share of the study's time from now, stopped and reported like the rest.

    Parameters
    ----------
    clock : Clock
        Of the solve.
    time_limit_s : float
        Of the study.
    """
    ends = clock.elapsed_s + min(MOST_S, max(LEAST_S, SHARE * time_limit_s))
    return dataclasses.replace(clock, time_limit_s=ends, stopped_by="", last_report=(-1.0, "", None))


def part_of(clock: Clock, parts: float) -> Clock:
    """Return a clock for one of so many parts of what time is left."""
    left = max(0.0, clock.time_limit_s - clock.elapsed_s)
    return dataclasses.replace(clock, time_limit_s=clock.elapsed_s + left / parts)


def told_inputs(found: Sequence[Contradiction]) -> Told:
    """Return what contradictions tell by themselves."""
    return Told([item.line for item in found], witness=INPUT, inputs=list(found), finished=True)


def told_classes(
    data: ModelData, make: Callable[[Scenario], ModelData], dropped: Sequence[Dropped], clock: Clock
) -> Told:
    """Return why classes that must be served cannot be, without any solve.

    Parameters
    ----------
    data : ModelData
    make : callable
        Columns of a scenario, of which only some classes are asked.
    dropped : sequence of Dropped
    clock : Clock
    """
    told, missing = Told(witness=CANDIDATES), data.missing_roles
    scenario = data.scenario
    fallback = {w.id: _no_rows(scenario, w.model_id, w.weight_precisions) for w in scenario.workloads}
    try:
        told.classes = unkept(scenario, make, missing, dropped, clock)
        told.finished = not clock.stopped_by
    except FAILURES:
        told.finished = False
    told.lines = class_lines(told.classes, missing, fallback)
    told.lines += [
        f"{name}, {role}: no more than {width} replicas stand behind its router, which makes waits longer"
        for (name, role), width in scenario.widths.items() if name in missing
    ]  # fmt: skip
    return told


def _no_rows(scenario: Scenario, model: str, precisions: Sequence[str]) -> str:
    """Why a class has no candidates that could have been dropped."""
    return f"no accelerator that may be bought runs {model} in {', '.join(precisions)}"


def told_limits(case: Case, first: Sequence[str] = ()) -> Told:
    """Return which limits clash, what each would have to be, and the least change of all of them.

    Parameters
    ----------
    case : Case
    first : sequence of str
        Lines that are known already.
    """
    told = Told(witness=DELETION)
    limits = named_limits(case.make(case.scenario))
    try:
        _ask(told, case, limits)
        told.finished = not case.clock.stop() and all(s.enough_alone is not None for s in told.singles)
    except FAILURES:
        told.finished = False
    told.lines = [*first, *_lines(told, limits, named=bool(first))]
    return told


def _ask(told: Told, case: Case, limits: Sequence[Limit]) -> None:
    """Ask everything, the most telling first."""
    clock = case.clock
    if case.something and feasible_with(dataclasses.replace(case, clock=part_of(clock, 3)), {}):
        told.build = True
        return
    for n, limit in enumerate(limits):
        part = dataclasses.replace(case, clock=part_of(clock, len(limits) - n + 3))
        told.singles += single_relaxations(part, [limit])
    essential = [s.limit for s in told.singles if s.enough_alone and s.needed != s.limit.allowed]
    part = dataclasses.replace(case, clock=part_of(clock, 3))
    if not essential and not case.something and feasible_with(part, {}):
        told.build = True
        return
    clock.report("which limits clash", None, None, None)
    told.clashing = clashing(dataclasses.replace(case, clock=part_of(clock, 3)), limits, essential)
    if clock.stop():
        return
    clock.report("the least change of all limits", None, None, None)
    told.joint, share = joint_relaxation(dataclasses.replace(case, clock=part_of(clock, 2)), limits, told.singles)
    told.joint_share = share if told.joint else None
    if any(j.limit.kind == FLOOR for j in told.joint) and not clock.stop():
        others = [limit for limit in limits if limit.kind != FLOOR]
        singles = [s for s in told.singles if s.limit.kind != FLOOR]
        told.joint_kept, _ = joint_relaxation(dataclasses.replace(case, clock=part_of(clock, 2)), others, singles)
    told.promises = loosened(case)


def _lines(told: Told, limits: Sequence[Limit], *, named: bool) -> list[str]:
    """What is known, in words."""
    if told.build:
        return [QUEUES]
    lines: list[str] = []
    names = told.clashing.ids if told.clashing else ()
    if told.clashing and names and not named:
        lines.append(clash_line(names, limits, known=told.clashing.whole))
    alone = [s for s in told.singles if s.enough_alone and s.needed != s.limit.allowed]
    open_ones = [s for s in told.singles if s.enough_alone is None and s.rules_out_what_is_asked]
    lines += [single_line(s) for s in (*alone, *open_ones)]
    short = [s.limit.id for s in told.singles if s.enough_alone is False and s.limit.id in names]
    if short:
        lines.append(f"not enough alone, however loose: {', '.join(short)}")
    if len(told.joint) > 1:
        lines.append(joint_line(told.joint, kept=False))
    if told.joint_kept and not (
        len(told.joint_kept) == 1 and told.joint_kept[0].limit.id in {s.limit.id for s in alone}
    ):
        lines.append(joint_line(told.joint_kept, kept=True))
    lines += loosened_lines(told.promises)
    return lines or ([] if named else [UNTOLD])
