"""Runs side by side, a range of one input, and the list of what was saved."""

from __future__ import annotations

import pytest
from opened import STRANGER, Desk, words
from opened import desk as desk
from solved import design

from solver.ui.comparing import WAYS


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("language", ["en", "ko"])
def test_empty_pages_say_what_to_do(desk: Desk, way: str, language: str) -> None:
    app = desk.open("compare", None, language, compare_way=way)
    assert any(m.value.startswith("#### ") for m in app.markdown)


def two(desk: Desk) -> tuple[str, str]:
    """The study, and one with more power, a cheaper part and a tenth more tokens."""
    first = desk.solved("plain")
    kpis = {name: dict(kpi, value=kpi["value"] * 1.1) for name, kpi in design().kpis.items()}
    bill = [dict(line) for line in design().bill_of_materials]
    bill[0]["quantity"] += 4
    more = desk.solved(
        "more power", design().replace(kpis=kpis, bill_of_materials=bill), {"site.power_mw": 0.75},
        {"platforms": [{"id": "mi300x_8", "price_central_usd": 160000.0}]},
    )  # fmt: skip
    return first.id, more.id


def test_inputs_first_then_figures_then_builds(desk: Desk) -> None:
    first, more = two(desk)
    app = desk.open("compare")
    assert [s.value for s in app.subheader] == ["What was asked differently", "Key figures", "What is bought"]
    inputs, figures, rest, builds = (frame.value for frame in app.dataframe)
    assert list(inputs["what"]) == ["site.power_mw", inputs["what"].iloc[1]] and inputs["what"].iloc[1].startswith(
        "mi300x_8"
    )
    assert list(inputs["where"]) == ["study", "Platforms"]
    assert inputs[first].iloc[0] == "0.5" and inputs[more].iloc[0] == "0.75  +50%"
    tokens = figures.set_index("name").loc["Tokens per second per contracted MW"]
    assert "+10% ▲" in tokens[more] and "▲" not in tokens[first]
    money = figures.set_index("name").loc["Capital outlay"]
    assert "+10% ▼" in money[more]
    assert len(rest) > 10
    assert len(builds) == 1 and builds[more].iloc[0].endswith("(+4)")


def test_the_baseline_can_be_changed(desk: Desk) -> None:
    first, more = two(desk)
    app = desk.open("compare")
    assert app.selectbox(key="compare_base").value == first, "the oldest"
    app.selectbox(key="compare_base").set_value(more).run()
    figures = app.dataframe[1].value.set_index("name").loc["Tokens per second per contracted MW"]
    assert "−9.1% ▼" in figures[first]


def test_a_run_without_a_build_stands_beside_the_others(desk: Desk) -> None:
    desk.solved("plain")
    desk.infeasible()
    app = desk.open("compare")
    status = app.dataframe[0].value.iloc[0]
    assert "no such build" in set(status) and "proved best" in set(status)


def test_same_inputs_and_builds_say_so(desk: Desk) -> None:
    desk.solved("one")
    desk.solved("one")
    app = desk.open("compare")
    assert "these runs asked the same" in words(app) and "The builds are the same" in words(app)
    assert len({*app.multiselect(key="compare_runs").options}) == 2, "told apart by a number"


def test_nobody_sees_runs_of_others(desk: Desk) -> None:
    desk.solved("mine")
    desk.solved("theirs", workspace=STRANGER)
    app = desk.open("compare")
    assert "Two results are needed" in words(app) and "theirs" not in words(app)
    app = desk.open("compare", None, compare_way="saved")
    assert list(app.dataframe[0].value["name"]) == ["mine"]


def test_korean(desk: Desk) -> None:
    two(desk)
    app = desk.open("compare", None, "ko")
    assert [s.value for s in app.subheader] == ["다르게 입력한 것", "핵심 지표", "구매 내역"]


# --- ranges -----------------------------------------------------------------------------------------------------------


def test_a_range_is_asked_for(desk: Desk) -> None:
    run = desk.solved()
    app = desk.open("compare", run, compare_way="sweep")
    assert app.selectbox(key="sweep_path").value == "site.power_mw"
    assert app.text_input(key="sweep_values_site.power_mw").value == "0.25:0.75:0.125"
    app.text_input(key="sweep_values_site.power_mw").set_value("400 kW, .5, 1e0").run()
    app.button(key="ask_sweep").click().run()
    asked = desk.queue.asked[0]
    assert asked.request.kind == "sweep" and asked.request.base == run.id
    assert asked.request.options == {"path": "site.power_mw", "values": [0.4, 0.5, 1.0]}
    assert app.button(key="ask_sweep").disabled, "one at a time"


@pytest.mark.parametrize("typed", ["", "5", "ten, 20", "1:2", "-1, 2", "1 kg, 2 kg", "1:100:0.1"])
def test_a_bad_range_is_refused_in_words(desk: Desk, typed: str) -> None:
    app = desk.open("compare", desk.solved(), compare_way="sweep")
    app.text_input(key="sweep_values_site.power_mw").set_value(typed).run()
    app.button(key="ask_sweep").click().run()
    assert not desk.queue.asked and len(app.error) == 1 and "Traceback" not in app.error[0].value


def test_any_numeric_input_can_be_chosen(desk: Desk) -> None:
    app = desk.open("compare", desk.solved(), compare_way="sweep")
    options = app.selectbox(key="sweep_path").options
    assert any("tool_agent · TTFT [s]" in option for option in options) and len(options) > 60


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_outcome_is_a_chart_and_a_table(desk: Desk, language: str) -> None:
    run = desk.solved()
    desk.swept(run)
    app = desk.open("compare", run, language, compare_way="sweep")
    frame = app.dataframe[0].value
    assert list(frame["value"]) == [0.25, 0.5] and frame["result"].iloc[1] == 200000.0
    assert frame["build"].iloc[0] == "no power" and frame["build"].iloc[1] == "32 x mi300x_8"
    app.selectbox(key="sweep_kpi").select_index(1).run()
    assert app.dataframe[0].value["result"].iloc[1] == 9e6


# --- saved runs -------------------------------------------------------------------------------------------------------


def test_saved_runs_are_listed_with_what_they_are(desk: Desk) -> None:
    run = desk.solved("plain")
    desk.swept(run)
    desk.quoted(run)
    desk.store.rename(run.id, note="for the board")
    app = desk.open("compare", None, compare_way="saved")
    frame = app.dataframe[0].value
    assert set(frame["kind"]) == {"design", "range", "quote"} and "for the board" in set(frame["note"])


def test_a_run_is_named_noted_and_deleted(desk: Desk) -> None:
    run = desk.solved("plain")
    chosen = {"saved_runs": {"selection": {"rows": [0], "columns": [], "cells": []}}}
    app = desk.open("compare", None, compare_way="saved", **chosen)
    app.text_input[0].set_value("better name")
    app.text_area[0].set_value("*why*")
    next(b for b in app.button if b.label == "Save").click().run()
    found = desk.store.get(run.id)
    assert found is not None and (found.name, found.note) == ("better name", "*why*")
    app = desk.open("compare", None, compare_way="saved", **chosen)
    app.button(key=f"forget_{run.id}").click().run()
    assert desk.store.get(run.id) is None and not app.exception
