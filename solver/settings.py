"""Changes to a study from the command line: ``key=value`` with values as in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from solver.errors import InputError, Problem
from solver.study import Study

OPTION = "--set"


def value_of(text: str) -> Any:
    """Return the value that a text stands for: a TOML value, else the text itself; None where it is empty.

    Months such as ``2026-12`` and bare words need no quotes.
    """
    text = text.strip()
    if not text:
        return None
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = found["value"]
    plain = isinstance(value, bool | int | float | str | list | dict)
    return value if plain and len(found) == 1 else text


def settings(items: Iterable[str]) -> dict[str, Any]:
    """Return dotted paths with their values; a later one wins.

    Raises
    ------
    InputError
        For every item that is not ``key=value``.
    """
    changes: dict[str, Any] = {}
    problems = []
    for item in items:
        key, equals, text = item.partition("=")
        if equals and key.strip():
            changes[key.strip()] = value_of(text)
        else:
            problems.append(Problem(OPTION, "", "", item, "is not key=value", "such as site.power_mw=10"))
    if problems:
        raise InputError(problems)
    return changes


def changed(study: Study, items: Iterable[str], options: Mapping[str, Any]) -> Study:
    """Return a study with ``--set`` items and the options that have a value applied.

    Parameters
    ----------
    study : Study
    items : iterable of str
        ``key=value`` each.
    options : mapping
        Dotted path to the value of an option, None where it was not given; options win.

    Raises
    ------
    InputError
        If an item is malformed, a path does not exist or a value is not allowed.
    """
    changes = settings(items) | {path: value for path, value in options.items() if value is not None}
    return study.with_changes(changes) if changes else study
