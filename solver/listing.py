"""Text of the smaller commands: tables and rows of the catalog, a prediction, an audit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from solver.catalog import Catalog
from solver.quotes import Quotes
from solver.words import WIDTH, amount, table

MOST_ROWS = 40
CELL = 46
"""Columns of a cell at most."""

MAIN = {
    "accelerators": ("vendor", "year_available", "fp8_dense_tflops", "mem_gb", "mem_bw_gb_s", "tdp_w"),
    "platforms": ("buyable", "year_available", "accelerators", "node_max_w", "price_central_usd"),
    "memory": ("tier", "year_available", "capacity_gb", "read_bw_gb_s", "price_central_usd_per_gb"),
    "memory_prices": ("series", "quarter", "price_usd_per_gb"),
    "links": ("peak_gb_s", "measured_frac", "latency_s", "energy_pj_per_bit"),
    "link_efficiency": ("link_id", "bytes", "frac"),
    "racks": ("usable_kw", "rack_units", "cooling", "floor_m2", "price_central_usd"),
    "cooling": ("pue_central", "pue_peak", "wue_l_per_kwh"),
    "network": ("kind", "port_gbit_s", "ports", "power_max_w", "price_central_usd"),
    "facility": ("group", "unit", "low", "central", "high"),
    "models": ("params_total_b", "params_active_b", "attention", "kv_bytes_per_token_fp8", "max_context"),
    "workloads": ("kind", "model_id", "isl_tokens", "osl_tokens", "ttft_s", "tpot_s", "percentile"),
    "sites": ("power_mw", "budget_usd", "floor_m2", "electricity_usd_per_mwh"),
    "defaults": ("value", "ref", "source"),
    "calibration": ("value", "low", "high", "unit", "points"),
    "reuse": ("ttl_s", "hit_frac", "resident_tokens_per_rps"),
}
"""Columns shown of a table beside the id; other tables show their first ones."""
FIRST_COLUMNS = 6
LONG = ("notes", "assumption", "source")
"""Columns of text, shown whole under the others."""


def tables(catalog: Catalog) -> str:
    """Return the tables with their sizes."""
    rows = [(name, f"{len(found):,}", ", ".join(_shown(catalog, name))) for name, found in catalog.tables.items()]
    return table(("table", "rows", "columns (some)"), rows, (False, True))


def rows(catalog: Catalog, name: str, *, everything: bool = False) -> str:
    """Return the main columns of a table's rows, what can be bought first.

    Raises
    ------
    InputError
        If there is no such table.
    """
    found = sorted(catalog.rows(name), key=lambda row: (row.get("buyable", "yes") != "yes", row.id))
    columns = _shown(catalog, name)
    shown = found if everything else found[:MOST_ROWS]
    right = [False, *(catalog.schema.tables[name][column].type in ("int", "float") for column in columns)]
    text = table(
        (catalog.schema.key(name), *columns), [(row.id, *(_cell(row.get(c)) for c in columns)) for row in shown], right
    )
    more = len(found) - len(shown)
    return text + (f"... and {more} more rows: --all\n" if more else "")


def row(catalog: Catalog, name: str, row_id: str) -> str:
    """Return one row with units, meanings and source.

    Raises
    ------
    InputError
        If there is no such table or row.
    """
    found = catalog.row(name, row_id)
    columns = catalog.schema.tables[name]
    filled = {column: rule for column, rule in columns.items() if found.get(column) is not None}
    lines = [(column, _cell(found[column]), rule.unit, rule.meaning) for column, rule in filled.items()
             if column not in LONG]  # fmt: skip
    text = table(("column", "value", "unit", "meaning"), lines)
    for column in LONG:
        if column in filled:
            text += textwrap.fill(f"{column}: {found[column]}", WIDTH, subsequent_indent="  ") + "\n"
    return text + f"written in {catalog.origin(name, row_id)}\n"


def _shown(catalog: Catalog, name: str) -> list[str]:
    """Columns to show beside the id."""
    known = catalog.schema.tables[name]
    wanted = MAIN.get(name) or [column for column in known if column != catalog.schema.key(name)][:FIRST_COLUMNS]
    return [column for column in wanted if column in known]


def _cell(value: Any) -> str:
    """A catalog value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        value = ";".join(value)
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"
    text = str(value)
    return text if len(text) <= CELL else text[: CELL - 4] + " ..."


def quotes(found: Quotes) -> str:
    """Return what a sheet of quotes changes, and what of it was passed over."""
    lines = [
        (c.part, c.column, _cell(c.old), _cell(c.new), "" if c.frac is None else f"{100.0 * c.frac:+.1f}%")
        for c in found.changes
    ]
    text = table(("part", "column", "old", "new", "change"), lines, (False, False, True, True, True))
    return text + "".join(f"note: {note}\n" for note in found.notes)


def prediction(record: Mapping[str, Any]) -> str:
    """Return a prediction as a table with its ranges."""
    names = {
        "ttft_s": ("time to first token, unloaded", "s"),
        "tpot_s": ("time per output token", "s"),
        "output_tokens_per_s": ("output tokens", "tokens/s"),
        "input_tokens_per_s": ("input tokens prefilled", "tokens/s"),
        "power_w": ("board power of the replica", "W"),
    }
    lines = [
        (text, _figure(record[name]), _figure(record[f"{name}_low"]), _figure(record[f"{name}_high"]), unit)
        for name, (text, unit) in names.items()
        if record[name] is not None
    ]
    fits = "fits" if record["fits"] else "DOES NOT FIT"
    weights, request, free = (amount(record[k], "B") for k in ("weight_bytes", "kv_bytes_per_request", "kv_free_bytes"))
    memory = f"weights {weights} an accelerator, KV {request} a request, {free} free for KV: the batch {fits}"
    head = ("", "predicted", "low", "high", "unit")
    rate = f"{_figure(record['requests_per_s'])} requests/s; evidence: {record['evidence']}"
    return table(head, lines, (False, True, True, True)) + f"{rate}\n{memory}\n"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def audited(report: Mapping[str, Any]) -> str:
    """Return an audit's report: the verdict, and every violation."""
    verdict = "passed" if report["ok"] else "FAILED"
    lines = [f"audit {verdict}: {report['checks']:,} checks, worst excess {float(report['worst']):.1e}"]
    lines += [f"  - {violation}" for violation in report.get("violations", [])]
    return "\n".join(lines) + "\n"
