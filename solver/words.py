"""Numbers, paragraphs and tables as text that fits a screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100
LABEL = 11
"""Columns of the word that opens a line."""
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def si(value: float, digits: int = 2) -> str:
    """Return a number with a decimal prefix, such as ``12.54 M``."""
    for scale, prefix in _SCALES:
        if abs(value) >= scale:
            return f"{value / scale:,.{digits}f} {prefix}"
    return f"{value:,.{digits}f} "


def amount(value: float, unit: str) -> str:
    """Return a quantity in a unit that suits its size: ``19.91 MW``, ``470.00 MUSD``, ``0.45 s``."""
    if unit in ("W", "USD", "B", "B/s", "USD/year"):
        return f"{si(value)}{unit}"
    whole = float(value).is_integer() or abs(value) >= 1e4
    return f"{value:,.0f} {unit}" if whole else f"{value:,.4g} {unit}"


def percent(share: float) -> str:
    """Return a share in per cent with as many digits as it needs."""
    value = 100.0 * share
    if abs(value) < 1e-7:
        return "0%"
    if 99.0 < value < 100.0:
        return f"{value:.1f}%"
    return f"{value:.0f}%" if abs(value) >= 10 or value == 0 else f"{value:.2g}%"


def quantity(value: float) -> str:
    """Return how many pieces: whole where they are."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def many(count: int) -> str:
    """Return a count that may be large: ``1,168`` or ``958 k``."""
    return f"{count:,}" if count < 1e5 else si(count, 0)


def figure(value: float) -> str:
    """Return a figure with at least five digits, none behind the point that do not count; nothing has no sign."""
    value += 0.0
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.5g}"


def block(label: str, text: str, most: int = 3) -> list[str]:
    """Return a labelled paragraph of at most so many lines; what does not fit is cut with an ellipsis."""
    lines = textwrap.wrap(text, WIDTH - LABEL, break_on_hyphens=False, max_lines=most, placeholder=" ...")
    return [f"{label if n == 0 else '':{LABEL}}{line}" for n, line in enumerate(lines)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """Return rows under a heading in aligned columns, cut to the width of the screen.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequences of str
    right : sequence of bool
        Which columns are aligned to the right.
    """
    body = [list(row) for row in rows]
    widths = [max(len(row[k]) for row in [list(head), *body]) for k in range(len(head))]
    aligned = list(right) + [False] * (len(head) - len(right))
    lines = []
    for row in [list(head), *body]:
        cells = [f"{cell:>{w}}" if end else f"{cell:{w}}" for cell, w, end in zip(row, widths, aligned, strict=True)]
        text = "  ".join(cells).rstrip()
        lines.append(text if len(text) <= WIDTH else text[: WIDTH - 4] + " ...")
    return "\n".join(lines) + "\n"
