"""Figures of accelerators that candidates are made from, as things there could be more of."""

from __future__ import annotations

from dataclasses import dataclass

from solver.catalog import Catalog
from solver.scenario import Scenario

TABLE = "accelerators"


@dataclass(frozen=True)
class Attribute:
    """One figure of every accelerator: the catalog's columns that state it."""

    id: str
    name: str
    columns: tuple[str, ...]


HARDWARE: dict[str, Attribute] = {}


def register(attribute: Attribute) -> Attribute:
    """Add an attribute to the registry."""
    if attribute.id in HARDWARE:
        raise ValueError(f"attribute {attribute.id} is registered twice")
    HARDWARE[attribute.id] = attribute
    return attribute


def with_attribute(scenario: Scenario, attribute: Attribute, factor: float) -> Catalog:
    """Return the catalog with a figure of every accelerator of the scenario times a factor.

    Parameters
    ----------
    scenario : Scenario
    attribute : Attribute
    factor : float
    """
    table = scenario.catalog.tables[TABLE]
    changes = []
    for part in scenario.accelerators:
        row = table[part]
        scaled = {c: row[c] * factor for c in attribute.columns if isinstance(row[c], int | float)}
        if scaled:
            changes.append({"id": part, **scaled})
    return scenario.catalog.overlay({TABLE: changes})


register(Attribute("hbm_capacity", "accelerator memory, bytes", ("mem_gb", "mem_usable_gb")))
register(Attribute("hbm_bandwidth", "accelerator memory, bandwidth", ("mem_bw_gb_s",)))
register(Attribute("compute", "accelerator FLOPs", ("bf16_dense_tflops", "fp8_dense_tflops", "fp4_dense_tflops")))
register(Attribute("scale_up", "scale-up bandwidth", ("scaleup_gb_s",)))
