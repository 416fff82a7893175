"""
The ledger for somebody who only reads while workers write: nothing that is read here holds up a claim or a save.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from worker.errors import LedgerError
from worker.ledger.postgres_records import postgres_records
from worker.ledger.postgres_server import FOREIGN_ERRORS, PostgresServer
from worker.ledger.records import LedgerRecords
from worker.ledger.sqlite_records import sqlite_records

_SQLITE = "sqlite:///"
#: Steps of SQLite's machine between two looks at the clock; some ten microseconds' worth.
_STEPS = 1_000


@asynccontextmanager
async def open_records(url: str, limit_s: float) -> AsyncIterator[LedgerRecords]:
    """
    What people may ask of a ledger that a worker has opened before: over connections of its own, and read alone.

    Args:
        url: `sqlite:///path` or `postgresql://user:password@host:port/database`.
        limit_s: seconds that one question may take; it is given up after that with a LedgerError.
    """
    if not url.startswith(_SQLITE):
        server = _PostgresReader(PostgresServer(url, limit_s))
        try:
            yield postgres_records(server.session)
        finally:
            server.leave()
        return
    reader = _SqliteReader(Path(url.removeprefix(_SQLITE)), limit_s)
    try:
        yield sqlite_records(reader)
    finally:
        await reader.close()


class _PostgresReader:
    """
    One connection for one question after the other; a new one when it was lost.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """
        The connection, for one question.
        """
        try:
            async with asyncio.timeout(self._server.timeout_s), self._turn:
                try:
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await self._server.connect()
                    yield self._connection
                except BaseException:
                    # Given up in the middle of an answer, perhaps: nobody else may get the rest of it.
                    self.leave()
                    raise
        except FOREIGN_ERRORS as exc:
            raise self._server.trouble(exc) from exc

    def leave(self) -> None:
        """
        Leaves the server, without waiting for it.
        """
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class _SqliteReader:
    """
    One thread with a connection that cannot write. In write-ahead mode a reader and the writer do not wait for each other.
    """

    def __init__(self, path: Path, limit_s: float) -> None:
        self._path = path
        self._limit_s = limit_s
        self._give_up_at = 0.0
        self._database: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")

    async def run(self, question: Callable[[sqlite3.Connection], list[Any]]) -> list[Any]:
        """
        The answer to a question, in its turn.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(self._ask, question, time.monotonic() + self._limit_s))

    async def close(self) -> None:
        """
        Returns when the thread has ended.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _ask(self, question: Callable[[sqlite3.Connection], list[Any]], give_up_at: float) -> list[Any]:
        self._give_up_at = give_up_at
        try:
            if self._is_over():  # it waited behind another for too long
                raise LedgerError(self._late())
            return question(self._opened())
        except sqlite3.OperationalError as exc:
            self._close()
            raise LedgerError(self._late() if self._is_over() else f"The ledger cannot be read: {exc}.") from exc
        except sqlite3.Error as exc:
            self._close()
            raise LedgerError(f"The ledger cannot be read: {exc}.") from exc

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            place = f"{self._path.absolute().as_uri()}?mode=ro"
            self._database = sqlite3.connect(place, uri=True, timeout=self._limit_s, check_same_thread=False)
            self._database.set_progress_handler(self._is_over, _STEPS)
        return self._database

    def _is_over(self) -> bool:
        return time.monotonic() > self._give_up_at

    def _late(self) -> str:
        return f"The ledger did not answer within {self._limit_s:g} s; ask for less, or again when it is less busy."

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
