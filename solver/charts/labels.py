"""Words of charts: English as they stand, or in the language of whoever passes what says them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from html import escape

Say = Callable[[str], str]
"""English words to those that a reader sees."""


def english(words: str) -> str:
    """Return words as they are."""
    return words


def width(text: str) -> int:
    """Return how many columns a text takes: wide letters, as those of Korean, take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, columns: int) -> str:
    """Return a text in lines of so many columns where its words allow, escaped for a chart."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or width(longer) <= columns:
            lines[-1] = longer
        else:
            lines.append(word)
    return "<br>".join(escape(line) for line in lines)
