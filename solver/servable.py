"""What the program can work with: parts whose figures are known, classes that make tokens.

The catalog also holds announced parts without figures, and robots, video and data lakes. A study that meets them is
told why they stand aside.
"""

from __future__ import annotations

from solver.catalog import Catalog, Row
from solver.parts import Accelerator, Model, Platform
from solver.physics.transformer import missing_fields

SERVED = ("tokens", "shape")
"""Kinds of workload classes that can be served."""


def why_not_evaluated(platform: Row, catalog: Catalog) -> str:
    """Return what keeps a platform's row from being evaluated, or an empty string."""
    lacking = list(Platform.lacking(platform))
    if platform["accelerator_id"]:
        part = catalog.row("accelerators", str(platform["accelerator_id"]))
        lacking += [f"{column} of {part.id}" for column in Accelerator.lacking(part)]
    if lacking:
        return f"cannot be evaluated: no figure for {', '.join(lacking)}"
    if platform["second_accelerators"]:
        return "cannot be evaluated: holds accelerators of two kinds"
    return ""


def why_not_served(workload: Row, model_id: str | None, catalog: Catalog) -> tuple[str, str, str, str] | None:
    """Return why a class cannot be served, or None.

    Parameters
    ----------
    workload : Row
        Its row of the catalog.
    model_id : str or None
        The model a study puts in place of the row's.
    catalog : Catalog

    Returns
    -------
    (str, str, str, str) or None
        Column, value, what is wrong, what is allowed.
    """
    if workload["kind"] not in SERVED:
        message = f"is of kind {workload['kind']} (counted in {workload['unit']}), which cannot be served yet"
        return "id", workload.id, message, "a class of kind " + " or ".join(SERVED)
    model = catalog.row("models", str(model_id or workload["model_id"]))
    gaps = missing_fields(catalog.typed(Model, model.id))
    if model["tflop_per_infer"] is not None:
        return "model_id", model.id, "makes actions or frames, which cannot be served yet", "a language model"
    if gaps:
        return "model_id", model.id, f"has no figure for {', '.join(gaps)}", "a model whose layers are known"
    return None
