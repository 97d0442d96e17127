"""The raw menu of a class and role: platforms x precisions x parallelisms x caps x batches, as arrays.

The menu depends on the catalog and the build options, never on a promise: a looser promise can only add
candidates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.parts import Model, Platform
from solver.performance import ROLE_PREFILL, Points
from solver.scenario import Scenario
from solver.workload import Workload

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Menu:
    """Operating points with the platform each stands on.

    Attributes
    ----------
    points : Points
        What `performance.evaluate` takes, N rows.
    platforms : tuple of Platform
    platform : (N,) array of int
        Index into `platforms`.
    charge : (N,) array
        Accelerators a replica occupies, stranded ones included.
    nic_bytes_per_s : (N,) array
        Peak of the replica's own share of its node's NICs, per direction, as far as they are wired.
    ports : (N,) array
        Switch ports that share is wired to.
    coarse_batch : (N,) array of bool
        True on the coarse grid (one point an octave) that spilled KV uses.
    """

    points: Points
    platforms: tuple[Platform, ...]
    platform: NDArray[np.int_]
    charge: FloatArray
    nic_bytes_per_s: FloatArray
    ports: FloatArray
    coarse_batch: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.platform)

    @property
    def batch(self) -> FloatArray:
        """Requests in flight over the replica."""
        return self.points.batch

    def expanded(self, batches: FloatArray, coarse: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> Menu:
        """Return the menu with a row for each wanted pair of shape and batch.

        Parameters
        ----------
        batches : (B,) array
        coarse : (B,) array of bool
            Which batches are on the coarse grid.
        wanted : (N, B) array of bool
        """
        shape, batch = np.nonzero(wanted)
        kept = self.take(shape)
        points = dataclasses.replace(kept.points, batch=batches[batch])
        return dataclasses.replace(kept, points=points, coarse_batch=coarse[batch])

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Menu:
        """Return some rows."""
        arrays = {
            f.name: getattr(self.points, f.name)[rows]
            for f in dataclasses.fields(self.points)
            if isinstance(getattr(self.points, f.name), np.ndarray)
        }
        return Menu(
            points=dataclasses.replace(self.points, **arrays),
            platforms=self.platforms,
            platform=self.platform[rows],
            charge=self.charge[rows],
            nic_bytes_per_s=self.nic_bytes_per_s[rows],
            ports=self.ports[rows],
            coarse_batch=self.coarse_batch[rows],
        )

    def text(self, row: int) -> str:
        """Say in words what stands in a row."""
        points = self.points
        ways = [f"{name} {int(getattr(points, name)[row])}" for name in ("tp", "pp", "dp", "ep")]
        shown = ", ".join(way for way in ways if not way.endswith(" 1")) or "tp 1"
        shown += f", {drafts} drafted" if (drafts := int(points.draft_tokens[row])) else ""
        precision = points.precisions[points.weight_precision[row]].id
        return (
            f"{self.platforms[self.platform[row]].id}, {precision}, {shown}, batch {points.batch[row]:g}, "
            f"cap {points.power_cap[row]:g}"
        )

    def wired(self, share: float | FloatArray) -> Menu:
        """Return the rows with a share of their ports wired."""
        return dataclasses.replace(self, nic_bytes_per_s=self.nic_bytes_per_s * share, ports=self.ports * share)

    def beside(self, busy_frac: FloatArray) -> Menu:
        """Return the rows with what the replicas' own exchange leaves of their ports."""
        return dataclasses.replace(self, nic_bytes_per_s=self.nic_bytes_per_s * np.maximum(0.0, 1.0 - busy_frac))

    @property
    def spans_nodes(self) -> NDArray[np.bool_]:
        """Which rows' replicas are larger than a node."""
        size = np.asarray([p.accelerators for p in self.platforms], dtype=float)[self.platform]
        return np.asarray(self.count > size)

    def packed(self) -> Menu:
        """Return the rows charged their own accelerators only: others of their unit fill what is left of a node."""
        return dataclasses.replace(self, charge=self.count)

    def wirable(self, share: float) -> NDArray[np.bool_]:
        """Return which rows' nodes can wire a share of their ports: a node has whole ports.

        A replica that spans nodes exchanges through all of them.
        """
        cards = np.asarray([p.nic_count for p in self.platforms])[self.platform] * share
        return np.asarray((cards == np.rint(cards)) & ((share == 1.0) | ~self.spans_nodes))

    def wired_for(self, need_bytes_per_s: FloatArray, shares: Sequence[float]) -> Menu:
        """Return the rows with the smallest share wired that carries what a replica needs; all of it if none does.

        Parameters
        ----------
        need_bytes_per_s : (N,) array
            Per direction; nothing is wired where it is zero.
        shares : sequence of float
        """
        chosen = np.where((need_bytes_per_s > 0.0) | self.spans_nodes, 1.0, 0.0)
        for share in sorted(shares, reverse=True):
            enough = self.wirable(share) & (self.nic_bytes_per_s * share >= need_bytes_per_s)
            chosen = np.where(enough & (chosen > 0.0), share, chosen)
        return self.wired(chosen)

    @property
    def count(self) -> FloatArray:
        """Accelerators of a replica."""
        return np.asarray(self.points.tp * self.points.pp * self.points.dp, dtype=float)


def batch_grid(per_octave: int, largest: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return ascending whole batches, geometric with `per_octave` points, and which are powers of two.

    The grid of `2 k` points an octave contains the grid of `k`.
    """
    steps = np.arange(0, int(np.ceil(np.log2(largest) * per_octave)) + 1)
    batches = np.unique(np.rint(2.0 ** (steps / per_octave)))
    batches = batches[batches <= largest]
    return batches, np.asarray(np.log2(batches) % 1.0 == 0.0)


def parallelisms(model: Model, domain: int) -> list[tuple[int, int, int, int]]:
    """Ways (tp, pp, dp, ep) to lay a replica over 1, 2, 4 ... accelerators of one scale-up domain.

    Tensor parallelism for every model; for mixtures of experts also data-parallel attention with experts
    spread over all accelerators, which does not replicate a latent KV cache. The whole domain is offered too.
    """
    sizes = [2**k for k in range(int(np.log2(domain)) + 1)]
    if domain not in sizes:
        sizes.append(domain)
    heads = model.n_heads or 1
    ways = [(g, 1, 1, 1) for g in sizes if heads % g == 0]
    if model.n_experts:
        ways = [(g, 1, 1, g) for g, _, _, _ in ways]
        ways += [(1, 1, g, g) for g in sizes if g > 1]
        ways += [(t, 1, g // t, g) for g in sizes for t in (2, 4, 8) if t < g and g % t == 0 and heads % t == 0]
    return ways


def wide_parallelisms(model: Model, platform: Platform, domain: int, nodes: int) -> list[tuple[int, int, int, int]]:
    """Ways (tp, pp, dp, ep) to lay a mixture of experts over 2, 4, 8 ... whole nodes, each of one scale-up domain.

    Experts are spread over all accelerators, attention is data-parallel over groups that a domain holds: a tensor group
    that crosses domains waits for the network twice a layer, which no promise that it could keep is worth.
    """
    if not model.n_experts or platform.accelerators > domain:
        return []
    sizes = [platform.accelerators * 2**k for k in range(1, int(np.log2(nodes)) + 1)]
    heads = model.n_heads or 1
    groups = [t for t in (1, 2, 4, 8) if platform.accelerators % t == 0 and heads % t == 0]
    return [(t, 1, g // t, g) for g in sizes for t in groups]


def shapes(scenario: Scenario, workload: Workload, role: int, cached: float) -> Menu:
    """Build the menu of one class and role at a batch of one request per attention-data group.

    Parameters
    ----------
    scenario : Scenario
    workload : Workload
    role : int
        One of the ROLE codes of `solver.performance`.
    cached : float
        Prompt tokens found in a cache (0 for a miss and for decode).
    """
    build = scenario.study.build
    model = scenario.models[workload.model_id]
    platforms = tuple(p for p in scenario.platforms if p.accelerators > 0)
    precisions = tuple(scenario.precisions.values())
    names = [p.id for p in precisions]
    rows = [
        (index, names.index(precision), *way, cap, drafts)
        for index, platform in enumerate(platforms)
        for way in _ways(scenario, model, platform)
        for precision in workload.weight_precisions
        for cap in build.power_caps
        for drafts in ([0] if role == ROLE_PREFILL else dict.fromkeys(build.draft_tokens))
        if (model.max_context or np.inf) >= workload.isl + workload.osl
    ]
    table = np.asarray(rows, dtype=float).reshape(-1, 8)
    accelerators = tuple(scenario.accelerators.values())
    order = [a.id for a in accelerators]
    platform = table[:, 0].astype(int)
    count = table[:, 2] * table[:, 3] * table[:, 4]

    def full(value: float) -> FloatArray:
        return np.full(len(table), float(value))

    size = np.asarray([p.accelerators for p in platforms], dtype=float)[platform]
    nic = np.asarray([p.nic_count * p.nic_bytes_per_s for p in platforms])[platform]

    points = Points(
        models=(model,),
        accelerators=accelerators,
        precisions=precisions,
        model=np.zeros(len(table), dtype=int),
        accelerator=np.asarray([order.index(str(p.accelerator_id)) for p in platforms], dtype=int)[platform],
        weight_precision=table[:, 1].astype(int),
        kv_precision=np.full(len(table), names.index(workload.kv_precision)),
        role=np.full(len(table), role),
        tp=table[:, 2].astype(int),
        pp=table[:, 3].astype(int),
        dp=table[:, 4].astype(int),
        ep=table[:, 5].astype(int),
        batch=np.ones(len(table)) if role == ROLE_PREFILL else table[:, 4].copy(),
        isl_new=full(workload.isl - cached),
        cached=full(cached),
        context=full(workload.context),
        osl=full(workload.osl),
        power_cap=table[:, 6],
        kv_read_frac=full(workload.kv_read_frac),
        chunk=full(build.chunk_tokens),
        shared=full(workload.system_tokens),
        draft_tokens=table[:, 7],
        acceptance=full(workload.draft_acceptance),
        port_bytes_per_s=nic / size,
        asked_new=full(workload.asked_isl - workload.asked_cached(cached)),
        asked_cached=full(workload.asked_cached(cached)),
    )
    return Menu(
        points=points,
        platforms=platforms,
        platform=platform,
        charge=np.where(count > size, count, size / np.maximum(1.0, np.floor(size / count))),
        nic_bytes_per_s=nic * (count / size),
        ports=nic * (count / size) / (scenario.switch.port_bytes_per_s or 1.0),
        coarse_batch=np.ones(len(table), dtype=bool),
    )


def _ways(scenario: Scenario, model: Model, platform: Platform) -> list[tuple[int, int, int, int]]:
    """Ways to lay a replica over one domain, and over several nodes where the study allows it."""
    domain = domain_size(scenario, platform)
    nodes = scenario.study.build.replica_nodes
    return parallelisms(model, domain) + wide_parallelisms(model, platform, domain, nodes)


def domain_size(scenario: Scenario, platform: Platform) -> int:
    """Accelerators that a replica may span: one scale-up domain inside one platform."""
    accelerator = scenario.accelerators[str(platform.accelerator_id)]
    return max(1, min(platform.accelerators, accelerator.scaleup_domain))
