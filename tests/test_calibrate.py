"""The fits.

Their machinery on made-up data, and the committed table against the measurements where present.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from operating_points import points, shipped

from solver.calibrate import HEADER, Fit, calibrate, main
from solver.errors import InputError
from solver.fitting.data import Library
from solver.fitting.joint import SHARES, observations
from solver.fitting.prior import read_priors
from solver.fitting.profiles import read_profiles
from solver.fitting.robust import equal_weights, errors, fit, folds
from solver.fitting.scatter import plots
from solver.fitting.scores import PUBLIC, oracle_errors, ordered_share
from solver.fitting.serving import TABLE, Runs, read_apart, read_runs
from solver.fitting.table import KEPT_GROUPS
from solver.fitting.times import EFFECTIVE, weights_of
from solver.fitting.validation import tables
from solver.parts import Accelerator, Model
from solver.performance import Calibration, Points, evaluate

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TIERWATT_SHARED", ROOT.parent / "shared"))
DATA = SHARED / "reference"
needs_data = pytest.mark.skipif(
    not (DATA / TABLE).is_file(),
    reason="the raw measurements are not here (set TIERWATT_SHARED)",
)


@cache
def refit() -> Fit:
    """Fit everything once."""
    return calibrate(DATA, shipped())


def committed() -> dict[str, dict[str, str]]:
    """Return the committed table by id."""
    with (ROOT / "catalogs" / "calibration.csv").open(encoding="utf-8", newline="") as handle:
        return {row["id"]: row for row in csv.DictReader(handle)}


def made_up(noise: float, wild: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features of 400 runs, their true coefficients, and times of which a tenth is `wild` times too long."""
    rng = np.random.default_rng(0)
    features = rng.uniform(0.5, 2.0, (400, 3))
    truth = np.array([2.0, 0.5, 1.0])
    measured = features @ truth * np.exp(rng.normal(0.0, noise, 400))
    measured[::10] *= wild
    return features, truth, measured


def test_a_robust_fit_finds_coefficients_under_outliers() -> None:
    """A tenth of the rows three times too slow shift a least-squares fit by a fifth, this one by a few percent."""
    features, truth, measured = made_up(0.02, 3.0)
    wide = np.full(3, 2.0)
    found = fit(lambda at: features @ at, measured, np.ones(400), np.ones(3), wide)
    assert found == pytest.approx(truth, rel=0.08)
    again = fit(lambda at: features @ at, measured, np.ones(400), np.ones(3), wide, start=found)
    assert again == pytest.approx(found, rel=1e-3)


def test_a_prior_holds_what_the_rows_cannot_tell() -> None:
    """A coefficient without influence stays at its prior; a narrow prior moves less than a wide one."""
    features, truth, measured = made_up(0.0, 1.0)
    features[:, 2] = 0.0
    measured = features @ truth
    weights = np.full(400, 0.05)
    narrow, wide = (
        fit(lambda at: features @ at, measured, weights, np.array([1.0, 0.5, 7.0]), np.full(3, width))
        for width in (0.01, 1.0)
    )
    assert narrow[2] == pytest.approx(7.0, rel=1e-4) and wide[2] == pytest.approx(7.0, rel=1e-4)
    assert narrow[0] < 0.75 * wide[0] and wide[0] == pytest.approx(2.0, rel=0.02)


def test_rows_without_weight_do_not_count() -> None:
    """Nonsense in rows of weight 0 changes nothing."""
    features, _, measured = made_up(0.02, 1.0)
    weights = np.where(np.arange(400) % 2, 1.0, 0.0)
    spoilt = np.where(weights > 0, measured, 1e9)
    one, other = (fit(lambda at: features @ at, times, weights, np.ones(3), np.ones(3)) for times in (measured, spoilt))
    assert np.array_equal(one, other)


def test_priors_are_complete_and_positive_or_refused() -> None:
    """One missing and one with low above value are both named."""
    rows = [dict(row) for row in shipped().rows("calibration") if row["id"] != "prior:link_frac"]
    bad = next(row for row in rows if row["id"] == "prior:kernel_s")
    bad["low"] = 2 * bad["value"]
    with pytest.raises(InputError) as caught:
        read_priors(rows)
    assert {problem.row for problem in caught.value.problems} == {"prior:link_frac", "prior:kernel_s"}
    whole = read_priors(shipped().rows("calibration"))
    assert whole["engine"].value == 1.0 and whole["engine"].spread == pytest.approx(0.07, abs=1e-4)


def test_labels_count_alike_whatever_their_rows() -> None:
    """Three rows of a and one of b: each label weighs two in total."""
    weights = equal_weights(np.array(["a", "a", "a", "b"]))
    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
    assert [(name, int(mask.sum())) for name, mask in folds(np.array(["a", "b", "a"]))] == [
        ("a", 2),
        ("b", 1),
    ]


def test_error_figures_by_hand() -> None:
    """Ratios 0.5, 1.0 and 1.2 are off by 50, 0 and 20%."""
    found = errors(np.array([0.5, 1.0, 1.2]), np.ones(3))
    assert found.median == pytest.approx(0.2)
    assert found.mean == pytest.approx(0.7 / 3)
    assert str(found).startswith("20.0% / 23.3%")


def test_words_of_measurements_find_their_parts() -> None:
    """Labels are ids or words of names; a word that several names hold means the widest scale-up link."""
    library = Library.from_catalog(shipped())
    words = ["h100_sxm", "H100", "a100-80gb", "B200"]
    found = [library.accelerators[library._accelerator(word)] for word in words]
    assert found[0] == found[1]
    assert all(part.scaleup_domain >= 8 for part in found)
    assert "80GB" in found[2].name
    assert isinstance(found[3], Accelerator)
    bits = {word: library.precisions[library._precision(word)].weight_bytes_per_param for word in
            ("bfloat16", "bf16", "fp8", "mxfp4", "fp4")}  # fmt: skip
    assert bits["bfloat16"] == bits["bf16"] == 2.0 and bits["fp8"] == 1.0 and bits["mxfp4"] == bits["fp4"] < 0.6


def test_aliases_point_to_models() -> None:
    """Every alias means a model of the catalog, once, or says why none."""
    rows = shipped().rows("model_aliases")
    assert len({row["alias"] for row in rows}) == len(rows) > 15
    known = {model.id for model in shipped().all(Model)}
    assert sum(row["model_id"] in known for row in rows) > 15
    assert all((row["model_id"] in known) != bool(row["reason"]) for row in rows)


def test_a_missing_folder_is_a_clear_message_and_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The message names the folder; nothing is written."""
    assert main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "table.csv")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "table.csv").exists()


def test_a_missing_file_or_column_is_a_clear_message_and_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The file, then the column, is named."""
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "table.csv")]) == 2
    assert TABLE in capsys.readouterr().err
    (tmp_path / TABLE).write_text("model,gpu\n", encoding="utf-8")
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "table.csv")]) == 2
    message = capsys.readouterr().err
    assert "column missing" in message and "tpot_ms" in message and TABLE in message


def test_the_committed_table_is_complete_and_sourced() -> None:
    """Right header, every coefficient there, each number inside its range, each row with a source."""
    rows = committed()
    assert tuple(next(iter(rows.values()))) == HEADER
    calibration = Calibration.from_catalog(shipped())
    assert calibration.families and calibration.accelerators
    for name, row in rows.items():
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"]), name
        assert row["source"] and row["confidence"] in ("measured", "estimate"), name
        assert (row["confidence"] == "estimate") == (row["group"] in KEPT_GROUPS), name
    assert calibration.tpot_error_low < 1.0 < calibration.tpot_error_high


@needs_data
def test_the_committed_table_is_what_the_measurements_say() -> None:
    """A new fit gives the committed coefficients and error figures.

    A changed formula without a new fit fails here.
    """
    rows = committed()
    found = {row["id"]: row for row in refit().rows}
    assert set(found) == set(rows)
    for name, row in found.items():
        assert float(rows[name]["value"]) == pytest.approx(row["value"], rel=2e-3, abs=1e-9), name


@needs_data
def test_the_fit_is_as_good_as_it_was() -> None:
    """What the issue asks for on points that the fit has not seen, and nothing so good that it must have leaked."""
    found, oracle = refit().errors, refit().oracle
    left_out = found["tpot_left_out"]
    assert 0.09 < left_out.median < 0.13 and left_out.mean < 0.17 and left_out.p90 < 0.36
    assert left_out.median < oracle["tpot"].median and left_out.mean < oracle["tpot"].mean
    assert found["throughput_left_out"].median < 0.14 < oracle["throughput"].median
    assert found["ttft_quiet_left_out"].median < 0.30 < oracle["ttft_quiet"].median
    assert found["tpot_accelerator_left_out"].median < 0.13
    power = [found[f"power_left_out{part}"].median for part in ("", ":h100_sxm", ":b200_sxm")]
    assert all(0.05 < own < most for own, most in zip(power, (0.11, 0.09, 0.13), strict=True))
    assert 0.05 < found["tokens_per_joule_left_out"].median < 0.15
    assert found["splitwise_left_out"].median < 0.15 and found["distserve_left_out"].median < 0.15
    assert found["apart_left_out"].median < 0.14


@needs_data
def test_accelerators_are_put_in_order() -> None:
    """Of the pairs that differ by over 10%, at least 92% are ordered rightly, and more than by the other tool."""
    runs, served = refit().served.runs, refit().served
    share, pairs = ordered_share(runs, served.family_s)
    told = np.isfinite(runs.oracle_tpot_s)
    assert pairs > 200 and share > 0.92
    assert ordered_share(runs, served.family_s, told)[0] > ordered_share(runs, runs.oracle_tpot_s, told)[0]


@needs_data
def test_what_is_left_out_is_left_out_of_every_source() -> None:
    """Spoiling all rows of a family changes its own predictions by nothing: the fit without it never saw them."""
    library = Library.from_catalog(shipped())
    runs, _ = read_runs(DATA, library)
    seen = observations(runs, None, None, read_profiles(DATA, library))
    assert {"serving", "splitwise"} <= set(seen.source[seen.family == "Llama"])
    weights = weights_of(seen, seen.family != "Llama")
    assert (weights[seen.family == "Llama"] == 0.0).all()
    assert weights.sum() == pytest.approx(
        EFFECTIVE * sum(SHARES[name] for name in np.unique(seen.source[weights > 0])) / sum(SHARES.values())
    )


@needs_data
def test_workers_over_two_servers_are_timed_as_they_were() -> None:
    """Decode workers of 16 H100: off by less than 15% in the median, and by half if all 16 shared one domain.

    Nothing that makes the difference was fitted to these eight runs; their engine and setup have their factors.
    """
    apart, fit = read_apart(DATA, Library.from_catalog(shipped())), Calibration.from_catalog(shipped())
    setup = float(committed()["setup:apart_overhead"]["value"])

    def median_error(points: Points) -> tuple[float, int]:
        beyond = (
            apart.points.tp * apart.points.dp
            > np.array([a.scaleup_domain for a in apart.points.accelerators])[apart.points.accelerator]
        )
        factor = setup * np.array([fit.engines[name] for name in apart.engine])
        times = dataclasses.replace(fit.times, overhead=factor)
        found = evaluate(points, dataclasses.replace(fit, times=times)).tpot_s[beyond] / apart.tpot_s[beyond]
        return errors(found, np.ones_like(found)).median, int(beyond.sum())

    joined = tuple(dataclasses.replace(a, scaleup_domain=1024) for a in apart.points.accelerators)
    off, count = median_error(apart.points)
    assert count == 8 and off < 0.15
    assert median_error(dataclasses.replace(apart.points, accelerators=joined))[0] > 0.4


@needs_data
def test_own_measurements_alone_recalibrate_a_copy(tmp_path: Path) -> None:
    """Ten served runs that took twice as long are off by half before, by a fifth at most after; all else stays."""
    frame = pd.read_csv(DATA / TABLE)
    own = frame[(frame["backend"] == "vllm") & (frame["gpu"] == "h100_sxm") & frame["qflags"].isna()].head(10).copy()
    own[["tpot_ms", "ttft_ms"]] *= 2.0
    own.to_csv(tmp_path / TABLE, index=False)
    found = calibrate(tmp_path, shipped(), own=True)
    before, after = Calibration.from_catalog(shipped()), Calibration.from_rows(found.rows)
    assert after.power_floor == before.power_floor and after.gamma_prefill == before.gamma_prefill
    assert after.activities == before.activities and set(after.engines) == set(before.engines)
    assert after.families == before.families and after.accelerators == before.accelerators
    runs = found.served.runs
    usual, own_fit = (
        errors(times, runs.tpot_s) for times in (evaluate(runs.points, before).tpot_s, found.served.seen_s)
    )
    assert usual.median > 0.4 and own_fit.median < 0.2


@needs_data
def test_clean_rows_are_read_with_their_drawn_lengths() -> None:
    """1,287 clean runs of known models; drawn lengths are 0.9 of the nominal 1,024."""
    runs, unknown = read_runs(DATA, Library.from_catalog(shipped()))
    assert (len(runs.tpot_s), unknown) == (1287, 0)
    drawn = runs.protocol == PUBLIC
    assert np.isclose(runs.points.isl_new[drawn], 0.9 * 1024).any() and runs.quiet.sum() == 187
    assert runs.longest_prompt == 8192


@needs_data
def test_the_command_writes_a_table_and_prints_its_errors(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Twice the same command writes the same bytes."""
    written = []
    for name in ("a.csv", "b.csv"):
        assert main(["--data", str(DATA), "--out", str(tmp_path / name)]) == 0
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    printed = capsys.readouterr().out
    assert "tpot_left_out" in printed and "median / mean / p90" in printed


def served_runs(accelerators: list[str], tpot_s: list[float]) -> Runs:
    """Return runs of one model in one shape on several accelerators."""
    grid = points(batch=[8] * len(tpot_s), osl=100)
    same = np.full(len(tpot_s), "x")
    times = np.array(tpot_s)
    return Runs(
        points=grid, tpot_s=times, ttft_s=times, tokens_per_s=8 / times, family=same, model=same, engine=same,
        accelerator=np.array(accelerators), longest_prompt=1000.0, quiet=np.zeros(len(times), dtype=np.bool_),
        oracle_tpot_s=2 * times, oracle_ttft_s=times * np.nan, oracle_tokens_per_s=times * np.nan, precision=same,
        protocol=np.full(len(times), PUBLIC),
    )  # fmt: skip


def test_pairs_of_accelerators_by_hand() -> None:
    """Of a, b, c at 10, 20 and 20.5 ms two pairs are over 10% apart; swapping a and b gets one of them wrong.

    Two runs on a count as their median.
    """
    runs = served_runs(["a", "b", "c", "a"], [0.010, 0.020, 0.0205, 0.010])
    assert ordered_share(runs, np.array([1.0, 2.0, 2.0, 1.0])) == (1.0, 2)
    assert ordered_share(runs, np.array([2.5, 2.0, 3.0, 2.5])) == (0.5, 2)
    assert ordered_share(runs, np.array([1.0, 2.0, 3.0, 9.0])) == (0.0, 2)


def test_the_other_estimator_is_judged_where_it_answered() -> None:
    """Twice the measured time is an error of 100%; what it did not answer has no error."""
    found = oracle_errors(served_runs(["a", "b"], [0.01, 0.02]))
    assert found["tpot"].median == pytest.approx(1.0) and found["tpot_public"].points == 2
    assert "ttft_quiet" not in found and "throughput" not in found


@needs_data
def test_tables_and_plots_show_every_run() -> None:
    """Each accelerator, engine and model has its line; each served run has its dot, first tokens theirs."""
    found = refit().served
    text = tables(found)
    for labels in (found.runs.accelerator, found.runs.engine, found.runs.model):
        for name in np.unique(labels):
            assert any(line.startswith(f"{name} ") for line in text.splitlines()), name
    drawing = ElementTree.fromstring(plots(found))
    assert len(drawing.findall(".//{*}circle")) == 2 * 1287 + 187


@needs_data
def test_profiles_are_read_as_prompts_and_steps() -> None:
    """Uncapped Splitwise rows twice, DistServe's lines at their points; engines of their day are setups."""
    found = read_profiles(DATA, Library.from_catalog(shipped()))
    assert found is not None
    assert int((found.source == "splitwise").sum()) == 228 and int(found.prompt.sum()) == 114 + 72
    assert set(np.unique(found.setup)) == {"distserve", "vllm2023"}
    assert (found.time_s > 0).all() and (found.points.chunk >= found.points.batch * found.points.isl_new).all()
