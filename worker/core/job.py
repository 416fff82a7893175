"""
A job: what the ledger knows of one request, and the pure moves between its phases.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from worker.core.answers import Service, Trouble


@dataclass(frozen=True, slots=True, order=True)
class RequestKey:
    """
    The idempotency key of a request (design: Identity).
    """

    source: str
    id: str


class Phase(Enum):
    """
    Where a job stands.

    READY: nothing of it is under way, a POST is safe. SENT: intent is written, the POST may have left.
    LOOKING: it may exist, look before anything else. DONE: the outcome is known.
    """

    READY = "ready"
    SENT = "sent"
    LOOKING = "looking"
    DONE = "done"


class Doubt(Enum):
    """
    Why a job looks: an answer was lost, the cloud reported a conflict, or the ledger does not know a redelivery.
    """

    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    STRANGER = "stranger"


class Blame(Enum):
    """
    Whose fault a failure is: nobody can tell yet, the cloud's, since all fail alike, or the request's own, since others
    did not fail.
    """

    OPEN = "open"
    CLOUD = "cloud"
    REQUEST = "request"


class OutcomeKind(Enum):
    """
    The three outcomes a job can have; the fourth, rejected, never becomes a job.
    """

    CREATED = "created"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a request, written down once and told as often as needed.

    Attributes:
        kind: created, failed or in_doubt.
        occurred_at: when it was decided; repeats of the event carry the same.
        service: the cloud's object, when there is one of ours.
        trouble: why, unless created.
        is_retryable: whether sending a new request can help.
        reconciled: found by a look-up, not by the POST's own answer.
        existing_service_id: somebody else's service that stands in the way.
        evidence: the services a person must look at (in_doubt).
        is_dead_letter: keep a copy of the request in the dead-letter queue as well.
        api_request_id: the cloud's, of the answer that decided it, for its support desk.
    """

    kind: OutcomeKind
    occurred_at: datetime
    service: Service | None = None
    trouble: Trouble | None = None
    is_retryable: bool = False
    reconciled: bool = False
    existing_service_id: str | None = None
    evidence: tuple[Service, ...] = ()
    is_dead_letter: bool = False
    api_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """
    A step of a job beside the straight way, for people; nothing is decided by it.

    Attributes:
        at: aware UTC.
        what: answered, looked, delayed, replayed or resolved.
        words: a sentence.
        attempts: POSTs made by then.
        code, http_status, api_request_id: of the trouble, if it was one.
        answer: what kind of answer it was.
        times: how often the same came, one after the other.
        last_at: when it came last, if more than once.
    """

    at: datetime
    what: str
    words: str
    attempts: int = 0
    code: str | None = None
    http_status: int | None = None
    api_request_id: str | None = None
    answer: str | None = None
    times: int = 1
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """
    One request's row.

    Attributes:
        key: source and id of the request.
        digest: sha256 of its canonical body; the same key with another digest is another request.
        router_id: doc: Table 1, router_id.
        wanted: the attributes the request set, as sent.
        first_seen_at: when the first delivery arrived.
        deadline_at: when it is given up.
        expires_at: not created after it (CloudEvents expirytime), or None.
        attempts: POSTs of which the intent was written and which were not taken back (429).
        first_sent_at, sent_at: first and latest intent.
        doubt, doubt_since, looks: why it looks, since when, how often it has.
        may_own: whether a service found by a look-up can be ours at all.
        strikes: how often in a row the same unknown answer came.
        due_at: not before then.
        trouble: the latest trouble.
        delayed_told: create-delayed was published.
        mark: what the POST appends to `description` so that a look-up knows its own; None without marks.
        follow: how far its service is to be followed: none, settled, active; None where an older version did not keep it.
        replays: how often a person had it done again after its outcome; tells the events of each time apart.
        past: the latest steps beside the straight way; no part of what the job is, so jobs are compared without it.
        forgotten: how many older ones there were.
    """

    key: RequestKey
    digest: str
    router_id: str
    first_seen_at: datetime
    deadline_at: datetime
    wanted: dict[str, object] = field(default_factory=dict)
    expires_at: datetime | None = None
    phase: Phase = Phase.READY
    attempts: int = 0
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None
    doubt: Doubt | None = None
    doubt_since: datetime | None = None
    looks: int = 0
    may_own: bool = False
    strikes: int = 0
    due_at: datetime | None = None
    trouble: Trouble | None = None
    delayed_told: bool = False
    mark: str | None = None
    follow: str | None = None
    replays: int = 0
    outcome: Outcome | None = None
    past: tuple[Past, ...] = field(default=(), compare=False)
    forgotten: int = field(default=0, compare=False)

    @property
    def tenant_id(self) -> str | None:
        """
        The project the request names (doc: Table 1, tenant_id), which chooses the account; None when it names none.
        """
        named = self.wanted.get("tenant_id")
        return named if isinstance(named, str) and named else None

    @property
    def service_id(self) -> str | None:
        """
        Id of the service this job owns, if it owns one.
        """
        return self.outcome.service.id if self.outcome and self.outcome.service else None


def open_job(
    fresh: Job,
    now: datetime,
    *,
    is_redelivered: bool,
    published_at: datetime | None = None,
    may_post: bool = True,
) -> Job:
    """
    The job as it is first written to the ledger.

    A first delivery gets its intent at once, so that one write claims it and makes the POST safe.
    A redelivery that the ledger does not know may have been sent by somebody else: it looks first, even when it
    has expired since.

    Args:
        fresh: in phase READY, nothing tried.
        now: aware UTC.
        is_redelivered: the broker cannot rule out that it was delivered before.
        published_at: when the publisher sent it, if it says so; no service of ours can be older.
        may_post: a POST may follow at once; else its intent is written when its turn comes.
    """
    if is_redelivered:
        return replace(
            fresh,
            phase=Phase.LOOKING,
            doubt=Doubt.STRANGER,
            doubt_since=now,
            # A clock ahead of ours would make our own service look too old: better no bound than a wrong one.
            first_sent_at=published_at if published_at is not None and published_at <= now else None,
            may_own=True,
        )
    if not may_post or (fresh.expires_at is not None and now >= fresh.expires_at):
        return replace(fresh, due_at=now)
    return intend(fresh, now)


def intend(job: Job, now: datetime) -> Job:
    """
    The job with the intent to POST; must be in the ledger before the POST leaves.
    """
    return replace(
        job,
        phase=Phase.SENT,
        attempts=job.attempts + 1,
        first_sent_at=job.first_sent_at or now,
        sent_at=now,
        due_at=None,
    )


def unsent(job: Job, now: datetime, delay_s: float) -> Job:
    """
    The job whose intent is taken back: nothing was sent after all. Due again in `delay_s` seconds.
    """
    return replace(job, phase=Phase.READY, attempts=job.attempts - 1, due_at=now + timedelta(seconds=delay_s))


def recover(job: Job) -> Job:
    """
    The job as a new claim must see it: a POST whose answer nobody wrote down may have been executed.
    """
    if job.phase is not Phase.SENT:
        return job
    return start_looking(job, Doubt.UNKNOWN, job.sent_at or job.first_seen_at, first_delay_s=0.0)


def start_looking(job: Job, doubt: Doubt, since: datetime, first_delay_s: float) -> Job:
    """
    The job in doubt since `since`, its first look-up `first_delay_s` after that.
    """
    return replace(
        job,
        phase=Phase.LOOKING,
        doubt=doubt,
        doubt_since=since,
        looks=0,
        may_own=job.may_own or doubt is not Doubt.CONFLICT,
        due_at=since + timedelta(seconds=first_delay_s),
    )


def conclude(job: Job, outcome: Outcome) -> Job:
    """
    The job with its outcome; nothing moves it any more.
    """
    return replace(job, phase=Phase.DONE, outcome=outcome, due_at=None)
