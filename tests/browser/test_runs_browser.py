"""What only a browser shows of runs: live progress, a reload, two tabs, two users, a shared link, two runs compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from driven import serving, settled
from solved import study

from solver.whatif.takeaway import study_toml

pytestmark = pytest.mark.browser

QUICK: dict[str, Any] = {
    "name": "quick", "site": {"power_mw": 5.0, "id": "us_1mw", "floor_m2": 1e4}, "supply": {},
    "workload": [{"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0}],
    "build": {"power_caps": [1.0], "batch_points_per_octave": 2, "roles": ["mixed"], "tiers": False},
}  # fmt: skip
"""Solved in a tenth of a second."""
STOP = re.compile("^Stop and keep")
IMPOSSIBLE: dict[str, Any] = QUICK | {
    "name": "impossible", "demand": {"mode": "fixed", "floor_frac": 1.0},
    "site": {"power_mw": 0.01, "id": "us_1mw", "floor_m2": 1e4},
}  # fmt: skip
"""No node draws as little as 10 kW."""
LONG: dict[str, Any] = {"name": "long", "solver": {"gap": 1e-6, "time_limit_s": 300.0}}
"""Solved in minutes, with a good build after seconds."""


@pytest.fixture(scope="module")
def address(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    presets = folder / "presets"
    presets.mkdir()
    for name, changes in (("quick", QUICK), ("long", LONG), ("impossible", IMPOSSIBLE)):
        (presets / f"{name}.toml").write_text(study_toml(study(**changes).to_dict()), encoding="utf-8")
    with serving(folder, presets) as found:
        yield found
    assert "Traceback" not in (folder / "server.log").read_text(encoding="utf-8")


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    """A new user at the first page."""
    with chromium.new_context(viewport={"width": 1440, "height": 1000}) as context:
        made = context.new_page()
        made.set_default_timeout(30e3)
        made.goto(address)
        settled(made)
        yield made


def choose(page: Any, preset: str) -> None:
    """Choose a study in the form."""
    box = page.get_by_label("Study", exact=True).first
    if preset not in (box.input_value() or ""):
        box.click()
        page.get_by_role("option", name=re.compile(preset)).first.click()
        settled(page)


def solve(page: Any, power: str = "") -> None:
    """Press Solve, with another power where one is given."""
    if power:
        box = page.get_by_label("Power [MW]", exact=True)
        box.fill(power)
        box.press("Tab")
        settled(page)
    page.get_by_role("button", name=re.compile("^Solve")).click()


def done(page: Any) -> None:
    """Wait for a result."""
    page.get_by_text("proved best").first.wait_for()
    page.get_by_role("button", name=STOP).wait_for(state="detached")
    settled(page)


def go(page: Any, name: str) -> None:
    """Go to a page by the navigation."""
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_url(re.compile(f"/{name.lower()}" if name != "Design" else r"/(\?|$)"))
    settled(page)


def run_of(page: Any) -> str:
    """Return the id of the run that the address names."""
    found = re.search(r"[?&]run=([A-Za-z0-9_-]{22})", page.url)
    assert found, page.url
    return found[1]


def test_two_runs_are_compared(page: Any) -> None:
    choose(page, "quick")
    solve(page)
    done(page)
    first = run_of(page)
    solve(page, "6.5")
    page.wait_for_function("before => !location.search.includes(before)", arg=first)
    done(page)
    go(page, "Compare")
    page.get_by_text("What was asked differently").wait_for()
    page.get_by_text("What is bought").wait_for()
    # the cells of a grid are drawn on a canvas: what stands behind it for screen readers comes a moment later
    page.locator("[data-testid=stDataFrame] td", has_text="site.power_mw").first.wait_for(state="attached")
    cells = " ".join(page.locator("[data-testid=stDataFrame] td").all_text_contents())
    assert "site.power_mw" in cells and "6.5" in cells and "+30%" in cells


def test_a_shared_link_opens_the_result_and_nothing_else(page: Any, chromium: Any, address: str) -> None:
    from playwright.sync_api import expect

    choose(page, "quick")
    solve(page, "4")
    done(page)
    link = f"{address}/?run={run_of(page)}"
    with chromium.new_context() as other:
        seen = other.new_page()
        seen.goto(link)
        settled(seen)
        seen.get_by_text("proved best").first.wait_for()
        seen.get_by_text("somebody's shared run").wait_for()
        expect(seen.get_by_label("Power [MW]", exact=True)).to_have_value("4")  # the form means the same study
        assert seen.url.split("w=")[1][:22] != page.url.split("w=")[1][:22]
        go(seen, "Compare")
        seen.get_by_text("Two results are needed to compare").wait_for()  # lists show one's own runs only


def test_two_users_side_by_side(page: Any, chromium: Any, address: str) -> None:
    with chromium.new_context() as other:
        neighbour = other.new_page()
        neighbour.goto(address)
        settled(neighbour)
        for who, power in ((page, "3"), (neighbour, "7")):
            choose(who, "quick")
            solve(who, power)
        for who in (page, neighbour):
            done(who)
        assert run_of(page) != run_of(neighbour)
        for who, power in ((page, "3"), (neighbour, "7")):
            assert who.get_by_label("Power [MW]", exact=True).input_value() == power
            who.get_by_text("My runs (1)").wait_for()


def test_watch_reload_look_elsewhere_and_stop(page: Any) -> None:
    """One long solve: it is seen to move, survives a reload, a second tab and other pages, and stops with its best."""
    choose(page, "long")
    solve(page)
    stop = page.get_by_role("button", name=STOP)
    stop.wait_for()
    run = run_of(page)
    clock = page.get_by_text(re.compile(r"^\d+ s$")).first
    before = clock.text_content()
    page.wait_for_function(
        "before => ![...document.querySelectorAll('*')].some(e => !e.children.length && e.textContent === before)",
        arg=before,
    )
    page.reload()
    settled(page)
    assert run_of(page) == run
    stop.wait_for()
    tab = page.context.new_page()
    tab.goto(page.url)
    settled(tab)
    tab.get_by_role("button", name=STOP).wait_for()
    tab.close()
    go(page, "Compare")
    go(page, "Design")
    assert run_of(page) == run
    stop.wait_for()
    page.wait_for_function(
        "() => document.body.innerText.includes('tokens/s') || document.body.innerText.includes('best')"
    )
    page.wait_for_timeout(4000)
    stop.click()
    page.get_by_text("Stopped by you").wait_for(timeout=60e3)
    settled(page)
    assert page.get_by_role("button", name=STOP).count() == 0
    assert page.get_by_text("checks passed").count() >= 1, "what it kept was audited"


def test_a_point_of_a_front_opens_its_build(page: Any) -> None:
    """A real click on a point of the chart; then the build of that point is on the Design page."""
    choose(page, "quick")
    solve(page, "5")
    done(page)
    first = run_of(page)
    go(page, "Explain")
    page.get_by_text("Trade-offs", exact=True).click()
    points = page.get_by_label("points", exact=True)
    points.fill("3")
    points.press("Enter")
    settled(page)
    page.get_by_role("button", name="Draw the front").click()
    page.locator(".js-plotly-plot .scatterlayer .point").first.wait_for(timeout=90e3)
    settled(page)
    box = page.locator(".js-plotly-plot .scatterlayer .point").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("before => location.pathname === '/' && !location.search.includes(before)", arg=first)
    done(page)
    assert page.get_by_label("Budget [MUSD]", exact=True).input_value() not in ("", "9")


def test_an_infeasible_study_is_mended_by_a_button(page: Any) -> None:
    choose(page, "impossible")
    solve(page)
    page.get_by_text("no such build").first.wait_for(timeout=90e3)
    go(page, "Explain")
    page.get_by_text("No build keeps all of this").wait_for()
    page.get_by_role("button", name="Apply and solve").first.click()
    page.wait_for_function("() => location.pathname === '/'")
    done(page)
    assert page.get_by_text("checks passed").count() >= 1
