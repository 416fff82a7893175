"""
How much a simulated cloud can take: calls per second, and creates worked on at once.
"""

import asyncio
import math
from collections.abc import Callable

from worker.simulator.call import Call
from worker.simulator.dialect import RefusalError

BUSY_RETRY_S = 1


class Capacity:
    """
    A number of creates worked on at once, and a line before them.

    Attributes:
        peak_working: most that were ever worked on at once.
        peak_waiting: most that ever stood in line.
    """

    def __init__(self, most: int | None, queue_limit: int | None) -> None:
        self.peak_working = 0
        self.peak_waiting = 0
        self._slots = None if most is None else asyncio.Semaphore(most)
        self._queue_limit = math.inf if queue_limit is None else queue_limit
        self._working = 0
        self._waiting = 0

    async def work(self, call: Call) -> None:
        """
        Returns once the call had its turn and its time.

        Raises:
            RefusalError: `busy`, when the line is full; nothing was done.
        """
        if self._slots is None:
            await self._spend(call)
            return
        if self._slots.locked():
            await self._stand_in_line(self._slots)
        else:
            await self._slots.acquire()
        try:
            await self._spend(call)
        finally:
            self._slots.release()

    async def _stand_in_line(self, slots: asyncio.Semaphore) -> None:
        if self._waiting >= self._queue_limit:
            raise RefusalError("busy", {"Retry-After": str(BUSY_RETRY_S)})
        self._waiting += 1
        self.peak_waiting = max(self.peak_waiting, self._waiting)
        try:
            await slots.acquire()
        finally:
            self._waiting -= 1

    async def _spend(self, call: Call) -> None:
        self._working += 1
        self.peak_working = max(self.peak_working, self._working)
        try:
            await call.wait(call.deeds.latency_s)
        finally:
            self._working -= 1


class RateLimit:
    """
    So many calls in a second; as many may come at once after a quiet second.
    """

    def __init__(self, per_second: float, now_s: Callable[[], float]) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._now_s = now_s
        self._left = self._most
        self._seen_at_s = now_s()

    def take(self) -> None:
        """
        Lets one call pass.

        Raises:
            RefusalError: `throttled`, with the whole seconds until the next one may come.
        """
        now_s = self._now_s()
        earned = max(0.0, now_s - self._seen_at_s) * self._per_second
        self._left, self._seen_at_s = min(self._most, self._left + earned), now_s
        if self._left < 1:
            wait_s = math.ceil((1 - self._left) / self._per_second)
            raise RefusalError("throttled", {"Retry-After": str(wait_s)})
        self._left -= 1
