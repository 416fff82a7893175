"""
The file of the SQLite ledger: opened, made when it is missing, its schema brought up to date.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import structlog

from worker.errors import LedgerError
from worker.ledger.migrations import steps

log = structlog.get_logger()

#: How long a worker waits for others of this host that hold the file.
BUSY_S = 30.0
_BUSY_RETRY_S = 0.02


def open_database(path: Path, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """
    The database at `path`, made if missing, its schema brought up to date.

    Args:
        path: the file.
        busy_s: how long to wait for others that hold it, now and at each write.

    Raises:
        LedgerError: it was made by a newer version, is no ledger, or cannot be written.
    """
    try:
        if not path.parent.is_dir():
            # A misspelt path or a volume that is not mounted would begin with an empty memory.
            raise LedgerError(
                f"The ledger {path} cannot be opened: there is no folder {path.parent}; make it, or mend the path."
            )
        is_new = not path.exists()
        database = _opened(path, busy_s)
    except (sqlite3.Error, OSError) as exc:
        remedy = "check the path, its permissions and the disk."
        if is_busy(exc):
            remedy = f"another process has held it for {busy_s:g} s, `fuser -v {path}` shows which; then try again."
        raise LedgerError(f"The ledger {path} cannot be opened: {exc}; {remedy}") from exc
    if is_new:
        log.warning("ledger.created", path=str(path.absolute()))
    return database


def is_busy(exc: Exception) -> bool:
    """
    Whether SQLite refused since another process holds the file.
    """
    return isinstance(exc, sqlite3.OperationalError) and exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _opened(path: Path, busy_s: float) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _refuse_foreign(database, path)
        _use_write_ahead_log(database, busy_s)
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


def _use_write_ahead_log(database: sqlite3.Connection, busy_s: float) -> None:
    # Two workers that start together on a new file get "locked" at once here: this step knows no busy timeout.
    give_up_at = time.monotonic() + busy_s
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_busy(exc) or time.monotonic() > give_up_at:
                raise
            time.sleep(_BUSY_RETRY_S)
        else:
            return


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    scripts = steps("sqlite")
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise LedgerError(f"The ledger {path} was made by a newer version of vpn-worker (schema {version}); upgrade.")
    for number, script in enumerate(scripts[version:], start=version + 1):
        for statement in script:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")
