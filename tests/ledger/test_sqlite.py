"""
The ledger in a SQLite file: durable, in groups, and plain about what it cannot do.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.conftest import OpenSqlite
from tests.ledger.jobs import NOW, a_job, after
from worker.core.records import RecordFilter
from worker.errors import LedgerError
from worker.ledger.sqlite import SqliteLedger
from worker.ledger.sqlite_file import open_database
from worker.ports import Claimed, Saved

#: Run by a process of its own: records a job and dies at once.
SAVE_AND_DIE = """
import asyncio, os, signal, sys
from dataclasses import replace
from pathlib import Path
from tests.ledger.jobs import NOW, a_job, after
from worker.ledger.sqlite import SqliteLedger

async def main():
    ledger = SqliteLedger(Path(sys.argv[1]), "a", 120.0)
    await ledger.start()
    await ledger.claim(a_job(), NOW)
    await ledger.save(a_job(attempts=7), NOW)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""

#: Run by a process of its own: fills its "disk", makes room again, and prints what the ledger said.
FILL_THE_DISK = """
import asyncio, resource, sys
from pathlib import Path
from tests.ledger.jobs import NOW, a_job, after
from worker.core.records import RecordFilter
from worker.errors import LedgerError
from worker.ledger.sqlite import SqliteLedger

async def main():
    path = Path(sys.argv[1])
    ledger = SqliteLedger(path, "a", 120.0)
    await ledger.start()
    await ledger.claim(a_job("before"), NOW)
    full_bytes = path.with_name(path.name + "-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (full_bytes, hard))
    results = await asyncio.gather(*(ledger.claim(a_job(f"full-{n}"), NOW) for n in range(3)), return_exceptions=True)
    assert all(isinstance(result, LedgerError) for result in results), results
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = [(await ledger.claim(a_job(f"full-{n}"), NOW)).is_new for n in range(3)]
    print(results[0], again, dict(await ledger.counts()), sep="|")
    await ledger.close()

asyncio.run(main())
"""


def run_alone(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", script, path], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )


def commits_in(wal: Path) -> int:
    """
    How many transactions a write-ahead log holds: its frames that close one (sqlite.org, WAL file format, 4).
    """
    content = wal.read_bytes()
    (page_bytes,) = struct.unpack(">I", content[8:12])
    frames = range(32, len(content), 24 + page_bytes)
    return sum(content[at + 4 : at + 8] != b"\0\0\0\0" and content[at + 8 : at + 16] == content[16:24] for at in frames)


async def test_what_was_saved_survives_a_kill(tmp_path: Path, open_sqlite: OpenSqlite) -> None:
    died = run_alone(SAVE_AND_DIE, tmp_path / "ledger.sqlite3")

    ledger = await open_sqlite("a")

    assert -signal.SIGKILL == died.returncode, died.stderr
    assert Claimed(a_job(attempts=7), is_new=False) == await ledger.claim(a_job(), NOW)


async def test_every_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    """
    A kill leaves the page cache alone; only this setting outlives a power cut.
    """
    database = open_database(tmp_path / "ledger.sqlite3")

    settings = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    database.close()

    assert ["wal", 2] == settings


async def test_saves_of_many_jobs_share_commits(tmp_path: Path, open_sqlite: OpenSqlite) -> None:
    ledger = await open_sqlite()
    jobs = [a_job(f"{number}") for number in range(200)]
    await asyncio.gather(*(ledger.claim(job, NOW) for job in jobs))
    wal = tmp_path / "ledger.sqlite3-wal"
    before = commits_in(wal)

    saves = await asyncio.gather(*(ledger.save(replace(job, attempts=2), NOW) for job in jobs))

    assert [Saved.WRITTEN] * 200 == saves
    assert 1 <= commits_in(wal) - before <= 20


async def test_one_save_alone_is_one_commit(tmp_path: Path, open_sqlite: OpenSqlite) -> None:
    """
    Shows that the count above counts.
    """
    ledger = await open_sqlite()
    await ledger.claim(a_job(), NOW)
    wal = tmp_path / "ledger.sqlite3-wal"
    before = commits_in(wal)

    for attempts in range(2, 7):
        await ledger.save(a_job(attempts=attempts), NOW)

    assert 5 == commits_in(wal) - before


def test_a_full_disk_writes_nothing_says_so_and_passes(tmp_path: Path) -> None:
    done = run_alone(FILL_THE_DISK, tmp_path / "ledger.sqlite3")

    assert 0 == done.returncode, done.stderr
    said, again, counts = done.stdout.splitlines()[-1].split("|")
    assert said.startswith("The ledger could not be written: ")
    assert "[True, True, True]" == again
    assert "{'sent': 4}" == counts


async def test_a_row_that_cannot_be_read_harms_no_neighbour(tmp_path: Path, open_sqlite: OpenSqlite) -> None:
    ledger = await open_sqlite()
    await ledger.claim(a_job("good"), NOW)
    await ledger.claim(a_job("bad"), NOW)
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as database:
        database.execute("UPDATE jobs SET doc = '{\"outcome\": {}}' WHERE id = 'bad'")
    database.close()

    claims = (ledger.claim(a_job("good" if number % 10 else "bad"), NOW) for number in range(50))
    results = await asyncio.gather(*claims, return_exceptions=True)

    assert [KeyError] * 5 == [type(result) for result in results[::10]]
    assert 45 == results.count(Claimed(a_job("good"), is_new=False))


@pytest.mark.parametrize("round_number", range(5))
def test_many_workers_can_make_the_same_file_at_once(tmp_path: Path, round_number: int) -> None:
    """
    Several processes of one host start together on a fresh file.
    """
    path = tmp_path / f"{round_number}.sqlite3"
    start, errors = threading.Barrier(8), []

    def open_it() -> None:
        start.wait(10)
        try:
            open_database(path).close()
        except LedgerError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors


async def opening(path: Path) -> LedgerError:
    ledger = SqliteLedger(path, "a", 120.0)
    with pytest.raises(LedgerError) as caught:
        await ledger.start()
    await ledger.close()
    return caught.value


async def test_a_missing_folder_is_told_and_not_made(tmp_path: Path) -> None:
    """
    A misspelt path, or a volume that is not mounted: beginning with an empty memory would be the worst.
    """
    error = await opening(tmp_path / "new" / "ledger.sqlite3")

    assert f"there is no folder {tmp_path / 'new'}" in str(error)
    assert not (tmp_path / "new").exists()


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    open_database(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()

    error = await opening(path)

    assert f"The ledger {path} was made by a newer version of vpn-worker (schema 99); upgrade." == str(error)


async def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    error = await opening(tmp_path)

    assert f"The ledger {tmp_path} cannot be opened: unable to open database file" in str(error)


async def test_a_file_that_is_no_database_is_no_ledger_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)

    error = await opening(path)

    assert f"The ledger {path} cannot be opened: file is not a database" in str(error)
    assert "Dear Sir or Madam, " * 100 == path.read_text()


async def test_a_database_of_something_else_is_no_ledger_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite3"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE photos (photo BLOB)")
    database.close()

    error = await opening(path)

    database = sqlite3.connect(path)
    [journal_mode] = database.execute("PRAGMA journal_mode").fetchone()
    database.close()

    assert f"{path} is the database of something else" in str(error)
    assert "delete" == journal_mode


@pytest.mark.parametrize("place", ["/proc/nowhere/ledger.sqlite3", "/dev/null/ledger.sqlite3"])
async def test_a_place_that_is_no_folder_is_named(place: str) -> None:
    error = await opening(Path(place))

    assert f"The ledger {place} cannot be opened: there is no folder {Path(place).parent}" in str(error)


async def test_a_row_that_nobody_can_read_hides_no_other_from_people(open_sqlite: OpenSqlite, tmp_path: Path) -> None:
    ledger = await open_sqlite()
    for number in range(5):
        await ledger.claim(a_job(f"order-{number}"), after(number))
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as database:
        database.execute("UPDATE jobs SET doc = 'broken' WHERE id IN ('order-4', 'order-2')")
        database.commit()

    first = await ledger.records.newest(RecordFilter(), 2)
    rest = await ledger.records.newest(RecordFilter(), 2, first[-1].place)

    assert [["order-3", "order-1"], ["order-0"]] == [[record.job.key.id for record in page] for page in (first, rest)]
    with pytest.raises(LedgerError, match="'order-4' of 'shop' cannot be read"):
        await ledger.records.of_request("order-4")
