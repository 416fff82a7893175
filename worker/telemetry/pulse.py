"""
How late the event loop is, measured all the time; and a regular look at the health, so that it knows since when.
"""

from __future__ import annotations

import asyncio
from collections import deque

from worker.telemetry.health import Health

_BEAT_S = 0.5
#: Ten seconds' worth.
_KEPT = 20


class Pulse:
    """
    Beats twice a second.

    Args:
        health: looked at with each beat.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._lags: deque[float] = deque(maxlen=_KEPT)

    @property
    def lag_s(self) -> float:
        """
        How late the loop was, at the worst in the last ten seconds.
        """
        return max(self._lags, default=0.0)

    async def run(self) -> None:
        """
        Goes on until it is cancelled.
        """
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            self._lags.append(max(0.0, loop.time() - due_s))
            self._health.look()
