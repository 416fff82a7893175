"""
A connection that is kept up: opened again, with jitter, whenever it goes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from worker.broker.connection import BROKER_ERRORS, close_quietly, connect, typed_errors
from worker.errors import BrokerRefused, BrokerUnreachable
from worker.facts import note
from worker.facts.broker import BrokerConnected

log = structlog.get_logger()

#: For everything that a connection needs before it is of use: a broker may beat its heart and yet not answer.
_SET_UP_S = 30.0
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 15.0


class Loss:
    """
    Tells when a connection, one of its channels or its consumer has gone.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason = ""

    @property
    def is_reported(self) -> bool:
        """
        Whether it has gone.
        """
        return self._event.is_set()

    def report(self, reason: str) -> None:
        """
        The thing watched has gone; the first reason stays.
        """
        self.reason = self.reason or reason
        self._event.set()

    def watch(self, thing: AbstractConnection | AbstractChannel) -> None:
        """
        Reports the loss of a connection or channel.
        """
        thing.close_callbacks.add(lambda _, exc: self.report(str(exc) or type(exc).__name__))

    async def wait(self) -> None:
        """
        Returns when something has gone.
        """
        await self._event.wait()


#: Sets up what lives on a connection, and takes it down when the connection is over.
Hold = Callable[[AbstractConnection, Loss], AbstractAsyncContextManager[None]]


class Link:
    """
    Keeps one connection up until it is closed.

    aio-pika's robust connection waits a constant time without jitter and loops for ever on a refused
    declaration (broker-facts: What aio-pika does, 8 and 10), so this is ours.

    Args:
        amqp_url: of the broker.
        role: `consume` or `publish`; for logs and RabbitMQ's list of connections.
    """

    def __init__(self, amqp_url: str, role: str) -> None:
        self._amqp_url = amqp_url
        self._role = role
        self._closing = asyncio.Event()
        self._loss: Loss | None = None
        self._is_first = True

    @property
    def is_up(self) -> bool:
        """
        Whether there is a connection.
        """
        return self._loss is not None and not self._loss.is_reported

    async def run(self, hold: Hold) -> None:
        """
        Connects and calls `hold`, again and again, until `close`.

        Args:
            hold: entered on every new connection, left when that is lost or closed.
        """
        wait_s = _FIRST_WAIT_S
        while not self._closing.is_set():
            try:
                with typed_errors():
                    await self._once(hold)
                wait_s = _FIRST_WAIT_S
            except (BrokerRefused, BrokerUnreachable) as exc:
                log.warning("broker.unreachable", role=self._role, error=str(exc), retry_in_s=round(wait_s, 1))
            except BROKER_ERRORS as exc:
                log.warning("broker.lost", role=self._role, error=_words(exc), retry_in_s=round(wait_s, 1))
            await self._pause(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def _once(self, hold: Hold) -> None:
        connection = await connect(self._amqp_url, self._role)
        loss = Loss()
        loss.watch(connection)
        self._loss = loss
        note(BrokerConnected(self._role, is_first=self._is_first))
        self._is_first = False
        try:
            if not self._closing.is_set():
                async with AsyncExitStack() as stack:
                    async with asyncio.timeout(_SET_UP_S):
                        await stack.enter_async_context(hold(connection, loss))
                    await loss.wait()
        finally:
            self._loss = None
            await close_quietly(connection)
        if not self._closing.is_set():
            log.warning("broker.lost", role=self._role, error=loss.reason)

    async def _pause(self, wait_s: float) -> None:
        if self._closing.is_set():
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        """
        Ends `run`: the current connection is closed, no further one is opened.
        """
        self._closing.set()
        if self._loss is not None:
            self._loss.report("closing")


def _words(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__
