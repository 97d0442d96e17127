"""The page that explains an answer."""

from __future__ import annotations

import dataclasses

import pytest
from explained import ATTRIBUTES, BOTTLENECKS, FRONT
from opened import STRANGER, Desk, words
from opened import desk as desk
from solved import design, study

from solver.explain import SECTIONS
from solver.ui.explaining import SECTIONS as TABS
from solver.whatif.views import WORTH


def test_nothing_to_explain_says_what_to_do(desk: Desk) -> None:
    shown = words(desk.open("explain"))
    assert "No result to explain yet" in shown and "Solve a study on the Design page" in shown


@pytest.mark.parametrize("tab", list(TABS))
def test_every_section_is_empty_first_and_says_what_it_would_cost(desk: Desk, tab: str) -> None:
    app = desk.open("explain", desk.solved(), explain_section=tab)
    if tab == "formula":
        return
    key = "ask_front" if tab == "tradeoffs" else f"ask_{tab}"
    assert any(button.key == key for button in app.button)
    assert len([m for m in app.markdown if m.value.startswith("#### ")]) == 1


def test_asking_queues_what_is_missing_and_watches_it(desk: Desk) -> None:
    run = desk.solved()
    app = desk.open("explain", run, explain_section="build")
    app.button(key="ask_build").click().run()
    assert not app.exception
    request = desk.queue.asked[0].request
    assert (
        request.kind == "explain"
        and request.base == run.id
        and request.options == {"sections": ["levers", "architectures"]}
    )
    assert any(str(button.key).startswith("stop_build") for button in app.button)
    assert not any(button.key == "ask_build" for button in app.button)


def test_asking_for_everything(desk: Desk) -> None:
    app = desk.open("explain", desk.solved())
    app.button(key="ask_all_binds").click().run()
    assert set(desk.queue.asked[0].request.options["sections"]) == set(SECTIONS) - {"attributes"}


def test_stop_stops(desk: Desk) -> None:
    app = desk.open("explain", desk.solved())
    app.button(key="ask_binds").click().run()
    next(b for b in app.button if str(b.key).startswith("stop_binds")).click().run()
    assert desk.queue.stopped == [desk.queue.asked[0].id]
    assert not app.exception and "Stopped before it began" in words(app)


@pytest.mark.parametrize(
    ("tab", "expected"),
    [("binds", ["One more MW gains", "+200,000 tokens/s", "20.00 MUSD/year", "Room is left in: Floor with aisles", "Not valued: TTFT of toolagent"]),
     ("ladder", ["loosened by 25%"]),
     ("prices", ["Not in the build", "how dear it may get"]),
     ("parts", ["Change at which a part enters or leaves"]),
     ("build", ["From a plain build to this design", "The best build of each kind of site"]),
     ("tradeoffs", ["Click a point"]),
     ("uncertain", ["calibration.hostrequests.value"]),
     ("formula", ["tokens_per_mw = tokens_per_s / power_mw"])],
)  # fmt: skip
def test_every_section_is_drawn(desk: Desk, tab: str, expected: list[str]) -> None:
    run = desk.solved()
    desk.explained(run)
    desk.front(run)
    app = desk.open("explain", run, explain_section=tab)
    shown = words(app)
    for text in expected:
        assert text in shown or text in shown.replace("_", ""), (text, shown)
    assert app.dataframe


@pytest.mark.parametrize("tab", list(TABS))
def test_every_section_in_korean(desk: Desk, tab: str) -> None:
    run = desk.solved()
    desk.explained(run)
    desk.front(run)
    app = desk.open("explain", run, "ko", explain_section=tab)
    assert app.title[0].value == "왜 이런 답이 나왔는가"


def test_prices_are_words_and_numbers(desk: Desk) -> None:
    run = desk.solved()
    desk.explained(run)
    app = desk.open("explain", run, explain_section="prices")
    outside, inside = (frame.value for frame in app.dataframe)
    assert list(outside["answer"]) == ["never, at any price", "enters below"]
    assert outside["fewer_watts_frac"].iloc[0] == pytest.approx(0.118) and outside["fewer_watts_frac"].isna().iloc[1]
    assert outside["at_usd"].iloc[1] == 900.0 and outside["change"].iloc[1] == "-10%"
    assert inside["at_usd"].iloc[0] == 3000.0 and inside["takes"].iloc[0] == 768


def test_sections_of_the_same_question_are_found_whoever_asked(desk: Desk) -> None:
    """A second solve of the same study shows what was explained of the first; another study does not."""
    first = desk.solved()
    desk.explained(first)
    same, other = desk.solved("again"), desk.solved("more", changes={"site.power_mw": 0.6})
    assert desk.open("explain", same).dataframe
    assert not desk.open("explain", other).dataframe


def test_promises_that_were_not_valued_can_be_asked_for(desk: Desk) -> None:
    run = desk.solved()
    desk.explained(run)
    app = desk.open("explain", run)
    app.button(key="ask_every").click().run()
    assert desk.queue.asked[0].request.options == {"sections": ["bottlenecks"], "promised": None}
    assert any(str(button.key).startswith("stop_every") for button in app.button) and app.dataframe, (
        "what is known stays"
    )


def test_what_the_solve_itself_valued_is_shown_at_once(desk: Desk) -> None:
    early = [record for record in BOTTLENECKS if record["id"].startswith("site.")]
    run = desk.solved(of=design().replace(explained={WORTH: early}))
    app = desk.open("explain", run)
    assert "not valued yet" in words(app) and list(app.dataframe[0].value["name"]) == [
        "Provisioned power at the utility meter"
    ]
    assert any(button.key == "ask_binds" for button in app.button)
    desk.explained(run)
    assert len(desk.open("explain", run).dataframe[0].value) == 2


def test_a_failed_explanation_says_why_and_can_be_asked_again(desk: Desk) -> None:
    from solver.whatif.explanations import ask_sections

    run = desk.solved()
    desk.put(ask_sections(run, ["bottlenecks"]), None, message="The solve needs more memory than it may use here.")
    app = desk.open("explain", run)
    assert "more memory" in words(app) and any(button.key == "ask_binds" for button in app.button)


def test_the_header_says_what_was_changed(desk: Desk) -> None:
    run = desk.solved(overlay={"platforms": [{"id": "mi300x_8", "price_central_usd": 160000.0}]})
    app = desk.open("explain", run)
    assert "changed: 1" in words(app) and "160,000" in words(app)


def test_a_run_of_somebody_else_can_be_read_by_its_link(desk: Desk) -> None:
    run = desk.solved("theirs", workspace=STRANGER)
    app = desk.open("explain", run)
    assert "theirs" in words(app)


# --- figures of parts -------------------------------------------------------------------------------------------------


def test_figures_of_a_part_are_asked_for(desk: Desk) -> None:
    run = desk.solved()
    app = desk.open("explain", run, explain_section="parts")
    app.selectbox(key="parts_part").set_value("hgx_h200_8").run()
    assert app.button_group(key="parts_which_hgx_h200_8").options == [
        "watts", "memory bandwidth", "accelerator memory", "FLOPs", "on time",
    ]  # fmt: skip
    app.button_group(key="parts_which_hgx_h200_8").set_value(["power", "compute"]).run()
    app.button(key="ask_parts").click().run()
    assert not app.exception
    request = desk.queue.asked[0].request
    assert request.kind == "explain" and request.options == {
        "sections": ["attributes"], "parts": ["hgx_h200_8"], "attributes": ["power", "compute"],
    }  # fmt: skip
    assert app.button(key="ask_parts").disabled and any(str(b.key).startswith("stop_parts") for b in app.button)


def test_a_part_without_a_chosen_figure_is_not_asked_about(desk: Desk) -> None:
    app = desk.open("explain", desk.solved(), explain_section="parts")
    part = app.selectbox(key="parts_part").value
    app.button_group(key=f"parts_which_{part}").set_value([]).run()
    app.button(key="ask_parts").click().run()
    assert not desk.queue.asked and "Choose at least one figure" in words(app)


def test_figures_of_parts_are_words_and_numbers(desk: Desk) -> None:
    run = desk.solved()
    desk.explained(run)
    (frame,) = (table.value for table in desk.open("explain", run, explain_section="parts").dataframe)
    assert list(frame["answer"]) == ["enters from here on", "worth of having it"]
    assert "TDP 700 → 525 W" in frame["figures"].iloc[0] and frame["share"].iloc[0] == "-25.0%"
    assert frame["gain"].iloc[1] == "15,000 – 16,000" and list(frame["confirmed"]) == ["yes", ""]


def test_answers_about_several_parts_stand_together_the_newest_of_each(desk: Desk) -> None:
    from solver.whatif.attributed import ask_attributes

    run = desk.solved()
    for share in (-0.5, -0.25):
        found = design().replace(explained={"attributes": [ATTRIBUTES[0] | {"share": share}]})
        desk.put(ask_attributes(run, "hgx_h200_8", ["power"]), {"design": dataclasses.asdict(found)})
    other = design().replace(explained={"attributes": [ATTRIBUTES[1]]})
    desk.put(ask_attributes(run, "mi300x_8", ["date"]), {"design": dataclasses.asdict(other)})
    (frame,) = (table.value for table in desk.open("explain", run, explain_section="parts").dataframe)
    assert sorted(zip(frame["what"], frame["share"], strict=True)) == [
        ("on time", ""), ("watts", "-25.0%"),
    ]  # fmt: skip


def test_a_part_that_no_build_can_hold_says_so(desk: Desk) -> None:
    from solver.whatif.attributed import ask_attributes

    run = desk.solved()
    empty = design().replace(explained={"attributes": []})
    desk.put(ask_attributes(run, "hgx_h200_8", ["power"]), {"design": dataclasses.asdict(empty)})
    assert "No build of this study can hold" in words(desk.open("explain", run, explain_section="parts"))


# --- fronts -----------------------------------------------------------------------------------------------------------


def test_a_front_is_asked_for(desk: Desk) -> None:
    run = desk.solved()
    app = desk.open("explain", run, explain_section="tradeoffs")
    app.selectbox(key="front_x").set_value("workload.tool_agent.tpot_s")
    app.number_input(key="front_points").set_value(5).run()
    app.button(key="ask_front").click().run()
    assert desk.queue.asked[0].request.options == {"x": "workload.tool_agent.tpot_s", "y": "tokens_per_mw", "points": 5}


def test_points_stand_in_the_order_of_the_chart(desk: Desk) -> None:
    """The place of a clicked point is the place of its row."""
    from solver.charts.figures import pareto

    run = desk.solved()
    desk.front(run)
    app = desk.open("explain", run, explain_section="tradeoffs")
    drawn = pareto(FRONT)
    assert drawn is not None and list(drawn.data[0].x) == [float(x) for x in app.dataframe[0].value["x"]]


# --- no build ---------------------------------------------------------------------------------------------------------


def test_an_infeasible_study_is_a_page_with_choices(desk: Desk) -> None:
    app = desk.open("explain", desk.infeasible())
    shown = words(app)
    assert "No build keeps all of this" in shown and "site.power_mw" in shown and "demand.floor_frac" in shown
    assert "0.5 MW → 0.7032 MW" in shown.replace("**", "")
    assert [b.label for b in app.button if str(b.key).startswith("apply_")] == ["Apply and solve"] * 5


def test_a_button_applies_one_relaxation(desk: Desk) -> None:
    run = desk.infeasible()
    app = desk.open("explain", run)
    app.button(key="apply_0").click().run()
    asked = desk.queue.asked[0]
    assert (
        asked.request.kind == "solve" and asked.request.base == run.id and asked.name == "too much, floor_frac 0.8456"
    )
    assert asked.request.study == study().with_changes({"demand.floor_frac": 0.8456}).to_dict()
    assert app.session_state["run"] == asked.id


def test_applying_what_was_solved_already_opens_it(desk: Desk) -> None:
    known = desk.solved("known", changes={"demand.floor_frac": 0.8456})
    app = desk.open("explain", desk.infeasible())
    app.button(key="apply_0").click().run()
    assert not desk.queue.asked and app.session_state["run"] == known.id


def test_no_choice_says_so(desk: Desk) -> None:
    app = desk.open("explain", desk.infeasible(single=[], joint=[], promises=[], finished=False))
    assert "No single change" in words(app) and "Time ended before" in words(app)
