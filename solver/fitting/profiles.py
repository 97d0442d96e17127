"""Profiles of single prompts and single decode steps: Splitwise's, and the lines fitted by DistServe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solver.fitting.data import Library, read_table
from solver.fitting.robust import Labels
from solver.performance import ROLE_DECODE, ROLE_PREFILL, Points
from solver.physics.arrays import BoolArray, FloatArray

SPLITWISE_TABLE = "measured_splitwise.csv"
SPLITWISE_COLUMNS = (
    "model hardware tensor_parallel prompt_size batch_size token_size prompt_time_ms token_time_ms"
).split()
DISTSERVE_TABLE = "distserve_latency_fit_a100.csv"
DISTSERVE_COLUMNS = "engine model tp phase A_ms B_ms C_ms".split()
_DISTSERVE_GPU = "a100-80gb"
"""The profiled part, as its table is titled."""

OLD_VLLM = "vllm2023"
"""Setup of profiles taken with vLLM before it captured graphs."""

_CAPPED = "-pcap"
_PROMPTS = ((1, 128), (1, 512), (1, 1024), (1, 2000), (4, 512), (4, 1024))
"""(Prompts, tokens) at which the fitted lines of prompt times are read."""
_SMALL, _LARGE = (1, 8, 32, 64), (128, 192)
"""Batches at which the lines of step times are read: each line holds for one of them."""
_CONTEXTS = (256, 512, 1024)


@dataclass(frozen=True)
class Profiles:
    """Profiled prompts and steps as operating points.

    Attributes
    ----------
    points : Points
        One a profile: the prefill role for prompts, decode for steps.
    time_s : array
        Measured.
    prompt : array of bool
        Whether the time is that of prompts.
    family, model, accelerator, source, setup : array of str
        Labels; sources are ``splitwise`` and ``distserve``, setups the engines of their day.
    """

    points: Points
    time_s: FloatArray
    prompt: BoolArray
    family: Labels
    model: Labels
    accelerator: Labels
    source: Labels
    setup: Labels


def read_profiles(folder: Path, library: Library) -> Profiles | None:
    """Return the profiles of models in the catalog, None where the folder has none.

    DistServe's lines lie in the folder, or in ``anchors`` beside it.
    """
    rows: list[dict[str, Any]] = []
    if (folder / SPLITWISE_TABLE).is_file():
        rows += _splitwise(read_table(folder, SPLITWISE_TABLE, SPLITWISE_COLUMNS))
    for place in (folder, folder.parent / "anchors"):
        if (place / DISTSERVE_TABLE).is_file():
            rows += _distserve(read_table(place, DISTSERVE_TABLE, DISTSERVE_COLUMNS))
            break
    frame = pd.DataFrame(rows)
    frame = frame[library.known(frame["model"])] if rows else frame
    if frame.empty:
        return None
    places = library.model(frame["model"])
    prompt = frame["prompt"].to_numpy(dtype=np.bool_)
    accelerator = library.accelerator(frame["gpu"])
    points = library.points(
        model=places,
        accelerator=accelerator,
        weight_precision=library.sixteen_bit(),
        kv_precision=library.sixteen_bit(),
        role=np.where(prompt, ROLE_PREFILL, ROLE_DECODE),
        tp=frame["tp"],
        batch=frame["batch"],
        isl_new=frame["isl"],
        context=frame["context"],
        osl=frame["osl"],
        chunk=frame["batch"] * frame["isl"],
    )
    return Profiles(
        points=points,
        time_s=frame["time_s"].to_numpy(dtype=np.float64),
        prompt=prompt,
        family=np.array([library.models[place].family for place in places]),
        model=np.array([library.models[place].id for place in places]),
        accelerator=np.array([library.accelerators[place].id for place in accelerator]),
        source=frame["source"].to_numpy(dtype=np.str_),
        setup=frame["setup"].to_numpy(dtype=np.str_),
    )


def _splitwise(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield a prompt and a step for each uncapped row."""
    for row in frame[~frame["hardware"].str.endswith(_CAPPED)].to_dict("records"):
        base = {"model": row["model"], "gpu": row["hardware"], "tp": row["tensor_parallel"], "source": "splitwise"}
        base |= {"setup": OLD_VLLM}
        base |= {"batch": row["batch_size"], "isl": row["prompt_size"]}
        yield base | {"prompt": True, "osl": 1.0, "context": row["prompt_size"], "time_s": row["prompt_time_ms"] / 1e3}
        context = row["prompt_size"] + row["token_size"] / 2.0
        yield base | {
            "prompt": False, "osl": row["token_size"], "context": context, "time_s": row["token_time_ms"] / 1e3
        }  # fmt: skip


def _distserve(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield points on the fitted lines ``A + B sum(len) + C sum(len^2)`` and ``A + B sum(ctx) + C batch``.

    Ranks that do not divide the heads evenly (three) are left out.
    """
    for row in frame[frame["tp"] != 3].to_dict("records"):
        base = {"model": row["model"], "gpu": _DISTSERVE_GPU, "tp": row["tp"], "source": "distserve"}
        base |= {"setup": "distserve" if row["engine"] == "distserve" else OLD_VLLM}
        a, b, c = (row[name] / 1e3 for name in ("A_ms", "B_ms", "C_ms"))
        if row["phase"] == "prefill":
            for batch, length in _PROMPTS:
                time_s = a + b * batch * length + c * batch * length**2
                yield base | {
                    "prompt": True, "batch": batch, "isl": length, "osl": 1.0, "context": length, "time_s": time_s
                }  # fmt: skip
        else:
            for batch in _SMALL if "small" in row["phase"] else _LARGE:
                for length in _CONTEXTS:
                    time_s = a + b * batch * length + c * batch
                    yield base | {
                        "prompt": False, "batch": batch, "isl": length, "osl": 64.0, "context": length,
                        "time_s": time_s,
                    }  # fmt: skip
