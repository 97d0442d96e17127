"""The command `app`: serve the pages on this machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from solver.commands.shared import Catalogs
from solver.errors import InputError, Problem

LOCAL = "127.0.0.1"


def serve(
    catalog: Catalogs = None,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Port to listen at.")] = 8501,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen at; others than this machine's need a proxy.")
    ] = LOCAL,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Name by which browsers know it, where it is not this machine."),
    ] = None,
    path: Annotated[str, typer.Option(metavar="PREFIX", help="Path below which a proxy serves it.")] = "",
    runs: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for runs.")] = None,
    browser: Annotated[bool, typer.Option(help="Open it in a browser.")] = True,
) -> int:
    """Open the app: edit catalogs, solve, see why, compare.

    It listens to this machine alone; docs/hosting.md says how to serve it to others. Ctrl-C ends it.
    """
    if importlib.util.find_spec("streamlit") is None:
        problem = Problem("app", "", "", "", "needs the package streamlit", "", "install tierwatt[app]")
        raise InputError([problem])
    from solver.whatif.limits import limits_from

    limits_from(os.environ)  # what is wrong with them is said before the app starts
    command = [sys.executable, "-m", "streamlit", "run", str(script())]
    command += ["--server.address", host, "--server.port", str(port)]
    command += ["--server.headless", "false" if browser else "true"]
    command += ["--server.baseUrlPath", path] if path else []
    command += ["--browser.serverAddress", LOCAL] if host == LOCAL else []
    if name:  # browsers send the name that the proxy serves, as the host and as the origin of their session
        for known in (LOCAL, "localhost", *name):
            command += ["--server.allowedHosts", known]
        for known in name:
            command += ["--server.corsAllowedOrigins", f"https://{known}"]
    environment = os.environ | {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
    if catalog:
        environment["TIERWATT_CATALOG"] = os.pathsep.join(str(folder.resolve()) for folder in _folders(catalog))
    if runs is not None:
        environment["TIERWATT_RUNS"] = str(runs.resolve())
    if os.name == "posix":  # this process becomes the server, so that what ends the one ends the other
        os.execve(command[0], command, environment)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


def script() -> Path:
    """Return the script of the app: in a wheel packaged, in a checkout at its root."""
    packaged = Path(__file__).parent.parent / "_app" / "app.py"
    return packaged if packaged.is_file() else Path(__file__).parent.parent.parent / "app.py"


def _folders(given: list[Path]) -> list[Path]:
    """Catalog folders that can be read; what is wrong with them is said before the app starts."""
    from solver.commands.shared import folders_of, load_parts

    load_parts(given)
    return folders_of(given)
