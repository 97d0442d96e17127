"""Single points by an installed aiconfigurator, which interpolates kernels that NVIDIA measured.

It takes seconds to minutes a point, so answers are kept in a file and asked for once. Never needed: a check
from outside, for the parts that it has data of. Install with ``pip install tierwatt[aiconfigurator]``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import io
import json
import logging
import math
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from solver.errors import InputError, Problem
from solver.estimators.protocol import Estimate, Question

NAME = "aiconfigurator"
_MODES = {"mixed": "agg", "decode": "static_gen", "prefill": "static_ctx"}
_DATABASES = ("SILICON", "HYBRID")
"""Measured kernels alone; formulas where some are missing."""
_ENGINE = "trtllm"
"""Asked about unless an engine is named."""
_CONFIGURATION = re.compile(r"model_configs/([\w.-]+?)--([\w.-]+)_config\.json")
"""How the catalog cites a configuration that aiconfigurator ships."""


def default_cache() -> Path:
    """Return the file where answers are kept: in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tierwatt" / f"{NAME}.json"


@dataclass(frozen=True)
class AiConfigurator:
    """The plug-in; `cache` is the file of answers."""

    cache: Path = field(default_factory=default_cache)

    def estimate(self, question: Question) -> Estimate:
        """Answer from the file, or ask the installed package and keep its answer.

        Raises
        ------
        InputError
            If the package is not installed, or the model, part or setting is not in its data.
        """
        arguments = _arguments(question)
        version = _version()
        key = hashlib.sha256(json.dumps([version, arguments], sort_keys=True).encode()).hexdigest()
        known = _read(self.cache)
        if key not in known:
            known[key] = asdict(_asked(question, arguments))
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            self.cache.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        return Estimate(**known[key])


def _arguments(question: Question) -> dict[str, Any]:
    """Return the question in the package's words.

    Raises
    ------
    InputError
        If the catalog does not cite a configuration that the package ships.
    """
    cited = _CONFIGURATION.search(question.model_source)
    if cited is None:
        message, allowed = "its source names no configuration that aiconfigurator ships", "a model with such a source"
        raise InputError([Problem("predict", "", "estimator", NAME, message, allowed)])
    quantised = "bfloat16" if question.weight_bytes >= 2.0 else "fp8" if question.weight_bytes >= 1.0 else "nvfp4"
    ranks = question.tp * question.dp
    experts = {"moe_ep_size": question.ep, "moe_tp_size": max(1, ranks // question.ep)} if question.is_moe else {}
    return {
        "model_path": "/".join(cited.groups()),
        "system_name": question.accelerator,
        "mode": _MODES[question.role],
        "backend_name": question.engine or _ENGINE,
        "isl": round(question.isl),
        "osl": max(2, round(question.osl)),
        "prefix": round(question.cached),
        "batch_size": max(1, round(question.batch / question.dp)),
        "tp_size": question.tp,
        "pp_size": question.pp,
        "attention_dp_size": question.dp,
        "gemm_quant_mode": quantised,
        "moe_quant_mode": quantised,
        "kvcache_quant_mode": "bfloat16" if question.kv_bytes >= 2.0 else "fp8",
        **experts,
    }


def _version() -> str:
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        message, hint = "not installed", f"pip install tierwatt[{NAME}]"
        problem = Problem("predict", "", "estimator", NAME, message, "an installed estimator", hint)
        raise InputError([problem]) from None


def _asked(question: Question, arguments: dict[str, Any]) -> Estimate:
    """Return the package's answer, from measured kernels if they suffice."""
    ask = importlib.import_module(f"{NAME}.cli.api").cli_estimate
    reasons = []
    for database in _DATABASES:
        logging.disable(logging.CRITICAL)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found = ask(**arguments, database_mode=database)
        except Exception as error:  # its errors share no base, and the reason is what the user needs
            reasons.append(f"{type(error).__name__}: {error}".splitlines()[0][:200])
            continue
        finally:
            logging.disable(logging.NOTSET)
        first_s, tpot_s = float(found.ttft) / 1e3, float(found.tpot) / 1e3
        return Estimate(
            first_token_s=math.nan if question.role == "decode" else first_s,
            tpot_s=math.nan if question.role == "prefill" else tpot_s,
            tag=_tag(found.per_ops_source, database),
        )
    raise InputError(
        [Problem("predict", "", "estimator", NAME, f"cannot answer: {reasons[0]}", "a point that it knows")]
    )


def _tag(sources: dict[str, dict[str, str]] | None, database: str) -> str:
    """Return the weakest word that the answer's operators carry."""
    if not sources:
        return "silicon" if database == _DATABASES[0] else "empirical"
    words: Iterable[str] = (word for step in sources.values() for word in step.values())
    found = set(words)
    if found & {"sol", "estimated"}:
        return "estimated"
    return "empirical" if found & {"empirical", "mixed"} else "silicon"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the answers in a file, none where there is none or it is not readable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
