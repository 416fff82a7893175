"""
Followed services in PostgreSQL: nobody waits for another worker, no job for them, and a bad server is survived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from tests.conftest import in_postgres
from tests.ledger.conftest import OpenPostgres, asked, opened
from tests.ledger.follows import FIRST, a_follow, told
from tests.ledger.jobs import NOW, a_job, after
from tests.ledger.proxy import proxy_before
from worker.core.records import RecordFilter
from worker.errors import LedgerError
from worker.ports import Claimed

SHORT_S = 0.5


@asynccontextmanager
async def locked(url: str, statement: str) -> AsyncIterator[None]:
    """
    Somebody holds what a statement locks, and does not come to an end.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"BEGIN; {statement}")
        yield
    finally:
        await connection.close()


class TestManyWorkers:
    async def test_a_round_that_is_being_taken_is_left_without_waiting(
        self, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        follows = (await open_postgres()).follows
        await follows.begin(a_follow())

        async with locked(postgres_url, "SELECT FROM rounds FOR UPDATE"):
            begun = time.monotonic()
            taken = await follows.take(FIRST, NOW)
            took_s = time.monotonic() - begun

        assert not taken
        assert took_s < 5
        assert await follows.take(FIRST, NOW)

    async def test_a_service_begins_whoever_is_at_its_tenants_round(
        self, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        follows = (await open_postgres()).follows
        await follows.begin(a_follow())

        changing = "UPDATE rounds SET failures = 9; UPDATE follows SET changes = 9"
        async with locked(postgres_url, changing), asyncio.timeout(5):
            for name in ("order-1", "order-2"):
                await follows.begin(a_follow(name))

            assert 2 == await follows.count()

    async def test_no_job_waits_for_what_is_followed(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        ledger = await open_postgres()
        await ledger.follows.begin(a_follow())

        async with locked(postgres_url, "SELECT FROM follows FOR UPDATE"):
            noting = asyncio.create_task(ledger.follows.note([told(a_follow(), "DOWN", 5)]))
            async with asyncio.timeout(5):
                claim = await ledger.claim(a_job(), NOW)
            is_waiting = not noting.done()
        await noting

        assert Claimed(a_job(), is_new=True) == claim
        assert is_waiting

    async def test_many_that_begin_at_once_do_not_wait_for_each_other_in_a_circle(
        self, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        """
        The server would end one of them after a second, and all would go on; it must not come to that.
        """
        workers = [(await open_postgres(f"worker-{number}")).follows for number in range(4)]
        for turn in range(6):
            many = [a_follow(f"{turn}-{number}", tenant_id=f"{turn}-{number}") for number in range(200)]

            await asyncio.gather(
                *(one.begin(follow) for n, one in enumerate(workers) for follow in many[:: 1 if n % 2 else -1])
            )

        count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert 0 == await asked(postgres_url, count)
        assert 6 * 200 == await workers[0].count()

    async def test_what_cannot_be_held_harms_no_neighbour(self, open_postgres: OpenPostgres) -> None:
        follows = (await open_postgres()).follows
        beginnings = (follows.begin(a_follow(f"{n}", service_id="\ud800" if n == 3 else f"s{n}")) for n in range(10))

        results = await asyncio.gather(*beginnings, return_exceptions=True)

        assert isinstance(results[3], ValueError)
        assert 9 == results.count(None)
        assert 9 == await follows.count()


class TestBadWeather:
    async def test_a_take_whose_answer_was_lost_can_be_repeated(self, postgres_url: str) -> None:
        async with (
            proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url),
            opened(url) as ledger,
            opened(postgres_url, "b") as other,
        ):
            await ledger.follows.begin(a_follow())
            proxy.loses_next_commit = True

            with pytest.raises(LedgerError, match="ended the connection"):
                await ledger.follows.take(FIRST, NOW)

            assert not await other.follows.take(FIRST, NOW)
            assert await ledger.follows.take(FIRST, NOW)

    async def test_what_was_told_can_be_noted_again(self, postgres_url: str) -> None:
        now = told(a_follow(), "DOWN", 5)
        async with proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url), opened(url) as ledger:
            await ledger.follows.begin(a_follow())
            proxy.loses_next_commit = True

            with pytest.raises(LedgerError):
                await ledger.follows.note([now])
            await ledger.follows.note([now])

            assert (now,) == await ledger.follows.next_followed(None, "", 10)

    async def test_a_finish_whose_answer_was_lost_can_be_repeated(self, postgres_url: str) -> None:
        made = replace(FIRST, last_at=after(5))
        async with proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url), opened(url) as ledger:
            await ledger.follows.begin(a_follow())
            await ledger.follows.take(FIRST, NOW)
            proxy.loses_next_commit = True

            with pytest.raises(LedgerError):
                await ledger.follows.finish(made)
            await ledger.follows.finish(made)

            assert (made,) == await ledger.follows.rounds(after(5))

    async def test_a_server_that_does_not_answer_is_given_up_and_tried_again(self, postgres_url: str) -> None:
        async with (
            proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url),
            opened(url, timeout_s=SHORT_S) as ledger,
        ):
            await ledger.follows.begin(a_follow())
            proxy.hold()

            calls = (
                ledger.follows.begin(a_follow("order-2")),
                ledger.follows.rounds(NOW),
                ledger.follows.note([told(a_follow(), "DOWN", 5)]),
                ledger.records.newest(RecordFilter(), 1),
            )
            results = await asyncio.gather(*calls, return_exceptions=True)
            proxy.let_go()

            assert [LedgerError] * 4 == [type(result) for result in results]
            assert (FIRST,) == await ledger.follows.rounds(NOW)


async def test_rows_that_cannot_be_read_keep_no_others_from_being_followed(
    open_postgres: OpenPostgres, postgres_url: str
) -> None:
    ledger = await open_postgres()
    for name in ("a", "b", "c"):
        await ledger.follows.begin(a_follow(name))
    await in_postgres(postgres_url, "UPDATE follows SET doc = 'nonsense' WHERE id = 'b'")

    assert (a_follow("a"), a_follow("c")) == await ledger.follows.next_followed(None, "", 2)
