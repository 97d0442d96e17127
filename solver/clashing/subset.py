"""Limits that clash and of which none can be left out: HiGHS' irreducible infeasible subset, or by deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from solver.clashing.limits import DEVICE, FLOOR, PLATFORM, RESOURCE, Limit
from solver.clashing.programs import ANY, PHYSICS, Case, least, nodes, program_of, relaxed_point
from solver.clashing.relax import without
from solver.highs import DUAL, INFEASIBLE, OPTIMAL, Program, load
from solver.shares import SHARES

IIS, DELETION = "lp iis", "deletion"
IRREDUCIBLE = 4 + 2
"""Strategy of HiGHS: an irreducible subset of the LP, its rows before its columns."""
IIS_TIME_S = 5.0
"""Seconds that HiGHS may take for its subset; deletion does without."""
ROWS = {PLATFORM: "within_platform_supply", DEVICE: "within_device_supply", RESOURCE: "within_limit"}
SHARED = {"build.max_share_per_vendor": "spread_over_vendors", "build.min_platform_mw_frac": "build_no_slivers",
          "build.spares_days": "keep_spares", "build.n_plus_one": "keep_spares", "build.max_platforms": "choose_few",
          "build.max_device_kinds": "choose_few_devices"}  # fmt: skip
"""Limits that a whole component holds."""


@dataclass(frozen=True)
class Subset:
    """Names that clash.

    Attributes
    ----------
    ids : tuple of str
        Keys of the study and names of `PHYSICS`; none of them can be left out.
    witness : str
        `IIS` where the relaxation clashes already, `DELETION` where only whole numbers do.
    iis : tuple of str
        The names in HiGHS' own subset, empty where it gave none.
    whole : bool
        False where time ended before every name was tried.
    """

    ids: tuple[str, ...]
    witness: str
    iis: tuple[str, ...] = ()
    whole: bool = True


def clashing(case: Case, limits: Sequence[Limit], essential: Sequence[Limit] = ()) -> Subset:
    """Return limits that cannot all be kept, though any of them could be if one other were left out.

    Parameters
    ----------
    case : Case
    limits : sequence of Limit
    essential : sequence of Limit
        Whose relaxation alone gives a build: they are part of every such set and not tried.
    """
    data = case.make(case.scenario)
    linear = relaxed_point(data, something=case.something, clock=case.clock) == INFEASIBLE
    iis = subset_of_rows(case, limits) if linear else ()
    by_id: dict[str, Limit | None] = {**dict.fromkeys(PHYSICS), **{limit.id: limit for limit in limits}}
    sure = {limit.id for limit in essential}
    # Where HiGHS names a subset of the relaxation, the names outside it are tried first.
    order = sorted(
        (name for name in by_id if name not in sure), key=lambda name: (name in iis, by_id[name] is not None)
    )
    left_out: list[str] = []
    sure_of_all = True
    for name in order:
        without_it = None if case.clock.stop() else _clash_without(case, by_id, [*left_out, name], linear=linear)
        sure_of_all &= without_it is not None
        if without_it:
            left_out.append(name)
    ids = [name for name in by_id if name not in left_out]
    if not sure_of_all:
        ids = [name for name in ids if by_id[name] is not None]
    witness = IIS if linear and iis and set(ids) <= set(iis) else DELETION
    return Subset(tuple(ids), witness, iis, whole=sure_of_all)


def _clash_without(case: Case, by_id: dict[str, Limit | None], names: Sequence[str], *, linear: bool) -> bool | None:
    """Whether there is no build though some limits are left out; None where that is not known."""
    scenario, physics = case.scenario, []
    for name in names:
        limit = by_id[name]
        if limit is None:
            physics.append(name)
        else:
            scenario = without(limit, scenario)
    if linear:
        data = case.make(scenario)
        status = relaxed_point(data, something=case.something, clock=case.clock, without=physics)
        return status == INFEASIBLE if status in (INFEASIBLE, OPTIMAL) else None
    answer = least(case, scenario, gap=ANY, without=physics)
    return False if answer.found else True if answer.status == INFEASIBLE else None


def subset_of_rows(case: Case, limits: Sequence[Limit]) -> tuple[str, ...]:
    """Return the names of the rows and bounds in HiGHS' irreducible infeasible subset of the relaxation.

    Parameters
    ----------
    case : Case
    limits : sequence of Limit
    """
    _, program = program_of(case.make(case.scenario), nodes, something=case.something)
    highs = load(program, program.costs[0], 0.0, program.upper, integer=False, clock=case.clock)
    highs.setOptionValue("simplex_strategy", DUAL)
    highs.run()
    highs.setOptionValue("iis_strategy", IRREDUCIBLE)
    highs.setOptionValue("iis_time_limit", IIS_TIME_S)
    status, iis = highs.getIis()
    if status == highspy.HighsStatus.kError or not iis.valid_:
        return ()
    rows = {program.rows[k].constraint.parent_component().local_name: None for k in iis.row_index_}
    indexed = {
        (c.parent_component().local_name, c.index()) for c in (program.rows[k].constraint for k in iis.row_index_)
    }
    bounds = {program.variables[k].parent_component().local_name for k in iis.col_index_}
    shares = {share.path: share.id for share in SHARES.values()}
    names = [name for name, held in PHYSICS.items() if any(row in rows for row in held)]
    for limit in limits:
        if limit.kind == FLOOR:
            there = "keep_floor" in rows or ("scale" in bounds and _binds_below(program, iis))
        elif limit.kind in ROWS:
            there = (ROWS[limit.kind], limit.about) in indexed
        elif limit.id in shares:
            there = ("rest_on_few_estimates", shares[limit.id]) in indexed
        else:
            there = SHARED[limit.id] in rows
        names += [limit.id] if there else []
    return tuple(names)


def _binds_below(program: Program, iis: Any) -> bool:
    """True where the lower bound of the scale of the mix is in the subset."""
    lower = {int(highspy.IisBoundStatus.kIisBoundStatusLower), int(highspy.IisBoundStatus.kIisBoundStatusBoxed)}
    for column, bound in zip(iis.col_index_, iis.col_bound_, strict=True):
        if program.variables[column].local_name == "scale":
            return int(bound) in lower and bool(np.isfinite(program.lower[column]))
    return False
