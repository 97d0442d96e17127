"""The kinds of explanation there are: what each asks, and how its answers make a section.

A section that falls into questions which do not wait for each other names them, so that several processes can share
them; any other is one question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solver.explaining import attributes, bottlenecks, entry
from solver.explaining.architectures import architectures
from solver.explaining.ladder import DEPTH, STEP, ladder
from solver.explaining.levers import levers
from solver.explaining.subject import Subject
from solver.explaining.tornado import tornado

PROMISED = 4
"""Promises nearest to binding that are valued where not all are asked for."""
WHOLE = ""
"""Name of the one question of a section that does not fall into several."""
Questions = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Section:
    """One kind of explanation.

    Attributes
    ----------
    id, name : str
    questions : callable(subject) -> mapping
        Name of each question -> what answers it; the same names in every process.
    gathered : callable(subject, answers)
        Makes the section of the answers, in the order of the questions.
    whole : bool
        True where the section is one question.
    """

    id: str
    name: str
    questions: Callable[[Subject], Questions]
    gathered: Callable[[Subject, Sequence[Any]], Any]
    whole: bool = False


SECTIONS: dict[str, Section] = {}


def register(section: Section) -> Section:
    """Add a section to the registry."""
    if section.id in SECTIONS:
        raise ValueError(f"section {section.id} is registered twice")
    SECTIONS[section.id] = section
    return section


def whole(section: str, name: str, compute: Callable[[Subject], Any]) -> Section:
    """Return a section that is one question."""
    return Section(
        section, name, lambda subject: {WHOLE: lambda: compute(subject)}, lambda _, answers: answers[0], True
    )


register(Section(
    "bottlenecks", "what binds, and what more of it is worth",
    lambda s: bottlenecks.questions(s.bench, s.design, promised=s.options.get("promised", PROMISED)),
    lambda s, found: bottlenecks.ranked(s.bench, s.design, found),
))  # fmt: skip
register(Section(
    "entry_prices", "prices at which parts enter or leave",
    lambda s: entry.questions(s.bench, s.design, s.options.get("parts")),
    lambda _, found: entry.ranked(found),
))  # fmt: skip
register(Section(
    "attributes", "figures at which parts enter or leave",
    lambda s: attributes.questions(s.bench, s.design, s.options.get("parts") or (), s.options.get("attributes") or ()),
    lambda _, found: list(found),
))  # fmt: skip
register(whole(
    "ladder", "what binds next",
    lambda s: ladder(s.bench, s.design, depth=s.options.get("depth", DEPTH), step=s.options.get("step", STEP)),
))  # fmt: skip
register(whole(
    "levers", "what each freedom contributes",
    lambda s: levers(s.cutting, s.design),
))  # fmt: skip
register(whole(
    "architectures", "the best build of each kind of site",
    lambda s: architectures(s.cutting, s.design),
))  # fmt: skip
register(whole("tornado", "uncertain numbers at both ends", tornado))
