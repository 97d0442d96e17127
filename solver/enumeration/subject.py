"""The class whose candidates are made: its menu, evaluated, and what all roles ask of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solver.configurations import Configuration
from solver.enumeration.account import KV_CACHE, WEIGHTS, Account
from solver.enumeration.sources import Source
from solver.menu import Menu, batch_grid, shapes
from solver.performance import ROLE_DECODE, ROLE_PREFILL, Calibration, Performance, evaluate
from solver.physics.kv import kv_layout
from solver.scenario import Scenario
from solver.workload import Workload

FloatArray = NDArray[np.float64]
Evaluated = dict[tuple[int, float], tuple[Menu, Performance]]


class Subject:
    """One class of a scenario, the menu it may use, and the account of what falls away.

    Parameters
    ----------
    scenario : Scenario
    configs : sequence of Configuration
        Decides which tiers hits can be loaded from and how much KV can spill.
    calibration : Calibration
    workload : Workload
    known : dict, optional
        Menus of the class that were evaluated for other roles, by role and cached tokens; what is missing is added.
    """

    def __init__(
        self,
        scenario: Scenario,
        configs: Sequence[Configuration],
        calibration: Calibration,
        workload: Workload,
        known: Evaluated | None = None,
    ) -> None:
        self.scenario, self.calibration, self.workload = scenario, calibration, workload
        self.configs, self.build = configs, scenario.study.build
        width = scenario.precisions[workload.kv_precision].kv_bytes_per_element
        layout = kv_layout(scenario.models[workload.model_id])
        prompt_bytes = float(layout.private_bytes(workload.isl, workload.system_tokens, width))
        self.handover_frac = float(scenario.nic_efficiency.at(prompt_bytes))
        self.load_frac = float(scenario.nic_efficiency.at(prompt_bytes * workload.load_share))
        self.account = Account(workload.id)
        self.scale_up_frac = float(scenario.scale_up_efficiency.at(prompt_bytes))
        self.raw_count = 0
        self._known: Evaluated = {} if known is None else known

    def quiet(self) -> Subject:
        """Return the same class with an account of its own, for a second look at rows that are accounted for."""
        other = copy.copy(self)
        other.account = Account(self.workload.id)
        return other

    @property
    def due_s(self) -> float:
        """Seconds that taking over a prompt's KV may last on the side that receives it."""
        promise = self.workload.tightest_ttft_s
        return self.scenario.handover_ttft_frac * (np.inf if promise is None else promise)

    def width(self, role: str, source: Source | None, cached: float) -> int:
        """Replicas that share a queue; a hit goes to the one node that holds it, unless its tier is pooled.

        Where no TTFT is promised no width raises a rate, so none is asked for.
        """
        if self.workload.ttft_promise_s(cached) is None or (source is not None and not source.pooled):
            return 1
        return self.scenario.router_width(self.workload.id, role)

    def evaluated(self, role: int, cached: float) -> tuple[Menu, Performance]:
        """Menu of a role and its performance; worked out, and accounted for, once."""
        if (role, cached) not in self._known:
            self._known[role, cached] = self._evaluated(role, cached)
        return self._known[role, cached]

    def _evaluated(self, role: int, cached: float) -> tuple[Menu, Performance]:
        """Menu of a role with every batch that can fit, and its performance.

        Shapes whose weights do not fit go first; batches stop where HBM and, on the coarse grid, the node's
        own tiers are full.
        """
        base = shapes(self.scenario, self.workload, role, cached)
        perf = evaluate(base.points, self.calibration)
        short, weights = -perf.kv_free_bytes, perf.weight_bytes * base.count
        self.raw_count += len(base)
        self.account.drop(WEIGHTS, base, short >= 0, weights, weights - short)
        base = base.take(short < 0)
        if role == ROLE_PREFILL or not len(base):
            perf = evaluate(base.points, self.calibration)
            return base.beside(perf.port_busy_frac), perf
        batches, coarse = batch_grid(self.build.batch_points_per_octave, self.build.max_batch)
        each = perf.kv_bytes_per_request[short < 0]
        inside = perf.kv_free_bytes[short < 0] / each
        beyond = inside + (self._tier_room(base) / each if role == ROLE_DECODE else 0.0)
        most = np.where(coarse[None, :], beyond[:, None], inside[:, None])
        wanted = batches[None, :] <= most
        self.account.drop(KV_CACHE, base, ~wanted, batches[None, :] * each[:, None], most * each[:, None])
        wanted &= batches[None, :] >= base.points.dp[:, None]
        menu = base.expanded(batches, coarse, wanted)
        self.raw_count += len(menu)
        perf = evaluate(menu.points, self.calibration)
        return menu.beside(perf.port_busy_frac), perf

    def _tier_room(self, menu: Menu) -> FloatArray:
        """Bytes below HBM that a replica finds in its own share of the roomiest configuration."""
        best = {p.id: 0.0 for p in menu.platforms}
        for config in self.configs:
            if config.platform.id in best:
                room = sum(s.capacity_bytes for s in config.tiers if not s.pooled) / config.platform.accelerators
                best[config.platform.id] = max(best[config.platform.id], room)
        return np.asarray(np.asarray([best[p.id] for p in menu.platforms])[menu.platform] * menu.count)
