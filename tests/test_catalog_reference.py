"""Nothing of the reference tables is lost: every row stands in the catalogs by its id, or its absence has a reason.

The reference folder lies beside the checkout or where TIERWATT_SHARED says; without it these tests are skipped.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path

import pytest

from solver.catalog import Catalog, load_catalog

SHARED = Path(os.environ.get("TIERWATT_SHARED", Path(__file__).resolve().parent.parent.parent / "shared"))
REFERENCE = SHARED / "reference"
pytestmark = pytest.mark.skipif(
    not (REFERENCE / "accelerators.csv").is_file(), reason="the reference tables are not here (set TIERWATT_SHARED)"
)
LEFT_OUT = Path(__file__).parent / "reference_left_out.csv"
"""Reference rows without a catalog row of their id: table, id with * for anything, reason."""

TABLES = {
    "accelerators": ("accelerators", 35), "nodes": ("platforms", 35), "memory_devices": ("memory", 53),
    "racks": ("racks", 11), "network": ("network", 33), "facility": ("facility", 53), "models": ("models", 46),
    "workloads": ("workloads", 20), "tier_links": ("links", 52), "reuse_curves": ("reuse", 236),
    "memory_price_snapshots": ("memory_prices", 11),
}  # fmt: skip
"""Reference table -> catalog table, rows in the reference."""

EVIDENCE = {
    "data_movement_energy": "energies behind the energy columns of memory and links",
    "memory_market": "dated statements behind memory_prices and lead times",
    "memory_tier_defaults": "central values of tiers, which the devices of memory carry",
    "kv_tiering_evidence": "published results to compare with",
    "kv_hit_curve": "the LRU replay of two traces, of which reuse holds the curves by time",
    "reuse_fits": "closed forms of curves in reuse",
    "gap_fits": "fits of which workloads hold the one of their class",
    "trace_stats": "statistics behind workloads",
    "measured_serving": "measurements", "measured_disagg": "measurements", "measured_mlenergy_v3": "measurements",
    "measured_splitwise": "measurements", "measured_diffusion_energy": "measurements",
}  # fmt: skip
"""Reference tables that hold evidence rather than parts, and what they are for."""

SERIES = {
    "64GB DDR5 RDIMM contract": "ddr5", "LPDDR5X server package / SOCAMM2": "lpddr", "HBM3E 12-hi": "hbm3e",
    "HBM4 12-hi": "hbm4", "GDDR7": "gddr", "CXL 2.0 module (DDR5 + controller)": "cxl",
    "HBF gen 1 (no product yet)": "hbf", "30TB TLC eSSD": "nvme_tlc", "122TB QLC eSSD": "nvme_qlc",
    "30TB class nearline": "hdd",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog that comes with the program."""
    return load_catalog()


def reference(name: str) -> list[dict[str, str]]:
    """Return the rows of a reference table."""
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def row_id(table: str, row: dict[str, str]) -> str:
    """Return the id of a reference row, made as the catalog makes it where the table has none."""
    if table == "reuse_curves":
        return f"{row['trace']}:{row['curve']}:{float(row['x']):g}"
    return row["item"] if table == "memory_price_snapshots" else row["id"]


def left_out() -> dict[tuple[str, str], str]:
    """Return the reasons by table and id."""
    with LEFT_OUT.open(encoding="ascii", newline="") as file:
        return {(row["table"], row["id"]): row["reason"] for row in csv.DictReader(file)}


def reasons_for(table: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the keys of the reasons that cover a reference row."""
    for key in left_out():
        if key[0] == table and fnmatch(name, key[1]):
            yield key


def test_every_reference_table_is_a_catalog_table_or_evidence() -> None:
    names = {path.stem for path in REFERENCE.glob("*.csv")}
    assert names == set(TABLES) | set(EVIDENCE)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_in_the_catalog_or_has_a_reason(catalog: Catalog, table: str) -> None:
    target, count = TABLES[table]
    rows = reference(table)
    assert len(rows) == count
    known = set(catalog.tables[target])
    used = set()
    for row in rows:
        name = row_id(table, row)
        found = name in known
        if table == "memory_price_snapshots":
            found = name in SERIES
        keys = list(reasons_for(table, name))
        assert found != bool(keys), (table, name, "both" if found else "neither in the catalog nor with a reason")
        used.update(keys)
    assert used == {key for key in left_out() if key[0] == table}, "reasons for rows that are not left out"


def test_few_rows_are_left_out_and_each_says_why() -> None:
    reasons = left_out()
    assert all(len(reason) > 10 for reason in reasons.values())
    assert Counter(table for table, _ in reasons) == {
        "tier_links": 37, "reuse_curves": 5, "memory_price_snapshots": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "pairs"),
    [
        ("accelerators", {"bf16_dense_tflops": "bf16_dense_tflops", "fp8_dense_tflops": "fp8_dense_tflops",
                          "fp4_dense_tflops": "fp4_dense_tflops", "mem_gb": "mem_gb", "mem_bw_gb_s": "mem_bw_gb_s",
                          "tdp_w": "tdp_w", "scaleup_gb_s_uni": "scaleup_gb_s", "price_usd_central": "price_central_usd"}),
        ("nodes", {"nvme_bays": "nvme_bays", "hdd_bays": "hdd_bays", "node_max_power_w": "node_max_w",
                   "node_peak_power_w": "node_peak_w", "rack_units": "rack_units", "price_usd_low": "price_low_usd",
                   "price_usd_central": "price_central_usd", "price_usd_high": "price_high_usd"}),
        ("memory_devices", {"capacity_gb": "capacity_gb", "read_bw_GBps": "read_bw_gb_s",
                            "write_bw_GBps": "write_bw_gb_s", "endurance_dwpd": "endurance_dwpd",
                            "price_central_usd_per_gb": "price_central_usd_per_gb"}),
        ("racks", {"usable_kw": "usable_kw", "peak_kw": "peak_kw", "rack_units": "rack_units",
                   "floor_m2_incl_aisle": "floor_m2", "lead_time_weeks": "lead_time_weeks"}),
        ("network", {"port_gbps": "port_gbit_s", "power_typ_w": "power_typ_w", "price_usd_central": "price_central_usd"}),
        ("facility", {"low": "low", "central": "central", "high": "high"}),
        ("workloads", {"in_mean": "isl_tokens", "out_mean": "osl_tokens", "deadline_s": "deadline_s",
                       "control_hz": "control_hz", "data_ingest_PB_per_day": "data_ingest_pb_per_day",
                       "data_retention_years": "data_retention_years", "gap_p50_s": "gap_p50_s"}),
    ],
)  # fmt: skip
def test_figures_are_those_of_the_reference(catalog: Catalog, table: str, pairs: dict[str, str]) -> None:
    """A figure that the reference states stands unchanged; what it leaves open may be filled by an estimate."""
    for row in reference(table):
        mine = catalog.row(TABLES[table][0], row["id"])
        for theirs, column in pairs.items():
            text = row[theirs]
            if text and text != "n/a":
                assert mine[column] == pytest.approx(float(text), rel=1e-6), (row["id"], column)


def test_memory_prices_are_the_snapshots(catalog: Catalog) -> None:
    """Every quoted quarter of every series; a quarter without a quote stands as an estimate."""
    for row in reference("memory_price_snapshots"):
        for column, text in row.items():
            if row["item"] in SERIES and column.startswith("p20"):
                mine = catalog.row("memory_prices", f"{SERIES[row['item']]}_{column[1:]}")
                if text:
                    assert mine["price_usd_per_gb"] == pytest.approx(float(text)), mine.id
                else:
                    assert mine["confidence"] == "estimate", mine.id


def test_every_public_model_name_of_the_measurements_has_an_alias_or_a_reason(catalog: Catalog) -> None:
    names: set[str] = set()
    for path in sorted(REFERENCE.glob("measured_*.csv")):
        rows = reference(path.stem)
        column = next(name for name in ("model", "model_id", "model_path") if name in rows[0])
        names |= {row[column] for row in rows}
    aliases = catalog.tables["model_aliases"]
    assert names - set(aliases) == set()
    assert len(names) == 48 and sum(aliases[name]["model_id"] is not None for name in names) == 29
