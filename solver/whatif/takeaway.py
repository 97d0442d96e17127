"""A result to take away: files of its figures, and the command with the files that give it again."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from solver import export
from solver.catalog import Catalog
from solver.charts.html import page
from solver.design import Design
from solver.schema import Schema
from solver.sheets import UNITS, cell_text, sheets_of
from solver.whatif.files import overlay_files
from solver.whatif.safe import csv_cell
from solver.whatif.store import Request, Run

ARCHIVE_DATE = (1980, 1, 1, 0, 0, 0)
"""The same run gives the same archive."""
QUICK = [
    "The answer in result.json came quickly from a warm model, within the gap that it states. The",
    "command solves to the gap of the study, and may find a build that is better by up to that gap.",
    "",
]
STUDY_FILE, FOLDER = "study.toml", "changed_catalog"


def file_name(run: Run, ending: str) -> str:
    """Return a name for a file of a run: letters, digits and dashes of what the run or its study is called."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", run.name or str(run.request.study.get("name", "")))[:60].strip("-")
    return f"{name or 'design'}-{run.id[:6]}.{ending}"


def xlsx_bytes(design: Design) -> bytes:
    """Return a design as a spreadsheet: tidy sheets, no formulas."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "design.xlsx"
        export.write_xlsx(design, path)
        return path.read_bytes()


def csv_zip(design: Design) -> bytes:
    """Return the sheets of a design as CSV files in an archive; `pandas.read_csv` reads each in one line."""
    return _archive({f"{name}.csv": sheet_csv(rows) for name, rows in sheets_of(design).items()})


def sheet_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV with units in the heading; nothing in it is run by a spreadsheet."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"{name} [{UNITS[name]}]" if name in UNITS else name for name in names])
    for row in rows:
        writer.writerow([_csv(row.get(name)) for name in names])
    return text.getvalue()


def _csv(value: Any) -> Any:
    return csv_cell(cell_text(value)) if isinstance(value, str) or value is None else value


def html_text(design: Design, run: Run) -> str:
    """Return a design as one page that needs nothing else."""
    return page(design, " ".join(command(run.request)))


def command(request: Request) -> list[str]:
    """Return the words of the command that answers a request from the files of `reproduction`."""
    options = request.options
    words = ["tierwatt", {"quote": "check-quote", "sweep": "solve"}.get(request.kind, request.kind), STUDY_FILE]
    words += ["--catalog", FOLDER] if request.overlay else []
    if request.kind == "explain":
        words += [f"--{str(name).replace('_', '-')}" for name in options.get("sections", [])]
        words += [word for part in options.get("parts") or () for word in ("--part", str(part))]
        words += [word for name in ("depth", "step") if name in options for word in (f"--{name}", str(options[name]))]
        words += ["--every-promise"] if options.get("promised", 0) is None else []
    elif request.kind == "pareto":
        words += [word for key in ("x", "y", "points") if options.get(key) for word in (f"--{key}", str(options[key]))]
        words += ["--json", "front.json"]
    elif request.kind == "quote":
        words += ["--part", str(options["part"]), "--price", str(options["price_usd"])]
        words += ["--quantity", str(options.get("quantity", 1))]
    elif request.kind == "sweep":
        words += ["--set", f"{options['path']}=VALUE", "--no-baselines"]
    return words if request.kind in ("pareto", "quote") else [*words, "--json", "design.json"]


def commands(request: Request) -> list[str]:
    """Return the lines to type: one command, or one for each value of a sweep."""
    words = command(request)
    if request.kind != "sweep":
        return [shlex.join(words)]
    lines = []
    for number, value in enumerate(request.options["values"], start=1):
        typed = [word.replace("=VALUE", f"={value}") for word in words[:-1]]
        lines.append(shlex.join([*typed, f"design_{number:02d}.json"]))
    return lines


def study_toml(study: Mapping[str, Any]) -> str:
    """Return a study as TOML, which `solver.load_study` reads as the same study."""
    plain = {key: value for key, value in study.items() if value is not None and not isinstance(value, Mapping)}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items() if not _is_table_list(value)]
    for key, value in study.items():
        if isinstance(value, Mapping):
            lines += _toml_table(key, value)
        elif _is_table_list(value):
            for item in value:
                lines += ["", f"[[{key}]]", *(f"{k} = {_toml(v)}" for k, v in item.items() if v is not None)]
    return "\n".join(lines) + "\n"


def _is_table_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _toml_table(path: str, table: Mapping[str, Any]) -> list[str]:
    """A table, its own values before the tables inside it."""
    values = [f"{_key(k)} = {_toml(v)}" for k, v in table.items() if v is not None and not isinstance(v, Mapping)]
    inner = [line for k, v in table.items() if isinstance(v, Mapping) for line in _toml_table(f"{path}.{_key(k)}", v)]
    return (["", f"[{path}]", *values] if values or not inner else []) + inner


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    """A value as TOML: text as JSON writes it, with what TOML does not allow bare escaped."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value) if isinstance(value, bool) else repr(value)


def reproduction(schema: Schema, run: Run, result: Mapping[str, Any] | None, catalog: Catalog) -> bytes:
    """Return an archive with the study, the changed rows of the catalog, the command, and what came out.

    Parameters
    ----------
    schema : Schema
    run : Run
    result : mapping or None
    catalog : Catalog
        That the changed rows lie over.
    """
    request = run.request
    files = {STUDY_FILE: study_toml(request.study), "README.txt": _readme(run, result, catalog)}
    files |= {f"{FOLDER}/{name}": text for name, text in overlay_files(schema, request.overlay).items()}
    files["run.sh"] = "#!/bin/sh\nset -e\n" + "\n".join(commands(request)) + "\n"
    if result:
        files["result.json"] = json.dumps(result, indent=1, allow_nan=False)
    return _archive(files)


def _readme(run: Run, result: Mapping[str, Any] | None, catalog: Catalog) -> str:
    """What the archive holds, which versions made it, and whether the answer was a quick one."""
    design = (result or {}).get("design") or {}
    versions = " ".join(f"{name} {version}" for name, version in design.get("solver", {}).get("versions", {}).items())
    lines = [f"{run.name or run.request.study.get('name', '')} ({run.created[:16].replace('T', ' ')} UTC)", ""]
    lines += [run.note, ""] if run.note else []
    lines += ["Run in this folder:", "", *(f"    {line}" for line in commands(run.request)), ""]
    if design.get("stopped_by") == "quick":
        lines += QUICK
    if run.message:
        lines += [run.message, ""]
    lines += [f"base catalog {catalog.hash[:12]}; changed tables: {', '.join(run.request.overlay) or 'none'}", versions]
    return "\n".join(lines).rstrip() + "\n"


def _archive(files: Mapping[str, str]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, ARCHIVE_DATE), text.encode("utf-8"))
    return memory.getvalue()
