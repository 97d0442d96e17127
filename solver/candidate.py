"""A candidate: one way to serve one class on one kind of pool, and the account of those that were dropped."""

from __future__ import annotations

from dataclasses import dataclass

PAIR = "pair"
"""Role of prefill and decode replicas side by side in one scale-up domain."""
MISS, HIT, NONE = "miss", "hit", "none"
"""Prompt not cached; prompt found in a tier; the candidate does not prefill."""


@dataclass(frozen=True)
class Candidate:
    """One way to serve one class on one kind of pool; rates and watts are per replica.

    A pair is a unit of prefill and decode replicas that stand in one scale-up domain and hand over over its links: it
    is counted like one replica that does both. Its parallelism and precision are those of its prefill replicas, its
    batch and step those of its decode replicas, and `halves` holds both.

    Attributes
    ----------
    workload, model_id, platform_id, role : str
        Class, model, platform, and prefill, decode, mixed or pair.
    power_cap : float
        Share of TDP.
    precision, kv_precision : str
        Of weights and of the KV cache.
    tp, pp, dp, ep : int
        Parallelism; the replica has tp * pp * dp accelerators.
    charge : float
        Accelerators a replica occupies, with what its packing strands.
    batch : float
        Requests in flight over the replica (1 for prefill).
    cache : str
        miss, hit or none.
    tier : str
        Tier a hit is loaded from, empty otherwise.
    requests_per_s : float
        At the highest load that keeps the promises.
    ttft_s, tpot_s : float
        At that load; nan where the role has none.
    step_s : float
        Decode step, nan for prefill.
    drawn_w : float
        Accelerator boards of the replica at that load.
    idle_w : float
        The same boards without work.
    spill_bytes : float
        Active KV that does not fit in HBM.
    spill_read_bytes_per_s : float
        Reads of that KV.
    load_bytes : float
        Cached KV loaded a request.
    handover_bytes : float
        KV that leaves (prefill) or enters (decode) a request; 0 for mixed and for a pair as a whole.
    ports : float
        Switch ports that the replica's network cards are wired to.
    evidence : int
        0 measured regime, 1 extrapolated, 2 none.
    router_width : int
        Replicas that must share one queue for that load; 1 where requests go to the node that holds their prefix.
    draft_tokens : int
        Tokens drafted before each decode step.
    configurations : tuple of str
        Of its platform, those whose own tier hits are loaded from as fast as these figures say; empty where none is.
    halves : tuple of Half
        Prefill and decode replicas of a pair, in this order; empty for all others.
    """

    workload: str
    model_id: str
    platform_id: str
    role: str
    power_cap: float
    precision: str
    kv_precision: str
    tp: int
    pp: int
    dp: int
    ep: int
    charge: float
    batch: float
    cache: str
    tier: str
    requests_per_s: float
    ttft_s: float
    tpot_s: float
    step_s: float
    drawn_w: float
    idle_w: float
    spill_bytes: float
    spill_read_bytes_per_s: float
    load_bytes: float
    handover_bytes: float
    ports: float
    evidence: int
    router_width: int = 1
    draft_tokens: int = 0
    configurations: tuple[str, ...] = ()
    halves: tuple[Half, ...] = ()

    @property
    def count(self) -> int:
        """Accelerators of a replica, of all of them in a pair."""
        if self.halves:
            return sum(half.replicas * half.candidate.count for half in self.halves)
        return self.tp * self.pp * self.dp


@dataclass(frozen=True)
class Half:
    """So many replicas of one role in a pair, each at its share of the pair's rate."""

    replicas: int
    candidate: Candidate


@dataclass(frozen=True)
class Dropped:
    """Candidates of one class that a promise or the memory excluded.

    Attributes
    ----------
    workload, reason : str
    count : int
    nearest, needed : float
        What the nearest of them would have needed, and what there is (the promise, the bytes).
    unit : str
    where : str
        The nearest: platform, precision, parallelism, batch and cap.
    """

    workload: str
    reason: str
    count: int
    nearest: float
    needed: float
    unit: str
    where: str = ""

    @property
    def ratio(self) -> float:
        """How far the nearest is from what there is; 1 is just enough."""
        return self.nearest / max(self.needed, 1e-30)


@dataclass(frozen=True)
class CandidateSet:
    """All that survives, and an account of what did not."""

    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    raw_count: int
    feasible_count: int
