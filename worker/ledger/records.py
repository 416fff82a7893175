"""
The ledger as people read it, whatever its database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

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

    async def search(
        self, text: str, wanted: RecordFilter, limit: int, before: Position | None = None
    ) -> tuple[Record, ...]:
        """
        See Records.search.
        """
        found = await self._found(_named(text, wanted), limit, before)
        is_indexed = bool(found) or (before is not None and await self._found(_named(text, wanted), 1, None))
        if not is_indexed and wanted.router_id in {None, text}:
            # Last, since it has no index: the whole ledger is read through.
            found = await self._found([replace(wanted, router_id=text)], limit, before)
        return tuple(found[place] for place in sorted(found, reverse=True)[:limit])

    async def _found(self, meant: list[RecordFilter], limit: int, before: Position | None) -> dict[Position, Record]:
        pages = await asyncio.gather(*(self.newest(one, limit, before) for one in meant))
        return {record.place: record for page in pages for record in page}

    async def of_request(self, request_id: str, source: str | None = None) -> tuple[Record, ...]:
        """
        See Records.of_request.
        """
        rows = await self._ask(*record_query.of_request(request_id, source, self._dialect))
        return tuple(to_record(row) for row in rows)


def _named(text: str, wanted: RecordFilter) -> list[RecordFilter]:
    """
    What a text may name that an index leads to.
    """
    meant = (
        (wanted.id_begins, replace(wanted, id_begins=text)),
        (wanted.order_id, replace(wanted, order_id=text)),
        (wanted.service_id, replace(wanted, service_id=text)),
        (wanted.tenant_id, replace(wanted, tenant_id=text)),
    )
    return [one for given, one in meant if given in {None, text}]
