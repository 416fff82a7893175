"""
The SQLite ledger as people read it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from worker.core.job import RequestKey
from worker.ledger import record_query
from worker.ledger.record_rows import RecordRow
from worker.ledger.records import LedgerRecords
from worker.ledger.sqlite_follows import follow_row, moment_of

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


class Reader(Protocol):
    """
    Has the ledger's file open.
    """

    async def run(self, question: Callable[[sqlite3.Connection], list[Any]]) -> list[Any]:
        """
        Puts a question to it, in a thread.
        """
        ...


def sqlite_records(reader: Reader) -> LedgerRecords:
    """
    Requests in the ledger's SQLite file, which that reader has open.
    """

    async def ask(statement: str, values: list[object]) -> list[RecordRow]:
        rows = await reader.run(lambda database: database.execute(statement, values).fetchall())
        return [_row(*row) for row in rows]

    return LedgerRecords(ask, DIALECT)


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
