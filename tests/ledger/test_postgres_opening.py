"""
The ledger in PostgreSQL at its start: what it refuses, and what it says then.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import in_postgres
from tests.ledger.conftest import LEASE_S, OpenPostgres, asked, opened
from tests.ledger.jobs import NOW, a_job
from worker.errors import LedgerError
from worker.ledger.postgres import PostgresLedger
from worker.ports import Claimed
from worker.sandbox.postgres import Postgres


async def opening(url: str) -> LedgerError:
    ledger = PostgresLedger(url, "a", LEASE_S, timeout_s=5.0)
    with pytest.raises(LedgerError) as caught:
        await ledger.start()
    await ledger.close()
    return caught.value


@asynccontextmanager
async def a_user(postgres: Postgres, database_url: str, options: str = "") -> AsyncIterator[tuple[str, str]]:
    """
    A user with no rights beyond connecting: the name, and the URL to log in.
    """
    name = f"u{uuid.uuid4().hex[:12]}"
    await in_postgres(postgres.url, f"CREATE ROLE {name} LOGIN PASSWORD 'hush' {options}")
    parts = urlsplit(database_url)
    place = parts.netloc.rpartition("@")[2]
    try:
        yield name, parts._replace(netloc=f"{name}:hush@{place}").geturl()
    finally:
        await in_postgres(database_url, f"DROP OWNED BY {name} CASCADE")
        await in_postgres(postgres.url, f"DROP ROLE {name}")


class TestOpening:
    async def test_a_wrong_password_is_told_but_not_shown(self, postgres_url: str) -> None:
        parts = urlsplit(postgres_url)
        place = parts.netloc.rpartition("@")[2]

        error = await opening(parts._replace(netloc=f"postgres:opensesame@{place}").geturl())

        assert "refused the login; check user and password in VPN_WORKER_LEDGER_URL" in str(error)
        assert place in str(error)
        assert "opensesame" not in f"{error!r}{error.__cause__!r}"

    async def test_an_unknown_database_is_told(self, postgres_url: str) -> None:
        error = await opening(f"{postgres_url}x")

        assert "has no such database; create it" in str(error)

    async def test_a_server_that_is_not_there_is_told(self, postgres_url: str) -> None:
        parts = urlsplit(postgres_url)

        error = await opening(parts._replace(netloc="postgres:opensesame@127.0.0.1:1").geturl())

        assert "127.0.0.1:1" in str(error)
        assert "does not answer; check that it runs and that VPN_WORKER_LEDGER_URL names it" in str(error)
        assert "opensesame" not in str(error)

    @pytest.mark.parametrize(
        "url", ["postgresql://me:opensesame@host:port/x", "postgresql://me:opensesame@[/x", "http://opensesame"]
    )
    async def test_a_url_that_cannot_be_read_is_told_but_not_shown(self, url: str) -> None:
        error = await opening(url)

        assert "VPN_WORKER_LEDGER_URL" in str(error)
        assert "opensesame" not in f"{error!r}{error.__cause__!r}"

    async def test_a_ledger_of_a_newer_version_is_refused(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        await open_postgres()
        await in_postgres(postgres_url, "INSERT INTO vpn_worker_schema VALUES (99, now())")

        error = await opening(postgres_url)

        assert "was made by a newer version of vpn-worker (schema 99); upgrade." in str(error)

    @pytest.mark.parametrize("table", ["jobs", "suspects", "follows", "rounds"])
    async def test_tables_of_something_else_are_left_alone(self, postgres_url: str, table: str) -> None:
        await in_postgres(postgres_url, f"CREATE TABLE {table} (photo bytea)")

        error = await opening(postgres_url)

        assert f"has a table {table} of something else; name another database" in str(error)
        assert 1 == await asked(postgres_url, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")

    async def test_tables_beside_ours_do_no_harm(self, postgres_url: str) -> None:
        await in_postgres(postgres_url, "CREATE TABLE photos (photo bytea)")

        async with opened(postgres_url) as ledger:
            assert Claimed(a_job(), is_new=True) == await ledger.claim(a_job(), NOW)

    async def test_a_schema_of_its_own_can_be_named(self, postgres_url: str) -> None:
        await in_postgres(postgres_url, "CREATE SCHEMA mine; CREATE TABLE jobs (photo bytea)")

        async with opened(f"{postgres_url}?search_path=mine") as ledger:
            await ledger.claim(a_job(), NOW)

        assert 1 == await asked(postgres_url, "SELECT COUNT(*) FROM mine.jobs")

    async def test_a_user_who_may_not_make_tables_is_told_and_can_use_them(
        self, postgres: Postgres, postgres_url: str
    ) -> None:
        await in_postgres(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        async with a_user(postgres, postgres_url) as (name, url):
            error = await opening(url)
            async with opened(postgres_url):
                pass
            await in_postgres(
                postgres_url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
            )
            async with opened(url) as ledger:
                claim = await ledger.claim(a_job(), NOW)

        assert "does not allow this user what the ledger needs; grant it" in str(error)
        assert Claimed(a_job(), is_new=True) == claim

    async def test_a_server_with_no_connection_left_is_told(self, postgres: Postgres, postgres_url: str) -> None:
        async with a_user(postgres, postgres_url, "CONNECTION LIMIT 1") as (_, url):
            taken = await asyncpg.connect(url)
            error = await opening(url)
            await taken.close()

        assert "has no connection left; raise its max_connections" in str(error)
