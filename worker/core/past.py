"""
What a job went through beside the straight way: kept with it, for people, in bounded space.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from worker.core.answers import CreateAnswer, Created, ListAnswer, Listed, Trouble
from worker.core.job import Job, Past

#: Steps kept of one job; older ones are counted.
KEPT = 30
_WORDS = 300


def remember(job: Job, past: Past) -> Job:
    """
    The job with one more step in its past; the same step again is counted, so that a storm does not fill it.
    """
    past = replace(past, words=past.words[:_WORDS])
    if job.past and _kind(job.past[-1]) == _kind(past):
        last = job.past[-1]
        again = replace(last, times=last.times + 1, last_at=past.at, attempts=past.attempts)
        return replace(job, past=(*job.past[:-1], again))
    steps = (*job.past, past)
    return replace(job, past=steps[-KEPT:], forgotten=job.forgotten + max(0, len(steps) - KEPT))


def after_create(job: Job, answer: CreateAnswer, now: datetime) -> Job:
    """
    The job that an answer to its POST has led to; what was decided by it is told by the outcome.
    """
    if isinstance(answer, Created) or job.outcome is not None:
        return job
    return remember(job, _answered("answered", answer.trouble, type(answer).__name__, job.attempts, now))


def after_look(job: Job, answer: ListAnswer, now: datetime) -> Job:
    """
    The same after a look-up.
    """
    if job.outcome is not None:
        return job
    if isinstance(answer, Listed):
        return remember(job, Past(now, "looked", "It was looked for at the cloud, and not found.", job.attempts))
    return remember(job, _answered("looked", answer.trouble, type(answer).__name__, job.attempts, now))


def _kind(past: Past) -> tuple[object, ...]:
    return past.what, past.words, past.code, past.http_status, past.answer


def _answered(what: str, trouble: Trouble, kind: str, attempts: int, now: datetime) -> Past:
    return Past(now, what, trouble.message, attempts, trouble.code, trouble.http_status, trouble.api_request_id, kind)
