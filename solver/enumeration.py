"""Candidates of one class: evaluate the menu role by role, check promises, prune, make records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solver.candidate import HIT, MISS, NONE, Candidate, CandidateSet, Dropped
from solver.configurations import Configuration
from solver.menu import Menu, batch_grid, shapes
from solver.performance import ROLE_DECODE, ROLE_MIXED, ROLE_PREFILL, Calibration, Performance, evaluate
from solver.physics.kv import kv_layout
from solver.physics.queueing import max_load, wait_quantile
from solver.pruning import labels, undominated
from solver.scenario import Scenario
from solver.workload import Workload

FloatArray = NDArray[np.float64]

WEIGHTS = "weights do not fit in memory"
KV_CACHE = "KV cache of the batch does not fit"
KV_READS = "no tier takes the KV cache beyond local memory"
LOADING = "cached KV arrives too slowly"
HANDOVER = "KV is taken over too slowly"
TPOT, TTFT = "TPOT above the promise", "TTFT above the promise"
UNITS = {WEIGHTS: "B", KV_CACHE: "B", KV_READS: "B", LOADING: "B/s", HANDOVER: "s", TPOT: "s", TTFT: "s"}
"""Why candidates are dropped, and in which unit they fall short."""


class ClassCandidates:
    """Candidates of one class: evaluate each role, check promises, prune, make records."""

    def __init__(
        self, scenario: Scenario, configs: Sequence[Configuration], calibration: Calibration, workload: Workload
    ) -> None:
        self.scenario, self.calibration, self.workload = scenario, calibration, workload
        self.configs = configs
        width = scenario.precisions[workload.kv_precision].kv_bytes_per_element
        prompt_bytes = float(kv_layout(scenario.models[workload.model_id]).stored_bytes(workload.isl, width))
        self.handover_frac = float(scenario.nic_efficiency.at(prompt_bytes))
        self.load_frac = float(scenario.nic_efficiency.at(prompt_bytes * workload.cached_on_hit / workload.isl))
        self.dropped: dict[str, Dropped] = {}
        self.raw_count = self.feasible_count = 0
        self.kept: list[Candidate] = []

    def run(self, prune: bool) -> CandidateSet:
        """Go through the roles and cache kinds."""
        tiers = sorted({stock.tier for config in self.configs for stock in config.tiers})
        for role in self.scenario.study.build.roles:
            if role == "decode":
                self._decode(prune)
                continue
            self._prefilling(role, MISS, [""], prune)
            if self.workload.reuse_frac_max > 0 and tiers:
                self._prefilling(role, HIT, tiers, prune)
        return CandidateSet(tuple(self.kept), tuple(self.dropped.values()), self.raw_count, self.feasible_count)

    def _drop(self, reason: str, menu: Menu, broken: NDArray[np.bool_], value: FloatArray, allowed: FloatArray) -> None:
        """Add rows to the account of what was dropped, and note which of them came nearest.

        Parameters
        ----------
        reason : str
            One of `UNITS`.
        menu : Menu
            N rows.
        broken : (N,) or (N, B) array of bool
            What is dropped, by row and, where given, batch.
        value, allowed : array, shape of `broken`
            What a row would need and what it may have.
        """
        count = int(broken.sum())
        if count == 0:
            return
        at = np.unravel_index(np.argmin(np.where(broken, value / np.maximum(allowed, 1e-30), np.inf)), broken.shape)
        best = Dropped(
            self.workload.id, reason, count, float(value[at]), float(allowed[at]), UNITS[reason], menu.text(int(at[0]))
        )
        old = self.dropped.get(reason)
        if old is not None:
            best = dataclasses.replace(min(old, best, key=lambda d: d.ratio), count=count + old.count)
        self.dropped[reason] = best

    def _evaluated(self, role: int, cached: float) -> tuple[Menu, Performance]:
        """Menu of a role with every batch that can fit, and its performance.

        Shapes whose weights do not fit go first; batches stop where HBM and, on the coarse grid, the node's
        own tiers are full.
        """
        base = shapes(self.scenario, self.workload, role, cached)
        perf = evaluate(base.points, self.calibration)
        short, weights = -perf.kv_free_bytes, perf.weight_bytes * base.count
        self.raw_count += len(base)
        self._drop(WEIGHTS, base, short >= 0, weights, weights - short)
        base = base.take(short < 0)
        if role == ROLE_PREFILL or not len(base):
            return base, evaluate(base.points, self.calibration)
        build = self.scenario.study.build
        batches, coarse = batch_grid(build.batch_points_per_octave, build.max_batch)
        each = perf.kv_bytes_per_request[short < 0]
        inside = perf.kv_free_bytes[short < 0] / each
        beyond = inside + (self._tier_room(base) / each if role == ROLE_DECODE else 0.0)
        most = np.where(coarse[None, :], beyond[:, None], inside[:, None])
        wanted = batches[None, :] <= most
        self._drop(KV_CACHE, base, ~wanted, batches[None, :] * each[:, None], most * each[:, None])
        wanted &= batches[None, :] >= base.points.dp[:, None]
        menu = base.expanded(batches, coarse, wanted)
        self.raw_count += len(menu)
        return menu, evaluate(menu.points, self.calibration)

    def _tier_room(self, menu: Menu) -> FloatArray:
        """Bytes below HBM that a replica finds in its own share of the roomiest configuration."""
        best = {p.id: 0.0 for p in menu.platforms}
        for config in self.configs:
            if config.platform.id in best:
                room = sum(s.capacity_bytes for s in config.tiers if not s.pooled) / config.platform.accelerators
                best[config.platform.id] = max(best[config.platform.id], room)
        return np.asarray(np.asarray([best[p.id] for p in menu.platforms])[menu.platform] * menu.count)

    # --- prefill and mixed -------------------------------------------------------------------------------

    def _prefilling(self, role: str, cache: str, tiers: list[str], prune: bool) -> None:
        """Candidates that prefill: alone (prefill) or beside decoding (mixed)."""
        cached = self.workload.cached_on_hit if cache == HIT else 0.0
        code = ROLE_PREFILL if role == "prefill" else ROLE_MIXED
        menu, perf = self._evaluated(code, cached)
        if not len(menu):
            return
        if role == "prefill":
            menu, perf = self._with_port_shares(menu, perf)
        for tier in tiers:
            self._prefilling_from(menu, perf, role, cache, tier, cached, prune)

    def _with_port_shares(self, menu: Menu, perf: Performance) -> tuple[Menu, Performance]:
        """Rows with each share of their ports wired: fewer switch ports, or a faster hand-over."""
        shares = self.scenario.study.build.port_shares
        rows = [np.flatnonzero(menu.wirable(share)) for share in shares]
        share = np.repeat(shares, [len(part) for part in rows])
        every = np.concatenate(rows)
        return menu.take(every).wired(share), perf.take(every)

    def _due_s(self) -> float:
        """Seconds that taking over a prompt's KV may last on the side that receives it."""
        promise = self.workload.tightest_ttft_s
        return self.scenario.handover_ttft_frac * (np.inf if promise is None else promise)

    def _width(self, role: str, tier: str) -> int:
        """Replicas that share a queue; a hit goes to the one node that holds it, unless its tier is pooled.

        Without a TTFT promise no width raises a rate, so none is asked for.
        """
        if self.workload.ttft_s is None:
            return 1
        return self.scenario.router_width(self.workload.id, role) if not tier or self._is_pooled(tier) else 1

    def _prefilling_from(
        self, menu: Menu, perf: Performance, role: str, cache: str, tier: str, cached: float, prune: bool
    ) -> None:
        """Candidates that prefill with hits from one tier (or none)."""
        lanes = np.asarray(menu.points.dp * menu.points.pp, dtype=float)
        inflight = menu.batch if role == "mixed" else lanes
        width, promise = self._width(role, tier), self.workload.ttft_promise_s(cached)
        held = perf.kv_bytes_per_request * inflight
        good = np.asarray(held <= perf.kv_free_bytes)
        self._drop(KV_CACHE, menu, ~good, held, perf.kv_free_bytes)
        load_bytes = perf.kv_transfer_bytes * (cached / self.workload.isl)
        if role == "mixed":
            offered = perf.requests_per_s * self.scenario.study.build.utilisation_cap
            need = load_bytes / max(self.load_frac, 1e-9) * np.maximum(offered, 1.0 / max(self._due_s(), 1e-9))
            menu = menu.wired_for(need * float(self._is_pooled(tier)), self.scenario.study.build.port_shares)
        speed, latency = self._load_path(menu, tier)
        good &= speed > 0
        load_s = latency + load_bytes / np.maximum(speed, 1e-3)
        out = perf.kv_transfer_bytes if role == "prefill" else np.zeros(len(menu))
        if role == "prefill":
            out_speed = np.maximum(menu.nic_bytes_per_s * self.handover_frac, 1e-3)
            slower_side_s = min(self._due_s(), 1e6) if self.workload.ttft_s else 0.0
            handover_s = np.maximum(out / out_speed, slower_side_s) + self.scenario.nic_link.latency_s
            rate, ttft = self._prefill_rate(perf, load_s + handover_s, lanes * width, promise)
            rate = np.minimum(rate, out_speed / np.maximum(out, 1.0))
            rate = np.minimum(rate, speed / np.maximum(load_bytes, 1.0))
            busy = rate / perf.requests_per_s
            drawn = perf.power_idle_w + busy * (perf.power_busy_w - perf.power_idle_w)
        else:
            rate = perf.requests_per_s * self.scenario.study.build.utilisation_cap
            ttft = self._mixed_ttft(perf, rate, load_s, lanes, width)
            drawn = perf.power_busy_w
        good &= self._keeps_ttft(menu, ttft, promise, good) & (rate > 0)
        slow = good & (rate * load_bytes > speed * (1.0 + 1e-9))
        self._drop(LOADING, menu, slow, rate * load_bytes, speed)
        good &= ~slow
        if role == "mixed":
            good &= self._keeps_tpot(menu, perf.tpot_s, good)
        self._keep(menu, perf, good, rate, ttft, drawn, role, cache, tier, load_bytes, out, prune, width=width)

    def _prefill_rate(
        self, perf: Performance, extra_s: FloatArray, servers: FloatArray, promise: float | None
    ) -> tuple[FloatArray, FloatArray]:
        """Highest rate at which the wait leaves room for the TTFT promise, and the TTFT there.

        Each attention-data group and pipeline stage is a lane that prefills one request at a time; the servers are
        the lanes of all replicas behind one router.
        """
        work, cap = self.workload, self.scenario.study.build.utilisation_cap
        service = perf.prefill_s + extra_s
        slack = np.full_like(service, np.inf) if promise is None else promise - service
        quantile = None if promise is None else work.percentile
        load = max_load(perf.prefill_s, work.wait_scv, slack, quantile, cap, servers)
        wait = wait_quantile(load, perf.prefill_s, work.wait_scv, work.percentile, servers)
        return load * perf.requests_per_s, np.where(load > 0, wait, 0.0) + service

    def _mixed_ttft(
        self, perf: Performance, rate: FloatArray, load_s: FloatArray, lanes: FloatArray, width: int
    ) -> FloatArray:
        """TTFT beside decoding: prefill goes first and waits for the step under way."""
        work = self.workload
        load = rate * perf.prefill_s / lanes
        wait = wait_quantile(np.minimum(load, 0.999), perf.prefill_s, work.wait_scv, work.percentile, lanes * width)
        return np.where(load < 0.999, wait + perf.prefill_s + perf.decode_step_s + load_s, np.inf)

    def _is_pooled(self, tier: str) -> bool:
        return any(s.pooled for c in self.configs for s in c.tiers if s.tier == tier)

    def _load_path(self, menu: Menu, tier: str) -> tuple[FloatArray, FloatArray]:
        """Bytes/s and latency of a tier seen by each replica over its own links and its share of the node.

        The speed is zero where no node has the tier; without a tier nothing is loaded.
        """
        if not tier:
            return np.full(len(menu), np.inf), np.zeros(len(menu))
        speed, latency = np.zeros(len(menu)), np.zeros(len(menu))
        remote = [s for c in self.configs for s in c.tiers if s.tier == tier and s.pooled]
        if remote:
            speed, latency = menu.nic_bytes_per_s * self.load_frac, np.full(len(menu), min(s.latency_s for s in remote))
        for index, platform in enumerate(menu.platforms):
            stocks = [s for c in self.configs if c.platform.id == platform.id for s in c.tiers if s.tier == tier]
            if stocks:
                here = menu.platform == index
                share = menu.charge[here] / platform.accelerators
                slowest = min(stocks, key=lambda s: s.read_bytes_per_s)
                speed[here] = np.minimum(menu.count[here] * slowest.link_bytes_per_s, share * slowest.read_bytes_per_s)
                latency[here] = slowest.latency_s
        return speed, latency

    # --- decode ------------------------------------------------------------------------------------------

    def _decode(self, prune: bool) -> None:
        """Candidates that only decode, with and without KV below HBM."""
        menu, perf = self._evaluated(ROLE_DECODE, 0.0)
        if not len(menu):
            return
        spill = np.maximum(0.0, perf.kv_bytes_per_request * menu.batch - perf.kv_free_bytes)
        good = self._spill_possible(menu, perf, spill)
        good &= self._keeps_tpot(menu, perf.tpot_s, good)
        rate = perf.requests_per_s * self.scenario.study.build.utilisation_cap
        rate = np.minimum(rate, menu.nic_bytes_per_s * self.handover_frac / perf.kv_transfer_bytes)
        due_s = self._due_s()
        good &= self._takes_over_in_time(menu, perf, due_s, good)
        need = perf.kv_transfer_bytes / self.handover_frac * np.maximum(rate, 1.0 / due_s)
        menu = menu.wired_for(need * (1.0 - 1e-9), self.scenario.study.build.port_shares)
        ttft = np.full(len(menu), np.nan)
        self._keep(
            menu,
            perf,
            good,
            rate,
            ttft,
            perf.power_busy_w,
            "decode",
            NONE,
            "",
            np.zeros(len(menu)),
            perf.kv_transfer_bytes,
            prune,
            spill,
        )

    def _spill_possible(self, menu: Menu, perf: Performance, spill: FloatArray) -> NDArray[np.bool_]:
        """KV below HBM must fit in the node's own share and be read over the replica's own links in time."""
        possible = spill <= 0.0
        reads = spill * self.workload.kv_read_frac / perf.decode_step_s
        for index, platform in enumerate(menu.platforms):
            best: NDArray[np.bool_] = np.zeros(len(menu), dtype=bool)
            for config in self.configs:
                stocks = [s for s in config.tiers if not s.pooled]
                if config.platform.id != platform.id or not stocks:
                    continue
                share = menu.count / platform.accelerators
                room = share * sum(s.capacity_bytes for s in stocks)
                speed = np.minimum(
                    menu.count * max(s.link_bytes_per_s for s in stocks),
                    share * sum(s.read_bytes_per_s for s in stocks),
                )
                best |= (spill <= room) & (reads <= speed)
            possible |= (menu.platform == index) & best & menu.coarse_batch
        need = perf.kv_bytes_per_request * menu.batch
        self._drop(KV_READS, menu, ~possible, need, np.maximum(perf.kv_free_bytes, 1.0))
        return np.asarray(possible)

    # --- promises and records ----------------------------------------------------------------------------

    def _takes_over_in_time(
        self, menu: Menu, perf: Performance, due_s: float, so_far: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """A decoding replica takes over a prompt's KV within its share of the TTFT promise."""
        if self.workload.ttft_s is None:
            return np.ones(len(menu), dtype=bool)
        seconds = perf.kv_transfer_bytes / np.maximum(menu.nic_bytes_per_s * self.handover_frac, 1e-3)
        late = so_far & (seconds > due_s)
        self._drop(HANDOVER, menu, late, seconds, np.full_like(seconds, due_s))
        return np.asarray(~late)

    def _keeps_tpot(self, menu: Menu, tpot: FloatArray, so_far: NDArray[np.bool_]) -> NDArray[np.bool_]:
        promise = self.workload.tpot_s
        if promise is None:
            return np.ones(len(tpot), dtype=bool)
        keeps = tpot <= promise
        broken = so_far & ~keeps
        self._drop(TPOT, menu, broken, tpot, np.full_like(tpot, promise))
        return np.asarray(keeps)

    def _keeps_ttft(
        self, menu: Menu, ttft: FloatArray, promise: float | None, so_far: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        if promise is None:
            return np.ones(len(ttft), dtype=bool)
        keeps = ttft <= promise * (1.0 + 1e-9)
        broken = so_far & ~keeps
        self._drop(TTFT, menu, broken, ttft, np.full_like(ttft, promise))
        return np.asarray(keeps)

    def _keep(
        self,
        menu: Menu,
        perf: Performance,
        good: NDArray[np.bool_],
        rate: FloatArray,
        ttft: FloatArray,
        drawn: FloatArray,
        role: str,
        cache: str,
        tier: str,
        load_bytes: FloatArray,
        handover: FloatArray,
        prune: bool,
        spill: FloatArray | None = None,
        width: int = 1,
    ) -> None:
        """Prune the good rows and append their records."""
        spill = np.zeros(len(menu)) if spill is None else spill
        self.feasible_count += int(good.sum())
        rows = np.flatnonzero(good)
        reads = spill * self.workload.kv_read_frac / np.where(spill > 0, perf.decode_step_s, 1.0)
        if prune and len(rows):
            rows = rows[self._undominated(menu, rows, rate, drawn, perf.power_idle_w, spill, reads)]
        points, names = menu.points, [p.id for p in menu.points.precisions]
        for i in rows:
            self.kept.append(
                Candidate(
                    workload=self.workload.id,
                    model_id=self.workload.model_id,
                    platform_id=menu.platforms[menu.platform[i]].id,
                    role=role,
                    power_cap=float(points.power_cap[i]),
                    precision=names[points.weight_precision[i]],
                    kv_precision=self.workload.kv_precision,
                    tp=int(points.tp[i]),
                    pp=int(points.pp[i]),
                    dp=int(points.dp[i]),
                    ep=int(points.ep[i]),
                    charge=float(menu.charge[i]),
                    batch=float(points.batch[i]),
                    cache=cache,
                    tier=tier,
                    requests_per_s=float(rate[i]),
                    ttft_s=float(ttft[i]),
                    tpot_s=float(perf.tpot_s[i]),
                    step_s=float(perf.decode_step_s[i]),
                    drawn_w=float(drawn[i]),
                    idle_w=float(perf.power_idle_w[i]),
                    spill_bytes=float(spill[i]),
                    spill_read_bytes_per_s=float(reads[i]),
                    load_bytes=float(load_bytes[i]),
                    handover_bytes=float(handover[i]),
                    ports=float(menu.ports[i]),
                    evidence=int(perf.evidence[i]),
                    router_width=width,
                )
            )

    def _undominated(
        self,
        menu: Menu,
        rows: NDArray[np.intp],
        rate: FloatArray,
        drawn: FloatArray,
        idle: FloatArray,
        spill: FloatArray,
        reads: FloatArray,
    ) -> NDArray[np.intp]:
        """Rows (positions in `rows`) that no other row of the same pool dominates in the full vector.

        Per request/s: accelerators, watts above idle, switch ports, KV below HBM and its reads; and per
        accelerator the last two again, because a replica reads only through its own links and from its own node.
        """
        r, charge = rate[rows], menu.charge[rows]
        watts = drawn[rows] - charge / menu.count[rows] * idle[rows]
        cost = np.column_stack(
            [
                charge / r,
                watts / r,
                menu.ports[rows] / r,
                spill[rows] / r,
                reads[rows] / r,
                spill[rows] / charge,
                reads[rows] / charge,
            ]
        )
        pool = [menu.platform[rows], menu.points.power_cap[rows]]
        if self.scenario.study.build.whole_replicas:
            pool.append(menu.count[rows])
        return undominated(labels(*pool), cost)
