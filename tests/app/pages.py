"""The app under test: its pages with small studies, its own runs, and one worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from solved import study
from streamlit.testing.v1 import AppTest

from solver.ui import state
from solver.whatif.store import Run
from solver.whatif.takeaway import study_toml

ROOT = Path(__file__).parent.parent.parent
SMALL: dict[str, Any] = {
    "name": "small *hall*",
    "site": {"power_mw": 5.0, "id": "us_1mw", "floor_m2": 1e4},
    "workload": [{"id": "tool_agent", "model_id": "llama-3.1-70b", "requests_per_s": 3.0}],
    "build": {"power_caps": [1.0], "batch_points_per_octave": 2, "roles": ["mixed"], "tiers": False},
    "supply": {},
}
"""Solved in a tenth of a second."""


@contextmanager
def served(folder: Path, **studies: dict[str, Any]) -> Iterator[None]:
    """Serve the app's pages with these studies; changes of `SMALL` by the name of the study."""
    presets = folder / "presets"
    presets.mkdir()
    for name, changes in ({"reference": {}} | studies).items():
        text = study_toml(study(**SMALL | changes).to_dict())
        (presets / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIERWATT_RUNS", str(folder / "runs"))
        patch.setenv("TIERWATT_PRESETS", str(presets))
        patch.setenv("TIERWATT_WORKERS", "1")
        try:
            yield
        finally:
            state.pool().close()
            state._pool.clear()  # type: ignore[attr-defined]


def opened(**query: str) -> AppTest:
    """Open the app in a new session."""
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in query.items():
        page.query_params[name] = value
    return clean(page.run())


def query(page: AppTest, name: str) -> str:
    """Return what the address of a page says."""
    found = page.query_params[name]
    return found if isinstance(found, str) else str(found[0])


def clean(page: AppTest) -> AppTest:
    """Return a page that drew without an exception."""
    assert not page.exception, [error.value for error in page.exception]
    return page


def current(page: AppTest) -> Run:
    """Return the run that a session looks at."""
    run = state.store().get(page.session_state["run"])
    assert run is not None
    return run


def finished(page: AppTest, seconds: float = 40.0) -> AppTest:
    """Wait until the run of a session is over, and draw the page anew: timers of fragments do not fire here."""
    ends = time.monotonic() + seconds
    while not current(page).ended:
        assert time.monotonic() < ends, current(page).state
        time.sleep(0.05)
    return clean(page.run())


def texts(page: AppTest) -> str:
    """Return all that is written on a page."""
    kinds = ("markdown", "caption", "info", "warning", "error", "title", "subheader")
    return "\n".join(str(item.value) for kind in kinds for item in page.get(kind) if hasattr(item, "value"))
