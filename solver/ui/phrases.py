"""Names and sentences that the solver writes, in the reader's language.

The solver writes English. What it writes often stands in the files of words as templates, ``supply of {part}``: a text
that fits one is said with the words of the reader's language and what was put in, which is translated in turn where it
is a name of its own. A text that fits none is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from string import Formatter

from solver.ui.text import ENGLISH, language, look_up, words_of

FILE = "phrases."
KEPT = 8192
"""Texts of which the translation is kept."""


def phrase(text: object) -> str:
    """Return a text of the solver in the session's language."""
    return translated(str(text), language())


@lru_cache(KEPT)
def translated(text: str, to: str) -> str:
    """Return a text of the solver in a language.

    Parameters
    ----------
    text : str
    to : str
        One of `solver.ui.text.LANGUAGES`.
    """
    if to == ENGLISH or not text.strip():
        return text
    found = _matched(text) or _matched(text[:1].swapcase() + text[1:])  # names begin small within a sentence
    if found is None:
        return text
    key, values = found
    return look_up(key, to, **{name: translated(value, to) for name, value in values.items()})


def _matched(text: str) -> tuple[str, Mapping[str, str]] | None:
    """Key and values of the template that a text fits, the one with the most words of its own first."""
    names, templates = _templates()
    if text in names:
        return names[text], {}
    for pattern, key in templates:
        match = pattern.fullmatch(text)
        if match is not None:
            return key, match.groupdict()
    return None


@cache
def _templates() -> tuple[Mapping[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Texts without anything to put in with their keys, and patterns of the others."""
    names: dict[str, str] = {}
    templates: list[tuple[int, re.Pattern[str], str]] = []
    for key, words in words_of(ENGLISH).items():
        if not key.startswith(FILE):
            continue
        parts = list(Formatter().parse(words))
        if all(name is None for _, name, _, _ in parts):
            names.setdefault(words, key)
            continue
        pattern = "".join(re.escape(own) + (f"(?P<{name}>.+?)" if name else "") for own, name, _, _ in parts)
        templates.append((sum(len(own) for own, _, _, _ in parts), re.compile(pattern, re.DOTALL), key))
    ranked = sorted(templates, key=lambda item: -item[0])
    return names, tuple((pattern, key) for _, pattern, key in ranked)
