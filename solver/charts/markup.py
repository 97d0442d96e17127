"""Pieces of HTML. Every text passes through `text` on its way in, so that none of it is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from solver.words import figure


def text(value: Any) -> str:
    """Return a value as text without markup; numbers with the digits that count, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return escape(figure(float(value)) if value else "0")
    if isinstance(value, dict):
        return ", ".join(f"{escape(str(key))} {text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    return escape(str(value), quote=True)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], soft: Sequence[str] = ()) -> str:
    """Return a table; columns whose cells are numbers are aligned to the right, `soft` ones are small print."""
    body = [list(row) for row in rows]
    right = [
        all(isinstance(row[k], int | float | None) and not isinstance(row[k], bool) for row in body)
        and any(row[k] is not None for row in body)
        for k in range(len(head))
    ]
    kind = [" class='n'" if right[k] else " class='s'" if name in soft else "" for k, name in enumerate(head)]
    top = "".join(f"<th{' class=n' if right[k] else ''}>{text(name)}</th>" for k, name in enumerate(head))
    lines = ["".join(f"<td{kind[k]}>{text(cell)}</td>" for k, cell in enumerate(row)) for row in body]
    inside = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{inside}</tbody></table></div>"


def records(rows: Sequence[dict[str, Any]]) -> str:
    """Return records as a table with a column for each field."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return table(names, [[row.get(name) for name in names] for row in rows])


def section(title: str, *parts: str) -> str:
    """Return a section under a heading; nothing where all its parts are empty."""
    inside = "\n".join(part for part in parts if part)
    return f"<section><h2>{text(title)}</h2>\n{inside}\n</section>" if inside else ""


def folded(title: str, inside: str) -> str:
    """Return what opens on a click; nothing where there is nothing inside."""
    return f"<details><summary>{text(title)}</summary>{inside}</details>" if inside else ""


def paragraph(words: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{f' class={kind!r}' if kind else ''}>{text(words)}</p>" if words else ""
