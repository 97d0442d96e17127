"""Desks: the catalog edits of a workspace on disk, so that a reload of the page does not lose what was applied."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from solver.design import write_whole
from solver.whatif.store import is_id

MOST_DESKS = 1_000
"""Desks that are kept; those that nobody changed for longest go first."""
MOST_BYTES = 5_000_000


class Desks:
    """Overlays by workspace, below the folder of runs.

    Parameters
    ----------
    root : Path
        Of the `Store`.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "desks"

    def _file(self, workspace: str) -> Path | None:
        """Return the file of a workspace; a path is never made of anything but an id."""
        return self.folder / f"{workspace}.json" if is_id(workspace) else None

    def load(self, workspace: str) -> dict[str, list[dict[str, Any]]] | None:
        """Return the overlay that a workspace kept last, None where there is none or it cannot be read."""
        file = self._file(workspace)
        try:
            found = json.loads(file.read_text(encoding="utf-8")) if file else None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def save(self, workspace: str, overlay: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Keep the overlay of a workspace; what is too large, or cannot be written, is kept by the session alone."""
        file, text = self._file(workspace), json.dumps(overlay)
        if file is None or len(text) > MOST_BYTES:
            return
        try:
            write_whole(file, text)
            self._prune()
        except OSError:
            return

    def _prune(self) -> None:
        files = list(self.folder.glob("*.json"))
        if len(files) > MOST_DESKS:
            files.sort(key=lambda file: file.stat().st_mtime)
            for file in files[: len(files) - MOST_DESKS]:
                file.unlink(missing_ok=True)
