"""All candidates of one class in one role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from solver.candidate import HIT, MISS, PAIR, Candidate, CandidateSet
from solver.enumeration.decoding import decoding
from solver.enumeration.halves import decode_halves, prefill_halves
from solver.enumeration.pairing import pairs, undominated_pairs
from solver.enumeration.prefilling import prefilling
from solver.enumeration.records import Rows, kept, once_for_all
from solver.enumeration.sources import sources
from solver.enumeration.subject import Subject
from solver.study import BuildSpec


def roles_of(build: BuildSpec) -> tuple[str, ...]:
    """Roles to make candidates for; pairs last, where prefill and decode may stand apart and so also side by side."""
    paired = build.scale_up_handover and {"prefill", "decode"} <= set(build.roles)
    return (*build.roles, PAIR) if paired else tuple(build.roles)


def role_candidates(subject: Subject, role: str, others: Sequence[Candidate] = (), *, prune: bool) -> CandidateSet:
    """Return the records of every cache kind that keeps the promises, and what fell away.

    Parameters
    ----------
    subject : Subject
        Of this call alone: its account ends up in the answer.
    role : str
    others : sequence of Candidate
        What the class has in roles made before; pairs compete with mixed replicas.
    prune : bool
        False keeps dominated records too.
    """
    records, feasible = [], 0
    if role == PAIR:
        for found in _pairs(subject, prune=prune):
            feasible += len(found)
            records += (
                undominated_pairs(found, others, by_size=subject.build.whole_replicas is True) if prune else found
            )
    else:
        for rows in _rows(subject, role):
            feasible += int(rows.good.sum())
            records += kept(subject, rows, prune=prune)
    return CandidateSet(tuple(once_for_all(records)), subject.account.records, subject.raw_count, feasible)


def _pairs(subject: Subject, *, prune: bool) -> Iterator[list[Candidate]]:
    """Pairs by cache kind and tier."""
    decodes = decode_halves(subject)
    yield pairs(subject, prefill_halves(subject, None), decodes, prune=prune)
    for source in sources(subject.configs) if subject.workload.reuse_frac_max > 0 else ():
        yield pairs(subject, prefill_halves(subject, source), decodes, prune=prune)


def _rows(subject: Subject, role: str) -> Iterator[Rows]:
    """Go through the cache kinds."""
    if role == "decode":
        yield from decoding(subject)
        return
    yield from prefilling(subject, role, MISS, (None,))
    found = tuple(sources(subject.configs))
    if subject.workload.reuse_frac_max > 0 and found:
        yield from prefilling(subject, role, HIT, found)
