"""An infeasible study as choices: what clashes, the least that each limit would have to give, and the change itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from solver.design import Design
from solver.errors import InputError
from solver.study import Study
from solver.units import si_name
from solver.whatif.compare import unit_of

Record = dict[str, Any]
SINGLE, PROMISE, CLASS, INPUT, JOINT = "single", "promise", "class", "input", "joint"
"""Kinds of remedies: a looser limit, a looser promise of a study that clashes, promises of a class that nothing keeps,
a contradiction, several limits together."""
KEYS = {"ttft": ("ttft_s", "s"), "tpot": ("tpot_s", "s"), "isl_tokens": ("isl_tokens", "tokens")}
"""Promise -> key of a class, and its unit."""
DIGITS = 4
_OFF = {"build.n_plus_one": False, "build.min_platform_mw_frac": None}
"""What a key holds once it asks for nothing, where that is not its number."""


def remedies(design: Design) -> list[Record]:
    """Return what would give an infeasible study a build, what takes one change before what takes several.

    Returns
    -------
    list of dict
        ``kind``, ``moves`` (``path``, ``name``, ``before``, ``after``, ``unit``), ``changes`` (as
        `Study.with_changes` takes them), ``share`` (of the limits, added up), ``enough`` (False where more may be in
        the way: of contradictions).
    """
    found = design.explained.get("clashes") or {}
    rows = [_remedy(SINGLE, [r]) for r in found.get("single", []) if r.get("enough_alone") and _moves(r)]
    rows += [_remedy(PROMISE, [_promise(r)]) for r in found.get("promises", []) if r.get("enough_alone")]
    rows += _of_classes(found.get("classes", []))
    taken = {path for row in rows if row for path in row["changes"]}
    inputs = [_input(r) for r in found.get("inputs", []) if r.get("needed") is not None]
    rows += [_remedy(INPUT, [item]) for item in inputs if item["id"] not in taken]
    rows = sorted((row for row in rows if row), key=lambda row: (not row["enough"], row["share"]))
    alone = {tuple(sorted(row["changes"])) for row in rows}
    for kind in ("joint", "joint_serving"):
        row = _remedy(JOINT, found.get(kind) or [])
        if row and len(row["moves"]) > 1 and tuple(sorted(row["changes"])) not in alone:
            alone.add(tuple(sorted(row["changes"])))
            rows.append(row)
    return [row for row in rows if _fits(design, row["changes"])]


def _moves(record: Mapping[str, Any]) -> bool:
    return record.get("needed") is not None and record["needed"] != record.get("allowed")


def _of_classes(records: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Promises of classes that nothing can serve: one by one, or all of a class where only that helps."""
    known = [r for r in records if r.get("needed") is not None and r["promise"] in KEYS]
    together: dict[str, list[Record]] = {}
    for record in known:
        if record.get("enough_alone") is False:
            together.setdefault(str(record["class"]), []).append(_promise(record))
    alone = [_promise(record) for record in known if record.get("enough_alone") is not False]
    return [_remedy(CLASS, [item]) for item in alone] + [_remedy(CLASS, group) for group in together.values()]


def _promise(record: Mapping[str, Any]) -> Record:
    """A promise as a limit: its key, what it asks, what can be kept."""
    key, unit = KEYS[str(record["promise"])]
    return {"id": f"workload.{record['class']}.{key}", "name": "", "unit": unit, "allowed": record["asked"],
            "needed": record["needed"]}  # fmt: skip


def _input(record: Mapping[str, Any]) -> Record:
    """A contradiction in the unit of its key; records of resources are in SI."""
    path = str(record["id"])
    unit = unit_of(path)
    factor = si_name(path.rsplit(".", 1)[-1])[1] if record.get("unit") not in ("", "pieces", "kinds", unit) else 1.0
    return {"id": path, "name": "", "unit": unit or record.get("unit", ""), "allowed": record["allowed"] / factor,
            "needed": record["needed"] / factor}  # fmt: skip


def _remedy(kind: str, records: Sequence[Mapping[str, Any]]) -> Record:
    """One choice; empty where nothing would move."""
    moves = [
        {"path": r["id"], "name": r.get("name") or "", "before": r["allowed"], "after": _rounded(r), "unit": r["unit"]}
        for r in records if _moves(r)
    ]  # fmt: skip
    if not moves:
        return {}
    share = sum(abs(m["after"] - m["before"]) / (abs(m["before"]) or 1.0) for m in moves)
    return {"kind": kind, "moves": moves, "changes": {m["path"]: _value(m) for m in moves}, "share": share,
            "enough": kind != INPUT}  # fmt: skip


def _rounded(record: Mapping[str, Any]) -> float:
    """What is needed with few digits, on the safe side of what was found."""
    needed, up = float(record["needed"]), record["needed"] >= record["allowed"]
    if needed == 0.0 or needed.is_integer():
        return needed
    step = 10.0 ** (math.floor(math.log10(abs(needed))) + 1 - DIGITS)
    units = needed / step
    whole = math.ceil(units * (1.0 - 1e-9)) if up else math.floor(units * (1.0 + 1e-9))
    return float(f"{whole * step:.{DIGITS + 2}g}")


def _value(move: Mapping[str, Any]) -> Any:
    """What the key of a study takes: counts as whole numbers, what is off as its own value."""
    path, after = str(move["path"]), float(move["after"])
    if after == 0.0 and path in _OFF:
        return _OFF[path]
    return int(after) if move["unit"] in ("pieces", "kinds") else after


def _fits(design: Design, changes: Mapping[str, Any]) -> bool:
    """True where the study takes the changes: some remedies name what is no key of it, such as a date or a part."""
    try:
        changed(design, changes)
    except InputError:
        return False
    return True


def changed(design: Design, changes: Mapping[str, Any]) -> Study:
    """Return the study of a design with some values changed.

    Raises
    ------
    InputError
        As `Study.with_changes`.
    """
    return Study.model_validate(design.study, strict=False).with_changes(changes)
