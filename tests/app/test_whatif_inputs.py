"""What stands in the form is the study that is solved, to the last digit; what means nothing is refused by field."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from solved import catalog, study

from solver.errors import InputError
from solver.whatif.inputs import (
    FIRST,
    STUDY_BYTES,
    Form,
    FormError,
    catalog_power,
    catalog_promise,
    choices,
    form_of,
    name_after,
    presets,
    read_study,
    same,
    study_of,
)
from solver.whatif.store import Request


def typed(form: Form, **values: Any) -> Form:
    return dataclasses.replace(form, values=form.values | {k.replace("__", "."): v for k, v in values.items()})


def test_presets_come_with_the_one_to_begin_with_first() -> None:
    found = presets()
    assert next(iter(found)) == FIRST and found["small"].site.power_mw == 1.0


@pytest.mark.parametrize("name", list(presets()))
def test_a_form_that_nobody_touched_is_its_study(name: str) -> None:
    made = presets()[name]
    assert study_of(form_of(made)).to_dict() == made.to_dict()
    assert same(form_of(made), made.to_dict())


def test_hard_numbers_arrive_exactly() -> None:
    form = form_of(presets()["reference"])
    made = study_of(
        typed(form, power=".5", budget="$1,234.5 M", gap="0.25%", floor="50", time="2 min", rate__chat_short="1e3",
              tpot__chat_short="175", ttft__chat_short="450 ms")
    )  # fmt: skip
    assert (made.site.power_mw, made.site.budget_usd) == (0.5, 1234.5e6)
    assert (made.solver.gap, made.demand.floor_frac, made.solver.time_limit_s) == (0.0025, 0.5, 120.0)
    work = made.workload[0]
    assert (work.requests_per_s, work.tpot_s, work.ttft_s) == (1000.0, 0.175, 0.45)
    assert study_of(typed(form, power="12000 kW")).site.power_mw == 12.0


def test_words_classes_and_lines_arrive() -> None:
    form = form_of(presets()["small"])
    made = study_of(
        typed(form, quarter="2025Q4", cooling=["air"], objective="tco", basis="drawn", classes=["rag_qa", "chat_long_context"],
              rate__chat_long_context="3", more="build.max_platforms=2\n\nsupply.platform.mi300x_8=4\n")
    )  # fmt: skip
    assert (made.site.price_quarter, made.site.cooling, made.objective.name) == ("2025Q4", ["air"], "tco")
    assert made.objective.power == "drawn" and made.build.max_platforms == 2
    assert [(w.id, w.requests_per_s) for w in made.workload] == [("rag_qa", 12.0), ("chat_long_context", 3.0)]
    assert made.supply.platform["mi300x_8"].quantity == 4
    assert study_of(typed(form, cooling=[])).site.cooling is None


def test_what_the_form_does_not_show_stays() -> None:
    made = study(fleet=[{"platform": "hgx_h200_8", "quantity": 2}], finance={"wacc_percent": 5.0})
    found = study_of(typed(form_of(made), power="3"))
    assert found.fleet == made.fleet and found.finance == made.finance and found.exclude == made.exclude
    assert found.workload[0].model_id == "llama-3.1-70b"


def test_money_stays_in_the_study_s_currency() -> None:
    made = study(site={"power_mw": 1.0, "budget": 9e9, "currency": "KRW", "fx": 1400.0})
    form = form_of(made)
    assert form.values["budget"] == "9,000" and study_of(form).to_dict() == made.to_dict()
    assert study_of(typed(form, budget="")).site.budget is None


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [("power", "abc", "not a number"), ("power", "12 kg", "MW"), ("power", "-3", "above 0"), ("gap", "", "needed"),
     ("power", "1,2", "comma"), ("rate__rag_qa", "", "needed"), ("ttft__rag_qa", "soon", "not a number"),
     ("classes", [], "at least one"), ("quarter", "summer", "pattern"), ("more", "site.pwer_mw=3", "power_mw"),
     ("more", "nonsense", "key=value"), ("floor", "-1", "above 0"), ("gap", "200", "less than 1")],
)  # fmt: skip
def test_faults_are_told_by_field(field: str, text: Any, words: str) -> None:
    form = typed(form_of(presets()["small"]), **{field: text})
    with pytest.raises(FormError) as caught:
        study_of(form)
    assert words in caught.value.faults[field.replace("__", ".")] and not same(form, form.study.to_dict())


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(FormError) as caught:
        study_of(typed(form_of(presets()["small"]), power="x", budget="y", rate__rag_qa="z"))
    assert set(caught.value.faults) == {"power", "budget", "rate.rag_qa"} and "power: " in str(caught.value)


def test_choices_and_placeholders_come_from_the_catalog() -> None:
    found = choices(catalog())
    assert (
        found["quarter"]["2026Q3"] == "2026 Q3" and "air" in found["cooling"] and "tokens_per_mw" in found["objective"]
    )
    assert set(form_of(presets()["reference"]).values["classes"]) <= set(found["classes"])
    assert catalog_promise(catalog(), "chat_short", "tpot") == "40" and catalog_promise(catalog(), "none", "ttft") == ""
    assert catalog_power(catalog(), presets()["small"]) == "1"


def test_uploaded_studies_are_read_or_refused_in_words() -> None:
    text = b'[site]\npower_mw = 1.0\n[[workload]]\nid = "rag_qa"\nrequests_per_s = 1e3\n'
    assert read_study("own.toml", text).workload[0].requests_per_s == 1000.0
    for data, words in [(b"\xff\xfe", "UTF-8"), (b"a = = 3", "TOML"), (text + b"[nope]\na=1", "unknown key"),
                        (b"#" * (STUDY_BYTES + 1), "too large"), (b"a=" + b"[" * 5000, "TOML")]:  # fmt: skip
        with pytest.raises(InputError, match=words) as caught:
            read_study("../../etc/own.toml", data)
        assert "etc" not in str(caught.value)


def test_a_run_is_called_after_what_it_changes() -> None:
    small = presets()["small"]
    base = Request("solve", small.to_dict())
    assert name_after(small, {}, None) == name_after(small, {}, base) == "small"
    assert name_after(presets()["reference"], {}, base) == "reference"
    changed = small.with_changes(
        {"site.power_mw": 1.25, "workload.rag_qa.ttft_s": None, "workload.rag_qa.requests_per_s": 9.0}
    )
    assert name_after(changed, {}, base) == "small, power_mw 1.25, rag_qa requests_per_s 9"
    more = changed.with_changes({"build.max_platforms": 2})
    assert name_after(more, {}, base).startswith("small, power_mw 1.25, ") and "1 more" in name_after(more, {}, base)
    assert name_after(small, {"memory": [{"id": "x"}]}, base) == "small, other memory"
    assert name_after(small, {}, Request("solve", small.to_dict(), {"memory": [{"id": "x"}]})) == "small, other memory"
