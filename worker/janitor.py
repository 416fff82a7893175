"""
Forgets old jobs, a few at a time, so that the ledger does not grow for ever.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from worker.errors import LedgerError
from worker.ports import Clock, Ledger

log = structlog.get_logger()

#: Jobs forgotten in one write; small enough that no request waits for it.
_BATCH = 500
_ROUND_S = 600.0


class Janitor:
    """
    Prunes the ledger.

    Args:
        ledger: what to prune.
        clock: the time.
        retention_s: how long a job that is done is remembered: the de-duplication window.
    """

    def __init__(self, ledger: Ledger, clock: Clock, retention_s: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._retention_s = retention_s

    async def run(self) -> None:
        """
        Goes on until it is cancelled: at once, then every ten minutes with jitter, so that workers take turns.
        """
        while True:
            try:
                await self.sweep()
            except LedgerError as exc:
                log.warning("ledger.not_pruned", error=str(exc))
            await asyncio.sleep(_ROUND_S * (0.5 + self._clock.roll() / 2))

    async def sweep(self) -> int:
        """
        Forgets everything that is old enough; says how many jobs that were.

        Raises:
            LedgerError: the ledger refused; what was forgotten before stays so.
        """
        done_before = self._clock.now() - timedelta(seconds=self._retention_s)
        forgotten = 0
        while (count := await self._ledger.prune(done_before, _BATCH)) > 0:
            forgotten += count
        if forgotten:
            log.info("ledger.pruned", jobs=forgotten, done_before=done_before.isoformat())
        return forgotten
