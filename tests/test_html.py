"""The HTML page and the brief: self-contained, nothing of the catalog read as markup, all that the issue asks for."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from designs import limit, reference_like
from solved import design

from solver.brief import LINES, binding, brief, promise_margins
from solver.charts import figures
from solver.charts.html import page
from solver.charts.markup import table, text
from solver.design import Design
from solver.export import write_html
from solver.words import WIDTH

SECTIONS: dict[str, Any] = {
    "bottlenecks": [
        {"id": "site.power_mw", "unit": "W", "used": 1e6, "value": 1e6, "slack": 0.0, "marginal": 0.4,
         "marginal_low": 0.3, "marginal_high": 0.5, "usd_per_year": 1.0, "gain_unit": "tokens/s"},
        {"id": "site.floor_m2", "unit": "m2", "used": 1.0, "value": 9.0, "slack": 8.0, "marginal": 0.0},
    ],
    "ladder": {"rungs": [
        {"rung": 0, "relaxed": "", "name": "", "value": 10.0, "bound": 11.0, "gain_frac": 0.0, "bottleneck_name": "power"},
        {"rung": 1, "relaxed": "site.power_mw", "name": "power", "value": 15.0, "bound": 16.0, "gain_frac": 0.5, "bottleneck_name": ""},
    ]},
    "levers": {"plain": {"value": 5.0}, "value": 10.0, "unit": "x",
               "levers": [{"id": "tiers", "name": "tiers", "contribution": 5.0, "low": 4.0, "high": 6.0}]},
    "architectures": {"architectures": [{"name": "<i>one</i>", "value": 8.0, "distance_frac": 0.2}]},
    "entry_prices": [{"part": "p", "kind": "outside", "answer": "enters", "price_now_usd": 9.0, "low_usd": 4.0,
                      "high_usd": 5.0, "quantity": 3}],
    "pareto": {"x": "capex_usd", "y": "tokens_per_mw", "x_unit": "USD", "y_unit": "tokens/s/MW",
               "points": [{"x": 1.0, "y": 2.0, "y_bound": 3.0}, {"x": 2.0, "y": 3.0, "y_bound": 4.0}]},
    "tornado": {"unit": "x", "value": 10.0, "numbers": [
        {"path": "site.budget_usd", "name": "budget", "low": 1.0, "high": 2.0, "value_at_low": 9.0, "value_at_high": 11.0,
         "swing_frac": 0.2, "same_at_low": 8.5, "same_at_high": None, "same_words_at_low": "",
         "same_words_at_high": "it costs <more>"}]},
    "clashes": [],
}  # fmt: skip


class Reader(HTMLParser):
    """Collects tags and the text between them, scripts and styles aside."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.words.append(data)


def read(written: str) -> tuple[Reader, str]:
    """Return the parsed page and its text."""
    reader = Reader()
    reader.feed(written)
    return reader, " ".join(" ".join(reader.words).split())


@pytest.fixture(scope="module")
def written() -> str:
    return page(design().replace(explained=SECTIONS), "tierwatt solve half.toml --set site.power_mw=0.5")


def test_page_loads_nothing_from_elsewhere(written: str) -> None:
    reader, _ = read(written)
    names = [tag for tag, _ in reader.tags]
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(names)
    assert all("src" not in attributes for _, attributes in reader.tags)
    rules = next(a["content"] for t, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert rules is not None and "default-src 'none'" in rules
    assert written.count("Plotly.newPlot") >= 11 and written.count("plotly.js v") == 1
    assert "prefers-color-scheme: dark" in written and "@media print" in written


def test_page_says_all_that_a_reader_must_know(written: str) -> None:
    _, words = read(written)
    solved = design()
    assert written.count("class='kpi'") == 4
    assert "output tokens/s over the contracted MW at the meter" in words
    for line in solved.bill_of_materials:
        assert line["id"] in words
    for title in ("The build", "Bill of materials", "Watts from the meter to tokens", "Dollars of the outlay",
                  "Bytes by tier", "Promises", "What binds", "Compared with", "Assumptions", "Proof"):  # fmt: skip
        assert title in words, title
    for assumption in solved.assumptions:
        assert assumption["path"] in words
    for record in solved.baselines:
        assert record["name"] in words
    assert "tierwatt solve half.toml --set site.power_mw=0.5" in words
    assert f"passed {solved.audit['checks']:,} checks" in words and str(solved.catalog["hash"]) in words
    assert f"{solved.objective['gap']:.4%}" in words


def test_sections_that_are_there_are_shown_and_no_others(written: str) -> None:
    _, words = read(written)
    drawn = figures.explained(design().replace(explained=SECTIONS))
    assert set(drawn) == {"bottlenecks", "ladder", "levers", "architectures", "pareto", "tornado"}
    assert "Prices at which parts enter or leave the build" in words and "What clashes" not in words
    _, words = read(page(design()))
    assert "Explained" not in words and "One bottleneck" not in words


def test_unknown_sections_are_shown_as_tables() -> None:
    _, words = read(page(design().replace(explained={"something_new": {"note": 1.5, "rows": [{"name": "late"}]}})))
    assert "something new" in words and "late" in words


def test_text_of_catalog_and_study_is_never_markup() -> None:
    """In tables, in headings, in the labels and scripts of charts."""
    evil = "</script><script>alert('x')</script><b onclick=x>"
    solved = design()
    bill = [
        line | {"id": f"{evil}{k}", "vendor": evil, "source": evil} for k, line in enumerate(solved.bill_of_materials)
    ]
    study = solved.study | {"name": evil, "description": evil}
    explained = SECTIONS | {
        "architectures": {"architectures": [{"name": evil, "value": 1.0}]},
        "levers": SECTIONS["levers"] | {"levers": [{"id": evil, "name": evil, "contribution": 1.0}]},
    }
    written = page(solved.replace(bill_of_materials=bill, study=study, explained=explained), f"tierwatt solve {evil}")
    clean = page(solved.replace(explained=SECTIONS))
    count = [tag for tag, _ in read(clean)[0].tags].count
    hurt, tags = read(written)[0], [tag for tag, _ in read(written)[0].tags]
    assert tags.count("script") == count("script") and tags.count("b") == 0
    assert not any("onclick" in attributes for _, attributes in hurt.tags)
    assert evil not in written and html.escape(evil) in written


def test_page_of_a_design_without_a_build() -> None:
    nothing = Design(
        status="infeasible", study={"name": "x", "workload": []}, objective={"name": "tco", "value": None, "bound": None, "gap": None},
        explanation=["class a: no part can prefill"],
        dropped=[{"class": "a", "reason": "TTFT above the promise", "count": 3, "nearest": 0.6, "needed": 0.5, "unit": "s", "where": "p"}],
        explained={"clashes": [{"limit": "site.power_mw", "needs": 2e6}]},
    )  # fmt: skip
    written = page(nothing)
    _, words = read(written)
    assert "class a: no part can prefill" in words and "TTFT above the promise" in words and "What clashes" in words
    assert "Plotly" not in written and len(written) < 20_000


def test_embedded_study_is_the_designs(written: str) -> None:
    found = re.search(r"the study with all its defaults</summary><pre>(.*?)</pre>", written, re.DOTALL)
    assert found and json.loads(html.unescape(found[1])) == json.loads(json.dumps(design().study))


def test_page_is_written_whole(tmp_path: Path) -> None:
    write_html(design(), tmp_path / "design.html", "tierwatt solve x.toml")
    assert (tmp_path / "design.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir()] == ["design.html"]


def test_markup_of_cells() -> None:
    assert text(None) == "" and text(True) == "yes" and text(0) == "0" and text("<") == "&lt;"
    assert text({"a": [1, "<"]}) == "a 1, &lt;"
    made = table(("name", "n", "why"), [("a", 1.5, "x"), ("b", None, "y")], soft=("why",))
    assert made.count("class='n'") == 2 and made.count("class='s'") == 2 and "<th class=n>n</th>" in made


def test_brief_fits_a_page_and_answers_the_questions() -> None:
    for found in (design(), reference_like(), design().replace(explained=SECTIONS)):
        said = brief(found)
        assert len(said.splitlines()) <= LINES < 40 and max(map(len, said.splitlines())) <= WIDTH
        for title in ("Buy:", "Cost:", "Gives:", "Compared:", "Held back by:", "Uncertain:", "Proof:"):
            assert f"\n{title}" in said
    words = " ".join(brief(reference_like()).split())
    assert "449.90 MUSD to buy" in words and "56% of the dollars and 36% of the watts rest on estimates" in words
    assert "25% better than only rack_a" in words and "4.5% better than the best build without rack_a" in words
    assert "no build reaches more than 627,592 (gap 0.099%)" in words and "passed 1,234 checks" in words
    assert "supply.platform.rack_b (100% used)" in words
    assert "the result lies between 438,881 and 815,064 tokens/s/MW" in words


def test_brief_names_what_was_measured_of_a_limit() -> None:
    solved = design().replace(explained={"bottlenecks": SECTIONS["bottlenecks"]})
    assert "0.4 tokens/s per W" in " ".join(brief(solved).split())


def test_brief_of_broken_promises_and_of_no_build() -> None:
    broken = reference_like().replace(limits=[limit("promise.chat.ttft", 0.5, 0.6, "s")])
    assert "NOT every latency promise is kept" in " ".join(brief(broken).split())
    assert promise_margins(broken) == [("chat", "TTFT", pytest.approx(-0.2))]
    nothing = reference_like().replace(status="infeasible", explanation=["no part can prefill"])
    assert "There is no such build: no part can prefill" in brief(nothing)
    nothing = nothing.replace(status="unknown")
    assert "No build was found in time" in brief(nothing)


def test_brief_speaks_the_currency_of_the_study() -> None:
    plain = reference_like()
    study = plain.study | {"site": plain.study["site"] | {"currency": "EUR", "fx": 0.5}}
    assert "224.95 MEUR to buy" in brief(plain.replace(study=study))


def test_binding_limits_come_by_what_they_are() -> None:
    limits = [limit("memory.p.ddr.read", 1.0, 1.0, "B/s"), limit("site.floor_m2", 9.0, 1.0, "m2"),
              limit("promise.a.ttft", 1.0, 0.999, "s"), limit("site.power_mw", 1.0, 1.0, "W")]  # fmt: skip
    assert [item["id"] for item in binding(limits)] == ["site.power_mw", "promise.a.ttft", "memory.p.ddr.read"]
