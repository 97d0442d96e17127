"""What all requests of a class share is kept once by each attention-data group, not once a request."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from records import GB, KV_BYTES_PER_TOKEN, model, workload
from test_model_memory import HALF, optimum, parking, tier

from solver.catalog import Catalog, load_catalog
from solver.errors import InputError
from solver.model.data import ModelData
from solver.parts import Accelerator, Model, Precision
from solver.performance import ROLE_DECODE, ROLE_PREFILL, Calibration, Performance, evaluate
from solver.physics.kv import kv_layout
from solver.points import make_points
from solver.scenario import resolve
from solver.study import study_from_dict

ISL, SHARED = 1000.0, 400.0


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def performance(catalog: Catalog, role: int, *, dp: int, shared: float, cached: float = 0.0) -> Performance:
    """Return what eight accelerators do in `dp` attention-data groups."""
    points = make_points(
        (catalog.typed(Model, "llama-3.1-70b"),), (catalog.typed(Accelerator, "h200_sxm"),), tuple(catalog.all(Precision)),
        model=0, accelerator=0, weight_precision=1, kv_precision=1, role=role, tp=8 // dp, pp=1, dp=dp, ep=1, batch=16,
        isl_new=ISL - cached, cached=cached, context=ISL + 100.0, osl=200.0, power_cap=1.0, kv_read_frac=1.0, chunk=8192.0,
        shared=shared, port_bytes_per_s=5e10,
    )  # fmt: skip
    return evaluate(points, Calibration.from_catalog(catalog))


def test_a_sequence_owns_the_rest_of_its_blocks() -> None:
    """Of 1,000 tokens at 0.1 MB, 400 shared: 60 MB and the state are its own, the copy is 40 MB and a state."""
    layout, state = kv_layout(model(state_bytes=7e6)), 7e6
    assert layout.private_bytes(ISL, SHARED, 2.0) == pytest.approx(600 * KV_BYTES_PER_TOKEN + state)
    assert layout.copy_bytes(SHARED, 2.0) == pytest.approx(400 * KV_BYTES_PER_TOKEN + state)
    assert layout.private_bytes(ISL, 0.0, 2.0) == layout.stored_bytes(ISL, 2.0) and layout.copy_bytes(0.0, 2.0) == 0.0


@pytest.mark.parametrize("role", [ROLE_PREFILL, ROLE_DECODE])
@pytest.mark.parametrize("dp", [1, 2])
def test_each_group_keeps_one_copy(catalog: Catalog, role: int, dp: int) -> None:
    """One copy a group leaves HBM, 400 tokens leave every request and the hand-over; nothing else changes but prefill."""
    alone, shared = (performance(catalog, role, dp=dp, shared=tokens) for tokens in (0.0, SHARED))
    per_token = (alone.kv_bytes_per_request / (ISL if role == ROLE_PREFILL else ISL + 100.0))[0]
    assert (alone.kv_free_bytes - shared.kv_free_bytes)[0] == pytest.approx(dp * SHARED * per_token)
    assert (alone.kv_bytes_per_request - shared.kv_bytes_per_request)[0] == pytest.approx(SHARED * per_token)
    assert shared.kv_transfer_bytes[0] == pytest.approx(alone.kv_transfer_bytes[0] * (1.0 - SHARED / ISL))
    assert np.array_equal(alone.decode_step_s, shared.decode_step_s, equal_nan=True)


def test_a_miss_prefills_the_rest_and_attends_to_all(catalog: Catalog) -> None:
    """A miss takes as long as a hit on the 400 tokens, longer than a prompt of 600, less than one of 1,000."""
    whole = performance(catalog, ROLE_PREFILL, dp=1, shared=0.0).prefill_s[0]
    rest = performance(catalog, ROLE_PREFILL, dp=1, shared=SHARED, cached=SHARED).prefill_s[0]
    assert rest < whole
    assert rest == performance(catalog, ROLE_PREFILL, dp=1, shared=0.0, cached=SHARED).prefill_s[0]


def test_a_hit_counts_the_shared_part_once() -> None:
    """Of 1,000 tokens 800 are found, 500 of them shared: 300 of the 500 that are a request's own come from the tier."""
    work = dataclasses.replace(workload(reuse=0.8), system_tokens=500.0)
    assert work.cached_on_hit == 800.0 and work.load_share == pytest.approx(0.6) and work.all_tokens == 300.0
    plain = dataclasses.replace(workload(), system_tokens=500.0)
    assert plain.cached_on_hit == 500.0 and plain.load_share == 0.0 and plain.all_tokens == 600.0


def test_only_the_rest_is_parked() -> None:
    """Half of a prompt shared: 5 GB keep the 10 requests/s that took 10 GB, 1,500 tokens/s; kept whole 1,000 + 18 x 25/11."""
    data = parking(12, HALF, tier(capacity_bytes=5 * GB, pooled=True))
    assert optimum(with_system_prompt(data, 500.0)) == pytest.approx(1500.0)
    assert optimum(data) == pytest.approx((12.0 + 0.9 * 2.5) / 1.1 * 100.0)


def test_only_the_rest_is_written() -> None:
    """Writes of 0.3 GB/s keep 10/s at 0.05 - 0.5 x 0.04 GB each: half of what whole prompts take in test_model_memory."""
    stock = tier(pooled=True, write_bytes_per_s=0.3 * GB)
    data = parking(13, HALF, stock, load_bytes=0.04 * GB)
    assert optimum(with_system_prompt(data, 500.0)) == pytest.approx(17.5 / 1.1 * 100.0)


def with_system_prompt(data: ModelData, tokens: float) -> ModelData:
    """Return the case with so many tokens of every prompt shared."""
    works = tuple(dataclasses.replace(work, system_tokens=tokens) for work in data.workloads)
    return dataclasses.replace(data, scenario=dataclasses.replace(data.scenario, workloads=works))


def test_a_study_may_state_it_but_not_beyond_the_prompt(catalog: Catalog) -> None:
    asked = {
        "site": {"power_mw": 1.0},
        "workload": [{"id": "chat_short", "requests_per_s": 1.0, "system_tokens": 200.0}],
    }
    assert resolve(study_from_dict(asked), catalog).workloads[0].system_tokens == 200.0
    long = study_from_dict(asked).with_changes({"workload.chat_short.system_tokens": 1155.0})
    with pytest.raises(InputError, match=r"system_tokens: leaves nothing .*found '1155.0'.*below isl_tokens, 1155"):
        resolve(long, catalog)
