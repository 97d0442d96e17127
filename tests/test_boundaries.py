"""Power at four boundaries: never added across, converted by hand-computed rules."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from solver.boundaries import (
    BoardWatts,
    ItWatts,
    MeterWatts,
    Power,
    WallWatts,
    at_meter,
    at_wall,
    beside_boards,
    capped_wall,
    extra_as_it,
    nodes_as_it,
)

BOUNDARIES = (BoardWatts, WallWatts, ItWatts, MeterWatts)
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("one", "other"), list(permutations(BOUNDARIES, 2)))
def test_power_is_never_added_or_subtracted_across(one: type[Power], other: type[Power]) -> None:
    """Sum, difference and total raise, and name both; equal watts at two boundaries are not equal."""
    for act in (lambda: one(5.0) + other(3.0), lambda: one(5.0) - other(3.0), lambda: one.total([other(3.0)])):
        with pytest.raises(TypeError, match=f"{one.__name__} and {other.__name__}"):
            act()
    assert one(5.0) != other(5.0)


def test_plain_numbers_have_no_boundary() -> None:
    """A float is not power: it scales, and is not added."""
    with pytest.raises(TypeError):
        _ = BoardWatts(5.0) + 3.0  # type: ignore[operator]
    assert 8 * BoardWatts(700.0) == BoardWatts(700.0) * 8 == BoardWatts(5600.0)


def test_within_one_boundary_power_adds_up() -> None:
    """2 + 3 = 5, 5 - 3 = 2, nothing is 0; the boundary is kept."""
    for kind in BOUNDARIES:
        assert kind(2.0) + kind(3.0) == kind(5.0) and kind(5.0) - kind(3.0) == kind(2.0)
        assert kind.total([]) == kind(0.0) and kind.total([kind(1.0), kind(2.0)]) == kind(3.0)


def test_from_boards_to_the_meter_by_hand() -> None:
    """Eight boards of 600 W beside 3,000 W of host are 7.8 kW at the wall and of IT, 9.36 kW at a PUE of 1.2.

    A cap that takes 100 W off each board leaves 9.4 of a 10.2 kW peak.
    """
    wall = at_wall(8 * BoardWatts(600.0), WallWatts(3000.0))
    assert wall == WallWatts(7800.0)
    assert beside_boards(wall, 8 * BoardWatts(600.0)) == WallWatts(3000.0)
    assert nodes_as_it(wall) == ItWatts(7800.0) and extra_as_it(BoardWatts(100.0)) == ItWatts(100.0)
    assert at_meter(nodes_as_it(wall), 1.2).watts == pytest.approx(9360.0)
    assert type(at_meter(nodes_as_it(wall), 1.2)) is MeterWatts
    assert capped_wall(WallWatts(10200.0), BoardWatts(800.0)) == WallWatts(9400.0)


def test_the_type_checker_rejects_what_crosses(tmp_path: Path) -> None:
    """Mypy passes sums within a boundary, and refuses each sum, total and conversion that takes the wrong one."""
    pytest.importorskip("mypy")
    good = "from solver.boundaries import BoardWatts, ItWatts, MeterWatts, WallWatts, at_meter\n"
    wrong = (
        "BoardWatts(1.0) + WallWatts(1.0)", "ItWatts(1.0) - MeterWatts(1.0)", "BoardWatts(1.0) + 1.0",
        "at_meter(WallWatts(1.0), 1.2)", "MeterWatts.total([ItWatts(1.0)])",
    )  # fmt: skip
    file = tmp_path / "crossing.py"
    file.write_text(good + "BoardWatts(1.0) + BoardWatts(2.0)\n" + "\n".join(wrong) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = {int(line.split(":")[1]) for line in found.stdout.splitlines() if ": error:" in line}
    assert lines == set(range(3, 3 + len(wrong))), found.stdout + found.stderr
