"""The screen and the spreadsheet: what stands on them, and that they always fit."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from designs import CLASSES, limit, line, reference_like

from solver.design import Design
from solver.errors import InputError
from solver.export import check_writable, write_json, write_whole, write_xlsx
from solver.report import LINES, WIDTH, render
from solver.sheets import SHEETS, rows_of, sheets_of
from solver.words import amount, many, percent, quantity, si, table


def lines(design: Design) -> list[str]:
    return render(design).splitlines()


def paragraph(design: Design, label: str) -> str:
    """Return the text of a labelled paragraph without its line breaks."""
    found = render(design)
    start = re.search(rf"^{re.escape(label)} .*(\n {{8,}}.*)*", found, re.MULTILINE)
    assert start, f"no line {label}"
    return " ".join(start.group(0).split())


def test_reference_sized_design_fits_a_screen() -> None:
    found = lines(reference_like())
    assert len(found) <= LINES < 45
    assert max(map(len, found)) <= WIDTH == 100


def test_screen_is_the_same_each_time_and_plain() -> None:
    text = render(reference_like())
    assert text == render(reference_like())
    assert text.isascii() and "\x1b" not in text and text.endswith("\n")


@pytest.mark.parametrize("many_of", ["parts", "classes", "limits", "models"])
def test_crowded_design_still_fits_and_says_what_is_left_out(many_of: str) -> None:
    design = reference_like()
    if many_of == "parts":
        design = design.replace(bill_of_materials=[line(f"part_{n}", "platform", 3, 1e5, 1e4) for n in range(60)])
    elif many_of == "classes":
        design = design.replace(limits=[limit(f"promise.class_{n}.ttft", 1.0, 0.9, "s") for n in range(60)])
    elif many_of == "limits":
        design = design.replace(limits=[limit(f"supply.platform.part_{n}", 4, 4, "pieces") for n in range(60)])
    else:
        design = design.replace(tokens_by_model={f"model_{n}": 1e5 for n in range(60)})
    found = lines(design)
    assert len(found) <= LINES and max(map(len, found)) <= WIDTH
    words = {"parts": " more parts", "classes": "48 more classes", "limits": " ...", "models": " ..."}
    assert words[many_of] in "\n".join(found)


def test_parts_summed_up_keep_the_totals() -> None:
    """60 parts of 3 x 0.1 MUSD are 18 MUSD whether listed or summed; a lost row would show less."""
    design = reference_like().replace(bill_of_materials=[line(f"part_{n}", "platform", 3, 1e5, 1e4) for n in range(60)])
    listed = [row for row in lines(design) if row.startswith("part_")]
    more = next(row for row in lines(design) if "more parts" in row)
    assert int(more.split()[0]) + len(listed) == 60
    assert "18.00 M" in next(row for row in lines(design) if row.startswith("total"))


def test_objective_with_unit_definition_bound_and_gap() -> None:
    assert "626,972 tokens/s/MW, most output tokens/s over the contracted MW" in paragraph(
        reference_like(), "objective"
    )
    assert "no build has more than 627,592; gap 0.099% of 0.1% allowed" in paragraph(reference_like(), "bound")


def test_minimised_objective_is_worded_the_other_way() -> None:
    objective = {"name": "tco", "unit": "USD/year", "sense": "min", "value": 2e8, "bound": 1.99e8, "gap": 0.005}
    design = reference_like().replace(objective=objective)
    assert "200,000,000 USD/year, least" in paragraph(design, "objective")
    assert "no build has less than 199,000,000" in paragraph(design, "bound")


def test_four_boundaries_used_and_unused_stand_in_one_line() -> None:
    """0.09 MW are left at the meter; at the boundaries inside it is the same share of what is used there."""
    row = next(row for row in lines(reference_like()) if row.startswith("MW"))
    assert row == "MW+unused  board 7.83+0.04, wall 13.80+0.06, IT 15.15+0.07, meter 19.91+0.09 = 20.00 contracted"


def test_caps_make_up_the_difference_between_the_parts_and_the_build() -> None:
    """Parts are listed at full power; what the caps of pools take off has its own line, so that columns add up."""
    rows = lines(reference_like())
    start = next(n for n, row in enumerate(rows) if row.startswith("buy"))
    stop = next(n for n, row in enumerate(rows) if row.startswith("total"))
    end = rows[start].index("IT MW") + len("IT MW")
    megawatts = {row.split("  ")[0]: float(row[end - 7 : end]) for row in rows[start + 1 : stop + 1] if row[0] != " "}
    total = megawatts.pop("total")
    assert megawatts["less power caps"] == pytest.approx(-1.251)
    assert sum(megawatts.values()) == pytest.approx(total, abs=0.002) and total == 15.15


def test_roles_and_tiers_stand_beside_the_parts() -> None:
    text = render(reference_like())
    assert "prefill 60% decode 40%" in text and "mixed" not in text
    assert "KV in nvme_tlc" in text and "98 rack_air, 4 rack_liquid" in text


def test_binding_limits_are_named_and_grouped() -> None:
    text = paragraph(reference_like(), "binds")
    assert "site.power_mw (99.6%)" in text and "supply.platform.rack_b (100%)" in text
    assert "capacity of nvme_tlc (5 pools), read of nvme_tlc (5 pools)" in text and "1 TTFT promise" in text


def test_slack_limits_do_not_bind() -> None:
    design = reference_like().replace(limits=[limit("site.power_mw", 20e6, 19e6, "W")])
    assert "nothing within 1% of its limit" in paragraph(design, "binds")


def test_promises_show_the_tightest_of_each_class() -> None:
    text = paragraph(reference_like(), "promises")
    assert f"kept; least left: {CLASSES[0]} TPOT 0.0%, {CLASSES[1]} TPOT 2.0%" in text


def test_broken_promise_is_shouted() -> None:
    design = reference_like().replace(limits=[limit("promise.chat.ttft", 0.5, 0.6, "s")])
    assert "NOT ALL KEPT: chat TTFT -20.0%" in paragraph(design, "promises")


def test_evidence_comparisons_audit_and_time() -> None:
    design = reference_like()
    text = paragraph(design, "evidence")
    assert "56% of dollars and 36% of watts rest on estimates" in text
    assert "of the accelerators at work 15% within the measurements, 60% one step outside, 25% further" in text
    assert "438,881 to 815,064 tokens/s/MW" in paragraph(design, "evidence")
    assert "25% better than only rack_a (500,000 tokens/s/MW)" in render(design)
    assert "2.1 times as good as HBM only (300,000 tokens/s/MW)" in render(design)
    assert "without rack_a 600,000 tokens/s/MW, 4.3% behind" in paragraph(design, "runner-up")
    assert "passed 1,234 checks" in paragraph(design, "audit")
    assert "25.8 s (candidates 7.9, model 1.8, search 11.7, rest 4.4)" in paragraph(design, "time")


def test_comparisons_that_were_not_made_are_named() -> None:
    design = reference_like().replace(baselines=[], runner_up={})
    assert paragraph(design, "baseline") == "baseline not computed"
    assert paragraph(design, "runner-up") == "runner-up not computed"
    design = design.replace(runner_up={"without": "rack_a", "objective_value": None})
    assert "none found without rack_a" in paragraph(design, "runner-up")


def test_infeasible_design_says_why_and_what_came_nearest() -> None:
    design = reference_like().replace(
        status="infeasible", load=[], explanation=[f"class {CLASSES[0]}: no part can prefill"]
    )
    text = render(design)
    assert "infeasible" in text.splitlines()[0]
    assert f"class {CLASSES[0]}: no part can prefill" in text
    assert "TTFT above the promise: the nearest misses 0.5 s by 2%" in text
    assert "buy" not in text.split()


def test_unknown_design_says_that_it_was_stopped() -> None:
    design = reference_like().replace(status="unknown", stopped_by="time limit", load=[], explanation=["stopped early"])
    assert lines(design)[0] == "reference: unknown: stopped before a build was found (stopped by time limit)"
    assert "nearest" not in render(design)


def test_words() -> None:
    assert (si(12539446.0), si(0.5), si(2.5e3, 0)) == ("12.54 M", "0.50 ", "2 k")
    assert (amount(19.91e6, "W"), amount(4.5e8, "USD"), amount(0.45, "s")) == ("19.91 MW", "450.00 MUSD", "0.45 s")
    assert (percent(0.561), percent(0.00099), percent(0.996), percent(1e-12)) == ("56%", "0.099%", "99.6%", "0%")
    assert (quantity(16608.0), quantity(2.5), many(1168), many(391000)) == ("16,608", "2.5", "1,168", "391 k")


def test_table_is_cut_to_the_screen() -> None:
    text = table(("a", "b"), [("x" * 80, "y" * 80)])
    assert max(map(len, text.splitlines())) <= WIDTH and "..." in text


def test_json_comes_back_equal(tmp_path: Path) -> None:
    write_json(reference_like(), tmp_path / "design.json")
    assert Design.read(tmp_path / "design.json") == reference_like()


def cells(book: Path, number: int) -> tuple[str, str]:
    """Return the raw XML of a sheet and of the shared strings."""
    with zipfile.ZipFile(book) as archive:
        sheet = archive.read(f"xl/worksheets/sheet{number}.xml").decode()
        return sheet, archive.read("xl/sharedStrings.xml").decode()


def test_spreadsheet_has_its_sheets_units_and_no_formulas(tmp_path: Path) -> None:
    """A source that reads ``=1+1`` stays text; as a formula it would be computed when the file is opened."""
    book = tmp_path / "design.xlsx"
    write_xlsx(reference_like(), book)
    with zipfile.ZipFile(book) as archive:
        names = re.findall(r'<sheet name="([^"]+)"', archive.read("xl/workbook.xml").decode())
        assert all("<f>" not in archive.read(name).decode() for name in archive.namelist() if "worksheets" in name)
    assert names == list(SHEETS)
    sheet, strings = cells(book, names.index("order_form") + 1)
    assert "unit_usd [USD]" in strings and "provisioned_w [W]" in strings and "=1+1" in strings
    assert "<v>1104</v>" in sheet and "<v>5299</v>" in sheet


def test_order_form_and_assumptions_are_rows_of_what_a_buyer_needs() -> None:
    design = reference_like()
    more = {"path": "a", "value": 2.0, "default": 1.0, "source": "s", "confidence": "press"}
    design = design.replace(
        study=design.study | {"site": design.study["site"] | {"price_quarter": "2026Q3"}},
        bill_of_materials=[*design.bill_of_materials, line("mine", "platform", 2, 0.0, 1.0) | {"owned": True}],
        assumptions=[*design.assumptions, more],
    )
    sheets = sheets_of(design)
    order = sheets["order_form"]
    first = ["part", "vendor", "quantity", "unit_usd", "price_quarter", "lead_time_weeks", "source"]
    assert list(order[0])[:7] == first
    assert len(order) == len(design.bill_of_materials) - 1 and {row["price_quarter"] for row in order} == {"2026Q3"}
    assert [row["changed"] for row in sheets["assumptions"]] == ["no", "yes"]
    used = {row["id"]: row["used_frac"] for row in sheets["limits"]}
    assert used["supply.platform.rack_b"] == 1.0
    assert set(sheets) >= {"build", "order_form", "assumptions", "limits", "load", "placement"}


def test_explained_sections_are_sheets_of_their_own(tmp_path: Path) -> None:
    design = reference_like().replace(
        explained={"ladder": {"rungs": [{"rung": 0}, {"rung": 1}]}, "entry_prices": [{"part": "p"}], "clashes": []}
    )
    sheets = sheets_of(design)
    assert sheets["ladder"] == [{"rung": 0}, {"rung": 1}] and sheets["entry_prices"] == [{"part": "p"}]
    assert "clashes" not in sheets
    assert rows_of({"a": 1}) == [{"a": 1}] and rows_of([3]) == [{"item": 3}] and rows_of({}) == []
    write_xlsx(design, tmp_path / "design.xlsx")
    assert "<v>1</v>" in cells(tmp_path / "design.xlsx", list(sheets).index("ladder") + 1)[0]


def test_spreadsheet_of_an_infeasible_design(tmp_path: Path) -> None:
    design = Design(
        status="infeasible", study={"name": "x"}, objective={"name": "tco"}, load=[], explanation=["no part"]
    )
    write_xlsx(design, tmp_path / "design.xlsx")
    assert "no part" in cells(tmp_path / "design.xlsx", 1)[1]


def test_files_are_whole_follow_links_and_keep_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "real.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink() and target.read_text() == "new" and target.stat().st_mode & 0o777 == 0o640
    write_whole(tmp_path / "fresh", b"x")
    assert (tmp_path / "fresh").stat().st_mode & 0o600 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fresh", "link.json", "real.json"]


def test_devices_are_written_not_replaced() -> None:
    check_writable("/dev/null")
    write_whole("/dev/null", b"gone")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("path", ["", "missing/folder/x.json", "."])
def test_unwritable_paths_are_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(tmp_path / path if path else "")
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / path if path else "", b"x")
    assert not list(tmp_path.iterdir())


def test_idle_accelerators_are_named() -> None:
    """Two of 3.5 replicas of 28 accelerators at work leave twelve idle beside parked KV."""
    plain = reference_like()
    load = [plain.load[0] | {"replicas": 2.0}, *plain.load[1:]]
    words = " ".join(render(plain.replace(load=load)).split())
    assert "12 accelerators stand idle beside parked KV" in words
    assert "stand idle" not in render(plain)
