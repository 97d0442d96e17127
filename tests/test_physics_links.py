"""Efficiency of transfers by their size."""

from __future__ import annotations

import pytest

from solver.physics.links import transfer_efficiency


def test_between_measurements_the_share_grows_with_the_logarithm() -> None:
    link = transfer_efficiency([(1e8, 0.4), (1e6, 0.2)], 0.9)
    assert link.at([1e6, 1e7, 1e8, 1e10]) == pytest.approx([0.2, 0.3, 0.4, 0.4])


def test_small_transfers_take_as_long_as_the_smallest() -> None:
    """A tenth of the bytes reaches a tenth of the share: otherwise a transfer of nothing would take no time."""
    link = transfer_efficiency([(1e6, 0.2), (1e8, 0.4)], 0.9)
    assert 1e5 / link.at(1e5) == pytest.approx(1e6 / link.at(1e6))


def test_a_link_without_measurements_has_one_share() -> None:
    assert transfer_efficiency([], 0.8).at([1.0, 1e9]) == pytest.approx([0.8, 0.8])
