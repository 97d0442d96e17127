"""Measured serving runs as operating points: colocated replicas, and decode workers served apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from solver.fitting.data import Library, read_table
from solver.fitting.robust import Labels
from solver.performance import ROLE_DECODE, ROLE_MIXED, Points, default_kv_precision
from solver.physics.arrays import BoolArray, FloatArray

TABLE = "measured_serving.csv"
COLUMNS = (
    "model gpu tp pp dp ep precision concurrency bs_per_rank isl osl ttft_ms tpot_ms backend dataset qflags"
).split()
APART_TABLE = "measured_disagg.csv"
APART_COLUMNS = (
    "model_path system precision isl osl concurrency decode_num_workers decode_tp_size "
    "decode_attention_dp_size decode_moe_ep_size silicon_tpot_ms backend"
).split()

_DRAWN_LENGTHS = {"inferencex": 0.9}
"""Dataset prefix -> mean over nominal length: lengths are drawn evenly from 0.8 to 1.0 of the nominal."""

_QUANTISED_KV = ("trtllm",)
"""Engines whose quantised checkpoints carry quantised KV; the others keep 16 bits unless told."""

_QUIET = 4.0
"""Most requests on a rank of a quiet run."""

_CHUNK_TOKENS = 8192.0
"""Tokens of a pass in the published server commands."""


@dataclass(frozen=True)
class Runs:
    """Measured runs as operating points.

    Attributes
    ----------
    points : Points
        One a run.
    tpot_s, ttft_s, tokens_per_s : array
        Measured; tokens over the whole replica.
    family, model, engine, accelerator : array of str
        Labels.
    longest_prompt : float
        Tokens of the longest nominal prompt.
    quiet : array of bool
        Runs with few requests on a rank, whose first tokens hardly queue.
    oracle_tpot_s, oracle_ttft_s, oracle_tokens_per_s : array
        What another estimator said of the same rows, nan where it said nothing.
    precision, protocol : array of str
        Labels.
    """

    points: Points
    tpot_s: FloatArray
    ttft_s: FloatArray
    tokens_per_s: FloatArray
    family: Labels
    model: Labels
    engine: Labels
    accelerator: Labels
    longest_prompt: float
    quiet: BoolArray
    oracle_tpot_s: FloatArray
    oracle_ttft_s: FloatArray
    oracle_tokens_per_s: FloatArray
    precision: Labels
    protocol: Labels


@dataclass(frozen=True)
class Apart:
    """Measured decode workers of disaggregated runs as operating points.

    Attributes
    ----------
    points : Points
        One a run.
    tpot_s : array
        Measured.
    family, model, engine, accelerator, precision : array of str
        Labels.
    oracle_tpot_s : array
        What another estimator said of the same rows, nan where it said nothing.
    """

    points: Points
    tpot_s: FloatArray
    family: Labels
    model: Labels
    engine: Labels
    accelerator: Labels
    precision: Labels
    oracle_tpot_s: FloatArray


def read_runs(folder: Path, library: Library) -> tuple[Runs, int]:
    """Return the clean runs of models in the catalog, and how many clean runs had to be left out."""
    frame = read_table(folder, TABLE, COLUMNS)
    clean = frame[frame["qflags"].isna()]
    kept = clean[library.known(clean["model"])]
    prefix = kept["dataset"].str.split("_").str[0]
    scale = prefix.map(_DRAWN_LENGTHS).fillna(1.0)
    weights = library.precision(kept["precision"]).to_numpy()
    own_kv = [default_kv_precision(library.precisions, place) for place in weights]
    kv = np.where(kept["backend"].isin(_QUANTISED_KV), own_kv, library.sixteen_bit())
    isl, osl = kept["isl"] * scale, kept["osl"] * scale
    places = library.model(kept["model"])
    points = library.points(
        model=places,
        accelerator=library.accelerator(kept["gpu"]),
        weight_precision=weights,
        kv_precision=kv,
        role=ROLE_MIXED,
        tp=kept["tp"],
        pp=kept["pp"],
        dp=kept["dp"],
        ep=kept["ep"],
        batch=kept["concurrency"],
        isl_new=isl,
        context=isl + osl / 2.0,
        osl=osl,
        chunk=_CHUNK_TOKENS,
    )
    tpot, ttft = (kept[name].to_numpy(dtype=np.float64) / 1e3 for name in ("tpot_ms", "ttft_ms"))
    runs = Runs(
        points=points,
        tpot_s=tpot,
        ttft_s=ttft,
        tokens_per_s=points.batch * points.osl / (ttft + tpot * (points.osl - 1.0)),
        family=np.array([library.models[place].family for place in places]),
        model=np.array([library.models[place].id for place in places]),
        engine=kept["backend"].to_numpy(dtype=np.str_),
        accelerator=kept["gpu"].to_numpy(dtype=np.str_),
        longest_prompt=float(kept["isl"].max()),
        quiet=(kept["bs_per_rank"] <= _QUIET).to_numpy(dtype=np.bool_),
        oracle_tpot_s=_oracle(kept, "aic_tpot_ms") / 1e3,
        oracle_ttft_s=_oracle(kept, "aic_ttft_ms") / 1e3,
        oracle_tokens_per_s=_oracle(kept, "aic_tok_s_gpu") * points.count,
        precision=kept["precision"].to_numpy(dtype=np.str_),
        protocol=prefix.to_numpy(dtype=np.str_),
    )
    return runs, len(clean) - len(kept)


def read_apart(folder: Path, library: Library) -> Apart:
    """Return the decode workers of disaggregated runs of models in the catalog."""
    frame = read_table(folder, APART_TABLE, APART_COLUMNS)
    told = frame.dropna(subset=["decode_tp_size", "concurrency", "silicon_tpot_ms"])
    kept = told[library.known(told["model_path"])]
    scale = _DRAWN_LENGTHS["inferencex"]
    weights = library.precision(kept["precision"]).to_numpy()
    isl, osl = kept["isl"] * scale, kept["osl"] * scale
    points = library.points(
        model=library.model(kept["model_path"]),
        accelerator=library.accelerator(kept["system"]),
        weight_precision=weights,
        kv_precision=[default_kv_precision(library.precisions, place) for place in weights],
        role=ROLE_DECODE,
        tp=kept["decode_tp_size"],
        dp=kept["decode_attention_dp_size"].fillna(1),
        ep=kept["decode_moe_ep_size"].fillna(1).clip(lower=1),
        batch=kept["concurrency"] / kept["decode_num_workers"],
        isl_new=isl,
        context=isl + osl / 2.0,
        osl=osl,
        chunk=_CHUNK_TOKENS,
    )
    tpot = kept["silicon_tpot_ms"].to_numpy(dtype=np.float64) / 1e3
    places = library.model(kept["model_path"])
    return Apart(
        points=points,
        tpot_s=tpot,
        family=np.array([library.models[place].family for place in places]),
        model=np.array([library.models[place].id for place in places]),
        engine=kept["backend"].to_numpy(dtype=np.str_),
        accelerator=kept["system"].to_numpy(dtype=np.str_),
        precision=kept["precision"].to_numpy(dtype=np.str_),
        oracle_tpot_s=_oracle(kept, "aic_tpot_ms") / 1e3,
    )


def _oracle(rows: pd.DataFrame, column: str) -> FloatArray:
    """Return a column of another estimator, nan where the table does not have it."""
    if column not in rows.columns:
        return np.full(len(rows), np.nan)
    return rows[column].to_numpy(dtype=np.float64)
