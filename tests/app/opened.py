"""Pages of the app over a store of runs that are over, with a pool that only queues: no worker, no solve."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from explained import FRONT, QUOTE, SECTIONS, infeasible
from solved import design, study
from streamlit.testing.v1 import AppTest

from solver.design import Design
from solver.ui import state
from solver.whatif.explanations import ask_front, ask_quote, ask_sections, ask_sweep
from solver.whatif.store import DONE, FAILED, STOPPED, Request, Run, Store

ROOT = Path(__file__).parent.parent.parent
WORKSPACE, STRANGER = "w" * 22, "s" * 22


class Queue:
    """A pool that keeps what it is given, waiting."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked: list[Run] = []
        self.stopped: list[str] = []

    def submit(self, request: Request, workspace: str, name: str = "", note: str = "") -> Run:
        run = self.store.add(request, workspace, name, note)
        self.asked.append(run)
        return run

    def stop(self, run_id: str) -> None:
        self.stopped.append(run_id)
        self.store.end(run_id, STOPPED, None, "Stopped before it began.")

    def place(self, run_id: str) -> int:
        return 0

    def is_warm(self, request: Request) -> bool:
        return False


class Desk:
    """A store with a queue, and pages opened over it."""

    def __init__(self, store: Store) -> None:
        self.store, self.queue = store, Queue(store)

    def put(
        self,
        request: Request,
        result: dict[str, Any] | None,
        name: str = "",
        workspace: str = WORKSPACE,
        message: str = "",
    ) -> Run:
        """Add a run that is over."""
        run = self.store.add(request, workspace, name)
        self.store.begin(run.id)
        self.store.end(run.id, FAILED if result is None else DONE, result, message)
        found = self.store.get(run.id)
        assert found is not None
        return found

    def solved(self, name: str = "half", of: Design | None = None, changes: dict[str, Any] | None = None,
               overlay: dict[str, Any] | None = None, workspace: str = WORKSPACE) -> Run:  # fmt: skip
        """Add a solved run of the study, with some inputs changed."""
        asked = study().with_changes(changes or {})
        found = (of or design()).replace(study=asked.to_dict())
        return self.put(
            Request("solve", asked.to_dict(), overlay or {}), {"design": dataclasses.asdict(found)}, name, workspace
        )

    def explained(self, run: Run) -> Run:
        """Add an explanation of a run, with every section."""
        found = design().replace(explained=SECTIONS)
        return self.put(ask_sections(run, list(SECTIONS)), {"design": dataclasses.asdict(found)})

    def infeasible(self, **clashes: Any) -> Run:
        """Add a run without a build."""
        found = infeasible(**clashes)
        return self.put(Request("solve", found.study), {"design": dataclasses.asdict(found)}, "too much")

    def front(self, run: Run) -> Run:
        return self.put(ask_front(run, "capex", "tokens_per_mw", 7), FRONT)

    def quoted(self, run: Run, **changes: Any) -> Run:
        return self.put(ask_quote(run, "hgx_h200_8", 3e5, 2), {"answer": QUOTE | changes})

    def swept(self, run: Run) -> Run:
        goal = {"name": "tokens_per_mw", "unit": "tokens/s/MW", "value": 2e5, "bound": 2.1e5, "gap": 0.05}
        rows = [
            {
                "value": 0.5,
                "status": "optimal",
                "objective": goal,
                "kpis": {"capex_usd": {"value": 9e6, "unit": "USD"}},
                "nodes": {"mi300x_8": 32},
                "message": "",
            },
            {"value": 0.25, "status": "infeasible", "objective": {}, "kpis": {}, "nodes": {}, "message": "no power"},
        ]
        return self.put(ask_sweep(run, "site.power_mw", [0.25, 0.5]), {"path": "site.power_mw", "sweep": rows})

    def open(self, page: str, run: Run | None = None, language: str = "en", **session: Any) -> AppTest:
        """Open a page, as somebody who has the workspace's address does."""
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        app.query_params["w"] = WORKSPACE
        app.session_state["lang"] = language
        if run is not None:
            app.query_params["run"] = run.id
        for key, value in session.items():
            app.session_state[key] = value
        app.run()
        app.switch_page(str(ROOT / "solver" / "ui" / "pages" / f"{page}.py"))
        app.run()
        assert not app.exception, app.exception
        return app


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(Store(tmp_path))
    monkeypatch.setattr(state, "pool", lambda: made.queue)
    return made


def words(app: AppTest) -> str:
    """Return all text of a page."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "error", "code", "metric")
    found = []
    for kind in kinds:
        for item in getattr(app, kind):
            found.append(str(item.value) + (f" {item.label}" if kind == "metric" else ""))
    return "\n".join(found).replace("\\", "")
