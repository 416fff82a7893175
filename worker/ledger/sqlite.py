"""
The ledger in a SQLite file: for the workers of one host.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from worker.core.job import Job, Phase, RequestKey
from worker.ledger import sqlite_sql as sql
from worker.ledger.claiming import FORGOTTEN, Known, begins, is_kept, is_still, judge
from worker.ledger.rows import from_row, to_row
from worker.ledger.sqlite_file import BUSY_S, open_database
from worker.ledger.sqlite_follows import SqliteFollows
from worker.ledger.sqlite_records import sqlite_records
from worker.ledger.writer import GroupWriter
from worker.ports import Claim, Claimed, Saved


class SqliteLedger:
    """
    Jobs in one SQLite file, in WAL mode, every commit synced to disk.

    Args:
        path: the file; made, with its folder, when it is not there.
        owner: who we are in leases; unique to this process.
        lease_s: how long a claim lasts without a write; longer than the longest API call.
        busy_s: how long to wait for another process that holds the file.

    Attributes:
        follows: the part about followed services.
        records: the part for people.
    """

    def __init__(self, path: Path, owner: str, lease_s: float, busy_s: float = BUSY_S) -> None:
        self._owner = owner
        self._lease = timedelta(seconds=lease_s)
        self._writer = GroupWriter(partial(open_database, path, busy_s))
        self.follows = SqliteFollows(self._writer, owner, self._lease)
        self.records = sqlite_records(self._writer)

    async def start(self) -> None:
        """
        Opens the file and brings its schema up to date; raises LedgerError.
        """
        await self._writer.start()

    async def close(self) -> None:
        """
        Finishes pending writes and closes the file.
        """
        await self._writer.close()

    async def claim(self, job: Job, now: datetime) -> Claim:
        """
        See Ledger.claim.
        """
        return await self._writer.run(partial(self._claim, job, now))

    async def save(self, job: Job, now: datetime) -> Saved:
        """
        See Ledger.save.
        """
        until = None if job.phase is Phase.DONE else now + self._lease
        return await self._writer.run(partial(self._save, job, now, until))

    async def release(self, job: Job, now: datetime) -> Saved:
        """
        See Ledger.release.
        """
        return await self._writer.run(partial(self._save, job, now, None))

    async def owned(self, service_ids: Iterable[str], by_others_than: RequestKey) -> frozenset[str]:
        """
        See Ledger.owned.
        """
        return await self._writer.run(partial(_owned, tuple(service_ids), by_others_than))

    async def counts(self) -> Mapping[str, int]:
        """
        See Ledger.counts.
        """
        return await self._writer.run(lambda database: dict(database.execute(sql.COUNTS).fetchall()))

    async def find(self, request_id: str, source: str | None = None) -> tuple[Job, ...]:
        """
        See Ledger.find.
        """
        return await self._writer.run(partial(_find, request_id, source))

    async def amend(self, was: Job, job: Job, now: datetime) -> Saved:
        """
        See Ledger.amend.
        """
        return await self._writer.run(partial(_amend, was, job, now))

    async def prune(self, done_before: datetime, limit: int) -> int:
        """
        See Ledger.prune. What was followed goes with its job; notes about suspects that are as old go too, uncounted.
        """
        return await self._writer.run(partial(_prune, done_before.timestamp(), limit))

    async def mark_suspect(self, fingerprint: str, now: datetime) -> int:
        """
        See Ledger.mark_suspect.
        """
        return await self._writer.run(partial(_mark_suspect, fingerprint, now.timestamp()))

    async def clear_suspect(self, fingerprint: str) -> None:
        """
        See Ledger.clear_suspect.
        """
        await self._writer.run(lambda database: database.execute(sql.CLEAR_SUSPECT, (fingerprint,)).rowcount)

    def _claim(self, job: Job, now: datetime, database: sqlite3.Connection) -> Claim:
        known = _known(job.key, database)
        has_rival = begins(known) and _has_rival(job if known is None else known.job, now, database)
        claim = judge(job, known, self._owner, now, has_rival=has_rival)
        until = (now + self._lease).timestamp()
        match claim:
            case Claimed(is_new=True):
                database.execute(sql.INSERT, _new_values(job, self._owner, until, now.timestamp()))
            case Claimed(job=held) if held.phase is not Phase.DONE:
                database.execute(sql.LEASE, (self._owner, until, job.key.source, job.key.id))
        return claim

    def _save(self, job: Job, now: datetime, until: datetime | None, database: sqlite3.Connection) -> Saved:
        owner = None if until is None else self._owner
        lease = (owner, None if until is None else until.timestamp())
        try:
            values = (*_values(job, now), *lease, job.key.source, job.key.id, self._owner)
            is_written = database.execute(sql.UPDATE + "AND owner = ?", values).rowcount > 0
        except sqlite3.IntegrityError:
            # The statement alone is undone; the rest of the group's transaction stands.
            return Saved.SERVICE_TAKEN
        if is_written or (until is None and is_kept(_known(job.key, database), job)):
            return Saved.WRITTEN
        return Saved.LEASE_LOST


def _known(key: RequestKey, database: sqlite3.Connection) -> Known | None:
    row = database.execute(sql.SELECT, (key.source, key.id)).fetchone()
    if row is None:
        return None
    digest, router_id, phase, doc, owner, until = row
    leased_until = None if until is None else datetime.fromtimestamp(until, UTC)
    return Known(from_row(key, digest, router_id, phase, doc), owner, leased_until)


def _has_rival(job: Job, now: datetime, database: sqlite3.Connection) -> bool:
    values = (job.router_id, job.key.source, job.key.id, (now - FORGOTTEN).timestamp(), now.timestamp())
    return database.execute(sql.RIVAL, values).fetchone() is not None


def _new_values(job: Job, owner: str, until: float, stamp: float) -> tuple[object, ...]:
    row = to_row(job)
    return (
        *(row.source, row.id, row.digest, row.router_id, row.tenant_id, row.order_id),
        *(row.phase, row.outcome, row.service_id, row.attempts, row.doc),
        *(owner, until, stamp, stamp),
    )


def _values(job: Job, now: datetime) -> tuple[object, ...]:
    row = to_row(job)
    return (row.phase, row.outcome, row.service_id, row.attempts, row.doc, now.timestamp())


def _owned(service_ids: tuple[str, ...], by_others_than: RequestKey, database: sqlite3.Connection) -> frozenset[str]:
    found = set()
    for service_id in service_ids:
        row = database.execute(sql.OWNER, (service_id,)).fetchone()
        if row is not None and RequestKey(*row) != by_others_than:
            found.add(service_id)
    return frozenset(found)


def _find(request_id: str, source: str | None, database: sqlite3.Connection) -> tuple[Job, ...]:
    if source is not None:
        known = _known(RequestKey(source, request_id), database)
        return () if known is None else (known.job,)
    rows = database.execute(sql.FIND, (request_id,)).fetchall()
    return tuple(from_row(RequestKey(found, request_id), *rest) for found, *rest in rows)


def _amend(was: Job, job: Job, now: datetime, database: sqlite3.Connection) -> Saved:
    known = _known(job.key, database)
    if is_kept(known, job):
        return Saved.WRITTEN
    if known is None or not is_still(known, was):
        return Saved.LEASE_LOST
    try:
        database.execute(sql.UPDATE, (*_values(job, now), None, None, job.key.source, job.key.id))
    except sqlite3.IntegrityError:
        return Saved.SERVICE_TAKEN
    return Saved.WRITTEN


def _prune(done_before: float, limit: int, database: sqlite3.Connection) -> int:
    database.execute(sql.PRUNE_SUSPECTS, (done_before,))
    places = database.execute(sql.PRUNABLE, (done_before, limit)).fetchall()
    database.executemany(sql.PRUNE_FOLLOW, places)
    database.executemany(sql.PRUNE, places)
    return len(places)


def _mark_suspect(fingerprint: str, stamp: float, database: sqlite3.Connection) -> int:
    database.execute(sql.MARK_SUSPECT, (fingerprint, stamp))
    times: int = database.execute(sql.SUSPECTED, (fingerprint,)).fetchone()[0]
    return times
