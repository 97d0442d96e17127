"""What is collected while a study is resolved: problems, defaults that stood in, and conversions to SI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solver.catalog import Catalog
from solver.errors import Problem, closest
from solver.study import Study
from solver.units import si_name


@dataclass(frozen=True)
class Assumption:
    """A number the study did not give, and where it came from."""

    path: str
    value: Any
    default: Any
    source: str
    confidence: str


class Resolver:
    """Collects problems and assumptions while a study is resolved."""

    def __init__(self, study: Study, catalog: Catalog) -> None:
        self.study, self.catalog = study, catalog
        self.problems: list[Problem] = []
        self.assumptions: list[Assumption] = []

    def check(self, table: str, part_id: str, path: str) -> bool:
        """Record a problem unless the catalog's table has the id."""
        known = self.catalog.tables[table]
        if part_id in known:
            return True
        where = f"{table} of the catalog"
        self.problems.append(
            Problem(self.study.name, "", path, part_id, f"not in {where}", "an id listed by `tierwatt list`",
                    closest(part_id, known))
        )  # fmt: skip
        return False

    def default(self, path: str, given: Any) -> Any:
        """Return what the study gives, else the catalog's default for that path, noted as an assumption."""
        if given is not None:
            return given
        row = self.catalog.row("defaults", path)
        value = row["ref"] if row["ref"] else row["value"]
        self.assumptions.append(Assumption(path, value, value, str(row["source"]), str(row["confidence"])))
        return value


def si_value(column: str, value: float | None) -> float | None:
    """Convert one study value to SI by its suffix."""
    return None if value is None else value * si_name(column)[1]
