"""
What to do next with a job: the one decision behind first try, retry and crash recovery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.core.answers import Trouble
from worker.core.job import Job, Outcome, OutcomeKind, Phase, recover
from worker.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Post:
    """
    Write the intent, then POST.
    """


@dataclass(frozen=True, slots=True)
class Look:
    """
    List the services of the router and see whether ours is among them.
    """


@dataclass(frozen=True, slots=True)
class Rest:
    """
    Wait in memory for `delay_s` seconds, then ask again.
    """

    delay_s: float


@dataclass(frozen=True, slots=True)
class Shelve:
    """
    Put the request on a rung for about `delay_s` seconds; tell it as delayed first if `tell` is set.
    """

    delay_s: float
    tell: bool


@dataclass(frozen=True, slots=True)
class Conclude:
    """
    Write this outcome down.
    """

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Tell:
    """
    Publish the outcome (again); the job itself is done.
    """

    outcome: Outcome


#: A job that comes this long after it was due was held up: rungs and rests are punctual to the second.
_HELD_UP_S = 60.0

Step = Post | Look | Rest | Shelve | Conclude | Tell


def next_step(job: Job, now: datetime, policy: Policy) -> Step:
    """
    The next step of a job nobody else is working on.

    Args:
        job: as in the ledger; one in phase SENT is treated as interrupted.
        now: aware UTC.
        policy: how patient to be.
    """
    if job.outcome is not None:
        return Tell(job.outcome)
    job = recover(job)
    given_up = _given_up(job, now, is_held_up=_is_held_up(job, now))
    if given_up is not None:
        return Conclude(given_up)
    # A rung must not carry the request past its deadline.
    if job.due_at is not None and min(job.due_at, job.deadline_at) > now:
        return _wait(job, min(job.due_at, job.deadline_at), now, policy)
    return Look() if job.phase is Phase.LOOKING else Post()


def _is_held_up(job: Job, now: datetime) -> bool:
    # What became due after the deadline was that one more try's own.
    return job.due_at is not None and job.due_at <= job.deadline_at and (now - job.due_at).total_seconds() > _HELD_UP_S


def _given_up(job: Job, now: datetime, *, is_held_up: bool) -> Outcome | None:
    is_expired = job.expires_at is not None and now >= job.expires_at
    # 0. An outage of the cloud, or of ours, that outlasts the deadline is not the request's fault: one more try.
    is_over = now >= job.deadline_at and not is_held_up
    # 1. While it may exist, neither expiry nor deadline can turn it into a failure; the deadline leaves it one look.
    if job.phase is Phase.LOOKING and job.may_own:
        return _in_doubt(job, now) if is_over and job.looks > 0 else None
    # 2. Nothing exists: too late is a plain failure.
    if is_expired:
        return Outcome(
            OutcomeKind.FAILED,
            now,
            trouble=Trouble("expired", "The request's expirytime had passed before it could be created."),
            is_retryable=True,
        )
    if is_over:
        return Outcome(OutcomeKind.FAILED, now, trouble=_deadline_trouble(job), is_retryable=True, is_dead_letter=True)
    return None


def _deadline_trouble(job: Job) -> Trouble:
    last = f" Last trouble: {job.trouble.message}" if job.trouble else ""
    source = job.trouble or Trouble("deadline_exceeded", "")
    return Trouble(
        "deadline_exceeded",
        f"Given up at the request's deadline after {job.attempts} attempts.{last}",
        source.http_status,
        source.api_code,
        source.api_request_id,
    )


def _in_doubt(job: Job, now: datetime) -> Outcome:
    last = f" Last trouble: {job.trouble.message}" if job.trouble else ""
    source = job.trouble or Trouble("in_doubt", "")
    trouble = replace(
        source, code="in_doubt", message=f"The service may exist, and looking for it could not settle it.{last}"
    )
    return Outcome(OutcomeKind.IN_DOUBT, now, trouble=trouble, is_dead_letter=True)


def _wait(job: Job, until: datetime, now: datetime, policy: Policy) -> Rest | Shelve:
    delay_s = (until - now).total_seconds()
    if delay_s <= policy.quick_wait_s:
        return Rest(delay_s)
    waits_long = until - job.first_seen_at >= timedelta(seconds=policy.delayed_after_s)
    return Shelve(delay_s, tell=waits_long and not job.delayed_told)
