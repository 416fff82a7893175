"""
The ledger is written to now and then: the gate hears that it refuses, and that it works again, without any request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tests.e2e.conftest import eventually
from tests.stand_ins import Now
from tests.virtual_time import run_virtually
from worker.errors import LedgerError
from worker.gate import Gate
from worker.ledger.sqlite import SqliteLedger
from worker.ledger_watch import watch_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from worker.ports import Ledger


class Disk:
    """
    A ledger on a disk that is full or not.
    """

    def __init__(self) -> None:
        self.is_full = False
        self.writes = 0

    async def mark_suspect(self, _fingerprint: str, _now: object) -> int:
        self.writes += 1
        if self.is_full:
            raise LedgerError("database or disk is full")
        return 1

    async def clear_suspect(self, _fingerprint: str) -> None:
        return None


def test_the_gate_hears_of_a_full_disk_and_of_its_end() -> None:
    async def story() -> list[str | None]:
        gate, disk = Gate(), Disk()
        watching = asyncio.create_task(watch_ledger(cast("Ledger", disk), gate, Now(), "me", 30.0))
        told = []
        for is_full in (False, True, False):
            disk.is_full = is_full
            await asyncio.sleep(31.0)
            told.append(gate.ledger_trouble)
        gate.stop()
        done, _ = await asyncio.wait({watching}, timeout=60.0)
        watching.cancel()

        assert not done  # a task that ends by itself would count as a fault
        return told

    assert [None, "database or disk is full", None] == run_virtually(story())


def test_while_it_refuses_it_is_asked_every_second() -> None:
    async def story() -> int:
        gate, disk = Gate(), Disk()
        disk.is_full = True
        watching = asyncio.create_task(watch_ledger(cast("Ledger", disk), gate, Now(), "me", 30.0))
        await asyncio.sleep(40.5)
        watching.cancel()
        return disk.writes

    assert 11 == run_virtually(story())


async def test_a_real_ledger_keeps_nothing_of_it(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "a", 120.0)
    await ledger.start()
    written = 0

    class Counted:
        mark_suspect = ledger.mark_suspect

        async def clear_suspect(self, fingerprint: str) -> None:
            nonlocal written
            await ledger.clear_suspect(fingerprint)
            written += 1

    watching = asyncio.create_task(watch_ledger(cast("Ledger", Counted()), Gate(), Now(), "me", 0.01))
    await eventually(lambda: written >= 3, "three writes")
    watching.cancel()
    await asyncio.wait({watching})

    # Were a note left, this would be the second.
    assert 1 == await ledger.mark_suspect("self-check me", Now().now())

    await ledger.close()
