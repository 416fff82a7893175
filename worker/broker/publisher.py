"""
Publishes events, replies and copies, each confirmed or not, never silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from messages.envelope import Envelope
from messages.routes import Routes
from worker.broker.blockade import Blockade
from worker.broker.confirms import outcome_of
from worker.broker.link import Link, Loss
from worker.broker.messages import (
    ATTEMPTS,
    CRASHES,
    DIED_AT,
    FIRST_SEEN,
    FROM_QUEUE,
    LAST_ERROR,
    REASON,
    REDELIVERED,
    SENT_AT,
    to_copy,
    to_message,
)
from worker.core.backoff import rung_for
from worker.facts import note
from worker.facts.requests import DeadLettered, RetryScheduled
from worker.ports import Dead, Later, Published
from worker.tracing import publishing


class BrokerPublisher:
    """
    Publishes over a connection of its own: on a blocked connection acks would not be read (broker-facts, 7).

    Each kind of destination has its own channel: one that is refused, or waits for a queue without a
    leader, does not hold up the others (broker-facts, 6 and 14).

    While the broker blocks publishers nothing is given up and nothing is sent twice: what was sent waits, and what
    comes waits before it is sent.

    Args:
        amqp_url: of the broker.
        routes: our names.
        timeout_s: for one publish, blockades not counted; after it the outcome is unknown.
        own_user: our user, written on copies to prove that they are ours; it must be that of the connection.
    """

    def __init__(self, amqp_url: str, routes: Routes, timeout_s: float = 10.0, *, own_user: str | None = None) -> None:
        self._routes = routes
        self._timeout_s = timeout_s
        self._link = Link(amqp_url, "publish")
        self._user = own_user
        self._blockade = Blockade("publish")
        self._connection: AbstractConnection | None = None
        self._channels: dict[str, AbstractChannel] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    async def run(self) -> None:
        """
        Keeps the connection up until `close`.
        """
        await self._link.run(self._hold)

    @property
    def is_open(self) -> bool:
        """
        Whether a publish could go out now: there is a connection, and the broker does not block it.
        """
        return self._connection is not None and not self._blockade.is_blocked

    @property
    def is_connected(self) -> bool:
        """
        Whether there is a connection.
        """
        return self._link.is_up

    @property
    def is_blocked(self) -> bool:
        """
        Whether the broker takes no publishes now, being short of memory or disk.
        """
        return self._blockade.is_blocked

    def close(self) -> None:
        """
        Ends `run`.
        """
        self._link.close()

    async def publish_event(self, event: Envelope, routing_key: str) -> Published:
        """
        See Publisher.publish_event.
        """
        return await self._publish("events", self._routes.events_exchange, routing_key, to_message(event))

    async def copy_to_rung(self, envelope: Envelope, later: Later, sent_at: datetime | None = None) -> Published:
        """
        A copy of a request on the rung nearest to its delay. `sent_at`: when its publisher sent it, if that is known.
        """
        own: dict[str, str | int] = {
            FIRST_SEEN: later.first_seen_at.isoformat(),
            ATTEMPTS: later.attempts,
            LAST_ERROR: later.last_error,
            CRASHES: later.crashes,
            REDELIVERED: int(later.is_redelivered),
        }
        if sent_at is not None:
            own[SENT_AT] = sent_at.isoformat()
        rung = rung_for(later.delay_s)
        copy = to_copy(envelope, own, self._user)
        result = await self._publish("retries", self._routes.retry_exchange, rung.name, copy)
        if result is Published.ACKED:
            note(RetryScheduled(rung.name, later.cause.value))
        return result

    async def copy_to_dead(self, envelope: Envelope, dead: Dead) -> Published:
        """
        A copy of a request in the dead letters, with why, when and where from.
        """
        own: dict[str, str | int] = {
            REASON: dead.reason,
            DIED_AT: datetime.now(UTC).isoformat(),
            FROM_QUEUE: self._routes.requests_queue,
            FIRST_SEEN: dead.first_seen_at.isoformat(),
            ATTEMPTS: dead.attempts,
            LAST_ERROR: dead.last_error,
        }
        copy = to_copy(envelope, own, self._user)
        result = await self._publish("dead", self._routes.dead_exchange, dead.reason, copy)
        if result is Published.ACKED:
            note(DeadLettered(dead.reason))
        return result

    async def _publish(self, kind: str, exchange: str, routing_key: str, message: aio_pika.Message) -> Published:
        async def send() -> None:
            await self._blockade.passed()
            channel = await self._channel(kind)
            target = await channel.get_exchange(exchange, ensure=False)
            await target.publish(message, routing_key, mandatory=True)

        with publishing(exchange, routing_key, message, is_copy=kind != "events"):
            return await outcome_of(send(), kind, self._timeout_s, self._blockade)

    async def _channel(self, kind: str) -> AbstractChannel:
        async with self._opening.setdefault(kind, asyncio.Lock()):
            channel = self._channels.get(kind)
            if channel is not None and not channel.is_closed:
                return channel
            if self._connection is None:
                raise ConnectionError("no connection to publish on")
            # on_return_raises: an unroutable publish looks successful otherwise (broker-facts, 5).
            channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            self._channels[kind] = channel
            return channel

    @asynccontextmanager
    async def _hold(self, connection: AbstractConnection, loss: Loss) -> AsyncIterator[None]:
        self._blockade.watch(connection)
        self._connection, self._channels = connection, {}
        try:
            yield
        finally:
            self._connection, self._channels = None, {}
            self._blockade.lift()
