"""
Sends the requests of dead letters back to the work queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq.exceptions
from aio_pika.abc import AbstractExchange

from messages.routes import Routes
from worker.broker.connection import CALL_TIMEOUT_S, connected, user_of
from worker.broker.dead_letters import translated
from worker.broker.letter_messages import to_replay
from worker.core.letters import DeadLetter
from worker.errors import BrokerUnreachable


class BrokerResender:
    """
    Publishes over a connection of its own.

    RabbitMQ stops reading from a connection that publishes while it is short of memory; what is to be given back or
    removed must not wait for that (broker-facts: What aio-pika does, 7).
    """

    def __init__(self, exchange: AbstractExchange, routing_key: str, own_user: str | None) -> None:
        self._exchange = exchange
        self._routing_key = routing_key
        self._user = own_user

    async def send_again(self, letter: DeadLetter, *, replays: int, is_suspect: bool) -> None:
        """
        See Resender.send_again.
        """
        # Only where the first publisher is known has our own name something to prove; and the broker may know us by another.
        own_user = None if letter.envelope.user_id is None else self._user
        message = to_replay(letter, replays, own_user, is_suspect=is_suspect)
        with translated("RabbitMQ did not confirm the request; its letter stays, run the command again"):
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await self._exchange.publish(message, self._routing_key, mandatory=True)
            except aiormq.exceptions.PublishError as exc:
                raise BrokerUnreachable(
                    f"There is no queue for requests behind {self._exchange.name}; "
                    "start a worker, or run `vpn-worker topology apply` once."
                ) from exc


@asynccontextmanager
async def open_resender(amqp_url: str, routes: Routes) -> AsyncIterator[BrokerResender]:
    """
    Sends requests again for as long as it is open.

    Args:
        amqp_url: of a user that may write to the exchange for requests.
        routes: our names.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached.
    """
    async with connected(amqp_url, "replay") as connection:
        with translated("RabbitMQ opens no channel"):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange(routes.requests_exchange, ensure=False)
        yield BrokerResender(exchange, routes.request_routing_key, user_of(amqp_url))
