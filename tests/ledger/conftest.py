"""
Ledgers to test: every implementation, each on storage of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import asyncpg
import pytest

from tests.conftest import Hold, fresh_database
from worker.ledger.postgres import PostgresLedger
from worker.ledger.postgres_schema import update_schema
from worker.ledger.postgres_server import PostgresServer
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Follows, Ledger, Records
from worker.sandbox.postgres import Postgres

LEASE_S = 120.0


class Opened(Ledger, Protocol):
    """
    A ledger as whoever composes the worker sees it.
    """

    @property
    def follows(self) -> Follows: ...

    @property
    def records(self) -> Records: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


L = TypeVar("L", bound=Opened)
OpenLedger = Callable[..., Awaitable[Opened]]
OpenSqlite = Callable[..., Awaitable[SqliteLedger]]
OpenPostgres = Callable[..., Awaitable[PostgresLedger]]


def opener(make: Callable[[str, float], L], stack: AsyncExitStack) -> Callable[..., Awaitable[L]]:
    """
    Opens ledgers that end with the test, each as another owner on the same storage.
    """

    async def open_it(owner: str = "a", lease_s: float = LEASE_S) -> L:
        ledger = make(owner, lease_s)
        await ledger.start()
        stack.push_async_callback(ledger.close)
        return ledger

    return open_it


@pytest.fixture(scope="session")
def kept_database(postgres: Postgres) -> Iterator[str]:
    """
    A database for tests that leave nothing but rows: making one takes longer than most tests.
    """
    hold = Hold("database", lambda: fresh_database(postgres))
    hold.begin()
    hold.settled()
    yield hold.server()
    hold.end()


async def empty(url: str) -> None:
    """
    Leaves our tables in the database, and nothing in them.
    """
    async with PostgresServer(url, 10.0).session() as connection:
        await update_schema(connection, url)
        await connection.execute("DELETE FROM jobs; DELETE FROM suspects; DELETE FROM follows; DELETE FROM rounds")


@pytest.fixture(params=["sqlite", "postgres"])
async def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenLedger]:
    """
    Opens the ledger as the worker of that name does; all of a test share the same storage.
    """
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield opener(lambda owner, lease_s: SqliteLedger(tmp_path / "ledger.sqlite3", owner, lease_s), stack)
        else:
            url = request.getfixturevalue("kept_database")
            await empty(url)
            yield opener(lambda owner, lease_s: PostgresLedger(url, owner, lease_s), stack)


@pytest.fixture
async def open_sqlite(tmp_path: Path) -> AsyncIterator[OpenSqlite]:
    """
    Opens the SQLite ledger of the test.
    """
    async with AsyncExitStack() as stack:
        yield opener(lambda owner, lease_s: SqliteLedger(tmp_path / "ledger.sqlite3", owner, lease_s), stack)


@pytest.fixture
async def open_postgres(postgres_url: str) -> AsyncIterator[OpenPostgres]:
    """
    Opens the PostgreSQL ledger of the test.
    """
    async with AsyncExitStack() as stack:
        yield opener(lambda owner, lease_s: PostgresLedger(postgres_url, owner, lease_s), stack)


@pytest.fixture
async def ledger(open_ledger: OpenLedger) -> Opened:
    """
    A ledger as worker "a" has it open.
    """
    return await open_ledger()


@pytest.fixture
def follows(ledger: Opened) -> Follows:
    """
    What worker "a" knows of followed services.
    """
    return ledger.follows


@asynccontextmanager
async def opened(url: str, owner: str = "a", timeout_s: float = 10.0) -> AsyncIterator[PostgresLedger]:
    """
    The PostgreSQL ledger at a URL, until leaving.
    """
    ledger = PostgresLedger(url, owner, LEASE_S, timeout_s)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.close()


async def asked(url: str, query: str) -> object:
    """
    What a server answers to a query for one value.
    """
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
