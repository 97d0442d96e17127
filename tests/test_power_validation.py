"""Capped runs and metered nodes: read, predicted and judged by rules that can be checked by hand."""

from __future__ import annotations

import dataclasses
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from operating_points import shipped

from solver.calibrate import main
from solver.errors import InputError
from solver.fitting.capping import CapRuns, cap_errors, cap_table, gammas, median_gammas, read_caps
from solver.fitting.data import Library
from solver.fitting.robust import errors
from solver.fitting.wall import (
    TABLE,
    boards_of,
    host_draw_frac,
    host_shares,
    others_shares,
    read_wall,
    wall_table,
    walls_w,
)
from solver.physics.calibration import Calibration

SHARED = Path(os.environ.get("TIERWATT_SHARED", str(Path(__file__).parents[2] / "shared")))
needs_data = pytest.mark.skipif(not (SHARED / "reference").is_dir(), reason="no folder of measurements")


@cache
def library() -> Library:
    return Library.from_catalog(shipped())


def capped_table(folder: Path, prompts: list[float], tokens: list[float]) -> CapRuns:
    """Return runs whose prompts and tokens take so much longer under a cap, on 2, 4, ... ranks."""
    common = {"model": "llama2-70b", "prompt_size": 1024, "batch_size": 4, "token_size": 128}
    rows = []
    for at, (prompt, token) in enumerate(zip(prompts, tokens, strict=True)):
        for ending, slow, wait in (("", 1.0, 1.0), ("-pcap", prompt, token)):
            rows.append({**common, "hardware": f"h100-80gb{ending}", "tensor_parallel": 2 ** (at + 1),
                         "prompt_time_ms": 100.0 * slow, "token_time_ms": 30.0 * wait})  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "measured_splitwise.csv", index=False)
    found = read_caps(folder, library())
    assert found is not None
    return found


def test_exponents_by_hand(tmp_path: Path) -> None:
    """A cap of 0.7 that makes prompts 1 / 0.7 times as long has exponent 1; what gets faster counts as unchanged."""
    runs = capped_table(tmp_path, [1 / 0.7, 1 / 0.7, 1.0], [1.0, 0.99, 0.98])
    assert gammas(runs)["gamma_prefill"] == pytest.approx([1.0, 1.0, 0.0], abs=1e-12)
    assert median_gammas(runs) == {"gamma_prefill": pytest.approx(1.0), "gamma_decode": 0.0}
    assert median_gammas(runs, np.array([False, False, True]))["gamma_prefill"] == pytest.approx(0.0)
    assert read_caps(tmp_path / "none", library()) is None


def test_ratios_are_predicted_with_exponents_of_other_ranks(tmp_path: Path) -> None:
    """A part that runs compute at 0.7 of its rate needs at most 1 / 0.7 for prompts; steps hardly notice.

    With the run on 2 ranks spoilt, its own prediction stays: it is made from the others.
    """
    fitted = Calibration.from_catalog(shipped())
    good = capped_table(tmp_path, [1 / 0.7] * 3, [1.0] * 3)
    found = cap_errors(good, fitted)
    assert 0.0 < found["cap_prompt"].median < 0.3 and found["cap_prompt"].points == 3
    assert found["cap_token"].median < 0.01
    spoilt = dataclasses.replace(good, prompt=np.array([9.0, *good.prompt[1:]]))
    lines = [cap_table(runs, fitted).splitlines()[1].split() for runs in (good, spoilt)]
    assert lines[0][-3] == lines[1][-3] and lines[1][-4] == "9.000"
    assert 1.1 < float(lines[0][-3]) <= 1.43


@needs_data
def test_capped_prompts_and_tokens_are_close() -> None:
    """Prompts within 15%, tokens within 1% of what the capped runs took."""
    runs = read_caps(SHARED / "reference", library())
    assert runs is not None and np.median(runs.prompt) == pytest.approx(1.30, abs=0.01)
    assert np.median(runs.token) == pytest.approx(1.0, abs=0.01)
    found = cap_errors(runs, Calibration.from_catalog(shipped()))
    assert found["cap_prompt"].median < 0.15 and found["cap_token"].median < 0.01


def metered(folder: Path, rows: str) -> Path:
    """Write a table of metered nodes."""
    head = "round,system,model,scenario,tokens_per_s,wall_w\n"
    (folder / TABLE).write_text(head + rows, encoding="utf-8")
    return folder


def test_nodes_are_matched_to_servers_and_judged_at_the_wall(tmp_path: Path) -> None:
    """Predicted watts are those of the boards and the drawn share of what the node has beside them.

    A node metered at exactly that is off by nothing; unknown models are left out, limited boards draw their limit.
    """
    fitted, catalog = Calibration.from_catalog(shipped()), shipped()
    folder = metered(tmp_path, "v,B200 (8x),llama2-70b,Offline,1,1\nv,B200 MaxQ (8x),llama2-70b,Offline,1,9999\n"
                               "v,B200 (8x),nobody,Offline,1,1\nv,B200 (5x),llama2-70b,Offline,1,1\n")  # fmt: skip
    runs = read_wall([tmp_path / "none", folder], library(), catalog)
    assert [run.cap for run in runs] == [1.0, 0.5]
    server = runs[0].platform
    assert server.accelerators == 8 and library().accelerators[runs[0].part].id == server.accelerator_id
    rated = library().accelerators[runs[0].part].tdp_w
    boards = [boards_of(runs[:1], library(), fitted, isl, osl)[0] for isl, osl in ((250, 250), (9000, 700))]
    assert all(0.5 * 8 * rated < of < 8 * rated for of in boards)
    predicted = sum(boards) / 2 + host_draw_frac(catalog) * server.host_w
    exact = read_wall([metered(tmp_path, f"v,B200 (8x),llama2-70b,Offline,1,{predicted}\n")], library(), catalog)
    text = wall_table(exact, library(), catalog, fitted)
    assert (
        re.search(r"[+-]0%", text) and "0.0% / 0.0% / 0.0%" in text and f"host at {host_draw_frac(catalog):.2f}" in text
    )
    assert boards_of(runs, library(), fitted, 9000, 700)[1] == pytest.approx(4000.0)
    assert read_wall([tmp_path / "none"], library(), catalog) == ()


def test_what_hosts_drew_by_hand(tmp_path: Path) -> None:
    """Hosts of 4.6 kW at most: 6,300 W less boards of 4,000 W is half of one, 6,760 W less 4,000 W is 0.6.

    A node of another system is predicted with 0.55 of its host, each of the first with that other's share.
    """
    rows = "v,H200 MaxQ (8x),llama2-70b,Offline,1,6300\nv,H200 MaxQ (8x),llama2-70b,Server,1,6760\n"
    runs = read_wall([metered(tmp_path, rows + "v,H200 (8x),llama2-70b,Offline,1,7300\n")], library(), shipped())
    assert [run.cap for run in runs] == [pytest.approx(500 / 700), pytest.approx(500 / 700), 1.0]
    assert {run.platform.host_w for run in runs} == {4600.0}
    boards = np.array([4000.0, 4000.0, 5000.0])
    shares = host_shares(runs, boards)
    assert shares.tolist() == pytest.approx([0.5, 0.6, 0.5])
    others = others_shares(runs, shares)
    assert others.tolist() == pytest.approx([0.5, 0.5, 0.55])
    assert walls_w(runs, boards, others).tolist() == pytest.approx([6300.0, 6300.0, 7530.0])
    assert np.isnan(others_shares(runs[:2], shares[:2])).all()
    assert "other systems" not in wall_table(runs[:2], library(), shipped(), Calibration.from_catalog(shipped()))[200:]


@needs_data
def test_metered_hosts_draw_less_than_the_default() -> None:
    """Hosts drew a quarter to half of their peak, so that the default predicts every node too high.

    With the share of the other system the ten nodes are met to 12% in the median.
    """
    fitted = Calibration.from_catalog(shipped())
    runs = read_wall([SHARED / "anchors"], library(), shipped())
    lengths = ((250.0, 250.0), (9000.0, 700.0))
    boards = np.mean([boards_of(runs, library(), fitted, *of) for of in lengths], axis=0)
    measured, shares = np.array([run.wall.watts for run in runs]), host_shares(runs, boards)
    assert len(runs) == 10 and 0.2 < shares.min() and shares.max() < 0.55 < host_draw_frac(shipped())
    assert (walls_w(runs, boards, host_draw_frac(shipped())) > 1.1 * measured).all()
    other = errors(walls_w(runs, boards, others_shares(runs, shares)), measured)
    assert 0.03 < other.median < 0.12 and other.p90 < 0.16


def test_a_system_without_a_count_is_named(tmp_path: Path) -> None:
    """The file, the line and the value are in the message."""
    with pytest.raises(InputError, match="line 2.*B200") as raised:
        read_wall([metered(tmp_path, "v,B200,llama2-70b,Offline,1,1\n")], library(), shipped())
    assert TABLE in str(raised.value)


@needs_data
def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Nodes of the folder named by --anchors, and those beside the data without one."""
    anchors = metered(tmp_path, "v,B200 (8x),llama2-70b,Offline,1,5000\n")
    data = ["--data", str(SHARED / "reference"), "--out", str(tmp_path / "x.csv"), "--tables"]
    assert main([*data, "--anchors", str(anchors)]) == 0
    own = capsys.readouterr().out
    assert "B200 (8x) llama2-70b Offline                 5000" in own and "Server" not in own
    assert "exponents of others" in own
