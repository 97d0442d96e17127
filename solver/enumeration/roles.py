"""All candidates of one class, role by role."""

from __future__ import annotations

from collections.abc import Iterator

from solver.candidate import HIT, MISS, Candidate, CandidateSet
from solver.enumeration.decoding import decoding
from solver.enumeration.halves import decode_halves, prefill_halves
from solver.enumeration.pairing import pairs, undominated_pairs
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
    for found in _pairs(subject, prune=prune):
        feasible += len(found)
        records += undominated_pairs(found, records, by_size=subject.build.whole_replicas) if prune else found
    return CandidateSet(tuple(once_for_all(records)), subject.account.records, subject.raw_count, feasible)


def _pairs(subject: Subject, *, prune: bool) -> Iterator[list[Candidate]]:
    """Pairs by cache kind and tier; none where the study wants prefill and decode apart from each other or together."""
    build = subject.build
    if not build.scale_up_handover or not {"prefill", "decode"} <= set(build.roles):
        return
    decodes = decode_halves(subject)
    yield pairs(subject, prefill_halves(subject, None), decodes, prune=prune)
    for source in sources(subject.configs) if subject.workload.reuse_frac_max > 0 else ():
        yield pairs(subject, prefill_halves(subject, source), decodes, prune=prune)


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
