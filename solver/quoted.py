"""A part with a quoted price on the menu of a study: the columns are made once and serve every price."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from solver.candidates import CandidateSet
from solver.catalog import Catalog
from solver.configurations import Configuration, configurations
from solver.errors import InputError, Problem, closest
from solver.model.data import ModelData
from solver.parts import MemoryDevice, Platform
from solver.physics.cost import memory_usd_per_byte, platform_usd
from solver.scenario import Scenario, resolve
from solver.solve import prepare
from solver.study import Study
from solver.widths import Queue, narrowed


@dataclass(frozen=True)
class Quoted:
    """A study whose menu holds a part, ready to be priced.

    Attributes
    ----------
    data : ModelData
    kind, name : str
    pieces : dict
        Configuration id -> pieces in one node.
    usd : float
        What a piece costs in `data`.
    catalog_usd : float or None
    """

    data: ModelData
    kind: str
    name: str
    pieces: dict[str, int]
    usd: float
    catalog_usd: float | None


def prepare_quote(
    study: Study,
    catalog: Catalog,
    part: str,
    widths: Mapping[Queue, int] | None = None,
    known: dict[str, CandidateSet] | None = None,
) -> Quoted:
    """Make the columns of a study with a part on the menu, whatever it costs.

    Parameters
    ----------
    study : Study
    catalog : Catalog
    part : str
    widths : mapping, optional
        Queues narrower than the study's.
    known : dict, optional
        Candidates of earlier calls, as in `prepare`.

    Raises
    ------
    InputError
        If the part is unknown, the study does not admit it, or no node has a place for it.
    """
    if part in catalog.tables["platforms"]:
        return _with_platform(study, catalog, part, widths or {}, known)
    if part in catalog.tables["memory"]:
        return _with_device(study, catalog, part, widths or {}, known)
    parts = [*catalog.tables["platforms"], *catalog.tables["memory"]]
    allowed = "an id listed by `tierwatt list platforms` or `tierwatt list memory`"
    raise InputError(
        [Problem("quote", "", "part", part, "not in platforms or memory of the catalog", allowed, closest(part, parts))]
    )


def _refuse(part: str, reason: str, hint: str = "") -> InputError:
    return InputError([Problem("quote", "", "part", part, reason, "a part that the study can buy", hint)])


def _admitted(scenario: Scenario, part: str) -> None:
    """Refuse a part that a filter of the study leaves out."""
    reason = next((f.reason for f in scenario.filtered if f.part == part), "")
    if reason:
        hint = "ask with a later site.available_by" if reason.startswith("available") else ""
        raise _refuse(part, reason, hint)


def _with_platform(
    study: Study, catalog: Catalog, part: str, widths: Mapping[Queue, int], known: dict[str, CandidateSet] | None
) -> Quoted:
    """A platform: for sale because it is quoted; its price is set on every configuration."""
    row = catalog.typed(Platform, part)
    quarter = study.site.price_quarter
    if row.price_central_usd is None:
        stand_in = {"id": part, "price_central_usd": 1e5, "price_quarter": quarter}
        catalog = catalog.overlay({"platforms": [stand_in]})
    if row.buyable != "yes" and part not in study.allow:
        study = study.with_changes({"allow": [*study.allow, part]})
    scenario = resolve(study, catalog)
    _admitted(scenario, part)
    data, _ = prepare(narrowed(scenario, widths), known=known)
    platform = catalog.typed(Platform, part)
    memory = scenario.device(platform.host_mem_id) if platform.host_mem_id else None
    usd = platform_usd(platform, scenario.site.price_quarter, scenario.prices, memory)
    pieces = {p.config.id: 1 for p in data.pools if p.config.platform.id == part}
    if not pieces:
        raise _refuse(part, "serves no class of the study within its promises")
    return Quoted(data, "platform", platform.name, pieces, usd, None if row.price_central_usd is None else usd)


def _with_device(
    study: Study, catalog: Catalog, part: str, widths: Mapping[Queue, int], known: dict[str, CandidateSet] | None
) -> Quoted:
    """A memory device: on the menu beside the device that the menu would otherwise choose."""
    scenario = resolve(study, catalog)
    _admitted(scenario, part)
    device = catalog.typed(MemoryDevice, part)
    others = dataclasses.replace(scenario, devices=tuple(d for d in scenario.devices if d.id != part))
    alone = dataclasses.replace(scenario, devices=(device,))
    menu: list[Configuration] = [*configurations(others)]
    menu += [c for c in configurations(alone) if part in dict(c.bought)]
    data, _ = prepare(narrowed(scenario, widths), menu=menu, known=known)
    pieces = {p.config.id: dict(p.config.bought).get(part, 0) for p in data.pools}
    pieces = {config: count for config, count in pieces.items() if count}
    if not pieces:
        raise _refuse(part, "no node of the study has a place and a use for it")
    usd = memory_usd_per_byte(device, scenario.site.price_quarter, scenario.prices) * device.capacity_bytes
    return Quoted(data, "memory", device.name, pieces, usd, usd)
