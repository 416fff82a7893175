"""
A look at the file of a SQLite ledger. It is not made, not migrated, and left as it was found.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from worker.ledger.judging import foreign_finding, in_doubt_finding, schema_finding
from worker.ledger.migrations import steps
from worker.ports import Finding, State

_FILE = "ledger file"
_MIB = 1024 * 1024
#: Less than this is worth a word; with less than that, the next commits may fail.
_LITTLE_BYTES = 1024 * _MIB
_LEAST_BYTES = 16 * _MIB
#: Larger files take seconds to read through.
_CHECKED_BYTES = 64 * _MIB
#: How long to wait for the write lock; workers hold it for milliseconds.
_BUSY_S = 2.0
#: SQLite asks whether to go on after so many of its steps: about every millisecond.
_STEPS = 10_000


def inspect_sqlite(path: Path, timeout_s: float) -> tuple[Finding, ...]:
    """
    What there is to say of the file; blocks for `timeout_s` at most, on a disk that answers.
    """
    return tuple(_look(path, timeout_s))


def _look(path: Path, timeout_s: float) -> Iterator[Finding]:
    path = path.absolute()
    try:
        place = _place_finding(path)
        yield place
        if place.state is State.FAULT and not (path.is_file() and os.access(path, os.R_OK)):
            return
        yield _space_finding(path.parent)
        if path.is_file():
            yield from _contents(path, timeout_s)
    except OSError as exc:
        yield Finding(_FILE, State.FAULT, f"{path} cannot be looked at: {exc}.", "Check the path and its permissions.")


def _place_finding(path: Path) -> Finding:
    folder = path.parent
    if not folder.is_dir():
        remedy = "Make the folder, mount the volume, or mend VPN_WORKER_LEDGER_URL."
        return Finding(_FILE, State.FAULT, f"There is no folder {folder}.", remedy)
    if not os.access(folder, os.W_OK | os.X_OK):
        # Also where the file itself can be written: SQLite makes files beside it.
        remedy = f"Let the worker's user write in it: chown or chmod {folder}, or mount it writable."
        return Finding(
            _FILE, State.FAULT, f"This user (uid {os.geteuid()}) cannot write in the folder {folder}.", remedy
        )
    if not path.exists():
        return Finding(
            _FILE,
            State.WARNING,
            f"There is none at {path}; the first worker makes it.",
            "Nothing at a first start. Later: mend VPN_WORKER_LEDGER_URL, since an empty ledger knows no request.",
        )
    if not path.is_file():
        return Finding(_FILE, State.FAULT, f"{path} is no file.", "Name a file in VPN_WORKER_LEDGER_URL.")
    if not os.access(path, os.R_OK | os.W_OK):
        remedy = f"Let the worker's user read and write it: chown or chmod {path}."
        return Finding(_FILE, State.FAULT, f"This user (uid {os.geteuid()}) cannot read and write {path}.", remedy)
    return Finding(_FILE, State.OK, f"{path}, {_size(path.stat().st_size)}, can be written.")


def _space_finding(folder: Path) -> Finding:
    free_bytes = shutil.disk_usage(folder).free
    words = f"{_size(free_bytes)} free in {folder}."
    if free_bytes >= _LITTLE_BYTES:
        return Finding("ledger disk", State.OK, words)
    state = State.WARNING if free_bytes >= _LEAST_BYTES else State.FAULT
    return Finding("ledger disk", state, words, "Make room: while the ledger cannot be written, no request is taken.")


def _contents(path: Path, timeout_s: float) -> Iterator[Finding]:
    try:
        with closing(_opened(path)) as database:
            end_s = time.monotonic() + timeout_s
            database.set_progress_handler(lambda: time.monotonic() > end_s, _STEPS)
            yield from _inside(database, path)
    except sqlite3.Error as exc:
        if exc.sqlite_errorname == "SQLITE_INTERRUPT":
            remedy = "Look at the disk, or give the look more time."
            yield Finding(_FILE, State.WARNING, f"Reading {path} took more than {timeout_s:g} s.", remedy)
            return
        remedy = "Check that it is a ledger, its permissions and its disk."
        yield Finding(_FILE, State.FAULT, f"{path} cannot be read: {exc}.", remedy)


def _opened(path: Path) -> sqlite3.Connection:
    # Read and write when that can be: a reader alone would leave its -wal and -shm behind, with its own user as their
    # owner. Where only reading is allowed, nothing may be made, so the file counts as one that nobody changes.
    mode = "mode=rw" if _is_writable(path) else "mode=ro" if _has_log(path) else "mode=ro&immutable=1"
    place = f"file:{quote(str(path))}?{mode}"
    return sqlite3.connect(place, uri=True, timeout=_BUSY_S, isolation_level=None)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def _has_log(path: Path) -> bool:
    return path.with_name(f"{path.name}-wal").exists()


def _inside(database: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    version, tables = database.execute(
        "SELECT user_version, (SELECT COUNT(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version == 0 and tables:
        yield foreign_finding(f"{path} has {tables} tables and indexes of something else")
        return
    yield schema_finding(version, len(steps("sqlite")))
    if _is_writable(path):
        yield _lock_finding(database)
    if version == 0:
        return
    yield _journal_finding(database)
    yield _integrity_finding(database, path)
    if version <= len(steps("sqlite")):
        jobs: int = database.execute("SELECT COUNT(*) FROM jobs WHERE outcome = 'in_doubt'").fetchone()[0]
        yield in_doubt_finding(jobs)


def _lock_finding(database: sqlite3.Connection) -> Finding:
    began_s = time.monotonic()
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        words = f"Another process has held the write lock for {time.monotonic() - began_s:.1f} s."
        return Finding(
            "ledger lock",
            State.WARNING,
            words,
            "See who has the file open: `fuser -v` on it; workers need milliseconds.",
        )
    return Finding("ledger lock", State.OK, f"Had within {max(1.0, (time.monotonic() - began_s) * 1000):.0f} ms.")


def _journal_finding(database: sqlite3.Connection) -> Finding:
    mode: str = database.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        return Finding("ledger journal", State.OK, "Write-ahead log.")
    return Finding(
        "ledger journal",
        State.WARNING,
        f"Mode {mode}; the next worker that starts sets the write-ahead log.",
        "Let no other program open the ledger to write, nor keep it on a network file system.",
    )


def _integrity_finding(database: sqlite3.Connection, path: Path) -> Finding:
    size_bytes = path.stat().st_size
    if size_bytes > _CHECKED_BYTES:
        words = f"Not looked at, the file has {_size(size_bytes)}."
        return Finding(
            "ledger integrity", State.UNSEEN, words, f"In a quiet hour: sqlite3 {path} 'PRAGMA quick_check'."
        )
    said: str = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said == "ok":
        return Finding("ledger integrity", State.OK, "The file is whole.")
    words = " ".join(said.split())
    return Finding("ledger integrity", State.FAULT, f"Damaged: {words}.", "Stop the workers and bring back a backup.")


def _size(size_bytes: int) -> str:
    for unit, name in ((1024 * _MIB, "GiB"), (_MIB, "MiB"), (1024, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} bytes"
