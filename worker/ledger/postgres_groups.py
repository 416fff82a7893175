"""
Group commit on PostgreSQL: orders that wait at the same time and do not touch each other share one transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import asyncpg

from worker.errors import LedgerError
from worker.facts import note
from worker.facts.ledger import LedgerCommitted
from worker.ledger.postgres_server import FOREIGN_ERRORS, PostgresServer

T = TypeVar("T")

#: Orders that share a commit at the most; bounds the time one of them waits, and the locks of a transaction.
_GROUP_LIMIT = 256
#: What one order can do to its group: it is then tried without the others.
_ONES_OWN_ERRORS = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.TransactionRollbackError,
)


@dataclass(slots=True, eq=False, kw_only=True)
class Order(Generic[T]):
    """
    One thing to do in a transaction.

    Attributes:
        touches: names of what it reads or writes; two that share one are done one after the other.
        result: set by who carries it out; given to the caller after the commit.
        error: set instead of a result when the order itself is at fault; its neighbours go on.
    """

    touches: frozenset[tuple[str, ...]]
    future: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    result: T | None = None
    error: Exception | None = None

    def clashed(self) -> bool:
        """
        Gives a result for a unique index that was violated by this order alone; says whether there is one.
        """
        return False


class Groups:
    """
    Carries out orders over one connection, which is made anew when it was lost.

    Args:
        server: where.
        carry_out: does the work of a group inside a transaction and sets its results.
    """

    def __init__(
        self,
        server: PostgresServer,
        carry_out: Callable[[asyncpg.Connection, Sequence[Order[Any]]], Awaitable[None]],
    ) -> None:
        self._server = server
        self._carry_out = carry_out
        self._waiting: deque[Order[Any]] = deque()
        self._news = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._runner: asyncio.Task[None] | None = None
        self._is_closed = False

    def start(self) -> None:
        """
        Lets orders be carried out.
        """
        self._runner = asyncio.create_task(self._run(), name="ledger-groups")

    async def run(self, order: Order[T]) -> T:
        """
        The result of an order, once it is committed.

        Raises:
            LedgerError: the server refused or was lost. It may have been done all the same: repeat it.
            Exception: the order itself is at fault; nothing of it was written, the rest of the group was.
        """
        self.refuse_when_closed()
        self._waiting.append(order)
        self._news.set()
        return await order.future

    def refuse_when_closed(self) -> None:
        """
        Raises LedgerError once `close` was called.
        """
        if self._is_closed:
            raise LedgerError("The ledger is closed.")

    async def close(self) -> None:
        """
        Finishes what was ordered and closes the connection. Safe to repeat.
        """
        self._is_closed = True
        self._news.set()
        if self._runner is not None:
            await asyncio.shield(self._runner)
        if self._connection is not None:
            with suppress(*FOREIGN_ERRORS):
                await self._connection.close(timeout=self._server.timeout_s)
            self._connection = None

    async def _run(self) -> None:
        while not (self._is_closed and not self._waiting):
            await self._news.wait()
            while self._waiting:
                await self._commit(self._next_group())
            if not self._is_closed:
                self._news.clear()

    def _next_group(self) -> list[Order[Any]]:
        group: list[Order[Any]] = []
        left: list[Order[Any]] = []
        touched: set[tuple[str, ...]] = set()
        while self._waiting and len(group) < _GROUP_LIMIT:
            order = self._waiting.popleft()
            (group if touched.isdisjoint(order.touches) else left).append(order)
            touched |= order.touches  # also of one that waits: nobody may overtake it
        self._waiting.extendleft(reversed(left))
        return group

    async def _commit(self, group: list[Order[Any]]) -> None:
        began_s = time.perf_counter()
        try:
            await self._transact(group)
            note(LedgerCommitted(len(group), time.perf_counter() - began_s))
        except _ONES_OWN_ERRORS as exc:
            if len(group) > 1:
                for order in group:
                    order.result = order.error = None
                    await self._commit([order])
                return
            _settle_alone(group[0], exc, self._server)
        except FOREIGN_ERRORS as exc:
            _fail(group, self._server.trouble(exc), exc)
        except Exception as exc:  # noqa: BLE001 - a fault of ours must reach its callers, and not end the ledger
            _fail(group, exc, None)
        _deliver(group)

    async def _transact(self, group: list[Order[Any]]) -> None:
        async with asyncio.timeout(self._server.timeout_s):
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._server.connect()
            connection = self._connection
            try:
                # A round trip each, on purpose: a statement that was lost on its way and arrives after all finds
                # no commit behind it, and a commit that does holds its locks until then. So nothing of ours can
                # overwrite what we wrote later on another connection.
                await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                await self._carry_out(connection, group)
                await connection.execute("COMMIT")
            except BaseException:
                # Its transaction, and what we know of it, are gone; the server undoes what was not committed.
                connection.terminate()
                self._connection = None
                raise


def _settle_alone(order: Order[Any], exc: Exception, server: PostgresServer) -> None:
    order.result = None
    if isinstance(exc, asyncpg.UniqueViolationError) and order.clashed():
        return
    if isinstance(exc, asyncpg.TransactionRollbackError):
        _fail([order], server.trouble(exc), exc)
        return
    _fail([order], ValueError(f"PostgreSQL cannot hold this: {exc}"), exc)


def _fail(group: list[Order[Any]], error: Exception, cause: Exception | None) -> None:
    if cause is not None:
        error.__cause__ = cause
    for order in group:
        order.error = error


def _deliver(group: list[Order[Any]]) -> None:
    for order in group:
        if order.future.done():
            continue
        if order.error is None:
            order.future.set_result(order.result)
        else:
            order.future.set_exception(order.error)
