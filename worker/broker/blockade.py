"""
Whether the broker has stopped reading what we publish: RabbitMQ blocks publishers while it is short of memory or disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aio_pika.abc import AbstractConnection

log = structlog.get_logger()

#: aiormq 7.2.4 has no public call for this, only a warning in its log. tests/broker/test_blockade.py guards the names.
_ON_BLOCKED = "_Connection__handle_connection_blocked"
_ON_UNBLOCKED = "_Connection__handle_connection_unblocked"


class Blockade:
    """
    Follows what the broker says about blocking one connection after another.

    A publish that was written during a blockade is delivered after it (broker-facts: What aio-pika does, 7): one that
    is given up and sent again would be there twice. So whoever publishes waits.

    Args:
        role: which connection, for the log.
    """

    def __init__(self, role: str) -> None:
        self._role = role
        self._free = asyncio.Event()
        self._free.set()
        self._limits: dict[asyncio.Timeout, float] = {}
        self._watched: AbstractConnection | None = None

    @property
    def is_blocked(self) -> bool:
        """
        Whether the broker said so last.
        """
        return not self._free.is_set()

    def watch(self, connection: AbstractConnection) -> None:
        """
        Follows this connection, and no other, until it is over; call it before the first publish.

        The broker blocks a connection with its first publish after an alarm, never before.
        """
        self._watched = connection
        connection.close_callbacks.add(lambda *_: self._forget(connection))
        underlay = connection.transport.connection if connection.transport else None
        is_heard = _listen(underlay, _ON_BLOCKED, lambda frame: self._block(str(frame.reason)))
        if not (is_heard and _listen(underlay, _ON_UNBLOCKED, lambda _: self._unblock())):
            log.warning(
                "broker.blocks_unseen", role=self._role, remedy="install a version of aiormq from the lock file"
            )

    def lift(self) -> None:
        """
        Nobody waits any longer: the blockade is over, or the connection is.
        """
        self._free.set()
        now_s = asyncio.get_running_loop().time()
        for limit, timeout_s in self._limits.items():
            if not limit.expired():
                limit.reschedule(now_s + timeout_s)

    async def passed(self) -> None:
        """
        Returns when there is no blockade.
        """
        while self.is_blocked:
            await self._free.wait()

    @asynccontextmanager
    async def limit(self, timeout_s: float) -> AsyncIterator[None]:
        """
        A time limit that does not run during a blockade, and starts afresh after it.

        Raises:
            TimeoutError: the time is over.
        """
        async with asyncio.timeout(None if self.is_blocked else timeout_s) as limit:
            self._limits[limit] = timeout_s
            try:
                yield
            finally:
                del self._limits[limit]

    def _forget(self, connection: AbstractConnection) -> None:
        if self._watched is connection:  # an old one's end says nothing about the present one
            self._watched = None
            self.lift()

    def _block(self, reason: str) -> None:
        if self.is_blocked:
            return
        log.warning("broker.blocked", role=self._role, reason=reason)
        self._free.clear()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(None)

    def _unblock(self) -> None:
        if self.is_blocked:
            log.info("broker.unblocked", role=self._role)
            self.lift()


def _listen(underlay: object, name: str, tell: Callable[[Any], None]) -> bool:
    handle = getattr(underlay, name, None)
    if handle is None:
        return False

    async def told(frame: Any) -> None:
        tell(frame)
        await handle(frame)

    setattr(underlay, name, told)
    return True
