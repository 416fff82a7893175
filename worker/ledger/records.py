"""
The ledger as people read it, whatever its database.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from worker.core.records import Position, Record, RecordFilter
from worker.ledger import record_query
from worker.ledger.record_rows import RecordRow, next_records, to_record


class LedgerRecords:
    """
    Requests in a database.

    Args:
        ask: gives the rows for a statement and its values.
        dialect: of the database's SQL.
    """

    def __init__(
        self, ask: Callable[[str, list[object]], Awaitable[list[RecordRow]]], dialect: record_query.Dialect
    ) -> None:
        self._ask = ask
        self._dialect = dialect

    async def newest(self, wanted: RecordFilter, limit: int, before: Position | None = None) -> tuple[Record, ...]:
        """
        See Records.newest.
        """

        async def read(limit: int, before: Position | None) -> list[RecordRow]:
            return await self._ask(*record_query.newest(wanted, limit, before, self._dialect))

        return await next_records(read, limit, before)

    async def of_request(self, request_id: str, source: str | None = None) -> tuple[Record, ...]:
        """
        See Records.of_request.
        """
        rows = await self._ask(*record_query.of_request(request_id, source, self._dialect))
        return tuple(to_record(row) for row in rows)
