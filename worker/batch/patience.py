"""
How long a broker that has gone is waited for.
"""

from __future__ import annotations

import asyncio
import random
import time

from worker.errors import BrokerRefused, BrokerUnreachable

#: A restart of a broker takes seconds to minutes; after this somebody has to look.
_PATIENCE_S = 600.0
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 10.0


class Patience:
    """
    Waits between tries to reach the broker, longer and longer.

    Attributes:
        trouble: what is wrong at present, in words; None while nothing is.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._was_well = False
        self._lost_at = 0.0
        self._wait_s = _FIRST_WAIT_S

    def well(self) -> None:
        """
        It works, or works again.
        """
        self._was_well = True
        self.trouble = None
        self._wait_s = _FIRST_WAIT_S

    async def failed(self, error: BrokerRefused | BrokerUnreachable) -> None:
        """
        Returns when it is time to try again.

        Raises:
            BrokerRefused, BrokerUnreachable: what was given, when it never worked, or has not for too long.
        """
        now_s = time.monotonic()
        if self.trouble is None:
            self._lost_at = now_s
        if not self._was_well or now_s - self._lost_at > _PATIENCE_S:
            raise error
        self.trouble = str(error)
        await asyncio.sleep(self._wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)
