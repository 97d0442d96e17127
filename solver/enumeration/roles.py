"""All candidates of one class in one role."""

from __future__ import annotations

from collections.abc import Iterator

from solver.candidate import HIT, MISS, CandidateSet
from solver.enumeration.decoding import decoding
from solver.enumeration.prefilling import prefilling
from solver.enumeration.records import Rows, kept, once_for_all
from solver.enumeration.sources import sources
from solver.enumeration.subject import Subject


def role_candidates(subject: Subject, role: str, *, prune: bool) -> CandidateSet:
    """Return the records of every cache kind that keeps the promises, and what fell away.

    Parameters
    ----------
    subject : Subject
        Of this call alone: its account ends up in the answer.
    role : str
    prune : bool
        False keeps dominated records too.
    """
    records, feasible = [], 0
    for rows in _rows(subject, role):
        feasible += int(rows.good.sum())
        records += kept(subject, rows, prune=prune)
    return CandidateSet(tuple(once_for_all(records)), subject.account.records, subject.raw_count, feasible)


def _rows(subject: Subject, role: str) -> Iterator[Rows]:
    """Go through the cache kinds."""
    if role == "decode":
        yield from decoding(subject)
        return
    yield from prefilling(subject, role, MISS, (None,))
    found = tuple(sources(subject.configs))
    if subject.workload.reuse_frac_max > 0 and found:
        yield from prefilling(subject, role, HIT, found)
