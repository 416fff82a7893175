"""
Who gets a job: the rule of the lease and of one job at a time on a router, the same for every database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.core.job import Job, Phase
from worker.ports import Claim, Claimed, Held, Reused

#: When to come back for a router that another request is at.
RIVAL_WAIT = timedelta(seconds=5)
#: A job in doubt that nobody has touched for so long must not hold up the router's other requests any more.
FORGOTTEN = timedelta(seconds=600)


@dataclass(frozen=True, slots=True)
class Known:
    """
    A job as the ledger has it, and who holds it until when.
    """

    job: Job
    owner: str | None
    leased_until: datetime | None


def begins(known: Known | None) -> bool:
    """
    Whether a claim would let the job begin, or begin again; only that must wait for a rival.

    One that is itself in doubt comes first: two that wait for each other would wait for ever.
    """
    return known is None or known.job.phase is Phase.READY


def judge(job: Job, known: Known | None, owner: str, now: datetime, *, has_rival: bool) -> Claim:
    """
    What a claim gets; the caller writes a row for a new one, and the lease of a known one that is not done.

    Args:
        job: what is claimed.
        known: the same job in the ledger, None for none.
        owner: who claims.
        now: the claimer's time.
        has_rival: another job of the router is under way, in doubt or leased; asked only if it `begins`.
    """
    if known is None:
        return Held(now + RIVAL_WAIT) if has_rival else Claimed(job, is_new=True)
    if known.job.digest != job.digest:
        return Reused()
    if known.job.phase is Phase.DONE:
        return Claimed(known.job, is_new=False)
    if known.owner is not None and known.owner != owner and known.leased_until and known.leased_until > now:
        return Held(known.leased_until)
    if begins(known) and has_rival:
        return Held(now + RIVAL_WAIT)
    return Claimed(known.job, is_new=False)


def is_kept(known: Known | None, job: Job) -> bool:
    """
    Whether the ledger has the job exactly so, and nobody holds it: a write whose answer was lost had been made.
    """
    return known is not None and known.owner is None and known.job == job


def is_still(known: Known, was: Job) -> bool:
    """
    Whether a job is done with the outcome that a person saw who amends it; else somebody was faster.
    """
    return known.job.phase is Phase.DONE and known.job.outcome == was.outcome
