"""Vendors' quotes: matched by id or name, every problem at once, and an overlay that changes what a study pays."""

from __future__ import annotations

import csv
import datetime
import tempfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from catalog_files import only, problems
from hypothesis import given, settings
from hypothesis import strategies as st
from operating_points import shipped

from solver.catalog import Catalog, default_folder, load_catalog
from solver.cli import main
from solver.errors import InputError
from solver.parts import MemoryDevice, Platform
from solver.physics.cost import memory_usd_per_byte, platform_usd, price_table
from solver.quotes import Quotes, exchange_rates, read_quotes
from solver.quoting import cells
from solver.quoting.folder import write_folder
from solver.schema import CellError

HEAD = ["SKU", "Product", "Unit price", "Currency", "Quote date", "Lead time", "Qty", "Valid until"]
OFFER: list[list[Any]] = [
    ["Offer of Acme"],
    [],
    HEAD,
    ["A-1", "hgx_h200_8", "310,000", "USD", "2026-08-02", "10 weeks", 4, "2026-12-31"],
    ["A-2", "nvidia dgx-b300", 560000, "EUR", "2026-08-02", 20, 4, "2026-12-31"],
    ["A-3", "nvme_micron_9550pro_30tb", "$9,216", "", "2026-08-02", "84 days", 4, ""],
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog that comes with the program."""
    return load_catalog()


def sheet(path: Path, rows: list[list[Any]]) -> Path:
    """Write rows as CSV or, by the ending, as a workbook with a hidden sheet before them."""
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        return path
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("terms").hide()
        page = book.add_worksheet("prices")
        page.activate()
        page.set_first_sheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for n, row in enumerate(rows):
            for k, cell in enumerate(row):
                if isinstance(cell, datetime.date):
                    page.write_datetime(n, k, cell, day)
                else:
                    page.write(n, k, cell)
    return path


def price(catalog: Catalog, platform_id: str, quarter: str = "2026Q3") -> float:
    """Return what a study pays for a platform."""
    platform = catalog.typed(Platform, platform_id)
    memory = catalog.typed(MemoryDevice, str(platform.host_mem_id))
    return platform_usd(platform, quarter, price_table(catalog.rows("memory_prices")), memory)


def changed(found: Quotes, part: str, column: str) -> tuple[Any, Any, float | None]:
    """Return old, new and the relative change of one cell."""
    (change,) = [c for c in found.changes if (c.part, c.column) == (part, column)]
    return change.old, change.new, change.frac


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_sheet_becomes_an_overlay_that_a_study_pays_by(catalog: Catalog, tmp_path: Path, ending: str) -> None:
    """310,000 USD as quoted; 560,000 EUR at 1.1 are 616,000 USD; 9,216 USD for 30,720 GB are 0.30 USD/GB."""
    rows = [[datetime.date(2026, 8, 2) if c == "2026-08-02" and ending == ".xlsx" else c for c in row] for row in OFFER]
    found = read_quotes(sheet(tmp_path / f"offer{ending}", rows), catalog, fx={"EUR": 1.1})
    assert changed(found, "hgx_h200_8", "price_central_usd") == (370_000, 310_000, pytest.approx(-0.162, abs=1e-3))
    assert changed(found, "hgx_h200_8", "lead_time_weeks")[1] == 10.0
    assert changed(found, "dgx_b300", "price_central_usd")[1] == pytest.approx(616_000.0)
    assert changed(found, "nvme_micron_9550pro_30tb", "lead_time_weeks")[1] == 12.0
    assert [note for note in found.notes if "passed over" in note] == [
        "column 'Qty' is passed over", "column 'Valid until' is passed over",
    ]  # fmt: skip
    files = write_folder(found.rows, tmp_path / "mine", [default_folder()])
    assert sorted(file.name for file in files) == ["memory.csv", "memory_prices.csv", "platforms.csv"]
    both = load_catalog(default_folder(), tmp_path / "mine")
    assert price(both, "hgx_h200_8") == pytest.approx(310_000.0)
    assert price(both, "dgx_b300") == pytest.approx(616_000.0)
    row = both.row("platforms", "hgx_h200_8")
    assert row["confidence_price"] == row["confidence_lead_time"] == "datasheet"
    assert row["source"].startswith(catalog.row("platforms", "hgx_h200_8")["source"])
    assert f"quote: offer{ending}" in row["source"]
    assert not list(tmp_path.glob(".mine*"))


def test_quoted_memory_is_paid_at_the_quote_and_moves_with_its_old_series(catalog: Catalog, tmp_path: Path) -> None:
    """TLC rose from 0.356 to 0.69 USD/GB over two quarters; a quote of 0.30 in 2026Q3 was worth 0.30 x 0.356 / 0.69.

    A quote that only changed the device's row would change nothing: studies price memory by series.
    """
    rows = [["id", "USD per GB", "quarter"], ["nvme_micron_9550pro_30tb", 0.30, "2026Q3"]]
    found = read_quotes(sheet(tmp_path / "q.csv", rows), catalog)
    assert changed(found, "nvme_micron_9550pro_30tb", "price_central_usd_per_gb")[:2] == (0.69, 0.30)
    both = catalog.overlay(found.rows)
    prices = price_table(both.rows("memory_prices"))
    device = both.typed(MemoryDevice, "nvme_micron_9550pro_30tb")
    assert memory_usd_per_byte(device, "2026Q3", prices) == pytest.approx(0.30e-9)
    assert memory_usd_per_byte(device, "2026Q1", prices) == pytest.approx(0.30e-9 * 0.356 / 0.69)
    other = both.typed(MemoryDevice, "nvme_micron_9650pro_30tb")
    assert memory_usd_per_byte(other, "2026Q3", prices) == pytest.approx(0.69e-9)


def test_a_series_without_the_quoted_quarter_is_named(catalog: Catalog, tmp_path: Path) -> None:
    """A device on a series of one quarter cannot be moved from another."""
    short = catalog.overlay({
        "memory_prices": [{"id": "mine_2026Q1", "series": "mine", "quarter": "2026Q1", "price_usd_per_gb": 0.4,
                           "source": "own", "confidence": "press"}],
        "memory": [{"id": "nvme_micron_9550pro_30tb", "price_series": "mine"}],
    })  # fmt: skip
    path = sheet(tmp_path / "q.csv", [["id", "price", "quarter"], ["nvme_micron_9550pro_30tb", 9000, "2026Q3"]])
    assert only(problems(lambda: read_quotes(path, short)), field="quarter").allowed == "2026Q1"


def test_a_second_quote_replaces_the_first(catalog: Catalog, tmp_path: Path) -> None:
    rows = [["id", "USD per GB", "quarter"], ["nvme_micron_9550pro_30tb", 0.30, "2026Q3"]]
    once = catalog.overlay(read_quotes(sheet(tmp_path / "q.csv", rows), catalog).rows)
    rows[1][1] = 0.25
    found = read_quotes(sheet(tmp_path / "r.csv", rows), once)
    assert changed(found, "nvme_micron_9550pro_30tb", "price_central_usd_per_gb")[:2] == (0.30, 0.25)
    twice = once.overlay(found.rows)
    assert len(twice.rows("memory_prices")) == len(once.rows("memory_prices")) == len(catalog.rows("memory_prices")) + 5


def test_lead_times_and_order_sizes_alone(catalog: Catalog, tmp_path: Path) -> None:
    rows = [["id", "Lead time (weeks)", "MOQ", "pack size"], ["mi355x_8_dlc", "18", "4", "2"], ["air_17kw", 3, "", ""]]
    found = read_quotes(sheet(tmp_path / "q.csv", rows), catalog)
    both = catalog.overlay(found.rows)
    server = both.typed(Platform, "mi355x_8_dlc")
    assert (server.lead_time_s, server.order_minimum, server.order_multiple) == (18 * 7 * 86400.0, 4, 2)
    assert both.row("racks", "air_17kw")["lead_time_weeks"] == 3.0
    assert price(both, "mi355x_8_dlc") == price(catalog, "mi355x_8_dlc")


def test_quotes_after_the_last_memory_price_count_as_of_its_quarter(catalog: Catalog, tmp_path: Path) -> None:
    """Otherwise a quote of this month would need memory prices that nobody has published yet."""
    rows = [["id", "price", "date"], ["hgx_h200_8", 300000, "2027-01-15"]]
    found = read_quotes(sheet(tmp_path / "q.csv", rows), catalog)
    assert any("2027Q1 count as 2026Q3" in note for note in found.notes)
    assert price(catalog.overlay(found.rows), "hgx_h200_8") == pytest.approx(300_000.0)


def test_a_price_that_moves_very_far_is_remarked_on(catalog: Catalog, tmp_path: Path) -> None:
    rows = [["id", "price", "quarter"], ["hgx_h200_8", 31000, "2026Q3"]]
    assert any("-92%" in note for note in read_quotes(sheet(tmp_path / "q.csv", rows), catalog).notes)


BAD = [
    ["id", "price", "currency", "quarter", "lead time", "MOQ", "prise"],
    ["hgx_h20_8", "310000", "", "2026Q3", "", "", ""],
    ["hgx_h200_8", "310.000", "CHF", "soon", "a while", "1.5", ""],
    ["dgx_b300", "", "", "2026Q3", "", "", ""],
    ["dgx_b200", "500000", "", "2024Q1", "", "", ""],
    ["dgx_h200", "-5", "", "", "", "", ""],
    ["mi300x_8", "200000", "", "2026Q3", "", "", ""],
    ["MI300X 8-GPU server (OAM, air)", "7", "", "2026Q3", "", "", ""],
    ["", "12", "", "2026Q3", "", "", ""],
    ["fabric_400g_2tier", "4000", "", "2026Q3", "", "", ""],
    ["gb200_nvl72", "3", "", "2026Q3", "900", "", ""],
]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_every_problem_of_a_sheet_is_told_at_once(catalog: Catalog, tmp_path: Path, ending: str) -> None:
    name = catalog.row("platforms", "mi300x_8")["name"]
    rows = [[name if cell.startswith("MI300X 8-GPU") else cell for cell in row] for row in BAD]
    found = problems(lambda: read_quotes(sheet(tmp_path / f"bad{ending}", rows), catalog))
    word = "line" if ending == ".csv" else "row"
    assert "hgx_h200_8" in only(found, field="id", value="hgx_h20_8").hint
    third = [problem.field for problem in found if problem.row == f"{word} 3"]
    assert sorted(third) == ["currency", "lead_time", "order_minimum", "price", "quarter"]
    assert "--fx CHF" in only(found, field="currency").hint
    assert "thousands" in only(found, field="price", value="310.000").message
    assert only(found, row=f"{word} 4", message="is empty").allowed == "a price or a lead time"
    assert only(found, value="2024Q1").allowed == "2025Q3 to 2026Q3"
    assert {p.field for p in found if p.row == f"{word} 6"} == {"price", "quarter"}
    assert "quoted twice, first in " + f"{word} 7" in only(found, row=f"{word} 8").message
    assert only(found, row=f"{word} 9", field="id").message == "is empty"
    assert "bundle" in only(found, value="fabric_400g_2tier").message
    assert {p.field for p in found if p.row == f"{word} 11"} >= {"lead_time_weeks", "price_central_usd"}
    assert all(problem.file.startswith(str(tmp_path / f"bad{ending}")) for problem in found)


@pytest.mark.parametrize(
    ("rows", "field", "message"),
    [
        ([["id", "prise"], ["hgx_h200_8", 1]], "price", "missing column"),
        ([["cost", "price"], ["hgx_h200_8", 1]], "id", "missing column"),
        ([["id", "price", "Unit Price"], ["hgx_h200_8", 1, 2]], "Unit Price", "second column"),
        ([["id", "price"]], "", "no quotes"),
    ],
)  # fmt: skip
def test_headings_that_do_not_do(catalog: Catalog, tmp_path: Path, rows: Any, field: str, message: str) -> None:
    found = problems(lambda: read_quotes(sheet(tmp_path / "q.csv", rows), catalog))
    assert message in only(found, field=field).message


def test_files_that_cannot_be_read(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "no.xlsx").write_bytes(b"PK nothing")
    (tmp_path / "semi.csv").write_text("id;price\nhgx_h200_8;5\n")
    good = sheet(tmp_path / "good.xlsx", [["id", "price", "quarter"], ["hgx_h200_8", 300000, "2026Q3"]])
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (tmp_path / "no.xlsx", {}, "is not a spreadsheet"), (tmp_path / "none.xlsx", {}, "cannot be read"),
        (tmp_path / "none.csv", {}, "cannot be read"), (tmp_path / "semi.csv", {}, "rows of one cell"),
        (good, {"sheet": "price"}, "no such sheet"), (tmp_path / "semi.csv", {"sheet": "x"}, "is not a spreadsheet"),
        (good, {"table": "platform"}, "not bought by quote"),
    ]  # fmt: skip
    for path, options, message in cases:
        (problem,) = problems(lambda path=path, options=options: read_quotes(path, catalog, **options))  # type: ignore[misc]
        assert message in problem.message
    assert "prices" in problems(lambda: read_quotes(good, catalog, sheet="price"))[0].hint
    assert read_quotes(good, catalog, sheet="prices").changes


def test_only_parts_of_the_table_asked_for(catalog: Catalog, tmp_path: Path) -> None:
    path = sheet(tmp_path / "q.csv", [["id", "price", "quarter"], ["hgx_h200_8", 300000, "2026Q3"]])
    assert "racks" in only(problems(lambda: read_quotes(path, catalog, table="racks")), field="id").allowed
    assert read_quotes(path, catalog, table="platforms").changes


CELL = st.sampled_from(
    ["", "hgx_h200_8", "dgx_b300", "air_17kw", "nvme_micron_9550pro_30tb", "310,000", "1e999", "-1", "2026Q3", "EUR",
     "12 weeks", "2026-13-01", "0.5", "7"]
) | st.text(max_size=8)  # fmt: skip
ROWS = st.lists(st.lists(CELL, min_size=0, max_size=9), max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    head=st.permutations(["id", "price", "usd per gb", "currency", "quarter", "date", "lead time", "moq"]), rows=ROWS
)
def test_any_sheet_gives_quotes_that_load_or_is_refused(head: list[str], rows: list[list[str]]) -> None:
    """Whatever stands in the cells, the answer is an overlay that the catalog takes, or problems in words."""
    catalog = shipped()
    with tempfile.TemporaryDirectory() as folder:
        path = sheet(Path(folder) / "q.csv", [list(head), *rows])
        try:
            found = read_quotes(path, catalog, fx={"EUR": 1.1})
        except InputError as error:
            assert error.problems and all(problem.message for problem in error.problems)
        else:
            assert catalog.overlay(found.rows) is not None


def test_amounts_times_and_quarters() -> None:
    assert [cells.amount(text) for text in ("310,000", "$ 9.5", "1,234,567.5", "2e3 USD")] == [
        310e3,
        9.5,
        1234567.5,
        2e3,
    ]
    assert [cells.weeks(text) for text in ("12", "12 Weeks", "84 days", "3.5w")] == [12.0, 12.0, 12.0, 3.5]
    assert [cells.quarter(text) for text in ("2026Q3", "Q4 2026", "2026-01-31", "2026-12")] == [
        "2026Q3", "2026Q4", "2026Q1", "2026Q4",
    ]  # fmt: skip
    for read, text in (
        (cells.amount, "3,10"),
        (cells.amount, "nan"),
        (cells.weeks, "-2"),
        (cells.quarter, "02/10/2026"),
    ):
        with pytest.raises(CellError):
            read(text)
    assert exchange_rates(["eur=1.1", "GBP = 1.3"]) == {"EUR": 1.1, "GBP": 1.3}
    assert len(problems(lambda: exchange_rates(["EUR", "E=1", "GBP=0"]))) == 3


def test_nothing_is_written_where_anything_is_wrong(catalog: Catalog, tmp_path: Path) -> None:
    """A taken place, a missing parent, and rows that break the catalog: each leaves the folder as it was."""
    rows = {"racks": [{"id": "air_17kw", "price_central_usd": 1e6, "source": "x"}]}
    assert "exceeds" in only(problems(lambda: write_folder(rows, tmp_path / "mine", [default_folder()]))).message
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "racks.csv").write_text("id\n")
    for name, message in (("file", "is a file"), ("none/mine", "cannot be made"), ("taken", "holds racks.csv already")):
        assert message in only(problems(lambda n=name: write_folder(rows, tmp_path / n, [default_folder()]))).message  # type: ignore[misc]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


def test_the_command_prints_changes_and_writes_the_folder(tmp_path: Path, capsys: Any) -> None:
    offer, out = sheet(tmp_path / "offer.xlsx", OFFER), tmp_path / "mine"
    with pytest.raises(SystemExit) as stopped:
        main(["catalog", "import", str(offer), "--fx", "EUR=1.1", "--out", str(out)])
    printed = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "-16.2%" in printed and "370,000" in printed and f"--catalog {out}" in printed
    with pytest.raises(SystemExit) as stopped:
        main(["validate", "--catalog", str(out)])
    assert stopped.value.code == 0
    with pytest.raises(SystemExit) as stopped:
        main(["catalog", "import", str(offer), "--out", str(tmp_path / "other")])
    assert stopped.value.code == 2
    assert "EUR" in capsys.readouterr().err and not (tmp_path / "other").exists()
