"""
A look at a ledger: what a worker would meet there is told, and nothing is changed.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import in_postgres
from tests.ledger.conftest import OpenLedger, OpenPostgres, OpenSqlite
from tests.ledger.jobs import NOW, a_job, in_doubt
from tests.ledger.test_postgres_opening import a_user
from worker.ledger.inspecting import inspect_ledger
from worker.ledger.migrations import steps
from worker.ledger.postgres_inspecting import inspect_postgres
from worker.ports import Finding, State
from worker.sandbox.postgres import Postgres


def by_subject(findings: Iterable[Finding]) -> dict[str, Finding]:
    found = {finding.subject: finding for finding in findings}
    for finding in found.values():
        assert (finding.state is State.OK) or finding.remedy, finding
    return found


def states(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.subject: finding.state.value for finding in findings if finding.state is not State.OK}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """
    Where `open_sqlite` has its file.
    """
    return tmp_path / "ledger.sqlite3"


def made(path: Path, version: int) -> Path:
    """
    A ledger as an older worker made it.
    """
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for script in steps("sqlite")[:version]:
            for statement in script:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {version}")
    return path


def look(path: Path, timeout_s: float = 5.0) -> tuple[Finding, ...]:
    return asyncio.run(inspect_ledger(f"sqlite:///{path}", timeout_s))


class TestSqlite:
    def test_one_that_is_well_is_told_and_left_as_it_was(self, path: Path) -> None:
        made(path, len(steps("sqlite")))
        before = path.read_bytes()

        findings = look(path)

        assert {} == states(findings)
        assert {
            "ledger file",
            "ledger disk",
            "ledger schema",
            "ledger lock",
            "ledger journal",
            "ledger integrity",
            "requests in doubt",
        } == set(by_subject(findings))
        assert before == path.read_bytes()
        assert [path] == list(path.parent.iterdir())

    async def test_one_in_use_is_well(self, open_sqlite: OpenSqlite, path: Path) -> None:
        ledger = await open_sqlite()
        await ledger.claim(a_job(), NOW)

        assert {} == states(await inspect_ledger(f"sqlite:///{path}"))

    def test_a_missing_one_is_not_made(self, path: Path) -> None:
        """
        An init container looks before the first worker: that is no fault. Later, a wrong path is.
        """
        (found, _) = look(path)

        assert State.WARNING is found.state
        assert "the first worker makes it" in found.words
        assert not path.exists()

    def test_a_missing_folder_is_a_fault(self, tmp_path: Path) -> None:
        (found,) = look(tmp_path / "nowhere" / "ledger.sqlite3")

        assert (State.FAULT, f"There is no folder {tmp_path / 'nowhere'}.") == (found.state, found.words)

    def test_a_folder_in_its_place_is_a_fault(self, path: Path) -> None:
        path.mkdir()

        assert {"ledger file": "fault"} == states(look(path))

    def test_a_newer_one_is_a_fault(self, path: Path) -> None:
        with closing(sqlite3.connect(made(path, 1))) as database:
            database.execute("PRAGMA user_version = 99")

        found = by_subject(look(path))["ledger schema"]

        assert State.FAULT is found.state
        assert "Version 99, made by a newer vpn-worker" in found.words
        assert "Upgrade vpn-worker" in found.remedy

    def test_an_older_one_is_a_warning_and_stays_old(self, path: Path) -> None:
        found = by_subject(look(made(path, 1)))["ledger schema"]

        assert State.WARNING is found.state
        assert f"brings it to {len(steps('sqlite'))}" in found.words
        with closing(sqlite3.connect(path)) as database:
            assert (1,) == database.execute("PRAGMA user_version").fetchone()

    def test_the_database_of_something_else_is_a_fault(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE recipes (name TEXT)")

        found = by_subject(look(path))["ledger schema"]

        assert State.FAULT is found.state
        assert "something else" in found.words

    def test_what_is_no_database_is_a_fault(self, path: Path) -> None:
        path.write_text("Dear diary, today I was taken for a database. " * 100)

        assert {"ledger file": "fault"} == states([look(path)[-1]])

    def test_a_damaged_one_is_a_fault(self, path: Path) -> None:
        made(path, len(steps("sqlite")))
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(size // 2)
            file.write(b"\xa5" * 4096)

        assert "fault" in states(look(path)).values()

    def test_a_lock_that_somebody_keeps_is_told(self, path: Path) -> None:
        with closing(sqlite3.connect(made(path, len(steps("sqlite"))), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            found = by_subject(look(path, timeout_s=10.0))["ledger lock"]

        assert State.WARNING is found.state
        assert "Another process has held the write lock for 2" in found.words

    def test_another_journal_is_told(self, path: Path) -> None:
        with closing(sqlite3.connect(made(path, len(steps("sqlite"))))) as database:
            database.execute("PRAGMA journal_mode = DELETE")

        assert {"ledger journal": "warning"} == states(look(path))


class TestBoth:
    async def test_requests_in_doubt_are_counted(self, open_ledger: OpenLedger, request: pytest.FixtureRequest) -> None:
        ledger = await open_ledger()
        await ledger.claim(a_job(), NOW)
        await ledger.save(in_doubt(a_job()), NOW)
        url = (
            request.getfixturevalue("kept_database")
            if "postgres" in request.node.name
            else f"sqlite:///{request.getfixturevalue('path')}"
        )

        found = by_subject(await inspect_ledger(url))["requests in doubt"]

        assert State.WARNING is found.state
        assert found.words.startswith("1: ")
        assert "vpn-worker resolve" in found.remedy


@pytest.fixture
def dead_port() -> Iterator[int]:
    """
    A port at which nobody listens, kept from others.
    """
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


class TestPostgres:
    async def test_an_empty_one_is_well_and_stays_empty(self, postgres_url: str) -> None:
        findings = await inspect_postgres(postgres_url, 5.0)

        assert {} == states([one for one in findings if one.subject != "ledger durability"])
        assert "Empty; the first worker makes version" in by_subject(findings)["ledger schema"].words
        assert "The tables can be made." == by_subject(findings)["ledger rights"].words
        connection = await asyncpg.connect(postgres_url)
        assert 0 == await connection.fetchval("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")
        await connection.close()

    async def test_one_in_use_is_well(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        await open_postgres()

        findings = await inspect_postgres(postgres_url, 5.0)

        assert {} == states([one for one in findings if one.subject != "ledger durability"])
        assert "All tables can be read and written." == by_subject(findings)["ledger rights"].words

    async def test_a_server_whose_commits_may_be_lost_is_a_warning(self, postgres: Postgres, postgres_url: str) -> None:
        connection = await asyncpg.connect(postgres_url)
        fsync = await connection.fetchval("SELECT current_setting('fsync')")
        await connection.close()

        found = by_subject(await inspect_postgres(postgres_url, 5.0))["ledger durability"]

        assert (State.WARNING if fsync == "off" else State.OK) is found.state

    async def test_a_server_that_is_down(self, dead_port: int) -> None:
        (found,) = await inspect_postgres(f"postgresql://me:hush@127.0.0.1:{dead_port}/jobs", 5.0)

        assert State.FAULT is found.state
        assert f"127.0.0.1:{dead_port}/jobs does not answer" in found.words
        assert "VPN_WORKER_LEDGER_URL" in found.remedy
        assert "hush" not in str(found)

    async def test_a_wrong_password(self, postgres_url: str) -> None:
        place = urlsplit(postgres_url).netloc.rpartition("@")[2]

        (found,) = await inspect_postgres(postgres_url.replace(urlsplit(postgres_url).netloc, f"me:hush@{place}"), 5.0)

        assert State.FAULT is found.state
        assert "refused the login" in found.words
        assert "Check user and password in VPN_WORKER_LEDGER_URL." == found.remedy
        assert "hush" not in str(found)

    async def test_a_database_that_does_not_exist(self, postgres: Postgres) -> None:
        (found,) = await inspect_postgres(urlsplit(postgres.url)._replace(path="/nowhere").geturl(), 5.0)

        assert "has no such database" in found.words

    async def test_a_newer_one_is_a_fault(self, open_postgres: OpenPostgres, postgres_url: str) -> None:
        await open_postgres()
        await in_postgres(postgres_url, "INSERT INTO vpn_worker_schema VALUES (99, now())")

        assert State.FAULT is by_subject(await inspect_postgres(postgres_url, 5.0))["ledger schema"].state

    async def test_the_database_of_something_else_is_a_fault(self, postgres_url: str) -> None:
        await in_postgres(postgres_url, "CREATE TABLE jobs (name text)")

        found = by_subject(await inspect_postgres(postgres_url, 5.0))["ledger schema"]

        assert State.FAULT is found.state
        assert "a table jobs of something else" in found.words

    async def test_missing_rights_are_named(
        self, postgres: Postgres, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        await open_postgres()
        async with a_user(postgres, postgres_url) as (name, url):
            await in_postgres(postgres_url, f"GRANT SELECT ON jobs, suspects, vpn_worker_schema, follows TO {name}")
            await in_postgres(postgres_url, f"GRANT INSERT, UPDATE, DELETE ON suspects, follows, rounds TO {name}")

            found = by_subject(await inspect_postgres(url, 5.0))["ledger rights"]

        assert State.FAULT is found.state
        assert "This user may not delete on jobs, insert on jobs, select on rounds, update on jobs." == found.words

    async def test_a_user_who_may_not_make_the_tables(self, postgres: Postgres, postgres_url: str) -> None:
        await in_postgres(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        async with a_user(postgres, postgres_url) as (_, url):
            found = by_subject(await inspect_postgres(url, 5.0))["ledger rights"]

        assert State.FAULT is found.state
        assert "may not make tables in schema public" in found.words

    async def test_one_that_can_only_be_read(
        self, postgres: Postgres, open_postgres: OpenPostgres, postgres_url: str
    ) -> None:
        await open_postgres()
        async with a_user(postgres, postgres_url) as (name, url):
            await in_postgres(postgres_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
            await in_postgres(postgres.url, f"ALTER ROLE {name} SET default_transaction_read_only = on")

            found = by_subject(await inspect_postgres(url, 5.0))["ledger rights"]

        assert (State.FAULT, "Transactions can only read here.") == (found.state, found.words)
