"""
What happens next with a request, and who has to do it.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import assert_never

from messages.error_codes import remedy_of
from worker.core.following import Ending
from worker.core.job import Job, Outcome, OutcomeKind, Phase
from worker.core.records import Record
from worker.shown.times import age, clock

#: Rungs and rests are punctual to the second: what comes later than this has nobody who does it.
_OVERDUE_S = 60.0


def what_next(record: Record, now: datetime) -> str:
    """
    A sentence for the person who looks at the request.

    Args:
        record: as the ledger has it.
        now: aware UTC.
    """
    job = record.job
    if job.outcome is None:
        return _under_way(job, now)
    match job.outcome.kind:
        case OutcomeKind.CREATED:
            return _created(record)
        case OutcomeKind.FAILED:
            return _failed(job, job.outcome)
        case OutcomeKind.IN_DOUBT:
            return _in_doubt(job)
        case _:
            assert_never(job.outcome.kind)


def _under_way(job: Job, now: datetime) -> str:
    match job.phase:
        case Phase.SENT:
            return "The cloud's answer; if its worker has died, another one looks for the service when the claim ends."
        case Phase.LOOKING:
            step = "looks at the cloud whether the service was created"
        case _:
            step = "sends it"
    if job.due_at is None or job.due_at <= now:
        late_s = (now - (job.due_at or job.first_seen_at)).total_seconds()
        if late_s <= _OVERDUE_S:
            return f"A worker {step}, now."
        overdue = age(job.due_at or job.first_seen_at, now)
        return f"A worker {step}. It is overdue by {overdue}: see whether one runs, and what its /ready says."
    return f"A worker {step} at {clock(job.due_at)}."


def _created(record: Record) -> str:
    follow = record.follow
    if follow is None or follow.ending is Ending.REACHED:
        return "Nothing; it is done."
    match follow.ending:
        case Ending.FAILED:
            return "A person deletes the service at the cloud; then its sender may order again, under a new id."
        case Ending.GONE:
            return "A person finds out who deleted the service; its sender may order again, under a new id."
        case Ending.DEADLINE:
            return "Its time to be followed was over; nobody looks at its status any more, and the service is there."
        case _:
            target = f"until it is {follow.target.value}"
            return f"The workers follow its status {target}, or until {clock(follow.deadline_at)} is over."


def _failed(job: Job, outcome: Outcome) -> str:
    if outcome.is_dead_letter:
        return f"A person mends the cause, then has it done again with `{_replay(job)}`."
    if outcome.service is not None:
        return "A person deletes that service at the cloud; then its sender may order again, under a new id."
    if outcome.is_retryable:
        return "Nothing here; its sender may order again, under a new id."
    remedy = remedy_of(outcome.trouble.code) if outcome.trouble else None
    return remedy or "Nothing; the same would be refused again."


def _in_doubt(job: Job) -> str:
    key = f"{shlex.quote(job.key.id)} --source {shlex.quote(job.key.source)}"
    return (
        f"A person looks at the cloud, then settles it with `vpn-worker resolve {key} --created SERVICE_ID` or "
        f"`--not-created`; or has it looked for again with `{_replay(job)}`."
    )


def _replay(job: Job) -> str:
    return f"vpn-worker dead replay --request {shlex.quote(job.key.id)} --source {shlex.quote(job.key.source)}"
