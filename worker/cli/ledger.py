"""
The workers' ledger, for a person's command.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from worker.cli.broker_settings import noted_ledger
from worker.errors import LedgerError
from worker.ledger.opening import open_ledger
from worker.ledger.sqlite_file import BUSY_S
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from worker.ledger.postgres import PostgresLedger
    from worker.ledger.sqlite import SqliteLedger

_SQLITE = "sqlite:///"
#: Somebody sits before it, and nothing is lost when it is told that the file is busy.
READER_BUSY_S = 3.0


def ledger_settings(ledger_url: str | None) -> Settings:
    """
    The workers' settings for a command that needs their ledger alone: nothing of the broker or the cloud is looked at.

    Args:
        ledger_url: flag; without it, the environment or a running `make run` of this folder names it.

    Raises:
        SettingsError: a value is wrong.
    """
    # The broker's URL may be in a file that this user may not read, or wrong: it is not needed, so it is not read.
    amqp_url = Settings.model_fields["amqp_url"].default
    flags = {"amqp_url": amqp_url, "ledger_url": noted_ledger() if ledger_url is None else ledger_url}
    return load_settings(flags, Settings, is_cloud_needed=False)


@asynccontextmanager
async def opened_ledger(settings: Settings, busy_s: float = BUSY_S) -> AsyncIterator[SqliteLedger | PostgresLedger]:
    """
    The workers' ledger.

    Args:
        settings: the workers'.
        busy_s: how long to wait for another process that holds a SQLite file; READER_BUSY_S for who only reads.

    Raises:
        LedgerError: there is none, or it cannot be opened.
    """
    url = settings.ledger_url.get_secret_value()
    _check_there(url)
    owner = f"{socket.gethostname()}:{os.getpid()}:operator"
    ledger = await open_ledger(url, owner, settings.lease_s, busy_s)
    try:
        yield ledger
    finally:
        await ledger.close()


def _check_there(ledger_url: str) -> None:
    path = ledger_url.removeprefix(_SQLITE)
    if ledger_url.startswith(_SQLITE) and not Path(path).is_file():
        # Opening would make an empty one, to which every request is a stranger.
        raise LedgerError(f"There is no ledger at {path}; name the workers' own in VPN_WORKER_LEDGER_URL.")
