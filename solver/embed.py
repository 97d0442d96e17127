"""The catalog rows a design stands on, so that it can be checked without the catalog it came from."""

from __future__ import annotations

from typing import Any

from solver.model.data import ModelData

WHOLE_TABLES = ("precisions", "links", "link_efficiency", "cooling", "calibration", "defaults")
"""Small tables that every design keeps whole."""


def used_rows(data: ModelData) -> dict[str, Any]:
    """Return the catalog's hash and the rows that the kept pools and classes use, by table and id."""
    scenario, catalog = data.scenario, data.scenario.catalog
    platforms = {p.config.platform.id: p.config.platform for p in data.pools}
    devices = {stock.device_id for p in data.pools for stock in p.config.tiers}
    devices |= {device for p in data.pools for device, _ in p.config.bought}
    devices |= {p.host_mem_id for p in platforms.values() if p.host_mem_id}
    series = {scenario.device(d).price_series for d in devices}
    wanted: dict[str, set[str]] = {
        "platforms": set(platforms),
        "accelerators": {p.accelerator_id for p in platforms.values() if p.accelerator_id},
        "memory": devices,
        "racks": {h.rack.id for h in data.housings},
        "network": {scenario.switch.id, scenario.optic.id},
        "models": set(scenario.models),
        "workloads": {w.id for w in scenario.workloads},
        "memory_prices": {str(r["id"]) for r in catalog.rows("memory_prices") if r["series"] in series},
        "reuse": {str(r["id"]) for r in catalog.rows("reuse")
                  if r["curve"] in {w.reuse_curve for w in scenario.workloads}},
        "sites": {scenario.study.site.id} if scenario.study.site.id else set(),
    }  # fmt: skip
    wanted |= {table: {row.id for row in catalog.rows(table)} for table in WHOLE_TABLES}
    rows = {
        table: {part: _plain(dict(catalog.row(table, part))) for part in sorted(ids)} for table, ids in wanted.items()
    }
    return {"hash": catalog.hash, "rows": rows}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Turn tuples into lists, as JSON would."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}
