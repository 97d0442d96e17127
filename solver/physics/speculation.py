"""Speculative decoding: k tokens are drafted one by one, and one step of the model verifies them and adds its own.

The head that drafts is taken for one more layer of the model with its LM head, as multi-token prediction and
EAGLE heads are: it reads and computes what a layer does, keeps KV of its own, and drafts one token a pass. Steps
that verify put ``k + 1`` tokens of each request through every product, read its KV once, and touch as many experts
as that many unlike tokens would. Drafting beside a prompt's prefill (one layer more) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike


def tokens_per_step(drafts: FloatLike, acceptance: FloatLike) -> FloatArray:
    """Return the tokens that a step yields on average, ``(1 - a ** (k + 1)) / (1 - a)``: 1 to ``k + 1``.

    Parameters
    ----------
    drafts : array
        Tokens drafted, k.
    acceptance : array
        Chance a that a token is accepted if all before it were, the same at every place.
    """
    share, rows = np.asarray(acceptance, dtype=np.float64), np.asarray(drafts, dtype=np.float64) + 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share < 1.0, (1.0 - share**rows) / (1.0 - share), rows)


@dataclass(frozen=True)
class Speculation:
    """Drafts of each point.

    Attributes
    ----------
    drafts : array
        Tokens drafted in a step, 0 for none.
    tokens : array
        Tokens that a step yields, 1 without drafts.
    """

    drafts: FloatArray
    tokens: FloatArray

    @classmethod
    def of(cls, drafts: FloatArray, acceptance: FloatArray) -> Speculation:
        """Return the speculation of points that draft so many tokens with this acceptance."""
        return cls(drafts, tokens_per_step(drafts, acceptance))

    @property
    def rows(self) -> FloatArray:
        """Tokens of a request that a step computes."""
        return self.drafts + 1.0

    @property
    def used(self) -> bool:
        """True where any point drafts."""
        return bool(np.any(self.drafts > 0.0))

    def kept_share(self, layers: FloatArray) -> FloatArray:
        """Return what the draft's layer adds to the layers' weights and KV; 0 where nothing is drafted."""
        return np.where(self.drafts > 0.0, 1.0 / layers, 0.0)
