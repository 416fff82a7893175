"""
The SQLite ledger as people read it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from worker.core.job import RequestKey
from worker.core.records import Position, Record, RecordFilter
from worker.ledger import record_query
from worker.ledger.record_rows import RecordRow, next_records, to_record
from worker.ledger.sqlite_follows import follow_row, moment_of
from worker.ledger.writer import GroupWriter

DIALECT = record_query.Dialect(
    placeholder=lambda number: "?",
    text=str,
    moment=datetime.timestamp,
    # There are no statistics, and the way through a wrong index is that through all jobs.
    by_index=lambda name: f"INDEXED BY {name}",
    order_id="jobs.order_id",
    # Found first, in an index of their own, and kept in memory: most jobs are not followed any more.
    is_followed="(jobs.source, jobs.id) IN (SELECT source, id FROM follows WHERE is_over = 0)",
)


class SqliteRecords:
    """
    Requests in the ledger's SQLite file.

    Args:
        writer: of that file.
    """

    def __init__(self, writer: GroupWriter) -> None:
        self._writer = writer

    async def newest(self, wanted: RecordFilter, limit: int, before: Position | None = None) -> tuple[Record, ...]:
        """
        See Records.newest.
        """

        async def read(limit: int, before: Position | None) -> list[RecordRow]:
            return await self._read(*record_query.newest(wanted, limit, before, DIALECT))

        return await next_records(read, limit, before)

    async def of_request(self, request_id: str, source: str | None = None) -> tuple[Record, ...]:
        """
        See Records.of_request.
        """
        return tuple(map(to_record, await self._read(*record_query.of_request(request_id, source, DIALECT))))

    async def _read(self, statement: str, values: list[object]) -> list[RecordRow]:
        rows = await self._writer.run(lambda database: database.execute(statement, values).fetchall())
        return [_row(*row) for row in rows]


def _row(source: str, request_id: str, *columns: Any) -> RecordRow:
    digest, router_id, phase, doc, created_at, updated_at, *followed = columns
    is_followed = followed[-1] is not None
    return RecordRow(
        key=RequestKey(source, request_id),
        digest=digest,
        router_id=router_id,
        phase=phase,
        doc=doc,
        recorded_at=moment_of(created_at),
        updated_at=moment_of(updated_at),
        follow=follow_row(source, request_id, *followed) if is_followed else None,
    )
