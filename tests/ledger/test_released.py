"""
Ledgers of every released version: upgraded where they stand, every job read back, and worked on with.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import fresh_database, in_postgres
from tests.ledger.conftest import LEASE_S, Opened
from tests.ledger.follows import a_follow
from tests.ledger.released.make import HERE, as_json
from tests.ledger.released.make import NOW as THEN
from worker.core.job import Job, Phase
from worker.core.records import RecordFilter
from worker.ledger.postgres import PostgresLedger
from worker.ledger.sqlite import SqliteLedger
from worker.ports import Claimed, Held, Saved

DUMPS = sorted((dump.parent.name, dump.stem) for dump in HERE.glob("*/*.sql"))
NOW = THEN + timedelta(seconds=LEASE_S * 10)


@pytest.fixture
def script(version: str, dialect: str) -> str:
    """
    The database of a released version, as SQL.
    """
    return (HERE / version / f"{dialect}.sql").read_text(encoding="utf-8")


@pytest.fixture
async def upgraded(script: str, dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """
    That database in today's hands.
    """
    async with AsyncExitStack() as stack:
        ledger: Opened
        if dialect == "sqlite":
            path = tmp_path / "ledger.sqlite3"
            with closing(sqlite3.connect(path)) as database:
                database.executescript(script)
            ledger = SqliteLedger(path, "today", LEASE_S)
        else:
            url = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres")))
            await in_postgres(url, script)
            ledger = PostgresLedger(url, "today", LEASE_S)
        await ledger.start()
        stack.push_async_callback(ledger.close)
        yield ledger


@pytest.fixture
def written(version: str) -> list[dict[str, Any]]:
    """
    The jobs of the released version, field by field.
    """
    jobs: list[dict[str, Any]] = json.loads((HERE / version / "jobs.json").read_text(encoding="utf-8"))
    return jobs


async def job_named(ledger: Opened, request_id: str) -> Job:
    (job,) = await ledger.find(request_id)
    return job


def test_there_is_something_to_upgrade() -> None:
    assert DUMPS


def like(today: Any, then: Any) -> Any:
    """
    The value without the members that a later version added.
    """
    if isinstance(today, Mapping) and isinstance(then, Mapping):
        return {name: like(today.get(name), then[name]) for name in then}
    return today


def failed_like(failed: Job, job: Job) -> Job:
    return Job(
        key=job.key,
        digest=job.digest,
        router_id=job.router_id,
        first_seen_at=job.first_seen_at,
        deadline_at=job.deadline_at,
        phase=Phase.DONE,
        outcome=failed.outcome,
    )


@pytest.mark.parametrize(("version", "dialect"), DUMPS)
class TestUpgrade:
    async def test_every_job_comes_back_with_what_was_known_then(
        self, upgraded: Opened, written: list[dict[str, Any]]
    ) -> None:
        for then in written:
            today = as_json(await job_named(upgraded, then["key"]["id"]))

            assert then == {name: like(today[name], then[name]) for name in then}

    async def test_work_goes_on_where_it_stopped(self, upgraded: Opened) -> None:
        for phase in (Phase.READY, Phase.SENT, Phase.LOOKING):
            job = await job_named(upgraded, phase.value)

            assert Claimed(job, is_new=False) == await upgraded.claim(job, NOW)
            assert Saved.WRITTEN is await upgraded.save(job, NOW)

    async def test_leases_of_then_still_count(self, upgraded: Opened) -> None:
        assert isinstance(await upgraded.claim(await job_named(upgraded, "sent"), THEN), Held)

    async def test_services_still_have_their_owners(self, upgraded: Opened) -> None:
        sent = await job_named(upgraded, "sent")

        assert frozenset({"5f0e2b9c"}) == await upgraded.owned(["5f0e2b9c", "new"], sent.key)

    async def test_what_came_later_works_on_old_jobs(self, upgraded: Opened) -> None:
        doubtful, failed = await job_named(upgraded, "in-doubt"), await job_named(upgraded, "failed")

        amended = await upgraded.amend(doubtful, failed_like(failed, doubtful), NOW)

        assert Saved.WRITTEN is amended
        assert 1 == await upgraded.mark_suspect("f", NOW)
        assert 2 == await upgraded.prune(NOW, 100)
        assert {"ready": 1, "sent": 1, "looking": 1, "failed": 1} == dict(await upgraded.counts())

    async def test_services_of_then_can_be_followed_now(self, upgraded: Opened, written: list[dict[str, Any]]) -> None:
        made = await job_named(upgraded, "created")
        follow = a_follow(key=made.key, service_id=made.service_id or "", begun_at=NOW)
        await upgraded.follows.begin(follow)

        (record,) = await upgraded.records.of_request("created")

        assert (made, follow) == (record.job, record.follow)
        assert 1 == len(await upgraded.follows.rounds(NOW))
        assert {then["key"]["id"] for then in written} == {
            one.job.key.id for one in await upgraded.records.newest(RecordFilter(), 100)
        }
