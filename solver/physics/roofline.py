"""Passes of one rank put together: a decode step, a step that prefills beside, a prompt on its own.

A pass is the sum over its operators of ``soft_maximum(bytes / bandwidth, FLOPs / rate)``, each at an attained
share of its peak, plus the exchange between ranks. Overheads are in `solver.physics.overhead`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike
from solver.physics.attention import decode_attention, prefill_attention
from solver.physics.coefficients import TimeCoefficients
from solver.physics.exchange import exchange_s
from solver.physics.products import Tokens, Work, dense_products, expert_products, head_product
from solver.physics.rank import Rank, weight_bytes
from solver.physics.speculation import Speculation
from solver.physics.transformer import Architecture

__all__ = ["Prompt", "Rank", "Reads", "Speculation", "Steps", "Work", "prefill_work", "step_work", "weight_bytes"]


@dataclass(frozen=True)
class Reads:
    """What a decoding request attends to: tokens of context, and the share of their keys read each step."""

    context: FloatArray
    frac: FloatArray


@dataclass(frozen=True)
class Prompt:
    """What is prefilled.

    Attributes
    ----------
    new, cached : array
        Tokens to prefill, and tokens found in the cache.
    chunk : array
        Most prompt tokens in one pass.
    """

    new: FloatArray
    cached: FloatArray
    chunk: FloatArray

    def passes(self) -> FloatArray:
        """Return the passes of one prompt alone, at least 1 and not rounded: prompts share passes."""
        return np.maximum(1.0, self.new / self.chunk)


@dataclass(frozen=True)
class Steps:
    """Decode steps of a replica.

    Attributes
    ----------
    pure : Work
        A step that only decodes.
    mean : Work
        The mean step, prefill beside it included.
    prefilling : array
        Share of the steps that carry a chunk of a prompt.
    """

    pure: Work
    mean: Work
    prefilling: FloatArray


def step_work(
    model: Architecture, rank: Rank, batch: FloatArray, reads: Reads, begun: FloatArray, prompt: Prompt,
    k: TimeCoefficients, speculation: Speculation,
) -> Steps:  # fmt: skip
    """Return the work of the decode steps of a replica that may also prefill.

    A request is prefilled once in its osl tokens, so ``u = batch tokens / (dp osl)`` prompts begin on a group in
    each step. Where they are fewer than the steps, a share of the steps carries a chunk of a prompt, whose tokens
    read the weights together with those that decode. Drafts are computed one after the other beside the step.

    Parameters
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    batch : array
        Requests in the step over all ``tp * dp`` ranks, at least 1.
    reads : Reads
        What each request attends to.
    begun : array
        Prompts begun in a step on each attention-data group; 0 where prefill happens elsewhere.
    prompt : Prompt
        What is prefilled.
    k : TimeCoefficients
        Attained shares of peaks.
    speculation : Speculation
        Tokens drafted, which the step verifies.
    """
    share = np.minimum(1.0, begun * prompt.passes())
    chunk = begun * prompt.new / np.where(share > 0.0, share, 1.0)
    spread, rows = batch / rank.dp, speculation.rows
    local = np.maximum(1.0, spread)

    def products(prefilling: FloatLike) -> Work:
        dense = dense_products(model, rank, Tokens(local * rows, prefilling), k)
        return dense + expert_products(model, rank, Tokens(spread * rows, prefilling), k)

    always = decode_attention(model, rank, local, reads.context, reads.frac, k, rows)
    always = always + head_product(model, rank, local * rows, k)
    if speculation.used:
        always = always + _drafting(model, rank, spread, reads, k).times(speculation.drafts)
    plain, prompts = (
        products(0.0),
        prefill_attention(model, rank, prompt.new, prompt.cached, np.ceil(prompt.passes()), k).times(begun),
    )
    mean = plain.mixed_with(products(chunk), share)
    return Steps(
        pure=_exchanged(plain + always, model, rank, local * rows, k),
        mean=_exchanged(mean + always + prompts, model, rank, local * rows + begun * prompt.new, k),
        prefilling=share,
    )


def _drafting(model: Architecture, rank: Rank, spread: FloatArray, reads: Reads, k: TimeCoefficients) -> Work:
    """Return the work of one drafted token of each request: a layer of the model, and its LM head."""
    local = np.maximum(1.0, spread)
    layers = dense_products(model, rank, Tokens(local, 0.0), k) + expert_products(model, rank, Tokens(spread, 0.0), k)
    layers = layers + decode_attention(model, rank, local, reads.context, reads.frac, k)
    return _exchanged(layers, model, rank, local, k).times(1.0 / model.layers) + head_product(model, rank, local, k)


def prefill_work(
    model: Architecture, rank: Rank, prompts: FloatLike, prompt: Prompt, passes: FloatLike, k: TimeCoefficients
) -> Work:
    """Return the work of prefilling packed prompts, every attention-data group busy alike.

    Parameters
    ----------
    model, rank : Architecture, Rank
        One entry a point.
    prompts : array
        Prompts packed together on each attention-data group.
    prompt : Prompt
        Each of them.
    passes : array
        Passes that the new tokens of all packed prompts are cut into; each reads the weights.
    k : TimeCoefficients
        Attained shares of peaks.
    """
    prompts, passes = np.asarray(prompts), np.asarray(passes)
    tokens = Tokens(0.0, prompts * prompt.new / passes)
    products = dense_products(model, rank, tokens, k) + expert_products(model, rank, tokens, k)
    steps = np.maximum(1.0, passes / prompts)
    attention = prefill_attention(model, rank, prompt.new, prompt.cached, steps, k).times(prompts)
    whole = products.times(passes) + attention + head_product(model, rank, prompts / passes, k).times(passes)
    return _exchanged(whole, model, rank, prompts * prompt.new, k, forwarded=True)


def _exchanged(
    work: Work, model: Architecture, rank: Rank, tokens: FloatLike, k: TimeCoefficients, *, forwarded: bool = False
) -> Work:
    """Return the work with the exchange of its tokens, over links and then over ports."""
    found = exchange_s(model, rank, tokens, k, forwarded=forwarded)
    none = np.zeros_like(found.links_s)
    return work + Work(
        found.links_s + found.ports_s, none, none, found.links_s * k.link_frac, found.ports_s * k.port_frac
    )
