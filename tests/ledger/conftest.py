"""
Ledgers to test: every implementation, each on storage of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from worker.ledger.sqlite import SqliteLedger
from worker.ports import Ledger

LEASE_S = 120.0

OpenLedger = Callable[..., Awaitable[Ledger]]


@pytest.fixture(params=["sqlite"])
async def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenLedger]:
    """
    Opens the ledger as the worker of that name does; all of a test share the same storage.
    """
    assert request.param == "sqlite"
    async with AsyncExitStack() as stack:

        async def open_it(owner: str = "a", lease_s: float = LEASE_S) -> Ledger:
            ledger = SqliteLedger(tmp_path / "ledger.sqlite3", owner, lease_s)
            await ledger.start()
            stack.push_async_callback(ledger.close)
            return ledger

        yield open_it


@pytest.fixture
async def ledger(open_ledger: OpenLedger) -> Ledger:
    """
    A ledger as worker "a" has it open.
    """
    return await open_ledger()
