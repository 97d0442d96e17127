"""Promises that nothing keeps: what came nearest, in numbers, and the smallest promise that can be kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from solver.candidate import Dropped
from solver.clashing.programs import ANY, Case, least, relaxed_point
from solver.design import Record
from solver.enumeration.account import TPOT, TTFT
from solver.highs import INFEASIBLE, Clock
from solver.model.data import ModelData
from solver.scenario import Scenario
from solver.workload import Workload

FAR = 1e3
"""Times a promise: as good as none."""
NEAR = 0.008
"""Relative width of the range in which the smallest promise lies at which to stop."""
STEPS = 16
SHORT_TOKENS = 64.0
"""A prompt that every class can have."""
MANY = 0.25
"""Share of the candidates of the chief reason that another has to exclude to be named beside it."""
PROMPT = "isl_tokens"
FIRST = (1.001, 1.05, 1.3, 2.0, 4.0, 16.0, 64.0)
"""Times the nearest candidate that are tried first."""
NAMES = {"ttft": ("ttft_s", TTFT, "fastest"), "tpot": ("tpot_s", TPOT, "fastest")}
"""Promise -> its key, why candidates are dropped for it, and the word for the nearest."""


@dataclasses.dataclass(frozen=True)
class Promise:
    """A promise of a class that stands in the way.

    Attributes
    ----------
    workload, role : str
        Class, and what nobody can do for it; empty where it could be served within other limits.
    promise : str
        ttft, tpot, or what else excludes all candidates, in words.
    asked, nearest : float
        In `unit`: asked for or there, and what the nearest candidate needs.
    needed, bound : float or None
        The smallest promise found with which there is a candidate or a build; none below `bound` does.
    unit, where : str
    enough_alone : bool or None
        True where no other promise has to give way.
    """

    workload: str
    role: str
    promise: str
    asked: float
    nearest: float | None
    needed: float | None
    bound: float | None
    unit: str = "s"
    where: str = ""
    enough_alone: bool | None = None

    def record(self) -> Record:
        """Return it as plain data."""
        return {
            "class": self.workload,
            "role": self.role,
            "promise": self.promise,
            "asked": self.asked,
            "nearest": self.nearest,
            "needed": self.needed,
            "needed_bound": self.bound,
            "unit": self.unit,
            "where": self.where,
            "enough_alone": self.enough_alone,
        }


def promises_of(work: Workload) -> dict[str, float]:
    """Return the promises of a class, in seconds."""
    values = {"ttft": work.ttft_s, "tpot": work.tpot_s}
    return {name: value for name, value in values.items() if value is not None}


def with_promises(scenario: Scenario, workload: str, values: dict[str, float]) -> Scenario:
    """Return the scenario with other promises of a class.

    Parameters
    ----------
    scenario : Scenario
    workload : str
    values : dict
        ttft and tpot, in seconds.
    """
    keys = {f"{name}_s": value for name, value in values.items()}
    works = tuple(
        dataclasses.replace(w, **keys) if w.id == workload else w  # type: ignore[arg-type]
        for w in scenario.workloads
    )
    specs = [w.model_copy(update=keys) if w.id == workload else w for w in scenario.study.workload]
    return dataclasses.replace(scenario, workloads=works, study=scenario.study.model_copy(update={"workload": specs}))


def unkept(
    scenario: Scenario,
    make: Callable[[Scenario], ModelData],
    missing: dict[str, list[str]],
    dropped: Sequence[Dropped],
    clock: Clock,
) -> list[Promise]:
    """Return, for every class that nothing can serve, what stands in the way and the smallest promise that does not.

    Parameters
    ----------
    scenario : Scenario
    make : callable
        Columns of a scenario.
    missing : dict
        Class -> roles that nothing can take.
    dropped : sequence of Dropped
    clock : Clock
    """
    found = []
    for work in (w for w in scenario.workloads if w.id in missing):
        clock.report(f"what {work.id} would need", None, None, None)
        mine = {d.reason: d for d in dropped if d.workload == work.id}
        found += _of_class(scenario, make, work, " or ".join(missing[work.id]), mine, clock)
    return found


def _of_class(
    scenario: Scenario,
    make: Callable[[Scenario], ModelData],
    work: Workload,
    role: str,
    mine: dict[str, Dropped],
    clock: Clock,
) -> list[Promise]:
    """What stands in the way of one class."""
    asked = promises_of(work)
    only = dataclasses.replace(scenario, workloads=(work,), study=scenario.study.model_copy(
        update={"workload": [w for w in scenario.study.workload if w.id == work.id]}))  # fmt: skip

    def served(values: dict[str, float]) -> bool:
        return not make(with_promises(only, work.id, values)).missing_roles

    search = _Search(work, role, mine, served, clock)
    far = {name: FAR * value for name, value in asked.items()}
    alone = [name for name in asked if len(asked) > 1 and served({name: far[name]})]
    if not alone and asked and served(far):
        alone = list(asked) if len(asked) == 1 else []
        if not alone:
            return search.both(far)
    if alone:
        return [search.smallest(name) for name in alone]
    if too_long := _too_long(only, make, work, role, clock):
        return [too_long]
    # Candidates are dropped for the first thing they lack: what most of them lack is what stands in the way.
    other = sorted((d for reason, d in mine.items() if reason not in (TTFT, TPOT)), key=lambda d: -d.count)
    other = [d for d in other if d.count >= MANY * other[0].count]
    return [
        Promise(work.id, role, d.reason, d.needed, d.nearest if math.isfinite(d.nearest) else None, None, None, d.unit,
                d.where)
        for d in other
    ]  # fmt: skip


def _too_long(
    only: Scenario, make: Callable[[Scenario], ModelData], work: Workload, role: str, clock: Clock
) -> Promise | None:
    """The longest prompt that can be served where this class's own leaves no room for its KV cache; None elsewhere."""

    def served(isl: float) -> bool:
        short = dataclasses.replace(
            work, isl=isl, system_tokens=work.system_tokens * isl / work.isl, longest_isl=max(isl, work.longest_isl)
        )
        far = {f"{name}_s": FAR * value for name, value in promises_of(work).items()}
        short = dataclasses.replace(short, **far)  # type: ignore[arg-type]
        return not make(dataclasses.replace(only, workloads=(short,))).missing_roles

    good, bad = SHORT_TOKENS, work.isl
    if bad <= good or not served(good):
        return None
    while bad > good * (1.0 + NEAR) and not clock.stop():
        middle = math.floor(math.sqrt(good * bad))
        good, bad = (middle, bad) if served(middle) else (good, middle)
    return Promise(work.id, role, PROMPT, work.isl, None, good, bad, "tokens", enough_alone=True)


@dataclasses.dataclass(frozen=True)
class _Search:
    """Looks for the smallest promises at which one class can be served.

    Attributes
    ----------
    work, role : Workload, str
        The class, and what nobody can do for it.
    mine : dict
        Why candidates of the class were dropped -> what was nearest.
    served : callable
        Whether some of its promises, put in place of its own, can be kept.
    clock : Clock
    """

    work: Workload
    role: str
    mine: dict[str, Dropped]
    served: Callable[[dict[str, float]], bool]
    clock: Clock

    def both(self, far: dict[str, float]) -> list[Promise]:
        """Promises that have to give way together: the smallest of one without the other, then the other beside it."""
        first = self.smallest("ttft", {"tpot": far["tpot"]})
        return [first, self.smallest("tpot", {"ttft": first.needed if first.needed is not None else far["ttft"]})]

    def smallest(self, name: str, beside: dict[str, float] | None = None) -> Promise:
        """The smallest promise of one kind, with others beside it that have to give way as well."""
        asked, near = promises_of(self.work)[name], self.mine.get(NAMES[name][1])
        ratio = near.ratio if near is not None and math.isfinite(near.ratio) else 1.0
        low, high = smallest_of(
            lambda value: self.served({**(beside or {}), name: value}), asked, max(1.0, ratio), self.clock
        )
        nearest = None if near is None or not math.isfinite(near.nearest) else near.nearest * asked / near.needed
        where = "" if near is None else near.where
        return Promise(
            self.work.id, self.role, name, asked, nearest, high, low, where=where, enough_alone=beside is None
        )


def smallest_of(
    there: Callable[[float], bool | None], asked: float, ratio: float, clock: Clock
) -> tuple[float, float | None]:
    """Return the largest value that is known not to do and the smallest that is known to, None where none is.

    Parameters
    ----------
    there : callable
        Whether a value does; None where that is not known.
    asked : float
        Which does not do.
    ratio : float
        Times `asked` where to look first.
    clock : Clock
    """
    low, high = asked, None
    for factor in FIRST:
        value = rounded(asked * ratio * factor)
        if clock.stop():
            return low, None
        if there(value):
            high = value
            break
        low = value
    if high is None:
        return low, None
    if low == asked and ratio > 1.0 and not there(high * (1.0 - NEAR)):
        return high * (1.0 - NEAR), high
    for _ in range(STEPS):
        if high <= low * (1.0 + NEAR) or clock.stop():
            break
        middle = rounded(math.sqrt(low * high))
        if not low < middle < high:
            break
        low, high = (low, middle) if there(middle) else (middle, high)
    return low, high


def rounded(value: float) -> float:
    """Return a promise of five digits, no smaller."""
    step = 10.0 ** (math.floor(math.log10(value)) - 4)
    return float(f"{math.ceil(value / step - 1e-9) * step:.6g}")


def loosened(case: Case) -> list[Promise]:
    """Return, for every promise of a study whose limits clash, whether a looser one gives it a build, and how loose.

    Parameters
    ----------
    case : Case
        Whose columns are made anew for each promise.
    """
    found = []
    for work in case.scenario.workloads:
        for name, asked in promises_of(work).items():
            case.clock.report(f"whether {name.upper()} of {work.id} stands in the way", None, None, None)
            found.append(_loosened(case, work, name, asked))
    return found


def _loosened(case: Case, work: Workload, name: str, asked: float) -> Promise:
    """Whether one promise stands in the way of a build, and the smallest that does not."""
    if case.clock.stop():
        return Promise(work.id, "", name, asked, None, None, None)

    def there(value: float) -> bool | None:
        scenario = with_promises(case.scenario, work.id, {name: value})
        if relaxed_point(case.make(scenario), something=case.something, clock=case.clock) == INFEASIBLE:
            return False
        answer = least(case, scenario, gap=ANY)
        return True if answer.found else False if answer.status == INFEASIBLE else None

    far = there(FAR * asked)
    if not far:
        return Promise(work.id, "", name, asked, None, None, None, enough_alone=far)
    low, high = smallest_of(there, asked, 1.0, case.clock)
    return Promise(work.id, "", name, asked, None, high or FAR * asked, low, enough_alone=True)
