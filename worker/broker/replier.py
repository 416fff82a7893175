"""
Sends courtesy copies of outcomes to the queues that requesters named.
"""

from __future__ import annotations

import asyncio

import aio_pika
import aiormq.exceptions
import structlog
from aio_pika.abc import AbstractConnection, AbstractExchange

from messages.envelope import Envelope
from messages.routes import Routes
from worker.broker.blockade import Blockade
from worker.broker.confirms import outcome_of
from worker.broker.connection import close_quietly, connect
from worker.broker.messages import to_message
from worker.ports import Published
from worker.tracing import publishing

log = structlog.get_logger()

_TRIES = 3


class BrokerReplier:
    """
    Replies over a connection of its own, opened with the first one.

    A queue is reached by its name only through the default exchange. A user that may not write there has the
    channel, and with other frames under way the whole connection, closed for it (broker-facts, 6): events must not
    be on it.

    Args:
        amqp_url: of the broker.
        routes: our names; a reply into one of our own queues is refused.
        timeout_s: for one reply.
    """

    def __init__(self, amqp_url: str, routes: Routes, timeout_s: float) -> None:
        self._amqp_url = amqp_url
        self._own = f"{routes.prefix}."
        self._timeout_s = timeout_s
        self._opening = asyncio.Lock()
        self._blockade = Blockade("reply")
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._is_forbidden = False

    async def reply(self, event: Envelope, reply_to: str) -> Published:
        """
        See Replier.reply.
        """
        result = Published.RETURNED
        for _ in range(_TRIES):
            if self._is_forbidden or reply_to.startswith(self._own):
                return Published.RETURNED
            message = to_message(event)
            with publishing("", reply_to, message):
                result = await outcome_of(self._send(message, reply_to), "reply", self._timeout_s)
            if result not in {Published.LOST, Published.TIMED_OUT} or self._blockade.is_blocked:
                break  # what was sent to a broker that blocks us is delivered later: another try would be another copy
            await self.close()
        return result

    async def close(self) -> None:
        """
        Closes the connection, if there is one.
        """
        connection, self._connection, self._exchange = self._connection, None, None
        self._blockade.lift()
        if connection is not None:
            await close_quietly(connection)

    async def _send(self, message: aio_pika.Message, reply_to: str) -> None:
        exchange = await self._opened()
        await self._blockade.passed()
        try:
            await exchange.publish(message, reply_to, mandatory=True)
        except aiormq.exceptions.ChannelAccessRefused as exc:
            if not self._is_forbidden:
                log.warning("reply.forbidden", error=str(exc), remedy="let the worker's user write to amq.default")
            self._is_forbidden = True
            raise

    async def _opened(self) -> AbstractExchange:
        async with self._opening:
            if self._exchange is None:
                self._connection = await connect(self._amqp_url, "reply")
                self._blockade.watch(self._connection)
                channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchange = channel.default_exchange
            return self._exchange
