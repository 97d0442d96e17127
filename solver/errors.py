"""The three kinds of failure: bad input, no feasible design, a bug.

Bad input raises `InputError` with every problem at once. An infeasible study is not an exception but a
`Design` whose status says so. Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input, with what a user needs to mend it.

    Attributes
    ----------
    file, row, field : str
        Where: file name, row (id and line) or table, column or key.
    value : str
        What stands there.
    message : str
        What is wrong, in a few words.
    allowed : str
        What would be accepted.
    hint : str
        A close match or another suggestion, may be empty.
    """

    file: str
    row: str
    field: str
    value: str
    message: str
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.file, self.row, self.field) if part)
        text = f"{where}: {self.message}"
        if self.value != "":
            text += f" (found {self.value[:80]!r})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f"; {self.hint}"
        return text


class TierwattError(Exception):
    """Base of every error that tierwatt raises on purpose."""


class InputError(TierwattError):
    """Bad input: all problems found, each with file, row, field, value and what is allowed.

    Parameters
    ----------
    problems : sequence of Problem
        At least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{count} problem{'s' if count != 1 else ''} in the input"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


class AuditError(TierwattError):
    """A design broke one of its own limits or promises when it was checked from the raw catalog."""


def closest(word: str, choices: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest choice, or an empty string."""
    match = difflib.get_close_matches(str(word), [str(choice) for choice in choices], n=1, cutoff=0.5)
    return f"did you mean {match[0]!r}?" if match else ""
