"""
One request at a time for each VPC router.

Two requests on their way for one router could not be told apart by a look-up: one would take the other's service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """
    Lets one task at a time work on a router; the others wait in order of arrival. In this process only: workers
    keep off each other by the ledger (Ledger.claim).
    """

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def of(self, router_id: str) -> AsyncIterator[None]:
        """
        Entered when it is our turn.
        """
        lock = self._locks.setdefault(router_id, asyncio.Lock())
        self._users[router_id] = self._users.get(router_id, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[router_id] -= 1
            if not self._users[router_id]:
                del self._users[router_id], self._locks[router_id]
