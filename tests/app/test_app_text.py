"""Every word that pages show is in the files of words, and Korean has them too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from solver.ui import text
from solver.ui.text import ENGLISH, FOLDER, LANGUAGES, look_up, words_of

UI = Path(text.__file__).parent
FUNCTIONS = {"t": 0, "look_up": 0, "has": 0, "name_of": 0}
"""Function -> which argument is a key."""
WHOLE = ("common", "design", "catalog", "explain", "compare", "quote", "app", "phrases")
"""Files of which every word has to be there in Korean."""


def keys_used() -> Iterator[tuple[str, str]]:
    """Yield where a key stands in the code, and the key as a pattern: parts that are put in are ``.+``."""
    for file in sorted(UI.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in FUNCTIONS:
                name = str(getattr(node.func, "id", getattr(node.func, "attr", "")))
                if FUNCTIONS[name] < len(node.args):
                    yield from _patterns(file, node.args[FUNCTIONS[name]], name == "name_of")


def _patterns(file: Path, argument: ast.expr, prefix: bool) -> Iterator[tuple[str, str]]:
    where, end = f"{file.name}:{argument.lineno}", r"\..+" if prefix else ""
    if isinstance(argument, ast.Constant):
        yield where, re.escape(str(argument.value)) + end
    elif isinstance(argument, ast.JoinedStr):
        parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in argument.values]
        yield where, "".join(parts) + end
    elif isinstance(argument, ast.IfExp):
        yield from _patterns(file, argument.body, prefix)
        yield from _patterns(file, argument.orelse, prefix)


def test_every_key_that_pages_use_has_words() -> None:
    found = list(keys_used())
    assert len(found) >= 5
    english = words_of(ENGLISH)
    missing = [(at, pattern) for at, pattern in found if not any(re.fullmatch(pattern, key) for key in english)]
    assert not missing


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != ENGLISH])
def test_a_translation_has_nothing_of_its_own(language: str) -> None:
    assert not set(words_of(language)) - set(words_of(ENGLISH))


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != ENGLISH])
def test_main_pages_are_whole(language: str) -> None:
    wanted = {key for key in words_of(ENGLISH) if key.split(".")[0] in WHOLE}
    assert not wanted - set(words_of(language))


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != ENGLISH])
def test_a_translation_puts_in_what_english_puts_in(language: str) -> None:
    def fields(words: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(words) if name is not None}

    english = words_of(ENGLISH)
    unlike = [key for key, words in words_of(language).items() if fields(words) != fields(english[key])]
    assert not unlike


def test_korean_is_korean() -> None:
    """Words that were left in English would pass for a translation."""
    allowed = {"TTFT", "TPOT", "Pareto", "Excel", "JSON", "HTML", "tierwatt"}
    data = {"catalog.source_default"}  # goes into the catalog's files, which are English
    bare = {key: re.sub(r"\{\w+\}", "", words) for key, words in words_of("ko").items()}
    left = {
        key: set(re.findall("[A-Za-z]{4,}", words)) - allowed
        for key, words in bare.items()
        if not re.search("[가-힣]", words)
    }
    assert not {key for key, words in left.items() if words} - data


def test_english_stands_in_where_a_language_lacks_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for language, words in (("en", 'one = "one {n}"\ntwo = "two"\n[deep]\nthree = "3"'), ("xx", 'one = "eins {n}"')):
        (tmp_path / language).mkdir()
        (tmp_path / language / "page.toml").write_text(words, encoding="utf-8")
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    words_of.cache_clear()
    try:
        assert look_up("page.one", "xx", n=5) == "eins 5"
        assert look_up("page.two", "xx") == "two"
        assert look_up("page.deep.three", "xx") == "3"
        with pytest.raises(KeyError):
            look_up("page.four", "xx")
    finally:
        words_of.cache_clear()


def test_languages_are_folders() -> None:
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == set(LANGUAGES)
