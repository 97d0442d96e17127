"""The app on a free port and a headless Chromium in front of it; skipped, and said so loudly, where there is none.

`TIERWATT_CHROMIUM` names the browser where it is not found; `TIERWATT_BROWSER=required` turns the skip into a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from solver.whatif.store import Store

ROOT = Path(__file__).parent.parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
STARTS_WITHIN_S = 60.0
LAPTOP = {"width": 1366, "height": 900}
MISSING: list[str] = []
"""Why browser tests were skipped."""


def browser_path() -> str:
    """Return the path of a browser, empty where there is none."""
    named = os.environ.get("TIERWATT_CHROMIUM", "")
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), "")


def missing() -> str:
    """Return what a browser test lacks, empty where nothing."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "the package playwright is not installed (pip install playwright)"
    path = browser_path()
    if not path:
        return f"no browser found ({', '.join(BROWSERS)}): install chromium, or name it in TIERWATT_CHROMIUM"
    return "" if os.access(path, os.X_OK) else f"{path} cannot be run"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say at the end, in red, what was not tested."""
    for reason in dict.fromkeys(MISSING):
        terminalreporter.write_sep("!", "BROWSER TESTS WERE SKIPPED", red=True, bold=True)
        terminalreporter.write_line(reason, red=True)


@dataclass(frozen=True)
class App:
    """A server of the app.

    Attributes
    ----------
    url : str
        Without a slash at the end.
    store : Store
        The runs of this server, to look into what was solved.
    log : Path
        What the server printed.
    """

    url: str
    store: Store
    log: Path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser, shared by all tests; each opens its own context."""
    reason = missing()
    if reason:
        MISSING.append(reason)
        if os.environ.get("TIERWATT_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with an empty folder of runs, and one preset that is solved in a second or two."""
    home = tmp_path_factory.mktemp("app")
    presets = home / "presets"
    presets.mkdir()
    shutil.copy(ROOT / "tests" / "one.toml", presets / "one.toml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "TIERWATT_RUNS": str(home / "runs"), "TIERWATT_PRESETS": str(presets),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1"]
    log = home / "log.txt"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(lambda: healthy(port), STARTS_WITHIN_S, lambda: f"the app did not start: {log.read_text()}")
            yield App(f"http://127.0.0.1:{port}", Store(home / "runs"), log)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(10)


def healthy(port: int) -> bool:
    """Whether the server answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(true: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Wait until something is true, or fail with words."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail(otherwise())
        time.sleep(0.2)


@pytest.fixture
def user(chromium: Any, app: App) -> Iterator[Callable[..., Any]]:
    """A function that opens the app as a user of its own: cookies, workspace and window are nobody else's.

    Called with a path such as ``catalog`` (and ``color_scheme="dark"``, ``viewport=``), it returns the page.
    """
    contexts = []

    def open_at(path: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": LAPTOP, "accept_downloads": True, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{app.url}/{path}")
        page.wait_for_selector("[data-testid=stMain]")
        return page

    yield open_at
    for context in contexts:
        context.close()
    text = app.log.read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in text, f"the server met an error: {text[-3000:]}"
