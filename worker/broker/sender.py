"""
Publishes requests, as any other service would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq.exceptions
from aio_pika.abc import AbstractExchange

from messages.envelope import Envelope
from messages.routes import Routes
from worker.broker.connection import BROKER_ERRORS, connected, typed_errors
from worker.broker.messages import to_request_message
from worker.errors import BrokerUnreachable

_TIMEOUT_S = 10.0


class RequestSender:
    """
    Sends requests to the work queue.
    """

    def __init__(self, exchange: AbstractExchange, routing_key: str) -> None:
        self._exchange = exchange
        self._routing_key = routing_key

    async def send(self, envelope: Envelope) -> None:
        """
        Returns when the broker has the request safe. Repeating it is safe: its id tells.

        Raises:
            BrokerUnreachable: it is not certain that the broker has it.
        """
        message = to_request_message(envelope)
        identity = envelope.headers.get("ce-id") or envelope.message_id or "that in its body"
        try:
            with typed_errors():
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._exchange.publish(message, self._routing_key, mandatory=True)
        except (aiormq.exceptions.PublishError, aiormq.exceptions.ChannelNotFoundEntity) as exc:
            raise BrokerUnreachable(
                f"There is no queue for requests behind {self._exchange.name} yet; "
                "start a worker, or run `vpn-worker topology apply` once."
            ) from exc
        except BROKER_ERRORS as exc:
            raise BrokerUnreachable(
                f"RabbitMQ did not confirm the request ({str(exc) or type(exc).__name__}). It may have it all the same: send it "
                f"again under the same id, {identity}."
            ) from exc


@asynccontextmanager
async def open_sender(amqp_url: str, routes: Routes) -> AsyncIterator[RequestSender]:
    """
    A sender with a connection of its own.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached.
    """
    async with connected(amqp_url, "send") as connection:
        try:
            with typed_errors():
                async with asyncio.timeout(_TIMEOUT_S):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    exchange = await channel.get_exchange(routes.requests_exchange, ensure=False)
        except BROKER_ERRORS as exc:
            raise BrokerUnreachable(f"RabbitMQ opens no channel ({str(exc) or type(exc).__name__}).") from exc
        yield RequestSender(exchange, routes.request_routing_key)
