"""The plug-in for another performance model: its words, its file of answers, and the installed package itself."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from operating_points import shipped

from solver.errors import InputError
from solver.estimators import aiconfigurator
from solver.estimators.aiconfigurator import AiConfigurator
from solver.estimators.protocol import TAGS, Question
from solver.performance import predict

INSTALLED = importlib.util.find_spec("aiconfigurator") is not None
QUESTION = Question(
    model_source="github.com/x/y model_configs/maker--Model-7B_config.json", accelerator="part", weight_bytes=1.0,
    kv_bytes=1.0, role="mixed", tp=2, pp=1, dp=4, ep=8, batch=32.0, isl=1000.0, osl=100.0, cached=200.0, engine="vllm",
    is_moe=True,
)  # fmt: skip


class Package:
    """A stand-in for the package: notes what it is asked, refuses measured kernels for one part."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def cli_estimate(self, **arguments: Any) -> types.SimpleNamespace:
        """Answer 100 ms and 10 ms, from formulas where measured kernels were refused."""
        self.asked.append(arguments)
        if arguments["system_name"] == "unmeasured" and arguments["database_mode"] == "SILICON":
            raise KeyError("no such kernels")
        if arguments["system_name"] == "unknown":
            raise ValueError("no such system")
        sources = {"step": {"gemm": "silicon" if arguments["database_mode"] == "SILICON" else "empirical"}}
        return types.SimpleNamespace(ttft=100.0, tpot=10.0, per_ops_source=sources)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Package:
    """Install the stand-in."""
    found = Package()
    api = types.ModuleType("aiconfigurator.cli.api")
    api.cli_estimate = found.cli_estimate  # type: ignore[attr-defined]
    for name in ("aiconfigurator", "aiconfigurator.cli"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "aiconfigurator.cli.api", api)
    monkeypatch.setattr(aiconfigurator, "_version", lambda: "0")
    return found


def test_a_question_is_put_in_its_words(package: Package, tmp_path: Path) -> None:
    """The cited configuration, batch by attention group, experts over all ranks, formats by their bytes."""
    found = AiConfigurator(tmp_path / "answers.json").estimate(QUESTION)
    assert (found.first_token_s, found.tpot_s, found.tag) == (pytest.approx(0.1), pytest.approx(0.01), "silicon")
    asked = package.asked[0]
    assert asked["model_path"] == "maker/Model-7B" and asked["mode"] == "agg" and asked["backend_name"] == "vllm"
    assert (asked["batch_size"], asked["moe_ep_size"], asked["moe_tp_size"], asked["prefix"]) == (8, 8, 1, 200)
    assert asked["gemm_quant_mode"] == "fp8" and asked["kvcache_quant_mode"] == "fp8"
    dense = dataclasses.replace(QUESTION, is_moe=False, weight_bytes=0.5625, kv_bytes=2.0, engine="")
    AiConfigurator(tmp_path / "answers.json").estimate(dense)
    assert "moe_ep_size" not in package.asked[1] and package.asked[1]["gemm_quant_mode"] == "nvfp4"
    assert package.asked[1]["kvcache_quant_mode"] == "bfloat16"


def test_an_answer_is_asked_for_once(package: Package, tmp_path: Path) -> None:
    """The second time the file answers, for another part it does not; a broken file is asked over again."""
    cache = tmp_path / "deep" / "answers.json"
    first = AiConfigurator(cache).estimate(QUESTION)
    assert AiConfigurator(cache).estimate(QUESTION) == first and len(package.asked) == 1
    AiConfigurator(cache).estimate(dataclasses.replace(QUESTION, accelerator="other"))
    assert len(package.asked) == 2
    cache.write_text("{", encoding="utf-8")
    assert AiConfigurator(cache).estimate(QUESTION) == first and len(package.asked) == 3


def test_roles_have_the_times_they_have(package: Package, tmp_path: Path) -> None:
    """Decode has no first token, prefill no time per token."""
    plug_in = AiConfigurator(tmp_path / "answers.json")
    decode, prefill = (plug_in.estimate(dataclasses.replace(QUESTION, role=role)) for role in ("decode", "prefill"))
    assert math.isnan(decode.first_token_s) and decode.tpot_s == pytest.approx(0.01)
    assert math.isnan(prefill.tpot_s) and prefill.first_token_s == pytest.approx(0.1)
    assert [asked["mode"] for asked in package.asked] == ["static_gen", "static_ctx"]


def test_formulas_stand_in_for_kernels_and_say_so(package: Package, tmp_path: Path) -> None:
    """Without measured kernels the answer is tagged empirical; without any the reason is the message."""
    plug_in = AiConfigurator(tmp_path / "answers.json")
    found = plug_in.estimate(dataclasses.replace(QUESTION, accelerator="unmeasured"))
    assert found.tag == "empirical"
    with pytest.raises(InputError, match="no such system"):
        plug_in.estimate(dataclasses.replace(QUESTION, accelerator="unknown"))
    with pytest.raises(InputError, match="names no configuration"):
        plug_in.estimate(dataclasses.replace(QUESTION, model_source="recall"))


def test_the_weakest_source_tags_an_answer() -> None:
    """One estimated operator makes an answer estimated, one empirical one empirical."""
    words = [aiconfigurator._tag({"step": dict(enumerate_words(*found))}, "SILICON")
             for found in (("silicon",), ("silicon", "mixed"), ("silicon", "empirical", "sol"))]  # fmt: skip
    assert words == ["silicon", "empirical", "estimated"] and set(words) == set(TAGS)


def enumerate_words(*words: str) -> list[tuple[str, str]]:
    """Name operators after their place."""
    return [(str(place), word) for place, word in enumerate(words)]


POINT: dict[str, Any] = {"model": "llama-3.1-70b", "accelerator": "h100_sxm", "count": 8, "precision": "fp8",
                         "batch": 64, "isl": 4000, "osl": 500}  # fmt: skip


def test_a_prediction_takes_its_times_and_keeps_power_and_memory(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 requests at 10 ms: 6,400 tokens/s; no range; watts and bytes as ever."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found, own = predict(shipped(), **POINT, estimator="aiconfigurator"), predict(shipped(), **POINT)
    assert found.tpot_s == found.tpot_s_low == found.tpot_s_high == pytest.approx(0.01)
    assert found.output_tokens_per_s == pytest.approx(6400) and found.requests_per_s == pytest.approx(12.8)
    assert found.input_tokens_per_s == pytest.approx(51_200) and found.evidence == "silicon"
    assert (found.power_w, found.kv_free_bytes, found.fits) == (own.power_w, own.kv_free_bytes, own.fits)


@pytest.mark.skipif(INSTALLED, reason="aiconfigurator is installed")
def test_an_absent_package_is_an_input_error_with_the_command() -> None:
    """The message says how to install it."""
    with pytest.raises(InputError, match=r"not installed.*pip install tierwatt\[aiconfigurator\]"):
        predict(shipped(), **POINT, estimator="aiconfigurator")


@pytest.mark.skipif(not INSTALLED, reason="aiconfigurator is not installed (pip install tierwatt[aiconfigurator])")
def test_the_installed_package_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 70B model on eight GPUs: within a factor of three of the project's own times, from measured kernels."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found, own = predict(shipped(), **POINT, estimator="aiconfigurator"), predict(shipped(), **POINT)
    assert 1 / 3 < found.tpot_s / own.tpot_s < 3 and found.evidence in TAGS
    assert (tmp_path / "tierwatt" / "aiconfigurator.json").is_file()
