"""A build that the user names: how many nodes of which platform, and what memory a node carries.

Read from TOML (``[[node]]`` tables) or CSV (one row a kind of node). Ids are resolved against a catalog where the
build is used.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solver.errors import InputError, Problem, closest

COLUMNS = ("platform", "quantity", "devices", "configuration")
STANDARD = "standard"
DEVICES_ALLOWED = "device ids with their number in one node, such as 8xDEVICE, joined by + or ;"


@dataclass(frozen=True)
class Nodes:
    """Nodes of one kind.

    Attributes
    ----------
    platform : str
    quantity : int
    devices : tuple of (device id, count)
        What one node carries beyond, or instead of, its standard memory.
    row : str
        Where it stands in the file.
    """

    platform: str
    quantity: int
    devices: tuple[tuple[str, int], ...] = ()
    row: str = ""


@dataclass(frozen=True)
class Build:
    """A named list of nodes."""

    name: str
    nodes: tuple[Nodes, ...]
    origin: str = "build"


def load_build(path: str | Path) -> Build:
    """Read a build from a TOML or CSV file.

    Raises
    ------
    InputError
        If the file cannot be read or anything in it is wrong; every problem at once.
    """
    file = Path(path)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        near = [str(p) for p in file.parent.glob("*.*")] if file.parent.is_dir() else []
        raise InputError(
            [Problem(str(path), "", "", "", "no such file", "a build in TOML or CSV", closest(str(file), near))]
        ) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError([Problem(str(path), "", "", "", f"cannot be read: {error}", "UTF-8 text")]) from None
    if file.suffix.lower() == ".csv":
        return _from_csv(text, file.stem, file.name)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([Problem(file.name, "", "", "", f"not TOML: {error}", "TOML 1.0, or a file .csv")]) from None
    return build_from_dict({"name": file.stem} | data, file.name)


def build_from_dict(data: Mapping[str, Any], origin: str = "build") -> Build:
    """Check plain data as a build.

    Parameters
    ----------
    data : mapping
        ``name`` and ``node``, a list of tables with ``platform``, ``quantity`` and, if wanted, ``devices`` (a table of
        device id to number in one node) or ``configuration`` (its id as a design prints it).
    origin : str
        Named in problems.

    Raises
    ------
    InputError
        With every problem found.
    """
    problems = [
        Problem(origin, "", key, "", "unknown key", "name, node", closest(key, ("name", "node")))
        for key in data
        if key not in ("name", "node")
    ]
    if not isinstance(data.get("name", ""), str):
        problems.append(Problem(origin, "", "name", str(data["name"]), "is not text", "a name"))
    entries = data.get("node")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries) or not entries:
        problems.append(Problem(origin, "", "node", "", "no nodes", "at least one table [[node]]"))
        raise InputError(problems)
    nodes = [_nodes(entry, origin, f"node {k}", problems) for k, entry in enumerate(entries, 1)]
    if problems:
        raise InputError(problems)
    return Build(str(data.get("name") or origin), tuple(nodes), origin)


def _from_csv(text: str, name: str, origin: str) -> Build:
    """Read the rows of a CSV table."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    head = [cell.strip() for cell in rows[0]] if rows else []
    problems = [
        Problem(origin, "line 1", column, "", "unknown column", ", ".join(COLUMNS), closest(column, COLUMNS))
        for column in head
        if column not in COLUMNS
    ]
    problems += [
        Problem(origin, "line 1", column, "", "missing column", ", ".join(COLUMNS))
        for column in COLUMNS[:2]
        if column not in head
    ]
    if problems:
        raise InputError(problems)
    nodes = []
    for line, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(head):
            problems.append(Problem(origin, f"line {line}", "", "", f"has {len(cells)} cells", f"{len(head)}"))
            continue
        entry: dict[str, Any] = {c: v.strip() for c, v in zip(head, cells, strict=False) if v.strip()}
        if re.fullmatch(r"\d+", entry.get("quantity", "")):
            entry["quantity"] = int(entry["quantity"])
        nodes.append(_nodes(entry, origin, f"line {line}", problems))
    if not nodes and not problems:
        problems.append(Problem(origin, "", "", "", "no nodes", "one row a kind of node"))
    if problems:
        raise InputError(problems)
    return Build(name, tuple(nodes), origin)


def _nodes(entry: Mapping[str, Any], origin: str, row: str, problems: list[Problem]) -> Nodes:
    """Check one entry; what is wrong with it is added to the problems."""

    def wrong(field: str, message: str, allowed: str, hint: str = "") -> None:
        problems.append(Problem(origin, row, field, str(entry.get(field, "")), message, allowed, hint))

    for key in entry:
        if key not in COLUMNS:
            wrong(key, "unknown key", ", ".join(COLUMNS), closest(key, COLUMNS))
    platform, quantity = entry.get("platform"), entry.get("quantity")
    if not isinstance(platform, str) or not platform:
        wrong("platform", "no platform", "a platform id")
    if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 0:
        wrong("quantity", "is not a number of nodes", "a whole number, 0 or more")
    if "devices" in entry and "configuration" in entry:
        wrong("configuration", "stands beside devices", "one of the two")
    field = "devices" if "devices" in entry else "configuration"
    devices = _devices(entry.get(field, ""), str(platform) if field == "configuration" else "")
    if devices is None:
        wrong(field, "cannot be read", DEVICES_ALLOWED)
    return Nodes(str(platform), quantity if isinstance(quantity, int) else 0, devices or (), row)


def _devices(given: Any, platform: str) -> tuple[tuple[str, int], ...] | None:
    """Device ids with counts from a table or from text such as ``8xDEVICE+4xOTHER``; None where it is neither."""
    if isinstance(given, Mapping):
        pairs: Iterable[tuple[Any, Any]] = given.items()
    elif isinstance(given, str):
        text = given.removeprefix(f"{platform}/") if platform else given
        words = [] if text in ("", STANDARD) else [word.strip() for word in re.split(r"[+;]", text)]
        found = [re.fullmatch(r"(\d+) ?x ?(\S+)", word) for word in words]
        if not all(found):
            return None
        pairs = [(match[2], int(match[1])) for match in found if match]
    else:
        return None
    counts: dict[str, int] = {}
    for device, count in pairs:
        if not isinstance(device, str) or isinstance(count, bool) or not isinstance(count, int) or count < 1:
            return None
        counts[device] = counts.get(device, 0) + count
    return tuple(sorted(counts.items()))
