"""
Reads events as they come, from a queue at the broker that lives only as long as the reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiormq.exceptions
from aio_pika.abc import AbstractIncomingMessage

from messages.envelope import Envelope
from messages.routes import Routes
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, connected, typed_errors
from worker.broker.link import Loss
from worker.broker.messages import to_envelope
from worker.errors import BrokerRefused, BrokerUnreachable

#: Events that are here and were not asked for yet; the others wait at the broker, which has the room.
_PREFETCH = 200


class Tap:
    """
    A stream of events. However slow its reader is, little of it is in memory.
    """

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._events: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

    async def put(self, message: AbstractIncomingMessage) -> None:
        """
        Called with each event that arrives.
        """
        self._events.put_nowait(message)

    async def watch_loss(self) -> None:
        """
        Ends the stream when the connection goes.
        """
        await self._loss.wait()
        self._events.put_nowait(None)

    async def next(self) -> Envelope:
        """
        The next event, as soon as there is one.

        Raises:
            BrokerUnreachable: the connection is gone; events may have been missed.
        """
        message = await self._events.get()
        if message is None:
            self._events.put_nowait(None)
            raise BrokerUnreachable(f"The connection to RabbitMQ was lost ({self._loss.reason}).")
        # One that cannot be acked came all the same; the end of the stream follows it.
        with suppress(*BROKER_ERRORS), typed_errors():
            await message.ack()
        return to_envelope(message)


@asynccontextmanager
async def open_tap(amqp_url: str, routes: Routes, *binding_keys: str) -> AsyncIterator[Tap]:
    """
    A stream of the events whose routing key fits; bound when it is entered, so none after that is missed.

    Args:
        amqp_url: of a user that may read.
        routes: our names.
        binding_keys: `vpnservice.created`, `vpnservice.status.*`, ...; none: all.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached, or has no events exchange yet.
    """
    async with connected(amqp_url, "watch") as connection:
        loss = Loss()
        loss.watch(connection)
        try:
            with typed_errors():
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    channel = await connection.channel(publisher_confirms=False)
                loss.watch(channel)
                await channel.set_qos(_PREFETCH, timeout=CALL_TIMEOUT_S)
                queue = await channel.declare_queue(exclusive=True, auto_delete=True, timeout=CALL_TIMEOUT_S)
                for key in binding_keys or ("#",):
                    await queue.bind(routes.events_exchange, key, timeout=CALL_TIMEOUT_S)
                tap = Tap(loss)
                await queue.consume(tap.put, timeout=CALL_TIMEOUT_S)
        except aiormq.exceptions.ChannelAccessRefused as exc:
            raise BrokerRefused(
                f"The events of {routes.events_exchange} may not be read by this user: {exc}. "
                "Use one with the role of a client, reader or operator (docs/how-to/permissions.md)."
            ) from exc
        except BROKER_ERRORS as exc:
            raise BrokerUnreachable(
                f"The events of {routes.events_exchange} cannot be read ({str(exc) or type(exc).__name__}); "
                "start a worker, or run `vpn-worker topology apply` once."
            ) from exc
        watching = asyncio.create_task(tap.watch_loss())
        try:
            yield tap
        finally:
            watching.cancel()
