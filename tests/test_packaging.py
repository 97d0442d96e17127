"""The package: what is public, what is pinned, what a wheel carries, and that the docs point at things that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import solver

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
COMMANDS = ("app", "solve", "predict", "audit", "list", "validate", "catalog", "check-quote", "explain", "pareto")


def project() -> dict[str, object]:
    """Return the project table."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> set[str]:
    """Return the names of everything the package and the extras that `make install` takes ask for."""
    table = project()
    extras = table["optional-dependencies"]
    assert isinstance(extras, dict)
    wanted = [*table["dependencies"], *extras["dev"], *extras["report"], *extras["app"], *extras["studies"]]  # type: ignore[misc]
    return {re.split(r"[<>=!\[ ]", name)[0].lower() for name in wanted}


def test_public_names_exist_and_are_listed() -> None:
    for name in solver.__all__:
        assert getattr(solver, name) is not None
    assert set(solver.__all__) <= set(dir(solver))
    with pytest.raises(AttributeError, match="no attribute 'slove'"):
        solver.slove  # noqa: B018


def test_functions_win_over_modules_of_the_same_name() -> None:
    """Importing the module ``solver.solve`` would otherwise put it in the place of the function."""
    script = (
        "import solver, solver.solve, solver.audit\nfrom solver.solve import prepare\nfrom solver.audit import audit\n"
        "assert solver.audit is audit and callable(solver.solve) and callable(prepare), solver.solve\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_cheap() -> None:
    script = "import sys, solver; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "pyomo", "pydantic", "typer"} & set(done.stdout.split())


def test_pins_are_exact_and_name_no_index() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert requirements() <= pinned


def test_licence_is_apache_2() -> None:
    assert project()["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without asking any index."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("tierwatt-*.whl"))


def test_wheel_carries_catalogs_types_and_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tables = {path.name for path in (ROOT / "catalogs").iterdir()}
    assert tables <= {name.removeprefix("solver/_catalogs/") for name in names}
    assert {"solver/py.typed", "solver/cli.py", "solver/_app/app.py", "solver/_app/.streamlit/config.toml"} <= names
    assert {"solver/_studies/reference.toml", "solver/ui/text/en/design.toml", "solver/ui/icon.png"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names) and any(
        name.endswith("licenses/NOTICE") for name in names
    )
    assert not any(name.startswith(("tests/", "studies/", "benchmarks/")) for name in names)


def test_wheel_works_from_any_folder_with_its_own_catalogs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = "import solver; from solver.cli import main; print(solver.__file__); main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "validate", str(ROOT / "tests" / "one.toml")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "site")) and "are sound" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} points at {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_and_targets_in_the_docs_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    shown = (
        "\n".join(re.findall(r"^(?: {4}|\t)(.*)$", text, re.MULTILINE))
        + "\n"
        + "\n".join(re.findall(r"`([^`\n]+)`", text))
    )
    for name in re.findall(r"(?:^|\n|bin/)tierwatt ([a-z-]+)", shown):
        assert name in COMMANDS, f"{page.name} shows `tierwatt {name}`"
    for name in re.findall(r"(?:^|\n)make ([a-z-]+)", shown):
        assert name in targets, f"{page.name} shows `make {name}`"
