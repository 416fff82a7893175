"""
The ledger as people read it.
"""

from __future__ import annotations

from typing import Protocol

from worker.core.records import Position, Record, RecordFilter


class Records(Protocol):
    """
    Requests as the ledger has them; reading changes nothing. Every call may raise LedgerError.
    """

    async def newest(self, wanted: RecordFilter, limit: int, before: Position | None = None) -> tuple[Record, ...]:
        """
        Up to `limit` requests that fit, the newest first: by `recorded_at`, then source and id, all descending.

        Args:
            wanted: which.
            limit: 1 or more.
            before: the place of the last one of the page before; None for the first page.
        """
        ...

    async def search(
        self, text: str, wanted: RecordFilter, limit: int, before: Position | None = None
    ) -> tuple[Record, ...]:
        """
        As `newest`, those alone that `text` names: it is the request's order_id, its service's id or its tenant_id, or its
        id begins with it; where there is none of these, its router_id.
        """
        ...

    async def of_request(self, request_id: str, source: str | None = None) -> tuple[Record, ...]:
        """
        The requests of that id, of every source or of one, ordered by source.
        """
        ...
