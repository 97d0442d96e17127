"""Numbers as people type them: separators, exponents, percent signs, money, prefixes and units.

What is typed is turned into the unit of its column exactly (in fractions, rounded once), or refused in words.
Nothing is guessed: what could mean two numbers is refused with both ways to write it.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from fractions import Fraction

from solver.schema import CellError

LONGEST = 80
"""Characters of a number with its unit."""
LARGEST_EXPONENT = 300

_DIGITS = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d{1,3}(?:['’_]\d{3})+|\d+"
_NUMBER = re.compile(rf"([+-]?)\s*((?:{_DIGITS})?(?:\.\d*)?)(?:[eE]([+-]?\d+))?", re.ASCII)
_MONEY = {"US$": "USD", "$": "USD", "USD": "USD", "€": "EUR", "EUR": "EUR", "£": "GBP", "GBP": "GBP",
          "₩": "KRW", "KRW": "KRW", "¥": "JPY", "JPY": "JPY", "CNY": "CNY"}  # fmt: skip
_LEADING = re.compile(r"([+-]?)\s*(US\$|USD|EUR|GBP|KRW|JPY|CNY|[$€£₩¥])\s*", re.IGNORECASE)
_PREFIXES = {"p": -12, "n": -9, "u": -6, "m": -3, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50}
_COUNTS = {"k": 3, "K": 3, "M": 6, "mn": 6, "mio": 6, "million": 6, "G": 9, "bn": 9, "billion": 9, "T": 12,
           "trillion": 12}  # fmt: skip
"""Words and letters that scale a bare count or an amount of money."""
_PREFIXED = {
    "W": ("J s-1", Fraction(1)), "J": ("J", Fraction(1)), "Wh": ("J", Fraction(3600)),
    "B": ("B", Fraction(1)), "bit": ("B", Fraction(1, 8)), "b": ("B", Fraction(1, 8)),
    "FLOP": ("flop", Fraction(1)), "FLOPS": ("flop s-1", Fraction(1)), "flop": ("flop", Fraction(1)),
    "bps": ("B s-1", Fraction(1, 8)), "Bps": ("B s-1", Fraction(1)),
    "USD": ("USD", Fraction(1)), "EUR": ("EUR", Fraction(1)), "GBP": ("GBP", Fraction(1)), "KRW": ("KRW", Fraction(1)),
    "JPY": ("JPY", Fraction(1)), "CNY": ("CNY", Fraction(1)),
    "s": ("s", Fraction(1)), "g": ("kg", Fraction(1, 1000)), "L": ("l", Fraction(1)), "l": ("l", Fraction(1)),
    "m": ("m", Fraction(1)), "Hz": ("s-1", Fraction(1)), "tok": ("tok", Fraction(1)), "t": ("kg", Fraction(1000)),
}  # fmt: skip
_HOUR, _DAY = Fraction(3600), Fraction(86400)
_WHOLE = {
    "sec": ("s", Fraction(1)), "second": ("s", Fraction(1)), "min": ("s", Fraction(60)), "minute": ("s", Fraction(60)),
    "h": ("s", _HOUR), "hr": ("s", _HOUR), "hour": ("s", _HOUR), "d": ("s", _DAY), "day": ("s", _DAY),
    "wk": ("s", 7 * _DAY), "week": ("s", 7 * _DAY), "year": ("s", 365 * _DAY), "yr": ("s", 365 * _DAY),
    "month": ("s", 365 * _DAY / 12), "token": ("tok", Fraction(1)), "m2": ("m m", Fraction(1)),
    "sqm": ("m m", Fraction(1)),
    "ft2": ("m m", Fraction(9290304, 100000000)), "sqft": ("m m", Fraction(9290304, 100000000)),
    "lb": ("kg", Fraction(45359237, 100000000)), "liter": ("l", Fraction(1)), "litre": ("l", Fraction(1)),
    "%": ("", Fraction(1, 100)), "percent": ("", Fraction(1, 100)), "pct": ("", Fraction(1, 100)),
    "share": ("", Fraction(1)), "ratio": ("", Fraction(1)), "x": ("", Fraction(1)), "unit": ("", Fraction(1)),
    "dollar": ("USD", Fraction(1)), "ct": ("USD", Fraction(1, 100)), "cent": ("USD", Fraction(1, 100)),
}  # fmt: skip

Measure = tuple[Fraction, tuple[tuple[str, int], ...]]
"""A factor to base units, and the powers of those."""


def parse_number(text: str, unit: str = "") -> float:
    """Return what a typed text means in the unit of its column.

    Parameters
    ----------
    text : str
        Such as ``.5``, ``1e3``, ``1,234.5``, ``12 kW``, ``$30,000``, ``30 k$``, ``50%`` or ``1.2 TB/s``.
    unit : str
        Unit of the column; empty where it has none.

    Raises
    ------
    CellError
        A `ValueError` that says in words what is wrong, with a hint where there is one.
    """
    bare = _clean(text)
    if not bare:
        raise CellError("is empty", "a number")
    if len(bare) > LONGEST:
        raise CellError("is too long for a number", f"at most {LONGEST} characters")
    money = _LEADING.match(bare)
    currency = _MONEY[money[2].upper()] if money else ""
    if money:
        bare = money[1] + bare[money.end():]  # fmt: skip
    value, rest = _split(bare)
    factor = _factor(rest.strip(), unit, currency)
    try:
        number = float(value * factor)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CellError("is not a finite number", "a number")
    return number


def _clean(text: str) -> str:
    """Text with one kind of minus, space, micro and superscript."""
    plain = unicodedata.normalize("NFKC", str(text)).replace("−", "-").replace("–", "-").replace("μ", "u")
    return re.sub(r"\s+", " ", plain).strip()


def _split(text: str) -> tuple[Fraction, str]:
    """Return the number that a text opens with, exactly, and what follows."""
    found = _NUMBER.match(text)
    digits = re.sub(r"[ ,'’_]", "", found[2]) if found else ""
    if found is None or not digits.strip("."):
        if re.match(r"[+-]?(nan|inf)", text, re.IGNORECASE):
            raise CellError("is not a finite number", "a number")
        raise CellError("is not a number", "a number such as 0.5, 1e3 or 1,234.5")
    rest = text[found.end() :]
    if re.match(r"[.,'’_]|\s?\d", rest):
        raise CellError("is not a number", "a number such as 0.5, 1e3 or 1,234.5", _grouping(text))
    exponent = int(found[3] or 0)
    if abs(exponent) > LARGEST_EXPONENT:
        raise CellError("is not a finite number" if exponent > 0 else "is too small for a number", "a number")
    value = Fraction(f"{digits.rstrip('.') or '0'}") * Fraction(10) ** exponent
    return (-value if found[1] == "-" else value), rest


def _grouping(text: str) -> str:
    """Say how to write what has a comma where no thousands are."""
    comma = re.match(r"[+-]?[\d.' ]*,\d+", text)
    if comma is None:
        return ""
    return "a comma separates thousands, as in 1,234.5; the decimal sign is a point"


def _factor(given: str, unit: str, currency: str = "") -> Fraction:
    """Return how many of a column's unit one of the given unit is."""
    if currency:
        given = _with_currency(given, currency)
    if not given or given == unit:
        return Fraction(1)
    factor, dimension = _of_column(unit)
    if given in _COUNTS or (unit == "1e9" and given == "B"):
        return _count(given, unit)
    meant = _meanings(given)
    fitting = {scale for scale, found in meant.values() if found == dimension}
    if len(fitting) == 1:
        return fitting.pop() / factor
    column = f"the column is in {unit}" if unit else "the column has no unit"
    if given in meant:
        raise CellError(f"is in {given}, {column}", _written(unit))
    hint = f"is {' or '.join(list(meant)[:4])} meant?" if meant else ""
    raise CellError(f"has the unknown unit {given!r}, {column}", _written(unit), hint)


def _of_column(unit: str) -> Measure:
    """Return the measure of a column's unit; one that is not known equals itself alone."""
    try:
        return measure(unit)
    except CellError:
        return Fraction(1), ((unit, 1),)


def _meanings(given: str) -> dict[str, Measure]:
    """Return the unit as it is written, or where it is unknown what it may mean with other capitals."""
    try:
        return {given: measure(given)}
    except CellError:
        pass
    words = [_capitals(word) or [word] for word in given.split("/")]
    found = {}
    for choice in itertools.islice(itertools.product(*words), 64):
        try:
            found["/".join(choice)] = measure("/".join(choice))
        except CellError:
            continue
    return found


def _capitals(word: str) -> list[str]:
    """Units that differ from a word in capitals only."""
    names = [prefix + name for name in _PREFIXED for prefix in ("", *_PREFIXES)] + list(_WHOLE)
    same = [name for name in names if name.casefold() == word.strip().casefold() and name[:1] != "K"]
    return list(dict.fromkeys(same))


def _count(given: str, unit: str) -> Fraction:
    """Return what a bare letter such as k means in a column."""
    if unit == "1e9":
        power = 9 if given == "B" else _COUNTS[given]
        return Fraction(10) ** (power - 9)
    head = re.split(r"[/ ]", unit)[0]
    if head in _PREFIXED or head in _WHOLE or head in ("", "1", "tokens"):
        return Fraction(10) ** _COUNTS[given]
    raise CellError(f"has {given!r} without a unit, the column is in {unit}", _written(unit), "write the unit out")


def _with_currency(given: str, currency: str) -> str:
    """Join a leading currency sign and what follows the number: ``$30 k/GB`` is ``kUSD/GB``."""
    named = re.fullmatch(r"([A-Za-z]*?)\s*(USD|US\$|\$|EUR|GBP|KRW)?(\s*/.*|)", given)
    prefix, tail = (named[1], named[3]) if named else ("", f" {given}")
    if prefix in ("B", "mn", "mio", "million", "bn", "billion", "T", "trillion"):
        power = 9 if prefix == "B" else _COUNTS[prefix]
        return f"1e{power} {currency}{tail}"
    return f"{prefix}{currency}{tail}"


def _written(unit: str) -> str:
    return f"a number in {unit}, with or without the unit" if unit else "a bare number"


def measure(unit: str) -> Measure:
    """Return the factor of a unit to base units, and its dimension.

    Raises
    ------
    CellError
        If the unit is not known.
    """
    plain = re.sub(r"\s*(?:\bper\b)\s*", "/", unit.strip()).replace("²", "2").replace("·", " ").replace("*", " ")
    if not plain:
        return Fraction(1), ()
    plain = f"1{plain}" if plain.startswith("/") else plain
    top, *bottoms = plain.split("/")
    factor, powers = Fraction(1), dict[str, int]()
    for sign, part in [(1, top), *((-1, bottom) for bottom in bottoms)]:
        words = part.split()
        if not words:
            raise CellError(f"unknown unit {unit!r}")
        for place, word in enumerate(words):
            scale, names = _atom(word, leads=place + 1 < len(words))
            if not scale:
                raise CellError(f"unknown unit {unit!r}")
            factor *= scale**sign
            for name, power in names:
                powers[name] = powers.get(name, 0) + sign * power
    return factor, tuple(sorted((name, power) for name, power in powers.items() if power))


def _atom(word: str, *, leads: bool = False) -> Measure:
    """Return one factor of a unit: a number, or a name with or without a prefix; `leads` where another follows."""
    if leads and word in _COUNTS:
        return Fraction(10) ** _COUNTS[word], ()
    if re.fullmatch(r"\d+(e\d{1,2})?", word):
        return Fraction(word), ()
    word = word.replace("US$", "USD").replace("$", "USD").replace("€", "EUR").replace("£", "GBP").replace("₩", "KRW")
    word = re.sub(r"FLOPs$|flops$|Flops$|flop/s$", "FLOPS", word)
    if word in _WHOLE or (word.endswith("s") and word[:-1] in _WHOLE):
        name, scale = _WHOLE.get(word) or _WHOLE[word[:-1]]
        return scale, _powers(name)
    for name in sorted(_PREFIXED, key=len, reverse=True):
        prefix = word[: -len(name)] if word.endswith(name) else "?"
        dimension, scale = _PREFIXED[name]
        if prefix == "":
            return scale, _powers(dimension)
        if prefix in _PREFIXES and not (prefix == "m" and dimension in ("USD", "tok")):
            return scale * Fraction(10) ** _PREFIXES[prefix], _powers(dimension)
        if prefix in _BINARY and dimension.startswith("B"):
            return scale * 2 ** _BINARY[prefix], _powers(dimension)
    raise CellError(f"unknown unit {word!r}")


def _powers(dimension: str) -> tuple[tuple[str, int], ...]:
    """Read ``J s-1`` as powers of names."""
    found: dict[str, int] = {}
    for word in dimension.split():
        name, minus, power = word.partition("-")
        found[name] = found.get(name, 0) - int(power) if minus else found.get(name, 0) + 1
    return tuple(found.items())
