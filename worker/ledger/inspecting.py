"""
A look at the ledger that changes nothing of it: what a worker would meet there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TypeVar

from worker.ledger.sqlite_inspecting import inspect_sqlite
from worker.ports import Finding

T = TypeVar("T")

_SQLITE = "sqlite:///"


async def inspect_ledger(url: str, timeout_s: float = 5.0) -> tuple[Finding, ...]:
    """
    What there is to say of the ledger at `url`; nothing is made, migrated or written.

    Args:
        url: `sqlite:///path` or `postgresql://user:password@host:port/database`.
        timeout_s: limit for the look.
    """
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        return await _in_thread(lambda: inspect_sqlite(path, timeout_s))
    # Its library takes long to load, and most ledgers are files.
    from worker.ledger.postgres_inspecting import inspect_postgres  # noqa: PLC0415

    return await inspect_postgres(url, timeout_s)


async def _in_thread(work: Callable[[], T]) -> T:
    done: Future[T] = Future()

    def run() -> None:
        done.set_running_or_notify_cancel()  # from here on it cannot be cancelled, and so it can be set
        try:
            done.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(exc)

    # A daemon: a disk that does not answer must not keep the process from ending.
    Thread(target=run, name="ledger look", daemon=True).start()
    return await asyncio.wrap_future(done)
