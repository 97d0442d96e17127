"""A TTFT promise whose percentile is of requests: long prompts are late by their length, short ones by their wait."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from records import workload

from solver.audit import audit
from solver.catalog import Catalog, load_catalog
from solver.design import Design
from solver.errors import InputError
from solver.report import render
from solver.scenario import resolve
from solver.solve import prepare, solve
from solver.study import Study, study_from_dict

CHAT = "chat_short"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def study(catalog: Catalog, **of_class: Any) -> Study:
    out = [row.id for row in catalog.rows("platforms") if row.id != "hgx_h100_8"]
    return study_from_dict({
        "site": {"power_mw": 0.2, "available_by": "2026-12"}, "exclude": out,
        "workload": [{"id": CHAT, "requests_per_s": 1.0, "ttft_s": 1.5, **of_class}],
        "build": {"power_caps": [1.0], "batch_points_per_octave": 1},
    })  # fmt: skip


@pytest.fixture(scope="module")
def design(catalog: Catalog) -> Design:
    return solve(study(catalog, percentile_over="lengths"), catalog)


def test_the_request_asked_for_by_hand() -> None:
    """Of lengths with mean 1000 and variation 1, ln L is normal with variance ln 2 and mean ln 1000 - ln 2 / 2.

    Half of the 5% that may be late are longer than the 97.5% quantile, 1.96 deviations up: 3,616 tokens. Cached
    tokens grow alike, shared ones do not, and no prompt is longer than the model takes.
    """
    work = dataclasses.replace(
        workload(), isl=1000.0, isl_cv=1.0, percentile=0.95, percentile_over="lengths", reuse_frac_max=0.5
    )
    by_hand = 1000.0 * math.exp(1.959964 * math.sqrt(math.log(2.0)) - math.log(2.0) / 2.0)
    assert work.asked_isl == pytest.approx(by_hand, rel=1e-6) and by_hand == pytest.approx(3616, abs=1)
    assert work.wait_percentile == pytest.approx(0.975)
    assert work.asked_cached(500.0) == pytest.approx(by_hand / 2.0) and work.asked_load_share == pytest.approx(0.5)
    assert dataclasses.replace(work, longest_isl=3000.0).asked_isl == 3000.0
    assert dataclasses.replace(work, system_tokens=200.0).asked_cached(200.0) == 200.0
    for plain in (dataclasses.replace(work, percentile_over="waits"), dataclasses.replace(work, isl_cv=0.0)):
        assert (plain.asked_isl, plain.wait_percentile) == (1000.0, 0.95)
        assert plain.asked_cached(500.0) == 500.0 and plain.asked_load_share == plain.load_share


def test_half_and_half_is_never_late_more_often() -> None:
    """The union bound, on waits with an exponential tail and log-normal lengths: at most 5% of a million are late."""
    work = dataclasses.replace(workload(), isl=1000.0, isl_cv=1.5, percentile=0.95, percentile_over="lengths")
    rng = np.random.default_rng(1)
    variance = math.log(1.0 + work.isl_cv**2)
    lengths = 1000.0 * np.exp(rng.normal(-variance / 2.0, math.sqrt(variance), 1_000_000))
    waits = rng.exponential(0.4, len(lengths))
    promise = -0.4 * math.log(1.0 - work.wait_percentile) + 1e-4 * work.asked_isl
    late = float((waits + 1e-4 * lengths > promise).mean())
    assert 0.01 < late <= 0.05


def test_long_prompts_take_candidates_and_rate(catalog: Catalog) -> None:
    """Whatever keeps the promise for long prompts also keeps it for the mean one, at no lower a rate."""
    every = []
    for over in ("waits", "lengths"):
        asked = study(catalog, percentile_over=over).with_changes({"build.scale_up_handover": False})
        _, made = prepare(resolve(asked, catalog), prune=False)
        every.append({
            (c.role, c.cache, c.tier, c.precision, c.tp, c.pp, c.dp, c.ep, c.batch, c.ports, c.power_cap): c
            for c in made.candidates if c.role != "decode"
        })  # fmt: skip
    waits, lengths = every
    assert lengths and set(lengths) <= set(waits)
    assert all(c.requests_per_s <= waits[key].requests_per_s * (1 + 1e-9) for key, c in lengths.items())
    assert any(c.requests_per_s < 0.99 * waits[key].requests_per_s for key, c in lengths.items())
    assert all(c.ttft_s <= 1.5 * (1 + 1e-9) for c in lengths.values())


def test_a_design_says_so_and_passes(catalog: Catalog, design: Design) -> None:
    mean = solve(study(catalog), catalog)
    assert design.status == "optimal" and design.objective["value"] <= mean.objective["bound"]
    stated = {item["path"]: item["value"] for item in design.assumptions}
    assert stated[f"workload.{CHAT}.percentile_over"] == "lengths"
    assert "(long prompts too)" in " ".join(render(design).split())


def test_the_audit_asks_for_long_prompts(design: Design) -> None:
    """Proves the audit: a TTFT that would do for a prompt of mean length is understated."""
    load = [dict(item) for item in design.load]
    late = next(item for item in load if item["role"] != "decode")
    late["ttft_s"] = 0.6 * late["ttft_s"]
    report = audit(design.replace(load=load))
    assert not report["ok"] and any("TTFT understated" in line for line in report["violations"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"percentile_over": "tokens"}, "percentile_over"),
        ({"percentile_over": "lengths", "promise_on": "per_1k_new_tokens"}, "promised by its new tokens already"),
    ],
)
def test_what_has_no_meaning_is_refused(catalog: Catalog, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve(study(catalog, **changes), catalog)
