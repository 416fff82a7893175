"""
The ledger in a SQLite file: for the workers of one host.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path

from worker.core.job import Job, Phase, RequestKey
from worker.errors import LedgerError
from worker.ledger.rows import from_row, to_doc
from worker.ledger.writer import GroupWriter
from worker.ports import Claim, Claimed, Held, Reused, Saved

_INSERT = """
INSERT INTO jobs (source, id, digest, router_id, tenant_id, order_id, phase, outcome, service_id, attempts, doc,
                  owner, leased_until, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT = "SELECT digest, router_id, phase, doc, owner, leased_until FROM jobs WHERE source = ? AND id = ?"
_LEASE = "UPDATE jobs SET owner = ?, leased_until = ? WHERE source = ? AND id = ?"
_UPDATE = """
UPDATE jobs SET phase = ?, outcome = ?, service_id = ?, attempts = ?, doc = ?, owner = ?, leased_until = ?,
                updated_at = ?
WHERE source = ? AND id = ? AND owner = ?
"""
_RIVAL = """
SELECT 1 FROM jobs
WHERE router_id = ? AND phase <> 'done' AND NOT (source = ? AND id = ?)
      AND ((phase IN ('sent', 'looking') AND updated_at > ?) OR leased_until > ?)
LIMIT 1
"""
_RIVAL_WAIT = timedelta(seconds=5)
#: A job in doubt that nobody has touched for so long must not hold up the router's other requests any more.
_FORGOTTEN_S = 600.0
_COUNTS = "SELECT COALESCE(outcome, phase), COUNT(*) FROM jobs GROUP BY 1"

#: How long to wait for other workers of this host that hold the file.
_BUSY_S = 30.0
_BUSY_RETRY_S = 0.02


class SqliteLedger:
    """
    Jobs in one SQLite file, in WAL mode, every commit synced to disk.

    Args:
        path: the file; made, with its folder, when it is not there.
        owner: who we are in leases; unique to this process.
        lease_s: how long a claim lasts without a write; longer than the longest API call.
    """

    def __init__(self, path: Path, owner: str, lease_s: float) -> None:
        self._owner = owner
        self._lease_s = lease_s
        self._writer = GroupWriter(partial(open_database, path))

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
        return await self._writer.run(partial(self._write, job, now, keeps_lease=job.phase is not Phase.DONE))

    async def release(self, job: Job, now: datetime) -> Saved:
        """
        See Ledger.release.
        """
        return await self._writer.run(partial(self._write, job, now, keeps_lease=False))

    async def owned(self, service_ids: Iterable[str], by_others_than: RequestKey) -> frozenset[str]:
        """
        See Ledger.owned.
        """
        return await self._writer.run(partial(_owned, tuple(service_ids), by_others_than))

    async def counts(self) -> Mapping[str, int]:
        """
        See Ledger.counts.
        """
        return await self._writer.run(lambda database: dict(database.execute(_COUNTS).fetchall()))

    def _claim(self, job: Job, now: datetime, database: sqlite3.Connection) -> Claim:
        row = database.execute(_SELECT, (job.key.source, job.key.id)).fetchone()
        if row is None:
            if _has_rival(job, now, database):
                return Held(now + _RIVAL_WAIT)
            database.execute(_INSERT, self._new_row(job, now, now.timestamp() + self._lease_s))
            return Claimed(job, is_new=True)
        if row[0] != job.digest:
            return Reused()
        return self._claim_known(job.key, row, now, database)

    def _claim_known(
        self,
        key: RequestKey,
        row: tuple[str, str, str, str, str | None, float],
        now: datetime,
        database: sqlite3.Connection,
    ) -> Claim:
        digest, router_id, phase, doc, owner, leased_until = row
        known = from_row(key, digest, router_id, phase, doc)
        if known.phase is Phase.DONE:
            return Claimed(known, is_new=False)
        if owner is not None and owner != self._owner and leased_until > now.timestamp():
            return Held(datetime.fromtimestamp(leased_until, UTC))
        # One that is itself in doubt comes first; one that would only begin (again) gives way.
        if known.phase is Phase.READY and _has_rival(known, now, database):
            return Held(now + _RIVAL_WAIT)
        database.execute(_LEASE, (self._owner, now.timestamp() + self._lease_s, key.source, key.id))
        return Claimed(known, is_new=False)

    def _new_row(self, job: Job, now: datetime, until: float) -> tuple[object, ...]:
        stamp = now.timestamp()
        return (
            job.key.source,
            job.key.id,
            job.digest,
            job.router_id,
            job.wanted.get("tenant_id"),
            job.wanted.get("order_id"),
            job.phase.value,
            job.outcome.kind.value if job.outcome else None,
            job.service_id,
            job.attempts,
            to_doc(job),
            self._owner,
            until,
            stamp,
            stamp,
        )

    def _write(self, job: Job, now: datetime, database: sqlite3.Connection, *, keeps_lease: bool) -> Saved:
        values = (
            job.phase.value,
            job.outcome.kind.value if job.outcome else None,
            job.service_id,
            job.attempts,
            to_doc(job),
            self._owner if keeps_lease else None,
            now.timestamp() + self._lease_s if keeps_lease else None,
            now.timestamp(),
            job.key.source,
            job.key.id,
            self._owner,
        )
        try:
            written = database.execute(_UPDATE, values).rowcount
        except sqlite3.IntegrityError:
            # The statement alone is undone; the rest of the group's transaction stands.
            return Saved.SERVICE_TAKEN
        return Saved.WRITTEN if written else Saved.LEASE_LOST


def _has_rival(job: Job, now: datetime, database: sqlite3.Connection) -> bool:
    stamp = now.timestamp()
    values = (job.router_id, job.key.source, job.key.id, stamp - _FORGOTTEN_S, stamp)
    return database.execute(_RIVAL, values).fetchone() is not None


def _owned(service_ids: tuple[str, ...], by_others_than: RequestKey, database: sqlite3.Connection) -> frozenset[str]:
    found = set()
    for service_id in service_ids:
        row = database.execute("SELECT source, id FROM jobs WHERE service_id = ?", (service_id,)).fetchone()
        if row is not None and RequestKey(*row) != by_others_than:
            found.add(service_id)
    return frozenset(found)


def open_database(path: Path) -> sqlite3.Connection:
    """
    The database at `path`, made if missing, its schema brought up to date.

    Raises:
        LedgerError: it was made by a newer version, is no ledger, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _opened(path)
    except (sqlite3.Error, OSError) as exc:
        raise LedgerError(
            f"The ledger {path} cannot be opened: {exc}; check the path, its permissions and the disk."
        ) from exc


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _refuse_foreign(database, path)
        _use_write_ahead_log(database)
        # FULL: a commit is on disk before anybody acts on it; grouped commits make it free (measured).
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        _migrate(database, path)
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _refuse_foreign(database: sqlite3.Connection, path: Path) -> None:
    # One statement, so one view of the file: another worker may be making its schema just now.
    version, tables = database.execute(
        "SELECT user_version, (SELECT COUNT(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version == 0 and tables:
        raise LedgerError(f"{path} is the database of something else; name another file in VPN_WORKER_LEDGER_URL.")


def _use_write_ahead_log(database: sqlite3.Connection) -> None:
    # Two workers that start together on a new file get "locked" at once here: this step knows no busy timeout.
    give_up_at = time.monotonic() + _BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(_BUSY_RETRY_S)
        else:
            return


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    folder = resources.files("worker.ledger") / "migrations" / "sqlite"
    steps = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(steps):
        raise LedgerError(f"The ledger {path} was made by a newer version of vpn-worker (schema {version}); upgrade.")
    for number, step in enumerate(steps[version:], start=version + 1):
        for statement in _statements(step.read_text(encoding="utf-8")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")


def _statements(script: str) -> list[str]:
    # executescript() would commit our transaction, so the script is run statement by statement.
    code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("--"))
    return [statement for statement in code.split(";") if statement.strip()]
