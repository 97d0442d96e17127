"""The catalogs themselves: every number has a source, every column a meaning, and rows agree with each other."""

from __future__ import annotations

import csv
import dataclasses
import re
import tomllib
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from solver import parts
from solver.catalog import OPTIONAL_TABLES, Catalog, Row, default_folder, load_catalog
from solver.schema import TOML_TABLES
from solver.servable import SERVED
from solver.units import si_name

WORDS = ("measured", "datasheet", "paper", "press", "estimate")
KINDS = [kind for kind in vars(parts).values()
         if isinstance(kind, type) and issubclass(kind, parts.Part) and kind.TABLE]  # fmt: skip
UNITS = {
    "_gb": "GB", "_gb_s": "GB/s", "_gbit_s": "Gbit/s", "_w": "W", "_kw": "kW", "_mw": "MW", "_usd": "USD",
    "_usd_per_gb": "USD/GB", "_usd_per_mwh": "USD/MWh", "_pj_per_bit": "pJ/bit", "_m2": "m2", "_kg": "kg",
    "_tflops": "TFLOP/s", "_g_per_kwh": "g/kWh", "_l_per_kwh": "L/kWh", "_frac": "share", "_weeks": "weeks",
    "_percent": "percent", "_tokens": "tokens", "_b": "1e9", "_usd_per_million_tokens": "USD/1e6 tokens",
}  # fmt: skip
QUARTERS = ["2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3"]
TO_BUY = [
    "dgx_h100", "hgx_h100_8", "dgx_h200", "hgx_h200_8", "dgx_b200", "dgx_b300", "gb200_nvl72", "gb300_nvl72",
    "vr_nvl72", "mi300x_8", "mi325x_8", "mi350x_8", "mi355x_8_dlc", "helios_mi455x", "gaudi3_8", "rtx_pro_6000_8",
    "l40s_8", "storage_flash_2u24", "storage_hdd_4u90",
]  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog that comes with the program."""
    return load_catalog()


def every_row(catalog: Catalog) -> list[tuple[str, Row]]:
    return [(table, row) for table in catalog.tables for row in catalog.rows(table)]


def test_every_row_names_its_source_and_the_kind_of_evidence(catalog: Catalog) -> None:
    for table, row in every_row(catalog):
        assert len(row["source"]) > 3, (table, row.id)
        for name, value in row.items():
            if name.startswith("confidence"):
                assert value in WORDS, (table, row.id, name)


def test_every_column_of_the_dictionary_has_a_meaning(catalog: Catalog) -> None:
    for table, columns in catalog.schema.tables.items():
        meanings = [column.meaning for column in columns.values()]
        assert all(len(meaning) > 5 and len(meaning) <= 120 for meaning in meanings), table
        assert {"source", "confidence"} <= set(columns), table


def test_every_number_has_plausibility_bounds(catalog: Catalog) -> None:
    bare = [f"{table}.{name}" for table, columns in catalog.schema.tables.items() for name, column in columns.items()
            if column.type in ("int", "float") and (column.minimum is None or column.maximum is None)]  # fmt: skip
    assert bare == []


def test_units_of_the_dictionary_agree_with_the_suffixes(catalog: Catalog) -> None:
    for table, columns in catalog.schema.tables.items():
        for name, column in columns.items():
            suffix = max((s for s in UNITS if name.endswith(s)), key=len, default="")
            if suffix and column.type in ("int", "float"):
                assert column.unit == UNITS[suffix], (table, name)


@pytest.mark.parametrize("table", list(load_catalog().schema.tables))
def test_columns_of_a_table_are_those_of_the_dictionary(catalog: Catalog, table: str) -> None:
    path = default_folder() / catalog.schema.file_name(table)
    columns = list(catalog.schema.tables[table])
    if table in TOML_TABLES:
        rows = tomllib.loads(path.read_text())[TOML_TABLES[table]]
        assert all(set(row) <= set(columns) for row in rows)
        assert set().union(*rows) | {
            "deadline_s",
            "draft_acceptance",
            "price_usd_per_million_tokens",
            "unmet_usd_per_request",
            "budget_usd",
            "water_l_per_s",
            "co2_kg_per_s",
            "notes",
        } >= set(columns)
    elif path.exists() or table not in OPTIONAL_TABLES:
        with path.open(newline="") as file:
            assert next(csv.reader(file)) == columns


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_part_is_fed_by_a_column(catalog: Catalog, kind: type[parts.Part]) -> None:
    columns = catalog.schema.tables[kind.TABLE]
    fed = {si_name(name)[0] for name in columns} | set(columns)
    assert {field.name for field in dataclasses.fields(kind)} <= fed
    whole = [row.id for row in catalog.rows(kind.TABLE) if not kind.lacking(row)]
    assert [part.id for part in catalog.all(kind)] == whole != []
    assert len(catalog.rows(kind.TABLE)) - len(whole) <= (2 if kind in (parts.Accelerator, parts.Platform) else 0)


def test_catalog_files_are_plain_text_without_traces_of_their_making() -> None:
    trace = re.compile(r"index file|find_string|stored (copy|copies)|/w[o]rk/|/tmp/|/home/|/ro[o]t", re.IGNORECASE)
    for path in default_folder().iterdir():
        text = path.read_text(encoding="ascii")
        assert not trace.search(text), (path.name, trace.search(text))


# what can be bought


def test_enough_can_be_bought(catalog: Catalog) -> None:
    sold = {row["accelerator_id"] for row in catalog.rows("platforms")
            if row["buyable"] == "yes" and row["accelerator_id"]}  # fmt: skip
    rows = [catalog.row("accelerators", part_id) for part_id in sold]
    assert len(sold) >= 12
    assert len({row["vendor"] for row in rows}) >= 3
    for vendor in ("NVIDIA", "AMD"):
        assert len({row["year_available"][:4] for row in rows if row["vendor"] == vendor}) >= 3


@pytest.mark.parametrize("platform_id", TO_BUY)
def test_reference_platforms_can_be_bought(catalog: Catalog, platform_id: str) -> None:
    row = catalog.row("platforms", platform_id)
    assert row["buyable"] == "yes"
    assert row["price_central_usd"] is not None
    assert row["host_mem_id"] is not None


@pytest.mark.parametrize(
    ("platform_id", "word"),
    [("ironwood_cube", "restricted"), ("trn2_ultraserver", "cloud_only"), ("tpu_v6e_host", "cloud_only"),
     ("gb200_tray", "component"), ("vr_nvl72_tray", "component"), ("hgx_rubin_nvl8", "what_if")],
)  # fmt: skip
def test_what_is_not_for_sale_says_why(catalog: Catalog, platform_id: str, word: str) -> None:
    row = catalog.row("platforms", platform_id)
    assert row["buyable"] == word
    assert "Not buyable:" in row["notes"]


def test_power_known_only_by_estimate_is_not_for_sale(catalog: Catalog) -> None:
    for row in catalog.rows("platforms"):
        if row["accelerator_id"] and row["buyable"] == "yes":
            accelerator = catalog.row("accelerators", row["accelerator_id"])
            assert "estimate" not in (row["confidence_power"], accelerator["confidence_power"]) or (
                row["confidence_power"] != accelerator["confidence_power"]
            ), row.id


def test_what_is_ordered_has_a_lead_time_and_an_order_size(catalog: Catalog) -> None:
    """Weeks become seconds; where no source gives them they say that they are planned, not known."""
    for kind in (parts.Platform, parts.MemoryDevice, parts.Rack, parts.NetworkPart):
        for part in catalog.all(kind):
            row = catalog.row(kind.TABLE, part.id)
            assert part.lead_time_s == row["lead_time_weeks"] * 7 * 86400.0 > 0, part.id
            assert part.order_multiple >= 1 and part.order_minimum >= 1, part.id
            if part.confidence_lead_time != "estimate":
                assert "lead time:" in row["source"], part.id
    sourced = {row.id for row in catalog.rows("memory") if row["confidence_lead_time"] == "press"}
    assert sourced == {row.id for row in catalog.rows("memory") if row["tier"] in ("ddr", "hdd")}


def test_failures_and_wear_fall_back_on_the_defaults(catalog: Catalog) -> None:
    """A part without its own figure leaves the field empty, and the default names its source."""
    assert catalog.row("defaults", "build.accelerator_afr_percent")["value"] == 3.5
    for path in ("build.platform_afr_percent", "build.write_amplification"):
        assert catalog.row("defaults", path)["confidence"] == "estimate"
    own = catalog.overlay({"accelerators": [{"id": "h100_sxm", "afr_percent": 9.0}]})
    assert own.typed(parts.Accelerator, "h100_sxm").afr_frac == pytest.approx(0.09)
    assert catalog.typed(parts.Accelerator, "h100_sxm").afr_frac is None
    assert all(device.endurance_dwpd is not None for device in catalog.all(parts.MemoryDevice)
               if device.tier in ("nvme_tlc", "nvme_qlc"))  # fmt: skip


def test_parts_that_are_for_sale_hold_an_accelerator_that_is(catalog: Catalog) -> None:
    """Only what-if rows may lack figures, and nothing for sale rests on them."""
    for row in catalog.rows("platforms"):
        if row["accelerator_id"]:
            accelerator = catalog.row("accelerators", row["accelerator_id"])
            assert (row["buyable"] != "yes") or accelerator["buyable"] == "yes", row.id
            assert row["buyable"] == "what_if" or not parts.Accelerator.lacking(accelerator), row.id
    for kind in (parts.Accelerator, parts.Platform):
        incomplete = {row["buyable"] for row in catalog.rows(kind.TABLE) if kind.lacking(row)}
        assert incomplete == {"what_if"}


# parts that must fit each other


def test_platform_power_adds_up(catalog: Catalog) -> None:
    """Node maximum = accelerators at TDP + host, as the reference derives the host; what breaks it would count watts twice."""
    for row in catalog.rows("platforms"):
        if row["accelerator_id"] and row["host_w"] is not None:
            boards = row["accelerators"] * catalog.row("accelerators", row["accelerator_id"])["tdp_w"]
            if row["second_accelerators"]:
                second = catalog.row("accelerators", row["second_accelerator_id"])
                boards += row["second_accelerators"] * second["tdp_w"]
            assert row["node_max_w"] == pytest.approx(boards + row["host_w"], rel=0.002), row.id


def test_accelerator_platforms_have_host_memory_of_the_right_kind(catalog: Catalog) -> None:
    for row in catalog.rows("platforms"):
        if row["accelerators"] is not None:
            assert (row["accelerators"] > 0) == bool(row["accelerator_id"]), row.id
        assert (row["second_accelerators"] > 0) == bool(row["second_accelerator_id"]), row.id
        if row["host_mem_std_gb"]:
            device = catalog.row("memory", row["host_mem_id"])
            assert (row["most_hosts"] > 0) == (device["tier"] == "cxl_pool") == (row["host_adapters"] > 0), row.id
            if row["most_hosts"]:
                assert row["host_mem_std_gb"] == device["capacity_gb"] and row["host_link_id"], row.id
                assert row["host_mem_bw_gb_s"] == device["read_bw_gb_s"] and not row["nic_count"], row.id
                continue
            assert device["tier"] in ("ddr", "lpddr"), row.id
            soldered = row["host_link_id"] == "nvlink_c2c_grace" or row["host_link_id"] == "nvlink_c2c_vera"
            assert (device["tier"] == "lpddr") == soldered, row.id
            assert row["host_link_id"] or not row["accelerators"], row.id
        if row["nic_count"]:
            assert row["nic_gbit_s"] > 0, row.id


def test_every_platform_has_a_rack(catalog: Catalog) -> None:
    racks = catalog.rows("racks")
    for row in catalog.rows("platforms"):
        peak_kw = (row["node_peak_w"] or row["node_max_w"]) / 1e3
        if row["own_rack_id"]:
            rack = catalog.row("racks", row["own_rack_id"])
            assert rack["usable_kw"] * 1e3 >= row["node_max_w"], row.id
            fitting = [rack] if rack["peak_kw"] >= peak_kw else []
        else:
            fitting = [rack for rack in racks if rack["use"] != "integrated" and rack["peak_kw"] >= peak_kw
                       and rack["rack_units"] >= row["rack_units"]]  # fmt: skip
        words = [catalog.row("cooling", rack["cooling"])["accepts"] for rack in fitting]
        if row["kind"] in ("rack", "server", "storage") and row["buyable"] == "yes":
            assert any(row["cooling"] in accepted for accepted in words), row.id
        assert (row["own_rack_id"] is not None) == (row["kind"] == "rack"), row.id


def test_every_tier_has_a_device_and_every_series_all_quarters(catalog: Catalog) -> None:
    tiers = {row["tier"] for row in catalog.rows("memory")}
    assert tiers == set(catalog.schema.tables["memory"]["tier"].allowed)
    quarters = defaultdict(set)
    for row in catalog.rows("memory_prices"):
        assert row.id == f"{row['series']}_{row['quarter']}"
        quarters[row["series"]].add(row["quarter"])
    assert all(sorted(found) == QUARTERS for found in quarters.values())
    for row in catalog.rows("memory"):
        assert row["price_quarter"] in quarters[row["price_series"]]
        assert (row["cxl_lanes"] > 0) == row["tier"].startswith("cxl"), row.id


def test_design_day_is_never_better_than_the_average(catalog: Catalog) -> None:
    for row in catalog.rows("cooling"):
        assert row["pue_peak"] >= row["pue_high"] >= row["pue_central"] >= row["pue_low"] >= 1.0
        assert "Peak" in row["source"]


def test_larger_transfers_come_nearer_to_the_peak(catalog: Catalog) -> None:
    """On each link the reached share rises with the size, and the link's own share lies within reach of it."""
    found = defaultdict(list)
    for part in catalog.all(parts.LinkEfficiency):
        assert part.id == f"{part.link_id}:{catalog.row('link_efficiency', part.id)['bytes']:g}"
        found[part.link_id].append((part.bytes, part.frac))
    assert {link: len(points) for link, points in found.items()} == {
        "rdma_200g": 8, "rdma_400g": 5, "efa_16x200": 2, "pcie5_x16": 2,
    }  # fmt: skip
    for link, points in found.items():
        points.sort()
        assert [frac for _, frac in points] == sorted(frac for _, frac in points), link
        assert points[0][1] - 0.01 <= catalog.typed(parts.Link, link).measured_frac <= points[-1][1] + 0.2, link


def test_fabric_bundles_state_what_lies_outside_the_node(catalog: Catalog) -> None:
    bundles = [row for row in catalog.rows("network") if row["kind"] == "fabric_bundle"]
    assert len(bundles) == 6
    for row in bundles:
        assert 0 < row["endpoint_w"] < row["power_typ_w"]
        assert 0 < row["endpoint_usd"] < row["price_central_usd"]


# models, reuse, workloads


def kv_per_token(row: Row, element_bytes: int) -> float:
    """KV bytes per token from the row's own layers, without those that keep only a window."""
    if "MLA" in row["attention"]:
        width = row["mla_kv_lora_rank"] + row["mla_rope_dim"]
        return row["n_attention_layers"] * (width * element_bytes + row["index_bytes_per_token_layer"])
    layers = row["n_attention_layers"] - row["sliding_layers"]
    return 2.0 * layers * row["n_kv_heads"] * row["head_dim"] * element_bytes


def test_kv_columns_follow_from_the_layers(catalog: Catalog) -> None:
    checked = 0
    for row in catalog.rows("models"):
        if not row["kv_bytes_per_token_bf16"] or "CSA" in row["attention"]:
            continue
        assert row["kv_bytes_per_token_bf16"] == kv_per_token(row, 2), row.id
        assert row["kv_bytes_per_token_fp8"] == kv_per_token(row, 1), row.id
        if row["sliding_layers"]:
            window = 2 * row["sliding_layers"] * row["n_kv_heads"] * row["head_dim"] * 2 * row["sliding_window"]
            assert row["kv_window_bytes_bf16"] == window, row.id
        checked += 1
    assert checked >= 38


@pytest.mark.parametrize(
    ("model_id", "kilobytes"),
    [("opt-175b", 4719), ("llama-3.1-70b", 328), ("deepseek-v3", 70.3), ("gpt-oss-120b", 36.9)],
)
def test_kv_of_known_models(catalog: Catalog, model_id: str, kilobytes: float) -> None:
    assert catalog.row("models", model_id)["kv_bytes_per_token_bf16"] == pytest.approx(kilobytes * 1e3, rel=0.002)


def test_computed_parameters_agree_with_the_published_ones(catalog: Catalog) -> None:
    for row in catalog.rows("models"):
        if row["params_total_calc_b"]:
            assert row["params_total_calc_b"] == pytest.approx(row["params_total_b"], rel=0.02), row.id


def test_retention_curves_rise(catalog: Catalog) -> None:
    curves = defaultdict(list)
    for row in catalog.rows("reuse"):
        assert row.id == f"{row['curve']}:{row['ttl_s']:g}" or row.id.startswith(row["curve"])
        curves[row["curve"]].append(
            (row["ttl_s"], row["hit_frac"], row["hit_frac_of_max"], row["resident_tokens_per_rps"])
        )
    assert {
        "mooncake_conversation:ttl",
        "weka_agentic_coding_odd:ttl",
        "ragpulse:ttl_prefix",
        "ragpulse:ttl_chunk",
    } <= set(curves)
    for name, points in curves.items():
        points.sort()
        for before, after in pairwise(points):
            assert all(b <= a for b, a in zip(before, after, strict=True)), (name, before, after)
        assert points[-1][2] == pytest.approx(1.0, abs=0.002)


def test_workloads_are_whole(catalog: Catalog) -> None:
    """Promises come with a percentile, precisions fit the model, and nothing is reused without a curve."""
    for row in catalog.rows("workloads"):
        if row["kind"] not in SERVED:
            assert row["assumption"].startswith("cannot be served yet:"), row.id
            continue
        model = catalog.row("models", row["model_id"])
        assert model["n_layers"] is not None, row.id
        assert (row["ttft_s"] is None) == (row["percentile"] is None), row.id
        assert ("fp4" in row["weight_precisions"]) <= (model["native_precision"] == "fp4"), row.id
        assert (row["reuse_frac_max"] > 0) == (row["reuse_curve"] is not None), row.id
        assert row["new_isl_tokens"] == pytest.approx(row["isl_tokens"] * (1 - row["reuse_frac_max"]), rel=0.01), row.id
        assert row["deadline_s"] or row["ttft_s"] or row["kind"] == "shape", row.id
        assert (row["kind"] == "shape") == row.id.startswith("shape_"), row.id


def test_length_spread_is_that_of_a_lognormal_with_the_mean_and_median_of_the_trace(catalog: Catalog) -> None:
    row = catalog.row("workloads", "chat_short")
    assert row["osl_cv"] ** 2 == pytest.approx((211 / 129) ** 2 - 1, rel=0.002)
    assert catalog.row("workloads", "chat_long_context")["osl_cv"] == 0.0


def test_quality_gate_holds_only_four_bits(catalog: Catalog) -> None:
    assert {row.id for row in catalog.rows("precisions") if row["quality_gate"]} == {"fp4"}


def test_defaults_of_a_study_agree_with_the_facility_table(catalog: Catalog) -> None:
    pairs = {"site.electricity_usd_per_mwh": "elec_us_industrial", "site.carbon_g_per_kwh": "carbon_us",
             "finance.wacc_percent": "wacc", "finance.it_life_years": "dep_it_years",
             "finance.rack_life_years": "dep_mep_years", "finance.maintenance_percent": "opex_pct_capex",
             "finance.rent_usd_per_kw_month": "colo_us_wholesale", "build.host_draw_frac": "host_draw_frac",
             "finance.memory_life_years": "dep_it_years", "finance.network_life_years": "dep_it_years",
             "finance.residual_percent": "it_residual_value", "finance.facility_life_years": "dep_mep_years",
             "build.accelerator_afr_percent": "gpu_afr"}  # fmt: skip
    for path, figure in pairs.items():
        assert catalog.row("defaults", path)["value"] == catalog.row("facility", figure)["central"], path
    for row in catalog.rows("defaults"):
        assert (row["value"] is None) != (row["ref"] is None), row.id


def test_examples_of_the_docs_load(tmp_path: Path, catalog: Catalog) -> None:
    """Every example file in docs/catalogs.md is laid over the catalog, as its reader would do."""
    text = (default_folder().parent / "docs" / "catalogs.md").read_text()
    examples = re.findall(r"^    mine/(\S+)\n((?:    \S.*\n)+)", text, re.MULTILINE)
    layers = []
    for number, (name, body) in enumerate(examples):
        layers.append(tmp_path / str(number))
        layers[-1].mkdir()
        (layers[-1] / name).write_text(body.replace("    ", ""))
    both = load_catalog(default_folder(), *layers)
    added = [both.row(*at) for at in (("accelerators", "nova_1"), ("platforms", "nova_1_8"),
                                      ("memory", "nvme_new_15tb"), ("workloads", "support_chat"))]  # fmt: skip
    assert len(layers) == len(added) + 1
    assert both.row("platforms", "hgx_h200_8")["price_central_usd"] == 310_000
    assert both.typed(parts.Accelerator, "nova_1").fp8_dense_flop_per_s is None
