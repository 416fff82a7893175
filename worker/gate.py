"""
Holds every request back while the cloud asks for calm, or while an operator must mend something.
"""

from __future__ import annotations

import asyncio

import structlog

from worker.ports import Clock

log = structlog.get_logger()


class Gate:
    """
    Open, or closed until a moment; and a sign that the process is stopping, which ends every wait.

    Args:
        clock: for the moments.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed_until: float = 0.0
        self._stopping = asyncio.Event()

    @property
    def is_stopping(self) -> bool:
        """
        Whether the process takes no new work.
        """
        return self._stopping.is_set()

    def stop(self) -> None:
        """
        Ends all waits, now and from now on.
        """
        self._stopping.set()

    def close_for(self, delay_s: float, reason: str) -> None:
        """
        Closes the gate for `delay_s` seconds, or longer if it already is.
        """
        until = self._clock.now().timestamp() + delay_s
        if until > self._closed_until:
            self._closed_until = until
            log.warning("worker.paused", pause_s=round(delay_s, 3), reason=reason)

    async def passed(self) -> bool:
        """
        Waits until the gate is open. False: the process is stopping while it is closed.
        """
        while (left_s := self._closed_until - self._clock.now().timestamp()) > 0:
            if not await self.rest(left_s):
                return False
        return True

    async def rest(self, delay_s: float) -> bool:
        """
        Waits `delay_s` seconds. False: the process is stopping, the wait was cut short.
        """
        try:
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False
