"""Every word that the app shows: one file a page and language, English where a language lacks a word."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import streamlit as st

from solver.ui.korean import with_particles

FOLDER = Path(__file__).parent / "text"
ENGLISH = "en"
KOREAN = "ko"
LANGUAGES = {ENGLISH: "English", KOREAN: "한국어"}
"""Folder of a language -> how it calls itself."""
KEY = "lang"
"""Of the language in the session and in the address."""


@cache
def words_of(language: str) -> Mapping[str, str]:
    """Return the words of a language by dotted key: the file's name, then its tables and keys."""
    found: dict[str, str] = {}
    for file in sorted((FOLDER / language).glob("*.toml")):
        found |= _flat(tomllib.loads(file.read_text(encoding="utf-8")), file.stem)
    return found


def _flat(table: Mapping[str, object], prefix: str) -> dict[str, str]:
    """Tables within tables as dotted keys."""
    found: dict[str, str] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            found |= _flat(value, name)
        elif isinstance(value, str):
            found[name] = value
        else:
            raise TypeError(f"{name} is {value!r}, not text")
    return found


def look_up(key: str, language: str, **values: object) -> str:
    """Return the words of a key in a language, with values put in where they name them.

    Parameters
    ----------
    key : str
        Such as ``design.solve``.
    language : str
        One of `LANGUAGES`; English stands in where it has no such key.
    **values
        What ``{name}`` in the words stands for.

    Raises
    ------
    KeyError
        If English has no such key either.
    """
    words = words_of(language).get(key) or words_of(ENGLISH)[key]
    if not values:
        return words
    filled = words.format(**values)
    return with_particles(filled) if language == KOREAN else filled


def has(key: str) -> bool:
    """Return whether there are words for a key, for names that come from records."""
    return key in words_of(ENGLISH)


def language() -> str:
    """Return the language of the session: as chosen, else as the address says."""
    chosen = st.session_state.get(KEY) or st.query_params.get(KEY, ENGLISH)
    return chosen if chosen in LANGUAGES else ENGLISH


def t(key: str, **values: object) -> str:
    """Return the words of a key in the session's language."""
    return look_up(key, language(), **values)


def name_of(prefix: str, item: str, otherwise: str = "") -> str:
    """Return the words of an item that a record names, or what the record itself calls it."""
    key = f"{prefix}.{item}"
    return t(key) if has(key) else otherwise or item


def choose_language() -> None:
    """Draw the choice of language; it stays in the address, by the name of its folder, from page to page."""
    if st.session_state.get(KEY) not in LANGUAGES:
        st.session_state[KEY] = language()
    st.segmented_control(
        t("common.language"), list(LANGUAGES), format_func=LANGUAGES.__getitem__, key=KEY, required=True,
        label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    if st.session_state[KEY] != st.query_params.get(KEY, ENGLISH):
        st.query_params[KEY] = st.session_state[KEY]
