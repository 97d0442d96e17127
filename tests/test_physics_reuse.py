"""Retention segments: concave, never above the curve's hull, ordered by return."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operating_points import shipped

from solver.physics.reuse import LEAST_HITS, retention_segments


def test_a_curve_solved_by_hand() -> None:
    """(10, 0.5), (20, 0.55), (30, 0.9), (60, 1.0).

    The second point lies under the chord 10-30 and drops out.
    """
    found = retention_segments([1, 2, 3, 4], [0.5, 0.55, 0.9, 1.0], [10, 20, 30, 60], 8)
    assert found.d_hit == pytest.approx([0.5, 0.4, 0.1])
    assert found.d_resident_tokens == pytest.approx([10, 20, 30])
    assert found.ttl_s.tolist() == [1, 3, 4]


def test_thinning_drops_the_corner_that_matters_least() -> None:
    """Corners (1, 1), (2, 1.9), (10, 3).

    Without the second 0.1 x 9 / 2 of area is lost, without the first 0.1 / 2.
    """
    found = retention_segments([1, 2, 3], [1.0, 1.9, 3.0], [1, 2, 10], 2)
    assert found.ttl_s.tolist() == [2, 3]
    assert found.d_hit.sum() == pytest.approx(3.0)


def test_hits_that_need_no_memory_come_first() -> None:
    """A curve that starts with hits at no residency gives a vertical first segment."""
    found = retention_segments([0, 10], [0.2, 0.6], [0, 100], 4)
    assert found.d_resident_tokens.tolist() == [0, 100]
    assert found.d_hit == pytest.approx([0.2, 0.4])


def test_a_tail_of_a_few_hits_is_cut_off() -> None:
    """A week of bytes for half a request in a thousand is no segment; two in a thousand are one."""
    assert retention_segments([1, 2], [0.9, 0.9005], [10, 1e6], 4).d_hit == pytest.approx([0.9])
    assert retention_segments([1, 2], [0.9, 0.902], [10, 1e6], 4).d_hit == pytest.approx([0.9, 0.002])


def test_an_empty_curve_is_an_error() -> None:
    """Points without residency (a time to live without end) cannot carry a segment."""
    with pytest.raises(ValueError, match="at least one finite point"):
        retention_segments([np.inf], [1.0], [np.nan], 3)


@given(
    steps=st.lists(st.tuples(st.floats(0.1, 100.0), st.floats(0.0, 1.0)), min_size=1, max_size=30),
    most=st.integers(1, 6),
)
def test_segments_are_concave_and_under_the_hull(steps: list[tuple[float, float]], most: int) -> None:
    """Returns fall from segment to segment, all hits but a worthless tail are kept, and corners are points of the curve."""
    resident, hits = np.cumsum([step[0] for step in steps]), np.cumsum([step[1] for step in steps])
    if hits[-1] <= 0.0:
        return
    found = retention_segments(np.arange(len(steps)), hits, resident, most)
    assert 1 <= len(found) <= most
    slopes = found.d_hit / found.d_resident_tokens
    assert (np.diff(slopes) <= 1e-9 * slopes[:-1]).all()
    assert (1.0 - most * LEAST_HITS) * hits[-1] <= found.d_hit.sum() * (1 + 1e-9) <= hits[-1] * (1 + 1e-8)
    corners = set(zip(resident.tolist(), hits.tolist(), strict=True))
    for place in zip(np.cumsum(found.d_resident_tokens), np.cumsum(found.d_hit), strict=True):
        assert min(abs(place[0] - x) + abs(place[1] - y) for x, y in corners) < 1e-6 * (1 + place[0])


def test_shipped_curves_become_segments() -> None:
    """Every curve of the catalog gives falling returns in six segments."""
    rows = shipped().rows("reuse")
    for curve in {row["curve"] for row in rows}:
        own = [row for row in rows if row["curve"] == curve]
        ttl, hits, resident = (
            [np.nan if row[name] is None else row[name] for row in own]
            for name in ("ttl_s", "hit_frac_of_max", "resident_tokens_per_rps")
        )
        found = retention_segments(ttl, hits, resident, 6)
        assert (np.diff(found.d_hit / found.d_resident_tokens) < 0).all(), curve
        assert found.d_hit.sum() <= 1.0 + 1e-9
