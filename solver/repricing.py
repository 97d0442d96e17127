"""Other limits and prices in a compiled program, without building the model again."""

from __future__ import annotations

import dataclasses

import numpy as np

from solver.highs import Program
from solver.model.data import ModelData
from solver.model.limits import use_terms
from solver.optimise import Ready
from solver.resources import RESOURCES
from solver.scenario import Scenario


def same_structure(old: ModelData, new: ModelData) -> bool:
    """True where two studies differ in nothing but how much there is of what is limited, and what it costs."""

    def shape(data: ModelData) -> tuple[object, ...]:
        s = data.scenario
        return (
            tuple(p.id for p in data.pools),
            tuple((h.id, h.fit, h.own) for h in data.housings),
            tuple((p.id, p.stock.capacity_bytes, p.stock.read_bytes_per_s) for p in data.places),
            tuple(r.id for r in RESOURCES.values() if r.limit(s) is not None),
            (set(s.study.supply.platform), set(s.study.supply.memory)),
            (s.fleet, s.workloads, s.study.demand, s.study.build, s.study.objective),
            data.pue_of_family,
        )

    columns = len(old.columns) == len(new.columns) and all(
        a.candidate is b.candidate and (a.pool and a.pool.id) == (b.pool and b.pool.id)
        for a, b in zip(old.columns, new.columns, strict=True)
    )
    return columns and shape(old) == shape(new)


def _prices(scenario: Scenario) -> tuple[object, ...]:
    """What the coefficients of the limits follow from, beside what `same_structure` compares; no limit."""
    site = dataclasses.replace(
        scenario.site, power_w=None, usable_power_frac=1.0, fixed_w=0.0, budget_usd=None, floor_m2=None,
        water_l_per_s=None, co2_kg_per_s=None,
    )  # fmt: skip
    rates = (scenario.host_draw_frac, scenario.accelerators_per_port, scenario.write_amplification)
    return (id(scenario.catalog), site, scenario.finance, rates, scenario.platforms, scenario.devices)


def repriced(ready: Ready, data: ModelData) -> Program:
    """Return a compiled program with the limits and prices of data of the same structure.

    Parameters
    ----------
    ready : Ready
        With a linear objective that no resource is part of.
    data : ModelData
    """
    program, block, scenario = ready.program, ready.model.period[0], data.scenario
    rows = program.row_numbers
    at = {id(variable): k for k, variable in enumerate(program.variables)}
    priced_alike = _prices(ready.data.scenario) == _prices(scenario)
    upper = program.row_upper.copy()
    parts = np.split(np.arange(len(program.index)), program.start[1:-1])
    index, value = [program.index[part] for part in parts], [program.value[part] for part in parts]
    for name in block.within_limit:
        resource, k = RESOURCES[name], rows[id(block.within_limit[name])]
        if not priced_alike:
            terms = sorted((at[id(var)], each) for var, each in use_terms(block, data, resource))
            index[k] = np.asarray([place for place, _ in terms], dtype=np.int32)
            value[k] = np.asarray([each for _, each in terms])
        upper[k] = ((resource.limit(scenario) or 0.0) - resource.fixed(scenario)) / resource.scale
    supply = scenario.study.supply
    for row, table in ((block.within_platform_supply, supply.platform), (block.within_device_supply, supply.memory)):
        for part in row:
            upper[rows[id(row[part])]] = table[part].quantity
    start = np.concatenate([[0], np.cumsum([len(part) for part in index])]).astype(np.int32)
    return dataclasses.replace(
        program, start=start, index=np.concatenate(index), value=np.concatenate(value), row_upper=upper
    )
