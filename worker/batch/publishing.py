"""
Publishes orders, many unconfirmed at a time, over as many connections as it takes.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from messages.routes import Routes
from worker.batch.checking import Orders
from worker.batch.patience import Patience
from worker.batch.pending import Pending
from worker.broker.request_stream import RequestStream, open_request_stream
from worker.errors import BrokerRefused, BrokerUnreachable

#: Unconfirmed at a time: enough for the longest way to a broker, few enough to be sent once more after a loss.
WINDOW = 256
_BLOCKED = "RabbitMQ takes no messages now, being short of memory or disk; the rest waits until it does"


class Publishing:
    """
    Sends whatever is pending, until it is cancelled.
    """

    def __init__(self, amqp_url: str, routes: Routes, orders: Orders, pending: Pending) -> None:
        self._amqp_url = amqp_url
        self._routes = routes
        self._orders = orders
        self._pending = pending
        self._patience = Patience()
        self._stream: RequestStream | None = None

    @property
    def trouble(self) -> str | None:
        """
        Why nothing is sent at present, in words; None while nothing is wrong.
        """
        return _BLOCKED if self._stream is not None and self._stream.is_blocked else self._patience.trouble

    async def run(self) -> None:
        """
        Sends, and sends again what was not confirmed when a connection was lost.

        Raises:
            BrokerRefused, BrokerUnreachable: the broker was not there from the first, is gone for too long, or does not
                take requests.
        """
        while True:
            await self._pending.has_work.wait()
            error = await self._life()
            if error is not None:
                await self._patience.failed(error)

    async def _life(self) -> BrokerRefused | BrokerUnreachable | None:
        """
        Sends over one connection until nothing is left; why it ended before that.
        """
        async with AsyncExitStack() as stack:
            try:
                self._stream = await stack.enter_async_context(open_request_stream(self._amqp_url, self._routes))
            except (BrokerRefused, BrokerUnreachable) as exc:
                return exc
            try:
                ends = await asyncio.gather(*(self._send_all(self._stream) for _ in range(WINDOW)))
            finally:
                self._stream = None
        errors = [end for end in ends if end is not None]
        # What the broker will not take today it will not take tomorrow.
        if refused := next((error for error in errors if isinstance(error, BrokerRefused)), None):
            raise refused
        return errors[0] if errors else None

    async def _send_all(self, stream: RequestStream) -> BrokerRefused | BrokerUnreachable | None:
        while (taken := self._pending.take()) is not None:
            place, in_round = taken
            try:
                await stream.send(self._orders.at(place).envelope(self._orders.manner))
            except (BrokerRefused, BrokerUnreachable) as exc:
                self._pending.failed(place)
                return exc
            self._patience.well()
            self._pending.confirmed(place, in_round)
        return None
