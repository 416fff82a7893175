"""
Follows the orders of a batch through the events about them.
"""

from __future__ import annotations

import asyncio

from messages.routes import Routes
from worker.batch.book import KEYS, Book
from worker.batch.patience import Patience
from worker.batch.pending import Pending
from worker.broker.tap import Tap, open_tap
from worker.errors import BrokerRefused, BrokerUnreachable


class Following:
    """
    Writes what is heard into the book, until it is cancelled.

    Attributes:
        is_open: set while events are heard; no order is to be sent before that.
        asked_again: how many orders were sent once more because events about them may have been missed.
    """

    def __init__(self, amqp_url: str, routes: Routes, book: Book, pending: Pending) -> None:
        self._amqp_url = amqp_url
        self._routes = routes
        self._book = book
        self._pending = pending
        self._patience = Patience()
        self._was_open = False
        self.is_open = asyncio.Event()
        self.asked_again = 0

    @property
    def trouble(self) -> str | None:
        """
        Why nothing is heard at present, in words; None while nothing is wrong.
        """
        return self._patience.trouble

    async def run(self) -> None:
        """
        Listens, and after every loss of the connection has those asked again whose outcome may have been missed.

        Raises:
            BrokerRefused, BrokerUnreachable: the broker was not there from the first, or is gone for too long.
        """
        while True:
            try:
                async with open_tap(self._amqp_url, self._routes, *KEYS) as tap:
                    await self._listen(tap)
            except (BrokerRefused, BrokerUnreachable) as exc:
                self.is_open.clear()
                await self._patience.failed(exc)

    async def _listen(self, tap: Tap) -> None:
        self._patience.well()
        if self._was_open:
            # The same id again gives the same event again.
            self.asked_again += self._pending.ask_again(self._book.has_outcome)
        self._was_open = True
        self.is_open.set()
        while True:
            place = self._book.note(await tap.next())
            if place is not None:
                self._pending.settled(place)
