"""Korean particles that depend on how the word before them ends: written as ``을(를)`` and chosen when it is known."""

from __future__ import annotations

import re

FIRST, SYLLABLES, ENDINGS = 0xAC00, 11172, 28
"""First Hangul syllable, how many there are, and how many final sounds each has: none, and the consonants."""
RIEUL = 8
"""Final sound after which ``(으)로`` is ``로``."""
DIGITS = {"0": 21, "1": RIEUL, "2": 0, "3": 16, "4": 0, "5": 0, "6": 1, "7": RIEUL, "8": RIEUL, "9": 0}
"""Digit -> final sound of its name."""
PAIRS = {"을(를)": ("을", "를"), "은(는)": ("은", "는"), "이(가)": ("이", "가"), "와(과)": ("과", "와"),
         "(으)로": ("으로", "로"), "이면(면)": ("이면", "면")}  # fmt: skip
"""As written -> after a consonant, after a vowel."""
_PLACE = re.compile(r"(\w)([^\w\s(]*)(" + "|".join(map(re.escape, PAIRS)) + ")")


def with_particles(text: str) -> str:
    """Return a text with each particle in the form that the word before it asks for; after a Latin letter both stay."""
    return _PLACE.sub(_chosen, text)


def _chosen(found: re.Match[str]) -> str:
    letter, between, written = found.groups()
    sound = _final(letter)
    if sound is None:
        return found[0]
    hard, soft = PAIRS[written]
    return letter + between + (hard if sound and not (written == "(으)로" and sound == RIEUL) else soft)


def _final(letter: str) -> int | None:
    """Final sound of a letter's name, 0 for a vowel; None where nobody knows how it is read."""
    place = ord(letter) - FIRST
    return place % ENDINGS if 0 <= place < SYLLABLES else DIGITS.get(letter)
