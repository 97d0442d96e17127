"""What people call the parts of a catalog: ids, names, and vendor with name, whatever their case and punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from solver.catalog import Catalog
from solver.errors import closest

Part = tuple[str, str]
"""Table and id."""


class PartNames:
    """Finds parts of some tables by what a sheet calls them.

    Parameters
    ----------
    catalog : Catalog
    tables : sequence of str
    """

    def __init__(self, catalog: Catalog, tables: Sequence[str]) -> None:
        self._ids: dict[str, list[Part]] = {}
        self._names: dict[str, set[Part]] = {}
        for table in tables:
            for row in catalog.rows(table):
                part = (table, row.id)
                self._ids.setdefault(row.id, []).append(part)
                for name in (row.id, str(row["name"]), f"{row.get('vendor') or ''} {row['name']}"):
                    self._names.setdefault(plain(name), set()).add(part)

    def find(self, name: str) -> list[Part]:
        """Return the parts a name can mean; an id means no other."""
        return self._ids.get(name) or sorted(self._names.get(plain(name), ()))

    def hint(self, name: str) -> str:
        """Return the closest id, else the closest name."""
        return closest(name, self._ids) or closest(plain(name), self._names)


def plain(name: str) -> str:
    """Return a name or heading without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
