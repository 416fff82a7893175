"""
What a person may do about a job that is done: have it done again, or say what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from messages.envelope import Rejection, Request
from worker.core.answers import Service, Trouble
from worker.core.job import Doubt, Job, Outcome, OutcomeKind, Past, Phase, conclude
from worker.core.letters import FOREIGN, DeadLetter
from worker.core.past import remember

#: Replays after which a letter is left alone unless somebody insists.
REPLAY_LIMIT = 3
#: Code of the failure that a person told us.
NOT_CREATED = "resolved_not_created"

_REJECTED = "rejected"
_FAILED = "failed"
_IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Republish:
    """
    The request goes back as it is; the ledger has nothing to change.

    Attributes:
        replays: how often it has been replayed, this one included.
        is_suspect: it may have been sent: a ledger that does not know it must look before it sends.
    """

    replays: int
    is_suspect: bool


@dataclass(frozen=True, slots=True)
class Reopen:
    """
    The ledger takes `job` first, then the request goes back.
    """

    job: Job


@dataclass(frozen=True, slots=True)
class Leave:
    """
    The letter stays where it is.
    """

    why: str


Replay = Republish | Reopen | Leave


@dataclass(frozen=True, slots=True)
class Again:
    """
    How a replay is meant.

    Attributes:
        deadline_s: how long a reopened request has, from now.
        is_insisting: also what was replayed often already.
    """

    deadline_s: float
    is_insisting: bool = False


def replay_of(letter: DeadLetter, asked: Request | Rejection, job: Job | None, now: datetime, again: Again) -> Replay:
    """
    What replaying a letter takes. Asked again after a crash in the middle, it finishes what was begun.

    Args:
        letter: lies in the dead-letter queue.
        asked: what it asks for.
        job: its row in the ledger, if there is one.
        now: aware UTC.
        again: how it is meant.
    """
    is_begun = _is_begun(letter, job)
    objection = None if is_begun else _objection(letter, asked, job, now, again)
    if objection is not None:
        return Leave(objection)
    if job is not None and job.outcome is not None and isinstance(asked, Request):
        return _replay_of_done(job, job.outcome, now, again)
    # What was rejected was never sent, so nothing of it can exist.
    return Republish(letter.replays + 1, is_suspect=letter.reason != _REJECTED)


def _is_begun(letter: DeadLetter, job: Job | None) -> bool:
    # A letter of ours has a job that is done. One reopened is left by a replay that did not get to its end.
    return job is not None and job.outcome is None and job.replays == letter.replays + 1


def _objection(
    letter: DeadLetter, asked: Request | Rejection, job: Job | None, now: datetime, again: Again
) -> str | None:
    replays = max(letter.replays, job.replays if job else 0)
    if letter.reason == FOREIGN:
        return "it is no request that died here"
    if replays >= REPLAY_LIMIT and not again.is_insisting:
        return f"it was replayed {replays} times already; --again replays it all the same"
    return None if isinstance(asked, Rejection) else _objection_to_request(letter, asked, job, now, again)


def _objection_to_request(
    letter: DeadLetter, asked: Request, job: Job | None, now: datetime, again: Again
) -> str | None:
    is_late = asked.expires_at is not None and now >= asked.expires_at
    if is_late and letter.reason in {_REJECTED, _FAILED}:
        return "its expirytime has passed: it would fail at once; drop it"
    if job is not None and job.digest != asked.digest:
        return "its id belongs to another request: it would be rejected again; drop it"
    # RabbitMQ, and the quarantine, park a request while its job is open; everybody else once it is done.
    is_under_way = job is not None and job.outcome is None and letter.reason in {_REJECTED, _FAILED, _IN_DOUBT}
    if is_under_way and not again.is_insisting:
        return "the request is under way again; drop the letter once it has its outcome, or use --again if it gets none"
    return None


def _replay_of_done(job: Job, outcome: Outcome, now: datetime, again: Again) -> Reopen | Leave:
    if outcome.kind is OutcomeKind.CREATED:
        return Leave(f"it was told as created, service {job.service_id}; drop it")
    if outcome.kind is OutcomeKind.FAILED and not outcome.is_dead_letter:
        code = outcome.trouble.code if outcome.trouble else "failed"
        return Leave(f"it was told as failed for good ({code}); drop it, and order again under a new id")
    return Reopen(reopened(job, now, again.deadline_s))


def reopened(job: Job, now: datetime, deadline_s: float) -> Job:
    """
    The job as if its outcome had not been, for whoever claims it next; its next events are new ones.

    One that failed is ready to be sent. One in doubt looks over the whole window before anything else, as after a lost
    answer; if it was never sent as far as we know, it looks as a stranger, whose service could be older than it.

    Args:
        job: done, failed at its deadline or in doubt.
        now: aware UTC.
        deadline_s: how long it has from now.

    Raises:
        ValueError: it is not done, or was created.
    """
    if job.outcome is None or job.outcome.kind is OutcomeKind.CREATED:
        raise ValueError("only a job that failed or is in doubt can be done again")
    ready = replace(
        remember(job, _done_by_a_person(job.outcome, "replayed", "A person had it done again", now, job.attempts)),
        phase=Phase.READY,
        outcome=None,
        deadline_at=now + timedelta(seconds=deadline_s),
        due_at=now,
        doubt=None,
        doubt_since=None,
        looks=0,
        strikes=0,
        trouble=None,
        replays=job.replays + 1,
    )
    if job.outcome.kind is OutcomeKind.FAILED:
        return ready
    doubt = Doubt.UNKNOWN if job.first_sent_at is not None else Doubt.STRANGER
    return replace(ready, phase=Phase.LOOKING, doubt=doubt, doubt_since=now, may_own=True)


def resolved_created(job: Job, service: Service, now: datetime) -> Job:
    """
    The job in doubt of which a person says that this service is its own.

    Args:
        job: in doubt.
        service: as the cloud shows it now, or its id alone.
        now: aware UTC.

    Raises:
        ValueError: it is not in doubt.
    """
    return _resolved(job, Outcome(OutcomeKind.CREATED, now, service=service, reconciled=True))


def resolved_not_created(job: Job, now: datetime) -> Job:
    """
    The job in doubt of which a person says that nothing was created; a new request may try again.

    Args:
        job: in doubt.
        now: aware UTC.

    Raises:
        ValueError: it is not in doubt.
    """
    trouble = Trouble(NOT_CREATED, "It was in doubt; a person has looked, and the service was not created.")
    return _resolved(job, Outcome(OutcomeKind.FAILED, now, trouble=trouble, is_retryable=True))


def is_resolved_so(job: Job, service_id: str | None) -> bool:
    """
    Whether the job has the outcome already that this resolution would give it.

    Args:
        job: any.
        service_id: of the service that was created; None for not created.
    """
    if job.outcome is None:
        return False
    if service_id is not None:
        return job.outcome.kind is OutcomeKind.CREATED and job.service_id == service_id
    return job.outcome.trouble is not None and job.outcome.trouble.code == NOT_CREATED


def _resolved(job: Job, outcome: Outcome) -> Job:
    if job.outcome is None or job.outcome.kind is not OutcomeKind.IN_DOUBT:
        raise ValueError("only a job in doubt can be resolved")
    said = _done_by_a_person(
        job.outcome, "resolved", "A person said what became of it", outcome.occurred_at, job.attempts
    )
    return conclude(replace(remember(job, said), outcome=None), outcome)


def _done_by_a_person(outcome: Outcome, what: str, words: str, now: datetime, attempts: int) -> Past:
    was, trouble = outcome.kind.value.replace("_", " "), outcome.trouble
    if trouble is None:
        return Past(now, what, f"{words}; it had been {was}.", attempts)
    words = f"{words}; it had been {was}: {trouble.message}"
    return Past(now, what, words, attempts, trouble.code, trouble.http_status, trouble.api_request_id)
