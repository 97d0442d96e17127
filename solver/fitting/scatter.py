"""Scatter plots of the validation page as SVG: predicted over measured, one dot a run, families left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from solver.fitting.robust import Labels
from solver.fitting.scores import Served
from solver.physics.arrays import BoolArray, FloatArray

_SIDE, _MARGIN, _LEGEND = 360, 60, 18
_COLOURS = ("#1b6ca8", "#c4511d", "#3d8b37", "#7a4a9e", "#8a6d1d", "#4a4a4a")
_BAND = 1.3
"""Factor of the thin lines beside the diagonal."""


def plots(found: Served) -> str:
    """Return one drawing with three panels: time per token, output tokens/s, first tokens of quiet runs."""
    runs = found.runs
    quiet = np.asarray(runs.quiet)
    everything = np.ones_like(quiet)
    panels: Mapping[str, tuple[FloatArray, FloatArray, BoolArray]] = {
        "time per token, ms": (1e3 * runs.tpot_s, 1e3 * found.family_s, everything),
        "output tokens/s of a replica": (runs.tokens_per_s, found.tokens_per_s(found.family_s), everything),
        "first token at low load, ms": (1e3 * runs.ttft_s, 1e3 * found.first_s, quiet),
    }
    width, height = len(panels) * (_SIDE + _MARGIN) + _MARGIN, _SIDE + 2 * _MARGIN
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    drawn = [
        _panel(place, title, measured[among], predicted[among], runs.family[among])
        for place, (title, (measured, predicted, among)) in enumerate(panels.items())
    ]
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *drawn, "</svg>"]) + "\n"


def _panel(place: int, title: str, measured: FloatArray, predicted: FloatArray, families: Labels) -> str:
    """Return one panel: a square on logarithmic axes that hold both numbers."""
    left, top = _MARGIN + place * (_SIDE + _MARGIN), _MARGIN
    low = np.floor(np.log10(min(measured.min(), predicted.min())))
    high = np.ceil(np.log10(max(measured.max(), predicted.max())))
    scale = _SIDE / (high - low)

    def across(value: float) -> float:
        return float(left + (np.log10(value) - low) * scale)

    def up(value: float) -> float:
        return float(top + _SIDE - (np.log10(value) - low) * scale)

    lines = [f'<text x="{left}" y="{top - 12}">{title}: predicted (up) over measured</text>',
             f'<rect x="{left}" y="{top}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"/>']  # fmt: skip
    for power in range(int(low), int(high) + 1):
        tick = 10.0**power
        label = f"{tick:g}"
        lines.append(f'<text x="{across(tick):.0f}" y="{top + _SIDE + 16}" text-anchor="middle">{label}</text>')
        lines.append(f'<text x="{left - 6}" y="{up(tick) + 4:.0f}" text-anchor="end">{label}</text>')
    for factor, stroke in ((1.0, "#888"), (_BAND, "#ccc"), (1.0 / _BAND, "#ccc")):
        first, last = 10.0**low * max(1.0, 1.0 / factor), 10.0**high * min(1.0, 1.0 / factor)
        lines.append(
            f'<line x1="{across(first):.1f}" y1="{up(first * factor):.1f}" x2="{across(last):.1f}" '
            f'y2="{up(last * factor):.1f}" stroke="{stroke}"/>'
        )
    for rank, family in enumerate(np.unique(families)):
        colour, own = _COLOURS[rank % len(_COLOURS)], families == family
        lines.append(f'<text x="{left + 8}" y="{top + _LEGEND * (rank + 1)}" fill="{colour}">{family}</text>')
        dots = [
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2"/>'
            for x, y in zip(measured[own].tolist(), predicted[own].tolist(), strict=True)
        ]
        lines.append(f'<g fill="{colour}" fill-opacity="0.5">' + "".join(dots) + "</g>")
    return "\n".join(lines)
