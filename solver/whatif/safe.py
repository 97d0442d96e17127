"""Text of a catalog where it is shown or exported: never Markdown, never HTML, never a spreadsheet's formula."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~$:&@])")
_ADDRESS = re.compile(r"(https?(?=:)|www(?=\.)|@)", re.IGNORECASE)
JOINER = "\u2060"
"""A character without width, which parts an address so that it is none."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the opening of a formula."""
GUARD = "'"
"""What keeps a spreadsheet from running a text."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def markdown(text: object, longest: int = 0, *, links: bool = False) -> str:
    """Return text that Markdown shows as it is, in one line, cut to so many characters where asked.

    Addresses in it are links only where `links` asks for that: Markdown makes some of whatever looks like one.
    """
    line = " ".join(str(text).split())
    if longest and len(line) > longest:
        line = line[: longest - 1] + "…"
    if not links:
        line = _ADDRESS.sub(rf"\1{JOINER}", line)
    return _MARKS.sub(r"\\\1", line)


def opens_formula(text: str) -> bool:
    """Whether a spreadsheet would run a text as a formula; a plain number it would not."""
    return text[:1] in FORMULA and text != "" and _NUMBER.fullmatch(text) is None


def csv_cell(text: str) -> str:
    """Return a text that no spreadsheet runs: with an apostrophe before what opens a formula."""
    return GUARD + text if opens_formula(text.lstrip()) or opens_formula(text) else text


def bare_cell(text: str) -> str:
    """Return the text that `csv_cell` guarded."""
    inner = text[len(GUARD) :]
    return inner if text.startswith(GUARD) and csv_cell(inner) == text else text
