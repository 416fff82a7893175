"""
Why a request waits on a rung, and how what was unknown came to be known: few words, for counting.
"""

from __future__ import annotations

from enum import Enum

from worker.core.job import Doubt, Job, OutcomeKind, Phase


class Cause(Enum):
    """
    Why a request waits on a rung.

    BUSY: the cloud could not serve it now. UNKNOWN: an answer was lost and is looked for. CONFLICT: something like it
    exists, and whose it is must show. STRANGER: it was redelivered and the ledger did not know it. HELD: another
    worker, or another request for its router, is at it. CRASHED: an unforeseen error of ours.
    """

    BUSY = "busy"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    STRANGER = "stranger"
    HELD = "held"
    CRASHED = "crashed"


class Resolution(Enum):
    """
    What came of a POST whose answer was lost.

    FOUND: the service is there, and ours, in whatever status. NOT_FOUND: nothing was created, it may be sent again. REFUSED: the request
    cannot be done. IN_DOUBT: a person must look.
    """

    FOUND = "found"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


_OF_DOUBT = {Doubt.UNKNOWN: Cause.UNKNOWN, Doubt.CONFLICT: Cause.CONFLICT, Doubt.STRANGER: Cause.STRANGER}
_OF_OUTCOME = {
    OutcomeKind.CREATED: Resolution.FOUND,
    OutcomeKind.FAILED: Resolution.REFUSED,
    OutcomeKind.IN_DOUBT: Resolution.IN_DOUBT,
}


def cause_of(job: Job) -> Cause:
    """
    Why a job that is not done waits.
    """
    if job.phase is Phase.LOOKING and job.doubt is not None:
        return _OF_DOUBT[job.doubt]
    return Cause.BUSY


def resolution_of(before: Job, after: Job) -> Resolution | None:
    """
    What became known between two states of a job; None when nothing was unknown, or still is.
    """
    if not (before.phase is Phase.LOOKING and before.doubt is Doubt.UNKNOWN):
        return None
    if after.outcome is not None:
        # Found in ERROR is a failure to the publisher, but the POST had made it.
        return Resolution.FOUND if after.outcome.service is not None else _OF_OUTCOME[after.outcome.kind]
    return None if after.phase is Phase.LOOKING else Resolution.NOT_FOUND
