"""What a design uses of every limit and promise."""

from __future__ import annotations

from collections import defaultdict

import pyomo.environ as pyo

from solver.candidate import HIT
from solver.design import Record
from solver.holdings import held
from solver.model.data import ModelData
from solver.resources import RESOURCES
from solver.shares import SHARES, limited_shares
from solver.workload import Workload


def limit_records(data: ModelData, model: pyo.ConcreteModel, load: list[Record], bill: list[Record]) -> list[Record]:
    """Every limit and promise with what is used of it."""
    scenario, block = data.scenario, model.period[0]
    records = []
    for resource in RESOURCES.values():
        limit = resource.limit(scenario)
        if limit is not None:
            used = float(pyo.value(block.use[resource.id])) * resource.scale
            records.append(_limit(resource.limit_path, limit, used, resource.unit))
    bought: dict[str, float] = defaultdict(float)
    for pool_config in {p.config.id: p.config for p in data.pools}.values():
        count = sum(held(model.bought[pool_config.id, v]) for v in model.PERIODS)
        bought[pool_config.platform.id] += count
        for device_id, number in pool_config.bought:
            bought[device_id] += count * number
    for device_id in model.LOOSE:
        bought[device_id] += sum(held(model.loose[device_id, v]) for v in model.PERIODS)
    for kind, table in (("platform", scenario.study.supply.platform), ("memory", scenario.study.supply.memory)):
        records += [_limit(f"supply.{kind}.{p}", s.quantity, round(bought[p]), "pieces") for p, s in table.items()]
    records += [
        _limit(SHARES[name].path, limit, SHARES[name].of_bill(bill), "share")
        for name, limit in limited_shares(scenario).items()
    ]
    for work in data.workloads:
        mine = [item for item in load if item["class"] == work.id]
        for name, promise in (("ttft", work.ttft_s), ("tpot", work.tpot_s)):
            spent = [_against(work, item, name) for item in mine]
            worst = max((value for value in spent if value is not None), default=None)
            if promise is not None and worst is not None:
                records.append(_limit(f"promise.{work.id}.{name}", promise, worst, "s"))
    records += _tier_limits(data, block)
    return records


def _against(work: Workload, item: Record, name: str) -> float | None:
    """Seconds of a load entry that count against its class's promise; None where it has none."""
    seconds: float | None = item[f"{name}_s"]
    if seconds is None or name == "tpot" or work.ttft_s is None:
        return seconds
    promise = work.ttft_promise_s(work.cached_on_hit if item["cache"] == HIT else work.system_tokens)
    return None if promise is None else seconds * work.ttft_s / max(promise, 1e-30)


def _tier_limits(data: ModelData, block: pyo.Block) -> list[Record]:
    """Capacity, bandwidth and wear of each tier that holds something."""
    records = []
    for place in data.places:
        nodes = sum(held(block.housed[h.id]) for h in data.housings_of_pool.get(place.pool.id, []))
        port = place.stock.link_bytes_per_s if place.stock.pooled else float("inf")
        limits = {
            "capacity": place.stock.capacity_bytes,
            "read": min(place.stock.read_bytes_per_s, port),
            "write": min(place.stock.write_bytes_per_s, port),
            "wear": place.stock.endurance_bytes_per_s,
        }
        rows = {"capacity": "fit_tier", "read": "read_tier", "write": "write_tier", "wear": "wear_tier"}
        for name, row in rows.items():
            constraint = getattr(block, row)
            if nodes < 0.5 or place.id not in constraint:
                continue
            limit = nodes * limits[name]
            slack = -float(pyo.value(constraint[place.id].body)) * 1e12
            if slack < limit * (1 - 1e-9):
                records.append(
                    _limit(
                        f"memory.{place.pool.id}.{place.stock.tier}.{name}",
                        limit,
                        limit - slack,
                        "B" if name == "capacity" else "B/s",
                    )
                )
    return records


def _limit(name: str, value: float, used: float, unit: str) -> Record:
    return {"id": name, "value": value, "used": used, "unit": unit, "slack": value - used, "marginal": None}
