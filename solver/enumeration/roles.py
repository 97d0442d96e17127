"""All candidates of one class, role by role."""

from __future__ import annotations

from collections.abc import Iterator

from solver.candidate import HIT, MISS, CandidateSet
from solver.enumeration.decoding import decoding
from solver.enumeration.prefilling import prefilling
from solver.enumeration.records import Rows, kept, once_for_all
from solver.enumeration.sources import sources
from solver.enumeration.subject import Subject


def class_candidates(subject: Subject, *, prune: bool) -> CandidateSet:
    """Return the records of every role and cache kind that keeps the promises, and what fell away.

    Parameters
    ----------
    subject : Subject
    prune : bool
        False keeps dominated records too.
    """
    records, feasible = [], 0
    for rows in _rows(subject):
        feasible += int(rows.good.sum())
        records += kept(subject, rows, prune=prune)
    return CandidateSet(tuple(once_for_all(records)), subject.account.records, subject.raw_count, feasible)


def _rows(subject: Subject) -> Iterator[Rows]:
    """Go through the roles and cache kinds."""
    found = tuple(sources(subject.configs))
    for role in subject.build.roles:
        if role == "decode":
            yield from decoding(subject)
            continue
        yield from prefilling(subject, role, MISS, (None,))
        if subject.workload.reuse_frac_max > 0 and found:
            yield from prefilling(subject, role, HIT, found)
