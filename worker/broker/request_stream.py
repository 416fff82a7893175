"""
Publishes many requests over one connection, many of them unconfirmed at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq.exceptions
from aio_pika.abc import AbstractExchange

from messages.envelope import Envelope
from messages.routes import Routes
from worker.broker.blockade import Blockade
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, connected, typed_errors
from worker.broker.messages import to_request_message
from worker.errors import BrokerRefused, BrokerUnreachable

#: A broker on slow disks may be this late with the last of a full window.
_CONFIRM_TIMEOUT_S = 30.0


class RequestStream:
    """
    Sends requests to the work queue; `send` is called from many tasks at once.
    """

    def __init__(self, exchange: AbstractExchange, routing_key: str, blockade: Blockade) -> None:
        self._exchange = exchange
        self._routing_key = routing_key
        self._blockade = blockade

    @property
    def is_blocked(self) -> bool:
        """
        Whether the broker takes nothing now, being short of memory or disk; `send` waits meanwhile.
        """
        return self._blockade.is_blocked

    async def send(self, envelope: Envelope) -> None:
        """
        Returns when the broker has the request safe. Repeating it is safe: its id tells.

        Raises:
            BrokerUnreachable: it is not certain that the broker has it.
            BrokerRefused: it will not take it: there is no queue, or this user may not write.
        """
        await self._blockade.passed()
        try:
            async with self._blockade.limit(_CONFIRM_TIMEOUT_S):
                with typed_errors():
                    await self._exchange.publish(to_request_message(envelope), self._routing_key, mandatory=True)
        except (aiormq.exceptions.PublishError, aiormq.exceptions.ChannelNotFoundEntity) as exc:
            raise BrokerRefused(
                f"There is no queue for requests behind {self._exchange.name} yet; "
                "start a worker, or run `vpn-worker topology apply` once."
            ) from exc
        except (aiormq.exceptions.ChannelAccessRefused, aiormq.exceptions.ChannelPreconditionFailed) as exc:
            raise BrokerRefused(
                f"Requests may not be sent to {self._exchange.name} by this user: {exc}. "
                "Use one with the role of a publisher, client or operator (docs/how-to/permissions.md)."
            ) from exc
        except BROKER_ERRORS as exc:
            raise BrokerUnreachable(f"RabbitMQ did not confirm a request ({str(exc) or type(exc).__name__}).") from exc


@asynccontextmanager
async def open_request_stream(amqp_url: str, routes: Routes) -> AsyncIterator[RequestStream]:
    """
    A stream with a connection of its own.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached.
    """
    async with connected(amqp_url, "send") as connection:
        blockade = Blockade("send")
        blockade.watch(connection)
        try:
            with typed_errors():
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    exchange = await channel.get_exchange(routes.requests_exchange, ensure=False)
        except BROKER_ERRORS as exc:
            raise BrokerUnreachable(f"RabbitMQ opens no channel ({str(exc) or type(exc).__name__}).") from exc
        yield RequestStream(exchange, routes.request_routing_key, blockade)
