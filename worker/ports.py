"""
What the flows need from outside, as small protocols; each docstring is the promise an edge makes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from messages.envelope import Envelope
from worker.core.answers import CreateAnswer, ListAnswer, Service
from worker.core.job import Job, RequestKey
from worker.core.letters import DeadLetter


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One arrival of a message.

    Attributes:
        envelope: body, headers and properties.
        is_redelivered: an earlier delivery of it, or of the original it is a copy of, cannot be ruled out.
        token: what the broker room needs to settle it; opaque to everybody else.
        published_at: the publisher's timestamp, if it set one.
        first_seen_at: when the first worker saw it, if it has been on a rung.
        attempts: POSTs made for it before it went on a rung.
        crashes: how often in a row it ended in an unforeseen error of ours.
        returns: how often the broker has taken it back from somebody who had it (x-delivery-count).
        replays: how often a person has put it back from the dead letters.
    """

    envelope: Envelope
    is_redelivered: bool
    token: object
    published_at: datetime | None = None
    first_seen_at: datetime | None = None
    attempts: int = 0
    crashes: int = 0
    returns: int = 0
    replays: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """
    Verdict: everything is said, forget the delivery.
    """


@dataclass(frozen=True, slots=True)
class Later:
    """
    Verdict: a copy goes to the rung nearest to `delay_s`, then the delivery is acked.

    Attributes:
        delay_s: about how long to wait.
        first_seen_at: when the first delivery arrived.
        attempts: POSTs made so far.
        last_error: why it waits, in words.
        crashes: how often in a row it ended in an unforeseen error of ours.
        is_redelivered: whether a ledger that does not know the copy must suspect that it was sent.
    """

    delay_s: float
    first_seen_at: datetime
    attempts: int
    last_error: str
    crashes: int = 0
    is_redelivered: bool = True


@dataclass(frozen=True, slots=True)
class Dead:
    """
    Verdict: a copy goes to the dead letters with its reason, then the delivery is acked.
    """

    reason: str
    first_seen_at: datetime
    attempts: int
    last_error: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """
    Verdict: leave the delivery unacked; the broker redelivers it when the connection closes (drain).
    """


Verdict = Ack | Later | Dead | GiveBack


class Published(Enum):
    """
    What became of one publish.

    ACKED: the broker has it. NACKED: it has not. RETURNED: no queue is bound for it.
    TIMED_OUT: it may have it (broker-facts: What aio-pika does, 7). LOST: the connection went, it may have it.
    """

    ACKED = "acked"
    NACKED = "nacked"
    RETURNED = "returned"
    TIMED_OUT = "timed_out"
    LOST = "lost"


class Taking(Protocol):
    """
    The stream of deliveries, which can be stopped and started. What was delivered before stays ours to settle.
    """

    async def pause(self) -> None:
        """
        Returns when the broker delivers no more, or cannot be asked; also new connections deliver nothing. Safe to repeat.
        """
        ...

    async def resume(self) -> None:
        """
        Lets the broker deliver again, at once or as soon as there is a connection. Safe to repeat.
        """
        ...


class Publisher(Protocol):
    """
    Publishes events. Safe to call from many tasks, and safe to repeat: readers know an event by its id.
    """

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        """
        Sends one event; only ACKED means it is kept. Returns within the publish timeout whatever the broker does, save
        that it waits for as long as the broker says that it takes no publishes (memory or disk alarm).
        """
        ...


class Replier(Protocol):
    """
    Sends courtesy copies of outcomes. Safe to call from many tasks.
    """

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        """
        Sends a copy of an outcome to the queue that a requester named; tries a few times, never for long.

        RETURNED when the queue is gone, is one of our own, or may not be written to.
        """
        ...


class Cloud(Protocol):
    """
    The cloud's VPN service API. Never raises for what the cloud or the network does: that is an answer.

    `tenant_id` chooses the account: the one the request names, None for the default.
    """

    async def create(self, body: bytes, tenant_id: str | None) -> CreateAnswer:
        """
        POSTs `body` once; once more only where the first was refused for its login alone. Not safe to repeat after Unknown.
        """
        ...

    async def list_services(self, router_id: str, tenant_id: str | None) -> ListAnswer:
        """
        Every service of a router, all pages. Safe to repeat.
        """
        ...

    async def recovered(self) -> None:
        """
        Returns when a login that had failed works again: a probe need not wait any longer. Perhaps never.
        """
        ...

    async def probe(self) -> ListAnswer:
        """
        A look-up for nobody, by an account that can log in: shows whether the cloud answers. Safe to repeat.
        """
        ...


@dataclass(frozen=True, slots=True)
class Claimed:
    """
    The job is ours until the lease ends; `is_new` when this claim wrote its row.
    """

    job: Job
    is_new: bool


@dataclass(frozen=True, slots=True)
class Held:
    """
    Another worker holds the job, or another request for the same router is undecided; until about `until`.
    """

    until: datetime


@dataclass(frozen=True, slots=True)
class Reused:
    """
    The key belongs to a request with another body.
    """


Claim = Claimed | Held | Reused


class Saved(Enum):
    """
    What became of a write to the ledger; only WRITTEN changed anything.

    LEASE_LOST: another worker has taken the job over. SERVICE_TAKEN: another job owns the service id.
    """

    WRITTEN = "written"
    LEASE_LOST = "lease_lost"
    SERVICE_TAKEN = "service_taken"


class Ledger(Protocol):
    """
    The durable record of jobs. Every write is on disk when the call returns; concurrent writes share a commit.
    Every call may raise LedgerError, with nothing written; repeating it is safe.
    """

    async def claim(self, job: Job, now: datetime) -> Claim:
        """
        Takes the lease of the job with this key, writing `job` as its row if there is none. Safe to repeat.

        At most one job of a router is under way or in doubt at a time: a look-up could not tell two apart.
        """
        ...

    async def save(self, job: Job, now: datetime) -> Saved:
        """
        Writes the job. While it is under way our lease is renewed; once it is done the lease is given up.
        """
        ...

    async def release(self, job: Job, now: datetime) -> Saved:
        """
        Writes the job and gives the lease up, so that any worker can claim it at once.
        """
        ...

    async def owned(self, service_ids: Iterable[str], by_others_than: RequestKey) -> frozenset[str]:
        """
        Those of the ids that belong to another job.
        """
        ...

    async def counts(self) -> Mapping[str, int]:
        """
        How many jobs there are in each phase, outcomes told apart.
        """
        ...

    async def find(self, request_id: str, source: str | None = None) -> tuple[Job, ...]:
        """
        The jobs of that request id, of every source or of one; for people, who rarely know the source.
        """
        ...

    async def amend(self, was: Job, job: Job, now: datetime) -> Saved:
        """
        Writes what a person decided about a job that was done, and leaves it to whoever claims it next.

        LEASE_LOST when it is not done any more, or has another outcome than `was`: somebody was faster.
        """
        ...

    async def prune(self, done_before: datetime, limit: int) -> int:
        """
        Forgets up to `limit` jobs that were done before that moment, oldest first; says how many.

        Jobs in doubt stay: a person has not decided yet. What is forgotten is a stranger when it comes again.
        """
        ...

    async def mark_suspect(self, fingerprint: str, now: datetime) -> int:
        """
        Notes, before a message that may kill us is touched, that it is; says how often that was noted, this one included.
        """
        ...

    async def clear_suspect(self, fingerprint: str) -> None:
        """
        Forgets the notes about a message that we have survived.
        """
        ...


class Clock(Protocol):
    """
    Time and luck; the only source of both for the flows.
    """

    def now(self) -> datetime:
        """
        The time, aware UTC.
        """
        ...

    def roll(self) -> float:
        """
        A random number in [0, 1).
        """
        ...


class DeadLetters(Protocol):
    """
    The dead letters, for one person's command.
    """

    def read(self) -> AsyncGenerator[DeadLetter, None]:
        """
        The letters that lay there when it was called, oldest first; those that another command is reading are missing.

        Reading takes nothing: what is not removed is there again, in its order, when the command ends.
        """
        ...

    async def remove(self, letter: DeadLetter) -> None:
        """
        Takes a letter that was read out of the queue for good. If we die at once, it may be there again.
        """
        ...


class Resender(Protocol):
    """
    Sends the requests of dead letters again.
    """

    async def send_again(self, letter: DeadLetter, *, replays: int, is_suspect: bool) -> None:
        """
        Returns when the broker has the request, as it was first published, in the work queue. Safe to repeat.

        Args:
            letter: whose request it is.
            replays: how often it has been replayed, this one included.
            is_suspect: it may have been sent: a ledger that does not know it must look before it sends.
        """
        ...


class Showing(Protocol):
    """
    The cloud, as far as a person needs it who decides about a request in doubt.
    """

    async def show(self, service_id: str, tenant_id: str | None) -> Service | ListAnswer:
        """
        One service by its id, Listed(()) when there is none, or why it could not be shown. Safe to repeat.
        """
        ...
