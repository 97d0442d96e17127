"""What a worker keeps warm between runs: catalogs, and studies with their candidates and relaxations."""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from solver.catalog import Catalog, load_catalog
from solver.resident import Resident
from solver.study import Study, study_from_dict
from solver.whatif.store import Request

Kept = TypeVar("Kept")
RESIDENTS, CATALOGS = 3, 4
"""How many of each are kept; the one that was not used for longest goes first."""


def structure(request: Request) -> str:
    """Return the hash of what runs must share for one to be warm for the other: changed parts, and classes.

    Everything else in a study, limits and prices and promises, may differ: a `Resident` computes again what it must.
    """
    classes = sorted(str(work.get("id")) for work in request.study.get("workload", []))
    return hashlib.sha256(json.dumps([request.overlay, classes], sort_keys=True).encode()).hexdigest()


class Warm:
    """Catalogs and residents of one worker.

    Parameters
    ----------
    folders : sequence of Path
        Of the base catalog; none for the one that comes with the program.
    threads : int
        Of the solver at most.
    seconds : float
        Of one solve at most.
    memory_gb : float
        What one process may take.
    """

    def __init__(
        self, folders: Sequence[Path] = (), threads: int = 64, seconds: float = 1e9, memory_gb: float = math.inf
    ) -> None:
        self._base = load_catalog(*folders)
        self._threads, self._seconds, self.memory_gb = threads, seconds, memory_gb
        self._catalogs: OrderedDict[str, Catalog] = OrderedDict()
        self._residents: OrderedDict[str, Resident] = OrderedDict()

    def study(self, request: Request) -> Study:
        """Return the study of a request, within what one run may use.

        Raises
        ------
        InputError
            If it is none.
        """
        study = study_from_dict(request.study)
        threads, seconds = (
            min(study.solver.threads, self._threads),
            min(study.solver.time_limit_s, self._seconds),
        )
        return study.with_changes({"solver.threads": threads, "solver.time_limit_s": seconds})

    def catalog(self, request: Request) -> Catalog:
        """Return the base catalog with the changed rows of a request.

        Raises
        ------
        InputError
            If a row does not fit.
        """
        if not request.overlay:
            return self._base
        key = hashlib.sha256(json.dumps(request.overlay, sort_keys=True).encode()).hexdigest()
        return _kept(self._catalogs, key, CATALOGS, lambda: self._base.overlay(request.overlay))

    def resident(self, request: Request) -> Resident:
        """Return the resident for a request, with the request's study as the one that changes are made to."""
        study, catalog = self.study(request), self.catalog(request)
        found = _kept(self._residents, structure(request), RESIDENTS, lambda: Resident(study, catalog))
        found.study = study
        return found

    def forget(self) -> None:
        """Keep nothing but the base catalog: after a run that went wrong, or ran out of memory."""
        self._catalogs.clear()
        self._residents.clear()


def _kept(items: OrderedDict[str, Kept], key: str, most: int, make: Callable[[], Kept]) -> Kept:
    """Return an item, made where it is not there; the least used one leaves."""
    if key not in items:
        while len(items) >= most:
            items.popitem(last=False)
        items[key] = make()
    items.move_to_end(key)
    return items[key]
