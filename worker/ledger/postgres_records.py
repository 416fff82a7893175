"""
The PostgreSQL ledger as people read it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import asyncpg

from worker.core.job import RequestKey
from worker.ledger import record_query
from worker.ledger.postgres_follows import follow_row
from worker.ledger.postgres_sql import from_text, to_text
from worker.ledger.record_rows import RecordRow
from worker.ledger.records import LedgerRecords


def _as_it_is(moment: datetime) -> datetime:
    return moment


DIALECT = record_query.Dialect(
    placeholder=lambda number: f"${number}",
    text=to_text,
    moment=_as_it_is,
    by_index=lambda name: "",
    order_id='jobs.order_id COLLATE "C"',
    is_followed="(jobs.source, jobs.id) IN (SELECT source, id FROM follows WHERE NOT is_over)",
)


def postgres_records(session: Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]) -> LedgerRecords:
    """
    Requests in the ledger's PostgreSQL database; `session` gives a connection for one question.
    """

    async def ask(statement: str, values: list[object]) -> list[RecordRow]:
        async with session() as connection:
            rows = await connection.fetch(statement, *values)
        return [_row(*row) for row in rows]

    return LedgerRecords(ask, DIALECT)


def _row(source: str, request_id: str, *columns: Any) -> RecordRow:
    digest, router_id, phase, doc, created_at, updated_at, *followed = columns
    return RecordRow(
        key=RequestKey(from_text(source), from_text(request_id)),
        digest=from_text(digest),
        router_id=from_text(router_id),
        phase=phase,
        doc=doc,
        recorded_at=created_at,
        updated_at=updated_at,
        follow=None if followed[-1] is None else follow_row(source, request_id, *followed),
    )
