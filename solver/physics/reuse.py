"""What keeping KV caches for a while wins: a retention curve as a few concave segments.

A trace gives, for each time to live, the share of input tokens found in the cache and the tokens that must
stay resident per request/s of arrivals (Little's law). Its upper concave hull is a menu of segments with
falling returns, so a linear model buys them in the right order by itself and needs no binaries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solver.physics.arrays import FloatArray

LEAST_HITS = 1e-3
"""A last segment that adds a smaller share of hits is left out: bytes kept for days for a request in thousands."""


@dataclass(frozen=True)
class Retention:
    """Segments of a concave retention curve, the best return first.

    Attributes
    ----------
    d_hit : array (n,)
        Hits each segment adds, in the unit of the curve's hits (usually a share of the curve's maximum).
    d_resident_tokens : array (n,)
        Tokens each segment keeps resident per request/s of arrivals.
    ttl_s : array (n,)
        Time to live at the segment's far end, seconds.
    """

    d_hit: FloatArray
    d_resident_tokens: FloatArray
    ttl_s: FloatArray

    def __len__(self) -> int:
        return len(self.d_hit)


def retention_segments(
    ttl_s: npt.ArrayLike, hit_frac: npt.ArrayLike, resident_tokens_per_rps: npt.ArrayLike, n: int
) -> Retention:
    """Return at most `n` segments of the concave hull of hits against resident tokens.

    The hull starts at the origin (nothing kept, nothing found) and stops where hits stop growing. It is
    thinned by dropping, one at a time, the corner whose removal loses the least area under the curve; a chord
    of a concave curve lies under it, so thinning never promises hits that the trace did not show. Segments at
    the end that add under `LEAST_HITS` of all hits are cut off, which keeps coefficients near 1.

    Parameters
    ----------
    ttl_s, hit_frac, resident_tokens_per_rps : array_like (m,)
        Points of the curve in any order; points with a missing or infinite value are left out.
    n : int
        Most segments wanted, at least 1.

    Raises
    ------
    ValueError
        If fewer than one point remains or `n` is below 1.
    """
    points = np.column_stack(
        [np.asarray(part, dtype=np.float64) for part in (resident_tokens_per_rps, hit_frac, ttl_s)]
    )
    points = points[np.isfinite(points).all(axis=1)]
    if n < 1 or len(points) == 0:
        raise ValueError("a retention curve needs at least one finite point and one segment")
    points = points[np.lexsort((-points[:, 1], points[:, 0]))]
    corners = [np.zeros(3)]
    for point in points:
        if point[1] <= corners[-1][1]:
            continue
        while len(corners) > 1 and _triangle(corners[-2], corners[-1], point) <= 0.0:
            corners.pop()
        corners.append(point)
    while len(corners) > n + 1:
        areas = [_triangle(*corners[i - 1 : i + 2]) for i in range(1, len(corners) - 1)]
        del corners[int(np.argmin(areas)) + 1]
    most = corners[-1][1]
    while len(corners) > 2 and corners[-1][1] - corners[-2][1] < LEAST_HITS * most:
        corners.pop()
    hull = np.array(corners)
    steps = np.diff(hull, axis=0)
    return Retention(d_hit=steps[:, 1], d_resident_tokens=steps[:, 0], ttl_s=hull[1:, 2])


def _triangle(left: FloatArray, middle: FloatArray, right: FloatArray) -> float:
    """Return twice the signed area of three curve points, positive where `middle` lies above the chord."""
    ahead, across = right - left, middle - left
    return float(ahead[0] * across[1] - ahead[1] * across[0])
