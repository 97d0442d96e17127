"""A server of the app with its own runs, for browser tests with studies of their own and for the pictures of the docs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
START_S, END_S = 60.0, 30.0


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, presets: Path | None = None) -> Iterator[str]:
    """Serve the app with its runs below a folder; yield its address."""
    port = free_port()
    own = {"TIERWATT_RUNS": str(folder / "runs"), "TIERWATT_WORKERS": "1", "PYTHONPATH": str(ROOT)}
    own |= {"TIERWATT_PRESETS": str(presets)} if presets else {}
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | own, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait(process, port, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: subprocess.Popen[Any], port: int, log: Path) -> None:
    ends = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"the app did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.2)


def settled(page: Any, timeout_s: float = 30.0) -> None:
    """Wait until a page is drawn and nothing of it is drawn anew."""
    page.wait_for_selector("[data-testid=stMainBlockContainer]", timeout=timeout_s * 1e3)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')", timeout=timeout_s * 1e3)
    page.wait_for_timeout(400)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stApp][data-test-script-state=running]')", timeout=timeout_s * 1e3
    )
