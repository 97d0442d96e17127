"""The answer: a plain, frozen record that goes to JSON and back without loss.

Everything a reader or an audit needs stands inside: the resolved study, the catalog rows used, the build, the
load, where bytes lie, limits with slack, what was dropped and filtered, bound and gap.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solver.errors import InputError, Problem

SCHEMA_VERSION = "1.1"

OPTIMAL, FEASIBLE, INFEASIBLE, UNKNOWN = "optimal", "feasible", "infeasible", "unknown"
Record = dict[str, Any]


@dataclass(frozen=True)
class Design:
    """A build with its proof.

    Attributes
    ----------
    schema_version : str
    status : str
        optimal (within the gap), feasible (stopped earlier), infeasible, unknown (stopped with nothing).
    stopped_by : str
        gap, time limit, user, or empty.
    objective : dict
        name, unit, value, bound, gap.
    study : dict
        The resolved study with all defaults.
    catalog : dict
        hash and the rows used, by table.
    assumptions, bill_of_materials, pools, load, placement, limits, dropped, filtered, baselines : list of dict
        See ``docs/design-format.md``.
    kpis : dict
        id -> {value, unit, basis, low, high, evidence}.
    tokens_by_model : dict
        Model id -> output tokens/s.
    explanation : list of str
        Why there is no build.
    explained : dict
        Section -> what was asked about the answer: clashes, bottlenecks, ladder and so on.
    network, whole, runner_up, audit, solver : dict
    """

    schema_version: str = SCHEMA_VERSION
    status: str = UNKNOWN
    stopped_by: str = ""
    objective: Record = field(default_factory=dict)
    study: Record = field(default_factory=dict)
    catalog: Record = field(default_factory=dict)
    assumptions: list[Record] = field(default_factory=list)
    kpis: dict[str, Record] = field(default_factory=dict)
    tokens_by_model: dict[str, float] = field(default_factory=dict)
    bill_of_materials: list[Record] = field(default_factory=list)
    pools: list[Record] = field(default_factory=list)
    load: list[Record] = field(default_factory=list)
    placement: list[Record] = field(default_factory=list)
    network: Record = field(default_factory=dict)
    whole: Record = field(default_factory=dict)
    limits: list[Record] = field(default_factory=list)
    dropped: list[Record] = field(default_factory=list)
    filtered: list[Record] = field(default_factory=list)
    baselines: list[Record] = field(default_factory=list)
    runner_up: Record = field(default_factory=dict)
    explanation: list[str] = field(default_factory=list)
    explained: Record = field(default_factory=dict)
    audit: Record = field(default_factory=dict)
    solver: Record = field(default_factory=dict)

    @property
    def has_build(self) -> bool:
        """True where there is something to buy."""
        return self.status in (OPTIMAL, FEASIBLE)

    @property
    def value_in_parts(self) -> float:
        """Objective without what whole replicas cost, where that is stated apart: what comparisons are set against."""
        loss = float(self.whole.get("loss_frac") or 0.0) if self.whole.get("on") else 0.0
        return float(self.objective["value"]) / (1.0 - (loss if self.objective.get("sense", "max") == "max" else -loss))

    def replace(self, **changes: Any) -> Design:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """Return the design as JSON; numbers keep their full precision."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False, sort_keys=False)

    @classmethod
    def from_json(cls, text: str, origin: str = "design") -> Design:
        """Read a design back.

        Raises
        ------
        InputError
            If the text is not JSON, has another schema version, or lacks or adds fields.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                [Problem(origin, "", "", "", f"not JSON: {error}", "a design written by tierwatt")]
            ) from None
        names = {f.name for f in dataclasses.fields(cls)}
        if not isinstance(data, Mapping) or set(data) != names:
            found = sorted(set(data) ^ names) if isinstance(data, Mapping) else [type(data).__name__]
            raise InputError([Problem(origin, "", ", ".join(found), "", "missing or unknown fields", "a whole design")])
        if data["schema_version"] != SCHEMA_VERSION:
            raise InputError([
                Problem(origin, "", "schema_version", str(data["schema_version"]), "another version", SCHEMA_VERSION)
            ])  # fmt: skip
        return cls(**data)

    def save(self, path: str | Path) -> None:
        """Write the design to a JSON file, whole or not at all."""
        write_whole(path, self.to_json())

    @classmethod
    def read(cls, path: str | Path) -> Design:
        """Read a design from a JSON file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError([Problem(str(path), "", "", "", f"cannot be read: {error}", "a design file")]) from None
        return cls.from_json(text, origin=str(path))


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file through a temporary neighbour, so that no reader ever sees half of it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
