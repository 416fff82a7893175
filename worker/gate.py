"""
Holds every request back while the cloud asks for calm, or while an operator must mend something.
"""

from __future__ import annotations

import asyncio

import structlog

log = structlog.get_logger()


class Gate:
    """
    Open, or closed until a moment; and a sign that the process is stopping, which ends every wait.

    Its time is the event loop's: a clock that is set back must not keep it shut.
    """

    def __init__(self) -> None:
        self._closed_until_s: float = 0.0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """
        Ends all waits, now and from now on.
        """
        self._stopping.set()

    def close_for(self, delay_s: float, reason: str) -> None:
        """
        Closes the gate for `delay_s` seconds, or longer if it already is.
        """
        now_s = asyncio.get_running_loop().time()
        if self._closed_until_s <= now_s:
            # Once a pause: those that were under way when it began meet the same answer.
            log.warning("worker.paused", pause_s=round(delay_s, 3), reason=reason)
        self._closed_until_s = max(self._closed_until_s, now_s + delay_s)

    async def passed(self) -> bool:
        """
        Waits until the gate is open. False: the process is stopping while it is closed.
        """
        while (left_s := self._closed_until_s - asyncio.get_running_loop().time()) > 0:
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
