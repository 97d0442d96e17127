"""Whole operating points: times, rates, watts, bytes, evidence, and the prediction of one."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
import pytest
from operating_points import DENSE, EIGHT, FOUR, LATENT, MOE, PART, PLAIN, ROOFLINE_ONLY, SIXTEEN, points, shipped

from solver.errors import InputError
from solver.parts import Accelerator, Model, Precision
from solver.performance import (
    EVIDENCE,
    ROLE_DECODE,
    ROLE_MIXED,
    ROLE_PREFILL,
    ROLES,
    Calibration,
    Performance,
    Prediction,
    default_kv_precision,
    evaluate,
    predict,
)
from solver.physics.calibration import generation
from solver.physics.transformer import missing_fields
from solver.points import make_points

STEP_S = math.hypot(1.8e9 / 2e12, 1.8e9 / 1e15) + math.hypot(0.1e-3, 0.2e-6) + math.hypot(8e6 / 2e12, 3.2e7 / 1e15)
"""A decode step of one request of the dense model: dense layers, LM head, attention over its KV."""


def shipped_calibration() -> Calibration:
    """Return the calibration that comes with the program."""
    return Calibration.from_catalog(shipped())


def test_a_decode_point_by_hand() -> None:
    """One request: 1.004 ms a token, 100 tokens, so 9.96 requests/s.

    Kernels run all the time: 0.2 + 0.1 of the range, and 0.5 for memory fully used, bent by the knee at the rating.
    """
    found = evaluate(points(role=ROLE_DECODE), ROOFLINE_ONLY)
    assert found.decode_step_s[0] == found.tpot_s[0] == pytest.approx(STEP_S)
    assert found.requests_per_s[0] == pytest.approx(1 / (100 * STEP_S))
    compute = (2e9 + 3200 * 10 * 1000) / STEP_S / 1e15
    memory = (2e9 + 8e6) / STEP_S / 2e12
    wanted = 0.2 + 0.5 * memory + compute + 0.1
    assert found.power_busy_w[0] == pytest.approx(100 + 900 * wanted / (1 + wanted**4) ** 0.25)
    assert found.power_idle_w[0] == 100.0


def test_a_prefill_point_has_no_tokens_to_time() -> None:
    """Prefill has a rate of one over its time, no step, no time per token.

    Compute units used to 97-100% want about 0.2 + 0.1 + 1 of the range and some for memory, of which 0.928 or more is drawn.
    """
    found = evaluate(points(role=ROLE_PREFILL), ROOFLINE_ONLY)
    assert math.isnan(found.decode_step_s[0]) and math.isnan(found.tpot_s[0])
    assert found.requests_per_s[0] == pytest.approx(1 / found.prefill_s[0])
    assert 100 + 900 * 0.92 < found.power_busy_w[0] < 1000.0


def test_packed_prompts_share_the_weights() -> None:
    """Eight prompts of 16 tokens in one pass take hardly longer than one, for eight times the rate."""
    found = evaluate(points(role=ROLE_PREFILL, isl_new=16, batch=[1, 8]), ROOFLINE_ONLY)
    assert found.prefill_s[1] < 1.1 * found.prefill_s[0]
    assert found.requests_per_s[1] > 7 * found.requests_per_s[0]


def test_a_mixed_replica_pays_for_prefill_in_every_step() -> None:
    """50 requests in flight, each prefilled once in 100 steps: half a prefill a step, less the weights it shares."""
    mixed = evaluate(points(role=ROLE_MIXED, batch=50), ROOFLINE_ONLY)
    more = mixed.tpot_s[0] - mixed.decode_step_s[0]
    assert 0.25 * mixed.prefill_s[0] < more < 0.5 * mixed.prefill_s[0]
    assert mixed.requests_per_s[0] == pytest.approx(50 / (100 * mixed.tpot_s[0]))
    assert mixed.requests_per_s[0] < 1 / mixed.prefill_s[0]


def test_launches_of_prefill_show_in_part() -> None:
    """A quarter of 100 launches of 1 ms: in the prefill, and in the half of the steps that carry a prompt."""
    launched = dataclasses.replace(PLAIN, launch_s=1e-3, launch_share=0.25)
    grid = points(role=ROLE_MIXED, batch=50)
    plain, found = (evaluate(grid, dataclasses.replace(ROOFLINE_ONLY, times=times)) for times in (PLAIN, launched))
    assert found.prefill_s[0] - plain.prefill_s[0] == pytest.approx(0.025)
    assert found.first_token_s[0] - plain.first_token_s[0] == pytest.approx(0.1)
    assert found.tpot_s[0] - plain.tpot_s[0] == pytest.approx(0.5 * 0.025)


def test_a_generation_scales_overheads_of_its_parts() -> None:
    """Parts that compute natively in 8 bits at best have the factor of their generation, others their own or 1."""
    assert generation(PART) == "fp8"
    times = dataclasses.replace(PLAIN, host_step_s=1e-3)
    base = dataclasses.replace(ROOFLINE_ONLY, times=times)
    found = [evaluate(points(role=ROLE_DECODE), dataclasses.replace(base, overheads=factors)).tpot_s[0]
             for factors in ({}, {"fp8": 1.5}, {"fp4": 9.0})]  # fmt: skip
    assert found[1] - found[0] == pytest.approx(0.5e-3)
    assert found[2] == found[0]


def test_pipeline_stages_multiply_throughput_not_speed() -> None:
    """Four stages hold four microbatches: the step of a quarter of the batch, four times the requests."""
    found = evaluate(points(role=ROLE_DECODE, pp=[1, 4], batch=[16, 64]), ROOFLINE_ONLY)
    assert found.tpot_s[0] == pytest.approx(found.tpot_s[1])
    assert found.requests_per_s[1] == pytest.approx(4 * found.requests_per_s[0])
    assert found.power_busy_w[1] == pytest.approx(4 * found.power_busy_w[0])
    assert found.weight_bytes[0] == pytest.approx(4 * found.weight_bytes[1])
    prefill = evaluate(points(role=ROLE_PREFILL, pp=[1, 4], dp=[1, 2]), ROOFLINE_ONLY)
    assert prefill.requests_per_s[1] == pytest.approx(8 / prefill.prefill_s[1])


def test_memory_by_hand() -> None:
    """100 GB x 0.9 - 5 GB - 2.2 GB of weights - activations of one token: 20 bytes x 1,000 values."""
    found = evaluate(points(role=ROLE_DECODE), ROOFLINE_ONLY)
    assert found.weight_bytes[0] == pytest.approx(2.2e9)
    assert found.kv_free_bytes[0] == pytest.approx(9e10 - 5e9 - 2.2e9 - 20_000)
    assert found.kv_bytes_per_request[0] == pytest.approx(8e6)
    assert found.kv_transfer_bytes[0] == pytest.approx(8e6)
    assert found.kv_step_read_bytes[0] == pytest.approx(8e6)


def test_copies_count_in_memory_but_not_in_a_transfer() -> None:
    """Tp 8 with 4 heads keeps two copies, a latent eight; what is handed over is one copy of the prompt."""
    grid = points(DENSE, LATENT, model=[0, 1], tp=8, role=ROLE_DECODE, isl_new=400, cached=200, context=1000)
    found = evaluate(grid, ROOFLINE_ONLY)
    assert found.kv_bytes_per_request == pytest.approx([2 * 8e6, 8 * 2e6])
    assert found.kv_transfer_bytes == pytest.approx([8000 * 600, 2000 * 600])
    paged = evaluate(grid, dataclasses.replace(ROOFLINE_ONLY, kv_paging_frac=0.03))
    assert paged.kv_bytes_per_request == pytest.approx(1.03 * found.kv_bytes_per_request)


def test_weights_that_do_not_fit_leave_less_than_nothing() -> None:
    """A negative number of free bytes says by how much, and nothing is raised."""
    huge = dataclasses.replace(DENSE, params_total=1e12, params_total_calc=1e12, params_active_calc=1e12)
    assert evaluate(points(huge, role=ROLE_DECODE), ROOFLINE_ONLY).kv_free_bytes[0] < -1e12


def test_evidence_counts_what_lies_outside() -> None:
    """Known family, part and size: measured; one of them unknown: extrapolated; two: none."""
    other = dataclasses.replace(DENSE, id="other", family="Unseen")
    grid = points(DENSE, other, model=[0, 1, 0, 1, 0, 0], isl_new=[1000, 1000, 9000, 9000, 1000, 1000],
                  tp=[8, 8, 8, 8, 16, 8], batch=[1, 1, 1, 1, 1, 513])  # fmt: skip
    words = [EVIDENCE[code] for code in evaluate(grid, ROOFLINE_ONLY).evidence]
    assert words == ["measured", "extrapolated", "extrapolated", "none", "extrapolated", "extrapolated"]


def test_missing_numbers_are_loud() -> None:
    """A part without an idle power raises and names itself."""
    bare = dataclasses.replace(PART, id="bare", idle_w=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"bare.*idle_w"):
        evaluate(points(accelerators=(bare,)), ROOFLINE_ONLY)


def random_grid(rows: int, seed: int, **fixed: Any) -> Any:
    """Return random points over the shipped models, parts and precisions."""
    rng = np.random.default_rng(seed)
    models = tuple(model for model in shipped().all(Model) if not missing_fields(model))
    accelerators, precisions = shipped().all(Accelerator), shipped().all(Precision)
    columns: dict[str, Any] = {
        "model": rng.integers(0, len(models), rows),
        "accelerator": rng.integers(0, len(accelerators), rows),
        "weight_precision": rng.integers(0, len(precisions), rows),
        "kv_precision": rng.integers(0, len(precisions), rows),
        "role": rng.integers(0, 3, rows),
        "tp": 2 ** rng.integers(0, 4, rows),
        "pp": 2 ** rng.integers(0, 3, rows),
        "dp": 2 ** rng.integers(0, 4, rows),
        "ep": 2 ** rng.integers(0, 4, rows),
        "batch": 2.0 ** rng.integers(0, 10, rows),
        "isl_new": rng.integers(1, 30_000, rows),
        "cached": rng.integers(0, 100_000, rows),
        "context": rng.integers(1, 130_000, rows),
        "osl": rng.integers(1, 4_000, rows),
        "power_cap": rng.uniform(0.4, 1.0, rows),
        "kv_read_frac": rng.uniform(0.02, 1.0, rows),
        "chunk": 2.0 ** rng.integers(9, 15, rows),
        "port_bytes_per_s": 1.25e8 * 2.0 ** rng.integers(3, 10, rows),
    }
    return make_points(models, accelerators, precisions, **{**columns, **fixed})


def test_a_hundred_thousand_points_take_less_than_a_second() -> None:
    """The budget of the candidates; an ordinary machine needs about a fifth of it."""
    grid, calibration = random_grid(100_000, 1), shipped_calibration()
    evaluate(random_grid(10, 0), calibration)
    start = time.perf_counter()
    found = evaluate(grid, calibration)
    assert time.perf_counter() - start < 1.0, "0.5 s is the budget on an idle core"
    assert len(found.prefill_s) == 100_000


def test_everything_that_is_defined_is_a_number() -> None:
    """No nan but the times that a role does not have; times positive; power between idle and the cap."""
    grid = random_grid(20_000, 2)
    found = evaluate(grid, shipped_calibration())
    prefill = grid.role == ROLE_PREFILL
    for name, values in vars(found).items():
        gaps = np.isnan(values.astype(np.float64))
        lacking = {"decode_step_s": prefill, "tpot_s": prefill, "first_token_s": grid.role == ROLE_DECODE}
        assert np.array_equal(gaps, lacking.get(name, np.zeros_like(prefill))), name
    assert (found.prefill_s > 0).all() and (found.requests_per_s >= 0).all()
    rated = np.array([part.tdp_w for part in grid.accelerators])[grid.accelerator] * grid.count
    assert (found.power_busy_w <= rated * grid.power_cap * (1 + 1e-12)).all()


def slower(before: Performance, after: Performance) -> Any:
    """Return whether any time grew or any rate fell."""
    grew = [np.nan_to_num(getattr(after, n)) > np.nan_to_num(getattr(before, n)) * (1 + 1e-9)
            for n in ("decode_step_s", "prefill_s", "first_token_s", "tpot_s")]  # fmt: skip
    return grew[0] | grew[1] | grew[2] | grew[3] | (after.requests_per_s < before.requests_per_s * (1 - 1e-9))


@pytest.mark.parametrize("field", ["mem_bw_bytes_per_s", "bf16_dense_flop_per_s", "scaleup_bytes_per_s"])
def test_a_faster_part_is_never_slower(field: str) -> None:
    """Half as much again of bandwidth, rate or link on every part."""
    grid, calibration = random_grid(5_000, 3), shipped_calibration()
    better = tuple(dataclasses.replace(part, **{field: 1.5 * getattr(part, field)}) for part in grid.accelerators)
    found = evaluate(dataclasses.replace(grid, accelerators=better), calibration)
    assert not slower(evaluate(grid, calibration), found).any()


@pytest.mark.parametrize(
    ("field", "change"),
    [("power_cap", 0.8), ("context", 1.3), ("isl_new", 1.3), ("cached", 1.3), ("kv_read_frac", 1.2)],
)
def test_more_work_or_less_power_is_never_faster(field: str, change: float) -> None:
    """A lower cap, a longer context or prompt, more cached tokens to attend to, more keys read."""
    grid, calibration = random_grid(5_000, 4), shipped_calibration()
    harder = dataclasses.replace(grid, **{field: getattr(grid, field) * change})
    faster = slower(evaluate(harder, calibration), evaluate(grid, calibration))
    assert not faster.any()


def test_a_larger_batch_is_never_faster_per_token() -> None:
    """Steps grow with the batch; the tokens of all requests together do too while decoding alone."""
    calibration = shipped_calibration()
    grid = random_grid(5_000, 5, role=ROLE_DECODE)
    more = dataclasses.replace(grid, batch=2 * grid.batch)
    before, after = evaluate(grid, calibration), evaluate(more, calibration)
    assert (after.tpot_s >= before.tpot_s * (1 - 1e-9)).all()
    assert (after.requests_per_s >= before.requests_per_s * (1 - 1e-9)).all()


def ids(table: str, words: str) -> str:
    """Return the first id of a table that starts with some words."""
    return next(str(row["id"]) for row in shipped().rows(table) if str(row["id"]).startswith(words))


USUAL: dict[str, Any] = {"count": 8, "precision": "fp8", "batch": 64, "isl": 4000, "osl": 500}


def usual(**changes: Any) -> Prediction:
    """Predict a usual point of a 70B model on eight GPUs."""
    model, part = ids("models", "llama-3.1-70b"), ids("accelerators", "h100_sxm")
    return predict(shipped(), **{"model": model, "accelerator": part, **USUAL, **changes})


@pytest.mark.parametrize("role", ROLES)
def test_one_prediction_equals_its_row_in_a_table(role: str) -> None:
    """A point predicted alone and the same point among thousands give bit-identical numbers."""
    grid = random_grid(2_000, 6, role=ROLES.index(role), pp=2, cached=100)
    found = evaluate(grid, shipped_calibration())
    for row in range(0, 2_000, 97):
        same = "tp pp dp ep batch osl cached context power_cap kv_read_frac chunk".split()
        numbers: dict[str, Any] = {name: getattr(grid, name)[row].item() for name in same}
        single = predict(
            shipped(),
            model=grid.models[grid.model[row]].id,
            accelerator=grid.accelerators[grid.accelerator[row]].id,
            count=int(grid.count[row]),
            precision=grid.precisions[grid.weight_precision[row]].id,
            kv_precision=grid.precisions[grid.kv_precision[row]].id,
            role=role,
            isl=grid.isl_new[row] + grid.cached[row],
            port_gbit_s=grid.port_bytes_per_s[row] * 8e-9,
            **numbers,
        )
        assert single.requests_per_s == found.requests_per_s[row]
        assert single.power_w == found.power_busy_w[row]
        assert single.kv_free_bytes == found.kv_free_bytes[row]
        if role != "prefill":
            assert single.tpot_s == found.tpot_s[row]


def test_a_usual_prediction_makes_sense() -> None:
    """Tokens in and out belong to the same requests; the range holds the value.

    The point is measured and fits.
    """
    found = usual()
    assert found.output_tokens_per_s == pytest.approx(500 * found.requests_per_s)
    assert found.input_tokens_per_s == pytest.approx(4000 * found.requests_per_s)
    assert found.evidence == "measured" and found.fits
    for name in ("ttft_s", "tpot_s", "output_tokens_per_s", "input_tokens_per_s", "power_w"):
        value = getattr(found, name)
        assert getattr(found, f"{name}_low") <= value <= getattr(found, f"{name}_high"), name
    assert usual(batch=4096).fits is False


def test_roles_give_what_they_do() -> None:
    """Prefill makes no tokens, decode takes none in.

    A colocated replica's first token waits for one step more.
    """
    prefill, decode, mixed = usual(role="prefill", batch=1), usual(role="decode"), usual()
    assert prefill.output_tokens_per_s == 0.0 and math.isnan(prefill.tpot_s)
    assert decode.input_tokens_per_s == 0.0 and math.isnan(decode.ttft_s)
    assert decode.tpot_s < mixed.tpot_s
    assert mixed.ttft_s == pytest.approx(prefill.ttft_s + decode.tpot_s)
    assert prefill.ttft_s > 1 / prefill.requests_per_s
    hit = usual(cached=3000)
    assert hit.input_tokens_per_s == pytest.approx(1000 * hit.requests_per_s)
    assert hit.ttft_s < mixed.ttft_s


def test_engines_scale_the_overheads_of_the_common_fit() -> None:
    """An engine's factor holds for kernels, collectives and host steps, not for bytes and FLOPs."""
    calibration = shipped_calibration()
    assert calibration.engines
    for engine, ratio in calibration.engines.items():
        assert calibration.for_engine(engine).times.overhead == pytest.approx(ratio)
        assert (usual(engine=engine).tpot_s > usual().tpot_s) == (ratio > 1.0)
        assert abs(usual(engine=engine).tpot_s / usual().tpot_s - 1.0) < abs(ratio - 1.0)
    with pytest.raises(InputError, match="no measurements of this engine"):
        calibration.for_engine("nothing")


def test_the_range_of_a_prediction_is_that_of_its_regime() -> None:
    """The further from the measurements, the wider; without rows for a regime the families left out stand for it."""
    calibration = shipped_calibration()
    for subject in ("tpot", "ttft", "throughput", "power"):
        widths = [high / low for low, high in (calibration.spread(subject, word) for word in EVIDENCE)]
        assert widths[0] <= widths[1] < widths[2], subject
    bare = dataclasses.replace(calibration, spreads={})
    assert bare.spread("tpot", "none") == (calibration.tpot_error_low, calibration.tpot_error_high)
    far = usual(isl=60_000, batch=8)
    assert far.evidence == "extrapolated"
    low, high = calibration.spread("tpot", "extrapolated")
    assert far.tpot_s / far.tpot_s_low == pytest.approx(high) and far.tpot_s_high / far.tpot_s == pytest.approx(1 / low)


def test_all_mistakes_are_listed_at_once_with_close_matches() -> None:
    """Eight mistakes in one call are eight problems, with hints for the words."""
    with pytest.raises(InputError) as caught:
        usual(model="llama-3.1-70", accelerator="h100_sx", precision="fp9", role="mxed", engine="vlm",
              estimator="x", power_cap=1.5, batch=0, tp=3)  # fmt: skip
    problems = {problem.field: problem for problem in caught.value.problems}
    assert set(problems) == set("model accelerator precision role engine estimator power_cap batch count".split())
    assert "llama-3.1-70b" in problems["model"].hint and "mixed" in problems["role"].hint


@pytest.mark.parametrize(
    "wrong",
    [{"isl": math.nan}, {"osl": math.inf}, {"cached": 4000}, {"count": 0}, {"ep": 0}, {"kv_read_frac": 0},
     {"tp": 4}, {"chunk": -1}, {"kv_precision": "x"}],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    """Each on its own is an input error, never a number."""
    with pytest.raises(InputError):
        usual(**wrong)


def test_the_kv_precision_goes_with_the_weights() -> None:
    """Weights that need a quality gate do not open it for the KV."""
    formats = (SIXTEEN, EIGHT, FOUR)
    assert [default_kv_precision(formats, place) for place in range(3)] == [0, 1, 1]


def test_points_need_all_columns_and_no_others() -> None:
    """A forgotten or misspelt column does not pass in silence."""
    with pytest.raises(KeyError):
        make_points((DENSE,), (PART,), (SIXTEEN,), model=0)
    with pytest.raises(TypeError):
        points(MOE, btach=3)


def test_a_calibration_without_a_coefficient_names_it() -> None:
    """The table is complete or refused."""
    rows = [row for row in shipped().rows("calibration") if row["id"] not in ("link_frac", "gamma_decode")]
    with pytest.raises(InputError) as caught:
        Calibration.from_rows(rows)
    assert {problem.row for problem in caught.value.problems} == {"link_frac", "gamma_decode"}
