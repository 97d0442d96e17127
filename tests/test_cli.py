"""The command: what it prints, where, with which exit status, and that bad input never shows a traceback."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from designs import reference_like

import solver
from solver.cli import main
from solver.design import Design
from solver.errors import AuditError, InputError
from solver.export import write_json
from solver.progress import PlainProgress, line, progress, stop_on_interrupt
from solver.settings import settings, value_of

ROOT = Path(__file__).parent.parent
STUDY = ROOT / "tests" / "one.toml"
POINT = [
    "--model",
    "llama-3.1-70b",
    "--accelerator",
    "h100_sxm",
    "--count",
    "8",
    "--precision",
    "fp8",
    "--batch",
    "64",
    "--isl",
    "4000",
    "--osl",
    "500",
]


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    script = "from solver.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        text=True,
        capture_output=True,
        env=environment,
        timeout=300,
        **options,
    )


def status(*arguments: str) -> int:
    """Run the command in this process and return its exit status."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Solve the small study once, with every output."""
    folder = tmp_path_factory.mktemp("solved")
    files = ["--json", str(folder / "design.json"), "--xlsx", str(folder / "design.xlsx")]
    files += ["--html", str(folder / "design.html")]
    return command("solve", str(STUDY), *files), folder


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Answer every solve with a made-up design; return the list of what was asked."""
    asked: list[dict[str, Any]] = []

    def fake(study: Any, catalog: Any, **options: Any) -> Any:
        asked.append({"study": study, "catalog": catalog} | options)
        return reference_like()

    monkeypatch.setattr(import_module("solver.solve"), "solve", fake)
    return asked


def replace_solve(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Put an action in place of the solver."""
    monkeypatch.setattr(import_module("solver.solve"), "solve", action)


def test_solve_prints_one_screen_and_nothing_else_on_standard_output(solved: Any) -> None:
    done, _ = solved
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "one: optimal" and "HiGHS" not in done.stdout
    assert len(lines) < 45 and max(map(len, lines)) <= 100
    assert re.search(r"^audit +passed [\d,]+ checks", done.stdout, re.MULTILINE)


def test_progress_goes_to_standard_error_as_plain_lines_when_piped(solved: Any) -> None:
    done, _ = solved
    assert "\x1b" not in done.stderr and "\r" not in done.stderr
    assert re.search(r"^ +\d+\.\d s  candidates$", done.stderr, re.MULTILINE)
    assert re.search(r"gap [\d.e-]+%", done.stderr)


def test_solve_writes_a_design_that_comes_back_and_passes_its_audit(solved: Any) -> None:
    done, folder = solved
    design = Design.read(folder / "design.json")
    assert design.status == "optimal" and f"{design.objective['value']:,.0f} tokens/s/MW" in done.stdout
    checked = command("audit", str(folder / "design.json"))
    assert checked.returncode == 0 and checked.stdout.startswith("audit passed")
    assert (folder / "design.xlsx").read_bytes()[:2] == b"PK"
    assert f"tierwatt solve {STUDY}</pre>" in (folder / "design.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["design.html", "design.json", "design.xlsx"]


def test_audit_of_a_spoiled_design_fails_with_status_1(solved: Any, tmp_path: Path, capsys: Any) -> None:
    design = json.loads((solved[1] / "design.json").read_text())
    design["bill_of_materials"][0]["quantity"] -= 1
    (tmp_path / "spoiled.json").write_text(json.dumps(design))
    assert status("audit", str(tmp_path / "spoiled.json")) == 1
    assert capsys.readouterr().out.startswith("audit FAILED")


def test_audit_refuses_what_is_no_design(tmp_path: Path, capsys: Any) -> None:
    for content in ("{}", "[1, 2]", "no json", '{"schema_version": "0.1"}'):
        (tmp_path / "x.json").write_text(content)
        assert status("audit", str(tmp_path / "x.json")) == 2
    write_json(reference_like().replace(status="infeasible"), tmp_path / "empty.json")
    assert status("audit", str(tmp_path / "empty.json")) == 2
    assert status("audit", str(tmp_path / "absent.json")) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["optimal", "feasible", "infeasible", "unknown"])
def test_exit_status_follows_the_status_of_the_design(name: str, monkeypatch: Any, capsys: Any) -> None:
    replace_solve(monkeypatch, lambda *_, **__: reference_like().replace(status=name))
    assert status("solve", str(STUDY)) == {"optimal": 0, "infeasible": 3}.get(name, 4)
    assert capsys.readouterr().out.startswith("reference: ")


def test_infeasible_study_ends_with_3_and_an_explanation(capsys: Any) -> None:
    assert status("solve", str(STUDY), "--set", "workload.chat_short.ttft_s=0.001", "--quiet") == 3
    captured = capsys.readouterr()
    assert "no part that may be bought can prefill" in captured.out and "TTFT above the promise" in captured.out
    assert "TTFT 0.001 s, the fastest candidate needs 0.07" in captured.out and "can be kept)" in captured.out
    assert captured.err == ""


def test_limits_that_clash_end_with_3_and_what_each_would_have_to_be(tmp_path: Path, capsys: Any) -> None:
    changes = ["supply.platform.hgx_h200_8=1", "demand.floor_frac=7", "build.tiers=false", "solver.time_limit_s=20"]
    options = [part for change in changes for part in ("--set", change)]
    assert status("solve", str(STUDY), *options, "--quiet", "--json", str(tmp_path / "design.json")) == 3
    shown = capsys.readouterr().out
    assert "supply.platform.hgx_h200_8 = 1, demand.floor_frac = 7: cannot all be kept" in shown
    assert " needed, 1 allowed" in shown and " can be kept, 7 asked" in shown and len(shown.splitlines()) < 45
    clashes = json.loads((tmp_path / "design.json").read_text())["explained"]["clashes"]
    assert clashes["clashing"] == ["supply.platform.hgx_h200_8", "demand.floor_frac"]


def test_failed_audit_of_the_solver_is_an_error_in_words(monkeypatch: Any, capsys: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise AuditError("the design fails its audit:\n  - pool x")

    replace_solve(monkeypatch, fail)
    assert status("solve", str(STUDY)) == 1
    assert "tierwatt: the design fails its audit" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a bug")

    replace_solve(monkeypatch, fail)
    with pytest.raises(ZeroDivisionError):
        main(["solve", str(STUDY)])


def test_options_reach_the_study(answer: list[dict[str, Any]], capsys: Any) -> None:
    arguments = [
        "--set",
        "site.power_mw=3",
        "--set",
        "site.available_by=2027-01",
        "--set",
        "site.budget_usd=",
        "--set",
        "workload.chat_short.ttft_s = 1.5",
        "--set",
        'exclude=["l40s_8"]',
    ]
    assert status("solve", str(STUDY), *arguments, "--gap", "0.01", "--time-limit", "5", "--objective", "tco") == 0
    study = answer[0]["study"]
    assert (study.site.power_mw, study.site.available_by, study.site.budget_usd) == (3.0, "2027-01", None)
    assert (study.workload[0].ttft_s, study.exclude) == (1.5, ["l40s_8"])
    assert (study.solver.gap, study.solver.time_limit_s, study.objective.name) == (0.01, 5.0, "tco")
    assert answer[0]["baselines"] is True
    assert status("solve", str(STUDY), "--no-baselines") == 0 and answer[1]["baselines"] is False


BAD = {
    "no study": (["solve", "absent.toml"], "no such file"),
    "near study": (["solve", str(STUDY.with_name("on.toml"))], "did you mean"),
    "set without =": (["solve", str(STUDY), "--set", "x"], "is not key=value"),
    "unknown path": (["solve", str(STUDY), "--set", "site.powr_mw=3"], "did you mean 'power_mw'"),
    "unknown class": (["solve", str(STUDY), "--set", "workload.chat_shrt.ttft_s=3"], "did you mean 'chat_short'"),
    "wrong type": (["solve", str(STUDY), "--set", "site.power_mw=much"], "site.power_mw"),
    "negative": (["solve", str(STUDY), "--set", "site.power_mw=-3"], "greater than 0"),
    "not finite": (["solve", str(STUDY), "--set", "site.power_mw=nan"], "site.power_mw"),
    "unknown part": (["solve", str(STUDY), "--set", "supply.platform.hgx_h20_8=3"], "did you mean 'hgx_h200_8'"),
    "gap 0": (["solve", str(STUDY), "--gap", "0"], "solver.gap"),
    "gap word": (["solve", str(STUDY), "--gap", "small"], "--gap"),
    "objective": (["solve", str(STUDY), "--objective", "tokens_per_wm"], "did you mean 'tokens_per_mw'"),
    "no catalog": (["solve", str(STUDY), "--catalog", "absent"], "no such folder"),
    "no folder": (["solve", str(STUDY), "--json", "absent/x.json"], "cannot be written"),
    "a folder": (["solve", str(STUDY), "--xlsx", "."], "is a folder"),
    "command": (["slove"], "slove"),
    "option": (["solve", str(STUDY), "--jsn", "x"], "--jsn"),
    "no argument": (["solve"], "STUDY"),
    "model": (["predict", *POINT, "--model", "llama-3.1-7b"], "did you mean 'llama-3.1-70b'"),
    "role": (["predict", *POINT, "--role", "both"], "prefill, decode, mixed"),
    "count": (["predict", *POINT, "--tp", "3"], "tp * pp * dp = 3"),
    "not a number": (["predict", *POINT, "--batch", "nan"], "batch"),
    "table": (["list", "platfroms"], "did you mean 'platforms'"),
    "row": (["list", "platforms", "hgx_h20_8"], "did you mean 'hgx_h200_8'"),
    "validate": (["validate", "absent.toml"], "no such file"),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_ends_with_2_and_says_what_is_wrong(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status(*arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err and "Traceback" not in captured.err
    assert not list(tmp_path.iterdir())


def test_all_problems_are_listed_at_once(capsys: Any) -> None:
    assert status("solve", str(STUDY), "--set", "site.powr_mw=3", "--set", "site.budgt=1", "--quiet") == 2
    assert "2 problems" in capsys.readouterr().err


def test_outputs_are_checked_before_the_work(answer: list[dict[str, Any]], tmp_path: Path) -> None:
    assert status("solve", str(STUDY), "--json", str(tmp_path / "absent" / "x.json")) == 2
    assert not answer


def test_spreadsheet_without_its_package_names_the_extra(answer: list[Any], monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    assert status("solve", str(STUDY), "--xlsx", "x.xlsx") == 2
    assert "tierwatt[report]" in capsys.readouterr().err and not answer


def test_page_without_its_package_names_the_extra(answer: list[Any], monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    assert status("solve", str(STUDY), "--html", "x.html") == 2
    assert "tierwatt[report]" in capsys.readouterr().err and not answer


def test_page_is_checked_before_the_work(answer: list[dict[str, Any]], tmp_path: Path) -> None:
    assert status("solve", str(STUDY), "--html", str(tmp_path / "absent" / "x.html")) == 2
    assert not answer


def test_page_names_the_command_that_makes_it(answer: list[Any], monkeypatch: Any, tmp_path: Path) -> None:
    """The page itself is made of a solved design elsewhere; here it is what the command hands over."""
    handed: list[str] = []
    monkeypatch.setattr("solver.export.write_html", lambda design, path, command: handed.append(command))
    more = ["--set", "site.power_mw=3", "--set", "site.cooling=['a b']", "--gap", "0.01", "--no-baselines", "--brief"]
    status("solve", str(STUDY), "--html", str(tmp_path / "a b.html"), *more)
    wanted = f"tierwatt solve {STUDY} --set site.power_mw=3 --set 'site.cooling=['\"'\"'a b'\"'\"']' --gap 0.01 --no-baselines"
    assert handed == [wanted]


def test_brief_is_printed_in_place_of_the_screen(answer: list[Any], capsys: Any) -> None:
    assert status("solve", str(STUDY), "--brief", "--quiet") == 0
    printed = capsys.readouterr().out
    assert "\nBuy: " in printed and "\nHeld back by: " in printed and len(printed.splitlines()) < 40


def test_quiet_shows_no_progress(answer: list[Any], capsys: Any) -> None:
    assert status("solve", str(STUDY), "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.startswith("reference: optimal")


def test_ctrl_c_stops_the_solve_and_keeps_the_best(monkeypatch: Any, capsys: Any) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupted(study: Any, catalog: Any, *, should_stop: Any, **_: Any) -> Any:
        assert not should_stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        return reference_like().replace(status="feasible", stopped_by="user")

    replace_solve(monkeypatch, interrupted)
    assert status("solve", str(STUDY)) == 4
    captured = capsys.readouterr()
    assert "stopped by user" in captured.out and "Ctrl-C again quits" in captured.err
    assert signal.getsignal(signal.SIGINT) is before


def test_reader_that_leaves_early_is_no_error() -> None:
    script = "import time; time.sleep(0.5); from solver.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", script, "list", "memory", "--all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        complaints = process.stderr.read()
    assert process.returncode == 0 and complaints == ""


def test_full_disk_is_said_in_words() -> None:
    with open("/dev/full", "w") as full:
        script = "from solver.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", script, "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 1 and "cannot be printed" in done.stderr and "Traceback" not in done.stderr


def test_predict_prints_what_the_library_predicts(capsys: Any) -> None:
    assert status("predict", *POINT, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    found = solver.predict(
        solver.load_catalog(),
        model="llama-3.1-70b",
        accelerator="h100_sxm",
        count=8,
        precision="fp8",
        batch=64,
        isl=4000,
        osl=500,
    )
    assert record["tpot_s"] == found.tpot_s and record["evidence"] == found.evidence
    assert status("predict", *POINT) == 0
    assert f"{found.tpot_s:.4g}" in capsys.readouterr().out


def test_predict_leaves_out_what_a_role_does_not_have(capsys: Any) -> None:
    assert status("predict", *POINT, "--role", "decode", "--json") == 0
    assert json.loads(capsys.readouterr().out)["ttft_s"] is None
    assert status("predict", *POINT, "--role", "decode") == 0
    assert "first token" not in capsys.readouterr().out


def test_list_shows_what_can_be_bought_first(capsys: Any) -> None:
    assert status("list", "platforms", "--all") == 0
    rows = capsys.readouterr().out.splitlines()
    buyable = [row.split()[1] for row in rows[1:]]
    assert buyable[0] == "yes" and sorted(buyable, key=lambda word: word != "yes") == buyable
    assert len(rows) == 1 + len(solver.load_catalog().rows("platforms"))


def test_long_tables_say_how_much_is_left(capsys: Any) -> None:
    assert status("list", "reuse") == 0
    assert re.search(r"and \d+ more rows: --all", capsys.readouterr().out)


def test_list_of_tables_and_of_one_row(capsys: Any) -> None:
    assert status("list") == 0
    assert set(solver.load_catalog().tables) <= {row.split()[0] for row in capsys.readouterr().out.splitlines()}
    assert status("list", "platforms", "hgx_h200_8") == 0
    text = capsys.readouterr().out
    assert "rack_units" in text and "source: " in text and "written in " in text


def test_overlay_folder_lies_over_the_catalogs_that_come_along(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "platforms.csv").write_text("id,price_central_usd\nhgx_h200_8,366000\n")
    assert status("list", "platforms", "hgx_h200_8", "--catalog", str(tmp_path)) == 0
    text = capsys.readouterr().out
    assert "366,000" in text and tmp_path.name in text


def test_validate_counts_rows_and_studies(capsys: Any) -> None:
    assert status("validate", str(STUDY)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ rows in \d+ tables are sound", lines[0])
    assert lines[1].startswith(f"{STUDY}: 1 classes")


def test_validate_lists_what_is_wrong_in_all_studies(tmp_path: Path, capsys: Any) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('[site]\npowr_mw = 1\n[[workload]]\nid = "chat_short"\nshare = 1\n')
    assert status("validate", str(tmp_path / "a.toml"), str(tmp_path / "b.toml")) == 2
    captured = capsys.readouterr()
    assert "a.toml" in captured.err and "b.toml" in captured.err and "rows in" in captured.out


def test_help_and_version(capsys: Any) -> None:
    assert status("--version") == 0
    assert capsys.readouterr().out == f"tierwatt {solver.__version__}\n"
    for name in ("solve", "predict", "audit", "list", "validate", "catalog"):
        assert status(name, "--help") == 0
        assert f"tierwatt {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["predict", *POINT], ["validate"]], ids=lambda a: a[0])
def test_light_commands_do_not_import_the_solver(arguments: list[str]) -> None:
    """Pyomo and pandas take a second to import; only a solve may pay for them."""
    script = "import sys\nfrom solver.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0
    assert not {"pyomo", "pandas", "scipy", "highspy"} & {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("1e3", 1000.0),
        ("true", True),
        ('"tco"', "tco"),
        ("tco", "tco"),
        ("2026-12", "2026-12"),
        ("", None),
        ("2026-12-01", "2026-12-01"),
        ("[1, 2]", [1, 2]),
        ("{quantity = 3}", {"quantity": 3}),
        ("1\nx = 2", "1\nx = 2"),
        ("[1,", "[1,"),
        (" 0.5 ", 0.5),
    ],
)
def test_values_are_read_as_toml(text: str, value: Any) -> None:
    found = value_of(text)
    assert found == value and type(found) is type(value)


def test_later_settings_win_and_all_bad_ones_are_named() -> None:
    assert settings(["a.b=1", "a.b=2", "c==x"]) == {"a.b": 2, "c": "=x"}
    with pytest.raises(InputError, match="2 problems"):
        settings(["x", "=1", "a=1"])


def test_plain_progress_prints_new_phases_and_then_every_few_seconds() -> None:
    stream = io.StringIO()
    show = PlainProgress(stream)
    for t_s, phase in (
        (0.0, "model"),
        (0.5, "search"),
        (1.0, "search"),
        (5.4, "search"),
        (5.6, "search"),
        (6.0, "polish"),
    ):
        show({"t_s": t_s, "phase": phase, "incumbent": 100.0 + t_s, "bound": 110.0, "gap": 0.1})
    assert [row.split()[0] for row in stream.getvalue().splitlines()] == ["0.0", "0.5", "5.6", "6.0"]
    assert line({"phase": "search", "incumbent": 105.6, "bound": 110.0, "gap": 0.041}) == (
        "search  incumbent 105.6  bound 110  gap 4.1%"
    )


def test_live_progress_draws_on_a_terminal_and_is_gone_at_the_end() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress(stream) as report:
        report({"t_s": 1.0, "phase": "search [gap]", "gap": 0.5})
    assert "\x1b" in stream.getvalue()
    assert "search [gap]" in stream.getvalue() and "gap 50%" in stream.getvalue()


def test_interrupt_outside_a_solve_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt(io.StringIO()) as stopped:
        assert not stopped() and signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
