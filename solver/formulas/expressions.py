"""Formulas as text that is computed as it reads: what is printed is what was evaluated.

Numbers, names, ``+ - * / **``, brackets and a few functions; a name stands for a number or for a column of them.
Nothing else is understood, so that a formula can hide nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from solver.physics.arrays import FloatArray, FloatLike

_BINARY: dict[type[ast.operator], Callable[[FloatArray, FloatArray], FloatArray]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., FloatLike]] = {
    "sum": lambda column: np.asarray(column).sum(),
    "min": lambda *parts: reduce(np.minimum, parts),
    "max": lambda *parts: reduce(np.maximum, parts),
    "ceil": np.ceil,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "log": np.log,
}
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_]\w*")


def evaluate(text: str, values: Mapping[str, FloatLike]) -> float:
    """Return the value of a formula.

    Parameters
    ----------
    text : str
        The formula.
    values : mapping
        Name to a number, or to a column of which all have the same length.

    Raises
    ------
    ValueError
        If the text holds anything but arithmetic over these names, or leaves a column.
    """
    found = np.asarray(_value(ast.parse(text, mode="eval").body, values), dtype=np.float64)
    if found.ndim:
        raise ValueError(f"{text} is a column, not a number")
    return float(found)


def names(text: str) -> set[str]:
    """Return the names of numbers that a formula holds."""
    return {word for word in _NAME.findall(text) if word not in _FUNCTIONS}


def put_in(text: str, figures: Mapping[str, str]) -> str:
    """Return a formula with numbers in the place of names; names without a figure stay."""
    return _NAME.sub(lambda found: figures.get(found.group(), found.group()), text)


def _value(node: ast.expr, values: Mapping[str, FloatLike]) -> FloatLike:
    """Value of one part of a formula."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = (np.asarray(_value(part, values), dtype=np.float64) for part in (node.left, node.right))
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -np.asarray(_value(node.operand, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        return _FUNCTIONS[node.func.id](*(_value(part, values) for part in node.args))
    raise ValueError(f"{ast.unparse(node)} is no arithmetic over {', '.join(values) or 'nothing'}")
