"""What is typed on the design page, and the study that it means.

A form is a study with the values that a planner changes most as text; everything else of the study stays as it was,
and any key of it can be set in lines such as ``build.max_platforms=3``. Text that means nothing is refused by field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import solver
from solver.catalog import Catalog
from solver.errors import InputError, Problem, TierwattError
from solver.model.objectives import OBJECTIVES
from solver.schema import CellError
from solver.settings import settings
from solver.study import Study, load_study, study_from_dict
from solver.whatif.compare import flat
from solver.whatif.quantities import parse_number
from solver.whatif.store import Request

Record = dict[str, Any]
FIRST = "reference"
"""Preset that a new session begins with, where there is one of that name."""
STUDY_BYTES = 200_000
"""Of an uploaded study."""
TOKENS, POWERS, MODES = ("output", "all", "value"), ("provisioned", "drawn"), ("mix", "fixed")
RATE = "rate"
NAMED = 2
"""Changes that the name of a run tells."""
YEARS = range(2025, 2030)
"""In whose quarters parts can be asked to be available."""


class FormError(TierwattError):
    """What is typed does not make a study: messages by field, empty for the study as a whole."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{name}: {text}" if name else text for name, text in self.faults.items()))


@dataclass(frozen=True)
class Number:
    """A field with a number: where it stands in a study, its unit for people, what one of those is in the study."""

    path: str
    unit: str
    scale: Fraction = Fraction(1)
    needed: bool = False


NUMBERS = {
    "power": Number("site.power_mw", "MW"),
    "budget": Number("site.budget_usd", "MUSD", Fraction(10**6)),
    "floor": Number("demand.floor_frac", "%", Fraction(1, 100), needed=True),
    "gap": Number("solver.gap", "%", Fraction(1, 100), needed=True),
    "time": Number("solver.time_limit_s", "s", needed=True),
}
"""Fields of the form that hold one number each."""
PROMISES = {"ttft": ("ttft_s", "s", Fraction(1)), "tpot": ("tpot_s", "ms", Fraction(1, 1000))}
"""Fields of a class besides its rate: key, unit for people, what one of those is in the study."""
CHOICES = {
    "quarter": "site.price_quarter", "available": "site.available_by", "objective": "objective.name",
    "tokens": "objective.tokens", "basis": "objective.power", "mode": "demand.mode",
}  # fmt: skip
"""Fields that hold a word."""


@dataclass(frozen=True)
class Form:
    """What stands in the form.

    Attributes
    ----------
    study : Study
        What it was filled from; what the form does not show stays as it is there.
    values : dict
        Field to text, or to a list of words for `cooling` and `classes`; of a class ``rate.ID``, ``ttft.ID`` and
        ``tpot.ID``; ``more`` are lines of ``key=value``.
    """

    study: Study
    values: Record = field(default_factory=dict)


def presets_folder() -> Path:
    """Return the folder of the studies that come along: in a wheel packaged, in a checkout beside the code."""
    packaged = Path(solver.__file__).parent / "_studies"
    return packaged if packaged.is_dir() else Path(solver.__file__).parent.parent / "studies"


def presets(folder: Path | None = None) -> dict[str, Study]:
    """Return the studies of a folder by the name of their file, the first one first; numbered ones are sweeps."""
    files = sorted((folder or presets_folder()).glob("[!0-9]*.toml"), key=lambda file: (file.stem != FIRST, file.stem))
    return {file.stem: load_study(file) for file in files}


def read_study(name: str, data: bytes) -> Study:
    """Read an uploaded study.

    Raises
    ------
    InputError
        With every problem.
    """
    label = Path(name.replace("\\", "/")).name[:80] or "study"
    if len(data) > STUDY_BYTES:
        raise InputError([Problem(label, "", "", "", "is too large", f"a study of at most {STUDY_BYTES:,} bytes")])
    try:
        found = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError([Problem(label, "", "", "", "is not UTF-8 text", "a study in TOML")]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError([Problem(label, "", "", "", f"not TOML: {error}", "a study in TOML")]) from None
    return study_from_dict(found, origin=label)


def plain_number(value: float | None) -> str:
    """Return a number as somebody would type it, with all its digits; empty for none."""
    if value is None:
        return ""
    text = f"{value:,.12g}" if 1e-4 <= abs(value) < 1e12 or value == 0 else f"{value:.12g}"
    return text.removesuffix(".0")


def form_of(study: Study) -> Form:
    """Return a form filled from a study."""
    data = study.to_dict()
    values: Record = {name: _shown(_at(data, number.path), number) for name, number in NUMBERS.items()}
    values |= {name: str(_at(data, path)) for name, path in CHOICES.items()}
    values |= {"cooling": list(study.site.cooling or []), "classes": [work.id for work in study.workload], "more": ""}
    if study.site.budget is not None:  # in its own currency
        values["budget"] = plain_number(study.site.budget / 1e6)
    for work in study.workload:
        values[f"{RATE}.{work.id}"] = plain_number(work.requests_per_s if work.share is None else work.share)
        for name, (key, _, scale) in PROMISES.items():
            value = getattr(work, key)
            values[f"{name}.{work.id}"] = plain_number(None if value is None else float(value / scale))
    return Form(study, values)


def _shown(value: Any, number: Number) -> str:
    return plain_number(None if value is None else float(value / number.scale))


def _at(data: Mapping[str, Any], path: str) -> Any:
    for key in path.split("."):
        data = data[key]
    return data


def money_unit(study: Study) -> str:
    """Return the unit of the budget."""
    return f"M{study.site.currency}"


def catalog_promise(catalog: Catalog, workload: str, name: str) -> str:
    """Return what a class is promised where the study says nothing, as text in the unit of the form."""
    rows = catalog.tables["workloads"]
    key, _, scale = PROMISES[name]
    value = rows[workload][key] if workload in rows else None
    return "" if value is None else plain_number(float(value / scale))


def catalog_power(catalog: Catalog, study: Study) -> str:
    """Return the megawatts of the study's site in the catalog, as text."""
    rows = catalog.tables["sites"]
    value = rows[study.site.id]["power_mw"] if study.site.id is not None and study.site.id in rows else None
    return "" if value is None else plain_number(float(value))


def choices(catalog: Catalog) -> dict[str, dict[str, str]]:
    """Return what can be chosen, by field: word to what people call it."""
    quarters = sorted({str(row["quarter"]) for row in catalog.rows("memory_prices")})
    months = [f"{year}-{month:02d}" for year in YEARS for month in (3, 6, 9, 12)]
    return {
        "quarter": {quarter: f"{quarter[:4]} {quarter[4:]}" for quarter in quarters},
        "available": {month: month for month in months},
        "cooling": {row.id: str(row["name"]) for row in catalog.rows("cooling")},
        "classes": {row.id: str(row["name"]) for row in catalog.rows("workloads") if row.get("kind") == "tokens"},
        "objective": {item.id: item.name for item in OBJECTIVES.values()},
    }


def study_of(form: Form) -> Study:
    """Return the study that a form means.

    Raises
    ------
    FormError
        With what is wrong, by field.
    """
    faults: dict[str, str] = {}
    data = form.study.model_dump(mode="python")
    data["workload"] = _classes(form, faults)
    changes: Record = {}
    for name, number in NUMBERS.items():
        value = _number(form, name, number.unit if name != "budget" else money_unit(form.study), faults, number.needed)
        own = name == "budget" and form.study.site.currency != "USD"
        changes["site.budget" if own else number.path] = None if value is None else _times(value, number.scale)
    changes["site.budget_usd" if form.study.site.currency != "USD" else "site.budget"] = None
    changes |= {path: form.values.get(name) for name, path in CHOICES.items()}
    changes["site.cooling"] = list(form.values.get("cooling") or []) or None
    if faults:
        raise FormError(faults)
    try:
        made = study_from_dict(data, origin="form").with_changes(changes)
    except InputError as error:
        raise FormError(_by_field(error)) from None
    lines = [line for line in str(form.values.get("more") or "").splitlines() if line.strip()]
    try:
        return made.with_changes(settings(lines)) if lines else made
    except InputError as error:
        raise FormError({"more": "; ".join(_words(problem) for problem in error.problems)}) from None


def _times(value: float, scale: Fraction) -> float:
    """A typed number in the unit of the study: 175 ms are 0.175 s to the last digit."""
    return float(Fraction(repr(value)) * scale)


def _classes(form: Form, faults: dict[str, str]) -> list[Record]:
    """Entries of the classes that were chosen; one that is new takes everything but its rate from the catalog."""
    known = {work.id: work.model_dump(mode="python") for work in form.study.workload}
    demand = "share" if any(work.share is not None for work in form.study.workload) else "requests_per_s"
    found = []
    for name in form.values.get("classes") or []:
        entry = dict(known.get(name, {"id": name}))
        entry[demand] = _number(form, f"{RATE}.{name}", "1/s" if demand == "requests_per_s" else "", faults, True)
        for short, (key, unit, scale) in PROMISES.items():
            value = _number(form, f"{short}.{name}", unit, faults, False)
            entry[key] = None if value is None else _times(value, scale)
        found.append(entry)
    if not found:
        faults["classes"] = "choose at least one class of work"
    return found


def _number(form: Form, name: str, unit: str, faults: dict[str, str], needed: bool) -> float | None:
    """Read one field."""
    text = str(form.values.get(name) or "").strip()
    if not text:
        if needed:
            faults[name] = "is empty: a number is needed"
        return None
    try:
        share = unit == "%" and "%" in text
        value = (
            100.0 * parse_number(text, "share") if share else parse_number(text, "" if unit in ("%", "1/s") else unit)
        )
    except CellError as error:
        faults[name] = "; ".join(part for part in (error.message, error.allowed, error.hint) if part)
        return None
    if value < 0 or (value == 0 and not name.startswith("floor")):
        faults[name] = "has to be above 0"
    return value


def _by_field(error: InputError) -> dict[str, str]:
    """Problems of a study by the field of the form that they are about."""
    fields = {number.path: name for name, number in NUMBERS.items()} | {path: name for name, path in CHOICES.items()}
    found: dict[str, str] = {}
    for problem in error.problems:
        name = fields.get(problem.field, "")
        found[name] = "; ".join(filter(None, [found.get(name, ""), _words(problem)]))
    return found


def _words(problem: Problem) -> str:
    place = f"{problem.field}: " if problem.field else ""
    tail = "; ".join(part for part in (problem.allowed and f"allowed: {problem.allowed}", problem.hint) if part)
    value = f" ({problem.value})" if problem.value else ""
    return f"{place}{problem.message}{value}" + (f"; {tail}" if tail else "")


def name_after(study: Study, overlay: Mapping[str, Any], base: Request | None) -> str:
    """Return what to call a solve: its study, and what it changes of the run before where that asked the same study."""
    if base is None or base.study.get("name") != study.name:
        return study.name
    old, new = flat(base.study), flat(study.to_dict())
    moved = [path for path in [*new, *(path for path in old if path not in new)] if old.get(path) != new.get(path)]
    words = [_moved(path, new.get(path)) for path in moved[:NAMED]]
    words += [f"{len(moved) - NAMED} more"] * (len(moved) > NAMED)
    words += [
        f"other {table}" for table in {**base.overlay, **overlay} if base.overlay.get(table) != overlay.get(table)
    ]
    return f"{study.name}, {', '.join(words)}" if words else study.name


def _moved(path: str, value: Any) -> str:
    """A key with its value, short."""
    names = path.split(".")
    name = " ".join(names[-2:]) if names[0] in ("workload", "supply") else names[-1]
    text = "none" if value is None else f"{value:,.6g}" if isinstance(value, float) else str(value)
    return f"{name} {text}"[:40]


def same(form: Form, study: Mapping[str, Any]) -> bool:
    """True where a form means what a study of a run asked; False too where it means nothing."""
    try:
        return study_of(form).to_dict() == dict(study)
    except FormError:
        return False
