"""
Writes down what a person found out about a request in doubt, and tells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import assert_never

from messages.envelope import Request
from worker.core.amending import is_resolved_so, resolved_created, resolved_not_created
from worker.core.answers import Listed, Service
from worker.core.following import FollowPolicy, begun
from worker.core.job import Job, OutcomeKind
from worker.core.letters import DeadLetter, LetterFilter
from worker.core.telling import outcome_event
from worker.errors import VpnWorkerError
from worker.ports import Clock, DeadLetters, Follows, Ledger, Saved, Showing
from worker.teller import Teller


class CannotResolve(VpnWorkerError):  # noqa: N818 - named for what the operator sees
    """
    The request cannot be resolved like this; nothing was changed.
    """


@dataclass(frozen=True, slots=True)
class Resolution:
    """
    What a person found out.

    Attributes:
        request_id: of the request.
        source: of the request; needed only when several sources used the id.
        service_id: of the service that was created; None: it was not created.
    """

    request_id: str
    source: str | None
    service_id: str | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    What was written down and told.

    Attributes:
        job: with its outcome.
        is_repeat: it had that outcome before; the event was told again, under the same id.
        letters: dead letters of the request that were removed.
    """

    job: Job
    is_repeat: bool
    letters: int


@dataclass(frozen=True, slots=True)
class _KeyAlone:
    """
    What an event can take over from a request of which only the ledger's row is left.
    """

    source: str
    id: str
    digest: str
    correlation_id: str | None = None
    reply_to: str | None = None
    extensions: Mapping[str, str | bool | int] = field(default_factory=dict)
    traceparent: str | None = None
    tracestate: str | None = None


class Resolver:
    """
    Resolves requests in doubt: the ledger first, then the event, then the letters. Safe to run again after a crash.

    Args:
        letters: the dead letters; the request's own is removed at the end, and its event is told as it asked for.
        ledger: the workers' own.
        follows: where a service that was created is noted, when it is to be followed.
        teller: for the event.
        clock: the time.
        following: how far services are followed, unless their request says it.
    """

    def __init__(
        self,
        letters: DeadLetters,
        ledger: Ledger,
        follows: Follows,
        teller: Teller,
        clock: Clock,
        following: FollowPolicy,
    ) -> None:
        self._letters = letters
        self._ledger = ledger
        self._follows = follows
        self._teller = teller
        self._clock = clock
        self._following = following

    async def resolve(self, resolution: Resolution, cloud: Showing | None) -> Resolved:
        """
        Writes the resolution down and returns when its event is confirmed.

        Args:
            resolution: what was found out.
            cloud: is asked for the service; None takes its id as it is given.

        Raises:
            CannotResolve: nothing was changed; the message says why.
            LedgerError, BrokerUnreachable: it may be half done; the same resolution again finishes it.
        """
        job = await self._job(resolution)
        is_repeat = is_resolved_so(job, resolution.service_id)
        if not is_repeat:
            job = await self._write_down(job, await self._resolved(job, resolution, cloud))
        letters = await self._letters_of(job)
        asked = _request(letters)
        await self._tell(job, asked)
        await self._follow(job, asked)
        for letter in letters:
            await self._letters.remove(letter)
        return Resolved(job, is_repeat, len(letters))

    async def _job(self, resolution: Resolution) -> Job:
        jobs = await self._ledger.find(resolution.request_id, resolution.source)
        if not jobs:
            whose = f" of {resolution.source}" if resolution.source is not None else ""
            raise CannotResolve(
                f"The ledger knows no request {resolution.request_id}{whose}; rejected ones are never in it, else check VPN_WORKER_LEDGER_URL."
            )
        if len(jobs) > 1:
            sources = ", ".join(sorted(job.key.source for job in jobs))
            raise CannotResolve(f"Several sources have a request {resolution.request_id}; choose --source: {sources}")
        return jobs[0]

    async def _resolved(self, job: Job, resolution: Resolution, cloud: Showing | None) -> Job:
        if job.outcome is None or job.outcome.kind is not OutcomeKind.IN_DOUBT:
            raise CannotResolve(f"The request {job.key.id} of {job.key.source} is not in doubt: {_state(job)}.")
        if resolution.service_id is None:
            return resolved_not_created(job, self._clock.now())
        service = (
            Service(resolution.service_id, None, {})
            if cloud is None
            else await _shown(cloud, resolution.service_id, job)
        )
        return resolved_created(job, service, self._clock.now())

    async def _write_down(self, was: Job, job: Job) -> Job:
        saved = await self._ledger.amend(was, job, self._clock.now())
        match saved:
            case Saved.WRITTEN:
                return job
            case Saved.LEASE_LOST:
                raise CannotResolve("Somebody else has just changed the request; look at it again.")
            case Saved.SERVICE_TAKEN:
                raise CannotResolve(f"Service {job.service_id} belongs to another request already.")
            case _:
                assert_never(saved)

    async def _letters_of(self, job: Job) -> list[DeadLetter]:
        wanted = LetterFilter(request=job.key.id, source=job.key.source)
        async with aclosing(self._letters.read()) as letters:
            return [letter async for letter in letters if wanted.fits(letter) and _is_of(letter, job)]

    async def _tell(self, job: Job, asked: Request | None) -> None:
        assert job.outcome is not None  # noqa: S101 - it was resolved
        event = outcome_event(job, job.outcome)
        subject = event.service_id or job.router_id
        told_as = _KeyAlone(job.key.source, job.key.id, job.digest) if asked is None else asked
        await self._teller.tell(told_as, event, subject, sequence=job.replays, is_outcome=True)

    async def _follow(self, job: Job, asked: Request | None) -> None:
        followed = begun(job, asked, self._clock.now(), self._following)
        if followed is not None:
            await self._follows.begin(followed)


async def _shown(cloud: Showing, service_id: str, job: Job) -> Service:
    answer = await cloud.show(service_id, job.tenant_id)
    if isinstance(answer, Listed):
        raise CannotResolve(f"The cloud has no service {service_id}.")
    if not isinstance(answer, Service):
        raise CannotResolve(
            f"The cloud could not show service {service_id}: {answer.trouble.message} --unchecked does not ask it."
        )
    if answer.attributes.get("router_id") != job.router_id:
        theirs = answer.attributes.get("router_id")
        raise CannotResolve(f"Service {service_id} is on router {theirs}, the request was for {job.router_id}.")
    if answer.status == "ERROR":
        # What the core makes of such an answer: a half-made leftover is never told as created.
        raise CannotResolve(f"Service {service_id} is in status ERROR: delete it, and resolve with --not-created.")
    return answer


def _is_of(letter: DeadLetter, job: Job) -> bool:
    # Another body under the same id is another request, and was rejected.
    asked = letter.asked()
    return isinstance(asked, Request) and asked.digest == job.digest


def _request(letters: list[DeadLetter]) -> Request | None:
    for letter in letters:
        asked = letter.asked()
        if isinstance(asked, Request):
            return asked
    return None


def _state(job: Job) -> str:
    if job.outcome is None:
        return f"it is under way ({job.phase.value})"
    if job.outcome.service is not None:
        return f"it is {job.outcome.kind.value}, service {job.outcome.service.id}"
    code = job.outcome.trouble.code if job.outcome.trouble else ""
    return f"it is {job.outcome.kind.value} ({code})"
