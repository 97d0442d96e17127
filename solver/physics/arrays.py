"""Array types shared by the physics modules, and the soft maximum of two times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatLike = float | FloatArray | IntArray
IntLike = int | IntArray


def soft_maximum(one: FloatLike, other: FloatLike) -> FloatArray:
    """Return ``sqrt(one^2 + other^2)``: near the larger where they differ, 1.41 of either where they do not.

    A kernel hides the lesser of its memory and its compute time only in part, least where both are alike.
    """
    return np.asarray(np.sqrt(np.square(one) + np.square(other)))
