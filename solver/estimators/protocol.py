"""What another performance model is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

TAGS = ("silicon", "empirical", "estimated")
"""What an answer rests on: kernels measured on the part, formulas fitted to them, or something weaker."""


@dataclass(frozen=True)
class Question:
    """One operating point in plain numbers and public names.

    Attributes
    ----------
    model_source : str
        Where the model's dimensions come from, which names its public configuration.
    accelerator : str
        Catalog id.
    weight_bytes, kv_bytes : float
        Per parameter, per KV element.
    role : {"prefill", "decode", "mixed"}
        What the replica does.
    tp, pp, dp, ep : int
        Parallelism.
    batch, isl, osl, cached : float
        As in `solver.predict`.
    engine : str
        Serving engine.
    is_moe : bool
        Whether the model routes tokens to experts.
    """

    model_source: str
    accelerator: str
    weight_bytes: float
    kv_bytes: float
    role: str
    tp: int
    pp: int
    dp: int
    ep: int
    batch: float
    isl: float
    osl: float
    cached: float
    engine: str
    is_moe: bool


@dataclass(frozen=True)
class Estimate:
    """An answer: seconds, nan where the role has no such time, and what it rests on (a word of `TAGS`)."""

    first_token_s: float
    tpot_s: float
    tag: str


class Estimator(Protocol):
    """A performance model for single points."""

    def estimate(self, question: Question) -> Estimate:
        """Answer a question.

        Raises
        ------
        InputError
            If the model is not installed, or cannot answer.
        """
        ...
