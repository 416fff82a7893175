"""
The janitor: what was done long ago is forgotten, in batches, and a ledger that refuses does not end its rounds.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.ledger.jobs import NOW, a_job, after, created
from worker.janitor import Janitor
from worker.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400.0
SOON_S = 10.0


class At:
    """
    A clock that stands.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def roll(self) -> float:
        return 0.0


async def test_everything_older_than_the_retention_is_forgotten_however_much(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "a", 120.0)
    await ledger.start()
    jobs = [a_job(f"order-{number}") for number in range(1_200)]
    await asyncio.gather(*(ledger.claim(job, NOW) for job in jobs))
    await asyncio.gather(*(ledger.save(created(job, f"vpn-{job.key.id}"), NOW) for job in jobs))
    young = a_job("young")
    await ledger.claim(young, after(2 * DAY_S))
    await ledger.save(created(young, "vpn-young"), after(2 * DAY_S))
    running = a_job("running")
    await ledger.claim(running, NOW)
    async with asyncio.timeout(SOON_S):
        assert 1_200 == await Janitor(ledger, At(after(2.5 * DAY_S)), DAY_S).sweep()

    assert {"created": 1, "sent": 1} == await ledger.counts()

    await ledger.close()


async def test_a_ledger_that_refuses_does_not_end_the_rounds(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "a", 120.0)
    await ledger.start()
    await ledger.close()
    rounds = asyncio.create_task(Janitor(ledger, At(datetime.now(UTC)), DAY_S).run())
    for _ in range(10):
        await asyncio.sleep(0)

    assert not rounds.done()

    rounds.cancel()
