"""
Dead letters and the jobs behind them, as a worker leaves them, without a worker.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pika

from messages.envelope import Envelope, Request, decode_request
from tests.e2e.conftest import eventually
from tests.e2e.shop import TYPE
from worker.core.answers import Trouble
from worker.core.job import Job, Outcome, OutcomeKind, Phase, RequestKey, conclude
from worker.ledger.opening import open_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.e2e.shop import Shop
    from worker.ports import Ledger

DIED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Death:
    """
    A request that died.

    Attributes:
        id, source, router: of the request.
        reason: as the worker writes it.
        error: its last error.
        died_at: when.
        body: instead of a valid one.
        headers: further ones of the message.
        correlation_id: of the request.
        follow: how far its service is to be followed, as its job keeps it; None as an older version left it.
    """

    id: str
    source: str = "/shop"
    router: str = "router-1"
    reason: str = "failed"
    error: str = "Given up."
    died_at: datetime = DIED_AT
    body: bytes | None = None
    headers: tuple[tuple[str, Any], ...] = ()
    correlation_id: str | None = None
    follow: str | None = None

    @property
    def written(self) -> bytes:
        return json.dumps({"vpnservice": {"router_id": self.router}}).encode() if self.body is None else self.body

    def message(self) -> tuple[bytes, pika.BasicProperties]:
        attributes = {"specversion": "1.0", "id": self.id, "source": self.source, "type": TYPE}
        headers: dict[str, Any] = {f"ce-{name}": value for name, value in attributes.items()}
        headers |= {
            "x-vpn-reason": self.reason,
            "x-vpn-died-at": self.died_at.isoformat(),
            "x-vpn-first-seen": (self.died_at - timedelta(hours=1)).isoformat(),
            "x-vpn-attempts": 17,
            "x-vpn-last-error": self.error,
            "x-vpn-from-queue": "vpn.requests.create",
        }
        properties = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            headers=headers | dict(self.headers),
            message_id=f"letter-of-{self.id}",
            correlation_id=self.correlation_id,
        )
        return self.written, properties

    def envelope(self) -> Envelope:
        """
        The request, as a worker reads it.
        """
        body, properties = self.message()
        return Envelope(body, properties.headers or {}, "application/json", None, None, self.correlation_id, None)

    def job(self) -> Job:
        """
        The job of it, done as the reason says.
        """
        asked = decode_request(self.envelope())
        assert isinstance(asked, Request)
        job = Job(
            RequestKey(self.source, self.id),
            asked.digest,
            self.router,
            first_seen_at=self.died_at - timedelta(hours=1),
            deadline_at=self.died_at,
            wanted={"router_id": self.router},
            phase=Phase.SENT,
            attempts=17,
            first_sent_at=self.died_at - timedelta(minutes=59),
            sent_at=self.died_at - timedelta(minutes=1),
            follow=self.follow,
        )
        kind = OutcomeKind(self.reason)
        trouble = Trouble("in_doubt" if kind is OutcomeKind.IN_DOUBT else "deadline_exceeded", self.error)
        return conclude(job, Outcome(kind, self.died_at, trouble=trouble, is_dead_letter=True))


async def bury(shop: Shop, *deaths: Death) -> None:
    """
    Puts letters into the dead-letter queue; returns when they can be seen.
    """
    messages = [death.message() for death in deaths]

    def publish(channel: BlockingChannel) -> None:
        for body, properties in messages:
            channel.basic_publish(f"{shop.prefix}.dead", "", body, properties)

    await shop.with_channel(publish)

    async def are_there() -> bool:
        return await shop.ready(f"{shop.prefix}.dead") >= len(deaths)

    await eventually(are_there, "letters")


@asynccontextmanager
async def opened(ledger: Path | str) -> AsyncIterator[Ledger]:
    """
    A ledger, by its file or URL, that is closed again, so that a command has it alone.
    """
    opened = await open_ledger(ledger if isinstance(ledger, str) else f"sqlite:///{ledger}", "test", 60.0)
    try:
        yield opened
    finally:
        await opened.close()


async def note(ledger: Path | str, *jobs: Job) -> None:
    """
    Writes jobs into a ledger as a worker would, made if there is none.
    """
    async with opened(ledger) as writing:
        for job in jobs:
            at = job.first_seen_at
            await writing.claim(job if job.outcome is None else _open(job), at)
            await writing.save(job, at)


def _open(job: Job) -> Job:
    return Job(
        job.key,
        job.digest,
        job.router_id,
        job.first_seen_at,
        job.deadline_at,
        wanted=job.wanted,
        phase=Phase.SENT,
        attempts=job.attempts,
        first_sent_at=job.first_sent_at,
        sent_at=job.sent_at,
        follow=job.follow,
    )


async def known(ledger: Path | str, request_id: str, source: str = "/shop") -> Job:
    """
    What the ledger knows of a request.
    """
    async with opened(ledger) as reading:
        (job,) = await reading.find(request_id, source)
        return job
