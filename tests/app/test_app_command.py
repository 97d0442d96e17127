"""The command that serves the app, and how it is served."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from solver.cli import app
from solver.commands import app as command

ROOT = Path(__file__).parent.parent.parent


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve the app below a path under a name, as for a proxy; return its port."""
    port, folder = free_port(), tmp_path_factory.mktemp("served")
    words = [sys.executable, "-m", "solver", "app", "--no-browser", "--port", str(port), "--name", "plan.example.org"]
    words += ["--path", "whatif", "--runs", str(folder / "runs")]
    with (folder / "log").open("w") as log:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        ends = time.monotonic() + 30.0
        while True:
            try:
                assert answer(port, "/whatif/_stcore/health") == 200
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < ends, (folder / "log").read_text()
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        assert process.wait(20) is not None


def answer(port: int, path: str, **headers: str) -> int:
    """Return the status of a request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as line:
        line.putrequest("GET", path, skip_host=True)
        for name, value in ({"Host": "127.0.0.1"} | headers).items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders()
        return line.getresponse().status


def session(port: int, host: str, origin: str) -> int:
    """Ask for a session; 101 where it is opened."""
    return answer(port, "/whatif/_stcore/stream", Host=host, Origin=origin, Connection="Upgrade", Upgrade="websocket",
                  Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip


def test_sessions_are_opened_for_the_name_that_is_served_and_no_other(server: int) -> None:
    assert session(server, "plan.example.org", "https://plan.example.org") == 101
    assert session(server, "evil.example", "https://plan.example.org") == 403
    assert session(server, "plan.example.org", "https://evil.example") == 403


def test_it_listens_to_this_machine_alone(server: int) -> None:
    other = next((a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
                  if not str(a[4][0]).startswith("127.")), None)  # fmt: skip
    if other is None:
        pytest.skip("this machine has no other address")
    with closing(socket.socket()) as one:
        one.settimeout(2.0)
        assert one.connect_ex((other, server)) != 0


def test_the_settings_are_those_of_a_careful_host() -> None:
    found = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert found["server"]["address"] == "127.0.0.1" and found["server"]["maxUploadSize"] <= 5
    assert found["server"]["enableCORS"] and found["server"]["enableXsrfProtection"]
    assert not found["server"]["enableStaticServing"] and found["server"]["allowedHosts"] == ["127.0.0.1", "localhost"]
    assert found["browser"]["gatherUsageStats"] is False and found["client"]["showErrorDetails"] == "none"
    assert found["runner"]["magicEnabled"] is False


def test_a_catalog_that_cannot_be_read_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["app", "--no-browser", "--catalog", str(tmp_path / "none")])
    assert "no such folder" in str(done.exception)


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["app"])
    assert "tierwatt[app]" in str(done.exception)


def test_the_script_is_there() -> None:
    assert command.script().name == "app.py" and command.script().is_file()


def test_limits_that_are_none_are_refused_before_anything_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWATT_RUN_MEMORY_GB", "0.4")
    monkeypatch.setattr(command.os, "execve", lambda *_: pytest.fail("it was served"))
    done = CliRunner().invoke(app, ["app", "--no-browser"])
    assert done.exit_code != 0 and "TIERWATT_RUN_MEMORY_GB" in str(done.exception or done.output)
