"""
Reads the dead letters without taking them, and removes those that are done with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aiormq.exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from messages.routes import Routes
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, connected, typed_errors, user_of
from worker.broker.letter_messages import to_letter
from worker.broker.link import Loss
from worker.broker.probing import Permission, may_read
from worker.core.letters import DeadLetter
from worker.errors import BrokerRefused, BrokerUnreachable

#: Letters that the broker sends ahead of us: at least, and at most. We hold all until the end, but their bodies only now.
_SMALL_WINDOW, _LARGE_WINDOW = 200, 5_000
#: A quorum queue takes back what so many consumers held in the order of their tags, and no more (RabbitMQ 3.10.8: an
#: Erlang map with more keys than that has no order).
_ORDERED_WINDOWS = 32
#: Without a letter for so long we ask whether there are any left: somebody else may have taken them.
_QUIET_S = 1.0
#: With letters left, and none delivered for so long, the queue is ill.
_PATIENCE_S = 15.0
_GIVE_BACK_S, _POLL_S = 3.0, 0.02


class BrokerDeadLetters:
    """
    The dead-letter queue as one reader sees it, over a connection of its own.

    What is read stays in the queue, unacked, and is hidden from everybody else until it is given back: all of it when
    the reader ends or its connection breaks, in its order if there were no more than 160,000 and nobody else gave
    any back meanwhile. Each time counts as a return, of which the queue allows a million (worker.broker.topology).

    A quorum queue gives a consumer no more than its prefetch, and that cannot be raised later. So there is one consumer
    after the other, each with a window of its own, and memory is bounded by the window, not by the queue.
    """

    def __init__(
        self, routes: Routes, user: str | None, connection: AbstractConnection, channel: AbstractChannel, loss: Loss
    ) -> None:
        self._routes = routes
        self._user = user
        self._connection = connection
        self._channel = channel
        self._loss = loss
        self._arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._windows = 0
        self._held = 0

    async def read(self) -> AsyncGenerator[DeadLetter, None]:
        """
        See DeadLetters.read.
        """
        with self._translated():
            queue = await self._channel.get_queue(self._routes.dead_queue, ensure=True)
            left = await self._count(self._channel)
        if left == 0 and await may_read(self._connection, queue.name) is Permission.REFUSED:
            # Counting needs no permission: "no letters" would be a guess that happens to be right today.
            raise BrokerRefused(
                f"The dead letters in {queue.name} cannot be read: this user may not. Use a user that may, or grant it the "
                "permission (docs/how-to/permissions.md)."
            )
        window_size = min(max(_SMALL_WINDOW, -(-left // _ORDERED_WINDOWS)), _LARGE_WINDOW)
        while left > 0:
            size = min(left, window_size)
            with self._translated():
                tag = await self._open_window(queue, size)
            for _ in range(size):
                message = await self._next()
                if message is None:
                    return
                yield to_letter(message, self._routes.requests_queue, self._user)
            left -= size
            with self._translated():
                await queue.cancel(tag, timeout=CALL_TIMEOUT_S)

    async def remove(self, letter: DeadLetter) -> None:
        """
        See DeadLetters.remove.
        """
        tag = letter.token
        assert isinstance(tag, int)  # noqa: S101 - only our own letters come back here
        with self._translated():
            async with asyncio.timeout(CALL_TIMEOUT_S):
                channel = await self._channel.get_underlay_channel()
                await channel.basic_ack(tag)
        self._held -= 1

    async def give_back(self) -> None:
        """
        Puts everything that was read and not removed back to where it was; returns when others can see it.
        """
        if self._loss.is_reported:
            return
        await self._channel.close()
        # The queue hears of it a moment later. Somebody else may take letters at once, so this is no long wait.
        async with asyncio.timeout(_GIVE_BACK_S):
            channel = await self._connection.channel(publisher_confirms=False)
            while True:
                if self._held == 0 or await self._count(channel) >= self._held:
                    return
                await asyncio.sleep(_POLL_S)

    async def watch_loss(self) -> None:
        """
        Ends the reading when the connection goes.
        """
        await self._loss.wait()
        self._arrived.put_nowait(None)

    async def _count(self, channel: AbstractChannel) -> int:
        queue = await channel.declare_queue(self._routes.dead_queue, passive=True, timeout=CALL_TIMEOUT_S)
        return queue.declaration_result.message_count or 0

    async def _open_window(self, queue: AbstractQueue, size: int) -> str:
        async def arrived(message: AbstractIncomingMessage) -> None:
            self._held += 1
            self._arrived.put_nowait(message)

        self._windows += 1
        await self._channel.set_qos(size, timeout=CALL_TIMEOUT_S)
        return await queue.consume(arrived, consumer_tag=f"dead-{self._windows:09}", timeout=CALL_TIMEOUT_S)

    async def _next(self) -> AbstractIncomingMessage | None:
        waited_s = 0.0
        while waited_s < _PATIENCE_S:
            try:
                async with asyncio.timeout(_QUIET_S):
                    message = await self._arrived.get()
            except TimeoutError:
                waited_s += _QUIET_S
                with self._translated():
                    if await self._count(self._channel) == 0:
                        return None
                continue
            if message is None:
                raise BrokerUnreachable(f"The connection to RabbitMQ was lost ({self._loss.reason}); run it again.")
            return message
        raise BrokerUnreachable(f"RabbitMQ has letters in {self._routes.dead_queue} and delivers none; see its log.")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(f"The dead letters in {self._routes.dead_queue} cannot be read"):
            yield


@asynccontextmanager
async def open_dead_letters(amqp_url: str, routes: Routes) -> AsyncIterator[BrokerDeadLetters]:
    """
    The dead letters for one reader; given back when it is left, however it is left.

    Args:
        amqp_url: of a user that may read the queue.
        routes: our names.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached.
    """
    async with connected(amqp_url, "dead letters") as connection:
        loss = Loss()
        loss.watch(connection)
        with translated("RabbitMQ opens no channel"):
            channel = await connection.channel(publisher_confirms=False)
        loss.watch(channel)
        letters = BrokerDeadLetters(routes, user_of(amqp_url), connection, channel, loss)
        watching = asyncio.create_task(letters.watch_loss())
        try:
            yield letters
        finally:
            watching.cancel()
            # If it cannot be done in order, the broker does it when the connection closes.
            with suppress(BrokerUnreachable, BrokerRefused), translated("The letters could not be given back"):
                await letters.give_back()


@contextmanager
def translated(what: str) -> Iterator[None]:
    """
    What calls of a person's command to the broker raise, in words.

    Args:
        what: what went wrong then, as the beginning of a sentence.
    """
    try:
        with typed_errors():
            yield
    except aiormq.exceptions.ChannelNotFoundEntity as exc:
        raise BrokerUnreachable(f"{what}: {exc}. Start a worker, or run `vpn-worker topology apply` once.") from exc
    except aiormq.exceptions.ChannelAccessRefused as exc:
        raise BrokerRefused(f"{what}: {exc}. Use a user that may, or grant it the permission.") from exc
    except BROKER_ERRORS as exc:
        raise BrokerUnreachable(f"{what} ({str(exc) or type(exc).__name__}).") from exc
