"""
Somebody who reads the ledger beside a worker, and is slow.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.ledger.jobs import a_job, after
from worker.core.records import RecordFilter
from worker.errors import LedgerError
from worker.ledger import record_query
from worker.ledger.opening import open_ledger
from worker.ledger.reading import open_records
from worker.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

#: Counts for hours.
_ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every question for the newest is one without an end.
    """
    monkeypatch.setattr(record_query, "newest", lambda *_: (_ENDLESS, []))


async def reads_what_was_written(ledger_url: str) -> None:
    ledger = await open_ledger(ledger_url, "me", 120)
    try:
        await ledger.claim(a_job(), after(0))
        async with open_records(ledger_url, 5) as records:
            found = await records.newest(RecordFilter(), 10)
            again = await records.search("order-1", RecordFilter(), 10)
    finally:
        await ledger.close()

    assert [a_job()] == [record.job for record in found]
    assert found == again


async def test_reads_what_a_worker_wrote_to_a_file(tmp_path: Path) -> None:
    await reads_what_was_written(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")


async def test_reads_what_a_worker_wrote_to_postgres(postgres_url: str) -> None:
    await reads_what_was_written(postgres_url)


async def test_a_read_without_end_is_given_up_and_holds_up_no_claim(tmp_path: Path, endless: None) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, "me", 120)
    await ledger.start()
    try:
        async with open_records(f"sqlite:///{path}", 1.5) as records:
            reading = asyncio.create_task(records.newest(RecordFilter(), 10))
            begun = time.monotonic()
            await ledger.claim(a_job(), after(0))
            took_s = time.monotonic() - begun
            was_reading = not reading.done()
            with pytest.raises(LedgerError, match=r"did not answer within 1\.5 s"):
                await reading

        assert was_reading
        assert took_s < 1.0
    finally:
        await ledger.close()


async def test_what_reads_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, "me", 120)
    await ledger.start()
    monkeypatch.setattr(record_query, "newest", lambda *_: ("DELETE FROM jobs RETURNING 1", []))
    try:
        async with open_records(f"sqlite:///{path}", 5) as records:
            with pytest.raises(LedgerError, match="cannot be read"):
                await records.newest(RecordFilter(), 10)
    finally:
        await ledger.close()
