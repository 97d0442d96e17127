"""The Pyomo model as sparse matrices, and HiGHS on them.

Compiling once and changing only bounds and costs keeps the full relaxation, the restricted search and the
proof on one and the same set of rows.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

GRACE_S = 5.0
"""Seconds an LP may take after the time limit, so that a point in hand becomes a design."""
SUSPECT_RULES = 1 << 6
"""Presolve rules of HiGHS 1.16 left out for integers: forcing rows.

With them, one in 600 random tiny models was called infeasible although it has points (1.13 to 1.16); without
them none of 6,000, and the reference study is solved along the same path in the same time.
"""

PATIENCE_S = 10.0
"""Seconds after which an LP is tried the other way: a point on the reference takes 3, that there is none minutes."""

TRICKLE = 1e-4
"""Share of the relaxation that integers a millionth off a whole number can carry: claims differ by as much.

A tighter tolerance is no way out: at 1e-7 HiGHS 1.16 calls poor points optimal.
"""
SUB_MIPS = ("mip_heuristic_run_rins", "mip_heuristic_run_rens", "mip_heuristic_run_root_reduced_cost")
"""Options of HiGHS for heuristics that search smaller programs: half of the time where only proof is missing."""

IMPLAUSIBLE_GAP = 0.05
"""A claimed optimum that is this share worse than the relaxation is confirmed by a second run with other rules."""

PRIMAL, DUAL, SCALE_BY_MAX, SCALE_BY_CHOICE = 4, 1, 4, 2
"""Simplex options of HiGHS.

From scratch the primal method on columns scaled by their largest value takes an eighth of the time of the usual choice
on the reference study; from a basis whose bounds have changed the dual method is at home.
"""

OPTIMAL, INFEASIBLE, UNBOUNDED, STOPPED, FAILED = "optimal", "infeasible", "unbounded", "stopped", "failed"


@dataclass(frozen=True)
class Program:
    """Rows and columns of a compiled model; every objective of the model is one row of `costs` (minimise).

    Attributes
    ----------
    costs : (K, N) array
    offsets : (K,) array
    start, index, value : arrays
        Rows in compressed sparse form.
    row_lower, row_upper : (M,) arrays
    lower, upper : (N,) arrays
    integer : (N,) array of bool
    variables : list of Pyomo variables, in column order
    rows : list of (constraint, bound type), in row order
    model : ConcreteModel
        What was compiled: variables and rows know their names and indices only while it lives.
    """

    costs: FloatArray
    offsets: FloatArray
    start: NDArray[np.int32]
    index: NDArray[np.int32]
    value: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    integer: BoolArray
    variables: list[Any]
    rows: list[Any]
    model: Any = None

    @property
    def row_numbers(self) -> dict[int, int]:
        """Number of each row by the id of its constraint; rows that were added to the program have none."""
        return {id(row.constraint): k for k, row in enumerate(self.rows) if row is not None}

    def columns(self, component: Any) -> NDArray[np.intp]:
        """Column numbers of a Pyomo variable component's data."""
        wanted = {id(data) for data in component.values()}
        return np.asarray([k for k, var in enumerate(self.variables) if id(var) in wanted], dtype=np.intp)


def compile_model(model: pyo.ConcreteModel) -> Program:
    """Compile a linear Pyomo model with all its active objectives (each turned into a minimisation)."""
    form = LinearStandardFormCompiler().write(model, mixed_form=True)
    matrix = form.A.tocsr()
    rhs = np.asarray(form.rhs, dtype=float)
    kind = np.asarray([row.bound_type for row in form.rows])
    return Program(
        costs=np.asarray(form.c.todense(), dtype=float),
        offsets=np.atleast_1d(np.asarray(form.c_offset, dtype=float)),
        start=matrix.indptr.astype(np.int32),
        index=matrix.indices.astype(np.int32),
        value=matrix.data.astype(float),
        row_lower=np.where(kind >= 1, -np.inf, rhs),
        row_upper=np.where(kind <= -1, np.inf, rhs),
        lower=np.asarray([-np.inf if v.lb is None else v.lb for v in form.columns], dtype=float),
        upper=np.asarray([np.inf if v.ub is None else v.ub for v in form.columns], dtype=float),
        integer=np.asarray([not v.is_continuous() for v in form.columns], dtype=bool),
        variables=list(form.columns),
        rows=list(form.rows),
        model=model,
    )


@dataclass
class Outcome:
    """What one run of HiGHS returned.

    Attributes
    ----------
    status : str
        optimal, infeasible, unbounded, stopped or failed.
    values : (N,) array or None
        The best feasible point.
    objective, bound : float
        In the sense of minimisation, offset included.
    reduced_costs, duals : arrays
        Of an LP; empty for a MIP.
    nodes : int
    """

    status: str
    values: FloatArray | None
    objective: float
    bound: float
    reduced_costs: FloatArray = field(default_factory=lambda: np.zeros(0))
    duals: FloatArray = field(default_factory=lambda: np.zeros(0))
    nodes: int = 0


@dataclass
class Clock:
    """Time limit, stop request and progress reports shared by all runs of one solve."""

    time_limit_s: float
    threads: int = 2
    on_progress: Callable[[dict[str, Any]], None] | None = None
    should_stop: Callable[[], bool] | None = None
    begun: float = field(default_factory=time.perf_counter)
    stopped_by: str = ""
    last_report: tuple[float, str, float | None] = (-1.0, "", None)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the solve began."""
        return time.perf_counter() - self.begun

    @property
    def left_s(self) -> float:
        """Seconds until the time limit; never less than what a last tidying LP needs."""
        return max(GRACE_S, self.time_limit_s - self.elapsed_s)

    def stop(self) -> bool:
        """True once the user asked to stop or the time is over."""
        if self.should_stop is not None and self.should_stop():
            self.stopped_by = "user"
        elif self.elapsed_s > self.time_limit_s:
            self.stopped_by = "time limit"
        return bool(self.stopped_by)

    def report(self, phase: str, incumbent: float | None, bound: float | None, gap: float | None) -> None:
        """Tell the caller how far the solve has come: at once when something is new, else twice a second."""
        if self.on_progress is None:
            return
        now = self.elapsed_s
        then, old_phase, old_incumbent = self.last_report
        if phase == old_phase and incumbent == old_incumbent and now - then < 0.5:
            return
        self.last_report = (now, phase, incumbent)
        self.on_progress({"t_s": now, "phase": phase, "incumbent": incumbent, "bound": bound, "gap": gap})


def solve_lp(
    program: Program, cost: FloatArray, offset: float, clock: Clock, upper: FloatArray | None = None
) -> Outcome:
    """Solve the linear relaxation.

    Parameters
    ----------
    program : Program
    cost : (N,) array
    offset : float
    clock : Clock
    upper : (N,) array, optional
        Upper bounds in place of the program's.
    """
    highs = load(program, cost, offset, program.upper if upper is None else upper, integer=False, clock=clock)
    return run_lp(highs)


def run_lp(highs: highspy.Highs) -> Outcome:
    """Run an LP; where HiGHS (1.16) ends without a verdict or takes long, as it may where there is no point, otherwise.

    The dual method sees in a second that there is no point where the primal one goes on for minutes. What that had
    reached is kept meanwhile.
    """
    ends, primal = (float(highs.getOptionValue(name)[1]) for name in ("time_limit", "simplex_strategy"))
    if int(primal) == PRIMAL and ends - highs.getRunTime() > PATIENCE_S:
        highs.setOptionValue("time_limit", highs.getRunTime() + PATIENCE_S)
        highs.run()
        if status_of(highs) == STOPPED:
            basis = highs.getBasis()
            _again(highs, DUAL, SCALE_BY_MAX, min(ends, highs.getRunTime() + PATIENCE_S / 2.0))
            if status_of(highs) not in (OPTIMAL, INFEASIBLE):
                highs.clearSolver()
                highs.setBasis(basis)
                _again(highs, PRIMAL, SCALE_BY_MAX, ends, anew=False)
    else:
        highs.run()
    for strategy, scale in ((PRIMAL, SCALE_BY_MAX), (DUAL, SCALE_BY_CHOICE)):
        if status_of(highs) == FAILED:
            _again(highs, strategy, scale, ends)
    highs.setOptionValue("simplex_scale_strategy", SCALE_BY_MAX)
    status = status_of(highs)
    if status != OPTIMAL:
        return Outcome(status, None, np.nan, np.nan)
    solution, value = highs.getSolution(), highs.getInfo().objective_function_value
    return Outcome(
        OPTIMAL,
        np.asarray(solution.col_value),
        value,
        value,
        np.asarray(solution.col_dual),
        np.asarray(solution.row_dual),
    )


def _again(highs: highspy.Highs, strategy: int, scale: int, ends: float, *, anew: bool = True) -> None:
    """Run an LP by another method."""
    if anew:
        highs.clearSolver()
    highs.setOptionValue("simplex_strategy", strategy)
    highs.setOptionValue("simplex_scale_strategy", scale)
    highs.setOptionValue("time_limit", ends)
    highs.run()


def solve_mip(
    program: Program,
    cost: FloatArray,
    offset: float,
    clock: Clock,
    *,
    upper: FloatArray,
    gap: float,
    absolute_gap: float = 0.0,
    time_limit_s: float = np.inf,
    start: FloatArray | None = None,
    report: Callable[[float, float], None] | None = None,
    relaxed: float = np.nan,
    heuristics: bool = True,
    target: float = -np.inf,
    points_first: bool = False,
) -> Outcome:
    """Solve with integers; stops at the gap, the time, or on request with the best point kept.

    HiGHS is not taken at its word. Its presolve can map a starting point to a better reduced one, report that
    objective and return the start (1.16), call a feasible program infeasible (see `SUSPECT_RULES`), or call a
    point optimal that is not (an empty build, where others had thousands of nodes). So an objective that is not
    that of the point, a claim that there is no point, and an optimum far from the relaxation are tried again
    without the start, with all presolve rules and then without presolve; what we hold meanwhile carries no bound.

    Parameters
    ----------
    program, cost, offset, clock
        As in `solve_lp`.
    upper : (N,) array
        Upper bounds; 0 takes a column out.
    gap, absolute_gap : float
        Relative and absolute distance to the bound at which to stop.
    time_limit_s : float
        Of this run, within the clock's.
    start : (N,) array, optional
        A feasible point.
    report : callable(objective, bound), optional
        Called as the search goes on.
    relaxed : float, optional
        Objective of the relaxation, to judge a claimed optimum by.
    heuristics : bool
        False leaves sub-MIPs out of runs with a start: only the bound is to be raised.
    target : float
        Objective at which any point will do.
    points_first : bool
        True where a good point is wanted and not a proof: sub-MIPs may take all the time, and no search begins anew.
    """
    limit = max(0.1, min(time_limit_s, clock.time_limit_s - clock.elapsed_s))
    ends = clock.elapsed_s + limit
    held: Outcome | None = None
    claims: list[tuple[tuple[str, int], Outcome]] = []
    attempts = [(start, "choose", SUSPECT_RULES)] * (start is not None)
    attempts += [(None, "choose", SUSPECT_RULES), (None, "choose", 0), (None, "off", SUSPECT_RULES)]
    for first, presolve, rules_off in attempts:
        highs = load(program, cost, offset, upper, integer=True, clock=clock)
        highs.setOptionValue("mip_rel_gap", gap)
        highs.setOptionValue("mip_abs_gap", max(absolute_gap, 1e-9))
        highs.setOptionValue("presolve", presolve)
        highs.setOptionValue("presolve_rule_off", rules_off)
        highs.setOptionValue("time_limit", max(0.1, ends - clock.elapsed_s))
        if np.isfinite(target):
            highs.setOptionValue("objective_target", target)
        if points_first:
            highs.setOptionValue("mip_heuristic_effort", 1.0)
            highs.setOptionValue("mip_allow_restart", False)
        if first is not None and not heuristics:
            for option in SUB_MIPS:
                highs.setOptionValue(option, False)
            highs.setOptionValue("mip_heuristic_effort", 0.0)
        outcome = _run_mip(highs, first, clock, report)
        if outcome.values is None:
            if outcome.status != INFEASIBLE or presolve == "off":
                return held or outcome
            continue
        honest = float(cost @ outcome.values + offset)
        if abs(honest - outcome.objective) <= 1e-6 * max(1.0, abs(honest)):
            plausible = not outcome.objective - relaxed > IMPLAUSIBLE_GAP * abs(relaxed)
            agreed = [
                claim for way, claim in claims if way != (presolve, rules_off) and _agree(claim, outcome, relaxed)
            ]
            if plausible or agreed or (outcome.status != OPTIMAL and not claims):
                return min([outcome, *agreed], key=lambda claim: claim.objective)
            claims.append(((presolve, rules_off), outcome))
        if held is None or honest < held.objective:
            held = dataclasses.replace(outcome, status=STOPPED, objective=honest, bound=np.nan)
        if clock.stop():
            break
    return held or outcome


def _agree(one: Outcome, other: Outcome, relaxed: float) -> bool:
    """True where neither point is better than the bound that the other run claims."""
    allowed = TRICKLE * max(1.0, abs(relaxed))
    return one.objective >= other.bound - allowed and other.objective >= one.bound - allowed


def _run_mip(
    highs: highspy.Highs, start: FloatArray | None, clock: Clock, report: Callable[[float, float], None] | None
) -> Outcome:
    """Run a loaded MIP from a starting point, if there is one, under the clock."""
    if start is not None:
        point = highspy.HighsSolution()
        point.col_value = list(start)
        highs.setSolution(point)

    def watch(event: Any) -> None:
        if report is not None and event.data_out.mip_primal_bound < 1e29:
            report(event.data_out.mip_primal_bound, event.data_out.mip_dual_bound)
        if clock.stop():
            event.interrupt()

    highs.cbMipInterrupt.subscribe(watch)
    highs.run()
    status, info = status_of(highs), highs.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    return Outcome(
        status,
        np.asarray(highs.getSolution().col_value) if found else None,
        info.objective_function_value if found else np.nan,
        info.mip_dual_bound if status != INFEASIBLE else np.nan,
        nodes=int(info.mip_node_count),
    )


class QuietHighs(highspy.Highs):
    """HiGHS that prints no banner: its constructor enables callbacks, which prints, before options can be set."""

    def enableCallbacks(self) -> None:  # noqa: N802
        """Switch output off first."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


_scheduler = {"threads": 0}
"""Threads of HiGHS' global scheduler, which refuses to run with another number until it is reset."""


def _use_threads(highs: highspy.Highs, threads: int) -> None:
    """Set the number of threads, resetting the process-wide scheduler where it differs."""
    if _scheduler["threads"] not in (0, threads):
        highspy.Highs.resetGlobalScheduler(True)
    _scheduler["threads"] = threads
    highs.setOptionValue("threads", threads)


def load(
    program: Program, cost: FloatArray, offset: float, upper: FloatArray, *, integer: bool, clock: Clock
) -> highspy.Highs:
    """Pass a program to a fresh HiGHS."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(cost), len(program.row_lower)
    lp.col_cost_, lp.offset_ = cost, offset
    lp.col_lower_, lp.col_upper_ = np.minimum(program.lower, upper), upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = len(cost), len(program.row_lower)
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = program.start, program.index, program.value
    if integer:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(flag)] for flag in program.integer]
    highs = QuietHighs()  # type: ignore[no-untyped-call]
    _use_threads(highs, clock.threads)
    highs.setOptionValue("time_limit", clock.left_s)
    if not integer:
        highs.setOptionValue("simplex_scale_strategy", SCALE_BY_MAX)
        highs.setOptionValue("simplex_strategy", PRIMAL)
    status = highs.passModel(lp)
    if status == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS rejected the model: a coefficient is not finite or too large")
    return highs


def status_of(highs: highspy.Highs) -> str:
    """Translate HiGHS' model status."""
    known = {
        highspy.HighsModelStatus.kOptimal: OPTIMAL,
        highspy.HighsModelStatus.kInfeasible: INFEASIBLE,
        highspy.HighsModelStatus.kUnbounded: UNBOUNDED,
        highspy.HighsModelStatus.kUnboundedOrInfeasible: INFEASIBLE,
        highspy.HighsModelStatus.kTimeLimit: STOPPED,
        highspy.HighsModelStatus.kInterrupt: STOPPED,
        highspy.HighsModelStatus.kSolutionLimit: STOPPED,
        highspy.HighsModelStatus.kObjectiveTarget: STOPPED,
    }
    return known.get(highs.getModelStatus(), FAILED)
