"""
One thread that owns the SQLite connection and commits concurrent writes together.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from worker.errors import LedgerError
from worker.facts import note
from worker.facts.ledger import LedgerCommitted

T = TypeVar("T")

#: Writes that share a commit at the most; bounds the time one of them waits for the others.
_GROUP_LIMIT = 512


@dataclass(slots=True)
class _Order:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class GroupWriter:
    """
    Runs functions on the database in its own thread; all that wait at the same time share one transaction.

    A result is given out only after its commit: what the caller sees is on disk.
    """

    def __init__(self, open_database: Callable[[], sqlite3.Connection]) -> None:
        self._open_database = open_database
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._is_closed = False

    async def start(self) -> None:
        """
        Opens the database; raises LedgerError when that fails.
        """
        self._thread.start()
        await self._opened

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        The result of `work(connection)`, once it is committed.

        Raises:
            LedgerError: the database refused; nothing of the group was written.
            Exception: what `work` raised about its own values; nothing of it was written, the rest of the group was.
        """
        if self._is_closed:
            raise LedgerError("The ledger is closed.")
        order = _Order(work, self._loop.create_future())
        self._orders.put(order)
        result: T = await order.future
        return result

    async def close(self) -> None:
        """
        Finishes what was ordered and closes the database.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._orders.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            connection = self._open_database()
        except (sqlite3.Error, OSError, LedgerError) as exc:
            error = exc if isinstance(exc, LedgerError) else LedgerError(f"The ledger cannot be opened: {exc}")
            if error is not exc:
                error.__cause__ = exc
            self._loop.call_soon_threadsafe(self._opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        try:
            while (first := self._orders.get()) is not None:
                group, is_last = self._gather(first)
                self._commit(connection, group)
                if is_last:
                    break
        finally:
            connection.close()

    def _gather(self, first: _Order) -> tuple[list[_Order], bool]:
        group = [first]
        while len(group) < _GROUP_LIMIT:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                break
            if order is None:
                return group, True
            group.append(order)
        return group, False

    def _commit(self, connection: sqlite3.Connection, group: list[_Order]) -> None:
        error: LedgerError | None = None
        began_s = time.perf_counter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for order in group:
                _carry_out(order, connection)
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            error = LedgerError(f"The ledger could not be written: {exc}")
            error.__cause__ = exc
            with suppress(sqlite3.Error):
                connection.rollback()
        self._loop.call_soon_threadsafe(_deliver, group, error, time.perf_counter() - began_s)


def _carry_out(order: _Order, connection: sqlite3.Connection) -> None:
    try:
        order.result = order.work(connection)
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError) as exc:
        order.error = exc
    except sqlite3.Error:
        raise
    except Exception as exc:  # noqa: BLE001 - a job that cannot be written must not harm its neighbours
        order.error = exc


def _deliver(group: list[_Order], error: LedgerError | None, duration_s: float) -> None:
    for order in group:
        if order.future.done():
            continue
        failure = error or order.error
        if failure is None:
            order.future.set_result(order.result)
        else:
            order.future.set_exception(failure)
    if error is None:
        note(LedgerCommitted(len(group), duration_s))
