"""Dominance: within a group, drop every row that another row beats or equals in all costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]
BLOCK = 256
"""Rows that are set against a front at once."""
SMALL = 128
"""Groups up to this size are compared all rows with all, many groups at once."""
AT_ONCE = 1 << 21
"""Comparisons of two rows in one step of it."""


def undominated(group: NDArray[np.int_], cost: FloatArray) -> Rows:
    """Return the positions of rows that no other row of their group dominates.

    A first pass sets all rows against a few witnesses of their group, a second compares rows that differ in the first
    two costs only, by sorting; both are near linear and leave few. A third compares what is left in all costs.

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
    varying = np.flatnonzero((cost != cost[0]).any(axis=0))
    if 2 <= len(varying) < cost.shape[1]:
        cost = cost[:, varying]
    left = _unlike_witnesses(group, cost)
    left = left[_front_of_two(labels(group[left], *cost[left, 2:].T), cost[left])]
    order = left[np.lexsort([*cost[left].T[::-1], group[left]])]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(group[order])) + 1])
    sizes = np.diff(begins, append=len(order))
    small = sizes <= SMALL
    fronts = [
        _front(order[begin : begin + size], cost) for begin, size in zip(begins[~small], sizes[~small], strict=True)
    ]
    return np.sort(np.concatenate([_small_fronts(order, begins[small], sizes[small], cost), *fronts]))


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


def _unlike_witnesses(group: NDArray[np.int_], cost: FloatArray) -> Rows:
    """Rows that neither the cheapest of their group all in all, nor the one cheapest in the first cost, dominates."""
    order = np.argsort(group, kind="stable")
    begins = np.concatenate([[0], np.flatnonzero(np.diff(group[order])) + 1])
    sizes = np.diff(begins, append=len(order))
    total = (cost / np.maximum(np.abs(cost).mean(axis=0), 1e-300)).sum(axis=1)
    stays = np.ones(len(order), dtype=bool)
    for score in (total, cost[:, 0]):
        ordered = score[order]
        least = np.repeat(np.minimum.reduceat(ordered, begins), sizes)
        lowest = np.flatnonzero(ordered == least)
        # Of equal rows the first is the witness, since a stable order keeps it so.
        witness = order[lowest[np.searchsorted(lowest, begins)]]
        below = (np.repeat(witness, sizes) != order) & stays[np.repeat(witness, sizes)]
        for column in cost.T:
            below &= np.repeat(column[witness], sizes) <= column[order]
        stays[order[below]] = False
    return np.flatnonzero(stays)


def _front_of_two(group: NDArray[np.int_], cost: FloatArray) -> Rows:
    """Front in the first two costs: sorted by the first, a row stays if its second is a new minimum."""
    order = np.lexsort([cost[:, 1], cost[:, 0], group])
    rank = labels(cost[:, 1])[order]
    # Later groups get lower keys, so that one running minimum serves all of them.
    key = rank - group[order] * (rank.max() + 2)
    before = np.minimum.accumulate(np.concatenate([[np.iinfo(np.int64).max], key[:-1]]))
    return np.asarray(order[key < before], dtype=np.intp)


def _small_fronts(order: Rows, begins: Rows, sizes: Rows, cost: FloatArray) -> Rows:
    """Fronts of groups of few rows, each sorted lexicographically; groups of like size go through together.

    Parameters
    ----------
    order : (L,) array
        Positions in `cost`, group after group.
    begins, sizes : (G,) arrays
        Of the groups in `order`.
    cost : (N, K) array
    """
    kept = [order[begins[sizes == 1]]]
    widths = np.exp2(np.ceil(np.log2(np.maximum(sizes, 1)))).astype(np.intp)
    for width in np.unique(widths[sizes > 1]):
        mine = np.flatnonzero((widths == width) & (sizes > 1))
        for few in np.array_split(mine, -(-len(mine) * width * width // AT_ONCE)):
            place = begins[few, None] + np.arange(width)
            there = np.arange(width) < sizes[few, None]
            rows = order[np.where(there, place, 0)]
            below = np.triu(np.ones((width, width), dtype=bool), k=1) & there[:, :, None] & there[:, None, :]
            for column in cost.T:
                values = column[rows]
                below &= values[:, :, None] <= values[:, None, :]
            kept.append(rows[there & ~below.any(axis=1)])
    return np.concatenate(kept)


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
