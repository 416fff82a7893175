"""
Following a service: what of its status is told, and when that is over.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from messages.envelope import Request
from worker.core.answers import Service, Trouble
from worker.core.job import Job, OutcomeKind, RequestKey

#: Our word for the status of a service that is not there any more; the cloud's own are in capitals.
GONE = "gone"
#: Times its time that a service is followed at most, when the cloud does not say a word about it.
_MOST_DEADLINES = 2


class Target(Enum):
    """
    How far a service is followed: not at all, until its status settles, until it is active.
    """

    NONE = "none"
    SETTLED = "settled"
    ACTIVE = "active"


class Ending(Enum):
    """
    Why following a service ended: its target was reached, it failed, it is gone, or its time was over.
    """

    REACHED = "reached"
    FAILED = "failed"
    GONE = "gone"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class FollowPolicy:
    """
    How services are followed.

    Attributes:
        target: for requests that do not say it.
        settled, active: statuses at which each target is reached, in capitals. A service without a tunnel is DOWN, which
            is no failure (source: cloud API family, Life of a service).
        failed: statuses that are failures, and the end.
        least_interval_s, most_interval_s: between two rounds, at first and at last.
        deadline_s: for how long a service is followed; then its status is told as it is.
        grace_s: for so long after its creation a service may not be found yet (cloud API family: about 30 s).
    """

    target: Target = Target.NONE
    settled: frozenset[str] = frozenset({"ACTIVE", "DOWN"})
    active: frozenset[str] = frozenset({"ACTIVE"})
    failed: frozenset[str] = frozenset({"ERROR"})
    least_interval_s: float = 5.0
    most_interval_s: float = 300.0
    deadline_s: float = 3600.0
    grace_s: float = 30.0

    def is_end(self, target: Target, status: str | None) -> bool:
        """
        Whether nothing more is told of a service once it has that status.
        """
        reached = self.active if target is Target.ACTIVE else self.settled
        return status is not None and status.upper() in reached | self.failed

    def is_failure(self, status: str | None) -> bool:
        """
        Whether a status is a failure.
        """
        return status is not None and status.upper() in self.failed


@dataclass(frozen=True, slots=True)
class Follow:
    """
    One service that is followed, or was.

    Attributes:
        key: of the request that it was created for.
        digest: of that request.
        tenant_id: the project that the request named, which chooses the account; None when it named none.
        service_id: doc: Table 2, id.
        target: SETTLED or ACTIVE.
        status: as it was told last; first that of the answer to the create.
        begun_at: since when it is followed.
        changed_at: when its status was last told.
        deadline_at: until when it is followed.
        changes: how many status events were told.
        is_over: the last of them was told.
        ending: why it is over.
        attempts, reconciled: of the job, for the events.
        correlation_id, extensions, traceparent, tracestate: of the request, for the events.
    """

    key: RequestKey
    digest: str
    tenant_id: str | None
    service_id: str
    target: Target
    status: str | None
    begun_at: datetime
    changed_at: datetime
    deadline_at: datetime
    changes: int = 0
    is_over: bool = False
    ending: Ending | None = None
    attempts: int = 0
    reconciled: bool = False
    correlation_id: str | None = None
    extensions: Mapping[str, str | bool | int] = field(default_factory=dict)
    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def source(self) -> str:
        """
        Source of the request.
        """
        return self.key.source

    @property
    def id(self) -> str:
        """
        Id of the request.
        """
        return self.key.id

    @property
    def reply_to(self) -> None:
        """
        Replies are for outcomes alone.
        """
        return


@dataclass(frozen=True, slots=True)
class Glimpse:
    """
    As much of a followed service as shows whether there is something to tell.

    Attributes:
        service_id, status, deadline_at: as in Follow.
    """

    service_id: str
    status: str | None
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """
    Something to tell about a followed service.

    Attributes:
        follow: as it is once this was told.
        previous_status: as it was told before.
        occurred_at: when the cloud showed it.
        service: as the cloud shows it; None when it shows none.
        deadline_reached: its time was over.
        trouble: what went wrong, if it did.
    """

    follow: Follow
    previous_status: str | None
    occurred_at: datetime
    service: Service | None = None
    deadline_reached: bool = False
    trouble: Trouble | None = None

    @property
    def is_final(self) -> bool:
        """
        Whether nothing more will be told.
        """
        return self.follow.is_over

    @property
    def sequence(self) -> int:
        """
        For the event's id: below 2^53, and the same again when the same is told again.

        It is told before it is written down. After a crash between the two the cloud may show yet another status: that
        is another event, so what is told is part of the number, beside how many were told before.
        """
        told = f"{self.follow.status}/{self.deadline_reached}"
        return (self.follow.changes << 32) + zlib.crc32(told.encode("utf-8", "surrogatepass"))


def begun(job: Job, request: Request | None, now: datetime, policy: FollowPolicy) -> Follow | None:
    """
    What to follow once a job's outcome was told; None for nothing.

    Args:
        job: done.
        request: what was asked; None when only the job is left of it.
        now: aware UTC.
        policy: how far, where neither the job nor the request says it.
    """
    asked = job.follow or (request.follow if request else None)
    target = policy.target if asked is None else Target(asked)
    service = job.outcome.service if job.outcome and job.outcome.kind is OutcomeKind.CREATED else None
    if target is Target.NONE or job.outcome is None or service is None or policy.is_end(target, service.status):
        return None
    return Follow(
        key=job.key,
        digest=job.digest,
        tenant_id=job.tenant_id,
        service_id=service.id,
        target=target,
        status=service.status,
        begun_at=now,
        changed_at=now,
        deadline_at=now + timedelta(seconds=policy.deadline_s),
        attempts=job.attempts,
        reconciled=job.outcome.reconciled,
        correlation_id=request.correlation_id if request else None,
        extensions=request.extensions if request else {},
        traceparent=request.traceparent if request else None,
        tracestate=request.tracestate if request else None,
    )


def is_news(glimpse: Glimpse, service: Service, now: datetime) -> bool:
    """
    Whether `seen` can have something to tell about a service that is followed.

    Args:
        glimpse: of the follow.
        service: as the cloud shows it.
        now: aware UTC.
    """
    return service.status not in (None, glimpse.status) or now >= glimpse.deadline_at


def seen(follow: Follow, service: Service, now: datetime, policy: FollowPolicy) -> Change | None:
    """
    What to tell now that the cloud shows the service; None for nothing.

    Args:
        follow: of the service.
        service: as the cloud shows it.
        now: aware UTC, not before the answer that shows it.
        policy: which statuses end it.
    """
    if follow.is_over:
        return None
    if service.status is None or service.status == follow.status:
        # 0. It may stay so for ever: that is no failure, but nobody waits for ever.
        return _timed_out(follow, service, now) if now >= follow.deadline_at else None
    # 1. At the target, or failed.
    is_end = policy.is_end(follow.target, service.status)
    # 2. Anything else is told, also what nobody has heard of.
    is_late = now >= follow.deadline_at and not is_end
    ending, trouble = Ending.REACHED if is_end else Ending.DEADLINE if is_late else None, None
    if policy.is_failure(service.status):
        words = f"The cloud reports the service as {service.status}."
        ending, trouble = Ending.FAILED, Trouble("service_failed", words)
    return Change(_told(follow, service.status, now, ending), follow.status, now, service, is_late, trouble)


def missing(follow: Follow, now: datetime, policy: FollowPolicy) -> Change | None:
    """
    What to tell now that neither the list nor the service's own address shows it; None for nothing.

    Args:
        follow: of the service.
        now: aware UTC.
        policy: how young it may be without being found.
    """
    if follow.is_over:
        return None
    if now < follow.begun_at + timedelta(seconds=policy.grace_s):
        return _timed_out(follow, None, now) if now >= follow.deadline_at else None
    trouble = Trouble("service_gone", "The cloud does not know the service any more.")
    return Change(_told(follow, GONE, now, Ending.GONE), follow.status, now, trouble=trouble)


def unanswered(follow: Follow, now: datetime) -> Change | None:
    """
    What to tell when the cloud cannot be asked about the service; None for nothing.

    An outage at its deadline is waited out, for the status then may be another one, but not for ever.

    Args:
        follow: of the service.
        now: aware UTC.
    """
    is_long_over = now >= follow.begun_at + _MOST_DEADLINES * (follow.deadline_at - follow.begun_at)
    return _timed_out(follow, None, now) if is_long_over and not follow.is_over else None


def _timed_out(follow: Follow, service: Service | None, now: datetime) -> Change:
    return Change(
        _told(follow, follow.status, now, Ending.DEADLINE), follow.status, now, service, deadline_reached=True
    )


def _told(follow: Follow, status: str | None, now: datetime, ending: Ending | None) -> Follow:
    is_over = ending is not None
    return replace(follow, status=status, changed_at=now, changes=follow.changes + 1, is_over=is_over, ending=ending)
