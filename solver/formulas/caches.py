"""Numbers of a class that need no design: its KV cache and the weights of its model."""

from __future__ import annotations

import numpy as np

from solver.formulas.asking import COMPUTED, Ask, derived
from solver.formulas.records import CLASS, Sheet, Term, number
from solver.parts import Model
from solver.physics.kv import KvLayout, kv_layout
from solver.physics.rank import WIDE_BYTES, Rank
from solver.physics.rank import weight_bytes as bytes_of_weights
from solver.physics.transformer import Architecture, architecture

_COUNTED = "counted from the model's row by solver.physics.transformer"


def _model(ask: Ask) -> Model:
    return ask.facts.models[ask.work.model_id]


def kv_of(ask: Ask) -> KvLayout:
    """What a sequence of the class's model stores."""
    return kv_layout(_model(ask))


def kv_width(ask: Ask) -> float:
    """Bytes of one element of the class's KV cache."""
    return ask.facts.precisions[ask.work.kv_precision].kv_bytes_per_element


def _cells(ask: Ask, *columns: str) -> tuple[Term, ...]:
    return tuple(ask.row("models", ask.work.model_id, column) for column in columns)


def _element(ask: Ask) -> Term:
    return ask.row("precisions", ask.work.kv_precision, "kv_bytes_per_element", "element_bytes")


def _is_compressed(ask: Ask) -> bool:
    """True where the catalog states bytes per token because tokens share entries."""
    found = _model(ask)
    return any(word in found.attention for word in ("CSA", "HCA"))


def _per_layer(ask: Ask) -> tuple[str, tuple[Term, ...]]:
    """Elements that one layer keeps of one token: a latent and a rotary key, or keys and values of all heads."""
    if "MLA" in _model(ask).attention:
        return "(mla_kv_lora_rank + mla_rope_dim)", _cells(ask, "mla_kv_lora_rank", "mla_rope_dim")
    return "2 * n_kv_heads * head_dim", _cells(ask, "n_kv_heads", "head_dim")


@number("kv_bytes_per_token", "KV cache of one token of context, in layers that keep every token", "B/token", CLASS,
        lambda ask: float(kv_of(ask).token_elements * kv_width(ask) + kv_of(ask).index_bytes))  # fmt: skip
def kv_bytes_per_token(ask: Ask) -> Sheet:
    """Layers that keep every token, times what each keeps of one, at the precision of the cache."""
    if _is_compressed(ask):
        fp8, bf16 = "kv_bytes_per_token_fp8", "kv_bytes_per_token_bf16"
        return Sheet(f"({bf16} - {fp8}) * element_bytes + 2 * {fp8} - {bf16}", (*_cells(ask, bf16, fp8), _element(ask)))
    each, terms = _per_layer(ask)
    layers = _cells(ask, "n_attention_layers", "sliding_layers")
    text = f"(n_attention_layers - sliding_layers) * {each} * element_bytes"
    index = _cells(ask, "index_bytes_per_token_layer")
    if index[0].value:
        return Sheet(f"{text} + n_attention_layers * {index[0].name}", (*layers, *terms, _element(ask), *index))
    return Sheet(text, (*layers, *terms, _element(ask)))


@number("kv_window_bytes", "KV cache of all full windows of one sequence", "B", CLASS,
        lambda ask: float(kv_of(ask).window_elements * kv_width(ask)))  # fmt: skip
def kv_window_bytes(ask: Ask) -> Sheet:
    """Sliding layers, times what each keeps of one token, times the tokens of a window."""
    if _is_compressed(ask):
        return Sheet("kv_window_bytes_bf16 / 2 * element_bytes", (*_cells(ask, "kv_window_bytes_bf16"), _element(ask)))
    each, terms = _per_layer(ask)
    window = derived("window_tokens", _model(ask).sliding_window or 1, "tokens", f"models {ask.work.model_id}")
    return Sheet(f"sliding_layers * {each} * window_tokens * element_bytes",
                 (*_cells(ask, "sliding_layers"), *terms, window, _element(ask)))  # fmt: skip


@number("context_tokens", "Context that a decode step sees on average", "tokens", CLASS, lambda ask: ask.work.context)
def context_tokens(ask: Ask) -> Sheet:
    """Tokens of context, weighted by how long requests stay."""
    return Sheet("isl + osl * (1 + osl_cv ** 2) / 2",
                 (ask.field("isl_tokens"), ask.field("osl_tokens"), ask.field("osl_cv")))  # fmt: skip


def _sequence(ask: Ask, tokens: Term) -> Sheet:
    """Bytes of one copy of a sequence's own KV: without the tokens that all requests share."""
    text = f"kv_bytes_per_token * ({tokens.name} - system_tokens)"
    terms: tuple[Term, ...] = (ask.number("kv_bytes_per_token"), tokens, ask.field("system_tokens"))
    if kv_of(ask).window_elements:
        fill = derived(
            "window_fill", float(kv_of(ask).window_fill(tokens.value)), "share", "context over the window, at most 1"
        )
        text, terms = f"{text} + kv_window_bytes * window_fill", (*terms, ask.number("kv_window_bytes"), fill)
    if kv_of(ask).state_bytes:
        text, terms = f"{text} + state_bytes_per_seq", (*terms, *_cells(ask, "state_bytes_per_seq"))
    return Sheet(text, terms)


def _own_bytes(ask: Ask, tokens: float) -> float:
    return float(kv_of(ask).private_bytes(tokens, ask.work.system_tokens, kv_width(ask)))


@number("active_kv_bytes_per_request", "Active KV of one request while it decodes, one copy", "B", CLASS,
        lambda ask: _own_bytes(ask, ask.work.context))  # fmt: skip
def active_kv_bytes_per_request(ask: Ask) -> Sheet:
    """Bytes per token over the mean context, windows and state on top."""
    return _sequence(ask, ask.number("context_tokens"))


@number("prompt_kv_bytes", "KV of one prompt, which is handed over or parked", "B", CLASS,
        lambda ask: _own_bytes(ask, ask.work.isl))  # fmt: skip
def prompt_kv_bytes(ask: Ask) -> Sheet:
    """Bytes per token over the prompt, windows and state on top."""
    return _sequence(ask, ask.field("isl_tokens"))


@number("load_bytes", "KV that a hit loads", "B", CLASS,
        lambda ask: ask.facts.kv_bytes(ask.work) * ask.facts.loaded_share(ask.work))  # fmt: skip
def load_bytes(ask: Ask) -> Sheet:
    """The cached part of a prompt's own tokens."""
    terms = (ask.number("prompt_kv_bytes"), ask.field("isl_tokens"), ask.field("reuse_frac_max"))
    return Sheet("prompt_kv_bytes * max(0, isl * reuse_frac_max - system_tokens) / (isl - system_tokens)",
                 (*terms, ask.field("system_tokens")))  # fmt: skip


def _precision(ask: Ask) -> str:
    """Precision of the weights: of the load entry where one is named, else the first that the class accepts."""
    return str(ask.item["precision"]) if ask.load_id is not None else ask.work.weight_precisions[0]


def _arch(ask: Ask) -> Architecture:
    return architecture([_model(ask)])


def _whole_weights(ask: Ask) -> float:
    """Bytes of all weights as the physics lays them on one rank."""
    width = ask.facts.precisions[_precision(ask)].weight_bytes_per_param
    one = np.ones(1)
    rank = Rank(one, one, one, one * width, one, one, one, one, one, one, one)
    return float(bytes_of_weights(_arch(ask), rank)[0])


def weight_terms(ask: Ask, precision: str) -> tuple[Term, ...]:
    """Parameters of a model by how they are stored, with bytes of each kind."""
    found, name = _arch(ask), ask.work.model_id
    width = ask.row("precisions", precision, "weight_bytes_per_param")
    kept = float(found.unquantised[0]) if width.value < 1.0 else 0.0
    row = ask.facts.row("models", name)
    source = f"{_COUNTED}; models {name}: {row.get('source') or 'no source given'}"
    ends = max(0.0, float(found.total[0] - found.routed[0] - found.dense[0]))
    parts = {"end_params": ends, "kept_params": kept, "dense_params": float(found.dense[0]) - kept,
             "routed_params": float(found.routed[0])}  # fmt: skip
    terms = tuple(Term(key, value, "parameters", source, COMPUTED) for key, value in parts.items())
    wide = derived("end_bytes", max(WIDE_BYTES, width.value), "B", "embedding and LM head stay in 16 bits or more")
    return (*terms, wide, width)


@number("weight_bytes", "Weights of the class's model at a precision that it accepts", "B", CLASS, _whole_weights)
def weight_bytes(ask: Ask) -> Sheet:
    """Embedding and head in 16 bits, what checkpoints leave unquantised too, the rest at the precision."""
    text = "end_params * end_bytes + kept_params * 2 + (dense_params + routed_params) * weight_bytes_per_param"
    return Sheet(text, weight_terms(ask, _precision(ask)))
