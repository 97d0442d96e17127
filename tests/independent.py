"""The model a second time, written by another hand: numpy rows from the records, one scipy LP for each build.

Nothing here uses Pyomo, the rules of `solver.model`, the registry of resources or the compiled matrices. Every
whole-number build inside the bounds is tried: nodes by pool and rack, racks by pool, racks bought, nodes bought.
What remains is a linear program in served requests, replicas and bytes, solved in GB, W and tokens/s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from independent_builds import (
    SLACK,
    FloatArray,
    IntArray,
    builds,
    mean_pue_of_work,
    provisioned_it_w,
    standing_it_w,
)
from independent_network import Plan, Taken, graded, plans, ports_of_node, taken, without
from scipy.optimize import linprog

from solver.model.data import Column, ModelData, Place, Pool
from solver.workload import Workload

GB = 1e9
LEAST = ("tco", "power")
"""Objectives of which less is better."""
YEAR_S = 365 * 24 * 3600.0


# --- the linear program of a build --------------------------------------------------------------------------


class Rows:
    """Named columns and rows ``a x <= b0 + B housed``, filled one at a time."""

    def __init__(self, data: ModelData, whole: tuple[int, ...] | None) -> None:
        self.data, self.whole = data, whole
        self.names: dict[tuple[object, ...], int] = {}
        self.rows: list[dict[int, float]] = []
        self.right: list[float] = []
        self.by_housed: list[FloatArray] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def column(self, *name: object, lower: float = 0.0, upper: float = np.inf) -> int:
        """Number of a column, made at first use."""
        if name not in self.names:
            self.names[name] = len(self.names)
            self.lower.append(lower)
            self.upper.append(upper)
        return self.names[name]

    def add(self, terms: list[tuple[int, float]], right: float = 0.0, housed: FloatArray | None = None) -> None:
        """Add ``sum terms <= right + housed``."""
        row: dict[int, float] = {}
        for k, value in terms:
            row[k] = row.get(k, 0.0) + value
        self.rows.append(row)
        self.right.append(right)
        self.by_housed.append(np.zeros(len(self.data.housings)) if housed is None else housed)

    def matrices(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """A, b0, B."""
        a = np.zeros((len(self.rows), len(self.names)))
        for k, row in enumerate(self.rows):
            for j, value in row.items():
                a[k, j] = value
        return a, np.asarray(self.right), np.asarray(self.by_housed).reshape(len(self.rows), -1)

    def nodes(self, times: float, *pools: Pool) -> FloatArray:
        """Row over housings that counts the nodes of some pools."""
        ids = {p.id for p in pools}
        return np.asarray([times * (h.pool.id in ids) for h in self.data.housings])

    def there(self, column: Column) -> int:
        """Column of the replicas that stand: those at work, but for hits from the replicas' own nodes."""
        beside = column.candidate.cache == "hit" and column.pool is not None
        return self.column("there" if beside else "x", column.index)

    def busy(self, column: Column) -> tuple[list[tuple[int, float]], float]:
        """Accelerators that a column occupies: a term, or a number where replicas are whole, once for all they do."""
        if self.whole is None:
            return [(self.there(column), column.candidate.charge)], 0.0
        for mine, n in zip(engines(self.data), self.whole, strict=True):
            if column is mine[0]:
                return [], column.candidate.charge * n
        return [], 0.0


def write_rows(data: ModelData, whole: tuple[int, ...] | None, plan: Plan) -> Rows:
    """Write every row of a build's linear program."""
    rows = Rows(data, whole)
    _write_demand(rows)
    _write_compute(rows)
    _write_spills(rows)
    _write_parked(rows)
    _write_tiers(rows)
    _write_appliances(rows)
    _write_carbon(rows)
    wired, most = [(rows.there(c), c.candidate.ports) for c in data.columns], plan.most_ports
    if whole is not None:
        most -= sum(n * mine[0].candidate.ports for mine, n in zip(engines(data), whole, strict=True))
        wired = []
    wired += [(k, 1.0) for name, k in rows.names.items() if name[0] == "extra"]
    own = np.asarray([ports_of_node(data, h.pool.config.platform.id) for h in data.housings])
    rows.add(wired, most, -own)
    return rows


def _write_demand(rows: Rows) -> None:
    demand = rows.data.scenario.study.demand
    for w in rows.data.workloads:
        if demand.mode == "fixed":
            rows.column("served", w.id, lower=demand.floor_frac * w.requests_per_s, upper=w.requests_per_s)
        else:
            served = rows.column("served", w.id)
            scale = rows.column("scale", lower=demand.floor_frac, upper=demand.max_scale or np.inf)
            rows.add([(served, 1.0), (scale, -w.requests_per_s)])
            rows.add([(served, -1.0), (scale, w.requests_per_s)])


def _write_compute(rows: Rows) -> None:
    data = rows.data
    for w in data.workloads:
        for idle_role in ("decode", "prefill"):
            able = [c for c in data.columns if c.candidate.workload == w.id and c.candidate.role != idle_role]
            offer = [(rows.column("x", c.index), -c.candidate.requests_per_s) for c in able]
            rows.add([(rows.column("served", w.id), 1.0), *offer])
    shared = [([p for p in data.pools if (p.config.platform.id, p.cap) == key],
               [c for c in data.columns if (c.candidate.platform_id, c.candidate.power_cap) == key])
              for key in dict.fromkeys((p.config.platform.id, p.cap) for p in data.pools)]  # fmt: skip
    bound = [([p], [c for c in data.columns if c.pool and c.pool.id == p.id]) for p in data.pools]
    for pools, columns in shared + bound:
        if columns:
            busy = [rows.busy(c) for c in columns]
            size = pools[0].config.platform.accelerators
            rows.add([t for terms, _ in busy for t in terms], -sum(n for _, n in busy), rows.nodes(size, *pools))
    for c in data.columns:
        if rows.there(c) != rows.column("x", c.index):
            rows.add([(rows.column("x", c.index), 1.0), (rows.there(c), -1.0)])
    if rows.whole is not None:
        for mine, n in zip(engines(data), rows.whole, strict=True):
            rows.add([(rows.there(c), 1.0) for c in mine], float(n))


def engines(data: ModelData) -> list[list[Column]]:
    """Columns that one replica can do in turn: the same weights on as many accelerators of the same nodes."""
    found: dict[tuple[object, ...], list[Column]] = {}
    for c in data.columns:
        k = c.candidate
        place = (k.platform_id, k.power_cap, c.pool.id if c.pool else None)
        same = (k.model_id, k.precision, k.kv_precision, k.role, k.tp, k.pp, k.dp, k.ep, k.ports)
        found.setdefault((*place, *same, c.index if k.role == "pair" else None), []).append(c)
    return list(found.values())


def _write_spills(rows: Rows) -> None:
    """Active KV: in the replica's share of its own node, read over its own links."""
    for c in rows.data.columns:
        k = c.candidate
        if k.spill_bytes <= 0:
            continue
        assert c.pool is not None
        stocks = [t for t in c.pool.config.tiers if not t.pooled]
        x, part = rows.column("x", c.index), k.charge / c.pool.config.platform.accelerators
        ys = [rows.column("spill", c.index, c.pool.id, t.tier) for t in stocks]
        rows.add([(x, k.spill_bytes / GB), *((y, -1.0) for y in ys)])
        turns = k.spill_read_bytes_per_s / k.spill_bytes
        for y, t in zip(ys, stocks, strict=True):
            rows.add([(y, 1.0), (x, -part * t.capacity_bytes / GB)])
            rows.add([(y, turns), (x, -part * t.read_bytes_per_s / GB)])
        path = min(t.link_bytes_per_s for t in stocks) * k.tp * k.pp * k.dp
        rows.add([*((y, turns) for y in ys), (x, -path / GB)])


def kept_gb(data: ModelData, w: str, i: int) -> float:
    """GB that a segment keeps resident per request/s, counted from the model's layers."""
    work = next(item for item in data.workloads if item.id == w)
    m = data.scenario.models[work.model_id]
    width = data.scenario.precisions[work.kv_precision].kv_bytes_per_element
    assert m.n_attention_layers and m.n_kv_heads and m.head_dim
    a_token = 2 * m.n_attention_layers * m.n_kv_heads * m.head_dim * width
    own = (work.isl - work.system_tokens) / work.isl  # the rest of a prompt is the same for all and not kept with it
    return float(data.retention[w].d_resident_tokens[i]) * (own * a_token + m.state_bytes_per_seq / work.isl) / GB


def hit_columns(data: ModelData, w: str, place: Place) -> list[Column]:
    """Columns that can load hits of a class from a place."""
    return [
        c for c in data.columns
        if c.candidate.workload == w and c.candidate.cache == "hit" and c.candidate.tier == place.stock.tier
        and (c.pool is None if place.stock.pooled else c.pool is not None and c.pool.id == place.pool.id)
    ]  # fmt: skip


def _write_parked(rows: Rows) -> None:
    """Parked KV by segment and place; hits come from what is parked where they are loaded."""
    data = rows.data
    for w, curve in data.retention.items():
        places = [p for p in data.places if hit_columns(data, w, p)]
        for i in range(len(curve)):
            kept = rows.column("kept", w, i)
            lie = [(rows.column("parked", w, i, p.id), 1.0) for p in places]
            rows.add([*lie, (kept, -1.0)])
            rows.add([*((k, -1.0) for k, _ in lie), (kept, 1.0)])
            rows.add([(kept, 1.0), (rows.column("kept", w, i - 1) if i else rows.column("served", w), -1.0)])
        sources: dict[str, list[Place]] = {}
        for p in places:
            sources.setdefault(p.stock.tier if p.stock.pooled else p.id, []).append(p)
        for at in sources.values():
            hits = [(rows.column("x", c.index), c.candidate.requests_per_s) for c in hit_columns(data, w, at[0])]
            won = [(rows.column("parked", w, i, p.id), -float(curve.d_hit[i])) for p in at for i in range(len(curve))]
            rows.add(hits + won)
        for p in places:
            _write_there(rows, w, p, places)
            if not p.stock.pooled:
                _park_beside_prefill(rows, w, p, places)
        _leave_through_ports(rows, w, [p for p in places if p.stock.pooled])
    for c in data.columns:
        reachable = any(c in hit_columns(data, c.candidate.workload, p) for p in data.places)
        if c.candidate.cache == "hit" and not reachable:
            rows.add([(rows.column("x", c.index), 1.0)], 0.0)


def prompt_gb(data: ModelData, w: str) -> float:
    """GB of the KV of a whole prompt."""
    work = next(item for item in data.workloads if item.id == w)
    return kept_gb(data, w, 0) / float(data.retention[w].d_resident_tokens[0]) * work.isl


def moves(rows: Rows, w: str, i: int, p: Place, places: list[Place], *, out: bool) -> list[int]:
    """Columns of requests/s whose KV moves out of a place, or into it, before a segment: one for each pair of places."""
    pairs = [(p.id, q.id) if out else (q.id, p.id) for q in places if q.id != p.id]
    return [rows.column("move", w, i, *pair) for pair in pairs]


def unused_gb(data: ModelData, w: str, i: int) -> float:
    """GB of a prompt's KV, times the share of prompts that nobody has come back for before a segment."""
    return prompt_gb(data, w) * (1.0 - sum(float(hit) for hit in data.retention[w].d_hit[:i]))


def _write_there(rows: Rows, w: str, p: Place, places: list[Place]) -> None:
    """New KV is written less what a hit finds there; a place keeps more only of what moves in, all of it written."""
    curve, whole = rows.data.retention[w], prompt_gb(rows.data, w)
    load = next(c.candidate.load_bytes for c in hit_columns(rows.data, w, p)) / GB
    lie = [rows.column("parked", w, i, p.id) for i in range(len(curve))]
    new = rows.column("written", w, 0, p.id)
    rows.add(
        [(lie[0], whole), (new, -1.0), *((k, -load * float(hit)) for k, hit in zip(lie, curve.d_hit, strict=True))]
    )
    for i in range(1, len(curve)):
        came, went = (moves(rows, w, i, p, places, out=out) for out in (False, True))
        rows.add([(lie[i], 1.0), (lie[i - 1], -1.0), *((k, -1.0) for k in came), *((k, 1.0) for k in went)])
        each = unused_gb(rows.data, w, i)
        rows.add([*((k, each) for k in came), (rows.column("written", w, i, p.id), -1.0)])


def _leave_through_ports(rows: Rows, w: str, stores: list[Place]) -> None:
    """Writes to storage servers go over what hand-overs leave of wired ports, and over ports of their own."""
    if not stores:
        return
    s, segments = rows.data.scenario, range(len(rows.data.retention[w]))
    port = (s.switch.port_bytes_per_s or 0.0) / GB
    out = [(rows.column("written", w, i, p.id), 1.0) for i in segments for p in stores]
    for c in rows.data.columns:
        k = c.candidate
        if k.workload == w and k.role in ("prefill", "mixed", "pair"):
            left = k.ports * port * float(s.nic_efficiency.at(1e12)) - k.requests_per_s * k.handover_bytes / GB
            out.append((rows.column("x", c.index), -max(0.0, left)))
    rows.add([*out, (rows.column("extra", w), -port * s.nic_link.measured_frac)])


def _park_beside_prefill(rows: Rows, w: str, p: Place, places: list[Place]) -> None:
    """KV lies on, and is read from, the share of its nodes that the replicas have which load it, at work or not."""
    data, loading = rows.data, hit_columns(rows.data, w, p)
    size, later = p.pool.config.platform.accelerators, range(1, len(data.retention[w]))
    lie = [(rows.column("parked", w, i, p.id), kept_gb(data, w, i)) for i in (0, *later)]
    read = [(rows.column("x", c.index), c.candidate.requests_per_s * c.candidate.load_bytes / GB) for c in loading]
    read += [(k, unused_gb(data, w, i)) for i in later for k in moves(rows, w, i, p, places, out=True)]
    for use, most in ((lie, p.stock.capacity_bytes), (read, p.stock.read_bytes_per_s)):
        rows.add(use + [(rows.there(c), -most / GB / size * c.candidate.charge) for c in loading])


def _taken_of(rows: Rows, p: Place) -> tuple[list[tuple[int, float]], ...]:
    """Bytes, reads and writes of a tier of a pool's nodes."""
    data = rows.data
    held: list[tuple[int, float]] = []
    read: list[tuple[int, float]] = []
    for name, k in list(rows.names.items()):
        if name[0] == "spill" and name[2:] == (p.pool.id, p.stock.tier):
            c = next(c.candidate for c in data.columns if c.index == name[1])
            held.append((k, 1.0))
            read.append((k, c.spill_read_bytes_per_s / c.spill_bytes))
        if name[0] == "parked" and name[3] == p.id:
            w, i = str(name[1]), int(str(name[2]))
            load = next(c.candidate.load_bytes for c in hit_columns(data, w, p))
            held.append((k, kept_gb(data, w, i)))
            read.append((k, float(data.retention[w].d_hit[i]) * load / GB))
        if name[0] == "move" and name[3] == p.id:
            read.append((k, unused_gb(data, str(name[1]), int(str(name[2])))))
    write = [(k, 1.0) for name, k in rows.names.items() if name[0] == "written" and name[3] == p.id]
    return held, read, write


def _write_tiers(rows: Rows) -> None:
    """Bytes, reads, writes and wear of each tier of a pool's nodes."""
    for p in rows.data.places:
        held, read, write = _taken_of(rows, p)
        port = p.stock.link_bytes_per_s if p.stock.pooled else np.inf
        rows.add(held, 0.0, rows.nodes(p.stock.capacity_bytes / GB, p.pool))
        rows.add(read, 0.0, rows.nodes(min(p.stock.read_bytes_per_s, port) / GB, p.pool))
        rows.add(write, 0.0, rows.nodes(min(p.stock.write_bytes_per_s, port) / GB, p.pool))
        if np.isfinite(p.stock.endurance_bytes_per_s):
            rows.add(write, 0.0, rows.nodes(p.stock.endurance_bytes_per_s / GB, p.pool))


def _write_appliances(rows: Rows) -> None:
    """What the nodes attached to an appliance take of it together: ports, bytes, reads and writes."""
    for box in rows.data.pools:
        lends, name = box.config.lends, box.config.platform.id
        hosts = [p for p in rows.data.pools if p.config.attached == name]
        if lends is None or not hosts:
            continue
        rows.add([], 0.0, rows.nodes(box.config.platform.most_hosts, box) + rows.nodes(-1.0, *hosts))
        there = [p for p in rows.data.places if p.pool in hosts and p.stock.tier == lends.tier]
        every = [_taken_of(rows, p) for p in there]
        sizes = (lends.capacity_bytes, lends.read_bytes_per_s, lends.write_bytes_per_s)
        for k, size in enumerate(sizes):
            rows.add([term for taken in every for term in taken[k]], 0.0, rows.nodes(size / GB, box))


def work_w(data: ModelData, c: Column) -> float:
    """Mean watts at the meter of a replica above its idle accelerators."""
    return (c.candidate.drawn_w - c.candidate.idle_w) * mean_pue_of_work(data, c.candidate)


def idle_site_w(data: ModelData) -> FloatArray:
    """Mean watts at the meter of one idle node in each housing."""
    return np.asarray([standing_it_w(data.scenario, h.pool) * h.pue_mean for h in data.housings])


def _write_carbon(rows: Rows) -> None:
    s = rows.data.scenario
    if s.site.co2_kg_per_s is None:
        return
    carbon = s.site.carbon_kg_per_j * 1e3
    terms = [(rows.column("x", c.index), work_w(rows.data, c) * carbon) for c in rows.data.columns]
    rows.add(terms, s.site.co2_kg_per_s * 1e3 - s.site.fixed_w * carbon, -carbon * idle_site_w(rows.data))


# --- the best build -----------------------------------------------------------------------------------------


def whole_vectors(data: ModelData, housed: IntArray) -> Iterator[tuple[int, ...] | None]:
    """All vectors of whole replicas that nodes could hold; None where replicas may be shared."""
    if data.scenario.study.build.whole_replicas is not True:
        yield None
        return
    room = []
    firsts = [mine[0] for mine in engines(data)]
    for c in firsts:
        here = [n for h, n in zip(data.housings, housed, strict=True)
                if (h.pool.config.platform.id, h.pool.cap) == (c.candidate.platform_id, c.candidate.power_cap)]  # fmt: skip
        size = next(
            p.config.platform.accelerators for p in data.pools if p.config.platform.id == c.candidate.platform_id
        )
        room.append(int(size * sum(here) / c.candidate.charge + SLACK))
    for counts in itertools.product(*(range(n + 1) for n in room)):
        taken: dict[tuple[str, float], float] = {}
        for c, n in zip(firsts, counts, strict=True):
            key = (c.candidate.platform_id, c.candidate.power_cap)
            taken[key] = taken.get(key, 0.0) + n * c.candidate.charge
        if all(
            used <= SLACK + sum(h.pool.config.platform.accelerators * n for h, n in zip(data.housings, housed, strict=True)
                                if (h.pool.config.platform.id, h.pool.cap) == key)
            for key, used in taken.items()
        ):  # fmt: skip
            yield counts


@dataclass(frozen=True)
class Best:
    """Best value in the objective's own unit (None where no build is feasible), and how many were tried."""

    value: float | None
    builds: int
    programs: int


def brute_force(data: ModelData) -> Best:
    """Try every network and every build and keep the best value of the study's objective."""
    found = [_under_plan(data, plan) for plan in plans(data, _most_ports(data))]
    values = [best.value for best in found if best.value is not None]
    cheapest = data.scenario.study.objective.name in LEAST
    value = None if not values else min(values) if cheapest else max(values)
    return Best(value, sum(best.builds for best in found), sum(best.programs for best in found))


def _most_ports(data: ModelData) -> float:
    """Ports that all nodes in supply could need, each full of the replicas that need most, and all writes to stores."""
    most = 0.0
    for part, spec in data.scenario.study.supply.platform.items():
        here = [p.config.platform for p in data.pools if p.config.platform.id == part][:1]
        for platform in here:
            each = [c.candidate.ports / c.candidate.charge for c in data.columns if c.candidate.platform_id == part]
            own = ports_of_node(data, part)
            most += spec.quantity * (own + platform.accelerators * max(each, default=0.0))
    port = data.scenario.switch.port_bytes_per_s or 1.0
    for p in data.places:
        if p.stock.pooled:
            most += (
                data.scenario.study.supply.platform[p.pool.config.platform.id].quantity
                * p.stock.write_bytes_per_s
                / port
            )
    return most


def _under_plan(data: ModelData, plan: Plan) -> Best:
    """Try every build beside one network."""
    net = taken(data.scenario, plan)
    rest = without(data, net)
    if rest is None:
        return Best(None, 0, 0)
    found = builds(rest, graded(data, plan))
    values: list[float] = []
    programs = 0
    written: dict[tuple[int, ...] | None, tuple[Rows, FloatArray, FloatArray, FloatArray]] = {}
    for housed, cost in zip(found.housed, found.cost, strict=True):
        for whole in whole_vectors(data, housed):
            if whole not in written:
                rows = write_rows(rest, whole, plan)
                written[whole] = (rows, *rows.matrices())
            rows, a, b0, by_housed = written[whole]
            value = _best_of(data, net, rows, a, b0 + by_housed @ housed, housed, float(cost) + net.yearly_usd)
            programs += 1
            if value is not None:
                values.append(value)
    if not values:
        return Best(None, len(found.housed), programs)
    cheapest = data.scenario.study.objective.name in LEAST
    return Best(min(values) if cheapest else max(values), len(found.housed), programs)


def _tokens(data: ModelData, rows: Rows) -> FloatArray:
    """Tokens of a request on the columns of served requests."""
    weight = np.zeros(len(rows.names))
    for w in data.workloads:
        weight[rows.names["served", w.id]] = counted(data, w)
    return weight


def counted(data: ModelData, w: Workload) -> float:
    """Tokens of a request as the study counts them."""
    kind = data.scenario.study.objective.tokens
    return {
        "output": w.osl,
        "all": w.osl + w.isl - max(w.isl * w.reuse_frac_max, w.system_tokens),
        "value": w.osl * w.value_per_token,
    }[kind]


def _earnings(data: ModelData, rows: Rows) -> tuple[FloatArray, float]:
    """USD a year of served requests, by column, and what is lost when none is served."""
    weight, lost, load_s = np.zeros(len(rows.names)), 0.0, YEAR_S * data.scenario.finance.load_factor
    for w in data.workloads:
        assert w.price_usd_per_token is not None
        fine = (w.unmet_usd_per_request or 0.0) * load_s if data.scenario.study.demand.mode == "fixed" else 0.0
        weight[rows.names["served", w.id]] = counted(data, w) * w.price_usd_per_token * load_s + fine
        lost += fine * w.requests_per_s
    return weight, lost


def _work(data: ModelData, rows: Rows) -> FloatArray:
    """Watts at the meter above idle on the columns of replicas."""
    weight = np.zeros(len(rows.names))
    for c in data.columns:
        if ("x", c.index) in rows.names:
            weight[rows.names["x", c.index]] = work_w(data, c)
    return weight


def _best_of(
    data: ModelData, net: Taken, rows: Rows, a: FloatArray, b: FloatArray, housed: IntArray, cost: float
) -> float | None:
    """Best value of one build beside one network, None where it is infeasible."""
    s, asked = data.scenario, data.scenario.study.objective
    tokens, work = _tokens(data, rows), _work(data, rows)
    standing = float(idle_site_w(data) @ housed) + s.site.fixed_w + net.drawn_w
    it_w = np.asarray([provisioned_it_w(s, h.pool) for h in data.housings])
    lower, upper = np.asarray(rows.lower), np.asarray(rows.upper)
    if asked.name in ("tco", "tokens_per_tco_dollar", "profit"):
        usd_per_w = s.site.electricity_usd_per_j * YEAR_S
        rent = s.finance.rent_usd_per_w_year * (float(it_w @ housed) + net.it_w)
        load = s.finance.load_factor
        standing_usd, work_usd = standing * usd_per_w + rent + cost, work * usd_per_w * load
        if asked.name == "tokens_per_tco_dollar":
            each = _ratio(tokens, work_usd / 1e3, standing_usd / 1e3, a, b, lower, upper)
            return None if each is None else each * YEAR_S * load / 1e3
        earned, lost = _earnings(data, rows) if asked.name == "profit" else (np.zeros(len(work)), 0.0)
        least = _minimum(work_usd - earned, a, b, lower, upper)
        if least is None:
            return None
        return least + standing_usd if asked.name == "tco" else -(least + standing_usd + lost)
    if asked.name == "tokens_per_used_mw" and asked.power == "drawn":
        return _ratio(tokens, work / 1e6, standing / 1e6, a, b, lower, upper)
    if asked.name == "power" and asked.power == "drawn":
        least = _minimum(work, a, b, lower, upper)
        return None if least is None else (least + standing) / 1e6
    most = _minimum(-tokens, a, b, lower, upper)
    if most is None:
        return None
    meter = float(np.asarray([h.pue_peak for h in data.housings]) * it_w @ housed) + s.site.fixed_w + net.meter_w
    if asked.name == "power":
        return meter / 1e6
    over = {"tokens": 1.0, "tokens_per_mw": (s.site.power_w or 0.0) / 1e6, "tokens_per_used_mw": meter / 1e6}[
        asked.name
    ]
    return -most / over


def _minimum(c: FloatArray, a: FloatArray, b: FloatArray, lower: FloatArray, upper: FloatArray) -> float | None:
    """Least value of a linear program; None where it is infeasible."""
    result = linprog(c, A_ub=a, b_ub=b, bounds=np.column_stack([lower, upper]), method="highs")
    if result.status == 2:
        return None
    assert result.status == 0, result.message
    return float(result.fun)


def _ratio(
    n: FloatArray, d: FloatArray, d0: float, a: FloatArray, b: FloatArray, lower: FloatArray, upper: FloatArray
) -> float | None:
    """Greatest ``n x / (d x + d0)`` by the substitution of Charnes and Cooper: y = t x, t = 1 / (d x + d0)."""
    low, high = np.isfinite(lower) & (lower > 0), np.isfinite(upper)
    eye = np.eye(len(n))
    rows = np.vstack(
        [np.column_stack([a, -b]), np.column_stack([-eye[low], lower[low]]), np.column_stack([eye[high], -upper[high]])]
    )
    result = linprog(
        -np.append(n, 0.0), A_ub=rows, b_ub=np.zeros(len(rows)), A_eq=np.append(d, d0)[None, :], b_eq=[1.0],
        bounds=(0.0, None), method="highs",
    )  # fmt: skip
    if result.status == 2:
        return None
    assert result.status == 0, result.message
    return float(-result.fun)
