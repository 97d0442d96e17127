"""What one rank reads and computes with, and how the model is cut over ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike
from solver.physics.transformer import Architecture

WIDE_BYTES = 2.0
"""Bytes of 16-bit numbers: activations on a link, the LM head, and what checkpoints leave unquantised."""


@dataclass(frozen=True)
class Rank:
    """One rank of a replica; one array entry a point.

    A rank holds ``1 / tp`` of the dense weights (attention-DP repeats them in each of its groups) and
    ``1 / (tp * dp)`` of the experts. Pipeline stages are not seen here: a token passes all of them, so a step
    takes as long as all layers take on ``tp * dp`` ranks.

    Attributes
    ----------
    bandwidth : array
        Bytes/s of its local memory.
    weight_rate, wide_rate : array
        FLOP/s of products in the weights' format, and in 16 bits.
    weight_bytes, kv_bytes : array
        Bytes per parameter and per KV element.
    link : array
        Bytes/s to the other ranks of its scale-up domain, one direction.
    port, domain : array
        Bytes/s of its scale-out port, one direction, and accelerators of a scale-up domain.
    tp, dp, ep : array
        Tensor, attention-data and expert parallelism.
    """

    bandwidth: FloatArray
    weight_rate: FloatArray
    wide_rate: FloatArray
    weight_bytes: FloatArray
    kv_bytes: FloatArray
    link: FloatArray
    port: FloatArray
    domain: FloatArray
    tp: FloatArray
    dp: FloatArray
    ep: FloatArray

    @property
    def domains(self) -> FloatArray:
        """Scale-up domains that the ``tp * dp`` ranks take, as few as hold them."""
        return np.asarray(np.ceil(self.tp * self.dp / self.domain))

    @property
    def tp_domains(self) -> FloatArray:
        """Scale-up domains that the ranks of one tensor group take."""
        return np.asarray(np.ceil(self.tp / self.domain))

    @property
    def quantised(self) -> FloatArray:
        """1.0 where weights are narrower than 16 bits."""
        return np.where(self.weight_bytes < WIDE_BYTES, 1.0, 0.0)

    @property
    def keeps_wide(self) -> FloatArray:
        """1.0 where checkpoints leave some parts in 16 bits: weights below 8 bits."""
        return np.where(self.weight_bytes < 1.0, 1.0, 0.0)


def weight_bytes(model: Architecture, rank: Rank, drafting: FloatLike = 0.0) -> FloatArray:
    """Return the bytes of weights on each of the ``tp * dp`` ranks, experts spread over the whole replica.

    Embedding and LM head are kept in 16 bits, and so are the unquantised parameters of narrow checkpoints; a head that
    drafts shares them, and adds `drafting` of the layers.
    """
    kept = model.unquantised * rank.keeps_wide
    ends = np.maximum(0.0, model.total - model.routed - model.dense)
    always = kept * WIDE_BYTES + (model.dense - kept) * rank.weight_bytes
    ends_bytes = ends * np.maximum(WIDE_BYTES, rank.weight_bytes)
    routed = model.routed / (rank.tp * rank.dp) * rank.weight_bytes
    return np.asarray(ends_bytes / rank.tp + (always / rank.tp + routed) * (1.0 + np.asarray(drafting)))
