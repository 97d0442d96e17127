"""The formula behind each number, computed as it is printed, gives the number that the design or the physics states."""

from __future__ import annotations

import math
from typing import Any

import pytest
from solved import VARIANTS, catalog, design, study, variant

from solver.design import Design
from solver.errors import InputError
from solver.formulas import NUMBERS, bare, listed, needs_design, number, render, show
from solver.formulas.expressions import evaluate, names, put_in
from solver.kpis import KPIS
from solver.words import WIDTH

WITHOUT = [name for name in NUMBERS if not needs_design(name)]


def subjects(name: str, solved: Design) -> list[dict[str, Any]]:
    """Return everything in a solved design that has the number."""
    of = NUMBERS[name].of
    if of == "class":
        return [{"workload": spec["id"]} for spec in solved.study["workload"]]
    if of == "load":
        return [{"load_id": item["load_id"]} for item in solved.load if item["role"] in NUMBERS[name].roles]
    return [{"pool_id": pool["pool_id"]} for pool in solved.pools] if of == "pool" else [{}]


def test_every_key_figure_has_a_formula_and_every_number_a_name() -> None:
    assert set(KPIS) <= set(NUMBERS)
    assert all(NUMBERS[name].unit == made.unit for name, made in KPIS.items())
    assert set(listed()) == set(NUMBERS) and all(made.name for made in NUMBERS.values())


@pytest.mark.parametrize("name", NUMBERS)
def test_number_computed_from_its_terms_is_the_designs_own(name: str) -> None:
    found = 0
    for chosen in subjects(name, design()):
        try:
            formula = show(design(), name, **chosen)
        except InputError:  # a class that reuses nothing, a pool without flash
            assert name in ("hit_rate_at_ttl", "hit_rate", "reused_token_frac", "parked_kv_bytes", "write_wear")
            continue
        if math.isnan(formula.stated):
            assert name == "ttft_margin_frac"
            continue
        assert formula.value == pytest.approx(formula.stated, rel=1e-9, abs=1e-12), chosen
        written = {term.name for term in formula.sheet.terms} | {column.name for column in formula.sheet.columns}
        assert names(formula.sheet.text) <= written and len(formula.sheet.labels) == len(set(formula.sheet.labels))
        assert all(term.source and term.confidence for term in formula.sheet.terms)
        found += 1
    assert found


@pytest.mark.parametrize("name", VARIANTS)
def test_numbers_hold_under_other_promises_roles_and_money(name: str) -> None:
    """Half waits and half long prompts, drafts, an owned fleet, an own building; a fine for what is not served."""
    solved, found = variant(name), 0
    for number_id in NUMBERS:
        for chosen in subjects(number_id, solved):
            try:
                formula = show(solved, number_id, **chosen)
            except InputError:  # no price, no reuse, no flash
                continue
            if not math.isnan(formula.stated):
                assert formula.value == pytest.approx(formula.stated, rel=1e-9, abs=1e-12), (number_id, chosen)
                found += 1
    assert found > 120


@pytest.mark.parametrize("name", NUMBERS)
def test_number_fits_the_screen_with_its_sources(name: str) -> None:
    formula = show(design(), name, workload="tool_agent" if NUMBERS[name].of == "class" else None)
    text = render(formula)
    assert max(map(len, text.splitlines())) <= WIDTH and text.startswith(name)
    for term in formula.sheet.terms:
        assert term.name in text and term.confidence in text
    assert formula.to_dict()["value"] == formula.value


def test_a_number_that_was_tampered_with_does_not_come_out() -> None:
    """The formula starts from quantities and rows: a total that does not follow from them shows."""
    solved = design()
    kpis = solved.kpis | {"utility_meter_w": solved.kpis["utility_meter_w"] | {"value": 1.0}}
    formula = show(solved.replace(kpis=kpis), "utility_meter_w")
    assert formula.stated == 1.0 and formula.value > 1e5
    pools = [solved.pools[0] | {"node_w": 0.5 * solved.pools[0]["node_w"]}, *solved.pools[1:]]
    formula = show(solved.replace(pools=pools), "pool_node_w", pool_id=pools[0]["pool_id"])
    assert formula.value == pytest.approx(2.0 * formula.stated)


def test_kv_of_a_token_by_hand() -> None:
    formula = number(study(), catalog(), "kv_bytes_per_token", workload="tool_agent")
    assert formula.value == 80 * 2 * 8 * 128 * 1
    assert "= (80 - 0) * 2 * 8 * 128 * 1" in render(formula)
    assert {term.confidence for term in formula.sheet.terms} == {"datasheet"}


@pytest.mark.parametrize("name", WITHOUT)
def test_numbers_that_need_no_solve_hold_for_every_class_of_the_catalog(name: str) -> None:
    """Grouped heads, latent attention, windows, indexes, compressed entries and recurrent state among them."""
    ids = [str(row["id"]) for row in catalog().rows("workloads") if row["kind"] == "tokens"]
    every = study(workload=[{"id": w, "requests_per_s": 1.0} for w in ids], exclude=[], supply={})
    shown = 0
    for work in ids:
        try:
            formula = number(every, catalog(), name, workload=work)
        except InputError:
            assert name == "hit_rate_at_ttl"
            continue
        assert formula.value == pytest.approx(formula.stated, rel=1e-12, abs=1e-9), work
        shown += 1
    assert shown >= 5


def test_every_model_of_the_catalog_has_kv_and_weights() -> None:
    for row in catalog().rows("models"):
        one = study(workload=[{"id": "tool_agent", "model_id": row["id"], "requests_per_s": 1.0}])
        for name in ("kv_bytes_per_token", "kv_window_bytes", "active_kv_bytes_per_request", "weight_bytes"):
            try:
                formula = number(one, catalog(), name)
            except InputError:  # a row without layers or width
                continue
            assert formula.value == pytest.approx(formula.stated, rel=1e-12, abs=1e-6), (row["id"], name)


def test_what_the_study_says_is_told_from_rows_and_defaults() -> None:
    terms = {term.name: term for term in show(design(), "active_kv_bytes_per_request", "tool_agent").sheet.terms}
    assert terms["kv_bytes_per_token"].source == "--number kv_bytes_per_token"
    own = study(workload=[{"id": "tool_agent", "requests_per_s": 1.0, "isl_tokens": 1000.0}])
    terms = {term.name: term for term in number(own, catalog(), "context_tokens").sheet.terms}
    assert terms["isl"].value == 1000.0 and terms["isl"].confidence == "chosen"
    assert terms["osl"].source.startswith("workloads tool_agent: ")
    terms = {term.name: term for term in show(design(), "tco_usd_per_year").sheet.terms}
    assert terms["load_factor"].source.startswith("default of finance.load_factor: ")


def test_largest_entry_stands_where_none_is_named() -> None:
    formula = show(design(), "ttft_s")
    largest = max((i for i in design().load if i["ttft_s"] is not None), key=lambda i: i["accelerators"])
    assert formula.subject == f"load {largest['load_id']}" and formula.stated == largest["ttft_s"]


@pytest.mark.parametrize(
    ("name", "chosen", "words"),
    [
        ("tokens_per_mv", {}, "did you mean 'tokens_per_mw'"),
        ("kv_bytes_per_token", {}, "--class"),
        ("kv_bytes_per_token", {"workload": "tool_agnet"}, "did you mean 'tool_agent'"),
        ("ttft_s", {"load_id": "no such"}, "no such load"),
        ("pool_it_w", {"pool_id": "mi300x_8"}, "no such pool"),
    ],
)
def test_wrong_names_are_refused_with_the_closest(name: str, chosen: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        show(design(), name, **chosen)
    assert words in str(caught.value)


def test_entries_of_another_role_are_told_from_unknown_ones() -> None:
    decode = next(item for item in design().load if item["role"] == "decode")
    with pytest.raises(InputError, match="only in prefill and mixed"):
        show(design(), "ttft_s", load_id=decode["load_id"])


def test_numbers_of_a_build_need_one() -> None:
    with pytest.raises(InputError, match="has no build"):
        show(bare(study(), catalog()), "capex_usd")


def test_arithmetic_of_formulas() -> None:
    values = {"a": 2.0, "b": [1.0, 2.0, 3.0]}
    assert evaluate("a ** 3 - 1 / a + sum(a * b)", values) == 19.5
    assert evaluate("max(0, min(a, 5)) + -ceil(1.2) + sqrt(4) + log(1)", values) == 2.0
    assert names("min(isl, 2 * osl)") == {"isl", "osl"} and put_in("isl * 2", {"isl": "7"}) == "7 * 2"


@pytest.mark.parametrize(
    "text", ["open('x')", "a.real", "[a]", "b", "a if a else 1", "c", "a < 1", "'x'", "a.__class__"]
)
def test_nothing_but_arithmetic_is_evaluated(text: str) -> None:
    with pytest.raises(ValueError):
        evaluate(text, {"a": 2.0, "b": [1.0, 2.0]})


def test_a_study_that_does_not_fit_the_catalog_is_refused() -> None:
    lost = study(workload=[{"id": "tool_agent", "requests_per_s": 1.0, "model_id": "llama-3.1-7b"}])
    with pytest.raises(InputError, match="did you mean"):
        number(lost, catalog(), "kv_bytes_per_token")
