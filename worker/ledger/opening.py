"""
Opens the ledger that a URL names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from worker.ledger.sqlite import SqliteLedger
from worker.ledger.sqlite_file import BUSY_S

if TYPE_CHECKING:
    from worker.ledger.postgres import PostgresLedger

_SQLITE = "sqlite:///"


async def open_ledger(url: str, owner: str, lease_s: float, busy_s: float = BUSY_S) -> SqliteLedger | PostgresLedger:
    """
    The ledger at `url`, ready for use, its schema up to date; close it in the end.

    Args:
        url: `sqlite:///path` or `postgresql://user:password@host:port/database`.
        owner: who we are in leases; unique to this process.
        lease_s: how long a claim lasts without a write.
        busy_s: how long to wait for another process that holds a SQLite file.

    Raises:
        LedgerError: it cannot be opened; with the remedy, and without the password.
    """
    ledger: SqliteLedger | PostgresLedger
    if url.startswith(_SQLITE):
        ledger = SqliteLedger(Path(url.removeprefix(_SQLITE)), owner, lease_s, busy_s)
    else:
        # Its library takes long to load, and most commands have a file.
        from worker.ledger.postgres import PostgresLedger  # noqa: PLC0415

        ledger = PostgresLedger(url, owner, lease_s)
    await ledger.start()
    return ledger
