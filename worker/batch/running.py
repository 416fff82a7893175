"""
One batch from its first message to its last outcome.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Any

from messages.routes import Routes
from worker.batch.book import FINAL, Book
from worker.batch.checking import Orders
from worker.batch.following import Following
from worker.batch.pending import Pending
from worker.batch.publishing import Publishing


class End(Enum):
    """
    Why a run ended. DONE: all is confirmed, or told where that was waited for. LIMIT: the time was over. STOPPED: asked to.
    """

    DONE = "done"
    LIMIT = "limit"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a run has come.

    Attributes:
        total: orders.
        confirmed: those that the broker has.
        counts: orders of each state, by its name.
        asked_again: orders sent once more after events may have been missed.
        trouble: what holds it up at present, in words; None while nothing does.
    """

    total: int
    confirmed: int
    counts: dict[str, int]
    asked_again: int
    trouble: str | None

    @property
    def told(self) -> int:
        """
        Orders that have their outcome.
        """
        return sum(self.counts[state.name] for state in FINAL)

    @property
    def waiting(self) -> int:
        """
        Orders that have none.
        """
        return self.total - self.told


class BatchRun:
    """
    Publishes a batch and, where that is wanted, follows it.

    Args:
        amqp_url: of a user that may send requests; to follow also one that may read events.
        routes: our names.
        orders: all of them checked.
        is_followed: whether to wait for the outcomes.
    """

    def __init__(self, amqp_url: str, routes: Routes, orders: Orders, *, is_followed: bool) -> None:
        self.book = Book(orders)
        self._total = len(orders)
        self._is_followed = is_followed
        self._pending = Pending(len(orders))
        self._publishing = Publishing(amqp_url, routes, orders, self._pending)
        self._following = Following(amqp_url, routes, self.book, self._pending)

    @property
    def progress(self) -> Progress:
        """
        How far it has come.
        """
        trouble = self._publishing.trouble or self._following.trouble
        confirmed = self._pending.confirmed_count
        return Progress(self._total, confirmed, self.book.counts, self._following.asked_again, trouble)

    async def run(self, stop: asyncio.Event, limit_s: float | None = None) -> End:
        """
        Returns when all is done, when told to stop, or when outcomes are still missing so long after the last was confirmed.

        Raises:
            BrokerRefused, BrokerUnreachable: the broker was not there from the first, is gone for too long, or does not
                take requests.
            SpoolFull: no room to keep the outcomes.
        """
        stopping = asyncio.create_task(stop.wait())
        running = [asyncio.create_task(self._work())]
        if self._is_followed:
            running.append(asyncio.create_task(self._following.run()))
        ending = asyncio.create_task(self._ended(limit_s))
        try:
            await asyncio.wait({stopping, ending, *running}, return_when=asyncio.FIRST_COMPLETED)
            for task in running:
                if task.done():
                    await task
            return ending.result() if ending.done() else End.STOPPED
        finally:
            await _cancelled(stopping, ending, *running)

    async def _work(self) -> None:
        if self._is_followed:
            # An outcome faster than us must not be missed.
            await self._following.is_open.wait()
        await self._publishing.run()

    async def _ended(self, limit_s: float | None) -> End:
        await self._pending.all_safe.wait()
        if not self._is_followed:
            return End.DONE
        try:
            async with asyncio.timeout(limit_s):
                await self.book.all_told.wait()
        except TimeoutError:
            return End.LIMIT
        return End.DONE


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
