"""How much of a link's peak a transfer reaches, by its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike


@dataclass(frozen=True)
class TransferEfficiency:
    """Measured shares of a link's peak at some transfer sizes.

    Attributes
    ----------
    bytes, frac : tuple of float
        Sizes, ascending, and the share of the peak that transfers of each size reached.
    """

    bytes: tuple[float, ...]
    frac: tuple[float, ...]

    def at(self, size_bytes: FloatLike) -> FloatArray:
        """Return the share of the peak at a size.

        Linear in the logarithm of the size between measurements, constant above the largest. Below the smallest a
        transfer takes as long as the smallest did: its share falls with its size.

        Parameters
        ----------
        size_bytes : float or array
            Bytes of one transfer.
        """
        size = np.maximum(np.asarray(size_bytes, dtype=np.float64), 1e-9)
        share = np.interp(np.log(size), np.log(self.bytes), self.frac)
        return np.asarray(share * np.minimum(1.0, size / self.bytes[0]))


def transfer_efficiency(points: list[tuple[float, float]], usual_frac: float) -> TransferEfficiency:
    """Return the efficiency of a link from its measured (bytes, share) points, one share for all sizes without any."""
    ordered = sorted(points) or [(1.0, usual_frac)]
    return TransferEfficiency(tuple(size for size, _ in ordered), tuple(frac for _, frac in ordered))
