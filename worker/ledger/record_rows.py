"""
Rows as people read them: a job, and what was followed of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.core.job import RequestKey
from worker.core.records import Position, Record
from worker.errors import LedgerError
from worker.ledger.follow_rows import FollowRow, from_follow_row
from worker.ledger.rows import from_row

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RecordRow:
    """
    What the ledger says of a request; `follow` where its service is or was followed.
    """

    key: RequestKey
    digest: str
    router_id: str
    phase: str
    doc: str
    recorded_at: datetime
    updated_at: datetime
    follow: FollowRow | None


def to_record(row: RecordRow) -> Record:
    """
    The record of a row; raises LedgerError for one that cannot be read.
    """
    try:
        return Record(
            job=from_row(row.key, row.digest, row.router_id, row.phase, row.doc),
            recorded_at=row.recorded_at,
            updated_at=row.updated_at,
            follow=None if row.follow is None else from_follow_row(row.follow),
        )
    except (ValueError, TypeError, KeyError) as exc:
        raise LedgerError(
            f"The ledger's row of request {row.key.id!r} of {row.key.source!r} cannot be read ({exc!r}); it was "
            "written by another version of vpn-worker, or damaged."
        ) from exc


async def next_records(
    read: Callable[[int, Position | None], Awaitable[Sequence[RecordRow]]], limit: int, before: Position | None
) -> tuple[Record, ...]:
    """
    The next `limit` records that can be read: one that cannot must not hide the others.

    Args:
        read: gives the next rows, up to a number, from a place on.
        limit: 1 or more.
        before: where the page before ended; None for the first.
    """
    found: list[Record] = []
    is_last = False
    while len(found) < limit and not is_last:
        missing = limit - len(found)
        rows = await read(missing, before)
        for row in rows:
            try:
                found.append(to_record(row))
            except LedgerError as exc:
                log.warning("ledger.record_unreadable", error=str(exc))
        is_last = len(rows) < missing
        before = Position(rows[-1].recorded_at, rows[-1].key.source, rows[-1].key.id) if rows else before
    return tuple(found)
