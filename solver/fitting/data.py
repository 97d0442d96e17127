"""Reading raw tables of published measurements, and matching their words to catalog rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from solver.errors import InputError, Problem
from solver.parts import Accelerator, Model, PartT, Platform, Precision
from solver.physics.calibration import generation
from solver.physics.transformer import missing_fields
from solver.points import Points, make_points, widest_ports


class PartSource(Protocol):
    """What the fits need of a catalog."""

    def all(self, kind: type[PartT], /) -> tuple[PartT, ...]:
        """Return all parts of a kind."""
        ...

    def rows(self, table: str, /) -> Iterable[Mapping[str, Any]]:
        """Return the rows of a table."""
        ...


def read_table(folder: Path, name: str, columns: Iterable[str]) -> pd.DataFrame:
    """Read a raw table and check its columns.

    Raises
    ------
    InputError
        If the folder, the file or a column is missing.
    """
    if not folder.is_dir():
        message, allowed = "no such folder", "the folder with the measured_*.csv tables"
        raise InputError([Problem(str(folder), "", "--data", str(folder), message, allowed)])
    path = folder / name
    if not path.is_file():
        raise InputError([Problem(str(path), "", "", "", "file missing from the data folder", f"a table {name}")])
    frame = pd.read_csv(path)
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        known = ", ".join(map(str, frame.columns))
        raise InputError([Problem(str(path), "line 1", column, "", "column missing", known) for column in absent])
    return frame


def generations_of(points: Points) -> npt.NDArray[np.str_]:
    """Return the generation of each point's accelerator."""
    return np.array([generation(part) for part in points.accelerators])[points.accelerator]


@dataclass(frozen=True)
class Library:
    """Catalog parts by the words that measurements use.

    Attributes
    ----------
    models : tuple of Model
        Those whose times can be predicted.
    accelerators, precisions : tuple
        All of them.
    aliases : mapping
        Published model name -> position in `models`.
    ports : tuple of float
        Bytes/s of the scale-out port of each accelerator, in the platform that gives it most.
    """

    models: tuple[Model, ...]
    accelerators: tuple[Accelerator, ...]
    precisions: tuple[Precision, ...]
    aliases: Mapping[str, int]
    ports: tuple[float, ...]

    @classmethod
    def from_catalog(cls, catalog: PartSource) -> Library:
        """Collect the parts and the aliases of a catalog."""
        models = tuple(model for model in catalog.all(Model) if not missing_fields(model))
        places = {model.id: place for place, model in enumerate(models)}
        rows = catalog.rows("model_aliases")
        aliases = {str(row["alias"]): places[row["model_id"]] for row in rows if row["model_id"] in places}
        accelerators, precisions = tuple(catalog.all(Accelerator)), tuple(catalog.all(Precision))
        return cls(models, accelerators, precisions, aliases, widest_ports(catalog.all(Platform), accelerators))

    def known(self, names: pd.Series) -> pd.Series:
        """Return which published model names have a catalog row."""
        return names.isin(list(self.aliases))

    def model(self, names: pd.Series) -> pd.Series:
        """Return the position of each published model name."""
        return names.map(self.aliases)

    def accelerator(self, labels: pd.Series) -> pd.Series:
        """Return the position of each accelerator label: an id, or words of a name.

        Where several names hold all the words (``H100``), the part with the widest scale-up link is meant.
        """
        return labels.map({label: self._accelerator(str(label)) for label in labels.unique()})

    def precision(self, words: pd.Series) -> pd.Series:
        """Return the position of the precision whose weights take nearest to the bits that a word names."""
        return words.map({word: self._precision(str(word)) for word in words.unique()})

    def sixteen_bit(self) -> int:
        """Return the position of the 16-bit precision."""
        return self._precision("16")

    def _accelerator(self, label: str) -> int:
        for place, part in enumerate(self.accelerators):
            if part.id == label:
                return place
        words = set(label.lower().split("-"))
        fits = [
            (part.scaleup_bytes_per_s, -place)
            for place, part in enumerate(self.accelerators)
            if words <= set(part.name.lower().split())
        ]
        if not fits:
            message, allowed = "no accelerator of this name", "ids or words of names in the catalog"
            raise InputError([Problem("accelerators", "", "name", label, message, allowed)])
        return -max(fits)[1]

    def _precision(self, word: str) -> int:
        match = re.search(r"\d+", word)
        bits = float(match.group()) if match else np.nan
        gaps = [abs(8.0 * precision.weight_bytes_per_param - bits) for precision in self.precisions]
        return int(np.argmin(gaps))

    def points(self, **columns: Any) -> Points:
        """Return operating points from columns; what is not given is that of an ordinary replica."""
        ports = np.asarray(self.ports)[np.asarray(columns["accelerator"], dtype=np.int64)]
        usual = {"port_bytes_per_s": ports, "pp": 1, "dp": 1, "ep": 1, "cached": 0, "power_cap": 1, "kv_read_frac": 1}
        return make_points(self.models, self.accelerators, self.precisions, **{**usual, **columns})
