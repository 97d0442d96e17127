"""Dominance: within a group, drop every row that another row beats or equals in all costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]
BLOCK = 256
"""Rows that are set against a front at once."""


def undominated(group: NDArray[np.int_], cost: FloatArray) -> Rows:
    """Return the positions of rows that no other row of their group dominates.

    A first pass compares rows that differ in the first two costs only, by sorting; it is near linear and leaves
    few. A second pass compares what is left in all costs.

    Parameters
    ----------
    group : (N,) array of int
        Rows compete only within their group.
    cost : (N, K) array, K >= 2
        Lower is better in every column. Of equal rows the first is kept.

    Returns
    -------
    (M,) array of positions, ascending.
    """
    if len(cost) == 0:
        return np.zeros(0, dtype=np.intp)
    left = _front_of_two(labels(group, *cost[:, 2:].T), cost)
    order = left[np.lexsort([*cost[left].T[::-1], group[left]])]
    bounds = np.flatnonzero(np.diff(group[order])) + 1
    return np.sort(np.concatenate([_front(part, cost) for part in np.split(order, bounds)]))


def labels(*columns: NDArray[np.generic]) -> NDArray[np.int_]:
    """Number the distinct rows of some columns, from 0, in lexicographic order; shape (N,).

    Columns that hold one value only cost one look; the others are sorted once, all together.
    """
    varying = [column for column in columns if len(column) and (column != column[0]).any()]
    if not varying:
        return np.zeros(len(columns[0]), dtype=np.int64)
    order = np.lexsort(varying[::-1])
    new = np.zeros(len(order), dtype=bool)
    for column in varying:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def _front_of_two(group: NDArray[np.int_], cost: FloatArray) -> Rows:
    """Front in the first two costs: sorted by the first, a row stays if its second is a new minimum."""
    order = np.lexsort([cost[:, 1], cost[:, 0], group])
    rank = labels(cost[:, 1])[order]
    # Later groups get lower keys, so that one running minimum serves all of them.
    key = rank - group[order] * (rank.max() + 2)
    before = np.minimum.accumulate(np.concatenate([[np.iinfo(np.int64).max], key[:-1]]))
    return np.asarray(order[key < before], dtype=np.intp)


def _front(rows: Rows, cost: FloatArray) -> Rows:
    """Front of one group whose rows are sorted lexicographically, so that only earlier rows can dominate.

    Rows come in blocks: each is set against the front so far, then against the earlier rows of its block. A row that
    is itself dominated may serve as witness, since what dominates it dominates further.
    """
    if len(rows) == 1:
        return rows
    values = cost[rows]
    kept = np.zeros(0, dtype=np.intp)
    for begin in range(0, len(rows), BLOCK):
        block = np.arange(begin, min(begin + BLOCK, len(rows)))
        block = block[~_any_below(values[kept], values[block]).any(axis=0)]
        earlier = np.triu(_any_below(values[block], values[block]), k=1)
        kept = np.concatenate([kept, block[~earlier.any(axis=0)]])
    return rows[kept]


def _any_below(lower: FloatArray, upper: FloatArray) -> NDArray[np.bool_]:
    """Whether row i of the first is at most row j of the second in every column; shape (I, J)."""
    below = np.ones((len(lower), len(upper)), dtype=bool)
    for one, other in zip(lower.T, upper.T, strict=True):
        below &= one[:, None] <= other[None, :]
    return below
