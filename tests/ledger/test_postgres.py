"""
The ledger in PostgreSQL: shared by many, in groups, and patient with a server that comes and goes.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import in_postgres
from tests.e2e.conftest import eventually
from tests.ledger.conftest import LEASE_S, OpenPostgres, asked, opened
from tests.ledger.jobs import NOW, a_job, after, created
from tests.ledger.proxy import proxy_before
from worker.core.job import Job, Phase
from worker.errors import LedgerError
from worker.ledger.migrations import steps
from worker.ledger.postgres import PostgresLedger
from worker.ledger.postgres_server import PostgresServer
from worker.ports import Claim, Claimed, Held, Saved
from worker.sandbox.postgres import Postgres, PrivatePostgres, private_postgres

SHORT_S = 0.5


@pytest.fixture
async def server(postgres: Postgres, tmp_path: Path) -> AsyncIterator[PrivatePostgres]:
    """
    A server of the test's own, to be killed.
    """
    if not isinstance(postgres, PrivatePostgres):
        pytest.skip("only a server of our own may be killed")
    async with private_postgres(tmp_path, lambda line: None) as started:
        yield started


async def transactions(url: str) -> int:
    """
    How many transactions have written something in this server, this question included.
    """
    number = await asked(url, "SELECT pg_current_xact_id()::text::bigint")
    assert isinstance(number, int)
    return number


async def patiently(ledger: PostgresLedger, job: Job) -> Saved:
    """
    What the worker does: repeats a save until the ledger is there.
    """
    end = time.monotonic() + 30
    while True:
        try:
            return await ledger.save(job, NOW)
        except LedgerError:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)


class TestGroups:
    async def test_saves_of_many_jobs_share_transactions(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        ledger = await open_postgres()
        jobs = [a_job(f"{number}") for number in range(200)]
        await asyncio.gather(*(ledger.claim(job, NOW) for job in jobs))
        before = await transactions(postgres_url)

        saves = await asyncio.gather(*(ledger.save(replace(job, attempts=2), NOW) for job in jobs))

        assert [Saved.WRITTEN] * 200 == saves
        assert 1 <= await transactions(postgres_url) - before - 1 <= 20

    async def test_one_save_alone_is_one_transaction(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        """
        Shows that the count above counts.
        """
        ledger = await open_postgres()
        await ledger.claim(a_job(), NOW)
        before = await transactions(postgres_url)

        for attempts in range(2, 7):
            await ledger.save(a_job(attempts=attempts), NOW)

        assert 5 == await transactions(postgres_url) - before - 1

    async def test_what_cannot_be_held_harms_no_neighbour(self, open_postgres: OpenPostgres) -> None:
        """
        An index entry has at most 2.7 kB, and a cloud may call an id what it likes.
        """
        ledger = await open_postgres()
        jobs = [a_job(f"{number}") for number in range(20)]
        await asyncio.gather(*(ledger.claim(job, NOW) for job in jobs))
        endless = "".join(uuid.uuid4().hex for _ in range(1000))

        saves = (ledger.save(created(job, endless if n == 7 else f"s-{n}"), NOW) for n, job in enumerate(jobs))
        results = await asyncio.gather(*saves, return_exceptions=True)

        assert isinstance(results[7], ValueError)
        assert 19 == results.count(Saved.WRITTEN)
        assert {"created": 19, "sent": 1} == await ledger.counts()

    async def test_a_row_that_cannot_be_read_harms_no_neighbour(
        self, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        ledger = await open_postgres()
        for name in ("good", "bad"):
            await ledger.claim(a_job(name), NOW)
        await in_postgres(postgres_url, "UPDATE jobs SET doc = 'nonsense' WHERE id = 'bad'")

        claims = (ledger.claim(a_job("good" if number % 10 else "bad"), NOW) for number in range(50))
        results = await asyncio.gather(*claims, return_exceptions=True)

        assert all(isinstance(result, ValueError) for result in results[::10])
        assert 45 == results.count(Claimed(a_job("good"), is_new=False))


class TestManyWorkers:
    async def test_of_many_that_begin_on_a_router_at_once_one_does(self, open_postgres: OpenPostgres) -> None:
        """
        Uncommitted rivals cannot be seen: without a lock on the router, several would begin.
        """
        ledgers = [await open_postgres(f"worker-{number}") for number in range(6)]
        for turn in range(5):
            jobs = [
                [a_job(f"{turn}-{router}-{n}", router_id=f"{turn}-{router}", phase=Phase.READY) for router in range(20)]
                for n in range(len(ledgers))
            ]

            begun = await self.begun(ledgers, jobs)
            for ledger, job in begun:
                await ledger.release(job, NOW)
            begun_again = await self.begun(ledgers, jobs)

            for winners in (begun, begun_again):
                assert sorted(job.router_id for job in jobs[0]) == sorted(job.router_id for _, job in winners)

    async def begun(self, ledgers: list[PostgresLedger], jobs: list[list[Job]]) -> list[tuple[PostgresLedger, Job]]:
        """
        The claims that were granted when each ledger claimed its own jobs, all at the same moment.
        """
        pairs = [(ledger, job) for ledger, mine in zip(ledgers, jobs, strict=True) for job in mine]
        claims = await asyncio.gather(*(ledger.claim(job, NOW) for ledger, job in pairs))
        return [pair for pair, claim in zip(pairs, claims, strict=True) if isinstance(claim, Claimed)]

    async def test_of_many_that_would_take_a_job_over_one_does(self, open_postgres: OpenPostgres) -> None:
        ledgers = [await open_postgres(f"worker-{number}") for number in range(8)]
        jobs = [a_job(f"{number}") for number in range(20)]
        await asyncio.gather(*(ledgers[0].claim(job, NOW) for job in jobs))

        claims = await asyncio.gather(*(one.claim(job, after(LEASE_S)) for job in jobs for one in ledgers[1:]))

        taken = [claim.job.key.id for claim in claims if isinstance(claim, Claimed)]
        assert sorted(job.key.id for job in jobs) == sorted(taken)

    async def test_a_service_that_two_report_at_once_belongs_to_one(self, open_postgres: OpenPostgres) -> None:
        ours, theirs = await open_postgres("a"), await open_postgres("b")
        pairs = [(a_job(f"{number}-a"), a_job(f"{number}-b"), f"s-{number}") for number in range(20)]
        for mine, others, _ in pairs:
            await asyncio.gather(ours.claim(mine, NOW), theirs.claim(others, NOW))

        for mine, others, service_id in pairs:
            saves = await asyncio.gather(
                ours.save(created(mine, service_id), NOW), theirs.save(created(others, service_id), NOW)
            )
            assert {Saved.WRITTEN, Saved.SERVICE_TAKEN} == set(saves)

    async def test_nobody_waits_for_a_worker_that_is_stuck(
        self, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        """
        A frozen process keeps its locks until the server loses patience with it.
        """
        ledger = await open_postgres("b")
        await (await open_postgres("a")).claim(a_job("stuck"), NOW)
        connection = await asyncpg.connect(postgres_url)
        try:
            await connection.execute("BEGIN; SELECT FROM jobs WHERE id = 'stuck' FOR UPDATE")
            begun = time.monotonic()

            claims = await asyncio.gather(
                *(ledger.claim(a_job(name), after(LEASE_S)) for name in ("stuck", "free-1", "free-2"))
            )
        finally:
            await connection.close()

        assert [Held, Claimed, Claimed] == [type(claim) for claim in claims]
        assert time.monotonic() - begun < 5

    async def test_locks_of_a_worker_that_froze_are_given_up(self, postgres_url: str) -> None:
        async with opened(postgres_url, "frozen", SHORT_S) as frozen, opened(postgres_url, "b") as ledger:
            await frozen.claim(a_job(), NOW)
            connection = await PostgresServer(postgres_url, SHORT_S).connect()
            await connection.execute("BEGIN; UPDATE jobs SET attempts = 9")

            claims: list[Claim] = []
            async with asyncio.timeout(20):
                while not claims or isinstance(claims[-1], Held):
                    claims.append(await ledger.claim(a_job(), after(LEASE_S)))

            connection.terminate()
            assert isinstance(claims[0], Held)
            assert Claimed(a_job(), is_new=False) == claims[-1]

    async def test_they_can_start_together_on_an_empty_database(self, postgres_url: str) -> None:
        ledgers = [PostgresLedger(postgres_url, f"{number}", LEASE_S) for number in range(8)]

        await asyncio.gather(*(ledger.start() for ledger in ledgers))
        await asyncio.gather(*(ledger.close() for ledger in ledgers))

        assert len(steps("postgres")) == await asked(postgres_url, "SELECT COUNT(*) FROM vpn_worker_schema")


class TestBadWeather:
    async def test_what_was_saved_survives_kills_of_the_server(self, server: PrivatePostgres) -> None:
        jobs = [a_job(f"{number}") for number in range(40)]
        attempts = dict.fromkeys((job.key.id for job in jobs), 0)
        stop = asyncio.Event()

        async with opened(server.url, timeout_s=5.0) as ledger:

            async def go_on(job: Job) -> None:
                await ledger.claim(job, NOW)
                while not stop.is_set():
                    number = attempts[job.key.id] + 1
                    assert Saved.WRITTEN is await patiently(ledger, replace(job, attempts=number))
                    attempts[job.key.id] = number

            def has_come_to(goal: int) -> bool:
                return min(attempts.values()) >= goal

            async def weather() -> None:
                for goal in (5, 10):
                    await eventually(partial(has_come_to, goal), "progress", 30)
                    await server.kill()
                    await server.start()
                stop.set()

            async with asyncio.timeout(60):
                await asyncio.gather(weather(), *(go_on(job) for job in jobs))
            found = [(await ledger.find(job.key.id))[0].attempts for job in jobs]

        assert [attempts[job.key.id] for job in jobs] == found

    async def test_while_the_server_is_away_every_call_says_so(self, server: PrivatePostgres) -> None:
        async with opened(server.url) as ledger:
            await ledger.claim(a_job(), NOW)
            await server.stop()

            calls = (
                ledger.claim(a_job(), NOW),
                ledger.save(a_job(), NOW),
                ledger.owned(["s"], a_job().key),
                ledger.counts(),
                ledger.find("order-1"),
                ledger.prune(NOW, 1),
                ledger.mark_suspect("f", NOW),
            )
            errors = await asyncio.gather(*calls, return_exceptions=True)
            await server.start()

            assert [LedgerError] * 7 == [type(error) for error in errors]
            assert "VPN_WORKER_LEDGER_URL names it" in str(errors[-1])
            assert Saved.WRITTEN is await ledger.save(a_job(), NOW)

    async def test_a_claim_whose_answer_was_lost_is_not_new_when_it_is_repeated(self, postgres_url: str) -> None:
        """
        So the engine looks before it posts: it cannot know whether the first one had posted.
        """
        async with proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url), opened(url) as ledger:
            await ledger.claim(a_job("first"), NOW)
            proxy.loses_next_commit = True

            with pytest.raises(LedgerError, match="ended the connection"):
                await ledger.claim(a_job(), NOW)

            assert Claimed(a_job(), is_new=False) == await ledger.claim(a_job(), after(1))

    async def test_a_save_whose_answer_was_lost_can_be_repeated(self, postgres_url: str) -> None:
        async with proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url), opened(url) as ledger:
            await ledger.claim(a_job(), NOW)
            proxy.loses_next_commit = True

            with pytest.raises(LedgerError):
                await ledger.save(created(a_job(), "s-1"), NOW)

            assert Saved.WRITTEN is await ledger.save(created(a_job(), "s-1"), after(1))
            assert (created(a_job(), "s-1"),) == await ledger.find("order-1")

    async def test_a_server_that_does_not_answer_is_given_up_and_tried_again(self, postgres_url: str) -> None:
        async with (
            proxy_before(f"{postgres_url}?sslmode=disable") as (proxy, url),
            opened(url, timeout_s=SHORT_S) as ledger,
        ):
            await ledger.claim(a_job(), NOW)
            proxy.hold()
            begun = time.monotonic()

            errors = await asyncio.gather(ledger.save(a_job(attempts=2), NOW), ledger.counts(), return_exceptions=True)
            took_s = time.monotonic() - begun
            proxy.let_go()

            assert [LedgerError] * 2 == [type(error) for error in errors]
            assert took_s < 10 * SHORT_S
            assert Saved.WRITTEN is await patiently(ledger, a_job(attempts=2))

    async def test_a_standby_is_left_for_the_primary(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        ledger = await open_postgres()
        name = urlsplit(postgres_url).path[1:]
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        await ledger.claim(a_job(), NOW)
        await in_postgres(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on; {others}")
        errors = []
        for _ in range(2):  # the first may only notice that its connection is gone
            with pytest.raises(LedgerError) as caught:
                await ledger.save(a_job(attempts=2), NOW)
            errors.append(str(caught.value))

        await in_postgres(
            postgres_url, f"BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"
        )

        assert "can only be read" in errors[-1]
        assert Saved.WRITTEN is await ledger.save(a_job(attempts=2), NOW)

    async def test_a_commit_is_on_disk_whatever_the_database_is_set_to(self, postgres_url: str) -> None:
        name = urlsplit(postgres_url).path[1:]
        server = PostgresServer(postgres_url, 10.0)
        modes = []
        for mode in ("off", "remote_apply"):
            await in_postgres(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = {mode}")
            async with server.session() as connection:
                modes.append(await connection.fetchval("SHOW synchronous_commit"))

        assert ["on", "remote_apply"] == modes
