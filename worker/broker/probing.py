"""
Harmless questions to the broker: what our user may do, and whether publishing works. Nothing is taken or left behind.

They were tried on RabbitMQ 3.10.8 and 4.0.5 (tests/broker/test_probing.py). Answers are told by their code, never by
their text.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum

import aio_pika
import aiormq.exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection

from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, close_quietly, connect, typed_errors

#: A broker that is well answers a publish in milliseconds; one with an alarm never.
_PUBLISH_WAIT_S = 3.0
#: During an alarm RabbitMQ still reads the first from a connection, and then no more.
_PUBLISHES = 2
_CLOSE_WAIT_S = 1.0
_LOOK_S = 0.1


class Permission(Enum):
    """
    Whether something is permitted; UNKNOWN when the broker could not be asked.
    """

    GRANTED = "granted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


async def may_read(connection: AbstractConnection, queue: str) -> Permission:
    """
    Whether our user may consume from a queue.

    RabbitMQ looks at permissions first, and then refuses a priority that is no number: nobody consumes.
    """

    async def ask(channel: AbstractChannel) -> None:
        await channel.set_qos(1)  # if some broker took it for a consumer after all
        underlay = await channel.get_underlay_channel()
        await underlay.basic_consume(queue, _ignore, arguments={"x-priority": "none"})

    return await _answer(connection, ask)


async def may_write(connection: AbstractConnection, exchange: str, readable: str) -> Permission:
    """
    Whether our user may publish to an exchange.

    Taking away a binding that does not exist changes nothing, and needs the right to write to its destination.

    Args:
        connection: our user's.
        exchange: to publish to.
        readable: a name that our user may read, since the other end of the binding needs that; no exchange has it.
    """

    async def ask(channel: AbstractChannel) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.exchange_unbind(destination=exchange, source=readable, routing_key=_nobody())

    return await _answer(connection, ask)


async def may_reply(amqp_url: str) -> Permission:
    """
    Whether our user may publish to queues by their names: through the default exchange, to a name that nobody has.

    On a connection of its own, as whatever publishes.

    Raises:
        BrokerRefused, BrokerUnreachable: there is no connection.
    """

    async def ask(channel: AbstractChannel) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.basic_publish(b"", exchange="", routing_key=_nobody(), mandatory=True)

    connection = await connect(amqp_url, "probe")
    try:
        return await _answer(connection, ask, confirms=True)
    finally:
        await close_quietly(connection, _CLOSE_WAIT_S)


class Flow(Enum):
    """
    How the broker takes what is published.

    BLOCKED: it said that it is short of memory or disk. SILENT: it does not answer. UNKNOWN: it could not be tried.
    """

    FREE = "free"
    BLOCKED = "blocked"
    SILENT = "silent"
    UNKNOWN = "unknown"


async def flow_to(amqp_url: str, exchange: str) -> Flow:
    """
    Whether a publish gets its answer: one to a direct exchange, with a routing key that nobody is bound for.

    On a connection of its own: a broker with an alarm stops reading from whoever publishes.

    Raises:
        BrokerRefused, BrokerUnreachable: there is no connection.
    """
    connection = await connect(amqp_url, "probe")
    try:
        with typed_errors():
            async with asyncio.timeout(_PUBLISH_WAIT_S):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                target = await channel.get_exchange(exchange, ensure=False)
                for _ in range(_PUBLISHES):
                    with suppress(aiormq.exceptions.PublishError):
                        await target.publish(aio_pika.Message(b""), _nobody(), mandatory=True)
    except TimeoutError:
        return Flow.BLOCKED if await _is_blocked(connection) else Flow.SILENT
    except BROKER_ERRORS:
        return Flow.UNKNOWN
    finally:
        await close_quietly(connection, _CLOSE_WAIT_S)
    return Flow.FREE


async def _is_blocked(connection: AbstractConnection) -> bool:
    underlay = connection.transport.connection if connection.transport else None
    if underlay is None:
        return False
    try:
        async with asyncio.timeout(_LOOK_S):
            await underlay.ready()
    except TimeoutError:
        return True
    return False


async def _answer(
    connection: AbstractConnection, ask: Callable[[AbstractChannel], Awaitable[None]], *, confirms: bool = False
) -> Permission:
    """
    403 is a refusal; any other answer comes from behind the look at permissions.
    """
    try:
        with typed_errors():
            async with asyncio.timeout(CALL_TIMEOUT_S):
                channel = await connection.channel(publisher_confirms=confirms)
                await ask(channel)
                await channel.close()
    except aiormq.exceptions.ChannelAccessRefused:
        return Permission.REFUSED
    except (aiormq.exceptions.ChannelPreconditionFailed, aiormq.exceptions.ChannelNotFoundEntity):
        return Permission.GRANTED
    except BROKER_ERRORS:
        return Permission.UNKNOWN
    return Permission.GRANTED


def _nobody() -> str:
    """
    A name that nobody has.
    """
    return f"vpn-worker.probe.{uuid.uuid4().hex}"


async def _ignore(message: object) -> None:
    """
    Is never called.
    """
