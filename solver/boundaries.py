"""Power by where it is measured: accelerator board, node wall, IT, utility meter.

A watt at one boundary is not a watt at the next: between boards and wall lie host, fans and power supplies, between IT
and meter lie cooling and distribution. Each boundary is a type of its own. Sums and differences exist within one; what
crosses goes through a named function that says what it adds. Adding across is a TypeError, and an error of mypy.
Arrays of operating points hold plain watts of boards; the types stand where figures of different boundaries meet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Power:
    """Watts at one boundary; use its subclasses.

    Attributes
    ----------
    watts : float
        Plain figure, for records, products and the model.
    """

    watts: float

    def __add__(self, other: Self) -> Self:
        return type(self)(self.watts + self._same(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.watts - self._same(other))

    def __mul__(self, count: float) -> Self:
        return type(self)(self.watts * count)

    __rmul__ = __mul__

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Return the sum of figures at this boundary, 0 of none."""
        return sum(parts, cls(0.0))

    def _same(self, other: Power) -> float:
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} and {type(other).__name__} are power at different boundaries")
        return other.watts


@dataclass(frozen=True, slots=True)
class BoardWatts(Power):
    """Power of accelerator boards, as drivers report it and ratings mean it."""


@dataclass(frozen=True, slots=True)
class WallWatts(Power):
    """Power of nodes at their walls: boards, host, memory, drives, cards, fans and power supplies."""


@dataclass(frozen=True, slots=True)
class ItWatts(Power):
    """Power of all IT: nodes, and the network outside them."""


@dataclass(frozen=True, slots=True)
class MeterWatts(Power):
    """Power at the utility meter: IT with cooling and distribution, and what a site draws whatever is built."""


def at_wall(boards: BoardWatts, beside: WallWatts) -> WallWatts:
    """Return a node's power: its boards, and what the node draws beside them.

    Parameters
    ----------
    boards : BoardWatts
        Of all its accelerators.
    beside : WallWatts
        Host, memory, drives, cards and fans, and the losses of the power supplies, those for the boards included:
        catalogs give it as the node less the boards' ratings.
    """
    return WallWatts(boards.watts + beside.watts)


def capped_wall(peak: WallWatts, taken_off: BoardWatts) -> WallWatts:
    """Return the peak of a node whose boards are capped: less what the caps take off, all else keeps its peak."""
    return WallWatts(peak.watts - taken_off.watts)


def beside_boards(wall: WallWatts, boards: BoardWatts) -> WallWatts:
    """Return what a metered node draws beside its boards: the inverse of `at_wall`."""
    return WallWatts(wall.watts - boards.watts)


def nodes_as_it(wall: WallWatts) -> ItWatts:
    """Return the part of IT power that nodes are; racks are counted without power of their own."""
    return ItWatts(wall.watts)


def extra_as_it(above_idle: BoardWatts) -> ItWatts:
    """Return what boards that work add to IT power: the losses of their power supplies are in the host's draw."""
    return ItWatts(above_idle.watts)


def at_meter(it: ItWatts, pue: float) -> MeterWatts:
    """Return what the meter shows for IT power: ``it * pue``, cooling and distribution in the ratio.

    Parameters
    ----------
    it : ItWatts
        Peak with the PUE of the design day, means with the mean one.
    pue : float
        Of the cooling that the IT stands in, 1 or more.
    """
    return MeterWatts(it.watts * pue)
