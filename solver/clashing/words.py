"""Clashes in words with numbers, short enough for a screen."""

from __future__ import annotations

from collections.abc import Sequence

from solver.clashing.limits import Limit
from solver.clashing.promises import NAMES, PROMPT, Promise
from solver.clashing.relax import Relaxation
from solver.words import amount

MOST_PROMISES = 6
"""Promises that are worth a line each."""


def value_of(limit: Limit, value: float) -> str:
    """Return a value of a key with its unit."""
    if limit.unit == "pieces" or limit.unit == "kinds":
        return f"{value:,.0f}"
    if limit.unit in ("USD", "W"):
        return amount(value, limit.unit)
    return f"{value:,.4g} {limit.unit}".strip()


def clash_line(names: Sequence[str], limits: Sequence[Limit], *, known: bool) -> str:
    """Return what clashes, with what is allowed of each.

    Parameters
    ----------
    names : sequence of str
        Keys, and what no key loosens.
    limits : sequence of Limit
    known : bool
        False where time ended before every name was tried.
    """
    by_id = {limit.id: limit for limit in limits}
    shown = [f"{name} = {value_of(by_id[name], by_id[name].allowed)}" for name in names if name in by_id]
    behind = [name for name in names if name not in by_id]
    text = f"{', '.join(shown or behind)}: cannot {'all ' * (len(shown) > 1)}be kept"
    text += f", because of {', '.join(behind)}" if shown and behind else ""
    return text if known else f"{text} (not every one was tried)"


def single_line(single: Relaxation) -> str:
    """Return what one limit would have to be."""
    limit = single.limit
    if single.needed is None:
        return f"{limit.id}: no value of it is enough alone"
    if limit.id == "build.n_plus_one":
        return f"{limit.id}: without it there is a build"
    gone = limit.looser < 0 and single.needed <= 0.0
    needed = (
        "has to be 0" if gone else f"{value_of(limit, single.needed)} {'needed' if limit.looser > 0 else 'can be kept'}"
    )
    word = "allowed" if limit.looser > 0 else "asked"
    return f"{limit.id}: {needed}, {value_of(limit, limit.allowed)} {word}"


def joint_line(joint: Sequence[Relaxation], *, kept: bool) -> str:
    """Return what has to move together.

    Parameters
    ----------
    joint : sequence of Relaxation
    kept : bool
        True where the demand is left as it is.
    """
    moved = ", ".join(
        f"{j.limit.id} {value_of(j.limit, j.limit.allowed)} -> {value_of(j.limit, j.needed or 0.0)}" for j in joint
    )
    return f"{'least change that serves what is asked' if kept else 'least change'}: {moved}"


def class_lines(found: Sequence[Promise], missing: dict[str, list[str]], fallback: dict[str, str]) -> list[str]:
    """Return, for every class that nothing can serve, why in numbers.

    Parameters
    ----------
    found : sequence of Promise
    missing : dict
        Class -> roles that nothing can take.
    fallback : dict
        Class -> what to say where no candidate was dropped for any reason.
    """
    lines = []
    for name, roles in missing.items():
        mine = [p for p in found if p.workload == name]
        kept = [p for p in mine if p.promise in NAMES]
        head = f"class {name}: no part that may be bought can {' or '.join(roles)}"
        if kept:
            joined = " and " if kept[0].enough_alone is False else "; or "
            lines.append(f"{head} within its promises: {joined.join(map(_promise_words, kept))}")
        elif mine and mine[0].promise == PROMPT:
            asked, needed = mine[0].asked, mine[0].needed or 0.0
            lines.append(f"{head}: prompts of {asked:,.0f} tokens leave no room for KV cache; {needed:,.0f} tokens do")
        elif mine:
            lines.append(f"{head}: {'; '.join(map(_memory_words, mine))}")
        else:
            lines.append(f"{head}: {fallback[name]}")
    return lines


def _promise_words(promise: Promise) -> str:
    """One promise that nothing keeps."""
    text = f"{promise.promise.upper()} {amount(promise.asked, 's')}"
    if promise.nearest is not None:
        text += f", the fastest candidate needs {amount(promise.nearest, 's')}" + (
            f" on {promise.where}" if promise.where else ""
        )
    return f"{text} ({amount(promise.needed, 's')} can be kept)" if promise.needed is not None else text


def _memory_words(promise: Promise) -> str:
    """What is missing where no promise is in the way."""
    if promise.nearest is None:
        return promise.promise
    where = f" on {promise.where}" if promise.where else ""
    needs, there = amount(promise.nearest, promise.unit), amount(promise.asked, promise.unit)
    return f"{promise.promise}: the nearest needs {needs} of {there}{where}"


def loosened_lines(found: Sequence[Promise]) -> list[str]:
    """Return the promises whose loosening alone gives a build."""
    lines = [
        f"{p.promise.upper()} of {p.workload}: {amount(p.needed, 's')} needed, {amount(p.asked, 's')} asked"
        for p in found if p.enough_alone and p.needed is not None
    ]  # fmt: skip
    return lines[:MOST_PROMISES] + (
        [f"{len(lines) - MOST_PROMISES} more promises"] if len(lines) > MOST_PROMISES else []
    )
