"""Explanations as rows, which of them are known, formulas and offers: without a page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from explained import BOTTLENECKS, FRONT, LADDER, PRICES, QUOTE, SECTIONS, SITES
from solved import catalog, design, study

from solver.explaining.entry import NEVER
from solver.formulas import NUMBERS
from solver.whatif import views_explained as views
from solver.whatif.explanations import (
    ask_changed,
    ask_sections,
    catalog_of,
    comparable,
    front_runs,
    labels,
    question,
    related,
    sections_of,
    solved_already,
    subject,
)  # fmt: skip
from solver.whatif.offers import displaced, offered, verdict
from solver.whatif.shown import formula_of, numbers_of, subjects_of
from solver.whatif.store import DONE, Request, Run, Store

WORKSPACE = "w" * 22


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def put(store: Store, request: Request, result: object = None) -> Run:
    run = store.add(request, WORKSPACE)
    if result is not None:
        store.begin(run.id)
        store.end(run.id, DONE, result)  # type: ignore[arg-type]
    found = store.get(run.id)
    assert found is not None
    return found


def solved(store: Store, **changes: object) -> Run:
    return put(
        store, Request("solve", study().with_changes(changes).to_dict()), {"design": dataclasses.asdict(design())}
    )


def test_the_dearest_limit_first_with_its_worth() -> None:
    rows = views.binding(views.bottleneck_rows(BOTTLENECKS))
    assert [row["id"] for row in rows] == ["site.power_mw", "hardware.compute"]
    power = rows[0]
    assert (power["of"], power["step"], power["gain"]) == ("500.00 kW", "+10%", "9,000 – 11,000")
    assert power["usd_per_year"] == pytest.approx(20.0 / 0.2 * 10_000.0), (
        "the middle of the gain at the rate of a token"
    )
    assert power["used_frac"] == pytest.approx(0.9998, abs=1e-4) and rows[1]["of"] == "" and rows[1]["gain"] == ""


def test_one_more_megawatt() -> None:
    found = views.more_power(BOTTLENECKS)
    assert found is not None and found["gain"] == pytest.approx(2e5) and found["usd_per_year"] == pytest.approx(20e6)
    assert views.more_power([b for b in BOTTLENECKS if b["id"] != "site.power_mw"]) is None


def test_rungs() -> None:
    rows = views.ladder_rows(LADDER)
    assert [row["change"] for row in rows] == ["", "500.00 kW → 625.00 kW", ""], (
        "hardware grows by a share, which is told once"
    )
    assert rows[0]["next"] == "Provisioned power at the utility meter"


def test_prices_turn_where_a_build_was_found_else_at_the_relaxation() -> None:
    outside, inside = views.price_rows(PRICES, inside=False), views.price_rows(PRICES, inside=True)
    assert [row["at_usd"] for row in outside] == [None, 900.0] and inside[0]["at_usd"] == 3000.0
    assert [row["change"] for row in outside] == ["", "-10%"] and inside[0]["change"] == "+88%"
    assert [row["fewer_watts_frac"] for row in outside] == [0.118, None], "twice its watts is no saving"
    assert inside[0]["fewer_watts_frac"] is None


def test_other_sites_with_their_builds() -> None:
    rows = {row["name"]: row for row in views.site_rows(SITES)}
    assert rows["air-cooled only"]["build"] == "32 x p, 21 x s" and rows["air-cooled only"]["same"]
    assert rows["only Nobody"]["value"] is None and rows["without p"]["distance_frac"] == 0.79


def test_fronts() -> None:
    assert views.front_of(None) is None and views.front_of({"points": []}) is None
    assert views.front_of(FRONT) == FRONT == views.front_of({"front": FRONT})
    rows = views.front_rows(FRONT)
    assert [row["x"] for row in rows] == [1.8e6, 5.43e6] and rows[1]["build"] == "26 x p, 6 x s"


def test_axes_are_what_the_solver_knows() -> None:
    from solver.explaining.axes import axis
    from solver.scenario import resolve

    scenario = resolve(study(), catalog())
    found = views.axes_of(design())
    assert "workload.tool_agent.tpot_s" in found and len(found) > len(views.AXES)
    assert all(axis(name, scenario).id for name in found)
    assert "tokens_per_mw" in views.goals()


# --- what is known of a run -------------------------------------------------------------------------------------------


def test_who_asks_and_how_long_it_may_take_is_not_part_of_the_question() -> None:
    plain = study().to_dict()
    one = question(Request("solve", plain))
    assert one == question(Request("explain", dict(plain, name="x", solver=dict(plain["solver"], time_limit_s=9.0))))
    assert one != question(Request("solve", dict(plain, solver=dict(plain["solver"], gap=0.5))))
    assert one != question(Request("solve", plain, {"memory": [{"id": "x"}]}))


def test_sections_come_from_whoever_asked_the_same(store: Store) -> None:
    run = solved(store)
    assert all(known.record is None and not known.under_way for known in sections_of(run, [run], store).values())
    waiting = put(store, ask_sections(run, ["ladder"]))
    part = {"design": dataclasses.asdict(design().replace(explained={"bottlenecks": BOTTLENECKS}))}
    done = put(store, ask_sections(run, ["bottlenecks", "tornado"]), part)
    other = solved(store, **{"site.power_mw": 0.6})
    found = sections_of(run, [other, done, waiting, run], store)
    assert found["bottlenecks"].record == BOTTLENECKS and found["ladder"].under_way
    assert found["tornado"].failed, "asked for, over, and not there"
    assert not found["levers"].under_way and not found["levers"].failed
    assert sections_of(other, [other, done, waiting, run], store)["bottlenecks"].record is None


def test_asking_again_after_a_failure_is_under_way(store: Store) -> None:
    run = solved(store)
    put(store, ask_sections(run, ["tornado"]), {"design": dataclasses.asdict(design())})
    again = put(store, ask_sections(run, ["tornado"]))
    assert sections_of(run, store.list(WORKSPACE), store)["tornado"].under_way
    assert sections_of(run, store.list(WORKSPACE), store)["tornado"].run == again


def test_a_front_is_about_the_run_it_was_asked_of(store: Store) -> None:
    run = solved(store)
    front = put(store, Request("pareto", run.request.study, {}, {"x": "capex", "points": 3}, run.id), FRONT)
    assert subject(front, store) == run and subject(run, store) == run and subject(None, store) is None
    lost = put(store, Request("pareto", run.request.study, {}, {"x": "capex"}, "z" * 22), FRONT)
    assert subject(lost, store) is None
    assert front_runs(run, [front, lost], "capex", "tokens_per_mw") == [front, lost], (
        "the study's own objective stands in"
    )
    assert front_runs(run, [front], "power", "tokens_per_mw") == []


def test_a_change_is_asked_of_the_run(store: Store) -> None:
    run = solved(store)
    request = ask_changed(run, {"site.power_mw": 0.75})
    assert request.base == run.id and request.study == study().with_changes({"site.power_mw": 0.75}).to_dict()
    assert solved_already(request, [run]) is None
    more = solved(store, **{"site.power_mw": 0.75})
    assert solved_already(request, [run, more]) == more


def test_only_solves_with_a_result_are_compared(store: Store) -> None:
    run = solved(store)
    put(store, Request("solve", run.request.study))
    put(store, ask_sections(run, ["ladder"]), {"design": dataclasses.asdict(design())})
    assert comparable(store.list(WORKSPACE), store) == [run]
    assert related(run, store.list(WORKSPACE), "explain")[0].request.options == {"sections": ["ladder"]}


def test_names_are_told_apart(store: Store) -> None:
    runs = [solved(store) for _ in range(3)]
    assert list(labels(runs).values()) == ["half", "half (2)", "half (3)"]


def test_the_catalog_of_a_run(store: Store) -> None:
    changed = Request("solve", study().to_dict(), {"platforms": [{"id": "mi300x_8", "price_central_usd": 160000.0}]})
    assert catalog_of(put(store, changed), catalog()).row("platforms", "mi300x_8")["price_central_usd"] == 160000.0
    assert catalog_of(solved(store), catalog()) is catalog()


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_every_number_of_a_design_is_shown_with_its_formula() -> None:
    found = design()
    listed = numbers_of(found)
    assert {row["id"] for rows in listed.values() for row in rows} == {
        n for n in NUMBERS if NUMBERS[n].of != "site" or n in found.kpis
    }
    for rows in listed.values():
        for row in rows[:4]:
            subjects = subjects_of(found, row["id"])
            shown = formula_of(found, row["id"], next(iter(subjects), ""))
            assert shown["value"] == pytest.approx(shown["stated"], rel=1e-6, abs=1e-12), row["id"]


def test_terms_that_are_numbers_themselves_say_which() -> None:
    shown = formula_of(design(), "tokens_per_mw")
    assert shown["filled"].endswith("/ 0.5")
    assert {term["name"]: term["see"] for term in shown["terms"]} == {"tokens_per_s": "tokens_per_s", "power_mw": ""}


def test_without_a_build_only_numbers_of_classes_are_shown() -> None:
    bare = design().replace(status="infeasible", kpis={}, load=[], pools=[])
    assert set(numbers_of(bare)) == {"class"}


def test_subjects_are_the_largest_first() -> None:
    loads = subjects_of(design(), "ttft_s")
    sizes = {str(item["load_id"]): item["accelerators"] for item in design().load}
    assert [sizes[name] for name in loads] == sorted((sizes[name] for name in loads), reverse=True)
    assert set(subjects_of(design(), "kv_bytes_per_token")) == {"tool_agent", "batch_offline"}


# --- offers -----------------------------------------------------------------------------------------------------------


def test_offered_parts_are_those_that_a_study_admits() -> None:
    found = {row["part"]: row for row in offered(study(), catalog())}
    kept = {part for part, row in found.items() if row["kind"] == "platform"}
    assert kept == {"mi300x_8", "hgx_h200_8"}, (
        "the others are excluded by the study; a storage server is not quoted here"
    )
    bill = {line["part"]: line["list_usd"] for line in design().bill_of_materials}
    device = next(part for part in bill if part in found and found[part]["kind"] == "memory")
    assert found[device]["usd"] == pytest.approx(bill[device])


def test_a_verdict() -> None:
    found = verdict(QUOTE)
    assert (found["bought"], found["tone"], found["walk_away"]) == ("yes", "good", "price")
    assert found["room_frac"] == pytest.approx(0.1) and found["capex_change_usd"] == pytest.approx(1e5)
    less, more = displaced(QUOTE)
    assert [row["part"] for row in less] == ["mi300x_8"] and [row["part"] for row in more] == ["hgx_h200_8", "rack_air"]
    low = verdict(
        QUOTE
        | {
            "bought": "not found in time",
            "walk_away": {"kind": "price", "usd": 0.0, "high_usd": 4e5, "tolerance": 0.01},
        }
    )
    assert (low["walk_away"], low["usd"], low["room_frac"], low["high_usd"]) == ("below", None, None, 4e5)
    free = verdict(QUOTE | {"price_usd": 0.0, "capex_usd": {"without": None, "with_order": 1.0}})
    assert free["room_frac"] is None and free["capex_change_usd"] is None


def test_all_sections_are_those_of_the_solver() -> None:
    from solver.explain import SECTIONS as known

    assert set(known) == set(SECTIONS)


@pytest.mark.parametrize(
    ("changes", "answer", "at_usd"),
    [({}, "leaves above", 3000.0), ({"low_usd": 1000.0}, "leaves above", 3200.0),
     ({"low_usd": None, "relaxed_usd": 1500.0}, views.WITHIN_GAP, None), ({"answer": NEVER}, views.WITHIN_GAP, None)],
)  # fmt: skip
def test_a_part_in_the_build_is_worth_what_it_costs_today(
    changes: dict[str, Any], answer: str, at_usd: float | None
) -> None:
    """At 1,600 USD it is in the build: a lower confirmed price says nothing, a lower relaxed one that the gap decides."""
    (row,) = views.price_rows([PRICES[0] | changes], inside=True)
    assert (row["answer"], row["at_usd"]) == (answer, at_usd)
