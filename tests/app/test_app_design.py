"""The design page: typed, solved, shown, changed, shared; and nobody sees another's runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pages import clean, current, finished, opened, query, served, texts
from streamlit.testing.v1 import AppTest

from solver.ui import state
from solver.whatif.store import Request, is_id

IMPOSSIBLE: dict[str, Any] = {
    "site": {"power_mw": 1e-3, "id": "us_1mw"},
    "demand": {"mode": "fixed", "floor_frac": 1.0},
}


@pytest.fixture(scope="module", autouse=True)
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with served(tmp_path_factory.mktemp("app"), impossible=IMPOSSIBLE):
        yield


def field(page: AppTest, name: str) -> Any:
    """Return the widget of a field of the form."""
    key = f"f{page.session_state['form_revision']}_{name}"
    kinds = (page.text_input, page.text_area, page.selectbox, page.multiselect, page.get("button_group"))
    return next(item for kind in kinds for item in kind if item.key == key)


def solved(page: AppTest) -> AppTest:
    clean(page.button(key="solve").click().run())
    return finished(page)


@pytest.fixture(scope="module")
def page() -> AppTest:
    """A session that solved the first study."""
    return solved(opened())


def test_a_new_session_is_told_what_to_do() -> None:
    page = opened()
    assert "What should fill this site?" in texts(page)
    assert is_id(query(page, "w")) and "run" not in page.query_params
    assert field(page, "power").value == "5" and field(page, "rate.tool_agent").value == "3"
    assert not page.button(key="solve").disabled


def test_the_result_opens_with_four_figures_and_the_build_in_words(page: AppTest) -> None:
    run = current(page)
    design = state.store().design(run.id)
    assert run.state == "done" and design is not None
    assert len(page.metric) == 4
    assert page.metric[0].value == f"{design.objective['value']:,.0f}"
    shown = texts(page)
    assert "output tokens/s over the contracted MW at the meter" in shown
    assert "MI300X" in shown and "One more MW is worth" in shown and r"small \*hall\*" in shown
    assert query(page, "run") == run.id


def test_hard_numbers_are_solved_as_they_are_typed(page: AppTest) -> None:
    field(page, "power").input("4,500 kW")
    field(page, "budget").input("1.5e2")
    field(page, "tpot.tool_agent").input(".9e2")
    field(page, "more").input("build.max_platforms=1")
    clean(page.run())
    assert any("has changed since this result" in item.value for item in page.warning)
    before = current(page).id
    solved(page)
    run = current(page)
    asked = run.request.study
    assert (asked["site"]["power_mw"], asked["site"]["budget_usd"]) == (4.5, 1.5e8)
    assert asked["workload"][0]["tpot_s"] == 0.09 and asked["build"]["max_platforms"] == 1
    assert run.request.base == before and page.metric[0].proto.delta  # compared with the run before
    assert not page.warning


def test_what_is_no_number_is_said_by_field_and_cannot_be_solved() -> None:
    page = opened()
    field(page, "power").input("lots")
    field(page, "rate.tool_agent").input("")
    clean(page.run())
    fault = page.error[0].value
    assert "Power" in fault and "not a number" in fault and "rate" in fault and page.button(key="solve").disabled


def test_a_reload_and_a_link_find_the_run_again(page: AppTest) -> None:
    run = current(page)
    again = opened(w=query(page, "w"), run=run.id)
    assert current(again).id == run.id and len(again.metric) == 4
    asked = run.request.study["site"]["power_mw"]
    assert field(again, "power").value == f"{asked:g}"  # the form shows what was asked
    guest = opened(run=run.id)
    assert guest.session_state["w"] != page.session_state["w"] and len(guest.metric) == 4
    assert any("shared run" in item.value for item in guest.info)
    assert not [b for b in guest.button if b.key == "delete"]
    assert not [b for b in guest.button if str(b.key).startswith("open_")]  # no runs of others in the list


def test_changed_parts_come_along_with_the_link(page: AppTest) -> None:
    overlay = {"platforms": [{"id": "mi300x_8", "price_central_usd": 201234.5}]}
    run = state.pool().submit(Request("solve", current(page).request.study, overlay, {"more": False}), "x" * 22)
    guest = finished(opened(run=run.id))
    assert guest.session_state["edits"].overlay == overlay
    assert any("mi300x" in line and "201,234.5" in line for line in state.changes_of(current(guest)))
    assert "201" in texts(guest)  # what was changed stays visible


def test_two_users_do_not_see_each_other_s_runs(page: AppTest) -> None:
    other = opened()
    mine = {run.id for run in state.store().list(page.session_state["w"])}
    assert mine and not state.store().list(other.session_state["w"])
    solved(other)
    assert {run.id for run in state.store().list(page.session_state["w"])} == mine


def test_names_notes_and_the_end_of_a_run() -> None:
    page = solved(opened())
    run = current(page)
    inputs = [item for item in page.text_input if item.label == "Name"]
    inputs[0].input("north [hall](http://x)")
    next(item for item in page.text_area if item.label == "Note").input("why not")
    next(item for item in page.button if item.label == "Keep").click()
    clean(page.run())
    assert current(page).name == "north [hall](http://x)" and r"\[hall\]" in texts(page)
    page.button(key="delete").click()
    clean(page.run())
    assert state.store().get(run.id) is None and "What should fill" in texts(page)


def test_a_study_that_cannot_be_is_a_page_not_an_error() -> None:
    page = opened()
    field(page, "preset").select("impossible")
    clean(page.run())
    assert field(page, "power").value == "0.001"
    solved(page)
    design = state.store().design(current(page).id)
    assert design is not None and design.status == "infeasible" and "No build keeps all of this" in texts(page)


def test_bad_input_that_only_the_solver_sees_is_said_in_words() -> None:
    page = opened()
    field(page, "more").input("site.discount_percent.Nobody=5")
    solved(page)
    assert current(page).state == "failed"
    assert "Nobody" in page.error[0].value and "Traceback" not in page.error[0].value


def test_a_run_at_work_is_watched_and_stopped() -> None:
    page = opened()
    field(page, "more").input("build.batch_points_per_octave=96\nbuild.power_caps=[1.0,0.9,0.8,0.7,0.6]")
    clean(page.run())
    clean(page.button(key="solve").click().run())
    run = current(page)
    if not run.ended:
        stop = [item for item in page.button if str(item.key) == f"stop_{run.id}"]
        assert stop
        stop[0].click()
        clean(page.run())
    finished(page)
    assert current(page).state in ("stopped", "done")


def test_a_link_that_leads_nowhere_says_so() -> None:
    assert "What should fill" in texts(opened(run="../../../etc/passwd"))
    assert "What should fill" in texts(opened(run="a" * 22, w="<script>"))


def test_a_run_that_is_no_design_names_its_page(page: AppTest) -> None:
    asked = Request("sweep", current(page).request.study, {}, {"path": "site.power_mw", "values": [4.0]})
    run = state.pool().submit(asked, "x" * 22)
    shown = texts(finished(opened(run=run.id)))
    assert "no single build" in shown and "Compare" in shown


def test_a_run_of_another_version_leaves_the_form_alone() -> None:
    asked = Request("solve", {"name": "old", "workload": [{"id": "tool_agent"}], "gone": 1}, {}, {})
    run = state.pool().submit(asked, "x" * 22)
    guest = finished(opened(run=run.id))
    assert field(guest, "power").value == "5" and "gone" in guest.error[0].value


def test_korean() -> None:
    """By the address, which keeps it: what a link says holds when the page is drawn again, and in the next one."""
    page = opened(lang="ko")
    assert "이 부지를 무엇으로 채울까요?" in texts(page)
    assert "이 부지를 무엇으로 채울까요?" in texts(clean(page.run())) and query(page, "lang") == "ko"
    page.button_group(key="lang").set_value("en").run()
    assert "What should fill this site?" in texts(page) and query(page, "lang") == "en"


def test_a_full_queue_is_said(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from solver.whatif.pool import BusyError, Pool

    def refuse(*_: object, **__: object) -> None:
        raise BusyError("20 runs are waiting already")

    monkeypatch.setattr(Pool, "submit", refuse)
    clean(page.button(key="solve").click().run())
    assert any("20 runs are waiting" in item.value for item in page.error)
