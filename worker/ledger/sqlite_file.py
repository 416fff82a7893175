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

#: How long to wait for other workers of this host that hold the file.
_BUSY_S = 30.0
_BUSY_RETRY_S = 0.02


def open_database(path: Path) -> sqlite3.Connection:
    """
    The database at `path`, made if missing, its schema brought up to date.

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
        database = _opened(path)
    except (sqlite3.Error, OSError) as exc:
        raise LedgerError(
            f"The ledger {path} cannot be opened: {exc}; check the path, its permissions and the disk."
        ) from exc
    if is_new:
        log.warning("ledger.created", path=str(path.absolute()))
    return database


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
    scripts = steps("sqlite")
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise LedgerError(f"The ledger {path} was made by a newer version of vpn-worker (schema {version}); upgrade.")
    for number, script in enumerate(scripts[version:], start=version + 1):
        for statement in script:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")
