"""Dominance: within a group, drop every row that another row beats or equals in all costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def undominated(
    group: NDArray[np.int_], cost: NDArray[np.float64], tolerance: float = 1e-12
) -> NDArray[np.intp]:
    """Return the positions of rows that no other row of their group dominates.

    Parameters
    ----------
    group : (N,) array of int
        Rows compete only within their group.
    cost : (N, K) array
        Lower is better in every column. Of equal rows the first is kept.

    Returns
    -------
    (M,) array of positions, ascending.
    """
    varying = cost[:, np.ptp(cost, axis=0) > 0] if len(cost) > 1 else cost
    if varying.shape[1] == 0:
        varying = cost[:, :1]
    order = np.lexsort([*varying.T[::-1], group])
    bounds = np.flatnonzero(np.diff(group[order])) + 1
    kept = [_group_front(part, varying, tolerance) for part in np.split(order, bounds)]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.intp)


def _group_front(rows: NDArray[np.intp], cost: NDArray[np.float64], tolerance: float) -> NDArray[np.intp]:
    """Front of one group whose rows are sorted lexicographically, so that only earlier rows can dominate."""
    front = np.empty((len(rows), cost.shape[1]))
    kept: list[int] = []
    for row in rows:
        values = cost[row]
        if not kept or not np.any(np.all(front[: len(kept)] <= values * (1 + tolerance), axis=1)):
            front[len(kept)] = values
            kept.append(int(row))
    return np.asarray(kept, dtype=np.intp)
