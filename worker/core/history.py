"""
A request's history, step by step, from what the ledger keeps of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from messages.attributes import rfc3339
from worker.core.following import Follow
from worker.core.job import Doubt, Job, Outcome, Past, Phase
from worker.core.records import Record


@dataclass(frozen=True, slots=True)
class Moment:
    """
    One step.

    Attributes:
        at: aware UTC.
        what: arrived, sent, answered, looked, delayed, decided, replayed, resolved, followed or status.
        words: for people.
        detail: what else is known of it, None where nothing is.
    """

    at: datetime
    what: str
    words: str
    detail: dict[str, object] | None = None


_DOUBTS = {
    Doubt.UNKNOWN: "Whether it was created is not known: it is looked for before anything is sent again.",
    Doubt.CONFLICT: "The cloud says that there is one already: it is looked for.",
    Doubt.STRANGER: "It had been delivered before, and the ledger did not know it: it is looked for first.",
}


def history(record: Record) -> tuple[Moment, ...]:
    """
    What became of a request, the oldest step first. The straight way is told by the job's own fields, detours by its past.
    """
    job = record.job
    moments = [*_came(job), *(_past(one) for one in job.past), *_doubted(job)]
    if job.outcome is not None:
        moments.append(_decided(job.outcome))
    if record.follow is not None:
        moments += _followed(record.follow)
    # A stable sort: what happened within one tick of the clock stays in the order of the way.
    return tuple(sorted(moments, key=lambda moment: moment.at))


def _came(job: Job) -> Iterator[Moment]:
    yield Moment(job.first_seen_at, "arrived", "A worker took it from the queue.")
    if job.forgotten:
        yield Moment(job.first_seen_at, "answered", f"{job.forgotten} older steps are not kept.")
    sent = {one for one in (job.first_sent_at, job.sent_at) if one is not None}
    for moment in sorted(sent):
        again = "" if moment == min(sent) else f", try {job.attempts}"
        yield Moment(moment, "sent", f"The cloud was asked to create it{again}.")


def _doubted(job: Job) -> Iterator[Moment]:
    if job.doubt is not None and job.doubt_since is not None and job.phase is Phase.LOOKING:
        yield Moment(job.doubt_since, "looked", _DOUBTS[job.doubt])


def _past(past: Past) -> Moment:
    named: dict[str, object] = {
        "times": past.times if past.times > 1 else None,
        "last_at": rfc3339(past.last_at) if past.last_at else None,
        "try": past.attempts or None,
        "code": past.code,
        "http_status": past.http_status,
        "api_request_id": past.api_request_id,
        "answer": past.answer,
    }
    known = {name: value for name, value in named.items() if value is not None}
    return Moment(past.at, past.what, past.words, known or None)


def _decided(outcome: Outcome) -> Moment:
    trouble = outcome.trouble
    if outcome.service is not None and trouble is None:
        how = "It was found at the cloud" if outcome.reconciled else "The cloud created it"
        words = f"{how}: service {outcome.service.id}, {outcome.service.status or 'no status'}."
    else:
        words = f"{outcome.kind.value.replace('_', ' ').capitalize()}: {trouble.message if trouble else ''}"
    named = {
        "outcome": outcome.kind.value,
        "code": trouble.code if trouble else None,
        "http_status": trouble.http_status if trouble else None,
        "api_request_id": outcome.api_request_id or (trouble.api_request_id if trouble else None),
    }
    return Moment(outcome.occurred_at, "decided", words, {name: one for name, one in named.items() if one is not None})


def _followed(follow: Follow) -> Iterator[Moment]:
    yield Moment(follow.begun_at, "followed", f"Its status is followed until it is {follow.target.value}.")
    if follow.changes or follow.is_over:
        over = f"; following it ended: {follow.ending.value}" if follow.ending else ""
        status = follow.status or "not known"
        yield Moment(follow.changed_at, "status", f"Its status is {status}, after {follow.changes} changes{over}.")
