"""
How many messages wait, asked now and then over a connection of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq.exceptions
import structlog
from aio_pika.abc import AbstractConnection

from messages.routes import Routes
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, close_quietly, connect, typed_errors
from worker.errors import BrokerRefused, BrokerUnreachable

log = structlog.get_logger()


class QueueCounter:
    """
    Counts what is ready in the work queue and in the dead letters. Passive: nothing is declared, nothing taken.

    Args:
        amqp_url: of the worker's own user.
        routes: our names.
    """

    def __init__(self, amqp_url: str, routes: Routes) -> None:
        self._url = amqp_url
        self._queues = (routes.requests_queue, routes.dead_queue)
        self._connection: AbstractConnection | None = None

    async def count(self) -> tuple[int | None, int | None]:
        """
        Messages ready in the work queue and in the dead letters; None for what cannot be known now.
        """
        try:
            if self._connection is None or self._connection.is_closed:
                self._connection = await connect(self._url, "count")
        except (BrokerRefused, BrokerUnreachable) as exc:
            log.debug("queues.not_counted", error=str(exc))
            return None, None
        waiting, dead = [await self._one(self._connection, queue) for queue in self._queues]
        return waiting, dead

    async def close(self) -> None:
        """
        Leaves the broker.
        """
        if self._connection is not None:
            await close_quietly(self._connection)

    async def _one(self, connection: AbstractConnection, queue: str) -> int | None:
        try:
            with typed_errors():
                # A channel for each: what is refused on it ends it, and no other.
                async with asyncio.timeout(CALL_TIMEOUT_S), connection.channel(publisher_confirms=False) as channel:
                    declared = await channel.declare_queue(queue, passive=True)
        except (*BROKER_ERRORS, aiormq.exceptions.ChannelAccessRefused) as exc:
            log.debug("queues.not_counted", queue=queue, error=str(exc) or type(exc).__name__)
            return None
        return declared.declaration_result.message_count


@asynccontextmanager
async def open_counter(amqp_url: str, routes: Routes) -> AsyncIterator[QueueCounter]:
    """
    A counter that leaves the broker in the end; it connects when it is first asked, and anew when it must.
    """
    counter = QueueCounter(amqp_url, routes)
    try:
        yield counter
    finally:
        await counter.close()
