"""
Writes to the ledger now and then, so that readiness knows of a full disk or a lost database before a request does.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from worker.errors import LedgerError
from worker.gate import Gate
from worker.patience import insist
from worker.ports import Clock, Ledger


async def watch_ledger(ledger: Ledger, gate: Gate, clock: Clock, owner: str, interval_s: float) -> None:
    """
    Goes on until the process stops. While the ledger refuses it is asked every second, and the gate told.

    Args:
        ledger: to write to.
        gate: hears of a refusal, and tells when the process stops.
        clock: the time.
        owner: who we are in leases. Each process writes a row of its own: on one they would wait for each other.
        interval_s: between two writes.
    """

    mark = f"self-check {owner}"  # no message has it: a fingerprint is a hash

    async def write() -> None:
        await ledger.mark_suspect(mark, clock.now())
        await ledger.clear_suspect(mark)

    with suppress(LedgerError):  # it refuses, and the process stops
        while await gate.rest(interval_s):
            await insist(gate, write)
    await asyncio.Event().wait()  # whoever stops the process ends us
